#ifndef QUORATE_CEREMONY_ACTION_PERFORM_H
#define QUORATE_CEREMONY_ACTION_PERFORM_H

#include "ceremony/run_ask.h"
#include "ceremony/run_talk.h"
#include "estate/message.h"

/* The actions, one function each: fills `result` (an empty object at first), or leaves it empty and says *ret_undone. */
typedef enum outcome action_perform(struct runner *r, const struct step *s, json_t *result, bool *ret_undone,
                                    struct fault *f);

action_perform perform_enter, perform_leave, perform_check_clock, perform_confirm, perform_record, perform_exhibit,
    perform_read_aloud;
action_perform perform_open_bag, perform_seal_bag;
action_perform perform_generate, perform_approve, perform_attest, perform_certificate, perform_cosign, perform_drill,
    perform_arrive, perform_timestamp, perform_replicate;

/* The module asked the step's site by a question that files carry: writes it beside the ceremony and waits for the answer, which
 * the module takes in. */
enum outcome step_carry(struct runner *r, const struct step *s, enum message_kind kind, bool *ret_undone,
                        struct fault *f);

/* Copies what was given into the result. */
enum outcome result_take(json_t *result, const json_t *given, struct fault *f);

/* Around an action with a side effect. Calls `find` for an effect that a former attempt had after `begun`; without one
 * a deviation is demanded before it is tried again. *ret_found: the result stands, nothing is to be done. Otherwise
 * the step's request is allowed and `begun` is in the log. */
typedef enum outcome effect_find(struct runner *r, const struct step *s, uint64_t begun, json_t *result,
                                 bool *ret_found, struct fault *f);
enum outcome effect_begin(struct runner *r, const struct step *s, effect_find *find, json_t *result, bool *ret_found,
                          struct fault *f);

/* At the terminal waits for the word to begin, then tries until it is done or a person takes a break. */
typedef enum outcome effect_once(struct runner *r, const struct step *s, json_t *result, struct fault *f);
enum outcome effect_repeat(struct runner *r, const struct step *s, effect_once *once, json_t *result, bool *ret_undone,
                           struct fault *f);

/* Asks the module for what step `s` does, with no intention to get it: makes its request, or finds the pending one. Safe
 * only where the rule wants a quorum. */
enum outcome request_ahead(struct runner *r, const struct step *s, struct digest *ret, struct fault *f);
/* People bring the intent's key to one of its sites by a vendor's tools: the step is not done before it is there. */
bool clone_awaited(const struct runner *r, const struct state_intent *t);
/* The intent is of this step. */
bool intent_of_step(const struct runner *r, const struct step *s, const struct state_intent *i);
/* Has the module bring the key of a `replicate` step to its site. E_REFUSED: *ret_request is the request that waits, all zero
 * where there is none, and is written for that outcome too. */
enum outcome replicate_call(struct runner *r, const struct step *s, struct digest *ret_request, struct fault *f);
/* The key of a `replicate` step, where its site holds it already: nothing is to be done or approved. NULL: it does not. */
const struct state_key *replicate_held(const struct runner *r, const struct step *s);
/* The pending request of this ceremony for this step; E_ABSENT: none. */
enum outcome request_pending(struct runner *r, const struct step *s, struct request **ret, struct fault *f);
/* Its verdict as of now, were the ceremony at that step. */
enum outcome request_verdict(struct runner *r, const struct step *s, const struct request *request,
                             struct verdict **ret, struct fault *f);

/* The newest artifact of this step and kind in the log. */
bool artifact_find(const struct runner *r, const struct step *s, const char *kind, struct digest *ret);
/* The entry for what home/artifacts or home/profiles has already, named STEM+suffix. canonical may be NULL. */
struct artifact_made {
    const char *kind, *stem, *suffix;
    const struct digest *digest, *canonical;
    uint64_t awaits; /* the intent of the provisional key that signed it: released when that is born; 0: none */
};
enum outcome artifact_log(struct runner *r, const struct step *s, const struct artifact_made *made, struct fault *f);

/* The key of the log that signs now: born, or provisional and of this ceremony, whichever came last. */
const struct state_key *key_named(const struct runner *r, const char *token, const char *label);
/* The last key that was provisional in this ceremony before that entry, whatever became of it; NULL: none. */
const struct state_key *key_awaited(const struct runner *r, const char *token, const char *label, uint64_t before);

#endif
