#include <openssl/evp.h>

#include "audit/listing.h"
#include "audit_fixture.h"
#include "core/limits.h"
#include "module/things.h"
#include "site_answers.h"

/* A site's answer to an inventory as a document: only its own, to this challenge, and of objects that can be. */

#define OBJECT "{\"class\":\"private-key\",\"id\":\"6162\",\"label\":\"app-1\"}"

static json_t *objects(const char *text)
{
    json_error_t e;
    json_t *list = json_loads(text, 0, &e);
    assert_non_null(list);
    return list;
}

/* `list` is taken. */
static struct listing listing_made(json_t *list)
{
    struct fault f;
    struct digest digest;
    struct listing l = {.estate = digest_named("estate"),
                        .challenge = digest_named("challenge"),
                        .token = "root",
                        .site = "cardiff",
                        .serial = "0123",
                        .objects = list,
                        .transports = json_pack("[s]", "7172")};
    assert_int_equal(listing_digest(&l, &digest, &f), OK);
    l.signature = signed_by(identity, &digest);
    return l;
}

/* Figures made with Python's hashlib from docs/FORMAT.md. */
static void known_digest(void **state)
{
    (void)state;
    struct fault f;
    struct digest digest;
    struct listing l = listing_made(objects("[" OBJECT "]"));
    assert_int_equal(listing_digest(&l, &digest, &f), OK);
    assert_string_equal(digest_hex(&digest).hex, "7cf4dafceedec577d9a548b440341c87a39d6d5136197c9c52aa1e81a327b239");
    listing_clear(&l);
}

static void there_and_back(void **state)
{
    (void)state;
    struct fault f;
    struct listing l = listing_made(objects("[" OBJECT "]")), back = {.objects = NULL};
    struct site_question asked = question();
    json_t *json = listing_json(&l);
    assert_int_equal(listing_read(json, &back, &f), OK);
    assert_int_equal(listing_verify(&back, &asked, &f), OK);
    json_t *again = listing_json(&back);
    assert_true(json_equal(json, again));
    json_decref(json);
    json_decref(again);
    listing_clear(&l);
    listing_clear(&back);
}

static void of_another(void **state)
{
    (void)state;
    struct fault f;
    struct listing l = listing_made(objects("[" OBJECT "]"));
    for (int i = 0; i < 6; i++) {
        static const char *const whys[] = {"another estate", "another challenge",     "another site",
                                           "another site",   "another serial number", "identity signature"};
        struct site_question asked = question();
        struct digest other = digest_named("other");
        if (i == 0)
            asked.estate = other;
        else if (i == 1)
            asked.challenge = other;
        else if (i == 2)
            asked.token = "leaf";
        else if (i == 3)
            asked.site = "glasgow";
        else if (i == 4)
            asked.serial = "0124";
        else /* one object less than was signed */
            json_array_clear(l.objects);
        assert_int_not_equal(listing_verify(&l, &asked, &f), OK);
        if (strstr(f.text, whys[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", f.text, whys[i]);
    }
    listing_clear(&l);
}

static void bent(json_t *json_taken)
{
    struct fault f;
    struct listing l = {.objects = NULL};
    assert_int_not_equal(listing_read(json_taken, &l, &f), OK);
    assert_null(l.objects);
    json_decref(json_taken);
}

static void malformed(void **state)
{
    (void)state;
    static const char *const members[] = {"challenge", "estate", "objects",    "serial", "signature",
                                          "site",      "token",  "transports", "type"};
    struct listing l = listing_made(objects("[" OBJECT "]"));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_t *json = listing_json(&l);
        json_object_del(json, members[i]);
        bent(json);
        json = listing_json(&l);
        json_object_set_new(json, members[i], json_integer(1));
        bent(json);
    }
    json_t *more = listing_json(&l), *many = json_array();
    json_object_set_new(more, "more", json_string("x"));
    bent(more);
    for (unsigned i = 0; i <= LIMIT_LISTED; i++)
        json_array_append_new(many, json_object());
    more = listing_json(&l);
    json_object_set_new(more, "objects", many);
    bent(more);
    listing_clear(&l);
}

static void objects_that_cannot_be(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "[1]",
        "[{\"class\":\"private-key\",\"id\":\"6162\"}]",
        "[{\"class\":\"private-key\",\"id\":\"6162\",\"label\":\"a\",\"label-hex\":\"61\"}]",
        "[{\"class\":\"private-key\",\"id\":\"616\",\"label\":\"a\"}]",
        "[{\"class\":\"private-key\",\"id\":\"6A\",\"label\":\"a\"}]",
        "[{\"class\":\"CKO_PRIVATE_KEY\",\"id\":\"\",\"label\":\"a\"}]",
        "[{\"class\":\"data\",\"id\":\"\",\"label\":\"a\",\"session\":\"false\"}]",
        "[{\"class\":\"data\",\"id\":\"\",\"label\":\"a\",\"trusted\":1}]",
        "[{\"class\":\"public-key\",\"id\":\"\",\"label\":\"a\",\"public-key\":\"00\"}]",
        "[{\"class\":\"data\",\"id\":\"\",\"label\":\"a\",\"more\":\"x\"}]",
        "[{\"class\":\"data\",\"id\":\"\",\"label-hex\":\"zz\"}]",
    };
    struct fault f;
    struct things t = {.items = NULL};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        json_t *list = objects(wrong[i]);
        assert_int_not_equal(things_parse(list, &t, &f), OK);
        assert_null(t.items);
        json_decref(list);
    }
    json_t *good = objects("[" OBJECT ",{\"class\":\"other\",\"id\":\"\",\"label-hex\":\"00ff\",\"session\":\"true\","
                           "\"trusted\":\"true\"}]");
    assert_int_equal(things_parse(good, &t, &f), OK);
    json_t *again = things_json(&t);
    assert_true(json_equal(good, again));
    json_decref(again);
    json_decref(good);
    things_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digest),           cmocka_unit_test(there_and_back), cmocka_unit_test(of_another),
        cmocka_unit_test(objects_that_cannot_be), cmocka_unit_test(malformed),
    };
    return cmocka_run_group_tests(tests, identity_make, identity_free);
}
