#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/run_attest.h"
#include "ceremony/run_child.h"
#include "core/file.h"
#include "core/limits.h"
#include "policy/signature.h"

/* attest: each participant signs checkpoint, statement and deviations with their own card. */

/* What the child has written must be this person's signature over these bytes. */
static enum outcome signature_take(const struct runner *r, const char *person, struct span document, const char *path,
                                   struct digest *ret, struct fault *f)
{
    const struct person *known = policy_person(r->estate->policy, person);
    struct buf der = BUF(LIMIT_SIGNATURE);
    struct signer signer;
    enum outcome o = file_read(path, true, &der, f);

    if (o == OK)
        o = signature_verify(buf_span(&der), document, NULL, 0, &signer, f);
    if (o == OK && (known == NULL || !digest_equal(&signer.fingerprint, &known->fingerprint)))
        o = fault_set(f, E_REFUSED, "%s is not signed by the certificate of %s", path, person);
    if (o == OK && !digest_one(ret, buf_span(&der)))
        o = fault_set(f, E_IO, "libcrypto does not hash");
    buf_free(&der);
    return o;
}

/* home/artifacts/DIGEST, and DIGEST.p7s beside it. */
static char *artifact_path(const struct estate *e, const struct digest *digest, const char *suffix)
{
    char name[96];

    snprintf(name, sizeof name, "%s%s", digest_hex(digest).hex, suffix);
    return estate_path(e, "artifacts", name);
}

static enum outcome card_sign(struct runner *r, const char *person, const char *key, const struct digest *digest,
                              struct span document, struct digest *ret_signature, struct fault *f)
{
    char *path = artifact_path(r->estate, digest, ""), *out = artifact_path(r->estate, digest, ".p7s");
    const char *words[] = {"attest",
                           path,
                           "--as",
                           person,
                           "--out",
                           out,
                           "--bindings",
                           r->estate->bindings->path,
                           r->answers != NULL ? "--yes" : NULL,
                           NULL};
    enum outcome o = path != NULL && out != NULL ? child_run(words, key, r->answers != NULL, f) : fault_memory(f);

    if (o == OK)
        o = signature_take(r, person, document, out, ret_signature, f);
    free(out);
    free(path);
    return o;
}

static enum outcome attestation_log(struct runner *r, const struct step *s, const char *person,
                                    const struct digest *digest, const struct digest *signature, struct fault *f)
{
    json_t *body = json_object();
    char name[LIMIT_NAME + 32];
    bool good = false;
    enum outcome o = OK;

    snprintf(name, sizeof name, "attestation of %s", person);
    good = json_put_digest(body, "digest", digest) && json_put_string(body, "kind", "attestation") &&
           json_put_string(body, "name", name) && json_put_string(body, "person", person) &&
           json_put_string(body, "step", s->id) && (signature == NULL || json_put_digest(body, "signature", signature));
    o = good ? runner_append(r, ENTRY_ARTIFACT, json_incref(body), f) : fault_memory(f);
    json_decref(body);
    return o;
}

/* key "": the person has no card, which the role allows; their word stands in the log unsigned. */
static enum outcome attest_one(struct runner *r, const struct step *s, const char *person, const char *key,
                               struct fault *f)
{
    struct attestation a = {.ceremony = r->estate->ceremony, .person = person, .statement = step_with(s, "statement")};
    struct buf document = BUF(LIMIT_REQUEST);
    struct digest digest, signature;
    json_t *deviations = NULL;
    enum outcome o = runner_follow(r, f);

    if (o != OK)
        return o;
    deviations = record_deviations(&r->record);
    a.deviations = deviations;
    a.size = log_size(r->estate->log);
    log_root(r->estate->log, &a.root);
    o = deviations != NULL ? attestation_compose(&a, &document, f) : fault_memory(f);
    if (o == OK)
        o = estate_keep(r->estate, "artifacts", "", buf_span(&document), &digest, f);
    if (o == OK && key[0] != '\0')
        o = card_sign(r, person, key, &digest, buf_span(&document), &signature, f);
    if (o == OK)
        o = attestation_log(r, s, person, &digest, key[0] != '\0' ? &signature : NULL, f);
    json_decref(deviations);
    buf_free(&document);
    return o;
}

static enum outcome attest_answers(struct runner *r, const struct step *s, const char *person, struct fault *f)
{
    char *key = NULL;
    enum outcome o = answers_key(r->answers, person, &key, f);

    if (o == E_ABSENT && s->role->card_optional)
        return attest_one(r, s, person, "", f);
    if (o == OK)
        o = attest_one(r, s, person, key, f);
    free(key);
    return o;
}

static enum outcome attest_terminal(struct runner *r, const struct step *s, const char *person, struct fault *f)
{
    struct buf key = BUF(LIMIT_TYPED);
    char prompt[LIMIT_NAME + 96];
    enum outcome o = OK;

    snprintf(prompt, sizeof prompt, "%s: your card (pkcs11: URI without its PIN, or a PEM file%s)  [b] break:", person,
             s->role->card_optional ? "; empty: none, on paper" : "");
    for (;;) {
        o = talk_read(prompt, &key, f);
        if (o == E_REFUSED || (o == OK && strcmp(buf_str(&key), "b") == 0)) {
            r->stopped = true;
            o = fault_set(f, E_REFUSED, "%s", "");
        }
        if (o != OK)
            break;
        if (key.len == 0 && !s->role->card_optional)
            continue;
        o = attest_one(r, s, person, buf_str(&key), f);
        if (o == OK)
            break;
        talk_note(TONE_BAD, "%s", f->text);
    }
    buf_free(&key);
    return o;
}

enum outcome perform_attest(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    enum outcome o = OK;

    (void)ret_undone;
    if (r->answers == NULL)
        talk_note(TONE_PLAIN, "\"%s\"", step_with(s, "statement"));
    for (size_t i = 0; i < r->actors.count && o == OK; i++) {
        const char *person = r->actors.items[i];
        const json_t *there = record_find(&r->record, ENTRY_ARTIFACT, s->id, person, 0);

        if (there == NULL)
            o = r->answers != NULL ? attest_answers(r, s, person, f) : attest_terminal(r, s, person, f);
        if (o == OK)
            there = record_find(&r->record, ENTRY_ARTIFACT, s->id, person, 0);
        if (o == OK && !json_put_string(result, person, json_string_or_null(there, "digest")))
            o = fault_memory(f);
    }
    return o;
}
