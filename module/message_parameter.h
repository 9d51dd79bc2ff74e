#ifndef QUORATE_MODULE_MESSAGE_PARAMETER_H
#define QUORATE_MODULE_MESSAGE_PARAMETER_H

#include "core/buf.h"
#include "core/fault.h"
#include "module/pkcs11_3.h"

/* The parameter that comes with each message (3.0): some of it goes in, some comes out. Read once; what the HSM is to fill
 * in is zero here, so that what people sign does not hang on what lay in the application's buffers. */

/* Bytes: 3.0, mechanisms, section 2.13.5: of GCM an IV of 1 to 256, a tag of at most 128 bits; of CCM less */
#define MESSAGE_IV 256u
#define MESSAGE_TAG 16u

struct message_parameter {
    const struct message_layout *layout; /* NULL: there is none */
    CK_ULONG words[8];                   /* the structure; the last is always zero */
    CK_BYTE iv[MESSAGE_IV], tag[MESSAGE_TAG];
    CK_ULONG iv_len, tag_len;
    bool makes_iv, makes_tag;      /* the HSM does */
    CK_BYTE *their_iv, *their_tag; /* the application's, for what comes out */
};

/* Of a message that is sealed (encrypted) or opened. E_REFUSED: of a mechanism whose parameter is not known here, or an IV
 * that the HSM counts; E_INVALID: not the mechanism's structure. */
enum outcome message_parameter_read(CK_MECHANISM_TYPE mechanism, const void *parameter, CK_ULONG len, bool seals,
                                    struct message_parameter *ret, struct fault *f);
/* Whether the two say the same but for the tag. */
bool message_parameter_same(const struct message_parameter *a, const struct message_parameter *b);
/* What the lower module is given: leads into p, good as long as p stays where it is. */
void *message_parameter_below(struct message_parameter *p, CK_ULONG *ret_len);
/* As parameter_put (docs/FORMAT.md): the members in order. */
void message_parameter_put(const struct message_parameter *p, struct buf *b);
/* What came out in it, IV and tag; and to the application. */
void message_parameter_result(const struct message_parameter *p, struct buf *b);
void message_parameter_give(const struct message_parameter *p);
/* Whether messages of this mechanism have one. */
bool message_parameter_known(CK_MECHANISM_TYPE mechanism);

#endif
