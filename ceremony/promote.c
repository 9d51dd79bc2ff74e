#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"

/* `quorate promote`: a replica becomes the primary. */

static void missing_put(const json_t *answer, struct buf *b)
{
    const json_t *list = json_object_get(answer, "missing-keys"), *item = NULL;
    size_t i = 0;

    json_array_foreach(list, i, item)
    {
        buf_puts(b, i == 0 ? "  Keys that it does not hold, and that applications find no more: " : ", ");
        print_text(b, json_string_value(item));
    }
    if (json_array_size(list) > 0)
        buf_puts(b, "\n");
}

static enum outcome promote_tell(const struct arguments *a, json_t *answer, enum outcome called, struct fault *f)
{
    const char *request = json_string_or_null(answer, "request"), *missing = json_string_or_null(answer, "missing");
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (!argument_flag(a, "json") && called == OK) {
        print_text(&b, a->operands[1]);
        buf_puts(&b, " is the primary of ");
        print_text(&b, a->operands[0]);
        buf_puts(&b, " now\n");
    }
    if (!argument_flag(a, "json")) {
        missing_put(answer, &b);
        o = print_out(&b, f);
    }
    if (o == OK && called == E_PENDING)
        o = waiting_tell(argument_flag(a, "json"), "The promotion", request ? request : "", missing ? missing : "", f);
    else if (o == OK && argument_flag(a, "json"))
        o = print_json(json_incref(answer), f);
    buf_free(&b);
    return o;
}

enum outcome run_promote(const struct arguments *a, struct fault *f)
{
    json_t *answer = NULL;
    enum outcome o = client_ask(a, "promote", client_place(a), &answer, f);

    if (o == OK || o == E_PENDING)
        o = promote_tell(a, answer, o, f);
    json_decref(answer);
    return o;
}
