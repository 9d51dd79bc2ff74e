#ifndef QUORATE_TESTS_SHIM_FIXTURE_H
#define QUORATE_TESTS_SHIM_FIXTURE_H

/* The module over tests/shim-hsm.c. */

#include <limits.h>

#include "tests/unit/module_fixture.h"

/* The library lies in the tree that this program was built in; with the shim in the place of SoftHSM. */
static char shim[PATH_MAX];

static inline int shim_put(void)
{
    char command[2 * PATH_MAX + 128], own[PATH_MAX] = "", *slash;

    if (readlink("/proc/self/exe", own, sizeof(own) - 1) < 0)
        return -1;
    for (int up = 0; up < 2; up++) {
        slash = strrchr(own, '/');
        if (!slash)
            return -1;
        *slash = '\0';
    }
    if (snprintf(shim, sizeof(shim), "%.4000s/shim-hsm.so", own) < 0)
        return -1;
    assert_true((size_t)snprintf(command, sizeof(command), "sed -i 's|%s|%s|' %s", SOFTHSM, shim, home.bindings) <
                sizeof(command));
    depth_run(command);
    setenv("QUORATE_BINDINGS", home.bindings, 1);
    return 0;
}

static inline int shim_make(void **state)
{
    return home_make(state) == 0 ? shim_put() : -1;
}

static inline const CK_FUNCTION_LIST_3_0 *list_3_0(void)
{
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_VERSION version = {3, 0};
    CK_INTERFACE *found = NULL;

    return C_GetInterface(name, &version, &found, 0) == CKR_OK ? found->pFunctionList : NULL;
}

static inline void begin(const char *as)
{
    void *ignored = NULL;

    setenv("SHIM", as, 1);
    life_begin(&ignored);
}

#endif
