#ifndef QUORATE_MODULE_GATE_H
#define QUORATE_MODULE_GATE_H

#include "estate/asking.h"
#include "module/objects.h"
#include "module/sessions.h"
#include "module/world.h"

/* The question that every creator, changer, exporter and user of a key asks before anything goes down. */

struct question {
    enum operation operation;
    CK_SLOT_ID slot;
    const char *function;          /* of PKCS#11, the one that does the work: C_Sign, not C_SignInit */
    const CK_MECHANISM *mechanism; /* NULL: none */
    const char *label;             /* "" where there is none */
    const char *class_name;        /* as class_name() has it, or NULL */
    int object;                    /* 1 token, 0 session, -1 neither */
    const json_t *templates;       /* borrowed; NULL: not part of the subject */
    const struct state_key *key;   /* in the log, or NULL; its fingerprint becomes part of the subject */
    const json_t *data;            /* borrowed, or NULL */
    const json_t *with;            /* borrowed, or NULL: the other key of an operation with two */
    bool written, anew;            /* a request is made also where a rule plainly allows it (struct asking_context) */
};

/* Takes the world's lock, having looked what others did to the estate in the meantime. Fails, with the reason as the
 * thread's refusal, where the estate cannot be read or the policy in force is not at hand: CKR_DEVICE_ERROR. */
CK_RV gate_open(struct world **ret);
void gate_close(struct world *w);

/* The rule that decides, NULL for `otherwise`. *ret_plain: it allows, and nothing of it is suspended. */
const struct rule *gate_rule(const struct world *w, const struct question *q, bool *ret_plain);

/* CKR_OK, or the refusal where a replica serves the token and the operation waits (module/failover.h). Every question
 * that is asked is asked this too. */
CK_RV gate_waits(const struct world *w, const struct question *q);
/* What is asked lies in a suspended scope, and its rule does not go on then. */
bool gate_suspended(const struct world *w, const struct question *q, const struct rule *rule);
/* The digest of the question's subject. False on memory, or where it cannot be written down. */
bool gate_subject_digest(const struct world *w, const struct question *q, struct digest *ret);
/* CKR_OK where it may go on: plainly, or, with `ret`, because enough people approved (ret->plain tells which; the
 * caller's to clear). Otherwise the code that PKCS#11 wants for the operation, with the reason as the refusal. */
CK_RV gate_ask(struct world *w, const struct question *q, struct answer *ret);
/* The object of a handle as it is now, if an application may still see it. ret_lower may be NULL. */
bool gate_object(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE handle,
                 struct object_facts *ret, CK_OBJECT_HANDLE *ret_lower);
/* gate_ask about an object. */
CK_RV gate_ask_object(struct world *w, enum operation operation, const char *function, CK_SLOT_ID slot,
                      const struct object_facts *o);

/* The refusal that an operation ends in, its text taken from f. */
CK_RV gate_refuse(enum operation operation, const struct fault *f);
/* What a fault of the estate or of an HSM is to the application; becomes the refusal. */
CK_RV gate_fault(const struct fault *f);
/* What was asked is wrong in itself: the finding is logged once as `refused`, so that people see it too. A process logs
 * LIMIT_FINDINGS of them in one go, then one in ten seconds: the log must not be anybody's to fill. */
void gate_log_finding(struct world *w, const struct question *q, const char *finding);
/* The same, once a day, of a call that no question can be made of: its handle stands for nothing, its template says two
 * things. Not logged where a rule plainly allows that function whatever the label. */
void gate_log_unfit(struct world *w, CK_SLOT_ID slot, enum operation operation, const char *function,
                    const char *finding);
/* Where the world's lock is not held; the finding becomes the refusal, rv is handed on. */
CK_RV gate_unfit(CK_SLOT_ID slot, enum operation operation, const char *function, const char *finding, CK_RV rv);
#define STRAY_MECHANISM "a mechanism that is not known here, or whose parameter names further keys"
#define STRAY_HANDLE "a handle that stands for no object which this application may see"

/* Counts changes of the estate: what was judged under an older one is judged again. */
uint64_t gate_generation(void);
/* Whether the last look at the estate is young enough to go by what was judged then. Takes no lock. */
bool gate_fresh(void);

void gate_forget(void); /* at the end of a life */

#endif
