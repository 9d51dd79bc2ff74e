#ifndef QUORATE_MODULE_TEMPLATE_H
#define QUORATE_MODULE_TEMPLATE_H

#include <p11-kit/pkcs11.h>

#include "core/json.h"

/* Labels that begin so are Quorate's own: transport and identity keys, checkpoints. */
#define OWN_LABEL "quorate:"

/* Templates of governed operations: copied once, completed, judged, logged and forwarded (design, section 6). */

struct template
{ /* attributes and their values in memory of our own */
    CK_ATTRIBUTE *items;
    CK_ULONG count;
};
void template_clear(struct template *t); /* wipes */
enum outcome template_copy(const CK_ATTRIBUTE *items, CK_ULONG count, struct template *ret,
                           struct fault *f); /* duplicates, oversize, NULL values: E_INVALID by name */
/* The same for calls that may go down unchanged, so that what was judged is what goes down: only what
 * cannot be copied is refused, and two of an attribute that is judged (class, token, private, label, id); NULL values
 * stay, unknown attributes and a NULL template too. */
enum outcome template_snapshot(const CK_ATTRIBUTE *items, CK_ULONG count, struct template *ret, struct fault *f);
const CK_ATTRIBUTE *template_find(const struct template *t, CK_ATTRIBUTE_TYPE type);
/* Adds or replaces; copies the value. */
enum outcome template_set(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len, struct fault *f);
enum outcome template_set_bool(struct template *t, CK_ATTRIBUTE_TYPE type, bool value, struct fault *f);
enum outcome template_set_ulong(struct template *t, CK_ATTRIBUTE_TYPE type, CK_ULONG value, struct fault *f);
void template_remove(struct template *t, CK_ATTRIBUTE_TYPE type);

/* The final key as the caller and the rules of completion describe it. */
struct key_template {
    struct template secret; /* private or secret key; without CKA_ID */
    struct template public; /* empty for secret keys; without CKA_ID */
    struct buf id;          /* the caller's CKA_ID; empty where none */
    char *label;            /* "" where absent */
    bool pair;
};
void key_template_clear(struct key_template *t);

/* Completes: every usage left out false, class and key type by the mechanism, labels equal, printable, without NUL, not
 * beginning with "quorate:"; TOKEN true, SENSITIVE and PRIVATE true demanded by name for private and secret keys,
 * EXTRACTABLE false, MODIFIABLE not false; attributes without a name here are refused. E_INVALID with the attribute's
 * name and what is wanted. For a secret key pass private only, public NULL. trusted: the rule says `extractable:
 * trusted-wrap-only`: EXTRACTABLE and WRAP_WITH_TRUSTED true. */
enum outcome key_template_complete(const CK_MECHANISM *mechanism, const CK_ATTRIBUTE *public, CK_ULONG public_count,
                                   const CK_ATTRIBUTE *private, CK_ULONG private_count, bool trusted,
                                   struct key_template *ret, struct fault *f);

/* The same for one object that is imported, unwrapped, derived or copied under a rule; other objects than keys stay as
 * they are. The CKA_ID of a private or secret token key is taken out into id. */
enum outcome object_template_complete(struct template *t, CK_OBJECT_CLASS class, bool copy, bool on_token,
                                      struct buf *id, struct fault *f);

/* Subject encoding (policy/request.h) and back. Back: only what the table of attributes knows. */
enum outcome template_to_json(const struct template *t, json_t **ret, struct fault *f);
enum outcome template_from_json(const json_t *json, struct template *ret, struct fault *f);

/* A boolean of the template; `otherwise` where it is absent or no boolean. */
bool template_bool(const struct template *t, CK_ATTRIBUTE_TYPE type, bool otherwise);

/* PKCS#11 names and back; NULL or false where there is none here. */
const char *object_class_name(CK_OBJECT_CLASS class);
const char *key_type_name(CK_KEY_TYPE type);
bool attribute_by_name(const char *text, CK_ATTRIBUTE_TYPE *ret);
bool object_class_by_name(const char *text, CK_OBJECT_CLASS *ret);
bool key_type_by_name(const char *text, CK_KEY_TYPE *ret);

/* PKCS#11 names: "CKA_LABEL", "CKM_EC_KEY_PAIR_GEN", … or NULL. */
const char *attribute_name(CK_ATTRIBUTE_TYPE type);
const char *mechanism_name(CK_MECHANISM_TYPE type);
/* {"name", "parameter"?: "hex:…"}; unknown mechanisms by "0x…". */
json_t *mechanism_json(const CK_MECHANISM *m);

#endif
