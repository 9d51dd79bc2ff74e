#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/proof.h"
#include "ceremony/describe.h"
#include "ceremony/print.h"
#include "ceremony/summary.h"
#include "ceremony/tool.h"
#include "core/bindings.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"

/* `quorate log`: show, check, publish, prove, check-proof. */

struct showing {
    struct buf *out;
    uint64_t from;
    int type; /* -1: any */
    bool json;
};

static enum outcome entry_show(void *context, const struct entry *e, struct fault *f)
{
    struct showing *s = context;
    char seq[24];
    enum outcome o = OK;

    if (e->seq < s->from || (s->type >= 0 && e->type != (enum entry_type)s->type))
        return OK;
    if (s->json) {
        o = json_canonical(e->json, s->out, f);
    } else {
        snprintf(seq, sizeof seq, "%5" PRIu64, e->seq);
        print_cell(s->out, TONE_FAINT, seq, 5);
        print_cell(s->out, TONE_FAINT, moment_format(e->time).text, 20);
        print_cell(s->out, TONE_HEAD, entry_type_name(e->type), 15);
        summary_put(s->out, e->type, e->body);
    }
    buf_puts(s->out, "\n");
    if (o == OK && s->out->failed)
        o = fault_memory(f);
    /* A long log goes out as it is read: every line of it was verified before (run_log_show). */
    if (o == OK && s->out->len > LIMIT_DOCUMENT) {
        o = print_out(s->out, f);
        buf_clear(s->out);
    }
    return o;
}

static enum outcome entry_pass(void *context, const struct entry *e, struct fault *f)
{
    (void)context;
    (void)e;
    (void)f;
    return OK;
}

static enum outcome log_folder(const char *bindings, char **ret, struct fault *f)
{
    struct bindings *b = NULL;
    enum outcome o = bindings_load(bindings, &b, f);

    if (o == OK) {
        *ret = path_join(b->home, "log");
        if (!*ret)
            o = fault_memory(f);
    }
    bindings_free(b);
    return o;
}

static enum outcome number_read(const char *text, uint64_t *ret, struct fault *f)
{
    if (!decimal_parse(span_str(text), ret))
        return fault_set(f, E_INVALID, "%s: expected an entry's number", text);
    return OK;
}

enum outcome run_log_show(const struct arguments *a, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    const char *type = argument(a, "type");
    struct showing s = {.out = &b, .type = type ? entry_type_parse(type) : -1, .json = argument_flag(a, "json")};
    struct log *log = NULL;
    char *folder = NULL;
    enum outcome o = argument(a, "from") ? number_read(argument(a, "from"), &s.from, f) : OK;

    if (o == OK && type && s.type < 0)
        o = fault_set(f, E_INVALID, "--type %s: there is no such type of entry; docs/FORMAT.md lists them", type);
    if (o == OK)
        o = log_folder(argument(a, "bindings"), &folder, f);
    if (o == OK)
        o = log_open(folder, entry_pass, NULL, &log, f);
    log_close(log);
    log = NULL;
    if (o == OK)
        o = log_open(folder, entry_show, &s, &log, f);
    if (o == OK)
        o = print_out(&b, f);
    log_close(log);
    free(folder);
    buf_free(&b);
    return o;
}

static enum outcome entry_fold(void *context, const struct entry *e, struct fault *f)
{
    return state_apply(context, e, f);
}

/* Signature, tree and every line; that confidential bodies are there; and, by the fold, that no entry contradicts another.
 * An estate opens by what it remembers of its log: here nothing is remembered. */
static enum outcome log_check_whole(const char *bindings, struct fault *f)
{
    struct state state;
    struct log *log = NULL;
    char *folder = NULL;
    enum outcome o = log_folder(bindings, &folder, f);

    state_init(&state);
    if (o == OK)
        o = log_open(folder, entry_fold, &state, &log, f);
    log_close(log);
    state_clear(&state);
    free(folder);
    return o;
}

enum outcome run_log_check(const struct arguments *a, struct fault *f)
{
    struct estate *e = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    struct digest root;
    json_t *j = NULL;
    enum outcome o = log_check_whole(argument(a, "bindings"), f);

    if (o == OK)
        o = estate_open(argument(a, "bindings"), &e, f);
    if (o != OK)
        goto out;
    log_root(e->log, &root);
    if (argument_flag(a, "json")) {
        j = json_object();
        if (json_put_string(j, "origin", log_origin(e->log)) && json_put_digest(j, "root", &root) &&
            json_put_integer(j, "size", (int64_t)log_size(e->log)) && json_put_string(j, "status", "holds")) {
            o = print_json(j, f);
            j = NULL; /* taken by print_json */
        } else {
            o = fault_memory(f);
        }
    } else {
        print_text(&b, log_origin(e->log));
        buf_puts(&b, ": ");
        print_toned(&b, TONE_GOOD, "holds");
        buf_puts(&b, "\n");
        print_field(&b, "size", "%" PRIu64, log_size(e->log));
        print_field(&b, "root", "%s", digest_hex(&root).hex);
        o = print_out(&b, f);
    }
out:
    json_decref(j);
    buf_free(&b);
    estate_close(e);
    return o;
}

/* For what needs no look at all entries: by the caches where there are any. */
static enum outcome log_open_short(const char *folder, struct log **ret, struct fault *f)
{
    if (log_open_at(folder, NULL, NULL, NULL, ret, f) == OK)
        return OK;
    return log_open(folder, NULL, NULL, ret, f);
}

enum outcome run_log_publish(const struct arguments *a, struct fault *f)
{
    struct buf b = BUF(4096);
    struct log *log = NULL;
    char *folder = NULL;
    enum outcome o = log_folder(argument(a, "bindings"), &folder, f);

    if (o == OK)
        o = log_open_short(folder, &log, f);
    if (o == OK)
        o = log_publish(log, argument_flag(a, "all"), f);
    if (o == OK) {
        print_field(&b, "published", "%s/public", folder);
        print_field(&b, "size", "%" PRIu64, log_size(log));
        o = print_out(&b, f);
    }
    log_close(log);
    free(folder);
    buf_free(&b);
    return o;
}

enum outcome run_log_prove(const struct arguments *a, struct fault *f)
{
    struct buf proof = BUF(LIMIT_PROOF), entry = BUF(LIMIT_ENTRY);
    const char *to = argument(a, "entry");
    struct log *log = NULL;
    char *folder = NULL;
    uint64_t seq = 0;
    enum outcome o = number_read(a->operands[0], &seq, f);

    if (o == OK)
        o = log_folder(argument(a, "bindings"), &folder, f);
    if (o == OK)
        o = log_open_short(folder, &log, f);
    if (o == OK)
        o = proof_put(log, seq, &proof, f);
    if (o == OK && to != NULL) {
        o = log_entry_bytes(log, seq, &entry, f);
        if (o == OK)
            o = file_replace(to, buf_span(&entry), 0644, f);
    }
    if (o == OK)
        o = print_exact(&proof, f);
    log_close(log);
    free(folder);
    buf_free(&entry);
    buf_free(&proof);
    return o;
}

enum outcome run_log_check_proof(const struct arguments *a, struct fault *f)
{
    struct buf text = BUF(LIMIT_PROOF), entry = BUF(LIMIT_ENTRY), b = BUF(4096);
    const char *vkey = NULL;
    struct note_key key;
    struct checkpoint c;
    struct proof p;
    enum outcome o = argument_want(a, "log-key", &vkey, f);

    if (o == OK)
        o = note_key_parse(vkey, &key, f);
    if (o == OK)
        o = file_read(a->operands[0], false, &text, f);
    if (o == OK)
        o = file_read(a->operands[1], false, &entry, f);
    if (o == OK)
        o = proof_parse(buf_span(&text), &p, f);
    if (o == OK)
        o = proof_verify(&p, buf_span(&entry), &key, &c, f);
    if (o == OK) {
        print_text(&b, c.origin);
        buf_puts(&b, ": ");
        print_toned(&b, TONE_GOOD, "holds");
        buf_puts(&b, "\n");
        print_field(&b, "entry", "%" PRIu64 " of %" PRIu64, p.index, c.size);
        print_field(&b, "root", "%s", digest_hex(&c.root).hex);
        o = print_out(&b, f);
    }
    buf_free(&b);
    buf_free(&entry);
    buf_free(&text);
    return o;
}
