#include "ceremony/trust.h"

#include <stdlib.h>

#include "ceremony/stamp.h"
#include "core/file.h"
#include "core/limits.h"

static enum outcome software_read(const struct yaml *map, struct trust *t, struct fault *f)
{
    enum outcome result = OK;

    if (map == NULL)
        return OK;
    if (map->kind != YAML_MAP)
        return yaml_fault(map, f, "expected a map of names to sha256: digests");
    t->software = calloc(map->count + 1, sizeof *t->software);
    if (t->software == NULL)
        return fault_memory(f);
    for (size_t i = 0; result == OK && i < map->count; i++) {
        result = yaml_fingerprint(map->items[i], &t->software[i], f);
        if (result == OK && !strings_add(&t->software_names, map->keys[i]->scalar))
            result = fault_memory(f);
    }
    return result;
}

/* A PEM file, named relative to the trust file. */
static enum outcome stamps_read(const char *trust, const struct yaml *node, struct trust *t, struct fault *f)
{
    struct buf pem = BUF(LIMIT_DOCUMENT);
    char *name = NULL, *folder = path_folder(trust), *path = NULL;
    enum outcome result = node != NULL ? yaml_text(node, &name, f) : OK;

    if (node == NULL || result != OK)
        goto out;
    path = folder != NULL ? path_join(folder, name) : NULL;
    result = path != NULL ? file_read(path, false, &pem, f) : fault_memory(f);
    if (result == OK)
        result = authorities_read(buf_span(&pem), &t->authorities, f);
    if (result != OK && path != NULL)
        fault_context(f, "%s", path);
out:
    free(path);
    free(folder);
    free(name);
    buf_free(&pem);
    return result;
}

enum outcome trust_load(const char *path, struct trust *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct yaml *root = NULL;
    struct trust t = {0};
    enum outcome result = file_read(path, false, &bytes, f);

    if (result == OK)
        result = yaml_parse(path, buf_span(&bytes), &root, f);
    if (result == OK)
        result = yaml_members(root, "log-key policy ?software ?timestamp-authorities", f);
    if (result == OK)
        result = yaml_text(yaml_get(root, "log-key"), &t.log_key_text, f);
    if (result == OK && note_key_parse(t.log_key_text, &t.log_key, f) != OK)
        result = yaml_fault_at(yaml_get(root, "log-key"), f);
    if (result == OK)
        result = yaml_fingerprint(yaml_get(root, "policy"), &t.policy, f);
    if (result == OK)
        result = software_read(yaml_get(root, "software"), &t, f);
    if (result == OK)
        result = stamps_read(path, yaml_get(root, "timestamp-authorities"), &t, f);
    if (result == OK) {
        *ret = t;
        t = (struct trust){0}; /* taken by the caller */
    }
    trust_clear(&t);
    yaml_free(root);
    buf_free(&bytes);
    return result;
}

void trust_clear(struct trust *t)
{
    free(t->log_key_text);
    free(t->software);
    sk_X509_pop_free(t->authorities, X509_free);
    strings_free(&t->software_names);
    *t = (struct trust){0};
}
