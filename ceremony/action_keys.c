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

static enum outcome generated_find(struct runner *r, const struct step *s, uint64_t begun, json_t *result,
                                   bool *ret_found, struct fault *f)
{
    for (size_t i = json_array_size(r->record.entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->record.entries, i), *body = json_object_get(entry, "body");
        char intent[24];

        if ((uint64_t)json_integer_value(json_object_get(entry, "seq")) <= begun)
            break;
        if (!born_is(entry, s))
            continue;
        snprintf(intent, sizeof intent, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(body, "intent")));
        if (!json_put_string(result, "fingerprint", json_string_or_null(body, "fingerprint")) ||
            !json_put_string(result, "intent", intent) || !json_put_string(result, "label", step_with(s, "label")) ||
            !json_put_string(result, "token", step_with(s, "token")))
            return fault_memory(f);
        *ret_found = true;
        return OK;
    }
    return OK;
}

static enum outcome generate_once(struct runner *r, const struct step *s, json_t *result, struct fault *f)
{
    struct digest request;
    uint64_t begun = 0;
    bool found = false;
    enum outcome o = effect_begin(r, s, generated_find, result, &found, f);

    if (o != OK || found)
        return o;
    o = pkcs11_generate(r->client, r->estate, step_with(s, "token"), step_with(s, "label"), step_with(s, "type"),
                        &request, f);
    if (o == OK)
        o = runner_follow(r, f);
    if (o == OK && record_begun(&r->record, s->id, &begun))
        o = generated_find(r, s, begun, result, &found, f);
    if (o == OK && !found)
        o = fault_set(f, E_DEVICE, "the module made a key pair, but the log of this ceremony does not show its birth");
    return o;
}

enum outcome perform_generate(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    enum outcome o = effect_repeat(r, s, generate_once, result, ret_undone, f);

    if (o == OK && r->answers == NULL)
        talk_note(TONE_GOOD, "Born: %s, public key %s", step_with(s, "label"),
                  json_string_or_null(result, "fingerprint"));
    return o;
}
