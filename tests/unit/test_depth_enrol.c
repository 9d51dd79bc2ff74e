#include "estate/evidence.h"
#include "tests/unit/one_estate.h"

static int setup(void **state)
{
    (void)state;
    depth_make(&d, "");
    return 0;
}

static void asks_then_enrols(void **state)
{
    (void)state;
    depth_enrol(&d, "slough");
    const struct state_site *s = state_site(&d.world->estate->state, "root", "slough");
    assert_non_null(s);
    assert_string_equal(s->serial, d.serials[0]);
    assert_string_equal(s->hardware, "attested-by-people");
    assert_true(s->placed);
    assert_string_equal(s->place, "slough");
    assert_string_equal(s->latitude, "51.51");
    assert_int_equal(s->tags.count, 1);
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, "quorate:transport"), 1);
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, "quorate:identity"), 1);
}

/* Of a host whose process has a locale with decimal commas. */
double strtod(const char *text, char **end)
{
    return (double)strtol(text, end, 10);
}

/* Distances are judged by where the HSM is, whatever the locale; a verifier elsewhere must come to the same. */
static void places_in_any_locale(void **state)
{
    const struct estate *e = d.world->estate;
    struct subject subject = {.operation = OP_GENERATE, .token = "root", .label = "", .json = NULL};
    struct evidence_base base = {0};
    struct fault f;

    (void)state;
    assert_good(evidence_gather(&e->state, e->policy, &subject, &base, &f));
    assert_string_equal(base.sites[0].site, "slough");
    assert_true(base.sites[0].placed);
    assert_true(base.sites[0].latitude > 51.5099 && base.sites[0].latitude < 51.5101);
    assert_true(base.sites[0].longitude > -0.5901 && base.sites[0].longitude < -0.5899);
    evidence_clear(&base);
}

/* The transport key unwraps keys that stay, and does nothing else; the identity key signs. */
static void site_keys_do_one_thing(void **state)
{
    static const CK_ATTRIBUTE_TYPE uses[] = {CKA_DECRYPT, CKA_SIGN, CKA_SIGN_RECOVER, CKA_UNWRAP, CKA_DERIVE};
    static const CK_BBOOL transport_may[] = {0, 0, 0, 1, 0}, identity_may[] = {0, 1, 0, 0, 0};
    struct fault f;
    struct site_link link = {0};
    struct buf value = BUF(64), id = BUF(255);
    CK_OBJECT_HANDLE key = 0, made = 0;
    CK_RSA_PKCS_OAEP_PARAMS params = {.hashAlg = CKM_SHA_1, .mgf = CKG_MGF1_SHA1, .source = CKZ_DATA_SPECIFIED};
    CK_MECHANISM oaep = {CKM_RSA_PKCS_OAEP, &params, sizeof params};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BYTE blob[384] = {1};
    CK_ATTRIBUTE loose[] = {{CKA_CLASS, &class, sizeof class},
                            {CKA_KEY_TYPE, &type, sizeof type},
                            {CKA_TOKEN, &no, sizeof no},
                            {CKA_SENSITIVE, &no, sizeof no},
                            {CKA_EXTRACTABLE, &yes, sizeof yes}};
    (void)state;
    const struct state_site *s = state_site(&d.world->estate->state, "root", "slough");
    assert_good(site_open(d.world, "root", "slough", SITE_EITHER, &link, &f));
    assert_good(hex_parse_buf(s->identity_id, &id, &f));
    assert_good(site_find_one(&link, CKO_PRIVATE_KEY, buf_span(&id), &key, &f));
    for (size_t i = 0; i < 5; i++) {
        assert_good(site_attribute(&link, key, uses[i], &value, &f));
        assert_int_equal(value.data[0], identity_may[i]);
    }
    buf_clear(&id);
    assert_good(hex_parse_buf(s->transport_id, &id, &f));
    assert_good(site_find_one(&link, CKO_PRIVATE_KEY, buf_span(&id), &key, &f));
    for (size_t i = 0; i < 5; i++) {
        assert_good(site_attribute(&link, key, uses[i], &value, &f));
        assert_int_equal(value.data[0], transport_may[i]);
    }
    assert_int_not_equal(link.f->C_DecryptInit(link.session, &oaep, key), CKR_OK);
    assert_int_equal(link.f->C_UnwrapKey(link.session, &oaep, key, blob, sizeof blob, loose, 5, &made),
                     CKR_TEMPLATE_INCONSISTENT);
    site_close(&link);
    buf_free(&value);
    buf_free(&id);
}

static void enrolled_twice_is_refused(void **state)
{
    struct fault f;
    json_t *report = NULL;
    (void)state;
    assert_int_equal(enrol_run(d.world, "root", "slough", NULL, &report, &f), E_REFUSED);
    assert_text("enrolled already");
    assert_null(report);
}

static void what_the_policy_does_not_name(void **state)
{
    struct fault f;
    json_t *report = NULL;
    (void)state;
    assert_int_equal(enrol_run(d.world, "root", "paris", NULL, &report, &f), E_ABSENT);
    assert_text("paris");
    assert_int_equal(enrol_run(d.world, "branch", "slough", NULL, &report, &f), E_ABSENT);
    assert_text("branch");
    assert_int_equal(enrol_run(d.world, "root", "../slough", NULL, &report, &f), E_INVALID);
    assert_null(report);
}

static void places_that_are_none(void **state)
{
    static const char *const wrong[] = {"",      ",",     "51.51",   "91,0", "51.51,-0.59,3",
                                        "51.,0", "1e1,0", "0,180.1", " 1,2", "0x1,2"};
    struct fault f;
    json_t *report = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct enrol_with with = {.elsewhere = wrong[i]};
        assert_int_equal(enrol_run(d.world, "root", "cardiff", &with, &report, &f), E_INVALID);
        assert_text("LAT,LON");
    }
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "quorate:transport"), 0);
}

static void an_hsm_that_is_not_there(void **state)
{
    struct fault f;
    json_t *report = NULL;
    struct binding *b = bound("cardiff");
    char *serial = b->serial, other[] = "0123456789abcdef";
    (void)state;
    b->serial = other;
    assert_int_equal(enrol_run(d.world, "root", "cardiff", NULL, &report, &f), E_ABSENT);
    assert_text("0123456789abcdef");
    assert_text("cardiff");
    /* The HSM of another site in this one's place. */
    b->serial = d.serials[0];
    assert_int_equal(enrol_run(d.world, "root", "cardiff", NULL, &report, &f), E_REFUSED);
    assert_text("enrolled as root at slough");
    b->serial = serial;
    /* A courier that is none. */
    char *words[] = {(char[]){"/no/such/courier"}};
    b->reach = REACH_COURIER;
    b->courier = (struct strings){.items = words, .count = 1};
    assert_int_equal(enrol_run(d.world, "root", "cardiff", NULL, &report, &f), E_DEVICE);
    assert_text("root at cardiff: the courier /no/such/courier cannot be run");
    b->courier = (struct strings){.items = NULL};
    b->reach = REACH_MODULE;
}

static struct digest asked(const char *site, const char *elsewhere)
{
    struct fault f;
    json_t *report = NULL;
    struct digest id;
    struct enrol_with with = {.elsewhere = elsewhere};
    assert_good(enrol_run(d.world, "root", site, &with, &report, &f));
    assert_string_equal(depth_status(report), "pending");
    assert_non_null(json_string_or_null(report, "missing"));
    assert_good(digest_parse(json_string_or_null(report, "request"), &id, &f));
    json_decref(report);
    return id;
}

/* The same question finds the same keys and the same request; keys that vanished make it another question. */
static void keys_belong_to_their_request(void **state)
{
    struct fault f;
    struct site_link link = {0};
    json_t *report = NULL;
    CK_OBJECT_HANDLE found[4];
    size_t count = 0;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    char label[] = "quorate:identity";
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, label, sizeof label - 1}};
    (void)state;
    struct digest first = asked("cardiff", NULL), again = asked("cardiff", NULL);
    assert_true(digest_equal(&first, &again));
    depth_approve(d.world->estate, &first, "authority");
    assert_good(site_open(d.world, "root", "cardiff", SITE_MODULE, &link, &f));
    assert_good(site_find(&link, match, 2, found, 4, &count, &f));
    assert_int_equal(count, 1);
    assert_int_equal(link.f->C_DestroyObject(link.session, found[0]), CKR_OK);
    site_close(&link);
    struct digest other = asked("cardiff", "50.00,-2.00");
    assert_false(digest_equal(&first, &other));
    assert_null(state_site(&d.world->estate->state, "root", "cardiff"));
    /* What the first attempt left is gone: one pair of each kind. */
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "quorate:transport"), 1);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PUBLIC_KEY, "quorate:transport"), 1);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PUBLIC_KEY, "quorate:identity"), 1);
    depth_approve(d.world->estate, &other, "authority");
    assert_good(enrol_run(d.world, "root", "cardiff", &(struct enrol_with){.elsewhere = "50.00,-2.00"}, &report, &f));
    assert_string_equal(depth_status(report), "enrolled");
    json_decref(report);
    const struct state_site *s = state_site(&d.world->estate->state, "root", "cardiff");
    assert_string_equal(s->place, "elsewhere");
    assert_string_equal(s->latitude, "50.00");
    assert_string_equal(s->country, "");
    assert_int_equal(s->tags.count, 0);
}

static void strangers_keys_are_left_alone(void **state)
{
    struct fault f;
    struct site_link link = {0};
    json_t *report = NULL;
    struct site_keys keys = SITE_KEYS;
    struct digest stranger = {{1}};
    (void)state;
    assert_good(site_open(d.world, "root", "glasgow", SITE_MODULE, &link, &f));
    assert_good(site_keys_make(&link, &stranger, &keys, &f));
    assert_int_equal(enrol_run(d.world, "root", "glasgow", NULL, &report, &f), E_REFUSED);
    assert_text("another estate");
    assert_text("--delete-object");
    assert_null(report);
    assert_int_equal(depth_count(&d, "glasgow", CKO_PRIVATE_KEY, "quorate:identity"), 1);
    assert_good(site_destroy(&link, buf_span(&keys.identity_id), &f));
    assert_good(site_destroy(&link, buf_span(&keys.transport_id), &f));
    site_close(&link);
    site_keys_clear(&keys);
}

/* Last: the process remembers. */
static void a_wrong_pin_is_tried_once(void **state)
{
    struct fault f;
    json_t *report = NULL;
    CK_TOKEN_INFO info;
    CK_SLOT_ID slot = 0;
    (void)state;
    struct lower *l = world_lower(d.world, SOFTHSM);
    depth_write(d.folder, "pins/glasgow", "1111\n");
    assert_int_equal(enrol_run(d.world, "root", "glasgow", NULL, &report, &f), E_DEVICE);
    assert_text("CKR_PIN_INCORRECT");
    assert_null(strstr(f.text, "1111"));
    depth_write(d.folder, "pins/glasgow", PIN "\n");
    assert_int_equal(enrol_run(d.world, "root", "glasgow", NULL, &report, &f), E_REFUSED);
    assert_text("not tried again");
    assert_good(lower_find(l, d.serials[2], &slot, &f));
    assert_int_equal(l->f->C_GetTokenInfo(slot, &info), CKR_OK);
    assert_true((info.flags & CKF_USER_PIN_COUNT_LOW) != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_then_enrols),
        cmocka_unit_test(places_in_any_locale),
        cmocka_unit_test(site_keys_do_one_thing),
        cmocka_unit_test(enrolled_twice_is_refused),
        cmocka_unit_test(what_the_policy_does_not_name),
        cmocka_unit_test(places_that_are_none),
        cmocka_unit_test(an_hsm_that_is_not_there),
        cmocka_unit_test(keys_belong_to_their_request),
        cmocka_unit_test(strangers_keys_are_left_alone),
        cmocka_unit_test(a_wrong_pin_is_tried_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
