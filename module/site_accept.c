#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "module/errand.h"
#include "module/recovery.h"
#include "module/site_accept.h"
#include "module/wrapping.h"

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
    /* What may leave under trusted keys alone is as good as closed. */
    size_t count = sizeof wanted / sizeof *wanted - template_bool(t, CKA_WRAP_WITH_TRUSTED, false);
    if (!digest_equal(&o->estate, estate) || strcmp(o->token, s->token) != 0 || strcmp(o->site, s->binding->site) != 0)
        return fault_set(f, E_REFUSED, "%s at %s: the offer is for another estate, token or site", s->token,
                         s->binding->site);
    for (size_t i = 0; i < count; i++) {
        const CK_ATTRIBUTE *a = template_find(t, wanted[i].type);
        if (a == NULL || a->ulValueLen != sizeof(CK_BBOOL) || *(const CK_BBOOL *)a->pValue != wanted[i].value)
            return fault_set(f, E_REFUSED, "%s at %s: the offer wants a key whose %s is not %s", s->token,
                             s->binding->site, attribute_name(wanted[i].type), wanted[i].value ? "true" : "false");
    }
    return OK;
}

/* Before anything is made that outlasts the session: a birth that has gone on without the site undoes it. */
static enum outcome still_wanted(const struct site_link *s, struct fault *f)
{
    if (!errand_left())
        return OK;
    return fault_set(f, E_DEVICE, "%s at %s: it answered too late", s->token, s->binding->site);
}

struct unwrapping {
    const struct site_link *site;
    const struct offer *offer;
    CK_OBJECT_HANDLE transport;
    CK_MECHANISM mechanism; /* of the transport key */
    struct wrapping_parameters parameters;
    CK_RV rv; /* what the transport key answered */
};

static enum outcome transport_find(struct unwrapping *u, const struct site_keys *pinned, struct fault *f)
{
    const struct site_link *s = u->site;
    enum wrapping how = wrapping_parse(u->offer->mechanism);
    if (how == WRAPPINGS)
        return fault_set(f, E_REFUSED, "%s at %s: offers by %s are not known", s->token, s->binding->site,
                         u->offer->mechanism);
    wrapping_mechanism(how, &u->parameters, &u->mechanism);
    enum outcome outcome = OK;
    if (s->transport != CK_INVALID_HANDLE)
        u->transport = s->transport;
    else
        outcome = site_find_one(s, CKO_PRIVATE_KEY, buf_span(&pinned->transport_id), &u->transport, f);
    return outcome == OK ? OK : fault_context(f, "the transport key");
}

static enum outcome transport_unwrap(struct unwrapping *u, const struct buf *blob, CK_ATTRIBUTE *items, CK_ULONG count,
                                     CK_OBJECT_HANDLE *ret, struct fault *f)
{
    const struct site_link *s = u->site;
    u->rv =
        s->f->C_UnwrapKey(s->session, &u->mechanism, u->transport, blob->data, (CK_ULONG)blob->len, items, count, ret);
    return u->rv == CKR_OK ? OK : site_fault(s, "unwrapping with the transport key", u->rv, f);
}

/* The one AES key that opens the other blob; it can do nothing else and is gone with the session. */
static enum outcome courier_unwrap(struct unwrapping *u, CK_OBJECT_HANDLE *ret, struct fault *f)
{
    const struct site_link *s = u->site;
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG len = 0;
    /* SENSITIVE and EXTRACTABLE repeat the transport key's CKA_UNWRAP_TEMPLATE; some HSMs insist. */
    CK_ATTRIBUTE t[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_KEY_TYPE, &type, sizeof type}, {CKA_TOKEN, &no, sizeof no},
        {CKA_PRIVATE, &yes, sizeof yes},   {CKA_SENSITIVE, &yes, sizeof yes},  {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_UNWRAP, &yes, sizeof yes},    {CKA_WRAP, &no, sizeof no},         {CKA_ENCRYPT, &no, sizeof no},
        {CKA_DECRYPT, &no, sizeof no},     {CKA_SIGN, &no, sizeof no},         {CKA_VERIFY, &no, sizeof no},
        {CKA_DERIVE, &no, sizeof no}};

    enum outcome outcome = transport_unwrap(u, &u->offer->wrapped_secret, t, sizeof t / sizeof *t, ret, f);
    if (outcome == OK)
        outcome = site_attribute_ulong(s, *ret, CKA_VALUE_LEN, &len, f);
    /* SoftHSM says 0 of every key that it unwrapped. */
    if (outcome == OK && len != 0 && len != 32)
        outcome = fault_set(f, E_REFUSED, "%s at %s: the offer's wrapping key has %lu bytes, 32 are expected", s->token,
                            s->binding->site, len);
    return outcome;
}

static enum outcome courier_use(struct unwrapping *u, struct template *t, CK_OBJECT_HANDLE *ret, struct fault *f)
{
    const struct site_link *s = u->site;
    CK_OBJECT_HANDLE courier = CK_INVALID_HANDLE;
    CK_MECHANISM kwp = {CKM_AES_KEY_WRAP_PAD, NULL, 0};
    CK_RV rv = CKR_OK;
    enum outcome outcome = courier_unwrap(u, &courier, f);
    if (outcome == OK)
        outcome = still_wanted(s, f);
    if (outcome == OK &&
        (rv = s->f->C_UnwrapKey(s->session, &kwp, courier, u->offer->wrapped_key.data,
                                (CK_ULONG)u->offer->wrapped_key.len, t->items, t->count, ret)) != CKR_OK)
        outcome = site_fault(s, "unwrapping the key (CKM_AES_KEY_WRAP_PAD)", rv, f);
    if (courier != CK_INVALID_HANDLE && s->f->C_DestroyObject(s->session, courier) != CKR_OK && outcome == OK)
        outcome =
            fault_set(f, E_DEVICE, "%s at %s: the wrapping key could not be destroyed", s->token, s->binding->site);
    return outcome;
}

/* The private or secret key: a token object under the CKA_ID that derives from the intent, as the offer describes it. */
static enum outcome key_unwrap(struct unwrapping *u, const struct template *want, struct span id, CK_OBJECT_HANDLE *ret,
                               struct fault *f)
{
    struct template t = {0};
    enum outcome outcome = template_copy(want->items, want->count, &t, f);
    if (outcome == OK)
        outcome = template_set(&t, CKA_ID, id.data, (CK_ULONG)id.len, f);
    /* The length follows from what is unwrapped, and may not be given (PKCS#11 2.40, section 4.10). */
    template_remove(&t, CKA_VALUE_LEN);
    if (outcome == OK)
        outcome = still_wanted(u->site, f);
    if (outcome == OK && u->mechanism.mechanism == CKM_RSA_AES_KEY_WRAP)
        outcome = transport_unwrap(u, &u->offer->wrapped_key, t.items, t.count, ret, f);
    else if (outcome == OK)
        outcome = courier_use(u, &t, ret, f);
    if (outcome == OK)
        outcome = site_compare(u->site, *ret, &t, f);
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
    if (outcome == OK)
        outcome = still_wanted(s, f);
    if (outcome == OK && (rv = s->f->C_CreateObject(s->session, t.items, t.count, &handle)) != CKR_OK)
        outcome = site_fault(s, "making the public key", rv, f);
    template_clear(&t);
    template_clear(&also);
    return outcome == OK ? site_made(s, handle, CKO_PUBLIC_KEY, id, f) : outcome;
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
        outcome = site_identity(s, buf_span(&pinned->identity_id), &identity, f);
    return outcome == OK ? site_sign(s, identity, &digest, &r->signature, f) : outcome;
}

static enum outcome nothing_there(const struct site_link *s, struct span id, struct fault *f)
{
    CK_OBJECT_HANDLE found[4];
    CK_BYTE bytes[32];
    size_t count = 0;
    if (id.len == 0 || id.len > sizeof bytes)
        return fault_set(f, E_INVALID, "the CKA_ID of a birth has %zu bytes", id.len);
    memcpy(bytes, id.data, id.len);
    CK_ATTRIBUTE match[] = {{CKA_TOKEN, &yes, sizeof yes}, {CKA_ID, bytes, (CK_ULONG)id.len}};
    enum outcome outcome =
        site_find(s, match, sizeof match / sizeof *match, found, sizeof found / sizeof *found, &count, f);
    if (outcome == OK && count > 0)
        outcome = fault_set(f, E_REFUSED, "%s at %s: a key of this birth is there already", s->token, s->binding->site);
    return outcome;
}

/* The one object of this class with that CKA_ID; *ret_wrong: there are more. */
static enum outcome clone_find(const struct site_link *s, CK_OBJECT_CLASS class, struct span id, CK_OBJECT_HANDLE *ret,
                               bool *ret_wrong, struct fault *f)
{
    CK_OBJECT_HANDLE found[8];
    CK_BYTE bytes[LIMIT_LABEL];
    size_t count = 0;
    if (id.len == 0 || id.len > sizeof bytes)
        return fault_set(f, E_INVALID, "the CKA_ID of a clone has %zu bytes", id.len);
    memcpy(bytes, id.data, id.len);
    CK_ATTRIBUTE match[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, sizeof yes}, {CKA_ID, bytes, (CK_ULONG)id.len}};
    enum outcome outcome =
        site_find(s, match, sizeof match / sizeof *match, found, sizeof found / sizeof *found, &count, f);
    if (outcome != OK)
        return outcome;
    if (count == 0)
        return fault_set(f, E_ABSENT, "%s at %s: the key is not there yet", s->token, s->binding->site);
    *ret_wrong = count > 1;
    if (count > 1)
        return fault_set(f, E_REFUSED, "%s at %s: %zu keys have the CKA_ID of the clone", s->token, s->binding->site,
                         count);
    *ret = found[0];
    return OK;
}

/* Vendors' tools bring the public half along, or do not: then it is made from the offer. */
static enum outcome clone_public(const struct site_link *s, const struct offer *o, struct span id, bool *ret_wrong,
                                 struct fault *f)
{
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
    struct buf spki = BUF(LIMIT_ATTRIBUTE);
    enum outcome outcome = clone_find(s, CKO_PUBLIC_KEY, id, &public, ret_wrong, f);
    if (outcome == E_ABSENT) {
        outcome = public_create(s, o, id, f);
    } else if (outcome == OK) {
        outcome = site_spki(s, public, &spki, f);
        *ret_wrong = outcome == OK && !span_equal(buf_span(&spki), buf_span(&o->public_key));
        if (*ret_wrong)
            outcome = fault_set(f, E_REFUSED, "%s at %s: the public key beside the clone is that of another key",
                                s->token, s->binding->site);
    }
    buf_free(&spki);
    return outcome;
}

/* A key that comes in, whichever way. */
struct accepting {
    const struct site_link *site;
    const struct offer *offer;
    struct template want;
    struct buf id;
    CK_OBJECT_HANDLE replica;
    struct receipt receipt;
};

static enum outcome accepting_begin(struct accepting *a, const struct digest *estate, struct fault *f)
{
    a->id = BUF(32);
    a->receipt = (struct receipt){.proof_signature = BUF(2048), .checkpoint = BUF(LIMIT_NOTE), .signature = BUF(2048)};
    enum outcome outcome = template_from_json(a->offer->attributes, &a->want, f);
    if (outcome == OK)
        outcome = offer_judge(a->site, estate, a->offer, &a->want, f);
    return outcome == OK ? intent_key_id(&a->offer->intent, &a->id, f) : outcome;
}

static enum outcome accepting_prove(struct accepting *a, const struct site_keys *pinned,
                                    const struct digest *offer_digest, struct fault *f)
{
    bool signs = a->offer->public_attributes != NULL && template_bool(&a->want, CKA_SIGN, false);
    return receipt_make(a->site, pinned, a->offer, offer_digest, a->replica, signs, &a->receipt, f);
}

static enum outcome accepting_end(struct accepting *a, enum outcome outcome, struct receipt *ret)
{
    if (outcome == OK) {
        *ret = a->receipt;
        a->receipt = (struct receipt){0}; /* taken by *ret */
    }
    receipt_clear(&a->receipt);
    template_clear(&a->want);
    buf_free(&a->id);
    return outcome;
}

enum outcome site_accept_clone(const struct site_link *s, const struct site_keys *pinned, const struct digest *estate,
                               const struct offer *o, const struct digest *offer_digest, struct span id,
                               struct receipt *ret, bool *ret_wrong, struct fault *f)
{
    struct accepting a = {.site = s, .offer = o};
    bool pair = o->public_attributes != NULL, wrong = false;

    enum outcome outcome = accepting_begin(&a, estate, f);
    if (outcome == OK)
        outcome = clone_find(s, pair ? CKO_PRIVATE_KEY : CKO_SECRET_KEY, id, &a.replica, &wrong, f);
    if (outcome == OK) {
        template_remove(&a.want, CKA_VALUE_LEN); /* some HSMs do not know it of keys that came in */
        outcome = site_compare(s, a.replica, &a.want, f);
        wrong = outcome == E_REFUSED;
    }
    if (outcome == OK && pair)
        outcome = clone_public(s, o, id, &wrong, f);
    if (outcome == OK)
        outcome = accepting_prove(&a, pinned, offer_digest, f);
    if (wrong)
        *ret_wrong = true;
    return accepting_end(&a, outcome, ret);
}

enum outcome site_accept(const struct site_link *s, const struct site_keys *pinned, const struct digest *estate,
                         const struct offer *o, const struct digest *offer_digest, struct span checkpoint,
                         struct receipt *ret, bool *ret_unknown, struct fault *f)
{
    struct accepting a = {.site = s, .offer = o};
    struct unwrapping u = {.site = s, .offer = o};

    enum outcome outcome = accepting_begin(&a, estate, f);
    if (outcome == OK)
        outcome = nothing_there(s, buf_span(&a.id), f);
    if (outcome == OK)
        outcome = transport_find(&u, pinned, f);
    if (outcome == OK)
        outcome = key_unwrap(&u, &a.want, buf_span(&a.id), &a.replica, f);
    if (outcome == OK && o->public_attributes != NULL)
        outcome = public_create(s, o, buf_span(&a.id), f);
    buf_put(&a.receipt.checkpoint, checkpoint.data, checkpoint.len);
    if (outcome == OK && a.receipt.checkpoint.failed)
        outcome = fault_memory(f);
    if (outcome == OK)
        outcome = accepting_prove(&a, pinned, offer_digest, f);
    *ret_unknown = wrapping_unknown(u.rv);
    return accepting_end(&a, outcome, ret);
}
