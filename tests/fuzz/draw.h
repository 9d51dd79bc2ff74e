#ifndef QUORATE_TESTS_FUZZ_DRAW_H
#define QUORATE_TESTS_FUZZ_DRAW_H

/* Arguments of calls, drawn from bytes that are read one after the other; where they end, zeros follow. */

#include <p11-kit/pkcs11.h>
#include <stdint.h>
#include <string.h>

#define SHUT "shut" /* a label that the policy denies */
#define ASK "ask"   /* of keys whose use must be approved */
#define POOL 8u     /* handles of each kind that are remembered */

static const uint8_t *input, *input_end;
static CK_SESSION_HANDLE sessions[POOL];
static CK_OBJECT_HANDLE objects[POOL];
static unsigned char memory[3][512];
static CK_ULONG lengths[2];

static unsigned next(void)
{
    return input < input_end ? *input++ : 0;
}

static CK_SESSION_HANDLE a_session(void)
{
    unsigned n = next();

    return n == 255 ? (CK_SESSION_HANDLE)-1 : sessions[n % POOL];
}

static CK_OBJECT_HANDLE an_object(void)
{
    unsigned n = next();

    return n == 255 ? (CK_OBJECT_HANDLE)-1 : n == 254 ? 0x0B000000UL : objects[n % POOL];
}

static CK_OBJECT_HANDLE *new_object(void)
{
    unsigned n = next();

    return n == 255 ? NULL : &objects[n % POOL];
}

static CK_MECHANISM *a_mechanism(void)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_EC_KEY_PAIR_GEN,
                                              CKM_RSA_PKCS_KEY_PAIR_GEN,
                                              CKM_AES_KEY_GEN,
                                              CKM_GENERIC_SECRET_KEY_GEN,
                                              CKM_ECDSA,
                                              CKM_SHA256_RSA_PKCS,
                                              CKM_RSA_PKCS_PSS,
                                              CKM_AES_CBC_PAD,
                                              CKM_SHA256,
                                              CKM_ECDH1_DERIVE,
                                              CKM_CONCATENATE_BASE_AND_KEY,
                                              CKM_XOR_BASE_AND_DATA,
                                              CKM_RSA_PKCS_OAEP,
                                              CKM_VENDOR_DEFINED};
    static CK_MECHANISM mechanisms[2];
    static unsigned turn;
    CK_MECHANISM *m = &mechanisms[turn++ % 2];
    unsigned n = next();

    if (n == 255)
        return NULL;
    *m = (CK_MECHANISM){types[n % (sizeof(types) / sizeof(*types))], NULL, 0};
    if (n & 64) {
        m->pParameter = memory[2];
        m->ulParameterLen = next() % sizeof(memory[2]);
    }
    return m;
}

/* A buffer of the two, sometimes none; *ret_len what it is said to hold. */
static unsigned char *a_buffer(unsigned which, CK_ULONG *ret_len)
{
    unsigned n = next();

    *ret_len = n == 254 ? 0 : n % 128;
    return n == 255 ? NULL : memory[which];
}

static CK_ULONG *a_length(void)
{
    unsigned n = next();

    lengths[0] = n * 2;
    return n == 255 ? NULL : &lengths[0];
}

struct drawn_template {
    CK_ATTRIBUTE items[8];
    CK_ULONG numbers[8];
    CK_BBOOL truths[8];
    char labels[8][16];
    CK_ULONG count;
    CK_ATTRIBUTE *given; /* sometimes none, whatever the count */
};

static void label_draw(struct drawn_template *t, CK_ULONG i, unsigned how)
{
    static const struct {
        const char *text;
        CK_ULONG len;
    } labels[] = {{"free", 4},        {SHUT, 4}, {SHUT "-1", 6},   {ASK "-1", 5},
                  {"free\0" SHUT, 9}, {"", 0},   {"quorate x", 9}, {"\xff\xfe", 2}};

    memcpy(t->labels[i], labels[how % 8].text, labels[how % 8].len);
    t->items[i].pValue = t->labels[i];
    t->items[i].ulValueLen = labels[how % 8].len;
}

static void attribute_draw(struct drawn_template *t, CK_ULONG i)
{
    static const CK_ATTRIBUTE_TYPE types[] = {
        CKA_CLASS,     CKA_TOKEN,         CKA_PRIVATE,      CKA_LABEL,      CKA_ID,
        CKA_KEY_TYPE,  CKA_SENSITIVE,     CKA_SIGN,         CKA_DECRYPT,    CKA_VALUE,
        CKA_VALUE_LEN, CKA_EC_PARAMS,     CKA_MODULUS_BITS, CKA_TRUSTED,    CKA_WRAP,
        CKA_SUBJECT,   CKA_WRAP_TEMPLATE, CKA_EXTRACTABLE,  CKA_MODIFIABLE, CKA_VENDOR_DEFINED | 0x99};
    static const CK_ULONG numbers[] = {
        CKO_DATA, CKO_CERTIFICATE, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY, 16, 32, CK_UNAVAILABLE_INFORMATION};
    unsigned type = next(), how = next();
    CK_ATTRIBUTE *a = &t->items[i];

    a->type = types[type % (sizeof(types) / sizeof(*types))];
    if (how % 4 == 0) {
        t->truths[i] = how & 8 ? CK_TRUE : CK_FALSE;
        a->pValue = &t->truths[i];
        a->ulValueLen = 1;
    } else if (how % 4 == 1) {
        t->numbers[i] = numbers[(how >> 3) % 8];
        a->pValue = &t->numbers[i];
        a->ulValueLen = sizeof(t->numbers[i]);
    } else if (how % 4 == 2) {
        label_draw(t, i, how >> 3);
    } else {
        a->pValue = how & 8 ? NULL : memory[2];
        a->ulValueLen = how & 16 ? how : sizeof(memory[2]);
        if (!a->pValue && how & 32)
            a->ulValueLen = CK_UNAVAILABLE_INFORMATION;
    }
}

static void template_draw(struct drawn_template *t)
{
    unsigned n = next();

    t->count = n % 8;
    t->given = n == 255 ? NULL : t->items;
    for (CK_ULONG i = 0; i < t->count; i++)
        attribute_draw(t, i);
}

/* Drawn in one order before the call, so that every compiler makes the same of an input. */
static struct {
    CK_SESSION_HANDLE s;
    CK_OBJECT_HANDLE o, p, *made, *made_too;
    CK_MECHANISM *m, *wrap;
    unsigned char *in, *out;
    CK_ULONG in_len, any_len, *len;
    struct drawn_template t, u;
    unsigned n;
} drawn;

static void draw(void)
{
    drawn.n = next();
    drawn.s = a_session();
    drawn.o = an_object();
    drawn.p = an_object();
    drawn.made = new_object();
    drawn.made_too = new_object();
    drawn.m = a_mechanism();
    drawn.in = a_buffer(0, &drawn.in_len);
    drawn.out = a_buffer(1, &drawn.any_len);
    drawn.len = a_length();
    template_draw(&drawn.t);
    template_draw(&drawn.u);
}

#endif
