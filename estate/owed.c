#include "estate/owed.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "estate/ends.h"
#include "estate/inquiry.h"

void owed_free(struct owed_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        json_decref(l->items[i].more);
    free(l->items);
    *l = (struct owed_list){.items = NULL};
}

const char *owed_number_name(enum message_kind kind)
{
    if (kind == MESSAGE_END)
        return "born";
    return kind == MESSAGE_DRILL || kind == MESSAGE_INVENTORY || kind == MESSAGE_CHALLENGE ? "size" : "intent";
}

static enum outcome owed_add(struct owed_list *l, const struct owed *one, struct fault *f)
{
    struct owed *grown = realloc(l->items, (l->count + 1) * sizeof *grown);

    if (grown == NULL)
        return fault_memory(f);
    l->items = grown;
    l->items[l->count++] = *one;
    return OK;
}

/* Every offer to the site, the spare ones too. */
static enum outcome offers_gather(const struct state_intent *i, const char *site, struct owed_list *l, struct fault *f)
{
    struct owed one = {.kind = MESSAGE_OFFER, .number = i->seq, .label = i->label, .until = i->until};
    enum outcome result = OK;

    for (size_t k = 0; result == OK && k < i->offer_count; k++) {
        if (strcmp(i->offers[k].site, site) != 0)
            continue;
        one.part++;
        one.offer = i->offers[k].offer;
        result = owed_add(l, &one, f);
    }
    return result;
}

static enum outcome intent_gather(const struct state_intent *i, const char *token, const char *site,
                                  struct owed_list *l, struct fault *f)
{
    struct owed one = {.kind = MESSAGE_KINDS, .number = i->seq, .label = i->label, .until = MOMENT_NEVER};
    enum outcome result = OK;

    if (i->token == NULL || strcmp(i->token, token) != 0)
        return OK;
    if (i->state == INTENT_PROVISIONAL && strings_have(&i->offered, site) && !strings_have(&i->receipted, site))
        return offers_gather(i, site, l, f);
    if (i->state == INTENT_BORN && strings_have(&i->receipted, site))
        one.kind = MESSAGE_BORN;
    else if (strings_have(&i->orphans, site) &&
             (i->state == INTENT_ROLLED_BACK || strcmp(i->operation, operation_name(OP_RETIRE_SITE)) == 0))
        one.kind = MESSAGE_WITHDRAW;
    if (one.kind == MESSAGE_KINDS)
        return OK;
    one.more = json_pack("{sI}", "intent", (json_int_t)i->seq);
    result = one.more != NULL ? owed_add(l, &one, f) : fault_memory(f);
    if (result != OK)
        json_decref(one.more);
    return result;
}

/* A destroyed key that the site has not said it destroyed. One of which the log has nothing to show stays with those that
 * `quorate settle` names. */
static enum outcome end_gather(const struct state *s, const struct state_key *k, const char *token, const char *site,
                               struct owed_list *l, struct fault *f)
{
    struct owed one = {.label = k->label, .until = MOMENT_NEVER};
    struct fault ignored = {OK, ""};
    struct key_end end;
    enum outcome result = OK;

    if (!k->destroyed || strcmp(k->token, token) != 0 || !strings_have(&k->retired, site) ||
        state_site(s, token, site) == NULL || key_end_find(s, k, site, &end, &ignored) != OK)
        return OK;
    one.kind = end.kind;
    one.number = end.number;
    one.more = key_end_json(&end);
    result = one.more != NULL ? owed_add(l, &one, f) : fault_memory(f);
    if (result != OK)
        json_decref(one.more);
    return result;
}

/* What was asked and still can be answered. */
static enum outcome question_gather(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                                    struct owed_list *l, struct fault *f)
{
    struct inquiry q = {.kind = kind};
    struct owed one = {.kind = kind};
    struct fault ignored = {OK, ""};
    enum outcome result =
        state_site(&e->state, token, site) != NULL ? inquiry_read(e, kind, token, site, &q, f) : E_ABSENT;

    if (result != OK)
        return result == E_ABSENT ? OK : result;
    if (inquiry_stands(&e->state, &q, &ignored) == OK) {
        one.number = q.size;
        one.until = inquiry_until(&q);
        one.more = inquiry_json(&q);
        result = one.more != NULL ? owed_add(l, &one, f) : fault_memory(f);
        if (result != OK)
            json_decref(one.more);
    }
    inquiry_clear(&q);
    return result;
}

enum outcome owed_gather(const struct estate *e, const char *token, const char *site, struct owed_list *ret,
                         struct fault *f)
{
    const struct state *s = &e->state;
    struct owed_list l = {.items = NULL};
    enum outcome result = OK;

    for (size_t i = 0; result == OK && i < s->intent_count; i++)
        result = intent_gather(&s->intents[i], token, site, &l, f);
    for (size_t i = 0; result == OK && i < s->key_count; i++)
        result = end_gather(s, &s->keys[i], token, site, &l, f);
    if (result == OK)
        result = question_gather(e, MESSAGE_DRILL, token, site, &l, f);
    if (result == OK)
        result = question_gather(e, MESSAGE_INVENTORY, token, site, &l, f);
    if (result == OK)
        result = question_gather(e, MESSAGE_CHALLENGE, token, site, &l, f);
    if (result == OK) {
        *ret = l;
        l = (struct owed_list){.items = NULL}; /* taken by *ret */
    }
    owed_free(&l);
    return result;
}

static enum outcome offer_read(const struct estate *e, const struct owed *o, json_t **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_OFFER);
    json_t *offer = NULL;
    enum outcome result = estate_kept(e, "offers", ".json", &o->offer, &bytes, f);

    if (result == OK)
        result = json_parse_canonical(buf_span(&bytes), &offer, f);
    if (result == OK && (*ret = json_pack("{sO}", "offer", offer)) == NULL)
        result = fault_memory(f);
    json_decref(offer);
    buf_free(&bytes);
    return result;
}

enum outcome owed_message(const struct estate *e, const char *token, const char *site, const struct owed *o,
                          uint64_t from, struct buf *ret, struct fault *f)
{
    json_t *more = json_incref(o->more);
    enum outcome result = o->kind == MESSAGE_OFFER ? offer_read(e, o, &more, f) : OK;

    if (result == OK)
        result = message_compose(e, o->kind, token, site, from, more, ret, f);
    json_decref(more);
    return result;
}
