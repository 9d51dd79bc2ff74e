#include "audit_state_fixture.h"

/* A request, an approval (entry 11), and its intent (12). */
static void intend(struct state *s)
{
    static const struct row rows[] = {
        {0, ENTRY_REQUEST, "{'expires':'2026-01-01T00:00:00Z'," BIRTH ",'request':'$r','rule':'r','subject':'$g'}"},
        {1, ENTRY_REQUEST, "{" LATER "," BIRTH ",'request':'$r','rule':'r','subject':'$g'}"},
        {0, ENTRY_REQUEST, "{" LATER "," BIRTH ",'request':'$r','rule':'r','subject':'$g'}"},
        {0, ENTRY_APPROVAL, "{'request':'$unknown','signature':'$sig'," VOTE "}"},
        {1, ENTRY_APPROVAL, "{'request':'$r','signature':'$sig'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'request':'$r','signature':'$sig'," VOTE "}"},
        {0, ENTRY_APPROVAL, "{'request':'$r','signature':'$sig-2','reason':'x'," VOTE "}"},
        {0, ENTRY_REJECTION, "{'request':'$r','signature':'$sig-2','reason':'x'," VOTE "}"},
        {0, ENTRY_INTENT, "{" BIRTH ",'request':'$r'," VERDICT "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[10],'at':'2026-01-01T00:00:00Z','rejections':[]}," BIRTH ",'request':'$r'," VERDICT
         "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[11,11],'at':'2026-01-01T00:00:00Z','rejections':[]}," BIRTH
         ",'request':'$r'," VERDICT "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[],'at':'2026-01-01T00:00:00Z','rejections':[11]}," BIRTH ",'request':'$r'," VERDICT
         "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:01Z','rejections':[]}," BIRTH ",'request':'$r'," VERDICT
         "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]}," BIRTH
         ",'request':'$unknown'," VERDICT "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]},'label':'app-2','operation':"
         "'generate','token':'root','request':'$r'," VERDICT "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]},'label':'app-1','operation':"
         "'destroy','token':'root','request':'$r'," VERDICT "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]}," BIRTH
         ",'request':'$r','sites':['cardiff']," VERDICT "}"},
        {0, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]}," BIRTH ",'request':'$r'," VERDICT
         "}"},
    };
    TELL(s, rows);
    assert_int_equal(s->size, 13);
    assert_int_equal(request_named(s, "r")->state, REQUEST_INTENT);
    assert_int_equal(request_named(s, "r")->intent, 12);
    assert_int_equal(state_intent(s, 12)->state, INTENT_OPEN);
    assert_null(state_intent(s, 11));
    struct digest subject = digest_named("g");
    assert_ptr_equal(state_request_by_subject(s, &subject), request_named(s, "r"));
}

static void a_birth(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
    static const struct row rows[] = {
        {0, ENTRY_RECEIPT, "{'intent':12,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_OFFER, "{'intent':12,'offer':'$o','site':'leeds'," OFFER "}"},
        {0, ENTRY_OFFER, "{'intent':11,'offer':'$o','site':'cardiff'," OFFER "}"},
        {0, ENTRY_OFFER, "{'intent':-12,'offer':'$o','site':'cardiff'," OFFER "}"},
        {1, ENTRY_OFFER, "{'intent':12,'offer':'$o','public-key':'00','site':'cardiff'," OFFER "}"},
        {0, ENTRY_OFFER, "{'intent':12,'offer':'$o','site':'cardiff'," OFFER "}"},
        {0, ENTRY_RECEIPT, "{'intent':12,'offer':'$other','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_RECEIPT, "{'intent':12,'offer':'$o','receipt':'$x','site':'slough'}"},
        {0, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
        {0, ENTRY_BORN,
         "{" KEY
         ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {1, ENTRY_RECEIPT, "{'intent':12,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_RECEIPT, "{'intent':12,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_BORN, "{" KEY ",'intent':12,'sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {0, ENTRY_BORN,
         "{" KEY ",'intent':12,'fingerprint':'$other','public-key':'6b6579','sites':['slough'],'type':'EC:P-256'}"},
        {0, ENTRY_BORN,
         "{" KEY ",'intent':11,'fingerprint':'$key','public-key':'6b6579','sites':['slough'],'type':'EC:P-256'}"},
        {0, ENTRY_BORN,
         "{" KEY ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':[],'type':'EC:P-256'}"},
        {0, ENTRY_BORN,
         "{'class':'private-key','id':'0a','label':'app-2','token':'root','intent':12,'fingerprint':'$key','public-key'"
         ":"
         "'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {0, ENTRY_BORN,
         "{'class':'public-key','id':'0a','label':'app-1','token':'root','intent':12,'sites':['slough'],'type':'EC:P-"
         "256'}"},
        {1, ENTRY_BORN,
         "{" KEY
         ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {0, ENTRY_BORN,
         "{" KEY
         ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {0, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'too late'}"},
        {0, ENTRY_OFFER, "{'intent':12,'offer':'$o2','site':'cardiff'," OFFER "}"},
        {0, ENTRY_APPROVAL, "{'request':'$r','signature':'$sig-3'," VOTE "}"},
        {0, ENTRY_ACCEPTED, "{'intent':12,'sites':[]}"},
        {1, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
        {0, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
    };
    TELL(&s, rows);
    assert_int_equal(request_named(&s, "r")->state, REQUEST_SPENT);
    assert_int_equal(state_intent(&s, 12)->state, INTENT_SETTLED);
    const struct state_key *k = state_key(&s, "root", "private-key", "0a", "app-1");
    assert_non_null(k);
    assert_int_equal(k->sites.count, 2);
    assert_int_equal(k->intent, 12);
    assert_null(state_key(&s, "root", "private-key", "0a", "app-2"));
    assert_null(state_key(&s, "root", "secret-key", "0a", NULL));

    static const struct row later[] = {
        {0, ENTRY_MODIFIED, "{'class':'private-key','id':'0b','label':'app-1','token':'root','new-label':'app-9'}"},
        {0, ENTRY_MODIFIED, "{" KEY ",'new-id':'0'}"},
        {1, ENTRY_MODIFIED, "{" KEY ",'new-label':'app-9','new-id':'0b'}"},
        {0, ENTRY_DESTROYED, "{" KEY "}"},
        {1, ENTRY_DESTROYED, "{'class':'private-key','id':'0b','label':'app-9','token':'root'}"},
        {0, ENTRY_DESTROYED, "{'class':'private-key','id':'0b','label':'app-9','token':'root'}"},
    };
    TELL(&s, later);
    assert_null(state_key(&s, "root", "private-key", "0b", NULL));
    assert_true(s.keys[0].destroyed);
    state_clear(&s);
}

static void rolled_back_and_tried_again(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
    static const struct row rows[] = {
        {1, ENTRY_OFFER, "{'intent':12,'offer':'$o','site':'cardiff'," OFFER "}"},
        {0, ENTRY_ORPHAN, "{'intent':12,'site':'slough'}"},
        {1, ENTRY_ORPHAN, "{'intent':12,'site':'cardiff'}"},
        {0, ENTRY_ORPHAN, "{'intent':12,'site':'cardiff'}"},
        {0, ENTRY_ROLLED_BACK, "{'intent':12}"},
        {0, ENTRY_ROLLED_BACK, "{'intent':12,'reason':''}"},
        {1, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'a site was away'}"},
        {0, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'again'}"},
        {0, ENTRY_RECEIPT, "{'intent':12,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_BORN,
         "{" KEY ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':['slough'],'type':'EC:P-256'}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]}," BIRTH ",'request':'$r'," VERDICT
         "}"},
    };
    TELL(&s, rows);
    assert_int_equal(state_intent(&s, 12)->state, INTENT_ROLLED_BACK);
    assert_int_equal(state_intent(&s, 16)->state, INTENT_OPEN);
    assert_int_equal(request_named(&s, "r")->intent, 16);
    assert_int_equal(state_intent(&s, 12)->orphans.count, 1);
    static const struct row settled[] = {
        {0, ENTRY_ACCEPTED, "{'intent':12,'sites':[]}"},
        {0, ENTRY_ACCEPTED, "{'intent':12,'sites':['slough']}"},
        {1, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
        {0, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
    };
    TELL(&s, settled);
    assert_int_equal(state_intent(&s, 12)->orphans.count, 0);
    assert_int_equal(state_intent(&s, 12)->state, INTENT_ROLLED_BACK);
    state_clear(&s);
}

/* A policy that comes into force voids what is pending, and what rolls back later. */
/* Receipts that may come later: only of those who were offered something, and with time left; then born, or rolled back. */
static void provisional_first(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
    static const struct row rows[] = {
        {0, ENTRY_PROVISIONAL, "{'intent':12,'sites':['cardiff'],'until':'2026-01-02T00:00:00Z'}"},
        {1, ENTRY_OFFER, "{'intent':12,'offer':'$o','public-key':'00','site':'cardiff'," OFFER "}"},
        {1, ENTRY_OFFER, "{'intent':12,'offer':'$spare','public-key':'00','site':'cardiff'," OFFER "}"},
        {0, ENTRY_PROVISIONAL, "{'intent':11,'sites':['cardiff'],'until':'2026-01-02T00:00:00Z'}"},
        {0, ENTRY_PROVISIONAL, "{'intent':12,'sites':[],'until':'2026-01-02T00:00:00Z'}"},
        {0, ENTRY_PROVISIONAL, "{'intent':12,'sites':['slough'],'until':'2026-01-02T00:00:00Z'}"},
        {0, ENTRY_PROVISIONAL, "{'intent':12,'sites':['cardiff'],'until':'2026-01-01T00:00:00Z'}"},
        {0, ENTRY_PROVISIONAL, "{'intent':12,'sites':['cardiff']}"},
        {1, ENTRY_PROVISIONAL, "{'intent':12,'sites':['cardiff'],'until':'2026-01-02T00:00:00Z'}"},
        {0, ENTRY_PROVISIONAL, "{'intent':12,'sites':['cardiff'],'until':'2026-01-02T00:00:00Z'}"},
        {0, ENTRY_OFFER, "{'intent':12,'offer':'$late','site':'cardiff'," OFFER "}"},
        {0, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
        {0, ENTRY_BORN,
         "{" KEY
         ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
    };
    TELL(&s, rows);
    assert_int_equal(state_intent(&s, 12)->state, INTENT_PROVISIONAL);
    assert_int_equal(state_intent(&s, 12)->until, NOW + 86400);
    assert_int_equal(request_named(&s, "r")->state, REQUEST_INTENT);
    assert_null(state_key(&s, "root", "private-key", "0a", NULL));
    static const struct row later[] = {
        {1, ENTRY_RECEIPT, "{'intent':12,'offer':'$spare','receipt':'$x','site':'cardiff'}"},
        {1, ENTRY_BORN,
         "{" KEY
         ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {0, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'too late'}"},
        {1, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
    };
    TELL(&s, later);
    assert_non_null(state_key(&s, "root", "private-key", "0a", NULL));
    state_clear(&s);
}

/* The key that it names: whole, of a pair, and the one that is born later. */
static void provisional_key(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
#define AWAITED "{'intent':14,'sites':['cardiff'],'until':'2026-01-02T00:00:00Z'"
    static const struct row rows[] = {
        {1, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'without a class'}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]}," BIRTH ",'request':'$r'," VERDICT
         ",'class':'private-key','sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {1, ENTRY_OFFER, "{'intent':14,'offer':'$o','public-key':'00','site':'cardiff'," OFFER "}"},
        {0, ENTRY_PROVISIONAL, AWAITED ",'fingerprint':'$key','public-key':'6b6579'}"},
        {0, ENTRY_PROVISIONAL, AWAITED ",'fingerprint':'$key','id':'0a'}"},
        {0, ENTRY_PROVISIONAL, AWAITED ",'fingerprint':'$x','id':'0a','public-key':'6b6579'}"},
        {0, ENTRY_PROVISIONAL, AWAITED ",'fingerprint':'$key','id':'0','public-key':'6b6579'}"},
        {1, ENTRY_PROVISIONAL, AWAITED ",'fingerprint':'$key','id':'0a','public-key':'6b6579'}"},
        {1, ENTRY_RECEIPT, "{'intent':14,'offer':'$o','receipt':'$x','site':'cardiff'}"},
    };
    TELL(&s, rows);
    const struct state_key *k = state_key_awaited(&s, 14);
    assert_non_null(k);
    assert_string_equal(k->id, "0a");
    assert_string_equal(k->label, "app-1");
    assert_string_equal(k->sites.items[0], "slough");
    assert_null(state_key(&s, "root", "private-key", "0a", NULL));
    assert_null(state_key_awaited(&s, 12));
    static const struct row later[] = {
        {0, ENTRY_BORN,
         "{" KEY ",'intent':14,'fingerprint':'$other','public-key':'6f74686572','sites':['slough','cardiff'],'type':'"
         "EC:P-256'}"},
        {1, ENTRY_BORN,
         "{" KEY
         ",'intent':14,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
    };
    TELL(&s, later);
    assert_non_null(state_key(&s, "root", "private-key", "0a", NULL));
    state_clear(&s);
}

/* Where the intent says who answers later, they do: after `provisional`, which names exactly them, and in time. */
static void later_is_later(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
#define AGAIN "'evidence':{'approvals':[11],'at':'2026-01-01T00:00:00Z','rejections':[]},'request':'$r'," VERDICT
#define ASIDE ",'until':'2026-01-02T00:00:00Z'}"
#define IS_BORN                                                                                                        \
    "{" KEY ",'intent':14,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"
    static const struct row rows[] = {
        {1, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'once more'}"},
        {0, ENTRY_INTENT, "{" AGAIN "," BIRTH ",'sites':['slough','cardiff'],'later':[]}"},
        {0, ENTRY_INTENT, "{" AGAIN "," BIRTH ",'sites':['slough','cardiff'],'later':'cardiff'}"},
        {0, ENTRY_INTENT, "{" AGAIN "," BIRTH ",'sites':['slough','cardiff'],'later':['cardiff','cardiff']}"},
        {0, ENTRY_INTENT, "{" AGAIN "," BIRTH ",'sites':['slough','cardiff'],'later':['slough']}"},
        {0, ENTRY_INTENT, "{" AGAIN "," BIRTH ",'sites':['slough','cardiff'],'later':['leeds']}"},
        {0, ENTRY_INTENT, "{" AGAIN "," BIRTH ",'later':['cardiff']}"},
        {1, ENTRY_INTENT, "{" AGAIN "," BIRTH ",'sites':['slough','cardiff','leeds'],'later':['cardiff']}"},
        {1, ENTRY_OFFER, "{'intent':14,'offer':'$o','public-key':'00','site':'cardiff'," OFFER "}"},
        {1, ENTRY_OFFER, "{'intent':14,'offer':'$p','public-key':'00','site':'slough'," OFFER "}"},
        {0, ENTRY_RECEIPT, "{'intent':14,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_BORN, IS_BORN},
        {0, ENTRY_PROVISIONAL, "{'intent':14,'sites':['slough']" ASIDE},
        {0, ENTRY_PROVISIONAL, "{'intent':14,'sites':['cardiff','slough']" ASIDE},
        {1, ENTRY_PROVISIONAL, "{'intent':14,'sites':['cardiff']" ASIDE},
        {0, ENTRY_BORN, IS_BORN},
    };
    TELL(&s, rows);
    static const struct row late[] = {{0, ENTRY_RECEIPT, "{'intent':14,'offer':'$o','receipt':'$x','site':'cardiff'}"}};
    state_intent(&s, 14)->until = NOW - 1;
    TELL(&s, late);
    static const struct row in_time[] = {
        {1, ENTRY_RECEIPT, "{'intent':14,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {1, ENTRY_BORN, IS_BORN},
    };
    state_intent(&s, 14)->until = NOW;
    TELL(&s, in_time);
    state_clear(&s);
}

static void provisional_in_vain(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
    static const struct row rows[] = {
        {1, ENTRY_OFFER, "{'intent':12,'offer':'$o','public-key':'00','site':'cardiff'," OFFER "}"},
        {1, ENTRY_PROVISIONAL, "{'intent':12,'sites':['cardiff'],'until':'2026-01-02T00:00:00Z'}"},
        {1, ENTRY_ORPHAN, "{'intent':12,'site':'cardiff'}"},
        {1, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'too late'}"},
        {0, ENTRY_RECEIPT, "{'intent':12,'offer':'$o','receipt':'$x','site':'cardiff'}"},
        {0, ENTRY_BORN,
         "{" KEY
         ",'intent':12,'fingerprint':'$key','public-key':'6b6579','sites':['slough','cardiff'],'type':'EC:P-256'}"},
        {1, ENTRY_ACCEPTED, "{'intent':12,'sites':['cardiff']}"},
    };
    TELL(&s, rows);
    assert_int_equal(state_intent(&s, 12)->state, INTENT_ROLLED_BACK);
    assert_int_equal(request_named(&s, "r")->state, REQUEST_PENDING);
    state_clear(&s);
}

static void policies_void_requests(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
    static const struct row rows[] = {
        {1, ENTRY_REQUEST, "{'operation':'use','request':'$u','rule':'r','subject':'$us'," LATER "}"},
        {1, ENTRY_REQUEST, "{'operation':'adopt-policy','request':'$a2','rule':'r','subject':'$s'," LATER "}"},
        {1, ENTRY_REFUSED, "{'findings':['x','x'],'operation':'wrap','requester':'uid:1','subject':'$no'}"},
        {0, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-2','request':'$u','version':2," VERDICT "}"},
        {0, ENTRY_POLICY, "{'canonical':'$c','digest':'$policy-2','request':'$a2','version':1," VERDICT "}"},
    };
    TELL(&s, rows);
    struct digest refused = digest_named("no"), subject = digest_named("us");
    assert_true(state_was_refused(&s, &refused));
    assert_non_null(state_request_by_subject(&s, &subject));
    static const struct row adopted[] = {
        {1, ENTRY_POLICY,
         "{'canonical':'$c','digest':'$policy-2','request':'$a2','succession':'true','version':5," VERDICT "}"},
        {0, ENTRY_APPROVAL, "{'request':'$u','signature':'$sig-9'," VOTE "}"},
        {1, ENTRY_ROLLED_BACK, "{'intent':12,'reason':'the policy changed'}"},
    };
    TELL(&s, adopted);
    assert_false(state_was_refused(&s, &refused));
    assert_null(state_request_by_subject(&s, &subject));
    assert_int_equal(request_named(&s, "u")->state, REQUEST_VOID);
    assert_string_equal(request_named(&s, "u")->why, "policy 5 adopted");
    assert_int_equal(request_named(&s, "a2")->state, REQUEST_SPENT);
    assert_int_equal(request_named(&s, "r")->state, REQUEST_VOID);
    state_clear(&s);
}

/* A rule that plainly allows leaves a key without intent; a secret key has no public half. */
static void born_without_intent(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    static const struct row rows[] = {
        {1, ENTRY_BORN,
         "{'class':'secret-key','function':'C_GenerateKey','id':'','label':'','sites':['slough'],"
         "'token':'root','type':'AES:256'}"},
        {1, ENTRY_BORN, "{" KEY ",'sites':['slough'],'type':'EC:P-256'}"},
        {0, ENTRY_BORN, "{" KEY ",'sites':['slough'],'type':'EC:P-256','public-key':'6b6579'}"},
        {0, ENTRY_BORN, "{" KEY ",'sites':['slough'],'type':'EC:P-256','fingerprint':'$key'}"},
        {0, ENTRY_BORN, "{" KEY ",'sites':['slough','slough'],'type':'EC:P-256'}"},
        {0, ENTRY_BORN, "{" KEY ",'sites':['slough'],'type':'EC:P-256','intent':0}"},
        {0, ENTRY_BORN,
         "{'class':'secret-key','id':'0','label':'','sites':['slough'],'token':'root','type':'AES:256'}"},
        {0, ENTRY_BORN,
         "{'class':'secret-key','fingerprint':'$key','id':'','label':'','public-key':'6b6579','sites':"
         "['slough'],'token':'root','type':'AES:256'}"},
    };
    TELL(&s, rows);
    assert_int_equal(s.key_count, 2);
    assert_int_equal(state_key(&s, "root", "secret-key", "", NULL)->intent, 0);
    state_clear(&s);
}

#define OF_00 "'signature':'6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'"

static void used_spends(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    enrol(&s);
    intend(&s);
    static const struct row rows[] = {
        {0, ENTRY_USED, "{'intent':12,'label':'app-1'}"},
        {0, ENTRY_USED, "{'intent':11,'label':'app-1','token':'root'}"},
        {0, ENTRY_USED, "{'intent':12,'label':'app-1','request':'$adopt','token':'root'}"},
        {1, ENTRY_REQUEST, "{'operation':'use','request':'$u','rule':'r','subject':'$us'," LATER "}"},
        {0, ENTRY_USED, "{'intent':12,'label':'app-1','request':'$u','token':'root'}"},
        {0, ENTRY_USED, "{'intent':12,'label':'app-1','request':'$r','token':'root'}"}, /* asked for a birth */
        {0, ENTRY_USED, "{'label':'app-1','operation':'wrap','request':'$u','token':'root'}"},
        {0, ENTRY_USED, "{'label':'app-1','operation':'generate','request':'$r','token':'root'}"},
        {0, ENTRY_USED, "{'count':0,'label':'app-1','request':'$u','token':'root'}"},
        {0, ENTRY_USED, "{'label':'app-1','request':'$u','token':'root','value':'00'}"},
        {0, ENTRY_USED, "{'label':'app-1','request':'$u','signature':'$d','token':'root','value':'00'}"},
        {0, ENTRY_USED, "{'label':'app-1','request':'$u'," OF_00 ",'token':'root','value':'0'}"},
        {1, ENTRY_USED, "{'count':5,'data':'$d','label':'app-1','request':'$u'," OF_00 ",'token':'root','value':'00'}"},
        {0, ENTRY_USED, "{'label':'app-1','request':'$u','token':'root'}"},
    };
    TELL(&s, rows);
    assert_int_equal(request_named(&s, "u")->state, REQUEST_SPENT);
    assert_int_equal(request_named(&s, "r")->state, REQUEST_INTENT);
    state_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_birth),
        cmocka_unit_test(provisional_first),
        cmocka_unit_test(provisional_key),
        cmocka_unit_test(later_is_later),
        cmocka_unit_test(provisional_in_vain),
        cmocka_unit_test(rolled_back_and_tried_again),
        cmocka_unit_test(policies_void_requests),
        cmocka_unit_test(born_without_intent),
        cmocka_unit_test(used_spends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
