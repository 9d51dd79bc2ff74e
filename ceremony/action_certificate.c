#include "ceremony/action_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/certificate.h"
#include "ceremony/hsm_key.h"
#include "ceremony/pkcs11_client.h"
#include "core/file.h"
#include "core/limits.h"

/* make-csr and issue-certificate: bytes are composed once, kept and logged, approved, signed as they are, checked. */

struct draft {
    struct profile *profile;
    struct buf tbs;
    struct digest tbs_digest;
    const struct state_key *key; /* borrowed from the estate's state: not kept across a refresh */
};

static void draft_clear(struct draft *d)
{
    profile_free(d->profile);
    buf_free(&d->tbs);
}

static bool is_csr(const struct step *s)
{
    return s->action->kind == ACTION_MAKE_CSR;
}

/* The newest artifact of this kind that the step has after `from`. */
static const json_t *artifact_of(const struct runner *r, const struct step *s, const char *kind, uint64_t from)
{
    for (size_t i = json_array_size(r->record.entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->record.entries, i), *body = json_object_get(entry, "body");
        const char *type = json_string_or_null(entry, "type"), *has = json_string_or_null(body, "kind"),
                   *step = json_string_or_null(body, "step");

        if ((uint64_t)json_integer_value(json_object_get(entry, "seq")) < from)
            return NULL;
        if (type != NULL && strcmp(type, entry_type_name(ENTRY_ARTIFACT)) == 0 && has != NULL && step != NULL &&
            strcmp(has, kind) == 0 && strcmp(step, s->id) == 0)
            return body;
    }
    return NULL;
}

static enum outcome artifact_log(struct runner *r, const struct step *s, const char *kind, const char *name,
                                 const struct digest *digest, const struct digest *canonical, struct fault *f)
{
    json_t *body = json_object();
    bool good = json_put_digest(body, "digest", digest) && json_put_string(body, "kind", kind) &&
                json_put_string(body, "name", name) && json_put_string(body, "step", s->id) &&
                (canonical == NULL || json_put_digest(body, "canonical", canonical));
    enum outcome o = good ? runner_append(r, ENTRY_ARTIFACT, json_incref(body), f) : fault_memory(f);

    json_decref(body);
    return o;
}

/* profiles/NAME.yaml beside the script. */
static enum outcome profile_find(const struct runner *r, const struct step *s, struct profile **ret, struct fault *f)
{
    const char *name = step_with(s, "profile");
    char *folder = NULL, *path = NULL, file[LIMIT_NAME + 32];
    enum outcome o = OK;

    if (!name_valid(name))
        return fault_set(f, E_INVALID, "step %s: \"%s\" is no name of a profile", s->id, name);
    snprintf(file, sizeof file, "profiles/%s.yaml", name);
    folder = path_folder(r->script->file);
    path = folder != NULL ? path_join(folder, file) : NULL;
    o = path != NULL ? profile_read(path, ret, f) : fault_memory(f);
    free(path);
    free(folder);
    return o;
}

static enum outcome draft_compose(const struct step *s, const struct draft *d, struct buf *ret_tbs, struct fault *f)
{
    struct certificate_inputs in = {.public_key = buf_span(&d->key->public_key), .not_before = moment_now()};

    if (is_csr(s))
        return csr_compose(d->profile, in.public_key, ret_tbs, f);
    if (!random_bytes(in.serial, sizeof in.serial))
        return fault_set(f, E_IO, "no random bytes from libcrypto");
    return certificate_compose(d->profile, &in, ret_tbs, f);
}

static enum outcome profile_keep(struct runner *r, const struct step *s, const struct profile *p, struct fault *f)
{
    struct digest digest;
    char name[LIMIT_NAME + 32], *path = NULL;
    enum outcome o = estate_keep(r->estate, "profiles", ".yaml", buf_span(&p->source), &digest, f);

    if (o != OK)
        return o;
    snprintf(name, sizeof name, "%s.json", digest_hex(&digest).hex);
    path = estate_path(r->estate, "profiles", name);
    o = path != NULL ? file_replace(path, buf_span(&p->canonical_json), 0644, f) : fault_memory(f);
    free(path);
    return o == OK ? artifact_log(r, s, "profile", step_with(s, "profile"), &digest, &p->canonical, f) : o;
}

/* The profile first: where a crash comes between the two, there is no tbs yet and both are made anew. */
static enum outcome draft_make(struct runner *r, const struct step *s, struct draft *d, struct fault *f)
{
    enum outcome o = profile_find(r, s, &d->profile, f);

    if (o == OK)
        o = draft_compose(s, d, &d->tbs, f);
    if (o == OK)
        o = profile_keep(r, s, d->profile, f);
    if (o == OK)
        o = estate_keep(r->estate, "artifacts", "", buf_span(&d->tbs), &d->tbs_digest, f);
    return o == OK ? artifact_log(r, s, "tbs", step_with(s, "label"), &d->tbs_digest, NULL, f) : o;
}

static enum outcome draft_load(struct runner *r, const json_t *tbs, const json_t *profile, struct draft *d,
                               struct fault *f)
{
    struct buf source = BUF(LIMIT_DOCUMENT);
    struct digest digest;
    enum outcome o = json_want_digest(profile, "digest", &digest, f);

    if (o == OK)
        o = estate_kept(r->estate, "profiles", ".yaml", &digest, &source, f);
    if (o == OK)
        o = profile_parse("profile", buf_span(&source), &d->profile, f);
    if (o == OK)
        o = json_want_digest(tbs, "digest", &d->tbs_digest, f);
    if (o == OK)
        o = estate_kept(r->estate, "artifacts", "", &d->tbs_digest, &d->tbs, f);
    buf_free(&source);
    return o;
}

/* The bytes of this step: those in the log, or new ones. */
static enum outcome draft_open(struct runner *r, const struct step *s, struct draft *ret, struct fault *f)
{
    const json_t *tbs = artifact_of(r, s, "tbs", 0), *profile = artifact_of(r, s, "profile", 0);
    enum outcome o = OK;

    *ret = (struct draft){.tbs = BUF(LIMIT_CERTIFICATE)};
    ret->key = key_named(r, step_with(s, "token"), step_with(s, "label"));
    if (ret->key == NULL)
        return fault_set(f, E_ABSENT, "step %s: the log knows no key pair %s on token %s", s->id, step_with(s, "label"),
                         step_with(s, "token"));
    o = tbs != NULL && profile != NULL ? draft_load(r, tbs, profile, ret, f) : draft_make(r, s, ret, f);
    if (o == OK) /* an entry may have been written */
        ret->key = key_named(r, step_with(s, "token"), step_with(s, "label"));
    if (o == OK && ret->key == NULL)
        o = fault_set(f, E_ABSENT, "step %s: the key pair %s is gone", s->id, step_with(s, "label"));
    if (o != OK)
        draft_clear(ret);
    return o;
}

/* Signs with the key on the token. Where the module refuses, its words and the request. */
static enum outcome draft_sign(struct runner *r, const struct step *s, const struct draft *d, struct buf *ret_der,
                               struct digest *ret_request, struct fault *f)
{
    struct hsm_key key = {0};
    struct fault refused = {.outcome = OK};
    enum outcome o = hsm_key_open(r->client, r->estate, step_with(s, "token"), d->key->id, &key, f);

    if (o != OK)
        return o;
    o = signed_structure_make(key.private, buf_span(&d->key->public_key), d->profile->signature, buf_span(&d->tbs),
                              ret_der, f);
    if (o == E_DEVICE && pkcs11_refusal(r->client, "C_Sign", CKR_FUNCTION_REJECTED, ret_request, &refused) == E_REFUSED)
        o = fault_set(f, E_REFUSED, "%s", refused.text);
    hsm_key_close(&key);
    return o;
}

enum outcome certificate_try(struct runner *r, const struct step *s, struct digest *ret_request, struct fault *f)
{
    struct draft d = {0};
    struct buf der = BUF(LIMIT_CERTIFICATE);
    enum outcome o = draft_open(r, s, &d, f);

    if (o != OK)
        return o;
    o = draft_sign(r, s, &d, &der, ret_request, f);
    buf_free(&der);
    draft_clear(&d);
    return o;
}

static enum outcome result_fill(const struct step *s, const char *artifact, const json_t *tbs, const json_t *profile,
                                json_t *result, struct fault *f)
{
    if (!json_put_string(result, "artifact", artifact) || !json_put_string(result, "label", step_with(s, "label")) ||
        !json_put_string(result, "profile", json_string_or_null(profile, "digest")) ||
        !json_put_string(result, "tbs", json_string_or_null(tbs, "digest")))
        return fault_memory(f);
    return OK;
}

static enum outcome signed_find(struct runner *r, const struct step *s, uint64_t begun, json_t *result, bool *ret_found,
                                struct fault *f)
{
    const json_t *made = artifact_of(r, s, is_csr(s) ? "csr" : "certificate", begun);

    *ret_found = made != NULL;
    return made == NULL ? OK
                        : result_fill(s, json_string_or_null(made, "digest"), artifact_of(r, s, "tbs", 0),
                                      artifact_of(r, s, "profile", 0), result, f);
}

/* What was signed against profile and key once more, as a stranger will. */
static enum outcome signed_check(const struct step *s, const struct draft *d, struct span der, struct fault *f)
{
    struct span key = buf_span(&d->key->public_key);

    return is_csr(s) ? csr_check(d->profile, der, key, f) : certificate_check(d->profile, der, key, key, f);
}

static enum outcome sign_once(struct runner *r, const struct step *s, json_t *result, struct fault *f)
{
    struct draft d = {0};
    struct buf der = BUF(LIMIT_CERTIFICATE);
    struct digest digest, request;
    bool found = false;
    enum outcome o = effect_begin(r, s, signed_find, result, &found, f);

    if (o != OK || found)
        return o;
    o = draft_open(r, s, &d, f);
    if (o != OK)
        return o;
    o = draft_sign(r, s, &d, &der, &request, f);
    if (o == OK)
        o = signed_check(s, &d, buf_span(&der), f);
    if (o == OK)
        o = estate_keep(r->estate, "artifacts", "", buf_span(&der), &digest, f);
    if (o == OK)
        o = artifact_log(r, s, is_csr(s) ? "csr" : "certificate", step_with(s, "label"), &digest, NULL, f);
    if (o == OK)
        o = result_fill(s, digest_hex(&digest).hex, artifact_of(r, s, "tbs", 0), artifact_of(r, s, "profile", 0),
                        result, f);
    buf_free(&der);
    draft_clear(&d);
    return o;
}

enum outcome perform_certificate(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                                 struct fault *f)
{
    enum outcome o = effect_repeat(r, s, sign_once, result, ret_undone, f);

    if (o == OK && r->answers == NULL)
        talk_note(TONE_GOOD, "Signed: %s, kept as %s", step_with(s, "label"), json_string_or_null(result, "artifact"));
    return o;
}
