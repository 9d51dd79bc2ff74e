#ifndef QUORATE_MODULE_OBJECTS_H
#define QUORATE_MODULE_OBJECTS_H

#include "module/sessions.h"
#include "module/template.h"

/* Objects as applications see them: virtual handles over the lower module's. What is hidden never gets one. A private
 * or secret token key that the log does not know as born, and whatever is Quorate's own, is hidden; a private or secret
 * session key is shown only to those who made it through this module (others would be a birth's). */

struct object_facts { /* as the lower module tells them */
    CK_OBJECT_CLASS class;
    bool on_token, is_private;
    bool label_bad; /* too long, or with a NUL in it: no rule can name it */
    char label[LIMIT_LABEL + 1];
    char id[2 * LIMIT_LABEL + 1]; /* CKA_ID, hex */
};
bool label_is_own(const char *label);
bool object_is_secret(const struct object_facts *o); /* a private or secret key */
const char *class_name(CK_OBJECT_CLASS class);       /* as rules and subjects have it, or NULL */

/* What a use of it needs, as last judged. */
enum object_use { USE_UNKNOWN, USE_FREE, USE_GOVERNED };

struct object {
    struct handle_entry entry;
    _Atomic CK_OBJECT_HANDLE lower;
    _Atomic CK_ULONG place;
    _Atomic uint64_t judged; /* generation of the policy << 2 | enum object_use */
    struct object *next;     /* in its bucket; from here on under the table's lock */
    CK_SESSION_HANDLE owner; /* of a session object that was made here, else 0 */
    struct object_facts facts;
};
extern struct table object_table;

static inline CK_SLOT_ID object_slot(const struct object *o)
{
    return atomic_load_explicit(&o->place, memory_order_acquire) & PLACE_SLOT_MASK;
}

/* Translates a handle for a session at that place; false where it stands for nothing there. Takes no lock. */
static inline bool object_lower(CK_OBJECT_HANDLE *handle, CK_ULONG place)
{
    struct object *o = table_get(&object_table, *handle, sizeof(*o));
    CK_OBJECT_HANDLE lower;

    if (!o || atomic_load_explicit(&o->place, memory_order_acquire) != place)
        return false;
    lower = atomic_load_explicit(&o->lower, memory_order_acquire);
    if (!table_holds(&o->entry, *handle) || atomic_load_explicit(&o->place, memory_order_relaxed) != place)
        return false;
    *handle = lower;
    return true;
}

/* What a living handle stands for, read from the lower module again: some use a handle again after another process
 * destroyed the object, and what is judged is what is there now. False where it stands for nothing; it is then
 * forgotten. ret_lower may be NULL. */
bool object_look(const struct session_view *view, CK_OBJECT_HANDLE handle, struct object_facts *ret,
                 CK_OBJECT_HANDLE *ret_lower);
/* Keeps what a use needs; lost where the handle died meanwhile. */
void object_judged(CK_OBJECT_HANDLE handle, uint64_t generation, enum object_use use);
enum object_use object_use_known(CK_OBJECT_HANDLE handle, uint64_t generation);

/* What the lower module says of an object. */
CK_RV object_read(const struct session_view *view, CK_OBJECT_HANDLE lower, struct object_facts *ret);
/* Whether an application may see it; the world's lock is held. */
bool object_shown(const struct world *w, CK_SLOT_ID slot, const struct object_facts *o);
/* The living key of the log that it is, or NULL; the world's lock is held. */
const struct state_key *object_key(const struct world *w, CK_SLOT_ID slot, const struct object_facts *o);

/* The provisional key that it is, where this process is at a step that uses keys, of the ceremony in which its birth began;
 * NULL: none. It is found then, but nothing except a use of its own (module/provisional.h) takes its handle. */
const struct state_key *object_key_awaited(const struct world *w, CK_SLOT_ID slot, const struct object_facts *o);

/* A handle for an object that was made, unwrapped or derived through this module. */
CK_RV object_add(const struct session_view *view, CK_OBJECT_HANDLE lower, const struct object_facts *facts,
                 CK_OBJECT_HANDLE *ret);
/* Handles for those that may be seen among what a search found, in its order. ret_known: object_deaths, where each of them
 * had its handle before, so that the same ones have the same handles until it counts on; else 0. */
extern _Atomic uint64_t object_deaths; /* counts handles that died */
CK_RV objects_show(const struct session_view *view, const CK_OBJECT_HANDLE *lower, CK_ULONG count,
                   CK_OBJECT_HANDLE *ret, CK_ULONG *ret_count, uint64_t *ret_known);
/* For a slot that goes over to another HSM: its objects in turn, by index from *at on (0 first); false: no more. */
bool objects_next(CK_SLOT_ID slot, uint32_t *at, CK_OBJECT_HANDLE *ret, struct object_facts *ret_facts);
void object_move(CK_OBJECT_HANDLE handle, CK_ULONG place, CK_OBJECT_HANDLE lower);
void objects_forget_sessions(CK_SLOT_ID slot); /* session objects, whoever made them */
void object_forget(CK_OBJECT_HANDLE handle);
void objects_forget_private(CK_SLOT_ID slot);           /* at logout */
void objects_forget_session(CK_SESSION_HANDLE session); /* its session objects */
void objects_forget_slot(CK_SLOT_ID slot);              /* with the last session */
void objects_forget(void);                              /* in a forked child */

#endif
