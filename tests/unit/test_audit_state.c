#include "audit_state_fixture.h"
#include "core/limits.h"

static void closed_requests(void **context)
{
    (void)context;
    struct state s;
    found(&s);
#define REFUSED "'findings':[],'operation':'use','requester':'uid:1','subject':'$us'"
    static const struct row rows[] = {
        {1, ENTRY_REQUEST, "{'operation':'use','request':'$u','rule':'r','subject':'$us'," LATER "}"},
        {1, ENTRY_REQUEST, "{'operation':'use','request':'$v','rule':'r','subject':'$us'," LATER "}"},
        {1, ENTRY_REFUSED, "{'request':'$u'," REFUSED "}"},
        {1, ENTRY_REJECTION, "{'document':'$d','reason':'no','request':'$u','signature':'$sig'," VOTE "}"},
        {0, ENTRY_REJECTION, "{'document':'$d','reason':'no','request':'$u','signature':'$sig'," VOTE "}"},
        {0, ENTRY_REJECTION, "{'document':'$d','reason':'','request':'$u','signature':'$sig-2'," VOTE "}"},
        {0, ENTRY_REFUSED, "{'closed':'rejected'," REFUSED "}"},
        {0, ENTRY_REFUSED, "{'closed':'bored','request':'$u'," REFUSED "}"},
        {0, ENTRY_REFUSED, "{'closed':'rejected','request':'$unknown'," REFUSED "}"},
        {0, ENTRY_REFUSED,
         "{'closed':'rejected','request':'$u','findings':[],'operation':'use','requester':'uid:1','subject':'$no'}"},
        {0, ENTRY_REFUSED, "{'findings':[1],'operation':'use','requester':'uid:1','subject':'$no'}"},
        {1, ENTRY_REFUSED, "{'closed':'rejected','request':'$u'," REFUSED "}"},
        {0, ENTRY_REFUSED, "{'closed':'expired','request':'$u'," REFUSED "}"},
        {1, ENTRY_REFUSED, "{'closed':'expired','request':'$v'," REFUSED "}"},
        {0, ENTRY_APPROVAL, "{'request':'$u','signature':'$sig-3'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'request':'$v','signature':'$sig-3'," VOTE "}"},
    };
    TELL(&s, rows);
    struct digest subject = digest_named("us");
    assert_int_equal(request_named(&s, "u")->state, REQUEST_REJECTED);
    assert_int_equal(request_named(&s, "v")->state, REQUEST_VOID);
    assert_null(state_request_by_subject(&s, &subject));
    assert_false(state_was_refused(&s, &subject));
    assert_string_equal(request_named(&s, "u")->votes[0].reason, "no");
    state_clear(&s);
}

/* Who approves again says which approval is renewed: their last. One that says nothing was taken in earlier days. */
static void approvals_again(void **context)
{
    (void)context;
    struct state s;
    found(&s);
#define OTHERS "'certificate':'$other','person':'bob','public-key':'$spki-2'"
    static const struct row rows[] = {
        {1, ENTRY_REQUEST, "{'operation':'use','request':'$u','rule':'r','subject':'$us'," LATER "}"},
        {0, ENTRY_APPROVAL, "{'renews':'$sig','request':'$u','signature':'$one'," VOTE "}"},
        {1, ENTRY_APPROVAL, "{'request':'$u','signature':'$one'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'renews':'$two','request':'$u','signature':'$two'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'renews':'','request':'$u','signature':'$two'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'renews':'$one','request':'$u','signature':'$one'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'renews':'$one','request':'$u','signature':'$two'," OTHERS "}"},
        {1, ENTRY_APPROVAL, "{'renews':'$one','request':'$u','signature':'$two'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'renews':'$one','request':'$u','signature':'$three'," VOTE "}"},
        {0, ENTRY_REJECTION,
         "{'document':'$d','reason':'x','renews':'$two','request':'$u','signature':'$three'," VOTE "}"},
        {1, ENTRY_REJECTION, "{'document':'$d','reason':'x','request':'$u','signature':'$no'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'renews':'$no','request':'$u','signature':'$three'," VOTE "}"},
        {1, ENTRY_APPROVAL, "{'renews':'$two','request':'$u','signature':'$three'," VOTE "}"},
        {1, ENTRY_APPROVAL, "{'request':'$u','signature':'$four'," VOTE "}"},
    };
    TELL(&s, rows);
    struct digest certificate = digest_named("cert"), four = digest_named("four"), other = digest_named("other");
    assert_true(digest_equal(&state_approval(request_named(&s, "u"), &certificate)->signature, &four));
    assert_null(state_approval(request_named(&s, "u"), &other));
    state_clear(&s);
}

/* An enrolment by what its vendor says. */
#define VENDORS(attestation)                                                                                           \
    "{'answer':'aa'," attestation "'challenge':'$c','firmware':'1','hardware':'attested-by-vendor','identity':'aa',"   \
    "'identity-id':'01','manufacturer':'m','model':'','request':'$e','serial':'1','site':'b','token':'root',"          \
    "'transport':'bb','transport-id':'02'," VERDICT "}"

static void failovers(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    static const struct row rows[] = {
        {0, ENTRY_FAILOVER, "{'reason':'lost','site':'b','token':'root'}"},
        {1, ENTRY_REQUEST, "{'operation':'enrol-site','request':'$e','rule':'r','subject':'$es'," LATER "}"},
        {1, ENTRY_SITE_ENROLLED,
         "{'identity':'aa','request':'$e','serial':'1','site':'b','token':'root','transport':'bb'," HSM "}"},
        {0, ENTRY_FAILOVER, "{'site':'b','token':'root'}"},
        {0, ENTRY_FAILOVER, "{'reason':'','site':'b','token':'root'}"},
        {0, ENTRY_FAILOVER, "{'reason':'lost','site':'b','token':'leaf'}"},
        {0, ENTRY_FAILOVER, "{'more':'x','reason':'lost','site':'b','token':'root'}"},
        {1, ENTRY_FAILOVER, "{'reason':'lost','site':'b','token':'root'}"},
        {0, ENTRY_FAILOVER, "{'reason':'lost','site':'b','token':'root'}"},
    };
    assert_null(state_token(&s, "root"));
    TELL(&s, rows);
    assert_string_equal(state_token(&s, "root")->serving, "b");
    assert_string_equal(state_token(&s, "root")->serving_reason, "lost");
    assert_int_equal(state_token(&s, "root")->serving_seq, s.size - 1);
    assert_null(state_token(&s, "leaf"));
#define PROMOTED "'request':'$p','site':'b','token':'root'," VERDICT
    static const struct row promoted[] = {
        {0, ENTRY_PROMOTED, "{" PROMOTED "}"},
        {1, ENTRY_REQUEST,
         "{'operation':'promote','request':'$p','rule':'r','subject':'$ps','token':'root'," LATER "}"},
        {0, ENTRY_PROMOTED, "{" PROMOTED "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'promote','request':'$p'"
         ","
         "'site':'b','token':'root'," VERDICT "}"},
        {0, ENTRY_PROMOTED, "{'request':'$p','site':'c','token':'root'," VERDICT "}"},
        {0, ENTRY_PROMOTED, "{'request':'$p','site':'b','token':'leaf'," VERDICT "}"},
        {1, ENTRY_PROMOTED, "{" PROMOTED "}"},
        {0, ENTRY_PROMOTED, "{" PROMOTED "}"},
    };
    TELL(&s, promoted);
    assert_string_equal(state_token(&s, "root")->promoted, "b");
    assert_null(state_token(&s, "root")->serving); /* whole again */
    state_clear(&s);
}

static void suspensions(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    static const struct row rows[] = {
        {0, ENTRY_SUSPENDED, "{'scope':'everything'}"},
        {0, ENTRY_SUSPENDED, "{'scope':'token:'}"},
        {0, ENTRY_SUSPENDED, "{'scope':'key:a'}"},
        {0, ENTRY_SUSPENDED, "{}"},
        {0, ENTRY_RESUMED, "{'scope':'estate'}"},
        {1, ENTRY_SUSPENDED, "{'scope':'token:root'}"},
        {1, ENTRY_SUSPENDED, "{'scope':'token:root'}"},
        {1, ENTRY_SUSPENDED, "{'scope':'key:a@b@spare'}"},
        {0, ENTRY_SUSPENDED, "{'request':'$unknown','scope':'estate'}"},
    };
    TELL(&s, rows);
    assert_true(state_suspended(&s, "root", "any"));
    assert_false(state_suspended(&s, "spare", "any"));
    assert_true(state_suspended(&s, "spare", "a@b"));
    assert_false(state_suspended(&s, "spare", NULL));
    assert_false(state_suspended(&s, NULL, NULL));
    static const struct row resumed[] = {
        {1, ENTRY_RESUMED, "{'scope':'token:root'}"},
        {0, ENTRY_RESUMED, "{'scope':'token:root'}"},
        {1, ENTRY_SUSPENDED, "{'scope':'estate'}"},
    };
    TELL(&s, resumed);
    assert_true(state_suspended(&s, NULL, NULL));
    assert_int_equal(s.suspension_count, 2);
    state_clear(&s);
}

static void ceremonies(void **context)
{
    (void)context;
    struct state s;
    struct fault f;
    found(&s);
    static const struct row rows[] = {
        {1, ENTRY_REQUEST, "{'operation':'open-ceremony','request':'$o','rule':'r','subject':'$s'," LATER "}"},
        {0, ENTRY_CEREMONY_OPENED, "{'ceremony':'c-1','request':'$o','script':'keys'," VERDICT "}"},
        {0, ENTRY_CEREMONY_OPENED, "{'ceremony':'c-1','request':'$o','script':{'id':'keys'}}"},
        {0, ENTRY_CEREMONY_OPENED, "{'ceremony':'c-1','script':{'id':'keys'}," VERDICT "}"},
        {0, ENTRY_CEREMONY_CLOSED, "{'ceremony':'c-1'}"},
        {1, ENTRY_CEREMONY_OPENED, "{'ceremony':'c-1','request':'$o','script':{'id':'keys'}," VERDICT "}"},
        {1, ENTRY_REQUEST, "{'operation':'open-ceremony','request':'$o2','rule':'r','subject':'$s'," LATER "}"},
        {0, ENTRY_CEREMONY_OPENED, "{'ceremony':'c-1','request':'$o2','script':{'id':'keys'}," VERDICT "}"},
    };
    TELL(&s, rows);
    assert_int_equal(give(&s, ENTRY_STEP, "c-2", "{}", &f), E_INVALID);
    assert_int_equal(give(&s, ENTRY_STEP, "c-1", "{}", &f), OK);
    assert_int_equal(give(&s, ENTRY_CEREMONY_OPENED, "c-1",
                          "{'ceremony':'c-2','request':'$o2','script':{'id':'keys'}," VERDICT "}", &f),
                     E_INVALID);
    assert_string_equal(s.ceremonies[0].script, "keys");
    assert_int_equal(give(&s, ENTRY_CEREMONY_CLOSED, "c-1", "{'ceremony':'c-1'}", &f), OK);
    assert_int_equal(give(&s, ENTRY_CEREMONY_CLOSED, NULL, "{'ceremony':'c-1'}", &f), E_INVALID);
    assert_int_equal(give(&s, ENTRY_STEP, "c-1", "{}", &f), E_INVALID);
    assert_int_equal(give(&s, ENTRY_EXHIBIT, "c-1", "{}", &f), OK);
    state_clear(&s);
}

/* Certificates stand with hardware that its vendor attests, and with no other; whether they hold is not the fold's. */
static void attestations(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    char big[2 * LIMIT_ATTESTATION + 3], *long_list = NULL, *too_many = NULL;
    struct buf many = BUF(400);
    memset(big, 'a', sizeof big);
    big[sizeof big - 1] = '\0';
    for (size_t i = 0; i <= LIMIT_CHAIN; i++)
        buf_putf(&many, "%s'aa'", i == 0 ? "" : ",");
    assert_true(asprintf(&long_list, VENDORS("'attestation':{'identity':['%s','aa']},"), big + 2) > 0);
    assert_true(asprintf(&too_many, VENDORS("'attestation':{'identity':[%s]},"), buf_str(&many)) > 0);
    const struct row rows[] = {
        {1, ENTRY_REQUEST, "{'operation':'enrol-site','request':'$e','rule':'r','subject':'$es'," LATER "}"},
        {0, ENTRY_SITE_ENROLLED, VENDORS("")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':'aa',")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'transport':['aa','bb']},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':'aa'},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa']},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa','']},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa','b']},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa','BB']},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa',7]},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa','bb'],'more':['aa','bb']},")},
        {0, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa','bb'],'transport':[]},")},
        {0, ENTRY_SITE_ENROLLED, long_list},
        {0, ENTRY_SITE_ENROLLED, too_many},
        {0, ENTRY_SITE_ENROLLED,
         "{'attestation':{'identity':['aa','bb']},'identity':'aa','request':'$e','serial':'1','site':'b','token':'root'"
         ","
         "'transport':'bb'," HSM "}"},
        {1, ENTRY_SITE_ENROLLED, VENDORS("'attestation':{'identity':['aa','bb'],'transport':['cc','bb']},")},
    };
    TELL(&s, rows);
    assert_string_equal(state_site(&s, "root", "b")->hardware, "attested-by-vendor");
    state_clear(&s);
    free(long_list);
    free(too_many);
    buf_free(&many);
}

static void sites(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    static const struct row rows[] = {
        {1, ENTRY_REQUEST, "{'operation':'enrol-site','request':'$e3','rule':'r','subject':'$s3'," LATER "}"},
        {1, ENTRY_SITE_ENROLLED, /* another HSM in the place of the first */
         "{'identity':'ee','request':'$e3','serial':'3','site':'slough','token':'root','transport':'ff'," HSM "}"},
        {0, ENTRY_SITE_RETIRED, "{'request':'$e3','site':'cardiff','token':'root'," VERDICT "}"},
        {0, ENTRY_SITE_RETIRED, "{'site':'cardiff','token':'root'}"},
        {1, ENTRY_RECOVERED, "{'bytes':1,'digest':'$d'}"},
        {0, ENTRY_RECOVERED, "{'bytes':-1,'digest':'$d'}"},
        {0, ENTRY_RECOVERED, "{'bytes':1}"},
    };
    TELL(&s, rows);
    assert_string_equal(state_site(&s, "root", "slough")->serial, "3");
    assert_false(state_site(&s, "root", "slough")->placed); /* it has not arrived yet */
    assert_non_null(state_site(&s, "root", "cardiff"));
    state_clear(&s);
}

/* The frame: numbers without gap, times that never go back. */
static void frames(void **context)
{
    (void)context;
    struct state s;
    struct fault f;
    found(&s);
    json_t *body = json_object();
    static const struct {
        uint64_t seq;
        moment time;
        enum outcome outcome;
    } rows[] = {{3, NOW, E_INVALID}, {5, NOW, E_INVALID}, {4, NOW - 1, E_INVALID},
                {4, NOW, OK},        {5, NOW + 9, OK},    {6, NOW + 8, E_INVALID}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf b = BUF(1024);
        struct entry e;
        assert_int_equal(entry_compose(ENTRY_STEP, rows[i].seq, rows[i].time, NULL, body, &b, &f), OK);
        assert_int_equal(entry_parse(buf_span(&b), &e, &f), OK);
        assert_int_equal(state_check(&s, &e, &f), rows[i].outcome);
        assert_int_equal(state_apply(&s, &e, &f), rows[i].outcome);
        entry_clear(&e);
        buf_free(&b);
    }
    json_decref(body);
    state_clear(&s);
}

/* Many requests are found by their ids, the newest by its subject. */
static void many_requests(void **context)
{
    (void)context;
    struct state s;
    struct fault f;
    char body[256], name[32];
    found(&s);
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(body, sizeof body, "{'operation':'use','request':'$q-%u','rule':'r','subject':'$same'," LATER "}", i);
        assert_int_equal(give(&s, ENTRY_REQUEST, NULL, body, &f), OK);
    }
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "q-%u", i);
        struct state_request *r = request_named(&s, name);
        assert_non_null(r);
        assert_int_equal(r->seq, 4 + i);
    }
    assert_null(request_named(&s, "q-5000"));
    struct digest subject = digest_named("same");
    assert_int_equal(state_request_by_subject(&s, &subject)->seq, 5003);
    state_clear(&s);
}

/* What lies on an HSM in place of the log's head is settled by people, one finding at a time, until a head lies there again. */
static void heads_are_settled_by_people(void **context)
{
    (void)context;
#define GONE "{'found':'missing','site':'slough','token':'root'}"
    static const struct row rows[] = {
        {0, ENTRY_HEAD, "{'site':'nowhere','token':'root'}"},
        {0, ENTRY_HEAD, "{'site':'slough'}"},
        {1, ENTRY_HEAD, "{'site':'slough','token':'root'}"},
        {0, ENTRY_READOPTED, "{'heads':[" GONE "],'request':'$h'," VERDICT "}"},
        {1, ENTRY_REQUEST, "{'operation':'readopt-log','request':'$h','rule':'r','subject':'$s'," LATER "}"},
        {0, ENTRY_READOPTED, "{'heads':[" GONE "],'request':'$h'," VERDICT "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'readopt-log',"
         "'request':'$h'," VERDICT "}"},
        {0, ENTRY_READOPTED, "{'heads':[],'request':'$h'," VERDICT "}"},
        {0, ENTRY_READOPTED, "{'heads':[" GONE "],'request':'$h'}"},
        {0, ENTRY_READOPTED, "{'heads':['gone'],'request':'$h'," VERDICT "}"},
        {0, ENTRY_READOPTED, "{'heads':[{'found':'lost','site':'slough','token':'root'}],'request':'$h'," VERDICT "}"},
        {0, ENTRY_READOPTED,
         "{'heads':[" GONE ",{'found':'missing','site':'nowhere','token':'root'}],'request':'$h'," VERDICT "}"},
        {0, ENTRY_READOPTED, "{'heads':[{'found':'newer','site':'slough','token':'root'}],'request':'$h'," VERDICT "}"},
        {0, ENTRY_READOPTED,
         "{'heads':[{'found':'newer','note':'$n','size':9,'site':'slough','token':'root'}],'request':'$h'," VERDICT
         "}"},
        {0, ENTRY_READOPTED,
         "{'heads':[{'found':'missing','note':'$n','site':'slough','token':'root'}],'request':'$h'," VERDICT "}"},
        {1, ENTRY_READOPTED,
         "{'heads':[" GONE ",{'found':'newer','note':'$n','root':'$r','site':'slough','size':9,'token':'root'}],"
         "'request':'$h'," VERDICT "}"},
        {0, ENTRY_READOPTED, "{'heads':[" GONE "],'request':'$h'," VERDICT "}"},
    };
    struct state s;
    found(&s);
    enrol(&s);
    TELL(&s, rows);
    const struct state_site *site = state_site(&s, "root", "slough");
    assert_true(site->headed);
    assert_int_equal(site->pardoned.count, 2);
    assert_true(strings_have(&site->pardoned, "missing"));
    assert_true(strings_have(&site->pardoned, HEX("n")));
    static const struct row again[] = {{1, ENTRY_HEAD, "{'site':'slough','token':'root'}"}};
    TELL(&s, again);
    assert_int_equal(state_site(&s, "root", "slough")->pardoned.count, 0);
    state_clear(&s);
}

/* A log key rests on a request of its own that was decided. */
static void log_keys_rest_on_requests(void **state)
{
    (void)state;
#define VKEY "'log-key':'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'"
    static const struct row rows[] = {
        {0, ENTRY_LOG_KEY, "{" VKEY ",'request':'$k'," VERDICT "}"},
        {1, ENTRY_REQUEST, "{'operation':'change-log-key','request':'$k','rule':'r','subject':'$s'," LATER "}"},
        {1, ENTRY_REQUEST, "{'operation':'resume','request':'$other','rule':'r','subject':'$o'," LATER "}"},
        {0, ENTRY_LOG_KEY, "{" VKEY ",'request':'$k'," VERDICT "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'change-log-key',"
         "'request':'$k'," VERDICT "}"},
        {0, ENTRY_LOG_KEY, "{" VKEY ",'request':'$k'," VERDICT "}"}, /* of another log than "o" */
        {0, ENTRY_MOVED, "{" VKEY ",'request':'$other'," VERDICT "}"},
        {0, ENTRY_MOVED, "{'log-key':'nobody','request':'$k'," VERDICT "}"},
        {0, ENTRY_MOVED, "{" VKEY ",'request':'$k'}"},
        {0, ENTRY_MOVED, "{'more':'x'," VKEY ",'request':'$k'," VERDICT "}"},
        {1, ENTRY_MOVED, "{" VKEY ",'request':'$k'," VERDICT "}"},
        {0, ENTRY_MOVED, "{" VKEY ",'request':'$k'," VERDICT "}"},
        {0, ENTRY_APPROVAL, "{'request':'$other','signature':'$sig'," VOTE "}"}, /* void */
        {1, ENTRY_REQUEST, "{'operation':'change-log-key','request':'$l','rule':'r','subject':'$t'," LATER "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'change-log-key',"
         "'request':'$l'," VERDICT "}"},
        {0, ENTRY_MOVED, "{" VKEY ",'request':'$l'," VERDICT "}"}, /* it is there already */
        {0, ENTRY_MOVED,
         "{'log-key':'o+f0d81b7a+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW','request':'$l'," VERDICT "}"},
        {0, ENTRY_LOG_KEY, "{'log-key':'nobody','request':'$l'," VERDICT "}"},
        {0, ENTRY_LOG_KEY, "{" VKEY ",'request':'$l'}"},
        {0, ENTRY_LOG_KEY, "{'more':'x'," VKEY ",'request':'$l'," VERDICT "}"},
        {1, ENTRY_LOG_KEY, "{" VKEY ",'request':'$l'," VERDICT "}"},
        {0, ENTRY_LOG_KEY, "{" VKEY ",'request':'$l'," VERDICT "}"},
    };
    struct state s;
    found(&s);
    TELL(&s, rows);
    assert_string_equal(s.origin, "PeterNeumann");
    assert_int_equal(s.move_count, 1);
    assert_string_equal(state_origin_at(&s, s.moves[0].from - 1), "o");
    assert_string_equal(state_origin_at(&s, s.moves[0].from), "PeterNeumann");
    state_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_keys_rest_on_requests),
        cmocka_unit_test(heads_are_settled_by_people),
        cmocka_unit_test(closed_requests),
        cmocka_unit_test(approvals_again),
        cmocka_unit_test(failovers),
        cmocka_unit_test(suspensions),
        cmocka_unit_test(ceremonies),
        cmocka_unit_test(attestations),
        cmocka_unit_test(sites),
        cmocka_unit_test(frames),
        cmocka_unit_test(many_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
