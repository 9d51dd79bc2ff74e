#include "ceremony/vote.h"

#include <stdio.h>
#include <stdlib.h>

#include "ceremony/describe.h"
#include "ceremony/key.h"
#include "ceremony/tbs.h"
#include "ceremony/terminal.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "policy/signature.h"

/* Requests on their way to people who cannot reach the home, and their votes. Nothing that travels is trusted: the
 * person signs the bytes that are shown, and the estate verifies the signature when it comes back. */

enum outcome vote_show(const char *folder, const struct request *r, const char *person, const char *reason, bool ask,
                       struct fault *f)
{
    struct buf text = BUF(OUTPUT_MAX);
    char question[256];
    enum outcome o = OK;

    buf_puts(&text, person);
    buf_puts(&text, reason ? " rejects: " : " approves: ");
    subject_put(&text, r);
    o = tbs_put(folder, r, &text, f);
    print_field(&text, "rule", "%s (policy version %u)", r->rule, r->policy_version);
    print_field(&text, "expires", "%s", moment_format(r->expires).text);
    if (reason)
        print_field(&text, "reason", "%s", reason);
    print_field(&text, "id", "%s", digest_hex(&r->id).hex);
    print_words(&text, &r->id);
    if (text.failed) {
        buf_free(&text);
        return fault_memory(f);
    }
    print_aside(&text);
    buf_free(&text);
    if (o != OK && !reason)
        return o;
    snprintf(question, sizeof question, "Sign this as %s?", person);
    return ask ? terminal_confirm(question, f) : OK;
}

enum outcome certificate_file(const char *path, X509 **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_CERTIFICATE);
    enum outcome o = file_read(path, false, &bytes, f);

    if (o == OK)
        o = certificate_parse(buf_span(&bytes), ret, f);
    if (o != OK)
        o = fault_context(f, "%s", path);
    buf_free(&bytes);
    return o;
}

/* FOLDER/PERSON.SUFFIX, the caller's; NULL on memory. */
static char *beside(const char *folder, const char *person, const char *suffix)
{
    char name[LIMIT_NAME + 16];

    snprintf(name, sizeof name, "%s.%s", person, suffix);
    return path_join(folder, name);
}

static enum outcome away_certificate(const struct arguments *a, const char *folder, const char *person, X509 **ret,
                                     struct fault *f)
{
    const char *given = argument(a, "certificate");
    char *path = given ? NULL : beside(folder, person, "der");
    enum outcome o = OK;

    if (!given && !path)
        return fault_memory(f);
    o = certificate_file(given ? given : path, ret, f);
    if (o == E_ABSENT)
        fault_set(f, E_ABSENT, "there is no certificate of %s beside the request; name it with --certificate", person);
    free(path);
    return o;
}

/* A vote that is signed away from the estate; reason NULL: an approval. */
struct away {
    const char *folder, *person, *reason;
    const struct request *request;
    X509 *certificate;
};

static enum outcome away_tell(const struct away *w, const char *path, bool json, struct fault *f)
{
    const struct digest_text id = digest_hex(&w->request->id);
    struct buf text = BUF(OUTPUT_MAX);
    json_t *j = NULL;
    enum outcome o;

    if (json) {
        j = json_object();
        if (json_put_string(j, "file", path) && json_put_string(j, "person", w->person) &&
            json_put_digest(j, "request", &w->request->id) &&
            json_put_string(j, "vote", w->reason ? "rejection" : "approval"))
            return print_json(j, f);
        json_decref(j);
        return fault_memory(f);
    }
    buf_putf(&text, "%s has signed %srequest %.12s. Where the estate is: quorate %s %.12s --as %s --import %s\n",
             w->person, w->reason ? "the rejection of " : "", id.hex, w->reason ? "reject" : "approve", id.hex,
             w->person, path);
    o = print_out(&text, f);
    buf_free(&text);
    return o;
}

/* PERSON.p7s over the request; or PERSON.reject.json, and PERSON.reject.p7s over that. */
static enum outcome away_put(const struct away *w, const struct key *key, char **ret_path, struct fault *f)
{
    struct buf document = BUF(LIMIT_REQUEST), der = BUF(LIMIT_SIGNATURE);
    struct span said = buf_span(&w->request->bytes);
    char *words = w->reason ? beside(w->folder, w->person, "reject.json") : NULL;
    char *path = beside(w->folder, w->person, w->reason ? "reject.p7s" : "p7s");
    enum outcome o = path && (words || !w->reason) ? OK : fault_memory(f);

    if (o == OK && w->reason) {
        o = rejection_compose(&w->request->id, w->reason, &document, f);
        said = buf_span(&document);
    }
    if (o == OK)
        o = signature_make(key->private, w->certificate, said, &der, f);
    if (o == OK && words)
        o = file_create(words, said, 0644, f);
    if (o == OK)
        o = file_create(path, buf_span(&der), 0644, f);
    if (o == OK) {
        *ret_path = path;
        path = NULL; /* the caller's */
    }
    free(path);
    free(words);
    buf_free(&document);
    buf_free(&der);
    return o;
}

static enum outcome away_sign(const struct arguments *a, const struct away *w, struct fault *f)
{
    const char *key_text = NULL;
    struct key key = {0};
    char *path = NULL;
    enum outcome o = argument_key(a, &key_text, f);

    if (o == OK)
        o = vote_show(w->folder, w->request, w->person, w->reason, terminal_present() && !argument_flag(a, "yes"), f);
    if (o == OK)
        o = key_open(key_text, argument(a, "card-module"), &key, f);
    if (o == OK && key_matches(&key, w->certificate, f) != OK)
        o = fault_context(f, "%s", w->person);
    if (o == OK)
        o = away_put(w, &key, &path, f);
    if (o == OK)
        o = away_tell(w, path, argument_flag(a, "json"), f);
    key_close(&key);
    free(path);
    return o;
}

enum outcome vote_away(const struct arguments *a, const char *file, const char *reason, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_REQUEST);
    struct request *r = NULL;
    char *folder = path_folder(file);
    struct away w = {.folder = folder, .reason = reason};
    enum outcome o = folder ? argument_want(a, "as", &w.person, f) : fault_memory(f);

    if (o == OK && !name_valid(w.person))
        o = fault_set(f, E_INVALID, "\"%s\" cannot be the id of a person", w.person);
    if (o == OK)
        o = file_read(file, false, &bytes, f);
    if (o == OK)
        o = request_parse(buf_span(&bytes), &r, f);
    if (o == OK && moment_now() >= r->expires)
        o = fault_set(f, E_REFUSED, "request %.12s takes no more votes: it expired at %s", digest_hex(&r->id).hex,
                      moment_format(r->expires).text);
    w.request = r;
    if (o == OK)
        o = away_certificate(a, folder, w.person, &w.certificate, f);
    if (o == OK)
        o = away_sign(a, &w, f);
    X509_free(w.certificate);
    request_free(r);
    buf_free(&bytes);
    free(folder);
    return o;
}

static enum outcome export_people(struct estate *e, const struct request *r, const char *folder, struct fault *f)
{
    const struct policy *p = NULL;
    struct buf der = BUF(LIMIT_CERTIFICATE);
    enum outcome o = estate_judging(e, r, &p, f);

    for (size_t i = 0; o == OK && i < p->person_count; i++) {
        char *path = beside(folder, p->people[i].id, "der");

        buf_clear(&der);
        o = path ? estate_certificate(e, &p->people[i], &der, f) : fault_memory(f);
        if (o == OK)
            o = file_create(path, buf_span(&der), 0644, f);
        free(path);
    }
    buf_free(&der);
    return o;
}

enum outcome run_request_export(const struct arguments *a, struct fault *f)
{
    struct estate *e = NULL;
    struct request *r = NULL;
    struct strings names = {0};
    struct buf text = BUF(OUTPUT_MAX);
    const char *to = NULL;
    char *path = NULL, *folder = NULL;
    enum outcome o = argument_want(a, "to", &to, f);

    if (o == OK)
        o = estate_open(argument(a, "bindings"), &e, f);
    if (o == OK)
        o = request_named(e, a->operands[0], &r, f);
    if (o == OK)
        o = folder_make(to, 0755, f);
    if (o == OK)
        o = folder_list(to, &names, f);
    if (o == OK && names.count > 0)
        o = fault_set(f, E_INVALID, "%s is not empty: name another folder with --to", to);
    if (o == OK && !(path = path_join(to, "request.json")))
        o = fault_memory(f);
    if (o == OK)
        o = file_create(path, buf_span(&r->bytes), 0644, f);
    if (o == OK)
        o = export_people(e, r, to, f);
    if (o == OK && !(folder = tbs_folder(e, &r->id)))
        o = fault_memory(f);
    if (o == OK)
        o = tbs_export(folder, to, f);
    if (o == OK) {
        buf_putf(&text, "request %.12s lies in %s; there: quorate approve --file %s --as PERSON --key KEY\n",
                 digest_hex(&r->id).hex, to, path);
        print_words(&text, &r->id);
        o = print_out(&text, f);
    }
    free(path);
    free(folder);
    buf_free(&text);
    strings_free(&names);
    request_free(r);
    estate_close(e);
    return o;
}
