#include "ceremony/client.h"

#include <dlfcn.h>
#include <limits.h>
#include <p11-kit/pkcs11.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ceremony/person.h"
#include "ceremony/tool.h"
#include "core/bindings.h"
#include "core/file.h"
#include "core/limits.h"
#include "estate/estate.h"
#include "estate/vendor.h"

#define MODULE_NAME "quorate-pkcs11.so"
#ifndef QUORATE_MODULE_FOLDER
#define QUORATE_MODULE_FOLDER "/usr/local/lib/pkcs11"
#endif

/* PKCS#11 3.0, section 3.4: CK_INTERFACE; the headers of p11-kit 0.24 end at 2.40. */
struct interface {
    CK_UTF8CHAR *name;
    void *functions;
    CK_FLAGS flags;
};
typedef CK_RV get_interface(CK_UTF8CHAR *name, CK_VERSION *version, struct interface **ret, CK_FLAGS flags);

struct client {
    char *path;
    void *library;
    CK_FUNCTION_LIST *functions;
    bool initialized;
    const struct quorate_vendor *vendor;
};

/* quorate-pkcs11.so beside this program, where there is one. The caller's; NULL on memory. */
static char *module_path(const char *given)
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    char *folder = NULL, *path = NULL;

    if (given)
        return strdup(given);
    if (len > 0) {
        program[len] = '\0';
        folder = path_folder(program);
        path = folder ? path_join(folder, MODULE_NAME) : NULL;
        free(folder);
    }
    if (path && file_exists(path))
        return path;
    free(path);
    return path_join(QUORATE_MODULE_FOLDER, MODULE_NAME);
}

/* A function of the library. ISO C has no cast from object to function pointers; POSIX promises that the bits do. */
static bool symbol_find(void *library, const char *name, void *ret_function, size_t size)
{
    void *symbol = dlsym(library, name);

    if (!symbol || size != sizeof symbol)
        return false;
    memcpy(ret_function, &symbol, size);
    return true;
}

static enum outcome client_load(struct client *c, const char *path, struct fault *f)
{
    CK_C_GetFunctionList list = NULL;

    c->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!c->library)
        return fault_set(f, E_IO, "%s; name the module with --module", dlerror());
    if (!symbol_find(c->library, "C_GetFunctionList", &list, sizeof list) || list(&c->functions) != CKR_OK ||
        !c->functions)
        return fault_set(f, E_INVALID, "%s is no PKCS#11 module", path);
    return OK;
}

/* PKCS#11 has but a number for it; mostly it is the bindings or the home, which say more of themselves. */
static enum outcome start_explain(const char *path, const char *bindings, CK_RV rv, struct fault *f)
{
    struct estate *e = NULL;
    enum outcome o = estate_open(bindings, &e, f);

    estate_close(e);
    return o != OK ? o : fault_set(f, E_DEVICE, "%s does not start (0x%lx)", path, rv);
}

static enum outcome client_start(struct client *c, const char *path, const char *bindings, struct fault *f)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK};
    get_interface *ask = NULL;
    struct interface *found = NULL;
    CK_UTF8CHAR name[] = VENDOR_INTERFACE;
    char *given = bindings ? strdup(bindings) : NULL;
    CK_RV rv = CKR_OK;

    if (bindings && !given)
        return fault_memory(f);
    args.pReserved = given;
    rv = c->functions->C_Initialize(&args);
    free(given);
    if (rv != CKR_OK)
        return start_explain(path, bindings, rv, f);
    c->initialized = true;
    if (!symbol_find(c->library, "C_GetInterface", &ask, sizeof ask) || ask(name, NULL, &found, 0) != CKR_OK ||
        !found || !found->functions)
        return fault_set(f, E_INVALID, "%s is not Quorate's module: it has no interface \"%s\"", path,
                         VENDOR_INTERFACE);
    c->vendor = found->functions;
    if (c->vendor->major != 1)
        return fault_set(f, E_INVALID,
                         "%s has version %u of the interface, this program wants 1; install both from one build", path,
                         c->vendor->major);
    if (c->vendor->minor >= 1)
        c->vendor->person(&terminal_person);
    return OK;
}

enum outcome client_open(const char *module, const char *bindings, struct client **ret, struct fault *f)
{
    struct client *c = calloc(1, sizeof *c);
    char *path = module_path(module);
    enum outcome o = c && path ? client_load(c, path, f) : fault_memory(f);

    if (o == OK)
        o = client_start(c, path, bindings, f);
    if (o == OK) {
        c->path = path;
        *ret = c;
        path = NULL; /* taken by c */
        c = NULL;    /* taken by the caller */
    }
    client_close(c);
    free(path);
    return o;
}

void client_close(struct client *c)
{
    if (!c)
        return;
    if (c->initialized)
        c->functions->C_Finalize(NULL);
    if (c->library)
        dlclose(c->library);
    free(c->path);
    free(c);
}

enum outcome client_token(const char *bindings_path, const char *given, struct buf *ret, struct fault *f)
{
    struct bindings *b = NULL;
    enum outcome o = OK;

    if (given) {
        buf_puts(ret, given);
        return ret->failed ? fault_memory(f) : OK;
    }
    o = bindings_load(bindings_path, &b, f);
    if (o == OK && b->token_count != 1)
        o = fault_set(f, E_INVALID, "the bindings name %zu tokens; say which one with --token", b->token_count);
    if (o == OK) {
        buf_puts(ret, b->tokens[0].id);
        o = ret->failed ? fault_memory(f) : OK;
    }
    bindings_free(b);
    return o;
}

CK_FUNCTION_LIST *client_functions(const struct client *c)
{
    return c->functions;
}

const char *client_path(const struct client *c)
{
    return c->path;
}

enum outcome client_call(struct client *c, const char *verb, json_t *question_taken, json_t **ret, struct fault *f)
{
    struct buf question = BUF(2 * LIMIT_MESSAGE);
    struct fault said = {.outcome = OK};
    char *answer = NULL;
    json_t *parsed = NULL;
    enum outcome o = question_taken ? json_canonical(question_taken, &question, f) : fault_memory(f), called = OK;

    if (o == OK && question.failed)
        o = fault_memory(f);
    if (o != OK)
        goto out;
    called = (enum outcome)c->vendor->call(verb, buf_str(&question), &answer, said.text, sizeof said.text);
    if (called != OK && called != E_PENDING) {
        o = fault_set(f, called, "%s", said.text);
        goto out;
    }
    o = answer ? json_parse_own(span_str(answer), &parsed, f)
               : fault_set(f, E_INVALID, "the module gave no answer to \"%s\"", verb);
    if (o == OK) {
        *ret = parsed;
        o = called;
    }
out:
    if (answer)
        c->vendor->release(answer);
    buf_free(&question);
    json_decref(question_taken);
    return o;
}

enum outcome client_ask(const struct arguments *a, const char *verb, json_t *question_taken, json_t **ret,
                        struct fault *f)
{
    struct client *c = NULL;
    enum outcome o =
        question_taken != NULL ? client_open(argument(a, "module"), argument(a, "bindings"), &c, f) : fault_memory(f);

    if (o == OK)
        o = client_call(c, verb, question_taken, ret, f);
    else
        json_decref(question_taken);
    client_close(c);
    return o;
}

json_t *client_place(const struct arguments *a)
{
    json_t *question = json_object();

    if (question != NULL && (a->operand_count < 1 || json_put_string(question, "token", a->operands[0])) &&
        (a->operand_count < 2 || json_put_string(question, "site", a->operands[1])))
        return question;
    json_decref(question);
    return NULL;
}
