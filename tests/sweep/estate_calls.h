#ifndef QUORATE_TESTS_SWEEP_ESTATE_CALLS_H
#define QUORATE_TESTS_SWEEP_ESTATE_CALLS_H

#include "tests/sweep/estate_fixture.h"

#define DOOMED "rep-doomed"
#define NAMED "rep-named"
#define RENAMED "rep-renamed"
#define SIGNING "rep-signing"
#define BORN "rep-born"
#define IMPORTED "gov-imported"
#define NEXT "rep-next"
#define PLAIN "gov-born" /* a rule plainly allows its birth */

/* The operations that are swept; and whether each was done, by what the log says. */

static CK_OBJECT_HANDLE target; /* what it is done to */

static inline CK_RV call_birth(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    return said("C_GenerateKeyPair", make_pair(session, BORN, true, &public, &private));
}

static inline bool done_birth(void)
{
    return key_named(BORN) != NULL;
}

static inline CK_RV call_plain(void)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    return said("C_GenerateKeyPair", make_pair(session, PLAIN, true, &public, &private));
}

static inline bool done_plain(void)
{
    return key_named(PLAIN) != NULL;
}

static inline CK_RV call_destroy(void)
{
    return said("C_DestroyObject", q->C_DestroyObject(session, target));
}

static inline bool done_destroy(void)
{
    return key_named(DOOMED) == NULL;
}

static inline CK_RV call_modify(void)
{
    char label[] = RENAMED;
    CK_ATTRIBUTE t[] = {{CKA_LABEL, label, strlen(label)}};
    return said("C_SetAttributeValue", q->C_SetAttributeValue(session, target, t, 1));
}

static inline bool done_modify(void)
{
    return key_named(RENAMED) != NULL;
}

static inline CK_RV call_import(void)
{
    unsigned char value[32] = "a secret that came from outside";
    CK_OBJECT_HANDLE made = 0;
    return said("C_CreateObject", import_secret(IMPORTED, value, &made));
}

static inline bool done_import(void)
{
    return key_named(IMPORTED) != NULL;
}

static inline CK_RV call_sign(void)
{
    unsigned char data[32] = "exactly these bytes", signature[64];
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    CK_ULONG room = sizeof signature;
    CK_RV rv = said("C_SignInit", q->C_SignInit(session, &mechanism, target));
    return rv == CKR_OK ? said("C_Sign", q->C_Sign(session, data, sizeof data, signature, &room)) : rv;
}

/* What came out stands in the log; what stands there may not have come out. */
static inline bool done_sign(void)
{
    return logged(ENTRY_USED) > 0;
}

static inline CK_RV call_enrol(void)
{
    return vendor("enrol", "{\"site\":\"glasgow\",\"token\":\"root\"}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static inline bool done_enrol(void)
{
    const struct state_site *s = state_site(&world_current()->estate->state, "root", "glasgow");
    return s && s->placed;
}

/* Its first half ends with a question to people. */
static inline CK_RV call_ask(void)
{
    enum outcome outcome = vendor("enrol", "{\"site\":\"glasgow\",\"token\":\"root\"}", NULL);
    return outcome == E_PENDING ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static inline bool done_ask(void)
{
    return asked("enrol-site") != NULL;
}

static inline CK_RV call_promote(void)
{
    return vendor("promote", "{\"site\":\"cardiff\",\"token\":\"root\"}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static inline bool done_promote(void)
{
    return logged(ENTRY_PROMOTED) > 0;
}

static inline CK_RV call_retire(void)
{
    return vendor("retire", "{\"site\":\"glasgow\",\"token\":\"root\"}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static inline bool done_retire(void)
{
    return state_site(&world_current()->estate->state, "root", "glasgow") == NULL;
}

static inline CK_RV call_drill(void)
{
    return vendor("drill", "{}", NULL) == OK ? CKR_OK : CKR_FUNCTION_REJECTED;
}

static inline bool done_drill(void)
{
    return logged(ENTRY_DRILL) >= 3;
}

/* An HSM leaves, and is received where it goes. */
static inline CK_RV call_move(void)
{
    static const char leave[] = "{\"bag\":\"B-1\",\"site\":\"glasgow\",\"token\":\"root\"}";
    static const char receive[] = "{\"bag\":\"B-1\",\"site\":\"glasgow\",\"token\":\"root\"}";
    bool there = state_site(&world_current()->estate->state, "root", "glasgow")->placed;
    if ((there && vendor("depart", leave, NULL) != OK) || vendor("arrive", receive, NULL) != OK)
        return CKR_FUNCTION_REJECTED;
    return CKR_OK;
}

static inline bool done_move(void)
{
    return logged(ENTRY_ARRIVED) >= 4;
}

#endif
