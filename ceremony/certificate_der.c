#include "ceremony/certificate_der.h"

#include <openssl/objects.h>
#include <string.h>

static void header_put(struct buf *b, unsigned tag, size_t len)
{
    uint8_t header[2 + sizeof len] = {(uint8_t)tag};
    size_t octets = 0, at = 1;

    for (size_t rest = len; len > 0x7f && rest > 0; rest >>= 8)
        octets++;
    header[at++] = octets > 0 ? (uint8_t)(0x80 | octets) : (uint8_t)len;
    while (octets-- > 0)
        header[at++] = (uint8_t)(len >> (8 * octets));
    buf_put(b, header, at);
}

void der_put(struct buf *b, unsigned tag, struct span content)
{
    header_put(b, tag, content.len);
    buf_put(b, content.data, content.len);
}

size_t der_begin(struct buf *b, unsigned tag)
{
    uint8_t octet = (uint8_t)tag;

    buf_put(b, &octet, 1);
    return b->len;
}

void der_end(struct buf *b, size_t begun)
{
    struct buf header = BUF(2 + sizeof(size_t));
    size_t content = b->len - begun, shift = 0;

    if (b->failed)
        return;
    header_put(&header, 0, content);
    shift = header.len - 1; /* without the tag, which stands already */
    buf_put(b, header.data + 1, shift);
    if (!b->failed && !header.failed) {
        memmove(b->data + begun + shift, b->data + begun, content);
        memcpy(b->data + begun, header.data + 1, shift);
    } else {
        b->failed = true;
    }
    buf_free(&header);
}

/* The object of a dotted identifier; NULL where it is none. */
static ASN1_OBJECT *object_of(const char *dotted)
{
    return strspn(dotted, "0123456789.") == strlen(dotted) ? OBJ_txt2obj(dotted, 1) : NULL;
}

bool der_oid_valid(const char *dotted)
{
    ASN1_OBJECT *object = object_of(dotted);
    bool valid = object != NULL;

    ASN1_OBJECT_free(object);
    return valid;
}

void der_put_oid(struct buf *b, const char *dotted)
{
    ASN1_OBJECT *object = object_of(dotted);
    unsigned char *der = NULL;
    int len = object != NULL ? i2d_ASN1_OBJECT(object, &der) : -1;

    if (len > 0)
        buf_put(b, der, (size_t)len);
    else
        b->failed = true;
    OPENSSL_free(der);
    ASN1_OBJECT_free(object);
}

void der_put_true(struct buf *b)
{
    static const uint8_t yes = 0xff;

    der_put(b, DER_BOOLEAN, span_of(&yes, 1));
}

void der_put_unsigned(struct buf *b, struct span big_endian)
{
    size_t whole = 0;

    while (big_endian.len > 1 && big_endian.data[0] == 0)
        big_endian = span_of(big_endian.data + 1, big_endian.len - 1);
    whole = der_begin(b, DER_INTEGER);
    if (big_endian.len > 0 && (big_endian.data[0] & 0x80) != 0)
        buf_put(b, "", 1);
    buf_put(b, big_endian.data, big_endian.len);
    der_end(b, whole);
}

void der_put_bits(struct buf *b, struct span octets)
{
    size_t whole = der_begin(b, DER_BIT_STRING);

    buf_put(b, "", 1); /* no unused bits */
    buf_put(b, octets.data, octets.len);
    der_end(b, whole);
}

/* The length at `at`, moved past. False: indefinite, not the shortest form, or cut. */
static bool length_take(struct span in, size_t *at, size_t *ret)
{
    size_t octets = 0, len = 0;

    if (*at >= in.len)
        return false;
    len = in.data[(*at)++];
    if (len > 0x7f) {
        octets = len & 0x7f;
        len = 0;
        if (octets == 0 || octets > sizeof len - 1 || octets > in.len - *at || in.data[*at] == 0)
            return false;
        for (size_t i = 0; i < octets; i++)
            len = len << 8 | in.data[(*at)++];
        if (len <= 0x7f)
            return false;
    }
    *ret = len;
    return true;
}

bool der_take(struct span *rest, unsigned tag, struct span *ret_content, struct span *ret_whole)
{
    size_t at = 1, len = 0;

    if (rest->len == 0 || rest->data[0] != tag || !length_take(*rest, &at, &len) || len > rest->len - at)
        return false;
    if (ret_content != NULL)
        *ret_content = span_of(rest->data + at, len);
    if (ret_whole != NULL)
        *ret_whole = span_of(rest->data, at + len);
    *rest = span_of(rest->data + at + len, rest->len - at - len);
    return true;
}
