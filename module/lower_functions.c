#include <dlfcn.h>
#include <string.h>

#include "module/functions.h"
#include "module/lower.h"

/* What a lower module offers, copied into lists without holes: a function that it lacks, or that its version does not
 * have yet, answers CKR_FUNCTION_NOT_SUPPORTED. Nothing is read past the version that it says. */

#define IGNORE(...) ignore(0, __VA_ARGS__)
static void ignore(int first, ...)
{
    (void)first;
}

#define ABSENT(name, params, args)                                                                                     \
    static CK_RV absent_##name params                                                                                  \
    {                                                                                                                  \
        IGNORE args;                                                                                                   \
        return CKR_FUNCTION_NOT_SUPPORTED;                                                                             \
    }
#define FUNCTION_2_40(name, kind, note, params, args) ABSENT(name, params, args)
#define FUNCTION_3_0(name, kind, note, params, args) ABSENT(name, params, args)
#include "module/functions.def"

static void list_copy(CK_FUNCTION_LIST *ret, const CK_FUNCTION_LIST *theirs)
{
    /* 2.40, section 3.6: C_WaitForSlotEvent, the last one, is there from 2.01 on. */
    size_t size = theirs->version.major == 2 && theirs->version.minor == 0
                      ? offsetof(CK_FUNCTION_LIST, C_WaitForSlotEvent)
                      : sizeof(*ret);

    *ret = (CK_FUNCTION_LIST){0};
    memcpy(ret, theirs, size);
#define FUNCTION_2_40(name, kind, note, params, args)                                                                  \
    if (!ret->name)                                                                                                    \
        ret->name = absent_##name;
#include "module/functions.def"
}

/* theirs: NULL where there is none. */
static void list_3_0_copy(CK_FUNCTION_LIST_3_0 *ret, const CK_FUNCTION_LIST_3_0 *theirs)
{
    *ret = (CK_FUNCTION_LIST_3_0){0};
    if (theirs)
        *ret = *theirs;
#define FUNCTION_3_0(name, kind, note, params, args)                                                                   \
    if (!ret->name)                                                                                                    \
        ret->name = absent_##name;
#include "module/functions.def"
}

/* The function list of 3.0, or of a later 3.x, which begins with it. */
static const CK_FUNCTION_LIST_3_0 *library_list_3_0(void *library)
{
    CK_RV (*get)(CK_UTF8CHAR_PTR, CK_VERSION *, CK_INTERFACE **, CK_FLAGS) = NULL;
    CK_UTF8CHAR name[] = "PKCS 11";
    CK_INTERFACE *found = NULL;
    const CK_VERSION *version = NULL;
    void *symbol = dlsym(library, "C_GetInterface");

    memcpy(&get, &symbol, sizeof(get)); /* POSIX lets a function pointer be a void *, ISO C does not convert it */
    if (!get)
        return NULL;
    for (unsigned char minor = 0; minor <= 2; minor++) {
        CK_VERSION wanted = {3, minor};

        if (get(name, &wanted, &found, 0) != CKR_OK || !found || !found->pFunctionList)
            continue;
        version = found->pFunctionList;
        return version->major == 3 ? found->pFunctionList : NULL;
    }
    return NULL;
}

bool lower_functions(struct lower *l)
{
    const CK_FUNCTION_LIST_3_0 *later = NULL;
    CK_C_GetFunctionList get = NULL;
    CK_FUNCTION_LIST *theirs = NULL;
    void *symbol = dlsym(l->library, "C_GetFunctionList");

    memcpy(&get, &symbol, sizeof(get));
    if (!get || get(&theirs) != CKR_OK || !theirs || theirs->version.major < 2 || theirs->version.major > 3)
        return false;
    later = library_list_3_0(l->library);
    list_copy(&l->list, theirs);
    list_3_0_copy(&l->list_3_0, later);
    l->has_3_0 = later != NULL;
    l->f = &l->list;
    return true;
}
