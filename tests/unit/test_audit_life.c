#include "audit_state_fixture.h"
#include <inttypes.h>

/* What the state makes of drills, of sites that end, and of HSMs that move. */

/* Keys 10 and 11 at slough, 12 at slough and cardiff. */
static void held(struct state *s)
{
    found(s);
    enrol(s);
    static const struct row rows[] = {
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'01','label':'a','sites':['slough'],'token':'root','type':'AES:256'}"},
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'02','label':'b','sites':['slough'],'token':'root','type':'AES:256'}"},
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'03','label':'c','sites':['slough'],'token':'root','type':'AES:256'}"},
    };
    TELL(s, rows);
    assert_int_equal(s->keys[0].seq, 10);
    assert_true(strings_add(&s->keys[2].sites, "cardiff"));
    state_site(s, "root", "slough")->drilled = 0;
}

/* The next transport key: one that no site has. */
static void transport_renewed(void **state)
{
    (void)state;
    struct state s;
    held(&s);
#define RENEWED "'signature':'05','token':'root','transport-id':'0d'"
    static const struct row rows[] = {
        {0, ENTRY_TRANSPORT_RENEWED, "{'site':'glasgow','transport':'ee'," RENEWED "}"},
        {0, ENTRY_TRANSPORT_RENEWED, "{'site':'slough','transport':''," RENEWED "}"},
        {0, ENTRY_TRANSPORT_RENEWED, "{'site':'slough','transport':'ee','more':'x'," RENEWED "}"},
        {0, ENTRY_TRANSPORT_RENEWED, "{'site':'slough','token':'root','transport':'ee','transport-id':'0d'}"},
        {0, ENTRY_TRANSPORT_RENEWED, "{'site':'slough','transport':'bb'," RENEWED "}"}, /* its own */
        {0, ENTRY_TRANSPORT_RENEWED, "{'site':'slough','transport':'aa'," RENEWED "}"}, /* its identity */
        {1, ENTRY_TRANSPORT_RENEWED, "{'site':'slough','transport':'ee'," RENEWED "}"},
        {0, ENTRY_TRANSPORT_RENEWED, "{'site':'cardiff','transport':'ee'," RENEWED "}"}, /* another site's */
    };
    TELL(&s, rows);
    const struct state_site *slough = state_site(&s, "root", "slough");
    assert_int_equal(slough->transport.data[0], 0xee);
    assert_string_equal(slough->transport_id, "0d");
    assert_int_equal(slough->renewed, 13);
    state_clear(&s);
}

static void fresh_when_all_is_proven(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    const struct state_site *slough = state_site(&s, "root", "slough"), *cardiff = state_site(&s, "root", "cardiff");
    static const struct row some[] = {
        {0, ENTRY_DRILL, "{'failed':[],'proven':[11,10],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10,10],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[9],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':['10'],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[10],'proven':[10],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12]," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10],'reason':'away'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[],'reason':'x','receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[],'reason':''," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'more':'x','proven':[],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[],'receipt':'$d','site':'slough','token':'root'}"},
        {0, ENTRY_DRILL, /* cardiff does not hold it */
         "{'challenge':'$c','failed':[],'proven':[10],'receipt':'$d','site':'cardiff','token':'root'}"},
        /* not all of them */
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, some);
    assert_int_equal(slough->drilled, 0);
    static const struct row all[] = {
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, all);
    assert_int_equal(slough->drilled, NOW);
    assert_int_equal(cardiff->drilled, 0); /* each site for itself */
    static const struct row away[] = {
        {1, ENTRY_DRILL, "{'failed':[10,11,12],'proven':[],'reason':'away'," DRILLED "}"},
    };
    TELL(&s, away);
    assert_int_equal(slough->drilled, NOW); /* of a site that does not answer nothing new is known */
    static const struct row gone[] = {
        {1, ENTRY_DRILL, "{'failed':[11],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, gone);
    assert_int_equal(slough->drilled, 0);
    static const struct row ended[] = {
        {1, ENTRY_DESTROYED, "{'class':'secret-key','id':'02','label':'b','sites':['slough'],'token':'root'}"},
        {0, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"},
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
    };
    TELL(&s, ended);
    assert_int_equal(slough->drilled, NOW);
    state_clear(&s);
}

#define AT_HOME                                                                                                        \
    "'country':'GB','latitude':'51.51','longitude':'-0.59','place':'slough','site':'slough','tags':[],'token':'root'"

/* Out, sealed, arrived, answered; in between it is nowhere. */
static void from_place_to_place(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    const struct state_site *slough = state_site(&s, "root", "slough");
    static const struct row out[] = {
        {0, ENTRY_DEPARTED, "{'bag':'7','site':'leeds','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'bag':'','site':'slough','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'site':'slough','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'bag':'7','more':'x','site':'slough','token':'root'}"},
        {1, ENTRY_DEPARTED, "{'bag':'7','carrier':'ann','site':'slough','token':'root'}"},
        {0, ENTRY_DEPARTED, "{'bag':'8','site':'slough','token':'root'}"},
    };
    TELL(&s, out);
    assert_true(slough->away);
    assert_false(slough->placed);
    assert_string_equal(slough->bag, "7");
    static const struct row in[] = {
        {0, ENTRY_ARRIVED, "{'bag':'7'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','bag':'7'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'bag':'7','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','bag':'8','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'no','bag':'7','challenge':'$c'," AT_HOME "}"},
        {1, ENTRY_ARRIVED, "{'answer':'aa','bag':'7','challenge':'$c'," AT_HOME "}"},
        {0, ENTRY_ARRIVED, "{'answer':'aa','bag':'7','challenge':'$c'," AT_HOME "}"},
        {1, ENTRY_DEPARTED, "{'bag':'9','site':'slough','token':'root'}"},
    };
    TELL(&s, in);
    assert_true(slough->away);
    state_clear(&s);
}

#define RETIRED "'request':'$t','token':'root'"

/* Only after the others have proven every key, and since people decided it. */
static void retired_when_others_hold_all(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    static const struct row before[] = {
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"}, /* before it was decided */
        {1, ENTRY_REQUEST,
         "{'operation':'retire-site','request':'$t','rule':'r','subject':'$ts','token':'root'," LATER "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'retire-site',"
         "'request':'$t','site':'cardiff','token':'root'," VERDICT "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {1, ENTRY_DRILL, "{'failed':[11],'proven':[10,12],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'slough'," VERDICT "}"}, /* that was not decided */
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'more':'x','site':'cardiff'," VERDICT "}"},
        {1, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
    };
    TELL(&s, before);
    const struct state_intent *i = &s.intents[0];
    assert_null(state_site(&s, "root", "cardiff"));
    assert_int_equal(s.keys[2].sites.count, 1);
    assert_true(strings_have(&s.keys[2].retired, "cardiff"));
    assert_true(strings_have(&i->orphans, "cardiff"));
    assert_int_equal(i->state, INTENT_SETTLED);
    assert_int_equal(request_named(&s, "t")->state, REQUEST_SPENT);
    assert_int_equal(i->seq, 15);
    static const struct row after[] = {
        {0, ENTRY_ACCEPTED, "{'intent':15,'sites':['slough']}"},
        {0, ENTRY_ACCEPTED, "{'intent':15,'sites':[]}"},
        {1, ENTRY_ACCEPTED, "{'intent':15,'sites':['cardiff']}"},
        {0, ENTRY_ACCEPTED, "{'intent':15,'sites':['cardiff']}"},
        /* An end that was begun before. */
        {0, ENTRY_DESTROYED,
         "{'class':'secret-key','id':'03','label':'c','sites':['cardiff','slough'],'token':'root'}"},
        {1, ENTRY_DESTROYED, "{'class':'secret-key','id':'03','label':'c','sites':['slough'],'token':'root'}"},
    };
    TELL(&s, after);
    assert_int_equal(s.keys[2].retired.count, 0);
    state_clear(&s);
}

#define RETIRING(until)                                                                                                \
    "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'retire-site',"              \
    "'request':'$t','site':'cardiff','token':'root','until':'" until "'," VERDICT "}"

/* A drill of all that slough holds, for this challenge. */
static enum outcome drilled_for(struct state *s, const struct digest *challenge, const char *proven, const char *failed)
{
    struct fault f;
    char *text = NULL;
    assert_true(asprintf(&text,
                         "{'challenge':'%s','failed':[%s],'proven':[%s],'receipt':'$d','site':'slough','token':'root'}",
                         digest_hex(challenge).hex, failed, proven) > 0);
    enum outcome rc = give(s, ENTRY_DRILL, NULL, text, &f);
    free(text);
    return rc;
}

/* What waits says until when; it is proven by who answers its own challenge, for what they hold now. */
static void retired_by_what_it_waited_for(void **state)
{
    (void)state;
    struct state s;
    struct digest asked, again, other = digest_named("c");
    held(&s);
    static const struct row before[] = {
        {1, ENTRY_REQUEST,
         "{'operation':'retire-site','request':'$t','rule':'r','subject':'$ts','token':'root'," LATER "}"},
        {0, ENTRY_INTENT, RETIRING("2026-01-01T00:00:00Z")},
        {0, ENTRY_INTENT, RETIRING("2026-01-15T00:00:01Z")},
        {0, ENTRY_INTENT, RETIRING("soon")},
        {1, ENTRY_INTENT, RETIRING("2026-01-15T00:00:00Z")},
        {1, ENTRY_DRILL, "{'failed':[],'proven':[10,11,12],'receipt':'$d'," DRILLED "}"}, /* for another challenge */
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"},
    };
    TELL(&s, before);
    static const struct row end[] = {{1, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"}};
    static const struct row not_yet[] = {{0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'cardiff'," VERDICT "}"}};
    struct state_intent *i = &s.intents[0];
    assert_true(state_retirement_challenge(&s, i, "slough", &asked));
    assert_true(state_retirement_challenge(&s, i, "cardiff", &other));
    assert_false(digest_equal(&asked, &other));
    assert_int_equal(drilled_for(&s, &other, "10,11,12", ""), OK); /* another site's */
    assert_false(state_retirement_proven(&s, i, "slough"));
    assert_int_equal(drilled_for(&s, &asked, "10,11", ""), OK); /* fewer keys */
    TELL(&s, not_yet);
    assert_int_equal(drilled_for(&s, &asked, "10,11,12", ""), OK);
    assert_true(state_retirement_proven(&s, i, "slough"));
    assert_int_equal(drilled_for(&s, &other, "10,11,12", ""), OK); /* a drill besides takes nothing away */
    assert_true(state_retirement_proven(&s, i, "slough"));
    static const struct row another[] = {
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'04','label':'d','sites':['slough'],'token':'root',"
         "'type':'AES:256'}"}};
    TELL(&s, another);
    TELL(&s, not_yet);
    assert_true(state_retirement_challenge(&s, i, "slough", &again));
    assert_false(digest_equal(&asked, &again));
    char all[64];
    snprintf(all, sizeof all, "10,11,12,%" PRIu64, s.keys[3].seq);
    assert_int_equal(drilled_for(&s, &again, all, ""), OK);
    assert_int_equal(drilled_for(&s, &other, "10,11", "12"), OK); /* one failed since */
    TELL(&s, not_yet);
    assert_int_equal(drilled_for(&s, &again, all, ""), OK);
    moment until = i->until;
    i->until = NOW - 1;
    TELL(&s, not_yet);
    i->until = until;
    TELL(&s, end);
    assert_null(state_site(&s, "root", "cardiff"));
    state_clear(&s);
}

static void not_with_the_only_replica(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    static const struct row rows[] = {
        {1, ENTRY_REQUEST,
         "{'operation':'retire-site','request':'$t','rule':'r','subject':'$ts','token':'root'," LATER "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'retire-site',"
         "'request':'$t','site':'slough','token':'root'," VERDICT "}"},
        {1, ENTRY_DRILL, "{'challenge':'$c','failed':[],'proven':[12],'receipt':'$d','site':'cardiff','token':'root'}"},
        {0, ENTRY_SITE_RETIRED, "{" RETIRED ",'site':'slough'," VERDICT "}"},
    };
    TELL(&s, rows);
    assert_non_null(state_site(&s, "root", "slough"));
    state_clear(&s);
}

static void left_until_cleared(void **state)
{
    (void)state;
    struct state s;
    held(&s);
#define KEY_C "'class':'secret-key','id':'03','label':'c','token':'root'"
    static const struct row rows[] = {
        {0, ENTRY_CLEARED, "{'born':12,'sites':['cardiff']}"},
        {0, ENTRY_DESTROYED, "{" KEY_C ",'left':['cardiff','cardiff'],'sites':['slough']}"},
        {0, ENTRY_DESTROYED, "{" KEY_C ",'sites':['slough']}"}, /* and cardiff? */
        {0, ENTRY_DESTROYED, "{" KEY_C ",'left':['leeds'],'sites':['slough']}"},
        {1, ENTRY_DESTROYED, "{" KEY_C ",'left':['cardiff','leeds'],'sites':['slough']}"},
        {0, ENTRY_CLEARED, "{'born':12,'sites':['slough']}"},
        {0, ENTRY_CLEARED, "{'born':12,'sites':['leeds']}"},
        {0, ENTRY_CLEARED, "{'born':12,'sites':[]}"},
        {0, ENTRY_CLEARED, "{'born':11,'sites':['cardiff']}"},
        {0, ENTRY_CLEARED, "{'born':12,'more':'x','sites':['cardiff']}"},
        {1, ENTRY_CLEARED, "{'born':12,'sites':['cardiff']}"},
        {0, ENTRY_CLEARED, "{'born':12,'sites':['cardiff']}"},
    };
    TELL(&s, rows);
    state_clear(&s);
}

#define REPLICATED "'label':'a','token':'root'"
#define REPLICATE_ASKED                                                                                                \
    {                                                                                                                  \
        1, ENTRY_REQUEST,                                                                                              \
            "{'label':'a','operation':'replicate','request':'$t','rule':'r','subject':'$ts','token':'root'," LATER "}" \
    }
#define REPLICATE_INTENDED                                                                                             \
    {                                                                                                                  \
        1, ENTRY_INTENT,                                                                                               \
            "{'born':10,'caller-id':'01','evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[]},"     \
            "'label':'a','operation':'replicate','request':'$t','sites':['slough','cardiff'],'token':'root'," VERDICT  \
            "}"                                                                                                        \
    }

/* A key comes to one site more: what people decided, once the site gave its receipt, and not twice. */
static void brought_to_a_site(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    static const struct row rows[] = {
        REPLICATE_ASKED,
        {0, ENTRY_REPLICATED, "{'born':10,'intent':13,'site':'cardiff'," REPLICATED "}"},
        REPLICATE_INTENDED,
        {1, ENTRY_OFFER, "{'intent':14,'offer':'$o','site':'cardiff'," OFFER "}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'cardiff'," REPLICATED "}"}, /* no receipt */
        {1, ENTRY_RECEIPT, "{'intent':14,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'slough'," REPLICATED "}"},
        {0, ENTRY_REPLICATED, "{'born':11,'intent':14,'label':'b','site':'cardiff','token':'root'}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'label':'b','site':'cardiff','token':'root'}"},
        {0, ENTRY_REPLICATED, "{'born':9,'intent':14,'site':'cardiff'," REPLICATED "}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':13,'site':'cardiff'," REPLICATED "}"},
        {0, ENTRY_REPLICATED, "{'born':10,'site':'cardiff'," REPLICATED "}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'more':'x','site':'cardiff'," REPLICATED "}"},
        {1, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'cardiff'," REPLICATED "}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'cardiff'," REPLICATED "}"},
        {0, ENTRY_ROLLED_BACK, "{'intent':14,'reason':'too late'}"},
    };
    TELL(&s, rows);
    assert_true(state_key_at(&s.keys[0], "root", "cardiff") && s.keys[0].sites.count == 2);
    assert_int_equal(s.intents[0].state, INTENT_BORN);
    assert_int_equal(request_named(&s, "t")->state, REQUEST_SPENT);
    static const struct row after[] = {
        {0, ENTRY_ACCEPTED, "{'intent':14,'sites':['slough']}"},
        {1, ENTRY_ACCEPTED, "{'intent':14,'sites':['slough','cardiff']}"},
    };
    TELL(&s, after);
    assert_int_equal(s.intents[0].state, INTENT_SETTLED);
    state_clear(&s);
}

/* Neither a key that changed meanwhile, nor one whose end there is not known. */
static void not_brought_as_another(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    static const struct row rows[] = {
        REPLICATE_ASKED,
        REPLICATE_INTENDED,
        {1, ENTRY_OFFER, "{'intent':14,'offer':'$o','site':'cardiff'," OFFER "}"},
        {1, ENTRY_RECEIPT, "{'intent':14,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {1, ENTRY_MODIFIED, "{'class':'secret-key','id':'01','label':'a','new-id':'0101','token':'root'}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'cardiff'," REPLICATED "}"},
        {1, ENTRY_MODIFIED, "{'class':'secret-key','id':'0101','label':'a','new-id':'01','token':'root'}"},
    };
    TELL(&s, rows);
    assert_true(strings_add(&s.keys[0].retired, "cardiff"));
    static const struct row there[] = {
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'cardiff'," REPLICATED "}"},
        {1, ENTRY_ROLLED_BACK, "{'intent':14,'reason':'too late'}"},
    };
    TELL(&s, there);
    assert_int_equal(s.keys[0].sites.count, 1);
    state_clear(&s);
}

/* Its receipt may come later, where it was offered; of no other key than the one that exists. */
static void brought_when_the_receipt_comes(void **state)
{
    (void)state;
    struct state s;
    held(&s);
    static const struct row rows[] = {
        REPLICATE_ASKED,
        REPLICATE_INTENDED,
        {0, ENTRY_PROVISIONAL, "{'intent':14,'sites':['cardiff'],'until':'2027-01-02T00:00:00Z'}"},
        {1, ENTRY_OFFER, "{'intent':14,'offer':'$o','site':'cardiff'," OFFER "}"},
        {0, ENTRY_PROVISIONAL, "{'intent':14,'sites':['slough'],'until':'2027-01-02T00:00:00Z'}"},
        {0, ENTRY_PROVISIONAL,
         "{'fingerprint':'$key','id':'01','intent':14,'public-key':'6b6579','sites':['cardiff'],'until':'2027-01-02T00:"
         "00:00Z'}"},
        {1, ENTRY_PROVISIONAL, "{'intent':14,'sites':['cardiff'],'until':'2027-01-02T00:00:00Z'}"},
        {0, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'cardiff'," REPLICATED "}"}, /* no receipt */
    };
    TELL(&s, rows);
    assert_int_equal(s.intents[0].state, INTENT_PROVISIONAL);
    assert_int_equal(s.keys[0].sites.count, 1);
    assert_int_equal(s.awaited_count, 0);
    static const struct row later[] = {
        {1, ENTRY_RECEIPT, "{'intent':14,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {1, ENTRY_REPLICATED, "{'born':10,'intent':14,'site':'cardiff'," REPLICATED "}"},
        {0, ENTRY_ROLLED_BACK, "{'intent':14,'reason':'too late'}"},
        {1, ENTRY_ACCEPTED, "{'intent':14,'sites':['slough','cardiff']}"},
    };
    TELL(&s, later);
    assert_true(state_key_at(&s.keys[0], "root", "cardiff"));
    assert_int_equal(request_named(&s, "t")->state, REQUEST_SPENT);
    state_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh_when_all_is_proven),
        cmocka_unit_test(retired_when_others_hold_all),
        cmocka_unit_test(retired_by_what_it_waited_for),
        cmocka_unit_test(not_with_the_only_replica),
        cmocka_unit_test(from_place_to_place),
        cmocka_unit_test(left_until_cleared),
        cmocka_unit_test(brought_to_a_site),
        cmocka_unit_test(not_brought_as_another),
        cmocka_unit_test(brought_when_the_receipt_comes),
        cmocka_unit_test(transport_renewed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
