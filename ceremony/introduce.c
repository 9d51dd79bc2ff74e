#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ceremony/adopt.h"
#include "ceremony/attestation.h"
#include "ceremony/client.h"
#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/host.h"

/* At a site that is elsewhere. `quorate introduce FILE`: pins estate, log key and policy by the quorum of that policy's own
 * adopt-policy rule, in a home of the site's own; then the HSM makes its keys. `quorate accept`: one message, its answer. */

struct introduction {
    const struct arguments *a;
    struct buf bytes;
    struct message message;
    struct estate *host; /* as the message shows it */
    struct note_key key;
    struct estate *own;
    bool told; /* what people compare */
};

static enum outcome message_load(struct introduction *n, struct fault *f)
{
    enum outcome o = file_read(n->a->operands[0], false, &n->bytes, f);

    if (o == OK)
        o = message_read(buf_span(&n->bytes), &n->message, f);
    if (o == OK && n->message.kind != MESSAGE_POLICY)
        o = fault_set(f, E_INVALID, "a message made by `quorate policy export` is expected");
    if (o == OK)
        o = host_examine(&n->message, &n->host, &n->key, f);
    return o == OK ? OK : fault_context(f, "%s", n->a->operands[0]);
}

/* The policy file that the bindings name is the host's, byte for byte; where there is none yet it is put there, for people
 * to read before they approve its digest. */
static enum outcome policy_place(const struct introduction *n, const struct bindings *b, struct fault *f)
{
    const struct policy *p = n->host->policy;
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    enum outcome o = file_read(b->policy, true, &bytes, f);

    if (o == E_ABSENT)
        o = file_create(b->policy, buf_span(&p->source), 0644, f);
    else if (o == OK && !span_equal(buf_span(&bytes), buf_span(&p->source)))
        o = fault_set(f, E_REFUSED, "%s is not the policy that the message has in force (digest %s): move it away",
                      b->policy, digest_hex(&p->digest).hex);
    buf_free(&bytes);
    return o;
}

static enum outcome home_provide(struct introduction *n, struct fault *f)
{
    const char *path = argument(n->a, "bindings");
    const struct message *m = &n->message;
    struct bindings *b = NULL;
    const struct binding *site = NULL;
    struct fault why = {OK, ""};
    enum outcome o = bindings_load(path, &b, f);

    if (o != OK)
        return o;
    site = bindings_site(b, m->token, m->site);
    if (site == NULL || site->reach != REACH_MODULE)
        o = fault_set(f, E_ABSENT, "the message is for %s at %s, which %s does not name with a module", m->token,
                      m->site, b->path);
    if (o == OK)
        o = estate_open(path, &n->own, &why);
    if (o == E_ABSENT && site != NULL && site->reach == REACH_MODULE) {
        o = policy_place(n, b, f);
        if (o == OK)
            o = estate_create(path, n->host->state.environment, NULL, f);
        if (o == OK)
            o = estate_open(path, &n->own, f);
    } else if (n->own == NULL && why.outcome != OK) {
        *f = why;
    }
    bindings_free(b);
    return o;
}

static enum outcome pins_compare(const struct introduction *n, struct fault *f)
{
    const struct state *own = &n->own->state, *host = &n->host->state;
    const struct state_host *pinned = own->host;
    const struct message *m = &n->message;

    if (strcmp(own->environment, host->environment) != 0)
        return fault_set(f, E_REFUSED, "this home is for the environment %s, the estate's is %s", own->environment,
                         host->environment);
    if (pinned == NULL && own->policy_version != 0)
        return fault_set(f, E_REFUSED, "%s is the home of an estate of its own: a site needs another",
                         n->own->bindings->home);
    if (pinned == NULL && !digest_equal(&own->genesis_policy, &host->policy))
        return fault_set(f, E_REFUSED,
                         "this home was made for the policy %.16s, the message has %.16s in force: move %s away and "
                         "begin anew",
                         digest_hex(&own->genesis_policy).hex, digest_hex(&host->policy).hex, n->own->bindings->home);
    if (pinned != NULL && (!digest_equal(&pinned->estate, &host->estate) || strcmp(pinned->token, m->token) != 0 ||
                           strcmp(pinned->site, m->site) != 0))
        return fault_set(f, E_REFUSED, "this home is %s at %s of the estate %.16s; the message is for another",
                         pinned->token, pinned->site, digest_hex(&pinned->estate).hex);
    return OK;
}

/* The certificates that votes are verified with, before anybody votes. */
static enum outcome people_place(const struct introduction *n, struct fault *f)
{
    const struct policy *p = n->host->policy;
    enum outcome o = OK;

    for (size_t i = 0; o == OK && i < p->person_count; i++) {
        struct buf der = BUF(LIMIT_CERTIFICATE);
        struct digest kept;
        char name[80];

        snprintf(name, sizeof name, "people/%s.der", digest_hex(&p->people[i].fingerprint).hex);
        o = message_file(&n->message, name, &der, f);
        if (o == OK)
            o = estate_keep(n->own, "people", ".der", buf_span(&der), &kept, f);
        if (o == OK && !digest_equal(&kept, &p->people[i].fingerprint))
            o = fault_set(f, E_REFUSED, "the message's %s is another certificate", name);
        buf_free(&der);
    }
    return o;
}

static json_t *pins_json(const struct introduction *n)
{
    const struct state *s = &n->host->state;
    struct buf vkey = BUF(LIMIT_NOTE);
    json_t *pins = json_object();

    note_key_put(&n->key, &vkey);
    bool good = json_put_string(pins, "environment", s->environment) && json_put_digest(pins, "estate", &s->estate) &&
                json_put_string(pins, "log-key", buf_str(&vkey)) && json_put_string(pins, "origin", s->origin) &&
                json_put_string(pins, "site", n->message.site) && json_put_string(pins, "token", n->message.token);

    buf_free(&vkey);
    if (good)
        return pins;
    json_decref(pins);
    return NULL;
}

/* What people compare with what the host shows, before they approve. */
static void pins_tell(struct introduction *n, struct buf *b)
{
    struct digest key;

    if (n->told)
        return;
    n->told = true;
    memcpy(key.bytes, n->key.public_key, sizeof key.bytes);
    print_field(b, "estate", "%s", digest_hex(&n->host->state.estate).hex);
    print_words(b, &n->host->state.estate);
    print_field(b, "log key", "%s", digest_hex(&key).hex);
    print_words(b, &key);
    print_field(b, "environment", "%s", n->host->state.environment);
    print_field(b, "policy", "%s version %u, digest %s", n->host->policy->name, n->host->policy->version,
                digest_hex(&n->host->policy->digest).hex);
}

static enum outcome people_decide(struct introduction *n, struct fault *f)
{
    json_t *pins = pins_json(n);
    struct adoption adoption = {.estate = n->own,
                                .policy = n->host->policy,
                                .json = argument_flag(n->a, "json"),
                                .host = pins,
                                .context = {.judge = n->host->policy}};
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = pins != NULL ? people_place(n, f) : fault_memory(f);

    if (o == OK && !adoption.json) {
        pins_tell(n, &b);
        o = print_out(&b, f);
    }
    if (o == OK)
        o = adoption_run(&adoption, f);
    buf_free(&b);
    json_decref(pins);
    return o;
}

/* What the HSM's vendor says of them, or could. */
static void keys_tell(const struct introduction *n, const json_t *answer, struct buf *b)
{
    const struct site *s = policy_site(n->host->policy, n->message.site);

    if (json_object_get(answer, "attestation") != NULL)
        attestation_put(b, json_object_get(answer, "attestation"));
    else if (s != NULL && s->root_count > 0)
        attestable_put(b, answer, "this command again with");
}

static enum outcome introduction_tell(struct introduction *n, const char *out, const char *answer, struct fault *f)
{
    struct buf identity = BUF(LIMIT_ATTRIBUTE), b = BUF(OUTPUT_MAX);
    struct digest fingerprint;
    json_t *json = NULL;
    enum outcome o = json_parse_canonical(span_str(answer), &json, f);

    if (o == OK)
        o = hex_parse_buf(json_string_value(json_object_get(json, "identity")), &identity, f);
    if (o == OK && !digest_one(&fingerprint, buf_span(&identity)))
        o = fault_memory(f);
    if (o == OK && argument_flag(n->a, "json")) {
        o = print_json(json_pack("{ssssss}", "identity", digest_hex(&fingerprint).hex, "introduction", out, "status",
                                 "introduced"),
                       f);
    } else if (o == OK) {
        pins_tell(n, &b);
        print_field(&b, "identity key", "%s", digest_hex(&fingerprint).hex);
        print_words(&b, &fingerprint);
        keys_tell(n, json, &b);
        print_field(&b, "introduction", "%s", out);
        print_field(&b, "next", "at the host: quorate enrol %s --token %s, with --carried %s where files are carried",
                    n->message.site, n->message.token, out);
        o = print_out(&b, f);
    }
    json_decref(json);
    buf_free(&identity);
    buf_free(&b);
    return o;
}

/* The host's log is kept from here on; the HSM makes its keys and answers. */
static enum outcome keys_make(struct introduction *n, struct fault *f)
{
    const char *out = argument(n->a, "out") != NULL ? argument(n->a, "out") : "introduction.json", *text = NULL;
    struct host *host = NULL;
    struct client *c = NULL;
    json_t *question = json_object(), *answer = NULL;
    enum outcome o = question != NULL ? host_open(n->own, &host, f) : fault_memory(f);

    if (o == OK && n->message.size >= host->copy->state.size)
        o = host_follow(host, &n->message, f);
    host_close(host);
    if (o == OK)
        o = client_open(argument(n->a, "module"), argument(n->a, "bindings"), &c, f);
    if (o == OK)
        o = attestation_ask(n->a, question, f);
    if (o == OK) {
        o = client_call(c, "introduce", question, &answer, f);
        question = NULL; /* taken by client_call */
    }
    if (o == OK)
        o = json_want_string(answer, "answer", &text, f);
    if (o == OK)
        o = file_replace(out, span_str(text), 0644, f);
    if (o == OK)
        o = introduction_tell(n, out, text, f);
    client_close(c);
    json_decref(question);
    json_decref(answer);
    return o;
}

enum outcome run_introduce(const struct arguments *a, struct fault *f)
{
    struct introduction n = {.a = a, .bytes = BUF(LIMIT_MESSAGE), .message = {.kind = MESSAGE_KINDS}};
    enum outcome o = message_load(&n, f);

    if (o == OK)
        o = home_provide(&n, f);
    if (o == OK)
        o = pins_compare(&n, f);
    if (o == OK && (n.own->state.host == NULL || n.own->state.policy_version == 0))
        o = people_decide(&n, f);
    if (o == OK)
        o = keys_make(&n, f);
    estate_close(n.own);
    estate_close(n.host);
    message_clear(&n.message);
    buf_free(&n.bytes);
    return o;
}
