#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/limits.h"
#include "module/head_object.h"

/* What one head says beside the log. */
struct head_verdict {
    const char *found; /* NULL: as it should be */
    bool peeked;       /* size and root could be read */
    struct checkpoint says;
    struct digest note;
};

/* Good: signed by the key that was in force at its size, and a prefix of the log. */
static enum outcome head_judge(const struct log *log, struct span note, struct head_verdict *ret, struct fault *f)
{
    struct head_verdict v = {.found = "differs"};
    struct checkpoint opened;
    struct digest root;
    struct fault why = {0};
    enum outcome outcome = OK;

    if (!digest_one(&v.note, note))
        return fault_set(f, E_IO, "libcrypto cannot hash");
    v.peeked = checkpoint_peek(note, &v.says, &why) == OK;
    if (v.peeked && v.says.size > log_size(log)) {
        v.found = "newer";
    } else if (v.peeked && log_checkpoint_open(log, note, &opened, &why) == OK) {
        outcome = log_root_at(log, opened.size, &root, f);
        if (outcome == OK && digest_equal(&root, &opened.root))
            v.found = NULL;
    }
    if (outcome == OK)
        *ret = v;
    return outcome;
}

static enum outcome finding_add(json_t *list, const struct site_link *s, const struct head_verdict *v, struct fault *f)
{
    json_t *one = json_object();
    bool missing = strcmp(v->found, "missing") == 0;
    bool good = json_put_string(one, "found", v->found) && (missing || json_put_digest(one, "note", &v->note)) &&
                (!v->peeked || (json_put_digest(one, "root", &v->says.root) &&
                                json_put_integer(one, "size", (int64_t)v->says.size))) &&
                json_put_string(one, "site", s->binding->site) && json_put_string(one, "token", s->token) &&
                json_array_append(list, one) == 0;
    json_decref(one);
    return good ? OK : fault_memory(f);
}

/* People have seen this very thing there, and the log goes on. */
static bool pardoned(const struct state_site *site, const struct head_verdict *v)
{
    return strings_have(&site->pardoned, strcmp(v->found, "missing") == 0 ? "missing" : digest_hex(&v->note).hex);
}

/* The log is read after the HSM, so that what another process puts there meanwhile is in it. ret: what lies there. */
static enum outcome look_once(struct world *w, const struct site_link *s, json_t *list, struct heads *ret,
                              struct fault *f)
{
    struct heads heads = {.count = 0};
    struct head_verdict v = {.found = "missing"};
    enum outcome outcome = heads_read(s, w->estate->state.origin, &heads, f);
    if (outcome != OK)
        return outcome;
    outcome = estate_refresh(w->estate, f);
    const struct state_site *site = state_site(&w->estate->state, s->token, s->binding->site);
    if (outcome == OK && site != NULL && heads.count == 0 && site->headed && !pardoned(site, &v))
        outcome = finding_add(list, s, &v, f);
    for (size_t i = 0; i < heads.count && outcome == OK && site != NULL; i++) {
        outcome = head_judge(w->estate->log, buf_span(&heads.items[i].note), &v, f);
        if (outcome == OK && v.found != NULL && !pardoned(site, &v))
            outcome = finding_add(list, s, &v, f);
    }
    if (outcome == OK)
        *ret = heads;
    else
        heads_clear(&heads);
    return outcome;
}

/* Another process may be renewing the head at this moment, and a search on an HSM and the reading of what it found are several
 * calls: something is wrong only where it stays so. */
static enum outcome link_look(struct world *w, const struct site_link *s, json_t *list, struct heads *ret,
                              struct fault *f)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    for (unsigned looks = 1;; looks++) {
        struct heads heads = {.count = 0};
        json_t *found = json_array();
        enum outcome outcome = found != NULL ? look_once(w, s, found, &heads, f) : fault_memory(f);
        bool again = outcome == OK && json_array_size(found) > 0 && looks < LIMIT_HEAD_LOOKS;
        if (outcome == OK && !again && json_array_extend(list, found) != 0)
            outcome = fault_memory(f);
        json_decref(found);
        if (outcome == OK && !again)
            *ret = heads;
        else
            heads_clear(&heads);
        if (!again)
            return outcome;
        nanosleep(&pause, NULL);
    }
}

static bool wanted(const struct world *w, const char *token, const struct binding *b)
{
    return b->reach == REACH_MODULE && state_site(&w->estate->state, token, b->site) != NULL;
}

enum outcome heads_look(struct world *w, const char *token, const char *site, json_t *list, struct fault *f)
{
    const struct bound_token *t = bindings_token(w->estate->bindings, token);
    enum outcome outcome = OK;
    for (size_t i = 0; t != NULL && i < t->site_count && outcome == OK; i++) {
        const struct binding *b = &t->sites[i];
        struct site_link link = {0};
        struct heads heads = {.count = 0};
        struct fault absent = {0};
        if ((site != NULL && strcmp(site, b->site) != 0) || !wanted(w, t->id, b) ||
            site_open(w, t->id, b->site, SITE_NOBODY, &link, &absent) != OK)
            continue;
        outcome = link_look(w, &link, list, &heads, f);
        heads_clear(&heads);
        site_close(&link);
    }
    return outcome;
}

/* The first finding, in words. */
static enum outcome findings_refuse(const struct world *w, const json_t *list, struct fault *f)
{
    const json_t *first = json_array_get(list, 0);
    const char *found = json_string_or_null(first, "found");
    char size[64] = "";
    if (first == NULL)
        return OK;
    if (json_object_get(first, "size") != NULL)
        snprintf(size, sizeof size, " (%" JSON_INTEGER_FORMAT " entries, the log has %" PRIu64 ")",
                 json_integer_value(json_object_get(first, "size")), log_size(w->estate->log));
    return fault_set(
        f, E_REFUSED,
        "%s at %s: the log's head on the HSM %s%s: the home may be an older copy or a second one, or somebody "
        "changed the HSM; find out, then `quorate readopt`",
        json_string_or_null(first, "token"), json_string_or_null(first, "site"),
        strcmp(found, "missing") == 0 ? "is missing"
        : strcmp(found, "newer") == 0 ? "is newer than the log"
                                      : "differs from the log",
        size);
}

enum outcome heads_check(struct world *w, const char *token, const char *site, struct fault *f)
{
    json_t *list = json_array();
    enum outcome outcome = list != NULL ? heads_look(w, token, site, list, f) : fault_memory(f);
    if (outcome == OK)
        outcome = findings_refuse(w, list, f);
    json_decref(list);
    return outcome;
}

/* Told by itself, in no ceremony: one that was closed a moment ago can be named no more. */
static enum outcome head_tell(struct world *w, const struct site_link *s, struct fault *f)
{
    struct estate *e = w->estate;
    json_t *body = json_object();
    bool good = json_put_string(body, "site", s->binding->site) && json_put_string(body, "token", s->token);
    enum outcome outcome = good ? log_begin(e->log, f) : fault_memory(f);
    if (outcome == OK)
        outcome = log_append(e->log, ENTRY_HEAD, NULL, body, NULL, f);
    log_end(e->log);
    json_decref(body);
    return outcome;
}

/* Deletes what the new head takes the place of. */
static enum outcome heads_drop(const struct site_link *s, const struct heads *old, struct fault *f)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < old->count && outcome == OK; i++) {
        CK_RV rv = s->f->C_DestroyObject(s->session, old->items[i].object);
        if (rv != CKR_OK)
            outcome = site_fault(s, "deleting an older head of the log", rv, f);
    }
    return outcome;
}

/* Takes one that is this very note off the list: it stays where it is. */
static bool heads_spare(struct heads *h, struct span note)
{
    for (size_t i = 0; i < h->count; i++) {
        if (!span_equal(buf_span(&h->items[i].note), note))
            continue;
        buf_free(&h->items[i].note);
        h->items[i] = h->items[--h->count];
        return true;
    }
    return false;
}

/* Where everything is as it should be, or people have pardoned what is not. */
static enum outcome link_renew(struct world *w, const struct site_link *s, CK_RV *ret_rv, struct fault *f)
{
    struct estate *e = w->estate;
    struct heads old = {.count = 0};
    struct buf note = BUF(LIMIT_NOTE);
    json_t *list = json_array();
    enum outcome outcome = list != NULL ? link_look(w, s, list, &old, f) : fault_memory(f);
    if (outcome == OK)
        outcome = findings_refuse(w, list, f);
    if (outcome == OK)
        outcome = log_checkpoint_bytes(e->log, &note, f);
    bool there = outcome == OK && heads_spare(&old, buf_span(&note));
    if (outcome == OK && !there)
        outcome = head_make(s, e->state.origin, buf_span(&note), ret_rv, f);
    if (outcome == OK)
        outcome = heads_drop(s, &old, f);
    const struct state_site *site = state_site(&e->state, s->token, s->binding->site);
    if (outcome == OK && site != NULL && (!site->headed || site->pardoned.count > 0))
        outcome = head_tell(w, s, f);
    heads_clear(&old);
    buf_free(&note);
    json_decref(list);
    return outcome;
}

/* Without a login first, as public objects need none by the standard. */
static enum outcome site_renew(struct world *w, const char *token, const char *site, struct fault *f)
{
    static const enum site_login ways[] = {SITE_NOBODY, SITE_EITHER};
    enum outcome outcome = OK;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct site_link link = {0};
        CK_RV rv = CKR_OK;
        outcome = site_open(w, token, site, ways[i], &link, f);
        if (outcome != OK && i == 0)
            return OK; /* not reached */
        if (outcome == OK)
            outcome = link_renew(w, &link, &rv, f);
        site_close(&link);
        if (outcome == OK || rv != CKR_USER_NOT_LOGGED_IN)
            break;
    }
    return outcome;
}

enum outcome heads_renew(struct world *w, const char *token, struct fault *f)
{
    const struct bindings *all = w->estate->bindings;
    enum outcome outcome = OK;
    for (size_t i = 0; i < all->token_count; i++) {
        const struct bound_token *t = &all->tokens[i];
        for (size_t k = 0; k < t->site_count; k++) {
            struct fault why = {0};
            if ((token != NULL && strcmp(token, t->id) != 0) || !wanted(w, t->id, &t->sites[k]))
                continue;
            if (site_renew(w, t->id, t->sites[k].site, &why) != OK && outcome == OK) {
                *f = why;
                outcome = why.outcome;
            }
        }
    }
    return outcome;
}
