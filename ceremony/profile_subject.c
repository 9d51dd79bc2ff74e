#include <stdlib.h>
#include <string.h>

#include "ceremony/certificate_der.h"
#include "ceremony/profile.h"
#include "core/encode.h"

/* The attributes that a subject may have, with the upper bounds of X.520 (RFC 5280, appendix A.1). */
static const struct attribute {
    const char *name, *oid;
    unsigned tag;
    size_t max; /* characters of a text; octets of a BIT STRING, all of them */
} attributes[] = {
    {"C", "2.5.4.6", DER_PRINTABLE_STRING, 2},
    {"O", "2.5.4.10", DER_UTF8_STRING, 64},
    {"OU", "2.5.4.11", DER_UTF8_STRING, 64},
    {"CN", "2.5.4.3", DER_UTF8_STRING, 64},
    {"x500UniqueIdentifier", "2.5.4.45", DER_BIT_STRING, 8}, /* an EUI-64 */
};

#define ATTRIBUTE_NAMES "?C ?O ?OU ?CN ?x500UniqueIdentifier"

static const struct attribute *attribute_of(const char *name)
{
    for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
        if (strcmp(attributes[i].name, name) == 0)
            return &attributes[i];
    }
    return NULL;
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static enum outcome text_put(const struct attribute *a, const struct yaml *node, const char *text, struct buf *b,
                             struct fault *f)
{
    if (a->tag == DER_PRINTABLE_STRING &&
        (strlen(text) != a->max || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != a->max))
        return yaml_fault(node, f, "\"%s\" is no country; two capital letters were expected", text);
    if (!utf8_printable(span_str(text)) || characters(text) > a->max)
        return yaml_fault(node, f, "%s takes printable text of at most %zu characters", a->name, a->max);
    der_put(b, a->tag, span_str(text));
    return OK;
}

static enum outcome value_put(const struct attribute *a, const struct yaml *node, struct buf *b, struct fault *f)
{
    uint8_t octets[8];
    char *text = NULL;
    enum outcome o = yaml_text(node, &text, f);

    if (o == OK && a->tag != DER_BIT_STRING) {
        o = text_put(a, node, text, b, f);
    } else if (o == OK && hex_parse(text, octets, sizeof octets, f) != OK) {
        o = yaml_fault(node, f, "\"%s\" is no EUI-64; 16 hex digits (0 to 9, a to f) were expected", text);
    } else if (o == OK) {
        der_put_bits(b, span_of(octets, sizeof octets));
    }
    free(text);
    return o;
}

enum outcome profile_subject_parse(const struct yaml *list, struct buf *ret, struct fault *f)
{
    size_t name = 0;
    enum outcome o = OK;

    if (list->kind != YAML_LIST)
        return yaml_fault(list, f, "a list was expected, of one attribute each: - CN: NAME");
    name = der_begin(ret, DER_SEQUENCE);
    for (size_t i = 0; i < list->count && o == OK; i++) {
        const struct yaml *map = list->items[i];
        const struct attribute *a = NULL;
        size_t set = 0, pair = 0;

        o = yaml_members(map, ATTRIBUTE_NAMES, f);
        if (o == OK && map->count != 1)
            o = yaml_fault(map, f, "one attribute was expected: - CN: NAME");
        if (o != OK)
            break;
        a = attribute_of(map->keys[0]->scalar);
        set = der_begin(ret, DER_SET);
        pair = der_begin(ret, DER_SEQUENCE);
        der_put_oid(ret, a->oid);
        o = value_put(a, map->items[0], ret, f);
        der_end(ret, pair);
        der_end(ret, set);
    }
    der_end(ret, name);
    return o == OK && ret->failed ? yaml_fault(list, f, "the subject is too long") : o;
}
