#include <stdlib.h>
#include <string.h>

#include "ceremony/certificate_der.h"
#include "ceremony/profile.h"
#include "core/encode.h"
#include "core/limits.h"

/* The values of extensions (RFC 5280, section 4.2.1), encoded as they are read. */
typedef enum outcome value_parse(const struct yaml *map, struct buf *ret, struct fault *f);

static enum outcome constraints_parse(const struct yaml *map, struct buf *ret, struct fault *f)
{
    const struct yaml *length = yaml_get(map, "path-length");
    size_t value = der_begin(ret, DER_SEQUENCE);
    bool ca = false;
    unsigned most = 0;
    enum outcome o = yaml_bool(yaml_get(map, "ca"), &ca, f);

    if (o == OK && length != NULL)
        o = ca ? yaml_count(length, 0, 127, &most, f)
               : yaml_fault(length, f, "a path length belongs to a CA; `ca: true` was expected beside it");
    if (o == OK && ca)
        der_put_true(ret);
    if (o == OK && length != NULL)
        der_put_unsigned(ret, span_of(&(uint8_t){(uint8_t)most}, 1));
    der_end(ret, value);
    return o;
}

#define KEY_USAGES                                                                                                     \
    "digitalSignature nonRepudiation keyEncipherment dataEncipherment keyAgreement keyCertSign cRLSign encipherOnly "  \
    "decipherOnly"

static enum outcome usage_parse(const struct yaml *map, struct buf *ret, struct fault *f)
{
    const struct yaml *list = yaml_get(map, "usage");
    struct strings names = {0};
    unsigned highest = 0;
    uint8_t bits[3] = {0}; /* unused bits, then bit 0 as the highest of the first octet */
    enum outcome o = yaml_strings(list, &names, f);

    for (size_t i = 0; i < names.count && o == OK; i++) {
        unsigned bit = 0;

        o = yaml_choice(list->kind == YAML_LIST ? list->items[i] : list, KEY_USAGES, &bit, f);
        if (o == OK) {
            bits[1 + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
            highest = bit > highest ? bit : highest;
        }
    }
    /* A named bit list ends with its last bit that is set (X.690, 11.2.2). */
    bits[0] = (uint8_t)(7 - highest % 8);
    der_put(ret, DER_BIT_STRING, span_of(bits, 2 + highest / 8));
    strings_free(&names);
    return o;
}

/* A list of object identifiers, each in a SEQUENCE of its own where `wrapped`. */
static enum outcome oids_parse(const struct yaml *list, bool wrapped, struct buf *ret, struct fault *f)
{
    struct strings oids = {0};
    size_t value = der_begin(ret, DER_SEQUENCE);
    enum outcome o = yaml_strings(list, &oids, f);

    for (size_t i = 0; i < oids.count && o == OK; i++) {
        size_t one = wrapped ? der_begin(ret, DER_SEQUENCE) : 0;

        if (der_oid_valid(oids.items[i]))
            der_put_oid(ret, oids.items[i]);
        else
            o = yaml_fault(list->kind == YAML_LIST ? list->items[i] : list, f,
                           "\"%s\" is no object identifier; numbers with dots between were expected", oids.items[i]);
        if (wrapped)
            der_end(ret, one);
    }
    der_end(ret, value);
    strings_free(&oids);
    return o;
}

static enum outcome policies_parse(const struct yaml *map, struct buf *ret, struct fault *f)
{
    return oids_parse(yaml_get(map, "policies"), true, ret, f);
}

static enum outcome purposes_parse(const struct yaml *map, struct buf *ret, struct fault *f)
{
    return oids_parse(yaml_get(map, "purposes"), false, ret, f);
}

/* The other name id-on-hardwareModuleName (RFC 4108, section 5). */
static void hardware_put(struct buf *b, const char *type, struct span serial)
{
    size_t names = der_begin(b, DER_SEQUENCE), other = der_begin(b, DER_CONTEXT_CONSTRUCTED(0)), explicit = 0,
           module = 0;

    der_put_oid(b, "1.3.6.1.5.5.7.8.4");
    explicit = der_begin(b, DER_CONTEXT_CONSTRUCTED(0));
    module = der_begin(b, DER_SEQUENCE);
    der_put_oid(b, type);
    der_put(b, DER_OCTET_STRING, serial);
    der_end(b, module);
    der_end(b, explicit);
    der_end(b, other);
    der_end(b, names);
}

static enum outcome hardware_parse(const struct yaml *map, struct buf *ret, struct fault *f)
{
    const struct yaml *hardware = yaml_get(map, "hardware-module"), *type_node = NULL, *serial_node = NULL;
    struct buf serial = BUF(64);
    char *type = NULL, *digits = NULL;
    enum outcome o = yaml_members(hardware, "serial type", f);

    if (o != OK)
        return o;
    type_node = yaml_get(hardware, "type");
    serial_node = yaml_get(hardware, "serial");
    o = yaml_text(type_node, &type, f);
    if (o == OK && !der_oid_valid(type))
        o = yaml_fault(type_node, f, "\"%s\" is no object identifier; numbers with dots between were expected", type);
    if (o == OK)
        o = yaml_text(serial_node, &digits, f);
    if (o == OK && hex_parse_buf(digits, &serial, f) != OK)
        o = yaml_fault(serial_node, f, "\"%s\" is no serial number; up to 64 octets as hex were expected", digits);
    if (o == OK)
        hardware_put(ret, type, buf_span(&serial));
    buf_free(&serial);
    free(digits);
    free(type);
    return o;
}

/* Key identifiers are made by method 2 of RFC 5280, section 4.2.1.2, and it has to be said. */
static enum outcome method_parse(const struct yaml *map, struct buf *ret, struct fault *f)
{
    unsigned method = 0;

    (void)ret;
    return yaml_count(yaml_get(map, "method"), 2, 2, &method, f);
}

static const struct form {
    const char *name, *oid, *members;
    bool never_critical; /* RFC 5280, sections 4.2.1.1 and 4.2.1.2 */
    value_parse *parse;
} forms[] = {
    [EXTENSION_BASIC_CONSTRAINTS] = {"basicConstraints", "2.5.29.19", "ca critical extension ?path-length", false,
                                     constraints_parse},
    [EXTENSION_KEY_USAGE] = {"keyUsage", "2.5.29.15", "critical extension usage", false, usage_parse},
    [EXTENSION_CERTIFICATE_POLICIES] = {"certificatePolicies", "2.5.29.32", "critical extension policies", false,
                                        policies_parse},
    [EXTENSION_EXT_KEY_USAGE] = {"extKeyUsage", "2.5.29.37", "critical extension purposes", false, purposes_parse},
    [EXTENSION_SUBJECT_ALT_NAME] = {"subjectAltName", "2.5.29.17", "critical extension hardware-module", false,
                                    hardware_parse},
    [EXTENSION_SUBJECT_KEY_IDENTIFIER] = {"subjectKeyIdentifier", "2.5.29.14", "critical extension method", true,
                                          method_parse},
    [EXTENSION_AUTHORITY_KEY_IDENTIFIER] = {"authorityKeyIdentifier", "2.5.29.35", "critical extension method", true,
                                            method_parse},
};
#define FORMS (sizeof forms / sizeof *forms)

enum outcome profile_extension_parse(const struct yaml *map, struct profile_extension *ret, struct fault *f)
{
    const struct yaml *name = yaml_get(map, "extension");
    size_t kind = 0;
    enum outcome o = OK;

    if (name == NULL || name->kind != YAML_SCALAR)
        return yaml_fault(map, f, "`extension: NAME` was expected");
    while (kind < FORMS && strcmp(forms[kind].name, name->scalar) != 0)
        kind++;
    if (kind == FORMS)
        return yaml_fault(name, f,
                          "\"%s\" is no extension that a profile can have; basicConstraints, keyUsage, "
                          "certificatePolicies, extKeyUsage, subjectAltName, subjectKeyIdentifier or "
                          "authorityKeyIdentifier was expected",
                          name->scalar);
    *ret = (struct profile_extension){.kind = (enum extension_kind)kind,
                                      .name = forms[kind].name,
                                      .oid = forms[kind].oid,
                                      .value = BUF(LIMIT_CERTIFICATE)};
    o = yaml_members(map, forms[kind].members, f);
    if (o == OK)
        o = yaml_bool(yaml_get(map, "critical"), &ret->critical, f);
    if (o == OK && ret->critical && forms[kind].never_critical)
        o = yaml_fault(yaml_get(map, "critical"), f, "%s is never critical (RFC 5280); false was expected",
                       forms[kind].name);
    if (o == OK)
        o = forms[kind].parse(map, &ret->value, f);
    if (o == OK && ret->value.failed)
        o = yaml_fault(map, f, "the value is too long");
    return o;
}
