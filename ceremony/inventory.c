#include "ceremony/inventory.h"

#include <stdio.h>
#include <string.h>

#include "ceremony/client.h"
#include "ceremony/columns.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"

/* `quorate inventory`: what lies on the HSMs against what the log says of them. */

static enum tone kind_tone(const char *kind)
{
    if (strcmp(kind, "key") == 0)
        return TONE_GOOD;
    return strcmp(kind, "own") == 0 || strcmp(kind, "other") == 0 ? TONE_FAINT : TONE_BAD;
}

static const char *object_label(const json_t *item)
{
    const char *label = json_string_or_null(item, "label");
    return label != NULL ? label : "(no text)";
}

static const char *object_kind(const json_t *item)
{
    const char *kind = json_string_or_null(item, "kind");
    return kind != NULL ? kind : "missing"; /* of those the answer says no kind */
}

#define LABEL_WIDTH 18 /* at most: beside it stand 40 digits */

/* As wide as the widest of the site's. */
struct widths {
    unsigned kind, class, label;
};

static void wider(unsigned *width, const char *text)
{
    size_t columns = columns_count(span_str(text != NULL ? text : "-"));
    *width = columns > *width ? (unsigned)columns : *width;
}

static void objects_measure(const json_t *list, struct widths *w)
{
    const json_t *item = NULL;
    size_t i = 0;
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        wider(&w->kind, object_kind(item));
        wider(&w->class, json_string_or_null(item, "class"));
        wider(&w->label, object_label(item));
        w->label = w->label < LABEL_WIDTH ? w->label : LABEL_WIDTH;
    }
}

static void object_put(struct buf *b, const json_t *item, const struct widths *w)
{
    const char *id = json_string_or_null(item, "id");
    buf_puts(b, "  ");
    print_cell(b, kind_tone(object_kind(item)), object_kind(item), w->kind);
    print_cell(b, TONE_PLAIN, json_string_or_null(item, "class"), w->class);
    print_cell(b, TONE_PLAIN, object_label(item), w->label);
    print_text(b, id != NULL && id[0] != '\0' ? id : NULL);
    buf_puts(b, "\n");
}

static bool site_is(const json_t *site, const char *wanted)
{
    const char *state = json_string_or_null(site, "state");
    return state != NULL && strcmp(state, wanted) == 0;
}

/* By files: its answer comes later. */
static bool site_asked(const json_t *site)
{
    return site_is(site, "asked");
}

static void site_put(struct buf *b, const json_t *site)
{
    const char *why = json_string_or_null(site, "why");
    const json_t *item = NULL;
    struct widths w = {0};
    size_t i = 0;
    print_text(b, json_string_or_null(site, "token"));
    buf_puts(b, " at ");
    print_text(b, json_string_or_null(site, "site"));
    buf_puts(b, ": ");
    print_toned(b,
                why == NULL                                      ? TONE_HEAD
                : site_asked(site) || site_is(site, "elsewhere") ? TONE_WAIT
                                                                 : TONE_BAD,
                json_string_or_null(site, "state"));
    buf_puts(b, "\n");
    if (why != NULL) {
        buf_puts(b, "  ");
        print_text(b, why);
        buf_puts(b, "\n");
    }
    objects_measure(json_object_get(site, "objects"), &w);
    objects_measure(json_object_get(site, "missing"), &w);
    json_array_foreach(json_object_get(site, "objects"), i, item) object_put(b, item, &w);
    json_array_foreach(json_object_get(site, "missing"), i, item) object_put(b, item, &w);
}

bool inventory_holds(const json_t *answer)
{
    const json_t *counted = json_object_get(answer, "differences"), *item = NULL;
    bool holds = json_is_integer(counted) && json_integer_value(counted) == 0;
    size_t i = 0;

    json_array_foreach(json_object_get(answer, "sites"), i, item) holds = holds && !site_asked(item);
    return holds;
}

void inventory_put(struct buf *b, const json_t *answer)
{
    const json_t *counted = json_object_get(answer, "differences"), *item = NULL;
    json_int_t differences = json_is_integer(counted) ? json_integer_value(counted) : 1;
    size_t i = 0;
    char text[96];

    json_array_foreach(json_object_get(answer, "sites"), i, item) site_put(b, item);
    if (differences == 0 && !inventory_holds(answer)) {
        print_toned(b, TONE_WAIT, "Nothing differs; an answer that files carry is awaited.");
    } else if (differences == 0) {
        print_toned(b, TONE_GOOD, "Everything is as the log says.");
    } else {
        snprintf(text, sizeof text, "%lld %s not as the log says.", (long long)differences,
                 differences == 1 ? "thing is" : "things are");
        print_toned(b, TONE_BAD, text);
    }
    buf_puts(b, "\n");
}

enum outcome run_inventory(const struct arguments *a, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    json_t *answer = NULL;
    enum outcome o = client_ask(a, "inventory", client_place(a), &answer, f);

    if (o == OK && argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
    } else if (o == OK) {
        inventory_put(&b, answer);
        o = print_out(&b, f);
    }
    if (o == OK && !inventory_holds(answer))
        o = print_said(E_REFUSED, f);
    buf_free(&b);
    json_decref(answer);
    return o;
}
