#include <string.h>

#include "ceremony/status.h"
#include "estate/owed.h"

/* What is owed to sites that files are carried to, and so awaited from them. */

static bool row_add(json_t *list, const char *token, const char *site, const struct owed *o, unsigned files)
{
    json_t *row = json_object();

    if (json_put_string(row, "kind", message_kind_name(o->kind)) && json_put_integer(row, "files", (int64_t)files) &&
        (o->label == NULL || json_put_string(row, "label", o->label)) &&
        json_put_integer(row, owed_number_name(o->kind), (int64_t)o->number) && json_put_string(row, "site", site) &&
        json_put_string(row, "token", token) && (o->until == MOMENT_NEVER || json_put_moment(row, "until", o->until)))
        return json_array_append_new(list, row) == 0;
    json_decref(row);
    return false;
}

/* Offers of one birth are one line. */
static enum outcome site_gather(const struct estate *e, const char *token, const char *site, json_t *list,
                                struct fault *f)
{
    struct owed_list owed = {.items = NULL};
    enum outcome o = owed_gather(e, token, site, &owed, f);

    for (size_t i = 0, next = 0; o == OK && i < owed.count; i = next) {
        for (next = i + 1; next < owed.count && owed.items[next].part > 1;)
            next++;
        if (!row_add(list, token, site, &owed.items[i], (unsigned)(next - i)))
            o = fault_memory(f);
    }
    owed_free(&owed);
    return o;
}

enum outcome status_carried(const struct estate *e, json_t **ret, struct fault *f)
{
    const struct bindings *b = e->bindings;
    json_t *list = json_array();
    enum outcome o = list != NULL ? OK : fault_memory(f);

    for (size_t i = 0; i < b->token_count; i++)
        for (size_t j = 0; o == OK && j < b->tokens[i].site_count; j++)
            if (b->tokens[i].sites[j].reach == REACH_CARRIED)
                o = site_gather(e, b->tokens[i].id, b->tokens[i].sites[j].site, list, f);
    if (o == OK)
        *ret = json_incref(list);
    json_decref(list);
    return o;
}

static void row_put(const json_t *row, struct buf *b)
{
    const char *label = json_string_or_null(row, "label"), *until = json_string_or_null(row, "until");
    const json_t *intent = json_object_get(row, "intent");
    json_int_t files = json_integer_value(json_object_get(row, "files"));

    buf_puts(b, "  ");
    print_cell(b, TONE_WAIT, json_string_or_null(row, "kind"), 11);
    print_text(b, json_string_or_null(row, "token"));
    buf_puts(b, " at ");
    print_text(b, json_string_or_null(row, "site"));
    if (intent != NULL)
        buf_putf(b, "  intent %lld", (long long)json_integer_value(intent));
    if (label != NULL) {
        buf_puts(b, "  \"");
        print_text(b, label);
        buf_puts(b, "\"");
    }
    if (files > 1)
        buf_putf(b, "  %lld files", (long long)files);
    if (until != NULL)
        buf_putf(b, "  until %s", until);
    buf_puts(b, "\n");
}

void status_carried_put(const struct status *s, struct buf *b)
{
    const json_t *row = NULL;
    size_t i = 0;

    if (json_array_size(s->carried) == 0)
        return;
    print_head(b, "Carried by people");
    json_array_foreach(s->carried, i, row) row_put(row, b);
    buf_puts(b, "  (quorate offer export SITE DIR; quorate receipt import what comes back)\n");
}

bool status_intent_carried(const struct status *s, const struct state_intent *t)
{
    const json_t *row = NULL;
    size_t i = 0;

    json_array_foreach(s->carried, i, row)
    {
        const json_t *intent = json_object_get(row, "intent");

        if (intent != NULL && (uint64_t)json_integer_value(intent) == t->seq)
            return true;
    }
    return false;
}
