#include "audit/note.h"
#include "audit_state_fixture.h"

/* The log of a site that is elsewhere, as one story: whose site it is, what it took in, what became of it. */

#define PINS "'estate':'$estate','log-key':'@','origin':'o','request':'$again','site':'glasgow','token':'root'," VERDICT
#define SIZE(n) "'root':'$root-" n "','size':" n

/* A verifier key of the log "o", as text in bodies. */
static char vkey[160];

static void key_make(void)
{
    struct note_key key;
    struct fault f;
    struct buf b = BUF(sizeof vkey - 1);
    const uint8_t public[32] = {1};
    assert_int_equal(note_key_make("o", public, &key, &f), OK);
    note_key_put(&key, &b);
    snprintf(vkey, sizeof vkey, "%s", buf_str(&b));
    buf_free(&b);
}

/* `introduced` with these pins; @ in it is the key. */
static void introduces(struct state *s, bool good, const char *body)
{
    char text[1024];
    struct fault f = {.text = ""};
    const char *at = strchr(body, '@');
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - body), body, vkey, at + 1);
    enum outcome rc = give(s, ENTRY_INTRODUCED, NULL, text, &f);
    if ((rc == OK) != good)
        fail_msg("%s: %s", text, f.text);
}

static void renewed_keys(struct state *s)
{
    /* Keys made anew leave nothing of the ones before; a renewal under the same identity does, for a while. */
    assert_int_equal(s->host->transport_before.len, 0);
    static const struct row renewed[] = {
        {1, ENTRY_SITE_KEYS, "{'identity':'01','identity-id':'0a','transport':'03','transport-id':'0d'}"},
    };
    TELL(s, renewed);
    assert_int_equal(s->host->transport.data[0], 3);
    assert_int_equal(s->host->transport_before.data[0], 2);
    assert_string_equal(s->host->transport_before_id, "0b");
}

static void a_site_elsewhere(void **context)
{
    (void)context;
    struct state s;
    key_make();
    found(&s);
    static const struct row asked[] = {
        {0, ENTRY_SEEN, "{" SIZE("7") "}"},
        {0, ENTRY_SITE_KEYS, "{'identity':'01','identity-id':'0a','transport':'02','transport-id':'0b'}"},
        {1, ENTRY_REQUEST, "{'operation':'adopt-policy','request':'$again','rule':'r','subject':'$s2'," LATER "}"},
        {1, ENTRY_APPROVAL, "{'request':'$again','signature':'$sig-2'," VOTE "}"},
    };
    TELL(&s, asked);
    introduces(&s, false, "{'environment':'test'," PINS "}"); /* nothing decided yet */
    static const struct row decided[] = {
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[5],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'adopt-policy','"
         "request':"
         "'$again'," VERDICT "}"},
    };
    TELL(&s, decided);
    introduces(&s, false, "{'environment':'production'," PINS "}");
    introduces(&s, false, "{'environment':'test','more':'x'," PINS "}");
    introduces(&s, false,
               "{'environment':'test','estate':'$estate','log-key':'@','origin':'other','request':'$again',"
               "'site':'glasgow','token':'root'," VERDICT "}");
    introduces(&s, true, "{'environment':'test'," PINS "}");
    introduces(&s, false, "{'environment':'test'," PINS "}");
    static const struct row rows[] = {
        {1, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-2','request':'$again','version':2," VERDICT "}"},
        {0, ENTRY_SITE_KEYS, "{'identity':'01','identity-id':'0a','transport':'01','transport-id':'0b'}"},
        {1, ENTRY_SITE_KEYS, "{'identity':'09','identity-id':'0a','transport':'08','transport-id':'0c'}"},
        {1, ENTRY_SITE_KEYS, "{'identity':'01','identity-id':'0a','transport':'02','transport-id':'0b'}"},
        {0, ENTRY_SEEN, "{" SIZE("0") "}"},
        {1, ENTRY_SEEN, "{" SIZE("7") "}"},
        {0, ENTRY_SEEN, "{" SIZE("6") "}"},
        {0, ENTRY_SEEN, "{'root':'$another','size':7}"},
        {0, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','receipt':'$x','request':'$r'," SIZE("9") "}"},
        {0, ENTRY_SETTLED, "{'intent':'$i','outcome':'withdrawn'," SIZE("9") "}"},
        {1, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','request':'$r'," SIZE("9") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','request':'$r'," SIZE("9") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i','offer':'$spare','request':'$r'," SIZE("9") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i2','offer':'$o2','request':'$r'," SIZE("9") "}"},
        {0, ENTRY_SETTLED, "{'intent':'$i','outcome':'born'," SIZE("9") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','receipt':'$x','request':'$other'," SIZE("9") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','receipt':'$x','request':'$r'," SIZE("8") "}"},
        {1, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','receipt':'$x','request':'$r'," SIZE("9") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','receipt':'$x','request':'$r'," SIZE("9") "}"},
        {0, ENTRY_SETTLED, "{'intent':'$i','outcome':'destroyed'," SIZE("9") "}"},
        {0, ENTRY_SETTLED, "{'intent':'$i','outcome':'lost'," SIZE("9") "}"},
        {1, ENTRY_SETTLED, "{'intent':'$i','outcome':'withdrawn'," SIZE("11") "}"},
        {0, ENTRY_SETTLED, "{'intent':'$i','outcome':'withdrawn'," SIZE("11") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i','offer':'$o','request':'$r'," SIZE("11") "}"},
        {1, ENTRY_TAKEN, "{'intent':'$i2','offer':'$o2','request':'$r'," SIZE("12") "}"},
        {1, ENTRY_TAKEN, "{'intent':'$i2','offer':'$o2','receipt':'$x2','request':'$r'," SIZE("12") "}"},
        {1, ENTRY_SETTLED, "{'intent':'$i2','outcome':'born'," SIZE("14") "}"},
        {0, ENTRY_SETTLED, "{'intent':'$i2','outcome':'withdrawn'," SIZE("14") "}"},
        {0, ENTRY_TAKEN, "{'intent':'$i3','offer':'$o3','request':'$r'," SIZE("15") "}"},
        {1, ENTRY_SETTLED, "{'intent':'$i2','outcome':'destroyed'," SIZE("16") "}"},
        {0, ENTRY_SETTLED, "{'intent':'$i2','outcome':'destroyed'," SIZE("16") "}"},
    };
    TELL(&s, rows);
    assert_string_equal(s.host->site, "glasgow");
    assert_int_equal(s.host->size, 16);
    assert_int_equal(s.taken_count, 2);
    renewed_keys(&s);
    struct digest first = digest_named("i"), second = digest_named("o2");
    assert_int_equal(state_taken(&s, &first)->state, TAKEN_WITHDRAWN);
    assert_int_equal(state_taken_offer(&s, &second)->state, TAKEN_DESTROYED);
    state_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_site_elsewhere)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
