#include "module/parameter.h"

#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "module/template.h"

/* PKCS#11 2.40 current mechanisms: 2.1.8 OAEP, 2.3.8 ECDH, 2.12.2 GCM, 2.15.2 string data. Members in order:
 * n a number, r eight bytes as they are, p a pointer and then its length, l a length and then its pointer. Structures of
 * eight-byte members only, so there is no padding. */
static const struct {
    CK_MECHANISM_TYPE mechanism;
    const char *members;
} layouts[] = {
    {CKM_RSA_PKCS_OAEP, "nnnp"},          {CKM_ECDH1_DERIVE, "nll"},
    {CKM_ECDH1_COFACTOR_DERIVE, "nll"},   {CKM_AES_GCM, "pnpn"},
    {CKM_AES_ECB_ENCRYPT_DATA, "p"},      {CKM_AES_CBC_ENCRYPT_DATA, "rrp"},
    {CKM_DES3_ECB_ENCRYPT_DATA, "p"},     {CKM_DES3_CBC_ENCRYPT_DATA, "rp"},
    {CKM_CONCATENATE_BASE_AND_DATA, "p"}, {CKM_CONCATENATE_DATA_AND_BASE, "p"},
    {CKM_XOR_BASE_AND_DATA, "p"},
};
_Static_assert(sizeof(CK_RSA_PKCS_OAEP_PARAMS) == 40 && sizeof(CK_ECDH1_DERIVE_PARAMS) == 40 &&
                   sizeof(CK_GCM_PARAMS) == 48 && sizeof(CK_AES_CBC_ENCRYPT_DATA_PARAMS) == 32,
               "structures of eight-byte members");

/* Numbers or bytes, never a pointer: an IV, a counter block, a length, PSS's three numbers. */
static const CK_MECHANISM_TYPE flat[] = {
    CKM_RSA_PKCS_PSS,
    CKM_SHA1_RSA_PKCS_PSS,
    CKM_SHA224_RSA_PKCS_PSS,
    CKM_SHA256_RSA_PKCS_PSS,
    CKM_SHA384_RSA_PKCS_PSS,
    CKM_SHA512_RSA_PKCS_PSS,
    CKM_AES_CBC,
    CKM_AES_CBC_PAD,
    CKM_AES_CTR,
    CKM_DES3_CBC,
    CKM_DES3_CBC_PAD,
    CKM_AES_KEY_WRAP,
    CKM_AES_KEY_WRAP_PAD,
    CKM_MD5_HMAC_GENERAL,
    CKM_SHA_1_HMAC_GENERAL,
    CKM_SHA224_HMAC_GENERAL,
    CKM_SHA256_HMAC_GENERAL,
    CKM_SHA384_HMAC_GENERAL,
    CKM_SHA512_HMAC_GENERAL,
    CKM_EXTRACT_KEY_FROM_KEY,
    CKM_DH_PKCS_DERIVE,
};

static const char *layout_of(CK_MECHANISM_TYPE type)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
        if (layouts[i].mechanism == type)
            return layouts[i].members;
    return NULL;
}

static bool is_flat(const CK_MECHANISM *m)
{
    if (!m->pParameter || !m->ulParameterLen)
        return true;
    for (size_t i = 0; i < sizeof(flat) / sizeof(*flat); i++)
        if (flat[i] == m->mechanism)
            return true;
    return false;
}

static size_t layout_size(const char *members)
{
    size_t size = 0;

    for (; *members; members++)
        size += *members == 'p' || *members == 'l' ? 16 : 8;
    return size;
}

/* One pointer with its length, as they stand in the structure. */
struct part {
    const uint8_t *data;
    uint64_t len;
    size_t pointer_at; /* where the pointer stands in the structure */
};

static struct part part_read(const uint8_t *structure, size_t at, char member)
{
    struct part p = {.pointer_at = member == 'p' ? at : at + 8};

    memcpy(&p.data, structure + p.pointer_at, sizeof(p.data));
    memcpy(&p.len, structure + (member == 'p' ? at + 8 : at), sizeof(p.len));
    return p;
}

static enum outcome parts_copy(struct mechanism_copy *c, const char *members, struct fault *f)
{
    uint8_t *structure = c->parameter;
    size_t at = 0, count = 0;

    for (; *members; at += *members == 'p' || *members == 'l' ? 16 : 8, members++) {
        struct part p;
        uint8_t *copy = NULL;

        if (*members != 'p' && *members != 'l')
            continue;
        p = part_read(structure, at, *members);
        if (p.len > LIMIT_ATTRIBUTE || (p.len && !p.data))
            return fault_set(f, E_INVALID,
                             "the mechanism's parameter holds more than %d bytes, or none where it says so",
                             LIMIT_ATTRIBUTE);
        copy = p.len ? malloc(p.len) : NULL;
        if (p.len && !copy)
            return fault_memory(f);
        if (p.len)
            memcpy(copy, p.data, p.len);
        memcpy(structure + p.pointer_at, &copy, sizeof(copy));
        c->parts[count++] = copy; /* taken by c */
    }
    return OK;
}

enum outcome mechanism_copy(const CK_MECHANISM *m, struct mechanism_copy *ret, struct fault *f)
{
    struct mechanism_copy c = {.m = *m};
    const char *members = layout_of(m->mechanism), *name = mechanism_name(m->mechanism);
    enum outcome result = OK;

    c.m.pParameter = NULL;
    if (!m->pParameter || !m->ulParameterLen) {
        c.m.ulParameterLen = 0;
        *ret = c;
        return OK;
    }
    if (!members && !is_flat(m))
        return fault_set(f, E_REFUSED,
                         "%s with this parameter is not carried out under approvals: what it says is not "
                         "known here",
                         name ? name : "a mechanism");
    if (members ? m->ulParameterLen != layout_size(members) : m->ulParameterLen > LIMIT_ATTRIBUTE)
        return fault_set(f, E_INVALID, "%s: its parameter has another length", name ? name : "a mechanism");
    c.parameter = malloc(m->ulParameterLen);
    if (!c.parameter)
        return fault_memory(f);
    memcpy(c.parameter, m->pParameter, m->ulParameterLen);
    c.m.pParameter = c.parameter;
    if (members)
        result = parts_copy(&c, members, f);
    if (result == OK) {
        *ret = c;
        c = (struct mechanism_copy){0}; /* taken by the caller */
    }
    mechanism_copy_clear(&c);
    return result;
}

void mechanism_copy_clear(struct mechanism_copy *c)
{
    for (size_t i = 0; i < PARAMETER_PARTS; i++)
        free(c->parts[i]);
    if (c->parameter)
        explicit_bzero(c->parameter, c->m.ulParameterLen);
    free(c->parameter);
    *c = (struct mechanism_copy){0};
}

void number_put(struct buf *b, uint64_t n)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(n >> (56 - 8 * i));
    buf_put(b, bytes, sizeof(bytes));
}

bool parameter_put(const CK_MECHANISM *m, struct buf *b)
{
    const char *members = layout_of(m->mechanism);
    const uint8_t *structure = m->pParameter;
    size_t at = 0;

    if (!structure || !members || m->ulParameterLen != layout_size(members)) {
        buf_put(b, m->pParameter, m->pParameter ? m->ulParameterLen : 0);
        return is_flat(m);
    }
    for (; *members; members++) {
        uint64_t n = 0;
        struct part p;

        switch (*members) {
        case 'n':
            memcpy(&n, structure + at, sizeof(n));
            number_put(b, n);
            break;
        case 'r':
            buf_put(b, structure + at, 8);
            break;
        default:
            p = part_read(structure, at, *members);
            number_put(b, p.len);
            buf_put(b, p.data, p.data ? p.len : 0);
            at += 8;
        }
        at += 8;
    }
    return true;
}
