#include "ceremony/run_attest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/key.h"
#include "ceremony/print.h"
#include "ceremony/terminal.h"
#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"
#include "policy/signature.h"

enum outcome attestation_compose(const struct attestation *a, struct buf *ret, struct fault *f)
{
    json_t *j = json_object(), *checkpoint = json_object();
    bool good = json_put_digest(checkpoint, "root", &a->root) &&
                json_put_integer(checkpoint, "size", (int64_t)a->size) && json_put_string(j, "ceremony", a->ceremony) &&
                json_put(j, "checkpoint", json_incref(checkpoint)) &&
                json_put(j, "deviations", json_deep_copy(a->deviations)) && json_put_string(j, "person", a->person) &&
                json_put_string(j, "statement", a->statement) && json_put_string(j, "type", ATTESTATION_TYPE);
    enum outcome o = good ? json_canonical(j, ret, f) : fault_memory(f);

    json_decref(checkpoint);
    json_decref(j);
    return o;
}

/* Strictly; *ret_json holds what `ret` borrows from; the caller's. */
static enum outcome attestation_parse(struct span bytes, struct attestation *ret, json_t **ret_json, struct fault *f)
{
    struct attestation a = {0};
    json_t *j = NULL, *checkpoint = NULL, *deviations = NULL;
    const char *type = "";
    int64_t size = 0;
    enum outcome o = json_parse_canonical(bytes, &j, f);

    if (o == OK)
        o = json_members(j, "ceremony checkpoint deviations person statement type", f);
    if (o == OK)
        o = json_want_string(j, "type", &type, f);
    if (o == OK && strcmp(type, ATTESTATION_TYPE) != 0)
        o = fault_set(f, E_INVALID, "the type is \"%s\"; %s was expected", type, ATTESTATION_TYPE);
    if (o == OK)
        o = json_want_string(j, "ceremony", &a.ceremony, f);
    if (o == OK)
        o = json_want_string(j, "person", &a.person, f);
    if (o == OK)
        o = json_want_string(j, "statement", &a.statement, f);
    if (o == OK)
        o = json_want_object(j, "checkpoint", &checkpoint, f);
    if (o == OK)
        o = json_members(checkpoint, "root size", f);
    if (o == OK)
        o = json_want_digest(checkpoint, "root", &a.root, f);
    if (o == OK)
        o = json_want_integer(checkpoint, "size", &size, f);
    if (o == OK && size <= 0)
        o = fault_set(f, E_INVALID, "a log has at least one entry");
    if (o == OK)
        o = json_want_array(j, "deviations", &deviations, f);
    if (o == OK) {
        a.size = (uint64_t)size;
        a.deviations = deviations;
        *ret = a;
        *ret_json = j;
        j = NULL; /* the caller's */
    }
    json_decref(j);
    return o;
}

/* What is about to be signed; on standard error, as with approvals. */
static enum outcome attestation_show(const struct attestation *a, bool ask, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    char question[LIMIT_NAME + 32];

    print_text(&b, a->person);
    buf_puts(&b, " attests:\n");
    print_field(&b, "ceremony", "%s", a->ceremony);
    print_field(&b, "statement", "%s", a->statement);
    print_field(&b, "deviations", "%zu", json_array_size(a->deviations));
    print_field(&b, "log size", "%" PRIu64, a->size);
    print_field(&b, "log root", "%s", digest_hex(&a->root).hex);
    print_words(&b, &a->root);
    print_aside(&b);
    buf_free(&b);
    snprintf(question, sizeof question, "Sign this as %s?", a->person);
    return ask ? terminal_confirm(question, f) : OK;
}

static enum outcome certificate_load(const struct estate *e, const char *id, X509 **ret, struct fault *f)
{
    struct buf der = BUF(LIMIT_CERTIFICATE);
    const struct person *person = e->policy != NULL ? policy_person(e->policy, id) : NULL;
    enum outcome o = OK;

    if (person == NULL)
        return fault_set(f, E_REFUSED, "%s is nobody in the policy in force", id);
    o = estate_certificate(e, person, &der, f);
    if (o == OK)
        o = certificate_parse(buf_span(&der), ret, f);
    buf_free(&der);
    return o;
}

static enum outcome attestation_sign(const struct arguments *a, const char *key_text, X509 *certificate,
                                     struct span document, const char *out, struct fault *f)
{
    struct buf der = BUF(LIMIT_SIGNATURE);
    struct key key = {0};
    enum outcome o = key_open(key_text, argument(a, "card-module"), &key, f);

    if (o == OK)
        o = key_matches(&key, certificate, f);
    if (o == OK)
        o = signature_make(key.private, certificate, document, &der, f);
    if (o == OK)
        o = file_replace(out, buf_span(&der), 0644, f);
    key_close(&key);
    buf_free(&der);
    return o;
}

enum outcome run_attest(const struct arguments *a, struct fault *f)
{
    struct buf document = BUF(LIMIT_REQUEST);
    struct attestation attestation;
    struct estate *e = NULL;
    X509 *certificate = NULL;
    json_t *json = NULL;
    const char *as = NULL, *key = NULL, *out = NULL;
    bool ask = terminal_present() && !argument_flag(a, "yes");
    enum outcome o = argument_want(a, "as", &as, f);

    if (o == OK)
        o = argument_key(a, &key, f);
    if (o == OK)
        o = argument_want(a, "out", &out, f);
    if (o == OK)
        o = file_read(a->operands[0], false, &document, f);
    if (o == OK && attestation_parse(buf_span(&document), &attestation, &json, f) != OK)
        o = fault_context(f, "%s is no attestation", a->operands[0]);
    if (o == OK && strcmp(attestation.person, as) != 0)
        o = fault_set(f, E_REFUSED, "%s is the attestation of %s, not of %s", a->operands[0], attestation.person, as);
    if (o == OK)
        o = estate_open(argument(a, "bindings"), &e, f);
    if (o == OK)
        o = certificate_load(e, as, &certificate, f);
    if (o == OK)
        o = attestation_show(&attestation, ask, f);
    if (o == OK)
        o = attestation_sign(a, key, certificate, buf_span(&document), out, f);
    X509_free(certificate);
    estate_close(e);
    json_decref(json);
    buf_free(&document);
    return o;
}
