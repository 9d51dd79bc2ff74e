/* Where the policy's cosigners meet what the log says they signed: each counts once, for that checkpoint only. */
#include "estate/cosigned.h"

#include "audit_fixture.h"

enum { COSIGNERS = 2 };

struct scene {
    struct cosigners cosigners; /* a and b, both are wanted */
    struct note_key keys[COSIGNERS];
    EVP_PKEY *secrets[COSIGNERS];
    struct state state;
};

static struct checkpoint checkpoint_of(uint64_t size)
{
    char name[32];
    struct checkpoint c = {.size = size};

    snprintf(name, sizeof name, "root of %d", (int)size);
    snprintf(c.origin, sizeof c.origin, "quorate.example/test");
    c.root = digest_named(name);
    return c;
}

static char *signed_line(const struct scene *s, size_t who, const struct checkpoint *c, moment at)
{
    struct buf text = BUF(1024), line = BUF(1024);
    struct fault f;

    checkpoint_put(c, &text);
    assert_int_equal(cosignature_put(buf_span(&text), &s->keys[who], s->secrets[who], at, &line, &f), OK);
    buf_free(&text);
    return buf_take(&line);
}

static struct scene scene_made(void)
{
    struct scene s = {.state = {.started = true}};
    struct fault f = {OK, ""};

    s.state.origin = strdup("quorate.example/test");
    for (size_t i = 0; i < COSIGNERS; i++) {
        struct buf pem = BUF(4096), vkey = BUF(1024), line = BUF(1024);
        uint8_t public[32];
        char name[] = "a.example";

        name[0] = (char)('a' + i);
        assert_int_equal(log_key_generate(&s.secrets[i], &pem, public, &f), OK);
        assert_int_equal(note_key_make_as(COSIGNATURE_ALGORITHM, name, public, &s.keys[i], &f), OK);
        note_key_put(&s.keys[i], &vkey);
        buf_putf(&line, "witness %c %s", (int)('a' + i), buf_str(&vkey));
        if (cosigners_line(&s.cosigners, buf_str(&line), &f) != OK)
            fail_msg("%s", f.text);
        buf_free(&pem);
        buf_free(&vkey);
        buf_free(&line);
    }
    assert_int_equal(cosigners_line(&s.cosigners, "group g all a b", &f), OK);
    assert_int_equal(cosigners_line(&s.cosigners, "quorum g", &f), OK);
    return s;
}

static void scene_gone(struct scene *s)
{
    for (size_t i = 0; i < COSIGNERS; i++)
        EVP_PKEY_free(s->secrets[i]);
    cosigners_clear(&s->cosigners);
    state_clear(&s->state);
}

/* One more `cosigned` entry, as the fold keeps it. Takes the lines. */
static void record(struct scene *s, uint64_t size, char *one, char *two)
{
    struct state_cosigned *grown = reallocarray(s->state.cosigned, s->state.cosigned_count + 1, sizeof *grown);
    struct checkpoint c = checkpoint_of(size);

    assert_non_null(grown);
    s->state.cosigned = grown;
    grown[s->state.cosigned_count] = (struct state_cosigned){.size = size, .seq = size, .root = c.root};
    assert_true(strings_add(&grown[s->state.cosigned_count].lines, one));
    assert_true(strings_add(&grown[s->state.cosigned_count++].lines, two));
    free(one);
    free(two);
}

static void test_both_signed(void **state)
{
    (void)state;
    struct scene s = scene_made();
    struct checkpoint c = checkpoint_of(7), d = checkpoint_of(9);

    assert_int_equal(cosigned_size(&s.state, &s.cosigners), 0);
    record(&s, 7, signed_line(&s, 0, &c, 1000), signed_line(&s, 1, &c, 1001));
    assert_int_equal(cosigned_size(&s.state, &s.cosigners), 7);
    record(&s, 9, signed_line(&s, 1, &d, 2000), signed_line(&s, 0, &d, 2001));
    assert_int_equal(cosigned_size(&s.state, &s.cosigners), 9);
    assert_int_equal(cosigned_size_by(&s.state, &s.cosigners, 1), 9);
    scene_gone(&s);
}

/* Two signatures of one cosigner are one cosigner. */
static void test_one_listed_twice(void **state)
{
    (void)state;
    struct scene s = scene_made();
    struct checkpoint c = checkpoint_of(7);

    record(&s, 7, signed_line(&s, 0, &c, 1000), signed_line(&s, 0, &c, 1001));
    assert_int_equal(cosigned_size(&s.state, &s.cosigners), 0);
    assert_int_equal(cosigned_size_by(&s.state, &s.cosigners, 0), 7);
    assert_int_equal(cosigned_size_by(&s.state, &s.cosigners, 1), 0);
    scene_gone(&s);
}

/* What was signed earlier does not stand for what came later. */
static void test_stale(void **state)
{
    (void)state;
    struct scene s = scene_made();
    struct checkpoint old = checkpoint_of(5), c = checkpoint_of(7);

    record(&s, 7, signed_line(&s, 0, &c, 1000), signed_line(&s, 1, &old, 1001));
    assert_int_equal(cosigned_size(&s.state, &s.cosigners), 0);
    scene_gone(&s);
}

/* Names alone are nothing: another's signature under a cosigner's name. */
static void test_under_another_name(void **state)
{
    (void)state;
    struct scene s = scene_made();
    struct checkpoint c = checkpoint_of(7);
    struct note_key kept = s.keys[0];

    s.keys[0] = s.keys[1];
    char *wrong = signed_line(&s, 0, &c, 1000);
    s.keys[0] = kept;
    record(&s, 7, signed_line(&s, 0, &c, 1000), wrong);
    assert_int_equal(cosigned_size(&s.state, &s.cosigners), 0);
    scene_gone(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_signed),
        cmocka_unit_test(test_one_listed_twice),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_under_another_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
