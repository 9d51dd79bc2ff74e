#include <stdlib.h>
#include <string.h>

#include "ceremony/certificate.h"
#include "ceremony/verify_inner.h"
#include "core/limits.h"
#include "policy/signature.h"

/* What a ceremony leaves behind: artifacts, certificates, attestations; and that its steps say the truth about them. */

bool verified_artifact(const struct verified_ceremony *c, const struct step *s, const char *kind, const json_t *result,
                       const char *name, const struct artifact_record **ret)
{
    const char *shown = json_string_or_null(result, name);

    if (verified_withheld(c, s, ENTRY_ARTIFACT, shown)) {
        *ret = NULL;
        return true;
    }
    for (size_t i = 0; shown != NULL && i < c->artifact_count; i++)
        if (strcmp(c->artifacts[i].kind, kind) == 0 && strcmp(c->artifacts[i].shown.text, shown) == 0) {
            *ret = &c->artifacts[i];
            return true;
        }
    return false;
}

static bool artifact_read(struct verifier *v, const struct digest *digest, struct buf *ret)
{
    char name[128];

    snprintf(name, sizeof name, "artifacts/%s", digest_hex(digest).hex);
    return verify_file_digest(v, name, LIMIT_ARTIFACT, digest, ret);
}

/* The attestation of one participant: signed by them, over the log as it was, naming every deviation. */
static bool attestation_document(struct verifier *v, const struct verified_ceremony *c, const struct entry *e,
                                 struct span bytes)
{
    struct fault f = {OK, ""};
    json_t *document = NULL, *checkpoint = NULL, *deviations = NULL, *seq = NULL;
    const struct step *step = script_step(c->script, entry_text(e, "step"));
    const char *type = NULL, *who = NULL, *ceremony = NULL, *statement = NULL;
    struct digest root;
    size_t index = 0;
    int64_t size = 0;
    bool good =
        json_parse_canonical(bytes, &document, &f) == OK &&
        json_members(document, "ceremony checkpoint deviations person statement type", &f) == OK &&
        json_want_string(document, "type", &type, &f) == OK && json_want_string(document, "person", &who, &f) == OK &&
        json_want_string(document, "ceremony", &ceremony, &f) == OK &&
        json_want_string(document, "statement", &statement, &f) == OK && step != NULL &&
        json_want_object(document, "checkpoint", &checkpoint, &f) == OK &&
        json_members(checkpoint, "root size", &f) == OK && json_want_integer(checkpoint, "size", &size, &f) == OK &&
        json_want_digest(checkpoint, "root", &root, &f) == OK &&
        json_want_array(document, "deviations", &deviations, &f) == OK;

    if (good)
        good = strcmp(type, "quorate/attestation/v1") == 0 && strcmp(who, entry_text(e, "person")) == 0 &&
               step_with(step, "statement") != NULL && strcmp(statement, step_with(step, "statement")) == 0 &&
               strcmp(ceremony, c->id) == 0 && size > 0 && (uint64_t)size <= e->seq &&
               verify_root(v, (uint64_t)size, &root) && json_array_size(deviations) == c->deviation_count;
    if (good)
        json_array_foreach(deviations, index, seq) good =
            good && (uint64_t)json_integer_value(seq) == c->deviations[index];
    json_decref(document);
    return good;
}

/* By the card of a person of the roster, over these bytes. */
static bool attestation_signed(struct verifier *v, const struct person *who, const struct entry *e,
                               const struct digest *digest, struct span bytes, struct fault *f)
{
    struct buf der = BUF(LIMIT_SIGNATURE), certificate = BUF(LIMIT_CERTIFICATE);
    struct digest signature;
    struct signer signer;
    struct span known = {NULL, 0};
    char name[128], people[128];
    bool good = json_want_digest(e->body, "signature", &signature, f) == OK;

    snprintf(name, sizeof name, "artifacts/%s.p7s", digest_hex(digest).hex);
    snprintf(people, sizeof people, "people/%s.der", digest_hex(&who->fingerprint).hex);
    good = good && verify_file_digest(v, people, LIMIT_CERTIFICATE, &who->fingerprint, &certificate) &&
           verify_file_digest(v, name, LIMIT_SIGNATURE, &signature, &der);
    known = buf_span(&certificate);
    good = good && signature_verify(buf_span(&der), bytes, &known, 1, &signer, f) == OK &&
           digest_equal(&signer.fingerprint, &who->fingerprint);
    buf_free(&certificate);
    buf_free(&der);
    return good;
}

static bool card_optional(const struct verified_ceremony *c, const char *person)
{
    for (size_t i = 0; i < c->script->role_count; i++)
        if (c->script->roles[i].card_optional && person_holds(c, person, c->script->roles[i].id))
            return true;
    return false;
}

static void verify_attestation(struct verifier *v, struct verified_ceremony *c, const struct entry *e,
                               const struct digest *digest, struct span bytes)
{
    struct fault f = {OK, ""};
    const struct person *who = v->judge != NULL ? policy_person(v->judge, entry_text(e, "person")) : NULL;
    bool is_signed = json_object_get(e->body, "signature") != NULL;
    bool good = who != NULL && person_present(c, who->id) && attestation_document(v, c, e, bytes);

    if (good)
        good = is_signed ? attestation_signed(v, who, e, digest, bytes, &f) : card_optional(c, who->id);
    good = good && (strings_have(&c->attested, who->id) || strings_add(&c->attested, who->id));
    if (!good)
        claim_fails(&v->claims, CLAIM_ATTESTATIONS, "the attestation of %s in %s does not hold%s%s",
                    entry_text(e, "person"), c->id, f.text[0] != '\0' ? ": " : "", f.text);
    else
        claim_holds(&v->claims, is_signed ? CLAIM_ATTESTATIONS : CLAIM_ON_PAPER);
}

static void verify_profile_artifact(struct verifier *v, const struct entry *e, const struct digest *digest)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct digest canonical;

    if (json_want_digest(e->body, "canonical", &canonical, &f) == OK &&
        verify_document(v, "profiles", digest, &canonical, &bytes, NULL))
        claim_holds(&v->claims, CLAIM_ARTIFACTS);
    else
        claim_fails(&v->claims, CLAIM_ARTIFACTS, "the profile of entry %llu cannot be read",
                    (unsigned long long)e->seq);
    buf_free(&bytes);
}

/* A certificate says that a provisional key signed it, and nothing else does. */
static bool awaits_holds(struct verifier *v, const struct verified_ceremony *c, const struct entry *e,
                         const struct artifact_record *a)
{
    const json_t *said = json_object_get(e->body, "awaits");
    uint64_t awaits = 0;

    for (size_t i = c->use_count; strcmp(a->kind, "certificate") == 0 && i-- > 0;) {
        const struct state_intent *use = state_intent(&v->state, c->uses[i].intent);
        const char *step = use != NULL ? json_string_or_null(json_object_get(use->body, "evidence"), "step") : NULL;

        if (step == NULL || strcmp(step, a->step) != 0)
            continue;
        awaits = c->uses[i].awaits;
        break;
    }
    return awaits != 0 ? json_is_integer(said) && a->awaits == awaits : said == NULL;
}

void verify_artifact(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct artifact_record *grown = realloc(c->artifacts, (c->artifact_count + 1) * sizeof *grown), *a = NULL;
    struct buf bytes = BUF(LIMIT_ARTIFACT);
    struct digest digest;

    if (grown != NULL)
        c->artifacts = grown;
    if (grown == NULL || json_want_digest(e->body, "digest", &digest, &f) != OK) {
        claim_fails(&v->claims, CLAIM_ARTIFACTS, "artifact %llu cannot be read", (unsigned long long)e->seq);
        return;
    }
    a = &c->artifacts[c->artifact_count];
    *a = (struct artifact_record){
        .digest = digest, .kind = strdup(entry_text(e, "kind")), .step = strdup(entry_text(e, "step")), .seq = e->seq};
    if (!commit_shown(e->json, &a->shown))
        snprintf(a->shown.text, sizeof a->shown.text, "%s", digest_hex(&digest).hex);
    a->awaits = (uint64_t)json_integer_value(json_object_get(e->body, "awaits"));
    c->artifact_count++;
    if (a->kind != NULL && a->step != NULL && !awaits_holds(v, c, e, a))
        claim_fails(&v->claims, CLAIM_CERTIFICATES, "artifact %llu hides, or makes up, that its key is not born",
                    (unsigned long long)e->seq);
    if (a->kind == NULL || a->step == NULL) {
        claim_fails(&v->claims, CLAIM_ARTIFACTS, "out of memory");
        return;
    }
    if (strcmp(a->kind, "profile") == 0) {
        verify_profile_artifact(v, e, &digest);
    } else if (!artifact_read(v, &digest, &bytes)) {
        claim_fails(&v->claims, CLAIM_ARTIFACTS, "artifact %s cannot be read", entry_text(e, "name"));
    } else {
        claim_holds(&v->claims, CLAIM_ARTIFACTS);
        if (strcmp(a->kind, "attestation") == 0)
            verify_attestation(v, c, e, &digest, buf_span(&bytes));
    }
    buf_free(&bytes);
}

void verify_use_noted(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct verified_use *grown = NULL, *u = NULL;

    if (json_object_get(e->body, "data") == NULL)
        return; /* signs nothing */
    grown = realloc(c->uses, (c->use_count + 1) * sizeof *grown);

    if (grown != NULL)
        c->uses = grown;
    if (grown == NULL) {
        claim_fails(&v->claims, CLAIM_USES, "out of memory");
        return;
    }
    u = &c->uses[c->use_count];
    *u = (struct verified_use){.label = strdup(entry_text(e, "label")),
                               .seq = e->seq,
                               .intent = (uint64_t)json_integer_value(json_object_get(e->body, "intent")),
                               .awaits = verified_use_awaits(v, e)};
    if (u->label == NULL || json_want_digest(e->body, "data", &u->data, &f) != OK ||
        json_want_digest(e->body, "signature", &u->signature, &f) != OK)
        claim_fails(&v->claims, CLAIM_USES, "use %llu cannot be read", (unsigned long long)e->seq);
    c->use_count++;
}

static bool profile_load(struct verifier *v, const struct digest *digest, struct profile **ret)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    char name[128];
    bool good = false;

    snprintf(name, sizeof name, "profiles/%s.yaml", digest_hex(digest).hex);
    good = verify_file_digest(v, name, LIMIT_DOCUMENT, digest, &bytes);
    if (good && profile_parse(name, buf_span(&bytes), ret, &f) != OK)
        good = claim_fails(&v->claims, CLAIM_CERTIFICATES, "%s", f.text);
    buf_free(&bytes);
    return good;
}

static bool use_of(const struct verified_ceremony *c, const char *label, const struct digest *data,
                   const struct digest *signature)
{
    for (size_t i = 0; i < c->use_count; i++)
        if (c->uses[i].label != NULL && strcmp(c->uses[i].label, label) == 0 && digest_equal(&c->uses[i].data, data) &&
            digest_equal(&c->uses[i].signature, signature))
            return true;
    return false;
}

/* One certificate or CSR: the profile's in every field, exactly the bytes that were approved and signed, by the key that
 * was born. */
static bool signed_holds(struct verifier *v, const struct verified_ceremony *c, const struct verified_signed *t,
                         struct fault *f)
{
    struct buf der = BUF(LIMIT_ARTIFACT), tbs = BUF(LIMIT_ARTIFACT);
    const struct state_key *key = verified_key(v, t->token, t->label);
    struct profile *profile = NULL;
    struct span signed_bytes = {NULL, 0};
    struct digest data, signature;
    bool good = false;

    if (key == NULL)
        fault_set(f, E_REFUSED, "no key %s was born", t->label);
    else if (!artifact_read(v, &t->artifact, &der) || !artifact_read(v, &t->tbs, &tbs) ||
             !profile_load(v, &t->profile, &profile))
        fault_set(f, E_REFUSED, "it cannot be read");
    else if ((t->certificate ? certificate_check(profile, buf_span(&der), buf_span(&key->public_key),
                                                 buf_span(&key->public_key), f)
                             : csr_check(profile, buf_span(&der), buf_span(&key->public_key), f)) == OK &&
             signed_structure_open(buf_span(&der), &signed_bytes, f) == OK &&
             signed_data_digest(buf_span(&key->public_key), profile->signature, buf_span(&tbs), &data, f) == OK &&
             signed_signature_digest(buf_span(&der), buf_span(&key->public_key), &signature, f) == OK) {
        if (!span_equal(signed_bytes, buf_span(&tbs)))
            fault_set(f, E_REFUSED, "it holds other bytes than those that were approved");
        else if (!use_of(c, t->label, &data, &signature))
            fault_set(f, E_REFUSED, "no use of %s signed it", t->label);
        else
            good = true;
    }
    profile_free(profile);
    buf_free(&tbs);
    buf_free(&der);
    return good;
}

void verify_certificates(struct verifier *v, struct verified_ceremony *c)
{
    for (size_t i = 0; i < c->signed_count; i++) {
        struct fault f = {OK, ""};

        if (c->signed_things[i].withheld)
            claim_unseen(&v->claims, CLAIM_CERTIFICATES, "%s of %s, or what it was made from, is withheld",
                         c->signed_things[i].certificate ? "the certificate" : "the CSR",
                         c->signed_things[i].label != NULL ? c->signed_things[i].label : "?");
        else if (signed_holds(v, c, &c->signed_things[i], &f))
            claim_holds(&v->claims, CLAIM_CERTIFICATES);
        else
            claim_fails(&v->claims, CLAIM_CERTIFICATES, "%s of %s: %s",
                        c->signed_things[i].certificate ? "certificate" : "CSR",
                        c->signed_things[i].label != NULL ? c->signed_things[i].label : "?", f.text);
    }
}

void verify_attestations_complete(struct verifier *v, struct verified_ceremony *c)
{
    bool asked = false;

    for (size_t i = 0; i < c->script->step_count; i++)
        asked = asked || c->script->steps[i].action->kind == ACTION_ATTEST;
    for (size_t i = 0; asked && i < c->script->step_count; i++) {
        const struct step *s = &c->script->steps[i];
        size_t index = 0;
        json_t *one = NULL;

        if (s->action->kind != ACTION_ATTEST || s->by != BY_EACH || deviation_on(c, s->id))
            continue;
        json_array_foreach(c->people, index, one) if (strcmp(json_string_or_null(one, "role"), s->role->id) == 0 &&
                                                      !strings_have(&c->attested, json_string_or_null(one, "person")))
            claim_fails(&v->claims, CLAIM_ATTESTATIONS, "%s did not attest %s", json_string_or_null(one, "person"),
                        c->id);
    }
}
