#include <string.h>

#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"

/* `quorate replicate`: a key comes to a site that was enrolled after its birth. */

static enum outcome replicate_tell(const struct arguments *a, json_t *answer, enum outcome called, struct fault *f)
{
    const char *request = json_string_or_null(answer, "request"), *missing = json_string_or_null(answer, "missing"),
               *status = json_string_or_null(answer, "status");
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (called == E_PENDING) {
        o = waiting_tell(argument_flag(a, "json"), "The replication", request ? request : "", missing ? missing : "",
                         f);
    } else if (argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
    } else {
        print_text(&b, a->operands[1]);
        buf_puts(&b, " of ");
        print_text(&b, a->operands[0]);
        buf_puts(&b, " at ");
        print_text(&b, a->operands[2]);
        buf_puts(&b, ": ");
        print_toned(&b, TONE_GOOD, status);
        buf_puts(&b, status && strcmp(status, "held") == 0 ? " already\n" : "; the site has proven it\n");
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o;
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
