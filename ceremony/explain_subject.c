#include <stdlib.h>
#include <string.h>

#include "ceremony/explain.h"
#include "core/limits.h"

/* CKA_EC_PARAMS: DER of the named curve's object identifier (RFC 5480, section 2.1.1.1). */
static const struct {
    const char *type, *params, *mechanism, *key_type;
} curves[] = {
    {"EC:P-256", "hex:06082a8648ce3d030107", "CKM_EC_KEY_PAIR_GEN", "CKK_EC"},
    {"EC:P-384", "hex:06052b81040022", "CKM_EC_KEY_PAIR_GEN", "CKK_EC"},
    {"EC:P-521", "hex:06052b81040023", "CKM_EC_KEY_PAIR_GEN", "CKK_EC"},
    {"EC:Ed25519", "hex:06032b6570", "CKM_EC_EDWARDS_KEY_PAIR_GEN", "CKK_EC_EDWARDS"},
};

/* A usage names both halves of a pair. */
static const struct {
    const char *name, *secret, *public;
} usages[] = {
    {"sign", "CKA_SIGN", "CKA_VERIFY"},
    {"decrypt", "CKA_DECRYPT", "CKA_ENCRYPT"},
    {"derive", "CKA_DERIVE", "CKA_DERIVE"},
    {"wrap", "CKA_UNWRAP", "CKA_WRAP"},
};

struct templates {
    json_t *secret, *public; /* public: NULL for secret keys */
};

static enum outcome usage_put(const char *list, struct templates *t, struct fault *f)
{
    while (list && *list) {
        size_t len = strcspn(list, ","), i = 0;

        while (i < sizeof usages / sizeof *usages &&
               (strlen(usages[i].name) != len || memcmp(usages[i].name, list, len) != 0))
            i++;
        if (i == sizeof usages / sizeof *usages)
            return fault_set(f, E_INVALID, "--usage %.*s: expected sign, decrypt, derive or wrap", (int)len, list);
        if (!json_put_string(t->secret, usages[i].secret, "true") ||
            !json_put_string(t->public ? t->public : t->secret, usages[i].public, "true"))
            return fault_memory(f);
        list += len;
        list += *list == ',';
    }
    return OK;
}

static enum outcome bits_read(const char *type, long unit, int64_t *ret, struct fault *f)
{
    const char *digits = strchr(type, ':') + 1;
    long bits = strlen(digits) <= 5 && strspn(digits, "0123456789") == strlen(digits) ? strtol(digits, NULL, 10) : 0;

    if (bits <= 0 || bits % unit != 0)
        return fault_set(f, E_INVALID, "--type %s: the number of bits is wrong", type);
    *ret = bits;
    return OK;
}

/* What the type says: mechanism, and the attributes that give curve or size. */
static enum outcome type_put(const char *type, struct templates *t, const char **ret_mechanism,
                             const char **ret_key_type, struct fault *f)
{
    int64_t bits = 0;
    enum outcome o = OK;

    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) {
        if (strcmp(curves[i].type, type) != 0)
            continue;
        *ret_mechanism = curves[i].mechanism;
        *ret_key_type = curves[i].key_type;
        return json_put_string(t->public, "CKA_EC_PARAMS", curves[i].params) ? OK : fault_memory(f);
    }
    if (strncmp(type, "RSA:", 4) == 0) {
        *ret_mechanism = "CKM_RSA_PKCS_KEY_PAIR_GEN";
        *ret_key_type = "CKK_RSA";
        o = bits_read(type, 8, &bits, f);
        return o != OK || json_put_integer(t->public, "CKA_MODULUS_BITS", bits) ? o : fault_memory(f);
    }
    if (strncmp(type, "AES:", 4) == 0) {
        *ret_mechanism = "CKM_AES_KEY_GEN";
        *ret_key_type = "CKK_AES";
        o = bits_read(type, 64, &bits, f);
        return o != OK || json_put_integer(t->secret, "CKA_VALUE_LEN", bits / 8) ? o : fault_memory(f);
    }
    return fault_set(f, E_INVALID, "--type %s: expected EC:P-256, EC:P-384, EC:P-521, EC:Ed25519, RSA:BITS or AES:BITS",
                     type);
}

static bool half_put(json_t *half, const char *class_name, const char *key_type, const char *label, bool secret)
{
    return json_put_string(half, "CKA_CLASS", class_name) && json_put_string(half, "CKA_KEY_TYPE", key_type) &&
           json_put_string(half, "CKA_TOKEN", "true") && (!label || json_put_string(half, "CKA_LABEL", label)) &&
           (!secret ||
            (json_put_string(half, "CKA_SENSITIVE", "true") && json_put_string(half, "CKA_PRIVATE", "true") &&
             json_put_string(half, "CKA_EXTRACTABLE", "false")));
}

/* The key that a birth asks for, as section 6 of the design completes it. */
static enum outcome birth_put(const struct question *q, json_t *subject, struct fault *f)
{
    const char *type = q->type ? q->type : "EC:P-256", *mechanism = NULL, *key_type = NULL;
    bool pair = strncmp(type, "AES:", 4) != 0, good = false;
    struct templates t = {.secret = json_object(), .public = pair ? json_object() : NULL};
    json_t *both = json_object(), *named = json_object();
    enum outcome o = t.secret && both && named && (!pair || t.public) ? OK : fault_memory(f);

    if (o == OK)
        o = type_put(type, &t, &mechanism, &key_type, f);
    if (o == OK)
        o = usage_put(q->usage ? q->usage : "sign", &t, f);
    if (o == OK) {
        good = half_put(t.secret, pair ? "CKO_PRIVATE_KEY" : "CKO_SECRET_KEY", key_type, q->label, true) &&
               (!pair || half_put(t.public, "CKO_PUBLIC_KEY", key_type, q->label, false)) &&
               json_put_string(named, "name", mechanism) &&
               json_put(both, pair ? "private" : "key", json_incref(t.secret)) &&
               (!pair || json_put(both, "public", json_incref(t.public))) &&
               json_put(subject, "mechanism", json_incref(named)) &&
               json_put(subject, "templates", json_incref(both)) &&
               json_put_string(subject, "function", pair ? "C_GenerateKeyPair" : "C_GenerateKey") &&
               (q->class_name || json_put_string(subject, "class", pair ? "private-key" : "secret-key"));
        o = good ? OK : fault_memory(f);
    }
    json_decref(named);
    json_decref(both);
    json_decref(t.public);
    json_decref(t.secret);
    return o;
}

static const char *function_of(enum operation op)
{
    switch (op) {
    case OP_IMPORT:
        return "C_CreateObject";
    case OP_DERIVE:
        return "C_DeriveKey";
    case OP_COPY:
        return "C_CopyObject";
    case OP_MODIFY:
        return "C_SetAttributeValue";
    case OP_WRAP:
        return "C_WrapKey";
    case OP_DESTROY:
        return "C_DestroyObject";
    case OP_INITIALISE:
        return "C_InitToken";
    case OP_SET_PIN:
        return "C_SetPIN";
    default:
        break;
    }
    return "C_Sign";
}

/* Members that only the command itself would know stand as these. */
#define UNKNOWN_DIGEST "0000000000000000000000000000000000000000000000000000000000000000"
#define UNKNOWN_TEXT "-"

static bool names_put_all(json_t *object, const char *const *names, const char *value)
{
    bool good = true;

    for (size_t i = 0; good && names[i]; i++)
        good = json_put_string(object, names[i], value);
    return good;
}

static bool policy_put(const struct question *q, const struct asker *a, json_t *subject)
{
    json_t *policy = json_object();
    bool good = json_put_digest(policy, "canonical", &a->policy->canonical) &&
                json_put_digest(policy, "digest", &a->policy->digest) &&
                json_put_integer(policy, "version", (int64_t)a->policy->version + 1);

    good = good && json_put(subject, "policy", json_incref(policy)) &&
           (!q->succession || json_put_string(subject, "succession", "true"));
    json_decref(policy);
    return good;
}

static bool opening_put(json_t *subject)
{
    static const char *const digests[] = {"canonical", "digest", NULL};
    json_t *script = json_object(), *bindings = json_object();
    bool good = names_put_all(script, digests, UNKNOWN_DIGEST) && json_put_string(script, "id", UNKNOWN_TEXT) &&
                names_put_all(bindings, digests, UNKNOWN_DIGEST) && json_put(subject, "script", json_incref(script)) &&
                json_put(subject, "bindings", json_incref(bindings)) && json_put(subject, "people", json_array()) &&
                json_put_string(subject, "ceremony", UNKNOWN_TEXT);

    json_decref(script);
    json_decref(bindings);
    return good;
}

static bool site_put(const struct asker *a, const char *token, json_t *subject)
{
    const struct token *t = policy_token(a->policy, token);

    return json_put_string(subject, "site", t ? t->primary : UNKNOWN_TEXT);
}

/* The members that only the estate's own operations have. */
static bool own_put(const struct question *q, const struct asker *a, const char *token, json_t *subject)
{
    static const char *const hardware[] = {"serial",   "manufacturer", "model",     "firmware",
                                           "hardware", "identity",     "transport", NULL};

    switch (q->operation) {
    case OP_ADOPT_POLICY:
        return policy_put(q, a, subject);
    case OP_ENROL_SITE:
        return site_put(a, token, subject) && names_put_all(subject, hardware, UNKNOWN_TEXT);
    case OP_RETIRE_SITE:
    case OP_PROMOTE:
    case OP_REPLICATE:
        return site_put(a, token, subject);
    case OP_OPEN_CEREMONY:
        return opening_put(subject);
    case OP_SUSPEND:
    case OP_RESUME:
        return json_put_string(subject, "scope", "estate");
    case OP_CHANGE_LOG_KEY:
        return json_put_string(subject, "log-key", UNKNOWN_TEXT);
    case OP_READOPT_LOG:
        return json_put_string(subject, "heads", UNKNOWN_TEXT);
    default:
        return true;
    }
}

static bool has_token(enum operation op)
{
    return op <= OP_SET_PIN || op == OP_ENROL_SITE || op == OP_RETIRE_SITE || op == OP_PROMOTE || op == OP_REPLICATE;
}

/* The token in question: the one given, else the policy's only one; NULL where the operation has none. */
static enum outcome token_choose(const struct question *q, const struct policy *p, const char **ret, struct fault *f)
{
    if (!has_token(q->operation)) {
        if (q->token)
            return fault_set(f, E_INVALID, "--token does not go with %s", operation_name(q->operation));
        return OK;
    }
    if (!q->token && p->token_count != 1)
        return fault_set(f, E_INVALID, "the policy declares %zu tokens; say which one with --token", p->token_count);
    *ret = q->token ? q->token : p->tokens[0].id;
    return OK;
}

static enum outcome words_fit(const struct question *q, struct fault *f)
{
    if (q->operation != OP_GENERATE && (q->type || q->usage))
        return fault_set(f, E_INVALID, "--type and --usage go with generate");
    if (q->succession && q->operation != OP_ADOPT_POLICY)
        return fault_set(f, E_INVALID, "--succession goes with adopt-policy");
    if ((q->label || q->class_name) && q->operation > OP_SET_PIN && q->operation != OP_REPLICATE)
        return fault_set(f, E_INVALID, "--label and --class do not go with %s", operation_name(q->operation));
    return OK;
}

enum outcome question_subject(const struct question *q, const struct asker *a, json_t **ret, struct fault *f)
{
    json_t *subject = json_object();
    bool pkcs11 = q->operation <= OP_SET_PIN, object = pkcs11 && q->operation < OP_INITIALISE;
    const char *token = NULL, *class_name = q->class_name;
    enum outcome o = words_fit(q, f);

    /* A birth's class follows from its type. */
    if (!class_name && object && q->operation != OP_GENERATE)
        class_name = "private-key";

    if (o == OK)
        o = token_choose(q, a->policy, &token, f);
    if (o == OK && !(json_put_string(subject, "environment", a->environment) &&
                     json_put_string(subject, "estate", a->estate_hex) &&
                     json_put_string(subject, "operation", operation_name(q->operation)) &&
                     json_put_string(subject, "origin", a->origin) && json_put_string(subject, "requester", "uid:0") &&
                     (!token || json_put_string(subject, "token", token)) &&
                     (!q->label || json_put_string(subject, "label", q->label)) &&
                     (!class_name || json_put_string(subject, "class", class_name)) &&
                     (!object || json_put_string(subject, "object", "token")) && own_put(q, a, token, subject)))
        o = fault_memory(f);
    if (o == OK && q->operation == OP_GENERATE)
        o = birth_put(q, subject, f);
    else if (o == OK && pkcs11 && !json_put_string(subject, "function", function_of(q->operation)))
        o = fault_memory(f);
    if (o == OK) {
        *ret = subject;
        subject = NULL; /* taken by the caller */
    }
    json_decref(subject);
    return o;
}

enum outcome question_vote(const char *text, const struct policy *p, moment now, const struct person **ret_person,
                           moment *ret_at, struct fault *f)
{
    const char *at = strchr(text, '@');
    char id[LIMIT_NAME + 1];
    size_t len = at ? (size_t)(at - text) : strlen(text);
    const struct person *who = NULL;
    moment when = now;
    enum outcome o = OK;

    if (len < sizeof id) {
        memcpy(id, text, len);
        id[len] = '\0';
        who = policy_person(p, id);
    }
    if (!who)
        return fault_set(f, E_INVALID, "%.*s is nobody in the policy %s", (int)len, text, p->file);
    if (at)
        o = moment_parse_loose(at + 1, &when, f);
    if (o == OK) {
        *ret_person = who;
        *ret_at = when;
    }
    return o;
}
