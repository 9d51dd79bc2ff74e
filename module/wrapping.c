#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/limits.h"
#include "module/trusted.h"
#include "module/visit.h"
#include "module/wrapping.h"

/* A key on its way to a site, as far as the primary is concerned. The HSMs say by C_GetMechanismInfo what they offer; what
 * they say of hash functions is nothing, so those are tried. */

/* CK_ATTRIBUTE wants pointers to values that are not const. */
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

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

static const char *const names[] = {
    [WRAPPING_RSA_AES] = "rsa-aes-key-wrap-sha256",
    [WRAPPING_OAEP_SHA256] = "oaep-sha256+aes-kwp",
    [WRAPPING_OAEP_SHA1] = "oaep-sha1+aes-kwp",
};

enum wrapping wrapping_parse(const char *name)
{
    enum wrapping w = WRAPPING_RSA_AES;
    while (w < WRAPPINGS && strcmp(names[w], name) != 0)
        w++;
    return w;
}

bool wrapping_offered(const struct site_link *s, CK_FLAGS direction)
{
    CK_MECHANISM_INFO info = {0};
    return s->f->C_GetMechanismInfo(s->slot, CKM_RSA_AES_KEY_WRAP, &info) == CKR_OK && (info.flags & direction) != 0;
}

bool wrapping_unknown(CK_RV rv)
{
    return rv == CKR_MECHANISM_INVALID || rv == CKR_MECHANISM_PARAM_INVALID || rv == CKR_ARGUMENTS_BAD ||
           rv == CKR_FUNCTION_NOT_SUPPORTED;
}

void wrapping_mechanism(enum wrapping w, struct wrapping_parameters *p, CK_MECHANISM *ret)
{
    bool sha1 = w == WRAPPING_OAEP_SHA1;
    p->oaep = (CK_RSA_PKCS_OAEP_PARAMS){.hashAlg = sha1 ? CKM_SHA_1 : CKM_SHA256,
                                        .mgf = sha1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256,
                                        .source = CKZ_DATA_SPECIFIED};
    p->rsa_aes.aes_key_bits = 256;
    p->rsa_aes.oaep = &p->oaep;
    *ret = w == WRAPPING_RSA_AES ? (CK_MECHANISM){CKM_RSA_AES_KEY_WRAP, &p->rsa_aes, sizeof p->rsa_aes}
                                 : (CK_MECHANISM){CKM_RSA_PKCS_OAEP, &p->oaep, sizeof p->oaep};
}

/* Both keys in one call, under an AES key that the HSM makes for it (PKCS#11 2.40, section 2.1.21). */
static CK_RV wrap_at_once(struct visit *v)
{
    struct wrapping_parameters parameters;
    CK_MECHANISM mechanism;
    wrapping_mechanism(WRAPPING_RSA_AES, &parameters, &mechanism);
    buf_clear(&v->offer.wrapped_secret);
    return wrap(&v->place->link, &mechanism, v->place->transport, v->key, &v->offer.wrapped_key);
}

/* Each offer has an AES key of its own, but where the security officer's stays. */
static enum outcome courier_end(struct wrapping_place *p, struct fault *f)
{
    CK_OBJECT_HANDLE courier = p->trusted ? CK_INVALID_HANDLE : p->courier;
    p->courier = CK_INVALID_HANDLE;
    p->courier_used = false;
    if (courier != CK_INVALID_HANDLE && p->link.f->C_DestroyObject(p->link.session, courier) != CKR_OK)
        return fault_set(f, E_DEVICE, "%s at %s: the key that wraps could not be destroyed", p->token, p->at.site);
    return OK;
}

/* The key under an AES key, that one under the transport key: by the better hash where the HSM has it. */
static enum outcome wrap_in_two(struct visit *v, struct fault *f)
{
    struct wrapping_place *p = v->place;
    const struct site_link *s = &p->link;
    CK_MECHANISM kwp = {CKM_AES_KEY_WRAP_PAD, NULL, 0}, oaep;
    struct wrapping_parameters parameters;
    enum wrapping how = v->wrapping_from > WRAPPING_OAEP_SHA256 ? v->wrapping_from : WRAPPING_OAEP_SHA256;
    CK_RV rv = CKR_OK, better = CKR_OK;

    enum outcome outcome = p->courier == CK_INVALID_HANDLE ? courier_make(s, &p->courier, f) : OK;
    if (outcome == OK && (rv = wrap(s, &kwp, p->courier, v->key, &v->offer.wrapped_key)) != CKR_OK)
        outcome = site_fault(s, "wrapping the key (CKM_AES_KEY_WRAP_PAD)", rv, f);
    if (outcome != OK)
        return outcome;
    wrapping_mechanism(how, &parameters, &oaep);
    rv = wrap(s, &oaep, p->transport, p->courier, &v->offer.wrapped_secret);
    if (rv != CKR_OK && how == WRAPPING_OAEP_SHA256 && v->sha1_allowed) {
        how = WRAPPING_OAEP_SHA1;
        better = rv;
        wrapping_mechanism(how, &parameters, &oaep);
        rv = wrap(s, &oaep, p->transport, p->courier, &v->offer.wrapped_secret);
    }
    if (rv != CKR_OK && how == WRAPPING_OAEP_SHA256)
        outcome =
            fault_set(f, E_REFUSED,
                      "%s at %s: the HSM does not wrap with RSA-OAEP and SHA-256 (%s), and %s allows nothing weaker; "
                      "`transport: {allow: [oaep-sha1]}` in the rule would",
                      s->token, s->binding->site, rv_name(rv), v->rule);
    else if (rv != CKR_OK)
        outcome = site_fault(s, "wrapping for the transport key", better != CKR_OK ? better : rv, f);
    snprintf(v->offer.mechanism, sizeof v->offer.mechanism, "%s", names[how]);
    return outcome;
}

static bool at_once(const struct visit *v)
{
    return v->wrapping_from == WRAPPING_RSA_AES && v->takes_rsa_aes && v->place->rsa_aes && !v->trusted;
}

enum outcome visit_wrap_open(struct visit *v, struct fault *f)
{
    struct wrapping_place *p = v->place;
    struct site_link *s = &p->link;
    enum outcome outcome = lower_answers(p->lower, f);
    if (outcome != OK || p->open)
        return outcome;
    CK_RV rv = s->f->C_OpenSession(s->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s->session);
    if (rv != CKR_OK)
        return site_fault(s, "C_OpenSession", rv, f);
    p->open = true;
    p->courier = p->transport = CK_INVALID_HANDLE;
    p->courier_used = false;
    p->trusted = v->trusted;
    /* Both are the security officer's: the HSM lets the key leave under no other. */
    if (v->trusted)
        return trusted_find(s, &v->estate, buf_span(&v->pinned.transport), &p->courier, &p->transport, f);
    p->rsa_aes = v->takes_rsa_aes && wrapping_offered(s, CKF_WRAP);
    outcome = transport_import(s, buf_span(&v->pinned.transport), &p->transport, f);
    return outcome == OK && !at_once(v) ? courier_make(s, &p->courier, f) : outcome;
}

enum outcome visit_wrap(struct visit *v, struct fault *f)
{
    enum outcome outcome = visit_wrap_open(v, f);
    if (outcome == OK && v->place->courier_used && !v->trusted)
        outcome = courier_end(v->place, f);
    if (outcome != OK)
        return outcome;
    if (at_once(v) && wrap_at_once(v) == CKR_OK) {
        snprintf(v->offer.mechanism, sizeof v->offer.mechanism, "%s", names[WRAPPING_RSA_AES]);
        return OK;
    }
    v->place->courier_used = true;
    return wrap_in_two(v, f);
}

enum outcome visit_wrap_end(struct visit *v, struct fault *f)
{
    return wrapping_place_close(v->place, f);
}

enum outcome wrapping_place_make(const struct site_link *primary, struct lower *lower, struct wrapping_place **ret,
                                 struct fault *f)
{
    struct wrapping_place *p = calloc(1, sizeof *p);
    if (p == NULL || (p->token = strdup(primary->token)) == NULL) {
        free(p);
        return fault_memory(f);
    }
    enum outcome outcome = binding_copy(primary->binding, &p->at, f);
    p->lower = lower;
    lower_hold(lower);
    p->link = (struct site_link){.token = p->token, .binding = &p->at, .f = primary->f, .slot = primary->slot};
    if (outcome == OK)
        *ret = p;
    else
        wrapping_place_free(p);
    return outcome;
}

/* The transport key goes with the session. */
enum outcome wrapping_place_close(struct wrapping_place *p, struct fault *f)
{
    if (!p->open)
        return OK;
    enum outcome outcome = courier_end(p, f);
    p->open = false;
    CK_RV rv = p->link.f->C_CloseSession(p->link.session);
    if (rv != CKR_OK && outcome == OK)
        outcome = site_fault(&p->link, "C_CloseSession", rv, f);
    return outcome;
}

void wrapping_place_free(struct wrapping_place *p)
{
    struct fault ignored = {0};
    if (p == NULL)
        return;
    if (lower_answers(p->lower, &ignored) == OK)
        wrapping_place_close(p, &ignored); /* in a library that hangs it ends with the process */
    lower_drop(p->lower);
    binding_clear(&p->at);
    free(p->token);
    free(p);
}
