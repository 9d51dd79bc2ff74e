#include <stdlib.h>
#include <string.h>

#include "ceremony/run_cosign.h"
#include "ceremony/verify_inner.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/cosigned.h"

/* Programs elsewhere signed the same log, as the policy asks. */

/* Every line is by a cosigner of the policy, each signed once, and together they are the quorum. */
static bool lines_hold(struct verifier *v, const char *where, const struct checkpoint *of, const struct strings *lines)
{
    const struct cosigners *c = &v->judge->cosigners;
    bool signed_by[LIMIT_COSIGNERS] = {false};
    struct fault f = {OK, ""};
    size_t count = 0;

    if (cosigned_by(c, of, lines, signed_by, &f) != OK)
        return claim_fails(&v->claims, CLAIM_COSIGNERS, "%s: %s", where, f.text);
    for (size_t i = 0; i < c->count; i++)
        count += signed_by[i];
    if (count != lines->count)
        return claim_fails(&v->claims, CLAIM_COSIGNERS,
                           "%s: a cosignature is by nobody whom the policy names, or one cosigner stands there "
                           "twice",
                           where);
    if (!cosigners_met(c, signed_by))
        return claim_fails(&v->claims, CLAIM_COSIGNERS, "%s: fewer cosigners signed than the policy asks for", where);
    return true;
}

void verify_cosigned(struct verifier *v, const struct entry *e)
{
    struct fault f = {OK, ""};
    struct checkpoint of = {.size = 0};
    struct strings lines = {0};
    json_t *list = NULL, *line = NULL;
    char where[32];
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
    snprintf(where, sizeof where, "entry %llu", (unsigned long long)e->seq);
    of.size = (uint64_t)size;
    snprintf(of.origin, sizeof of.origin, "%s", state_origin_at(&v->state, of.size));
    json_array_foreach(list, index, line) good =
        good && json_is_string(line) && strings_add(&lines, json_string_value(line));
    if (!good)
        claim_fails(&v->claims, CLAIM_COSIGNERS, "entry %llu cannot be read", (unsigned long long)e->seq);
    else if (lines_hold(v, where, &of, &lines)) {
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

void verify_closing_cosigned(struct verifier *v)
{
    struct buf bytes = BUF(LIMIT_NOTE);
    struct strings lines = {0};
    char *path = path_join(v->folder, "cosignatures"), *rest = NULL;
    bool good = path != NULL, wanted = v->judge != NULL && v->judge->cosigners.closing;

    if (good && !file_exists(path)) {
        if (wanted)
            claim_fails(&v->claims, CLAIM_COSIGNERS,
                        "nobody cosigned the closing checkpoint, and the policy asks for it");
        goto out;
    }
    good = good && v->judge != NULL && verify_file(v, "cosignatures", LIMIT_NOTE, &bytes) && bytes.len > 0 &&
           bytes.data[bytes.len - 1] == '\n' && strlen(buf_str(&bytes)) == bytes.len &&
           strstr(buf_str(&bytes), "\n\n") == NULL && bytes.data[0] != '\n';
    for (char *line = good ? strtok_r((char *)bytes.data, "\n", &rest) : NULL; line != NULL && good;
         line = strtok_r(NULL, "\n", &rest))
        good = strings_add(&lines, line);
    if (!good)
        claim_fails(&v->claims, CLAIM_COSIGNERS, "cosignatures cannot be read");
    else if (lines_hold(v, "cosignatures", &v->checkpoint, &lines)) {
        claim_holds(&v->claims, CLAIM_COSIGNERS);
        claim_evidence(&v->claims, CLAIM_COSIGNERS, "the closing checkpoint, by %zu", lines.count);
    }
out:
    strings_free(&lines);
    buf_free(&bytes);
    free(path);
}
