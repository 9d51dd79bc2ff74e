#include "module/site_accept.h"
#include "tests/unit/depth_labour.h"

/* What a site takes in, and what not. */

#define RULES                                                                                                          \
    "  - id: pairs\n"                                                                                                  \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"

static struct depth d;
static struct depth_labour l;
static struct replica *cardiff, *glasgow;

static int setup(void **state)
{
    (void)state;
    depth_begin(&d, RULES);
    depth_labour_begin(&d, "app-1", &l);
    cardiff = &l.k.replicas.items[0];
    glasgow = &l.k.replicas.items[1];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    depth_labour_end(&l);
    depth_end(&d);
    return 0;
}

/* What a birth would send there. */
static void offer_make(struct replica *to, struct offer *ret)
{
    struct fault f;
    assert_good(birth_wrap(&l.k, to, &f));
    *ret = to->visit->offer;
    to->visit->offer = (struct offer){.attributes = NULL}; /* taken by *ret */
}

static enum outcome accept(struct replica *at, const struct offer *o, struct receipt *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_OFFER);
    struct digest digest = {0};
    struct visit *v = at->visit;
    bool unknown = false;
    assert_int_equal(offer_compose(o, &bytes, f), OK);
    assert_true(digest_one(&digest, buf_span(&bytes)));
    enum outcome outcome =
        site_accept(&v->link, &v->pinned, &v->estate, o, &digest, span_of(NULL, 0), ret, &unknown, f);
    if (outcome == OK)
        assert_int_equal(receipt_verify(ret, o, &digest, buf_span(&v->pinned.identity), v->serial, f), OK);
    buf_free(&bytes);
    return outcome;
}

static void refused(const struct offer *o, enum outcome want, const char *text)
{
    struct fault f;
    struct receipt r = {0};
    assert_int_equal(accept(cardiff, o, &r, &f), want);
    assert_text(text);
    assert_int_equal(r.signature.len, 0);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-1"), 0);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PUBLIC_KEY, "app-1"), 0);
}

static void for_somebody_else(void **state)
{
    struct offer o;
    (void)state;
    offer_make(glasgow, &o);
    refused(&o, E_REFUSED, "another estate, token or site");
    strcpy(o.site, "cardiff"); /* readdressed: the wrapping is still glasgow's */
    refused(&o, E_DEVICE, "transport key");
    offer_clear(&o);
    offer_make(cardiff, &o);
    o.estate.bytes[0] ^= 1;
    refused(&o, E_REFUSED, "another estate");
    offer_clear(&o);
}

static void key_that_could_leave(void **state)
{
    static const char *const weak[][2] = {
        {"CKA_EXTRACTABLE", "true"}, {"CKA_SENSITIVE", "false"}, {"CKA_PRIVATE", "false"}, {"CKA_TOKEN", "false"}};
    struct offer o;
    (void)state;
    for (size_t i = 0; i < sizeof weak / sizeof *weak; i++) {
        offer_make(cardiff, &o);
        assert_true(json_put_string(o.attributes, weak[i][0], weak[i][1]));
        refused(&o, E_REFUSED, weak[i][0]);
        assert_int_equal(json_object_del(o.attributes, weak[i][0]), 0);
        refused(&o, E_REFUSED, weak[i][0]);
        offer_clear(&o);
    }
}

static void blobs_that_were_touched(void **state)
{
    struct offer o;
    (void)state;
    offer_make(cardiff, &o);
    o.wrapped_key.data[o.wrapped_key.len - 1] ^= 1;
    refused(&o, E_DEVICE, "unwrapping the key");
    o.wrapped_key.data[o.wrapped_key.len - 1] ^= 1;
    o.wrapped_key.len -= 8;
    refused(&o, E_DEVICE, "unwrapping the key");
    o.wrapped_key.len += 8;
    o.wrapped_secret.data[0] ^= 1;
    refused(&o, E_DEVICE, "transport key");
    offer_clear(&o);
}

static void taken_once(void **state)
{
    struct offer o;
    struct fault f;
    struct receipt r = {0}, again = {0};
    (void)state;
    offer_make(cardiff, &o);
    assert_string_equal(o.mechanism, "oaep-sha1+aes-kwp");
    assert_good(accept(cardiff, &o, &r, &f));
    assert_string_equal(r.proof, "signature");
    assert_string_equal(r.site, "cardiff");
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-1"), 1);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PUBLIC_KEY, "app-1"), 1);
    assert_int_equal(accept(cardiff, &o, &again, &f), E_REFUSED);
    assert_text("already");
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-1"), 1);
    receipt_clear(&r);
    offer_clear(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_somebody_else),
        cmocka_unit_test(key_that_could_leave),
        cmocka_unit_test(blobs_that_were_touched),
        cmocka_unit_test(taken_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
