#include <signal.h>
#include <sys/wait.h>

#include "audit/confidential.h"
#include "audit_log_fixture.h"
#include "death.h"

#define SALT "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BODY "{\"name\":\"bag\",\"person\":\"a\",\"step\":\"1.1\",\"value\":\"TEB 1\"}"
#define DOCUMENT "{\"body\":" BODY ",\"salt\":\"" SALT "\"}"
#define COMMIT "e34125d61508f76327dd3c3f8774bf453c94d079bd1d78dfee2358bbba141028"
#define ENTRY(type)                                                                                                    \
    "{\"class\":\"personal\",\"commit\":\"" COMMIT "\",\"seq\":3,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"" type   \
    "\"}"

/* SHA-256 of the salt's bytes and the body's, by another program. */
static void a_known_commitment(void **state)
{
    (void)state;
    struct fault f;
    struct entry e;
    assert_int_equal(entry_parse(span_str(ENTRY("answer")), &e, &f), OK);
    assert_string_equal(e.class, "personal");
    assert_null(e.body);
    assert_string_equal(digest_hex(&e.commit).hex, COMMIT);
    assert_string_equal(commit_show(&e.commit).text, "commit:" COMMIT);
    struct digest before = e.leaf;
    assert_int_equal(confidential_open(&e, span_str(DOCUMENT), &f), OK);
    assert_string_equal(json_string_or_null(e.body, "value"), "TEB 1");
    assert_true(digest_equal(&before, &e.leaf));
    entry_clear(&e);

    struct buf again = BUF(LIMIT_ENTRY);
    struct digest commit = {{0}};
    moment t = 0;
    assert_int_equal(digest_parse(COMMIT, &commit, &f), OK);
    assert_int_equal(moment_parse("2026-11-22T13:03:00Z", &t, &f), OK);
    assert_int_equal(entry_make_committed(ENTRY_ANSWER, 3, t, NULL, "personal", &commit, &e, &again, &f), OK);
    assert_string_equal(buf_str(&again), ENTRY("answer"));
    assert_true(digest_equal(&before, &e.leaf) && !e.body && !strcmp(e.class, "personal"));
    entry_clear(&e);
    buf_free(&again);
}

/* Only what neither the fold nor a verdict rests on. */
static void types_that_may(void **state)
{
    (void)state;
    for (int t = 0; t < ENTRY_TYPE_COUNT; t++) {
        struct fault f;
        struct entry e;
        const char *name = entry_type_name((enum entry_type)t);
        bool may = !strcmp(name, "answer") || !strcmp(name, "artifact") || !strcmp(name, "deviation") ||
                   !strcmp(name, "exhibit");
        struct buf b = BUF(LIMIT_ENTRY);
        buf_putf(&b, "%.*s%s\"}", (int)strlen(ENTRY("")) - 2, ENTRY(""), name);
        enum outcome rc = entry_parse(buf_span(&b), &e, &f);
        assert_int_equal(rc, may ? OK : E_INVALID);
        if (!rc)
            entry_clear(&e);
        else if (!strstr(f.text, name) || !strstr(f.text, "never confidential"))
            fail_msg("%s", f.text);
        buf_clear(&b);
        struct digest d = digest_named("x");
        rc = entry_make_committed((enum entry_type)t, 0, 0, NULL, "c", &d, &e, &b, &f);
        assert_int_equal(rc, may ? OK : E_INVALID);
        if (!rc)
            entry_clear(&e);
        buf_free(&b);
    }
}

static void bad_entries(void **state)
{
    (void)state;
#define END "\"seq\":3,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"answer\"}"
    static const char *const bad[] = {
        "{\"body\":" BODY ",\"class\":\"c\",\"commit\":\"" COMMIT "\"," END,
        "{\"body\":" BODY ",\"commit\":\"" COMMIT "\"," END,
        "{\"class\":\"c\"," END,
        "{\"commit\":\"" COMMIT "\"," END,
        "{\"class\":\"c\",\"commit\":\"00\"," END,
        "{\"class\":\"\",\"commit\":\"" COMMIT "\"," END,
        "{\"class\":\"A class\",\"commit\":\"" COMMIT "\"," END,
        "{\"class\":7,\"commit\":\"" COMMIT "\"," END,
        "{\"class\":\"c\",\"commit\":\"" COMMIT "\",\"salt\":\"" SALT "\"," END,
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f;
        struct entry e;
        if (entry_parse(span_str(bad[i]), &e, &f) != E_INVALID)
            fail_msg("%s", bad[i]);
    }
}

static void bad_documents(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "{\"body\":" BODY "}",
        "{\"salt\":\"" SALT "\"}",
        "{\"body\":" BODY ",\"salt\":\"" SALT "\"}\n",
        "{\"salt\":\"" SALT "\",\"body\":" BODY "}",
        "{\"body\":" BODY ",\"more\":\"\",\"salt\":\"" SALT "\"}",
        "{\"body\":" BODY ",\"salt\":\"00\"}",
        "{\"body\":[],\"salt\":\"" SALT "\"}",
        "{\"body\":{\"name\":\"bag\",\"person\":\"a\",\"step\":\"1.1\",\"value\":\"TEB 2\"},\"salt\":\"" SALT "\"}",
        "{\"body\":" BODY ",\"salt\":\"100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f;
        struct entry e;
        assert_int_equal(entry_parse(span_str(ENTRY("answer")), &e, &f), OK);
        if (confidential_open(&e, span_str(bad[i]), &f) != E_REFUSED || e.body)
            fail_msg("%s", bad[i]);
        entry_clear(&e);
    }
}

static enum outcome secret_said(struct log *l, enum entry_type type, struct fault *f)
{
    json_t *body = json_quoted("{'value':'mallory'}");
    enum outcome rc = log_begin(l, f);
    if (!rc)
        rc = log_append_confidential(l, type, "personal", NULL, body, NULL, f);
    log_end(l);
    json_decref(body);
    return rc;
}

static void secret(struct log *l)
{
    struct fault f;
    if (secret_said(l, ENTRY_ANSWER, &f))
        fail_msg("%s", f.text);
}

static enum outcome see(void *context, const struct entry *e, struct fault *f)
{
    (void)f;
    const char *value = json_string_or_null(e->body, "value");
    *(unsigned *)context += value && !strcmp(value, "mallory") && e->class;
    return OK;
}

static enum outcome opened_seen(const char *folder, unsigned *ret, struct fault *f)
{
    struct log *l = NULL;
    *ret = 0;
    enum outcome rc = log_open(folder, see, ret, &l, f);
    log_close(l);
    return rc;
}

/* Readers see the body; the log's own files and what is published do not have it. */
static void beside_the_log(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    unsigned seen = 0;
    struct log *l = NULL;
    struct entry e;
    assert_int_equal(log_open(folder, see, &seen, &l, &f), OK);
    say(l, "before");
    secret(l);
    secret(l);
    assert_int_equal(seen, 2);
    assert_int_equal(log_entry(l, 2, &e, &f), OK);
    assert_string_equal(json_string_or_null(e.body, "value"), "mallory");
    struct buf document = BUF(LIMIT_CONFIDENTIAL);
    assert_int_equal(log_confidential(l, &e.commit, &document, &f), OK);
    assert_non_null(strstr(buf_str(&document), "mallory"));
    buf_free(&document);
    entry_clear(&e);
    assert_int_equal(log_publish(l, true, &f), OK);
    log_close(l);
    assert_int_equal(opened_seen(folder, &seen, &f), OK);
    assert_int_equal(seen, 2);
    in_folder(folder, "! grep -rq mallory entries checkpoint public && test $(grep -rl mallory . | wc -l) = 2");
    in_folder(folder, "test $(sha256sum confidential/* | cut -d' ' -f1 | uniq | wc -l) = 2"); /* salts differ */
    log_gone(folder);
}

static void refused_types(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    assert_int_equal(secret_said(l, ENTRY_STEP, &f), E_INVALID);
    say(l, "goes on");
    assert_int_equal(log_size(l), 2);
    log_close(l);
    in_folder(folder, "test ! -e confidential");
    log_gone(folder);
}

static void damage(void **state)
{
    (void)state;
    static const char *const how[] = {
        "rm confidential/*", "for f in confidential/*; do echo >> $f; done", "for f in confidential/*; do : > $f; done",
        "sed -i s/mallory/MALLORY/ confidential/*", "f=$(echo confidential/*) && rm $f && ln -s ../entries $f"};
    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        struct fault f;
        char *folder = log_made();
        unsigned seen = 0;
        struct log *l = log_opened(folder);
        secret(l);
        log_close(l);
        in_folder(folder, how[i]);
        if (opened_seen(folder, &seen, &f) != E_REFUSED ||
            !strstr(f.text, "the body of entry 1 (answer, class personal)"))
            fail_msg("%s: %s", how[i], f.text);
        log_gone(folder);
    }
}

/* kill -9 at every step: what a checkpoint covers has its body, and the log goes on. */
static void killed_at_every_step(void **state)
{
    (void)state;
    unsigned step = 1;
    for (bool died = true; died; step++) {
        char *folder = log_made();
        int status = 0;
        unsigned seen = 0;
        struct fault f;
        pid_t pid = fork();
        if (pid == 0) {
            struct log *l = log_opened(folder);
            die_at_step(step);
            _exit(secret_said(l, ENTRY_ANSWER, &f) == OK ? 0 : 1);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        died = WIFSIGNALED(status);
        assert_true(died || WEXITSTATUS(status) == 0);
        struct log *l = log_opened(folder);
        uint64_t size = log_size(l);
        secret(l);
        log_close(l);
        assert_int_equal(opened_seen(folder, &seen, &f), OK);
        assert_int_equal(seen, size); /* the genesis is not one; the one just written is */
        log_gone(folder);
    }
    assert_true(step > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_commitment),
        cmocka_unit_test(types_that_may),
        cmocka_unit_test(bad_entries),
        cmocka_unit_test(bad_documents),
        cmocka_unit_test(beside_the_log),
        cmocka_unit_test(refused_types),
        cmocka_unit_test(damage),
        cmocka_unit_test(killed_at_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
