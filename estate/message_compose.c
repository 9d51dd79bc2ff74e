#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/message_inner.h"
#include "estate/rejudge.h"

/* Composing messages and answers. */

static enum outcome file_put(const struct estate *e, json_t *files, const char *name, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT), text = BUF(2 * LIMIT_DOCUMENT);
    char *path = NULL;
    enum outcome result = OK;

    if (json_object_get(files, name) != NULL)
        return OK;
    path = estate_path(e, NULL, name);
    result = path != NULL ? file_read(path, false, &bytes, f) : fault_memory(f);
    if (result == E_ABSENT)
        fault_set(f, E_ABSENT, "%s is missing, but the log names it: restore it", path);
    if (result == OK) {
        base64_put(&text, buf_span(&bytes));
        result = !text.failed && json_put_string(files, name, buf_str(&text)) ? OK : fault_memory(f);
    }
    free(path);
    buf_free(&bytes);
    buf_free(&text);
    return result;
}

/* A policy and the certificates of its people. */
static enum outcome policy_put(const struct estate *e, json_t *files, const struct digest *digest, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct policy *policy = NULL;
    char name[96];
    enum outcome result = estate_kept(e, "policies", ".yaml", digest, &bytes, f);

    snprintf(name, sizeof name, "policies/%s.yaml", digest_hex(digest).hex);
    if (result == OK)
        result = policy_parse(name, buf_span(&bytes), &policy, f);
    if (result == OK)
        result = file_put(e, files, name, f);
    for (size_t i = 0; result == OK && i < policy->person_count; i++) {
        snprintf(name, sizeof name, "people/%s.der", digest_hex(&policy->people[i].fingerprint).hex);
        result = file_put(e, files, name, f);
    }
    policy_free(policy);
    buf_free(&bytes);
    return result;
}

/* What lies beside the request that the entry names. */
static enum outcome beside_put(const struct estate *e, json_t *files, const struct entry *entry, struct fault *f)
{
    const char *person = json_string_or_null(entry->body, "person");
    const struct state_request *request = NULL;
    struct digest id;
    char name[64 + 16 + LIMIT_NAME + 80];
    enum outcome result = json_want_digest(entry->body, "request", &id, f);

    request = result == OK ? state_request(&e->state, &id) : NULL;
    if (request == NULL || !message_carries(request->operation))
        return result;
    if (entry->type == ENTRY_REQUEST) {
        snprintf(name, sizeof name, "requests/%s/request.json", digest_hex(&id).hex);
        return file_put(e, files, name, f);
    }
    snprintf(name, sizeof name, "requests/%s/%s%s", digest_hex(&id).hex, person != NULL ? person : "",
             vote_suffix(entry).text);
    result = file_put(e, files, name, f);
    if (result == OK && entry->type == ENTRY_REJECTION) {
        snprintf(name, sizeof name, "requests/%s/%s.reject.json", digest_hex(&id).hex, person != NULL ? person : "");
        result = file_put(e, files, name, f);
    }
    return result;
}

static enum outcome documents_put(const struct estate *e, json_t *files, const struct entry *entry, struct fault *f)
{
    struct digest digest;
    enum outcome result = OK;

    switch (entry->type) {
    case ENTRY_REQUEST:
    case ENTRY_APPROVAL:
    case ENTRY_REJECTION:
        return beside_put(e, files, entry, f);
    case ENTRY_POLICY:
        result = json_want_digest(entry->body, "digest", &digest, f);
        return result == OK ? policy_put(e, files, &digest, f) : result;
    default:
        return OK;
    }
}

static enum outcome entries_put(const struct estate *e, uint64_t from, json_t *files, struct buf *ret, struct fault *f)
{
    enum outcome result = OK;

    for (uint64_t seq = from; result == OK && seq < log_size(e->log); seq++) {
        struct buf line = BUF(LIMIT_ENTRY);
        struct entry entry = {.json = NULL};

        result = log_entry_bytes(e->log, seq, &line, f);
        if (result == OK)
            result = entry_parse(buf_span(&line), &entry, f);
        if (result == OK)
            result = documents_put(e, files, &entry, f);
        buf_put(ret, line.data, line.len);
        buf_puts(ret, "\n");
        entry_clear(&entry);
        buf_free(&line);
    }
    if (result == OK && ret->failed)
        result = fault_set(f, E_MEMORY, "the entries from %llu on are more than a message may hold (%u bytes)",
                           (unsigned long long)from, LIMIT_MESSAGE);
    return result;
}

static enum outcome log_part_put(const struct estate *e, uint64_t from, json_t *head, struct buf *ret_entries,
                                 struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    json_t *files = json_object();
    enum outcome result = OK;

    if (from > log_size(e->log))
        result = fault_set(f, E_INVALID, "the log has %llu entries: none with the number %llu follows",
                           (unsigned long long)log_size(e->log), (unsigned long long)from);
    if (result == OK)
        result = log_checkpoint_bytes(e->log, &note, f);
    if (result == OK)
        result = entries_put(e, from, files, ret_entries, f);
    if (result == OK &&
        (!json_put_string(head, "checkpoint", buf_str(&note)) || !json_put(head, "files", json_incref(files)) ||
         !json_put_integer(head, "from", (int64_t)from) || !json_put_integer(head, "size", (int64_t)log_size(e->log))))
        result = fault_memory(f);
    json_decref(files);
    buf_free(&note);
    return result;
}

enum outcome message_compose(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                             uint64_t from, const json_t *more, struct buf *ret, struct fault *f)
{
    struct buf head = BUF(LIMIT_HEADER), entries = BUF(LIMIT_MESSAGE);
    json_t *json = more != NULL ? json_copy((json_t *)(uintptr_t)more) : json_object();
    struct message made = {.kind = kind};
    char type[64];
    enum outcome result = OK;

    snprintf(type, sizeof type, "quorate/message/%s/v1", message_kind_name(kind));
    if (!json_put_digest(json, "estate", &e->state.estate) || !json_put_string(json, "site", site) ||
        !json_put_string(json, "token", token) || !json_put_string(json, "type", type))
        result = fault_memory(f);
    if (result == OK && kind != MESSAGE_CHALLENGE)
        result = log_part_put(e, from, json, &entries, f);
    if (result == OK)
        result = json_canonical(json, &head, f);
    if (result == OK && head.failed)
        result = fault_set(f, E_MEMORY, "the documents are more than a message may hold (%u bytes)", LIMIT_HEADER);
    buf_puts(&head, "\n");
    buf_put(&head, entries.data, entries.len);
    /* Nothing leaves that the other end could not read. */
    if (result == OK)
        result = head.failed ? fault_memory(f) : message_read(buf_span(&head), &made, f);
    if (result == OK)
        buf_put(ret, head.data, head.len);
    if (result == OK && ret->failed)
        result = fault_memory(f);
    message_clear(&made);
    json_decref(json);
    buf_free(&head);
    buf_free(&entries);
    return result;
}

enum outcome answer_compose(const struct estate *e, const struct digest *estate, enum message_kind kind,
                            const char *token, const char *site, uint64_t seen, const struct digest *root,
                            const json_t *more, struct buf *ret, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    json_t *json = more != NULL ? json_copy((json_t *)(uintptr_t)more) : json_object();
    char type[64];
    enum outcome result = OK;

    answer_type(kind, type);
    if (e != NULL)
        result = log_checkpoint_bytes(e->log, &note, f);
    if (result == OK &&
        (!json_put_digest(json, "estate", estate) || !json_put_string(json, "site", site) ||
         !json_put_string(json, "token", token) || !json_put_string(json, "type", type) ||
         (e != NULL && !json_put_string(json, "checkpoint", buf_str(&note))) ||
         (seen != 0 && (!json_put_integer(json, "seen", (int64_t)seen) || !json_put_digest(json, "root", root)))))
        result = fault_memory(f);
    if (result == OK)
        result = json_canonical(json, ret, f);
    if (result == OK && (ret->failed || ret->len > LIMIT_ANSWER))
        result = fault_set(f, E_MEMORY, "the answer is longer than it may be (%u bytes)", LIMIT_ANSWER);
    json_decref(json);
    buf_free(&note);
    return result;
}
