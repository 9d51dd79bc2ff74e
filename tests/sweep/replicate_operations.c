#include "module/trusted.h"
#include "tests/sweep/estate_fixture.h"

/* A key that may leave its HSM under trusted keys alone is brought to a site that was enrolled after its birth, as the command line
 * does it: no application is logged in, and the security officer makes what is missing of the trusted keys. */

#define TRAVELS "tw-travels"
#define NEXT "rep-next"
#define OFFICER "97531"
#define TRAVELLING                                                                                                     \
    "  - {id: travelling, when: {operation: generate, label: \"^tw-\"}, require: {quorum: {of: key-custodian, "        \
    "at-least: 2}, replicas: {at-least: 1, prove: signature}, extractable: trusted-wrap-only, transport: {allow: "     \
    "[oaep-sha1]}}}\n"                                                                                                 \
    "  - {id: how it travels, when: {operation: replicate, label: \"^tw-\"}, require: {quorum: {of: authority, "       \
    "at-least: 2}, transport: {allow: [oaep-sha1]}}}\n"

static CK_RV call_replicate(void)
{
    return vendor("replicate", "{\"key\":\"" TRAVELS "\",\"site\":\"glasgow\",\"token\":\"root\"}", NULL) == OK
               ? CKR_OK
               : CKR_FUNCTION_REJECTED;
}

static bool done_replicate(void)
{
    const struct state_key *key = key_named(TRAVELS);
    return key && strings_have(&key->sites, "glasgow");
}

static int begin_replicate(void)
{
    spot_enter();
    hook_set(hsm_below);
    assert_ok(initialise());
    return 0;
}

static int run_replicate(void)
{
    return finish(answered(call_replicate()));
}

/* It is at the sites of which the log says so, once; the two that its rule asked for are among them. */
static int held_check(void)
{
    const struct state_key *key = key_named(TRAVELS);
    if (!key || key->sites.count < 2)
        return bad("the key is not at the sites of its birth any more");
    for (size_t i = 0; i < 3; i++)
        if (strings_have(&key->sites, depth_sites[i]) && held_at(depth_sites[i], TRAVELS) != 1)
            return bad("a site does not hold the key that the log says is there");
    return 0;
}

/* Whoever is shown the key before anything is settled has it with all replicas of its rule. */
static int looked_at(void)
{
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    int rc = find_class(TRAVELS, CKO_PRIVATE_KEY) == CK_INVALID_HANDLE ? bad("the key is not shown") : held_check();
    assert_ok(q->C_CloseSession(session));
    return rc;
}

static int drilled(void)
{
    json_t *report = NULL;
    enum outcome outcome = vendor("drill", "{\"site\":\"glasgow\",\"token\":\"root\"}", &report);
    json_decref(report);
    return outcome == OK ? 0 : bad("the site does not prove the key");
}

/* An object that SoftHSM refuses to make, as it does to whoever is not the security officer after all, stays on its token empty. */
static int inventory_looked_at(void)
{
    static const struct leftover half_made = {"session", "public-key", ""};
    return hook_between ? inventory_but(&half_made) : inventory_check();
}

static int check_replicate(void)
{
    spot_enter();
    hook_set(NULL);
    assert_ok(initialise());
    int rc = looked_at() || settled_check() || held_check() || inventory_looked_at();
    if (!rc && told_good && !done_replicate())
        rc = bad("it was said to be done, and is not");
    if (!rc && !done_replicate() && held_at("glasgow", TRAVELS) != 0)
        rc = bad("it is where the log does not have it");
    if (!rc && !done_replicate())
        rc = answered(call_replicate()) || !done_replicate() || held_check() || inventory_looked_at();
    rc = rc || drilled();
    session = open_session(CKF_RW_SESSION);
    assert_ok(login(session));
    return finish(rc || next_birth(NEXT));
}

/* The stage. */

static int asking(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    life_begin(NULL);
    want(make_pair(session, NEXT, true, &public, &private));
    approve_all();
    assert_ok(q->C_CloseSession(session));
    want(call_replicate());
    authorise("replicate");
    return finish(0);
}

static int bearing(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    life_begin(NULL);
    approved(make_pair(session, TRAVELS, true, &public, &private));
    return finish(0);
}

static void live(int (*life)(void))
{
    if (child(life) != 0)
        fail_msg("%s", child_said());
}

static void officer_bound(void)
{
    struct fault f;
    char path[160];
    struct buf text = BUF(65536), with = BUF(65536);
    assert_good(file_read(home.bindings, false, &text, &f));
    const char *before = "pins/slough\"", *at = strstr(buf_str(&text), before);
    assert_non_null(at);
    at += strlen(before);
    buf_put(&with, buf_str(&text), (size_t)(at - buf_str(&text)));
    buf_puts(&with, ", so-pin: \"file:pins/officer\"");
    buf_puts(&with, at);
    assert_good(file_replace(home.bindings, buf_span(&with), 0644, &f));
    snprintf(path, sizeof path, "%s/pins/officer", home.folder);
    assert_good(file_create(path, span_str(OFFICER "\n"), 0600, &f));
    buf_free(&text);
    buf_free(&with);
}

static void world_again(void)
{
    struct fault f;
    world_close(home.world);
    assert_good(world_open(home.bindings, &home.world, &f));
}

static void estate_make(void)
{
    static bool made;
    bool missing = true;
    struct fault f;
    char said[96];
    if (made)
        return;
    made = true;
    answer_within();
    depth_make(&home, TRAVELLING RULES);
    officer_bound();
    world_again();
    assert_int_equal(C_GetFunctionList(&q), CKR_OK);
    spot_set(home.folder);
    depth_enrol(&home, "slough");
    depth_enrol(&home, "cardiff");
    assert_good(trusted_provide(home.world, "root", &missing, &f));
    world_close(home.world);
    live(bearing);
    assert_good(world_open(home.bindings, &home.world, &f));
    depth_enrol(&home, "glasgow");
    world_close(home.world);
    home.world = NULL;
    live(asking);
    keep("estate-travelling");
    tree_remove(home.folder);
    snprintf(said, sizeof said, "%s.said", home.folder);
    unlink(said);
}

static void make_travelling(const char *folder)
{
    estate_make();
    stage_put("estate-travelling", folder);
}

static const struct stage stage_travelling = {"a key that travels", true, make_travelling};

const struct deed replicate_operations[] = {
    {"replicate", &stage_travelling, begin_replicate, run_replicate, check_replicate, false, false},
    {.name = NULL},
};
