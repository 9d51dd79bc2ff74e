#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/confidential.h"
#include "ceremony/closing.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"
#include "estate/rejudge.h"
#include "policy/policy.h"

/* `quorate transcript CEREMONY DIR`: everything that an absent auditor needs, in one folder (docs/FORMAT.md). */

struct writer {
    struct estate *estate;
    const char *ceremony, *out;
    uint64_t size;          /* entries of the transcript: up to the ceremony's close */
    struct strings classes; /* to withhold */
    size_t withheld;
};

static const char *const transcript_folders[] = {"policies", "scripts",  "bindings",  "profiles",     "people",
                                                 "requests", "receipts", "artifacts", "confidential", NULL};

/* Copies home/FOLDER/NAME to DIR/FOLDER/NAME. */
static enum outcome copy_named(const struct writer *w, const char *folder, const char *name, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_ARTIFACT);
    char *inner = path_join(folder, name), *to = inner != NULL ? path_join(w->out, inner) : NULL;
    char *from = estate_path(w->estate, folder, name);
    enum outcome result = to != NULL && from != NULL ? OK : fault_memory(f);

    if (result == OK && !file_exists(to)) {
        result = file_read(from, false, &bytes, f);
        if (result == E_ABSENT)
            fault_set(f, E_ABSENT, "%s is missing, but the log names it: without it no transcript verifies", from);
        if (result == OK)
            result = file_replace(to, buf_span(&bytes), 0644, f);
    }
    free(from);
    free(to);
    free(inner);
    buf_free(&bytes);
    return result;
}

static enum outcome copy_digest(const struct writer *w, const char *folder, const char *digest, const char *suffix,
                                struct fault *f)
{
    char name[96];

    if (digest == NULL)
        return OK;
    snprintf(name, sizeof name, "%s%s", digest, suffix);
    return copy_named(w, folder, name, f);
}

/* The YAML that was kept, and its canonical form beside it. */
static enum outcome copy_document(const struct writer *w, const char *folder, const char *digest, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT), canonical = BUF(LIMIT_DOCUMENT * 2);
    char name[192], *path = NULL;
    struct yaml *yaml = NULL;
    json_t *form = NULL;
    enum outcome result = copy_digest(w, folder, digest, ".yaml", f);

    if (result != OK || digest == NULL)
        return result;
    snprintf(name, sizeof name, "%s/%s.yaml", folder, digest);
    path = path_join(w->out, name);
    result = path != NULL ? file_read(path, false, &bytes, f) : fault_memory(f);
    free(path);
    if (result == OK)
        result = yaml_parse(name, buf_span(&bytes), &yaml, f);
    if (result == OK)
        result = yaml_to_json(yaml, &form, f);
    if (result == OK)
        result = json_canonical(form, &canonical, f);
    snprintf(name, sizeof name, "%s/%s.json", folder, digest);
    path = result == OK ? path_join(w->out, name) : NULL;
    if (result == OK)
        result = path != NULL ? file_replace(path, buf_span(&canonical), 0644, f) : fault_memory(f);
    free(path);
    yaml_free(yaml);
    json_decref(form);
    buf_free(&canonical);
    buf_free(&bytes);
    return result;
}

static enum outcome copy_people(const struct writer *w, const char *digest, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct policy *policy = NULL;
    char name[96], *path = NULL;
    enum outcome result = E_MEMORY;

    snprintf(name, sizeof name, "%s.yaml", digest);
    path = estate_path(w->estate, "policies", name);
    result = path != NULL ? file_read(path, true, &bytes, f) : fault_memory(f);
    if (result == OK)
        result = policy_parse(path, buf_span(&bytes), &policy, f);
    for (size_t i = 0; result == OK && i < policy->person_count; i++)
        result = copy_digest(w, "people", digest_hex(&policy->people[i].fingerprint).hex, ".der", f);
    free(path);
    policy_free(policy);
    buf_free(&bytes);
    return result;
}

/* A request's folder, and in it what the entry names. */
static enum outcome copy_request(const struct writer *w, const struct entry *e, struct fault *f)
{
    const char *id = json_string_or_null(e->body, "request"), *person = json_string_or_null(e->body, "person");
    char name[256], folder[128], *path = NULL;
    enum outcome result = E_INVALID;

    if (id == NULL)
        return fault_set(f, E_INVALID, "entry %llu names no request", (unsigned long long)e->seq);
    snprintf(folder, sizeof folder, "requests/%s", id);
    path = path_join(w->out, folder);
    result = path != NULL ? folder_make(path, 0755, f) : fault_memory(f);
    free(path);
    if (result == OK && e->type == ENTRY_REQUEST)
        return copy_named(w, folder, "request.json", f);
    if (result == OK && e->type == ENTRY_REJECTION) {
        snprintf(name, sizeof name, "%s.reject.json", person);
        result = copy_named(w, folder, name, f);
    }
    snprintf(name, sizeof name, "%s%s", person, vote_suffix(e).text);
    return result == OK ? copy_named(w, folder, name, f) : result;
}

static enum outcome copy_artifact(const struct writer *w, const struct entry *e, struct fault *f)
{
    const char *digest = json_string_or_null(e->body, "digest"), *kind = json_string_or_null(e->body, "kind");
    enum outcome result = E_INVALID;

    if (digest == NULL || kind == NULL)
        return fault_set(f, E_INVALID, "entry %llu names no artifact", (unsigned long long)e->seq);
    if (strcmp(kind, "profile") == 0)
        return copy_document(w, "profiles", digest, f);
    result = copy_digest(w, "artifacts", digest, "", f);
    if (result == OK && json_object_get(e->body, "signature") != NULL)
        result = copy_digest(w, "artifacts", digest, ".p7s", f);
    return result;
}

/* The files that an entry names. */
static enum outcome copy_named_files(const struct writer *w, const struct entry *e, struct fault *f)
{
    const char *digest = json_string_or_null(e->body, "digest");
    enum outcome result = OK;

    switch (e->type) {
    case ENTRY_GENESIS:
        return copy_people(w, json_string_or_null(e->body, "policy"), f);
    case ENTRY_POLICY:
        result = copy_document(w, "policies", digest, f);
        return result == OK ? copy_people(w, digest, f) : result;
    case ENTRY_REQUEST:
    case ENTRY_APPROVAL:
    case ENTRY_REJECTION:
        return copy_request(w, e, f);
    case ENTRY_TAKEN:
        if (json_object_get(e->body, "receipt") == NULL)
            return OK;
        /* fall through */
    case ENTRY_RECEIPT:
    case ENTRY_DRILL:
        return copy_digest(w, "receipts", json_string_or_null(e->body, "receipt"), ".json", f);
    case ENTRY_CEREMONY_OPENED:
        result = copy_document(w, "scripts", json_string_or_null(json_object_get(e->body, "script"), "digest"), f);
        return result == OK ? copy_document(w, "bindings",
                                            json_string_or_null(json_object_get(e->body, "bindings"), "digest"), f)
                            : result;
    case ENTRY_ARTIFACT:
        return copy_artifact(w, e, f);
    default:
        return OK;
    }
}

static enum outcome write_file(const struct writer *w, const char *name, struct span bytes, struct fault *f)
{
    char *path = path_join(w->out, name);
    enum outcome result = path != NULL ? file_replace(path, bytes, 0644, f) : fault_memory(f);

    free(path);
    return result;
}

/* The body and salt of a confidential entry, unless its class is withheld: then nothing that only its body names goes in. */
static enum outcome open_confidential(struct writer *w, struct entry *e, struct fault *f)
{
    struct buf document = BUF(LIMIT_CONFIDENTIAL);
    char name[128];
    enum outcome result = OK;

    if (strings_have(&w->classes, e->class)) {
        w->withheld++;
        return OK;
    }
    snprintf(name, sizeof name, "confidential/%s.json", digest_hex(&e->commit).hex);
    result = log_confidential(w->estate->log, &e->commit, &document, f);
    if (result == OK)
        result = confidential_open(e, buf_span(&document), f);
    if (result == OK)
        result = write_file(w, name, buf_span(&document), f);
    buf_free(&document);
    return result;
}

static enum outcome transcript_entry(void *context, const struct entry *visited, struct fault *f)
{
    struct writer *w = context;
    struct entry opened = *visited, *e = &opened;
    enum outcome result = e->class != NULL ? open_confidential(w, e, f) : OK;

    return result == OK && e->body != NULL ? copy_named_files(w, e, f) : result;
}
static enum outcome folders_make(const struct writer *w, struct fault *f)
{
    enum outcome result = folder_make(w->out, 0755, f);
    struct strings names = {0};

    if (result == OK)
        result = folder_list(w->out, &names, f);
    if (result == OK && names.count != 0)
        result = fault_set(f, E_BUSY, "%s is not empty: a transcript needs a folder of its own", w->out);
    for (size_t i = 0; result == OK && transcript_folders[i] != NULL; i++) {
        char *path = path_join(w->out, transcript_folders[i]);

        result = path != NULL ? folder_make(path, 0755, f) : fault_memory(f);
        free(path);
    }
    strings_free(&names);
    return result;
}

/* An empty folder would be one too many. */
static enum outcome folders_prune(const struct writer *w, struct fault *f)
{
    enum outcome result = OK;

    for (size_t i = 0; result == OK && transcript_folders[i] != NULL; i++) {
        char *path = path_join(w->out, transcript_folders[i]);

        if (path == NULL)
            result = fault_memory(f);
        else if (rmdir(path) != 0 && errno != ENOTEMPTY && errno != EEXIST)
            result = fault_errno(f, "cannot remove the empty folder", path);
        free(path);
    }
    return result;
}

/* The note that was kept at the close tells how many entries belong. */
static enum outcome closing_checkpoint(struct writer *w, struct buf *ret_note, struct fault *f)
{
    struct checkpoint c;
    char name[LIMIT_NAME + 64], *path = NULL;
    enum outcome result = E_MEMORY;

    snprintf(name, sizeof name, "%s/checkpoint", w->ceremony);
    path = estate_path(w->estate, "ceremonies", name);
    result = path != NULL ? file_read(path, true, ret_note, f) : fault_memory(f);
    if (result == E_ABSENT)
        result = fault_set(f, E_REFUSED, "ceremony %s is not closed: finish it with `quorate run`", w->ceremony);
    if (result == OK)
        result = log_checkpoint_open(w->estate->log, buf_span(ret_note), &c, f);
    if (result == OK)
        w->size = c.size;
    free(path);
    return result;
}

/* A time stamp of this ceremony: its token goes in. */
static enum outcome stamp_copy(const struct writer *w, const struct entry *e, struct fault *f)
{
    const char *ceremony = json_string_or_null(e->body, "ceremony");
    char *folder = path_join(w->out, "timestamps");
    enum outcome result = folder != NULL ? OK : fault_memory(f);

    if (result == OK && ceremony != NULL && strcmp(ceremony, w->ceremony) == 0) {
        result = folder_make(folder, 0755, f);
        if (result == OK)
            result = copy_digest(w, "timestamps", json_string_or_null(e->body, "token"), ".tsr", f);
    }
    free(folder);
    return result;
}

static enum outcome stamps_copy(const struct writer *w, struct fault *f)
{
    enum outcome result = OK;

    for (uint64_t seq = w->size; result == OK && seq < log_size(w->estate->log); seq++) {
        struct entry e = {.json = NULL};

        result = log_entry(w->estate->log, seq, &e, f);
        if (result == OK && e.type == ENTRY_TIMESTAMP)
            result = stamp_copy(w, &e, f);
        entry_clear(&e);
    }
    return result;
}

/* A class that no entry has is a slip that would show what was to be withheld: found before anything is written. */
static enum outcome classes_known(const struct writer *w, struct fault *f)
{
    struct strings met = {0};
    enum outcome result = OK;

    for (uint64_t seq = 0; w->classes.count != 0 && result == OK && seq < w->size; seq++) {
        struct buf line = BUF(LIMIT_ENTRY);
        struct entry e = {.json = NULL};

        result = log_entry_bytes(w->estate->log, seq, &line, f);
        if (result == OK)
            result = entry_parse(buf_span(&line), &e, f);
        if (result == OK && e.class != NULL && !strings_have(&met, e.class) && !strings_add(&met, e.class))
            result = fault_memory(f);
        entry_clear(&e);
        buf_free(&line);
    }
    for (size_t i = 0; result == OK && i < w->classes.count; i++)
        if (!strings_have(&met, w->classes.items[i]))
            result =
                fault_set(f, E_INVALID, "--withhold %s: no entry of the log up to the close of %s is of that class",
                          w->classes.items[i], w->ceremony);
    strings_free(&met);
    return result;
}

static enum outcome transcript_write(struct writer *w, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE), entries = BUF(LIMIT_TRANSCRIPT), cosignatures = BUF(LIMIT_NOTE);
    enum outcome result = closing_checkpoint(w, &note, f);

    if (result == OK)
        result = classes_known(w, f);
    if (result == OK)
        result = closing_cosignatures(w->estate, w->ceremony, w->size, &cosignatures, f);
    if (result == OK)
        result = folders_make(w, f);
    if (result == OK)
        result = stamps_copy(w, f);
    for (uint64_t seq = 0; result == OK && seq < w->size; seq++) {
        struct buf line = BUF(LIMIT_ENTRY);

        result = log_entry_bytes(w->estate->log, seq, &line, f);
        buf_put(&entries, line.data, line.len);
        buf_puts(&entries, "\n");
        buf_free(&line);
    }
    if (result == OK && entries.failed)
        result = fault_memory(f);
    if (result == OK)
        result = log_verify_bytes(buf_span(&entries), buf_span(&note), log_first_key(w->estate->log), transcript_entry,
                                  w, f);
    if (result == OK)
        result = write_file(w, "entries", buf_span(&entries), f);
    if (result == OK)
        result = write_file(w, "checkpoint", buf_span(&note), f);
    if (result == OK && cosignatures.len != 0)
        result = write_file(w, "cosignatures", buf_span(&cosignatures), f);
    if (result == OK)
        result = folders_prune(w, f);
    buf_free(&cosignatures);
    buf_free(&entries);
    buf_free(&note);
    return result;
}

enum outcome run_transcript(const struct arguments *a, struct fault *f)
{
    struct writer w = {.ceremony = a->operands[0], .out = a->operands[1]};
    struct buf text = BUF(4096);
    enum outcome result = OK;

    if (strchr(w.ceremony, '/') != NULL || w.ceremony[0] == '.')
        return fault_set(f, E_INVALID, "\"%s\" is no ceremony's id", w.ceremony);
    for (size_t i = 0; result == OK && i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, "withhold") == 0 && !strings_add(&w.classes, a->given[i].value))
            result = fault_memory(f);
    if (result == OK)
        result = estate_open(argument(a, "bindings"), &w.estate, f);
    if (result == OK)
        result = transcript_write(&w, f);
    if (result == OK && argument(a, "tar") != NULL)
        result = folder_pack(w.out, argument(a, "tar"), f);
    if (result == OK) {
        print_field(&text, "transcript", "%s", w.out);
        print_field(&text, "entries", "%llu", (unsigned long long)w.size);
        if (w.withheld != 0)
            print_field(&text, "withheld", "%zu bodies", w.withheld);
        print_field(&text, "next", "quorate verify %s --trust TRUST.yaml", w.out);
        result = print_out(&text, f);
    }
    estate_close(w.estate);
    strings_free(&w.classes);
    buf_free(&text);
    return result;
}
