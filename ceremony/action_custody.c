#include <string.h>

#include "ceremony/action_perform.h"
#include "core/encode.h"

/* Bags: what is opened must be what was sealed last. */

struct custody {
    const struct record *record;
    const char *item;
};

static enum outcome bag_read(const char *typed, struct buf *ret_value, struct fault *why)
{
    if (typed[0] == '\0' || !utf8_printable(span_str(typed)))
        return fault_set(why, E_INVALID, "the number of the bag was expected");
    buf_puts(ret_value, typed);
    return ret_value->failed ? fault_set(why, E_INVALID, "that is too long") : OK;
}

static enum outcome opened_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    const struct custody *c = context;
    bool sealed = false;
    const char *bag = record_bag(c->record, c->item, &sealed);
    enum outcome o = bag_read(typed, ret_value, why);

    if (o != OK || bag == NULL)
        return o;
    if (!sealed)
        return fault_set(why, E_REFUSED,
                         "by the log %s was taken out of bag %s and not sealed in again: look, or note a deviation",
                         c->item, bag);
    if (strcmp(bag, typed) != 0)
        return fault_set(why, E_REFUSED,
                         "%s was last sealed in another bag than %s: look at the number again, or note a deviation",
                         c->item, typed);
    return OK;
}

static enum outcome sealed_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why)
{
    const struct custody *c = context;
    bool sealed = false;
    const char *bag = record_bag(c->record, c->item, &sealed);
    enum outcome o = bag_read(typed, ret_value, why);

    if (o == OK && bag != NULL && sealed)
        return fault_set(why, E_REFUSED, "by the log %s is sealed in bag %s already: look, or note a deviation",
                         c->item, bag);
    if (o == OK && bag != NULL && strcmp(bag, typed) == 0)
        return fault_set(why, E_REFUSED, "bag %s was opened; a bag is used once: take a new one, or note a deviation",
                         typed);
    return o;
}

static enum outcome bag_ask(struct runner *r, const struct step *s, question_take *take, json_t *result,
                            bool *ret_undone, struct fault *f)
{
    const struct custody custody = {&r->record, step_with(s, "item")};
    const struct question bag = {"bag", false, false, take, &custody};
    json_t *given = NULL;
    enum outcome o = runner_ask(r, s, &bag, 1, &given, ret_undone, f);

    if (o == OK && !*ret_undone && !json_put_string(result, "item", custody.item))
        o = fault_memory(f);
    if (o == OK && !*ret_undone)
        o = result_take(result, given, f);
    json_decref(given);
    return o;
}

enum outcome perform_open_bag(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    return bag_ask(r, s, opened_take, result, ret_undone, f);
}

enum outcome perform_seal_bag(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    return bag_ask(r, s, sealed_take, result, ret_undone, f);
}
