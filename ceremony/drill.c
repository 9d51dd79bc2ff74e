#include "ceremony/drill.h"

#include <string.h>

#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"

/* `quorate drill`: every replica of every key proves itself anew. */

static int64_t number(const json_t *item, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(item, name));
}

/* By files: its answer comes later. */
static bool site_asked(const json_t *site)
{
    const char *state = json_string_or_null(site, "state");

    return state != NULL && strcmp(state, "asked") == 0;
}

void drill_put(struct buf *b, const json_t *site)
{
    const char *why = json_string_or_null(site, "why"), *state = json_string_or_null(site, "state");
    bool good = state != NULL && strcmp(state, "proven") == 0;
    int64_t attested = number(site, "attested"), proven = number(site, "proven");
    const json_t *item = NULL;
    size_t i = 0;

    print_text(b, json_string_or_null(site, "token"));
    buf_puts(b, " at ");
    print_text(b, json_string_or_null(site, "site"));
    buf_puts(b, ": ");
    print_toned(b, good ? TONE_GOOD : site_asked(site) ? TONE_WAIT : TONE_BAD, state);
    if (!site_asked(site))
        buf_putf(b, ", %lld %s", (long long)proven, proven == 1 ? "key" : "keys");
    if (attested > 0)
        buf_putf(b, " (%lld of them by the HSM's word)", (long long)attested);
    if (why != NULL) {
        buf_puts(b, ": ");
        print_text(b, why);
    }
    buf_puts(b, "\n");
    json_array_foreach(json_object_get(site, "failed"), i, item)
    {
        buf_puts(b, "  ");
        print_cell(b, TONE_BAD, "not proven", 11);
        print_cell(b, TONE_PLAIN, json_string_or_null(item, "label"), 24);
        print_text(b, why == NULL ? json_string_or_null(item, "why") : "");
        buf_puts(b, "\n");
    }
}

static enum outcome drill_tell(const struct arguments *a, json_t *answer, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    int64_t unproven = number(answer, "unproven"), asked = 0;
    const json_t *item = NULL;
    size_t i = 0;
    enum outcome o = OK;

    if (argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
    } else {
        json_array_foreach(json_object_get(answer, "sites"), i, item)
        {
            drill_put(&b, item);
            asked += site_asked(item);
        }
        if (unproven != 0 && unproven == asked)
            print_toned(&b, TONE_WAIT, "What answered proved itself; answers that files carry are awaited.");
        else if (unproven == 0)
            print_toned(&b, TONE_GOOD, "Every replica proved itself.");
        else
            print_toned(&b, TONE_BAD, "Not every replica proved itself; the log says which.");
        buf_puts(&b, "\n");
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o == OK && unproven != 0 ? print_said(E_REFUSED, f) : o;
}

enum outcome run_drill(const struct arguments *a, struct fault *f)
{
    json_t *answer = NULL;
    enum outcome o = client_ask(a, "drill", client_place(a), &answer, f);

    if (o == OK)
        o = drill_tell(a, answer, f);
    json_decref(answer);
    return o;
}
