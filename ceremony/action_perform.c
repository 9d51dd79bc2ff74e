#include "ceremony/action_perform.h"

static action_perform *performer(enum action_kind kind)
{
    switch (kind) {
    case ACTION_ENTER:
        return perform_enter;
    case ACTION_LEAVE:
        return perform_leave;
    case ACTION_CHECK_CLOCK:
        return perform_check_clock;
    case ACTION_CONFIRM:
    case ACTION_SAY:
    case ACTION_CLOSE:
        return perform_confirm;
    case ACTION_RECORD:
        return perform_record;
    case ACTION_OPEN_BAG:
        return perform_open_bag;
    case ACTION_SEAL_BAG:
        return perform_seal_bag;
    case ACTION_ARRIVE:
        return perform_arrive;
    case ACTION_DRILL:
        return perform_drill;
    case ACTION_GENERATE_KEY_PAIR:
        return perform_generate;
    case ACTION_REPLICATE:
        return perform_replicate;
    case ACTION_MAKE_CSR:
    case ACTION_ISSUE_CERTIFICATE:
        return perform_certificate;
    case ACTION_APPROVE:
        return perform_approve;
    case ACTION_EXHIBIT:
        return perform_exhibit;
    case ACTION_READ_ALOUD:
        return perform_read_aloud;
    case ACTION_COSIGN:
        return perform_cosign;
    case ACTION_TIMESTAMP:
        return perform_timestamp;
    case ACTION_ATTEST:
        return perform_attest;
    case ACTION_UNBUILT:
        break;
    }
    return NULL;
}

enum outcome step_perform(struct runner *r, const struct step *s, json_t **ret_result, struct fault *f)
{
    action_perform *perform = performer(s->action->kind);
    json_t *result = json_object();
    bool undone = false;
    enum outcome o = OK;

    if (result == NULL)
        return fault_memory(f);
    o = perform != NULL ? perform(r, s, result, &undone, f) : fault_set(f, E_INVALID, "not yet: %s", s->action->name);
    if (o == OK) {
        *ret_result = result;
        result = NULL; /* the caller's */
    }
    json_decref(result);
    return o;
}
