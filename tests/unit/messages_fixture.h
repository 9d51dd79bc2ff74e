#ifndef QUORATE_TESTS_MESSAGES_FIXTURE_H
#define QUORATE_TESTS_MESSAGES_FIXTURE_H

/* The module over tests/shim-hsm.c, which has the message functions of 3.0. */

#include "tests/unit/governed_fixture.h"
#include "tests/unit/shim_fixture.h"

static const CK_FUNCTION_LIST_3_0 *three;
static unsigned *below_messages; /* how many SoftHSM encrypted or decrypted for the shim */

static inline int messages_make(void **state)
{
    (void)state;
    depth_begin_closed(&home,
                       "  - {id: open, when: {operation: [generate, use], label: \"^open-\"}, allow: true}\n" RULES);
    return C_GetFunctionList(&q) == CKR_OK ? shim_put() : -1;
}

static inline int messages_begin(void **state)
{
    void *library;

    (void)state;
    begin("3.0");
    three = list_3_0();
    library = dlopen(shim, RTLD_NOW | RTLD_NOLOAD);
    below_messages = library ? dlsym(library, "shim_messages") : NULL;
    return three && below_messages ? 0 : -1;
}

static inline bool is_zero(const unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i])
            return false;
    return true;
}

#define MESSAGES(test) cmocka_unit_test_setup_teardown(test, messages_begin, life_end)

#endif
