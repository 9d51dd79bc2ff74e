#include "audit/note.h"
#include "audit_fixture.h"
#include "core/limits.h"

/* C2SP signed-note's example. */
#define VKEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define TEXT "This is an example message.\n"
#define LINE                                                                                                           \
    "\u2014 example.com/foo "                                                                                          \
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
/* Somebody else's line: any key id and bytes. */
#define STRANGER "\u2014 other.example AAAAAAAA\n"

static struct note_key example_key(void)
{
    struct fault f;
    struct note_key key;
    assert_int_equal(note_key_parse(VKEY, &key, &f), OK);
    return key;
}

static void example_opens(void **state)
{
    (void)state;
    struct fault f;
    struct span text;
    struct note_key key = example_key();
    assert_int_equal(note_open(span_str(TEXT "\n" LINE), &key, &text, &f), OK);
    assert_true(span_equal(text, span_str(TEXT)));
    assert_int_equal(note_open(span_str(TEXT "\n" STRANGER LINE STRANGER), &key, &text, &f), OK);
    struct buf b = BUF(256);
    note_key_put(&key, &b);
    assert_string_equal(buf_str(&b), VKEY);
    buf_free(&b);
}

static void bad_notes(void **state)
{
    (void)state;
    static const struct {
        const char *note;
        enum outcome outcome;
    } bad[] = {
        {"", E_INVALID},
        {"\n", E_INVALID},
        {"\n\n", E_INVALID},
        {TEXT, E_INVALID},
        {TEXT "\n", E_INVALID},
        {TEXT LINE, E_INVALID},
        {"\n" LINE, E_INVALID},
        {TEXT "\n" STRANGER, E_REFUSED},
        {"This is an exampel message.\n\n" LINE, E_REFUSED},
        {TEXT "\n" LINE LINE, E_REFUSED},
        {TEXT "\n" LINE STRANGER LINE, E_REFUSED},
        {TEXT "\n" LINE "stray\n", E_INVALID},
        {TEXT "\n" LINE "\n", E_INVALID},
        {TEXT "\n" LINE "\u2014 a b\n", E_INVALID},
        {TEXT "\n" LINE "\u2014 other.example AAAA\n", E_INVALID},
        {TEXT "\n" LINE "\u2014 other+example AAAAAAAA\n", E_INVALID},
        {TEXT "\n" LINE "\u2014  AAAAAAAA\n", E_INVALID},
        {TEXT "\n" LINE "- other.example AAAAAAAA\n", E_INVALID},
        {"tab\there\n\n" LINE, E_INVALID},
        {"\xff\n\n" LINE, E_INVALID},
        {TEXT "\n\u2014 example.com/foo Uw2QOkn8\n", E_REFUSED},
    };
    struct note_key key = example_key();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f;
        struct span text;
        enum outcome rc = note_open(span_str(bad[i].note), &key, &text, &f);
        if (rc != bad[i].outcome)
            fail_msg("%zu: %d %s", i, rc, rc ? f.text : "");
    }
    struct fault f;
    struct span text, whole = span_str(TEXT "\n" LINE);
    assert_int_equal(note_open(span_of(whole.data, whole.len - 1), &key, &text, &f), E_INVALID);
}

/* Base64 has slack bits, so a flipped byte may mean the same bytes: none may pass. */
static void every_flip_is_refused(void **state)
{
    (void)state;
    struct note_key key = example_key();
    struct span whole = span_str(TEXT "\n" LINE);
    uint8_t copy[512];
    for (size_t at = 0; at < whole.len; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            struct fault f;
            struct span text;
            memcpy(copy, whole.data, whole.len);
            copy[at] ^= (uint8_t)(1u << bit);
            if (note_open(span_of(copy, whole.len), &key, &text, &f) == OK)
                fail_msg("byte %zu, bit %u", at, bit);
        }
}

static void keys_are_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n",
        "example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f;
        struct note_key key;
        assert_int_equal(note_key_parse(bad[i], &key, &f), E_INVALID);
    }
    static const char *const names[] = {"", "two words", "a+b", "tab\t", "no\u00a0break", "em\u2003space", "\xff"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct fault f;
        struct note_key key;
        assert_int_equal(note_key_make(names[i], (const uint8_t[32]){1}, &key, &f), E_INVALID);
    }
    char name[257];
    struct fault f;
    struct note_key key;
    memset(name, 'a', 256);
    name[256] = '\0';
    assert_int_equal(note_key_make(name, (const uint8_t[32]){1}, &key, &f), E_INVALID);
    name[255] = '\0';
    assert_int_equal(note_key_make(name, (const uint8_t[32]){1}, &key, &f), OK);
}

static void sign_and_open(void **state)
{
    (void)state;
    struct fault f;
    struct buf pem = BUF(4096), note = BUF(LIMIT_NOTE);
    EVP_PKEY *secret = NULL, *again = NULL;
    uint8_t public[32], public_again[32];
    struct note_key key, other;
    struct span text;
    assert_int_equal(log_key_generate(&secret, &pem, public, &f), OK);
    assert_int_equal(log_key_load(buf_span(&pem), &again, public_again, &f), OK);
    assert_memory_equal(public, public_again, 32);
    assert_int_equal(note_key_make("quorate.example/log", public, &key, &f), OK);
    assert_int_equal(note_sign(span_str("one\n\ntwo\n"), &key, again, &note, &f), OK);
    assert_int_equal(note_open(buf_span(&note), &key, &text, &f), OK);
    assert_true(span_equal(text, span_str("one\n\ntwo\n")));

    public[0] ^= 1;
    assert_int_equal(note_key_make("quorate.example/log", public, &other, &f), OK);
    assert_int_equal(note_open(buf_span(&note), &other, &text, &f), E_REFUSED);
    memcpy(other.id, key.id, sizeof other.id); /* a colliding id does not help */
    assert_int_equal(note_open(buf_span(&note), &other, &text, &f), E_REFUSED);

    assert_int_equal(note_sign(span_str("no newline"), &key, secret, &note, &f), E_INVALID);
    assert_int_equal(note_sign(span_str(""), &key, secret, &note, &f), E_INVALID);
    assert_int_equal(note_sign(span_str("bell\a\n"), &key, secret, &note, &f), E_INVALID);
    assert_int_equal(log_key_load(span_of(pem.data, pem.len / 2), &again, public_again, &f), E_INVALID);
    assert_int_equal(log_key_load(span_str(""), &again, public_again, &f), E_INVALID);
    EVP_PKEY_free(secret);
    EVP_PKEY_free(again);
    buf_free(&pem);
    buf_free(&note);
}

#define ROOT "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

static void checkpoints(void **state)
{
    (void)state;
    struct fault f;
    struct checkpoint c;
    struct buf b = BUF(512);
    assert_int_equal(checkpoint_parse(span_str("log.example\n18446744073709551615\n" ROOT "\n"), &c, &f), OK);
    assert_string_equal(c.origin, "log.example");
    assert_true(c.size == UINT64_MAX);
    checkpoint_put(&c, &b);
    assert_string_equal(buf_str(&b), "log.example\n18446744073709551615\n" ROOT "\n");
    buf_free(&b);
    static const char *const bad[] = {
        "",
        "log.example\n0\n" ROOT,
        "log.example\n0\n" ROOT "\n\n",
        "log.example\n0\n" ROOT "\nextension\n",
        "\n0\n" ROOT "\n",
        "log.example\n\n" ROOT "\n",
        "log.example\n00\n" ROOT "\n",
        "log.example\n+1\n" ROOT "\n",
        "log.example\n-1\n" ROOT "\n",
        "log.example\n1 \n" ROOT "\n",
        "log.example\n18446744073709551616\n" ROOT "\n",
        "log.example\n99999999999999999999999\n" ROOT "\n",
        "log.example\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n",
        "log.example\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuA==\n",
        "log.example\n1\n" ROOT "AAAA\n",
        "log.example\r\n1\n" ROOT "\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (checkpoint_parse(span_str(bad[i]), &c, &f) != E_INVALID)
            fail_msg("%zu", i);
}

static void checkpoint_of_another_log(void **state)
{
    (void)state;
    struct fault f;
    struct buf pem = BUF(4096), note = BUF(LIMIT_NOTE);
    EVP_PKEY *secret = NULL;
    uint8_t public[32];
    struct note_key key;
    struct checkpoint c;
    assert_int_equal(log_key_generate(&secret, &pem, public, &f), OK);
    assert_int_equal(note_key_make("log.example", public, &key, &f), OK);
    assert_int_equal(note_sign(span_str("other.example\n1\n" ROOT "\n"), &key, secret, &note, &f), OK);
    assert_int_equal(checkpoint_open(buf_span(&note), &key, &c, &f), E_REFUSED);
    buf_clear(&note);
    assert_int_equal(note_sign(span_str("log.example\n1\n" ROOT "\n"), &key, secret, &note, &f), OK);
    assert_int_equal(checkpoint_open(buf_span(&note), &key, &c, &f), OK);
    assert_int_equal(c.size, 1);
    EVP_PKEY_free(secret);
    buf_free(&pem);
    buf_free(&note);
}

/* Sigsum's figures (key, checkpoint, signature), put into our form. */
static void sigsum_signature(void **state)
{
    (void)state;
    static const char origin[] = "sigsum.org/v1/tree/7c5fafc796c201e0fcd7567c5033a2777ec28363f54ea0ba97b57bece0d96acd";
    static const char signature[] = "ccbdd8c784726b732b8edd2039fbad5506e4acccd56e3e5d86c0ee109b3d2662"
                                    "e6881fe3d09fc48f9ddd31494463c5ec44926ff9158785ad1dd9b5d6434b0804";
    struct fault f;
    struct buf ssh = BUF(64), note = BUF(LIMIT_NOTE), raw = BUF(68);
    struct digest root;
    struct note_key key;
    struct checkpoint c = {.size = 4};
    assert_int_equal(
        base64_parse(span_str("AAAAC3NzaC1lZDI1NTE5AAAAIKwmwKhVrEUaZTlHjhoWA4jwJLOF8TY+/NpHAXAHbAHl"), &ssh, &f), OK);
    assert_int_equal(note_key_make(origin, ssh.data + ssh.len - 32, &key, &f), OK);
    assert_int_equal(digest_parse("3ddc56fd46e71e517b6936b977a457da7d398108141fcdf5c8386cdd724ab7a8", &root, &f), OK);
    memcpy(c.origin, origin, sizeof origin);
    c.root = root;
    checkpoint_put(&c, &note);
    buf_put(&raw, key.id, sizeof key.id);
    assert_int_equal(hex_parse_buf(signature, &raw, &f), OK);
    assert_int_equal(raw.len, 68);
    buf_putf(&note, "\n\u2014 %s ", origin);
    base64_put(&note, buf_span(&raw));
    buf_puts(&note, "\n");
    assert_int_equal(checkpoint_open(buf_span(&note), &key, &c, &f), OK);
    assert_int_equal(c.size, 4);
    buf_free(&ssh);
    buf_free(&note);
    buf_free(&raw);
}

static void example_file(void **state)
{
    (void)state;
    char text[1024], vkey[256];
    if (!vectors_there(VECTORS "/signed-note.txt"))
        return;
    FILE *a = fopen(VECTORS "/signed-note.txt", "rb"), *b = fopen(VECTORS "/signed-note.vkey", "rb");
    assert_non_null(a);
    assert_non_null(b);
    size_t len = fread(text, 1, sizeof text, a);
    vkey[fread(vkey, 1, sizeof vkey - 1, b)] = '\0';
    vkey[strcspn(vkey, "\n")] = '\0';
    fclose(a);
    fclose(b);
    struct fault f;
    struct note_key key;
    struct span opened;
    assert_int_equal(note_key_parse(vkey, &key, &f), OK);
    assert_int_equal(note_open(span_of(text, len), &key, &opened, &f), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_opens),
        cmocka_unit_test(bad_notes),
        cmocka_unit_test(keys_are_strict),
        cmocka_unit_test(every_flip_is_refused),
        cmocka_unit_test(sign_and_open),
        cmocka_unit_test(checkpoints),
        cmocka_unit_test(checkpoint_of_another_log),
        cmocka_unit_test(sigsum_signature),
        cmocka_unit_test(example_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
