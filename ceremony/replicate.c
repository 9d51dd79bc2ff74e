#include <string.h>

#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"

/* `quorate replicate`: a key comes to a site that was enrolled after its birth. */

static void line_put(const struct arguments *a, enum tone tone, const char *status, const char *more, struct buf *b)
{
    print_text(b, a->operands[1]);
    buf_puts(b, " of ");
    print_text(b, a->operands[0]);
    buf_puts(b, " at ");
    print_text(b, a->operands[2]);
    buf_puts(b, ": ");
    print_toned(b, tone, status);
    buf_puts(b, more);
}

static enum outcome replicate_tell(const struct arguments *a, json_t *answer, enum outcome called, struct fault *f)
{
    const char *request = json_string_or_null(answer, "request"), *missing = json_string_or_null(answer, "missing"),
               *status = json_string_or_null(answer, "status");
    bool held = status != NULL && strcmp(status, "held") == 0,
         awaited = status != NULL && strcmp(status, "provisional") == 0;
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (called == E_PENDING && !awaited)
        return waiting_tell(argument_flag(a, "json"), "The replication", request ? request : "", missing ? missing : "",
                            f);
    if (argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
    } else if (awaited) {
        line_put(a, TONE_WAIT, status, "\n", &b);
        print_field(&b, "next", "%s", missing);
        o = print_out(&b, f);
    } else {
        line_put(a, TONE_GOOD, status, held ? " already\n" : "; the site has proven it\n", &b);
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o == OK && awaited ? print_said(E_PENDING, f) : o;
}

enum outcome run_replicate(const struct arguments *a, struct fault *f)
{
    json_t *answer = NULL, *question = json_object();
    enum outcome o = OK;

    if (!json_put_string(question, "token", a->operands[0]) || !json_put_string(question, "key", a->operands[1]) ||
        !json_put_string(question, "site", a->operands[2])) {
        json_decref(question);
        return fault_memory(f);
    }
    o = client_ask(a, "replicate", question, &answer, f);
    if (o == OK || o == E_PENDING)
        o = replicate_tell(a, answer, o, f);
    json_decref(answer);
    return o;
}
