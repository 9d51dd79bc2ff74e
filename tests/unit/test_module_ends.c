#include "module/site.h"
#include "tests/unit/governed_fixture.h"

/* The end of a key takes the key and its public half, at each of its sites, and nothing that merely has the same CKA_ID. */

#define FREE                                                                                                           \
    "  - {id: free ends, when: {operation: [use, modify, destroy], label: \"^(rep-)?free-\"}, allow: true}\n"          \
    "  - {id: free births, when: {operation: [generate, import], label: \"^free-\"}, allow: true}\n"
#define SHARED "shared"

static int ends_home(void **state)
{
    (void)state;
    depth_begin_closed(&home, FREE RULES);
    return C_GetFunctionList(&q) == CKR_OK ? 0 : -1;
}

static CK_OBJECT_HANDLE born_pair(const char *label, const char *id)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0;
    char text[64], id_text[64];
    CK_ATTRIBUTE halves[2][6] = {{{CKA_TOKEN, &yes, 1},
                                  {CKA_LABEL, text, strlen(label)},
                                  {CKA_ID, id_text, strlen(id)},
                                  {CKA_VERIFY, &yes, 1},
                                  {CKA_EC_PARAMS, p256, sizeof(p256) - 1}},
                                 {{CKA_TOKEN, &yes, 1},
                                  {CKA_LABEL, text, strlen(label)},
                                  {CKA_ID, id_text, strlen(id)},
                                  {CKA_SIGN, &yes, 1},
                                  {CKA_SENSITIVE, &yes, 1},
                                  {CKA_PRIVATE, &yes, 1}}};

    snprintf(text, sizeof(text), "%s", label);
    snprintf(id_text, sizeof(id_text), "%s", id);
    approved(q->C_GenerateKeyPair(session, &mechanism, halves[0], 5, halves[1], 6, &public, &private));
    return private;
}

static CK_OBJECT_HANDLE born_secret(const char *label, const char *id)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG bytes = 32;
    char text[64], id_text[64];
    CK_ATTRIBUTE t[] = {{CKA_TOKEN, &yes, 1},          {CKA_LABEL, text, strlen(label)},
                        {CKA_ID, id_text, strlen(id)}, {CKA_SENSITIVE, &yes, 1},
                        {CKA_PRIVATE, &yes, 1},        {CKA_ENCRYPT, &yes, 1},
                        {CKA_DECRYPT, &yes, 1},        {CKA_VALUE_LEN, &bytes, sizeof(bytes)}};

    snprintf(text, sizeof(text), "%s", label);
    snprintf(id_text, sizeof(id_text), "%s", id);
    approved(q->C_GenerateKey(session, &mechanism, t, 8, &key));
    return key;
}

/* A public key of somebody's at that site. */
static void put_public(const char *site, const char *label, const char *id)
{
    struct site_link link = {0};
    struct fault f = {0};
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0;
    char text[64], id_text[64];
    CK_ATTRIBUTE halves[2][4] = {{{CKA_TOKEN, &yes, 1},
                                  {CKA_LABEL, text, strlen(label)},
                                  {CKA_ID, id_text, strlen(id)},
                                  {CKA_EC_PARAMS, p256, sizeof(p256) - 1}},
                                 {{CKA_TOKEN, &no, 1}}};

    snprintf(text, sizeof(text), "%s", label);
    snprintf(id_text, sizeof(id_text), "%s", id);
    assert_good(site_open(world_current(), "root", site, SITE_EITHER, &link, &f));
    assert_ok(link.f->C_GenerateKeyPair(link.session, &mechanism, halves[0], 4, halves[1], 1, &public, &private));
    site_close(&link);
}

static void assert_everywhere(CK_OBJECT_CLASS class, const char *label, size_t want)
{
    for (size_t i = 0; i < 3; i++)
        if (count_at(depth_sites[i], class, label) != want)
            fail_msg("%s at %s", label, depth_sites[i]);
}

/* Either way, people's approval or a rule that plainly allows it, with a secret key and a stranger's public key of one CKA_ID. */
static void shared_id(const char *pair, const char *secret, const char *id, bool free)
{
    CK_OBJECT_HANDLE private = born_pair(pair, id), key = born_secret(secret, id);
    const struct state *s = &world_current()->estate->state;

    put_public("cardiff", "a stranger's", id);
    put_public("slough", "a stranger's", id);
    if (free)
        assert_ok(q->C_DestroyObject(session, private));
    else
        approved(q->C_DestroyObject(session, private));
    assert_everywhere(CKO_PRIVATE_KEY, pair, 0);
    assert_everywhere(CKO_PUBLIC_KEY, pair, 0);
    assert_int_equal(count_at("cardiff", CKO_PUBLIC_KEY, "a stranger's"), 1);
    assert_int_equal(count_at("slough", CKO_PUBLIC_KEY, "a stranger's"), 1);
    assert_everywhere(CKO_SECRET_KEY, secret, 1);
    assert_true(s->keys[s->key_count - 2].destroyed);
    assert_int_equal(s->keys[s->key_count - 2].retired.count, 0);
    assert_false(s->keys[s->key_count - 1].destroyed);
    if (free)
        assert_ok(q->C_DestroyObject(session, key));
    else
        approved(q->C_DestroyObject(session, key));
    assert_everywhere(CKO_SECRET_KEY, secret, 0);
    assert_int_equal(count_at("cardiff", CKO_PUBLIC_KEY, "a stranger's"), 1);
    assert_true(s->keys[s->key_count - 1].destroyed);
    struct site_link link = {0};
    struct fault f = {0};
    for (size_t i = 0; i < 2; i++) {
        assert_good(site_open(world_current(), "root", depth_sites[i], SITE_EITHER, &link, &f));
        assert_good(site_destroy(&link, span_str(id), &f));
        site_close(&link);
    }
}

static void what_has_the_same_id_stays(void **state)
{
    (void)state;
    shared_id("rep-pair", "rep-secret", SHARED, false);
}

static void what_has_the_same_id_stays_where_a_rule_plainly_allows_the_end(void **state)
{
    (void)state;
    shared_id("rep-free-pair", "rep-free-secret", "shared too", true);
}

/* Replicas are found by it, so however freely keys are used none gets that of one with replicas, nor such a one another's. */
static void no_two_keys_of_a_class_share_the_id_of_replicas(void **state)
{
    CK_OBJECT_HANDLE one = born_pair("rep-free-one", "one"), two = born_pair("rep-free-two", "two"), public = 0,
                     alone = 0;
    char id[] = "one", other[] = "alone";
    CK_ATTRIBUTE of_one = {CKA_ID, id, 3}, of_alone = {CKA_ID, other, 5};

    (void)state;
    assert_rv(q->C_SetAttributeValue(session, two, &of_one, 1), CKR_TEMPLATE_INCONSISTENT);
    assert_refusal("is that of the key \"rep-free-one\"");
    assert_ok(make_pair(session, "free-alone", true, &public, &alone));
    assert_ok(q->C_SetAttributeValue(session, alone, &of_alone, 1));
    assert_rv(q->C_SetAttributeValue(session, alone, &of_one, 1), CKR_TEMPLATE_INCONSISTENT);
    assert_rv(q->C_SetAttributeValue(session, two, &of_alone, 1), CKR_TEMPLATE_INCONSISTENT);
    assert_ok(q->C_DestroyObject(session, one));
    assert_everywhere(CKO_PRIVATE_KEY, "rep-free-one", 0);
    assert_everywhere(CKO_PRIVATE_KEY, "rep-free-two", 1);
    assert_ok(q->C_SetAttributeValue(session, two, &of_one, 1)); /* nobody has it any more */
}

static CK_RV pair_with_ids(const char *label, struct span public_id, struct span private_id)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_OBJECT_HANDLE public = 0, private = 0;
    char text[64];
    CK_ATTRIBUTE halves[2][6] = {{{CKA_TOKEN, &yes, 1},
                                  {CKA_LABEL, text, strlen(label)},
                                  {CKA_ID, (void *)(uintptr_t)public_id.data, public_id.len},
                                  {CKA_VERIFY, &yes, 1},
                                  {CKA_EC_PARAMS, p256, sizeof(p256) - 1}},
                                 {{CKA_TOKEN, &yes, 1},
                                  {CKA_LABEL, text, strlen(label)},
                                  {CKA_ID, (void *)(uintptr_t)private_id.data, private_id.len},
                                  {CKA_SIGN, &yes, 1},
                                  {CKA_SENSITIVE, &yes, 1},
                                  {CKA_PRIVATE, &yes, 1}}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_GenerateKeyPair(session, &mechanism, halves[0], 5, halves[1], 6, &public, &private);
}

/* The module finds a site's own keys by their CKA_IDs: whoever could make another key with one would stop all that is governed,
 * and the end of that key would be the end of the site's. */
static void no_key_gets_the_id_of_a_sites_own(void **state)
{
    static const char *const sites[] = {"slough", "glasgow"};
    const struct state *s = &world_current()->estate->state;
    const char other[] = "other";
    const struct span mine = span_of((const uint8_t *)other, 5);
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    CK_KEY_TYPE type = CKK_EC;
    char label[] = "free-public", point[67] = "\x04\x41\x04";
    CK_OBJECT_HANDLE public = 0, private = 0, made = 0;

    (void)state;
    assert_ok(make_pair(session, "free-thief", true, &public, &private));
    for (size_t i = 0; i < 4; i++) {
        const struct state_site *site = state_site(s, "root", sites[i / 2]);
        struct buf id = BUF(255);
        struct fault f = {0};
        assert_good(hex_parse_buf(i % 2 ? site->transport_id : site->identity_id, &id, &f));
        CK_ATTRIBUTE own = {CKA_ID, id.data, id.len};
        CK_ATTRIBUTE items[] = {{CKA_CLASS, &class, sizeof(class)},
                                {CKA_KEY_TYPE, &type, sizeof(type)},
                                {CKA_TOKEN, &yes, 1},
                                {CKA_LABEL, label, 11},
                                {CKA_EC_PARAMS, p256, sizeof(p256) - 1},
                                {CKA_EC_POINT, point, sizeof(point)},
                                own};
        assert_rv(pair_with_ids("rep-thief", buf_span(&id), buf_span(&id)), CKR_TEMPLATE_INCONSISTENT);
        assert_refusal("is that of a key of its own that");
        assert_rv(pair_with_ids("free-thief-2", mine, buf_span(&id)), CKR_TEMPLATE_INCONSISTENT);
        assert_rv(pair_with_ids("free-thief-2", buf_span(&id), mine), CKR_TEMPLATE_INCONSISTENT);
        assert_rv(q->C_SetAttributeValue(session, private, &own, 1), CKR_TEMPLATE_INCONSISTENT);
        assert_rv(q->C_SetAttributeValue(session, public, &own, 1), CKR_TEMPLATE_INCONSISTENT);
        assert_rv(q->C_CopyObject(session, private, &own, 1, &made), CKR_TEMPLATE_INCONSISTENT);
        assert_rv(q->C_CreateObject(session, items, 7, &made), CKR_TEMPLATE_INCONSISTENT);
        buf_free(&id);
    }
    assert_int_equal(count_at("slough", CKO_PRIVATE_KEY, "free-thief-2"), 0);
    assert_ok(q->C_DestroyObject(session, private));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GOVERNED(what_has_the_same_id_stays),
        GOVERNED(what_has_the_same_id_stays_where_a_rule_plainly_allows_the_end),
        GOVERNED(no_two_keys_of_a_class_share_the_id_of_replicas),
        GOVERNED(no_key_gets_the_id_of_a_sites_own),
    };

    return cmocka_run_group_tests(tests, ends_home, home_end);
}
