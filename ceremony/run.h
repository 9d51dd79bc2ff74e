#ifndef QUORATE_CEREMONY_RUN_H
#define QUORATE_CEREMONY_RUN_H

#include "ceremony/answers.h"
#include "ceremony/client.h"
#include "ceremony/run_cast.h"
#include "ceremony/run_record.h"
#include "ceremony/script.h"
#include "estate/asking.h"

/* One run of a script: what its steps share. */
struct runner {
    struct estate *estate; /* its ceremony is set from the opening on */
    struct script *script;
    struct client *client;
    struct cast cast;
    struct answers *answers; /* NULL: people at the terminal */
    struct record record;
    const char *module; /* as given on the command line, or NULL */
    size_t index;       /* of the step at hand */
    struct strings actors;
    bool stopped; /* a person took a break, or the input ended: E_REFUSED with an empty text */
};

/* Reads what module, children and others wrote. */
enum outcome runner_follow(struct runner *r, struct fault *f);
/* One entry of the ceremony, and follows. Takes `body`; NULL is E_MEMORY. */
enum outcome runner_append(struct runner *r, enum entry_type type, json_t *body_taken, struct fault *f);
/* `deviation`: who accepts it is in the room, and did not do the step alone. */
enum outcome runner_deviate(struct runner *r, const struct step *s, const char *cause, const char *accepted_by,
                            struct fault *f);

/* Tells the module where the ceremony is: `operation` -1 none. tbs: what the step signs, kept in home/artifacts; NULL: none. */
enum outcome runner_stand(struct runner *r, const struct step *s, int operation, const struct digest *tbs,
                          struct fault *f);

/* Does the step at hand, whose actors are known. *ret_result: an object of strings, the caller's; empty where it was
 * left undone under a deviation. */
enum outcome step_perform(struct runner *r, const struct step *s, json_t **ret_result, struct fault *f);

#endif
