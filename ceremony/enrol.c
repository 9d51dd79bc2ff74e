#include "ceremony/attestation.h"
#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"

/* `quorate enrol` and `quorate settle`: what only the module can do, for it alone speaks with HSMs. */

static enum outcome enrol_tell(const struct arguments *a, const char *token, json_t *answer, enum outcome called,
                               struct fault *f)
{
    const char *site = a->operands[0], *request = json_string_or_null(answer, "request"),
               *missing = json_string_or_null(answer, "missing");
    struct buf b = BUF(OUTPUT_MAX), hint = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
        o = o == OK && called == E_PENDING ? print_said(E_PENDING, f) : o;
    } else if (called == E_PENDING) {
        buf_puts(&b, "Enrolling ");
        print_text(&b, site);
        attestable_put(&hint, answer, "this command again with");
        o = print_out(&hint, f);
        if (o == OK)
            o = waiting_tell(false, buf_str(&b), request ? request : "", missing ? missing : "", f);
    } else {
        print_text(&b, site);
        buf_puts(&b, " of ");
        print_text(&b, token);
        buf_puts(&b, ": ");
        print_toned(&b, TONE_GOOD, json_string_or_null(answer, "status"));
        buf_puts(&b, "\n");
        o = print_out(&b, f);
    }
    buf_free(&hint);
    buf_free(&b);
    return o;
}

enum outcome run_enrol(const struct arguments *a, struct fault *f)
{
    const char *bindings = argument(a, "bindings"), *elsewhere = argument(a, "elsewhere");
    struct buf token = BUF(256), introduction = BUF(LIMIT_ANSWER);
    struct client *c = NULL;
    json_t *question = json_object(), *answer = NULL;
    enum outcome o = client_token(bindings, argument(a, "token"), &token, f);

    if (o == OK &&
        (!json_put_string(question, "site", a->operands[0]) || !json_put_string(question, "token", buf_str(&token)) ||
         (elsewhere && !json_put_string(question, "elsewhere", elsewhere))))
        o = fault_memory(f);
    if (o == OK && argument(a, "carried") != NULL) {
        o = file_read(argument(a, "carried"), false, &introduction, f);
        if (o == OK && !json_put_string(question, "introduction", buf_str(&introduction)))
            o = fault_set(f, E_INVALID, "%s is no introduction", argument(a, "carried"));
    }
    if (o == OK)
        o = attestation_ask(a, question, f);
    if (o == OK)
        o = client_open(argument(a, "module"), bindings, &c, f);
    if (o == OK) {
        o = client_call(c, "enrol", question, &answer, f);
        question = NULL; /* taken by client_call */
    }
    if (o == OK || o == E_PENDING)
        o = enrol_tell(a, buf_str(&token), answer, o, f);
    client_close(c);
    json_decref(answer);
    json_decref(question);
    buf_free(&token);
    buf_free(&introduction);
    return o;
}

/* The home's mirrors first: nothing can be settled that they do not take. */
static enum outcome settle_mirrors(const struct arguments *a, struct fault *f)
{
    struct estate *e = NULL;
    enum outcome o = estate_open(argument(a, "bindings"), &e, f);

    if (o == OK && e->bindings->mirrors.count == 0 && argument_flag(a, "new-mirror"))
        o = fault_set(f, E_INVALID, "%s names no home-mirrors: write the new one there first", e->bindings->path);
    else if (o == OK && e->bindings->mirrors.count > 0)
        o = estate_mirrors_settle(e, argument_flag(a, "new-mirror"), f);
    estate_close(e);
    return o;
}

enum outcome run_settle(const struct arguments *a, struct fault *f)
{
    struct client *c = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    json_t *answer = NULL, *list = NULL, *item = NULL;
    size_t i = 0;
    enum outcome o = settle_mirrors(a, f);

    if (o == OK)
        o = client_open(argument(a, "module"), argument(a, "bindings"), &c, f);
    if (o == OK)
        o = client_call(c, "settle", json_object(), &answer, f);
    if (o == OK)
        o = json_want_array(answer, "settled", &list, f);
    if (o != OK)
        goto out;
    if (argument_flag(a, "json")) {
        o = print_json(json_incref(answer), f);
        goto out;
    }
    json_array_foreach(list, i, item)
    {
        char what[LIMIT_NAME + 32];
        const char *token = json_string_or_null(item, "token");

        const char *key = json_string_or_null(item, "key");

        if (token != NULL)
            snprintf(what, sizeof what, "token %s", token);
        else if (key != NULL)
            snprintf(what, sizeof what, "key %s", key);
        else
            snprintf(what, sizeof what, "intent %" JSON_INTEGER_FORMAT,
                     json_integer_value(json_object_get(item, "intent")));
        buf_puts(&b, "  ");
        print_cell(&b, TONE_PLAIN, what, 14);
        print_text(&b, json_string_or_null(item, "outcome"));
        buf_puts(&b, "\n");
    }
    if (json_array_size(list) == 0)
        buf_puts(&b, "Nothing was left half done.\n");
    o = print_out(&b, f);
out:
    client_close(c);
    json_decref(answer);
    buf_free(&b);
    return o;
}
