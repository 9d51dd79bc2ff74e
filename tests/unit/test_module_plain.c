#include <sys/wait.h>

#include "module/birth.h"
#include "tests/unit/death.h"
#include "tests/unit/module_fixture.h"

/* Births that a rule plainly allows: nobody is asked, and the log says what begins before the HSM is asked for it. */

#define FREE                                                                                                           \
    "  - {id: free, when: {operation: [generate, import, derive, copy, use, modify, destroy, wrap], label: "           \
    "\"^(free-|$)\"}, allow: true}\n"

static int free_home(void **state)
{
    (void)state;
    depth_make(&home, FREE);
    world_close(home.world);
    home.world = NULL;
    return C_GetFunctionList(&q) == CKR_OK ? 0 : -1;
}

static const struct state *now(void)
{
    return &world_current()->estate->state;
}

static const struct state_intent *last_intent(void)
{
    return &now()->intents[now()->intent_count - 1];
}

/* How many objects lie on the token, whatever the module shows. */
static size_t lying(const char *label)
{
    size_t count = 0;
    world_open(home.bindings, &home.world, &(struct fault){0});
    count = depth_count(&home, "slough", CKO_PRIVATE_KEY, label) + depth_count(&home, "slough", CKO_PUBLIC_KEY, label) +
            depth_count(&home, "slough", CKO_SECRET_KEY, label);
    world_close(home.world);
    home.world = NULL;
    return count;
}

static void assert_id(CK_OBJECT_HANDLE object, const char *want)
{
    CK_BYTE bytes[64];
    CK_ATTRIBUTE a = {CKA_ID, bytes, sizeof(bytes)};

    assert_ok(q->C_GetAttributeValue(session, object, &a, 1));
    assert_int_equal(a.ulValueLen, strlen(want));
    assert_memory_equal(bytes, want, a.ulValueLen);
}

/* The last one: begun for this function, settled, and everything that it was asked for is spent. */
static void assert_settled(const char *function, const char *caller_id, const char *public_id)
{
    const struct state_intent *i = last_intent();
    const struct state_key *k = &now()->keys[now()->key_count - 1];

    assert_true(state_intent_plain(i));
    assert_int_equal(i->state, INTENT_SETTLED);
    assert_string_equal(json_string_or_null(i->body, "function"), function);
    assert_string_equal(json_string_or_null(i->body, "caller-id"), caller_id);
    if (public_id)
        assert_string_equal(json_string_or_null(i->body, "public-id"), public_id);
    else
        assert_null(json_object_get(i->body, "public-id"));
    assert_int_equal(k->intent, i->seq);
    assert_string_equal(k->id, caller_id);
    assert_int_equal(state_request(now(), &i->request)->state, REQUEST_SPENT);
}

static CK_RV pair_with(const char *label, const char *public_id, const char *private_id, CK_BBOOL *modifiable,
                       CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    char text[64], ids[2][64];
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1},
                             {CKA_EC_PARAMS, p256, sizeof(p256) - 1},
                             {CKA_LABEL, text, strlen(label)},
                             {CKA_ID, ids[0], strlen(public_id)}},
                 private[] = {{CKA_TOKEN, &yes, 1},
                              {CKA_PRIVATE, &yes, 1},
                              {CKA_SIGN, &yes, 1},
                              {CKA_LABEL, text, strlen(label)},
                              {CKA_MODIFIABLE, modifiable, 1},
                              {CKA_ID, ids[1], strlen(private_id)}};

    snprintf(text, sizeof(text), "%s", label);
    snprintf(ids[0], sizeof(ids[0]), "%s", public_id);
    snprintf(ids[1], sizeof(ids[1]), "%s", private_id);
    return q->C_GenerateKeyPair(session, &mechanism, public, 4, private, 6, ret_public, ret_private);
}

static void a_pair_is_begun_and_has_what_was_asked_for(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0, again_public = 0, again_private = 0, found[8];

    (void)state;
    assert_ok(make_pair(session, "free-none", true, &public, &private));
    assert_settled("C_GenerateKeyPair", "", NULL);
    assert_id(public, "");
    assert_id(private, "");
    assert_ok(pair_with("free-two", "left", "right", &yes, &public, &private));
    assert_settled("C_GenerateKeyPair", "7269676874", "6c656674");
    assert_id(public, "left");
    assert_id(private, "right");
    assert_ok(pair_with("free-one", "both", "both", &yes, &public, &private));
    assert_settled("C_GenerateKeyPair", "626f7468", NULL);
    /* The same again is another birth. */
    uint64_t first = last_intent()->seq;
    assert_ok(pair_with("free-one", "both", "both", &yes, &again_public, &again_private));
    assert_settled("C_GenerateKeyPair", "626f7468", NULL);
    assert_true(last_intent()->seq > first);
    assert_int_equal(find_label(session, "free-one", found), 4);
}

static void what_nobody_could_rename_goes_down_as_it_came(void **state)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    size_t intents = logged(ENTRY_INTENT), born = logged(ENTRY_BORN), requests = logged(ENTRY_REQUEST);

    (void)state;
    assert_ok(pair_with("free-fixed", "a", "b", &no, &public, &private));
    assert_id(public, "a");
    assert_id(private, "b");
    assert_int_equal(logged(ENTRY_BORN), born + 1);
    assert_int_equal(now()->keys[now()->key_count - 1].intent, 0);
    /* Nor is anything written of what no key of the log comes of. */
    assert_ok(make_pair(session, "free-session", false, &public, &private));
    CK_SESSION_HANDLE ro = open_session(0);
    assert_rv(make_pair(ro, "free-ro", true, &public, &private), CKR_SESSION_READ_ONLY);
    assert_int_equal(logged(ENTRY_INTENT), intents);
    assert_int_equal(logged(ENTRY_REQUEST), requests);
    assert_int_equal(logged(ENTRY_BORN), born + 1);
}

static void what_the_hsm_refuses_is_rolled_back(void **state)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ULONG bytes = 7;
    char label[] = "free-short";
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1}, {CKA_LABEL, label, 10}, {CKA_VALUE_LEN, &bytes, sizeof(bytes)}};
    CK_OBJECT_HANDLE key = 0;
    size_t rolled = logged(ENTRY_ROLLED_BACK), born = logged(ENTRY_BORN);

    (void)state;
    assert_int_not_equal(q->C_GenerateKey(session, &mechanism, t, 3, &key), CKR_OK);
    assert_int_equal(logged(ENTRY_ROLLED_BACK), rolled + 1);
    assert_int_equal(logged(ENTRY_BORN), born);
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    assert_int_equal(state_request(now(), &last_intent()->request)->state, REQUEST_VOID);
}

/* The secret key that everything else comes from. */
static CK_OBJECT_HANDLE import(const char *label, const char *id)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    char text[64], id_text[64];
    unsigned char value[32] = "thirty-two bytes from elsewhere";
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &yes, 1},
                        {CKA_LABEL, text, strlen(label)},
                        {CKA_ID, id_text, strlen(id)},
                        {CKA_VALUE, value, sizeof(value)},
                        {CKA_WRAP, &yes, 1},
                        {CKA_UNWRAP, &yes, 1},
                        {CKA_EXTRACTABLE, &yes, 1},
                        {CKA_DERIVE, &yes, 1}};
    CK_OBJECT_HANDLE key = 0;

    snprintf(text, sizeof(text), "%s", label);
    snprintf(id_text, sizeof(id_text), "%s", id);
    assert_ok(q->C_CreateObject(session, t, sizeof(t) / sizeof(*t), &key));
    return key;
}

static void keys_come_in_by_every_way(void **state)
{
    CK_OBJECT_HANDLE base = import("free-base", "base"), key = 0;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    char label[] = "free-more";
    unsigned char wrapped[64], data[32] = {1};
    CK_ULONG len = sizeof(wrapped), bytes = 32;
    CK_MECHANISM wrap = {CKM_AES_KEY_WRAP, NULL, 0};
    CK_KEY_DERIVATION_STRING_DATA string = {data, sizeof(data)};
    CK_MECHANISM derive = {CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof(string)};
    CK_ATTRIBUTE t[] = {{CKA_CLASS, &class, sizeof(class)},
                        {CKA_KEY_TYPE, &type, sizeof(type)},
                        {CKA_TOKEN, &yes, 1},
                        {CKA_LABEL, label, 9},
                        {CKA_VALUE_LEN, &bytes, sizeof(bytes)}};

    (void)state;
    assert_settled("C_CreateObject", "62617365", NULL);
    assert_id(base, "base");
    assert_ok(q->C_CopyObject(session, base, t + 3, 1, &key));
    assert_settled("C_CopyObject", "62617365", NULL); /* a copy has the id of what it is copied from */
    assert_id(key, "base");
    assert_ok(q->C_WrapKey(session, &wrap, base, key, wrapped, &len));
    assert_ok(q->C_UnwrapKey(session, &wrap, base, wrapped, len, t, 4, &key));
    assert_settled("C_UnwrapKey", "", NULL);
    assert_id(key, "");
    assert_ok(q->C_DeriveKey(session, &derive, base, t, 5, &key));
    assert_settled("C_DeriveKey", "", NULL);
    assert_id(key, "");
    /* What is no key of the log is no birth. */
    size_t intents = logged(ENTRY_INTENT);
    CK_ATTRIBUTE off_token[] = {{CKA_TOKEN, &no, 1}};
    assert_ok(q->C_CopyObject(session, base, off_token, 1, &key));
    assert_int_equal(logged(ENTRY_INTENT), intents);
}

/* 0: it went through. */
static int birth_in_child(unsigned step)
{
    CK_OBJECT_HANDLE public = 0, private = 0;

    life_begin(NULL);
    die_at_step(step);
    return pair_with("free-dying", "left", "right", &yes, &public, &private) == CKR_OK ? 0 : 4;
}

static bool died_at(unsigned step)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(birth_in_child(step));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        assert_int_equal(WEXITSTATUS(status), 0);
    return WIFSIGNALED(status);
}

/* Born with the ids that were asked for, or nowhere. Of entries `born` there were so many before; how many of it there are now. */
static size_t settled_after(size_t born_before)
{
    struct fault f = {0};
    CK_OBJECT_HANDLE found[8];

    life_begin(NULL);
    size_t born = logged(ENTRY_BORN) - born_before;
    assert_good(settle_run(world_current(), NULL, &f));
    assert_true(born <= 1);
    assert_int_equal(find_label(session, "free-dying", found), 2 * born);
    for (size_t i = 0; i < now()->intent_count; i++)
        assert_true(now()->intents[i].state == INTENT_SETTLED || now()->intents[i].state == INTENT_ROLLED_BACK);
    for (size_t i = 0; i < 2 * born; i++) {
        CK_OBJECT_CLASS class = 0;
        CK_ATTRIBUTE a = {CKA_CLASS, &class, sizeof(class)};
        assert_ok(q->C_GetAttributeValue(session, found[i], &a, 1));
        assert_id(found[i], class == CKO_PUBLIC_KEY ? "left" : "right");
    }
    for (size_t i = 0; i < 2 * born; i++)
        assert_ok(q->C_DestroyObject(session, found[i]));
    life_end(NULL);
    assert_int_equal(lying("free-dying"), 0);
    return born;
}

static void a_death_leaves_it_born_or_nowhere(void **state)
{
    unsigned step = 1;
    size_t before = 0, born = 0;

    (void)state;
    life_begin(NULL);
    before = logged(ENTRY_BORN);
    life_end(NULL);
    while (died_at(step)) {
        born += settled_after(before + born);
        step++;
    }
    assert_int_equal(settled_after(before + born), 1);
    assert_true(step > 8);
    assert_in_range(born, 2, step - 4); /* some died before `born`, some after */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LIFE(a_pair_is_begun_and_has_what_was_asked_for), IN_LIFE(what_nobody_could_rename_goes_down_as_it_came),
        IN_LIFE(what_the_hsm_refuses_is_rolled_back),        IN_LIFE(keys_come_in_by_every_way),
        cmocka_unit_test(a_death_leaves_it_born_or_nowhere),
    };

    return cmocka_run_group_tests(tests, free_home, home_end);
}
