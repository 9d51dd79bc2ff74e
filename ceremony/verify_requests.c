#include <stdlib.h>
#include <string.h>

#include "ceremony/verify_inner.h"
#include "core/limits.h"
#include "estate/rejudge.h"

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

void verify_request(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct buf bytes = BUF(LIMIT_REQUEST);
    struct request *r = NULL;
    struct verified_request *grown = NULL;
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
    else if (rejudge_request(&v->state, v->judge, e, r, &f) != OK)
        claim_fails(&v->claims, CLAIM_REQUESTS, "%s: %s", name, f.text);
    else if (!verify_root(v, r->log_size, &r->log_root))
        claim_fails(&v->claims, CLAIM_REQUESTS, "%s: the log root in it was never that of this log", name);
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

static bool vote_verify(struct verifier *v, const struct entry *e, const struct request *r, const char *name)
{
    struct fault f = {OK, ""};
    struct buf der = BUF(LIMIT_SIGNATURE), certificate = BUF(LIMIT_CERTIFICATE), rejection = BUF(LIMIT_REQUEST);
    struct digest signature, fingerprint, document;
    struct span signed_bytes = {NULL, 0};
    char people[128], other[256];
    bool good = digest_member(e, "signature", &signature) && digest_member(e, "certificate", &fingerprint);

    snprintf(other, sizeof other, "requests/%s/%s.reject.json", digest_hex(&r->id).hex, entry_text(e, "person"));
    if (good && e->type == ENTRY_REJECTION)
        good = digest_member(e, "document", &document) &&
               verify_file_digest(v, other, LIMIT_REQUEST, &document, &rejection);
    snprintf(people, sizeof people, "people/%s.der", digest_hex(&fingerprint).hex);
    good = good && verify_file_digest(v, name, LIMIT_SIGNATURE, &signature, &der) &&
           verify_file_digest(v, people, LIMIT_CERTIFICATE, &fingerprint, &certificate);
    if (good && (rejudge_document(e, r, &rejection, &signed_bytes, &f) != OK ||
                 rejudge_vote(&v->state, v->judge, e, signed_bytes, buf_span(&der), buf_span(&certificate), &f) != OK))
        good = claim_fails(&v->claims, CLAIM_VOTES, "%s: %s", name, f.text);
    buf_free(&rejection);
    buf_free(&certificate);
    buf_free(&der);
    return good;
}

void verify_vote(struct verifier *v, const struct entry *e)
{
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
    snprintf(name, sizeof name, "requests/%s/%s%s", digest_hex(&id).hex, entry_text(e, "person"), vote_suffix(e).text);
    if (vote_verify(v, e, known->request, name))
        claim_holds(&v->claims, CLAIM_VOTES);
    else
        claim_fails(&v->claims, CLAIM_VOTES, "%s cannot be verified", name);
}

/* The ceremony that the intent names was running, and at that step. */
static bool intent_ceremony(struct verifier *v, const struct entry *e, struct ceremony_fact *ret,
                            const struct ceremony_fact **ret_fact)
{
    const json_t *evidence = json_object_get(e->body, "evidence");
    const char *ceremony = json_string_or_null(evidence, "ceremony"), *step = json_string_or_null(evidence, "step");

    *ret_fact = NULL;
    if (ceremony == NULL)
        return true;
    if (e->ceremony == NULL || strcmp(e->ceremony, ceremony) != 0 || !verify_ceremony_fact(v, ceremony, step, ret))
        return claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu names a ceremony or a step that was not running",
                           (unsigned long long)e->seq);
    *ret_fact = ret;
    return true;
}

void verify_intent(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct verified_request *request = NULL;
    struct ceremony_fact fact = {0};
    const struct ceremony_fact *running = NULL;
    json_t *verdict = NULL;
    struct digest id;

    if (digest_member(e, "request", &id))
        request = verified_request(v, &id);
    if (request == NULL || v->judge == NULL) {
        claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu is for a request that does not hold",
                    (unsigned long long)e->seq);
        return;
    }
    if (!intent_ceremony(v, e, &fact, &running))
        return;
    if (rejudge_intent(&v->state, v->judge, e, request->request, running, &verdict, &f) != OK) {
        claim_fails(&v->claims, CLAIM_VERDICTS, "intent %llu: %s", (unsigned long long)e->seq, f.text);
        return;
    }
    json_decref(request->verdict);
    request->verdict = verdict;
    claim_holds(&v->claims, CLAIM_VERDICTS);
}
