#include <stdio.h>

#include "core/limits.h"
#include "module/birth_work.h"

/* CK_ATTRIBUTE wants pointers to values that are not const. */
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* The session original differs from the final key in TOKEN, EXTRACTABLE and CKA_ID only (design, section 7, step 1). */
static enum outcome original_template(const struct template *final, bool secret, struct span id, struct template *ret,
                                      struct fault *f)
{
    struct template t = {0};
    enum outcome outcome = template_copy(final->items, final->count, &t, f);
    if (outcome == OK)
        outcome = template_set_bool(&t, CKA_TOKEN, false, f);
    if (outcome == OK && secret)
        outcome = template_set_bool(&t, CKA_EXTRACTABLE, true, f);
    if (outcome == OK)
        outcome = template_set(&t, CKA_ID, id.data, (CK_ULONG)id.len, f);
    if (outcome == OK) {
        *ret = t;
        t = (struct template){0}; /* taken by *ret */
    }
    template_clear(&t);
    return outcome;
}

enum outcome birth_make(struct birth_work *k, struct fault *f)
{
    struct template secret = {0}, public = {0};
    const struct key_template *want = k->b->template;
    CK_MECHANISM mechanism = *k->b->mechanism;
    CK_FUNCTION_LIST *p11 = k->primary.f;
    CK_SESSION_HANDLE session = k->primary.session;
    CK_RV rv = CKR_OK;

    enum outcome outcome = original_template(&want->secret, true, buf_span(&k->id), &secret, f);
    if (outcome == OK && want->pair)
        outcome = original_template(&want->public, false, buf_span(&k->id), &public, f);
    if (outcome != OK)
        goto out;
    if (want->pair)
        rv = p11->C_GenerateKeyPair(session, &mechanism, public.items, public.count, secret.items, secret.count,
                                    &k->session_public, &k->session_secret);
    else
        rv = p11->C_GenerateKey(session, &mechanism, secret.items, secret.count, &k->session_secret);
    if (rv != CKR_OK) {
        outcome = site_fault(&k->primary, want->pair ? "C_GenerateKeyPair" : "C_GenerateKey", rv, f);
        goto out;
    }
    outcome = site_compare(&k->primary, k->session_secret, &secret, f);
    if (outcome == OK && want->pair)
        outcome = site_spki(&k->primary, k->session_public, &k->spki, f);
out:
    template_clear(&secret);
    template_clear(&public);
    return outcome;
}

/* A fresh AES-256 key that can do nothing but wrap, and be wrapped. */
static enum outcome courier_make(const struct site_link *s, CK_OBJECT_HANDLE *ret, struct fault *f)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG len = 32;
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    CK_ATTRIBUTE t[] = {
        {CKA_CLASS, &class, sizeof class},   {CKA_KEY_TYPE, &type, sizeof type}, {CKA_VALUE_LEN, &len, sizeof len},
        {CKA_TOKEN, &no, sizeof no},         {CKA_PRIVATE, &yes, sizeof yes},    {CKA_SENSITIVE, &yes, sizeof yes},
        {CKA_EXTRACTABLE, &yes, sizeof yes}, {CKA_WRAP, &yes, sizeof yes},       {CKA_UNWRAP, &no, sizeof no},
        {CKA_ENCRYPT, &no, sizeof no},       {CKA_DECRYPT, &no, sizeof no},      {CKA_SIGN, &no, sizeof no},
        {CKA_VERIFY, &no, sizeof no},        {CKA_DERIVE, &no, sizeof no}};
    CK_RV rv = s->f->C_GenerateKey(s->session, &mechanism, t, sizeof t / sizeof *t, ret);
    return rv == CKR_OK ? OK : site_fault(s, "making the key that wraps", rv, f);
}

/* The site's transport key, as pinned in the log, as a session object on the primary. */
static enum outcome transport_import(const struct site_link *s, struct span spki, CK_OBJECT_HANDLE *ret,
                                     struct fault *f)
{
    static const CK_ATTRIBUTE_TYPE never[] = {CKA_TOKEN,  CKA_PRIVATE,        CKA_ENCRYPT,
                                              CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_DERIVE};
    struct template t = {0};
    CK_RV rv = CKR_OK;
    enum outcome outcome = spki_template(spki, &t, f);
    for (size_t i = 0; i < sizeof never / sizeof *never && outcome == OK; i++)
        outcome = template_set_bool(&t, never[i], false, f);
    if (outcome == OK)
        outcome = template_set_bool(&t, CKA_WRAP, true, f);
    if (outcome == OK && (rv = s->f->C_CreateObject(s->session, t.items, t.count, ret)) != CKR_OK)
        outcome = site_fault(s, "taking in a site's transport key", rv, f);
    template_clear(&t);
    return outcome;
}

static CK_RV wrap(const struct site_link *s, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key,
                  struct buf *ret)
{
    CK_BYTE blob[LIMIT_BLOB];
    CK_ULONG len = sizeof blob;
    CK_RV rv = s->f->C_WrapKey(s->session, mechanism, with, key, blob, &len);
    if (rv == CKR_OK && len > sizeof blob)
        rv = CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        buf_clear(ret);
        buf_put(ret, blob, len);
        rv = ret->failed ? CKR_HOST_MEMORY : CKR_OK;
    }
    return rv;
}

static CK_RV wrap_oaep(const struct site_link *s, bool sha1, CK_OBJECT_HANDLE with, CK_OBJECT_HANDLE key,
                       struct buf *ret)
{
    CK_RSA_PKCS_OAEP_PARAMS params = {.hashAlg = sha1 ? CKM_SHA_1 : CKM_SHA256,
                                      .mgf = sha1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256,
                                      .source = CKZ_DATA_SPECIFIED};
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &params, sizeof params};
    return wrap(s, &mechanism, with, key, ret);
}

/* The better hash where the HSM has it; SHA-1 only where the rule allows it by name. */
static enum outcome secret_wrap(const struct birth_work *k, CK_OBJECT_HANDLE transport, CK_OBJECT_HANDLE courier,
                                struct offer *o, struct fault *f)
{
    snprintf(o->mechanism, sizeof o->mechanism, "oaep-sha256+aes-kwp");
    CK_RV rv = wrap_oaep(&k->primary, false, transport, courier, &o->wrapped_secret);
    if (rv == CKR_OK)
        return OK;
    if (!k->sha1_allowed)
        return fault_set(f, E_REFUSED,
                         "%s at %s: the HSM does not wrap with RSA-OAEP and SHA-256 (%s), and rule \"%s\" (line %u) "
                         "allows nothing weaker; `transport: {allow: [oaep-sha1]}` in the rule would",
                         k->token, k->primary.binding->site, rv_name(rv), k->rule_id, k->rule_line);
    snprintf(o->mechanism, sizeof o->mechanism, "oaep-sha1+aes-kwp");
    rv = wrap_oaep(&k->primary, true, transport, courier, &o->wrapped_secret);
    return rv == CKR_OK ? OK : site_fault(&k->primary, "wrapping for the transport key", rv, f);
}

enum outcome birth_offer(const struct birth_work *k, const struct birth_site *s, struct offer *ret, struct fault *f)
{
    struct offer o = {.estate = k->estate->state.estate,
                      .intent = k->intent_digest,
                      .wrapped_key = BUF(LIMIT_BLOB),
                      .wrapped_secret = BUF(LIMIT_BLOB),
                      .public_key = BUF(LIMIT_ATTRIBUTE)};
    CK_MECHANISM kwp = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_OBJECT_HANDLE courier = CK_INVALID_HANDLE, transport = CK_INVALID_HANDLE;
    const struct site_link *primary = &k->primary;
    CK_RV rv = CKR_OK;
    enum outcome outcome = OK;

    if ((size_t)snprintf(o.token, sizeof o.token, "%s", k->token) >= sizeof o.token ||
        (size_t)snprintf(o.site, sizeof o.site, "%s", s->site) >= sizeof o.site) {
        outcome = fault_set(f, E_INVALID, "the names of token and site are too long");
        goto out;
    }
    buf_put(&o.public_key, k->spki.data, k->spki.len);
    outcome = template_to_json(&k->b->template->secret, &o.attributes, f);
    if (outcome == OK && k->b->template->pair)
        outcome = template_to_json(&k->b->template->public, &o.public_attributes, f);
    if (outcome == OK && !random_bytes(o.challenge.bytes, sizeof o.challenge.bytes))
        outcome = fault_set(f, E_IO, "no random bytes from the system");
    if (outcome == OK)
        outcome = courier_make(primary, &courier, f);
    if (outcome == OK)
        outcome = transport_import(primary, buf_span(&s->pinned.transport), &transport, f);
    if (outcome == OK && (rv = wrap(primary, &kwp, courier, k->session_secret, &o.wrapped_key)) != CKR_OK)
        outcome = site_fault(primary, "wrapping the key (CKM_AES_KEY_WRAP_PAD)", rv, f);
    if (outcome == OK)
        outcome = secret_wrap(k, transport, courier, &o, f);
out:
    if (courier != CK_INVALID_HANDLE && primary->f->C_DestroyObject(primary->session, courier) != CKR_OK &&
        outcome == OK)
        outcome = fault_set(f, E_DEVICE, "%s at %s: the key that wraps could not be destroyed", k->token,
                            primary->binding->site);
    if (transport != CK_INVALID_HANDLE)
        primary->f->C_DestroyObject(primary->session, transport);
    if (outcome == OK)
        *ret = o;
    else
        offer_clear(&o);
    return outcome;
}
