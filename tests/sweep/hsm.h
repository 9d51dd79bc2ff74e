#ifndef QUORATE_TESTS_SWEEP_HSM_H
#define QUORATE_TESTS_SWEEP_HSM_H

#include "module/pkcs11_3.h"

/* build/sweep-hsm.so: SoftHSM, with something that goes wrong at a call that a sweep chooses. The sweep sets hsm_hook, which it
 * finds with dlsym; it is asked before every call, and told after
 * it. */

enum hsm_fault {
    HSM_GOES_WELL,
    HSM_ANSWERS, /* rv, and nothing is done */
    HSM_DOES,    /* what it is asked, and answers rv all the same */
    HSM_LIES,    /* every length and count that it gives out is `length` */
    HSM_RESETS,  /* all sessions end first, and the logins with them */
    HSM_HANGS,   /* the hook itself waits, and then the call is as usual */
};

struct hsm_turn {
    enum hsm_fault fault;
    CK_RV rv;
    CK_ULONG length;
};
typedef void hsm_hook_fn(const char *function, struct hsm_turn *ret); /* ret NULL: the call is over */

/* What gives out lengths has a function of these (hsm_lies.c), which makes hsm_lie of them. */
extern CK_ULONG hsm_lie;
#define FUNCTION(name, kind, params, args) void lie_##name params __attribute__((weak));
#include "module/functions.def"
#undef FUNCTION

#endif
