#include <string.h>

#include "ceremony/run_cosign.h"
#include "ceremony/verify_inner.h"
#include "core/limits.h"
#include "estate/cosigned.h"

/* Programs elsewhere signed the same log, as the policy asks. */

/* Every line is by a cosigner of the policy, each signed once, and together they are the quorum. */
static bool lines_hold(struct verifier *v, const struct entry *e, const struct checkpoint *of,
                       const struct strings *lines)
{
    const struct cosigners *c = &v->judge->cosigners;
    bool signed_by[LIMIT_COSIGNERS] = {false};
    struct fault f = {OK, ""};
    size_t count = 0;

    if (cosigned_by(c, of, lines, signed_by, &f) != OK)
        return claim_fails(&v->claims, CLAIM_COSIGNERS, "entry %llu: %s", (unsigned long long)e->seq, f.text);
    for (size_t i = 0; i < c->count; i++)
        count += signed_by[i];
    if (count != lines->count)
        return claim_fails(&v->claims, CLAIM_COSIGNERS,
                           "entry %llu: a cosignature is by nobody whom the policy names, or one cosigner stands there "
                           "twice",
                           (unsigned long long)e->seq);
    if (!cosigners_met(c, signed_by))
        return claim_fails(&v->claims, CLAIM_COSIGNERS, "entry %llu: fewer cosigners signed than the policy asks for",
                           (unsigned long long)e->seq);
    return true;
}

void verify_cosigned(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct checkpoint of = {.size = 0};
    struct strings lines = {0};
    json_t *list = NULL, *line = NULL;
    size_t index = 0;
    int64_t size = 0;
    bool good = v->judge != NULL && v->state.origin != NULL && strlen(v->state.origin) < sizeof of.origin &&
                json_want_integer(e->body, "size", &size, &f) == OK && size > 0 && (uint64_t)size <= e->seq &&
                json_want_digest(e->body, "root", &of.root, &f) == OK &&
                json_want_array(e->body, "cosignatures", &list, &f) == OK && verify_root(v, (uint64_t)size, &of.root);

    if (!good) {
        claim_fails(&v->claims, CLAIM_COSIGNERS, "entry %llu holds cosignatures of a root that this log never had",
                    (unsigned long long)e->seq);
        return;
    }
    memcpy(of.origin, v->state.origin, strlen(v->state.origin));
    of.size = (uint64_t)size;
    json_array_foreach(list, index, line) good =
        good && json_is_string(line) && strings_add(&lines, json_string_value(line));
    if (!good)
        claim_fails(&v->claims, CLAIM_COSIGNERS, "entry %llu cannot be read", (unsigned long long)e->seq);
    else if (lines_hold(v, e, &of, &lines)) {
        claim_holds(&v->claims, CLAIM_COSIGNERS);
        claim_evidence(&v->claims, CLAIM_COSIGNERS, "to entry %lld, by %zu", (long long)size - 1, lines.count);
    }
    strings_free(&lines);
}

void verify_close_cosigned(struct verifier *v, const struct verified_ceremony *c)
{
    uint64_t have = 0;

    if (v->judge == NULL || !v->judge->cosigners.before_close)
        return;
    have = cosigned_size(&v->state, &v->judge->cosigners);
    if (have < c->to_cosign)
        claim_fails(&v->claims, CLAIM_COSIGNERS,
                    "%s closed with %llu entries cosigned, and the policy asks for the first %llu", c->id,
                    (unsigned long long)have, (unsigned long long)c->to_cosign);
    else
        claim_holds(&v->claims, CLAIM_COSIGNERS);
}

bool verified_cosigned(const struct verifier *v, const char *size, const struct digest *root)
{
    for (size_t i = 0; i < v->state.cosigned_count; i++) {
        char text[24];

        snprintf(text, sizeof text, "%llu", (unsigned long long)v->state.cosigned[i].size);
        if (strcmp(text, size) == 0 && digest_equal(&v->state.cosigned[i].root, root))
            return true;
    }
    return false;
}
