#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/carried.h"
#include "ceremony/client.h"
#include "ceremony/drill.h"
#include "ceremony/inventory.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/owed.h"

/* Files carried by people: `quorate offer export` makes what a site is to get, `quorate receipt import` takes in what comes
 * back. */

struct carrier {
    struct estate *estate;
    const char *token, *site, *folder;
    uint64_t from;
    json_t *files; /* of what was written: [{born or intent or size, file, kind}] */
};

/* A message of before may be replaced by the same for the same site; what is another's, or no message at all, is left alone. */
static enum outcome place_check(const struct carrier *c, const char *path, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_MESSAGE);
    struct message m = {.kind = MESSAGE_KINDS};
    struct fault why = {OK, ""};
    enum outcome o = file_read(path, false, &bytes, f);

    if (o == E_ABSENT)
        return OK;
    if (o == OK &&
        (message_read(buf_span(&bytes), &m, &why) != OK || !digest_equal(&m.estate, &c->estate->state.estate) ||
         strcmp(m.token, c->token) != 0 || strcmp(m.site, c->site) != 0))
        o = fault_set(f, E_REFUSED, "%s is there already and is nothing for %s at %s: export to another folder", path,
                      c->token, c->site);
    message_clear(&m);
    buf_free(&bytes);
    return o;
}

static enum outcome carry(struct carrier *c, const struct owed *o, struct fault *f)
{
    struct buf message = BUF(LIMIT_MESSAGE);
    char name[96], *path = NULL;
    enum outcome outcome = OK;

    if (o->part > 0)
        snprintf(name, sizeof name, "%s-%llu-%u.message", message_kind_name(o->kind), (unsigned long long)o->number,
                 o->part);
    else
        snprintf(name, sizeof name, "%s-%llu.message", message_kind_name(o->kind), (unsigned long long)o->number);
    path = path_join(c->folder, name);
    outcome = path ? owed_message(c->estate, c->token, c->site, o, c->from, &message, f) : fault_memory(f);
    if (outcome == OK)
        outcome = place_check(c, path, f);
    if (outcome == OK)
        outcome = file_replace(path, buf_span(&message), 0600, f);
    if (outcome == OK &&
        json_array_append_new(c->files, json_pack("{sssIss}", "file", path, owed_number_name(o->kind),
                                                  (json_int_t)o->number, "kind", message_kind_name(o->kind))) != 0)
        outcome = fault_memory(f);
    free(path);
    buf_free(&message);
    return outcome;
}

static enum outcome owed_carry(struct carrier *c, struct fault *f)
{
    struct owed_list list = {.items = NULL};
    enum outcome o = owed_gather(c->estate, c->token, c->site, &list, f);

    for (size_t i = 0; o == OK && i < list.count; i++)
        o = carry(c, &list.items[i], f);
    owed_free(&list);
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
    if (o == OK)
        o = owed_carry(&c, f);
    if (o == OK)
        o = export_tell(a, &c, f);
    estate_close(c.estate);
    json_decref(c.files);
    buf_free(&token);
    return o;
}

/* What the module says of it, and whether all in it is as it should be. */
static enum outcome import_tell(const struct arguments *a, json_t *report, struct fault *f)
{
    const json_t *drill = json_object_get(report, "drill"), *shelf = json_object_get(report, "inventory");
    const json_t *number = json_object_get(report, "intent");
    const char *state = json_string_or_null(drill, "state");
    bool proven = state != NULL && strcmp(state, "proven") == 0 && json_string_or_null(drill, "why") == NULL;
    bool good = (drill == NULL || proven) && (shelf == NULL || inventory_holds(shelf));
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (argument_flag(a, "json")) {
        o = print_json(json_incref(report), f);
    } else if (shelf != NULL) {
        inventory_put(&b, shelf);
        o = print_out(&b, f);
    } else {
        print_field(&b, "site", "%s of %s", json_string_or_null(report, "site"), json_string_or_null(report, "token"));
        if (number != NULL)
            print_field(&b, "intent", "%" JSON_INTEGER_FORMAT, json_integer_value(number));
        if (json_string_or_null(report, "key") != NULL)
            print_field(&b, "key", "%s", json_string_or_null(report, "key"));
        print_field(&b, "status", "%s", json_string_or_null(report, "status"));
        if (drill != NULL)
            drill_put(&b, drill);
        if (json_string_or_null(report, "retirement") != NULL)
            print_field(&b, "retirement", "%s", json_string_or_null(report, "retirement"));
        o = print_out(&b, f);
    }
    buf_free(&b);
    return o == OK && !good ? print_said(E_REFUSED, f) : o;
}

enum outcome carried_answer_import(struct client *c, const char *path, json_t **ret, struct fault *f)
{
    struct buf answer = BUF(LIMIT_ANSWER);
    json_t *question = json_object();
    enum outcome o = file_read(path, false, &answer, f);

    if (o == OK && (answer.len == 0 || memchr(answer.data, '\0', answer.len) ||
                    !json_put_string(question, "answer", buf_str(&answer))))
        o = fault_set(f, E_INVALID, "%s is no answer of a site", path);
    if (o == OK) {
        o = client_call(c, "import", question, ret, f);
        question = NULL; /* taken by client_call */
    }
    json_decref(question);
    buf_free(&answer);
    return o;
}

enum outcome run_receipt_import(const struct arguments *a, struct fault *f)
{
    struct client *c = NULL;
    json_t *report = NULL;
    enum outcome o = client_open(argument(a, "module"), argument(a, "bindings"), &c, f);

    if (o == OK)
        o = carried_answer_import(c, a->operands[0], &report, f);
    if (o == OK)
        o = import_tell(a, report, f);
    client_close(c);
    json_decref(report);
    return o;
}
