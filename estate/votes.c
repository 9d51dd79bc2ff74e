#include "estate/votes.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "policy/signature.h"

#define APPROVAL_SUFFIX ".p7s"
#define REJECTION_SUFFIX ".reject.p7s"
#define REASON_SUFFIX ".reject.json"

char *request_path(const struct estate *e, const struct digest *request, const char *name)
{
    char *folder = NULL, *path = NULL;

    folder = estate_path(e, "requests", digest_hex(request).hex);
    if (folder == NULL || name == NULL)
        return folder;
    path = path_join(folder, name);
    free(folder);
    return path;
}

void votes_clear(struct votes *v)
{
    free(v->items);
    strings_free(&v->texts);
    *v = (struct votes){0};
}

static enum outcome votes_add(struct votes *v, const struct vote *vote, const char *what, struct fault *f)
{
    if (v->count == v->capacity) {
        size_t capacity = v->capacity != 0 ? v->capacity * 2 : 8;
        struct vote *items = realloc(v->items, capacity * sizeof *items);

        if (items == NULL)
            return fault_memory(f);
        v->items = items;
        v->capacity = capacity;
    }
    v->items[v->count] = *vote;
    v->items[v->count].what = NULL;
    if (what != NULL) {
        char text[512];
        struct buf clean = BUF(2048);
        bool kept = false;

        snprintf(text, sizeof text, "%s", what);
        printable_put(&clean, span_str(text));
        kept = !clean.failed && strings_add(&v->texts, buf_str(&clean));
        buf_free(&clean);
        if (!kept)
            return fault_memory(f);
        v->items[v->count].what = v->texts.items[v->texts.count - 1];
    }
    v->count++;
    return OK;
}

static enum outcome votes_add_unusable(struct votes *v, const char *name, const char *why, struct fault *f)
{
    char what[1200];

    snprintf(what, sizeof what, "%s: %s", name, why);
    return votes_add(v, &(struct vote){.kind = VOTE_UNUSABLE}, what, f);
}

/* The digest in PERSON.D.p7s. */
static bool renewal_named(const char *name, size_t len, struct digest *ret)
{
    const size_t suffix = strlen(APPROVAL_SUFFIX), again = 1 + 64 + suffix;
    struct fault ignored = {OK, ""};
    char hex[65];

    if (len <= again || name[len - again] != '.' || strcmp(name + len - suffix, APPROVAL_SUFFIX) != 0)
        return false;
    memcpy(hex, name + len - again + 1, 64);
    hex[64] = '\0';
    return digest_parse(hex, ret, &ignored) == OK;
}

/* "custodian-1.p7s" -> "custodian-1"; false where the name is no vote's. ret_again: it renews the approval *ret_renews. */
static bool vote_file_person(const char *name, char *ret_person, size_t size, bool *ret_rejection, bool *ret_again,
                             struct digest *ret_renews)
{
    size_t len = strlen(name), suffix = strlen(APPROVAL_SUFFIX);
    bool rejection = false, again = renewal_named(name, len, ret_renews);

    if (len > strlen(REJECTION_SUFFIX) && strcmp(name + len - strlen(REJECTION_SUFFIX), REJECTION_SUFFIX) == 0) {
        suffix = strlen(REJECTION_SUFFIX);
        rejection = true;
    } else if (again) {
        suffix += 1 + 64;
    } else if (len <= suffix || strcmp(name + len - suffix, APPROVAL_SUFFIX) != 0) {
        return false;
    }
    if (len - suffix >= size)
        return false;
    memcpy(ret_person, name, len - suffix);
    ret_person[len - suffix] = '\0';
    *ret_rejection = rejection;
    *ret_again = again;
    return true;
}

/* The certificates of the roster, for signatures that carry none. Those not at hand stay empty. */
static enum outcome roster_spans(struct estate *e, const struct policy *judge, struct buf **ret_ders,
                                 struct span **ret_spans, struct fault *f)
{
    struct buf *ders = calloc(judge->person_count + 1, sizeof *ders);
    struct span *spans = calloc(judge->person_count + 1, sizeof *spans);

    if (ders == NULL || spans == NULL) {
        free(ders);
        free(spans);
        return fault_memory(f);
    }
    for (size_t i = 0; i < judge->person_count; i++) {
        struct fault ignored = {OK, ""};

        ders[i] = BUF(LIMIT_CERTIFICATE);
        if (estate_certificate(e, &judge->people[i], &ders[i], &ignored) == OK)
            spans[i] = buf_span(&ders[i]);
    }
    *ret_ders = ders;
    *ret_spans = spans;
    return OK;
}

static void roster_spans_free(struct buf *ders, struct span *spans, size_t count)
{
    for (size_t i = 0; ders != NULL && i < count; i++)
        buf_free(&ders[i]);
    free(ders);
    free(spans);
}

static enum outcome signer_find(struct estate *e, const struct policy *judge, struct span der, struct span document,
                                struct signer *ret, struct fault *f)
{
    struct buf *ders = NULL;
    struct span *spans = NULL;
    enum outcome result = signature_verify(der, document, NULL, 0, ret, f);

    if (result == OK)
        return OK;
    result = roster_spans(e, judge, &ders, &spans, f);
    if (result == OK)
        result = signature_verify(der, document, spans, judge->person_count, ret, f);
    roster_spans_free(ders, spans, judge->person_count);
    return result;
}

static json_t *vote_body(const struct request *r, const char *person, const struct signer *signer, struct span der,
                         const struct digest *renews, struct span document, const char *reason)
{
    json_t *body = json_object();
    struct digest signature, text;
    bool good = digest_one(&signature, der) && json_put_digest(body, "request", &r->id) &&
                json_put_string(body, "person", person) && json_put_digest(body, "certificate", &signer->fingerprint) &&
                json_put_digest(body, "public-key", &signer->public_key) &&
                json_put_digest(body, "signature", &signature);

    if (good && renews != NULL)
        good = json_put_digest(body, "renews", renews);
    if (good && reason != NULL)
        good = digest_one(&text, document) && json_put_digest(body, "document", &text) &&
               json_put_string(body, "reason", reason);
    if (good)
        return body;
    json_decref(body);
    return NULL;
}

enum outcome vote_verify(struct estate *e, const struct policy *judge, const struct request *r, const char *person,
                         const struct digest *renews, struct span document, struct span der, json_t **ret_body,
                         struct vote *ret_vote, struct fault *f)
{
    enum outcome result = E_REFUSED;
    bool rejection = renews == NULL && !span_equal(document, buf_span(&r->bytes));
    const struct person *who = NULL;
    struct digest rejected;
    struct signer signer;
    char *reason = NULL;

    if (rejection) {
        result = rejection_parse(document, &rejected, &reason, f);
        if (result == OK && !digest_equal(&rejected, &r->id))
            result = fault_set(f, E_REFUSED, "the rejection is of another request (%s)", digest_hex(&rejected).hex);
        if (result != OK)
            goto out;
    }
    result = signer_find(e, judge, der, document, &signer, f);
    if (result != OK)
        goto out;
    who = policy_person_by_fingerprint(judge, &signer.fingerprint);
    if (who == NULL) {
        result = fault_set(f, E_REFUSED, "signed with a certificate that is nobody's in the policy (sha256:%s)",
                           digest_hex(&signer.fingerprint).hex);
        goto out;
    }
    if (strcmp(who->id, person) != 0) {
        result = fault_set(f, E_REFUSED, "signed by %s, not by %s", who->id, person);
        goto out;
    }
    *ret_body = vote_body(r, person, &signer, der, renews, document, reason);
    if (*ret_body == NULL) {
        result = fault_memory(f);
        goto out;
    }
    *ret_vote = (struct vote){.kind = rejection ? VOTE_REJECTION : VOTE_APPROVAL,
                              .fingerprint = signer.fingerprint,
                              .public_key = signer.public_key};
out:
    free(reason);
    return result;
}

static const struct state_vote *vote_in_log(const struct estate *e, const struct request *r, const char *signature_hex)
{
    const struct state_request *known = state_request(&e->state, &r->id);

    for (size_t i = 0; known != NULL && i < known->vote_count; i++)
        if (strcmp(digest_hex(&known->votes[i].signature).hex, signature_hex) == 0)
            return &known->votes[i];
    return NULL;
}

const char *vote_ceremony(const struct estate *e, const struct request *r)
{
    for (size_t i = 0; r->ceremony != NULL && i < e->state.ceremony_count; i++)
        if (strcmp(e->state.ceremonies[i].id, r->ceremony) == 0 && !e->state.ceremonies[i].closed)
            return e->state.ceremonies[i].id;
    return NULL;
}

/* An approval's time is that of its entry: the same signature, written in another way, is no new one. */
static enum outcome approval_fits(const struct estate *e, const struct request *r, const struct digest *renews,
                                  const json_t *body, const struct vote *vote, struct fault *f)
{
    const struct state_request *known = state_request(&e->state, &r->id);
    const struct state_vote *last = known != NULL ? state_approval(known, &vote->fingerprint) : NULL;

    if (vote->kind != VOTE_APPROVAL || vote_in_log(e, r, json_string_or_null(body, "signature")) != NULL)
        return OK;
    if (renews != NULL && (last == NULL || !digest_equal(&last->signature, renews)))
        return fault_set(f, E_REFUSED, "it renews an approval that is not that person's last one in the log");
    if (renews == NULL && last != NULL)
        return fault_set(f, E_REFUSED, "%s approved at %s by another signature; `quorate approve --again` renews that",
                         last->person, moment_format(last->at).text);
    return OK;
}

/* Gives the vote its time: that of its log entry, which is written here where there is none yet. */
static enum outcome vote_date(struct estate *e, const struct request *r, const json_t *body, bool log_new,
                              struct vote *vote, struct fault *f)
{
    const char *signature = json_string_or_null(body, "signature");
    const struct state_vote *logged = vote_in_log(e, r, signature);
    enum outcome result = OK;

    if (logged == NULL && log_new) {
        result = log_append(e->log, vote->kind == VOTE_REJECTION ? ENTRY_REJECTION : ENTRY_APPROVAL,
                            vote_ceremony(e, r), body, NULL, f);
        logged = result == OK ? vote_in_log(e, r, signature) : NULL;
    }
    vote->at = logged != NULL ? logged->at : log_time(e->log);
    vote->seq = logged != NULL ? logged->seq : 0;
    return result;
}

/* The signature, and the document that it is over. */
static enum outcome vote_read(struct estate *e, const struct request *r, const char *name, const char *person,
                              bool rejection, const struct digest *renews, struct buf *ret_der,
                              struct buf *ret_document, struct fault *f)
{
    enum outcome result = E_MEMORY;
    char reason_name[LIMIT_NAME + 32], *path = request_path(e, &r->id, name), *reason_path = NULL;

    if (path == NULL)
        return fault_memory(f);
    result = file_read(path, false, ret_der, f);
    if (result == OK && rejection) {
        snprintf(reason_name, sizeof reason_name, "%s" REASON_SUFFIX, person);
        reason_path = request_path(e, &r->id, reason_name);
        result = reason_path != NULL ? file_read(reason_path, false, ret_document, f) : fault_memory(f);
    } else if (result == OK && renews != NULL) {
        result = renewal_compose(&r->id, renews, ret_document, f);
    } else if (result == OK) {
        buf_put(ret_document, r->bytes.data, r->bytes.len);
        result = ret_document->failed ? fault_memory(f) : OK;
    }
    free(reason_path);
    free(path);
    return result;
}

static enum outcome vote_take(struct estate *e, const struct policy *judge, const struct request *r, const char *name,
                              bool renewals, bool log_new, struct votes *ret, struct fault *f)
{
    enum outcome result = OK;
    struct buf der = BUF(LIMIT_SIGNATURE), document = BUF(LIMIT_REQUEST);
    char person[LIMIT_NAME + 1];
    bool rejection = false, again = false;
    json_t *body = NULL;
    struct vote vote = {.kind = VOTE_UNUSABLE};
    struct digest renewed;
    const struct digest *renews = NULL;
    struct fault why = {OK, ""};

    if (!vote_file_person(name, person, sizeof person, &rejection, &again, &renewed) || again != renewals)
        return OK; /* the request itself, a reason, somebody's notes */
    renews = again ? &renewed : NULL;
    result = vote_read(e, r, name, person, rejection, renews, &der, &document, &why);
    if (result == OK)
        result = vote_verify(e, judge, r, person, renews, buf_span(&document), buf_span(&der), &body, &vote, &why);
    if (result == OK)
        result = approval_fits(e, r, renews, body, &vote, &why);
    if (result != OK)
        result = votes_add_unusable(ret, name, why.text, f);
    else if ((result = vote_date(e, r, body, log_new, &vote, f)) == OK)
        result = votes_add(ret, &vote, json_string_or_null(body, "reason"), f);
    json_decref(body);
    buf_free(&document);
    buf_free(&der);
    return result;
}

/* What the log has but the folder has not: somebody removed or altered a file. */
static enum outcome votes_missing(const struct estate *e, const struct request *r, struct votes *v, struct fault *f)
{
    const struct state_request *known = state_request(&e->state, &r->id);
    enum outcome result = OK;

    for (size_t i = 0; result == OK && known != NULL && i < known->vote_count; i++) {
        const struct state_vote *logged = &known->votes[i];
        bool here = false;

        for (size_t j = 0; j < v->count && !here; j++)
            here = v->items[j].kind != VOTE_UNUSABLE && v->items[j].seq == logged->seq;
        if (!here)
            result = votes_add_unusable(
                v, logged->person, "a signature that the log knows lies no longer beside the request; sign again", f);
    }
    return result;
}

/* By the log, and what it does not have (seq 0) last: the folder's order is that of names. */
static int vote_compare(const void *left, const void *right)
{
    uint64_t a = ((const struct vote *)left)->seq - 1, b = ((const struct vote *)right)->seq - 1;

    return (a > b) - (a < b);
}

/* All files; those that the log does not have yet become durable together, also where a later one cannot be read. */
static enum outcome votes_take(struct estate *e, const struct policy *judge, const struct request *r,
                               const struct strings *names, bool log_new, struct votes *ret, struct fault *f)
{
    struct fault later = {OK, ""};
    enum outcome result = OK, ended = OK;

    if (log_new)
        log_group(e->log);
    for (int renewals = 0; renewals <= 1; renewals++) /* after what they renew */
        for (size_t i = 0; result == OK && i < names->count; i++)
            result = vote_take(e, judge, r, names->items[i], renewals, log_new, ret, f);
    if (log_new)
        ended = log_group_end(e->log, &later);
    if (result == OK && ended != OK)
        *f = later;
    return result == OK ? ended : result;
}

enum outcome votes_gather(struct estate *e, const struct policy *judge, const struct request *r, bool log_new,
                          struct votes *ret, struct fault *f)
{
    enum outcome result = E_MEMORY;
    struct strings names = {0};
    struct votes votes = {0};
    char *folder = request_path(e, &r->id, NULL);

    if (folder == NULL)
        return fault_memory(f);
    result = folder_list(folder, &names, f);
    if (result == E_ABSENT)
        result = OK;
    if (result == OK && names.count > LIMIT_APPROVALS * 3)
        result = fault_set(f, E_REFUSED, "%s holds %zu files: remove what does not belong there", folder, names.count);
    result = result == OK ? votes_take(e, judge, r, &names, log_new, &votes, f) : result;
    if (result == OK)
        result = votes_missing(e, r, &votes, f);
    if (result == OK && votes.count > 1)
        qsort(votes.items, votes.count, sizeof *votes.items, vote_compare);
    if (result == OK)
        *ret = votes;
    else
        votes_clear(&votes);
    strings_free(&names);
    free(folder);
    return result;
}
