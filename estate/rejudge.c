#include "estate/rejudge.h"

#include <stdlib.h>
#include <string.h>

#include "audit/document.h"
#include "core/encode.h"
#include "core/hardware.h"
#include "core/limits.h"
#include "estate/evidence.h"
#include "policy/attestation.h"
#include "policy/signature.h"

static const char *text_of(const struct entry *e, const char *name)
{
    const char *text = json_string_or_null(e->body, name);

    return text != NULL ? text : "";
}

static bool digest_member(const struct entry *e, const char *name, struct digest *ret)
{
    struct fault ignored = {OK, ""};

    return json_want_digest(e->body, name, ret, &ignored) == OK;
}

enum outcome rejudge_request(const struct state *s, const struct policy *judge, const struct entry *e,
                             const struct request *r, struct fault *f)
{
    const struct subject *subject = r->subject;
    struct digest digest;
    const char *why = NULL;

    if (!digest_member(e, "subject", &digest) || !digest_equal(&digest, &r->subject_digest))
        why = "its subject is another";
    else if (strcmp(text_of(e, "operation"), operation_name(subject->operation)) != 0 ||
             strcmp(text_of(e, "token"), subject->token != NULL ? subject->token : "") != 0 ||
             strcmp(text_of(e, "label"), subject->label != NULL ? subject->label : "") != 0 ||
             strcmp(text_of(e, "rule"), r->rule) != 0 ||
             strcmp(text_of(e, "expires"), moment_format(r->expires).text) != 0)
        why = "the entry says something else than the document";
    else if (strcmp(subject->estate, digest_hex(&s->estate).hex) != 0 ||
             strcmp(subject->environment, s->environment) != 0 || strcmp(subject->origin, s->origin) != 0)
        why = "it was made for another estate";
    else if (judge == NULL || !digest_equal(&r->policy, &judge->digest) || r->policy_version != judge->version)
        why = "it names a policy that was not in force";
    else if (r->log_size > e->seq)
        why = "the log root in it was never that of this log";
    else if (r->made > e->time)
        why = "it was made after its entry";
    else if (r->expires > request_expires(policy_rule(judge, r->rule), r->made))
        why = "it lasts longer than its rule lets it";
    return why == NULL ? OK : fault_set(f, E_REFUSED, "%s", why);
}

struct vote_suffix vote_suffix(const struct entry *e)
{
    const char *renews = json_string_or_null(e->body, "renews");
    struct vote_suffix suffix;

    if (e->type == ENTRY_REJECTION)
        snprintf(suffix.text, sizeof suffix.text, ".reject.p7s");
    else
        snprintf(suffix.text, sizeof suffix.text, "%s%.64s.p7s", renews != NULL ? "." : "",
                 renews != NULL ? renews : "");
    return suffix;
}

enum outcome rejudge_document(const struct entry *e, const struct request *r, struct buf *document, struct span *ret,
                              struct fault *f)
{
    struct digest named, found, rejected, renews;
    char *reason = NULL;
    enum outcome result = OK;

    if (e->type == ENTRY_APPROVAL && digest_member(e, "renews", &renews)) {
        result = renewal_compose(&r->id, &renews, document, f);
        *ret = buf_span(document);
        return result;
    }
    if (e->type == ENTRY_APPROVAL) {
        *ret = buf_span(&r->bytes);
        return OK;
    }
    if (!digest_member(e, "document", &named) || !digest_one(&found, buf_span(document)) ||
        !digest_equal(&found, &named) || rejection_parse(buf_span(document), &rejected, &reason, f) != OK ||
        !digest_equal(&rejected, &r->id) || strcmp(reason, text_of(e, "reason")) != 0)
        result = fault_set(f, E_REFUSED, "it is not a rejection of this request");
    else
        *ret = buf_span(document);
    free(reason);
    return result;
}

/* An approval that renews none, of somebody who approved before. */
static bool approved_before(const struct state *s, const struct entry *e, const struct digest *certificate)
{
    const struct state_request *r = NULL;
    struct digest id;

    if (e->type != ENTRY_APPROVAL || json_object_get(e->body, "renews") != NULL || !digest_member(e, "request", &id) ||
        (r = state_request(s, &id)) == NULL)
        return false;
    for (size_t i = 0; i < r->vote_count; i++)
        if (!r->votes[i].rejection && r->votes[i].seq < e->seq && digest_equal(&r->votes[i].certificate, certificate))
            return true;
    return false;
}

enum outcome rejudge_vote(const struct state *s, const struct policy *judge, const struct entry *e,
                          struct span document, struct span der, struct span certificate, struct fault *f)
{
    struct digest signature, fingerprint, public_key, found;
    struct signer signer;
    const struct person *who = NULL;

    if (!digest_member(e, "signature", &signature) || !digest_member(e, "certificate", &fingerprint) ||
        !digest_member(e, "public-key", &public_key) || !digest_one(&found, der) || !digest_equal(&found, &signature))
        return fault_set(f, E_REFUSED, "it is not the signature that the log names");
    if (approved_before(s, e, &fingerprint))
        return fault_set(f, E_REFUSED, "%s approved before, and this does not say that it renews that",
                         text_of(e, "person"));
    if (signature_verify(der, document, &certificate, 1, &signer, f) != OK)
        return f->outcome;
    if (!digest_equal(&signer.fingerprint, &fingerprint) || !digest_equal(&signer.public_key, &public_key))
        return fault_set(f, E_REFUSED, "it is signed with another certificate than the log says");
    who = policy_person_by_fingerprint(judge, &fingerprint);
    if (who == NULL || strcmp(who->id, text_of(e, "person")) != 0)
        return fault_set(f, E_REFUSED, "the certificate is not that of %s in the policy of the time",
                         text_of(e, "person"));
    return OK;
}

/* The votes of one kind that the intent names, which must be every one that the log has of this request. */
static bool votes_named(const struct state_request *known, const json_t *seqs, bool rejection, struct vote *votes,
                        size_t *count)
{
    size_t named = 0;

    for (size_t i = 0; i < known->vote_count; i++) {
        const struct state_vote *logged = &known->votes[i];
        size_t index = 0;
        json_t *seq = NULL;
        bool here = false;

        if (logged->rejection != rejection)
            continue;
        json_array_foreach(seqs, index, seq) here = here || (uint64_t)json_integer_value(seq) == logged->seq;
        if (!here)
            return false;
        named++;
        votes[(*count)++] = (struct vote){.kind = rejection ? VOTE_REJECTION : VOTE_APPROVAL,
                                          .fingerprint = logged->certificate,
                                          .public_key = logged->public_key,
                                          .at = logged->at,
                                          .seq = logged->seq,
                                          .what = logged->reason};
    }
    return named == json_array_size(seqs);
}

static enum outcome evidence_read(const struct state *s, const struct entry *e, const struct state_request *known,
                                  struct vote *votes, struct evidence *ret, struct fault *f)
{
    json_t *evidence = NULL, *approvals = NULL, *rejections = NULL;
    size_t count = 0;
    enum outcome result = json_want_object(e->body, "evidence", &evidence, f);

    if (result == OK)
        result = json_members(evidence, "approvals at ?ceremony rejections ?step", f);
    if (result == OK)
        result = json_want_moment(evidence, "at", &ret->at, f);
    if (result == OK)
        result = json_want_array(evidence, "approvals", &approvals, f);
    if (result == OK)
        result = json_want_array(evidence, "rejections", &rejections, f);
    if (result != OK)
        return fault_set(f, E_REFUSED, "its evidence cannot be read");
    if (ret->at > e->time || ret->at < s->last_time)
        return fault_set(f, E_REFUSED, "it judges for another time than its own");
    if (!votes_named(known, approvals, false, votes, &count) || !votes_named(known, rejections, true, votes, &count))
        return fault_set(f, E_REFUSED, "it does not rest on every vote that the log has");
    ret->votes = votes;
    ret->vote_count = count;
    return OK;
}

static enum outcome verdict_again(const struct state *s, const struct policy *judge, const struct entry *e,
                                  const struct request *r, const struct evidence *votes, json_t **ret, struct fault *f)
{
    struct evidence evidence = *votes;
    struct evidence_base base = {0};
    struct verdict *verdict = NULL;
    json_t *mine = NULL;
    enum outcome result = evidence_gather(s, judge, r->subject, &base, f);

    if (result == OK) {
        evidence.sites = base.sites;
        evidence.site_count = base.site_count;
        evidence.key = base.has_key ? &base.key : NULL;
        evidence.suspended = base.suspended;
        evidence.cosigned = base.cosigned;
        result = policy_evaluate(judge, r, &evidence, &verdict, f);
    }
    mine = result == OK ? verdict_json(verdict) : NULL;
    if (result == OK && mine == NULL)
        result = fault_memory(f);
    else if (result == OK &&
             (verdict->decision != DECISION_ALLOW || !json_equal(mine, json_object_get(e->body, "verdict"))))
        result = fault_set(f, E_REFUSED, "computed again, the verdict is %s by rule \"%s\"",
                           decision_name(verdict->decision), verdict->rule_id);
    if (result == OK) {
        *ret = mine;
        mine = NULL; /* taken by the caller */
    }
    json_decref(mine);
    verdict_free(verdict);
    evidence_clear(&base);
    return result;
}

/* A birth begins where the primary is then, and from there a key is brought elsewhere. */
static enum outcome primary_check(const struct policy *judge, const struct entry *e, const struct request *r,
                                  struct fault *f)
{
    const char *first = json_string_value(json_array_get(json_object_get(e->body, "sites"), 0));
    const struct token *token = r->subject->token != NULL ? policy_token(judge, r->subject->token) : NULL;

    bool travels = r->subject->operation == OP_GENERATE || r->subject->operation == OP_REPLICATE;
    if (!travels || json_object_get(e->body, "sites") == NULL)
        return OK;
    if (first != NULL && token != NULL && strcmp(first, token->primary) == 0)
        return OK;
    return fault_set(f, E_REFUSED, "its first site is not the primary");
}

/* What nobody approved a rule must plainly allow, and it is born at the primary alone. */
static enum outcome plain_check(const struct policy *judge, const struct entry *e, const struct request *r,
                                struct fault *f)
{
    const char *plain = json_string_or_null(e->body, "plain"),
               *first = json_string_value(json_array_get(json_object_get(e->body, "sites"), 0));
    const struct token *token = r->subject->token != NULL ? policy_token(judge, r->subject->token) : NULL;
    const struct rule *rule = policy_rule(judge, r->rule);

    if (json_object_get(e->body, "plain") == NULL)
        return OK;
    if (plain == NULL || strcmp(plain, "true") != 0 || rule == NULL || rule->effect != EFFECT_ALLOW)
        return fault_set(f, E_REFUSED, "its rule does not plainly allow it");
    if (first == NULL || token == NULL || strcmp(first, token->primary) != 0)
        return fault_set(f, E_REFUSED, "its site is not the primary");
    return OK;
}

enum outcome rejudge_intent(const struct state *s, const struct policy *judge, const struct entry *e,
                            const struct request *r, const struct ceremony_fact *fact, json_t **ret, struct fault *f)
{
    const struct state_request *known = state_request(s, &r->id);
    struct evidence evidence = {.ceremony = fact};
    struct vote *votes = known != NULL ? calloc(known->vote_count + 1, sizeof *votes) : NULL;
    enum outcome result = OK;

    if (known == NULL)
        return fault_set(f, E_REFUSED, "its request is not in the log");
    result = votes != NULL ? evidence_read(s, e, known, votes, &evidence, f) : fault_memory(f);
    if (result == OK)
        result = primary_check(judge, e, r, f);
    if (result == OK)
        result = plain_check(judge, e, r, f);
    if (result == OK)
        result = verdict_again(s, judge, e, r, &evidence, ret, f);
    free(votes);
    return result;
}

enum outcome rejudge_renewal(const struct state *s, const json_t *body, const char *token, const char *site,
                             struct fault *f)
{
    const struct state_site *pinned = token != NULL && site != NULL ? state_site(s, token, site) : NULL;
    const char *next_hex = json_string_or_null(body, "transport"), *signed_hex = json_string_or_null(body, "signature");
    struct buf next = BUF(LIMIT_ATTRIBUTE), signature = BUF(LIMIT_ATTRIBUTE);
    struct digest digest;
    enum outcome result = OK;

    if (pinned == NULL || next_hex == NULL || signed_hex == NULL)
        return fault_set(f, E_REFUSED, "it is no transport key of an enrolled site");
    result = hex_parse_buf(next_hex, &next, f);
    if (result == OK)
        result = hex_parse_buf(signed_hex, &signature, f);
    /* Nobody looks at it again: it must be as good as the one that people saw. */
    if (result == OK)
        result = transport_fit(buf_span(&next), f);
    if (result == OK &&
        !transport_digest(&s->estate, token, site, buf_span(&pinned->transport), buf_span(&next), &digest))
        result = fault_memory(f);
    if (result == OK)
        result = digest_signature_verify(buf_span(&pinned->identity), &digest, buf_span(&signature), f);
    if (result != OK)
        fault_context(f, "the next transport key of %s at %s", token, site);
    buf_free(&next);
    buf_free(&signature);
    return result;
}

/* The keys are such as a site may have, and the vendor's certificates, where there are any, hold for them. */
static enum outcome keys_again(const struct policy *judge, const struct entry *e, bool attested, struct fault *f)
{
    struct buf identity = BUF(LIMIT_ATTRIBUTE), transport = BUF(LIMIT_ATTRIBUTE);
    enum outcome result = hex_parse_buf(text_of(e, "identity"), &identity, f);

    if (result == OK)
        result = hex_parse_buf(text_of(e, "transport"), &transport, f);
    if (result == OK)
        result = site_keys_fit(buf_span(&identity), buf_span(&transport), f);
    if (result == OK && attested) {
        struct attested a = {judge, text_of(e, "site"), buf_span(&identity), buf_span(&transport), e->time};

        result = attestation_verify(json_object_get(e->body, "attestation"), &a, f);
    }
    buf_free(&identity);
    buf_free(&transport);
    return result;
}

enum outcome rejudge_enrolment(const struct policy *judge, const struct entry *e, const struct subject *subject,
                               struct fault *f)
{
    static const char *const names[] = {"firmware", "hardware", "identity", "manufacturer", "model",
                                        "serial",   "site",     "token",    "transport",    NULL},
                             *const by_vendor[] = {"attestation", NULL};
    bool attested = strcmp(text_of(e, "hardware"), HARDWARE_BY_VENDOR) == 0 ||
                    json_object_get(subject->json, "attestation") != NULL;
    enum outcome result = rejudge_members(e->body, subject->json, names, f);

    if (result == OK && attested)
        result = rejudge_members(e->body, subject->json, by_vendor, f);
    return result == OK ? keys_again(judge, e, attested, f) : result;
}

enum outcome rejudge_members(const json_t *body, const json_t *subject, const char *const *names, struct fault *f)
{
    for (; *names != NULL; names++) {
        const json_t *a = json_object_get(body, *names), *b = json_object_get(subject, *names);

        if (a == NULL || b == NULL || !json_equal(a, b))
            return fault_set(f, E_REFUSED, "another %s", *names);
    }
    return OK;
}
