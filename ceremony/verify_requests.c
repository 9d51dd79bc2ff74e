#include <stdlib.h>
#include <string.h>

#include "ceremony/verify_inner.h"
#include "core/limits.h"
#include "estate/evidence.h"
#include "policy/signature.h"

struct verified_request *verified_request(struct verifier *v, const struct digest *id)
{
    for (size_t i = 0; i < v->request_count; i++)
        if (digest_equal(&v->requests[i].request->id, id))
            return &v->requests[i];
    return NULL;
}

static bool digest_member(const struct entry *e, const char *name, struct digest *ret)
{
    struct fault f = {OK, ""};

    return json_want_digest(e->body, name, ret, &f) == OK;
}

/* What the entry says of the request is what the document says, made in this estate under the policy of the time. */
static bool request_matches(struct verifier *v, const struct entry *e, const struct request *r, const char **ret_why)
{
    const struct subject *s = r->subject;
    struct digest subject;

    *ret_why = NULL;
    if (!digest_member(e, "subject", &subject) || !digest_equal(&subject, &r->subject_digest))
        *ret_why = "its subject is another";
    else if (strcmp(entry_text(e, "operation"), operation_name(s->operation)) != 0 ||
             strcmp(entry_text(e, "token"), s->token != NULL ? s->token : "") != 0 ||
             strcmp(entry_text(e, "label"), s->label != NULL ? s->label : "") != 0 ||
             strcmp(entry_text(e, "rule"), r->rule) != 0 ||
             strcmp(entry_text(e, "expires"), moment_format(r->expires).text) != 0)
        *ret_why = "the entry says something else than the document";
    else if (strcmp(s->estate, digest_hex(&v->state.estate).hex) != 0 ||
             strcmp(s->environment, v->state.environment) != 0 || strcmp(s->origin, v->state.origin) != 0)
        *ret_why = "it was made for another estate";
    else if (v->judge == NULL || !digest_equal(&r->policy, &v->judge->digest) || r->policy_version != v->judge->version)
        *ret_why = "it names a policy that was not in force";
    else if (r->log_size > e->seq || !verify_root(v, r->log_size, &r->log_root))
        *ret_why = "the log root in it was never that of this log";
    else if (r->made > e->time)
        *ret_why = "it was made after its entry";
    return *ret_why == NULL;
}

void verify_request(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_REQUEST);
    struct request *r = NULL;
    struct verified_request *grown = NULL;
    const char *why = NULL;
    struct digest id;
    char name[128];

    if (!digest_member(e, "request", &id)) {
        claim_fails(&v->claims, CLAIM_REQUESTS, "entry %llu names none", (unsigned long long)e->seq);
        return;
    }
    snprintf(name, sizeof name, "requests/%s/request.json", digest_hex(&id).hex);
    if (!verify_file_digest(v, name, LIMIT_REQUEST, &id, &bytes))
        claim_fails(&v->claims, CLAIM_REQUESTS, "%s is not the document that entry %llu names", name,
                    (unsigned long long)e->seq);
    else if (request_parse(buf_span(&bytes), &r, &f) != OK)
        claim_fails(&v->claims, CLAIM_REQUESTS, "%s: %s", name, f.text);
    else if (!request_matches(v, e, r, &why))
        claim_fails(&v->claims, CLAIM_REQUESTS, "%s: %s", name, why);
    else if ((grown = realloc(v->requests, (v->request_count + 1) * sizeof *grown)) == NULL)
        claim_fails(&v->claims, CLAIM_REQUESTS, "out of memory");
    else {
        v->requests = grown;
        v->requests[v->request_count++] = (struct verified_request){.request = r};
        r = NULL; /* taken by the verifier */
        claim_holds(&v->claims, CLAIM_REQUESTS);
    }
    request_free(r);
    buf_free(&bytes);
}

/* The document that a vote signs: the request, or the rejection beside it. */
static bool vote_document(struct verifier *v, const struct entry *e, const struct request *r, struct buf *ret)
{
    char name[256];
    struct digest document, rejected;
    struct fault f = {OK, ""};
    char *reason = NULL;
    bool good = false;

    if (e->type == ENTRY_APPROVAL) {
        buf_put(ret, r->bytes.data, r->bytes.len);
        return !ret->failed;
    }
    snprintf(name, sizeof name, "requests/%s/%s.reject.json", digest_hex(&r->id).hex, entry_text(e, "person"));
    good = digest_member(e, "document", &document) && verify_file_digest(v, name, LIMIT_REQUEST, &document, ret);
    if (good && (rejection_parse(buf_span(ret), &rejected, &reason, &f) != OK || !digest_equal(&rejected, &r->id) ||
                 strcmp(reason, entry_text(e, "reason")) != 0))
        good = claim_fails(&v->claims, CLAIM_VOTES, "%s is not a rejection of this request", name);
    free(reason);
    return good;
}

static bool vote_signature(struct verifier *v, const struct entry *e, const char *name, struct span document)
{
    struct fault f = {OK, ""};
    struct buf der = BUF(LIMIT_SIGNATURE), certificate = BUF(LIMIT_CERTIFICATE);
    struct digest signature, fingerprint, public_key;
    const struct person *who = NULL;
    struct signer signer;
    struct span known = {NULL, 0};
    char people[128];
    bool good = digest_member(e, "signature", &signature) && digest_member(e, "certificate", &fingerprint) &&
                digest_member(e, "public-key", &public_key) &&
                verify_file_digest(v, name, LIMIT_SIGNATURE, &signature, &der);

    if (good) {
        who = policy_person_by_fingerprint(v->judge, &fingerprint);
        snprintf(people, sizeof people, "people/%s.der", digest_hex(&fingerprint).hex);
        good = verify_file_digest(v, people, LIMIT_CERTIFICATE, &fingerprint, &certificate);
    }
    known = buf_span(&certificate);
    if (good && signature_verify(buf_span(&der), document, &known, 1, &signer, &f) != OK)
        good = claim_fails(&v->claims, CLAIM_VOTES, "%s: %s", name, f.text);
    if (good && (!digest_equal(&signer.fingerprint, &fingerprint) || !digest_equal(&signer.public_key, &public_key)))
        good = claim_fails(&v->claims, CLAIM_VOTES, "%s is signed with another certificate than the log says", name);
    if (good && (who == NULL || strcmp(who->id, entry_text(e, "person")) != 0))
        good = claim_fails(&v->claims, CLAIM_VOTES, "%s: the certificate is not that of %s in the policy of the time",
                           name, entry_text(e, "person"));
    buf_free(&certificate);
    buf_free(&der);
    return good;
}

void verify_vote(struct verifier *v, const struct entry *e)
{
    struct buf document = BUF(LIMIT_REQUEST);
    const struct verified_request *known = NULL;
    struct digest id;
    char name[256];

    if (digest_member(e, "request", &id))
        known = verified_request(v, &id);
    if (known == NULL || v->judge == NULL) {
        claim_fails(&v->claims, CLAIM_VOTES, "entry %llu votes on a request that does not hold",
                    (unsigned long long)e->seq);
        return;
    }
    snprintf(name, sizeof name, "requests/%s/%s%s", digest_hex(&id).hex, entry_text(e, "person"),
             e->type == ENTRY_APPROVAL ? ".p7s" : ".reject.p7s");
    if (vote_document(v, e, known->request, &document) && vote_signature(v, e, name, buf_span(&document)))
        claim_holds(&v->claims, CLAIM_VOTES);
    else
        claim_fails(&v->claims, CLAIM_VOTES, "%s cannot be verified", name);
    buf_free(&document);
}

/* The votes of one kind that the intent names, which must be every one that the log has of this request. */
static bool votes_of_intent(const struct state_request *known, const json_t *seqs, bool rejection, struct vote *votes,
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

static bool intent_evidence(struct verifier *v, const struct entry *e, const struct state_request *known,
                            struct vote *votes, struct evidence *ret, struct ceremony_fact *fact)
{
    struct fault f = {OK, ""};
    json_t *evidence = NULL, *approvals = NULL, *rejections = NULL;
    const char *ceremony = NULL, *step = NULL;
    size_t count = 0;

    if (json_want_object(e->body, "evidence", &evidence, &f) != OK ||
        json_members(evidence, "approvals at ?ceremony rejections ?step", &f) != OK ||
        json_want_moment(evidence, "at", &ret->at, &f) != OK ||
        json_want_array(evidence, "approvals", &approvals, &f) != OK ||
        json_want_array(evidence, "rejections", &rejections, &f) != OK)
        return claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu: %s", (unsigned long long)e->seq, f.text);
    if (ret->at > e->time || ret->at < v->state.last_time)
        return claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu judges for another time than its own",
                           (unsigned long long)e->seq);
    if (!votes_of_intent(known, approvals, false, votes, &count) ||
        !votes_of_intent(known, rejections, true, votes, &count))
        return claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu does not rest on every vote that the log has",
                           (unsigned long long)e->seq);
    ret->votes = votes;
    ret->vote_count = count;
    ceremony = json_string_or_null(evidence, "ceremony");
    step = json_string_or_null(evidence, "step");
    if (ceremony == NULL)
        return true;
    if (e->ceremony == NULL || strcmp(e->ceremony, ceremony) != 0 || !verify_ceremony_fact(v, ceremony, step, fact))
        return claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu names a ceremony or a step that was not running",
                           (unsigned long long)e->seq);
    ret->ceremony = fact;
    return true;
}

static bool verdict_again(struct verifier *v, const struct entry *e, const struct request *r,
                          const struct evidence *votes, json_t **ret)
{
    struct fault f = {OK, ""};
    struct evidence evidence = *votes;
    struct evidence_base base = {0};
    struct verdict *verdict = NULL;
    json_t *mine = NULL, *theirs = NULL;
    bool good = false;

    if (evidence_gather(&v->state, v->judge, r->subject, &base, &f) == OK) {
        evidence.sites = base.sites;
        evidence.site_count = base.site_count;
        evidence.key = base.has_key ? &base.key : NULL;
        evidence.suspended = base.suspended;
        evidence.cosigned = base.cosigned;
        if (policy_evaluate(v->judge, r, &evidence, &verdict, &f) == OK)
            mine = verdict_json(verdict);
    }
    theirs = json_object_get(e->body, "verdict");
    if (mine == NULL)
        claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu: %s", (unsigned long long)e->seq, f.text);
    else if (verdict->decision != DECISION_ALLOW || !json_equal(mine, theirs))
        claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu: computed again, the verdict is %s by rule \"%s\"",
                    (unsigned long long)e->seq, decision_name(verdict->decision), verdict->rule_id);
    else
        good = true;
    if (good) {
        *ret = mine;
        mine = NULL; /* taken by the caller */
    }
    json_decref(mine);
    verdict_free(verdict);
    evidence_clear(&base);
    return good;
}

void verify_intent(struct verifier *v, const struct entry *e)
{
    const struct state_request *known = NULL;
    struct verified_request *request = NULL;
    struct evidence evidence = {0};
    struct ceremony_fact fact = {0};
    struct vote *votes = NULL;
    json_t *verdict = NULL;
    struct digest id;

    if (digest_member(e, "request", &id)) {
        known = state_request(&v->state, &id);
        request = verified_request(v, &id);
    }
    if (known == NULL || request == NULL || v->judge == NULL) {
        claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu is for a request that does not hold",
                    (unsigned long long)e->seq);
        return;
    }
    votes = calloc(known->vote_count + 1, sizeof *votes);
    if (votes == NULL) {
        claim_fails(&v->claims, CLAIM_VERDICTS, "out of memory");
        return;
    }
    if (intent_evidence(v, e, known, votes, &evidence, &fact) &&
        verdict_again(v, e, request->request, &evidence, &verdict)) {
        json_decref(request->verdict);
        request->verdict = verdict;
        claim_holds(&v->claims, CLAIM_VERDICTS);
    }
    free(votes);
}
