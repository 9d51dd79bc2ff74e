#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/limits.h"
#include "module/head.h"
#include "module/head_object.h"
#include "module/replica.h"

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

static enum outcome finding_add(json_t *list, const struct replica *r, const struct head_verdict *v, struct fault *f)
{
    json_t *one = json_object();
    bool missing = strcmp(v->found, "missing") == 0;
    bool good = json_put_string(one, "found", v->found) && (missing || json_put_digest(one, "note", &v->note)) &&
                (!v->peeked || (json_put_digest(one, "root", &v->says.root) &&
                                json_put_integer(one, "size", (int64_t)v->says.size))) &&
                json_put_string(one, "site", r->site) && json_put_string(one, "token", r->token) &&
                json_array_append(list, one) == 0;
    json_decref(one);
    return good ? OK : fault_memory(f);
}

/* People have seen this very thing there, and the log goes on. */
static bool pardoned(const struct state_site *site, const struct head_verdict *v)
{
    return strings_have(&site->pardoned, strcmp(v->found, "missing") == 0 ? "missing" : digest_hex(&v->note).hex);
}

/* The log is read after the HSM, so that what another process puts there meanwhile is in it. */
static enum outcome look_once(struct world *w, const struct replica *r, json_t *list, struct fault *f)
{
    const struct heads *heads = &r->visit->heads;
    struct head_verdict v = {.found = "missing"};
    enum outcome outcome = estate_refresh(w->estate, f);
    const struct state_site *site = state_site(&w->estate->state, r->token, r->site);
    if (outcome == OK && site != NULL && heads->count == 0 && site->headed && !pardoned(site, &v))
        outcome = finding_add(list, r, &v, f);
    for (size_t i = 0; i < heads->count && outcome == OK && site != NULL; i++) {
        outcome = head_judge(w->estate->log, buf_span(&heads->items[i].note), &v, f);
        if (outcome == OK && v.found != NULL && !pardoned(site, &v))
            outcome = finding_add(list, r, &v, f);
    }
    return outcome;
}

/* Another process may be renewing the head at this moment, and a search on an HSM and the reading of what it found are several
 * calls: something is wrong only where it stays so. */
static enum outcome replica_look(struct world *w, struct replica *r, json_t *list, struct fault *f)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    enum outcome outcome = OK;
    bool again = true;
    for (unsigned looks = 1; again; looks++) {
        json_t *found = json_array();
        outcome = found != NULL ? look_once(w, r, found, f) : fault_memory(f);
        again = outcome == OK && json_array_size(found) > 0 && looks < LIMIT_HEAD_LOOKS;
        if (outcome == OK && !again && json_array_extend(list, found) != 0)
            outcome = fault_memory(f);
        json_decref(found);
        if (again) {
            nanosleep(&pause, NULL);
            outcome = replica_visit(r, VISIT_HEADS, f);
            again = outcome == OK;
        }
    }
    return outcome;
}

static bool wanted(const struct world *w, const char *token, const struct binding *b)
{
    return b->reach == REACH_MODULE && state_site(&w->estate->state, token, b->site) != NULL;
}

static enum outcome heads_begin(struct replicas *at, struct world *w, const char *token, const char *site,
                                struct fault *f)
{
    struct replica *r = NULL;
    struct fault absent = {0};
    if (replicas_want(at, w, token, site, &r, &absent) != OK)
        return OK;
    r->visit->how = SITE_NOBODY;
    r->visit->origin = strdup(w->estate->state.origin);
    return r->visit->origin != NULL ? replica_begin(r, VISIT_HEADS, f) : fault_memory(f);
}

enum outcome heads_ask(struct world *w, const char *token, const char *site, struct replicas *at, struct fault *f)
{
    const struct bound_token *t = bindings_token(w->estate->bindings, token);
    enum outcome outcome = OK;
    for (size_t i = 0; t != NULL && i < t->site_count && outcome == OK; i++)
        if ((site == NULL || strcmp(site, t->sites[i].site) == 0) && wanted(w, t->id, &t->sites[i]))
            outcome = heads_begin(at, w, t->id, t->sites[i].site, f);
    return outcome;
}

/* Waits for what lies there. Those that answer are marked ready. */
static enum outcome heads_back(struct replicas *at, struct fault *f)
{
    struct replica *r = NULL;
    struct fault why = {0};
    enum outcome outcome = OK, visit = OK;
    while ((r = replicas_next(at, &visit, &why)) != NULL) {
        r->ready = visit == OK;
        if (visit != OK && visit != E_ABSENT && r->visit != NULL && outcome == OK) {
            outcome = visit;
            *f = why;
        }
    }
    return outcome;
}

static enum outcome heads_judge(struct world *w, struct replicas *at, json_t *list, struct fault *f)
{
    enum outcome outcome = heads_back(at, f);
    for (size_t i = 0; i < at->count && outcome == OK; i++)
        if (at->items[i].ready)
            outcome = replica_look(w, &at->items[i], list, f);
    return outcome;
}

enum outcome heads_look(struct world *w, const char *token, const char *site, json_t *list, struct fault *f)
{
    struct replicas at = {.count = 0};
    enum outcome outcome = heads_ask(w, token, site, &at, f);
    if (outcome == OK)
        outcome = heads_judge(w, &at, list, f);
    replicas_end(&at);
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

enum outcome heads_asked(struct world *w, struct replicas *at, struct fault *f)
{
    json_t *list = json_array();
    enum outcome outcome = heads_judge(w, at, list, f);
    if (outcome == OK)
        outcome = list != NULL ? findings_refuse(w, list, f) : fault_memory(f);
    json_decref(list);
    return outcome;
}

enum outcome heads_check(struct world *w, const char *token, const char *site, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct fault why = {0};
    enum outcome outcome = heads_ask(w, token, site, &at, f), asked = heads_asked(w, &at, &why);
    replicas_end(&at);
    if (outcome == OK && asked != OK)
        *f = why;
    return outcome == OK ? asked : outcome;
}

/* Told by itself, in no ceremony: one that was closed a moment ago can be named no more. */
static enum outcome head_tell(struct world *w, const struct replica *r, struct fault *f)
{
    struct estate *e = w->estate;
    const struct state_site *site = state_site(&e->state, r->token, r->site);
    if (site == NULL || (site->headed && site->pardoned.count == 0))
        return OK;
    json_t *body = json_object();
    bool good = json_put_string(body, "site", r->site) && json_put_string(body, "token", r->token);
    enum outcome outcome = good ? log_begin(e->log, f) : fault_memory(f);
    if (outcome == OK)
        outcome = log_append(e->log, ENTRY_HEAD, NULL, body, NULL, f);
    log_end(e->log);
    json_decref(body);
    return outcome;
}

/* Takes all that are this very note off the list: they stay where they are. Of two that two processes put there at once each
 * might otherwise keep the other one's, and none would be left. */
static bool heads_spare(struct heads *h, struct span note)
{
    size_t kept = 0, before = h->count;
    for (size_t i = 0; i < before; i++)
        if (span_equal(buf_span(&h->items[i].note), note))
            buf_free(&h->items[i].note);
        else
            h->items[kept++] = h->items[i];
    h->count = kept;
    return kept < before;
}

/* Where everything is as it should be, or people have pardoned what is not. */
static enum outcome renew_begin(struct world *w, struct replica *r, struct fault *f)
{
    struct visit *v = NULL;
    json_t *list = json_array();
    enum outcome outcome = list != NULL ? replica_look(w, r, list, f) : fault_memory(f);
    if (outcome == OK)
        outcome = findings_refuse(w, list, f);
    if (outcome != OK)
        goto out;
    v = r->visit;
    buf_clear(&v->note);
    outcome = log_checkpoint_bytes(w->estate->log, &v->note, f);
    if (outcome == OK && heads_spare(&v->heads, buf_span(&v->note)))
        buf_clear(&v->note);
    if (outcome == OK)
        outcome = replica_begin(r, VISIT_HEAD_PUT, f);
out:
    json_decref(list);
    return outcome;
}

/* The first of several faults is the one that is told. */
static enum outcome first_keep(enum outcome so_far, enum outcome now, const struct fault *why, struct fault *f)
{
    if (so_far == OK && now != OK)
        *f = *why;
    return so_far != OK ? so_far : now;
}

enum outcome heads_again(struct replicas *at, struct fault *f)
{
    struct fault why = {0};
    enum outcome outcome = OK;
    for (size_t i = 0; i < at->count; i++) {
        struct replica *r = &at->items[i];
        if (!r->ready)
            continue;
        enum outcome begun = replica_begin(r, VISIT_HEADS, &why);
        r->ready = begun == OK;
        outcome = first_keep(outcome, begun, &why, f);
    }
    return outcome;
}

enum outcome heads_put(struct world *w, struct replicas *at, struct fault *f)
{
    struct fault why = {0};
    enum outcome outcome = heads_back(at, f);
    for (size_t i = 0; i < at->count; i++)
        if (at->items[i].ready)
            outcome = first_keep(outcome, renew_begin(w, &at->items[i], &why), &why, f);
    return outcome;
}

enum outcome heads_wait(struct world *w, struct replicas *at, struct fault *f)
{
    struct replica *r = NULL;
    struct fault why = {0};
    enum outcome outcome = OK, one = OK;
    while ((r = replicas_next(at, &one, &why)) != NULL) {
        if (one == OK)
            one = head_tell(w, r, &why);
        outcome = first_keep(outcome, one, &why, f);
    }
    return outcome;
}

/* On all HSMs of a token that answer, side by side; the first fault is in f. */
static enum outcome token_renew(struct world *w, const struct bound_token *t, struct fault *f)
{
    struct replicas at = {.count = 0};
    struct fault why = {0};
    enum outcome outcome = heads_ask(w, t->id, NULL, &at, f);
    outcome = first_keep(outcome, heads_put(w, &at, &why), &why, f);
    outcome = first_keep(outcome, heads_wait(w, &at, &why), &why, f);
    replicas_end(&at);
    return outcome;
}

enum outcome heads_renew(struct world *w, const char *token, struct fault *f)
{
    const struct bindings *all = w->estate->bindings;
    enum outcome outcome = OK;
    for (size_t i = 0; i < all->token_count; i++) {
        struct fault why = {0};
        if ((token == NULL || strcmp(token, all->tokens[i].id) == 0) && token_renew(w, &all->tokens[i], &why) != OK &&
            outcome == OK) {
            *f = why;
            outcome = why.outcome;
        }
    }
    return outcome;
}
