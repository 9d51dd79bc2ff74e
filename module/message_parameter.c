#include "module/message_parameter.h"

#include <string.h>

#include "module/parameter.h"
#include "module/template.h"

/* Where members stand, in words of eight bytes: all members have that size, so there is no padding. */
#define ABSENT 7u /* of a member that the structure does not have: a word that is always zero */
static const struct message_layout {
    CK_MECHANISM_TYPE mechanism;
    size_t words, iv, iv_len, fixed, generator, tag, tag_len;
    CK_ULONG tag_unit; /* in bits: of tag_len; the tag's whole length where that is absent */
} layouts[] = {
    {CKM_AES_GCM, 6, 0, 1, 2, 3, 4, 5, 1},
    {CKM_AES_CCM, 7, 1, 2, 3, 4, 5, 6, 8},
    {CKM_CHACHA20_POLY1305, 3, 0, 1, ABSENT, ABSENT, 2, ABSENT, 8 * MESSAGE_TAG},
    {CKM_SALSA20_POLY1305, 3, 0, 1, ABSENT, ABSENT, 2, ABSENT, 8 * MESSAGE_TAG},
};
_Static_assert(sizeof(CK_GCM_MESSAGE_PARAMS) == 48 && sizeof(CK_CCM_MESSAGE_PARAMS) == 56 &&
                   sizeof(CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS) == 24 && sizeof(CK_ULONG) == 8 &&
                   sizeof(CK_BYTE *) == 8,
               "structures of eight-byte members");

static const struct message_layout *layout_of(CK_MECHANISM_TYPE mechanism)
{
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
        if (layouts[i].mechanism == mechanism)
            return &layouts[i];
    return NULL;
}

bool message_parameter_known(CK_MECHANISM_TYPE mechanism)
{
    return layout_of(mechanism) != NULL;
}

static CK_BYTE *pointer_at(const CK_ULONG *word)
{
    CK_BYTE *p = NULL;

    memcpy(&p, word, sizeof(p));
    return p;
}

/* Bytes. Lengths that no nonce of Poly1305's ciphers has in one unit are none of the other either. */
static CK_ULONG iv_bytes(const struct message_parameter *p)
{
    CK_ULONG said = p->words[p->layout->iv_len];

    if (p->layout->generator != ABSENT || said == 8 || said == 12 || said == 24)
        return said;
    return said == 64 || said == 96 || said == 192 ? said / 8 : MESSAGE_IV + 1;
}

/* The IV as the HSM gets it: of one that it makes only the bits that are fixed. */
static enum outcome iv_read(struct message_parameter *p, const char *name, struct fault *f)
{
    CK_ULONG fixed = p->words[p->layout->fixed], generator = p->words[p->layout->generator], whole = fixed / 8;

    if (generator != CKG_NO_GENERATE && generator != CKG_GENERATE_RANDOM)
        return fault_set(
            f, E_REFUSED,
            "%s: an IV that the HSM counts is not made under approvals, where each message has a session of "
            "its own; give the IV, or have it made at random",
            name);
    p->makes_iv = generator == CKG_GENERATE_RANDOM;
    p->iv_len = iv_bytes(p);
    p->their_iv = pointer_at(&p->words[p->layout->iv]);
    if (p->iv_len > MESSAGE_IV || (p->iv_len && !p->their_iv) || (p->makes_iv && fixed > 8 * p->iv_len))
        return fault_set(f, E_INVALID, "%s: an IV of a length (%lu) that it does not have, or none for that length",
                         name, p->words[p->layout->iv_len]);
    if (!p->iv_len)
        return OK;
    memcpy(p->iv, p->their_iv, p->iv_len);
    if (p->makes_iv && whole < p->iv_len) {
        p->iv[whole] &= (CK_BYTE)(0xff00u >> fixed % 8);
        memset(p->iv + whole + 1, 0, p->iv_len - whole - 1);
    }
    return OK;
}

static enum outcome tag_read(struct message_parameter *p, const char *name, bool seals, struct fault *f)
{
    CK_ULONG said = p->layout->tag_len == ABSENT ? 1 : p->words[p->layout->tag_len];

    p->tag_len = said > 8 * MESSAGE_TAG ? MESSAGE_TAG + 1 : said * p->layout->tag_unit / 8;
    p->their_tag = pointer_at(&p->words[p->layout->tag]);
    if (p->tag_len > MESSAGE_TAG || said * p->layout->tag_unit % 8 || (p->tag_len && !p->their_tag))
        return fault_set(f, E_INVALID,
                         "%s: a tag of more than %u bytes or of no whole ones, or none where the parameter says so",
                         name, MESSAGE_TAG);
    p->makes_tag = seals;
    if (!seals && p->tag_len)
        memcpy(p->tag, p->their_tag, p->tag_len);
    return OK;
}

enum outcome message_parameter_read(CK_MECHANISM_TYPE mechanism, const void *parameter, CK_ULONG len, bool seals,
                                    struct message_parameter *ret, struct fault *f)
{
    struct message_parameter p = {.layout = NULL};
    const char *name = mechanism_name(mechanism);

    name = name ? name : "a mechanism";
    if (!parameter || !len) {
        *ret = p;
        return OK;
    }
    p.layout = layout_of(mechanism);
    if (!p.layout)
        return fault_set(f, E_REFUSED,
                         "%s with this parameter of a message is not carried out under approvals: what it says is not "
                         "known here",
                         name);
    if (len != p.layout->words * sizeof(*p.words))
        return fault_set(f, E_INVALID, "%s: the parameter of its messages has another length", name);
    memcpy(p.words, parameter, len);
    if (iv_read(&p, name, f) != OK || tag_read(&p, name, seals, f) != OK)
        return f->outcome;
    *ret = p;
    return OK;
}

/* Pointers apart: those say nothing. */
static CK_ULONG word(const struct message_parameter *p, size_t at)
{
    return at == p->layout->iv || at == p->layout->tag ? 0 : p->words[at];
}

bool message_parameter_same(const struct message_parameter *a, const struct message_parameter *b)
{
    if (!a->layout || a->layout != b->layout)
        return a->layout == b->layout;
    for (size_t i = 0; i < a->layout->words; i++)
        if (word(a, i) != word(b, i))
            return false;
    return memcmp(a->iv, b->iv, sizeof(a->iv)) == 0;
}

void *message_parameter_below(struct message_parameter *p, CK_ULONG *ret_len)
{
    CK_BYTE *iv = p->iv, *tag = p->tag;

    *ret_len = p->layout ? p->layout->words * sizeof(*p->words) : 0;
    if (!p->layout)
        return NULL;
    memcpy(&p->words[p->layout->iv], &iv, sizeof(iv));
    memcpy(&p->words[p->layout->tag], &tag, sizeof(tag));
    return p->words;
}

static void bytes_put(struct buf *b, const CK_BYTE *bytes, CK_ULONG len)
{
    number_put(b, len);
    buf_put(b, bytes, len);
}

void message_parameter_put(const struct message_parameter *p, struct buf *b)
{
    const struct message_layout *l = p->layout;

    for (size_t i = 0; l && i < l->words; i++) {
        if (i == l->iv_len)
            bytes_put(b, p->iv, p->iv_len);
        else if (i == l->tag_len || (i == l->tag && l->tag_len == ABSENT))
            bytes_put(b, p->tag, p->tag_len);
        else if (i != l->iv && i != l->tag) /* those stand with their lengths */
            number_put(b, p->words[i]);
    }
}

void message_parameter_result(const struct message_parameter *p, struct buf *b)
{
    if (p->layout && p->makes_iv)
        buf_put(b, p->iv, p->iv_len);
    if (p->layout && p->makes_tag)
        buf_put(b, p->tag, p->tag_len);
}

void message_parameter_give(const struct message_parameter *p)
{
    if (p->layout && p->makes_iv && p->iv_len)
        memcpy(p->their_iv, p->iv, p->iv_len);
    if (p->layout && p->makes_tag && p->tag_len)
        memcpy(p->their_tag, p->tag, p->tag_len);
}
