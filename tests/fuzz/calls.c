#include "tests/fuzz/draw.h"
#include "tests/unit/mock_fixture.h"

/* Random sequences of calls with random templates, over the mock HSM that may answer anything. Whatever happens, the
 * HSM holds nothing by a name that the policy denies, and no key was used whose use nobody approved. */

#define RULES                                                                                                          \
    "  - {id: shut, when: {operation: [generate, import, derive, copy, modify], label: \"^shut\"}, deny: true}\n"      \
    "  - {id: kept, when: {operation: [import, derive, copy, modify], label: \"^ask\"}, deny: true}\n"                 \
    "  - {id: asked, when: {operation: use, label: \"^ask\"}, require: {quorum: {of: key-custodian, at-least: "        \
    "2}}}\n" ALLOW_ALL
#define MOCK_SEEN 4096u
#define CALLS 64u   /* of one input */
#define AFRESH 200u /* inputs after which the estate begins anew: its log grows */

static const CK_FUNCTION_LIST_3_0 *later;

/* Whether the HSM was told to lie about what its objects are: then no rule can be found for them. */
static bool lied;

static void steer_draw(void)
{
    static const char *const names[] = {
#define FUNCTION(name, kind, params, args) #name,
#include "module/functions.def"
#undef FUNCTION
    };
    static const char *const how[] = {"rv=0",      "rv=6",  "rv=0x30", "rv=0x32",
                                      "rv=5 done", "len=0", "len=600", "len=0xffffffffffffffff"};
    const char *name = names[next() % (sizeof(names) / sizeof(*names))], *answer = how[next() % 8];
    unsigned skip = next() % 4, times = 1 + next() % 3;
    char line[96];

    lied |= strcmp(name, "C_GetAttributeValue") == 0;
    snprintf(line, sizeof(line), "%s %s skip=%u times=%u", name, answer, skip, times);
    steer(line);
}

static void session_draw(void)
{
    CK_UTF8CHAR pin[] = MOCK_PIN, so_pin[] = MOCK_SO_PIN, label[32] = "root";
    CK_SESSION_INFO info;

    switch (drawn.n % 10) {
    case 0:
    case 1:
        q->C_OpenSession(drawn.in_len % 3, drawn.any_len & 1 ? CKF_SERIAL_SESSION : CKF_SERIAL_SESSION | CKF_RW_SESSION,
                         NULL, NULL, drawn.made ? &sessions[drawn.any_len % POOL] : NULL);
        break;
    case 2:
        q->C_CloseSession(drawn.s);
        break;
    case 3:
        q->C_CloseAllSessions(drawn.in_len % 3);
        break;
    case 4:
    case 5:
        q->C_Login(drawn.s, drawn.in_len % 4 == 3 ? CKU_SO : drawn.in_len % 4, drawn.in_len % 4 == 3 ? so_pin : pin,
                   drawn.in_len % 4 == 3 ? sizeof(so_pin) - 1 : sizeof(pin) - 1);
        break;
    case 6:
        q->C_Logout(drawn.s);
        break;
    case 7:
        q->C_GetSessionInfo(drawn.s, drawn.made ? &info : NULL);
        break;
    case 8:
        q->C_InitToken(drawn.in_len % 3, so_pin, sizeof(so_pin) - 1, label);
        break;
    default:
        q->C_InitPIN(drawn.s, drawn.in, drawn.in_len);
        q->C_SetPIN(drawn.s, pin, sizeof(pin) - 1, drawn.in, drawn.in_len);
    }
}

static void slot_draw(void)
{
    CK_SLOT_ID slots[4];
    CK_SLOT_INFO slot;
    CK_TOKEN_INFO token;
    CK_MECHANISM_INFO mechanism;
    CK_MECHANISM_TYPE types[64];
    CK_INFO info;
    CK_ULONG four = drawn.any_len % 5, many = drawn.any_len % 65;

    q->C_GetInfo(drawn.made ? &info : NULL);
    q->C_GetSlotList(drawn.n & 1, drawn.made ? slots : NULL, drawn.made_too ? &four : NULL);
    q->C_GetSlotInfo(drawn.in_len % 3, drawn.made ? &slot : NULL);
    q->C_GetTokenInfo(drawn.in_len % 3, drawn.made ? &token : NULL);
    q->C_GetMechanismList(drawn.in_len % 3, drawn.made ? types : NULL, drawn.made_too ? &many : NULL);
    q->C_GetMechanismInfo(drawn.in_len % 3, drawn.m ? drawn.m->mechanism : 0, drawn.made ? &mechanism : NULL);
    q->C_WaitForSlotEvent(CKF_DONT_BLOCK, drawn.made ? slots : NULL, NULL);
}

static void object_draw(void)
{
    switch (drawn.n % 10) {
    case 0:
        q->C_CreateObject(drawn.s, drawn.t.given, drawn.t.count, drawn.made);
        break;
    case 1:
        q->C_CopyObject(drawn.s, drawn.o, drawn.t.given, drawn.t.count, drawn.made);
        break;
    case 2:
        q->C_DestroyObject(drawn.s, drawn.o);
        break;
    case 3:
        q->C_GetObjectSize(drawn.s, drawn.o, drawn.len);
        break;
    case 4:
        /* The values are ours to write to but for the numbers, whose lengths must be true. */
        q->C_GetAttributeValue(drawn.s, drawn.o, drawn.t.given, drawn.t.given ? drawn.t.count : 0);
        break;
    case 5:
        q->C_SetAttributeValue(drawn.s, drawn.o, drawn.t.given, drawn.t.count);
        break;
    case 6:
        q->C_FindObjectsInit(drawn.s, drawn.t.given, drawn.t.count);
        break;
    case 7:
        q->C_FindObjects(drawn.s, drawn.made ? objects : NULL, drawn.any_len % (POOL + 1), drawn.len);
        break;
    case 8:
        q->C_FindObjectsFinal(drawn.s);
        break;
    default:
        q->C_FindObjectsInit(drawn.s, NULL, 0);
        q->C_FindObjects(drawn.s, objects, POOL, &lengths[1]);
        q->C_FindObjectsFinal(drawn.s);
    }
}

static void key_draw(void)
{
    switch (drawn.n % 6) {
    case 0:
        q->C_GenerateKey(drawn.s, drawn.m, drawn.t.given, drawn.t.count, drawn.made);
        break;
    case 1:
    case 2:
        q->C_GenerateKeyPair(drawn.s, drawn.m, drawn.t.given, drawn.t.count, drawn.u.given, drawn.u.count, drawn.made,
                             drawn.made_too);
        break;
    case 3:
        q->C_WrapKey(drawn.s, drawn.m, drawn.o, drawn.p, drawn.out, drawn.len);
        break;
    case 4:
        q->C_UnwrapKey(drawn.s, drawn.m, drawn.o, drawn.in, drawn.n & 64 ? 40 : drawn.in_len, drawn.t.given,
                       drawn.t.count, drawn.made);
        break;
    default:
        q->C_DeriveKey(drawn.s, drawn.m, drawn.o, drawn.t.given, drawn.t.count, drawn.made);
    }
}

static void begin_draw(void)
{
    CK_RV(*const begins[])
    (CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) = {q->C_EncryptInit, q->C_DecryptInit,
                                                               q->C_SignInit,    q->C_SignRecoverInit,
                                                               q->C_VerifyInit,  q->C_VerifyRecoverInit};

    if (drawn.n % 8 < 6)
        begins[drawn.n % 8](drawn.s, drawn.m, drawn.o);
    else if (drawn.n % 8 == 6)
        q->C_DigestInit(drawn.s, drawn.m);
    else
        q->C_DigestKey(drawn.s, drawn.o);
}

static void work_draw(void)
{
    typedef CK_RV (*whole)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);
    typedef CK_RV (*part)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG);
    typedef CK_RV (*final)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR);
    const whole wholes[] = {q->C_Encrypt,
                            q->C_EncryptUpdate,
                            q->C_Decrypt,
                            q->C_DecryptUpdate,
                            q->C_Digest,
                            q->C_Sign,
                            q->C_SignRecover,
                            q->C_VerifyRecover,
                            q->C_DigestEncryptUpdate,
                            q->C_DecryptDigestUpdate,
                            q->C_SignEncryptUpdate,
                            q->C_DecryptVerifyUpdate};
    const part parts[] = {q->C_DigestUpdate, q->C_SignUpdate, q->C_VerifyUpdate,
                          q->C_VerifyFinal,  q->C_SeedRandom, q->C_GenerateRandom};
    const final finals[] = {q->C_EncryptFinal, q->C_DecryptFinal, q->C_DigestFinal, q->C_SignFinal,
                            q->C_GetOperationState};
    unsigned n = drawn.n % 26;

    if (n < 12)
        wholes[n](drawn.s, drawn.in, drawn.in_len, drawn.out, drawn.len);
    else if (n < 18)
        parts[n - 12](drawn.s, drawn.out, drawn.any_len);
    else if (n < 23)
        finals[n - 18](drawn.s, drawn.out, drawn.len);
    else if (n == 23)
        q->C_Verify(drawn.s, drawn.in, drawn.in_len, drawn.out, drawn.any_len);
    else if (n == 24)
        q->C_SetOperationState(drawn.s, drawn.in, drawn.in_len, drawn.o, drawn.p);
    else
        q->C_CancelFunction(drawn.s), q->C_GetFunctionStatus(drawn.s);
}

/* 3.0: a message at once, its beginning, a part. */
static void message_sign_draw(void)
{
    if ((drawn.n >> 4 & 3) == 1)
        later->C_SignMessageBegin(drawn.s, NULL, 0);
    else if ((drawn.n >> 4 & 3) == 2)
        later->C_SignMessageNext(drawn.s, NULL, 0, drawn.in, drawn.in_len, drawn.out,
                                 drawn.n >> 6 & 1 ? drawn.len : NULL);
    else
        later->C_SignMessage(drawn.s, drawn.out, drawn.any_len, drawn.in, drawn.in_len, drawn.out, drawn.len);
}

static void message_encrypt_draw(void)
{
    if ((drawn.n >> 4 & 3) == 1)
        later->C_EncryptMessageBegin(drawn.s, NULL, 0, drawn.in, drawn.in_len);
    else if ((drawn.n >> 4 & 3) == 2)
        later->C_EncryptMessageNext(drawn.s, NULL, 0, drawn.in, drawn.in_len, drawn.out, drawn.len, drawn.n >> 6 & 1);
    else
        later->C_EncryptMessage(drawn.s, drawn.out, drawn.any_len, drawn.in, drawn.in_len, drawn.in, drawn.in_len,
                                drawn.out, drawn.len);
}

static void message_verify_draw(void)
{
    if ((drawn.n >> 4 & 3) == 1)
        later->C_VerifyMessageBegin(drawn.s, NULL, 0);
    else if ((drawn.n >> 4 & 3) == 2)
        later->C_VerifyMessageNext(drawn.s, NULL, 0, drawn.in, drawn.in_len, drawn.n >> 6 & 1 ? drawn.out : NULL,
                                   drawn.any_len);
    else
        later->C_VerifyMessage(drawn.s, drawn.out, drawn.any_len, drawn.in, drawn.in_len, drawn.out, drawn.any_len);
}

static void message_draw(void)
{
    CK_UTF8CHAR pin[] = MOCK_PIN, user[] = MOCK_USER;
    CK_RV(*const begins[])
    (CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE) = {later->C_MessageEncryptInit, later->C_MessageDecryptInit,
                                                               later->C_MessageSignInit, later->C_MessageVerifyInit};
    CK_RV(*const ends[])
    (CK_SESSION_HANDLE) = {later->C_MessageEncryptFinal, later->C_MessageDecryptFinal, later->C_MessageSignFinal,
                           later->C_MessageVerifyFinal};

    switch (drawn.n >> 1 & 7) {
    case 0:
    case 1:
        begins[drawn.n >> 4 & 3](drawn.s, drawn.m, drawn.o);
        break;
    case 2:
        ends[drawn.n >> 4 & 3](drawn.s);
        break;
    case 3:
        later->C_LoginUser(drawn.s, drawn.in_len % 4, pin, sizeof(pin) - 1, user, sizeof(user) - 1);
        break;
    case 4:
        message_sign_draw();
        break;
    case 5:
        message_encrypt_draw();
        break;
    case 6:
        message_verify_draw();
        break;
    default:
        later->C_SessionCancel(drawn.s, drawn.any_len << 8 | drawn.in_len << 12);
    }
}

static void call_draw(void)
{
    unsigned what = next();

    if (what % 16 == 15) {
        steer_draw();
        return;
    }
    draw();
    switch (what % 16) {
    case 0:
        slot_draw();
        break;
    case 1:
    case 2:
    case 3:
        session_draw();
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        object_draw();
        break;
    case 8:
    case 9:
    case 10:
        key_draw();
        break;
    case 11:
    case 12:
        begin_draw();
        break;
    case 13:
        work_draw();
        break;
    default:
        if (drawn.n == 1) {
            q->C_Finalize(NULL);
            q->C_Initialize(NULL);
        } else if (drawn.n & 1) {
            message_draw();
        } else {
            work_draw();
        }
    }
}

/* Past the module: what the policy denies is not there. */
static void look_below(void)
{
    CK_SESSION_HANDLE s = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE found[MOCK_SEEN];
    CK_UTF8CHAR pin[] = MOCK_PIN;
    CK_ULONG count = 0;

    /* Nothing more to see where the HSM did not begin, or has no session left. */
    if (lied)
        return;
    if (mock_uses_below(ASK) != 0)
        abort();
    if (mock->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s) != CKR_OK)
        return;
    mock->C_Login(s, CKU_USER, pin, sizeof(pin) - 1);
    mock->C_FindObjectsInit(s, NULL, 0);
    mock->C_FindObjects(s, found, MOCK_SEEN, &count);
    for (CK_ULONG i = 0; i < count; i++) {
        char label[1024];
        CK_ATTRIBUTE a = {CKA_LABEL, label, sizeof(label)};

        if (mock->C_GetAttributeValue(s, found[i], &a, 1) == CKR_OK && a.ulValueLen >= strlen(SHUT) &&
            memcmp(label, SHUT, strlen(SHUT)) == 0)
            abort();
    }
}

/* The same as it was when the policy had just been adopted. */
static void estate_afresh(void)
{
    char command[256];

    snprintf(command, sizeof(command), "cd %s && rm -rf estate && cp -a pristine estate", home.folder);
    depth_run(command);
}

static void estate_remove(void)
{
    q->C_Finalize(NULL);
    home_end(NULL);
}

static void estate_begin(void)
{
    CK_VERSION three = {3, 0};
    CK_INTERFACE *interface = NULL;
    char command[256];

    mock_home_with(RULES);
    snprintf(command, sizeof(command), "cd %s && cp -a estate pristine", home.folder);
    depth_run(command);
    setenv("QUORATE_BINDINGS", home.bindings, 1);
    steer("version 3.0");
    if (q->C_Initialize(NULL) != CKR_OK || C_GetInterface(NULL, &three, &interface, 0) != CKR_OK)
        abort();
    later = interface->pFunctionList;
    q->C_Finalize(NULL);
    atexit(estate_remove); /* before the module's own, which is there by now, has let go of everything */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned runs;

    if (runs == 0)
        estate_begin();
    if (runs % AFRESH == 0) {
        if (runs)
            q->C_Finalize(NULL);
        estate_afresh();
    }
    runs++;
    q->C_Initialize(NULL);
    steer("wipe");
    steer("reset");
    steer("count");
    lied = false;
    input = data;
    input_end = data + size;
    memset(sessions, 0, sizeof(sessions));
    memset(objects, 0, sizeof(objects));
    memset(memory, 0x51, sizeof(memory));
    /* Most of what is worth trying wants a session that is logged in. */
    q->C_OpenSession(0, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &sessions[0]);
    if (size && data[0] & 1)
        mock_login(sessions[0]);
    for (unsigned i = 0; i < CALLS && input < input_end; i++)
        call_draw();
    steer("reset");
    look_below();
    q->C_CloseAllSessions(0);
    mock->C_CloseAllSessions(0);
    return 0;
}
