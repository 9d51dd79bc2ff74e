#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "estate/estate.h"
#include "module/drill.h"
#include "module/far.h"

/* A drill at the far end: the keys are those that the host's log says we hold, whatever the message asks for. */

struct exercise {
    struct drill_target *targets; /* borrow from the copy's state */
    char (*other_ids)[41];
    size_t count;
};

/* One key of the question: its birth stands in the host's log, and it lives here. */
static enum outcome target_add(struct exercise *e, const struct state *s, const struct state_host *h, int64_t born,
                               struct fault *f)
{
    const struct state_key *k = born >= 0 ? state_key_born(s, (uint64_t)born) : NULL;
    const struct state_intent *i = k != NULL && k->intent != 0 ? state_intent(s, k->intent) : NULL;

    if (k == NULL || !state_key_at(k, h->token, h->site) || (e->count > 0 && e->targets[e->count - 1].born >= k->seq))
        return fault_set(f, E_REFUSED, "entry %lld of the host's log is no birth of a key that lives here",
                         (long long)born);
    if (i != NULL)
        estate_key_id(&i->digest, e->other_ids[e->count]);
    e->targets[e->count] = (struct drill_target){.born = k->seq,
                                                 .class_name = k->class_name,
                                                 .label = k->label,
                                                 .id = k->id,
                                                 .other_id = e->other_ids[e->count],
                                                 .public_key = buf_span(&k->public_key)};
    e->count++;
    return OK;
}

static enum outcome targets_read(struct far *x, const struct message *m, struct exercise *e, struct fault *f)
{
    json_t *list = NULL, *item = NULL;
    size_t at = 0;
    enum outcome outcome = json_want_array(m->json, "keys", &list, f);
    if (outcome == OK && json_array_size(list) > LIMIT_DRILL_KEYS)
        outcome = fault_set(f, E_REFUSED, "a drill of more than %u keys", LIMIT_DRILL_KEYS);
    if (outcome == OK) {
        e->targets = calloc(json_array_size(list) + 1, sizeof *e->targets);
        e->other_ids = calloc(json_array_size(list) + 1, sizeof *e->other_ids);
        if (e->targets == NULL || e->other_ids == NULL)
            outcome = fault_memory(f);
    }
    json_array_foreach(list, at, item)
    {
        if (outcome == OK)
            outcome = target_add(e, &x->host->copy->state, x->own->state.host,
                                 json_is_integer(item) ? (int64_t)json_integer_value(item) : -1, f);
    }
    return outcome;
}

static enum outcome answer_put(const struct drill *d, json_t *more, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DRILL);
    json_t *json = NULL;
    enum outcome outcome = drill_compose(d, &bytes, f);
    if (outcome == OK)
        outcome = json_parse_canonical(buf_span(&bytes), &json, f);
    if (outcome == OK && !json_put(more, "receipt", json))
        outcome = fault_memory(f);
    buf_free(&bytes);
    return outcome;
}

enum outcome far_drill(struct far *x, const struct message *m, json_t *more, struct fault *f)
{
    struct exercise e = {.targets = NULL};
    struct drill d = {.keys = NULL};
    struct digest challenge;
    enum outcome outcome = json_want_digest(m->json, "challenge", &challenge, f);
    if (outcome == OK)
        outcome = targets_read(x, m, &e, f);
    if (outcome == OK)
        outcome = site_drill(&x->link, &x->keys, &x->own->state.host->estate, &challenge, e.targets, e.count, &d, f);
    if (outcome == OK)
        outcome = answer_put(&d, more, f);
    drill_clear(&d);
    free(e.targets);
    free(e.other_ids);
    return outcome;
}
