#include <string.h>

#include "module/drill_inner.h"

/* Drills of sites that files are carried to: asked now, answered when somebody comes back. */

static json_t *targets_json(const struct exercise *x)
{
    json_t *keys = json_array();
    bool good = keys != NULL;
    for (size_t i = 0; i < x->count && good; i++)
        good = json_array_append_new(keys, json_integer((json_int_t)x->targets[i].born)) == 0;
    if (good)
        return keys;
    json_decref(keys);
    return NULL;
}

enum outcome exercise_carried(struct exercise *x, struct fault *f)
{
    json_t *keys = targets_json(x);
    enum outcome outcome = keys != NULL ? inquiry_want(x->estate, MESSAGE_DRILL, x->token, x->site, keys,
                                                       x->given ? &x->challenge : NULL, &x->absence, f)
                                        : fault_memory(f);
    x->asked = outcome == OK;
    json_decref(keys);
    return outcome;
}

/* Of the keys that are there now those that were asked for; how many others there are. */
static size_t targets_narrow(struct exercise *x, const json_t *keys)
{
    size_t kept = 0, others = 0;
    for (size_t i = 0; i < x->count; i++) {
        if (kept < json_array_size(keys) &&
            (uint64_t)json_integer_value(json_array_get(keys, kept)) == x->targets[i].born)
            x->targets[kept++] = x->targets[i];
        else
            others++;
    }
    x->count = kept;
    return others;
}

enum outcome drill_import(struct world *w, const struct inquiry *q, struct drill *answer_taken, json_t *line,
                          struct fault *f)
{
    struct exercise x = {.world = w,
                         .estate = w->estate,
                         .token = q->token,
                         .site = q->site,
                         .challenge = q->challenge,
                         .answer = *answer_taken,
                         .answered = true};
    size_t others = 0;
    bool whole = false;
    *answer_taken = (struct drill){.keys = NULL}; /* taken by x */
    enum outcome outcome = exercise_make(&x, f);
    if (outcome == OK)
        outcome = inquiry_stands(&w->estate->state, q, f);
    if (outcome == OK) {
        others = targets_narrow(&x, q->keys);
        outcome = exercise_fits(&x, f);
    }
    if (outcome == OK)
        outcome = exercise_judge(&x, f);
    if (outcome == OK)
        outcome = exercise_end(&x, line, &whole, f);
    if (outcome == OK && others > 0 &&
        !json_put_string(line, "why", "it was asked before other keys came there: drill it again"))
        outcome = fault_memory(f);
    exercise_clear(&x);
    return outcome;
}
