#include <stdlib.h>
#include <string.h>

#include "audit/document.h"
#include "ceremony/verify_inner.h"
#include "core/limits.h"
#include "estate/rejudge.h"

/* The record of a site that is elsewhere: whose site it is was approved, and its receipts are its own. */

void verify_introduced(struct verifier *v, const struct entry *e)
{
    static const char *const names[] = {"environment", "estate", "log-key", "origin", "site", "token", NULL};
    struct fault f = {OK, ""};
    const struct verified_request *request = verified_decision(v, e, OP_ADOPT_POLICY);
    const json_t *asked = request != NULL ? json_object_get(request->request->subject->json, "host") : NULL;

    if (asked == NULL || rejudge_members(e->body, asked, names, &f) != OK)
        claim_fails(&v->claims, CLAIM_SITES, "that this is a site of estate %.16s was not approved%s%s",
                    entry_text(e, "estate"), f.text[0] != '\0' ? ": " : "", f.text);
    else
        claim_holds(&v->claims, CLAIM_SITES);
}

void verify_taken(struct verifier *v, const struct entry *e)
{
    const struct state_host *host = v->state.host;
    struct fault f = {OK, ""};
    struct digest digest, signed_digest;
    struct buf bytes = BUF(LIMIT_OFFER);
    struct receipt r = {.proof = ""};
    char name[96];

    if (json_object_get(e->body, "receipt") == NULL)
        return;
    if (host == NULL || json_want_digest(e->body, "receipt", &digest, &f) != OK) {
        claim_fails(&v->claims, CLAIM_BIRTHS, "entry %llu names no receipt of a site", (unsigned long long)e->seq);
        return;
    }
    snprintf(name, sizeof name, "receipts/%s.json", digest_hex(&digest).hex);
    if (!verify_file_digest(v, name, LIMIT_OFFER, &digest, &bytes) || receipt_parse(buf_span(&bytes), &r, &f) != OK ||
        receipt_digest(&r, &signed_digest, &f) != OK ||
        digest_signature_verify(buf_span(&host->identity), &signed_digest, buf_span(&r.signature), &f) != OK)
        claim_fails(&v->claims, CLAIM_BIRTHS, "the receipt of entry %llu is not this site's: %s",
                    (unsigned long long)e->seq, f.text);
    else if (strcmp(digest_hex(&r.offer).hex, entry_text(e, "offer")) != 0 ||
             strcmp(digest_hex(&r.intent).hex, entry_text(e, "intent")) != 0)
        claim_fails(&v->claims, CLAIM_BIRTHS, "the receipt of entry %llu is for another offer",
                    (unsigned long long)e->seq);
    else
        claim_holds(&v->claims, CLAIM_BIRTHS);
    receipt_clear(&r);
    buf_free(&bytes);
}
