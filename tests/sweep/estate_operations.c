#include "tests/sweep/estate_calls.h"

/* What people approve, as an application asks for it: three HSMs, an estate, everything approved beforehand. */

#define PROMOTIONS                                                                                                     \
    "  - {id: sites, when: {operation: [promote, retire-site, change-log-key]}, require: {quorum: {of: authority, "    \
    "at-least: 2}}}\n"
hsm_hook_fn *hook_between;
atomic_bool hook_armed;

/* What must hold, whatever happened before (estate_fixture.h), and how the estate goes on. */

/* After a restart. */
static int restarted(void)
{
    spot_enter();
    hook_set(NULL);
    life_begin(NULL);
    return replicas_check(BORN) || settled_check();
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
        rc = replicas_check(BORN) || replicas_check(RENAMED) || next_birth(NEXT);
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

/* A recovery that dies in its turn, in the place of a process that died before. */
static CK_RV call_settle(void)
{
    return vendor("settle", "{}", NULL) == OK ? CKR_OK : CKR_DEVICE_ERROR;
}

/* The one after it ends in the same way, and what was begun first is done when it is asked for again. */
static int check_settled(CK_RV (*again)(void), bool (*done)(void), const char *label)
{
    int rc = restarted() || inventory_check();
    if (!rc && !done()) {
        target = find_class(label, CKO_PRIVATE_KEY);
        rc = answered(again()) || !done() || inventory_check();
    }
    return finish(rc || replicas_check(BORN) || next_birth(NEXT));
}

#define OPERATION(name, label, checks) DEED(name, begin(), label, checks(call_##name, done_##name, label))
OPERATION(birth, NULL, check)
OPERATION(plain, NULL, check)
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
DEED(settle, if (begin() || intents_check() == 0) return bad("nothing was left to settle"), NULL,
     check_settled(call_birth, done_birth, NULL))

static int check_settle_ended(void)
{
    return check_settled(call_destroy, done_destroy, DOOMED);
}

/* For the races and crowds. */

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

/* Of every site's HSM. Before anything else is written. */
int estate_heads_check(void)
{
    for (size_t i = 0; i < 3; i++)
        if (head_check(depth_sites[i]))
            return 1;
    return 0;
}

/* Stages. One estate, as it was at three times. */

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
    home_move_ask(spot.folder);
    want(call_promote());
    authorise("promote");
    want(call_retire());
    authorise("retire-site");
    authorise("change-log-key");
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
    char said[96];
    answer_within();
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
    estate_make();
    stage_put(name, folder);
}

#define STAGE(name)                                                                                                    \
    static void make_##name(const char *folder)                                                                        \
    {                                                                                                                  \
        stage_make("estate-" #name, folder);                                                                           \
    }
STAGE(two)
STAGE(asked)
STAGE(three)

/* What a death leaves: the process ends at that call of that function, counted from where the operation begins; or at the next
 * call of the one after it. */
static const char *fatal, *fatal_then;
static unsigned fatal_left;

static void fatal_hook(const char *function, struct hsm_turn *ret)
{
    (void)ret;
    if (strcmp(function, fatal) != 0 || --fatal_left > 0)
        return;
    if (!fatal_then)
        _exit(0);
    fatal = fatal_then;
    fatal_then = NULL;
    fatal_left = 1;
}

static int dies(void)
{
    begin();
    target = find_class(DOOMED, CKO_PRIVATE_KEY);
    hook_between = fatal_hook;
    atomic_store(&hook_armed, true);
    if (strcmp(fatal, "C_DestroyObject") == 0)
        call_destroy();
    else
        call_birth();
    return 1;
}

static void died(const char *folder, const char *function, unsigned at, const char *then)
{
    make_three(folder);
    spot_set(folder);
    fatal = function;
    fatal_left = at;
    fatal_then = then;
    if (child(dies) != 0)
        fail_msg("no death at call %u of %s: %s", at, function, child_said());
}

/* The sites hold what they were offered, the primary nothing yet. */
static void make_unborn(const char *folder)
{
    died(folder, "C_CopyObject", 1, NULL);
}

/* The key is permanent, and not in the log. */
static void make_held(const char *folder)
{
    died(folder, "C_CopyObject", 2, "C_GetAttributeValue");
}

/* A key is gone at one site and not at the next. */
static void make_ended(const char *folder)
{
    died(folder, "C_DestroyObject", 3, NULL);
}

const struct stage stage_three = {"three sites", true, make_three};
static const struct stage stage_two = {"two sites", true, make_two},
                          stage_asked = {"a site asked for", true, make_asked},
                          stage_unborn = {"a birth that died", true, make_unborn},
                          stage_held = {"a birth that died late", true, make_held},
                          stage_ended = {"an end that died", true, make_ended};

const struct deed estate_operations[] = {
    {"birth", &stage_three, begin_birth, run_birth, check_birth, true, false},
    {"plain-birth", &stage_three, begin_plain, run_plain, check_plain, true, false},
    {"destroy", &stage_three, begin_destroy, run_destroy, check_destroy, true, false},
    {"modify", &stage_three, begin_modify, run_modify, check_modify, true, false},
    {"import", &stage_three, begin_import, run_import, check_import, true, false},
    {"sign", &stage_three, begin_sign, run_sign, check_sign, true, false},
    {"promote", &stage_three, begin_promote, run_promote, check_promote, false, false},
    {"retire", &stage_three, begin_retire, run_retire, check_retire, false, false},
    {"drill", &stage_three, begin_drill, run_drill, check_drill, false, false},
    {"move", &stage_three, begin_move, run_move, check_move, false, false},
    {"enrol-ask", &stage_two, begin_ask, run_ask, check_ask, false, false},
    {"enrol", &stage_asked, begin_enrol, run_enrol, check_enrol, false, false},
    {"settle-unborn", &stage_unborn, begin_settle, run_settle, check_settle, false, false},
    {"settle-held", &stage_held, begin_settle, run_settle, check_settle, false, false},
    {"settle-ended", &stage_ended, begin_settle, run_settle, check_settle_ended, false, false},
    {.name = NULL},
};
