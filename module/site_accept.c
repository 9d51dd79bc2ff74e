#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "module/birth_work.h"

/* A site's part in a birth: it takes a wrapped key in and answers for it. Only what the offer says and what the site's
 * own HSM holds is looked at. */

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

static enum outcome offer_judge(const struct site_link *s, const struct digest *estate, const struct offer *o,
                                const struct template *t, struct fault *f)
{
    static const struct {
        CK_ATTRIBUTE_TYPE type;
        CK_BBOOL value;
    } wanted[] = {{CKA_TOKEN, CK_TRUE}, {CKA_PRIVATE, CK_TRUE}, {CKA_SENSITIVE, CK_TRUE}, {CKA_EXTRACTABLE, CK_FALSE}};
    if (!digest_equal(&o->estate, estate) || strcmp(o->token, s->token) != 0 || strcmp(o->site, s->binding->site) != 0)
        return fault_set(f, E_REFUSED, "%s at %s: the offer is for another estate, token or site", s->token,
                         s->binding->site);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const CK_ATTRIBUTE *a = template_find(t, wanted[i].type);
        if (a == NULL || a->ulValueLen != sizeof(CK_BBOOL) || *(const CK_BBOOL *)a->pValue != wanted[i].value)
            return fault_set(f, E_REFUSED, "%s at %s: the offer wants a key whose %s is not %s", s->token,
                             s->binding->site, attribute_name(wanted[i].type), wanted[i].value ? "true" : "false");
    }
    return OK;
}

/* The one AES key that opens the other blob; it can do nothing else and is gone with the session. */
static enum outcome courier_unwrap(const struct site_link *s, const struct site_keys *pinned, const struct offer *o,
                                   CK_OBJECT_HANDLE *ret, struct fault *f)
{
    bool sha1 = strcmp(o->mechanism, "oaep-sha1+aes-kwp") == 0;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG len = 0;
    CK_OBJECT_HANDLE transport = CK_INVALID_HANDLE;
    CK_RSA_PKCS_OAEP_PARAMS params = {.hashAlg = sha1 ? CKM_SHA_1 : CKM_SHA256,
                                      .mgf = sha1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256,
                                      .source = CKZ_DATA_SPECIFIED};
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_OAEP, &params, sizeof params};
    /* SENSITIVE and EXTRACTABLE repeat the transport key's CKA_UNWRAP_TEMPLATE; some HSMs insist. */
    CK_ATTRIBUTE t[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &no, sizeof no},
        {CKA_PRIVATE, &yes, sizeof yes},   {CKA_SENSITIVE, &yes, sizeof yes},  {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_UNWRAP, &yes, sizeof yes},    {CKA_WRAP, &no, sizeof no},         {CKA_ENCRYPT, &no, sizeof no},
        {CKA_DECRYPT, &no, sizeof no},     {CKA_SIGN, &no, sizeof no},         {CKA_VERIFY, &no, sizeof no},
        {CKA_DERIVE, &no, sizeof no}};

    if (!sha1 && strcmp(o->mechanism, "oaep-sha256+aes-kwp") != 0)
        return fault_set(f, E_REFUSED, "%s at %s: offers by %s are not taken: not yet", s->token, s->binding->site,
                         o->mechanism);
    enum outcome outcome = site_find_one(s, CKO_PRIVATE_KEY, buf_span(&pinned->transport_id), &transport, f);
    if (outcome != OK)
        return fault_context(f, "the transport key");
    CK_RV rv = s->f->C_UnwrapKey(s->session, &mechanism, transport, o->wrapped_secret.data,
                                 (CK_ULONG)o->wrapped_secret.len, t, sizeof t / sizeof *t, ret);
    if (rv != CKR_OK)
        return site_fault(s, "unwrapping with the transport key", rv, f);
    outcome = site_attribute_ulong(s, *ret, CKA_VALUE_LEN, &len, f);
    /* SoftHSM says 0 of every key that it unwrapped. */
    if (outcome == OK && len != 0 && len != 32)
        outcome = fault_set(f, E_REFUSED, "%s at %s: the offer's wrapping key has %lu bytes, 32 are expected", s->token,
                            s->binding->site, len);
    return outcome;
}

/* The private or secret key: a token object under the CKA_ID that derives from the intent, as the offer describes it. */
static enum outcome key_unwrap(const struct site_link *s, const struct offer *o, const struct template *want,
                               CK_OBJECT_HANDLE courier, struct span id, CK_OBJECT_HANDLE *ret, struct fault *f)
{
    struct template t = {0};
    CK_MECHANISM kwp = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_RV rv = CKR_OK;
    enum outcome outcome = template_copy(want->items, want->count, &t, f);
    if (outcome == OK)
        outcome = template_set(&t, CKA_ID, id.data, (CK_ULONG)id.len, f);
    /* The length follows from what is unwrapped, and may not be given (PKCS#11 2.40, section 4.10). */
    template_remove(&t, CKA_VALUE_LEN);
    if (outcome == OK && (rv = s->f->C_UnwrapKey(s->session, &kwp, courier, o->wrapped_key.data,
                                                 (CK_ULONG)o->wrapped_key.len, t.items, t.count, ret)) != CKR_OK)
        outcome = site_fault(s, "unwrapping the key (CKM_AES_KEY_WRAP_PAD)", rv, f);
    if (outcome == OK)
        outcome = site_compare(s, *ret, &t, f);
    template_clear(&t);
    return outcome;
}

static enum outcome public_create(const struct site_link *s, const struct offer *o, struct span id, struct fault *f)
{
    struct template t = {0}, also = {0};
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
    CK_RV rv = CKR_OK;
    enum outcome outcome = spki_template(buf_span(&o->public_key), &t, f);
    if (outcome == OK)
        outcome = template_from_json(o->public_attributes, &also, f);
    for (CK_ULONG i = 0; i < also.count && outcome == OK; i++) {
        /* The size is an instruction to a generator; the rest that is there already is the key itself. */
        if (also.items[i].type != CKA_MODULUS_BITS && template_find(&t, also.items[i].type) == NULL)
            outcome = template_set(&t, also.items[i].type, also.items[i].pValue, also.items[i].ulValueLen, f);
    }
    if (outcome == OK)
        outcome = template_set_bool(&t, CKA_TOKEN, true, f);
    if (outcome == OK)
        outcome = template_set(&t, CKA_ID, id.data, (CK_ULONG)id.len, f);
    if (outcome == OK && (rv = s->f->C_CreateObject(s->session, t.items, t.count, &handle)) != CKR_OK)
        outcome = site_fault(s, "making the public key", rv, f);
    template_clear(&t);
    template_clear(&also);
    return outcome;
}

/* The statement is of this site's own making: with its own nonce, it is never a digest that somebody else chose. */
static enum outcome receipt_make(const struct site_link *s, const struct site_keys *pinned, const struct offer *o,
                                 const struct digest *offer_digest, CK_OBJECT_HANDLE replica, bool signs,
                                 struct receipt *r, struct fault *f)
{
    struct digest digest = {0};
    CK_OBJECT_HANDLE identity = CK_INVALID_HANDLE;
    enum outcome outcome = OK;

    r->estate = o->estate;
    r->intent = o->intent;
    r->offer = *offer_digest;
    r->challenge = o->challenge;
    snprintf(r->token, sizeof r->token, "%s", o->token);
    snprintf(r->site, sizeof r->site, "%s", o->site);
    snprintf(r->proof, sizeof r->proof, "%s", signs ? "signature" : "attested");
    if ((size_t)snprintf(r->serial, sizeof r->serial, "%s", s->binding->serial) >= sizeof r->serial)
        return fault_set(f, E_INVALID, "%s at %s: the serial number is too long", s->token, s->binding->site);
    CK_RV rv = s->f->C_GenerateRandom(s->session, r->nonce.bytes, sizeof r->nonce.bytes);
    if (rv != CKR_OK)
        return site_fault(s, "C_GenerateRandom", rv, f);
    struct statement statement = {o->estate, *offer_digest, o->challenge, r->nonce, o->site};
    if (signs && !statement_digest(&statement, &digest))
        outcome = fault_memory(f);
    if (outcome == OK && signs)
        outcome = site_sign(s, replica, &digest, &r->proof_signature, f);
    if (outcome == OK)
        outcome = receipt_digest(r, &digest, f);
    if (outcome == OK)
        outcome = site_find_one(s, CKO_PRIVATE_KEY, buf_span(&pinned->identity_id), &identity, f);
    return outcome == OK ? site_sign(s, identity, &digest, &r->signature, f) : outcome;
}

static enum outcome nothing_there(const struct site_link *s, struct span id, struct fault *f)
{
    static const CK_OBJECT_CLASS classes[] = {CKO_PRIVATE_KEY, CKO_SECRET_KEY, CKO_PUBLIC_KEY};
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        enum outcome outcome = site_find_one(s, classes[i], id, &found, f);
        if (outcome == OK)
            return fault_set(f, E_REFUSED, "%s at %s: a key of this birth is there already", s->token,
                             s->binding->site);
        if (outcome != E_ABSENT)
            return outcome;
    }
    return OK;
}

enum outcome site_accept(const struct site_link *s, const struct site_keys *pinned, const struct digest *estate,
                         const struct offer *o, const struct digest *offer_digest, struct receipt *ret, struct fault *f)
{
    struct template want = {0};
    struct receipt r = {.proof_signature = BUF(2048), .signature = BUF(2048)};
    struct buf id = BUF(32);
    CK_OBJECT_HANDLE courier = CK_INVALID_HANDLE, replica = CK_INVALID_HANDLE;

    enum outcome outcome = template_from_json(o->attributes, &want, f);
    if (outcome == OK)
        outcome = offer_judge(s, estate, o, &want, f);
    if (outcome == OK)
        outcome = intent_key_id(&o->intent, &id, f);
    if (outcome == OK)
        outcome = nothing_there(s, buf_span(&id), f);
    if (outcome == OK)
        outcome = courier_unwrap(s, pinned, o, &courier, f);
    if (outcome == OK)
        outcome = key_unwrap(s, o, &want, courier, buf_span(&id), &replica, f);
    if (outcome == OK && o->public_attributes != NULL)
        outcome = public_create(s, o, buf_span(&id), f);
    if (outcome == OK)
        outcome = receipt_make(s, pinned, o, offer_digest, replica,
                               o->public_attributes != NULL && template_bool(&want, CKA_SIGN, false), &r, f);
    if (courier != CK_INVALID_HANDLE && s->f->C_DestroyObject(s->session, courier) != CKR_OK && outcome == OK)
        outcome =
            fault_set(f, E_DEVICE, "%s at %s: the wrapping key could not be destroyed", s->token, s->binding->site);
    if (outcome == OK) {
        *ret = r;
        r = (struct receipt){0}; /* taken by *ret */
    }
    receipt_clear(&r);
    template_clear(&want);
    buf_free(&id);
    return outcome;
}
