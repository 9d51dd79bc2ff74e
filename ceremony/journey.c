#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"

/* `quorate move` and `quorate arrive`: custody of an HSM between two places. */

static enum outcome journey_tell(const struct arguments *a, json_t *answer, struct fault *f)
{
    const char *why = json_string_or_null(answer, "why"); /* where an answer is awaited yet */
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
        return o == OK && why != NULL ? print_said(E_PENDING, f) : o;
    }
    print_text(&b, a->operands[0]);
    buf_puts(&b, " at ");
    print_text(&b, a->operands[1]);
    buf_puts(&b, ": ");
    print_toned(&b, why != NULL ? TONE_WAIT : TONE_GOOD, json_string_or_null(answer, "status"));
    if (why != NULL) {
        buf_puts(&b, ": ");
        print_text(&b, why);
    }
    buf_puts(&b, "\n");
    o = print_out(&b, f);
    buf_free(&b);
    return o == OK && why != NULL ? print_said(E_PENDING, f) : o;
}

/* The verb with token, site, and those of the options that were given. */
static enum outcome journey_run(const struct arguments *a, const char *verb, const char *const *options,
                                struct fault *f)
{
    struct client *c = NULL;
    json_t *question = json_object(), *answer = NULL;
    bool good = json_put_string(question, "token", a->operands[0]) && json_put_string(question, "site", a->operands[1]);
    enum outcome o = OK;

    for (size_t i = 0; options[i] != NULL && good; i++) {
        const char *value = argument(a, options[i]);

        good = value == NULL || json_put_string(question, options[i], value);
    }
    o = good ? client_open(argument(a, "module"), argument(a, "bindings"), &c, f) : fault_memory(f);
    if (o == OK) {
        o = client_call(c, verb, question, &answer, f);
        question = NULL; /* taken by client_call */
    }
    if (o == OK)
        o = journey_tell(a, answer, f);
    client_close(c);
    json_decref(answer);
    json_decref(question);
    return o;
}

enum outcome run_move(const struct arguments *a, struct fault *f)
{
    static const char *const options[] = {"bag", "carrier", NULL};
    const char *bag = NULL;
    enum outcome o = argument_want(a, "bag", &bag, f);

    return o == OK ? journey_run(a, "depart", options, f) : o;
}

enum outcome run_arrive(const struct arguments *a, struct fault *f)
{
    static const char *const options[] = {"bag", "elsewhere", "received-by", "safe", NULL};

    return journey_run(a, "arrive", options, f);
}
