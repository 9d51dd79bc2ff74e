#ifndef QUORATE_TESTS_MOCK_FIXTURE_H
#define QUORATE_TESTS_MOCK_FIXTURE_H

/* The module as an application has it, over the mock HSM, in an estate that allows everything. */

#include "tests/mock-hsm.h"
#include "tests/unit/module_fixture.h"

#define ALLOW_ALL                                                                                                      \
    "  - {id: all, when: {operation: [generate, import, derive, copy, modify, wrap, use, destroy, initialise, "        \
    "set-pin]}, allow: true}\n"

static mock_steer_fn mock_steer_below;
static mock_calls_fn mock_calls_below;
static mock_uses_fn mock_uses_below;
static CK_FUNCTION_LIST *mock; /* the mock's own functions, past the module */

/* "build/tests/x" has its mock in "build". */
static inline void mock_path(char ret[512])
{
    ssize_t len = readlink("/proc/self/exe", ret, 400);
    char *slash;

    assert_true(len > 0 && len < 400);
    ret[len] = '\0';
    for (int up = 0; up < 2; up++) {
        slash = strrchr(ret, '/');
        assert_non_null(slash);
        *slash = '\0';
    }
    strcat(ret, "/mock-hsm.so");
}

static inline void *mock_symbol(void *library, const char *name)
{
    void *symbol = dlsym(library, name);

    assert_non_null(symbol);
    return symbol;
}

static inline void mock_load(const char *path)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol;
    CK_C_GetFunctionList get;

    if (!library)
        fail_msg("%s", dlerror());
    symbol = mock_symbol(library, "mock_steer");
    memcpy(&mock_steer_below, &symbol, sizeof(symbol));
    symbol = mock_symbol(library, "mock_calls");
    memcpy(&mock_calls_below, &symbol, sizeof(symbol));
    symbol = mock_symbol(library, "mock_uses");
    memcpy(&mock_uses_below, &symbol, sizeof(symbol));
    symbol = mock_symbol(library, "C_GetFunctionList");
    memcpy(&get, &symbol, sizeof(symbol));
    assert_int_equal(get(&mock), CKR_OK);
}

static inline void steer(const char *line)
{
    if (!mock_steer_below(line))
        fail_msg("not understood: %s", line);
}

static inline void mock_bindings(const char *path)
{
    char text[1024];

    snprintf(text, sizeof(text),
             "home: ./estate\npolicy: ./policy.yaml\ntokens:\n  root:\n"
             "    slough: {module: %s, serial: MOCK0, pin: \"file:pins/slough\"}\n",
             path);
    depth_write(home.folder, "bindings.yaml", text);
    snprintf(home.bindings, sizeof(home.bindings), "%s/bindings.yaml", home.folder);
}

static inline void mock_home_with(const char *rules)
{
    char path[512], command[160];
    struct fault f = {0};

    mock_path(path);
    mock_load(path);
    memset(&home, 0, sizeof(home));
    assert_true(scratch_folder(home.folder, sizeof(home.folder), "mock"));
    snprintf(command, sizeof(command), "cd %s && mkdir pins people && umask 077 && echo " MOCK_PIN " >pins/slough",
             home.folder);
    depth_run(command);
    for (size_t i = 0; i < DEPTH_PEOPLE; i++)
        depth_person_make(&depth_people[i], home.folder);
    depth_policy(&home, rules);
    mock_bindings(path);
    assert_good(estate_create(home.bindings, "rehearsal", NULL, &f));
    depth_adopt(&home);
    assert_int_equal(C_GetFunctionList(&q), CKR_OK);
}

/* The estate, once a program. */
static inline int mock_home_make(void **state)
{
    (void)state;
    mock_home_with(ALLOW_ALL);
    return 0;
}

static inline CK_RV mock_login(CK_SESSION_HANDLE s)
{
    CK_UTF8CHAR pin[] = MOCK_PIN;

    return q->C_Login(s, CKU_USER, pin, sizeof(pin) - 1);
}

/* Initialised, for each test; the tokens are as new. */
static inline int mock_life_begin(void **state)
{
    (void)state;
    assert_ok(initialise());
    steer("wipe");
    steer("reset");
    return 0;
}

static inline int mock_life_end(void **state)
{
    (void)state;
    steer("reset");
    assert_ok(q->C_Finalize(NULL));
    return 0;
}

#define IN_MOCK_LIFE(test) cmocka_unit_test_setup_teardown(test, mock_life_begin, mock_life_end)

#endif
