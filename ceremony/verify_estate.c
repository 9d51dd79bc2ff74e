#include <stdlib.h>
#include <string.h>

#include "audit/document.h"
#include "ceremony/verify_inner.h"
#include "core/encode.h"
#include "core/limits.h"
#include "estate/rejudge.h"
#include "policy/attestation.h"
#include "policy/signature.h"

/* The people's certificates, each by its fingerprint, no two with one key. */
static bool roster_verify(struct verifier *v, const struct policy *p)
{
    struct fault f = {OK, ""};
    struct buf *ders = calloc(p->person_count + 1, sizeof *ders);
    struct span *spans = calloc(p->person_count + 1, sizeof *spans);
    bool good = ders != NULL && spans != NULL;
    char name[128];

    for (size_t i = 0; good && i < p->person_count; i++) {
        snprintf(name, sizeof name, "people/%s.der", digest_hex(&p->people[i].fingerprint).hex);
        good = verify_file_digest(v, name, LIMIT_CERTIFICATE, &p->people[i].fingerprint, &ders[i]);
        spans[i] = buf_span(&ders[i]);
    }
    if (good && roster_check(p, spans, &f) != OK)
        good = claim_fails(&v->claims, CLAIM_POLICIES, "%s", f.text);
    for (size_t i = 0; ders != NULL && i < p->person_count; i++)
        buf_free(&ders[i]);
    free(ders);
    free(spans);
    return good;
}

/* The policy of that digest, read and checked once. NULL: POLICIES fails. */
static const struct policy *verify_policy_load(struct verifier *v, const struct digest *digest)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct policy *policy = NULL, **grown = NULL;
    char name[128];

    for (size_t i = 0; i < v->policy_count; i++)
        if (digest_equal(&v->policies[i]->digest, digest))
            return v->policies[i];
    snprintf(name, sizeof name, "policies/%s.yaml", digest_hex(digest).hex);
    if (verify_file_digest(v, name, LIMIT_DOCUMENT, digest, &bytes)) {
        if (policy_parse(name, buf_span(&bytes), &policy, &f) != OK)
            claim_fails(&v->claims, CLAIM_POLICIES, "%s", f.text);
        else if (!roster_verify(v, policy))
            claim_fails(&v->claims, CLAIM_POLICIES, "%s: its people's certificates do not hold", name);
        else
            grown = realloc(v->policies, (v->policy_count + 1) * sizeof(*grown));
    }
    buf_free(&bytes);
    if (grown == NULL) {
        policy_free(policy);
        return NULL;
    }
    v->policies = grown;
    v->policies[v->policy_count++] = policy;
    return policy;
}

void verify_genesis(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct digest policy;

    if (strcmp(entry_text(e, "log-key"), v->trust.log_key_text) != 0) {
        claim_fails(&v->claims, CLAIM_LOG, "genesis names another log key than the trust file");
        return;
    }
    if (json_want_digest(e->body, "policy", &policy, &f) != OK || !digest_equal(&policy, &v->trust.policy)) {
        claim_fails(&v->claims, CLAIM_POLICIES, "the first policy is not the one of the trust file");
        return;
    }
    v->judge = verify_policy_load(v, &policy);
    if (v->judge == NULL)
        claim_fails(&v->claims, CLAIM_POLICIES, "the first policy cannot be read");
}

struct verified_request *verified_decision(struct verifier *v, const struct entry *e, enum operation op)
{
    struct fault f = {OK, ""};
    struct verified_request *request = NULL;
    json_t *verdict = json_object_get(e->body, "verdict");
    struct digest id;

    if (json_want_digest(e->body, "request", &id, &f) == OK)
        request = verified_request(v, &id);
    if (request == NULL || request->verdict == NULL || request->request->subject->operation != op)
        return NULL;
    return verdict == NULL || json_equal(verdict, request->verdict) ? request : NULL;
}

void verify_policy(struct verifier *v, const struct entry *e)
{
    static const char *const names[] = {"canonical", "digest", "version", NULL};
    struct fault f = {OK, ""};
    struct verified_request *request = verified_decision(v, e, OP_ADOPT_POLICY);
    const json_t *asked = request != NULL ? json_object_get(request->request->subject->json, "policy") : NULL;
    struct digest digest, canonical;
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    const struct policy *policy = NULL;

    if (asked == NULL || rejudge_members(e->body, asked, names, &f) != OK) {
        claim_fails(&v->claims, CLAIM_POLICIES, "the policy of entry %llu is not one that was approved%s%s",
                    (unsigned long long)e->seq, f.text[0] != '\0' ? ": " : "", f.text);
    } else if (json_want_digest(e->body, "digest", &digest, &f) == OK &&
               json_want_digest(e->body, "canonical", &canonical, &f) == OK &&
               verify_document(v, "policies", &digest, &canonical, &bytes, NULL)) {
        policy = verify_policy_load(v, &digest);
        if (policy != NULL && v->state.policy_version == 0 && !digest_equal(&digest, &v->trust.policy))
            claim_fails(&v->claims, CLAIM_POLICIES, "the first policy adopted is not the one of genesis");
        else if (policy != NULL)
            claim_holds(&v->claims, CLAIM_POLICIES);
    }
    if (policy == NULL)
        claim_fails(&v->claims, CLAIM_POLICIES, "the policy of entry %llu cannot be read", (unsigned long long)e->seq);
    else
        v->judge = policy;
    buf_free(&bytes);
}

void verify_log_key(struct verifier *v, const struct entry *e)
{
    static const char *const names[] = {"log-key", NULL};
    struct fault f = {OK, ""};
    struct verified_request *request = verified_decision(v, e, OP_CHANGE_LOG_KEY);

    if (request == NULL || rejudge_members(e->body, request->request->subject->json, names, &f) != OK)
        claim_fails(&v->claims, CLAIM_LOG, "the log's key or place of entry %llu is not one that was approved",
                    (unsigned long long)e->seq);
}

/* The gap is shown whenever the record is. */
void verify_readoption(struct verifier *v, const struct entry *e)
{
    static const char *const names[] = {"heads", NULL};
    struct verified_request *request = verified_decision(v, e, OP_READOPT_LOG);
    const json_t *list = json_object_get(e->body, "heads"), *first = json_array_get(list, 0);
    struct fault f = {OK, ""};

    if (request == NULL || rejudge_members(e->body, request->request->subject->json, names, &f) != OK) {
        claim_fails(&v->claims, CLAIM_HEADS, "what entry %llu takes up again is not what was approved",
                    (unsigned long long)e->seq);
        return;
    }
    claim_holds(&v->claims, CLAIM_HEADS);
    claim_evidence(&v->claims, CLAIM_HEADS, "a gap at entry %llu: %s at %s %s%s", (unsigned long long)e->seq,
                   json_string_or_null(first, "token"), json_string_or_null(first, "site"),
                   json_string_or_null(first, "found"), json_array_size(list) > 1 ? ", and others" : "");
}

static bool hex_member(const struct entry *e, const char *name, struct buf *ret)
{
    struct fault f = {OK, ""};

    return hex_parse_buf(entry_text(e, name), ret, &f) == OK && ret->len != 0;
}

/* Whose certificates name the identity key: proven where the enrolment held. */
static void verify_vendor(struct verifier *v, const struct entry *e, bool holds)
{
    struct buf subject = BUF(LIMIT_CERTIFICATE), root = BUF(LIMIT_CERTIFICATE), all = BUF(LIMIT_DOCUMENT);
    const char *before = v->claims.items[CLAIM_VENDORS].evidence;
    struct fault f = {OK, ""};
    struct digest fingerprint;

    if (!holds ||
        attestation_names(json_object_get(e->body, "attestation"), "identity", &subject, &root, &fingerprint, &f) != OK)
        goto out;
    claim_holds(&v->claims, CLAIM_VENDORS);
    buf_putf(&all, "%s%s%s at %s: %.60s, under %.60s", before != NULL ? before : "", before != NULL ? "; " : "",
             entry_text(e, "token"), entry_text(e, "site"), buf_str(&subject), buf_str(&root));
    claim_evidence(&v->claims, CLAIM_VENDORS, "%s", buf_str(&all));
out:
    buf_free(&all);
    buf_free(&subject);
    buf_free(&root);
}

void verify_enrolment(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct verified_request *request = verified_decision(v, e, OP_ENROL_SITE);
    struct buf identity = BUF(LIMIT_CERTIFICATE), answer = BUF(1024);
    struct digest challenge, digest;
    unsigned before = v->claims.items[CLAIM_SITES].failures;

    if (request == NULL || v->judge == NULL || rejudge_enrolment(v->judge, e, request->request->subject, &f) != OK)
        claim_fails(&v->claims, CLAIM_SITES, "site %s of %s was not enrolled as approved%s%s", entry_text(e, "site"),
                    entry_text(e, "token"), f.text[0] != '\0' ? ": " : "", f.text);
    else if (!hex_member(e, "identity", &identity) || !hex_member(e, "answer", &answer) ||
             json_want_digest(e->body, "challenge", &challenge, &f) != OK ||
             !challenge_digest(&v->state.estate, entry_text(e, "token"), entry_text(e, "site"), &challenge, &digest))
        claim_fails(&v->claims, CLAIM_SITES, "site %s of %s: challenge or answer cannot be read", entry_text(e, "site"),
                    entry_text(e, "token"));
    else if (digest_signature_verify(buf_span(&identity), &digest, buf_span(&answer), &f) != OK)
        claim_fails(&v->claims, CLAIM_SITES, "site %s of %s did not answer its challenge: %s", entry_text(e, "site"),
                    entry_text(e, "token"), f.text);
    else
        claim_holds(&v->claims, CLAIM_SITES);
    /* An introduction that people take up twice has the same answer. */
    (void)verified_once(v, e, entry_text(e, "challenge"));
    claim_holds(&v->claims, CLAIM_HARDWARE);
    claim_evidence(&v->claims, CLAIM_HARDWARE, "%s", entry_text(e, "hardware"));
    verify_vendor(v, e, v->claims.items[CLAIM_SITES].failures == before);
    buf_free(&answer);
    buf_free(&identity);
}

void verify_renewal(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};

    if (rejudge_renewal(&v->state, e->body, entry_text(e, "token"), entry_text(e, "site"), &f) != OK)
        claim_fails(&v->claims, CLAIM_SITES, "entry %llu: %s", (unsigned long long)e->seq, f.text);
    else
        claim_holds(&v->claims, CLAIM_SITES);
}

/* That the others were drilled since is part of the fold. */
void verify_retirement(struct verifier *v, const struct entry *e)
{
    static const char *const names[] = {"site", "token", NULL};
    struct fault f = {OK, ""};
    struct verified_request *request = verified_decision(v, e, OP_RETIRE_SITE);

    if (request == NULL || rejudge_members(e->body, request->request->subject->json, names, &f) != OK)
        claim_fails(&v->claims, CLAIM_SITES, "site %s of %s was not retired as approved%s%s", entry_text(e, "site"),
                    entry_text(e, "token"), f.text[0] != '\0' ? ": " : "", f.text);
    else
        claim_holds(&v->claims, CLAIM_SITES);
}

/* That the site is enrolled is part of the fold. */
void verify_promotion(struct verifier *v, const struct entry *e)
{
    static const char *const names[] = {"site", "token", NULL};
    struct fault f = {OK, ""};
    struct verified_request *request = verified_decision(v, e, OP_PROMOTE);
    const struct token *token = v->judge != NULL ? policy_token(v->judge, entry_text(e, "token")) : NULL;

    if (token == NULL || !strings_have(&token->replicas, entry_text(e, "site")))
        fault_set(&f, E_REFUSED, "it is no replica site of the token");
    if (request == NULL || f.outcome != OK ||
        rejudge_members(e->body, request->request->subject->json, names, &f) != OK)
        claim_fails(&v->claims, CLAIM_SITES, "site %s of %s was not promoted as approved%s%s", entry_text(e, "site"),
                    entry_text(e, "token"), f.text[0] != '\0' ? ": " : "", f.text);
    else
        claim_holds(&v->claims, CLAIM_SITES);
}

/* Who serves the token is named by its policy; that the other one answers there no more is the log's word. */
void verify_failover(struct verifier *v, const struct entry *e)
{
    const char *token = entry_text(e, "token"), *site = entry_text(e, "site");
    const struct token *named = v->judge != NULL ? policy_token(v->judge, token) : NULL;
    const struct state_token *before = state_token(&v->state, token);
    const char *why = NULL;

    if (named == NULL || !named->failover_use)
        why = "its policy says nothing of failover";
    else if (strcmp(site, named->primary) != 0 && !strings_have(&named->replicas, site))
        why = "the token has no such site";
    else if (strcmp(before != NULL && before->serving != NULL ? before->serving : named->primary, site) == 0)
        why = "that site served already";
    if (why != NULL)
        claim_fails(&v->claims, CLAIM_SITES, "entry %llu: %s cannot serve %s: %s", (unsigned long long)e->seq, site,
                    token, why);
    else
        claim_holds(&v->claims, CLAIM_SITES);
}

void verify_suspension(struct verifier *v, const struct entry *e)
{
    static const char *const suspended[] = {"scope", "reason", NULL}, *const resumed[] = {"scope", NULL};
    struct fault f = {OK, ""};
    bool suspends = e->type == ENTRY_SUSPENDED;
    struct verified_request *request = verified_decision(v, e, suspends ? OP_SUSPEND : OP_RESUME);

    if (request == NULL || json_object_get(e->body, "verdict") == NULL ||
        rejudge_members(e->body, request->request->subject->json, suspends ? suspended : resumed, &f) != OK)
        claim_fails(&v->claims, CLAIM_SUSPENSIONS, "%s of %s (entry %llu) is not one that was approved%s%s",
                    entry_type_name(e->type), entry_text(e, "scope"), (unsigned long long)e->seq,
                    f.text[0] != '\0' ? ": " : "", f.text);
    else
        claim_holds(&v->claims, CLAIM_SUSPENSIONS);
}

void verify_environment(struct verifier *v, const struct entry *e)
{
    const json_t *software = json_object_get(e->body, "software");

    v->environment = true;
    json_decref(v->software);
    v->software = json_deep_copy(software);
    claim_holds(&v->claims, CLAIM_SOFTWARE);
    claim_evidence(&v->claims, CLAIM_SOFTWARE, "self-reported%s",
                   v->trust.software_names.count != 0 ? "; digests as the trust file expects" : "");
    for (size_t i = 0; i < v->trust.software_names.count; i++) {
        const char *found = json_string_or_null(software, v->trust.software_names.items[i]);

        if (found == NULL || strcmp(found, digest_hex(&v->trust.software[i]).hex) != 0)
            claim_fails(&v->claims, CLAIM_SOFTWARE, "%s was not the one that the trust file expects",
                        v->trust.software_names.items[i]);
    }
}
