#include "ceremony/profile.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/json.h"
#include "core/limits.h"

#define PROFILE_KEYS "extensions id issuer key serial-bits signature subject validity"

/* Types of keys, and the hash that goes with each: one longer than the curve's order would be cut. */
static const struct {
    const char *name;
    unsigned hash_bits;
} key_types[] = {{"EC:P-256", 256}, {"EC:P-384", 384}, {"EC:P-521", 512},
                 {"RSA:3072", 512}, {"RSA:4096", 512}, {"EC:Ed25519", 0}};
static const unsigned hash_bits[] = {256, 384, 512, 0}; /* 0: of Ed25519, which hashes nothing beforehand */

static enum outcome key_parse(struct profile *p, const struct yaml *root, struct fault *f)
{
    const struct yaml *key = yaml_get(root, "key"), *signature = yaml_get(root, "signature");
    unsigned type = 0, hash = 0;
    enum outcome o = yaml_choice(key, "EC:P-256 EC:P-384 EC:P-521 RSA:3072 RSA:4096 EC:Ed25519", &type, f);

    if (o == OK)
        o = yaml_choice(signature, "SHA256 SHA384 SHA512 Ed25519", &hash, f);
    if (o == OK && (hash_bits[hash] == 0) != (key_types[type].hash_bits == 0))
        o = yaml_fault(signature, f, "Ed25519 was expected with a key of type EC:Ed25519, and with no other");
    if (o == OK && hash_bits[hash] > key_types[type].hash_bits)
        o = yaml_fault(signature, f, "%s is longer than a key of type %s signs; a shorter hash was expected",
                       signature->scalar, key->scalar);
    if (o == OK && ((p->key = strdup(key->scalar)) == NULL || (p->signature = strdup(signature->scalar)) == NULL))
        o = fault_memory(f);
    return o;
}

static const struct profile_extension *extension_find(const struct profile *p, enum extension_kind kind)
{
    for (size_t i = 0; i < p->extension_count; i++) {
        if (p->extensions[i].kind == kind)
            return &p->extensions[i];
    }
    return NULL;
}

static enum outcome extensions_parse(struct profile *p, const struct yaml *list, struct fault *f)
{
    enum outcome o = OK;

    if (list->kind != YAML_LIST || list->count == 0)
        return yaml_fault(list, f, "a list of extensions was expected: - extension: NAME, critical: true, …");
    p->extensions = calloc(list->count, sizeof *p->extensions);
    if (p->extensions == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < list->count && o == OK; i++) {
        struct profile_extension one = {0};

        o = profile_extension_parse(list->items[i], &one, f);
        if (o == OK && extension_find(p, one.kind) != NULL)
            o = yaml_fault(list->items[i], f, "%s stands here already; each extension once was expected", one.name);
        p->extensions[p->extension_count++] = one;
    }
    return o;
}

/* What RFC 5280 asks of the fields together: sections 4.2.1.3, 4.2.1.6 and 4.2.1.9. */
static enum outcome together_check(const struct profile *p, const struct yaml *root, struct fault *f)
{
    const struct yaml *list = yaml_get(root, "extensions"), *subject = yaml_get(root, "subject");
    const struct profile_extension *names = extension_find(p, EXTENSION_SUBJECT_ALT_NAME);
    bool ca = false, signs = false;

    for (size_t i = 0; i < list->count; i++) {
        const struct yaml *usage = yaml_get(list->items[i], "usage"), *is_ca = yaml_get(list->items[i], "ca");
        struct strings usages = {0};

        if (is_ca != NULL && yaml_bool(is_ca, &ca, f) != OK)
            return f->outcome;
        if (usage != NULL && yaml_strings(usage, &usages, f) != OK)
            return f->outcome;
        signs = signs || (usage != NULL && strings_have(&usages, "keyCertSign"));
        strings_free(&usages);
    }
    if (ca != signs)
        return yaml_fault(list, f,
                          "basicConstraints with `ca: true` and keyUsage with keyCertSign go together; both or neither "
                          "were expected");
    if (subject->count == 0 && (names == NULL || !names->critical))
        return yaml_fault(subject, f, "an empty subject needs a critical subjectAltName");
    return OK;
}

static enum outcome validity_parse(struct profile *p, const struct yaml *node, struct fault *f)
{
    p->no_expiry = node->kind == YAML_SCALAR && strcmp(node->scalar, "none") == 0;
    return p->no_expiry ? OK : yaml_duration(node, &p->validity, f);
}

static enum outcome profile_fill(struct profile *p, const struct yaml *root, struct fault *f)
{
    unsigned issuer = 0;
    json_t *json = NULL;
    enum outcome o = yaml_members(root, PROFILE_KEYS, f);

    if (o == OK)
        o = yaml_name(yaml_get(root, "id"), &p->id, f);
    if (o == OK)
        o = yaml_choice(yaml_get(root, "issuer"), "self another", &issuer, f);
    p->self_issued = issuer == 0;
    if (o == OK)
        o = key_parse(p, root, f);
    if (o == OK)
        o = yaml_count(yaml_get(root, "serial-bits"), 64, 127, &p->serial_bits, f);
    if (o == OK)
        o = validity_parse(p, yaml_get(root, "validity"), f);
    if (o == OK)
        o = profile_subject_parse(yaml_get(root, "subject"), &p->subject, f);
    if (o == OK)
        o = extensions_parse(p, yaml_get(root, "extensions"), f);
    if (o == OK)
        o = together_check(p, root, f);
    if (o == OK)
        o = yaml_to_json(root, &json, f);
    if (o == OK)
        o = json_canonical(json, &p->canonical_json, f);
    if (o == OK && !digest_one(&p->canonical, buf_span(&p->canonical_json)))
        o = fault_set(f, E_IO, "libcrypto does not hash");
    json_decref(json);
    return o;
}

enum outcome profile_parse(const char *file, struct span bytes, struct profile **ret, struct fault *f)
{
    struct profile *p = calloc(1, sizeof *p);
    struct yaml *root = NULL;
    enum outcome o = OK;

    if (p == NULL || (p->file = strdup(file)) == NULL) {
        o = fault_memory(f);
        goto out;
    }
    p->source = BUF(LIMIT_DOCUMENT);
    p->canonical_json = BUF(2 * LIMIT_DOCUMENT);
    p->subject = BUF(LIMIT_CERTIFICATE);
    buf_put(&p->source, bytes.data, bytes.len);
    if (p->source.failed || !digest_one(&p->digest, bytes)) {
        o = fault_memory(f);
        goto out;
    }
    o = yaml_parse(p->file, bytes, &root, f);
    if (o == OK)
        o = profile_fill(p, root, f);
    if (o == OK) {
        *ret = p;
        p = NULL; /* the caller's */
    }
out:
    yaml_free(root);
    profile_free(p);
    return o;
}

enum outcome profile_read(const char *path, struct profile **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    enum outcome o = file_read(path, false, &bytes, f);

    if (o == OK)
        o = profile_parse(path, buf_span(&bytes), ret, f);
    buf_free(&bytes);
    return o;
}

void profile_free(struct profile *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->extension_count; i++)
        buf_free(&p->extensions[i].value);
    free(p->extensions);
    buf_free(&p->subject);
    buf_free(&p->canonical_json);
    buf_free(&p->source);
    free(p->signature);
    free(p->key);
    free(p->file);
    free(p->id);
    free(p);
}
