#include "audit/confidential.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"

bool confidential_type(enum entry_type t)
{
    return t == ENTRY_ANSWER || t == ENTRY_ARTIFACT || t == ENTRY_DEVIATION || t == ENTRY_EXHIBIT;
}

static enum outcome commit_to(const json_t *body, struct span salt, struct digest *ret, struct fault *f)
{
    struct buf canonical = BUF(LIMIT_ENTRY);
    enum outcome rc = json_canonical(body, &canonical, f);
    if (!rc && !digest_of(ret, 2, salt, buf_span(&canonical)))
        rc = fault_set(f, E_IO, "libcrypto cannot hash");
    buf_free(&canonical);
    return rc;
}

enum outcome confidential_make(const json_t *body, struct digest *ret_commit, struct buf *ret_document, struct fault *f)
{
    uint8_t salt[32];
    json_t *document = json_object();
    struct digest commit;
    enum outcome rc = OK;
    if (!random_bytes(salt, sizeof salt)) {
        rc = fault_set(f, E_IO, "no random bytes from libcrypto");
        goto out;
    }
    rc = commit_to(body, span_of(salt, sizeof salt), &commit, f);
    if (!rc && (!json_put(document, "body", json_deep_copy(body)) ||
                !json_put_bytes_hex(document, "salt", span_of(salt, sizeof salt))))
        rc = fault_memory(f);
    if (!rc)
        rc = json_canonical(document, ret_document, f);
    if (!rc)
        *ret_commit = commit;
out:
    json_decref(document);
    return rc;
}

enum outcome confidential_open(struct entry *e, struct span document, struct fault *f)
{
    json_t *j = NULL, *body = NULL;
    const char *hex = NULL;
    uint8_t salt[32];
    struct digest commit;
    enum outcome rc = json_parse_canonical(document, &j, f);
    if (!rc)
        rc = json_members(j, "body salt", f);
    if (!rc)
        rc = json_want_object(j, "body", &body, f);
    if (!rc)
        rc = json_want_string(j, "salt", &hex, f);
    if (!rc)
        rc = hex_parse(hex, salt, sizeof salt, f);
    if (!rc)
        rc = commit_to(body, span_of(salt, sizeof salt), &commit, f);
    if (!rc && !digest_equal(&commit, &e->commit))
        rc = fault_set(f, E_REFUSED, "body and salt are not what the entry commits to");
    if (!rc && json_object_set(e->json, "body", body) != 0)
        rc = fault_memory(f);
    if (!rc)
        e->body = body;
    json_decref(j);
    if (rc && rc != E_MEMORY)
        f->outcome = rc = E_REFUSED;
    return rc;
}

static char *document_path(const char *folder, const struct digest *commit)
{
    char name[80];
    snprintf(name, sizeof name, "%s.json", digest_hex(commit).hex);
    return path_join(folder, name);
}

enum outcome confidential_keep(const char *folder, const struct digest *commit, struct span document, struct fault *f)
{
    char *path = document_path(folder, commit), *above = path_folder(folder);
    enum outcome rc = path && above ? OK : fault_memory(f);
    if (!rc)
        rc = folder_make(folder, 0700, f);
    if (!rc)
        rc = folder_sync(above, f);
    if (!rc)
        rc = file_create(path, document, 0600, f);
    free(above);
    free(path);
    return rc;
}

enum outcome confidential_read(const char *folder, const struct digest *commit, struct buf *ret, struct fault *f)
{
    char *path = document_path(folder, commit);
    enum outcome rc = path ? file_read(path, false, ret, f) : fault_memory(f);
    free(path);
    return rc;
}

enum outcome confidential_fetch(const char *folder, struct entry *e, struct fault *f)
{
    struct buf document = BUF(LIMIT_CONFIDENTIAL);
    if (!e->class || !folder)
        return OK;
    enum outcome rc = confidential_read(folder, &e->commit, &document, f);
    if (!rc)
        rc = confidential_open(e, buf_span(&document), f);
    if (rc && rc != E_MEMORY) {
        struct fault why = *f;
        rc = fault_set(f, E_REFUSED,
                       "damage: the body of entry %" PRIu64 " (%s, class %s) is lost or altered: %s; put "
                       "%s/%s.json back from a copy of the home",
                       e->seq, entry_type_name(e->type), e->class, why.text, folder, digest_hex(&e->commit).hex);
    }
    buf_free(&document);
    return rc;
}

struct commit_text commit_show(const struct digest *commit)
{
    struct commit_text t;
    snprintf(t.text, sizeof t.text, "commit:%s", digest_hex(commit).hex);
    return t;
}

bool commit_shown(const json_t *entry, struct commit_text *ret)
{
    struct fault ignored = {.outcome = OK};
    struct digest commit;
    if (json_want_digest(entry, "commit", &commit, &ignored))
        return false;
    *ret = commit_show(&commit);
    return true;
}
