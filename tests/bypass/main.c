#include "tests/bypass/bypass.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

CK_FUNCTION_LIST *q;
CK_SESSION_HANDLE session;
bool across;
const char *module_path;
struct pair free_ec, gov_ec, gov_rsa;
CK_OBJECT_HANDLE free_aes;
CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
CK_BYTE p256[10] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

static const char *people_command, *pin;
static jmp_buf end_of_attempt;
static char why[512];

enum { ATTEMPTS = 64 };
static struct {
    const char *name;
    bool held;
} done[ATTEMPTS];
static size_t done_count;

void broken(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    vsnprintf(why, sizeof(why), format, list);
    va_end(list);
    longjmp(end_of_attempt, 1);
}

int child_status(int (*run)(int), int context)
{
    return setjmp(end_of_attempt) == 0 ? run(context) : 9;
}

void want(CK_RV rv, CK_RV wanted, const char *what)
{
    if (rv != wanted)
        broken("%s: 0x%lx instead of 0x%lx", what, rv, wanted);
}

void want_refused(CK_RV rv, const char *what)
{
    if (rv == CKR_OK)
        broken("%s: done", what);
}

void want_rejected(CK_RV rv, const char *what)
{
    if (rv != CKR_FUNCTION_REJECTED && rv != CKR_ACTION_PROHIBITED)
        broken("%s: 0x%lx instead of a refusal by the policy", what, rv);
}

static int people_do(const char *act, const char *more, const char *text)
{
    char line[1024];

    snprintf(line, sizeof(line), "%s %s %s '%s' >/dev/null 2>&1", people_command, act, more, text);
    return system(line); /* NOLINT(cert-env33-c): the command is the test's own */
}

void want_logged(const char *type, const char *text)
{
    if (people_do("logged", type, text) != 0)
        broken("the record has no entry \"%s\" with \"%s\"", type, text);
}

void people(const char *act)
{
    if (people_do(act, "", "") != 0)
        broken("people could not %s", act);
}

void logged_in(CK_SESSION_HANDLE *ret)
{
    CK_SLOT_ID slots[8];
    CK_ULONG count = 8;
    CK_TOKEN_INFO info;
    CK_SESSION_HANDLE s = 0;
    CK_RV rv;

    want(q->C_GetSlotList(CK_TRUE, slots, &count), CKR_OK, "C_GetSlotList");
    for (CK_ULONG i = 0; i < count; i++)
        if (q->C_GetTokenInfo(slots[i], &info) == CKR_OK && memcmp(info.label, "root ", 5) == 0) {
            want(q->C_OpenSession(slots[i], CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s), CKR_OK,
                 "C_OpenSession");
            rv = q->C_Login(s, CKU_USER, (CK_UTF8CHAR_PTR)strdup(pin), strlen(pin));
            if (rv != CKR_USER_ALREADY_LOGGED_IN)
                want(rv, CKR_OK, "C_Login");
            *ret = s;
            return;
        }
    broken("there is no token root");
}

CK_ULONG found(const char *label, CK_OBJECT_CLASS class, CK_OBJECT_HANDLE ret[8])
{
    char text[64];
    CK_ATTRIBUTE match[] = {{CKA_LABEL, text, strlen(label)}, {CKA_CLASS, &class, sizeof(class)}};
    CK_ULONG count = 0;

    snprintf(text, sizeof(text), "%s", label);
    want(q->C_FindObjectsInit(session, match, 2), CKR_OK, "C_FindObjectsInit");
    want(q->C_FindObjects(session, ret, 8, &count), CKR_OK, "C_FindObjects");
    want(q->C_FindObjectsFinal(session), CKR_OK, "C_FindObjectsFinal");
    return count;
}

static CK_OBJECT_HANDLE one(const char *label, CK_OBJECT_CLASS class)
{
    CK_OBJECT_HANDLE handles[8];
    CK_ULONG count = found(label, class, handles);

    if (count != 1)
        broken("%lu objects of class %lu have the label %s", count, class, label);
    return handles[0];
}

CK_OBJECT_HANDLE one_key(const char *label)
{
    return one(label, CKO_PRIVATE_KEY);
}

void handles_find(void)
{
    free_ec = (struct pair){one("free-ec", CKO_PUBLIC_KEY), one("free-ec", CKO_PRIVATE_KEY)};
    gov_ec = (struct pair){one("gov-ec", CKO_PUBLIC_KEY), one("gov-ec", CKO_PRIVATE_KEY)};
    gov_rsa = (struct pair){one("gov-rsa", CKO_PUBLIC_KEY), one("gov-rsa", CKO_PRIVATE_KEY)};
    free_aes = one("free-aes", CKO_SECRET_KEY);
}

CK_RV make_pair(const char *public_label, const char *private_label, bool on_token, struct pair *ret)
{
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    char outer[64] = "", inner[64] = "";
    CK_BBOOL *token = on_token ? &yes : &no;
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, token, 1},
                             {CKA_VERIFY, &yes, 1},
                             {CKA_EC_PARAMS, p256, sizeof(p256)},
                             {CKA_LABEL, outer, public_label ? strlen(public_label) : 0}},
                 private[] = {{CKA_TOKEN, token, 1},
                              {CKA_SENSITIVE, &yes, 1},
                              {CKA_PRIVATE, &yes, 1},
                              {CKA_SIGN, &yes, 1},
                              {CKA_LABEL, inner, private_label ? strlen(private_label) : 0}};

    snprintf(outer, sizeof(outer), "%s", public_label ? public_label : "");
    snprintf(inner, sizeof(inner), "%s", private_label ? private_label : "");
    return q->C_GenerateKeyPair(session, &mechanism, public, public_label ? 4 : 3, private, private_label ? 5 : 4,
                                &ret->public, &ret->private);
}

CK_RV make_aes(const char *label, bool on_token, CK_OBJECT_HANDLE *ret)
{
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ULONG bytes = 32;
    char text[64];
    CK_ATTRIBUTE items[] = {{CKA_TOKEN, on_token ? &yes : &no, 1},
                            {CKA_SENSITIVE, &yes, 1},
                            {CKA_PRIVATE, &yes, 1},
                            {CKA_ENCRYPT, &yes, 1},
                            {CKA_DECRYPT, &yes, 1},
                            {CKA_DERIVE, &yes, 1},
                            {CKA_WRAP, &yes, 1},
                            {CKA_EXTRACTABLE, &no, 1},
                            {CKA_VALUE_LEN, &bytes, sizeof(bytes)},
                            {CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_GenerateKey(session, &mechanism, items, sizeof(items) / sizeof(*items), ret);
}

CK_OBJECT_HANDLE known_aes(void)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BYTE value[32] = {7};
    CK_OBJECT_HANDLE key = 0;
    CK_ATTRIBUTE items[] = {{CKA_CLASS, &class, sizeof(class)},
                            {CKA_KEY_TYPE, &type, sizeof(type)},
                            {CKA_TOKEN, &no, 1},
                            {CKA_VALUE, value, sizeof(value)},
                            {CKA_WRAP, &yes, 1},
                            {CKA_UNWRAP, &yes, 1},
                            {CKA_DERIVE, &yes, 1},
                            {CKA_EXTRACTABLE, &yes, 1},
                            {CKA_SENSITIVE, &no, 1}};

    want(q->C_CreateObject(session, items, sizeof(items) / sizeof(*items), &key), CKR_OK, "a known AES session key");
    return key;
}

CK_RV sign(CK_MECHANISM_TYPE mechanism, CK_OBJECT_HANDLE key, const CK_BYTE *data, CK_ULONG len, CK_BYTE ret[512],
           CK_ULONG *ret_len)
{
    CK_MECHANISM m = {mechanism, NULL, 0};
    CK_BYTE copy[512];
    CK_RV rv = q->C_SignInit(session, &m, key);

    memcpy(copy, data, len);
    *ret_len = 512;
    return rv == CKR_OK ? q->C_Sign(session, copy, len, ret, ret_len) : rv;
}

static CK_RV make_rsa(const char *label, struct pair *ret)
{
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
    CK_ULONG bits = 3072;
    char text[64];
    CK_ATTRIBUTE public[] = {{CKA_TOKEN, &yes, 1},
                             {CKA_VERIFY, &yes, 1},
                             {CKA_ENCRYPT, &yes, 1},
                             {CKA_MODULUS_BITS, &bits, sizeof(bits)},
                             {CKA_LABEL, text, strlen(label)}},
                 private[] = {{CKA_TOKEN, &yes, 1}, {CKA_SENSITIVE, &yes, 1},        {CKA_PRIVATE, &yes, 1},
                              {CKA_SIGN, &yes, 1},  {CKA_SIGN_RECOVER, &no, 1},      {CKA_DECRYPT, &yes, 1},
                              {CKA_UNWRAP, &no, 1}, {CKA_LABEL, text, strlen(label)}};

    snprintf(text, sizeof(text), "%s", label);
    return q->C_GenerateKeyPair(session, &mechanism, public, 5, private, 8, &ret->public, &ret->private);
}

/* The keys that all attempts are about. */
static void keys_make(void)
{
    want(make_pair("free-ec", "free-ec", true, &free_ec), CKR_OK, "free-ec");
    want(make_aes("free-aes", true, &free_aes), CKR_OK, "free-aes");
    want_rejected(make_pair("gov-ec", "gov-ec", true, &gov_ec), "gov-ec");
    people("approve");
    want(make_pair("gov-ec", "gov-ec", true, &gov_ec), CKR_OK, "gov-ec, approved");
    want_rejected(make_rsa("gov-rsa", &gov_rsa), "gov-rsa");
    people("approve");
    want(make_rsa("gov-rsa", &gov_rsa), CKR_OK, "gov-rsa, approved");
}

static void module_load(void)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    CK_C_GetFunctionList get = NULL;
    void *library = dlopen(module_path, RTLD_NOW | RTLD_LOCAL), *symbol = NULL;

    if (library)
        symbol = dlsym(library, "C_GetFunctionList");
    if (!symbol)
        broken("%s cannot be loaded: %s", module_path, dlerror());
    memcpy(&get, &symbol, sizeof(get)); /* POSIX lets a function pointer be a void * */
    want(get(&q), CKR_OK, "C_GetFunctionList");
    want(q->C_Initialize(&args), CKR_OK, "C_Initialize");
    logged_in(&session);
}

static bool held(const char *name)
{
    for (size_t i = 0; i < done_count; i++)
        if (strcmp(done[i].name, name) == 0)
            return done[i].held;
    return false;
}

/* true: it is refused, as it must be, or cannot be tried here. */
static bool attempt_make(const struct attempt *a)
{
    volatile bool good = false;

    if (across && a->where == IN_PROCESS) {
        printf("ok   %s (in one process only: %s)\n", a->name, a->why);
        good = true;
    } else if (setjmp(end_of_attempt) == 0) {
        a->run();
        printf("ok   %s\n", a->name);
        good = true;
    } else {
        printf("FAIL %s: %s\n", a->name, why);
    }
    fflush(stdout);
    return good;
}

static bool attempts_make(const struct attempt *list)
{
    bool good = true;

    for (; list->name && done_count < ATTEMPTS; list++) {
        bool one_held = attempt_make(list);

        done[done_count].name = list->name;
        done[done_count++].held = one_held;
        good = good && one_held;
    }
    return good;
}

int main(int argc, char **argv)
{
    bool good = true;

    if (argc != 5) {
        fprintf(stderr, "usage: bypass MODULE in-process|across PEOPLE-COMMAND PIN\n");
        return 2;
    }
    module_path = argv[1];
    across = strcmp(argv[2], "across") == 0;
    people_command = argv[3];
    pin = argv[4];
    if (setjmp(end_of_attempt) != 0) {
        printf("FAIL making the keys: %s\n", why);
        return 1;
    }
    module_load();
    keys_make();
    good = attempts_make(attempts_to_make) && good;
    good = attempts_make(attempts_to_use) && good;
    good = attempts_make(attempts_on_processes) && good;
    return table_print(held) && good ? 0 : 1;
}
