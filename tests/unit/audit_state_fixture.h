#ifndef QUORATE_TESTS_AUDIT_STATE_FIXTURE_H
#define QUORATE_TESTS_AUDIT_STATE_FIXTURE_H

#include <ctype.h>

#include "audit/state.h"
#include "audit_fixture.h"

/* One story as a table: entries that must be taken, and between them entries that must not, each refused without a trace
 * and the story going on. In bodies, ' stands for " and $word for SHA-256 of the word. */
#define VERDICT "'verdict':{'counted':['a','b'],'decision':'allow','rule':'r'}"
#define GENESIS "'log-key':'k','name':'n','origin':'o','policy':'$policy-1'"
#define LATER "'expires':'2030-01-01T00:00:00Z'"
#define VOTE "'certificate':'$cert','person':'ann','public-key':'$spki'"
#define HSM                                                                                                            \
    "'answer':'aa','challenge':'$c','firmware':'1','hardware':'attested-by-people','identity-id':'01',"                \
    "'manufacturer':'m','model':'','transport-id':'02'," VERDICT
#define OFFER "'attributes-digest':'$a','blobs':'$b','challenge':'$c','mechanism':'oaep-sha1+aes-kwp'"
#define BIRTH "'label':'app-1','operation':'generate','token':'root'"
#define DRILLED "'challenge':'$c','site':'slough','token':'root'"
#define KEY "'class':'private-key','id':'0a','label':'app-1','token':'root'"

struct row {
    int good;
    enum entry_type type;
    const char *body;
};

static inline char *expand(const char *text)
{
    struct buf b = BUF(1 << 16);
    while (*text) {
        char word[64];
        size_t n = 0;
        if (*text != '$') {
            char c = *text++;
            buf_put(&b, c == '\'' ? "\"" : &c, 1);
            continue;
        }
        for (text++; isalnum((unsigned char)*text) || *text == '-'; text++)
            word[n++] = *text;
        word[n] = '\0';
        buf_puts(&b, HEX(word));
    }
    return buf_take(&b);
}

#define NOW 1767225600 /* 2026-01-01 */

static inline enum outcome give(struct state *s, enum entry_type type, const char *ceremony, const char *body,
                                struct fault *f)
{
    char *text = expand(body);
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    struct buf bytes = BUF(1 << 16);
    struct entry e;
    if (!json)
        fail_msg("%s: %s", error.text, text);
    assert_int_equal(entry_compose(type, s->size, NOW, ceremony, json, &bytes, f), OK);
    assert_int_equal(entry_parse(buf_span(&bytes), &e, f), OK);
    uint64_t size = s->size;
    enum outcome checked = state_check(s, &e, f);
    assert_int_equal(s->size, size);
    enum outcome applied = state_apply(s, &e, f);
    assert_int_equal(checked, applied);
    assert_int_equal(s->size, applied ? size : size + 1);
    entry_clear(&e);
    buf_free(&bytes);
    json_decref(json);
    free(text);
    return applied;
}

static inline void tell(struct state *s, const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fault f = {.text = "taken"};
        enum outcome rc = give(s, rows[i].type, NULL, rows[i].body, &f);
        if ((rc == OK) != rows[i].good || (rc != OK && rc != E_INVALID))
            fail_msg("row %zu, %s %s: %s", i, entry_type_name(rows[i].type), rows[i].body, f.text);
    }
}
#define TELL(s, rows) tell(s, rows, sizeof(rows) / sizeof *(rows))

static inline struct state_request *request_named(const struct state *s, const char *name)
{
    struct digest id = digest_named(name);
    return state_request(s, &id);
}

/* Genesis, policy 1 in force (entries 0 to 3). */
static inline void found(struct state *s)
{
    static const struct row rows[] = {
        {0, ENTRY_STEP, "{}"},
        {0, ENTRY_REQUEST, "{'operation':'adopt-policy','request':'$adopt','rule':'r','subject':'$s'," LATER "}"},
        {0, ENTRY_GENESIS, "{'environment':'staging'," GENESIS "}"},
        {0, ENTRY_GENESIS, "{" GENESIS "}"},
        {0, ENTRY_GENESIS, "{'environment':'test','more':'x'," GENESIS "}"},
        {1, ENTRY_GENESIS, "{'environment':'test'," GENESIS "}"},
        {0, ENTRY_GENESIS, "{'environment':'test'," GENESIS "}"},
        {0, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-1','request':'$adopt','version':1," VERDICT "}"},
        {1, ENTRY_REQUEST, "{'operation':'adopt-policy','request':'$adopt','rule':'r','subject':'$s'," LATER "}"},
        {0, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-2','request':'$adopt','version':1," VERDICT "}"},
        {0, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-1','request':'$adopt','version':0," VERDICT "}"},
        {0, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-1','request':'$adopt','version':1}"},
        {0, ENTRY_POLICY,
         "{'canonical':'$c','digest':'$policy-1','request':'$adopt','version':1,"
         "'verdict':{'counted':[],'decision':'deny','rule':'r'}}"},
        {0, ENTRY_POLICY,
         "{'canonical':'$c','digest':'$policy-1','request':'$adopt','version':1,'succession':'no'," VERDICT "}"},
        {1, ENTRY_APPROVAL, "{'request':'$adopt','signature':'$sig'," VOTE "}"},
        {1, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-1','request':'$adopt','version':1," VERDICT "}"},
        {0, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-1','request':'$adopt','version':2," VERDICT "}"},
    };
    state_init(s);
    TELL(s, rows);
    struct digest policy = digest_named("policy-1");
    assert_int_equal(s->size, 4);
    assert_true(digest_equal(&s->policy, &policy));
    assert_int_equal(s->policy_version, 1);
    assert_string_equal(s->environment, "test");
    assert_int_equal(request_named(s, "adopt")->state, REQUEST_SPENT);
}

/* Two sites enrolled and at home (entries 4 to 9). */
static inline void enrol(struct state *s)
{
    static const struct row rows[] = {
        {1, ENTRY_REQUEST,
         "{'operation':'enrol-site','request':'$e1','rule':'r','subject':'$s1','token':'root'," LATER "}"},
        {1, ENTRY_REQUEST,
         "{'operation':'enrol-site','request':'$e2','rule':'r','subject':'$s2','token':'root'," LATER "}"},
        {0, ENTRY_SITE_ENROLLED,
         "{'identity':'aa','request':'$none','serial':'1','site':'slough','token':'root','transport':'bb'," HSM "}"},
        {0, ENTRY_SITE_ENROLLED,
         "{'identity':'aa','request':'$e1','serial':'1','site':'slough','token':'root','transport':'aa'," HSM "}"},
        {0, ENTRY_SITE_ENROLLED,
         "{'identity':'a','request':'$e1','serial':'1','site':'slough','token':'root','transport':'bb'," HSM "}"},
        {0, ENTRY_SITE_ENROLLED,
         "{'identity':'aa','request':'$e1','serial':'','site':'slough','token':'root','transport':'bb'," HSM "}"},
        {0, ENTRY_ARRIVED,
         "{'country':'GB','latitude':'51.51','longitude':'-0.59','place':'slough','site':'slough','tags':[],"
         "'token':'root'}"},
        {1, ENTRY_SITE_ENROLLED,
         "{'identity':'aa','request':'$e1','serial':'1','site':'slough','token':'root','transport':'bb'," HSM "}"},
        {0, ENTRY_SITE_ENROLLED, /* one HSM for two sites: by its serial number */
         "{'identity':'cc','request':'$e2','serial':'1','site':'cardiff','token':'root','transport':'dd'," HSM "}"},
        {0, ENTRY_SITE_ENROLLED, /* by its identity key */
         "{'identity':'aa','request':'$e2','serial':'2','site':'cardiff','token':'root','transport':'dd'," HSM "}"},
        {1, ENTRY_SITE_ENROLLED,
         "{'identity':'cc','request':'$e2','serial':'2','site':'cardiff','token':'root','transport':'dd'," HSM "}"},
        {0, ENTRY_ARRIVED,
         "{'country':'GB','latitude':'90.1','longitude':'0','place':'x','site':'slough','tags':[],'token':'root'}"},
        {0, ENTRY_ARRIVED,
         "{'country':'GB','latitude':'1e1','longitude':'0','place':'x','site':'slough','tags':[],'token':'root'}"},
        {0, ENTRY_ARRIVED,
         "{'country':'GB','latitude':'51,5','longitude':'0','place':'x','site':'slough','tags':[],'token':'root'}"},
        {0, ENTRY_ARRIVED,
         "{'country':'GB','latitude':'1','longitude':'0','place':'x','site':'slough','tags':['a','a'],'token':'root'}"},
        {0, ENTRY_ARRIVED,
         "{'country':'GB','latitude':'1','longitude':'0','place':'x','site':'leeds','tags':[],'token':'root'}"},
        {1, ENTRY_ARRIVED,
         "{'country':'GB','latitude':'51.51','longitude':'-0.59','place':'slough','site':'slough',"
         "'tags':['gb-mainland'],'token':'root','bag':'7','received-by':'ann','safe':'2'}"},
        {0, ENTRY_ARRIVED, /* it has not left */
         "{'country':'GB','latitude':'51.51','longitude':'-0.59','place':'slough','site':'slough','tags':[],"
         "'token':'root'}"},
        {1, ENTRY_DRILL, "{'failed':[],'proven':[],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'challenge':'$c','failed':[],'proven':[],'receipt':'$d','site':'leeds','token':'root'}"},
    };
    TELL(s, rows);
    const struct state_site *site = state_site(s, "root", "slough");
    assert_true(site->placed);
    assert_string_equal(site->latitude, "51.51");
    assert_true(strings_have(&site->tags, "gb-mainland"));
    assert_int_equal(site->drilled, NOW);
    assert_false(state_site(s, "root", "cardiff")->placed);
    assert_null(state_site(s, "root", "leeds"));
    assert_int_equal(s->size, 10);
}

#endif
