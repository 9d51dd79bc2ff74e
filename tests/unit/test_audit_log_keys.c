#include <sys/wait.h>

#include "audit_log_fixture.h"
#include "core/encode.h"

/* A log goes on with another key, and every way in which that is not so. */

/* The entry that changes the key. */
static enum outcome changed(struct log *l, struct note_key *ret)
{
    struct fault f;
    struct buf vkey = BUF(512);
    json_t *body = json_object();
    enum outcome rc = log_begin(l, &f);
    if (!rc)
        rc = log_next_key(l, ret, &f);
    if (!rc) {
        note_key_put(ret, &vkey);
        assert_true(json_put_string(body, "log-key", buf_str(&vkey)));
        rc = log_append(l, ENTRY_LOG_KEY, NULL, body, NULL, &f);
    }
    log_end(l);
    json_decref(body);
    buf_free(&vkey);
    return rc;
}

static void sizes_are(const char *folder, uint64_t size)
{
    struct log *l = log_opened(folder);
    assert_int_equal(log_size(l), size);
    log_close(l);
}

static void the_log_goes_on_with_another_key(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), *next;
    struct log *l = log_opened(folder), *other = log_opened(folder);
    const struct note_key first = *log_verifier(l);
    struct note_key second, again, third;
    struct checkpoint c;
    struct buf old_vkey = file_bytes(folder, "vkey");
    say(l, "by the first key");
    assert_int_equal(changed(l, &second), OK);
    assert_memory_not_equal(first.public_key, second.public_key, 32);
    struct buf between = file_bytes(folder, "checkpoint"); /* the last one that the first key signs */
    assert_int_equal(checkpoint_open(buf_span(&between), &first, &c, &f), OK);
    assert_int_equal(c.size, 3);
    sizes_are(folder, 3);
    say(l, "by the second");
    struct buf note = file_bytes(folder, "checkpoint"), entries = file_bytes(folder, "entries");
    assert_int_equal(checkpoint_open(buf_span(&note), &second, &c, &f), OK);
    assert_int_not_equal(checkpoint_open(buf_span(&note), &first, &c, &f), OK);
    next = path_join(folder, "key.new");
    assert_false(file_exists(next));

    /* Who has it open follows; so does who opens it, whichever of its keys `vkey` names. */
    assert_int_equal(log_refresh(other, &f), OK);
    assert_memory_equal(log_verifier(other), &second, sizeof second);
    say(other, "by the second again");
    assert_int_equal(log_checkpoint_open(other, buf_span(&between), &c, &f), OK);
    assert_int_equal(log_checkpoint_open(other, buf_span(&note), &c, &f), OK);
    log_close(other);
    log_close(l);
    file_put(folder, "vkey", buf_span(&old_vkey));
    sizes_are(folder, 5);

    /* A transcript is verified from the first key on, and only from it. */
    assert_int_equal(log_verify_bytes(buf_span(&entries), buf_span(&note), &first, NULL, NULL, &f), OK);
    assert_int_not_equal(log_verify_bytes(buf_span(&entries), buf_span(&note), &second, NULL, NULL, &f), OK);

    l = log_opened(folder);
    assert_int_equal(changed(l, &third), OK);
    assert_int_equal(log_begin(l, &f), OK);
    log_end(l);
    say(l, "by the third");
    log_close(l);
    l = log_opened(folder);
    again = *log_verifier(l);
    assert_memory_equal(&again, &third, sizeof third);
    log_close(l);
    buf_free(&old_vkey);
    buf_free(&between);
    buf_free(&note);
    buf_free(&entries);
    free(next);
    log_gone(folder);
}

static struct buf signed_by(const struct log *l, const struct note_key *key, EVP_PKEY *secret)
{
    struct fault f;
    struct buf text = BUF(1024), note = BUF(1024);
    struct checkpoint c = {.size = log_size(l)};
    strcpy(c.origin, ORIGIN);
    log_root(l, &c.root);
    checkpoint_put(&c, &text);
    assert_int_equal(note_sign(buf_span(&text), key, secret, &note, &f), OK);
    buf_free(&text);
    return note;
}

static EVP_PKEY *secret_of(const char *folder, const char *name)
{
    struct fault f;
    uint8_t public[32];
    EVP_PKEY *secret = NULL;
    struct buf pem = file_bytes(folder, name);
    assert_int_equal(log_key_load(buf_span(&pem), &secret, public, &f), OK);
    buf_free(&pem);
    return secret;
}

/* No entry, no other key: neither at once, nor the old one for longer than its time, nor the new one before. */
static void no_key_without_its_entry(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), *stranger = log_made();
    struct log *l = log_opened(folder), *s = log_opened(stranger);
    const struct note_key first = *log_verifier(l), strange = *log_verifier(s);
    EVP_PKEY *first_secret = secret_of(folder, "key"), *strange_secret = secret_of(stranger, "key"), *second_secret;
    struct note_key second;
    struct buf note, vkey = file_bytes(stranger, "vkey");
    log_close(s);
    say(l, "something");

    note = signed_by(l, &strange, strange_secret);
    file_put(folder, "checkpoint", buf_span(&note));
    log_refused(folder, E_REFUSED, "signature");
    file_put(folder, "vkey", buf_span(&vkey));
    log_refused(folder, E_REFUSED, "another key");
    buf_free(&note);
    buf_free(&vkey);
    note = signed_by(l, &first, first_secret);
    vkey = BUF(512);
    note_key_put(&first, &vkey);
    buf_puts(&vkey, "\n");
    file_put(folder, "vkey", buf_span(&vkey));
    file_put(folder, "checkpoint", buf_span(&note));
    buf_free(&note);
    buf_free(&vkey);
    log_close(l);

    l = log_opened(folder);
    assert_int_equal(changed(l, &second), OK);
    second_secret = secret_of(folder, "key.new");
    note = signed_by(l, &second, second_secret); /* of the size that is still the first key's */
    file_put(folder, "checkpoint", buf_span(&note));
    log_refused(folder, E_REFUSED, "signature");
    buf_free(&note);
    note = signed_by(l, &first, first_secret);
    file_put(folder, "checkpoint", buf_span(&note));
    buf_free(&note);
    assert_int_equal(log_refresh(l, &f), OK);
    say(l, "by the second");
    note = signed_by(l, &first, first_secret); /* whose time is over */
    file_put(folder, "checkpoint", buf_span(&note));
    log_refused(folder, E_REFUSED, "signature");
    assert_int_not_equal(log_refresh(l, &f), OK);
    log_close(l);
    buf_free(&note);
    EVP_PKEY_free(first_secret);
    EVP_PKEY_free(second_secret);
    EVP_PKEY_free(strange_secret);
    log_gone(folder);
    log_gone(stranger);
}

static const char *last_step;

static void die_at(const char *step)
{
    if (!strcmp(step, last_step))
        _exit(7);
}

/* A process that dies at any step of a change leaves a log that opens and goes on. */
static void a_change_cut_short(void **state)
{
    (void)state;
    static const char *const steps[] = {"entry-written",    "entry-synced", "checkpoint-signed",
                                        "checkpoint-shown", "vkey-changed", "key-changed"};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        char *folder = log_made();
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            struct note_key key;
            struct log *l = log_opened(folder);
            last_step = steps[i];
            log_step_hook = die_at;
            if (changed(l, &key) == OK)
                say(l, "one more");
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(WEXITSTATUS(status), 7);
        struct note_key key;
        struct log *l = log_opened(folder);
        say(l, "afterwards");
        assert_int_equal(changed(l, &key), OK);
        say(l, "by another key");
        log_close(l);
        log_close(log_opened(folder));
        log_gone(folder);
    }
}

/* The entry that moves the log to a key made elsewhere; its secret is in ret_pem. */
static enum outcome moved(struct log *l, const char *origin, struct buf *ret_pem, struct fault *f)
{
    struct buf vkey = BUF(512);
    struct note_key key;
    EVP_PKEY *secret = NULL;
    uint8_t public[32];
    json_t *body = json_object();
    assert_int_equal(log_key_generate(&secret, ret_pem, public, f), OK);
    EVP_PKEY_free(secret);
    assert_int_equal(note_key_make(origin, public, &key, f), OK);
    note_key_put(&key, &vkey);
    assert_true(json_put_string(body, "log-key", buf_str(&vkey)));
    enum outcome rc = log_begin(l, f);
    if (!rc)
        rc = log_append(l, ENTRY_MOVED, NULL, body, NULL, f);
    log_end(l);
    json_decref(body);
    buf_free(&vkey);
    return rc;
}

static void the_log_goes_on_elsewhere(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), *key = path_join(folder, "key");
    struct log *l = log_opened(folder);
    struct buf pem = BUF(1024);
    say(l, "here");
    if (moved(l, "elsewhere.example", &pem, &f) != OK)
        fail_msg("%s", f.text);
    assert_int_equal(log_size(l), 3);
    /* Whoever has the old key alone writes nothing more, in this process or another. */
    for (int round = 0; round < 2; round++) {
        assert_int_equal(log_begin(l, &f), E_REFUSED);
        assert_non_null(strstr(f.text, "goes on elsewhere as elsewhere.example since entry 2"));
        log_end(l);
        log_close(l);
        l = log_opened(folder);
        assert_int_equal(log_size(l), 3);
    }
    log_close(l);
    assert_int_equal(remove(key), 0);
    file_put(folder, "key.new", buf_span(&pem));
    l = log_opened(folder);
    say(l, "there");
    assert_string_equal(log_origin(l), "elsewhere.example");
    assert_true(file_exists(key));
    log_close(l);
    sizes_are(folder, 4);
    buf_free(&pem);
    free(key);
    log_gone(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_log_goes_on_with_another_key),
        cmocka_unit_test(the_log_goes_on_elsewhere),
        cmocka_unit_test(no_key_without_its_entry),
        cmocka_unit_test(a_change_cut_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
