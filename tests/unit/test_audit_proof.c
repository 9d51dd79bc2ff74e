#include "audit/proof.h"
#include "audit_log_fixture.h"
#include "core/encode.h"

static enum outcome judge(struct span text, struct span entry, const struct note_key *key)
{
    struct fault f;
    struct proof p;
    struct checkpoint c;
    enum outcome rc = proof_parse(text, &p, &f);
    return rc ? rc : proof_verify(&p, entry, key, &c, &f);
}

/* A proof holds for its own entry and key; no byte of it can be another, and nothing be missing or too much. */
static void proofs_hold_for_their_entry(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    for (int i = 0; i < 5; i++)
        say(l, "something");
    const struct note_key key = *log_verifier(l);
    for (uint64_t seq = 0; seq < 6; seq++) {
        struct buf text = BUF(LIMIT_PROOF), entry = BUF(LIMIT_ENTRY), other = BUF(LIMIT_ENTRY);
        assert_int_equal(proof_put(l, seq, &text, &f), OK);
        assert_int_equal(log_entry_bytes(l, seq, &entry, &f), OK);
        assert_int_equal(log_entry_bytes(l, (seq + 1) % 6, &other, &f), OK);
        assert_int_equal(judge(buf_span(&text), buf_span(&entry), &key), OK);
        assert_int_equal(judge(buf_span(&text), buf_span(&other), &key), E_REFUSED);
        for (size_t at = 0; at < text.len; at++) {
            assert_int_not_equal(judge(span_of(text.data, at), buf_span(&entry), &key), OK);
            for (unsigned bit = 0; bit < 8; bit++) {
                text.data[at] ^= (uint8_t)(1u << bit);
                assert_int_not_equal(judge(buf_span(&text), buf_span(&entry), &key), OK);
                text.data[at] ^= (uint8_t)(1u << bit);
            }
        }
        buf_puts(&text, "\n");
        assert_int_not_equal(judge(buf_span(&text), buf_span(&entry), &key), OK);
        buf_free(&text);
        buf_free(&entry);
        buf_free(&other);
    }
    struct buf none = BUF(LIMIT_PROOF);
    assert_int_equal(proof_put(l, 6, &none, &f), E_ABSENT);
    log_close(l);
    log_gone(folder);
}

static void extra_is_read_over(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    const struct note_key key = *log_verifier(l);
    struct buf text = BUF(LIMIT_PROOF), more = BUF(LIMIT_PROOF), entry = BUF(LIMIT_ENTRY);
    assert_int_equal(proof_put(l, 0, &text, &f), OK);
    assert_int_equal(log_entry_bytes(l, 0, &entry, &f), OK);
    size_t head = strlen("c2sp.org/tlog-proof@v1\n");
    buf_put(&more, text.data, head);
    buf_puts(&more, "extra aGVsbG8=\n");
    buf_put(&more, text.data + head, text.len - head);
    assert_int_equal(judge(buf_span(&more), buf_span(&entry), &key), OK);
    more.data[head + 6] = '!';
    assert_int_equal(judge(buf_span(&more), buf_span(&entry), &key), E_INVALID);
    buf_free(&text);
    buf_free(&more);
    buf_free(&entry);
    log_close(l);
    log_gone(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(proofs_hold_for_their_entry),
        cmocka_unit_test(extra_is_read_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
