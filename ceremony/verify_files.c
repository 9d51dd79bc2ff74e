#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ceremony/verify_inner.h"
#include "core/file.h"
#include "core/limits.h"

bool verify_file(struct verifier *v, const char *name, size_t max, struct buf *ret)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(max);
    char *path = path_join(v->folder, name);
    bool good = path != NULL && (strings_have(&v->expected, name) || strings_add(&v->expected, name));

    if (!good)
        claim_fails(&v->claims, CLAIM_FILES, "out of memory");
    if (good && file_read(path, false, &bytes, &f) != OK)
        good = claim_fails(&v->claims, CLAIM_FILES, "%s", f.text);
    if (good) {
        claim_holds(&v->claims, CLAIM_FILES);
        buf_free(ret);
        *ret = bytes;
        bytes = BUF(0); /* taken by the caller */
    }
    buf_free(&bytes);
    free(path);
    return good;
}

char *verify_path(struct verifier *v, const char *name)
{
    char *path =
        strings_have(&v->expected, name) || strings_add(&v->expected, name) ? path_join(v->folder, name) : NULL;

    if (path == NULL)
        claim_fails(&v->claims, CLAIM_FILES, "out of memory");
    return path;
}

bool verify_file_digest(struct verifier *v, const char *name, size_t max, const struct digest *digest, struct buf *ret)
{
    struct digest found;

    if (!verify_file(v, name, max, ret))
        return false;
    if (digest_one(&found, buf_span(ret)) && digest_equal(&found, digest))
        return true;
    return claim_fails(&v->claims, CLAIM_FILES, "%s was altered: the log names it by the digest %s", name,
                       digest_hex(digest).hex);
}

bool verify_document(struct verifier *v, const char *folder, const struct digest *digest,
                     const struct digest *canonical, struct buf *ret_bytes, struct yaml **ret_yaml)
{
    struct fault f = {OK, ""};
    struct buf json = BUF(LIMIT_DOCUMENT * 2), again = BUF(LIMIT_DOCUMENT * 2);
    char name[128], json_name[128];
    struct yaml *yaml = NULL;
    json_t *form = NULL;
    bool good = false;

    snprintf(name, sizeof name, "%s/%s.yaml", folder, digest_hex(digest).hex);
    snprintf(json_name, sizeof json_name, "%s/%s.json", folder, digest_hex(digest).hex);
    good = verify_file_digest(v, name, LIMIT_DOCUMENT, digest, ret_bytes);
    good = verify_file_digest(v, json_name, LIMIT_DOCUMENT * 2, canonical, &json) && good;
    if (good && (yaml_parse(name, buf_span(ret_bytes), &yaml, &f) != OK || yaml_to_json(yaml, &form, &f) != OK ||
                 json_canonical(form, &again, &f) != OK))
        good = claim_fails(&v->claims, CLAIM_FILES, "%s", f.text);
    if (good && !span_equal(buf_span(&json), buf_span(&again)))
        good = claim_fails(&v->claims, CLAIM_FILES, "%s is not the canonical form of %s", json_name, name);
    if (good && ret_yaml != NULL) {
        *ret_yaml = yaml;
        yaml = NULL; /* taken by the caller */
    }
    yaml_free(yaml);
    json_decref(form);
    buf_free(&json);
    buf_free(&again);
    return good;
}

static void inventory_walk(struct verifier *v, const char *path, const char *inner, unsigned depth);

static void inventory_one(struct verifier *v, const char *path, const char *inner, const char *name, unsigned depth)
{
    char *next = path_join(path, name), *next_inner = inner[0] != '\0' ? path_join(inner, name) : strdup(name);
    struct stat st;

    if (next == NULL || next_inner == NULL)
        claim_fails(&v->claims, CLAIM_FILES, "out of memory");
    else if (lstat(next, &st) != 0)
        claim_fails(&v->claims, CLAIM_FILES, "%s cannot be looked at", next_inner);
    else if (S_ISDIR(st.st_mode))
        inventory_walk(v, next, next_inner, depth + 1);
    else if (!S_ISREG(st.st_mode) || !strings_have(&v->expected, next_inner))
        claim_fails(&v->claims, CLAIM_FILES, "%s is one too many: no entry names it", next_inner);
    free(next);
    free(next_inner);
}

static void inventory_walk(struct verifier *v, const char *path, const char *inner, unsigned depth)
{
    DIR *folder = depth < 4 ? opendir(path) : NULL;
    struct dirent *entry = NULL;
    bool empty = true;

    if (folder == NULL) {
        claim_fails(&v->claims, CLAIM_FILES, "%s is one too many, or cannot be read", inner);
        return;
    }
    while ((entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        inventory_one(v, path, inner, entry->d_name, depth);
        empty = false;
    }
    if (empty)
        claim_fails(&v->claims, CLAIM_FILES, "%s is one too many: an empty folder",
                    inner[0] != '\0' ? inner : v->folder);
    closedir(folder);
}

void verify_inventory(struct verifier *v)
{
    inventory_walk(v, v->folder, "", 0);
    claim_evidence(&v->claims, CLAIM_FILES, "%zu files", v->expected.count);
}
