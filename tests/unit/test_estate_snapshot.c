#include <sys/stat.h>

#include "audit/state_pack.h"
#include "estate/snapshot.h"
#include "tests/unit/estate_fixture.h"

/* home/snapshot: who opens by it knows what who folds everything knows, or does not use it. */

static const char *snapshot_path(void)
{
    return in("home/snapshot");
}

static void reopened(void)
{
    struct fault f = {OK, ""};

    estate_close(estate_at_hand);
    estate_at_hand = NULL;
    if (estate_open(in("bindings.yaml"), &estate_at_hand, &f) != OK)
        fail_msg("%s", f.text);
}

static struct buf state_bytes(void)
{
    struct fault f = {OK, ""};
    struct buf b = BUF(1 << 24);

    assert_int_equal(state_pack(&estate_at_hand->state, &b, &f), OK);
    return b;
}

static struct buf snapshot_bytes(void)
{
    struct fault f = {OK, ""};
    struct buf b = BUF(1 << 24);

    assert_int_equal(file_read(snapshot_path(), false, &b, &f), OK);
    return b;
}

static void snapshot_put(struct span bytes)
{
    struct fault f = {OK, ""};

    assert_int_equal(file_replace(snapshot_path(), bytes, 0644, &f), OK);
}

/* Entries that leave something in the state. */
static void grow(unsigned count)
{
    struct fault f = {OK, ""};

    assert_int_equal(log_begin(estate_at_hand->log, &f), OK);
    log_group(estate_at_hand->log);
    for (unsigned i = 0; i < count; i++) {
        struct digest d;
        json_t *body = json_object();

        assert_true(random_bytes(d.bytes, sizeof d.bytes));
        assert_true(json_put(body, "findings", json_array()) && json_put_string(body, "operation", "generate") &&
                    json_put_string(body, "requester", "uid:1") && json_put_digest(body, "subject", &d));
        if (log_append(estate_at_hand->log, ENTRY_REFUSED, NULL, body, NULL, &f) != OK)
            fail_msg("%s", f.text);
        json_decref(body);
    }
    assert_int_equal(log_group_end(estate_at_hand->log, &f), OK);
    log_end(estate_at_hand->log);
}

/* Opens it and tells whether by the snapshot, or another was made; what is known is what a fold of everything knows. */
static bool opens_by_it(void)
{
    struct fault f = {OK, ""};
    struct buf snapshot = snapshot_bytes(), by_it, by_fold;
    struct stat before, after;

    estate_close(estate_at_hand);
    estate_at_hand = NULL;
    snapshot_put(buf_span(&snapshot)); /* the close may have written another */
    assert_int_equal(stat(snapshot_path(), &before), 0);
    if (estate_open(in("bindings.yaml"), &estate_at_hand, &f) != OK)
        fail_msg("%s", f.text);
    assert_int_equal(stat(snapshot_path(), &after), 0);
    by_it = state_bytes();
    assert_int_equal(unlink(snapshot_path()), 0);
    reopened();
    by_fold = state_bytes();
    assert_true(span_equal(buf_span(&by_it), buf_span(&by_fold)));
    buf_free(&by_it);
    buf_free(&by_fold);
    snapshot_put(buf_span(&snapshot));
    buf_free(&snapshot);
    return before.st_ino == after.st_ino;
}

static void written_where_it_is_missed(void **state)
{
    struct fault f = {OK, ""};

    (void)state;
    reopened();
    assert_false(file_exists(snapshot_path())); /* nothing to save yet */
    adopt("policy.yaml");
    grow(SNAPSHOT_EVERY);
    reopened();
    assert_true(file_exists(snapshot_path()));
    assert_true(opens_by_it());
    grow(SNAPSHOT_EVERY / 2); /* what came after it is folded */
    assert_true(opens_by_it());
    assert_int_equal(snapshot_write(estate_at_hand, &f), OK);
    assert_true(opens_by_it());
    assert_int_equal(estate_policy_in_force(estate_at_hand, &f), OK);
    grow(1); /* and it is gone on with */
    assert_true(opens_by_it());
}

static void altered_ones_are_ignored(void **state)
{
    struct buf good = {0};
    struct stat s;

    (void)state;
    assert_true(opens_by_it());
    good = snapshot_bytes();
    for (size_t i = 0; i < good.len; i += i < 400 ? 7 : 997) {
        good.data[i] ^= 1;
        snapshot_put(buf_span(&good));
        if (opens_by_it())
            fail_msg("byte %zu", i);
        good.data[i] ^= 1;
    }
    for (size_t len = 0; len < good.len; len += 1 + good.len / 10) {
        snapshot_put(span_of(good.data, len));
        assert_false(opens_by_it());
    }
    buf_put(&good, "x", 1);
    snapshot_put(buf_span(&good));
    assert_false(opens_by_it());
    good.len--;
    snapshot_put(buf_span(&good));
    assert_true(opens_by_it());
    assert_int_equal(chmod(snapshot_path(), 0666), 0); /* others may have written it */
    reopened();
    assert_int_equal(stat(snapshot_path(), &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600); /* made anew */
    buf_free(&good);
}

/* Whoever may write to the home, and makes digest and state fit, lacks the key. */
static void forged_ones_are_ignored(void **state)
{
    struct fault f = {OK, ""};
    struct buf pem = BUF_SECRET(LIMIT_NOTE), packed = BUF(1 << 24), text = BUF(LIMIT_NOTE), forged = BUF(1 << 24);
    struct buf good = snapshot_bytes();
    struct span note = span_of(good.data, strlen((char *)good.data)), said;
    struct digest before, after;
    struct note_key own;
    EVP_PKEY *secret = NULL;
    uint8_t public[32];

    (void)state;
    assert_int_equal(log_vouched(estate_at_hand->log, note, &said, &f), OK);
    assert_int_equal(state_pack(&estate_at_hand->state, &packed, &f), OK);
    assert_int_equal(snapshot_write(estate_at_hand, &f), OK);
    assert_true(opens_by_it());
    assert_true(digest_one(&before, buf_span(&packed)));
    packed.data[packed.len - 1] ^= 1; /* a refused subject is another */
    assert_true(digest_one(&after, buf_span(&packed)));
    buf_put(&text, said.data, said.len);
    char *at = strstr((char *)text.data, digest_hex(&before).hex);
    if (at != NULL)
        memcpy(at, digest_hex(&after).hex, 64);
    assert_int_equal(log_key_generate(&secret, &pem, public, &f), OK);
    assert_int_equal(note_key_make(log_origin(estate_at_hand->log), public, &own, &f), OK);
    assert_int_equal(note_sign(buf_span(&text), &own, secret, &forged, &f), OK);
    buf_put(&forged, "", 1);
    buf_put(&forged, packed.data, packed.len);
    snapshot_put(buf_span(&forged));
    assert_false(opens_by_it());
    EVP_PKEY_free(secret);
    buf_free(&pem);
    buf_free(&packed);
    buf_free(&text);
    buf_free(&forged);
    buf_free(&good);
}

/* A home that was put back to an older day: the snapshot knows more than its log. */
static void a_later_one_is_ignored(void **state)
{
    struct fault f = {OK, ""};
    struct buf later = {0};

    (void)state;
    estate_close(estate_at_hand);
    estate_at_hand = NULL;
    scratch_run("cp -a home older");
    reopened();
    grow(3);
    assert_int_equal(snapshot_write(estate_at_hand, &f), OK);
    later = snapshot_bytes();
    estate_close(estate_at_hand);
    estate_at_hand = NULL;
    scratch_run("rm -rf home && mv older home");
    snapshot_put(buf_span(&later));
    assert_false(opens_by_it());
    grow(3); /* as large as that, but another log */
    snapshot_put(buf_span(&later));
    assert_false(opens_by_it());
    buf_free(&later);
}

/* Whoever had a key that people took out of force. */
static void one_by_an_old_key_is_ignored(void **state)
{
    struct fault f = {OK, ""};
    struct buf by_old = {0};
    struct note_key next;
    struct answer a = {0};
    json_t *subject = asking_subject(estate_at_hand, OP_CHANGE_LOG_KEY, NULL), *body = json_object();
    struct buf line = BUF(256);
    uint64_t intent = 0;

    (void)state;
    assert_int_equal(snapshot_write(estate_at_hand, &f), OK);
    by_old = snapshot_bytes();
    assert_int_equal(log_begin(estate_at_hand->log, &f), OK);
    assert_int_equal(log_next_key(estate_at_hand->log, &next, &f), OK);
    log_end(estate_at_hand->log);
    note_key_put(&next, &line);
    assert_true(json_put_string(subject, "log-key", buf_str(&line)));
    if (estate_ask(estate_at_hand, subject, NULL, &a, &f) != OK)
        fail_msg("%s", f.text);
    assert_non_null(a.request);
    assert_int_equal(approve(a.request, 0, &f), OK);
    assert_int_equal(approve(a.request, 1, &f), OK);
    if (estate_intend(estate_at_hand, a.request, NULL, NULL, &intent, &f) != OK)
        fail_msg("%s", f.text);
    assert_true(
        json_put_string(body, "log-key", buf_str(&line)) && json_put_digest(body, "request", &a.request->id) &&
        json_put(body, "verdict",
                 json_deep_copy(json_object_get(state_intent(&estate_at_hand->state, intent)->body, "verdict"))));
    if (estate_append(estate_at_hand, ENTRY_LOG_KEY, body, NULL, &f) != OK)
        fail_msg("%s", f.text);
    grow(1);
    snapshot_put(buf_span(&by_old));
    assert_false(opens_by_it());
    assert_int_equal(snapshot_write(estate_at_hand, &f), OK);
    assert_true(opens_by_it());
    json_decref(body);
    answer_clear(&a);
    buf_free(&line);
    buf_free(&by_old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_where_it_is_missed),   cmocka_unit_test(altered_ones_are_ignored),
        cmocka_unit_test(forged_ones_are_ignored),      cmocka_unit_test(a_later_one_is_ignored),
        cmocka_unit_test(one_by_an_old_key_is_ignored),
    };
    return cmocka_run_group_tests(tests, estate_make, estate_end);
}
