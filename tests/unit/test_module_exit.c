#include "tests/unit/mock_fixture.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/wait.h>

/* A process that ends while the module works, or that finalises in a handler of its exit: it ends as it wanted to. */

/* These processes leave what they hold: that is what is tested, and no leak. */
#ifdef __SANITIZE_ADDRESS__
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

#define ROUNDS 8
#define THREADS 3
#define STATUS 3

static void *sign_and_make(void *context)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE public = 0, private = 0;
    unsigned char data[32] = {1}, signature[64];

    (void)context;
    if (q->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s) != CKR_OK)
        return NULL;
    for (;;) { /* until the process ends */
        make_pair(s, "exit", true, &public, &private);
        sign(s, private, data, sizeof(data), signature);
        q->C_DestroyObject(s, private);
    }
}

static void *digest(void *context)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;
    CK_MECHANISM mechanism = {CKM_SHA256, NULL, 0};
    CK_BYTE data[32] = {1};

    (void)context;
    if (q->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &s) != CKR_OK || q->C_DigestInit(s, &mechanism) != CKR_OK)
        return NULL;
    for (;;)
        q->C_DigestUpdate(s, data, sizeof(data));
}

static void *wait_for_slots(void *context)
{
    CK_SLOT_ID slot;

    (void)context;
    q->C_WaitForSlotEvent(0, &slot, NULL);
    return NULL;
}

/* When it is called, the HSM's module may have ended by its own handler: nothing goes down any more. */
static void finalise(void)
{
    CK_BYTE byte[4];

    if (q->C_GenerateRandom(session, byte, sizeof(byte)) != CKR_CRYPTOKI_NOT_INITIALIZED ||
        q->C_Finalize(NULL) != CKR_CRYPTOKI_NOT_INITIALIZED || initialise() != CKR_GENERAL_ERROR)
        _exit(1);
}

static void begin(void)
{
    if (initialise() != CKR_OK || q->C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK ||
        mock_login(session) != CKR_OK)
        _exit(1);
}

static void exit_in_the_middle(void)
{
    void *(*const works[THREADS])(void *) = {sign_and_make, digest, wait_for_slots};
    pthread_t thread;

    begin();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, works[i], NULL);
    usleep(20000); /* they are at it; any time will do */
    exit(STATUS);
}

static void exit_and_finalise(void)
{
    atexit(finalise);
    begin();
    exit(STATUS);
}

static void exit_without_a_word(void)
{
    begin();
    exit(STATUS);
}

/* In a program that began with OpenSSL itself: its handler takes everything away that our threads may be using. */
static void exit_after_openssl(void)
{
    execl("/proc/self/exe", "test_module_exit", home.bindings, (char *)NULL);
    _exit(1);
}

/* Registered before OpenSSL's handler, it comes after it. */
static void linger(void)
{
    usleep(100000);
}

static int openssl_first(const char *bindings)
{
    atexit(linger);
    snprintf(home.bindings, sizeof(home.bindings), "%s", bindings);
    if (OPENSSL_init_crypto(0, NULL) != 1 || C_GetFunctionList(&q) != CKR_OK)
        return 1;
    exit_in_the_middle();
    return 1;
}

static void ends_as_it_wants(void (*how)(void))
{
    int status = 0;
    pid_t pid;

    for (int i = 0; i < ROUNDS; i++) {
        pid = fork();
        if (pid == 0)
            how();
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status))
            fail_msg("signal %d", WTERMSIG(status));
        assert_int_equal(WEXITSTATUS(status), STATUS);
    }
}

static void threads_may_still_run(void **state)
{
    (void)state;
    ends_as_it_wants(exit_in_the_middle);
}

static void a_handler_may_finalise(void **state)
{
    (void)state;
    ends_as_it_wants(exit_and_finalise);
}

static void nobody_needs_to_finalise(void **state)
{
    (void)state;
    ends_as_it_wants(exit_without_a_word);
}

static void openssl_may_have_been_first(void **state)
{
    (void)state;
    ends_as_it_wants(exit_after_openssl);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_may_still_run),
        cmocka_unit_test(a_handler_may_finalise),
        cmocka_unit_test(nobody_needs_to_finalise),
        cmocka_unit_test(openssl_may_have_been_first),
    };

    if (argc == 2)
        return openssl_first(argv[1]);
    /* As in an application that knows nothing of OpenSSL: the module is the first to use it. */
    if (!crypto_context())
        return 1;
    return cmocka_run_group_tests(tests, mock_home_make, home_end);
}
