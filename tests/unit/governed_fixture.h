#ifndef QUORATE_TESTS_GOVERNED_FIXTURE_H
#define QUORATE_TESTS_GOVERNED_FIXTURE_H

/* The module under rules that ask people for nearly everything; three sites are enrolled. */

#include "tests/unit/module_fixture.h"

#define TWO "require: {quorum: {of: key-custodian, at-least: 2}}"
#define RULES                                                                                                          \
    "  - {id: births, when: {operation: generate, label: \"^(gov|num|out)-\"}, allow: true}\n"                         \
    "  - {id: replicated, when: {operation: generate, label: \"^rep-\"}, require: {quorum: {of: key-custodian, "       \
    "at-least: 2}, replicas: {at-least: 2, prove: signature}, extractable: closed, transport: {allow: "                \
    "[oaep-sha1]}}}\n"                                                                                                 \
    "  - {id: sessions, when: {operation: [import, derive, use, destroy], object: session}, allow: true}\n"            \
    "  - {id: numbered, when: {operation: use, label: \"^num-\"}, require: {quorum: {of: key-custodian, at-least: "    \
    "2}, uses: {at-most: 3, within: 1 hour}}}\n"                                                                       \
    "  - {id: free change, when: {operation: modify, label: \"^rep-free-\"}, allow: true}\n"                           \
    "  - {id: governed, when: {operation: [use, import, derive, copy, modify, wrap, destroy, initialise, "             \
    "set-pin]}, " TWO "}\n"

static inline int make_home(void **state)
{
    (void)state;
    depth_begin_closed(&home, RULES);
    return C_GetFunctionList(&q) == CKR_OK ? 0 : -1;
}

static inline size_t pending(void)
{
    const struct state *s = &world_current()->estate->state;
    size_t count = 0;

    for (size_t i = 0; i < s->request_count; i++)
        count += s->requests[i].state == REQUEST_PENDING;
    return count;
}

/* Another process that begins what the newest request asks for, and dies. The intent. more: as of estate_intend. */
static inline uint64_t begun_and_dead(const json_t *more)
{
    struct estate *e = NULL;
    struct request *r = NULL;
    struct fault f = {0};
    uint64_t intent = 0;

    assert_good(estate_open(home.bindings, &e, &f));
    assert_good(estate_request(e, &e->state.requests[e->state.request_count - 1].id, &r, &f));
    assert_good(estate_intend(e, r, NULL, more, &intent, &f));
    request_free(r);
    estate_close(e);
    gate_forget();
    return intent;
}

/* Another process approves everything that waits. */
static inline void approve_all(void)
{
    struct estate *e = NULL;
    struct fault f = {0};

    assert_good(estate_open(home.bindings, &e, &f));
    for (size_t i = 0; i < e->state.request_count; i++) {
        struct digest id = e->state.requests[i].id;

        if (e->state.requests[i].state == REQUEST_PENDING && e->state.requests[i].vote_count == 0)
            depth_approve(e, &id, "key-custodian");
    }
    estate_close(e);
    gate_forget();
}

/* Refused, approved, done. */
#define approved(call)                                                                                                 \
    do {                                                                                                               \
        CK_RV first_ = (call);                                                                                         \
        if (first_ != CKR_FUNCTION_REJECTED && first_ != CKR_ACTION_PROHIBITED)                                        \
            fail_msg("%s: 0x%lx before anybody approved", #call, first_);                                              \
        approve_all();                                                                                                 \
        assert_ok(call);                                                                                               \
    } while (0)

static inline CK_OBJECT_HANDLE make_aes(const char *label, bool extractable)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG len = 32;
    char text[64];
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_LABEL, text, strlen(label)},
                        {CKA_VALUE_LEN, &len, sizeof(len)},
                        {CKA_ENCRYPT, &yes, 1},
                        {CKA_DECRYPT, &yes, 1},
                        {CKA_WRAP, &yes, 1},
                        {CKA_UNWRAP, &yes, 1},
                        {CKA_SIGN, &yes, 1},
                        {CKA_VERIFY, &yes, 1},
                        {CKA_EXTRACTABLE, extractable ? &yes : &no, 1},
                        {CKA_ID, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    assert_ok(q->C_GenerateKey(session, &mechanism, t, sizeof(t) / sizeof(*t), &key));
    return key;
}

/* How the log knows the newest key of a label. */
static inline const struct state_key *key_named(const char *label)
{
    const struct state *s = &world_current()->estate->state;
    const struct state_key *found = NULL;

    for (size_t i = 0; i < s->key_count; i++)
        if (strcmp(s->keys[i].label, label) == 0 && !s->keys[i].destroyed)
            found = &s->keys[i];
    return found;
}

static inline CK_RV import_with_id(const char *label, const char *id, unsigned char value[32], CK_OBJECT_HANDLE *ret)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    char text[64], name[64];
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},
                        {CKA_SENSITIVE, &yes, 1},
                        {CKA_LABEL, text, strlen(label)},
                        {CKA_VALUE, value, 32},
                        {CKA_ENCRYPT, &yes, 1},
                        {CKA_ID, name, strlen(id)}};

    snprintf(text, sizeof(text), "%s", label);
    snprintf(name, sizeof(name), "%s", id);
    return q->C_CreateObject(session, t, sizeof(t) / sizeof(*t), ret);
}

static inline CK_RV import_secret(const char *label, unsigned char value[32], CK_OBJECT_HANDLE *ret)
{
    return import_with_id(label, label, value, ret);
}

/* The HSM of a site, past the module. */
static inline size_t count_at(const char *site, CK_OBJECT_CLASS class, const char *label)
{
    struct depth d = {.world = world_current()};

    return depth_count(&d, site, class, label);
}

#define GOVERNED(test) cmocka_unit_test_setup_teardown(test, life_begin, life_end)

#endif
