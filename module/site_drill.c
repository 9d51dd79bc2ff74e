#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/drill.h"

static CK_BBOOL yes = CK_TRUE;

void drill_asked_free(struct drill_asked *a)
{
    if (a == NULL)
        return;
    buf_free(&a->bytes);
    free(a->targets);
    free(a);
}

/* Copies len bytes and a NUL; where they lie. */
static const void *bytes_keep(struct buf *b, const void *bytes, size_t len)
{
    size_t at = b->len;
    buf_put(b, bytes, len);
    buf_put(b, "", 1);
    return b->failed ? NULL : b->data + at;
}

enum outcome drill_asked_copy(const struct drill_target *targets, size_t count, struct drill_asked **ret,
                              struct fault *f)
{
    struct drill_asked *a = calloc(1, sizeof *a);
    size_t len = 0;
    if (a == NULL || (a->targets = calloc(count + 1, sizeof *a->targets)) == NULL) {
        free(a);
        return fault_memory(f);
    }
    for (size_t i = 0; i < count; i++)
        len += strlen(targets[i].class_name) + strlen(targets[i].label) + strlen(targets[i].id) +
               strlen(targets[i].other_id) + targets[i].public_key.len + 5;
    a->bytes = BUF(len);
    buf_room(&a->bytes, len); /* so that what is in it stays where it is */
    for (; a->count < count; a->count++) {
        const struct drill_target *t = &targets[a->count];
        a->targets[a->count] = (struct drill_target){
            .born = t->born,
            .class_name = bytes_keep(&a->bytes, t->class_name, strlen(t->class_name)),
            .label = bytes_keep(&a->bytes, t->label, strlen(t->label)),
            .id = bytes_keep(&a->bytes, t->id, strlen(t->id)),
            .other_id = bytes_keep(&a->bytes, t->other_id, strlen(t->other_id)),
            .public_key = span_of(bytes_keep(&a->bytes, t->public_key.data, t->public_key.len), t->public_key.len)};
    }
    if (a->bytes.failed) {
        drill_asked_free(a);
        return fault_memory(f);
    }
    *ret = a;
    return OK;
}

static enum outcome by_id(const struct site_link *s, CK_OBJECT_CLASS class, const char *hex, CK_OBJECT_HANDLE *ret,
                          struct fault *f)
{
    struct buf id = BUF(LIMIT_LABEL);
    enum outcome outcome = hex_parse_buf(hex, &id, f);
    if (outcome == OK)
        outcome = site_find_one(s, class, buf_span(&id), ret, f);
    buf_free(&id);
    return outcome;
}

/* A key that an application made without CKA_ID has its label only. */
static enum outcome by_label(const struct site_link *s, CK_OBJECT_CLASS class, const char *label, CK_OBJECT_HANDLE *ret,
                             struct fault *f)
{
    char text[LIMIT_LABEL + 1];
    size_t count = 0;
    int len = snprintf(text, sizeof text, "%s", label);
    CK_ATTRIBUTE match[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, sizeof yes}, {CKA_LABEL, text, (CK_ULONG)len}};
    enum outcome outcome = site_find(s, match, sizeof match / sizeof *match, ret, 1, &count, f);
    if (outcome == OK && count == 0)
        outcome = fault_set(f, E_ABSENT, "%s at %s: no such key on the HSM", s->token, s->binding->site);
    return outcome;
}

static enum outcome target_find(const struct site_link *s, const struct drill_target *t, CK_OBJECT_HANDLE *ret,
                                struct fault *f)
{
    CK_OBJECT_CLASS class = site_key_class(t->class_name);
    enum outcome outcome = E_ABSENT;
    if (t->id[0] == '\0')
        return by_label(s, class, t->label, ret, f);
    outcome = by_id(s, class, t->id, ret, f);
    if (outcome == E_ABSENT && t->other_id[0] != '\0')
        outcome = by_id(s, class, t->other_id, ret, f);
    return outcome;
}

static enum outcome may_sign(const struct site_link *s, CK_OBJECT_HANDLE key, bool *ret, struct fault *f)
{
    struct buf value = BUF(sizeof(CK_ULONG));
    enum outcome outcome = site_attribute(s, key, CKA_SIGN, &value, f);
    *ret = outcome == OK && value.len == sizeof(CK_BBOOL) && value.data[0] != CK_FALSE;
    buf_free(&value);
    return outcome;
}

/* The statement is of this site's own making: with its own nonce, it is never a digest that somebody else chose. */
static enum outcome target_prove(const struct site_link *s, const struct drill *d, const struct drill_target *t,
                                 struct drill_key *k, struct fault *f)
{
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct digest fingerprint = {0}, digest = {0};
    bool signs = false;

    enum outcome outcome = target_find(s, t, &key, f);
    if (outcome == OK && t->public_key.len > 0)
        outcome = may_sign(s, key, &signs, f);
    if (outcome == OK && signs &&
        (!digest_one(&fingerprint, t->public_key) || !drill_statement_digest(d, &fingerprint, &digest)))
        outcome = fault_memory(f);
    if (outcome == OK && signs) {
        outcome = site_sign(s, key, &digest, &k->proof_signature, f);
        if (outcome == E_REFUSED) { /* of a type that signs no digests here */
            signs = false;
            outcome = OK;
        }
    }
    if (outcome == OK)
        snprintf(k->proof, sizeof k->proof, "%s", signs ? "signature" : "attested");
    return outcome;
}

static enum outcome reason_keep(struct drill_key *k, const struct fault *why, struct fault *f)
{
    bool printable = why->text[0] != '\0' && utf8_printable(span_str(why->text));
    buf_free(&k->proof_signature);
    k->proof_signature = BUF(LIMIT_ATTRIBUTE);
    k->reason = strdup(printable ? why->text : "the HSM does not let it be used");
    return k->reason != NULL ? OK : fault_memory(f);
}

static enum outcome answer_sign(const struct site_link *s, const struct site_keys *pinned, struct drill *d,
                                struct fault *f)
{
    CK_OBJECT_HANDLE identity = CK_INVALID_HANDLE;
    struct digest digest = {0};
    enum outcome outcome = drill_digest(d, &digest, f);
    if (outcome == OK)
        outcome = site_identity(s, buf_span(&pinned->identity_id), &identity, f);
    return outcome == OK ? site_sign(s, identity, &digest, &d->signature, f) : outcome;
}

enum outcome site_drill(const struct site_link *s, const struct site_keys *pinned, const struct digest *estate,
                        const struct digest *challenge, const struct drill_target *keys, size_t count,
                        struct drill *ret, struct fault *f)
{
    struct drill d = {.estate = *estate, .challenge = *challenge, .signature = BUF(LIMIT_ATTRIBUTE)};
    enum outcome outcome = OK;

    snprintf(d.token, sizeof d.token, "%s", s->token);
    snprintf(d.site, sizeof d.site, "%s", s->binding->site);
    if ((size_t)snprintf(d.serial, sizeof d.serial, "%s", s->binding->serial) >= sizeof d.serial)
        return fault_set(f, E_INVALID, "%s at %s: the serial number is too long", s->token, s->binding->site);
    if (count > LIMIT_DRILL_KEYS)
        return fault_set(f, E_MEMORY, "%s at %s: more than %u keys", s->token, s->binding->site, LIMIT_DRILL_KEYS);
    d.keys = calloc(count + 1, sizeof *d.keys);
    if (d.keys == NULL)
        return fault_memory(f);
    CK_RV rv = s->f->C_GenerateRandom(s->session, d.nonce.bytes, sizeof d.nonce.bytes);
    if (rv != CKR_OK)
        outcome = site_fault(s, "C_GenerateRandom", rv, f);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        struct fault why = {0};
        struct drill_key *k = &d.keys[d.key_count++];
        *k = (struct drill_key){.born = keys[i].born, .proof_signature = BUF(LIMIT_ATTRIBUTE)};
        if (target_prove(s, &d, &keys[i], k, &why) != OK)
            outcome = reason_keep(k, &why, f);
    }
    if (outcome == OK)
        outcome = answer_sign(s, pinned, &d, f);
    if (outcome == OK) {
        *ret = d;
        d = (struct drill){0}; /* taken by *ret */
    }
    drill_clear(&d);
    return outcome;
}
