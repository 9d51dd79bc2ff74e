#ifndef QUORATE_MODULE_CREATION_H
#define QUORATE_MODULE_CREATION_H

#include "module/made.h"
#include "module/parameter.h"
#include "module/use.h"

/* What brings an object into being other than by generation, asked and carried out: C_CreateObject, C_CopyObject,
 * C_UnwrapKey, C_DeriveKey. Two keys are two operations, and both must be allowed. */
struct creation {
    struct session_view view;
    enum operation operation;
    const char *function;
    const CK_MECHANISM *mechanism; /* what goes down; NULL: none */
    bool opaque;                   /* the mechanism's parameter may hold pointers: cannot be approved */
    struct template template;      /* the caller's, read once */
    struct asked asked;            /* what comes out */
    CK_OBJECT_HANDLE base;         /* the application's handle of what it comes from; CK_INVALID_HANDLE: nothing */
    struct span wrapped;           /* what is unwrapped; empty: nothing */
    CK_RV (*make)(const struct creation *c, CK_OBJECT_HANDLE base, CK_OBJECT_HANDLE *ret); /* below */
};
CK_RV creation_run(struct creation *c, CK_OBJECT_HANDLE *ret);

/* The operation and its two questions, answered: all with the world's lock held. */
struct creation_grants {
    struct use_grant base; /* the use of the base, or the copy under the label that it has */
    struct grant self;
    struct buf caller_id; /* CKA_ID that the key gets once it is born */
};
/* Completes the template where a rule requires something: what is signed says everything that comes out. */
CK_RV creation_ask(struct world *w, struct creation *c, struct creation_grants *ret);
void creation_grants_clear(struct creation_grants *g);

/* The other key of an operation with two, as the subject has it: E_REFUSED unless the log knows it, or it is public. */
enum outcome other_key_json(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE key, json_t **ret,
                            struct fault *f);
/* A template as subjects have it, {"key": …}; values of secrets as a keyed hash that only this home can compute. */
enum outcome creation_templates(const struct estate *e, const struct template *t, CK_OBJECT_CLASS class, json_t **ret,
                                struct fault *f);

#endif
