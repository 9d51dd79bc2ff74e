#include "module/drill.h"
#include "module/promote.h"
#include "module/resolution.h"
#include "module/retire.h"
#include "tests/unit/depth_labour.h"
#include "tests/unit/one_estate.h"

/* What is decided while a key is being born, or between a death and what settles it: a site retires, another is promoted, the
 * key ends or gets another name. */

#define RULES                                                                                                          \
    "  - id: sites\n"                                                                                                  \
    "    when: {operation: [retire-site, promote]}\n"                                                                  \
    "    require: {quorum: {of: authority, at-least: 2}}\n"                                                            \
    "  - id: two of two\n"                                                                                             \
    "    when: {operation: generate, token: root, label: \"^app-\"}\n"                                                 \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 2, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"                                                                                          \
    "  - id: one of two\n"                                                                                             \
    "    when: {operation: generate, token: root, label: \"^spare-\"}\n"                                               \
    "    require: {quorum: {of: key-custodian, at-least: 2}, replicas: {at-least: 1, prove: signature}, transport: "   \
    "{allow: [oaep-sha1]}}\n"

static char nowhere[] = "00000000deadbeef";

static int setup(void **state)
{
    (void)state;
    depth_begin(&d, RULES);
    return 0;
}

typedef enum outcome site_run_fn(struct world *w, const char *token, const char *site, json_t **ret, struct fault *f);

static void decided(site_run_fn *run, const char *site, const char *status)
{
    struct fault f;
    json_t *report = NULL;
    struct digest id;
    assert_good(run(d.world, "root", site, &report, &f));
    assert_string_equal(depth_status(report), "pending");
    assert_good(digest_parse(json_string_or_null(report, "request"), &id, &f));
    json_decref(report);
    depth_approve(d.world->estate, &id, "authority");
    assert_good(run(d.world, "root", site, &report, &f));
    assert_string_equal(depth_status(report), status);
    json_decref(report);
}

static enum outcome settled(struct fault *f)
{
    return settle_run(d.world, NULL, f);
}

static enum intent_state state_of(uint64_t intent)
{
    return state_intent(&d.world->estate->state, intent)->state;
}

static const struct state_key *key_of(uint64_t intent)
{
    const struct state *s = &d.world->estate->state;
    for (size_t i = s->key_count; i-- > 0;)
        if (s->keys[i].intent == intent)
            return &s->keys[i];
    return NULL;
}

static void assert_at(const char *label, size_t slough, size_t cardiff, size_t glasgow)
{
    assert_int_equal(depth_count(&d, "slough", CKO_PRIVATE_KEY, label), slough);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, label), cardiff);
    assert_int_equal(depth_count(&d, "glasgow", CKO_PRIVATE_KEY, label), glasgow);
}

/* As far as a death leaves it once the key is permanent at the primary. */
static uint64_t held(const char *label, struct depth_labour *l)
{
    struct fault f;
    depth_labour_begin(&d, label, l);
    assert_good(birth_send(&l->k, 0, depth_labour_sites - 1, &f));
    assert_good(birth_recheck(&l->k, &f));
    assert_good(birth_keep(&l->k, &f));
    return l->k.intent;
}

/* As far as a death leaves it once it is born, and no site was told. */
static uint64_t born(const char *label, const char *id)
{
    struct depth_labour l;
    struct fault f;
    depth_labour_id = id;
    uint64_t intent = held(label, &l);
    depth_labour_id = NULL;
    assert_good(intent_born(d.world->estate, intent, buf_span(&l.k.spki), &f));
    depth_labour_end(&l);
    return intent;
}

/* Its replica counts no more, and whatever HSM comes to that site holds nothing of it. */
static void a_replica_retires_before_the_birth_ends(void **state)
{
    struct depth_labour l;
    struct fault f;
    (void)state;
    uint64_t intent = held("spare-1", &l);
    decided(retire_run, "cardiff", "retired");
    assert_int_equal(intent_born(d.world->estate, intent, buf_span(&l.k.spki), &f), E_INVALID);
    assert_text("the site \"cardiff\" retired since its intent");
    depth_labour_end(&l);
    depth_enrol(&d, "cardiff");
    assert_good(settled(&f));
    assert_int_equal(state_of(intent), INTENT_ROLLED_BACK);
    assert_null(key_of(intent));
    assert_at("spare-1", 0, 0, 0);
}

/* Applications would never find a key that the new primary does not hold. */
static void another_primary_before_the_birth_ends(void **state)
{
    struct depth_labour l;
    struct fault f;
    (void)state;
    uint64_t first = held("spare-2", &l);
    depth_labour_end(&l);
    decided(promote_run, "glasgow", "promoted");
    assert_good(settled(&f)); /* past its point of no return, and glasgow has it */
    assert_int_equal(state_of(first), INTENT_SETTLED);
    assert_at("spare-2", 1, 1, 1);
    decided(promote_run, "slough", "promoted");

    depth_labour_sites = 2;
    uint64_t second = held("spare-3", &l);
    depth_labour_sites = 3;
    decided(promote_run, "glasgow", "promoted");
    assert_int_equal(birth_recheck(&l.k, &f), E_REFUSED);
    assert_text("promoted during the birth");
    depth_labour_end(&l);
    assert_good(settled(&f));
    assert_int_equal(state_of(second), INTENT_ROLLED_BACK);
    assert_at("spare-3", 0, 0, 0);
    decided(promote_run, "slough", "promoted");
}

/* Its HSM may never be seen again: births go on without it, and it is cleared should it come back. */
static void an_orphan_at_a_site_that_retires(void **state)
{
    struct depth_question q;
    struct depth_labour l;
    struct fault f;
    CK_OBJECT_HANDLE secret = 0, public = 0;
    struct binding *b = bound("cardiff");
    char *serial = b->serial;
    (void)state;
    depth_labour_begin(&d, "app-orphan", &l);
    assert_good(birth_send(&l.k, 0, 1, &f));
    depth_labour_end(&l);
    b->serial = nowhere;
    assert_int_equal(settled(&f), E_REFUSED);
    assert_text("no key is born on root until");
    decided(retire_run, "cardiff", "retired");
    assert_good(settled(&f));
    /* It is not what is bound there now that is looked at. */
    assert_true(strings_have(&state_intent(&d.world->estate->state, l.k.intent)->orphans, "cardiff"));
    depth_ask_approved(&d, &q, CKM_EC_KEY_PAIR_GEN, "spare-4", "");
    assert_good(depth_birth(&d, &q, &secret, &public, &f));
    depth_forget(&q);
    b->serial = serial;
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-orphan"), 1);
    depth_enrol(&d, "cardiff");
    assert_good(settled(&f));
    assert_int_equal(state_intent(&d.world->estate->state, l.k.intent)->orphans.count, 0);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-orphan"), 0);
}

/* A site that was to give the key its CKA_ID retires instead, and destroys what it has under the first one. */
static void a_site_retires_before_it_is_told(void **state)
{
    struct fault f;
    struct binding *b = bound("cardiff");
    char *serial = b->serial;
    (void)state;
    uint64_t intent = born("app-untold", "756e746f6c64");
    b->serial = nowhere;
    assert_int_equal(settled(&f), E_REFUSED);
    decided(retire_run, "cardiff", "retired");
    b->serial = serial;
    assert_non_null(retirement_left(&d.world->estate->state, "root", "cardiff"));
    assert_good(settled(&f));
    assert_int_equal(state_of(intent), INTENT_SETTLED);
    assert_at("app-untold", 1, 0, 1);
    assert_null(retirement_left(&d.world->estate->state, "root", "cardiff"));
    depth_enrol(&d, "cardiff");
}

static void logged_end(const struct state_key *key, const char *left)
{
    struct fault f;
    json_t *body = json_pack("{s:s,s:s,s:s,s:s,s:[s,s]}", "class", key->class_name, "id", key->id, "label", key->label,
                             "token", "root", "sites", "slough", "glasgow");
    assert_true(json_put(body, "left", json_pack("[s]", left)));
    assert_good(estate_append(d.world->estate, ENTRY_DESTROYED, body, NULL, &f));
    json_decref(body);
}

/* It ended, by a rule that plainly allows it, before every site had given it its CKA_ID: none of them keeps it under the first. */
static void a_key_ends_before_all_are_told(void **state)
{
    struct fault f;
    (void)state;
    uint64_t intent = born("app-ended", "656e646564");
    logged_end(key_of(intent), "cardiff");
    assert_good(settled(&f));
    assert_int_equal(state_of(intent), INTENT_SETTLED);
    assert_at("app-ended", 0, 0, 0);
    assert_int_equal(key_of(intent)->retired.count, 0);
}

static void relabel(const char *site, const char *from, const char *to)
{
    struct site_link link = {0};
    struct fault f;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE found[2];
    size_t count = 0;
    char old[64], new[64];
    snprintf(old, sizeof old, "%s", from);
    snprintf(new, sizeof new, "%s", to);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, old, strlen(old)}},
                 set = {CKA_LABEL, new, strlen(new)};
    assert_good(site_open(d.world, "root", site, SITE_EITHER, &link, &f));
    assert_good(site_find(&link, match, 2, found, 2, &count, &f));
    assert_int_equal(count, 1);
    assert_int_equal(link.f->C_SetAttributeValue(link.session, found[0], &set, 1), CKR_OK);
    site_close(&link);
}

static void a_key_is_renamed_before_all_are_told(void **state)
{
    struct fault f;
    (void)state;
    uint64_t intent = born("app-old", "6f6c64");
    for (size_t i = 0; i < 3; i++)
        relabel(depth_sites[i], "app-old", "app-new");
    json_t *body = json_pack("{s:s,s:s,s:s,s:s,s:s}", "class", "private-key", "id", "6f6c64", "label", "app-old",
                             "token", "root", "new-label", "app-new");
    assert_good(estate_append(d.world->estate, ENTRY_MODIFIED, body, NULL, &f));
    json_decref(body);
    assert_good(settled(&f));
    assert_int_equal(state_of(intent), INTENT_SETTLED);
    assert_at("app-new", 1, 1, 1);
}

/* One HSM more, by its serial number. */
static void fourth(char ret[17])
{
    CK_FUNCTION_LIST *hsm = world_lower(d.world, SOFTHSM)->f;
    CK_UTF8CHAR label[32], officer[] = "97531", pin[] = PIN;
    CK_SESSION_HANDLE session = 0;
    CK_TOKEN_INFO info;
    CK_SLOT_ID slots[16];
    CK_ULONG count = 16;
    memset(label, 'x', sizeof label);
    assert_int_equal(hsm->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    /* SoftHSM's last one is always free. */
    CK_SLOT_ID slot = slots[count - 1];
    assert_int_equal(hsm->C_InitToken(slot, officer, sizeof officer - 1, label), CKR_OK);
    assert_int_equal(hsm->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session), CKR_OK);
    assert_int_equal(hsm->C_Login(session, CKU_SO, officer, sizeof officer - 1), CKR_OK);
    assert_int_equal(hsm->C_InitPIN(session, pin, sizeof pin - 1), CKR_OK);
    assert_int_equal(hsm->C_CloseSession(session), CKR_OK);
    assert_int_equal(hsm->C_GetTokenInfo(slot, &info), CKR_OK);
    memcpy(ret, info.serialNumber, 16);
    ret[16] = '\0';
}

/* What an HSM kept of a destroyed key is not gone because another HSM, in its place, has nothing of it. */
static void another_hsm_where_a_key_was_left(void **state)
{
    struct fault f;
    struct binding *b = bound("cardiff");
    char *serial = b->serial, other[17] = "";
    (void)state;
    uint64_t kept = born("app-kept", NULL);
    assert_good(settled(&f));
    uint64_t intent = born("app-left", NULL);
    assert_good(settled(&f));
    b->serial = nowhere;
    logged_end(key_of(intent), "cardiff");
    decided(retire_run, "cardiff", "retired");
    fourth(other);
    b->serial = other;
    depth_enrol(&d, "cardiff");
    assert_good(settled(&f));
    assert_true(strings_have(&key_of(intent)->retired, "cardiff"));
    assert_non_null(retirement_left(&d.world->estate->state, "root", "cardiff"));
    /* A key that lives on may come to this one. */
    assert_true(strings_have(&key_of(kept)->retired, "cardiff"));
    assert_false(state_key_left_at(&d.world->estate->state, key_of(kept), "cardiff"));
    decided(retire_run, "cardiff", "retired"); /* the other one */
    assert_null(state_site(&d.world->estate->state, "root", "cardiff"));
    b->serial = serial;
    depth_enrol(&d, "cardiff");
    assert_true(state_key_left_at(&d.world->estate->state, key_of(kept), "cardiff"));
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-left"), 1);
    assert_good(settled(&f));
    assert_false(state_key_left_at(&d.world->estate->state, key_of(kept), "cardiff"));
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-kept"), 0);
    assert_int_equal(key_of(intent)->retired.count, 0);
    assert_int_equal(depth_count(&d, "cardiff", CKO_PRIVATE_KEY, "app-left"), 0);
}

/* While the other sites prove their keys somebody suspends the token. */
static void suspended_while_it_is_decided(void **state)
{
    struct resolution r = {.world = d.world};
    struct fault f;
    bool go = false;
    (void)state;
    for (size_t round = 0; round < 2; round++) {
        json_t *report = json_object(), *subject = asking_subject(d.world->estate, OP_RETIRE_SITE, NULL);
        struct digest id;
        assert_true(json_put_string(subject, "site", "cardiff") && json_put_string(subject, "token", "root"));
        assert_good(resolution_ask(d.world, subject, "retiring", &r, report, &go, &f));
        assert_int_equal(go, round == 1);
        if (round == 0) {
            assert_good(digest_parse(json_string_or_null(report, "request"), &id, &f));
            depth_approve(d.world->estate, &id, "authority");
        }
        json_decref(report);
    }
    json_t *more = json_pack("{s:s}", "site", "cardiff"), *scope = json_pack("{s:s}", "scope", "token:root");
    assert_good(resolution_begin(&r, more, &f));
    assert_good(estate_append(d.world->estate, ENTRY_SUSPENDED, scope, NULL, &f));
    assert_int_equal(
        resolution_end(&r, ENTRY_SITE_RETIRED, json_pack("{s:s,s:s}", "site", "cardiff", "token", "root"), &f),
        E_REFUSED);
    assert_text("suspended meanwhile");
    uint64_t intent = r.intent;
    resolution_clear(&r, f.text);
    assert_int_equal(state_of(intent), INTENT_ROLLED_BACK);
    assert_good(estate_append(d.world->estate, ENTRY_RESUMED, scope, NULL, &f));
    json_decref(more);
    json_decref(scope);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replica_retires_before_the_birth_ends),
        cmocka_unit_test(another_primary_before_the_birth_ends),
        cmocka_unit_test(an_orphan_at_a_site_that_retires),
        cmocka_unit_test(a_site_retires_before_it_is_told),
        cmocka_unit_test(a_key_ends_before_all_are_told),
        cmocka_unit_test(a_key_is_renamed_before_all_are_told),
        cmocka_unit_test(another_hsm_where_a_key_was_left),
        cmocka_unit_test(suspended_while_it_is_decided),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
