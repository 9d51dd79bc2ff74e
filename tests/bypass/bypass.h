#ifndef QUORATE_TESTS_BYPASS_H
#define QUORATE_TESTS_BYPASS_H

/* Ways round the module, tried through PKCS#11 alone: the module is quorate-pkcs11.so in this process, or
 * p11-kit-client.so with the module behind it. What people do goes through a command (tests/bypass/run.sh). */

#include <p11-kit/pkcs11.h>
#include <stdbool.h>
#include <stddef.h>

extern CK_FUNCTION_LIST *q;
extern CK_SESSION_HANDLE session; /* R/W, logged in */
extern bool across;               /* the boundary is between */
extern const char *module_path;

/* Keys on the token. free-*: a rule allows birth and use plainly, and to rename them. gov-*: birth and use under a
 * quorum. No other label may be born, and nothing else may be done to any of them. */
struct pair {
    CK_OBJECT_HANDLE public, private;
};
extern struct pair free_ec, gov_ec, gov_rsa;
extern CK_OBJECT_HANDLE free_aes;
void handles_find(void); /* after a new login */

extern CK_BBOOL yes, no;
extern CK_BYTE p256[10];

/* Ends the attempt: what is round the module, or what went wrong with the attempt itself. */
void broken(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* In a child of fork: its status, where what it does is broken too. */
int child_status(int (*run)(int), int context);
/* The call must have answered so. */
void want(CK_RV rv, CK_RV wanted, const char *what);
/* The call must have been refused, in whatever way. */
void want_refused(CK_RV rv, const char *what);
/* By the policy: CKR_FUNCTION_REJECTED or CKR_ACTION_PROHIBITED. */
void want_rejected(CK_RV rv, const char *what);
/* The record has an entry of this type with this text. */
void want_logged(const char *type, const char *text);

/* "approve": the newest request; "suspend", "resume": the token; anything else is an error. */
void people(const char *act);

CK_ULONG found(const char *label, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE ret[8]);
CK_OBJECT_HANDLE one_key(const char *label); /* the private key of this label */
void logged_in(CK_SESSION_HANDLE *ret);

/* A P-256 pair; labels NULL: left out. */
CK_RV make_pair(const char *public_label, const char *private_label, bool on_token, struct pair *ret);
CK_RV make_aes(const char *label, bool on_token, CK_OBJECT_HANDLE *ret);
/* An AES key whose value the caller knows, as a session object. */
CK_OBJECT_HANDLE known_aes(void);
CK_RV sign(CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key, const CK_BYTE *data, CK_ULONG len, CK_BYTE ret[512],
           CK_ULONG *ret_len);

typedef void (*attempt_fn)(void);
enum where { ANYWHERE, IN_PROCESS };
struct attempt {
    const char *name;
    attempt_fn run;
    enum where where;
    const char *why; /* IN_PROCESS: why not across the boundary */
};
extern const struct attempt attempts_to_make[], attempts_to_use[], attempts_on_processes[]; /* ended by a NULL name */

/* Prints the table of operations and ways round; false where a cell is empty or names what is not there or did not
 * hold. held: whether an attempt of that name ran and held, or cannot be made here. */
bool table_print(bool (*held)(const char *attempt));

#endif
