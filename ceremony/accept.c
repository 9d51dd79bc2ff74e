#include <stdio.h>
#include <string.h>

#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/message.h"

/* `quorate accept [FILE]`: what a courier runs at a site that is elsewhere, or people where files are carried; and
 * `quorate policy export`, the message that brings such a site up to date. */

static enum outcome input_read(struct buf *ret, struct fault *f)
{
    char piece[65536];
    size_t n = 0;

    while ((n = fread(piece, 1, sizeof piece, stdin)) > 0 && !ret->failed)
        buf_put(ret, piece, n);
    if (ferror(stdin))
        return fault_errno(f, "cannot read", "standard input");
    return ret->failed
               ? fault_set(f, E_MEMORY, "standard input is longer than a message may be (%u bytes)", LIMIT_MESSAGE)
               : OK;
}

/* What was answered, and who wants to know. */
static enum outcome answer_tell(const char *out, const char *text, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    json_t *json = NULL;
    enum outcome o = json_parse_canonical(span_str(text), &json, f);
    const char *type = json_string_or_null(json, "type"), *kind = type != NULL ? strchr(type, '/') : NULL;

    kind = kind != NULL ? strchr(kind + 1, '/') : NULL;
    if (o == OK) {
        print_field(&b, "site", "%s of %s", json_string_or_null(json, "site"), json_string_or_null(json, "token"));
        if (kind != NULL)
            print_field(&b, "answers", "%.*s", (int)strcspn(kind + 1, "/"), kind + 1);
        print_field(&b, "answer", "%s", out);
        if (kind != NULL && strncmp(kind, "/policy/", 8) != 0)
            print_field(&b, "next", "at the host: quorate receipt import %s", out);
        o = print_out(&b, f);
    }
    json_decref(json);
    buf_free(&b);
    return o;
}

static enum outcome answer_write(const struct arguments *a, const char *text, struct fault *f)
{
    struct buf b = BUF(LIMIT_ANSWER);
    enum outcome o = OK;

    if (argument(a, "out") != NULL) {
        o = file_replace(argument(a, "out"), span_str(text), 0644, f);
        return o == OK ? answer_tell(argument(a, "out"), text, f) : o;
    }
    buf_puts(&b, text);
    o = print_exact(&b, f);
    buf_free(&b);
    return o;
}

enum outcome run_accept(const struct arguments *a, struct fault *f)
{
    struct buf message = BUF(LIMIT_MESSAGE);
    struct client *c = NULL;
    json_t *question = json_object(), *answer = NULL;
    const char *text = NULL, *refused = NULL;
    enum outcome o = a->operand_count != 0 ? file_read(a->operands[0], false, &message, f) : input_read(&message, f);

    if (o == OK && (message.len == 0 || memchr(message.data, '\0', message.len) != NULL))
        o = fault_set(f, E_INVALID, "this is no message to a site");
    if (o == OK && !json_put_string(question, "message", buf_str(&message)))
        o = fault_set(f, E_INVALID, "this is no message to a site: it is not text");
    if (o == OK)
        o = client_open(argument(a, "module"), argument(a, "bindings"), &c, f);
    if (o == OK) {
        o = client_call(c, "accept", question, &answer, f);
        question = NULL; /* taken by client_call */
    }
    if (o == OK)
        o = json_want_string(answer, "answer", &text, f);
    if (o == OK)
        o = answer_write(a, text, f);
    refused = o == OK ? json_string_or_null(answer, "refused") : NULL;
    if (refused != NULL)
        o = fault_set(f, E_REFUSED, "%s", refused);
    client_close(c);
    json_decref(question);
    json_decref(answer);
    buf_free(&message);
    return o;
}

static enum outcome export_tell(const struct arguments *a, const struct estate *e, struct fault *f)
{
    struct digest key;
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    memcpy(key.bytes, log_first_key(e->log)->public_key, sizeof key.bytes);
    if (argument_flag(a, "json"))
        return print_json(json_pack("{sssssssI}", "estate", digest_hex(&e->state.estate).hex, "file", a->operands[1],
                                    "log-key", digest_hex(&key).hex, "size", (json_int_t)log_size(e->log)),
                          f);
    print_field(&b, "message", "%s", a->operands[1]);
    print_field(&b, "entries", "up to %llu", (unsigned long long)log_size(e->log));
    print_field(&b, "estate", "%s", digest_hex(&e->state.estate).hex);
    print_words(&b, &e->state.estate);
    print_field(&b, "log key", "%s", digest_hex(&key).hex);
    print_words(&b, &key);
    print_field(&b, "next", "at the site: quorate introduce %s, or quorate accept %s", a->operands[1], a->operands[1]);
    o = print_out(&b, f);
    buf_free(&b);
    return o;
}

static enum outcome from_read(const struct arguments *a, uint64_t *ret, struct fault *f)
{
    const char *text = argument(a, "from");

    *ret = 0;
    if (text != NULL && !decimal_parse(span_str(text), ret))
        return fault_set(f, E_INVALID, "--from %s: the number of an entry is expected", text);
    return OK;
}

enum outcome run_policy_export(const struct arguments *a, struct fault *f)
{
    struct buf token = BUF(256), message = BUF(LIMIT_MESSAGE);
    struct estate *e = NULL;
    uint64_t from = 0;
    enum outcome o = from_read(a, &from, f);

    if (o == OK)
        o = client_token(argument(a, "bindings"), argument(a, "token"), &token, f);
    if (o == OK)
        o = estate_open(argument(a, "bindings"), &e, f);
    if (o == OK && e->policy == NULL)
        o = fault_set(f, E_ABSENT, "no policy is in force yet: run `quorate policy adopt %s`", e->bindings->policy);
    if (o == OK)
        o = message_compose(e, MESSAGE_POLICY, buf_str(&token), a->operands[0], from, NULL, &message, f);
    if (o == OK)
        o = file_replace(a->operands[1], buf_span(&message), 0644, f);
    if (o == OK)
        o = export_tell(a, e, f);
    estate_close(e);
    buf_free(&token);
    buf_free(&message);
    return o;
}
