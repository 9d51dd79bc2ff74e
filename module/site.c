#include "module/site.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/limits.h"
#include "module/person.h"

/* Serial numbers of tokens whose PIN was refused in this process: a second try could be the one that locks it. */
static struct {
    char serial[33];
    bool officer;
} refused[2 * LIMIT_SITES * LIMIT_TOKENS];
static size_t refused_count;
static pthread_mutex_t refusing = PTHREAD_MUTEX_INITIALIZER; /* guards both */

void sites_forget(void)
{
    pthread_mutex_init(&refusing, NULL);
}

static bool pin_was_refused(const char *serial, bool officer)
{
    pthread_mutex_lock(&refusing);
    bool was = refused_count == sizeof refused / sizeof *refused;
    for (size_t i = 0; i < refused_count && !was; i++)
        was = strcmp(refused[i].serial, serial) == 0 && refused[i].officer == officer;
    pthread_mutex_unlock(&refusing);
    return was;
}

static void pin_refused(const char *serial, bool officer)
{
    pthread_mutex_lock(&refusing);
    if (refused_count < sizeof refused / sizeof *refused) {
        refused[refused_count].officer = officer;
        snprintf(refused[refused_count++].serial, sizeof refused->serial, "%s", serial);
    }
    pthread_mutex_unlock(&refusing);
}

enum outcome site_fault(const struct site_link *s, const char *what, CK_RV rv, struct fault *f)
{
    rv_fault(f, what, rv);
    return fault_context(f, "%s at %s", s->token, s->binding->site);
}

/* Whoever has no keypad would take no PIN for an empty one, and count it. */
static enum outcome keypad_there(const struct site_link *s, struct fault *f)
{
    CK_TOKEN_INFO info;
    CK_RV rv = s->f->C_GetTokenInfo(s->slot, &info);

    if (rv != CKR_OK)
        return site_fault(s, "C_GetTokenInfo", rv, f);
    if (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH)
        return OK;
    return fault_set(f, E_REFUSED,
                     "%s at %s: the HSM has no keypad or cards of its own; `pin: protected-path` is not for it",
                     s->token, s->binding->site);
}

/* Left empty where the HSM asks for it itself. */
static enum outcome pin_find(const struct site_link *s, bool officer, struct buf *ret, struct fault *f)
{
    enum outcome outcome = OK;

    switch (officer ? s->binding->so_pin_kind : s->binding->pin_kind) {
    case PIN_PROTECTED_PATH:
        return keypad_there(s, f);
    case PIN_PROMPT:
        return person_pin(s->token, s->binding, officer, ret, f);
    case PIN_FILE:
        break;
    }
    outcome = officer ? binding_so_pin(s->binding, ret, f) : binding_pin(s->binding, ret, f);
    return outcome == OK ? OK : fault_context(f, "%s at %s", s->token, s->binding->site);
}

static enum outcome log_in(const struct site_link *s, CK_USER_TYPE user, bool officer, CK_RV *ret, struct fault *f)
{
    const struct binding *b = s->binding;
    struct buf pin = BUF_SECRET(LIMIT_PIN);
    enum outcome outcome = OK;

    const char *path = officer ? b->so_pin_path : b->pin_path;
    if (pin_was_refused(b->serial, officer)) {
        outcome = fault_set(f, E_REFUSED,
                            "%s at %s: its PIN was refused before and is not tried again; correct %s and "
                            "start the program again",
                            s->token, b->site,
                            path != NULL ? path
                            : officer    ? "`so-pin:` in the bindings"
                                         : "`pin:` in the bindings");
        goto out;
    }
    outcome = pin_find(s, officer, &pin, f);
    if (outcome != OK)
        goto out;
    CK_RV rv = s->f->C_Login(s->session, user, pin.data, (CK_ULONG)pin.len);
    *ret = rv;
    if (rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LEN_RANGE || rv == CKR_PIN_INVALID || rv == CKR_PIN_LOCKED) {
        pin_refused(b->serial, officer);
        person_pin_refused(b->serial, officer);
        outcome = site_fault(s, "the HSM refuses the PIN; it is not tried again", rv, f);
    } else if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN) {
        outcome = site_fault(s, "C_Login", rv, f);
    }
out:
    buf_free(&pin);
    return outcome;
}

enum outcome site_log_in(const struct site_link *s, CK_USER_TYPE user, CK_RV *ret, struct fault *f)
{
    return log_in(s, user, false, ret, f);
}

enum outcome site_officer_in(struct site_link *s, struct fault *f)
{
    CK_RV answered = CKR_GENERAL_ERROR;
    if (!s->binding->so_pin)
        return fault_set(f, E_REFUSED,
                         "%s at %s: only its security officer can do this, and the bindings have no `so-pin:`",
                         s->token, s->binding->site);
    enum outcome outcome = log_in(s, CKU_SO, true, &answered, f);
    s->log_out = outcome == OK && answered == CKR_OK;
    return outcome;
}

static enum outcome link_logged_in(const struct site_link *s, bool *ret, struct fault *f)
{
    CK_SESSION_INFO info = {.state = CKS_RW_PUBLIC_SESSION};
    CK_RV rv = s->f->C_GetSessionInfo(s->session, &info);
    if (rv != CKR_OK)
        return site_fault(s, "C_GetSessionInfo", rv, f);
    *ret = info.state == CKS_RW_USER_FUNCTIONS;
    return OK;
}

static enum outcome link_log_in(struct site_link *s, enum site_login how, struct fault *f)
{
    bool in = false;
    if (how == SITE_NOBODY)
        return OK;
    enum outcome outcome = link_logged_in(s, &in, f);
    if (outcome != OK || in)
        return outcome;
    if (how == SITE_APPLICATION)
        return fault_set(f, E_REFUSED, "CKR_USER_NOT_LOGGED_IN: log in on %s first", s->token);
    CK_RV answered = CKR_GENERAL_ERROR;
    outcome = site_log_in(s, CKU_USER, &answered, f);
    s->log_out = outcome == OK && answered == CKR_OK;
    /* Without a login private objects are not found, and that would be taken for their absence. */
    if (outcome == OK)
        outcome = link_logged_in(s, &in, f);
    if (outcome == OK && !in)
        outcome = fault_set(f, E_DEVICE, "%s at %s: the HSM says that it logged in, and its session is not", s->token,
                            s->binding->site);
    return outcome;
}

bool site_carried(const struct world *w, const char *token, const char *site, const struct binding **ret)
{
    const struct binding *b = bindings_site(w->estate->bindings, token, site);
    if (b == NULL || b->reach != REACH_CARRIED)
        return false;
    *ret = b;
    return true;
}

enum outcome site_bound(const struct world *w, const char *token, const char *site, const struct binding **ret,
                        struct fault *f)
{
    static const char *const ways[] = {"a module", "a courier", "files that people carry"};
    const struct bindings *all = w->estate->bindings;
    const struct binding *b = bindings_site(all, token, site);
    if (b == NULL)
        return fault_set(f, E_ABSENT, "%s at %s is not in the bindings %s: add it there", token, site, all->path);
    if (b->reach != REACH_MODULE)
        return fault_set(f, E_REFUSED, "%s:%u: %s at %s is reached by %s, and this takes a module here", all->path,
                         b->line, token, site, ways[b->reach]);
    *ret = b;
    return OK;
}

enum outcome site_bound_was(const struct binding *b, const struct state_site *then, struct fault *f)
{
    return b->serial != NULL && strcmp(b->serial, then->serial) == 0
               ? OK
               : fault_set(f, E_ABSENT, "%s at %s: another HSM is bound than the one that retired", then->token,
                           then->site);
}

enum outcome site_link_open(const struct lower *lower, const char *token, const struct binding *binding,
                            enum site_login how, struct site_link *ret, struct fault *f)
{
    struct site_link s = {.token = token, .binding = binding, .f = lower->f};
    bool open = false;

    enum outcome outcome = lower_answers(lower, f);
    if (outcome == OK)
        outcome = lower_find(lower, binding->serial, &s.slot, f);
    while (outcome == E_ABSENT && binding->one_at_a_time && person_attach(token, binding))
        outcome = lower_find(lower, binding->serial, &s.slot, f);
    if (outcome != OK)
        return fault_context(f, "%s at %s", token, binding->site);
    CK_RV rv = s.f->C_GetTokenInfo(s.slot, &s.info);
    if (rv != CKR_OK) {
        outcome = site_fault(&s, "C_GetTokenInfo", rv, f);
        goto out;
    }
    if (!token_has_serial(&s.info, binding->serial)) { /* what it says there is pinned at an enrolment */
        outcome = fault_set(f, E_DEVICE, "%s at %s: the HSM does not say twice that its serial number is %s", token,
                            binding->site, binding->serial);
        goto out;
    }
    rv = s.f->C_OpenSession(s.slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s.session);
    if (rv != CKR_OK) {
        outcome = site_fault(&s, "C_OpenSession", rv, f);
        goto out;
    }
    open = true;
    outcome = link_log_in(&s, how, f);
    if (outcome != OK)
        goto out;
    *ret = s;
    open = false; /* taken by *ret */
out:
    if (open)
        site_close(&s);
    return outcome;
}

enum outcome site_open(struct world *w, const char *token, const char *site, enum site_login how, struct site_link *ret,
                       struct fault *f)
{
    const struct binding *binding = NULL;
    struct lower *lower = NULL;

    enum outcome outcome = site_bound(w, token, site, &binding, f);
    if (outcome != OK)
        return outcome;
    outcome = world_lower_want(w, binding->module, &lower, f);
    return outcome == OK ? site_link_open(lower, token, binding, how, ret, f)
                         : fault_context(f, "%s at %s", token, site);
}

void site_close(struct site_link *s)
{
    if (s->binding == NULL)
        return;
    if (s->log_out)
        s->f->C_Logout(s->session);
    s->f->C_CloseSession(s->session);
    *s = (struct site_link){.token = s->token};
}
