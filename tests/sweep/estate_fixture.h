#ifndef QUORATE_TESTS_SWEEP_ESTATE_FIXTURE_H
#define QUORATE_TESTS_SWEEP_ESTATE_FIXTURE_H

/* The module as an application has it, in the estate of governed_fixture.h, over the HSMs that go wrong; and what must hold of
 * such an estate. */

#include <dlfcn.h>

#include "tests/sweep/disk.h"
#include "tests/sweep/hsm.h"
#include "tests/sweep/sweep.h"
#include "tests/unit/governed_fixture.h"

#include "module/head_object.h"
#include "module/vendor_table.h"

static inline void hsm_below(const char *function, struct hsm_turn *ret)
{
    if (!ret) {
        disk_called();
        return;
    }
    if (hook_between && atomic_load(&hook_armed))
        hook_between(function, ret);
    disk_call();
}

/* In the place of the process: bindings and tokens of its own, and our HSM module between. */
static inline void spot_enter(void)
{
    char path[256];
    snprintf(path, sizeof path, "%s/softhsm2.conf", spot.folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fprintf(file, "directories.tokendir = %s/tokens\nlog.level = ERROR\n", spot.folder);
    assert_int_equal(fclose(file), 0);
    setenv("SOFTHSM2_CONF", path, 1);
    snprintf(home.bindings, sizeof home.bindings, "%.100s/bindings.yaml", spot.folder);
}

/* build/tests/sweep has its HSM module in build. */
static inline void module_path(char ret[512])
{
    ssize_t len = readlink("/proc/self/exe", ret, 400);
    assert_true(len > 0 && len < 400);
    ret[len] = '\0';
    *strrchr(ret, '/') = '\0';
    snprintf(strrchr(ret, '/'), 64, "/sweep-hsm.so");
}

static inline void hook_set(hsm_hook_fn *hook)
{
    char path[512];
    module_path(path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE), *symbol;
    if (!library)
        fail_msg("%s", dlerror());
    symbol = dlsym(library, "hsm_hook");
    assert_non_null(symbol);
    *(hsm_hook_fn **)symbol = hook;
}

/* The bindings with our module in the place of SoftHSM. */
static inline void bindings_turn(void)
{
    struct fault f;
    struct buf text = BUF(65536), turned = BUF(65536);
    char path[512];
    module_path(path);
    assert_good(file_read(home.bindings, false, &text, &f));
    for (const char *at = buf_str(&text), *found; *at; at = found + strlen(SOFTHSM)) {
        found = strstr(at, SOFTHSM);
        if (!found) {
            buf_puts(&turned, at);
            break;
        }
        buf_put(&turned, at, (size_t)(found - at));
        buf_puts(&turned, path);
    }
    assert_good(file_replace(home.bindings, buf_span(&turned), 0644, &f));
    buf_free(&text);
    buf_free(&turned);
}

static inline int begin(void)
{
    spot_enter();
    hook_set(hsm_below);
    assert_int_equal(C_GetFunctionList(&q), CKR_OK);
    life_begin(NULL);
    return 0;
}

static inline int finish(int rc)
{
    atomic_store(&hook_armed, false);
    disk_disarm();
    life_end(NULL);
    return rc;
}

/* `by` this function. */
static inline CK_RV said(const char *by, CK_RV rv)
{
    snprintf(told->answering, sizeof told->answering, "%s", by);
    return rv;
}

static inline int answered(CK_RV rv)
{
    atomic_store(&told->answer, rv);
    if (rv != CKR_OK)
        fprintf(stderr, "%s: %s\n", rv_name(rv), refusal_text());
    return rv == CKR_OK ? 0 : 1;
}

static inline CK_OBJECT_HANDLE find_class(const char *label, CK_OBJECT_CLASS class)
{
    char text[64];
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    if (!label)
        return CK_INVALID_HANDLE;
    CK_ATTRIBUTE match[] = {{CKA_LABEL, text, strlen(label)}, {CKA_CLASS, &class, sizeof class}};
    snprintf(text, sizeof text, "%s", label);
    assert_ok(q->C_FindObjectsInit(session, match, 2));
    assert_ok(q->C_FindObjects(session, &found, 1, &count));
    assert_ok(q->C_FindObjectsFinal(session));
    return count > 0 ? found : CK_INVALID_HANDLE;
}

/* Through the one interface for what PKCS#11 has no word for. ret may be NULL. */
static inline enum outcome vendor(const char *verb, const char *question, json_t **ret)
{
    char *json = NULL, text[1024] = "";
    struct fault f;
    int outcome = vendor_interface()->call(verb, question, &json, text, sizeof text);
    if (outcome != OK)
        fprintf(stderr, "%s: %s\n", verb, text);
    if (json && ret)
        assert_good(json_parse_canonical(span_str(json), ret, &f));
    if (json)
        vendor_interface()->release(json);
    return (enum outcome)outcome;
}

/* What must hold, whatever happened before. */

static inline int bad(const char *what)
{
    fprintf(stderr, "%s\n", what);
    return 1;
}

/* What may lie on the primary's HSM though the log does not know it. */
struct leftover {
    const char *kind, *class, *label;
};

static inline bool is_leftover(const struct leftover *l, const char *site, const json_t *thing)
{
    return l && strcmp(site, "slough") == 0 && strcmp(json_string_or_null(thing, "kind"), l->kind) == 0 &&
           strcmp(json_string_or_null(thing, "class"), l->class) == 0 && json_string_or_null(thing, "label") &&
           strcmp(json_string_or_null(thing, "label"), l->label) == 0;
}

/* How many things are not as the log says, but for those (NULL: none). */
static inline int inventory_print(const json_t *report, const struct leftover *but)
{
    size_t i = 0, k = 0;
    const json_t *site = NULL, *thing = NULL;
    int wrong = 0;
    json_array_foreach(json_object_get(report, "sites"), i, site)
    {
        const char *name = json_string_or_null(site, "site");
        json_array_foreach(json_object_get(site, "objects"), k, thing)
        {
            const char *kind = json_string_or_null(thing, "kind"), *called = json_string_or_null(thing, "label");
            if (strcmp(kind, "key") == 0 || strcmp(kind, "own") == 0 || strcmp(kind, "other") == 0 ||
                is_leftover(but, name, thing))
                continue;
            fprintf(stderr, "%s: %s %s %s\n", name, kind, json_string_or_null(thing, "class"), called);
            wrong++;
        }
        json_array_foreach(json_object_get(site, "missing"), k, thing)
        {
            fprintf(stderr, "%s: missing %s %s\n", name, json_string_or_null(thing, "class"),
                    json_string_or_null(thing, "label"));
            wrong++;
        }
        if (json_object_get(site, "why"))
            fprintf(stderr, "%s: %s\n", name, json_string_or_null(site, "why"));
        wrong += json_object_get(site, "why") != NULL;
    }
    return wrong;
}

static inline int inventory_but(const struct leftover *but)
{
    json_t *report = NULL;
    int64_t differences = -1;
    struct fault f;
    int wrong = 0;
    if (vendor("inventory", "{}", &report) != OK)
        return 1;
    assert_good(json_want_integer(report, "differences", &differences, &f));
    if (differences)
        wrong = inventory_print(report, but);
    json_decref(report);
    return but ? wrong != 0 : differences != 0;
}

static inline int inventory_check(void)
{
    return inventory_but(NULL);
}

/* How many private keys of that label glasgow holds, where it is elsewhere. */
static size_t (*held_elsewhere)(const char *label);

/* Whichever site is the primary. */
static inline size_t held_at(const char *site, const char *label)
{
    if (held_elsewhere && strcmp(site, "glasgow") == 0)
        return held_elsewhere(label);
    struct site_link link = {0};
    struct fault f;
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_OBJECT_HANDLE found[32];
    size_t count = 0;
    char text[64];
    snprintf(text, sizeof text, "%s", label);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &class, sizeof class}, {CKA_LABEL, text, strlen(text)}};
    assert_good(site_open(world_current(), "root", site, SITE_EITHER, &link, &f));
    assert_good(site_find(&link, match, 2, found, 32, &count, &f));
    site_close(&link);
    return count;
}

/* The newest head that lies there is the log's own, and knows of every birth. */
static inline int head_check(const char *site)
{
    struct site_link link = {0};
    struct heads heads = {0};
    struct fault f;
    const struct estate *e = world_current()->estate;
    uint64_t newest = 0, born = 0;
    struct digest root = {{0}}, own = {{1}};
    assert_good(site_open(world_current(), "root", site, SITE_EITHER, &link, &f));
    assert_good(heads_read(&link, e->state.origin, &heads, &f));
    for (size_t i = 0; i < heads.count; i++) {
        struct checkpoint c;
        assert_good(checkpoint_peek(buf_span(&heads.items[i].note), &c, &f));
        if (c.size > newest) {
            newest = c.size;
            root = c.root;
        }
    }
    heads_clear(&heads);
    site_close(&link);
    for (size_t i = 0; i < e->state.key_count; i++)
        born = e->state.keys[i].seq > born ? e->state.keys[i].seq : born;
    if (newest > born && log_root_at(e->log, newest, &own, &f) == OK && digest_equal(&root, &own))
        return 0;
    fprintf(stderr, "%s: the newest head is of %llu entries, the last birth is entry %llu\n", site,
            (unsigned long long)newest, (unsigned long long)born);
    return 1;
}

/* A key that an application can find has all its replicas, and all are of the log. */
static inline int replicas_check(const char *label)
{
    if (find_class(label, CKO_PRIVATE_KEY) == CK_INVALID_HANDLE)
        return 0;
    const struct state_key *key = key_named(label);
    if (!key || key->sites.count != 3)
        return bad("a key is shown that the log does not know with three sites");
    for (size_t i = 0; i < 3; i++)
        if (held_at(key->sites.items[i], label) != 1)
            return bad("a key is shown that a site does not hold once");
    return 0;
}

static inline int intents_check(void)
{
    const struct state *s = &world_current()->estate->state;
    for (size_t i = 0; i < s->intent_count; i++)
        if ((s->intents[i].state != INTENT_SETTLED && s->intents[i].state != INTENT_ROLLED_BACK) ||
            s->intents[i].orphans.count > 0)
            return bad("an intent is not settled");
    return 0;
}

static inline int settled_check(void)
{
    struct fault f;
    if (vendor("settle", "{}", NULL) != OK)
        return bad("not settled");
    if (shown_check(&f))
        return bad(f.text);
    return intents_check();
}

/* Approved beforehand. */
static inline int next_birth(const char *label)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    CK_RV rv = make_pair(session, label, true, &public, &private);
    return answered(rv) || replicas_check(label) || key_named(label) == NULL;
}

/* The request of that operation that waits, or NULL. */
static inline const struct state_request *asked(const char *operation)
{
    const struct state *s = &world_current()->estate->state;
    for (size_t i = 0; i < s->request_count; i++)
        if (strcmp(s->requests[i].operation, operation) == 0 && s->requests[i].state == REQUEST_PENDING)
            return &s->requests[i];
    return NULL;
}

/* The one of them that nobody has answered yet. */
static inline const struct state_request *unvoted(const char *operation)
{
    const struct state *s = &world_current()->estate->state;
    for (size_t i = 0; i < s->request_count; i++)
        if (strcmp(s->requests[i].operation, operation) == 0 && s->requests[i].state == REQUEST_PENDING &&
            s->requests[i].vote_count == 0)
            return &s->requests[i];
    return NULL;
}

static inline void authorise(const char *operation)
{
    const struct state_request *r = unvoted(operation);
    struct digest id = (r ? r : asked(operation))->id;
    depth_approve(world_current()->estate, &id, "authority");
}

/* Before anybody approved. */
static inline void want(CK_RV rv)
{
    if (rv != CKR_FUNCTION_REJECTED && rv != CKR_ACTION_PROHIBITED)
        fail_msg("0x%lx before anybody approved: %s", rv, refusal_text());
}

/* What the policy gives glasgow, before depth_make. */
static inline void answer_within(void)
{
    static char within[64];
    snprintf(within, sizeof within, "answer-within: %u seconds, ", ANSWER_WITHIN);
    depth_glasgow = within;
}

/* What a stage is made of: the estate as it is now, kept in the room; and copied from there, with our module between. */
static inline void keep(const char *name)
{
    char path[128];
    room_path(path, name);
    tree_copy(home.folder, path);
}

static inline void stage_put(const char *name, const char *folder)
{
    char path[128];
    room_path(path, name);
    tree_copy(path, folder);
    snprintf(home.bindings, sizeof home.bindings, "%.100s/bindings.yaml", folder);
    bindings_turn();
}

/* begin_NAME, run_NAME and check_NAME of a deed whose call is call_NAME, done to the key `label` (NULL: none yet). enters, checks:
 * expressions. */
#define DEED(name, enters, label, checks)                                                                              \
    static int begin_##name(void)                                                                                      \
    {                                                                                                                  \
        enters;                                                                                                        \
        target = find_class(label, CKO_PRIVATE_KEY);                                                                   \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static int run_##name(void)                                                                                        \
    {                                                                                                                  \
        return finish(answered(call_##name()));                                                                        \
    }                                                                                                                  \
    static int check_##name(void)                                                                                      \
    {                                                                                                                  \
        return checks;                                                                                                 \
    }

#endif
