#ifndef QUORATE_CEREMONY_SCRIPT_H
#define QUORATE_CEREMONY_SCRIPT_H

#include "ceremony/action.h"
#include "core/buf.h"
#include "core/digest.h"
#include "core/fault.h"
#include "policy/classes.h"

/* A ceremony script: reviewed, printed, rehearsed and run from one file (design, section 10). Parsed once, then read
 * only; steps are expanded and numbered as docs/FORMAT.md says. */

struct role {
    char *id, *of;             /* of: the role of the policy that its holders have */
    char *organisation_not_of; /* another role's id, or NULL */
    unsigned at_least;
    bool card_optional;
    unsigned line, column;
};

enum step_by { BY_HOLDER /* the role's one holder */, BY_ANY, BY_EACH, BY_COUNT };

struct step_value {
    char *name, *value;
};

struct step {
    char id[32];                                 /* "2.3", "2.3.1" */
    const char *act;                             /* the act's title; borrowed from the script */
    unsigned act_number;                         /* from 1 */
    char *text, *expect, *say, *saves, *waiting; /* all but text may be NULL; waiting: `for`, as written */
    enum step_by by;
    unsigned count; /* BY_COUNT */
    const struct role *role;
    const struct action *action;
    unsigned minutes;
    struct step_value *with;
    size_t with_count;
    const struct step *target;     /* approve: the later step that `for` names */
    char *class;                   /* of all that may be confidential in this step, or NULL */
    struct classes answer_classes; /* of answers by name, where class is NULL */
    unsigned line, column;
};

struct act {
    char *title;
    unsigned steps, minutes;
};

struct script {
    char *file;              /* the name it was parsed under, for messages */
    struct digest digest;    /* of the file's bytes */
    struct digest canonical; /* of the canonical JSON form */
    char *id, *title;
    char *classification; /* NULL where absent */
    struct role *roles;
    size_t role_count;
    struct act *acts;
    size_t act_count;
    struct step *steps;
    size_t step_count;
    struct buf source, canonical_json;
};

/* Parses and checks the document by itself. Every error reads "FILE:LINE:COLUMN: what, and what was expected". An
 * action that is known and not built is "not yet: ACTION". The canonical JSON form is YAML too: parsed, it gives the
 * same script but for positions and `digest`. */
enum outcome script_parse(const char *file, struct span bytes, struct script **ret, struct fault *f);
enum outcome script_read(const char *path, struct script **ret, struct fault *f);
void script_free(struct script *s);

const struct role *script_role(const struct script *s, const char *id);
const struct step *script_step(const struct script *s, const char *id);
const struct step *script_saved(const struct script *s,
                                const char *name);             /* the step that `saves` it, or has this id */
const char *step_with(const struct step *s, const char *name); /* NULL where absent */

/* The class that the step gives to an entry of this type; of an answer by its name. NULL: none, the policy's counts. An
 * approve step without one has that of the step that it is for. */
const char *step_class(const struct step *s, const char *type, const char *answer);

/* Whether what the step writes of this type is never confidential, whatever a policy says: an entry that others rest on
 * repeats it. */
bool step_shown(const struct step *s, const char *type);

/* "administrator", "any custodian", "each custodian", "3 custodian". */
void step_by_put(const struct step *s, struct buf *b);

#endif
