#include "tests/unit/failover_fixture.h"

/* A replica becomes the primary while the old one is lost; the old one comes back as a replica, and goes on from there. */

static enum outcome promote(const char *site, json_t **ret, char text[1024])
{
    char question[128], *json = NULL;
    struct fault f = {0};
    int outcome;

    snprintf(question, sizeof(question), "{\"site\":\"%s\",\"token\":\"root\"}", site);
    outcome = vendor_interface()->call("promote", question, &json, text, 1024);
    *ret = NULL;
    if (json)
        assert_good(json_parse_canonical(span_str(json), ret, &f));
    vendor_interface()->release(json);
    return (enum outcome)outcome;
}

static void promote_approved(const char *site)
{
    char text[1024] = "";
    json_t *answer = NULL;
    struct digest id;
    struct fault f;

    assert_int_equal(promote(site, &answer, text), E_PENDING);
    assert_good(digest_parse(json_string_or_null(answer, "request"), &id, &f));
    json_decref(answer);
    depth_approve(world_current()->estate, &id, "authority");
    if (promote(site, &answer, text) != OK)
        fail_msg("%s", text);
    assert_string_equal(json_string_or_null(answer, "status"), "promoted");
    json_decref(answer);
}

static const struct state_key *key_of(const char *label)
{
    const struct state *s = &world_current()->estate->state;

    for (size_t i = s->key_count; i-- > 0;)
        if (strcmp(s->keys[i].label, label) == 0)
            return &s->keys[i];
    fail_msg("no key %s", label);
    return NULL;
}

static void only_what_can_be(void **state)
{
    char text[1024] = "";
    json_t *answer = NULL;
    struct world *w = world_current();
    struct state_site *glasgow = state_site(&w->estate->state, "root", "glasgow");
    size_t size = w->estate->state.size;

    (void)state;
    assert_int_equal(promote("slough", &answer, text), E_REFUSED);
    assert_non_null(strstr(text, "the primary of root already"));
    assert_int_equal(promote("leeds", &answer, text), E_ABSENT);
    glasgow->identity.data[glasgow->identity.len - 1] ^= 1;
    assert_int_not_equal(promote("glasgow", &answer, text), OK);
    assert_int_not_equal(promote("glasgow", &answer, text), E_PENDING);
    glasgow->identity.data[glasgow->identity.len - 1] ^= 1;
    assert_int_equal(w->estate->state.size, size);
}

static void tell(enum entry_type type, json_t *body_taken)
{
    struct fault f;

    assert_good(estate_append(world_current()->estate, type, body_taken, NULL, &f));
    json_decref(body_taken);
}

/* An HSM that was sent away in a bag is asked for nothing, although it answers. */
static void not_what_is_on_its_way(void **state)
{
    unsigned char signature[64];
    char text[1024] = "", challenge[65];
    json_t *answer = NULL;

    (void)state;
    tell(ENTRY_DEPARTED, json_pack("{s:s,s:s,s:s}", "bag", "7", "site", "cardiff", "token", "root"));
    assert_int_equal(promote("cardiff", &answer, text), E_REFUSED);
    assert_non_null(strstr(text, "on its way, in bag 7"));
    cut(CKR_DEVICE_REMOVED);
    assert_ok(sign_once(session, signature));
    assert_string_equal(serving(), "glasgow");
    /* Who serves may go in its turn. */
    tell(ENTRY_DEPARTED, json_pack("{s:s,s:s,s:s}", "bag", "8", "site", "glasgow", "token", "root"));
    assert_string_equal(serving(), "slough");
    memset(challenge, 'a', 64);
    challenge[64] = '\0';
    for (size_t i = 1; i < 3; i++)
        tell(ENTRY_ARRIVED,
             json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:[],s:s}", "answer", "aa", "bag", i == 1 ? "7" : "8",
                       "challenge", challenge, "country", "GB", "latitude", "51.48", "longitude", "-3.18", "place",
                       depth_sites[i], "site", depth_sites[i], "tags", "token", "root"));
}

static void a_replica_becomes_the_primary(void **state)
{
    unsigned char signature[64];
    CK_OBJECT_HANDLE a = 0, b = 0;
    char text[1024] = "";
    json_t *answer = NULL;

    (void)state;
    cut(CKR_DEVICE_REMOVED);
    assert_ok(sign_once(session, signature));
    assert_int_equal(promote("cardiff", &answer, text), E_PENDING);
    assert_int_equal(json_array_size(json_object_get(answer, "missing-keys")), 1); /* alone-app */
    json_decref(answer);
    promote_approved("cardiff");
    assert_string_equal(serving(), "cardiff");
    assert_string_equal(token_primary(world_current()->estate, "root"), "cardiff");
    usleep(250 * 1000);
    assert_ok(sign_once(session, signature));
    assert_string_equal(world_current()->tokens[0].primary, "cardiff");
    assert_ok(verify(session, public, data, sizeof(data), signature));
    /* Whole again: births are asked for, and miss the site that was lost. */
    assert_rv(make_pair(session, "rep-lost", true, &a, &b), CKR_FUNCTION_REJECTED);
    cut(CKR_OK);
    born("rep-later", &a, &b);
    assert_string_equal(key_of("rep-later")->sites.items[0], "cardiff");
    assert_true(strings_have(&key_of("rep-later")->sites, "slough"));
    assert_ok(sign(session, b, data, sizeof(data), signature));
    /* What lies at the old primary alone is not served. */
    assert_int_equal(find_label(session, "alone-app", (CK_OBJECT_HANDLE[8]){0}), 0);
    born("alone-later", &a, &b);
    assert_string_equal(key_of("alone-later")->sites.items[0], "cardiff");
    /* The new one may be lost in its turn. */
    calls();
    assert_ok(sign_once(session, signature));
    assert_int_equal(calls(), 0);
}

/* Another process, and a state that is read anew, see the same. */
static void it_stays_so(void **state)
{
    CK_OBJECT_HANDLE found[8];
    CK_TOKEN_INFO info;
    unsigned char signature[64];

    (void)state;
    assert_string_equal(world_current()->tokens[0].primary, "cardiff");
    assert_ok(q->C_GetTokenInfo(0, &info));
    assert_memory_equal(info.serialNumber, home.serials[1], 16);
    assert_int_equal(find_label(session, "rep-later", found), 2);
    promote_approved("slough");
    usleep(250 * 1000);
    assert_ok(sign_once(session, signature));
    assert_string_equal(world_current()->tokens[0].primary, "slough");
    assert_int_equal(find_label(session, "rep-later", found), 2);
    assert_int_equal(find_label(session, "alone-later", found), 0);
    assert_int_equal(find_label(session, "alone-app", found), 2);
}

/* A lost HSM whose library does not come back when it is asked is given the time that the policy gives its site. */
static void who_asks_waits_no_longer_than_the_policy_says(void **state)
{
    unsigned char signature[64];

    (void)state;
    cut(CKR_DEVICE_ERROR);
    hang("C_GetSlotList");
    assert_ok(sign_once(session, signature));
    assert_string_equal(serving(), "cardiff");
    assert_ok(verify(session, public, data, sizeof(data), signature));
    calls();
    assert_ok(sign_once(session, signature));
    assert_int_equal(calls(), 0);
    hang(NULL);
    usleep(500 * 1000); /* the one that hung comes back, before the HSM's module is finalised */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_what_can_be),
        TEST(not_what_is_on_its_way),
        TEST(a_replica_becomes_the_primary),
        TEST(it_stays_so),
        TEST(who_asks_waits_no_longer_than_the_policy_says),
    };
    return cmocka_run_group_tests(tests, estate_make, home_end);
}
