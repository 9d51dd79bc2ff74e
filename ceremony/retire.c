#include <string.h>

#include "ceremony/client.h"
#include "ceremony/drill.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"

/* `quorate retire`: a site ends, once the others have proven that they hold every key. */

static enum outcome retire_tell(const struct arguments *a, json_t *answer, enum outcome called, struct fault *f)
{
    const char *request = json_string_or_null(answer, "request"), *missing = json_string_or_null(answer, "missing"),
               *left = json_string_or_null(answer, "left"), *status = json_string_or_null(answer, "status");
    bool waits = status != NULL && strcmp(status, "waiting") == 0;
    struct buf b = BUF(OUTPUT_MAX);
    const json_t *item = NULL;
    size_t i = 0;
    enum outcome o = OK;

    if (called == E_PENDING && !waits) {
        o = waiting_tell(argument_flag(a, "json"), "The retirement", request ? request : "", missing ? missing : "", f);
    } else if (argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
    } else {
        json_array_foreach(json_object_get(answer, "drills"), i, item) drill_put(&b, item);
        print_text(&b, a->operands[0]);
        buf_puts(&b, " at ");
        print_text(&b, a->operands[1]);
        buf_puts(&b, ": ");
        print_toned(&b, waits ? TONE_WAIT : TONE_GOOD, status);
        buf_puts(&b, waits  ? " for "
                     : left ? "\n  Its replicas count no more, but are not destroyed yet: "
                            : "; its replicas are destroyed");
        print_text(&b, waits ? missing : left ? left : "");
        buf_puts(&b, waits  ? "\n  What comes back completes it, and so does this command again.\n"
                     : left ? "\n  `quorate settle` destroys them when the HSM is there.\n"
                            : "\n");
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o == OK && waits ? print_said(E_PENDING, f) : o;
}

enum outcome run_retire(const struct arguments *a, struct fault *f)
{
    json_t *answer = NULL;
    enum outcome o = client_ask(a, "retire", client_place(a), &answer, f);

    if (o == OK || o == E_PENDING)
        o = retire_tell(a, answer, o, f);
    json_decref(answer);
    return o;
}
