#include "tests/unit/estate_fixture.h"

#include "estate/inquiry.h"

#define E estate_at_hand
#define FILE_NAME "home/inquiries/root@there.drill.json"

/* Questions that files carry: one of a kind for each site, and only as long as it can be answered. */

static struct inquiry wanted(const char *keys)
{
    struct fault f = {OK, ""}, text = {OK, ""};
    struct inquiry q = {.kind = MESSAGE_KINDS};
    json_t *list = keys != NULL ? json_loads(keys, 0, NULL) : NULL;
    enum message_kind kind = keys != NULL ? MESSAGE_DRILL : MESSAGE_INVENTORY;

    assert_int_equal(inquiry_want(E, kind, "root", "there", list, NULL, &text, &f), OK);
    assert_non_null(strstr(text.text, "quorate offer export there"));
    assert_int_equal(inquiry_read(E, kind, "root", "there", &q, &f), OK);
    json_decref(list);
    return q;
}

static void asked_once(void **state)
{
    struct fault f = {OK, ""};
    struct inquiry one = wanted("[]"), again = wanted("[]"), listing = wanted(NULL), none;

    (void)state;
    assert_true(digest_equal(&one.challenge, &again.challenge));
    assert_false(digest_equal(&one.challenge, &listing.challenge));
    assert_int_equal(one.size, log_size(E->log));
    assert_int_equal(inquiry_until(&one), one.made + LIMIT_INQUIRY);
    assert_int_equal(inquiry_stands(&E->state, &one, &f), OK);
    json_t *message = inquiry_json(&one);
    assert_int_equal(json_object_size(message), 2);
    json_decref(message);
    message = inquiry_json(&listing);
    assert_int_equal(json_object_size(message), 1);
    json_decref(message);
    assert_int_equal(inquiry_read(E, MESSAGE_DRILL, "root", "elsewhere", &none, &f), E_ABSENT);
    assert_int_equal(inquiry_forget(E, &one, &f), OK);
    assert_int_equal(inquiry_read(E, MESSAGE_DRILL, "root", "there", &none, &f), E_ABSENT);
    assert_int_equal(inquiry_read(E, MESSAGE_INVENTORY, "root", "there", &none, &f), OK);
    inquiry_clear(&none);
    inquiry_clear(&one);
    inquiry_clear(&again);
    inquiry_clear(&listing);
}

/* For other keys, where one of its keys is nowhere, and when its time is over, it is asked anew. */
static void asked_anew(void **state)
{
    struct fault f = {OK, ""};
    struct inquiry one = wanted("[]"), other = wanted("[7]"), again = wanted("[7]"), old = wanted("[]"), next;
    struct buf bytes = BUF(LIMIT_DOCUMENT);

    (void)state;
    assert_false(digest_equal(&one.challenge, &other.challenge));
    assert_int_equal(inquiry_stands(&E->state, &other, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "the key of entry 7 is not at there any more"));
    assert_false(digest_equal(&other.challenge, &again.challenge));
    assert_int_equal(file_read(in(FILE_NAME), false, &bytes, &f), OK);
    memcpy(strstr((char *)(uintptr_t)buf_str(&bytes), "\"made\":\"") + 8, "2020", 4);
    text_write(FILE_NAME, buf_str(&bytes));
    inquiry_clear(&old);
    assert_int_equal(inquiry_read(E, MESSAGE_DRILL, "root", "there", &old, &f), OK);
    assert_int_equal(inquiry_stands(&E->state, &old, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "an answer counts until 2020"));
    next = wanted("[]");
    assert_false(digest_equal(&old.challenge, &next.challenge));
    inquiry_clear(&one);
    inquiry_clear(&other);
    inquiry_clear(&again);
    inquiry_clear(&old);
    inquiry_clear(&next);
    buf_free(&bytes);
}

#define D64 "1111111111111111111111111111111111111111111111111111111111111111"
#define TIME "\"made\":\"2026-11-22T13:03:00Z\","

/* What is no question is none, and is asked anew. */
static void damaged(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "{\"challenge\":\"" D64 "\",\"keys\":[]," TIME "\"size\":0,\"type\":\"quorate/inquiry/v2\"}",
        "{\"challenge\":\"" D64 "\",\"keys\":[2,2]," TIME "\"size\":0,\"type\":\"quorate/inquiry/v1\"}",
        "{\"challenge\":\"" D64 "\",\"keys\":[\"2\"]," TIME "\"size\":0,\"type\":\"quorate/inquiry/v1\"}",
        "{\"challenge\":\"" D64 "\",\"keys\":[]," TIME "\"size\":-1,\"type\":\"quorate/inquiry/v1\"}",
        "{\"challenge\":\"11\",\"keys\":[]," TIME "\"size\":0,\"type\":\"quorate/inquiry/v1\"}",
        "{\"challenge\":\"" D64 "\"," TIME "\"size\":0,\"type\":\"quorate/inquiry/v1\"}",
        "{\"challenge\":\"" D64 "\",\"keys\":[],\"made\":\"today\",\"size\":0,\"type\":\"quorate/inquiry/v1\"}",
    };
    struct fault f = {OK, ""};
    struct inquiry q = wanted("[]");

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        inquiry_clear(&q);
        text_write(FILE_NAME, wrong[i]);
        assert_int_equal(inquiry_read(E, MESSAGE_DRILL, "root", "there", &q, &f), E_INVALID);
        assert_non_null(strstr(f.text, "root@there.drill.json"));
        q = wanted("[]");
        assert_int_equal(inquiry_stands(&E->state, &q, &f), OK);
    }
    inquiry_clear(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(asked_once, estate_make, estate_end),
        cmocka_unit_test_setup_teardown(asked_anew, estate_make, estate_end),
        cmocka_unit_test_setup_teardown(damaged, estate_make, estate_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
