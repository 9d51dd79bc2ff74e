#include "module/trusted.h"

#include <string.h>

#include "core/encode.h"
#include "core/limits.h"
#include "estate/serving.h"

#define WRAPPING_LABEL "quorate:trusted-wrapping"
#define TRANSPORT_LABEL "quorate:trusted-transport"
enum { ID = 16, FOUND_MAX = LIMIT_SITES + 32 };

/* CK_ATTRIBUTE wants pointers to values that are not const. */
static CK_BBOOL yes = CK_TRUE;

/* Whether a rule of the policy in force lets keys of this token be born so. */
static bool trusted_wanted(const struct world *w, const char *token)
{
    const struct policy *p = w->estate->policy;
    for (size_t i = 0; p != NULL && i < p->rule_count; i++)
        if (p->rules[i].trusted_wrap_only &&
            (p->rules[i].tokens.count == 0 || strings_have(&p->rules[i].tokens, token)))
            return true;
    return false;
}

static bool wrapping_id(const struct digest *estate, const char *token, const char *site, uint8_t ret[ID])
{
    struct digest name = {0}, id = {0};
    bool made = digest_of(&name, 3, span_str(token), span_str("/"), span_str(site)) &&
                digest_of(&id, 3, span_str("quorate trusted key v1\n"), span_of(estate->bytes, sizeof estate->bytes),
                          span_of(name.bytes, sizeof name.bytes));
    memcpy(ret, id.bytes, ID);
    return made;
}

static bool transport_id(struct span spki, uint8_t ret[ID])
{
    struct digest id = {0};
    bool made = digest_of(&id, 2, span_str("quorate trusted transport v1\n"), spki);
    memcpy(ret, id.bytes, ID);
    return made;
}

static enum outcome bools_set(struct template *t, const CK_ATTRIBUTE_TYPE *types, size_t count, bool value,
                              struct fault *f)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < count && outcome == OK; i++)
        outcome = template_set_bool(t, types[i], value, f);
    return outcome;
}
#define BOOLS(t, value, ...)                                                                                           \
    bools_set(t, (const CK_ATTRIBUTE_TYPE[]){__VA_ARGS__},                                                             \
              sizeof(const CK_ATTRIBUTE_TYPE[]){__VA_ARGS__} / sizeof(CK_ATTRIBUTE_TYPE), value, f)

static enum outcome name_set(struct template *t, const char *label, const uint8_t id[ID], struct fault *f)
{
    enum outcome outcome = template_set(t, CKA_LABEL, label, (CK_ULONG)strlen(label), f);
    return outcome == OK ? template_set(t, CKA_ID, id, ID, f) : outcome;
}

/* What it must be, the length aside. It can do nothing but wrap, and nobody can change that: an HSM lets a key that wraps be
 * told to decrypt where it is MODIFIABLE. PRIVATE is false because the security officer makes no other objects. */
static enum outcome wrapping_template(const uint8_t id[ID], struct template *ret, struct fault *f)
{
    struct template t = {0};
    enum outcome outcome = template_set_ulong(&t, CKA_CLASS, CKO_SECRET_KEY, f);
    if (outcome == OK)
        outcome = template_set_ulong(&t, CKA_KEY_TYPE, CKK_AES, f);
    if (outcome == OK)
        outcome =
            BOOLS(&t, true, CKA_TOKEN, CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP, CKA_TRUSTED, CKA_WRAP_WITH_TRUSTED);
    if (outcome == OK)
        outcome = BOOLS(&t, false, CKA_PRIVATE, CKA_UNWRAP, CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_DERIVE,
                        CKA_MODIFIABLE, CKA_COPYABLE);
    if (outcome == OK)
        outcome = name_set(&t, WRAPPING_LABEL, id, f);
    if (outcome == OK) {
        *ret = t;
        t = (struct template){0}; /* taken by *ret */
    }
    template_clear(&t);
    return outcome;
}

static enum outcome transport_template(struct span spki, struct template *ret, struct fault *f)
{
    struct template t = {0};
    uint8_t id[ID];
    enum outcome outcome = transport_id(spki, id) ? spki_template(spki, &t, f) : fault_memory(f);
    if (outcome == OK)
        outcome = BOOLS(&t, true, CKA_TOKEN, CKA_WRAP, CKA_TRUSTED);
    if (outcome == OK)
        outcome = BOOLS(&t, false, CKA_PRIVATE, CKA_ENCRYPT, CKA_VERIFY, CKA_VERIFY_RECOVER, CKA_DERIVE, CKA_MODIFIABLE,
                        CKA_COPYABLE);
    if (outcome == OK)
        outcome = name_set(&t, TRANSPORT_LABEL, id, f);
    if (outcome == OK) {
        *ret = t;
        t = (struct template){0}; /* taken by *ret */
    }
    template_clear(&t);
    return outcome;
}

/* The one that is all of the template. What carries the name alone is none: only the security officer makes a key trusted. */
static enum outcome exact_find(const struct site_link *s, const struct template *t, CK_OBJECT_HANDLE *ret,
                               struct fault *f)
{
    CK_OBJECT_HANDLE found[FOUND_MAX];
    size_t count = 0;
    CK_ATTRIBUTE match[] = {*template_find(t, CKA_CLASS),
                            *template_find(t, CKA_ID),
                            {CKA_TOKEN, &yes, sizeof yes},
                            {CKA_TRUSTED, &yes, sizeof yes}};
    enum outcome outcome = site_find(s, match, sizeof match / sizeof *match, found, FOUND_MAX, &count, f);
    bool there = false;
    for (size_t i = 0; i < count && outcome == OK && !there; i++) {
        outcome = site_compare(s, found[i], t, f);
        there = outcome == OK;
        if (there)
            *ret = found[i];
        if (outcome == E_REFUSED)
            outcome = OK;
    }
    return outcome == OK && !there ? E_ABSENT : outcome;
}

static enum outcome wrapping_find(const struct site_link *s, const struct digest *estate, CK_OBJECT_HANDLE *ret,
                                  struct fault *f)
{
    static const CK_ATTRIBUTE_TYPE here[] = {CKA_LOCAL, CKA_ALWAYS_SENSITIVE}; /* nobody ever knew it */
    struct template t = {0};
    uint8_t id[ID];
    enum outcome outcome =
        wrapping_id(estate, s->token, s->binding->site, id) ? wrapping_template(id, &t, f) : fault_memory(f);
    if (outcome == OK)
        outcome = bools_set(&t, here, sizeof here / sizeof *here, true, f);
    if (outcome == OK)
        outcome = exact_find(s, &t, ret, f);
    template_clear(&t);
    return outcome;
}

static enum outcome transport_find(const struct site_link *s, struct span spki, CK_OBJECT_HANDLE *ret, struct fault *f)
{
    struct template t = {0};
    enum outcome outcome = transport_template(spki, &t, f);
    if (outcome == OK)
        outcome = exact_find(s, &t, ret, f);
    template_clear(&t);
    return outcome;
}

enum outcome trusted_find(const struct site_link *s, const struct digest *estate, struct span transport,
                          CK_OBJECT_HANDLE *ret_wrapping, CK_OBJECT_HANDLE *ret_transport, struct fault *f)
{
    const char *missing = "trusted wrapping key";
    enum outcome outcome = wrapping_find(s, estate, ret_wrapping, f);
    if (outcome == OK) {
        missing = "trusted copy of the site's transport key";
        outcome = transport_find(s, transport, ret_transport, f);
    }
    if (outcome == E_ABSENT)
        outcome =
            fault_set(f, E_REFUSED,
                      "%s at %s: no %s is there; `quorate settle` makes it where the bindings have `so-pin:`, the "
                      "security officer's PIN",
                      s->token, s->binding->site, missing);
    return outcome;
}

static enum outcome wrapping_make(const struct site_link *s, const struct digest *estate, struct fault *f)
{
    struct template t = {0};
    uint8_t id[ID];
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    CK_MECHANISM mechanism = {CKM_AES_KEY_GEN, NULL, 0};
    enum outcome outcome =
        wrapping_id(estate, s->token, s->binding->site, id) ? wrapping_template(id, &t, f) : fault_memory(f);
    if (outcome == OK)
        outcome = template_set_ulong(&t, CKA_VALUE_LEN, 32, f);
    if (outcome == OK) {
        CK_RV rv = s->f->C_GenerateKey(s->session, &mechanism, t.items, t.count, &made);
        outcome = rv == CKR_OK ? wrapping_find(s, estate, &made, f) : site_fault(s, "making the trusted key", rv, f);
    }
    template_clear(&t);
    return outcome;
}

static enum outcome transport_make(const struct site_link *s, struct span spki, struct fault *f)
{
    struct template t = {0};
    CK_OBJECT_HANDLE made = CK_INVALID_HANDLE;
    enum outcome outcome = transport_template(spki, &t, f);
    if (outcome == OK) {
        CK_RV rv = s->f->C_CreateObject(s->session, t.items, t.count, &made);
        outcome = rv == CKR_OK ? transport_find(s, spki, &made, f)
                               : site_fault(s, "trusting the transport key of a site", rv, f);
    }
    template_clear(&t);
    return outcome;
}

static bool of_token(const struct state_site *site, const char *token, const char *primary)
{
    return !site->retired && strcmp(site->token, token) == 0 && strcmp(site->site, primary) != 0;
}

/* Whether anything is missing; makes it, where the security officer is logged in. */
static enum outcome all_look(const struct world *w, const struct site_link *s, bool make, bool *ret_missing,
                             struct fault *f)
{
    const struct state *state = &w->estate->state;
    CK_OBJECT_HANDLE there = CK_INVALID_HANDLE;
    enum outcome outcome = wrapping_find(s, &state->estate, &there, f);
    if (outcome == E_ABSENT && make)
        outcome = wrapping_make(s, &state->estate, f);
    for (size_t i = 0; i < state->site_count && outcome == OK; i++) {
        struct span spki = buf_span(&state->sites[i].transport);
        if (!of_token(&state->sites[i], s->token, s->binding->site))
            continue;
        outcome = transport_find(s, spki, &there, f);
        if (outcome == E_ABSENT && make)
            outcome = transport_make(s, spki, f);
    }
    *ret_missing = outcome == E_ABSENT;
    return *ret_missing ? OK : outcome;
}

bool trusted_is_own(const struct world *w, const char *token, const char *site, const char *label, const char *id_hex)
{
    const struct state *state = &w->estate->state;
    struct buf hex = BUF(2 * ID);
    uint8_t id[ID];
    bool own = false;
    if (strcmp(label, WRAPPING_LABEL) == 0 && wrapping_id(&state->estate, token, site, id)) {
        hex_put(&hex, span_of(id, sizeof id));
        own = strcmp(buf_str(&hex), id_hex) == 0;
    }
    for (size_t i = 0; strcmp(label, TRANSPORT_LABEL) == 0 && !own && i < state->site_count; i++) {
        buf_clear(&hex);
        if (state->sites[i].retired || strcmp(state->sites[i].token, token) != 0 ||
            !transport_id(buf_span(&state->sites[i].transport), id))
            continue;
        hex_put(&hex, span_of(id, sizeof id));
        own = strcmp(buf_str(&hex), id_hex) == 0;
    }
    buf_free(&hex);
    return own;
}

/* A site that retired is trusted no more, nor one with another transport key since. */
static enum outcome stale_remove(const struct world *w, const struct site_link *s, struct fault *f)
{
    CK_OBJECT_HANDLE found[FOUND_MAX];
    CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    char label[] = TRANSPORT_LABEL;
    CK_ATTRIBUTE match[] = {
        {CKA_CLASS, &class, sizeof class}, {CKA_TOKEN, &yes, sizeof yes}, {CKA_LABEL, label, sizeof label - 1}};
    struct buf id = BUF(LIMIT_LABEL), hex = BUF(2 * LIMIT_LABEL);
    size_t count = 0;
    enum outcome outcome = site_find(s, match, sizeof match / sizeof *match, found, FOUND_MAX, &count, f);
    for (size_t i = 0; i < count && outcome == OK; i++) {
        outcome = site_attribute(s, found[i], CKA_ID, &id, f);
        buf_clear(&hex);
        hex_put(&hex, buf_span(&id));
        if (outcome != OK || trusted_is_own(w, s->token, s->binding->site, label, buf_str(&hex)))
            continue;
        CK_RV rv = s->f->C_DestroyObject(s->session, found[i]);
        if (rv != CKR_OK)
            outcome = site_fault(s, "removing the trusted copy of a transport key", rv, f);
    }
    buf_free(&id);
    buf_free(&hex);
    return outcome;
}

enum outcome trusted_provide(struct world *w, const char *token, bool *ret_made, struct fault *f)
{
    const char *primary = token_primary(w->estate, token);
    const struct binding *binding = NULL;
    struct site_link link = {0};
    bool missing = false;

    *ret_made = false;
    if (!trusted_wanted(w, token) || state_site(&w->estate->state, token, primary) == NULL ||
        site_bound(w, token, primary, &binding, f) != OK || !binding->so_pin)
        return OK;
    enum outcome outcome = site_open(w, token, primary, SITE_NOBODY, &link, f);
    if (outcome == OK)
        outcome = stale_remove(w, &link, f);
    if (outcome == OK)
        outcome = all_look(w, &link, false, &missing, f);
    if (outcome == OK && missing)
        outcome = site_officer_in(&link, f);
    if (outcome == OK && missing) {
        outcome = all_look(w, &link, true, &missing, f);
        *ret_made = outcome == OK;
    }
    site_close(&link);
    return outcome;
}

enum outcome trusted_settle(struct world *w, json_t *report, struct fault *f)
{
    enum outcome outcome = OK;
    for (size_t i = 0; i < w->token_count && outcome == OK; i++) {
        struct fault why = {0};
        bool made = false;
        const char *token = w->tokens[i].bound->id, *text = "its trusted keys were made";
        if (trusted_provide(w, token, &made, &why) != OK)
            text = why.text;
        else if (!made)
            continue;
        json_t *line = json_object();
        if (!json_put_string(line, "outcome", text) || !json_put_string(line, "token", token) ||
            json_array_append(report, line) != 0)
            outcome = fault_memory(f);
        json_decref(line);
    }
    return outcome;
}
