#ifndef QUORATE_MODULE_MADE_H
#define QUORATE_MODULE_MADE_H

#include "module/plain.h"
#include "module/site.h"
#include "module/template.h"

/* The application's own session on the primary, as site_*() take one; never closed by them. */
struct site_link made_link(const struct world *w, const struct session_view *view);

/* Objects that were made below a moment ago, on their way to the application. */

/* What a template says of the object that it makes, for the question; absent attributes as PKCS#11 has their default. */
struct asked {
    CK_OBJECT_CLASS class;
    bool on_token;
    char label[LIMIT_LABEL + 1];
};
/* E_INVALID: a label too long or with a NUL, a class that is no number. */
enum outcome asked_read(const struct template *t, CK_OBJECT_CLASS class_otherwise, struct asked *ret, struct fault *f);
/* E_INVALID: a private or secret key on the token would have the CKA_ID (hex) of another living key of the log whose use a
 * rule does not plainly allow, or where one of the two has replicas: people approve uses of the key that the log knows by its id, and
 * replicas are found by it. except: the key that has it
 * already, or NULL. The same where it would have that of a destroyed key that is left at an enrolled site, or of a key whose birth waits for
 * receipts; and where any object would have that of a site's own keys. */
enum outcome id_check(const struct world *w, CK_SLOT_ID slot, CK_OBJECT_CLASS class, const char *id_hex,
                      const struct state_key *except, struct fault *f);
/* The same of a template that asks for `asked`. */
enum outcome asked_id_check(const struct world *w, CK_SLOT_ID slot, const struct template *t, const struct asked *asked,
                            struct fault *f);
/* The question about it. Borrows from `asked`. */
struct question asked_question(enum operation operation, const char *function, CK_SLOT_ID slot,
                               const CK_MECHANISM *mechanism, const struct asked *asked);

/* What was made below a moment ago, as a rule plainly allowed it. */
struct made {
    const struct session_view *view;
    enum operation operation;
    const char *function;
    const struct asked *asked;
    CK_OBJECT_HANDLE lower, public; /* public: the other half, or CK_INVALID_HANDLE */
    struct plain_birth *birth;      /* under which it was made, begun or not; ends with made_show */
};
/* A handle for it. Where the HSM made something else of the template than was asked, that is asked again, and destroyed unless a
 * rule plainly allows it too. A private or secret token key is logged as `born` first; where that fails, it is destroyed again,
 * unless the log may have it all the same. Not with the world's lock held: making a key may take long, and what is not logged
 * yet is hidden. */
CK_RV made_show(const struct made *m, CK_OBJECT_HANDLE *ret);

/* The members of `born` for a key that stands on the primary; public as above. NULL on memory. */
json_t *made_body(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE lower,
                  CK_OBJECT_HANDLE public, const char *function, const struct object_facts *facts);
#endif
