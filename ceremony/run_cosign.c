#include "ceremony/run_cosign.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/action_perform.h"
#include "ceremony/cosign_collect.h"
#include "estate/cosigned.h"

static bool after_cosigning(const char *type, const char *action)
{
    static const char *const types[] = {"cosigned", "environment", "left", "timestamp"}, *const actions[] = {
                                                                                             "cosign", "close", "leave",
                                                                                             "timestamp"};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    for (size_t i = 0; strcmp(type, "step") == 0 && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(action, actions[i]) == 0)
            return true;
    return false;
}

bool entry_after_cosigning(const json_t *entry)
{
    const char *type = json_string_or_null(entry, "type");
    const char *action = json_string_or_null(json_object_get(entry, "body"), "action");

    return type != NULL && after_cosigning(type, action != NULL ? action : "");
}

/* Entries that have to be cosigned before the ceremony may close: up to the last of its own that is more than cosigning,
 * stamping, leaving, going on after a break and closing (docs/FORMAT.md). */
static uint64_t record_to_cosign(const struct record *r)
{
    uint64_t size = 0;
    size_t index = 0;
    json_t *entry = NULL;

    json_array_foreach(r->entries, index, entry) if (!entry_after_cosigning(entry)) size =
        (uint64_t)json_integer_value(json_object_get(entry, "seq")) + 1;
    return size;
}

enum outcome close_cosigned(struct runner *r, struct fault *f)
{
    const struct policy *p = r->estate->policy;
    uint64_t wanted = record_to_cosign(&r->record), have = 0;

    if (p == NULL || !p->cosigners.before_close)
        return OK;
    have = cosigned_size(&r->estate->state, &p->cosigners);
    if (have >= wanted)
        return OK;
    return fault_set(f, E_PENDING,
                     "the policy wants the record cosigned before the ceremony closes: %" PRIu64 " of %" PRIu64
                     " entries are; run `quorate cosign collect`, then this again",
                     have, wanted);
}

/* Tries until the quorum has signed or a person takes a break. */
static enum outcome cosigned_log(struct runner *r, const struct step *s, json_t *result, struct fault *f)
{
    json_t *body = NULL;
    char size[24];
    struct digest root;
    enum outcome o = OK;

    do {
        o = runner_follow(r, f);
        if (o == OK)
            o = cosign_collect(r->estate, record_to_cosign(&r->record), s->id, &body, f);
    } while (o == E_PENDING && r->answers == NULL && runner_again(r, s, o, f) == OK);
    if (o != OK)
        return r->stopped ? E_REFUSED : o;
    snprintf(size, sizeof size, "%" PRId64, (int64_t)json_integer_value(json_object_get(body, "size")));
    if (json_want_digest(body, "root", &root, f) != OK || !json_put_digest(result, "root", &root) ||
        !json_put_string(result, "size", size))
        o = fault_memory(f);
    if (o == OK)
        o = runner_append(r, ENTRY_COSIGNED, json_incref(body), f);
    if (o == OK)
        o = cosign_collected(r->estate, f);
    json_decref(body);
    return o;
}

enum outcome perform_cosign(struct runner *r, const struct step *s, json_t *result, bool *ret_undone, struct fault *f)
{
    *ret_undone = false;
    return cosigned_log(r, s, result, f);
}
