#include "core/encode.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void hex_put(struct buf *b, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        char pair[2] = {hex_digits[bytes.data[i] >> 4], hex_digits[bytes.data[i] & 15]};
        buf_put(b, pair, sizeof pair);
    }
}

/* The value of a digit in an alphabet, or -1. */
static int digit_value(const char *alphabet, char c)
{
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at == NULL ? -1 : (int)(at - alphabet);
}

static enum outcome hex_check(const char *text, size_t len, struct fault *f)
{
    for (size_t i = 0; i < len; i++) {
        if (digit_value(hex_digits, text[i]) < 0)
            return fault_set(f, E_INVALID, "character %zu is no lower-case hexadecimal digit", i + 1);
    }
    return OK;
}

static uint8_t hex_byte(const char *pair)
{
    return (uint8_t)((unsigned)digit_value(hex_digits, pair[0]) << 4 | (unsigned)digit_value(hex_digits, pair[1]));
}

enum outcome hex_parse(const char *text, uint8_t *ret, size_t want, struct fault *f)
{
    size_t len = strlen(text);

    if (len != want * 2)
        return fault_set(f, E_INVALID, "%zu hexadecimal digits were expected, not %zu characters", want * 2, len);
    if (hex_check(text, len, f) != OK)
        return f->outcome;
    for (size_t i = 0; i < want; i++)
        ret[i] = hex_byte(text + 2 * i);
    return OK;
}

enum outcome hex_parse_buf(const char *text, struct buf *ret, struct fault *f)
{
    size_t len = strlen(text);

    if (len % 2 != 0)
        return fault_set(f, E_INVALID, "an even number of hexadecimal digits was expected, not %zu", len);
    if (hex_check(text, len, f) != OK)
        return f->outcome;
    for (size_t i = 0; i < len; i += 2) {
        uint8_t byte = hex_byte(text + i);
        buf_put(ret, &byte, 1);
    }
    return ret->failed ? fault_memory(f) : OK;
}

void base64_put(struct buf *b, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        char four[4] = {'=', '=', '=', '='};

        if (left > 1)
            group |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            group |= bytes.data[i + 2];
        four[0] = base64_digits[group >> 18];
        four[1] = base64_digits[group >> 12 & 63];
        if (left > 1)
            four[2] = base64_digits[group >> 6 & 63];
        if (left > 2)
            four[3] = base64_digits[group & 63];
        buf_put(b, four, sizeof four);
    }
}

/* One group of four characters into one to three bytes. 0: not base64, or slack bits that are not zero, or padding
 * before the end. */
static size_t base64_group(const uint8_t *four, bool last, uint8_t ret[3])
{
    uint32_t group = 0;
    size_t pad = four[3] != '=' ? 0 : four[2] != '=' ? 1 : 2;

    if (pad > 0 && !last)
        return 0;
    for (size_t i = 0; i < 4; i++) {
        int value = i >= 4 - pad ? 0 : digit_value(base64_digits, (char)four[i]);
        if (value < 0)
            return 0;
        group = group << 6 | (uint32_t)value;
    }
    if ((pad == 1 && (group & 0xFF) != 0) || (pad == 2 && (group & 0xFFFF) != 0))
        return 0;
    ret[0] = (uint8_t)(group >> 16);
    ret[1] = (uint8_t)(group >> 8);
    ret[2] = (uint8_t)group;
    return 3 - pad;
}

enum outcome base64_parse(struct span text, struct buf *ret, struct fault *f)
{
    uint8_t bytes[3];

    if (text.len % 4 != 0)
        return fault_set(f, E_INVALID, "base64 comes in groups of four characters, not %zu characters", text.len);
    for (size_t i = 0; i < text.len; i += 4) {
        if (base64_group(text.data + i, i + 4 == text.len, bytes) == 0)
            return fault_set(f, E_INVALID, "characters %zu to %zu are no strict base64 (RFC 4648 section 4)", i + 1,
                             i + 4);
    }
    for (size_t i = 0; i < text.len; i += 4) {
        size_t n = base64_group(text.data + i, i + 4 == text.len, bytes);
        buf_put(ret, bytes, n);
    }
    explicit_bzero(bytes, sizeof bytes);
    return ret->failed ? fault_memory(f) : OK;
}

size_t utf8_next(struct span text, uint32_t *ret_code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;
    size_t len;

    if (text.len == 0)
        return 0;
    code = text.data[0];
    len = code < 0x80 ? 1 : code >> 5 == 6 ? 2 : code >> 4 == 14 ? 3 : code >> 3 == 30 ? 4 : 0;
    if (len == 0 || len > text.len)
        return 0;
    if (len > 1)
        code &= 0x7Fu >> len;
    for (size_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (text.data[i] & 0x3F);
    }
    /* Unicode, table 3-7: no longer form than needed, no surrogates, nothing past U+10FFFF */
    if (code < least[len] || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return 0;
    *ret_code = code;
    return len;
}

bool code_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

bool code_deceptive(uint32_t code)
{
    return code == 0x2028 || code == 0x2029 || (code >= 0x202A && code <= 0x202E) || code == 0x200E || code == 0x200F ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x061C || code == 0xFEFF;
}

bool utf8_printable(struct span text)
{
    uint32_t code = 0;

    while (text.len > 0) {
        size_t n = utf8_next(text, &code);
        if (n == 0 || code_control(code))
            return false;
        text = span_of(text.data + n, text.len - n);
    }
    return true;
}

void printable_put(struct buf *b, struct span text)
{
    uint32_t code = 0;

    while (text.len > 0) {
        size_t n = utf8_next(text, &code);
        if (n == 0 || code_control(code) || code_deceptive(code))
            buf_puts(b, "\xEF\xBF\xBD");
        else
            buf_put(b, text.data, n);
        if (n == 0)
            n = 1;
        text = span_of(text.data + n, text.len - n);
    }
}

bool decimal_parse(struct span text, uint64_t *ret)
{
    uint64_t n = 0;
    if (text.len == 0 || (text.len > 1 && text.data[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(n, 10u, &n) || __builtin_add_overflow(n, digit, &n))
            return false;
    }
    *ret = n;
    return true;
}

bool degrees_parse(const char *text, unsigned limit, double *ret)
{
    static const char digit[] = "0123456789";
    const char *at = text + (*text == '-');
    size_t whole = strspn(at, digit), decimals = at[whole] == '.' ? strspn(at + whole + 1, digit) : 0;
    unsigned degrees = 0;
    int64_t value = 0, scale = 1;
    bool more = false;

    if (whole == 0 || at[whole + (decimals > 0 ? 1 + decimals : 0)] != '\0')
        return false;
    for (size_t i = 0; i < whole && degrees <= limit; i++)
        degrees = 10 * degrees + (unsigned)(at[i] - '0');
    value = degrees;
    for (size_t i = 0; i < decimals; i++) {
        more = more || at[whole + 1 + i] != '0';
        if (i < 12) {
            value = 10 * value + (at[whole + 1 + i] - '0');
            scale *= 10;
        }
    }
    if (degrees > limit || (degrees == limit && more))
        return false;
    if (ret != NULL)
        *ret = (*text == '-' ? -1.0 : 1.0) * ((double)value / (double)scale);
    return true;
}
