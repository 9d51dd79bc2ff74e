#include "module/drill.h"
#include "tests/unit/one_estate.h"

/* Every replica of every key proves itself again, on SoftHSM. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"                                                                                          \
    "  - id: drilled pairs\n"                                                                                          \
    "    when: {operation: generate, token: root, label: \"^fresh-\"}\n"                                               \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature, fresh: 12 "     \
    "months}, transport: {allow: [oaep-sha1]}}\n"                                                                      \
    "  - id: secrets\n"                                                                                                \
    "    when: {operation: generate, token: root, label: \"^sec-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: attest}, transport: "      \
    "{allow: [oaep-sha1]}}\n"

static int setup(void **state)
{
    (void)state;
    depth_begin(&d, RULES);
    return 0;
}

static void birth(CK_MECHANISM_TYPE mechanism, const char *label)
{
    struct fault f;
    struct depth_question q;
    CK_OBJECT_HANDLE secret = CK_INVALID_HANDLE, public = CK_INVALID_HANDLE;
    depth_ask_approved(&d, &q, mechanism, label, "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
}

/* What the drill of one site says. */
static json_t *drilled(const char *site, bool want_whole)
{
    struct fault f;
    json_t *line = json_object();
    bool whole = !want_whole;
    assert_good(drill_site(d.world, "root", site, NULL, line, &whole, &f));
    if (whole != want_whole)
        fail_msg("%s", json_dumps(line, 0));
    return line;
}

static int64_t number(const json_t *line, const char *name)
{
    return (int64_t)json_integer_value(json_object_get(line, name));
}

static moment last_drill(const char *site)
{
    return state_site(&d.world->estate->state, "root", site)->drilled;
}

static void fails(const char *site, size_t count, const char *label, const char *why)
{
    json_t *line = drilled(site, false), *failed = json_object_get(line, "failed");
    assert_int_equal(json_array_size(failed), count);
    const char *named = json_string_or_null(json_array_get(failed, 0), "label"),
               *said = json_string_or_null(json_array_get(failed, 0), "why");
    assert_string_equal(named, label);
    if (strstr(said, why) == NULL)
        fail_msg("\"%s\" is not in: %s", why, said);
    json_decref(line);
}

/* The private key with this label at a site, and its CKA_ID. */
static CK_OBJECT_HANDLE private_at(const struct site_link *link, const char *label, CK_BYTE ret_id[64],
                                   CK_ULONG *ret_len)
{
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE found[2];
    struct fault f;
    size_t count = 0;
    struct buf id = BUF(64);
    char text[64];
    snprintf(text, sizeof text, "%s", label);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, text, strlen(text)}};
    assert_good(site_find(link, match, 2, found, 2, &count, &f));
    assert_int_equal(count, 1);
    assert_good(site_attribute(link, found[0], CKA_ID, &id, &f));
    memcpy(ret_id, id.data, id.len);
    *ret_len = id.len;
    buf_free(&id);
    return found[0];
}

static void no_keys_is_a_drill_too(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        json_t *line = drilled(depth_sites[i], true);
        assert_int_equal(number(line, "proven"), 0);
        json_decref(line);
    }
}

static void all_of_them(void **state)
{
    struct fault f;
    json_t *report = NULL, *line = NULL;
    size_t i = 0;
    (void)state;
    birth(CKM_EC_KEY_PAIR_GEN, "app-1");
    birth(CKM_RSA_PKCS_KEY_PAIR_GEN, "app-2");
    birth(CKM_AES_KEY_GEN, "sec-1");
    assert_good(drill_run(d.world, NULL, NULL, &report, &f));
    assert_int_equal(number(report, "unproven"), 0);
    assert_int_equal(json_array_size(json_object_get(report, "sites")), 3);
    json_array_foreach(json_object_get(report, "sites"), i, line)
    {
        assert_int_equal(number(line, "proven"), 3);
        assert_int_equal(number(line, "attested"), 1); /* the secret key: the HSM's word */
        assert_string_equal(json_string_or_null(line, "state"), "proven");
        assert_true(last_drill(json_string_or_null(line, "site")) > 0);
    }
    json_decref(report);
    assert_good(drill_run(d.world, "root", "glasgow", &report, &f));
    assert_int_equal(json_array_size(json_object_get(report, "sites")), 1);
    json_decref(report);
    assert_int_equal(drill_run(d.world, "root", "leeds", &report, &f), E_ABSENT);
    assert_int_equal(drill_run(d.world, "leaf", NULL, &report, &f), E_ABSENT);
}

static void a_key_that_is_another(void **state)
{
    struct fault f;
    struct site_link link = {0};
    CK_BYTE id[64], p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    CK_ULONG len = 0;
    CK_BBOOL yes = CK_TRUE;
    CK_OBJECT_HANDLE public, private;
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    (void)state;
    assert_good(site_open(d.world, "root", "glasgow", SITE_MODULE, &link, &f));
    private = private_at(&link, "app-1", id, &len);
    assert_int_equal(link.f->C_DestroyObject(link.session, private), CKR_OK);
    site_close(&link);
    fails("glasgow", 1, "app-1", "no such key");
    assert_int_equal(last_drill("glasgow"), 0);
    assert_true(last_drill("cardiff") > 0);
    /* In its place one with the same CKA_ID and label. */
    assert_good(site_open(d.world, "root", "glasgow", SITE_MODULE, &link, &f));
    CK_ATTRIBUTE shown[] = {{CKA_EC_PARAMS, p384, sizeof p384}},
                 secret[] = {{CKA_TOKEN, &yes, 1}, {CKA_SIGN, &yes, 1}, {CKA_ID, id, len}, {CKA_LABEL, "app-1", 5}};
    assert_int_equal(link.f->C_GenerateKeyPair(link.session, &mechanism, shown, 1, secret, 4, &public, &private),
                     CKR_OK);
    site_close(&link);
    fails("glasgow", 1, "app-1", "signature");
    assert_int_equal(last_drill("glasgow"), 0);
}

/* A rule with `fresh:` counts sites by their last drill. */
static void fresh_is_judged(void **state)
{
    struct depth_question q;
    struct buf why = BUF(4096);
    (void)state;
    assert_int_equal(depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, "fresh-1", ""), DECISION_PENDING);
    depth_approve(d.world->estate, &q.answer.request->id, "key-custodian");
    depth_forget(&q);
    assert_int_equal(depth_ask(&d, &q, CKM_EC_KEY_PAIR_GEN, "fresh-1", ""), DECISION_PENDING);
    verdict_put_short(q.answer.verdict, &why);
    if (strstr(buf_str(&why), "1 of 2 replica sites") == NULL)
        fail_msg("%s", buf_str(&why));
    buf_free(&why);
    depth_forget(&q);
}

static void a_site_that_is_away(void **state)
{
    (void)state;
    struct bound_token *t = &d.world->estate->bindings->tokens[0];
    size_t i = 0;
    while (strcmp(t->sites[i].site, "cardiff") != 0)
        i++;
    struct binding *b = &t->sites[i];
    moment before = last_drill("cardiff");
    char *serial = b->serial, other[] = "0123456789abcdef";
    b->serial = other;
    json_t *line = drilled("cardiff", false);
    assert_string_equal(json_string_or_null(line, "state"), "absent");
    assert_int_equal(json_array_size(json_object_get(line, "failed")), 3);
    assert_non_null(json_string_or_null(line, "why"));
    json_decref(line);
    assert_int_equal(last_drill("cardiff"), before); /* nothing new is known of it */
    /* Another HSM's answer is not its answer. */
    b->serial = d.serials[2];
    line = drilled("cardiff", false);
    assert_string_equal(json_string_or_null(line, "state"), "absent");
    json_decref(line);
    b->serial = serial;
    line = drilled("cardiff", true);
    json_decref(line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_keys_is_a_drill_too), cmocka_unit_test(all_of_them),
        cmocka_unit_test(a_key_that_is_another),  cmocka_unit_test(fresh_is_judged),
        cmocka_unit_test(a_site_that_is_away),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
