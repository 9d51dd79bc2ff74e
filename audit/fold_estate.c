#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"
#include "audit/note.h"

void fold_genesis(struct fold *x)
{
    fold_members(x, "environment log-key name origin policy");
    const char *environment = fold_text(x, "environment"), *name = fold_text(x, "name"),
               *origin = fold_text(x, "origin");
    struct digest policy = fold_digest(x, "policy");
    fold_text(x, "log-key");
    if (strcmp(environment, "production") != 0 && strcmp(environment, "test") != 0 &&
        strcmp(environment, "rehearsal") != 0)
        fold_fail(x, "an environment is production, test or rehearsal, not \"%s\"", environment);
    if (!fold_goes(x))
        return;
    x->s->started = true;
    x->s->estate = x->e->digest;
    x->s->genesis_policy = policy;
    x->s->environment = fold_copy(x, environment);
    x->s->origin = fold_copy(x, origin);
    x->s->name = fold_copy(x, name);
}

void fold_void_pending(struct fold *x, const char *why)
{
    for (size_t i = 0; i < x->s->request_count; i++) {
        struct state_request *r = &x->s->requests[i];
        if (r->state != REQUEST_PENDING)
            continue;
        r->state = REQUEST_VOID;
        r->why = fold_copy(x, why);
    }
}

void fold_policy(struct fold *x)
{
    fold_members(x, "canonical digest request ?succession verdict version");
    struct digest digest = fold_digest(x, "digest");
    uint64_t version = fold_count(x, "version");
    const char *succession = fold_optional(x, "succession");
    fold_digest(x, "canonical");
    fold_verdict(x);
    struct state_request *r = fold_live_request(x, "adopt-policy");
    if (succession && strcmp(succession, "true") != 0)
        fold_fail(x, "succession is \"true\" or absent");
    if (version <= x->look->policy_version || version > UINT32_MAX)
        fold_fail(x, "policy %" PRIu64 " cannot follow policy %u", version, x->look->policy_version);
    if (x->look->policy_version == 0 && !digest_equal(&digest, &x->look->genesis_policy))
        fold_fail(x, "the first policy is not the one whose digest the genesis names");
    if (!fold_goes(x))
        return;
    fold_spend(x, r);
    char why[48];
    snprintf(why, sizeof why, "policy %u adopted", (unsigned)version);
    fold_void_pending(x, why); /* what was asked under the policy before has to be asked again */
    x->s->policy = digest;
    x->s->policy_version = (unsigned)version;
    x->s->policy_seq = x->e->seq;
    x->s->refused_count = 0;
    map_clear(&x->s->refused_index);
}

/* The log itself follows the key; here it must have been asked for and allowed. */
void fold_log_key(struct fold *x)
{
    struct note_key key;
    fold_members(x, "log-key request verdict");
    const char *vkey = fold_text(x, "log-key");
    fold_verdict(x);
    struct state_request *r = fold_live_request(x, "change-log-key");
    if (!x->rc && note_key_parse(vkey, &key, x->f))
        x->rc = x->f->outcome;
    if (!x->rc && strcmp(key.name, x->look->origin) != 0)
        fold_fail(x, "it names a key of another log");
    if (!x->rc && r && r->state != REQUEST_INTENT)
        fold_fail(x, "nothing decided yet that the log's key may change");
    if (fold_goes(x))
        fold_spend(x, r);
}

/* "estate", "token:ID" or "key:LABEL@TOKEN". */
static const char *read_scope(struct fold *x)
{
    const char *scope = fold_text(x, "scope"), *at = strrchr(scope, '@');
    bool token = !strncmp(scope, "token:", 6) && scope[6];
    bool key = !strncmp(scope, "key:", 4) && at && at[1];
    if (strcmp(scope, "estate") != 0 && !token && !key)
        fold_fail(x, "a scope is estate, token:ID or key:LABEL@TOKEN, not \"%s\"", scope);
    return scope;
}

static size_t find_suspension(const struct state *s, const char *scope)
{
    size_t i = 0;
    while (i < s->suspension_count && strcmp(s->suspensions[i].scope, scope) != 0)
        i++;
    return i;
}

void fold_suspended(struct fold *x)
{
    fold_members(x, "?reason ?request scope ?verdict");
    const char *scope = read_scope(x);
    struct state_request *r = fold_has(x, "request") ? fold_live_request(x, "suspend") : NULL;
    if (!fold_goes(x))
        return;
    if (r)
        fold_spend(x, r);
    struct state *s = x->s;
    if (find_suspension(s, scope) < s->suspension_count)
        return; /* saying it twice must never fail */
    struct state_suspension *items = fold_room(x, s->suspensions, s->suspension_count, sizeof *items);
    if (!items)
        return;
    s->suspensions = items;
    items[s->suspension_count].scope = fold_copy(x, scope);
    items[s->suspension_count].seq = x->e->seq;
    s->suspension_count += x->rc == OK;
}

void fold_resumed(struct fold *x)
{
    fold_members(x, "?request scope ?verdict");
    const char *scope = read_scope(x);
    struct state_request *r = fold_has(x, "request") ? fold_live_request(x, "resume") : NULL;
    size_t at = find_suspension(x->look, scope);
    if (at == x->look->suspension_count)
        fold_fail(x, "\"%s\" is not suspended", scope);
    if (!fold_goes(x))
        return;
    if (r)
        fold_spend(x, r);
    struct state *s = x->s;
    free(s->suspensions[at].scope);
    s->suspension_count--;
    memmove(&s->suspensions[at], &s->suspensions[at + 1], (s->suspension_count - at) * sizeof *s->suspensions);
}

void fold_recovered(struct fold *x)
{
    fold_members(x, "bytes digest");
    fold_count(x, "bytes");
    fold_digest(x, "digest");
}

void fold_cosigned(struct fold *x)
{
    struct strings lines = {.items = NULL};
    fold_members(x, "cosignatures root size ?step");
    struct digest root = fold_digest(x, "root");
    uint64_t size = fold_count(x, "size");
    fold_strings(x, "cosignatures", &lines);
    if (fold_has(x, "step"))
        fold_text(x, "step");
    if (size == 0 || size > x->e->seq)
        fold_fail(x, "no checkpoint of this log had %" PRIu64 " entries by then", size);
    struct state *s = x->s;
    struct state_cosigned *items = fold_goes(x) ? fold_room(x, s->cosigned, s->cosigned_count, sizeof *items) : NULL;
    if (items) {
        s->cosigned = items;
        items[s->cosigned_count++] =
            (struct state_cosigned){.size = size, .seq = x->e->seq, .root = root, .lines = lines};
        lines = (struct strings){.items = NULL}; /* taken by the state */
    }
    strings_free(&lines);
}

void fold_timestamp(struct fold *x)
{
    fold_members(x, "ceremony checkpoint time token");
    fold_text(x, "ceremony");
    fold_digest(x, "checkpoint");
    fold_moment(x, "time");
    fold_digest(x, "token");
}

static struct state_ceremony *find_ceremony(const struct state *s, const char *id)
{
    for (size_t i = 0; i < s->ceremony_count; i++)
        if (!strcmp(s->ceremonies[i].id, id))
            return &s->ceremonies[i];
    return NULL;
}

void fold_ceremony_opened(struct fold *x)
{
    json_t *script = NULL;
    const char *id = fold_text(x, "ceremony"), *script_id = "";
    fold_verdict(x);
    if (!x->rc)
        x->rc = json_want_object(x->body, "script", &script, x->f);
    if (!x->rc)
        x->rc = json_want_string(script, "id", &script_id, x->f);
    struct state_request *r = fold_live_request(x, "open-ceremony");
    if (find_ceremony(x->look, id) || (x->e->ceremony && strcmp(x->e->ceremony, id) != 0))
        fold_fail(x, "ceremony \"%s\" was opened before, or the entry names another", id);
    if (!fold_goes(x))
        return;
    fold_spend(x, r);
    struct state *s = x->s;
    struct state_ceremony *items = fold_room(x, s->ceremonies, s->ceremony_count, sizeof *items);
    if (!items)
        return;
    s->ceremonies = items;
    items[s->ceremony_count++] =
        (struct state_ceremony){.id = fold_copy(x, id), .script = fold_copy(x, script_id), .seq = x->e->seq};
}

void fold_ceremony_closed(struct fold *x)
{
    const char *id = fold_text(x, "ceremony");
    struct state_ceremony *c = find_ceremony(x->look, id);
    if (!c || c->closed)
        fold_fail(x, "no ceremony \"%s\" is open", id);
    if (fold_goes(x) && c)
        c->closed = true;
}
