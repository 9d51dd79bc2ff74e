#include "audit_log_fixture.h"

static void a_log_from_the_start(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    assert_int_equal(log_size(l), 1);
    assert_string_equal(log_origin(l), ORIGIN);
    for (unsigned i = 0; i < 20; i++)
        say(l, "something");
    assert_int_equal(log_size(l), 21);
    assert_false(log_changed(l));

    struct digest root;
    struct merkle_proof p;
    log_root(l, &root);
    for (uint64_t seq = 0; seq < 21; seq++) {
        struct buf bytes = BUF(LIMIT_ENTRY);
        struct entry e;
        assert_int_equal(log_entry_bytes(l, seq, &bytes, &f), OK);
        assert_int_equal(entry_parse(buf_span(&bytes), &e, &f), OK);
        assert_int_equal(e.seq, seq);
        assert_int_equal(log_inclusion(l, seq, 21, &p, &f), OK);
        assert_true(merkle_verify_inclusion(&e.leaf, seq, 21, &root, p.nodes, p.count));
        entry_clear(&e);
        buf_free(&bytes);
    }
    struct buf none = BUF(16);
    assert_int_equal(log_entry_bytes(l, 21, &none, &f), E_ABSENT);
    assert_int_equal(log_inclusion(l, 21, 21, &p, &f), E_ABSENT);
    assert_int_equal(log_inclusion(l, 0, 22, &p, &f), E_ABSENT);
    assert_int_equal(log_consistency(l, 0, 21, &p, &f), E_ABSENT);
    assert_int_equal(log_consistency(l, 7, 21, &p, &f), OK);
    log_close(l);

    l = log_opened(folder); /* the same again from the disk */
    struct digest again;
    log_root(l, &again);
    assert_true(digest_equal(&root, &again));
    log_close(l);
    log_gone(folder);
}

static void never_twice(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    json_t *body = json_quoted("{'environment':'test'}");
    assert_int_equal(log_create(folder, ORIGIN, body, &f), E_BUSY);
    char *path = path_join(folder, "checkpoint");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(log_create(folder, ORIGIN, body, &f), E_BUSY); /* what is left of one is evidence */
    free(path);
    json_decref(body);
    log_gone(folder);
}

static void bad_origins(void **state)
{
    (void)state;
    struct fault f;
    char folder[64];
    assert_true(scratch_folder(folder, sizeof folder, "log"));
    json_t *body = json_quoted("{'environment':'test'}");
    assert_int_equal(log_create(folder, "two words", body, &f), E_INVALID);
    assert_int_equal(log_create(folder, "", body, &f), E_INVALID);
    json_decref(body);
    assert_int_equal(rmdir(folder), 0); /* nothing was written */
}

static void every_flip_is_refused(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say(l, "one");
    say(l, "two");
    const struct note_key key = *log_verifier(l);
    log_close(l);
    struct buf entries = file_bytes(folder, "entries"), note = file_bytes(folder, "checkpoint");
    assert_int_equal(log_verify_bytes(buf_span(&entries), buf_span(&note), &key, NULL, NULL, &f), OK);
    struct buf *const both[] = {&entries, &note};
    static const char *const names[] = {"entries", "checkpoint"};
    for (unsigned which = 0; which < 2; which++)
        for (size_t at = 0; at < both[which]->len; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                struct buf *b = both[which];
                b->data[at] ^= (uint8_t)(1u << bit);
                if (log_verify_bytes(buf_span(&entries), buf_span(&note), &key, NULL, NULL, &f) == OK)
                    fail_msg("%s: byte %zu, bit %u", names[which], at, bit);
                if (bit == at % 8) {
                    file_put(folder, names[which], buf_span(b));
                    assert_int_not_equal(log_open(folder, NULL, NULL, &l, &f), OK);
                }
                b->data[at] ^= (uint8_t)(1u << bit);
                if (bit == at % 8)
                    file_put(folder, names[which], buf_span(b));
            }
    log_close(log_opened(folder));
    buf_free(&entries);
    buf_free(&note);
    log_gone(folder);
}

static void truncation_is_refused(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say(l, "one");
    const struct note_key key = *log_verifier(l);
    struct buf entries = file_bytes(folder, "entries"), note = file_bytes(folder, "checkpoint");
    for (size_t len = 0; len < entries.len; len++) {
        file_put(folder, "entries", span_of(entries.data, len));
        log_refused(folder, E_REFUSED, "damage");
        assert_int_equal(log_verify_bytes(span_of(entries.data, len), buf_span(&note), &key, NULL, NULL, &f),
                         E_REFUSED);
    }
    assert_int_equal(log_said(l, "on a log that lost its end", &f), E_REFUSED);
    log_close(l);
    file_put(folder, "entries", buf_span(&entries));
    for (size_t len = 0; len < note.len; len++) {
        file_put(folder, "checkpoint", span_of(note.data, len));
        assert_int_not_equal(log_open(folder, NULL, NULL, &l, &f), OK);
    }
    buf_puts(&entries, "x");
    assert_int_equal(log_verify_bytes(buf_span(&entries), buf_span(&note), &key, NULL, NULL, &f), E_REFUSED);
    buf_free(&entries);
    buf_free(&note);
    log_gone(folder);
}

static void lines_out_of_order_are_refused(void **state)
{
    (void)state;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say(l, "one");
    say(l, "two");
    log_close(l);
    struct buf b = file_bytes(folder, "entries"), swapped = BUF(1 << 20);
    uint8_t *first = memchr(b.data, '\n', b.len),
            *second = memchr(first + 1, '\n', b.len - (size_t)(first + 1 - b.data));
    buf_put(&swapped, b.data, (size_t)(first + 1 - b.data));
    buf_put(&swapped, second + 1, (size_t)(b.data + b.len - second - 1));
    buf_put(&swapped, first + 1, (size_t)(second - first));
    file_put(folder, "entries", buf_span(&swapped));
    log_refused(folder, E_REFUSED, "damage");
    buf_free(&b);
    buf_free(&swapped);
    log_gone(folder);
}

static void it_never_goes_back(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder), *reader = NULL;
    say(l, "one");
    struct buf entries = file_bytes(folder, "entries"), note = file_bytes(folder, "checkpoint");
    say(l, "two");
    reader = log_opened(folder);

    file_put(folder, "checkpoint", buf_span(&note)); /* an older one, well signed */
    assert_true(log_changed(reader));
    assert_int_equal(log_refresh(reader, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "went back"));
    assert_int_equal(log_said(reader, "three", &f), E_REFUSED);
    assert_int_equal(log_size(reader), 3);

    file_put(folder, "entries", buf_span(&entries)); /* and grown differently from there */
    struct log *other = log_opened(folder);
    say(other, "two, but another");
    assert_int_equal(log_size(other), 3);
    assert_int_equal(log_refresh(reader, &f), E_REFUSED);
    say(other, "three");
    assert_int_equal(log_refresh(reader, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "went back"));
    log_close(l);
    log_close(other);
    log_close(reader);
    buf_free(&entries);
    buf_free(&note);
    log_gone(folder);
}

static void keys_must_fit(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), *stranger = log_made(), *path = path_join(folder, "key");
    struct buf key = file_bytes(stranger, "key"), vkey = file_bytes(stranger, "vkey"), own = file_bytes(folder, "vkey"),
               note = file_bytes(stranger, "checkpoint");
    struct stat s;
    assert_int_equal(stat(path, &s), 0);
    assert_int_equal(s.st_mode & 0777, 0600);

    struct log *l = log_opened(folder);
    assert_int_equal(chmod(path, 0620), 0);
    assert_int_equal(log_said(l, "with a key that others may change", &f), E_REFUSED);
    file_put(folder, "key", buf_span(&key));
    assert_int_equal(log_said(l, "with a stranger's key", &f), E_REFUSED);
    assert_int_equal(log_size(l), 1);
    log_close(l);

    file_put(folder, "vkey", buf_span(&vkey));
    log_refused(folder, E_REFUSED, "signature");
    file_put(folder, "checkpoint", buf_span(&note)); /* all of a stranger's but the entries */
    log_refused(folder, E_REFUSED, "damage");
    buf_puts(&own, "more\n");
    file_put(folder, "vkey", buf_span(&own));
    log_refused(folder, E_INVALID, "one line");
    buf_free(&key);
    buf_free(&vkey);
    buf_free(&own);
    buf_free(&note);
    free(path);
    log_gone(folder);
    log_gone(stranger);
}

static void entries_must_be_a_file(void **state)
{
    (void)state;
    char *folder = log_made(), *path = path_join(folder, "entries"), *moved = path_join(folder, "moved");
    assert_int_equal(rename(path, moved), 0);
    log_refused(folder, E_IO, "entries");
    assert_int_equal(symlink("moved", path), 0);
    log_refused(folder, E_IO, "entries");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    log_refused(folder, E_REFUSED, "regular");
    free(path);
    free(moved);
    log_gone(folder);
}

static void only_between_begin_and_end(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    json_t *body = json_object();
    assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), E_REFUSED);
    assert_int_equal(log_begin(l, &f), OK);
    assert_int_equal(log_begin(l, &f), E_BUSY);
    uint64_t seq = 0;
    assert_int_equal(log_append(l, ENTRY_STEP, "a ceremony", body, &seq, &f), OK);
    assert_int_equal(seq, 1);
    log_end(l);
    log_end(l);
    assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), E_REFUSED);
    assert_int_equal(log_size(l), 2);
    json_decref(body);
    log_close(l);
    log_gone(folder);
}

/* What cannot be an entry changes nothing, and the log goes on. */
static void bad_bodies_leave_no_trace(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    char *long_text = calloc(1, LIMIT_ENTRY + 1);
    memset(long_text, 'a', LIMIT_ENTRY);
    json_t *bodies[] = {json_array(), json_quoted("{'a':true}"), json_quoted("{'a':1.5}"), json_quoted("{'a':null}"),
                        json_object()};
    assert_true(json_put_string(bodies[4], "text", long_text));
    struct buf before = file_bytes(folder, "entries");
    assert_int_equal(log_begin(l, &f), OK);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_int_not_equal(log_append(l, ENTRY_STEP, NULL, bodies[i], NULL, &f), OK);
        json_decref(bodies[i]);
    }
    json_t *good = json_object();
    assert_int_equal(log_append(l, ENTRY_STEP, "", good, NULL, &f), E_INVALID);
    assert_int_equal(log_append(l, ENTRY_TYPE_COUNT, NULL, good, NULL, &f), E_INVALID);
    struct buf after = file_bytes(folder, "entries");
    assert_true(span_equal(buf_span(&before), buf_span(&after)));
    assert_int_equal(log_append(l, ENTRY_STEP, NULL, good, NULL, &f), OK);
    log_end(l);
    json_decref(good);
    free(long_text);
    buf_free(&before);
    buf_free(&after);
    log_close(l);
    log_gone(folder);
}

/* A clock that was wrong and was set right: the log's time stands still until the clock has caught up. */
static void time_never_goes_back(void **state)
{
    (void)state;
    struct fault f;
    const moment later = moment_now() + 1000000;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    struct buf pem = file_bytes(folder, "key"), entries = file_bytes(folder, "entries"), line = BUF(LIMIT_ENTRY),
               text = BUF(1024), note = BUF(LIMIT_NOTE);
    EVP_PKEY *secret = NULL;
    uint8_t public[32];
    json_t *body = json_object();
    struct merkle_edge edge = {.size = 0};
    struct checkpoint c = {.origin = ORIGIN, .size = 2};
    struct digest leaf;
    assert_int_equal(log_key_load(buf_span(&pem), &secret, public, &f), OK);
    assert_int_equal(entry_compose(ENTRY_STEP, 1, later, NULL, body, &line, &f), OK);
    merkle_leaf(span_of(entries.data, entries.len - 1), &leaf);
    merkle_push(&edge, &leaf);
    merkle_leaf(buf_span(&line), &leaf);
    merkle_push(&edge, &leaf);
    merkle_root(&edge, &c.root);
    checkpoint_put(&c, &text);
    assert_int_equal(note_sign(buf_span(&text), log_verifier(l), secret, &note, &f), OK);
    buf_put(&entries, line.data, line.len);
    buf_puts(&entries, "\n");
    file_put(folder, "entries", buf_span(&entries));
    file_put(folder, "checkpoint", buf_span(&note));
    say(l, "after it");
    assert_int_equal(log_size(l), 3);
    assert_int_equal(log_time(l), later);
    log_close(l);
    l = log_opened(folder);
    assert_int_equal(log_time(l), later);
    log_close(l);
    EVP_PKEY_free(secret);
    json_decref(body);
    struct buf *const all[] = {&pem, &entries, &line, &text, &note};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        buf_free(all[i]);
    log_gone(folder);
}

static void the_largest_entry(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), *text = calloc(1, LIMIT_ENTRY + 1);
    struct log *l = log_opened(folder);
    for (unsigned i = 0; i < 6; i++) { /* more than one chunk of the reader */
        struct buf bytes = BUF(LIMIT_ENTRY);
        json_t *body = json_object();
        struct buf empty = BUF(LIMIT_ENTRY);
        assert_true(json_put_string(body, "t", ""));
        assert_int_equal(entry_compose(ENTRY_STEP, log_size(l), log_time(l), NULL, body, &empty, &f), OK);
        memset(text, 'a', LIMIT_ENTRY);
        text[LIMIT_ENTRY - empty.len] = '\0';
        assert_true(json_put_string(body, "t", text));
        assert_int_equal(log_begin(l, &f), OK);
        assert_int_equal(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), OK);
        log_end(l);
        assert_int_equal(log_entry_bytes(l, log_size(l) - 1, &bytes, &f), OK);
        assert_int_equal(bytes.len, LIMIT_ENTRY);
        buf_free(&bytes);
        buf_free(&empty);
        json_decref(body);
    }
    log_close(l);
    l = log_opened(folder);
    assert_int_equal(log_size(l), 7);
    log_close(l);
    free(text);
    log_gone(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_from_the_start),
        cmocka_unit_test(never_twice),
        cmocka_unit_test(bad_origins),
        cmocka_unit_test(every_flip_is_refused),
        cmocka_unit_test(truncation_is_refused),
        cmocka_unit_test(lines_out_of_order_are_refused),
        cmocka_unit_test(it_never_goes_back),
        cmocka_unit_test(keys_must_fit),
        cmocka_unit_test(entries_must_be_a_file),
        cmocka_unit_test(only_between_begin_and_end),
        cmocka_unit_test(bad_bodies_leave_no_trace),
        cmocka_unit_test(the_largest_entry),
        cmocka_unit_test(time_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
