#include <inttypes.h>

#include "ceremony/heads.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"

/* `quorate readopt`: what the HSMs hold in place of the log's head, and that people take the log up again. */

static void finding_put(struct buf *b, const json_t *one)
{
    const json_t *size = json_object_get(one, "size");

    buf_puts(b, "  ");
    print_text(b, json_string_or_null(one, "token"));
    buf_puts(b, " at ");
    print_text(b, json_string_or_null(one, "site"));
    buf_puts(b, ": ");
    print_toned(b, TONE_BAD, json_string_or_null(one, "found"));
    if (size)
        buf_putf(b, ", %" JSON_INTEGER_FORMAT " entries with root %s", json_integer_value(size),
                 json_string_or_null(one, "root"));
    buf_puts(b, "\n");
}

static enum outcome readopt_tell(bool json, json_t *answer, enum outcome called, struct fault *f)
{
    const char *request = json_string_or_null(answer, "request"), *missing = json_string_or_null(answer, "missing");
    struct buf b = BUF(OUTPUT_MAX);
    json_t *list = NULL, *one = NULL;
    size_t i = 0;
    enum outcome o = json_want_array(answer, "heads", &list, f);

    if (o == OK && json && called == OK)
        return print_json(json_incref(answer), f);
    json_array_foreach(list, i, one)
    {
        finding_put(&b, one);
    }
    if (o == OK && called == OK) {
        buf_puts(&b, "The log's head on the HSMs: ");
        print_toned(&b, TONE_GOOD, json_string_or_null(answer, "status"));
        buf_puts(&b, "\n");
    }
    if (o == OK && !json)
        o = print_out(&b, f);
    if (o == OK && called == E_PENDING)
        o = waiting_tell(json, "Taking the log up again", request ? request : "", missing ? missing : "", f);
    buf_free(&b);
    return o;
}

enum outcome run_readopt(const struct arguments *a, struct fault *f)
{
    json_t *answer = NULL;
    enum outcome o = client_ask(a, "readopt", json_object(), &answer, f);

    if (o == OK || o == E_PENDING)
        o = readopt_tell(argument_flag(a, "json"), answer, o, f);
    json_decref(answer);
    return o;
}

void heads_bring(struct client *c)
{
    struct fault why = {0};
    struct buf b = BUF(OUTPUT_MAX);
    json_t *answer = NULL;

    if (client_call(c, "heads", json_object(), &answer, &why) != OK) {
        buf_putf(&b, "The log's head was not renewed on every HSM: %s. `quorate settle` does it.\n", why.text);
        print_aside(&b);
    }
    json_decref(answer);
    buf_free(&b);
}

void heads_bring_by(const struct estate *e, const char *module, const char *bindings)
{
    struct fault why = {0};
    struct buf b = BUF(OUTPUT_MAX);
    struct client *c = NULL;
    bool any = false;

    for (size_t i = 0; i < e->state.site_count; i++)
        any = any || e->state.sites[i].headed;
    if (!any)
        return;
    if (client_open(module, bindings, &c, &why) == OK) {
        heads_bring(c);
    } else {
        buf_putf(&b, "The log's head was not renewed on the HSMs: %s. `quorate settle` does it.\n", why.text);
        print_aside(&b);
    }
    client_close(c);
    buf_free(&b);
}
