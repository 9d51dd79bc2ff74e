#include "tests/sweep/estate_fixture.h"

/* What people approve, as an application asks for it: three HSMs, an estate, everything approved beforehand. */

#define PROMOTIONS                                                                                                     \
    "  - {id: sites, when: {operation: [promote, retire-site]}, require: {quorum: {of: authority, at-least: 2}}}\n"
#define DOOMED "rep-doomed"
#define NAMED "rep-named"
#define RENAMED "rep-renamed"
#define SIGNING "rep-signing"
#define BORN "rep-born"
#define IMPORTED "gov-imported"
#define NEXT "rep-next"

hsm_hook_fn *hook_between;
atomic_bool hook_armed;

/* The operations themselves; and whether each was done, by what the log says. */

static CK_OBJECT_HANDLE target; /* what it is done to */

static CK_RV call_birth(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    return said("C_GenerateKeyPair", make_pair(session, BORN, true, &public, &private));
}

static bool done_birth(void)
{
    return key_named(BORN) != NULL;
}

static CK_RV call_destroy(void)
{
    return said("C_DestroyObject", q->C_DestroyObject(session, target));
}

static bool done_destroy(void)
{
    return key_named(DOOMED) == NULL;
}

static CK_RV call_modify(void)
{
    char label[] = RENAMED;
    CK_ATTRIBUTE t[] = {{CKA_LABEL, label, strlen(label)}};
    return said("C_SetAttributeValue", q->C_SetAttributeValue(session, target, t, 1));
}

static bool done_modify(void)
{
    return key_named(RENAMED) != NULL;
}

static CK_RV call_import(void)
{
    unsigned char value[32] = "a secret that came from outside";
    CK_OBJECT_HANDLE made = 0;
    return said("C_CreateObject", import_secret(IMPORTED, value, &made));
}

static bool done_import(void)
{
    return key_named(IMPORTED) != NULL;
}

static CK_RV call_sign(void)
{
    unsigned char data[32] = "exactly these bytes", signature[64];
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_ULONG room = sizeof signature;
    CK_RV rv = said("C_SignInit", q->C_SignInit(session, &mechanism, target));
    return rv == CKR_OK ? said("C_Sign", q->C_Sign(session, data, sizeof data, signature, &room)) : rv;
}

/* What came out stands in the log; what stands there may not have come out. */
static bool done_sign(void)
{
    return logged(ENTRY_USED) > 0;
}

static CK_RV call_enrol(void)
{
    return vendor("enrol", "{\"site\":\"glasgow\",\"token\":\"root\"}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static bool done_enrol(void)
{
    const struct state_site *s = state_site(&world_current()->estate->state, "root", "glasgow");
    return s && s->placed;
}

/* Its first half ends with a question to people. */
static CK_RV call_ask(void)
{
    enum outcome outcome = vendor("enrol", "{\"site\":\"glasgow\",\"token\":\"root\"}", NULL);
    return outcome == E_PENDING ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static bool done_ask(void)
{
    return asked("enrol-site") != NULL;
}

static CK_RV call_promote(void)
{
    return vendor("promote", "{\"site\":\"cardiff\",\"token\":\"root\"}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static bool done_promote(void)
{
    return logged(ENTRY_PROMOTED) > 0;
}

static CK_RV call_retire(void)
{
    return vendor("retire", "{\"site\":\"glasgow\",\"token\":\"root\"}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static bool done_retire(void)
{
    return state_site(&world_current()->estate->state, "root", "glasgow") == NULL;
}

static CK_RV call_drill(void)
{
    return vendor("drill", "{}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static bool done_drill(void)
{
    return logged(ENTRY_DRILL) >= 3;
}

/* An HSM leaves, and is received where it goes. */
static CK_RV call_move(void)
{
    static const char leave[] = "{\"bag\":\"B-1\",\"site\":\"glasgow\",\"token\":\"root\"}";
    static const char receive[] = "{\"bag\":\"B-1\",\"site\":\"glasgow\",\"token\":\"root\"}";
    bool there = state_site(&world_current()->estate->state, "root", "glasgow")->placed;
    if ((there && vendor("depart", leave, NULL) != OK) || vendor("arrive", receive, NULL) != OK)
        return CKR_FUNCTION_REJECTED;
    return CKR_OK;
}

static bool done_move(void)
{
    return logged(ENTRY_ARRIVED) >= 4;
}

/* What must hold, whatever happened before (estate_fixture.h), and how the estate goes on. */

static int next_birth(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    CK_RV rv = make_pair(session, NEXT, true, &public, &private);
    return answered(rv) || replicas_check(NEXT) || key_named(NEXT) == NULL;
}

/* After a restart. */
static int restarted(void)
{
    struct fault f;
    spot_enter();
    hook_set(NULL);
    life_begin(NULL);
    if (replicas_check(BORN))
        return 1;
    if (vendor("settle", "{}", NULL) != OK)
        return bad("not settled");
    if (shown_check(&f))
        return bad(f.text);
    return intents_check();
}

/* Whatever was not done is done when it is asked for again, with the same approvals; and then the estate can do more. */
static int check(CK_RV (*call)(void), bool (*done)(void), const char *label)
{
    int rc = restarted() || inventory_check();
    if (!rc && told_good && !done())
        rc = bad("it was said to be done, and is not");
    if (!rc && !done()) {
        target = find_class(label, CKO_PRIVATE_KEY);
        CK_RV rv = call();
        /* The new name's approval is spent, for nobody can know whether it was used (docs/ARCHITECTURE.md). */
        if (rv == CKR_ACTION_PROHIBITED && call == call_modify) {
            approve_all();
            rv = call();
        }
        rc = answered(rv) || !done() || inventory_check();
    }
    if (done_promote()) { /* an application logs in anew on another HSM */
        life_end(NULL);
        life_begin(NULL);
    }
    if (!rc && !done_retire()) /* two sites are not enough for another birth */
        rc = replicas_check(BORN) || replicas_check(RENAMED) || next_birth();
    return finish(rc);
}

/* People are asked about each pair of keys, those too that an HSM lied about. */
static CK_RV enrol_with_people(void)
{
    CK_RV rv = call_enrol();
    while (rv != CKR_OK && unvoted("enrol-site")) {
        authorise("enrol-site");
        rv = call_enrol();
    }
    return rv;
}

/* Keys of an enrolment that people were not asked about yet are nobody's until they were. */
static int check_enrolment(CK_RV (*call)(void), bool (*done)(void), const char *label)
{
    int rc = restarted();
    (void)label;
    if (!rc && !done() && call == call_ask)
        rc = answered(call()) || !done();
    if (!rc && !done_enrol())
        rc = answered(enrol_with_people()) || !done_enrol();
    return finish(rc || inventory_check());
}

#define OPERATION(name, label, checks)                                                                                 \
    static int begin_##name(void)                                                                                      \
    {                                                                                                                  \
        begin();                                                                                                       \
        target = find_class(label, CKO_PRIVATE_KEY);                                                                   \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static int run_##name(void)                                                                                        \
    {                                                                                                                  \
        return finish(answered(call_##name()));                                                                        \
    }                                                                                                                  \
    static int check_##name(void)                                                                                      \
    {                                                                                                                  \
        return checks(call_##name, done_##name, label);                                                                \
    }
OPERATION(birth, NULL, check)
OPERATION(destroy, DOOMED, check)
OPERATION(modify, NAMED, check)
OPERATION(import, NULL, check)
OPERATION(sign, SIGNING, check)
OPERATION(promote, NULL, check)
OPERATION(retire, NULL, check)
OPERATION(drill, NULL, check)
OPERATION(move, NULL, check)
OPERATION(enrol, NULL, check_enrolment)
OPERATION(ask, NULL, check_enrolment)

/* For the races and crowds. */

static void want(CK_RV rv)
{
    if (rv != CKR_FUNCTION_REJECTED && rv != CKR_ACTION_PROHIBITED)
        fail_msg("0x%lx before anybody approved: %s", rv, refusal_text());
}

int estate_begin(void)
{
    return begin();
}

int estate_finish(int rc)
{
    return finish(rc);
}

int estate_inventory(void)
{
    return inventory_check();
}

enum outcome estate_settle(size_t *ret_busy)
{
    json_t *report = NULL;
    const json_t *line = NULL;
    size_t i = 0;
    enum outcome outcome = vendor("settle", "{}", &report);
    *ret_busy = 0;
    json_array_foreach(json_object_get(report, "settled"), i, line) *ret_busy +=
        strstr(json_string_or_null(line, "outcome"), "another process") != NULL;
    json_decref(report);
    return outcome;
}

static const char *crowd_label(unsigned n, char ret[32])
{
    snprintf(ret, 32, "rep-crowd-%u", n);
    return ret;
}

CK_RV estate_crowd_birth(CK_SESSION_HANDLE s, unsigned n)
{
    char label[32];
    CK_OBJECT_HANDLE public = 0, private = 0;
    return make_pair(s, crowd_label(n, label), true, &public, &private);
}

CK_SESSION_HANDLE estate_crowd_session(void)
{
    return open_session(CKF_RW_SESSION);
}

int estate_crowd_ask(unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        want(estate_crowd_birth(session, n));
    approve_all();
    return 0;
}

/* Each is there once, with all its replicas, and of one birth. */
int estate_crowd_check(unsigned count)
{
    const struct state *s = &world_current()->estate->state;
    char label[32];
    for (unsigned n = 0; n < count; n++) {
        size_t born = 0, intents = 0;
        crowd_label(n, label);
        for (size_t i = 0; i < s->key_count; i++)
            born += strcmp(s->keys[i].label, label) == 0;
        for (size_t i = 0; i < s->intent_count; i++)
            intents += s->intents[i].label && strcmp(s->intents[i].label, label) == 0;
        if (born != 1 || intents != 1) {
            fprintf(stderr, "%s: born %zu times, of %zu intents\n", label, born, intents);
            return 1;
        }
        if (replicas_check(label))
            return 1;
    }
    return intents_check();
}

/* Stages. One estate, as it was at three times. */

static void keep(const char *name)
{
    char path[128];
    room_path(path, name);
    tree_copy(home.folder, path);
}

/* Born keys, and questions that people have answered. */
static int questions(void)
{
    static const char *const labels[] = {DOOMED, NAMED, SIGNING};
    CK_OBJECT_HANDLE public = 0, private = 0;
    life_begin(NULL);
    for (size_t i = 0; i < 3; i++)
        approved(make_pair(session, labels[i], true, &public, &private));
    want(call_birth());
    want(make_pair(session, NEXT, true, &public, &private));
    target = find_class(DOOMED, CKO_PRIVATE_KEY);
    want(call_destroy());
    target = find_class(NAMED, CKO_PRIVATE_KEY);
    want(call_modify());
    want(call_import());
    target = find_class(SIGNING, CKO_PRIVATE_KEY);
    want(call_sign());
    approve_all();
    want(call_promote());
    authorise("promote");
    want(call_retire());
    authorise("retire-site");
    return finish(0);
}

static void estate_make(void)
{
    struct fault f;
    json_t *report = NULL;
    struct digest id = {0};
    static bool made;
    if (made)
        return;
    made = true;
    static char within[64];
    char said[96];
    snprintf(within, sizeof within, "answer-within: %u seconds, ", ANSWER_WITHIN);
    depth_glasgow = within;
    depth_make(&home, RULES PROMOTIONS);
    depth_enrol(&home, "slough");
    depth_enrol(&home, "cardiff");
    keep("estate-two");
    assert_good(enrol_run(home.world, "root", "glasgow", NULL, &report, &f));
    assert_good(digest_parse(json_string_or_null(report, "request"), &id, &f));
    json_decref(report);
    depth_approve(home.world->estate, &id, "authority");
    keep("estate-asked");
    assert_good(enrol_run(home.world, "root", "glasgow", NULL, &report, &f));
    json_decref(report);
    world_close(home.world);
    home.world = NULL;
    assert_int_equal(C_GetFunctionList(&q), CKR_OK);
    spot_set(home.folder);
    if (child(questions) != 0)
        fail_msg("%s", child_said());
    keep("estate-three");
    tree_remove(home.folder);
    snprintf(said, sizeof said, "%s.said", home.folder);
    unlink(said);
}

static void stage_make(const char *name, const char *folder)
{
    char path[128];
    estate_make();
    room_path(path, name);
    tree_copy(path, folder);
    snprintf(home.bindings, sizeof home.bindings, "%.100s/bindings.yaml", folder);
    bindings_turn();
}

static void make_two(const char *folder)
{
    stage_make("estate-two", folder);
}

static void make_asked(const char *folder)
{
    stage_make("estate-asked", folder);
}

static void make_three(const char *folder)
{
    stage_make("estate-three", folder);
}

const struct stage stage_three = {"three sites", true, make_three};
static const struct stage stage_two = {"two sites", true, make_two},
                          stage_asked = {"a site asked for", true, make_asked};

const struct deed estate_operations[] = {
    {"birth", &stage_three, begin_birth, run_birth, check_birth, true},
    {"destroy", &stage_three, begin_destroy, run_destroy, check_destroy, true},
    {"modify", &stage_three, begin_modify, run_modify, check_modify, true},
    {"import", &stage_three, begin_import, run_import, check_import, true},
    {"sign", &stage_three, begin_sign, run_sign, check_sign, true},
    {"promote", &stage_three, begin_promote, run_promote, check_promote, false},
    {"retire", &stage_three, begin_retire, run_retire, check_retire, false},
    {"drill", &stage_three, begin_drill, run_drill, check_drill, false},
    {"move", &stage_three, begin_move, run_move, check_move, false},
    {"enrol-ask", &stage_two, begin_ask, run_ask, check_ask, false},
    {"enrol", &stage_asked, begin_enrol, run_enrol, check_enrol, false},
    {.name = NULL},
};
