#include <stdlib.h>
#include <string.h>

#include "ceremony/describe.h"
#include "ceremony/key.h"
#include "ceremony/tbs.h"
#include "ceremony/terminal.h"
#include "ceremony/tool.h"
#include "ceremony/vote.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "policy/signature.h"

/* `quorate approve` and `quorate reject`: shows, asks, checks key and certificate, signs, hands over to the estate. */

struct ballot {
    struct estate *estate;
    struct request *request;
    const struct person *person;
    X509 *certificate;
    const char *reason; /* NULL: an approval */
    bool again;         /* that renews the one before */
};

/* Nobody signs in vain; the estate says it again under its lock. */
static enum outcome ballot_open(const struct ballot *b, struct fault *f)
{
    const struct state_request *known = state_request(&b->estate->state, &b->request->id);
    moment now = moment_now();

    if (!known)
        return fault_set(f, E_REFUSED, "the log knows no request %.12s", digest_hex(&b->request->id).hex);
    for (size_t i = 0; i < known->vote_count && !b->again; i++)
        if (known->votes[i].rejection == (b->reason != NULL) && strcmp(known->votes[i].person, b->person->id) == 0)
            return fault_set(f, E_REFUSED, "%s has %s request %.12s already, at %s", b->person->id,
                             b->reason ? "rejected" : "approved", digest_hex(&known->id).hex,
                             moment_format(known->votes[i].at).text);
    if (known->state == REQUEST_PENDING && now < known->expires)
        return OK;
    return fault_set(
        f, E_REFUSED, "request %.12s takes no more votes: it is %s%s%s; what is still wanted must be asked for anew",
        digest_hex(&known->id).hex, request_word(known, now), known->why ? ": " : "", known->why ? known->why : "");
}

static enum outcome ballot_person(struct ballot *b, const char *id, struct fault *f)
{
    const struct policy *judging = NULL;
    enum outcome o = estate_judging(b->estate, b->request, &judging, f);

    if (o != OK)
        return o;
    b->person = policy_person(judging, id);
    if (!b->person)
        return fault_set(f, E_REFUSED, "\"%s\" is nobody in the policy %s", id, judging->file);
    return OK;
}

static enum outcome ballot_certificate(struct ballot *b, const char *file, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_CERTIFICATE);
    struct signer signer;
    enum outcome o = OK;

    if (file) {
        o = certificate_file(file, &b->certificate, f);
    } else {
        o = estate_certificate(b->estate, b->person, &bytes, f);
        if (o == OK)
            o = certificate_parse(buf_span(&bytes), &b->certificate, f);
    }
    if (o == OK)
        o = certificate_digests(b->certificate, &signer, f);
    if (o == OK && !digest_equal(&signer.fingerprint, &b->person->fingerprint))
        o = fault_set(f, E_REFUSED,
                      "the certificate is not that of %s: its fingerprint is sha256:%s, the policy has sha256:%s",
                      b->person->id, digest_hex(&signer.fingerprint).hex, digest_hex(&b->person->fingerprint).hex);
    buf_free(&bytes);
    return o;
}

static enum outcome approval_give(const struct ballot *b, struct span der, struct fault *f)
{
    return b->again ? estate_approve_again(b->estate, b->request, b->person->id, der, f)
                    : estate_approve(b->estate, b->request, b->person->id, der, f);
}

static enum outcome ballot_cast(const struct ballot *b, const struct key *key, struct fault *f)
{
    struct buf document = BUF(LIMIT_REQUEST), der = BUF(LIMIT_SIGNATURE);
    struct span signed_bytes = buf_span(&b->request->bytes);
    enum outcome o = key_matches(key, b->certificate, f);

    if (o != OK)
        fault_context(f, "%s", b->person->id);
    if (o == OK && b->reason) {
        o = rejection_compose(&b->request->id, b->reason, &document, f);
        signed_bytes = buf_span(&document);
    } else if (o == OK && b->again) {
        o = estate_renewal(b->estate, b->request, b->person->id, &document, f);
        signed_bytes = buf_span(&document);
    }
    if (o == OK)
        o = signature_make(key->private, b->certificate, signed_bytes, &der, f);
    if (o == OK && b->reason)
        o = estate_reject(b->estate, b->request, b->person->id, signed_bytes, buf_span(&der), f);
    else if (o == OK)
        o = approval_give(b, buf_span(&der), f);
    buf_free(&der);
    buf_free(&document);
    return o;
}

static enum outcome ballot_tell_json(const struct ballot *b, const struct verdict *v, struct fault *f)
{
    json_t *j = json_object();

    if (json_put_string(j, "person", b->person->id) && json_put_digest(j, "request", &b->request->id) &&
        json_put(j, "verdict", verdict_details(v)) && json_put_string(j, "vote", b->reason ? "rejection" : "approval"))
        return print_json(j, f);
    json_decref(j);
    return fault_memory(f);
}

/* Where the request stands now. */
static enum outcome ballot_tell(const struct ballot *b, bool json, struct fault *f)
{
    struct verdict *v = NULL;
    static const enum tone tones[] = {
        [DECISION_DENY] = TONE_BAD, [DECISION_PENDING] = TONE_WAIT, [DECISION_ALLOW] = TONE_GOOD};
    struct buf text = BUF(OUTPUT_MAX), where = BUF(OUTPUT_MAX);
    enum outcome o = request_judge(b->estate, b->request, &v, f);

    if (o != OK)
        goto out;
    if (json) {
        o = ballot_tell_json(b, v, f);
        goto out;
    }
    verdict_put_short(v, &where);
    buf_putf(&text, "%s has %s request %.12s: ", b->person->id, b->reason ? "rejected" : "approved",
             digest_hex(&b->request->id).hex);
    print_toned(&text, tones[v->decision], buf_str(&where));
    buf_puts(&text, "\n");
    for (size_t i = 0; i < v->finding_count; i++)
        if (v->findings[i].kind == FINDING_NOTE && strstr(v->findings[i].text, b->person->id))
            print_field(&text, "note", "%s", v->findings[i].text);
    o = print_out(&text, f);
out:
    verdict_free(v);
    buf_free(&where);
    buf_free(&text);
    return o;
}

static enum outcome ballot_run(const struct arguments *a, const char *reason, struct fault *f)
{
    struct ballot b = {.reason = reason, .again = !reason && argument_flag(a, "again")};
    struct key key = {0};
    const char *as = NULL, *key_text = NULL;
    bool ask = terminal_present() && !argument_flag(a, "yes");
    char *folder = NULL;
    enum outcome o = argument_want(a, "as", &as, f);

    if (o == OK)
        o = argument_key(a, &key_text, f);
    if (o == OK)
        o = estate_open(argument(a, "bindings"), &b.estate, f);
    if (o == OK)
        o = request_named(b.estate, a->operands[0], &b.request, f);
    if (o == OK)
        o = ballot_person(&b, as, f);
    if (o == OK)
        o = ballot_open(&b, f);
    if (o == OK)
        o = ballot_certificate(&b, argument(a, "certificate"), f);
    if (o == OK && !(folder = tbs_folder(b.estate, &b.request->id)))
        o = fault_memory(f);
    if (o == OK)
        o = vote_show(folder, b.request, b.person->id, reason, ask, f);
    if (o == OK)
        o = key_open(key_text, argument(a, "card-module"), &key, f);
    if (o == OK)
        o = ballot_cast(&b, &key, f);
    if (o == OK)
        o = ballot_tell(&b, argument_flag(a, "json"), f);
    key_close(&key);
    free(folder);
    X509_free(b.certificate);
    request_free(b.request);
    estate_close(b.estate);
    return o;
}

/* PERSON.reject.json lies beside PERSON.reject.p7s. */
static enum outcome import_document(const char *file, struct buf *ret, struct fault *f)
{
    static const char suffix[] = "p7s";
    size_t len = strlen(file), stem = len - (sizeof suffix - 1);
    struct buf path = BUF(len + sizeof "json");
    enum outcome o = OK;

    if (len < sizeof suffix || strcmp(file + stem, suffix) != 0)
        return fault_set(f, E_INVALID, "%s: the signature of a rejection was expected, PERSON.reject.p7s", file);
    buf_put(&path, file, stem);
    buf_puts(&path, "json");
    o = path.failed ? fault_memory(f) : file_read(buf_str(&path), false, ret, f);
    buf_free(&path);
    return o;
}

/* A vote that was signed elsewhere: the estate verifies it like one that is signed here. */
static enum outcome ballot_import(const struct arguments *a, const char *file, bool rejects, struct fault *f)
{
    struct ballot b = {.reason = rejects ? "" : NULL, .again = !rejects && argument_flag(a, "again")};
    struct buf document = BUF(LIMIT_REQUEST), der = BUF(LIMIT_SIGNATURE);
    const char *as = NULL;
    enum outcome o = argument_want(a, "as", &as, f);

    if (o == OK)
        o = estate_open(argument(a, "bindings"), &b.estate, f);
    if (o == OK)
        o = request_named(b.estate, a->operands[0], &b.request, f);
    if (o == OK)
        o = ballot_person(&b, as, f);
    if (o == OK)
        o = ballot_open(&b, f);
    if (o == OK)
        o = file_read(file, false, &der, f);
    if (o == OK && rejects)
        o = import_document(file, &document, f);
    if (o == OK)
        o = rejects ? estate_reject(b.estate, b.request, b.person->id, buf_span(&document), buf_span(&der), f)
                    : approval_give(&b, buf_span(&der), f);
    if (o == OK)
        o = ballot_tell(&b, argument_flag(a, "json"), f);
    buf_free(&document);
    buf_free(&der);
    request_free(b.request);
    estate_close(b.estate);
    return o;
}

/* What goes together of the ways to vote: ID with a key, --file with a key, ID and --import. */
static enum outcome ways_check(const struct arguments *a, const char *command, struct fault *f)
{
    const char *file = argument(a, "file"), *import = argument(a, "import");

    if (file && (import || a->operand_count))
        return fault_set(f, E_INVALID, "--file is there for people elsewhere: it goes with neither ID nor --import");
    if (!file && a->operand_count == 0)
        return fault_set(f, E_INVALID, "ID or --file is missing; `quorate %s --help` says what they are for", command);
    if (import && argument(a, "key"))
        return fault_set(f, E_INVALID, "--import takes what was signed elsewhere: it goes without --key");
    return OK;
}

enum outcome run_approve(const struct arguments *a, struct fault *f)
{
    const char *file = argument(a, "file"), *import = argument(a, "import");

    if (ways_check(a, "approve", f) != OK)
        return f->outcome;
    if (file && argument_flag(a, "again"))
        return fault_set(f, E_INVALID,
                         "--again names the approval before, which the estate knows: it goes without --file");
    if (file)
        return vote_away(a, file, NULL, f);
    return import ? ballot_import(a, import, false, f) : ballot_run(a, NULL, f);
}

enum outcome run_reject(const struct arguments *a, struct fault *f)
{
    const char *file = argument(a, "file"), *import = argument(a, "import"), *reason = NULL;
    enum outcome o = ways_check(a, "reject", f);

    if (o == OK && import && argument(a, "reason"))
        o = fault_set(f, E_INVALID,
                      "--import takes what was signed elsewhere, its reason too: it goes without --reason");
    if (o == OK && !import)
        o = argument_want(a, "reason", &reason, f);
    if (o == OK && reason && !utf8_printable(span_str(reason)))
        o = fault_set(f, E_INVALID, "the reason must be one line of printable UTF-8");
    if (o != OK)
        return o;
    if (file)
        return vote_away(a, file, reason, f);
    return import ? ballot_import(a, import, true, f) : ballot_run(a, reason, f);
}
