#include "ceremony/run_open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/print.h"
#include "ceremony/run_talk.h"
#include "ceremony/waiting.h"
#include "core/file.h"
#include "core/limits.h"

struct opening {
    struct runner *runner;
    struct buf bindings, bindings_json;
    struct digest bindings_canonical;
    char id[LIMIT_NAME * 2];
};

const struct state_ceremony *ceremony_running(const struct state *s, const char *script)
{
    for (size_t i = s->ceremony_count; i-- > 0;) {
        if (!s->ceremonies[i].closed && strcmp(s->ceremonies[i].script, script) == 0)
            return &s->ceremonies[i];
    }
    return NULL;
}

enum outcome voters_check(const struct runner *r, const struct digest *request, struct fault *f)
{
    const struct state_request *known = state_request(&r->estate->state, request);

    for (size_t i = 0; known != NULL && i < known->vote_count; i++) {
        const char *role_id = known->votes[i].rejection ? NULL : cast_role(&r->cast, known->votes[i].person);
        const struct role *role = role_id != NULL ? script_role(r->script, role_id) : NULL;

        if (role != NULL && strcmp(role->of, "ceremony-administrator") == 0)
            return fault_set(f, E_REFUSED,
                             "%s is %s of this ceremony and has approved request %.12s: an administrator "
                             "approves nothing; let somebody else be %s, or somebody else approve",
                             known->votes[i].person, role->id, digest_hex(request).hex, role->id);
    }
    return OK;
}

/* SCRIPT-N: the same question until it is answered, another one after each opening. */
static void ceremony_name(const struct runner *r, char *ret, size_t size)
{
    const struct state *s = &r->estate->state;
    unsigned number = 1;

    for (size_t i = 0; i < s->ceremony_count; i++)
        number += strcmp(s->ceremonies[i].script, r->script->id) == 0;
    snprintf(ret, size, "%s-%u", r->script->id, number);
}

/* The bindings as they are on the disk now, which must be those that this process works with. */
static enum outcome bindings_describe(struct opening *x, struct fault *f)
{
    const struct bindings *b = x->runner->estate->bindings;
    struct yaml *root = NULL;
    json_t *json = NULL;
    struct digest digest;
    enum outcome o = file_read(b->path, true, &x->bindings, f);

    if (o == OK && (!digest_one(&digest, buf_span(&x->bindings)) || !digest_equal(&digest, &b->digest)))
        o = fault_set(f, E_REFUSED, "%s was changed while this command started; run it again", b->path);
    if (o == OK)
        o = yaml_parse(b->path, buf_span(&x->bindings), &root, f);
    if (o == OK)
        o = yaml_to_json(root, &json, f);
    if (o == OK)
        o = json_canonical(json, &x->bindings_json, f);
    if (o == OK && !digest_one(&x->bindings_canonical, buf_span(&x->bindings_json)))
        o = fault_set(f, E_IO, "libcrypto does not hash");
    json_decref(json);
    yaml_free(root);
    return o;
}

static bool pair_put(json_t *object, const char *name, const struct digest *digest, const struct digest *canonical,
                     const char *id)
{
    json_t *pair = json_object();
    bool good = json_put_digest(pair, "canonical", canonical) && json_put_digest(pair, "digest", digest) &&
                (id == NULL || json_put_string(pair, "id", id)) && json_put(object, name, json_incref(pair));

    json_decref(pair);
    return good;
}

/* What is approved, and what ceremony-opened repeats. */
static bool members_put(const struct opening *x, json_t *object)
{
    const struct runner *r = x->runner;

    return pair_put(object, "bindings", &r->estate->bindings->digest, &x->bindings_canonical, NULL) &&
           json_put_string(object, "ceremony", x->id) && json_put(object, "people", cast_json(&r->cast)) &&
           pair_put(object, "script", &r->script->digest, &r->script->canonical, r->script->id);
}

static json_t *opening_subject(const struct opening *x)
{
    json_t *subject = asking_subject(x->runner->estate, OP_OPEN_CEREMONY, NULL);

    if (members_put(x, subject))
        return subject;
    json_decref(subject);
    return NULL;
}

/* home/FOLDER/DIGEST.yaml and .json, before the log names them. */
static enum outcome document_keep(const struct estate *e, const char *folder, struct span source, struct span canonical,
                                  struct fault *f)
{
    struct digest digest;
    char name[96], *path = NULL;
    enum outcome o = estate_keep(e, folder, ".yaml", source, &digest, f);

    if (o != OK)
        return o;
    snprintf(name, sizeof name, "%s.json", digest_hex(&digest).hex);
    path = estate_path(e, folder, name);
    o = path != NULL ? file_replace(path, canonical, 0644, f) : fault_memory(f);
    free(path);
    return o;
}

static enum outcome documents_keep(const struct opening *x, struct fault *f)
{
    const struct runner *r = x->runner;
    enum outcome o =
        document_keep(r->estate, "scripts", buf_span(&r->script->source), buf_span(&r->script->canonical_json), f);

    return o == OK ? document_keep(r->estate, "bindings", buf_span(&x->bindings), buf_span(&x->bindings_json), f) : o;
}

/* An opening that was decided, and that a crash kept from the log. */
static enum outcome intent_left(const struct opening *x, const struct state_intent **ret, struct fault *f)
{
    const struct state *s = &x->runner->estate->state;
    json_t *wanted = json_object();
    enum outcome o = members_put(x, wanted) ? OK : fault_memory(f);

    for (size_t i = 0; i < s->intent_count && o == OK; i++) {
        struct request *request = NULL;
        bool same = true;
        const char *name = NULL;
        json_t *value = NULL;

        if (s->intents[i].state != INTENT_OPEN || strcmp(s->intents[i].operation, "open-ceremony") != 0)
            continue;
        o = estate_request(x->runner->estate, &s->intents[i].request, &request, f);
        if (o != OK)
            break;
        json_object_foreach(wanted, name, value)
        {
            same = same && json_equal(json_object_get(request->subject->json, name), value);
        }
        if (same)
            *ret = &s->intents[i];
        request_free(request);
    }
    json_decref(wanted);
    return o;
}

/* At the terminal the digests are shown, for people compare them with a release note. */
static enum outcome environment_log(struct runner *r, struct fault *f)
{
    json_t *body = NULL, *value = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    const char *name = NULL;
    enum outcome o = environment_describe(r, &body, f);

    if (o == OK)
        o = estate_append(r->estate, ENTRY_ENVIRONMENT, body, NULL, f);
    if (o == OK && r->answers == NULL) {
        print_head(&b, "What runs here");
        json_object_foreach(json_object_get(body, "software"), name, value)
        {
            print_field(&b, "", "%s", name);
            print_field(&b, "SHA-256", "%s", json_string_value(value));
        }
        o = print_out(&b, f);
    }
    buf_free(&b);
    json_decref(body);
    return o;
}

/* Asks, and says for whom it waits; OK where the decision has been taken and stands in the log. */
static enum outcome decision_take(struct opening *x, const struct state_intent **ret, struct fault *f)
{
    struct runner *r = x->runner;
    struct answer answer = {0};
    struct buf why = BUF(OUTPUT_MAX);
    uint64_t seq = 0;
    json_t *subject = opening_subject(x);
    enum outcome o = subject != NULL ? estate_ask(r->estate, subject, NULL, &answer, f) : fault_memory(f);

    if (o != OK)
        goto out;
    if (answer.plain) {
        o = fault_set(f, E_REFUSED,
                      "a rule allows open-ceremony without anybody's approval; the entry would name no "
                      "request: require a quorum for it");
        goto out;
    }
    if (answer.request == NULL || answer.verdict->decision != DECISION_ALLOW) {
        verdict_put_short(answer.verdict, &why);
        if (answer.request != NULL && answer.verdict->decision == DECISION_PENDING)
            o = waiting_tell(false, x->id, digest_hex(&answer.request->id).hex, buf_str(&why), f);
        else
            o = fault_set(f, E_REFUSED, "ceremony %s may not be opened: %s", x->id, buf_str(&why));
        goto out;
    }
    o = voters_check(r, &answer.request->id, f);
    if (o == OK)
        o = environment_log(r, f);
    if (o == OK)
        o = estate_intend(r->estate, answer.request, NULL, NULL, &seq, f);
    if (o == OK && (*ret = state_intent(&r->estate->state, seq)) == NULL)
        o = fault_set(f, E_IO, "the log does not show the intent just written");
out:
    buf_free(&why);
    answer_clear(&answer);
    return o;
}

static enum outcome opened_log(const struct opening *x, const struct state_intent *intent, struct fault *f)
{
    struct estate *e = x->runner->estate;
    json_t *body = json_object();
    bool good = members_put(x, body) && json_put_digest(body, "request", &intent->request) &&
                json_put(body, "verdict", json_deep_copy(json_object_get(intent->body, "verdict")));
    enum outcome o = good ? documents_keep(x, f) : fault_memory(f);

    if (o == OK) {
        e->ceremony = strdup(x->id);
        o = e->ceremony != NULL ? estate_append(e, ENTRY_CEREMONY_OPENED, body, NULL, f) : fault_memory(f);
    }
    json_decref(body);
    return o;
}

static enum outcome ceremony_begin(struct opening *x, struct fault *f)
{
    struct runner *r = x->runner;
    const struct state_intent *intent = NULL;
    enum outcome o = cast_check(&r->cast, r->script, r->estate->policy, moment_now(), f);

    if (o == OK)
        o = intent_left(x, &intent, f);
    if (o == OK && intent == NULL)
        o = decision_take(x, &intent, f);
    return o == OK ? opened_log(x, intent, f) : o;
}

/* The ceremony that is open must have been opened with this script, these bindings and these people. */
static enum outcome ceremony_resume(struct opening *x, const struct state_ceremony *open, struct fault *f)
{
    struct runner *r = x->runner;
    struct buf bytes = BUF(LIMIT_ENTRY);
    struct entry entry = {0};
    struct cast cast = {0};
    json_t *now = json_object();
    enum outcome o = OK;

    snprintf(x->id, sizeof x->id, "%s", open->id);
    o = log_entry_bytes(r->estate->log, open->seq, &bytes, f);
    if (o == OK)
        o = entry_parse(buf_span(&bytes), &entry, f);
    if (o == OK)
        o = cast_from_json(json_object_get(entry.body, "people"), &cast, f);
    if (o != OK)
        goto out;
    if (r->cast.count == 0) {
        r->cast = cast;
        cast = (struct cast){0}; /* taken by the runner */
    }
    if (!members_put(x, now))
        o = fault_memory(f);
    else if (!json_equal(json_object_get(now, "script"), json_object_get(entry.body, "script")))
        o = fault_set(f, E_REFUSED,
                      "ceremony %s is open with another script than %s (its digest was not approved); "
                      "restore the file to go on",
                      x->id, r->script->file);
    else if (!json_equal(json_object_get(now, "bindings"), json_object_get(entry.body, "bindings")))
        o = fault_set(f, E_REFUSED, "ceremony %s is open with other bindings than %s; restore the file to go on", x->id,
                      r->estate->bindings->path);
    else if (!json_equal(json_object_get(now, "people"), json_object_get(entry.body, "people")))
        o = fault_set(f, E_REFUSED, "ceremony %s is open with other people; those of its opening stay", x->id);
    else if ((r->estate->ceremony = strdup(x->id)) == NULL)
        o = fault_memory(f);
out:
    json_decref(now);
    cast_clear(&cast);
    entry_clear(&entry);
    buf_free(&bytes);
    return o;
}

/* The module takes the ceremony's lock; no second process runs it. */
static enum outcome ceremony_hold(struct runner *r, struct fault *f)
{
    json_t *question = json_object(), *answer = NULL;
    enum outcome o = json_put_string(question, "ceremony", r->estate->ceremony) ? OK : fault_memory(f);

    if (o == OK)
        o = client_call(r->client, "ceremony", json_incref(question), &answer, f);
    json_decref(answer);
    json_decref(question);
    return o;
}

enum outcome ceremony_open(struct runner *r, struct fault *f)
{
    struct opening x = {.runner = r, .bindings = BUF(LIMIT_DOCUMENT), .bindings_json = BUF(2 * LIMIT_DOCUMENT)};
    const struct state_ceremony *open = ceremony_running(&r->estate->state, r->script->id);
    bool resumed = open != NULL;
    enum outcome o = bindings_describe(&x, f);

    if (o != OK)
        goto out;
    if (resumed) {
        o = ceremony_resume(&x, open, f);
    } else {
        ceremony_name(r, x.id, sizeof x.id);
        o = ceremony_begin(&x, f);
    }
    if (o == OK)
        o = ceremony_hold(r, f);
    if (o == OK && resumed)
        o = environment_log(r, f);
    if (o == OK)
        o = record_open(r->estate->ceremony, &r->record, f);
    if (o == OK)
        o = runner_follow(r, f);
out:
    buf_free(&x.bindings);
    buf_free(&x.bindings_json);
    return o;
}
