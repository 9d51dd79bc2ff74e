#ifndef QUORATE_MODULE_SITE_H
#define QUORATE_MODULE_SITE_H

#include "audit/document.h"
#include "module/template.h"
#include "module/world.h"

/* A session on the HSM of one (token, site), for enrolment, births and recovery; the world's lock is held. */

enum site_login {
    SITE_MODULE,      /* a replica: the module logs in with the binding's PIN, and out at the end */
    SITE_APPLICATION, /* the primary in a birth: the application's login, never one of our own */
    SITE_EITHER, /* the primary in enrolment and recovery: the application's where there is one, else as a replica */
    SITE_NOBODY  /* public objects alone: no login is asked for */
};

struct site_link {
    const char *token;             /* borrowed */
    const struct binding *binding; /* its `site` is the site's id; NULL: not open */
    CK_FUNCTION_LIST *f;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    CK_TOKEN_INFO info;
    bool log_out; /* we logged in */
    /* As site_ready found them, for whoever goes on with the same keys; else CK_INVALID_HANDLE. */
    CK_OBJECT_HANDLE identity, transport;
};

/* Whether files are carried there by people; ret: its binding. */
bool site_carried(const struct world *w, const char *token, const char *site, const struct binding **ret);
/* The binding of a site that this process reaches; E_REFUSED for other ways, E_ABSENT where there is none. */
/* E_ABSENT: another HSM is bound than the one of that enrolment, which has retired. */
enum outcome site_bound_was(const struct binding *b, const struct state_site *then, struct fault *f);
enum outcome site_bound(const struct world *w, const char *token, const char *site, const struct binding **ret,
                        struct fault *f);
/* A R/W session, logged in. The token is found by serial number; a PIN that the HSM refused is not tried again in this
 * process. SITE_APPLICATION without its login: E_REFUSED "CKR_USER_NOT_LOGGED_IN …". Texts name token and site. */
enum outcome site_open(struct world *w, const char *token, const char *site, enum site_login how, struct site_link *ret,
                       struct fault *f);
/* The same with what was looked up, for threads: token and binding are borrowed by the link. */
enum outcome site_link_open(const struct lower *lower, const char *token, const struct binding *binding,
                            enum site_login how, struct site_link *ret, struct fault *f);
void sites_forget(void);              /* in a forked child */
void site_close(struct site_link *s); /* session objects end with it; an empty one is fine */

/* C_Login on the link's session with the binding's PIN. *ret is what the HSM answered, also where it refused the PIN
 * (E_DEVICE): it is then not tried again in this process, E_REFUSED. Being logged in already is no fault. */
enum outcome site_log_in(const struct site_link *s, CK_USER_TYPE user, CK_RV *ret, struct fault *f);

/* The same by its security officer with `so-pin:`, on a session that nobody is logged in on; E_REFUSED where the bindings have
 * none. Logged out again by site_close. */
enum outcome site_officer_in(struct site_link *s, struct fault *f);

/* E_DEVICE "TOKEN at SITE: what: CKR_NAME". */
enum outcome site_fault(const struct site_link *s, const char *what, CK_RV rv, struct fault *f);

/* Objects. Handles of all that match, at most max: E_DEVICE where there are more. */
enum outcome site_find(const struct site_link *s, CK_ATTRIBUTE *match, CK_ULONG match_count, CK_OBJECT_HANDLE *ret,
                       size_t max, size_t *ret_count, struct fault *f);
/* The one object of that class with that CKA_ID among the token objects; E_ABSENT, E_DEVICE where there are several. */
enum outcome site_find_one(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, CK_OBJECT_HANDLE *ret,
                           struct fault *f);
enum outcome site_attribute(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, struct buf *ret,
                            struct fault *f);
enum outcome site_attribute_ulong(const struct site_link *s, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
                                  CK_ULONG *ret, struct fault *f);
/* Reads every attribute of the template back: E_REFUSED names the first that the HSM holds otherwise. */
enum outcome site_compare(const struct site_link *s, CK_OBJECT_HANDLE object, const struct template *t,
                          struct fault *f);
/* That the HSM has the object that it says it made: its class and CKA_ID are read back, E_REFUSED or E_DEVICE. */
enum outcome site_made(const struct site_link *s, CK_OBJECT_HANDLE object, CK_OBJECT_CLASS class, struct span id,
                       struct fault *f);
/* Destroys private, secret and public token objects with this CKA_ID and looks that none is left. */
enum outcome site_destroy(const struct site_link *s, struct span id, struct fault *f);
/* The class of a key of the log. */
CK_OBJECT_CLASS site_key_class(const char *class_name);
/* The end of a key of the log: destroys the token objects of its class with its CKA_ID, and of the public ones the halves of it, by
 * value (spki; empty: none is known, and none is touched), and looks that none is left. What merely has the same CKA_ID stays. */
enum outcome site_key_destroy(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, struct span spki,
                              struct fault *f);
/* Gives an object that CKA_ID, of up to 255 bytes, and reads it back: E_DEVICE where the HSM only says that it has it. */
enum outcome site_put_id(const struct site_link *s, CK_OBJECT_HANDLE object, struct span id, struct fault *f);
/* Gives the token objects of that class with this CKA_ID another one, which may be empty; there may be none. */
enum outcome site_set_id(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, struct span wanted,
                         struct fault *f);
/* Gives both halves another CKA_ID; halves that have it already are left alone. E_ABSENT: neither is there. */
enum outcome site_rename(const struct site_link *s, struct span id, struct span wanted, const char *label,
                         struct fault *f);

/* Public keys. SubjectPublicKeyInfo (DER) of a public key object, and the attributes of one (CKA_CLASS, CKA_KEY_TYPE
 * and the value) from it: RSA, and EC over curves that libcrypto knows. */
enum outcome site_spki(const struct site_link *s, CK_OBJECT_HANDLE public, struct buf *ret, struct fault *f);
enum outcome spki_template(struct span spki, struct template *ret, struct fault *f);

/* Signs a SHA-256 digest: ECDSA as raw r||s, RSA as PKCS#1 v1.5. */
enum outcome site_sign(const struct site_link *s, CK_OBJECT_HANDLE key, const struct digest *digest, struct buf *ret,
                       struct fault *f);
/* The (private) identity key, by its CKA_ID. */
enum outcome site_identity(const struct site_link *s, struct span identity_id, CK_OBJECT_HANDLE *ret, struct fault *f);
/* The identity key signs a challenge; it must verify under the key given (SPKI). ret_signature may be NULL. */
enum outcome site_challenge(const struct site_link *s, const struct digest *estate, struct span identity_id,
                            struct span identity, const struct digest *challenge, struct buf *ret_signature,
                            struct fault *f);

#endif
