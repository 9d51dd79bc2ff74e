#include <stdatomic.h>

#include "tests/unit/one_estate.h"

/* HSMs that fail at any call of a birth that changes something, and an estate that changes while keys travel. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"
#define ID "fault-id"
#define ID_HEX "6661756c742d6964"

static CK_FUNCTION_LIST *real, between;
static atomic_uint calls_left;                   /* the call that fails, counted from 1; 0: none */
static _Atomic(void (*)(void)) while_travelling; /* once, when a site has taken a key in */

static CK_RV fails(void)
{
    unsigned left = atomic_load(&calls_left);
    while (left > 0 && !atomic_compare_exchange_weak(&calls_left, &left, left - 1))
        ;
    return left == 1 ? CKR_DEVICE_ERROR : CKR_OK;
}

#define FAILS_OR(call) fails() != CKR_OK ? CKR_DEVICE_ERROR : real->call

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *data, CK_NOTIFY notify, CK_SESSION_HANDLE *session)
{
    return FAILS_OR(C_OpenSession(slot, flags, data, notify, session));
}

static CK_RV generate_pair(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *public, CK_ULONG public_count,
                           CK_ATTRIBUTE *private, CK_ULONG private_count, CK_OBJECT_HANDLE *ret_public,
                           CK_OBJECT_HANDLE *ret_private)
{
    return FAILS_OR(C_GenerateKeyPair(s, m, public, public_count, private, private_count, ret_public, ret_private));
}

static CK_RV generate_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_ATTRIBUTE *t, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    return FAILS_OR(C_GenerateKey(s, m, t, count, ret));
}

static CK_RV wrap_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key, CK_BYTE *blob,
                      CK_ULONG *len)
{
    return FAILS_OR(C_WrapKey(s, m, with, key, blob, len));
}

static CK_RV unwrap_key(CK_SESSION_HANDLE s, CK_MECHANISM *m, CK_OBJECT_HANDLE with, CK_BYTE *blob, CK_ULONG len,
                        CK_ATTRIBUTE *t, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    return FAILS_OR(C_UnwrapKey(s, m, with, blob, len, t, count, ret));
}

static CK_RV create_object(CK_SESSION_HANDLE s, CK_ATTRIBUTE *t, CK_ULONG count, CK_OBJECT_HANDLE *ret)
{
    return FAILS_OR(C_CreateObject(s, t, count, ret));
}

static CK_RV copy_object(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG count,
                         CK_OBJECT_HANDLE *ret)
{
    return FAILS_OR(C_CopyObject(s, o, t, count, ret));
}

static CK_RV destroy_object(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o)
{
    return FAILS_OR(C_DestroyObject(s, o));
}

static CK_RV set_attribute(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE o, CK_ATTRIBUTE *t, CK_ULONG count)
{
    return FAILS_OR(C_SetAttributeValue(s, o, t, count));
}

static CK_RV sign(CK_SESSION_HANDLE s, CK_BYTE *data, CK_ULONG len, CK_BYTE *signature, CK_ULONG *signature_len)
{
    return FAILS_OR(C_Sign(s, data, len, signature, signature_len));
}

static CK_RV generate_random(CK_SESSION_HANDLE s, CK_BYTE *data, CK_ULONG len)
{
    void (*now)(void) = atomic_exchange(&while_travelling, NULL);
    if (now != NULL)
        now();
    return FAILS_OR(C_GenerateRandom(s, data, len));
}

static void step_between(void)
{
    struct lower *l = world_lower(d.world, SOFTHSM);
    real = l->f;
    between = *real;
    between.C_OpenSession = open_session;
    between.C_GenerateKeyPair = generate_pair;
    between.C_GenerateKey = generate_key;
    between.C_WrapKey = wrap_key;
    between.C_UnwrapKey = unwrap_key;
    between.C_CreateObject = create_object;
    between.C_CopyObject = copy_object;
    between.C_DestroyObject = destroy_object;
    between.C_SetAttributeValue = set_attribute;
    between.C_Sign = sign;
    between.C_GenerateRandom = generate_random;
    l->f = &between;
}

static int setup(void **state)
{
    (void)state;
    depth_begin(&d, RULES);
    step_between();
    return 0;
}

static const struct state_key *born(void)
{
    return state_key(&d.world->estate->state, "root", "private-key", ID_HEX, NULL);
}

static void count_everywhere(const char *label, size_t want)
{
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PRIVATE_KEY, label), want);
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PUBLIC_KEY, label), want);
    }
}

static void settle_all(void)
{
    struct fault f;
    const struct state *s = &d.world->estate->state;
    assert_good(settle_run(d.world, NULL, &f));
    for (size_t i = 0; i < s->intent_count; i++) {
        assert_true(s->intents[i].state == INTENT_SETTLED || s->intents[i].state == INTENT_ROLLED_BACK);
        assert_int_equal(s->intents[i].orphans.count, 0);
    }
}

/* Through with it: the key has to go, for the next round uses its CKA_ID again. */
static void key_retire(const char *label)
{
    struct fault f;
    for (size_t i = 0; i < 3; i++) {
        struct site_link link = {0};
        assert_good(site_open(d.world, "root", depth_sites[i], i == 0 ? SITE_APPLICATION : SITE_MODULE, &link, &f));
        assert_good(site_destroy(&link, span_str(ID), &f));
        site_close(&link);
    }
    json_t *body = json_object();
    assert_true(json_put_string(body, "class", "private-key") && json_put_string(body, "id", ID_HEX) &&
                json_put_string(body, "label", label) && json_put_string(body, "token", "root"));
    assert_good(estate_append(d.world->estate, ENTRY_DESTROYED, body, NULL, &f));
    json_decref(body);
}

static void every_call(void **state)
{
    unsigned failed = 0, born_late = 0;
    bool through = false;
    (void)state;
    for (unsigned call = 1; !through; call++) {
        struct depth_question q;
        struct fault f;
        CK_OBJECT_HANDLE secret = 0, public = 0;
        depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-fault", ID);
        calls_left = call;
        enum outcome outcome = depth_birth(&d, &q, &secret, &public, &f);
        through = calls_left > 0;
        calls_left = 0;
        if (outcome != OK)
            assert_true(f.text[0] != '\0' && secret == 0);
        bool at_once = outcome == OK;
        settle_all();
        assert_true(at_once == (born() != NULL));
        count_everywhere("app-fault", born() != NULL ? 1 : 0);
        failed += !at_once;
        born_late += at_once && !through;
        if (born() != NULL)
            key_retire("app-fault");
        depth_forget(&q);
    }
    print_message("%u births failed, %u were born although a call failed\n", failed, born_late);
    assert_true(failed > 20 && born_late > 0);
}

static void suspend(void)
{
    struct fault f;
    struct estate *other = NULL;
    json_t *body = json_object();
    assert_good(estate_open(d.bindings, &other, &f));
    assert_true(json_put_string(body, "scope", "token:root"));
    assert_good(estate_append(other, ENTRY_SUSPENDED, body, NULL, &f));
    json_decref(body);
    estate_close(other);
}

/* Last: the token stays suspended. */
static void suspended_while_keys_travel(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-suspended", ID);
    while_travelling = suspend;
    assert_int_equal(depth_birth(&d, &q, &secret, &public, &f), E_REFUSED);
    assert_text("suspended");
    assert_null(atomic_load(&while_travelling));
    assert_null(born());
    count_everywhere("app-suspended", 0);
    assert_int_equal(state_request(&d.world->estate->state, &q.answer.request->id)->state, REQUEST_PENDING);
    depth_forget(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call),
        cmocka_unit_test(suspended_while_keys_travel),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
