#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/pkcs11_client.h"

/* generate-key-pair: the module does it; the log's `born` says that it happened. */

static bool born_is(const json_t *entry, const struct step *s)
{
    const json_t *body = json_object_get(entry, "body");
    const char *type = json_string_or_null(entry, "type"), *token = json_string_or_null(body, "token"),
               *label = json_string_or_null(body, "label");

    return type != NULL && strcmp(type, entry_type_name(ENTRY_BORN)) == 0 && token != NULL && label != NULL &&
           strcmp(token, step_with(s, "token")) == 0 && strcmp(label, step_with(s, "label")) == 0 &&
           json_object_get(body, "fingerprint") != NULL && json_object_get(body, "intent") != NULL;
}

static enum outcome generated_put(const char *fingerprint, int64_t intent, const struct step *s, json_t *result,
                                  struct fault *f)
{
    char text[24];

    snprintf(text, sizeof text, "%" PRId64, intent);
    return json_put_string(result, "fingerprint", fingerprint) && json_put_string(result, "intent", text) &&
                   json_put_string(result, "label", step_with(s, "label")) &&
                   json_put_string(result, "token", step_with(s, "token"))
               ? OK
               : fault_memory(f);
}

bool clone_awaited(const struct runner *r, const struct state_intent *t)
{
    for (size_t i = 0; i < t->offered.count; i++) {
        const struct binding *b = bindings_site(r->estate->bindings, t->token, t->offered.items[i]);

        if (b != NULL && b->cloned != NULL && !strings_have(&t->receipted, b->site))
            return true;
    }
    return false;
}

/* Made, and not born before the last receipts come. */
static bool provisional_is(const struct runner *r, const struct step *s, uint64_t begun, const struct state_key **ret)
{
    const struct state_key *k = key_awaited(r, step_with(s, "token"), step_with(s, "label"), UINT64_MAX);

    const struct state_intent *t = k != NULL ? state_intent(&r->estate->state, k->intent) : NULL;

    *ret = k;
    return k != NULL && k->seq > begun && t->state != INTENT_ROLLED_BACK &&
           (t->state != INTENT_PROVISIONAL || !clone_awaited(r, t));
}

static enum outcome generated_find(struct runner *r, const struct step *s, uint64_t begun, json_t *result,
                                   bool *ret_found, struct fault *f)
{
    const struct state_key *awaited = NULL;

    for (size_t i = json_array_size(r->record.entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->record.entries, i), *body = json_object_get(entry, "body");

        if ((uint64_t)json_integer_value(json_object_get(entry, "seq")) <= begun)
            break;
        if (!born_is(entry, s))
            continue;
        *ret_found = true;
        return generated_put(json_string_or_null(body, "fingerprint"),
                             json_integer_value(json_object_get(body, "intent")), s, result, f);
    }
    if (!provisional_is(r, s, begun, &awaited))
        return OK;
    *ret_found = true;
    return generated_put(digest_hex(&awaited->fingerprint).hex, (int64_t)awaited->intent, s, result, f);
}

static enum outcome generate_once(struct runner *r, const struct step *s, json_t *result, struct fault *f)
{
    struct digest request;
    struct fault why;
    uint64_t begun = 0;
    bool found = false;
    enum outcome o = effect_begin(r, s, generated_find, result, &found, f);

    if (o != OK || found)
        return o;
    o = pkcs11_generate(r->client, r->estate, step_with(s, "token"), step_with(s, "label"), step_with(s, "type"),
                        &request, f);
    if (o != OK && o != E_REFUSED)
        return o;
    /* A birth that waits for receipts ends in a refusal, too. */
    why = *f;
    o = runner_follow(r, f);
    if (o == OK && record_begun(&r->record, s->id, &begun))
        o = generated_find(r, s, begun, result, &found, f);
    if (o == OK && !found && why.outcome == E_REFUSED)
        o = fault_set(f, E_REFUSED, "%s", why.text);
    else if (o == OK && !found)
        o = fault_set(f, E_DEVICE, "the module made a key pair, but the log of this ceremony does not show its birth");
    return o;
}

/* Which receipts are awaited, and until when: also of a run that nobody follows. */
static void awaited_tell(const struct runner *r, const struct state_key *key)
{
    const struct state_intent *i = state_intent(&r->estate->state, key->intent);
    struct buf names = BUF(4096);

    for (size_t n = 0; n < i->offered.count; n++)
        if (!strings_have(&i->receipted, i->offered.items[n]))
            buf_putf(&names, "%s%s", names.len > 0 ? ", " : "", i->offered.items[n]);
    talk_note(TONE_WAIT,
              "Provisional: %s, public key %s. The receipt of %s is awaited until %s (quorate offer export); what this "
              "key signs before is unreleased",
              key->label, digest_hex(&key->fingerprint).hex, buf_str(&names), moment_format(i->until).text);
    buf_free(&names);
}

enum outcome perform_generate(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    enum outcome o = effect_repeat(r, s, generate_once, result, ret_undone, f);
    const struct state_key *awaited = NULL;

    if (o == OK && *ret_undone)
        return OK;
    if (o == OK && provisional_is(r, s, 0, &awaited) &&
        state_intent(&r->estate->state, awaited->intent)->state == INTENT_PROVISIONAL)
        awaited_tell(r, awaited);
    else if (o == OK && r->answers == NULL)
        talk_note(TONE_GOOD, "Born: %s, public key %s", step_with(s, "label"),
                  json_string_or_null(result, "fingerprint"));
    return o;
}
