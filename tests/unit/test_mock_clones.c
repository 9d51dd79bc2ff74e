#include "module/birth_work.h"
#include "module/cloned.h"
#include "tests/unit/mock_sites_fixture.h"
#include "tests/unit/one_estate.h"

/* Births at HSMs that give no private key out: people bring it to the replicas by the vendor's own tools. */

#define RULE(id, label, more, transport) RULE_PROVING(id, label, "signature", more, transport)
#define RULE_PROVING(id, label, how, more, transport)                                                                  \
    "  - id: " id "\n"                                                                                                 \
    "    when: {operation: generate, token: root, label: \"^" label "-\"}\n"                                           \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: " how more "}" transport   \
    "}\n"
#define CLONES ", transport: {allow: [cloned]}"
#define RULES                                                                                                          \
    RULE("cloned", "app", ", deferred: 1 hours", CLONES)                                                               \
    RULE("brief", "brief", ", deferred: 2 seconds", CLONES)                                                            \
    RULE_PROVING("kinds", "kind", "attest", ", deferred: 1 hours", CLONES)                                             \
    RULE("at once", "once", "", CLONES) RULE("wrapped", "wrapped", ", deferred: 1 hours", "")

static char id[64]; /* CKA_ID of the last birth, hex */

static int setup(void **state)
{
    (void)state;
    mock_binding_more[1] = mock_binding_more[2] = ", cloned: acme";
    mock_sites_make(&d, RULES);
    return 0;
}

static int as_usual(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        hsm_steer(i, "reset");
        hsm_steer(i, "count");
    }
    hsm_steer(0, "refuses 0 private");
    return 0;
}

static const struct state_intent *last_intent(void)
{
    const struct state *s = &d.world->estate->state;
    return &s->intents[s->intent_count - 1];
}

static enum outcome birth_of(CK_MECHANISM_TYPE mechanism, const char *label, struct fault *f)
{
    struct depth_question q;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    struct buf bytes = BUF(32);
    struct fault ignored;
    depth_ask_approved(&d, &q, mechanism, label, "");
    enum outcome outcome = depth_birth(&d, &q, &secret, &public, f);
    depth_forget(&q);
    assert_int_equal(intent_key_id(&last_intent()->digest, &bytes, &ignored), OK);
    id[0] = '\0';
    for (size_t i = 0; i < bytes.len; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes.data[i]);
    buf_free(&bytes);
    return outcome;
}

static enum outcome birth(const char *label, struct fault *f)
{
    return birth_of(CKM_EC_KEY_PAIR_GEN, label, f);
}

/* The vendor's tool: from the primary to that site. */
static void tool(size_t site, const char *how)
{
    char line[256];
    snprintf(line, sizeof line, "clone-out 0 %s/keys", d.folder);
    hsm_steer(0, line);
    snprintf(line, sizeof line, "clone-in %zu %s/keys %s %s", site, d.folder, id, how);
    hsm_steer(site, line);
}

static enum outcome collect(struct fault *f)
{
    return cloned_collect(d.world, last_intent()->seq, f);
}

static void count_at(size_t site, const char *label, size_t want)
{
    assert_int_equal(depth_count(&d, depth_sites[site], CKO_PRIVATE_KEY, label), want);
    assert_int_equal(depth_count(&d, depth_sites[site], CKO_PUBLIC_KEY, label), want);
}

static void count_everywhere(const char *label, size_t want)
{
    for (size_t i = 0; i < 3; i++)
        count_at(i, label, want);
}

static void assert_born(const char *label)
{
    const struct state *s = &d.world->estate->state;
    const struct state_key *key = &s->keys[s->key_count - 1];
    assert_int_equal(last_intent()->state, INTENT_SETTLED);
    assert_string_equal(key->label, label);
    assert_int_equal(key->sites.count, 3);
    count_everywhere(label, 1);
}

static void assert_undone(const char *label)
{
    assert_int_equal(last_intent()->state, INTENT_ROLLED_BACK);
    assert_int_equal(last_intent()->orphans.count, 0);
    assert_int_equal(state_request(&d.world->estate->state, &last_intent()->request)->state, REQUEST_PENDING);
    count_everywhere(label, 0);
}

/* The key is where it stays from the beginning, and can go nowhere but by the tool; nobody asks for it to be wrapped. */
static void brought_by_people(void **state)
{
    struct fault f;
    (void)state;
    size_t keys = d.world->estate->state.key_count;
    assert_int_equal(birth("app-brought", &f), E_PENDING);
    assert_text("the receipt of cardiff, glasgow is awaited until");
    assert_text(id);
    assert_text("from slough to glasgow with acme, then ask again");
    assert_int_equal(hsm[0].calls("C_WrapKey"), 0);
    assert_int_equal(last_intent()->state, INTENT_PROVISIONAL);
    count_at(0, "app-brought", 1);
    count_at(1, "app-brought", 0);

    assert_int_equal(collect(&f), E_PENDING);
    assert_text("not there yet");
    tool(1, "");
    assert_int_equal(collect(&f), E_PENDING);
    assert_null(strstr(f.text, "to cardiff"));
    assert_text("from slough to glasgow with acme");
    assert_int_equal(d.world->estate->state.key_count, keys);
    tool(2, "");
    assert_good(collect(&f));
    assert_born("app-brought");
    /* Once more finds nothing to do. */
    assert_false(cloned_awaited(d.world, last_intent()->seq));
    size_t intents = d.world->estate->state.intent_count;
    assert_good(collect(&f));
    assert_good(settle_run(d.world, NULL, &f));
    assert_int_equal(d.world->estate->state.intent_count, intents);
    assert_born("app-brought");
}

/* `quorate settle` looks too; tools that leave the public half behind are as good. */
static void without_the_public_half(void **state)
{
    struct fault f;
    json_t *report = json_array();
    (void)state;
    assert_int_equal(birth("app-half", &f), E_PENDING);
    assert_good(settle_run(d.world, report, &f));
    assert_non_null(strstr(json_string_or_null(json_array_get(report, 0), "outcome"), "not there yet"));
    json_decref(report);
    tool(1, "private");
    tool(2, "private");
    assert_good(settle_run(d.world, NULL, &f));
    assert_born("app-half");
}

static void never_brought(void **state)
{
    struct fault f;
    (void)state;
    /* Where the machine took longer than that to make it, it is undone, and begun again. */
    while (birth("brief-never", &f) != E_PENDING) {
        assert_text("no time is left");
        assert_good(settle_run(d.world, NULL, &f));
        assert_undone("brief-never");
    }
    tool(1, "");
    while (moment_now() <= last_intent()->until)
        usleep(100000);
    assert_good(collect(&f)); /* too late: what came is not taken */
    assert_undone("brief-never");
}

static void wrong_ones(void **state)
{
    static const struct {
        const char *what, *how;
    } rows[] = {{"extractable", "extractable"}, {"twice", ""}};
    char label[32];
    struct fault f;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        snprintf(label, sizeof label, "app-%s", rows[i].what);
        assert_int_equal(birth(label, &f), E_PENDING);
        tool(1, "");
        tool(2, rows[i].how);
        if (i == 1)
            tool(2, "");
        assert_int_equal(collect(&f), E_REFUSED);
        assert_text("rolled back");
        assert_text(i == 0 ? "CKA_EXTRACTABLE" : "2 keys have the CKA_ID");
        assert_undone(label);
    }
}

/* Secret keys too, which the site says that it has, as no rule can ask them for a signature; and RSA. */
static void other_kinds(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE mechanism;
        CK_ULONG size; /* bits of an RSA key, bytes of a secret one */
        const char *label, *type;
        CK_OBJECT_CLASS class;
    } kinds[] = {
        {CKM_AES_KEY_GEN, 32, "app-aes", "AES:256", CKO_SECRET_KEY},
        {CKM_GENERIC_SECRET_KEY_GEN, 40, "kind-generic", "GENERIC:320", CKO_SECRET_KEY},
        {CKM_RSA_PKCS_KEY_PAIR_GEN, 3072, "kind-rsa", "RSA:3072", CKO_PRIVATE_KEY},
    };
    const __typeof__(depth_kind) usual = depth_kind;
    struct fault f;
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        depth_kind.bits = depth_kind.len = kinds[i].size;
        assert_int_equal(birth_of(kinds[i].mechanism, kinds[i].label, &f), E_PENDING);
        tool(1, "");
        if (collect(&f) != E_PENDING)
            fail_msg("%s: %s", kinds[i].type, f.text);
        tool(2, "");
        if (collect(&f) != OK)
            fail_msg("%s: %s", kinds[i].type, f.text);
        const struct state *s = &d.world->estate->state;
        assert_string_equal(s->keys[s->key_count - 1].type, kinds[i].type);
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(depth_count(&d, depth_sites[k], kinds[i].class, kinds[i].label), 1);
    }
    depth_kind = usual;
}

/* Another key lies there under the CKA_ID, with the same attributes; with and without a public half of its own. */
static void another_key(void **state)
{
    struct fault f;
    struct depth_question q;
    CK_BYTE bytes[20];
    (void)state;
    for (int half = 0; half < 2; half++) {
        struct site_link link = {0};
        CK_OBJECT_HANDLE secret = 0, public = 0;
        assert_int_equal(birth("app-another", &f), E_PENDING);
        struct buf named = BUF(sizeof bytes);
        assert_good(hex_parse_buf(id, &named, &f));
        assert_int_equal(named.len, sizeof bytes);
        memcpy(bytes, named.data, sizeof bytes);
        buf_free(&named);
        memset(&q, 0, sizeof q);
        depth_template(&q, CKM_EC_KEY_PAIR_GEN, "app-another", "");
        assert_good(template_set(&q.template.secret, CKA_ID, bytes, sizeof bytes, &f));
        assert_good(template_set(&q.template.public, CKA_ID, bytes, sizeof bytes, &f));
        assert_good(site_open(d.world, "root", "glasgow", SITE_MODULE, &link, &f));
        assert_int_equal(link.f->C_GenerateKeyPair(link.session, &q.mechanism, q.template.public.items,
                                                   q.template.public.count, q.template.secret.items,
                                                   q.template.secret.count, &public, &secret),
                         CKR_OK);
        if (half)
            assert_int_equal(link.f->C_DestroyObject(link.session, public), CKR_OK);
        site_close(&link);
        key_template_clear(&q.template);
        tool(1, "");
        assert_int_equal(collect(&f), E_REFUSED);
        assert_text(half ? "is not the key that was made" : "is that of another key");
        assert_undone("app-another");
    }
}

/* The module's life ends while people are on their way. */
static void after_a_crash(void **state)
{
    struct fault f;
    (void)state;
    assert_int_equal(birth("app-crash", &f), E_PENDING);
    tool(1, "");
    world_close(d.world);
    tool(2, "");
    assert_good(world_open(d.bindings, &d.world, &f));
    mock_sites_login(&d);
    assert_good(collect(&f));
    assert_born("app-crash");
}

/* It ends before the log says that anybody is awaited: nothing is left, at a site that was faster neither. */
static void after_a_crash_in_the_middle(void **state)
{
    struct fault f;
    struct depth_question q;
    struct birth_work k = {
        .world = d.world, .estate = d.world->estate, .token = "root", .id = BUF(32), .spki = BUF(4096)};
    (void)state;
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "app-middle", "");
    struct birth b = {.world = d.world,
                      .token = world_token(d.world, "root"),
                      .mechanism = &q.mechanism,
                      .template = &q.template,
                      .request = q.answer.request,
                      .context = &d.world->context};
    k.b = &b;
    assert_good(site_open(d.world, "root", "slough", SITE_APPLICATION, &k.primary, &f));
    k.below = world_lower(d.world, hsm[0].path);
    assert_good(birth_plan(&k, &f));
    assert_true(k.direct);
    json_t *more = json_pack("{s:[s,s,s],s:s,s:s,s:s}", "sites", "slough", "cardiff", "glasgow", "class", "private-key",
                             "type", "EC:P-384", "function", "C_GenerateKeyPair");
    assert_good(estate_intend(d.world->estate, b.request, b.context, more, &k.intent, &f));
    json_decref(more);
    k.intent_digest = last_intent()->digest;
    assert_good(intent_key_id(&k.intent_digest, &k.id, &f));
    assert_good(birth_make(&k, &f));
    assert_good(birth_send(&k, 0, k.replicas.count, &f));
    assert_good(birth_keep(&k, &f));
    for (size_t i = 0; i < k.id.len; i++)
        snprintf(id + 2 * i, 3, "%02x", k.id.data[i]);
    replicas_end(&k.heads);
    replicas_end(&k.replicas);
    site_close(&k.primary);
    buf_free(&k.id);
    buf_free(&k.spki);
    free(k.rule_id);
    depth_forget(&q);
    count_at(0, "app-middle", 1);
    tool(1, "");
    count_at(1, "app-middle", 1);
    assert_good(settle_run(d.world, NULL, &f));
    assert_undone("app-middle");
}

/* The primary made the key and does not say so. */
static void an_answer_that_is_lost(void **state)
{
    struct fault f;
    (void)state;
    hsm_steer(0, "C_GenerateKeyPair done rv=0x30 times=1");
    assert_int_equal(birth("app-answer", &f), E_DEVICE);
    assert_undone("app-answer");
}

static void a_site_that_is_away(void **state)
{
    struct fault f;
    (void)state;
    assert_int_equal(birth("app-away", &f), E_PENDING);
    tool(1, "");
    tool(2, "");
    hsm_steer(2, "absent 2");
    assert_int_equal(collect(&f), E_PENDING);
    assert_text("glasgow");
    assert_int_equal(last_intent()->receipted.count, 1);
    hsm_steer(2, "present 2");
    assert_good(collect(&f));
    assert_born("app-away");
}

/* Before there is a key: the rule must let keys be cloned, and let receipts come later. */
static void what_the_rule_must_say(void **state)
{
    struct fault f;
    (void)state;
    size_t intents = d.world->estate->state.intent_count;
    assert_int_equal(birth("once-now", &f), E_DEVICE);
    assert_text("does not say `deferred`");
    assert_int_equal(birth("wrapped-not", &f), E_DEVICE);
    assert_text("does not say `transport: {allow: [cloned]}`");
    assert_int_equal(d.world->estate->state.intent_count, intents);
    assert_int_equal(hsm[0].calls("C_GenerateKeyPair"), 0);
}

/* One site takes wrapped keys, the other is cloned to: the first has answered before the key is made permanent. */
static void one_of_each(void **state)
{
    struct fault f;
    (void)state;
    hsm_steer(0, "reset");
    mock_binding_more[1] = "";
    mock_bindings(&d);
    world_close(d.world);
    assert_good(world_open(d.bindings, &d.world, &f));
    mock_sites_login(&d);
    assert_int_equal(birth("app-each", &f), E_PENDING);
    assert_text("the receipt of glasgow is awaited");
    assert_true(strings_have(&last_intent()->receipted, "cardiff"));
    count_at(1, "app-each", 1);
    tool(2, "");
    assert_good(collect(&f));
    assert_born("app-each");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(brought_by_people, as_usual),
        cmocka_unit_test_setup(without_the_public_half, as_usual),
        cmocka_unit_test_setup(never_brought, as_usual),
        cmocka_unit_test_setup(wrong_ones, as_usual),
        cmocka_unit_test_setup(other_kinds, as_usual),
        cmocka_unit_test_setup(another_key, as_usual),
        cmocka_unit_test_setup(after_a_crash, as_usual),
        cmocka_unit_test_setup(after_a_crash_in_the_middle, as_usual),
        cmocka_unit_test_setup(an_answer_that_is_lost, as_usual),
        cmocka_unit_test_setup(a_site_that_is_away, as_usual),
        cmocka_unit_test_setup(what_the_rule_must_say, as_usual),
        cmocka_unit_test_setup(one_of_each, as_usual),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
