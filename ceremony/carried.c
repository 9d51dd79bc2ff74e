#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/message.h"

/* Files carried by people: `quorate offer export` makes what a site is to get, `quorate receipt import` takes in what comes
 * back. */

struct carrier {
    struct estate *estate;
    const char *token, *site, *folder;
    uint64_t from;
    json_t *files; /* of what was written: [{file, intent, kind}] */
};

static enum outcome carry(struct carrier *c, enum message_kind kind, const struct state_intent *i, size_t number,
                          json_t *more, struct fault *f)
{
    struct buf message = BUF(LIMIT_MESSAGE);
    char name[96], *path = NULL;
    enum outcome o = more ? OK : fault_memory(f);

    if (kind == MESSAGE_OFFER)
        snprintf(name, sizeof name, "offer-%llu-%zu.message", (unsigned long long)i->seq, number);
    else
        snprintf(name, sizeof name, "%s-%llu.message", message_kind_name(kind), (unsigned long long)i->seq);
    path = path_join(c->folder, name);
    if (o == OK)
        o = message_compose(c->estate, kind, c->token, c->site, c->from, more, &message, f);
    if (o == OK)
        o = path ? file_replace(path, buf_span(&message), 0600, f) : fault_memory(f);
    if (o == OK && json_array_append_new(c->files, json_pack("{sssIss}", "file", path, "intent", (json_int_t)i->seq,
                                                             "kind", message_kind_name(kind))) != 0)
        o = fault_memory(f);
    free(path);
    buf_free(&message);
    return o;
}

/* Every offer to the site, the spare ones too: each a file, for a medium of its own. */
static enum outcome offers_carry(struct carrier *c, const struct state_intent *i, struct fault *f)
{
    size_t number = 0;
    enum outcome o = OK;

    for (size_t k = 0; o == OK && k < i->offer_count; k++) {
        struct buf bytes = BUF(LIMIT_OFFER);
        json_t *offer = NULL, *more = NULL;

        if (strcmp(i->offers[k].site, c->site) != 0)
            continue;
        o = estate_kept(c->estate, "offers", ".json", &i->offers[k].offer, &bytes, f);
        if (o == OK)
            o = json_parse_canonical(buf_span(&bytes), &offer, f);
        more = o == OK ? json_pack("{sO}", "offer", offer) : NULL;
        if (o == OK)
            o = carry(c, MESSAGE_OFFER, i, ++number, more, f);
        json_decref(more);
        json_decref(offer);
        buf_free(&bytes);
    }
    return o;
}

static enum outcome intent_carry(struct carrier *c, const struct state_intent *i, struct fault *f)
{
    enum message_kind kind = MESSAGE_KINDS;
    json_t *more = NULL;
    enum outcome o = OK;

    if (!i->token || strcmp(i->token, c->token) != 0)
        return OK;
    if (i->state == INTENT_PROVISIONAL && strings_have(&i->offered, c->site) && !strings_have(&i->receipted, c->site))
        return offers_carry(c, i, f);
    if (i->state == INTENT_BORN && strings_have(&i->receipted, c->site))
        kind = MESSAGE_BORN;
    else if (i->state == INTENT_ROLLED_BACK && strings_have(&i->orphans, c->site))
        kind = MESSAGE_WITHDRAW;
    if (kind == MESSAGE_KINDS)
        return OK;
    more = json_pack("{sI}", "intent", (json_int_t)i->seq);
    o = carry(c, kind, i, 0, more, f);
    json_decref(more);
    return o;
}

static enum outcome export_tell(const struct arguments *a, const struct carrier *c, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    json_t *line = NULL;
    size_t i = 0;
    enum outcome o = OK;

    if (argument_flag(a, "json"))
        return print_json(json_pack("{sO}", "files", c->files), f);
    json_array_foreach(c->files, i, line)
        print_field(&b, json_string_or_null(line, "kind"), "%s", json_string_or_null(line, "file"));
    if (json_array_size(c->files) == 0)
        buf_puts(&b, "Nothing is to be carried there.\n");
    else
        print_field(&b, "next", "at the site: quorate accept FILE --out ANSWER; here: quorate receipt import ANSWER");
    o = print_out(&b, f);
    buf_free(&b);
    return o;
}

/* Only where files are carried: all else is asked by the module itself. */
static enum outcome site_check(const struct carrier *c, struct fault *f)
{
    const struct bindings *all = c->estate->bindings;
    const struct binding *b = bindings_site(all, c->token, c->site);

    if (!b)
        return fault_set(f, E_ABSENT, "%s at %s is not in the bindings %s", c->token, c->site, all->path);
    if (b->reach != REACH_CARRIED)
        return fault_set(f, E_REFUSED, "%s:%u: no files are carried to %s at %s", all->path, b->line, c->token,
                         c->site);
    return OK;
}

enum outcome run_offer_export(const struct arguments *a, struct fault *f)
{
    struct carrier c = {.site = a->operands[0], .folder = a->operands[1], .files = json_array()};
    struct buf token = BUF(256);
    const char *from = argument(a, "from");
    enum outcome o = c.files ? OK : fault_memory(f);

    if (o == OK && from && !decimal_parse(span_str(from), &c.from))
        o = fault_set(f, E_INVALID, "--from %s: the number of an entry is expected", from);
    if (o == OK)
        o = client_token(argument(a, "bindings"), argument(a, "token"), &token, f);
    c.token = buf_str(&token);
    if (o == OK)
        o = estate_open(argument(a, "bindings"), &c.estate, f);
    if (o == OK)
        o = site_check(&c, f);
    if (o == OK)
        o = folder_make(c.folder, 0700, f);
    for (size_t i = 0; o == OK && i < c.estate->state.intent_count; i++)
        o = intent_carry(&c, &c.estate->state.intents[i], f);
    if (o == OK)
        o = export_tell(a, &c, f);
    estate_close(c.estate);
    json_decref(c.files);
    buf_free(&token);
    return o;
}

enum outcome run_receipt_import(const struct arguments *a, struct fault *f)
{
    struct buf answer = BUF(LIMIT_ANSWER), b = BUF(OUTPUT_MAX);
    struct client *c = NULL;
    json_t *question = json_object(), *report = NULL;
    enum outcome o = file_read(a->operands[0], false, &answer, f);

    if (o == OK && (answer.len == 0 || memchr(answer.data, '\0', answer.len) ||
                    !json_put_string(question, "answer", buf_str(&answer))))
        o = fault_set(f, E_INVALID, "%s is no answer of a site", a->operands[0]);
    if (o == OK)
        o = client_open(argument(a, "module"), argument(a, "bindings"), &c, f);
    if (o == OK) {
        o = client_call(c, "import", question, &report, f);
        question = NULL; /* taken by client_call */
    }
    if (o == OK && argument_flag(a, "json")) {
        o = print_json(json_incref(report), f);
    } else if (o == OK) {
        print_field(&b, "site", "%s of %s", json_string_or_null(report, "site"), json_string_or_null(report, "token"));
        print_field(&b, "intent", "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(report, "intent")));
        print_field(&b, "status", "%s", json_string_or_null(report, "status"));
        o = print_out(&b, f);
    }
    client_close(c);
    json_decref(question);
    json_decref(report);
    buf_free(&answer);
    buf_free(&b);
    return o;
}
