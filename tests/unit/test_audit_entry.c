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
        "\"type\":\"recovered\"}";
    struct fault f;
    struct buf b = BUF(LIMIT_ENTRY);
    struct entry e;
    moment t = 0;
    json_t *body = json_quoted("{'bytes':7}");
    assert_int_equal(moment_parse("2026-11-22T13:03:00Z", &t, &f), OK);
    assert_int_equal(entry_compose(ENTRY_RECOVERED, 12, t, "c-1", body, &b, &f), OK);
    assert_string_equal(buf_str(&b), known);
    assert_int_equal(entry_parse(buf_span(&b), &e, &f), OK);
    assert_int_equal(e.type, ENTRY_RECOVERED);
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
        cmocka_unit_test(names_of_types),   cmocka_unit_test(known_entry),           cmocka_unit_test(bad_entries),
        cmocka_unit_test(signed_but_wrong), cmocka_unit_test(genesis_names_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
