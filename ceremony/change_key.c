#include <string.h>

#include "audit/note.h"
#include "ceremony/describe.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/waiting.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/asking.h"

/* `quorate log change-key`: the new key, request, intent, then the entry that puts it in force. `quorate log move`: the
 * same with a key that was made elsewhere, under another origin; nothing follows here. */

struct change {
    struct estate *estate;
    bool json;
    bool moves;      /* to another machine */
    struct buf vkey; /* of the new key */
};

static json_t *change_subject(const struct change *c)
{
    json_t *subject = asking_subject(c->estate, OP_CHANGE_LOG_KEY, NULL);

    if (json_put_string(subject, "log-key", buf_str(&c->vkey)))
        return subject;
    json_decref(subject);
    return NULL;
}

static enum outcome change_tell(const struct change *c, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    json_t *j = NULL;
    enum outcome o = E_MEMORY;

    if (c->json) {
        j = json_object();
        if (json_put_string(j, "log-key", buf_str(&c->vkey)) &&
            json_put_string(j, "status", c->moves ? "moved" : "in force"))
            return print_json(j, f);
        json_decref(j);
        return fault_memory(f);
    }
    buf_puts(&b, c->moves ? "Home: " : "Log key: ");
    print_toned(&b, TONE_GOOD, c->moves ? "moved" : "in force");
    buf_puts(&b, "\n");
    print_field(&b, "log-key", "%s", buf_str(&c->vkey));
    if (c->moves)
        print_field(&b, "next", "copy the home to the other machine, with that key as log/key.new; this one is closed");
    print_field(&b, "trust", "trust files go on naming the first key: the log leads from it to this one");
    o = print_out(&b, f);
    buf_free(&b);
    return o;
}

/* The new key, made where an earlier call has not. */
static enum outcome change_key(struct change *c, struct fault *f)
{
    struct note_key key;
    enum outcome o = log_begin(c->estate->log, f);

    if (o == OK)
        o = log_next_key(c->estate->log, &key, f);
    log_end(c->estate->log);
    if (o == OK)
        note_key_put(&key, &c->vkey);
    return o == OK && c->vkey.failed ? fault_memory(f) : o;
}

/* An intent of this very change that a crash left open: decided, only the entry is missing. */
static enum outcome change_left(const struct change *c, const struct state_intent **ret, struct fault *f)
{
    const struct state *s = &c->estate->state;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < s->intent_count; i++) {
        const struct state_intent *intent = &s->intents[i];
        const char *asked = NULL;
        struct request *r = NULL;

        if (intent->state != INTENT_OPEN || strcmp(intent->operation, operation_name(OP_CHANGE_LOG_KEY)) != 0)
            continue;
        o = estate_request(c->estate, &intent->request, &r, f);
        if (o == OK && json_want_string(r->subject->json, "log-key", &asked, f) == OK &&
            strcmp(asked, buf_str(&c->vkey)) == 0)
            *ret = intent;
        request_free(r);
    }
    return o;
}

static enum outcome change_ask(const struct change *c, const struct state_intent **ret, struct fault *f)
{
    const struct asking_context context = {.ceremony = NULL};
    struct answer answer = {0};
    struct buf why = BUF(OUTPUT_MAX);
    json_t *subject = change_subject(c);
    uint64_t seq = 0;
    enum outcome o = subject ? estate_ask(c->estate, subject, &context, &answer, f) : fault_memory(f);

    if (o != OK)
        goto out;
    if (answer.plain) {
        o = fault_set(f, E_REFUSED,
                      "a rule allows change-log-key without anybody's approval; the entry would name no request: "
                      "require a quorum for it");
        goto out;
    }
    verdict_put_short(answer.verdict, &why);
    if (answer.verdict->decision == DECISION_PENDING && answer.request) {
        o = waiting_tell(c->json, c->moves ? "The move" : "The new log key", digest_hex(&answer.request->id).hex,
                         buf_str(&why), f);
    } else if (answer.verdict->decision != DECISION_ALLOW || !answer.request) {
        o = fault_set(f, E_REFUSED, "the log's key may not be changed: %s", buf_str(&why));
    } else {
        o = estate_intend(c->estate, answer.request, &context, NULL, &seq, f);
        if (o == OK)
            *ret = state_intent(&c->estate->state, seq);
    }
out:
    buf_free(&why);
    answer_clear(&answer);
    return o;
}

static enum outcome change_enter(const struct change *c, const struct state_intent *intent, struct fault *f)
{
    json_t *body = json_object();
    bool good = json_put_string(body, "log-key", buf_str(&c->vkey)) &&
                json_put_digest(body, "request", &intent->request) &&
                json_put(body, "verdict", json_deep_copy(json_object_get(intent->body, "verdict")));
    enum outcome o =
        good ? estate_append(c->estate, c->moves ? ENTRY_MOVED : ENTRY_LOG_KEY, body, NULL, f) : fault_memory(f);

    json_decref(body);
    if (o != OK || c->moves)
        return o;
    /* The next to begin puts the new key in its place: now, not when somebody next writes. */
    o = log_begin(c->estate->log, f);
    log_end(c->estate->log);
    return o;
}

static enum outcome change_run(struct change *c, struct fault *f)
{
    const struct state_intent *intent = NULL;
    enum outcome o = change_left(c, &intent, f);

    if (o == OK && !intent)
        o = change_ask(c, &intent, f);
    if (o == OK)
        o = intent ? change_enter(c, intent, f) : fault_set(f, E_IO, "the log does not show the intent just written");
    return o == OK ? change_tell(c, f) : o;
}

enum outcome run_log_change_key(const struct arguments *a, struct fault *f)
{
    struct change c = {.json = argument_flag(a, "json"), .vkey = BUF(1024)};
    enum outcome o = estate_open(argument(a, "bindings"), &c.estate, f);

    if (o == OK)
        o = estate_policy_in_force(c.estate, f);
    if (o == OK)
        o = change_key(&c, f);
    if (o == OK)
        o = change_run(&c, f);
    buf_free(&c.vkey);
    estate_close(c.estate);
    return o;
}

/* The key that goes on was made at the other machine; its name is one that this log never had. */
static enum outcome move_check(struct change *c, const char *vkey, struct fault *f)
{
    const struct state *s = &c->estate->state;
    struct note_key key;

    if (note_key_parse(vkey, &key, f) != OK)
        return fault_context(f, "the verifier key");
    if (strcmp(key.name, s->origin) == 0)
        return fault_set(f, E_REFUSED, "the key is one of this log itself: make it with `quorate log new-home`");
    for (size_t i = 0; i < s->move_count; i++)
        if (strcmp(key.name, s->moves[i].before) == 0)
            return fault_set(f, E_REFUSED, "this log was called %s before: choose another origin", key.name);
    buf_puts(&c->vkey, vkey);
    return c->vkey.failed ? fault_memory(f) : OK;
}

enum outcome run_log_move(const struct arguments *a, struct fault *f)
{
    struct change c = {.json = argument_flag(a, "json"), .moves = true, .vkey = BUF(1024)};
    enum outcome o = estate_open(argument(a, "bindings"), &c.estate, f);

    if (o == OK)
        o = estate_policy_in_force(c.estate, f);
    if (o == OK)
        o = move_check(&c, a->operands[0], f);
    if (o == OK)
        o = change_run(&c, f);
    buf_free(&c.vkey);
    estate_close(c.estate);
    return o;
}

enum outcome run_log_new_home(const struct arguments *a, struct fault *f)
{
    struct buf pem = BUF_SECRET(LIMIT_NOTE), vkey = BUF(1024), told = BUF(OUTPUT_MAX);
    struct note_key key;
    EVP_PKEY *secret = NULL;
    uint8_t public[32];
    enum outcome o = log_key_generate(&secret, &pem, public, f);

    EVP_PKEY_free(secret);
    if (o == OK)
        o = note_key_make(a->operands[0], public, &key, f);
    if (o == OK)
        o = file_create(a->operands[1], buf_span(&pem), 0600, f);
    if (o == OK) {
        note_key_put(&key, &vkey);
        print_field(&told, "log-key", "%s", buf_str(&vkey));
        o = print_out(&told, f);
    }
    buf_free(&pem);
    buf_free(&vkey);
    buf_free(&told);
    return o;
}
