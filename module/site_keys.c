#include "module/site_keys.h"

#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

enum { TAG = 8, ID = 16, TRANSPORT_BITS = LIMIT_TRANSPORT_BITS, LEFTOVERS = 32 };

/* CK_ATTRIBUTE wants pointers to values that are not const. */
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY, public_class = CKO_PUBLIC_KEY;

void site_keys_clear(struct site_keys *k)
{
    buf_free(&k->identity);
    buf_free(&k->transport);
    buf_free(&k->identity_id);
    buf_free(&k->transport_id);
}

static bool tag_make(const struct site_link *s, const struct digest *estate, uint8_t ret[TAG])
{
    struct digest name = {0}, tag = {0};
    bool made = digest_of(&name, 3, span_str(s->token), span_str("/"), span_str(s->binding->site)) &&
                digest_of(&tag, 3, span_str("quorate site key v1\n"), span_of(estate->bytes, sizeof estate->bytes),
                          span_of(name.bytes, sizeof name.bytes));
    memcpy(ret, tag.bytes, TAG);
    return made;
}

static enum outcome id_make(const struct site_link *s, const struct digest *estate, uint8_t ret[ID], struct fault *f)
{
    if (!tag_make(s, estate, ret) || !random_bytes(ret + TAG, ID - TAG))
        return fault_set(f, E_IO, "no random bytes from the system");
    return OK;
}

/* Makes a pair, looks that the HSM made the private half as asked, and keeps public half and CKA_ID. */
static enum outcome pair_make(const struct site_link *s, CK_MECHANISM_TYPE how, const struct template *public,
                              const struct template *private, const char *what, struct buf *ret_spki,
                              struct buf *ret_id, struct fault *f)
{
    CK_OBJECT_HANDLE public_key = CK_INVALID_HANDLE, private_key = CK_INVALID_HANDLE;
    CK_MECHANISM mechanism = {how, NULL, 0};
    struct template read = *private;
    CK_RV rv = s->f->C_GenerateKeyPair(s->session, &mechanism, public->items, public->count, private->items,
                                       private->count, &public_key, &private_key);
    if (rv != CKR_OK)
        return site_fault(s, what, rv, f);
    /* A template in a template cannot be read back as one value; it stands last. */
    if (read.items[read.count - 1].type == CKA_UNWRAP_TEMPLATE)
        read.count--;
    enum outcome outcome = site_compare(s, private_key, &read, f);
    if (outcome == OK)
        outcome = site_spki(s, public_key, ret_spki, f);
    if (outcome == OK)
        outcome = site_attribute(s, private_key, CKA_ID, ret_id, f);
    return outcome;
}

enum outcome site_transport_make(const struct site_link *s, const struct digest *estate, struct site_keys *ret,
                                 struct fault *f)
{
    uint8_t id[ID];
    char label[] = TRANSPORT_LABEL;
    CK_ULONG bits = TRANSPORT_BITS;
    CK_BYTE exponent[] = {0x01, 0x00, 0x01};
    /* What comes out of it stays in the HSM (PKCS#11 2.40, section 10.9). */
    CK_ATTRIBUTE unwrapped[] = {{CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no}};
    CK_ATTRIBUTE public_template[] = {
        {CKA_TOKEN, &yes, sizeof yes},          {CKA_PRIVATE, &no, sizeof no},
        {CKA_MODULUS_BITS, &bits, sizeof bits}, {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent},
        {CKA_WRAP, &yes, sizeof yes},           {CKA_ENCRYPT, &no, sizeof no},
        {CKA_VERIFY, &no, sizeof no},           {CKA_VERIFY_RECOVER, &no, sizeof no},
        {CKA_LABEL, label, sizeof label - 1},   {CKA_ID, id, sizeof id}};
    CK_ATTRIBUTE private_template[] = {
        {CKA_TOKEN, &yes, sizeof yes},     {CKA_PRIVATE, &yes, sizeof yes},
        {CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_UNWRAP, &yes, sizeof yes},    {CKA_DECRYPT, &no, sizeof no},
        {CKA_SIGN, &no, sizeof no},        {CKA_SIGN_RECOVER, &no, sizeof no},
        {CKA_DERIVE, &no, sizeof no},      {CKA_LABEL, label, sizeof label - 1},
        {CKA_ID, id, sizeof id},           {CKA_UNWRAP_TEMPLATE, unwrapped, sizeof unwrapped}};
    const struct template public = {public_template, sizeof public_template / sizeof *public_template};
    const struct template private = {private_template, sizeof private_template / sizeof *private_template};

    enum outcome outcome = id_make(s, estate, id, f);
    if (outcome == OK)
        outcome = pair_make(s, CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private, "making the transport key",
                            &ret->transport, &ret->transport_id, f);
    return outcome;
}

static enum outcome identity_make(const struct site_link *s, const struct digest *estate, struct site_keys *ret,
                                  struct fault *f)
{
    uint8_t id[ID];
    char label[] = IDENTITY_LABEL;
    CK_BYTE p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}; /* RFC 5480: secp256r1 */
    CK_ATTRIBUTE public_template[] = {{CKA_TOKEN, &yes, sizeof yes},        {CKA_PRIVATE, &no, sizeof no},
                                      {CKA_EC_PARAMS, p256, sizeof p256},   {CKA_VERIFY, &yes, sizeof yes},
                                      {CKA_WRAP, &no, sizeof no},           {CKA_ENCRYPT, &no, sizeof no},
                                      {CKA_LABEL, label, sizeof label - 1}, {CKA_ID, id, sizeof id}};
    CK_ATTRIBUTE private_template[] = {
        {CKA_TOKEN, &yes, sizeof yes},        {CKA_PRIVATE, &yes, sizeof yes}, {CKA_SENSITIVE, &yes, sizeof yes},
        {CKA_EXTRACTABLE, &no, sizeof no},    {CKA_SIGN, &yes, sizeof yes},    {CKA_SIGN_RECOVER, &no, sizeof no},
        {CKA_DECRYPT, &no, sizeof no},        {CKA_UNWRAP, &no, sizeof no},    {CKA_DERIVE, &no, sizeof no},
        {CKA_LABEL, label, sizeof label - 1}, {CKA_ID, id, sizeof id}};
    const struct template public = {public_template, sizeof public_template / sizeof *public_template};
    const struct template private = {private_template, sizeof private_template / sizeof *private_template};

    enum outcome outcome = id_make(s, estate, id, f);
    if (outcome == OK)
        outcome = pair_make(s, CKM_EC_KEY_PAIR_GEN, &public, &private, "making the identity key", &ret->identity,
                            &ret->identity_id, f);
    return outcome;
}

enum outcome site_keys_make(const struct site_link *s, const struct digest *estate, struct site_keys *ret,
                            struct fault *f)
{
    struct site_keys made = SITE_KEYS;
    enum outcome outcome = site_transport_make(s, estate, &made, f);
    if (outcome == OK)
        outcome = identity_make(s, estate, &made, f);
    if (outcome == OK) {
        site_keys_clear(ret);
        *ret = made;
        made = SITE_KEYS; /* taken by *ret */
    }
    site_keys_clear(&made);
    return outcome;
}

static enum outcome labelled(const struct site_link *s, const char *label, CK_OBJECT_CLASS *class,
                             CK_OBJECT_HANDLE ret[LEFTOVERS], size_t *ret_count, struct fault *f)
{
    char text[32];
    size_t len = strlen(label);
    memcpy(text, label, len + 1);
    CK_ATTRIBUTE match[] = {{CKA_CLASS, class, sizeof *class}, {CKA_TOKEN, &yes, sizeof yes}, {CKA_LABEL, text, len}};
    return site_find(s, match, sizeof match / sizeof *match, ret, LEFTOVERS, ret_count, f);
}

static enum outcome pair_find(const struct site_link *s, const char *label, struct span spki, struct buf *ret_id,
                              struct fault *f)
{
    CK_OBJECT_HANDLE found[LEFTOVERS], private = CK_INVALID_HANDLE;
    size_t count = 0;
    bool there = false;
    struct buf seen = BUF(4096), id = BUF(255);
    enum outcome outcome = labelled(s, label, &public_class, found, &count, f);
    for (size_t i = 0; i < count && outcome == OK && !there; i++) {
        outcome = site_spki(s, found[i], &seen, f);
        there = outcome == OK && span_equal(buf_span(&seen), spki);
        if (there)
            outcome = site_attribute(s, found[i], CKA_ID, &id, f);
    }
    if (outcome == OK && !there)
        outcome = fault_set(f, E_ABSENT, "%s at %s: the %s key of the request is no longer on the HSM", s->token,
                            s->binding->site, label);
    if (outcome == OK)
        outcome = site_find_one(s, CKO_PRIVATE_KEY, buf_span(&id), &private, f);
    if (outcome == OK) {
        buf_free(ret_id);
        *ret_id = id;
        id = BUF(255); /* taken by *ret_id */
    }
    buf_free(&seen);
    buf_free(&id);
    return outcome;
}

enum outcome site_keys_find(const struct site_link *s, struct span identity, struct span transport,
                            struct site_keys *ret, struct fault *f)
{
    struct site_keys k = SITE_KEYS;
    enum outcome outcome = pair_find(s, IDENTITY_LABEL, identity, &k.identity_id, f);
    if (outcome == OK)
        outcome = pair_find(s, TRANSPORT_LABEL, transport, &k.transport_id, f);
    if (outcome == OK) {
        buf_put(&k.identity, identity.data, identity.len);
        buf_put(&k.transport, transport.data, transport.len);
        site_keys_clear(ret);
        *ret = k;
        k = SITE_KEYS; /* taken by *ret */
    }
    site_keys_clear(&k);
    return outcome;
}

/* keep: the CKA_ID of what stays; empty: nothing. */
static enum outcome leftovers_sweep(const struct site_link *s, const uint8_t tag[TAG], const char *label,
                                    CK_OBJECT_CLASS *class, struct span keep, struct fault *f)
{
    CK_OBJECT_HANDLE found[LEFTOVERS];
    size_t count = 0;
    struct buf id = BUF(255), hex = BUF(511);
    enum outcome outcome = labelled(s, label, class, found, &count, f);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        outcome = site_attribute(s, found[i], CKA_ID, &id, f);
        if (outcome != OK)
            break;
        if (keep.len > 0 && span_equal(buf_span(&id), keep))
            continue;
        if (id.len == ID && memcmp(id.data, tag, TAG) == 0) {
            CK_RV rv = s->f->C_DestroyObject(s->session, found[i]);
            if (rv != CKR_OK)
                outcome = site_fault(s, "C_DestroyObject", rv, f);
            continue;
        }
        hex_put(&hex, buf_span(&id));
        outcome = fault_set(f, E_REFUSED,
                            "%s at %s: the HSM holds a %s key of another estate or site (CKA_ID %s); remove it with "
                            "`pkcs11-tool --module %s --login --delete-object --type %s --id %s`, or use another token",
                            s->token, s->binding->site, label, buf_str(&hex), s->binding->module,
                            *class == CKO_PRIVATE_KEY ? "privkey" : "pubkey", buf_str(&hex));
    }
    buf_free(&id);
    buf_free(&hex);
    return outcome;
}

enum outcome site_keys_sweep(const struct site_link *s, const struct digest *estate, struct fault *f)
{
    uint8_t tag[TAG];
    if (!tag_make(s, estate, tag))
        return fault_memory(f);
    enum outcome outcome = leftovers_sweep(s, tag, TRANSPORT_LABEL, &private_class, (struct span){NULL, 0}, f);
    if (outcome == OK)
        outcome = leftovers_sweep(s, tag, TRANSPORT_LABEL, &public_class, (struct span){NULL, 0}, f);
    if (outcome == OK)
        outcome = leftovers_sweep(s, tag, IDENTITY_LABEL, &private_class, (struct span){NULL, 0}, f);
    if (outcome == OK)
        outcome = leftovers_sweep(s, tag, IDENTITY_LABEL, &public_class, (struct span){NULL, 0}, f);
    return outcome;
}

enum outcome site_transport_sweep(const struct site_link *s, const struct digest *estate, struct span keep,
                                  struct fault *f)
{
    uint8_t tag[TAG];
    if (!tag_make(s, estate, tag))
        return fault_memory(f);
    enum outcome outcome = leftovers_sweep(s, tag, TRANSPORT_LABEL, &private_class, keep, f);
    return outcome == OK ? leftovers_sweep(s, tag, TRANSPORT_LABEL, &public_class, keep, f) : outcome;
}

enum outcome site_keys_pinned(const struct state_site *enrolled, struct site_keys *ret, struct fault *f)
{
    struct site_keys k = SITE_KEYS;
    buf_put(&k.identity, enrolled->identity.data, enrolled->identity.len);
    buf_put(&k.transport, enrolled->transport.data, enrolled->transport.len);
    enum outcome outcome = k.identity.failed || k.transport.failed ? fault_memory(f) : OK;
    if (outcome == OK)
        outcome = hex_parse_buf(enrolled->identity_id, &k.identity_id, f);
    if (outcome == OK)
        outcome = hex_parse_buf(enrolled->transport_id, &k.transport_id, f);
    if (outcome == OK) {
        site_keys_clear(ret);
        *ret = k;
        k = SITE_KEYS; /* taken by *ret */
    }
    site_keys_clear(&k);
    return outcome;
}

static enum outcome transport_check(struct site_link *s, const struct site_keys *pinned, struct fault *f)
{
    struct buf spki = BUF(4096);
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE, private = CK_INVALID_HANDLE;
    enum outcome outcome = site_find_one(s, CKO_PRIVATE_KEY, buf_span(&pinned->transport_id), &private, f);
    if (outcome == OK)
        outcome = site_find_one(s, CKO_PUBLIC_KEY, buf_span(&pinned->transport_id), &public, f);
    if (outcome == OK)
        outcome = site_spki(s, public, &spki, f);
    if (outcome == OK && !span_equal(buf_span(&spki), buf_span(&pinned->transport)))
        outcome = fault_set(f, E_DEVICE, "%s at %s: it is not the one that was enrolled", s->token, s->binding->site);
    if (outcome == OK)
        s->transport = private;
    else
        fault_context(f, "the transport key");
    buf_free(&spki);
    return outcome;
}

enum outcome site_ready(struct site_link *s, const struct digest *estate, const char *serial,
                        const struct site_keys *pinned, struct fault *f)
{
    struct digest challenge = {0};
    if (strcmp(s->binding->serial, serial) != 0)
        return fault_set(f, E_REFUSED, "%s at %s: the bindings name serial number %s, %s was enrolled", s->token,
                         s->binding->site, s->binding->serial, serial);
    if (!random_bytes(challenge.bytes, sizeof challenge.bytes))
        return fault_set(f, E_IO, "no random bytes from the system");
    s->identity = s->transport = CK_INVALID_HANDLE;
    enum outcome outcome = site_identity(s, buf_span(&pinned->identity_id), &s->identity, f);
    if (outcome == OK)
        outcome =
            site_challenge(s, estate, buf_span(&pinned->identity_id), buf_span(&pinned->identity), &challenge, NULL, f);
    return outcome == OK ? transport_check(s, pinned, f) : outcome;
}

enum outcome site_answers(struct world *w, const char *token, const char *site, struct site_link *ret, struct fault *f)
{
    const struct estate *e = w->estate;
    const struct state_site *enrolled = state_site(&e->state, token, site);
    struct site_keys pinned = SITE_KEYS;
    enum outcome outcome = OK;

    if (!enrolled)
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled", token, site);
    outcome = site_keys_pinned(enrolled, &pinned, f);
    if (outcome == OK)
        outcome = site_open(w, token, site, SITE_EITHER, ret, f);
    if (outcome == OK) {
        outcome = site_ready(ret, &e->state.estate, enrolled->serial, &pinned, f);
        if (outcome != OK)
            site_close(ret);
    }
    site_keys_clear(&pinned);
    return outcome;
}
