#include "audit_state_fixture.h"

/* A token made new ends its keys one by one, and then itself; another token's are not its matter. */
static void a_token_made_new(void **context)
{
    (void)context;
    struct state s;
    found(&s);
    static const struct row rows[] = {
        {1, ENTRY_BORN, "{" KEY ",'sites':['slough'],'type':'EC:P-256'}"},
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'0b','label':'app-2','sites':['slough'],'token':'root','type':'AES:256'}"},
        {1, ENTRY_BORN,
         "{'class':'secret-key','id':'0c','label':'app-3','sites':['slough'],'token':'other','type':'AES:256'}"},
        {1, ENTRY_REQUEST,
         "{'operation':'initialise','request':'$i','rule':'r','subject':'$is','token':'root'," LATER "}"},
        {1, ENTRY_APPROVAL, "{'request':'$i','signature':'$sig'," VOTE "}"},
        {1, ENTRY_INTENT,
         "{'evidence':{'approvals':[8],'at':'2026-01-01T00:00:00Z','rejections':[]},'operation':'initialise',"
         "'request':'$i','token':'root'," VERDICT "}"},
        {0, ENTRY_DESTROYED, "{" KEY ",'intent':8,'sites':['slough']}"}, /* no intent */
        {0, ENTRY_DESTROYED,
         "{'class':'secret-key','id':'0c','label':'app-3','intent':9,'sites':['slough'],'token':'other'}"},
        {1, ENTRY_DESTROYED, "{" KEY ",'intent':9,'sites':['slough']}"},
        {0, ENTRY_DESTROYED, "{" KEY ",'intent':9,'sites':['slough']}"},
        {1, ENTRY_DESTROYED,
         "{'class':'secret-key','id':'0b','label':'app-2','intent':9,'sites':['slough'],'token':'root'}"},
        {1, ENTRY_USED, "{'intent':9,'label':'','operation':'initialise','request':'$i','token':'root'}"},
        {0, ENTRY_DESTROYED,
         "{'class':'secret-key','id':'0c','label':'app-3','intent':9,'sites':['slough'],'token':'other'}"},
    };
    TELL(&s, rows);
    assert_true(s.keys[0].destroyed && s.keys[1].destroyed && !s.keys[2].destroyed);
    assert_int_equal(request_named(&s, "i")->state, REQUEST_SPENT);
    state_clear(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_made_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
