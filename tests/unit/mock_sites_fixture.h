#ifndef QUORATE_TESTS_MOCK_SITES_FIXTURE_H
#define QUORATE_TESTS_MOCK_SITES_FIXTURE_H

/* Three sites, each with a mock HSM in a library of its own whose keys are keys; enrolled, the application logged in. */

#include "module/visit.h"
#include "tests/mock-hsm.h"
#include "tests/unit/depth_fixture.h"

struct mock_site {
    char path[160];
    mock_steer_fn steer;
    mock_calls_fn calls;
};
static struct mock_site hsm[3]; /* as depth_sites */

static inline void hsm_steer(size_t site, const char *line)
{
    if (!hsm[site].steer(line))
        fail_msg("not understood: %s", line);
}

static inline void hsm_reset(void)
{
    for (size_t i = 0; i < 3; i++)
        hsm_steer(i, "reset");
}

static inline void hsm_load(const char *folder, size_t site)
{
    char from[512], command[1200];
    ssize_t len = readlink("/proc/self/exe", from, 400);
    void *library, *symbol;

    assert_true(len > 0 && len < 400);
    from[len] = '\0';
    for (int up = 0; up < 2; up++)
        *strrchr(from, '/') = '\0';
    snprintf(hsm[site].path, sizeof hsm[site].path, "%s/hsm-%zu.so", folder, site);
    snprintf(command, sizeof command, "cp %s/mock-hsm.so %s", from, hsm[site].path);
    depth_run(command);
    library = dlopen(hsm[site].path, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    symbol = dlsym(library, "mock_steer");
    assert_non_null(symbol);
    memcpy(&hsm[site].steer, &symbol, sizeof symbol);
    symbol = dlsym(library, "mock_calls");
    memcpy(&hsm[site].calls, &symbol, sizeof symbol);
    hsm_steer(site, "real");
}

static inline void mock_sites_login(struct depth *d)
{
    const struct shown_token *t = world_token(d->world, "root");
    CK_UTF8CHAR pin[] = MOCK_PIN;
    CK_FUNCTION_LIST *f = t->lower->f;
    assert_int_equal(f->C_OpenSession(t->lower_slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &d->session),
                     CKR_OK);
    assert_int_equal(f->C_Login(d->session, CKU_USER, pin, sizeof pin - 1), CKR_OK);
}

/* What a test sets before mock_sites_make: more of each site's binding. */
static const char *mock_binding_more[3] = {"", "", ""};

static inline void mock_bindings(struct depth *d)
{
    char text[2048];
    size_t used = (size_t)snprintf(text, sizeof text, "home: ./estate\npolicy: ./policy.yaml\ntokens:\n  root:\n");
    for (size_t i = 0; i < 3; i++)
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "    %s: {module: %s, serial: MOCK%zu, pin: \"file:pins/pin\"%s}\n", depth_sites[i],
                                 hsm[i].path, i, mock_binding_more[i]);
    depth_write(d->folder, "bindings.yaml", text);
}

static inline void mock_sites_make(struct depth *d, const char *rules)
{
    char command[256];
    struct fault f;
    memset(d, 0, sizeof *d);
    umask(022);
    assert_true(scratch_folder(d->folder, sizeof d->folder, "sites"));
    snprintf(command, sizeof command, "cd %s && mkdir pins people && umask 077 && echo " MOCK_PIN " >pins/pin",
             d->folder);
    depth_run(command);
    for (size_t i = 0; i < 3; i++)
        hsm_load(d->folder, i);
    mock_bindings(d);
    for (size_t i = 0; i < DEPTH_PEOPLE; i++)
        depth_person_make(&depth_people[i], d->folder);
    depth_policy(d, rules);
    snprintf(d->bindings, sizeof d->bindings, "%s/bindings.yaml", d->folder);
    assert_good(estate_create(d->bindings, "rehearsal", NULL, &f));
    depth_adopt(d);
    assert_good(world_open(d->bindings, &d->world, &f));
    depth_enrol_all(d);
    mock_sites_login(d);
}

/* Waits until so many calls hang in a site's library. */
static inline void hsm_await(size_t site, unsigned long hanging)
{
    while (hsm[site].calls("hanging") != hanging)
        usleep(1000);
}

#endif
