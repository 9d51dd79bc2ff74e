#include "tests/bypass/bypass.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Attempts through interfaces, handles, threads, processes and copies of the module. */

/* PKCS#11 3.0, section 5.4.6. */
struct interface {
    CK_UTF8CHAR *name;
    void *list;
    CK_FLAGS flags;
};
typedef CK_RV (*interface_list_fn)(struct interface *list, CK_ULONG *count);

/* Every function of every standard list is this module's own. */
static void lists_of_every_interface(void)
{
    void *library = dlopen(module_path, RTLD_NOW | RTLD_NOLOAD), *symbol;
    interface_list_fn get = NULL;
    struct interface all[16];
    CK_ULONG count = 16;
    Dl_info own, where;

    symbol = library ? dlsym(library, "C_GetInterfaceList") : NULL;
    if (!symbol || !dladdr(symbol, &own))
        broken("no C_GetInterfaceList");
    memcpy(&get, &symbol, sizeof(get));
    want(get(all, &count), CKR_OK, "C_GetInterfaceList");
    for (CK_ULONG i = 0; i < count; i++) {
        const CK_VERSION *version = all[i].list;
        /* 2.40 has 68 functions, 3.0 92 (a NULL function list is none of ours either). */
        size_t functions = version->major >= 3 ? 92 : 68;
        void **at = (void **)((char *)all[i].list + sizeof(void *));

        if (strcmp((const char *)all[i].name, "PKCS 11") != 0)
            continue;
        for (size_t k = 0; k < functions; k++)
            if (!dladdr(at[k], &where) || where.dli_fbase != own.dli_fbase)
                broken("function %zu of interface %lu belongs to %s", k, i, where.dli_fname);
    }
}

enum { GUESSES = 1024 };

/* Small numbers, as HSMs give them, and ours in their order. */
static bool object_there(CK_OBJECT_HANDLE h)
{
    CK_BBOOL on_token;
    CK_ATTRIBUTE a = {CKA_TOKEN, &on_token, 1};

    return q->C_GetAttributeValue(session, h, &a, 1) == CKR_OK;
}

/* What a handle that nobody gave out does. */
static void guess_use(CK_OBJECT_HANDLE h, CK_OBJECT_HANDLE known)
{
    CK_MECHANISM wrap = {CKM_AES_KEY_WRAP_PAD, NULL, 0}, ecdsa = {CKM_ECDSA, NULL, 0};
    CK_BYTE blob[2048];
    CK_ULONG len = sizeof(blob);
    CK_OBJECT_HANDLE made = 0;

    if (q->C_WrapKey(session, &wrap, known, h, blob, &len) == CKR_OK)
        broken("the key of guessed handle %lu is wrapped", h);
    if (q->C_CopyObject(session, h, NULL, 0, &made) == CKR_OK)
        broken("the object of guessed handle %lu is copied", h);
    if (q->C_SignInit(session, &ecdsa, h) == CKR_OK)
        broken("the key of guessed handle %lu signs", h);
    if (q->C_DestroyObject(session, h) == CKR_OK)
        broken("the object of guessed handle %lu is destroyed", h);
}

static void guess_handles(void)
{
    CK_OBJECT_HANDLE known = known_aes(), all[GUESSES];
    CK_ULONG count = 0, given = 0;

    /* What a search shows, and what attempts before made as session objects, was given to this application. */
    want(q->C_FindObjectsInit(session, NULL, 0), CKR_OK, "C_FindObjectsInit");
    want(q->C_FindObjects(session, all, GUESSES, &count), CKR_OK, "C_FindObjects");
    want(q->C_FindObjectsFinal(session), CKR_OK, "C_FindObjectsFinal");
    for (CK_OBJECT_HANDLE h = 1; h < GUESSES; h++) {
        bool shown = false, on_token = false;
        CK_BBOOL token = CK_TRUE;
        CK_ATTRIBUTE a = {CKA_TOKEN, &token, 1};

        for (CK_ULONG i = 0; i < count; i++)
            shown = shown || all[i] == h;
        on_token = q->C_GetAttributeValue(session, h, &a, 1) != CKR_OK || token;
        given += shown;
        if (!shown && on_token)
            guess_use(h, known);
    }
    want_logged("refused", "C_Sign: a handle that stands for no object");
    if (!across) /* p11-kit carries no key wrap */
        want_logged("refused", "C_WrapKey: a handle that stands for no object");
    want_logged("refused", "C_CopyObject: a handle that stands for no object");
    want_logged("refused", "C_DestroyObject: a handle that stands for no object");
    if (given == 0 && !across)
        broken("none of %lu objects shown was among the guesses: they are guessed wrongly", count);
}

static struct pair unborn;
static CK_RV unborn_rv;
static char unborn_label[32];
static atomic_bool birth_over;

static void *give_birth(void *unused)
{
    unborn_rv = make_pair(unborn_label, unborn_label, true, &unborn);
    atomic_store(&birth_over, true);
    return unused;
}

static void birth_begin(const char *label, pthread_t *ret)
{
    snprintf(unborn_label, sizeof(unborn_label), "%s", label);
    want_rejected(make_pair(label, label, true, &unborn), "a birth not approved yet");
    people("approve");
    atomic_store(&birth_over, false);
    if (pthread_create(ret, NULL, give_birth, NULL) != 0)
        broken("no thread");
}

/* Handles are tried while a key exists as a session object that can be wrapped. What asks no policy takes no lock. */
static void guess_handles_during_a_birth(void)
{
    static bool before[GUESSES], during[GUESSES];
    pthread_t thread;

    birth_begin("gov-guess", &thread);
    for (CK_OBJECT_HANDLE h = 1; h < GUESSES; h++)
        before[h] = object_there(h);
    while (!atomic_load(&birth_over))
        for (CK_OBJECT_HANDLE h = 1; h < GUESSES; h++)
            during[h] = during[h] || object_there(h);
    pthread_join(thread, NULL);
    want(unborn_rv, CKR_OK, "the birth");
    for (CK_OBJECT_HANDLE h = 1; h < GUESSES; h++)
        if (during[h] && !before[h] && h != unborn.public && h != unborn.private)
            broken("handle %lu was there while the key was being born", h);
    want_logged("born", "gov-guess");
}

static void close_during_a_birth(void)
{
    CK_OBJECT_HANDLE handles[8];
    CK_SESSION_INFO info;
    pthread_t thread;
    CK_ULONG there;

    want(q->C_GetSessionInfo(session, &info), CKR_OK, "C_GetSessionInfo");
    birth_begin("gov-close", &thread);
    usleep(20000); /* whether it is in its middle by then decides what is tried, not what must hold */
    q->C_Logout(session);
    q->C_CloseAllSessions(info.slotID);
    pthread_join(thread, NULL);
    logged_in(&session);
    handles_find();
    there = found("gov-close", CKO_PRIVATE_KEY, handles);
    /* Born, with its entry, or not there at all. */
    if (there == 1)
        want_logged("born", "gov-close");
    else if (there != 0 || unborn_rv == CKR_OK)
        broken("%lu keys after a birth that answered 0x%lx", there, unborn_rv);
    people("check");
}

static void use_in_a_forked_child(void)
{
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    struct pair made;
    int status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(q->C_SignInit(session, &m, free_ec.private) == CKR_OK ||
              make_pair("gov-fork", "gov-fork", true, &made) == CKR_OK);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        broken("a forked child uses its parent's login");
    want(q->C_SignInit(session, &m, free_ec.private), CKR_OK, "the parent goes on");
    CK_BYTE data[32] = {1}, signature[64];
    CK_ULONG len = sizeof(signature);
    want(q->C_Sign(session, data, 32, signature, &len), CKR_OK, "the parent signs");
}

/* Another process of the same application, with a module of its own: 0 where it could sign, and can no more once it was told
 * of a suspension; told of it by nobody but the log. */
static int sign_until_refused(int told)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_BYTE data[32] = {5}, out[512], byte = 1;
    CK_ULONG len = 0;
    CK_OBJECT_HANDLE key = 0;
    CK_RV rv;

    if (q->C_Initialize(&args) != CKR_OK)
        return 2;
    logged_in(&session);
    key = one_key("free-ec");
    if (sign(CKM_ECDSA, key, data, 32, out, &len) != CKR_OK || write(told, &byte, 1) != 1)
        return 3;
    for (int i = 0; i < 600; i++) { /* a minute: how soon is not asked here */
        rv = sign(CKM_ECDSA, key, data, 32, out, &len);
        if (rv == CKR_FUNCTION_REJECTED)
            return 0;
        if (rv != CKR_OK)
            return 4;
        usleep(100000);
    }
    return 5;
}

static void a_suspension_reaches_other_processes(void)
{
    int pipes[2], status = -1;
    CK_BYTE byte = 0;
    pid_t child;
    ssize_t got;

    if (pipe(pipes) != 0 || (child = fork()) < 0)
        broken("no process");
    if (child == 0) {
        close(pipes[0]);
        _exit(child_status(sign_until_refused, pipes[1]));
    }
    close(pipes[1]);
    got = read(pipes[0], &byte, 1);
    close(pipes[0]);
    if (got == 1)
        people("suspend");
    if (waitpid(child, &status, 0) != child)
        broken("no child");
    if (got == 1)
        people("resume");
    if (status != 0)
        broken("the other process ended with status 0x%x", status);
}

/* The same module from another file, with handles and a state of its own. */
static void a_second_copy_under_another_name(void)
{
    char command[512], path[] = "/tmp/quorate-copy-XXXXXX";
    int fd = mkstemp(path);
    CK_FUNCTION_LIST *first = q, *second = NULL;
    CK_SESSION_HANDLE first_session = session;
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_C_GetFunctionList get = NULL;
    CK_MECHANISM m = {CKM_ECDSA, NULL, 0};
    CK_BYTE data[32] = {9}, signature[512];
    CK_ULONG len;
    struct pair made;

    close(fd);
    snprintf(command, sizeof(command), "cp '%s' %s", module_path, path);
    /* NOLINTNEXTLINE(cert-env33-c): the command is the test's own */
    void *library = system(command) == 0 ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *symbol = library ? dlsym(library, "C_GetFunctionList") : NULL;
    unlink(path);
    if (!symbol)
        broken("no second copy");
    memcpy(&get, &symbol, sizeof(get));
    want(get(&second), CKR_OK, "C_GetFunctionList of the copy");
    if (second == first)
        broken("the copy is the same");
    want(second->C_Initialize(&args), CKR_OK, "C_Initialize of the copy");
    q = second;
    logged_in(&session);
    CK_RV guessed = q->C_SignInit(session, &m, free_ec.private);
    CK_RV stray = make_pair("stray-2", "stray-2", true, &made);
    handles_find();
    CK_RV governed = sign(CKM_ECDSA, gov_ec.private, data, 32, signature, &len);
    second->C_CloseSession(session);
    second->C_Finalize(NULL);
    q = first;
    session = first_session;
    logged_in(&session);
    handles_find();
    want_refused(guessed, "a handle of the first copy");
    want_rejected(stray, "a key that no rule allows, by a second copy");
    want_rejected(governed, "a governed key, by a second copy");
}

#define OWN_PROCESS "there the application's process holds no module of ours"

const struct attempt attempts_on_processes[] = {
    {"lists_of_every_interface", lists_of_every_interface, IN_PROCESS, OWN_PROCESS},
    {"guess_handles", guess_handles, ANYWHERE, NULL},
    {"guess_handles_during_a_birth", guess_handles_during_a_birth, ANYWHERE, NULL},
    {"close_during_a_birth", close_during_a_birth, ANYWHERE, NULL},
    {"a_suspension_reaches_other_processes", a_suspension_reaches_other_processes, ANYWHERE, NULL},
    {"use_in_a_forked_child", use_in_a_forked_child, ANYWHERE, NULL},
    {"a_second_copy_under_another_name", a_second_copy_under_another_name, IN_PROCESS, OWN_PROCESS},
    {NULL, NULL, ANYWHERE, NULL},
};
