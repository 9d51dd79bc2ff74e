#include <stdlib.h>

#include "tests/unit/test_policy_fixture.h"

/* Subjects, requests and rejections as documents: what is read of them, and what is refused. */

#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define PAIR(private, public)                                                                                          \
    "\"operation\":\"generate\",\"token\":\"root\",\"function\":\"C_GenerateKeyPair\",\"templates\":{\"private\":"     \
    "{" private "},\"public\":{" public "}}"
#define KEY(key)                                                                                                       \
    "\"operation\":\"generate\",\"token\":\"root\",\"function\":\"C_GenerateKey\",\"templates\":{\"key\":{" key "}}"
#define CURVE(hex) PAIR("", "\"CKA_KEY_TYPE\":\"CKK_EC\",\"CKA_EC_PARAMS\":\"hex:" hex "\"")
#define POLICY "\"policy\":{\"canonical\":\"" ZERO "\",\"digest\":\"" ZERO "\",\"version\":4}"
#define SCRIPT "\"script\":{\"canonical\":\"" ZERO "\",\"digest\":\"" ZERO "\",\"id\":\"rollover\"}"

struct fact {
    const char *members, *key_type;
    const char *usage; /* letters: s d v w for sign, decrypt, derive, wrap; x extractable */
};

static const struct fact facts[] = {
    {CURVE("06082a8648ce3d030107"), "EC:P-256", ""},
    {CURVE("06052b81040022"), "EC:P-384", ""},
    {CURVE("06052b81040023"), "EC:P-521", ""},
    {CURVE("06052b8104000a"), "", ""}, /* secp256k1 */
    {CURVE("06052b8104002200"), "", ""},
    {PAIR("\"CKA_KEY_TYPE\":\"CKK_EC_EDWARDS\"", "\"CKA_EC_PARAMS\":\"hex:06032b6570\""), "EC:Ed25519", ""},
    {PAIR("\"CKA_KEY_TYPE\":\"CKK_EC_EDWARDS\"", "\"CKA_EC_PARAMS\":\"hex:130c656477617264733235353139\""),
     "EC:Ed25519", ""},
    {PAIR("", "\"CKA_EC_PARAMS\":\"06052b81040022\""), "", ""}, /* no bytes: hex: is missing */
    {PAIR("\"CKA_KEY_TYPE\":\"CKK_RSA\"", "\"CKA_EC_PARAMS\":\"hex:06052b81040022\""), "", ""},
    {PAIR("\"CKA_KEY_TYPE\":\"CKK_RSA\"", "\"CKA_MODULUS_BITS\":3072"), "RSA:3072", ""},
    {PAIR("", "\"CKA_MODULUS_BITS\":\"3072\""), "", ""},
    {PAIR("", "\"CKA_MODULUS_BITS\":3072,\"CKA_EC_PARAMS\":\"hex:06052b81040022\""), "", ""}, /* both: neither */
    {KEY("\"CKA_KEY_TYPE\":\"CKK_AES\",\"CKA_VALUE_LEN\":32"), "AES:256", ""},
    {KEY("\"CKA_KEY_TYPE\":\"CKK_GENERIC_SECRET\",\"CKA_VALUE_LEN\":32"), "GENERIC:256", ""},
    {KEY("\"CKA_KEY_TYPE\":\"CKK_AES\",\"CKA_VALUE_LEN\":-1"), "", ""},
    {KEY("\"CKA_KEY_TYPE\":\"CKK_DES3\",\"CKA_VALUE_LEN\":24"), "", ""},
    {KEY("\"CKA_VALUE_LEN\":32"), "", ""},
    {KEY("\"CKA_ENCRYPT\":\"true\",\"CKA_WRAP\":\"false\""), "", "d"},
    {KEY("\"CKA_UNWRAP\":\"true\",\"CKA_EXTRACTABLE\":\"true\""), "", "wx"},
    {PAIR("\"CKA_SIGN\":\"true\",\"CKA_DERIVE\":\"true\",\"CKA_DECRYPT\":\"false\"", ""), "", "sv"},
    {PAIR("", "\"CKA_VERIFY_RECOVER\":\"true\",\"CKA_WRAP\":\"true\""), "", "sw"},
    {PAIR("\"CKA_SIGN_RECOVER\":\"true\"", "\"CKA_ENCRYPT\":\"true\""), "", "sd"},
    {PAIR("\"CKA_SIGN\":1", ""), "", ""}, /* not how a subject says true */
};

static struct subject *subject_of(const char *members, struct fault *f, enum outcome want)
{
    struct subject *s = NULL;
    enum outcome o = subject_read(fixture_subject(members, "uid:1000"), &s, f);

    if (o != want)
        fail_msg("%s: %d, %s", members, (int)o, f->text);
    return s;
}

static void test_facts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        struct fault f = {0};
        struct subject *s = subject_of(facts[i].members, &f, OK);
        char usage[8] = "", *at = usage;

        *at = 's';
        at += s->can_sign;
        *at = 'd';
        at += s->can_decrypt;
        *at = 'v';
        at += s->can_derive;
        *at = 'w';
        at += s->can_wrap;
        *at = 'x';
        at += s->extractable;
        *at = '\0';
        if (strcmp(s->key_type, facts[i].key_type) != 0 || strcmp(usage, facts[i].usage) != 0)
            fail_msg("%s: \"%s\" \"%s\"", facts[i].members, s->key_type, usage);
        subject_free(s);
    }
}

static const struct {
    const char *members, *message;
} refusals[] = {
    {"\"token\":\"root\"", "subject: the member \"operation\" is missing"},
    {"\"operation\":\"sing\"", "subject: the operation \"sing\" is unknown"},
    {"\"operation\":\"use\",\"token\":\"root\"", "subject: the member \"function\" is missing"},
    {"\"operation\":\"use\",\"function\":\"C_Sign\"", "subject: the member \"token\" is missing"},
    {"\"operation\":\"use\",\"function\":\"C_Sign\",\"token\":7", "subject: the member \"token\" is not a string"},
    {"\"operation\":\"use\",\"function\":\"C_Sign\",\"token\":\"root\",\"pin\":\"1234\"",
     "subject: the member \"pin\" is not known here"},
    {"\"operation\":\"use\",\"function\":\"C_Sign\",\"token\":\"root\",\"class\":\"key\"",
     "subject: class \"key\" is none"},
    {"\"operation\":\"use\",\"function\":\"C_Sign\",\"token\":\"root\",\"object\":\"card\"",
     "subject: object \"card\" is none"},
    {PAIR("\"CKA_LABEL\":{}", ""), "subject: template private: CKA_LABEL is no attribute"},
    {PAIR("\"LABEL\":\"x\"", ""), "subject: template private: LABEL is no attribute"},
    {PAIR("\"CKA_KEY_TYPE\":\"CKK_EC\"", "\"CKA_KEY_TYPE\":\"CKK_RSA\""),
     "subject: the two templates of the subject differ in CKA_KEY_TYPE"},
    {"\"operation\":\"generate\",\"token\":\"root\",\"function\":\"F\",\"templates\":{\"private\":{}}",
     "subject: the member \"public\" is missing"},
    {"\"operation\":\"generate\",\"token\":\"root\",\"function\":\"F\",\"templates\":{\"key\":{},\"public\":{}}",
     "subject: the member \"public\" is not known here"},
    {"\"operation\":\"generate\",\"token\":\"root\",\"function\":\"F\",\"templates\":[]",
     "subject: an object was expected"},
    {"\"operation\":\"adopt-policy\"", "subject: the member \"policy\" is missing"},
    {"\"operation\":\"adopt-policy\"," POLICY ",\"succession\":\"yes\"", "subject: succession is \"true\" or absent"},
    {"\"operation\":\"adopt-policy\",\"policy\":{\"digest\":\"" ZERO "\",\"version\":4}",
     "subject: the member \"canonical\" is missing"},
    {"\"operation\":\"adopt-policy\"," POLICY ",\"token\":\"root\"", "subject: the member \"token\" is not known here"},
    {"\"operation\":\"open-ceremony\",\"bindings\":\"\",\"people\":[],\"ceremony\":\"c\"",
     "subject: the member \"script\" is missing"},
    {"\"operation\":\"resume\"", "subject: the member \"scope\" is missing"},
    {"\"operation\":\"generate\",\"token\":\"root\",\"function\":\"F\",\"templates\":{\"private\":[],\"public\":{}}",
     "subject: template private is no object of at most 64 attributes"},
    {"\"operation\":\"suspend\"", "subject: the member \"scope\" is missing"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct fault f = {0};
        struct subject *s = subject_of(refusals[i].members, &f, E_INVALID);

        assert_null(s);
        if (strncmp(f.text, refusals[i].message, strlen(refusals[i].message)) != 0)
            fail_msg("wanted \"%s\", got \"%s\"", refusals[i].message, f.text);
    }
}

static void test_template_too_large(void **state)
{
    struct buf members = BUF(LIMIT_REQUEST);
    struct fault f = {0};

    (void)state;
    buf_puts(&members, "\"operation\":\"generate\",\"token\":\"root\",\"function\":\"F\",\"templates\":{\"key\":{");
    for (int i = 0; i <= LIMIT_TEMPLATE; i++)
        buf_putf(&members, "%s\"CKA_%d\":1", i == 0 ? "" : ",", i);
    buf_puts(&members, "}}");
    assert_null(subject_of(buf_str(&members), &f, E_INVALID));
    buf_free(&members);
}

static void common_refused(const char *members)
{
    json_t *json = json_loads(members, 0, NULL);
    struct subject *s = NULL;
    struct fault f = {0};

    assert_non_null(json);
    assert_int_equal(subject_read(json, &s, &f), E_INVALID);
    assert_null(s);
}

static void test_common(void **state)
{
    (void)state;
#define SCOPE "\"operation\":\"suspend\",\"scope\":\"estate\",\"origin\":\"o\",\"requester\":\"uid:0\","
    common_refused("{" SCOPE "\"estate\":\"" ZERO "\",\"environment\":\"staging\"}");
    common_refused("{" SCOPE "\"estate\":\"00\",\"environment\":\"test\"}");
    common_refused("{" SCOPE "\"environment\":\"test\"}");
    common_refused("[]");
    common_refused("{}");
}

static void test_estate_operations(void **state)
{
    struct fault f = {0};
    struct subject *s = subject_of("\"operation\":\"adopt-policy\"," POLICY, &f, OK);

    (void)state;
    assert_false(s->succession);
    assert_null(s->token);
    assert_string_equal(s->label, "");
    assert_int_equal(s->object, -1);
    subject_free(s);
    s = subject_of("\"operation\":\"adopt-policy\"," POLICY ",\"succession\":\"true\"", &f, OK);
    assert_true(s->succession);
    subject_free(s);
    s = subject_of("\"operation\":\"open-ceremony\",\"bindings\":\"" ZERO "\",\"people\":[],\"ceremony\":\"c\"," SCRIPT,
                   &f, OK);
    assert_string_equal(s->script, "rollover");
    subject_free(s);
    s = subject_of(
        "\"operation\":\"enrol-site\",\"token\":\"root\",\"site\":\"slough\",\"serial\":\"1\",\"manufacturer\":"
        "\"m\",\"model\":\"m\",\"firmware\":\"1\",\"hardware\":\"attested-by-people\",\"identity\":\"00\","
        "\"transport\":\"00\"",
        &f, OK);
    assert_string_equal(s->site, "slough");
    assert_string_equal(s->token, "root");
    subject_free(s);
}

static struct request_frame frame_of(void)
{
    struct request_frame frame = {.rule = "r", .policy_version = 3, .made = T0, .expires = T0 + 86400, .log_size = 7};

    for (size_t i = 0; i < sizeof frame.nonce; i++)
        frame.nonce[i] = (uint8_t)i;
    return frame;
}

static struct request *compose(const struct request_frame *frame)
{
    json_t *subject = fixture_subject("\"operation\":\"suspend\",\"scope\":\"estate\"", "uid:0");
    struct request *r = NULL;
    struct fault f = {0};

    if (request_compose(subject, frame, &r, &f) != OK)
        fail_msg("%s", f.text);
    json_decref(subject);
    return r;
}

static void test_compose(void **state)
{
    struct request_frame frame = frame_of();
    struct request *r = compose(&frame), *again = NULL;
    struct digest id;
    struct fault f = {0};

    (void)state;
    assert_string_equal(buf_str(&r->bytes),
                        "{\"expires\":\"2026-06-02T00:00:00Z\",\"log\":{\"root\":\"" ZERO "\",\"size\":7},"
                        "\"made\":\"2026-06-01T00:00:00Z\",\"nonce\":\"000102030405060708090a0b0c0d0e0f\","
                        "\"policy\":{\"digest\":\"" ZERO "\",\"version\":3},\"rule\":\"r\","
                        "\"subject\":{\"environment\":\"rehearsal\",\"estate\":\"" ZERO "\",\"operation\":\"suspend\","
                        "\"origin\":\"example/log\",\"requester\":\"uid:0\",\"scope\":\"estate\"},"
                        "\"type\":\"quorate/request/v1\",\"version\":1}");
    assert_true(digest_one(&id, buf_span(&r->bytes)));
    assert_true(digest_equal(&id, &r->id));
    assert_int_equal(request_parse(buf_span(&r->bytes), &again, &f), OK);
    assert_true(digest_equal(&again->id, &r->id) && digest_equal(&again->subject_digest, &r->subject_digest));
    assert_int_equal(again->subject->operation, OP_SUSPEND);
    assert_int_equal(again->log_size, 7);
    assert_null(again->ceremony);
    request_free(again);
    request_free(r);
}

/* The subject alone makes a request the same question; everything around it makes it another document. */
static void test_identity(void **state)
{
    struct request_frame frame = frame_of();
    struct request *r = compose(&frame), *other = NULL;

    (void)state;
    frame.ceremony = "ceremony-1";
    frame.step = "s1";
    frame.nonce[0] = 9;
    other = compose(&frame);
    assert_string_equal(other->ceremony, "ceremony-1");
    assert_string_equal(other->step, "s1");
    assert_false(digest_equal(&r->id, &other->id));
    assert_true(digest_equal(&r->subject_digest, &other->subject_digest));
    request_free(r);
    request_free(other);
}

static void changed_refused(const struct request *r, const char *from, const char *to)
{
    const char *text = buf_str(&r->bytes), *at = strstr(text, from);
    struct buf b = BUF(LIMIT_DOCUMENT);
    struct request *parsed = NULL;
    struct fault f = {0};

    assert_non_null(at);
    buf_put(&b, text, (size_t)(at - text));
    buf_puts(&b, to);
    buf_puts(&b, at + strlen(from));
    if (request_parse(buf_span(&b), &parsed, &f) != E_INVALID || parsed != NULL)
        fail_msg("%s -> %s was taken", from, to);
    assert_true(strncmp(f.text, "request: ", 9) == 0);
    buf_free(&b);
}

static void test_parse_strictly(void **state)
{
    struct request_frame frame = frame_of();
    struct request *r = compose(&frame), *parsed = NULL;
    struct buf large = BUF(LIMIT_DOCUMENT);
    struct fault f = {0};

    (void)state;
    changed_refused(r, "{\"expires\"", " {\"expires\"");
    changed_refused(r, "\"version\":1}", "\"version\":1}\n");
    changed_refused(r, "\"version\":1}", "\"version\":2}");
    changed_refused(r, ",\"version\":1}", "}");
    changed_refused(r, "quorate/request/v1", "quorate/request/v2");
    changed_refused(r, "\"rule\":\"r\"", "\"rule\":\"\"");
    changed_refused(r, "\"rule\":\"r\",", "");
    changed_refused(r, "\"rule\":\"r\"", "\"rule\":\"r\",\"rules\":\"r\"");
    changed_refused(r, "\"rule\":\"r\"", "\"rule\":\"r\",\"rule\":\"r\"");
    changed_refused(r, "\"rule\":\"r\"", "\"rule\":\"\\u0072\"");
    changed_refused(r, "\"size\":7", "\"size\":-7");
    changed_refused(r, "\"size\":7", "\"size\":7.0");
    changed_refused(r, "\"version\":3", "\"version\":4294967296");
    changed_refused(r, "0e0f\"", "0e\"");
    changed_refused(r, "0e0f\"", "0E0F\"");
    changed_refused(r, "2026-06-02T00:00:00Z", "2026-05-02T00:00:00Z"); /* expires before it is made */
    changed_refused(r, "2026-06-02T00:00:00Z", "2026-06-02");
    changed_refused(r, "\"scope\":\"estate\"", "\"scope\":\"estate\",\"serial\":\"1\"");
    for (size_t n = 0; n < r->bytes.len; n++)
        assert_int_not_equal(request_parse(span_of(r->bytes.data, n), &parsed, &f), OK);
    while (large.len <= LIMIT_REQUEST)
        buf_puts(&large, "{}");
    assert_int_equal(request_parse(buf_span(&large), &parsed, &f), E_MEMORY);
    assert_null(parsed);
    buf_free(&large);
    request_free(r);
}

static void test_compose_too_long(void **state)
{
    struct request_frame frame = frame_of();
    json_t *subject = fixture_subject("\"operation\":\"suspend\"", "uid:0");
    struct buf scope = BUF(LIMIT_DOCUMENT);
    struct request *r = NULL;
    struct fault f = {0};

    (void)state;
    while (scope.len <= LIMIT_REQUEST)
        buf_puts(&scope, "token:");
    assert_true(json_put_string(subject, "scope", buf_str(&scope)));
    assert_int_equal(request_compose(subject, &frame, &r, &f), E_MEMORY);
    assert_null(r);
    json_decref(subject);
    buf_free(&scope);
}

static void rejection_refused(const char *text)
{
    struct digest id;
    char *reason = NULL;
    struct fault f = {0};

    if (rejection_parse(span_str(text), &id, &reason, &f) != E_INVALID || reason != NULL)
        fail_msg("%s was taken", text);
}

static void test_rejection(void **state)
{
    struct digest id = fixture_print("a request"), read;
    struct buf b = BUF(LIMIT_REQUEST);
    char *reason = NULL;
    struct fault f = {0};

    (void)state;
    assert_int_equal(rejection_compose(&id, "a false alarm", &b, &f), OK);
    assert_int_equal(rejection_parse(buf_span(&b), &read, &reason, &f), OK);
    assert_true(digest_equal(&id, &read));
    assert_string_equal(reason, "a false alarm");
    free(reason);
    buf_put(&b, "\n", 1);
    rejection_refused(buf_str(&b));
    buf_clear(&b);
    assert_int_equal(rejection_compose(&id, "", &b, &f), E_INVALID);
    assert_int_equal(rejection_compose(&id, "no\033[2J", &b, &f), E_INVALID);
    assert_int_equal(b.len, 0);
    rejection_refused("{}");
    rejection_refused("{\"reason\":\"\",\"request\":\"" ZERO "\",\"type\":\"quorate/rejection/v1\"}");
    rejection_refused("{\"reason\":\"x\",\"request\":\"" ZERO "\",\"type\":\"quorate/request/v1\"}");
    rejection_refused("{\"reason\":\"x\",\"request\":\"00\",\"type\":\"quorate/rejection/v1\"}");
    rejection_refused("{\"also\":\"y\",\"reason\":\"x\",\"request\":\"" ZERO "\",\"type\":\"quorate/rejection/v1\"}");
    buf_free(&b);
}

static void test_operations(void **state)
{
    (void)state;
    for (int i = 0; i < OP_COUNT; i++)
        assert_int_equal(operation_parse(operation_name((enum operation)i)), i);
    assert_int_equal(operation_parse("sing"), -1);
    assert_int_equal(operation_parse(""), -1);
    assert_string_equal(operation_name(OP_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_common),
        cmocka_unit_test(test_compose),
        cmocka_unit_test(test_estate_operations),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_rejection),
        cmocka_unit_test(test_parse_strictly),
        cmocka_unit_test(test_compose_too_long),
        cmocka_unit_test(test_operations),
        cmocka_unit_test(test_template_too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
