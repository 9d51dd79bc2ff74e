#ifndef QUORATE_TESTS_MOCK_INNER_H
#define QUORATE_TESTS_MOCK_INNER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "module/pkcs11_3.h"
#include "tests/mock-hsm.h"

/* One implementation a row; a row without one answers CKR_FUNCTION_NOT_SUPPORTED. */
#define FUNCTION_2_40(name, kind, note, params, args) CK_RV mock_##name params __attribute__((weak));
#define FUNCTION_3_0(name, kind, note, params, args) CK_RV mock_##name params __attribute__((weak));
#include "module/functions.def"

/* Steering. A call begins with mock_turn_begin and ends with mock_turn_end only while something is steered. */
struct mock_turn {
    bool answer; /* with rv, whatever the work gave */
    CK_RV rv;
};
extern atomic_bool mock_steered;
/* slot: that the call is about, or MOCK_TOKENS. True: ret->rv is the answer, nothing is to be done. */
bool mock_turn_begin(size_t row, CK_SLOT_ID slot, struct mock_turn *ret);
CK_SLOT_ID mock_slot_of(CK_ULONG first); /* of a call whose first argument is this session or slot */
CK_RV mock_turn_end(const struct mock_turn *turn, CK_RV rv);
CK_ULONG mock_length(CK_ULONG len); /* what is told of a length: the truth, or what the test wants */
void mock_steer_file(void);
extern atomic_bool mock_shows_3_0;

/* Handles of sessions and objects lie far apart, so that one taken for the other is noticed. */
#define MOCK_SESSION_BASE 0x51000000UL
#define MOCK_OBJECT_BASE 0x0B000000UL
#define MOCK_SESSIONS 1024u
#define MOCK_OBJECTS 4096u
#define MOCK_NOBODY ((CK_USER_TYPE)-1)

enum mock_operation_kind {
    MOCK_ENCRYPT,
    MOCK_DECRYPT,
    MOCK_DIGEST,
    MOCK_SIGN,
    MOCK_SIGN_RECOVER,
    MOCK_VERIFY,
    MOCK_VERIFY_RECOVER,
    MOCK_FIND,
    MOCK_KINDS
};

struct mock_object;
struct mock_operation {
    bool on, parts;   /* begun; fed by parts */
    CK_ULONG out_len; /* of a signature or a digest */
    struct mock_object *key;
};

struct mock_session {
    _Alignas(64) atomic_bool open; /* a line of its own: two threads share none */
    CK_SLOT_ID slot;
    CK_FLAGS flags;
    CK_NOTIFY notify;
    void *application;
    struct mock_operation operations[MOCK_KINDS];
    CK_OBJECT_HANDLE *found;
    CK_ULONG found_count, found_next;
};

struct mock_token {
    atomic_bool present, notifies;
    _Atomic CK_USER_TYPE user; /* MOCK_NOBODY: logged out */
    char label[33], pin[65], so_pin[65];
    bool user_pin_set;
};
extern struct mock_token mock_tokens[MOCK_TOKENS];
extern pthread_mutex_t mock_lock; /* guards sessions being opened and closed, objects, PINs */
extern atomic_bool mock_alive;    /* between C_Initialize and C_Finalize */
void mock_wipe(void);
void mock_slot_event(void);

/* CKR_OK with the session, or what a call on that handle gets. */
CK_RV mock_session(CK_SESSION_HANDLE handle, struct mock_session **ret);
bool mock_logged_in(const struct mock_session *s);

struct mock_object {
    atomic_bool alive;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE owner; /* 0: on the token */
    bool is_private;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE key_type;
    CK_ATTRIBUTE *items;
    CK_ULONG count;
    atomic_ulong uses; /* of a private or secret key, counted while anything is steered */
};
void mock_use(struct mock_object *key); /* NULL: no key */
/* NULL where the handle stands for nothing that this session may see. Takes no lock. */
struct mock_object *mock_object(const struct mock_session *s, CK_OBJECT_HANDLE handle);
/* A new object: `base` first, then `items` over it. The lock is not held. */
CK_RV mock_object_make(const struct mock_session *s, CK_SESSION_HANDLE owner, const CK_ATTRIBUTE *base,
                       CK_ULONG base_count, const CK_ATTRIBUTE *items, CK_ULONG count, CK_OBJECT_HANDLE *ret);
/* With the lock held: those of a session (slot 0 and any), of a slot, or all. */
void mock_objects_end_session(CK_SESSION_HANDLE owner);
void mock_objects_end_slot(CK_SLOT_ID slot, bool private_session_only);
void mock_objects_end_all(bool token_too);

/* The i-th object where it lies on that token, or NULL; one more there, with `also` where `more`. */
const struct mock_object *mock_token_object(size_t i, CK_SLOT_ID slot);
bool mock_token_object_make(CK_SLOT_ID slot, const CK_ATTRIBUTE *items, CK_ULONG count, const CK_ATTRIBUTE *also,
                            bool more);
/* tests/mock/clone.c: all keys of a token into a file; those with this CKA_ID (hex) out of it. how: "", "private" (not the
 * public half), "extractable". */
bool mock_clone_out(CK_SLOT_ID slot, const char *path);
bool mock_clone_in(CK_SLOT_ID slot, const char *path, const char *hex, const char *how);

const CK_ATTRIBUTE *mock_item(const struct mock_object *o, CK_ATTRIBUTE_TYPE type); /* NULL: it has none */

/* tests/mock/real.c: keys that are keys. */
#define MOCK_PKCS8 (CKA_VENDOR_DEFINED | 0x7051UL)
#define MOCK_KWP 0x210AUL     /* CKM_AES_KEY_WRAP_PAD, which p11-kit's header lacks */
#define MOCK_RSA_AES 0x1054UL /* CKM_RSA_AES_KEY_WRAP, likewise with its parameters */
struct mock_rsa_aes {
    CK_ULONG bits;
    CK_RSA_PKCS_OAEP_PARAMS *oaep;
};
enum mock_way {
    MOCK_RSA_AES_WAY,
    MOCK_OAEP_SHA256,
    MOCK_OAEP_SHA1,
    MOCK_PRIVATE,
    MOCK_EDWARDS,      /* keys of Ed25519 are neither wrapped nor taken in */
    MOCK_EDWARDS_SEED, /* they become others when they are taken in */
    MOCK_WAYS
};
extern atomic_bool mock_real;
bool mock_real_steer(const char *what, CK_SLOT_ID slot, const char *way);
void mock_real_reset(void);
bool mock_lacks(CK_SLOT_ID slot, enum mock_way way); /* C_GetMechanismInfo says nothing of it */
/* What becomes of the PKCS #8 of an Ed25519 key that was unwrapped. */
CK_RV mock_edwards_taken(CK_SLOT_ID slot, unsigned char *pkcs8, CK_ULONG len);
struct mock_pair {
    unsigned char pkcs8[8192], first[1024], second[1024]; /* modulus and exponent, or parameters and point */
    CK_ULONG pkcs8_len, first_len, second_len;
};
/* kind: CKA_MODULUS_BITS or CKA_EC_PARAMS. */
bool mock_pair_make(bool rsa, const CK_ATTRIBUTE *kind, struct mock_pair *ret);
/* False: the key is none of these, and signs as ever. */
bool mock_sign_real(const struct mock_object *o, const unsigned char *data, CK_ULONG len, unsigned char *out,
                    CK_ULONG *out_len, CK_RV *ret);
CK_RV mock_wrap_real(const struct mock_session *s, const CK_MECHANISM *m, const struct mock_object *with,
                     const struct mock_object *key, unsigned char *out, CK_ULONG *out_len);
CK_RV mock_unwrap_real(const struct mock_session *s, const CK_MECHANISM *m, const struct mock_object *with,
                       const unsigned char *blob, CK_ULONG len, unsigned char *out, CK_ULONG *out_len);

/* `bytes` of `value` in the conventions of PKCS#11 2.40, section 5.2. CKR_OK with *ret_sized: only the length was
 * wanted. */
CK_RV mock_give(CK_BYTE_PTR out, CK_ULONG_PTR out_len, unsigned char value, CK_ULONG bytes, bool *ret_sized);

#endif
