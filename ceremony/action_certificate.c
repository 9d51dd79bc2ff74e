#include "ceremony/action_certificate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/certificate.h"
#include "ceremony/hsm_key.h"
#include "ceremony/pkcs11_client.h"
#include "ceremony/profile.h"
#include "ceremony/tbs.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"

struct signing { /* what one step signs */
    struct runner *runner;
    const struct step *step;
    const struct state_key *key; /* the state's: good until the log is followed */
    struct profile *profile;
    struct buf tbs;
    struct digest tbs_digest;
    bool certificate; /* else a CSR */
};

static void signing_clear(struct signing *g)
{
    profile_free(g->profile);
    buf_free(&g->tbs);
}

bool artifact_find(const struct runner *r, const struct step *s, const char *kind, struct digest *ret)
{
    struct fault ignored = {.outcome = OK};

    for (size_t i = json_array_size(r->record.entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->record.entries, i), *body = json_object_get(entry, "body");
        const char *type = json_string_or_null(entry, "type"), *of = json_string_or_null(body, "kind"),
                   *step = json_string_or_null(body, "step");

        if (type != NULL && strcmp(type, entry_type_name(ENTRY_ARTIFACT)) == 0 && of != NULL && strcmp(of, kind) == 0 &&
            step != NULL && strcmp(step, s->id) == 0)
            return json_want_digest(body, "digest", ret, &ignored) == OK;
    }
    return false;
}

enum outcome artifact_log(struct runner *r, const struct step *s, const struct artifact_made *made, struct fault *f)
{
    json_t *body = json_object();
    struct buf name = BUF(LIMIT_LABEL + 16);
    bool good = false;

    buf_putf(&name, "%s%s", made->stem, made->suffix);
    good = !name.failed && json_put_digest(body, "digest", made->digest) && json_put_string(body, "kind", made->kind) &&
           json_put_string(body, "name", buf_str(&name)) && json_put_string(body, "step", s->id) &&
           (made->canonical == NULL || json_put_digest(body, "canonical", made->canonical)) &&
           (made->awaits == 0 || json_put_integer(body, "awaits", (int64_t)made->awaits));
    buf_free(&name);
    if (!good) {
        json_decref(body);
        return fault_memory(f);
    }
    return runner_append(r, ENTRY_ARTIFACT, body, f);
}

/* `profiles/NAME.yaml` beside the script. */
static enum outcome profile_find(const struct script *script, const struct step *s, struct profile **ret,
                                 struct fault *f)
{
    const char *name = step_with(s, "profile");
    char *folder = path_folder(script->file), *path = NULL, relative[LIMIT_NAME + 16];
    struct profile *p = NULL;
    enum outcome o = OK;

    if (name == NULL || !name_valid(name)) {
        o = fault_set(f, E_INVALID, "`profile` takes the name of a file in profiles/, without .yaml");
        goto out;
    }
    snprintf(relative, sizeof relative, "profiles/%s.yaml", name);
    path = folder != NULL ? path_join(folder, relative) : NULL;
    o = path != NULL ? profile_read(path, &p, f) : fault_memory(f);
    if (o == OK && strcmp(p->id, name) != 0)
        o = fault_set(f, E_INVALID, "%s: its id is %s; %s was expected", path, p->id, name);
    if (o == OK && !p->self_issued && s->action->kind == ACTION_ISSUE_CERTIFICATE)
        o = fault_set(f, E_INVALID, "%s: such certificates come from another authority; `issuer: self` was expected",
                      path);
    if (o == OK) {
        *ret = p;
        p = NULL; /* the caller's */
    }
out:
    profile_free(p);
    free(path);
    free(folder);
    return o == OK ? OK : fault_context(f, "%s:%u:%u: step %s", script->file, s->line, s->column, s->id);
}

enum outcome certificate_steps_check(const struct script *script, struct fault *f)
{
    enum outcome o = OK;

    for (size_t i = 0; i < script->step_count && o == OK; i++) {
        const struct step *s = &script->steps[i];
        struct profile *p = NULL;

        if (s->action->kind == ACTION_MAKE_CSR || s->action->kind == ACTION_ISSUE_CERTIFICATE)
            o = profile_find(script, s, &p, f);
        profile_free(p);
    }
    return o;
}

static enum outcome tbs_compose(struct signing *g, struct fault *f)
{
    struct certificate_inputs in = {.public_key = buf_span(&g->key->public_key),
                                    .not_before = log_time(g->runner->estate->log)};

    if (!g->certificate)
        return csr_compose(g->profile, in.public_key, &g->tbs, f);
    if (!random_bytes(in.serial, sizeof in.serial))
        return fault_set(f, E_IO, "no random bytes from libcrypto");
    return certificate_compose(g->profile, &in, &g->tbs, f);
}

/* For the first time: profile and TBS are kept, then logged, the TBS last, since it stands for both. */
static enum outcome tbs_fix(struct signing *g, struct fault *f)
{
    const struct estate *e = g->runner->estate;
    struct digest profile;
    enum outcome o = profile_find(g->runner->script, g->step, &g->profile, f);

    if (o == OK)
        o = tbs_compose(g, f);
    if (o == OK)
        o = estate_keep(e, "profiles", ".yaml", buf_span(&g->profile->source), &profile, f);
    if (o == OK)
        o = estate_keep(e, "artifacts", "", buf_span(&g->tbs), &g->tbs_digest, f);
    if (o == OK)
        o = artifact_log(
            g->runner, g->step,
            &(struct artifact_made){"profile", g->profile->id, ".yaml", &profile, &g->profile->canonical, 0}, f);
    return o == OK
               ? artifact_log(
                     g->runner, g->step,
                     &(struct artifact_made){"tbs", step_with(g->step, "label"), ".tbs", &g->tbs_digest, NULL, 0}, f)
               : o;
}

/* As the log has it. */
static enum outcome tbs_recall(struct signing *g, struct fault *f)
{
    const struct estate *e = g->runner->estate;
    struct buf source = BUF(LIMIT_DOCUMENT);
    struct digest profile;
    enum outcome o = OK;

    if (!artifact_find(g->runner, g->step, "profile", &profile))
        return fault_set(f, E_INVALID, "the log has what step %s signs, but not by which profile", g->step->id);
    o = estate_kept(e, "profiles", ".yaml", &profile, &source, f);
    if (o == OK)
        o = profile_parse(step_with(g->step, "profile"), buf_span(&source), &g->profile, f);
    if (o == OK)
        o = estate_kept(e, "artifacts", "", &g->tbs_digest, &g->tbs, f);
    buf_free(&source);
    return o;
}

static enum outcome key_look(struct signing *g, struct fault *f)
{
    const char *token = step_with(g->step, "token"), *label = step_with(g->step, "label");

    g->key = key_named(g->runner, token, label);
    if (g->key == NULL || g->key->public_key.len == 0)
        return fault_set(f, E_REFUSED, "no key pair %s was born on token %s; a step that generates it comes first",
                         label, token);
    return OK;
}

static enum outcome signing_prepare(struct runner *r, const struct step *s, struct signing *ret, struct fault *f)
{
    struct signing g = {.runner = r,
                        .step = s,
                        .tbs = BUF(LIMIT_CERTIFICATE),
                        .certificate = s->action->kind == ACTION_ISSUE_CERTIFICATE};
    enum outcome o = key_look(&g, f);

    if (o == OK && artifact_find(r, s, "tbs", &g.tbs_digest))
        o = tbs_recall(&g, f);
    else if (o == OK)
        o = tbs_fix(&g, f);
    if (o == OK)
        o = key_look(&g, f); /* the log was followed */
    if (o == OK) {
        *ret = g;
        g = (struct signing){0}; /* taken by ret */
    }
    signing_clear(&g);
    return o;
}

/* The refusal; where it left a request, what is to be signed lies beside it for those who approve. */
static enum outcome request_leave(const struct signing *g, const struct digest *request, const char *why,
                                  struct fault *f)
{
    static const struct digest none = {{0}};
    enum outcome o = digest_equal(request, &none) ? OK : tbs_keep(g->runner->estate, request, buf_span(&g->tbs), f);

    return o == OK ? fault_set(f, E_REFUSED, "%s", why) : o;
}

/* libp11 knows no Ed25519: the module is asked itself. */
static enum outcome edwards_sign(const struct signing *g, struct buf *ret_der, struct digest *ret_request,
                                 struct fault *f)
{
    struct client *c = g->runner->client;
    struct buf raw = BUF(1024);
    struct fault refused = {.outcome = OK};
    enum outcome o = runner_stand(g->runner, g->step, OP_USE, &g->tbs_digest, f);

    if (o == OK)
        o = pkcs11_sign_edwards(c, g->runner->estate, g->key->token, g->key->id, buf_span(&g->tbs), &raw, ret_request,
                                &refused);
    if (refused.outcome == E_REFUSED)
        o = request_leave(g, ret_request, refused.text, f);
    else if (refused.outcome != OK)
        *f = refused;
    if (o == OK)
        o = signed_structure_join(buf_span(&raw), buf_span(&g->key->public_key), g->profile->signature,
                                  buf_span(&g->tbs), ret_der, f);
    buf_free(&raw);
    return o;
}

static enum outcome hsm_sign(const struct signing *g, struct buf *ret_der, struct digest *ret_request, struct fault *f)
{
    struct client *c = g->runner->client;
    struct hsm_key key = {0};
    struct fault refused = {.outcome = OK};
    enum outcome o = OK;

    if (strcmp(g->profile->key, "EC:Ed25519") == 0)
        return edwards_sign(g, ret_der, ret_request, f);
    o = runner_stand(g->runner, g->step, OP_USE, &g->tbs_digest, f);
    if (o == OK)
        o = hsm_key_open(c, g->runner->estate, g->key->token, g->key->id, &key, f);
    if (o != OK)
        return o;
    o = signed_structure_make(key.private, buf_span(&g->key->public_key), g->profile->signature, buf_span(&g->tbs),
                              ret_der, f);
    /* libp11 passes on a number only; the module has the words, for the thread's last call. */
    if (o == E_DEVICE && pkcs11_refusal(c, "C_Sign", CKR_FUNCTION_REJECTED, ret_request, &refused) == E_REFUSED)
        o = request_leave(g, ret_request, refused.text, f);
    hsm_key_close(&key);
    return o;
}

static enum outcome product_check(const struct signing *g, struct span der, struct fault *f)
{
    struct span key = buf_span(&g->key->public_key), tbs = {NULL, 0};
    enum outcome o =
        g->certificate ? certificate_check(g->profile, der, key, key, f) : csr_check(g->profile, der, key, f);

    if (o == OK)
        o = signed_structure_open(der, &tbs, f);
    if (o == OK && !span_equal(tbs, buf_span(&g->tbs)))
        o = fault_set(f, E_REFUSED, "it holds other bytes than those that were approved");
    return o == OK ? OK : fault_context(f, "what the HSM signed is not kept");
}

static enum outcome result_fill(const struct signing *g, const struct digest *artifact, json_t *result, struct fault *f)
{
    bool good = json_put_digest(result, "artifact", artifact) &&
                json_put_string(result, "label", step_with(g->step, "label")) &&
                json_put_digest(result, "profile", &g->profile->digest) &&
                json_put_digest(result, "tbs", &g->tbs_digest);

    return good ? OK : fault_memory(f);
}

/* The intent of the provisional key that signed in this step; 0: it was a born one. A key that has been born since was
 * provisional then if the use stands before its birth. */
static uint64_t use_awaits(const struct runner *r, const struct step *s)
{
    const struct state *state = &r->estate->state;

    for (size_t i = json_array_size(r->record.entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->record.entries, i), *body = json_object_get(entry, "body");
        const char *type = json_string_or_null(entry, "type");
        uint64_t seq = (uint64_t)json_integer_value(json_object_get(entry, "seq"));
        const struct state_key *key = NULL;

        if (type == NULL || strcmp(type, entry_type_name(ENTRY_USED)) != 0)
            continue;
        key = key_awaited(r, step_with(s, "token"), step_with(s, "label"), seq);
        for (size_t k = 0; key != NULL && k < state->key_count; k++)
            if (state->keys[k].intent == key->intent && state->keys[k].seq < seq)
                return 0;
        return key != NULL && json_object_get(body, "operation") == NULL ? key->intent : 0;
    }
    return 0;
}

static enum outcome product_keep(const struct signing *g, struct span der, json_t *result, struct fault *f)
{
    struct runner *r = g->runner;
    const char *label = step_with(g->step, "label");
    struct digest artifact;
    enum outcome o = product_check(g, der, f);

    if (o == OK)
        o = estate_keep(r->estate, "artifacts", "", der, &artifact, f);
    if (o == OK)
        o = runner_follow(r, f);
    if (o == OK)
        o = artifact_log(r, g->step,
                         &(struct artifact_made){g->certificate ? "certificate" : "csr", label,
                                                 g->certificate ? ".crt" : ".csr", &artifact, NULL,
                                                 use_awaits(r, g->step)},
                         f);
    return o == OK ? result_fill(g, &artifact, result, f) : o;
}

enum outcome certificate_sign(struct runner *r, const struct step *s, json_t *result, struct digest *ret_request,
                              struct fault *f)
{
    struct signing g = {0};
    struct buf der = BUF(LIMIT_CERTIFICATE);
    enum outcome o = OK;

    *ret_request = (struct digest){{0}};
    o = signing_prepare(r, s, &g, f);
    if (o != OK)
        return o;
    o = hsm_sign(&g, &der, ret_request, f);
    if (o == OK)
        o = product_keep(&g, buf_span(&der), result, f);
    signing_clear(&g);
    buf_free(&der);
    return o;
}

/* What the key signed in this step since it began, as the log has it; empty: nothing. */
static enum outcome signature_find(const struct runner *r, const struct step *s, uint64_t begun, struct buf *ret,
                                   struct fault *f)
{
    for (size_t i = json_array_size(r->record.entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->record.entries, i), *body = json_object_get(entry, "body");
        const char *type = json_string_or_null(entry, "type"), *value = json_string_or_null(body, "value"),
                   *label = json_string_or_null(body, "label"), *token = json_string_or_null(body, "token");

        if ((uint64_t)json_integer_value(json_object_get(entry, "seq")) <= begun)
            break;
        if (type != NULL && strcmp(type, entry_type_name(ENTRY_USED)) == 0 && value != NULL && label != NULL &&
            strcmp(label, step_with(s, "label")) == 0 && token != NULL && strcmp(token, step_with(s, "token")) == 0)
            return hex_parse_buf(value, ret, f);
    }
    return OK;
}

/* A former attempt came as far as the HSM's answer: it is put together again, where it is a signature at all. */
static enum outcome certificate_recall(struct runner *r, const struct step *s, struct span signature, json_t *result,
                                       bool *ret_found, struct fault *f)
{
    struct signing g = {0};
    struct buf der = BUF(LIMIT_CERTIFICATE);
    enum outcome o = signing_prepare(r, s, &g, f);

    if (o == OK)
        o = signed_structure_join(signature, buf_span(&g.key->public_key), g.profile->signature, buf_span(&g.tbs), &der,
                                  f);
    if (o == OK)
        o = product_keep(&g, buf_span(&der), result, f);
    *ret_found = o == OK;
    signing_clear(&g);
    buf_free(&der);
    return o == E_REFUSED ? OK : o;
}

/* A former attempt came as far as the artifact: it stands. Or as far as the signature. */
static enum outcome certificate_find(struct runner *r, const struct step *s, uint64_t begun, json_t *result,
                                     bool *ret_found, struct fault *f)
{
    struct signing g = {0};
    struct buf signature = BUF(1024);
    struct digest artifact, tbs;
    enum outcome o = OK;

    *ret_found = false;
    /* An artifact of the step can only be its own. */
    if (!artifact_find(r, s, s->action->kind == ACTION_ISSUE_CERTIFICATE ? "certificate" : "csr", &artifact)) {
        if (artifact_find(r, s, "tbs", &tbs))
            o = signature_find(r, s, begun, &signature, f);
        if (o == OK && signature.len > 0)
            o = certificate_recall(r, s, buf_span(&signature), result, ret_found, f);
        buf_free(&signature);
        return o;
    }
    o = signing_prepare(r, s, &g, f);
    if (o == OK)
        o = result_fill(&g, &artifact, result, f);
    if (o == OK)
        *ret_found = true;
    signing_clear(&g);
    return o;
}

static enum outcome certificate_once(struct runner *r, const struct step *s, json_t *result, struct fault *f)
{
    struct digest request;
    bool found = false;
    enum outcome o = effect_begin(r, s, certificate_find, result, &found, f);

    return o == OK && !found ? certificate_sign(r, s, result, &request, f) : o;
}

enum outcome perform_certificate(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                                 struct fault *f)
{
    enum outcome o = effect_repeat(r, s, certificate_once, result, ret_undone, f);

    if (o == OK && r->answers == NULL)
        talk_note(TONE_GOOD, "Signed: %s, kept as %s", step_with(s, "label"), json_string_or_null(result, "artifact"));
    return o;
}
