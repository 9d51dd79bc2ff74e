#ifndef QUORATE_TESTS_FAILOVER_FIXTURE_H
#define QUORATE_TESTS_FAILOVER_FIXTURE_H

#include "tests/lossy-hsm.h"
#include "tests/unit/module_fixture.h"

#include <pthread.h>

#include "estate/serving.h"
#include "module/failover.h"
#include "module/vendor_table.h"

/* `failover: use`: the primary's HSM behind a link that is cut, replicas that answer. */

#define FAILOVER_RULES                                                                                                 \
    "  - {id: births, when: {operation: generate, object: token, label: \"^rep-\"}, require: {quorum: {of: "           \
    "key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, extractable: closed, transport: "         \
    "{allow: [oaep-sha1]}}}\n"                                                                                         \
    "  - {id: promotions, when: {operation: [promote, retire-site]}, require: {quorum: {of: authority, at-least: "     \
    "2}}}\n"                                                                                                           \
    "  - {id: here alone, when: {operation: generate, label: \"^alone-\"}, allow: true}\n"                             \
    "  - {id: approved use, when: {operation: use, label: \"^rep-gov\"}, require: {quorum: {of: key-custodian, "       \
    "at-least: 2}}}\n"                                                                                                 \
    "  - {id: use, when: {operation: use}, allow: true}\n"                                                             \
    "  - {id: session, when: {operation: [generate, derive, destroy], object: session}, allow: true}\n"                \
    "  - {id: harmless, when: {operation: [import, destroy, copy, modify, set-pin]}, allow: true}\n"

static lossy_cut_fn cut;
static lossy_hang_fn hang;
static lossy_calls_fn calls;
static CK_OBJECT_HANDLE key, public;
static unsigned char data[32] = {7};

static inline void *symbol(void *library, const char *name)
{
    void *found = dlsym(library, name);

    assert_non_null(found);
    return found;
}

/* The application's call, approved where it asks for people, and made again. */
static inline void born(const char *label, CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    CK_RV rv = make_pair(session, label, true, ret_public, ret_private);
    struct digest id;
    struct fault f;

    if (rv == CKR_FUNCTION_REJECTED && refusal_request()[0]) {
        assert_good(digest_parse(refusal_request(), &id, &f));
        depth_approve(world_current()->estate, &id, "key-custodian");
        rv = make_pair(session, label, true, ret_public, ret_private);
    }
    assert_ok(rv);
}

/* build/lossy-hsm.so, which becomes the primary's module. */
static inline void *lossy_load(void)
{
    static char path[512];
    ssize_t len = readlink("/proc/self/exe", path, 400);
    char *cut_at = len > 0 ? strstr(path, "/tests/test_") : NULL;
    void *library, *found;

    assert_non_null(cut_at);
    snprintf(cut_at, sizeof(path) - (size_t)(cut_at - path), "/lossy-hsm.so");
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    found = symbol(library, "lossy_cut");
    memcpy(&cut, &found, sizeof(cut));
    found = symbol(library, "lossy_hang");
    memcpy(&hang, &found, sizeof(hang));
    found = symbol(library, "lossy_calls");
    memcpy(&calls, &found, sizeof(calls));
    depth_primary_module = path;
    return library;
}

static inline int estate_make(void **state)
{
    (void)state;
    lossy_load();
    depth_token_more = ", failover: use";
    depth_slough = "answer-within: 1 second, ";
    depth_begin_closed(&home, FAILOVER_RULES);
    if (C_GetFunctionList(&q) != CKR_OK)
        return -1;
    assert_ok(initialise());
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    born("rep-app", &public, &key);
    born("rep-gov", &public, &key);
    born("alone-app", &public, &key);
    assert_ok(q->C_Finalize(NULL));
    return 0;
}

static inline const char *serving(void)
{
    struct fault f = {0};

    assert_good(estate_refresh(world_current()->estate, &f));
    return token_serving(world_current()->estate, "root");
}

static inline void settle(void)
{
    char *json = NULL, text[1024] = "";

    if (vendor_interface()->call("settle", "{}", &json, text, sizeof(text)) != OK)
        fail_msg("%s", text);
    vendor_interface()->release(json);
}

/* Logged in at the primary, with the handles of the key that the tests use. */
static inline int begin(void **state)
{
    CK_OBJECT_HANDLE found[8];

    (void)state;
    cut(CKR_OK);
    assert_ok(initialise());
    settle();
    session = open_session(CKF_RW_SESSION);
    assert_string_equal(world_current()->tokens[0].serving->site, token_primary(world_current()->estate, "root"));
    assert_ok(login(session));
    assert_int_equal(find_label(session, "rep-app", found), 2);
    for (size_t i = 0; i < 2; i++) {
        CK_OBJECT_CLASS class = 0;
        CK_ATTRIBUTE item = {CKA_CLASS, &class, sizeof(class)};

        assert_ok(q->C_GetAttributeValue(session, found[i], &item, 1));
        *(class == CKO_PUBLIC_KEY ? &public : &key) = found[i];
    }
    calls();
    return 0;
}

static inline int end(void **state)
{
    (void)state;
    cut(CKR_OK);
    hang(NULL);
    assert_ok(q->C_Finalize(NULL));
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

static inline CK_RV sign_once(CK_SESSION_HANDLE s, unsigned char signature[64])
{
    return sign(s, key, data, sizeof(data), signature);
}

#endif
