#include <pthread.h>

#include "module/drill.h"
#include "tests/unit/mock_sites_fixture.h"
#include "tests/unit/one_estate.h"

/* Births at HSMs that hang, and at ones that wrap in different ways. The third site has two seconds for an answer. */

#define NEEDS(count, more)                                                                                             \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: " count ", prove: signature}" more   \
    "}\n"
#define RULES                                                                                                          \
    "  - id: both\n"                                                                                                   \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n" NEEDS(                                          \
        "2", ", transport: {allow: [oaep-sha1]}") "  - id: one\n"                                                      \
                                                  "    when: {operation: generate, token: root, label: "               \
                                                  "\"^spare-\"}\n" NEEDS(                                              \
                                                      "1", "") "  - id: strong\n"                                      \
                                                               "    when: {operation: generate, token: root, label: "  \
                                                               "\"^strong-\"}\n" NEEDS("2", "")

static __typeof__(depth_kind) usual;

static int setup(void **state)
{
    (void)state;
    usual = depth_kind;
    depth_glasgow = "answer-within: 2 seconds, ";
    mock_sites_make(&d, RULES);
    return 0;
}

static int as_usual(void **state)
{
    (void)state;
    depth_kind = usual;
    hsm_reset();
    return 0;
}

static enum outcome birth(const char *label, struct fault *f)
{
    struct depth_question q;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, label, "");
    enum outcome outcome = depth_birth(&d, &q, &secret, &public, f);
    depth_forget(&q);
    return outcome;
}

static void *release_when_all_hang(void *unused)
{
    (void)unused;
    for (size_t i = 0; i < 3; i++)
        hsm_await(i, 1);
    for (size_t i = 0; i < 3; i++)
        hsm_steer(i, "release");
    return NULL;
}

/* No site proves its keys before all have been asked; every one answers and is drilled. */
static void drills_side_by_side(void **state)
{
    struct fault f;
    json_t *report = NULL;
    pthread_t watcher;
    (void)state;
    assert_good(birth("app-drilled", &f));
    for (size_t i = 0; i < 3; i++)
        hsm_steer(i, "C_GenerateRandom hang times=1");
    assert_int_equal(pthread_create(&watcher, NULL, release_when_all_hang, NULL), 0);
    assert_good(drill_run(d.world, "root", NULL, &report, &f));
    assert_int_equal(pthread_join(watcher, NULL), 0);
    assert_int_equal(json_array_size(json_object_get(report, "sites")), 3);
    assert_int_equal(json_integer_value(json_object_get(report, "unproven")), 0);
    json_decref(report);
}

/* Of the last birth's offers, the mechanism of the i-th to this site; "" where there were fewer. */
static void offered(const char *site, size_t i, char ret[32])
{
    const struct state *s = &d.world->estate->state;
    uint64_t intent = s->intents[s->intent_count - 1].seq;
    ret[0] = '\0';
    for (uint64_t seq = intent; seq < log_size(d.world->estate->log); seq++) {
        struct entry e = {0};
        struct buf line = BUF(LIMIT_ENTRY);
        struct fault f;
        int64_t of = 0;
        assert_good(log_entry_bytes(d.world->estate->log, seq, &line, &f));
        assert_good(entry_parse(buf_span(&line), &e, &f));
        buf_free(&line);
        if (e.type == ENTRY_OFFER && json_want_integer(e.body, "intent", &of, &f) == OK && (uint64_t)of == intent &&
            strcmp(json_string_or_null(e.body, "site"), site) == 0 && i-- == 0)
            snprintf(ret, 32, "%s", json_string_or_null(e.body, "mechanism"));
        entry_clear(&e);
    }
}

static void assert_offered(const char *site, size_t i, const char *want)
{
    char mechanism[32];
    offered(site, i, mechanism);
    assert_string_equal(mechanism, want);
}

static void count_everywhere(const char *label, size_t want)
{
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PRIVATE_KEY, label), want);
        assert_int_equal(depth_count(&d, depth_sites[i], CKO_PUBLIC_KEY, label), want);
    }
}

static void *release_when_both_hang(void *unused)
{
    (void)unused;
    hsm_await(1, 1);
    hsm_await(2, 1);
    hsm_steer(1, "release");
    hsm_steer(2, "release");
    return NULL;
}

/* Neither comes back before both have been asked. */
static void side_by_side(void **state)
{
    static const char *const calls[] = {"C_Login", "C_UnwrapKey", "C_CreateObject", "C_GenerateRandom"};
    struct fault f;
    char line[64], label[32];
    pthread_t watcher;
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        snprintf(line, sizeof line, "%s hang times=1", calls[i]);
        hsm_steer(1, line);
        hsm_steer(2, line);
        snprintf(label, sizeof label, "app-beside-%zu", i);
        assert_int_equal(pthread_create(&watcher, NULL, release_when_both_hang, NULL), 0);
        assert_good(birth(label, &f));
        assert_int_equal(pthread_join(watcher, NULL), 0);
        count_everywhere(label, 1);
    }
}

static void strongest_first(void **state)
{
    struct fault f;
    (void)state;
    assert_good(birth("app-rsa-aes", &f));
    assert_offered("cardiff", 0, "rsa-aes-key-wrap-sha256");
    assert_offered("glasgow", 0, "rsa-aes-key-wrap-sha256");

    hsm_steer(1, "lacks 1 rsa-aes");
    assert_good(birth("strong-mixed", &f));
    assert_offered("cardiff", 0, "oaep-sha256+aes-kwp");
    assert_offered("glasgow", 0, "rsa-aes-key-wrap-sha256");
    count_everywhere("strong-mixed", 1);

    hsm_steer(0, "lacks 0 rsa-aes");
    hsm_steer(0, "lacks 0 oaep-sha256");
    assert_good(birth("app-weak", &f));
    assert_offered("cardiff", 0, "oaep-sha1+aes-kwp");
    assert_int_equal(birth("strong-weak", &f), E_REFUSED);
    assert_text("oaep-sha1");
    assert_text("\"strong\"");
    count_everywhere("strong-weak", 0);
}

/* It says that it does, and then does not. */
static void an_hsm_that_says_too_much(void **state)
{
    struct fault f;
    (void)state;
    hsm_steer(0, "refuses 0 rsa-aes");
    hsm_steer(2, "refuses 2 oaep-sha256");
    assert_good(birth("app-says", &f));
    assert_offered("cardiff", 0, "oaep-sha256+aes-kwp");
    assert_offered("glasgow", 0, "oaep-sha256+aes-kwp");
    assert_offered("glasgow", 1, "oaep-sha1+aes-kwp");
    assert_offered("glasgow", 2, "");
    count_everywhere("app-says", 1);
    assert_int_equal(birth("strong-says", &f), E_DEVICE);
    assert_text("glasgow");
    count_everywhere("strong-says", 0);

    as_usual(state);
    hsm_steer(1, "refuses 1 rsa-aes");
    assert_good(birth("strong-twice", &f));
    assert_offered("cardiff", 0, "rsa-aes-key-wrap-sha256");
    assert_offered("cardiff", 1, "oaep-sha256+aes-kwp");
    assert_offered("glasgow", 1, "");
    count_everywhere("strong-twice", 1);
}

static const struct {
    CK_MECHANISM_TYPE mechanism;
    CK_ULONG size; /* bits of an RSA key, bytes of a secret one */
    CK_BYTE curve[16];
    CK_ULONG curve_len;
    const char *type;
} kinds[] = {
    {CKM_EC_KEY_PAIR_GEN, 0, {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}, 10, "EC:P-256"},
    {CKM_EC_KEY_PAIR_GEN, 0, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22}, 7, "EC:P-384"},
    {CKM_EC_KEY_PAIR_GEN, 0, {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23}, 7, "EC:P-521"},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, 2048, {0}, 0, "RSA:2048"},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, {0}, 0, "RSA:3072"},
    {CKM_RSA_PKCS_KEY_PAIR_GEN, 4096, {0}, 0, "RSA:4096"},
    {CKM_AES_KEY_GEN, 16, {0}, 0, "AES:128"},
    {CKM_AES_KEY_GEN, 24, {0}, 0, "AES:192"},
    {CKM_AES_KEY_GEN, 32, {0}, 0, "AES:256"},
    {CKM_GENERIC_SECRET_KEY_GEN, 40, {0}, 0, "GENERIC:320"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Every kind of key by every way of wrapping; `how` is what site 2 lacks. */
static void kinds_born(const char *how, const char *mechanism)
{
    struct depth_question q;
    struct fault f;
    char label[64];
    for (size_t i = 0; i < KINDS; i++) {
        CK_OBJECT_HANDLE secret = 0, public = 0;
        depth_kind.bits = depth_kind.len = kinds[i].size;
        memcpy(depth_kind.curve, kinds[i].curve, sizeof depth_kind.curve);
        depth_kind.curve_len = kinds[i].curve_len;
        snprintf(label, sizeof label, "app-kind-%s-%zu", how, i);
        depth_ask_approved(&d, &q, kinds[i].mechanism, label, "");
        if (depth_birth(&d, &q, &secret, &public, &f) != OK)
            fail_msg("%s: %s", kinds[i].type, f.text);
        const struct state *s = &d.world->estate->state;
        assert_string_equal(s->keys[s->key_count - 1].type, kinds[i].type);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(depth_count(&d, depth_sites[k], q.template.pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY, label),
                             1);
        assert_offered("glasgow", 0, mechanism);
        depth_forget(&q);
    }
}

static void every_kind(void **state)
{
    kinds_born("a", "rsa-aes-key-wrap-sha256");
    hsm_steer(2, "lacks 2 rsa-aes");
    kinds_born("b", "oaep-sha256+aes-kwp");
    as_usual(state);
}

/* What was left to itself is back: the library answers again. */
static void await_answers(size_t site)
{
    struct fault f;
    hsm_steer(site, "reset");
    while (lower_answers(world_lower(d.world, hsm[site].path), &f) != OK)
        usleep(1000);
}

static void absent_where_it_does_not_answer(void **state)
{
    struct fault f;
    (void)state;
    hsm_steer(2, "C_Sign hang");
    assert_good(birth("spare-without", &f));
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "spare-without"), 1);
    uint64_t size = log_size(d.world->estate->log);
    assert_int_equal(birth("app-without", &f), E_DEVICE);
    assert_text("glasgow");
    assert_text("has not come back");
    assert_text("asks for 2 replicas, 1 are ready");
    assert_true(log_size(d.world->estate->log) > size); /* request and approvals, but no intent */
    assert_int_equal(
        state_request_by_subject(&d.world->estate->state,
                                 &d.world->estate->state.requests[d.world->estate->state.request_count - 1].subject)
            ->state,
        REQUEST_PENDING);
    await_answers(2);
    assert_good(birth("app-without", &f));
    count_everywhere("app-without", 1);
    assert_int_equal(depth_count(&d, "glasgow", CKO_PRIVATE_KEY, "spare-without"), 0);
}

static const struct state_intent *last_intent(void)
{
    const struct state *s = &d.world->estate->state;
    return &s->intents[s->intent_count - 1];
}

/* It took the offer, and does not come back: an orphan, until it has come back and is clean. */
static void lost_in_the_middle(void **state)
{
    static const char *const calls[] = {"C_UnwrapKey hang", "C_CreateObject hang", "C_GenerateRandom hang",
                                        "C_Sign skip=1 hang"};
    struct fault f;
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        hsm_steer(2, calls[i]);
        if (birth("app-lost", &f) != E_DEVICE)
            fail_msg("%s: %s", calls[i], f.text);
        assert_text("glasgow");
        assert_text("no answer within 2 seconds");
        assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
        assert_true(strings_have(&last_intent()->orphans, "glasgow"));
        assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-lost"), 0);
        /* Births wait for it, whatever they need. */
        assert_int_equal(birth("spare-lost", &f), E_REFUSED);
        assert_text("not settled");
        assert_int_equal(settle_run(d.world, NULL, &f), E_REFUSED);
        await_answers(2);
        count_everywhere("app-lost", 0); /* the late one has cleaned up after itself */
        assert_good(settle_run(d.world, NULL, &f));
        assert_int_equal(last_intent()->orphans.count, 0);
    }
    assert_good(birth("app-lost", &f));
    count_everywhere("app-lost", 1);
}

/* What hung is undone when it is back; nothing more is made first. */
static void nothing_is_begun_late(void **state)
{
    struct fault f;
    (void)state;
    hsm_steer(2, "C_UnwrapKey hang times=1");
    assert_int_equal(birth("app-late", &f), E_DEVICE);
    assert_int_equal(hsm[2].calls("C_UnwrapKey"), 1);
    hsm_steer(2, "release");
    while (lower_answers(world_lower(d.world, hsm[2].path), &f) != OK)
        usleep(1000);
    assert_true(hsm[2].calls("C_CloseSession") > 0); /* it went on to its end */
    assert_int_equal(hsm[2].calls("C_UnwrapKey"), 1);
    assert_int_equal(hsm[2].calls("C_CreateObject"), 0);
    assert_good(settle_run(d.world, NULL, &f));
    assert_good(birth("app-late", &f));
    count_everywhere("app-late", 1);
}

/* What is lost at the end is told later. */
static void lost_when_all_is_done(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-told", "told");
    hsm_steer(2, "C_SetAttributeValue hang");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
    assert_int_equal(last_intent()->state, INTENT_BORN);
    await_answers(2);
    assert_good(settle_run(d.world, NULL, &f));
    assert_int_equal(last_intent()->state, INTENT_SETTLED);
    count_everywhere("app-told", 1);
}

static enum outcome public_half(const char *id)
{
    struct site_link link = {0};
    struct fault f;
    CK_OBJECT_HANDLE found = 0;
    assert_good(site_open(d.world, "root", "glasgow", SITE_EITHER, &link, &f));
    enum outcome outcome = site_find_one(&link, CKO_PUBLIC_KEY, span_str(id), &found, &f);
    site_close(&link);
    return outcome;
}

/* The HSM says that the public half has the caller's CKA_ID now, and did nothing: the site does not count as told. */
static void a_public_half_that_keeps_its_id(void **state)
{
    struct depth_question q;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-quiet", "quiet");
    hsm_steer(2, "C_SetAttributeValue rv=0 skip=1 times=1");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
    assert_int_equal(last_intent()->state, INTENT_BORN);
    assert_good(settle_run(d.world, NULL, &f));
    assert_int_equal(last_intent()->state, INTENT_SETTLED);
    assert_good(public_half("quiet"));
}

static bool settled(void)
{
    struct fault f;
    return settle_run(d.world, NULL, &f) == OK;
}

/* The life ends while a call is out; the next one goes on when it is back. */
static void a_life_that_ends_meanwhile(void **state)
{
    struct fault f;
    (void)state;
    hsm_steer(2, "C_UnwrapKey hang");
    assert_int_equal(birth("app-ends", &f), E_DEVICE);
    world_close(d.world);
    assert_int_equal(hsm[2].calls("hanging"), 1);
    assert_good(world_open(d.bindings, &d.world, &f));
    mock_sites_login(&d);
    assert_int_equal(settle_run(d.world, NULL, &f), E_REFUSED);
    await_answers(2);
    while (!settled())
        usleep(1000);
    assert_good(birth("app-ends", &f));
    count_everywhere("app-ends", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(side_by_side, as_usual),
        cmocka_unit_test_setup(drills_side_by_side, as_usual),
        cmocka_unit_test_setup(strongest_first, as_usual),
        cmocka_unit_test_setup(an_hsm_that_says_too_much, as_usual),
        cmocka_unit_test_setup(every_kind, as_usual),
        cmocka_unit_test_setup(absent_where_it_does_not_answer, as_usual),
        cmocka_unit_test_setup(lost_in_the_middle, as_usual),
        cmocka_unit_test_setup(nothing_is_begun_late, as_usual),
        cmocka_unit_test_setup(lost_when_all_is_done, as_usual),
        cmocka_unit_test_setup(a_public_half_that_keeps_its_id, as_usual),
        cmocka_unit_test_setup(a_life_that_ends_meanwhile, as_usual),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
