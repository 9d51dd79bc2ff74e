#include <stdlib.h>
#include <string.h>

#include "ceremony/stamp.h"
#include "ceremony/verify_inner.h"
#include "core/file.h"
#include "core/limits.h"

/* What time stamping authorities say of the closing checkpoint: timestamps/DIGEST.tsr, each named by itself. */

static void stamp_judge(struct verifier *v, const char *name, const struct digest *of)
{
    struct fault f = {OK, ""};
    struct buf response = BUF(LIMIT_SIGNATURE);
    char inner[128], digits[65] = "";
    struct digest named;
    moment at = 0;

    snprintf(inner, sizeof inner, "timestamps/%s", name);
    if (strlen(name) == 68 && strcmp(name + 64, ".tsr") == 0)
        memcpy(digits, name, 64);
    if (digest_parse(digits, &named, &f) != OK)
        claim_fails(&v->claims, CLAIM_FILES, "%s is one too many: no digest names it", inner);
    else if (!verify_file_digest(v, inner, LIMIT_SIGNATURE, &named, &response))
        claim_fails(&v->claims, CLAIM_TIMESTAMP, "%s is not what its name says", inner);
    else if (stamp_read(buf_span(&response), of, &at, &f) != OK)
        claim_fails(&v->claims, CLAIM_TIMESTAMP, "%s: %s", inner, f.text);
    else if (v->trust.authorities == NULL)
        claim_evidence(&v->claims, CLAIM_TIME, "to %s; a time stamp says %s, and the trust file names no authority",
                       moment_format(v->last_time).text, moment_format(at).text);
    else if (stamp_verify(buf_span(&response), of, v->trust.authorities, &at, &f) != OK)
        claim_fails(&v->claims, CLAIM_TIMESTAMP, "%s: %s", inner, f.text);
    else if (at + LIMIT_STAMP_CLOCK < v->last_time)
        claim_fails(&v->claims, CLAIM_TIMESTAMP, "the authority saw the close at %s, the record puts it later, at %s",
                    moment_format(at).text, moment_format(v->last_time).text);
    else {
        claim_holds(&v->claims, CLAIM_TIMESTAMP);
        claim_evidence(&v->claims, CLAIM_TIMESTAMP, "%s", moment_format(at).text);
        claim_evidence(&v->claims, CLAIM_TIME, "to %s; the close by an authority's time stamp",
                       moment_format(v->last_time).text);
    }
    buf_free(&response);
}

void verify_timestamps(struct verifier *v, struct span checkpoint)
{
    struct fault f = {OK, ""};
    struct strings names = {0};
    struct digest of;
    char *folder = path_join(v->folder, "timestamps");

    if (folder == NULL || !digest_one(&of, checkpoint))
        claim_fails(&v->claims, CLAIM_FILES, "out of memory");
    else if (file_exists(folder) && folder_list(folder, &names, &f) != OK)
        claim_fails(&v->claims, CLAIM_FILES, "%s", f.text);
    else
        for (size_t i = 0; i < names.count; i++)
            stamp_judge(v, names.items[i], &of);
    strings_free(&names);
    free(folder);
}

bool verify_step_stamp(struct verifier *v, const struct verified_ceremony *c, const struct entry *e,
                       const struct checkpoint *of, const struct digest *artifact)
{
    struct fault f = {OK, ""};
    struct buf response = BUF(LIMIT_SIGNATURE), text = BUF(LIMIT_NOTE);
    struct checkpoint named = *of;
    struct digest over;
    char inner[128];
    moment at = 0;
    bool good = true;

    snprintf(inner, sizeof inner, "artifacts/%s", digest_hex(artifact).hex);
    snprintf(named.origin, sizeof named.origin, "%s", v->trust.log_key.name);
    checkpoint_put(&named, &text);
    if (text.failed || !digest_one(&over, buf_span(&text)))
        good = claim_fails(&v->claims, CLAIM_FILES, "out of memory");
    else if (!verify_file_digest(v, inner, LIMIT_SIGNATURE, artifact, &response))
        good = false;
    else if (stamp_read(buf_span(&response), &over, &at, &f) != OK ||
             (v->trust.authorities != NULL &&
              stamp_verify(buf_span(&response), &over, v->trust.authorities, &at, &f) != OK))
        good = claim_fails(&v->claims, CLAIM_TIMESTAMP, "%s: %s", inner, f.text);
    else if (v->trust.authorities != NULL && (at + LIMIT_STAMP_CLOCK < c->done || at > e->time + LIMIT_STAMP_CLOCK))
        good = claim_fails(&v->claims, CLAIM_TIMESTAMP, "%s: the authority says %s, the record %s", inner,
                           moment_format(at).text, moment_format(e->time).text);
    else if (v->trust.authorities != NULL)
        claim_holds(&v->claims, CLAIM_TIMESTAMP);
    buf_free(&response);
    buf_free(&text);
    return good;
}
