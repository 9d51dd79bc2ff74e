#include "tests/unit/shim_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "module/remote.h"

/* A lower module whose peer died writes to it all the same: the host process, which does nothing about SIGPIPE, goes on, and
 * what it has of signals itself is as before. Each test in a process of its own, for signals are the process's. */

static unsigned *shim_writes;
static bool *shim_silent;
static void (**shim_meanwhile)(void);
static volatile sig_atomic_t handled;

#define must(what)                                                                                                     \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%d: %s\n", __LINE__, #what);                                                              \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static void handle(int number)
{
    (void)number;
    handled++;
}

static bool pending(void)
{
    sigset_t set;

    return sigpending(&set) == 0 && sigismember(&set, SIGPIPE) == 1;
}

static bool blocked(void)
{
    sigset_t set;

    return pthread_sigmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGPIPE) == 1;
}

static void pipe_mask(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(how, &set, NULL);
}

static void host_begin(const char *remote)
{
    char command[PATH_MAX + 128];
    void *library;

    signal(SIGPIPE, SIG_DFL);
    snprintf(command, sizeof(command), "sed -i 's|, remote: [a-z]*}|}|; s|}$|%s}|' %s", remote, home.bindings);
    depth_run(command);
    library = dlopen(shim, RTLD_NOW | RTLD_LOCAL);
    must(library);
    shim_writes = dlsym(library, "shim_writes");
    shim_silent = dlsym(library, "shim_silent");
    shim_meanwhile = dlsym(library, "shim_meanwhile");
    must(shim_writes && shim_silent && shim_meanwhile);
    begin("pipe");
}

/* The status of a process that does `work`. */
static int host(const char *remote, void (*work)(void))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        host_begin(remote);
        work();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void host_lives(const char *remote, void (*work)(void))
{
    int status = host(remote, work);

    if (WIFSIGNALED(status))
        fail_msg("signal %d", WTERMSIG(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void call(void)
{
    CK_BYTE bytes[8];
    unsigned before = *shim_writes;

    must(q->C_GenerateRandom(session, bytes, sizeof(bytes)) == CKR_OK);
    must(*shim_silent || *shim_writes == before + 1);
}

static void work_of_all_kinds(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0, handles[8];
    unsigned char data[32] = {1}, signature[64];
    unsigned before = *shim_writes;

    must(before > 0); /* C_Initialize, C_OpenSession, C_Login */
    must(make_pair(session, "free-pipe", true, &public, &private) == CKR_OK);
    must(find_label(session, "free-pipe", handles) == 2);
    must(sign(session, private, data, sizeof(data), signature) == CKR_OK);
    must(verify(session, public, data, sizeof(data), signature) == CKR_OK);
    must(q->C_DestroyObject(session, private) == CKR_OK);
    must(q->C_DestroyObject(session, public) == CKR_OK);
    must(q->C_Finalize(NULL) == CKR_OK);
    must(*shim_writes > before + 10);
    must(!pending() && !blocked());
}

static void a_dead_peer_ends_no_host(void **state)
{
    (void)state;
    host_lives("", work_of_all_kinds);
    host_lives(", remote: true", work_of_all_kinds);
}

/* That the signal was there at all. */
static void who_asks_for_no_guard_has_none(void **state)
{
    int status = host(", remote: false", call);

    (void)state;
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGPIPE);
}

static void keep_its_own(void)
{
    pipe_mask(SIG_BLOCK);
    call();
    must(!pending() && blocked()); /* ours is gone */
    raise(SIGPIPE);
    call();
    must(pending() && blocked()); /* its own waits for it */
    signal(SIGPIPE, handle);
    pipe_mask(SIG_UNBLOCK);
    must(handled == 1);
}

static void a_pending_signal_of_the_host_stays(void **state)
{
    (void)state;
    host_lives("", keep_its_own);
}

static void signal_from_elsewhere(void)
{
    pid_t parent = getpid(), pid = fork();

    if (pid == 0)
        _exit(kill(parent, SIGPIPE));
    must(waitpid(pid, NULL, 0) == pid);
}

static void hear_others(void)
{
    signal(SIGPIPE, handle);
    *shim_meanwhile = signal_from_elsewhere;
    call();
    must(handled == 1); /* once: the other's, not that of the write */
    *shim_silent = true;
    call();
    must(handled == 2);
    *shim_meanwhile = NULL;
    call();
    must(handled == 2 && !pending() && !blocked());
}

static void a_signal_from_elsewhere_arrives(void **state)
{
    (void)state;
    host_lives("", hear_others);
}

static void a_library_shows_what_it_imports(void **state)
{
    static const struct {
        const char *path;
        bool remote;
    } known[] = {{shim, true},
                 {"p11-kit-proxy.so", true},
                 {"/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so", true},
                 {SOFTHSM, false}};

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        void *library = dlopen(known[i].path, RTLD_NOW | RTLD_LOCAL);

        if (library)
            assert_int_equal(remote_looks(library), known[i].remote);
        else
            print_message("%s is not here\n", known[i].path);
        if (i == 0 || i == 3)
            assert_non_null(library);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_peer_ends_no_host),           cmocka_unit_test(who_asks_for_no_guard_has_none),
        cmocka_unit_test(a_pending_signal_of_the_host_stays), cmocka_unit_test(a_signal_from_elsewhere_arrives),
        cmocka_unit_test(a_library_shows_what_it_imports),
    };

    return cmocka_run_group_tests(tests, shim_make, home_end);
}
