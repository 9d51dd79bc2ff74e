#include <inttypes.h>
#include <string.h>

#include "audit/fold.h"

/* The log's head on the HSMs: `head` says that one lies there from now on, `readopted` that people have seen what was
 * found there instead, and go on. */

void fold_head(struct fold *x)
{
    fold_members(x, "site token");
    struct state_site *s = fold_site(x, fold_text(x, "token"), fold_text(x, "site"));
    if (!fold_goes(x))
        return;
    s->headed = true;
    strings_free(&s->pardoned);
}

static void pardon_add(struct fold *x, struct state_site *s, const char *what)
{
    if (!strings_have(&s->pardoned, what) && !strings_add(&s->pardoned, what))
        fold_memory(x);
}

void fold_token_made_new(struct fold *x, const char *token)
{
    for (size_t i = 0; i < x->s->site_count && !x->rc; i++)
        if (!strcmp(x->s->sites[i].token, token) && x->s->sites[i].headed)
            pardon_add(x, &x->s->sites[i], "missing");
}

/* One thing that was found on an HSM, read as a body of its own. What it is pardoned by: the note's digest, or "missing". */
static struct state_site *read_found(struct fold *x, json_t *item, const char **ret_pardon)
{
    struct fold one = *x;
    one.body = item;
    if (!json_is_object(item))
        fold_fail(&one, "the member \"heads\" is no list of objects");
    fold_members(&one, "found ?note ?root site ?size token");
    const char *found = fold_text(&one, "found");
    bool missing = !strcmp(found, "missing"), peeked = fold_has(&one, "size");
    if (!missing && strcmp(found, "newer") != 0 && strcmp(found, "differs") != 0)
        fold_fail(&one, "a head is missing, newer or differs, not \"%s\"", found);
    if (missing == fold_has(&one, "note") || peeked != fold_has(&one, "root") || (missing && peeked))
        fold_fail(&one, "a head that was found has its note's digest, its size and root together or not at all");
    if (peeked) {
        fold_count(&one, "size");
        fold_digest(&one, "root");
    }
    if (!missing)
        fold_digest(&one, "note");
    *ret_pardon = missing ? "missing" : fold_text(&one, "note");
    struct state_site *s = fold_site(&one, fold_text(&one, "token"), fold_text(&one, "site"));
    x->rc = one.rc;
    return s;
}

void fold_readopted(struct fold *x)
{
    json_t *list = NULL, *item = NULL;
    size_t i = 0;
    fold_members(x, "heads request verdict");
    fold_verdict(x);
    struct state_request *r = fold_live_request(x, "readopt-log");
    if (!x->rc && r && r->state != REQUEST_INTENT)
        fold_fail(x, "nothing decided yet that the log may go on");
    if (!x->rc)
        x->rc = json_want_array(x->body, "heads", &list, x->f);
    if (!x->rc && json_array_size(list) == 0)
        fold_fail(x, "no head is named that it would be about");
    for (int applies = 0; applies < 2; applies++) { /* everything is read before anything is changed */
        if (applies && !fold_goes(x))
            return;
        json_array_foreach(list, i, item)
        {
            const char *pardon = NULL;
            struct state_site *s = x->rc ? NULL : read_found(x, item, &pardon);
            if (applies && s)
                pardon_add(x, s, pardon);
        }
    }
    fold_spend(x, r);
}
