#include <stdlib.h>
#include <string.h>

#include "policy/request.h"

#define COMMON "environment estate operation origin requester "
#define ANY_KEY COMMON "token function ?mechanism ?label ?class ?object ?templates ?key ?born ?with ?data"

/* The members of every operation's subject. */
static const char *subject_members(enum operation op)
{
    switch (op) {
    case OP_ADOPT_POLICY:
        return COMMON "policy ?host ?succession";
    case OP_ENROL_SITE:
        return COMMON "token site serial manufacturer model firmware hardware identity transport ?attestation";
    case OP_RETIRE_SITE:
    case OP_PROMOTE:
        return COMMON "token site";
    case OP_REPLICATE:
        return COMMON "token site ?label ?class ?key ?born";
    case OP_OPEN_CEREMONY:
        return COMMON "ceremony script bindings people";
    case OP_SUSPEND:
        return COMMON "scope ?reason";
    case OP_RESUME:
        return COMMON "scope";
    case OP_CHANGE_LOG_KEY:
        return COMMON "log-key";
    case OP_READOPT_LOG:
        return COMMON "heads";
    default:
        return ANY_KEY;
    }
}

const char *ec_curve_name(const char *params_hex)
{
    static const struct {
        const char *params, *name;
    } curves[] = {
        {"06082a8648ce3d030107", "P-256"}, /* RFC 5480, section 2.1.1.1 */
        {"06052b81040022", "P-384"},
        {"06052b81040023", "P-521"},
        {"06032b6570", "Ed25519"},                   /* RFC 8410, section 3 */
        {"130c656477617264733235353139", "Ed25519"}, /* PKCS#11 3.0, 2.3.10: the name "edwards25519" */
    };

    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (strcmp(params_hex, curves[i].params) == 0)
            return curves[i].name;
    return NULL;
}

/* The same attribute from either half; E_INVALID where they differ. */
static enum outcome halves_get(const json_t *const *halves, size_t count, const char *name, const json_t **ret,
                               struct fault *f)
{
    const json_t *found = NULL;

    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(halves[i], name);

        if (found != NULL && value != NULL && !json_equal(found, value))
            return fault_set(f, E_INVALID, "the two templates of the subject differ in %s", name);
        if (value != NULL)
            found = value;
    }
    *ret = found;
    return OK;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

/* "EC:P-384" and the like; stays empty where the templates do not say. */
static enum outcome read_key_type(struct subject *s, const json_t *const *halves, size_t count, struct fault *f)
{
    const json_t *type = NULL, *params = NULL, *bits = NULL, *bytes = NULL;
    const char *curve = NULL, *hex = NULL;
    enum outcome o = OK;

    if ((o = halves_get(halves, count, "CKA_KEY_TYPE", &type, f)) != OK ||
        (o = halves_get(halves, count, "CKA_EC_PARAMS", &params, f)) != OK ||
        (o = halves_get(halves, count, "CKA_MODULUS_BITS", &bits, f)) != OK ||
        (o = halves_get(halves, count, "CKA_VALUE_LEN", &bytes, f)) != OK)
        return o;
    if ((params != NULL) + (bits != NULL) + (bytes != NULL) != 1)
        return OK;
    hex = json_string_value(params);
    if (hex != NULL && strncmp(hex, "hex:", 4) == 0)
        curve = ec_curve_name(hex + 4);
    if (curve != NULL && (type == NULL || is_text(type, "CKK_EC") || is_text(type, "CKK_EC_EDWARDS")))
        snprintf(s->key_type, sizeof s->key_type, "EC:%s", curve);
    else if (json_is_integer(bits) && (type == NULL || is_text(type, "CKK_RSA")))
        snprintf(s->key_type, sizeof s->key_type, "RSA:%lld", (long long)json_integer_value(bits));
    else if (json_is_integer(bytes) && json_integer_value(bytes) > 0 && json_integer_value(bytes) <= LIMIT_ATTRIBUTE) {
        if (is_text(type, "CKK_AES"))
            snprintf(s->key_type, sizeof s->key_type, "AES:%lld", (long long)json_integer_value(bytes) * 8);
        else if (is_text(type, "CKK_GENERIC_SECRET"))
            snprintf(s->key_type, sizeof s->key_type, "GENERIC:%lld", (long long)json_integer_value(bytes) * 8);
    }
    return OK;
}

static void read_usage(struct subject *s, const json_t *template)
{
    static const struct {
        const char *attribute;
        size_t flag;
    } usages[] = {
        {"CKA_SIGN", offsetof(struct subject, can_sign)},
        {"CKA_SIGN_RECOVER", offsetof(struct subject, can_sign)},
        {"CKA_VERIFY", offsetof(struct subject, can_sign)},
        {"CKA_VERIFY_RECOVER", offsetof(struct subject, can_sign)},
        {"CKA_DECRYPT", offsetof(struct subject, can_decrypt)},
        {"CKA_ENCRYPT", offsetof(struct subject, can_decrypt)},
        {"CKA_DERIVE", offsetof(struct subject, can_derive)},
        {"CKA_WRAP", offsetof(struct subject, can_wrap)},
        {"CKA_UNWRAP", offsetof(struct subject, can_wrap)},
        {"CKA_EXTRACTABLE", offsetof(struct subject, extractable)},
        {"CKA_WRAP_WITH_TRUSTED", offsetof(struct subject, wrap_with_trusted)},
    };

    for (size_t i = 0; i < sizeof usages / sizeof *usages; i++)
        if (is_text(json_object_get(template, usages[i].attribute), "true"))
            *(bool *)((char *)s + usages[i].flag) = true;
}

/* {"key": {…}} or {"private": {…}, "public": {…}}: names and values that are strings or integers. */
static enum outcome read_templates(struct subject *s, json_t *templates, struct fault *f)
{
    static const char *const names[] = {"key", "private", "public"};
    const json_t *halves[2] = {NULL, NULL};
    const char *attribute = NULL;
    json_t *value = NULL;
    size_t count = 0;
    bool single = json_object_get(templates, "key") != NULL;
    enum outcome o = json_members(templates, single ? "key" : "private public", f);

    for (size_t i = 0; o == OK && i < sizeof names / sizeof *names; i++) {
        json_t *half = json_object_get(templates, names[i]);

        if (half == NULL)
            continue;
        if (!json_is_object(half) || json_object_size(half) > LIMIT_TEMPLATE)
            return fault_set(f, E_INVALID, "template %s is no object of at most %d attributes", names[i],
                             LIMIT_TEMPLATE);
        json_object_foreach(half, attribute, value)
        {
            if (strncmp(attribute, "CKA_", 4) != 0 || !(json_is_string(value) || json_is_integer(value)))
                return fault_set(f, E_INVALID, "template %s: %s is no attribute with a text or an integer", names[i],
                                 attribute);
        }
        halves[count++] = half;
        read_usage(s, half);
    }
    return o != OK || s->operation != OP_GENERATE ? o : read_key_type(s, halves, count, f);
}

static enum outcome want_choice(const char *name, const char *value, const char *const *choices, struct fault *f)
{
    for (size_t i = 0; choices[i] != NULL; i++)
        if (strcmp(choices[i], value) == 0)
            return OK;
    return fault_set(f, E_INVALID, "%s \"%s\" is none of those that a subject can have", name, value);
}

static enum outcome read_common(struct subject *s, struct fault *f)
{
    static const char *const environments[] = {"production", "test", "rehearsal", NULL};
    const char *operation = NULL;
    struct digest estate;
    int op = -1;
    enum outcome o = OK;

    if ((o = json_want_string(s->json, "operation", &operation, f)) != OK)
        return o;
    op = operation_parse(operation);
    if (op < 0)
        return fault_set(f, E_INVALID, "the operation \"%s\" is unknown", operation);
    s->operation = (enum operation)op;
    if ((o = json_members(s->json, subject_members(s->operation), f)) != OK ||
        (o = json_want_string(s->json, "estate", &s->estate, f)) != OK ||
        (o = digest_parse(s->estate, &estate, f)) != OK ||
        (o = json_want_string(s->json, "environment", &s->environment, f)) != OK ||
        (o = want_choice("environment", s->environment, environments, f)) != OK ||
        (o = json_want_string(s->json, "origin", &s->origin, f)) != OK)
        return o;
    return json_want_string(s->json, "requester", &s->requester, f);
}

static enum outcome read_text(const json_t *json, const char *name, const char **ret, struct fault *f)
{
    return json_object_get(json, name) == NULL ? OK : json_want_string(json, name, ret, f);
}

static enum outcome read_key_operation(struct subject *s, struct fault *f)
{
    static const char *const classes[] = {"private-key", "secret-key", "public-key", "certificate", "data", NULL};
    static const char *const objects[] = {"session", "token", NULL};
    json_t *templates = json_object_get(s->json, "templates");
    const char *object = NULL;
    enum outcome o = OK;

    if ((o = read_text(s->json, "function", &s->function, f)) != OK ||
        (o = read_text(s->json, "label", &s->label, f)) != OK ||
        (o = read_text(s->json, "class", &s->class_name, f)) != OK ||
        (o = read_text(s->json, "object", &object, f)) != OK ||
        (s->class_name != NULL && (o = want_choice("class", s->class_name, classes, f)) != OK) ||
        (object != NULL && (o = want_choice("object", object, objects, f)) != OK))
        return o;
    if (object != NULL)
        s->object = strcmp(object, "token") == 0;
    return templates == NULL ? OK : read_templates(s, templates, f);
}

static enum outcome read_estate_operation(struct subject *s, struct fault *f)
{
    json_t *part = NULL;
    const char *text = NULL;
    struct digest digest;
    int64_t version = 0;
    enum outcome o = OK;

    if (s->operation == OP_ADOPT_POLICY) {
        if ((o = json_want_object(s->json, "policy", &part, f)) != OK ||
            (o = json_members(part, "canonical digest version", f)) != OK ||
            (o = json_want_digest(part, "canonical", &digest, f)) != OK ||
            (o = json_want_digest(part, "digest", &digest, f)) != OK ||
            (o = json_want_integer(part, "version", &version, f)) != OK ||
            (o = read_text(s->json, "succession", &text, f)) != OK)
            return o;
        if (text != NULL && strcmp(text, "true") != 0)
            return fault_set(f, E_INVALID, "succession is \"true\" or absent");
        s->succession = text != NULL;
        part = json_object_get(s->json, "host");
        if (part != NULL && (o = json_members(part, "environment estate log-key origin site token", f)) != OK)
            return fault_context(f, "host");
    } else if (s->operation == OP_OPEN_CEREMONY) {
        if ((o = json_want_object(s->json, "script", &part, f)) != OK ||
            (o = json_members(part, "canonical digest id", f)) != OK ||
            (o = json_want_digest(part, "canonical", &digest, f)) != OK ||
            (o = json_want_digest(part, "digest", &digest, f)) != OK)
            return o;
        return json_want_string(part, "id", &s->script, f);
    } else if (s->operation == OP_SUSPEND || s->operation == OP_RESUME) {
        if ((o = json_want_string(s->json, "scope", &text, f)) != OK)
            return o;
        return read_text(s->json, "reason", &text, f);
    }
    return o;
}

enum outcome subject_read(json_t *json_taken, struct subject **ret, struct fault *f)
{
    enum outcome o = E_MEMORY;
    struct subject *s = calloc(1, sizeof *s);

    if (s == NULL) {
        json_decref(json_taken);
        return fault_memory(f);
    }
    s->json = json_taken;
    s->label = "";
    s->object = -1;
    if ((o = read_common(s, f)) != OK || (o = read_text(s->json, "token", &s->token, f)) != OK ||
        (o = read_text(s->json, "site", &s->site, f)) != OK || (o = read_key_operation(s, f)) != OK ||
        (o = read_estate_operation(s, f)) != OK) {
        fault_context(f, "subject");
        goto out;
    }
    *ret = s;
    s = NULL; /* taken by the caller */
out:
    subject_free(s);
    return o;
}

void subject_free(struct subject *s)
{
    if (s == NULL)
        return;
    json_decref(s->json);
    free(s);
}
