#include "ceremony/summary.h"

#include <string.h>

#include "ceremony/print.h"
#include "core/encode.h"
#include "core/limits.h"

/* Members in the order in which a line reads best; anything else an entry has is for --json. Digests are cut. */
static const char *const worth[] = {"operation", "label",       "key-type", "token",   "site",     "person",  "scope",
                                    "name",      "environment", "origin",   "version", "decision", "outcome", "reason",
                                    "why",       "closed",      "bytes",    "intent",  "request",  "digest",  NULL};

static bool is_digest(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static bool named_before(const char *name)
{
    static const char *const bare[] = {"operation", "token", "site", "person", "environment", "outcome", "name", NULL};

    for (size_t i = 0; bare[i]; i++)
        if (strcmp(bare[i], name) == 0)
            return true;
    return false;
}

static void member_put(struct buf *b, const char *name, const json_t *value)
{
    const char *text = json_string_value(value);

    if (!text && !json_is_integer(value))
        return;
    if (b->len > 0)
        buf_puts(b, " ");
    if (text && strcmp(name, "label") == 0) {
        buf_puts(b, "\"");
        print_text(b, text);
        buf_puts(b, "\"");
        return;
    }
    if (!named_before(name))
        buf_putf(b, "%s ", name);
    if (!text)
        buf_putf(b, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (is_digest(text))
        buf_putf(b, "%.12s", text);
    else
        print_text(b, text);
}

static void heads_put(struct buf *b, const json_t *heads)
{
    for (size_t i = 0; i < json_array_size(heads); i++) {
        const json_t *one = json_array_get(heads, i);

        buf_puts(b, b->len > 0 ? ", " : "");
        print_text(b, json_string_or_null(one, "token"));
        buf_puts(b, " at ");
        print_text(b, json_string_or_null(one, "site"));
        buf_puts(b, " ");
        print_text(b, json_string_or_null(one, "found"));
    }
}

void summary_put(struct buf *b, enum entry_type type, const json_t *body)
{
    struct buf line = BUF(LIMIT_ENTRY_TEXT);
    const json_t *findings = json_object_get(body, "findings");
    const char *latitude = json_string_or_null(body, "latitude"), *longitude = json_string_or_null(body, "longitude");

    for (size_t i = 0; worth[i]; i++)
        member_put(&line, worth[i], json_object_get(body, worth[i]));
    if (type == ENTRY_REFUSED && json_is_string(json_array_get(findings, 0)))
        buf_putf(&line, "%s%s", line.len > 0 ? ": " : "", json_string_value(json_array_get(findings, 0)));
    if (type == ENTRY_READOPTED)
        heads_put(&line, json_object_get(body, "heads"));
    if (type == ENTRY_ARRIVED && latitude && longitude)
        buf_putf(&line, " at %s %s", latitude, longitude);
    printable_put(b, buf_span(&line));
    b->failed = b->failed || line.failed;
    buf_free(&line);
}
