#include <inttypes.h>
#include <string.h>

#include "audit/fold.h"

/* Member `name`: rising seqs of the `born` entries of keys that the site holds. NULL after a fault. */
static const json_t *read_keys(struct fold *x, const char *name, const char *token, const char *site)
{
    json_t *list = NULL, *item;
    size_t i;
    int64_t before = -1;
    if (!x->rc)
        x->rc = json_want_array(x->body, name, &list, x->f);
    json_array_foreach(list, i, item)
    {
        int64_t seq = json_is_integer(item) ? json_integer_value(item) : -1;
        const struct state_key *k = seq > before ? state_key_born(x->look, (uint64_t)seq) : NULL;
        if (!k || !state_key_at(k, token, site))
            fold_fail(x, "the member \"%s\" is not the rising numbers of births of keys that the site holds", name);
        before = seq;
    }
    return x->rc ? NULL : list;
}

static bool have(const json_t *list, uint64_t seq)
{
    size_t low = 0, high = json_array_size(list);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        uint64_t here = (uint64_t)json_integer_value(json_array_get(list, middle));
        if (here == seq)
            return true;
        if (here < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Every key that the site holds is in the list. */
static bool all_proven(const struct state *s, const char *token, const char *site, const json_t *proven)
{
    for (size_t i = 0; i < s->key_count; i++)
        if (state_key_at(&s->keys[i], token, site) && !have(proven, s->keys[i].seq))
            return false;
    return true;
}

void fold_drill(struct fold *x)
{
    fold_members(x, "challenge failed proven ?reason ?receipt site token");
    const char *token = fold_text(x, "token"), *site = fold_text(x, "site");
    bool answered = fold_has(x, "receipt");
    struct digest challenge = fold_digest(x, "challenge");
    if (answered)
        fold_digest(x, "receipt");
    else
        fold_text(x, "reason");
    struct state_site *s = fold_site(x, token, site);
    const json_t *proven = read_keys(x, "proven", token, site), *failed = read_keys(x, "failed", token, site);
    for (size_t i = 0; i < json_array_size(failed); i++)
        if (have(proven, (uint64_t)json_integer_value(json_array_get(failed, i))))
            fold_fail(x, "a key both failed and proved itself");
    if (answered == fold_has(x, "reason"))
        fold_fail(x, "it has a receipt, or a reason why there is none");
    if (!answered && json_array_size(proven) > 0)
        fold_fail(x, "it proves keys without a receipt");
    if (!fold_goes(x) || !answered)
        return;
    bool whole = all_proven(x->look, token, site, proven);
    if (json_array_size(failed) > 0) {
        s->drilled = 0; /* this site does not hold what it should */
    } else if (whole) {
        s->drilled = x->e->time;
        s->drill = x->e->seq;
    }
    if (json_array_size(failed) > 0 || whole)
        fold_retirements_drilled(x, s, &challenge, json_array_size(failed) > 0);
}
