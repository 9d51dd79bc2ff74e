#ifndef QUORATE_MODULE_BIRTH_H
#define QUORATE_MODULE_BIRTH_H

#include "estate/asking.h"
#include "module/template.h"
#include "module/world.h"

/* Birth of a key under a rule with replicas (design, section 7). Called with the world's lock held. */
struct birth {
    struct world *world;
    struct shown_token *token;
    const CK_MECHANISM *mechanism;
    const struct key_template *template;
    const struct request *request; /* allowed by estate_ask a moment ago */
    const struct asking_context *context;
    const struct rule *rule;
};

/* Runs steps 3 to 8 and 10. On OK the handles are the lower module's, of permanent token objects on the primary; public
 * is CK_INVALID_HANDLE for secret keys. The application must be logged in on the primary. On failure nothing is left,
 * or recovery will see to it; the text names site and cause. */
enum outcome birth_run(const struct birth *b, CK_OBJECT_HANDLE *ret_secret, CK_OBJECT_HANDLE *ret_public,
                       struct fault *f);

/* Recovery (section 7, end): every open intent whose lock is free is rolled back or finished, every born key whose
 * sites were not told is completed. Appends {"intent", "outcome"} to `report` (may be NULL). Needs the primary's login:
 * uses the application's where there is one, else the binding's PIN on a session of its own. */
enum outcome settle_run(struct world *w, json_t *report, struct fault *f);

/* The same for the births of one token, before a question about it is asked: an intent that a dead process left keeps
 * its request busy. Costs nothing where all is settled. E_REFUSED names what could not be settled and keeps births on that
 * token from beginning. */
enum outcome settle_token(struct world *w, const char *token, json_t *report, struct fault *f);

/* What comes with an enrolment. */
struct enrol_with {
    const char *elsewhere;    /* "LAT,LON"; NULL: arrived at the site's coordinates */
    struct span certificates; /* a PEM file: the vendor's, of the HSM's keys; data NULL: none */
};
/* `quorate enrol`: see estate/vendor.h. with NULL: nothing. */
enum outcome enrol_run(struct world *w, const char *token, const char *site, const struct enrol_with *with,
                       json_t **ret, struct fault *f);

/* "tokens" of the vendor interface: what answers now. */
enum outcome inspect_run(struct world *w, json_t **ret, struct fault *f);

#endif
