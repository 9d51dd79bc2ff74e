#include "audit/fold.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

bool fold_goes(const struct fold *x)
{
    return x->rc == OK && x->s;
}

void fold_fail(struct fold *x, const char *format, ...)
{
    char text[512];
    va_list ap;
    if (x->rc)
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    x->rc = fault_set(x->f, E_INVALID, "%s", text);
}

void fold_memory(struct fold *x)
{
    if (!x->rc)
        x->rc = fault_memory(x->f);
}

void fold_members(struct fold *x, const char *names)
{
    if (!x->rc)
        x->rc = json_members(x->body, names, x->f);
}

bool fold_has(const struct fold *x, const char *name)
{
    return json_object_get(x->body, name) != NULL;
}

const char *fold_label(struct fold *x, const char *name)
{
    const char *text = "";
    if (!x->rc)
        x->rc = json_want_string(x->body, name, &text, x->f);
    return text;
}

const char *fold_text(struct fold *x, const char *name)
{
    const char *text = fold_label(x, name);
    if (!*text)
        fold_fail(x, "the member \"%s\" is empty", name);
    return text;
}

const char *fold_optional(struct fold *x, const char *name)
{
    return fold_has(x, name) ? fold_label(x, name) : NULL;
}

struct digest fold_digest(struct fold *x, const char *name)
{
    struct digest d = {{0}};
    if (!x->rc)
        x->rc = json_want_digest(x->body, name, &d, x->f);
    return d;
}

moment fold_moment(struct fold *x, const char *name)
{
    moment t = 0;
    if (!x->rc)
        x->rc = json_want_moment(x->body, name, &t, x->f);
    return t;
}

uint64_t fold_count(struct fold *x, const char *name)
{
    int64_t n = 0;
    if (!x->rc)
        x->rc = json_want_integer(x->body, name, &n, x->f);
    if (n < 0)
        fold_fail(x, "the member \"%s\" is negative", name);
    return n < 0 ? 0 : (uint64_t)n;
}

void fold_hex(struct fold *x, const char *name, struct buf *ret)
{
    const char *text = fold_label(x, name);
    if (!x->rc && hex_parse_buf(text, ret, x->f))
        x->rc = fault_context(x->f, "the member \"%s\"", name);
}

void fold_strings(struct fold *x, const char *name, struct strings *ret)
{
    json_t *list = NULL, *item;
    size_t i;
    if (!x->rc)
        x->rc = json_want_array(x->body, name, &list, x->f);
    if (x->rc)
        return;
    json_array_foreach(list, i, item)
    {
        const char *text = json_string_value(item);
        if (!text || !*text || strings_have(ret, text))
            fold_fail(x, "the member \"%s\" is not a list of different texts", name);
        else if (!strings_add(ret, text))
            fold_memory(x);
        if (x->rc)
            return;
    }
}

void fold_texts(struct fold *x, const char *name)
{
    json_t *list = NULL, *item;
    size_t i;
    if (!x->rc)
        x->rc = json_want_array(x->body, name, &list, x->f);
    json_array_foreach(list, i, item) if (!json_is_string(item))
        fold_fail(x, "the member \"%s\" is not a list of texts", name);
}

void fold_verdict(struct fold *x)
{
    struct strings counted = {.items = NULL};
    json_t *outer = x->body;
    if (!x->rc)
        x->rc = json_want_object(outer, "verdict", &x->body, x->f);
    fold_members(x, "counted decision rule");
    fold_strings(x, "counted", &counted);
    if (strcmp(fold_text(x, "decision"), "allow") != 0)
        fold_fail(x, "its verdict does not allow it");
    fold_text(x, "rule");
    x->body = outer;
    strings_free(&counted);
}

char *fold_copy(struct fold *x, const char *text)
{
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        fold_memory(x);
    return copy;
}

void *fold_room(struct fold *x, void *items, size_t count, size_t size)
{
    size_t capacity = count == 0 ? 4 : 2 * count;
    if (count != 0 && (count < 4 || (count & (count - 1)) != 0))
        return items;
    void *grown = reallocarray(items, capacity, size);
    if (!grown)
        fold_memory(x);
    return grown;
}

struct state_request *fold_live_request(struct fold *x, const char *operation)
{
    struct digest id = fold_digest(x, "request");
    struct state_request *r = x->rc ? NULL : state_request(x->look, &id);
    if (!r)
        fold_fail(x, "no request has this id");
    else if (r->state != REQUEST_PENDING && r->state != REQUEST_INTENT)
        fold_fail(x, "the request is spent, rejected or void");
    else if (operation && strcmp(r->operation, operation) != 0)
        fold_fail(x, "the request asked for \"%s\", not for \"%s\"", r->operation, operation);
    return x->rc ? NULL : r;
}

void fold_spend(struct fold *x, struct state_request *r)
{
    struct state_intent *i = state_intent(x->s, r->intent);
    if (r->state == REQUEST_INTENT && i && i->state == INTENT_OPEN)
        i->state = INTENT_SETTLED;
    r->state = REQUEST_SPENT;
}

struct state_site *fold_site(struct fold *x, const char *token, const char *site)
{
    struct state_site *found = x->rc ? NULL : state_site(x->look, token, site);
    if (!found)
        fold_fail(x, "the site \"%s\" of token \"%s\" is not enrolled", site, token);
    return found;
}

/* What may still name a ceremony after its close (design, section 9). */
static bool may_follow_close(enum entry_type t)
{
    return t == ENTRY_RECEIPT || t == ENTRY_ACCEPTED || t == ENTRY_BORN || t == ENTRY_ROLLED_BACK ||
           t == ENTRY_ARRIVED || t == ENTRY_EXHIBIT || t == ENTRY_TIMESTAMP;
}

static void check_frame(struct fold *x)
{
    const struct entry *e = x->e;
    if (e->seq != x->look->size)
        fold_fail(x, "the next entry is number %" PRIu64, x->look->size);
    if (x->look->started != (e->type != ENTRY_GENESIS))
        fold_fail(x, "the genesis is the first entry and no other");
    if (x->look->started && e->time < x->look->last_time)
        fold_fail(x, "its time is before that of the entry before");
    if (!e->ceremony || e->type == ENTRY_CEREMONY_OPENED)
        return;
    for (size_t i = 0; i < x->look->ceremony_count; i++) {
        const struct state_ceremony *c = &x->look->ceremonies[i];
        if (strcmp(c->id, e->ceremony) != 0)
            continue;
        if (c->closed && !may_follow_close(e->type))
            fold_fail(x, "its ceremony is closed");
        return;
    }
    fold_fail(x, "its ceremony was never opened");
}

static fold_handler *const handlers[ENTRY_TYPE_COUNT] = {
    [ENTRY_GENESIS] = fold_genesis,
    [ENTRY_POLICY] = fold_policy,
    [ENTRY_SITE_ENROLLED] = fold_site_enrolled,
    [ENTRY_ARRIVED] = fold_arrived,
    [ENTRY_DEPARTED] = fold_departed,
    [ENTRY_CEREMONY_OPENED] = fold_ceremony_opened,
    [ENTRY_REQUEST] = fold_request,
    [ENTRY_APPROVAL] = fold_approval,
    [ENTRY_REJECTION] = fold_rejection,
    [ENTRY_INTENT] = fold_intent,
    [ENTRY_OFFER] = fold_offer,
    [ENTRY_RECEIPT] = fold_receipt,
    [ENTRY_ACCEPTED] = fold_accepted,
    [ENTRY_PROVISIONAL] = fold_provisional,
    [ENTRY_BORN] = fold_born,
    [ENTRY_REPLICATED] = fold_replicated,
    [ENTRY_ROLLED_BACK] = fold_rolled_back,
    [ENTRY_ORPHAN] = fold_orphan,
    [ENTRY_USED] = fold_used,
    [ENTRY_MODIFIED] = fold_modified,
    [ENTRY_DESTROYED] = fold_destroyed,
    [ENTRY_CLEARED] = fold_key_cleared,
    [ENTRY_REFUSED] = fold_refused,
    [ENTRY_SUSPENDED] = fold_suspended,
    [ENTRY_RESUMED] = fold_resumed,
    [ENTRY_DRILL] = fold_drill,
    [ENTRY_COSIGNED] = fold_cosigned,
    [ENTRY_RECOVERED] = fold_recovered,
    [ENTRY_LOG_KEY] = fold_log_key,
    [ENTRY_MOVED] = fold_moved,
    [ENTRY_FAILOVER] = fold_failover,
    [ENTRY_PROMOTED] = fold_promoted,
    [ENTRY_SITE_RETIRED] = fold_site_retired,
    [ENTRY_TIMESTAMP] = fold_timestamp,
    [ENTRY_HEAD] = fold_head,
    [ENTRY_READOPTED] = fold_readopted,
    [ENTRY_CEREMONY_CLOSED] = fold_ceremony_closed,
    [ENTRY_INTRODUCED] = fold_introduced,
    [ENTRY_SITE_KEYS] = fold_site_keys,
    [ENTRY_TRANSPORT_RENEWED] = fold_transport_renewed,
    [ENTRY_SEEN] = fold_seen,
    [ENTRY_TAKEN] = fold_taken,
    [ENTRY_SETTLED] = fold_settled,
};

static enum outcome fold_entry(struct fold *x)
{
    check_frame(x);
    fold_handler *handler = handlers[x->e->type];
    if (!x->rc && handler)
        handler(x);
    if (x->rc)
        fault_context(x->f, "entry %" PRIu64 " (%s)", x->e->seq, entry_type_name(x->e->type));
    return x->rc;
}

enum outcome state_apply(struct state *s, const struct entry *e, struct fault *f)
{
    struct fold x = {.look = s, .s = s, .e = e, .body = e->body, .f = f};
    enum outcome rc = fold_entry(&x);
    if (!rc) {
        s->size++;
        s->last_time = e->time;
    }
    return rc;
}

enum outcome state_check(const struct state *s, const struct entry *e, struct fault *f)
{
    struct fold x = {.look = s, .s = NULL, .e = e, .body = e->body, .f = f};
    return fold_entry(&x);
}
