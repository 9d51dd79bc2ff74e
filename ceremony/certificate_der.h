#ifndef QUORATE_CEREMONY_CERTIFICATE_DER_H
#define QUORATE_CEREMONY_CERTIFICATE_DER_H

#include "core/buf.h"

/* DER (X.690) as far as certificates need it: definite lengths, tags of one octet. Written into a buffer whose failure
 * is sticky; read so that only the one encoding passes. */

#define DER_BOOLEAN 0x01u
#define DER_INTEGER 0x02u
#define DER_BIT_STRING 0x03u
#define DER_OCTET_STRING 0x04u
#define DER_NULL 0x05u
#define DER_UTF8_STRING 0x0cu
#define DER_PRINTABLE_STRING 0x13u
#define DER_UTC_TIME 0x17u
#define DER_GENERALIZED_TIME 0x18u
#define DER_SEQUENCE 0x30u
#define DER_SET 0x31u
#define DER_CONTEXT(number) (0x80u + (number))             /* implicit, primitive */
#define DER_CONTEXT_CONSTRUCTED(number) (0xa0u + (number)) /* explicit, or implicit of something constructed */

void der_put(struct buf *b, unsigned tag, struct span content);
/* What is put between the two becomes the content. */
size_t der_begin(struct buf *b, unsigned tag);
void der_end(struct buf *b, size_t begun);

void der_put_oid(struct buf *b, const char *dotted); /* b fails where it is none */
bool der_oid_valid(const char *dotted);
void der_put_true(struct buf *b);
void der_put_unsigned(struct buf *b, struct span big_endian); /* INTEGER, with as few octets as it takes */
void der_put_bits(struct buf *b, struct span octets);         /* BIT STRING of whole octets */

/* Takes the next element off *rest. False, *rest as it was: another tag, a length that is not the shortest, or more
 * than there is. Either of the returned may be NULL. */
bool der_take(struct span *rest, unsigned tag, struct span *ret_content, struct span *ret_whole);

#endif
