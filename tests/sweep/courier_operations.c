#include <fcntl.h>

#include "tests/sweep/estate_fixture.h"
#include "tests/unit/far_fixture.h"

/* One of three sites is elsewhere: a courier goes there, to a process with a SoftHSM, a home and a policy of its own. Either end dies
 * at each of its calls, or the link is lost before the message came there, or after the site acted on it. Settling brings both ends
 * level. */

#define BORN "rep-born"
#define DOOMED "rep-doomed"
#define NEXT "rep-next"
#define OWN_KEYS 2u /* transport and identity */

static char serials[3][33];

static void put(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *name, const char *format, ...)
{
    char text[2048];
    va_list more;
    va_start(more, format);
    vsnprintf(text, sizeof text, format, more);
    va_end(more);
    depth_write(spot.folder, name, text);
}

/* Both ends' configurations, which name the place that they are at. */
static void places_write(void)
{
    char module[512], self[400];
    module_path(module);
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(len > 0);
    self[len] = '\0';
    put("bindings.yaml",
        "home: ./estate\npolicy: ./policy.yaml\ntokens:\n  root:\n"
        "    slough: {module: %s, serial: \"%s\", pin: \"file:pins/slough\"}\n"
        "    cardiff: {module: %s, serial: \"%s\", pin: \"file:pins/cardiff\"}\n"
        "    glasgow: {courier: [\"%s\", courier, \"%s\"]}\n",
        module, serials[0], module, serials[1], self, spot.folder);
    put("far.yaml",
        "home: ./far\npolicy: ./policy.yaml\ntokens:\n  root:\n"
        "    glasgow: {module: %s, serial: \"%s\", pin: \"file:pins/glasgow\"}\n",
        module, serials[2]);
    put("far.conf", "directories.tokendir = %s/far-tokens\nlog.level = ERROR\n", spot.folder);
    spot_enter();
}

/* The other end. */

static void far_enter(const char *folder)
{
    char path[192];
    spot_set(folder);
    snprintf(path, sizeof path, "%s/far.conf", folder);
    setenv("SOFTHSM2_CONF", path, 1);
    snprintf(path, sizeof path, "%s.journal", folder);
    disk_share_in(path);
    snprintf(home.bindings, sizeof home.bindings, "%.100s/far.yaml", folder);
}

static void link_holds(void)
{
    disk_call();
    disk_called();
}

/* After every other death it stays away until everybody was restarted. */
static int message_take(void)
{
    struct fault f;
    struct world *w = NULL;
    struct buf message = BUF(LIMIT_MESSAGE), answer = BUF(LIMIT_ANSWER);
    char piece[65536];
    size_t n = 0;
    bool refused = false;
    disk_join();
    if (disk_armed() && disk_hit() && disk_hit_at() % 2)
        return 1;
    hook_set(hsm_below);
    while ((n = fread(piece, 1, sizeof piece, stdin)) > 0)
        buf_put(&message, piece, n);
    link_holds();
    enum outcome outcome = world_open(home.bindings, &w, &f);
    if (!outcome)
        outcome = far_accept(w, buf_span(&message), &answer, &refused, &f);
    link_holds();
    if (!outcome && fwrite(answer.data, 1, answer.len, stdout) != answer.len)
        return 1;
    if (outcome || refused)
        fprintf(stderr, "%s\n", f.text);
    disk_disarm();
    world_close(w);
    return outcome || refused;
}

/* How many objects of that class its HSM holds, with that label (NULL: any). */
static int holds(CK_OBJECT_CLASS class, const char *label)
{
    struct lower *l = NULL;
    struct fault f;
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4, found = 0;
    CK_OBJECT_HANDLE objects[64];
    CK_SESSION_HANDLE s = 0;
    CK_UTF8CHAR pin[] = PIN;
    char text[64];
    snprintf(text, sizeof text, "%s", label ? label : "");
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, text, strlen(text)}};
    assert_good(lower_load(SOFTHSM, REMOTE_LOOK, &l, &f));
    assert_int_equal(l->f->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK);
    assert_int_equal(l->f->C_OpenSession(slots[0], CKF_SERIAL_SESSION, NULL, NULL, &s), CKR_OK);
    assert_int_equal(l->f->C_Login(s, CKU_USER, pin, sizeof pin - 1), CKR_OK);
    assert_int_equal(l->f->C_FindObjectsInit(s, match, label ? 2 : 1), CKR_OK);
    assert_int_equal(l->f->C_FindObjects(s, objects, 64, &found), CKR_OK);
    lower_release(l);
    return (int)found;
}

/* Nothing waits there. */
static int level(void)
{
    struct fault f;
    struct estate *e = NULL;
    int waiting = 0;
    assert_good(estate_open(home.bindings, &e, &f));
    for (size_t i = 0; i < e->state.taken_count; i++)
        waiting += e->state.taken[i].state == TAKEN_PENDING;
    estate_close(e);
    return waiting;
}

#define ANSWERS 10 /* a number, and no failure */

/* The courier itself: the other end is a process that need not end with it. */
static int message_carry(void)
{
    char piece[65536];
    ssize_t n = 0;
    int way[2];
    assert_int_equal(pipe2(way, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setsid();
        dup2(way[1], 1);
        close(way[0]);
        int rc = message_take();
        exit(rc);
    }
    close(way[1]);
    while ((n = read(way[0], piece, sizeof piece)) > 0)
        if (fwrite(piece, 1, (size_t)n, stdout) != (size_t)n)
            return 1;
    return child_end(pid) != 0;
}

int courier_end(int argc, char **argv)
{
    if (argc < 3 || argc > 5)
        return 2;
    far_enter(argv[2]);
    if (argc == 3)
        return message_carry();
    if (strcmp(argv[3], "level") == 0)
        return ANSWERS + level();
    return ANSWERS +
           holds(strcmp(argv[3], "private") == 0 ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY, argc == 5 ? argv[4] : NULL);
}

/* In a program of its own, for SoftHSM knows one folder of tokens. label: NULL where none is meant. */
static size_t far_ask(const char *what, const char *label)
{
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl("/proc/self/exe", "sweep", "courier", spot.folder, what, label, NULL);
        _exit(3);
    }
    int rc = child_end(pid);
    if (rc < ANSWERS)
        fail_msg("the other end does not say what it holds: %d", rc);
    return (size_t)(rc - ANSWERS);
}

static size_t far_holds(const char *label)
{
    return far_ask("private", label);
}

/* Each key that the log knows at that site is there once, and no other. */
static int far_check(void)
{
    static const char *const labels[] = {BORN, DOOMED, NEXT};
    size_t living = 0;
    for (size_t i = 0; i < 3; i++) {
        const struct state_key *key = key_named(labels[i]);
        size_t want = key && strings_have(&key->sites, "glasgow");
        living += want;
        if (far_ask("private", labels[i]) != want || far_ask("public", labels[i]) != want)
            return bad("the other end does not hold what the log says");
    }
    if (far_ask("private", NULL) != OWN_KEYS + living)
        return bad("the other end holds a key that nobody knows");
    return far_ask("level", NULL) == 0 ? 0 : bad("something waits at the other end");
}

/* What is done there. */

static CK_OBJECT_HANDLE target;

static int enter(hsm_hook_fn *hook)
{
    places_write();
    hook_set(hook);
    held_elsewhere = far_holds;
    assert_int_equal(C_GetFunctionList(&q), CKR_OK);
    life_begin(NULL);
    return 0;
}

static CK_RV call_birth(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    return make_pair(session, BORN, true, &public, &private);
}

static bool done_birth(void)
{
    return key_named(BORN) != NULL;
}

static CK_RV call_destroy(void)
{
    return q->C_DestroyObject(session, target);
}

static bool done_destroy(void)
{
    return key_named(DOOMED) == NULL;
}

static CK_RV call_drill(void)
{
    return vendor("drill", "{}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static bool done_drill(void)
{
    return logged(ENTRY_DRILL) >= 3;
}

static int check(CK_RV (*call)(void), bool (*done)(void))
{
    enter(NULL);
    int rc = replicas_check(BORN) || settled_check() || inventory_check() || far_check();
    if (!rc && told_good && !done())
        rc = bad("it was said to be done, and is not");
    if (!rc && !done()) {
        target = find_class(DOOMED, CKO_PRIVATE_KEY);
        rc = answered(call()) || !done();
    }
    return finish(rc || replicas_check(BORN) || next_birth(NEXT) || settled_check() || inventory_check() ||
                  far_check());
}

#define OPERATION(name) DEED(name, enter(hsm_below), DOOMED, check(call_##name, done_##name))
OPERATION(birth)
OPERATION(destroy)
OPERATION(drill)

/* The stage. */

static int asking(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    enter(NULL);
    approved(make_pair(session, DOOMED, true, &public, &private));
    want(call_birth());
    want(make_pair(session, NEXT, true, &public, &private));
    target = find_class(DOOMED, CKO_PRIVATE_KEY);
    want(call_destroy());
    approve_all();
    return finish(0);
}

/* Made with all HSMs in one place; then glasgow's is carried there. SoftHSM's serial numbers are the ends of its folders' names. */
static void estate_make(void)
{
    static struct far_pair pair;
    static bool made;
    char command[256];
    if (made)
        return;
    made = true;
    far_make(&pair, RULES);
    depth_enrol(&pair.d, "cardiff");
    world_close(pair.site);
    world_close(pair.d.world);
    home = pair.d;
    home.world = NULL;
    memcpy(serials, home.serials, sizeof serials);
    spot_set(home.folder);
    snprintf(command, sizeof command, "cd %s && mkdir far-tokens && mv tokens/*-%.4s-%s far-tokens/", home.folder,
             serials[2], serials[2] + 4);
    depth_run(command);
    if (child(asking) != 0)
        fail_msg("%s", child_said());
    keep("estate-courier");
    tree_remove(home.folder);
    snprintf(command, sizeof command, "rm -f %s.said %s.journal", home.folder, home.folder);
    depth_run(command);
}

static void make_courier(const char *folder)
{
    char path[128];
    estate_make();
    room_path(path, "estate-courier");
    tree_copy(path, folder);
}

static const struct stage stage_courier = {"a site elsewhere", true, make_courier};

const struct deed courier_operations[] = {
    {"courier-birth", &stage_courier, begin_birth, run_birth, check_birth, true, false},
    {"courier-destroy", &stage_courier, begin_destroy, run_destroy, check_destroy, true, false},
    {"courier-drill", &stage_courier, begin_drill, run_drill, check_drill, false, false},
    {"far-birth", &stage_courier, begin_birth, run_birth, check_birth, true, true},
    {"far-destroy", &stage_courier, begin_destroy, run_destroy, check_destroy, true, true},
    {"far-drill", &stage_courier, begin_drill, run_drill, check_drill, false, true},
    {.name = NULL},
};
