#include "audit_log_fixture.h"

static void names_of_types(void **state)
{
    (void)state;
    for (int t = 0; t < ENTRY_TYPE_COUNT; t++)
        assert_int_equal(entry_type_parse(entry_type_name((enum entry_type)t)), t);
    assert_int_equal(entry_type_parse("closed"), -1);
    assert_int_equal(entry_type_parse(""), -1);
}

static void known_entry(void **state)
{
    (void)state;
    static const char known[] =
        "{\"body\":{\"bytes\":7},\"ceremony\":\"c-1\",\"seq\":12,\"time\":\"2026-11-22T13:03:00Z\","
        "\"type\":\"intent\"}";
    struct fault f;
    struct buf b = BUF(LIMIT_ENTRY);
    struct entry e;
    moment t = 0;
    json_t *body = json_quoted("{'bytes':7}");
    assert_int_equal(moment_parse("2026-11-22T13:03:00Z", &t, &f), OK);
    assert_int_equal(entry_compose(ENTRY_INTENT, 12, t, "c-1", body, &b, &f), OK);
    assert_string_equal(buf_str(&b), known);
    assert_int_equal(entry_parse(buf_span(&b), &e, &f), OK);
    assert_int_equal(e.type, ENTRY_INTENT);
    assert_int_equal(e.seq, 12);
    assert_int_equal(e.time, t);
    assert_string_equal(e.ceremony, "c-1");
    struct digest d = digest_named(known), leaf;
    merkle_leaf(span_str(known), &leaf);
    assert_true(digest_equal(&e.digest, &d));
    assert_true(digest_equal(&e.leaf, &leaf));
    entry_clear(&e);
    buf_free(&b);
    json_decref(body);
}

/* Its bytes are those of the canonical form, whatever stands in its ceremony's name. */
static void composed_entries(void **state)
{
    (void)state;
    static const struct {
        const char *ceremony, *class;
        uint64_t seq;
        moment time;
    } rows[] = {
        {NULL, NULL, 0, 0},
        {"c-1", NULL, JSON_INTEGER_MAX, -1},
        {"the \"first\" \\ \xC3\xA9", NULL, 255, 253402300799},
        {NULL, "personal", 10, 1000},
        {"a\"b", "personal", 7, 1000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fault f = {.text = ""};
        struct buf b = BUF(LIMIT_ENTRY);
        struct entry made = {.json = NULL}, read = {.json = NULL};
        struct digest commit = digest_named("commit");
        json_t *body = json_quoted("{'value':'x','name':'\\u00e9'}");
        enum outcome rc =
            rows[i].class ? entry_make_committed(ENTRY_ANSWER, rows[i].seq, rows[i].time, rows[i].ceremony,
                                                 rows[i].class, &commit, &made, &b, &f)
                          : entry_make(ENTRY_ANSWER, rows[i].seq, rows[i].time, rows[i].ceremony, body, &made, &b, &f);
        if (rc || entry_parse(buf_span(&b), &read, &f))
            fail_msg("row %zu: %s: %s", i, buf_str(&b), f.text);
        assert_true(made.seq == read.seq && made.time == read.time && made.type == read.type);
        assert_true(digest_equal(&made.leaf, &read.leaf) && digest_equal(&made.commit, &read.commit));
        assert_true(json_equal(made.body, read.body) || rows[i].class);
        assert_string_equal(rows[i].ceremony ? read.ceremony : "", rows[i].ceremony ? rows[i].ceremony : "");
        assert_string_equal(rows[i].class ? read.class : "", rows[i].class ? rows[i].class : "");
        entry_clear(&made);
        entry_clear(&read);
        json_decref(body);
        buf_free(&b);
    }
}

/* What cannot be written as an entry leaves nothing behind what stood there. */
static void not_composed(void **state)
{
    (void)state;
    struct fault f = {.text = ""};
    struct buf b = BUF(LIMIT_ENTRY + 100);
    json_t *body = json_quoted("{'value':1}"), *real = json_object(), *long_ = json_object();
    char *text = calloc(1, LIMIT_ENTRY);
    assert_non_null(text);
    memset(text, 'x', LIMIT_ENTRY - 1);
    assert_true(json_put(real, "value", json_real(1.5)) && json_put_string(long_, "value", text));
    buf_puts(&b, "before");
    assert_int_equal(entry_compose(ENTRY_STEP, JSON_INTEGER_MAX + UINT64_C(1), 0, NULL, body, &b, &f), E_INVALID);
    assert_int_equal(entry_compose(ENTRY_STEP, 1, 0, NULL, real, &b, &f), E_INVALID);
    assert_int_equal(entry_compose(ENTRY_STEP, 1, 0, NULL, long_, &b, &f), E_INVALID);
    assert_int_equal(entry_compose(ENTRY_STEP, 1, 0, "two\nlines", body, &b, &f), E_INVALID);
    assert_int_equal(entry_compose(ENTRY_STEP, 1, 0, NULL, NULL, &b, &f), E_INVALID);
    assert_int_equal(entry_compose(ENTRY_TYPE_COUNT, 1, 0, NULL, body, &b, &f), E_INVALID);
    assert_string_equal(buf_str(&b), "before");
    json_decref(body);
    json_decref(real);
    json_decref(long_);
    free(text);
    buf_free(&b);
}

static void bad_entries(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"body\":{},\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\"}",
        "{\"body\":{},\"seq\":0,\"type\":\"step\"}",
        "{\"body\":{},\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":[],\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":{},\"seq\":-1,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":{},\"seq\":\"0\",\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":{},\"seq\":0,\"time\":\"2026-11-22\",\"type\":\"step\"}",
        "{\"body\":{},\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"stop\"}",
        "{\"body\":{},\"ceremony\":\"\",\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":{},\"more\":1,\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":{},\"seq\":0,\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":{}, \"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"seq\":0,\"body\":{},\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}",
        "{\"body\":{},\"seq\":0,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct fault f;
        struct entry e;
        if (entry_parse(span_str(bad[i]), &e, &f) != E_INVALID)
            fail_msg("%s", bad[i]);
    }
}

/* A log signed by its own key, whatever stands in it. */
struct forged {
    struct buf entries, note;
    struct note_key key;
    EVP_PKEY *secret;
    struct merkle_edge edge;
};

static void forge_start(struct forged *g)
{
    struct fault f;
    uint8_t public[32];
    struct buf pem = BUF(4096);
    *g = (struct forged){.entries = BUF(1 << 20), .note = BUF(LIMIT_NOTE)};
    assert_int_equal(log_key_generate(&g->secret, &pem, public, &f), OK);
    assert_int_equal(note_key_make(ORIGIN, public, &g->key, &f), OK);
    buf_free(&pem);
}

static void forge_line(struct forged *g, const char *line)
{
    struct digest leaf;
    merkle_leaf(span_str(line), &leaf);
    merkle_push(&g->edge, &leaf);
    buf_puts(&g->entries, line);
    buf_puts(&g->entries, "\n");
}

static void forge_entry(struct forged *g, enum entry_type type, uint64_t seq, moment t, const json_t *body)
{
    struct fault f;
    struct buf b = BUF(LIMIT_ENTRY);
    assert_int_equal(entry_compose(type, seq, t, NULL, body, &b, &f), OK);
    forge_line(g, buf_str(&b));
    buf_free(&b);
}

static void forge_genesis(struct forged *g)
{
    struct buf vkey = BUF(512);
    note_key_put(&g->key, &vkey);
    json_t *body = json_quoted("{'log-key':'%s','origin':'" ORIGIN "'}", buf_str(&vkey));
    forge_entry(g, ENTRY_GENESIS, 0, 1000, body);
    json_decref(body);
    buf_free(&vkey);
}

static void forge_end(struct forged *g, enum outcome wanted, const char *word)
{
    struct fault f = {.text = ""};
    struct buf text = BUF(1024);
    struct checkpoint c = {.origin = ORIGIN, .size = g->edge.size};
    merkle_root(&g->edge, &c.root);
    checkpoint_put(&c, &text);
    assert_int_equal(note_sign(buf_span(&text), &g->key, g->secret, &g->note, &f), OK);
    enum outcome rc = log_verify_bytes(buf_span(&g->entries), buf_span(&g->note), &g->key, NULL, NULL, &f);
    if (rc != wanted || !strstr(f.text, word))
        fail_msg("%d, not %d (%s): %s", rc, wanted, word, f.text);
    buf_free(&text);
    buf_free(&g->entries);
    buf_free(&g->note);
    EVP_PKEY_free(g->secret);
}

/* A signature does not make a wrong log right. */
static void signed_but_wrong(void **state)
{
    (void)state;
    struct forged g;
    json_t *body = json_object();
    forge_start(&g);
    forge_genesis(&g);
    forge_entry(&g, ENTRY_STEP, 1, 1000, body);
    forge_entry(&g, ENTRY_STEP, 2, 2000, body);
    forge_end(&g, OK, "");

    forge_start(&g);
    forge_end(&g, E_REFUSED, "empty");

    forge_start(&g);
    forge_entry(&g, ENTRY_STEP, 0, 1000, body);
    forge_end(&g, E_REFUSED, "genesis");

    forge_start(&g);
    forge_genesis(&g);
    forge_entry(&g, ENTRY_STEP, 2, 1000, body);
    forge_end(&g, E_REFUSED, "numbered");

    forge_start(&g);
    forge_genesis(&g);
    forge_entry(&g, ENTRY_STEP, 1, 999, body);
    forge_end(&g, E_REFUSED, "time");

    forge_start(&g);
    forge_genesis(&g);
    forge_line(&g, "{\"body\":{}, \"seq\":1,\"time\":\"2026-11-22T13:03:00Z\",\"type\":\"step\"}");
    forge_end(&g, E_INVALID, "entry 1");

    forge_start(&g);
    forge_genesis(&g);
    forge_line(&g, "");
    forge_end(&g, E_INVALID, "entry 1");
    json_decref(body);
}

/* The genesis pins the key: a log that names another one was not begun by whoever signs. */
static void genesis_names_its_key(void **state)
{
    (void)state;
    struct forged g, other;
    forge_start(&g);
    forge_start(&other);
    struct note_key own = g.key;
    g.key = other.key;
    forge_genesis(&g);
    g.key = own;
    forge_end(&g, E_REFUSED, "another key");
    forge_genesis(&other);
    forge_end(&other, OK, "");

    forge_start(&g);
    struct buf vkey = BUF(512);
    note_key_put(&g.key, &vkey);
    json_t *body = json_quoted("{'log-key':'%s','origin':'elsewhere'}", buf_str(&vkey));
    forge_entry(&g, ENTRY_GENESIS, 0, 1000, body);
    forge_end(&g, E_REFUSED, "another key");
    json_decref(body);
    buf_free(&vkey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_types),        cmocka_unit_test(known_entry),  cmocka_unit_test(bad_entries),
        cmocka_unit_test(composed_entries),      cmocka_unit_test(not_composed), cmocka_unit_test(signed_but_wrong),
        cmocka_unit_test(genesis_names_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
