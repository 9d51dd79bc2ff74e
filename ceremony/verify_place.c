#include <stdio.h>
#include <string.h>

#include "audit/document.h"
#include "ceremony/verify_inner.h"
#include "core/encode.h"
#include "core/limits.h"

/* Where HSMs are, and that they answered there. */

bool verified_once(struct verifier *v, const struct entry *e, const char *answered)
{
    char asked[2 * LIMIT_NAME + 80];

    if (v->answered == NULL)
        v->answered = json_object();
    snprintf(asked, sizeof asked, "%s/%s %s", entry_text(e, "token"), entry_text(e, "site"), answered);
    return v->answered != NULL && json_object_get(v->answered, asked) == NULL &&
           json_object_set_new(v->answered, asked, json_true()) == 0;
}

static bool answer_holds(const struct verifier *v, const struct state_site *s, const struct entry *e, struct fault *f)
{
    struct digest challenge, digest;
    struct buf answer = BUF(LIMIT_ATTRIBUTE);
    bool good = json_want_digest(e->body, "challenge", &challenge, f) == OK &&
                hex_parse_buf(entry_text(e, "answer"), &answer, f) == OK &&
                challenge_digest(&v->state.estate, s->token, s->site, &challenge, &digest) &&
                digest_signature_verify(buf_span(&s->identity), &digest, buf_span(&answer), f) == OK;

    buf_free(&answer);
    return good;
}

static void verify_arrival_noted(struct verifier *v, struct verified_ceremony *c, const struct entry *e)
{
    if (c == NULL)
        return;
    if (c->arrivals == NULL)
        c->arrivals = json_array();
    if (c->arrivals == NULL || json_array_append(c->arrivals, e->json) != 0)
        claim_fails(&v->claims, CLAIM_STEPS, "out of memory");
}

/* What it left with and whether it had to answer is part of the fold. */
void verify_arrival(struct verifier *v, const struct entry *e)
{
    const struct state_site *s = state_site(&v->state, entry_text(e, "token"), entry_text(e, "site"));
    struct fault f = {OK, "it cannot be read"};

    if (s == NULL)
        claim_fails(&v->claims, CLAIM_PLACES, "entry %llu: an HSM arrived that was never enrolled",
                    (unsigned long long)e->seq);
    else if (json_object_get(e->body, "answer") != NULL && !answer_holds(v, s, e, &f))
        claim_fails(&v->claims, CLAIM_SITES, "site %s of %s did not answer where it arrived: %s", s->site, s->token,
                    f.text);
    else if (json_object_get(e->body, "answer") != NULL && !verified_once(v, e, entry_text(e, "challenge")))
        claim_fails(&v->claims, CLAIM_SITES, "site %s of %s arrived by an answer that was given before (entry %llu)",
                    s->site, s->token, (unsigned long long)e->seq);
    else
        claim_holds(&v->claims, CLAIM_PLACES);
    if (s != NULL && e->ceremony != NULL)
        verify_arrival_noted(v, verified_ceremony(v, e->ceremony), e);
}

bool verified_arrival(const struct verified_ceremony *c, const json_t *result)
{
    static const char *const names[] = {"bag", "safe", "site", "token"};
    size_t index = 0;
    json_t *one = NULL;

    json_array_foreach(c->arrivals, index, one)
    {
        const json_t *body = json_object_get(one, "body");
        bool same = true;

        for (size_t i = 0; i < sizeof names / sizeof *names && same; i++) {
            const json_t *said = json_object_get(result, names[i]), *logged = json_object_get(body, names[i]);

            same = said != NULL && logged != NULL && json_equal(said, logged);
        }
        if (same)
            return true;
    }
    return false;
}
