#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "module/template.h"

/* Completion of governed templates (design, section 6): what is signed says everything that the key will be. */

static const CK_ATTRIBUTE_TYPE usages[] = {CKA_ENCRYPT, CKA_DECRYPT,        CKA_SIGN,   CKA_SIGN_RECOVER, CKA_VERIFY,
                                           CKA_WRAP,    CKA_VERIFY_RECOVER, CKA_UNWRAP, CKA_DERIVE};
#define USAGE_COUNT (sizeof(usages) / sizeof(*usages))

/* Which of them a class has: PKCS#11 2.40, sections 4.8 (public), 4.9 (private), 4.10 (secret keys). */
static bool usage_fits(CK_OBJECT_CLASS class, CK_ATTRIBUTE_TYPE usage)
{
    switch (usage) {
    case CKA_DERIVE:
        return true;
    case CKA_ENCRYPT:
    case CKA_VERIFY:
    case CKA_WRAP:
        return class != CKO_PRIVATE_KEY;
    case CKA_VERIFY_RECOVER:
        return class == CKO_PUBLIC_KEY;
    case CKA_SIGN_RECOVER:
        return class == CKO_PRIVATE_KEY;
    default: /* DECRYPT, SIGN, UNWRAP */
        return class != CKO_PUBLIC_KEY;
    }
}

static bool is_usage(CK_ATTRIBUTE_TYPE type)
{
    for (size_t i = 0; i < USAGE_COUNT; i++)
        if (usages[i] == type)
            return true;
    return false;
}

static const char *half_name(CK_OBJECT_CLASS class)
{
    return class == CKO_PUBLIC_KEY ? "public key" : class == CKO_PRIVATE_KEY ? "private key" : "secret key";
}

/* Attributes that a governed template may carry besides class, key type, label, id and usages. */
static bool attribute_fits(CK_OBJECT_CLASS class, CK_KEY_TYPE type, CK_ATTRIBUTE_TYPE attribute)
{
    switch (attribute) {
    case CKA_CLASS:
    case CKA_KEY_TYPE:
    case CKA_TOKEN:
    case CKA_PRIVATE:
    case CKA_LABEL:
    case CKA_ID:
    case CKA_START_DATE:
    case CKA_END_DATE:
    case CKA_MODIFIABLE:
    case CKA_COPYABLE:
    case CKA_DESTROYABLE:
        return true;
    case CKA_SUBJECT:
        return class != CKO_SECRET_KEY;
    case CKA_SENSITIVE:
    case CKA_EXTRACTABLE:
    case CKA_WRAP_WITH_TRUSTED:
        return class != CKO_PUBLIC_KEY;
    case CKA_ALWAYS_AUTHENTICATE:
        return class == CKO_PRIVATE_KEY;
    case CKA_TRUSTED:
        return class != CKO_PRIVATE_KEY;
    case CKA_EC_PARAMS:
        return class == CKO_PUBLIC_KEY && (type == CKK_EC || type == CKK_EC_EDWARDS);
    case CKA_MODULUS_BITS:
    case CKA_PUBLIC_EXPONENT:
        return class == CKO_PUBLIC_KEY && type == CKK_RSA;
    case CKA_VALUE_LEN:
        return class == CKO_SECRET_KEY;
    default:
        return false;
    }
}

static enum outcome attribute_check(CK_OBJECT_CLASS class, CK_KEY_TYPE type, const CK_ATTRIBUTE *a, struct fault *f)
{
    const char *name = attribute_name(a->type), *half = half_name(class);

    if (!name)
        return fault_set(f, E_INVALID, "attribute 0x%lx in the %s's template: not known here, leave it out", a->type,
                         half);
    if (is_usage(a->type) ? !usage_fits(class, a->type) : !attribute_fits(class, type, a->type))
        return fault_set(f, E_INVALID, "%s does not belong in a %s's template: leave it out", name, half);
    return OK;
}

/* A boolean that is there must have this value. */
static enum outcome bool_want(const struct template *t, CK_ATTRIBUTE_TYPE type, bool want, const char *why,
                              struct fault *f)
{
    const CK_ATTRIBUTE *a = template_find(t, type);

    if (a && a->ulValueLen != sizeof(CK_BBOOL))
        return fault_set(f, E_INVALID, "%s is not a CK_BBOOL", attribute_name(type));
    if (template_bool(t, type, want) == want)
        return OK;
    return fault_set(f, E_INVALID, "%s must be %s: %s", attribute_name(type), want ? "true" : "false", why);
}

/* It must be there, too. */
static enum outcome bool_demand(const struct template *t, CK_ATTRIBUTE_TYPE type, const char *why, struct fault *f)
{
    if (!template_find(t, type))
        return fault_set(f, E_INVALID, "%s must be true: %s", attribute_name(type), why);
    return bool_want(t, type, true, why, f);
}

/* A value that follows from the mechanism: set where left out, else it must be the same. */
static enum outcome number_follow(struct template *t, CK_ATTRIBUTE_TYPE type, CK_ULONG want, struct fault *f)
{
    const CK_ATTRIBUTE *a = template_find(t, type);

    if (!a)
        return template_set_ulong(t, type, want, f);
    if (a->ulValueLen != sizeof(want) || memcmp(a->pValue, &want, sizeof(want)) != 0)
        return fault_set(f, E_INVALID, "%s is not what the mechanism makes", attribute_name(type));
    return OK;
}

static enum outcome usages_complete(struct template *t, CK_OBJECT_CLASS class, struct fault *f)
{
    for (size_t i = 0; i < USAGE_COUNT; i++) {
        const CK_ATTRIBUTE *a = template_find(t, usages[i]);

        if (!usage_fits(class, usages[i]))
            continue;
        if (a && a->ulValueLen != sizeof(CK_BBOOL))
            return fault_set(f, E_INVALID, "%s is not a CK_BBOOL", attribute_name(usages[i]));
        if (template_set_bool(t, usages[i], template_bool(t, usages[i], false), f) != OK)
            return f->outcome;
    }
    return OK;
}

/* Attributes that may only have their ordinary value: checked, then left to the HSM, for some HSMs refuse a template
 * that so much as names them. */
static enum outcome ordinary_strip(struct template *t, struct fault *f)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        bool value;
        const char *why;
    } ordinary[] = {
        {CKA_MODIFIABLE, true, "CKA_ID is set when the key is born"},
        {CKA_COPYABLE, true, "a birth ends in a copy to the token"},
        {CKA_DESTROYABLE, true, "a birth that fails is rolled back"},
        {CKA_TRUSTED, false, "only a security officer can make a key trusted"},
        {CKA_ALWAYS_AUTHENTICATE, false, "keys that ask for the PIN at each use are not yet born under a rule"},
        {CKA_WRAP_WITH_TRUSTED, false, "only a rule with `extractable: trusted-wrap-only` makes such keys"},
    };

    for (size_t i = 0; i < sizeof(ordinary) / sizeof(*ordinary); i++) {
        if (bool_want(t, ordinary[i].type, ordinary[i].value, ordinary[i].why, f) != OK)
            return f->outcome;
        template_remove(t, ordinary[i].type);
    }
    return OK;
}

/* A key that may leave an HSM, under the trusted keys of its security officer alone: the HSM sees to it from the first moment. */
static enum outcome trusted_complete(struct template *t, struct fault *f)
{
    static const char *const why = "a key under this rule leaves its HSM under trusted keys only";

    if (bool_want(t, CKA_EXTRACTABLE, true, why, f) != OK || bool_want(t, CKA_WRAP_WITH_TRUSTED, true, why, f) != OK)
        return f->outcome;
    template_remove(t, CKA_WRAP_WITH_TRUSTED);
    if (ordinary_strip(t, f) != OK || template_set_bool(t, CKA_EXTRACTABLE, true, f) != OK)
        return f->outcome;
    return template_set_bool(t, CKA_WRAP_WITH_TRUSTED, true, f);
}

static enum outcome closed_complete(struct template *t, struct fault *f)
{
    if (bool_want(t, CKA_EXTRACTABLE, false, "a key under this rule leaves an HSM only for its replicas", f) != OK ||
        template_set_bool(t, CKA_EXTRACTABLE, false, f) != OK)
        return f->outcome;
    return ordinary_strip(t, f);
}

static enum outcome secret_complete(struct template *t, CK_OBJECT_CLASS class, bool trusted, struct fault *f)
{
    if (bool_demand(t, CKA_TOKEN, "a key under this rule is born on the token, not in a session", f) != OK ||
        bool_demand(t, CKA_SENSITIVE, "a key under this rule never shows its value", f) != OK ||
        bool_demand(t, CKA_PRIVATE, "a key under this rule is used after login only", f) != OK ||
        (trusted ? trusted_complete(t, f) : closed_complete(t, f)) != OK)
        return f->outcome;
    return usages_complete(t, class, f);
}

static enum outcome public_complete(struct template *t, CK_KEY_TYPE type, struct fault *f)
{
    static const uint8_t f4[] = {1, 0, 1}; /* 65537 */

    if (bool_demand(t, CKA_TOKEN, "the public half lies beside the private one, on the token", f) != OK ||
        bool_want(t, CKA_PRIVATE, false, "the public half is for everyone", f) != OK ||
        template_set_bool(t, CKA_PRIVATE, false, f) != OK || ordinary_strip(t, f) != OK)
        return f->outcome;
    if (type == CKK_RSA && !template_find(t, CKA_MODULUS_BITS))
        return fault_set(f, E_INVALID, "CKA_MODULUS_BITS is missing from the public key's template");
    if (type != CKK_RSA && !template_find(t, CKA_EC_PARAMS))
        return fault_set(f, E_INVALID, "CKA_EC_PARAMS is missing from the public key's template");
    if (type == CKK_RSA && !template_find(t, CKA_PUBLIC_EXPONENT) &&
        template_set(t, CKA_PUBLIC_EXPONENT, f4, sizeof(f4), f) != OK)
        return f->outcome;
    return usages_complete(t, CKO_PUBLIC_KEY, f);
}

/* Takes CKA_ID out of a half: it is no part of what is judged. Both halves name the same one or none. */
static enum outcome id_take(struct template *t, struct buf *id, struct fault *f)
{
    const CK_ATTRIBUTE *a = template_find(t, CKA_ID);

    if (a && a->ulValueLen > LIMIT_LABEL)
        return fault_set(f, E_INVALID, "CKA_ID is longer than %d bytes", LIMIT_LABEL);
    if (a && a->ulValueLen) {
        if (id->len && !span_equal(buf_span(id), span_of(a->pValue, a->ulValueLen)))
            return fault_set(f, E_INVALID, "CKA_ID differs between the private and the public key's template");
        buf_clear(id);
        buf_put(id, a->pValue, a->ulValueLen);
        if (id->failed)
            return fault_memory(f);
    }
    template_remove(t, CKA_ID);
    return OK;
}

static struct span label_of(const struct template *t)
{
    const CK_ATTRIBUTE *a = template_find(t, CKA_LABEL);

    return a ? span_of(a->pValue, a->ulValueLen) : span_str("");
}

static enum outcome label_take(const struct key_template *t, char **ret, struct fault *f)
{
    struct span label = label_of(&t->secret);

    if (t->pair && !span_equal(label, label_of(&t->public)))
        return fault_set(f, E_INVALID, "CKA_LABEL differs between the private and the public key's template");
    if (label.len > LIMIT_LABEL)
        return fault_set(f, E_INVALID, "CKA_LABEL is longer than %d bytes", LIMIT_LABEL);
    if (!utf8_printable(label))
        return fault_set(f, E_INVALID, "CKA_LABEL must be printable UTF-8 without NUL");
    if (label.len >= strlen(OWN_LABEL) && memcmp(label.data, OWN_LABEL, strlen(OWN_LABEL)) == 0)
        return fault_set(f, E_INVALID, "CKA_LABEL must not begin with \"" OWN_LABEL "\": that is Quorate's own");
    *ret = strndup(label.len ? (const char *)label.data : "", label.len);
    return *ret ? OK : fault_memory(f);
}

static enum outcome half_complete(struct template *t, CK_OBJECT_CLASS class, CK_KEY_TYPE type, bool trusted,
                                  struct buf *id, struct fault *f)
{
    for (CK_ULONG i = 0; i < t->count; i++)
        if (attribute_check(class, type, &t->items[i], f) != OK)
            return f->outcome;
    if (number_follow(t, CKA_CLASS, class, f) != OK || number_follow(t, CKA_KEY_TYPE, type, f) != OK ||
        id_take(t, id, f) != OK)
        return f->outcome;
    return class == CKO_PUBLIC_KEY ? public_complete(t, type, f) : secret_complete(t, class, trusted, f);
}

static enum outcome mechanism_makes(const CK_MECHANISM *m, bool pair, CK_KEY_TYPE *ret, struct fault *f)
{
    static const struct {
        CK_MECHANISM_TYPE mechanism;
        CK_KEY_TYPE type;
        bool pair;
    } made[] = {
        {CKM_EC_KEY_PAIR_GEN, CKK_EC, true},
        {CKM_RSA_PKCS_KEY_PAIR_GEN, CKK_RSA, true},
        {CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, true},
        {CKM_AES_KEY_GEN, CKK_AES, false},
        {CKM_GENERIC_SECRET_KEY_GEN, CKK_GENERIC_SECRET, false},
    };

    if (m->pParameter && m->ulParameterLen)
        return fault_set(f, E_INVALID, "the mechanism has a parameter: a birth under a rule takes none");
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
        if (made[i].mechanism == m->mechanism && made[i].pair == pair) {
            *ret = made[i].type;
            return OK;
        }
    return fault_set(f, E_INVALID, "mechanism 0x%lx makes no key that can be born under a rule", m->mechanism);
}

enum outcome key_template_complete(const CK_MECHANISM *mechanism, const CK_ATTRIBUTE *public, CK_ULONG public_count,
                                   const CK_ATTRIBUTE *private, CK_ULONG private_count, bool trusted,
                                   struct key_template *ret, struct fault *f)
{
    struct key_template t = {.id = BUF(LIMIT_LABEL), .pair = public != NULL};
    CK_OBJECT_CLASS class = t.pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
    CK_KEY_TYPE type = 0;
    enum outcome result = mechanism_makes(mechanism, t.pair, &type, f);

    if (result == OK)
        result = template_copy(private, private_count, &t.secret, f);
    if (result == OK && t.pair)
        result = template_copy(public, public_count, &t.public, f);
    if (result == OK)
        result = half_complete(&t.secret, class, type, trusted, &t.id, f);
    if (result == OK && t.pair)
        result = half_complete(&t.public, CKO_PUBLIC_KEY, type, false, &t.id, f);
    if (result == OK && !t.pair && !template_find(&t.secret, CKA_VALUE_LEN))
        result = fault_set(f, E_INVALID, "CKA_VALUE_LEN is missing from the secret key's template");
    if (result == OK)
        result = label_take(&t, &t.label, f);
    if (result == OK) {
        *ret = t;
        t = (struct key_template){0}; /* taken by the caller */
    }
    key_template_clear(&t);
    return result;
}

/* A copy takes over what it does not say: it may only close. */
static enum outcome copy_complete(struct template *t, struct fault *f)
{
    static const char *const why = "a key under this rule stays as closed as it is";

    if (bool_want(t, CKA_SENSITIVE, true, why, f) != OK || bool_want(t, CKA_PRIVATE, true, why, f) != OK ||
        bool_want(t, CKA_EXTRACTABLE, false, why, f) != OK)
        return f->outcome;
    return ordinary_strip(t, f);
}

static enum outcome made_complete(struct template *t, CK_OBJECT_CLASS class, bool on_token, struct fault *f)
{
    if (!template_find(t, CKA_CLASS) && template_set_ulong(t, CKA_CLASS, class, f) != OK)
        return f->outcome;
    if (!template_find(t, CKA_KEY_TYPE))
        return fault_set(f, E_INVALID, "CKA_KEY_TYPE is missing from the template");
    if (on_token && class != CKO_PUBLIC_KEY)
        return secret_complete(t, class, false, f);
    return usages_complete(t, class, f);
}

enum outcome object_template_complete(struct template *t, CK_OBJECT_CLASS class, bool copy, bool on_token,
                                      struct buf *id, struct fault *f)
{
    const CK_ATTRIBUTE *label = template_find(t, CKA_LABEL);
    bool secret = class == CKO_PRIVATE_KEY || class == CKO_SECRET_KEY;

    if (label && !utf8_printable(span_of(label->pValue, label->ulValueLen)))
        return fault_set(f, E_INVALID, "CKA_LABEL must be printable UTF-8 without NUL");
    if (class == CK_UNAVAILABLE_INFORMATION)
        return fault_set(f, E_INVALID, "CKA_CLASS is missing from the template");
    if (!secret && class != CKO_PUBLIC_KEY)
        return OK;
    if (secret && on_token && id_take(t, id, f) != OK)
        return f->outcome;
    if (copy)
        return secret ? copy_complete(t, f) : OK;
    return made_complete(t, class, on_token, f);
}

void key_template_clear(struct key_template *t)
{
    template_clear(&t->secret);
    template_clear(&t->public);
    buf_free(&t->id);
    free(t->label);
    *t = (struct key_template){0};
}
