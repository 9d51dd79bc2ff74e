#include "module/failover.h"

#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#include "estate/serving.h"
#include "module/failover_move.h"
#include "module/gate.h"
#include "module/made.h"
#include "module/replica.h"
#include "module/site_keys.h"

/* After all sites were tried in vain, calls answer at once for so long. */
#define IN_VAIN_MS 10000u
/* A call is made again at most so often: once a site. */
#define TURNS LIMIT_SITES

static uint64_t clock_ms(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

static const struct token *token_named(const struct world *w, CK_SLOT_ID slot)
{
    return w->estate->policy ? policy_token(w->estate->policy, w->tokens[slot].bound->id) : NULL;
}

static bool fails_over(const struct world *w, CK_SLOT_ID slot)
{
    const struct token *named = token_named(w, slot);

    return named && named->failover_use;
}

CK_ULONG failover_place(const struct world *w, CK_SLOT_ID slot)
{
    return slot | (CK_ULONG)w->tokens[slot].turn << PLACE_TURN_SHIFT | (fails_over(w, slot) ? PLACE_WATCHED : 0);
}

bool failover_away(const struct world *w, CK_SLOT_ID slot)
{
    const struct shown_token *t = &w->tokens[slot];

    return t->lower && t->serving && strcmp(t->serving->site, t->primary) != 0;
}

/* Whether the enrolled HSM answers there, in the time that the policy gives the site: whoever hangs is left to itself. Where
 * nobody is logged in (in: false) it is only looked for. */
static enum outcome site_soon(struct world *w, const char *token, const char *site, bool in, CK_SLOT_ID *ret_slot,
                              struct fault *f)
{
    const struct binding *bound = NULL;
    struct replicas one = {.count = 0};
    struct replica *r = NULL;
    enum outcome outcome = site_bound(w, token, site, &bound, f);

    if (outcome == OK)
        outcome = replicas_want(&one, w, token, site, &r, f);
    if (outcome == OK) {
        r->visit->how = in ? SITE_MODULE : SITE_NOBODY;
        outcome = replica_visit(r, in ? VISIT_READY : VISIT_THERE, f);
    }
    if (outcome == OK)
        *ret_slot = r->visit->link.slot;
    replicas_end(&one);
    return outcome;
}

static enum outcome failover_log(struct world *w, const char *token, const char *site, const char *reason,
                                 struct fault *f)
{
    json_t *body = json_object();
    enum outcome outcome = E_MEMORY;

    if (json_put_string(body, "reason", reason) && json_put_string(body, "site", site) &&
        json_put_string(body, "token", token))
        outcome = estate_append(w->estate, ENTRY_FAILOVER, body, NULL, f);
    else
        fault_memory(f);
    json_decref(body);
    return outcome;
}

/* reason NULL: the log says already that the site serves. alive: the HSM that is left answers. */
static enum outcome failover_to(struct world *w, CK_SLOT_ID slot, const char *site, const char *reason, bool alive,
                                struct fault *f)
{
    struct shown_token *t = &w->tokens[slot];
    struct site_link link = {0};
    CK_SLOT_ID there = 0;
    char name[LIMIT_NAME + 1] = "";
    enum outcome outcome = OK;

    strncat(name, site, LIMIT_NAME); /* the state moves */
    left_close(t, name);
    outcome = site_soon(w, t->bound->id, name, true, &there, f);
    if (outcome == OK)
        outcome = site_answers(w, t->bound->id, name, &link, f);
    if (outcome == OK && reason)
        outcome = estate_refresh(w->estate, f);
    if (outcome == OK && reason && strcmp(token_serving(w->estate, t->bound->id), name) != 0)
        outcome = failover_log(w, t->bound->id, name, reason, f);
    if (outcome == OK) {
        slot_move(w, slot, &link, alive);
        memcpy(t->follows, name, sizeof(name));
        t->in_vain_at = 0;
        gate_forget(); /* whatever was judged, was judged of another HSM */
    }
    site_close(&link);
    return outcome;
}

/* The sites in the order in which they are tried, but for those whose HSM is on its way: where the log says, the replicas, the
 * primary; last the one that was lost, which may have been started again. */
static void sites_put(const struct world *w, CK_SLOT_ID slot, struct strings *ret)
{
    const struct shown_token *t = &w->tokens[slot];
    const struct token *named = token_named(w, slot);
    const char *now = t->lower && t->serving ? t->serving->site : "";
    const char *all[LIMIT_SITES + 3] = {token_serving(w->estate, t->bound->id)};
    size_t count = 1;

    for (size_t i = 0; named && i < named->replicas.count && count < LIMIT_SITES; i++)
        all[count++] = named->replicas.items[i];
    if (named)
        all[count++] = named->primary;
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i], now) != 0 && !strings_have(ret, all[i]) && site_stands(w->estate, t->bound->id, all[i]))
            strings_add(ret, all[i]);
    if (now[0])
        strings_add(ret, now);
}

static bool in_vain(const struct shown_token *t)
{
    return t->in_vain_at && clock_ms() - t->in_vain_at < IN_VAIN_MS;
}

bool failover_find(struct world *w, CK_SLOT_ID slot, const char *reason)
{
    struct shown_token *t = &w->tokens[slot];
    struct strings sites = {0};
    struct fault ignored = {0}; /* the application gets what the lost HSM answered */
    bool found = false;

    if (!fails_over(w, slot) || in_vain(t))
        return false;
    sites_put(w, slot, &sites);
    for (size_t i = 0; i < sites.count && !found; i++)
        found = failover_to(w, slot, sites.items[i], reason, false, &ignored) == OK;
    if (!found)
        t->in_vain_at = clock_ms();
    strings_free(&sites);
    return found;
}

void failover_align(struct world *w, CK_SLOT_ID slot)
{
    struct shown_token *t = &w->tokens[slot];
    const char *wanted = token_serving(w->estate, t->bound->id);
    struct fault ignored = {0}; /* it stays where it is, and that one may be lost in its turn */

    if (!t->lower || !t->serving || strcmp(wanted, t->follows) == 0)
        return;
    t->follows[0] = '\0';
    strncat(t->follows, wanted, LIMIT_NAME);
    if (strcmp(wanted, t->serving->site) != 0)
        failover_to(w, slot, t->follows, NULL, true, &ignored);
}

void primaries_follow(struct world *w)
{
    for (size_t i = 0; i < w->token_count; i++) {
        struct shown_token *t = &w->tokens[i];
        struct fault ignored = {0}; /* the slot is then empty */

        if (!t->lower || strcmp(token_primary(w->estate, t->bound->id), t->primary) == 0)
            continue;
        if (fails_over(w, i)) {
            world_name(w, t);
            continue;
        }
        sessions_leave(i);
        t->lower = NULL;
        world_look(w, t, &ignored);
    }
}

void failover_follow(const struct session_view *view)
{
    struct world *w = NULL;

    if (gate_fresh() || gate_open(&w) != CKR_OK)
        return;
    failover_align(w, view->slot);
    left_close(&w->tokens[view->slot], NULL);
    gate_close(w);
}

/* Only what an HSM answers that is lost, or has lost what it knew. */
static bool may_be_loss(CK_RV rv)
{
    switch (rv) {
    case CKR_DEVICE_ERROR:
    case CKR_DEVICE_REMOVED:
    case CKR_TOKEN_NOT_PRESENT:
    case CKR_TOKEN_NOT_RECOGNIZED:
    case CKR_SLOT_ID_INVALID:
    case CKR_SESSION_HANDLE_INVALID:
    case CKR_SESSION_CLOSED:
    case CKR_GENERAL_ERROR:
    case CKR_FUNCTION_FAILED:
    case CKR_USER_NOT_LOGGED_IN:
    case CKR_OBJECT_HANDLE_INVALID:
    case CKR_KEY_HANDLE_INVALID:
    case CKR_CRYPTOKI_NOT_INITIALIZED:
        return true;
    default:
        return false;
    }
}

/* The HSM does not answer, or no longer for this session. */
static bool is_lost(struct world *w, const struct session_view *view)
{
    struct shown_token *t = &w->tokens[view->slot];
    bool in = atomic_load(&t->user_in);
    struct fault ignored = {0};
    CK_SESSION_INFO info = {0};
    CK_SLOT_ID slot = 0;

    if (!t->lower || lower_answers(t->lower, &ignored) != OK)
        return true;
    if (site_soon(w, t->bound->id, t->serving->site, in, &slot, &ignored) != OK || slot != t->lower_slot ||
        view->below->C_GetSessionInfo(view->lower, &info) != CKR_OK)
        return true;
    return in && (info.state == CKS_RO_PUBLIC_SESSION || info.state == CKS_RW_PUBLIC_SESSION);
}

bool failover_again(const struct session_view *before, CK_RV rv, unsigned *turns)
{
    struct world *w = world_current();
    struct session_view now;
    struct fault reason = {0};
    bool again = false;

    if (rv == CKR_OK || !before->watched || !may_be_loss(rv) || !w || ++*turns > TURNS)
        return false;
    pthread_mutex_lock(&w->lock);
    if (session_view(before->handle, &now)) {
        again = now.place != before->place; /* another thread saw to it */
        if (!again && !in_vain(&w->tokens[now.slot]) && is_lost(w, &now)) {
            rv_fault(&reason, w->tokens[now.slot].serving->site, rv);
            again = failover_find(w, now.slot, reason.text);
        }
    }
    pthread_mutex_unlock(&w->lock);
    return again;
}

void failover_logged(CK_SLOT_ID slot, bool in)
{
    struct world *w = world_current();

    if (w)
        atomic_store(&w->tokens[slot].user_in, in);
}

/* In a time that says nothing of the PIN but its length. */
static bool pin_equal(struct span a, struct span b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}

/* The PIN that the application has is the primary's. No HSM is asked: a wrong one costs the replica no try. */
static CK_RV pin_judge(const struct shown_token *t, struct span given, struct fault *f)
{
    struct buf pin = BUF_SECRET(LIMIT_PIN);
    CK_RV rv = CKR_PIN_INCORRECT;

    if (t->binding->pin_kind != PIN_FILE) {
        fault_set(
            f, E_REFUSED,
            "%s is served by %s, and the bindings have no file with the PIN of %s that this one could be compared "
            "with: nobody logs in anew until the primary answers",
            t->bound->id, t->serving->site, t->primary);
        rv = gate_fault(f);
    } else if (binding_pin(t->binding, &pin, f) != OK) {
        rv = gate_fault(f);
    } else if (pin_equal(buf_span(&pin), given)) {
        rv = CKR_OK;
    }
    buf_free(&pin);
    return rv;
}

CK_RV failover_login(struct world *w, const struct session_view *view, CK_USER_TYPE user, const unsigned char *pin,
                     CK_ULONG pin_len)
{
    const struct shown_token *t = &w->tokens[view->slot];
    struct site_link link = made_link(w, view);
    struct fault f = {0};
    CK_RV rv = CKR_OK, answered = CKR_OK;

    if (user == CKU_USER && atomic_load(&t->user_in))
        return CKR_USER_ALREADY_LOGGED_IN;
    if (!t->binding->login_by_module)
        rv = pin || !pin_len ? pin_judge(t, span_of(pin, pin_len), &f) : CKR_ARGUMENTS_BAD;
    if (rv != CKR_OK)
        return rv;
    if (site_log_in(&link, user, &answered, &f) == OK)
        return answered;
    rv = gate_fault(&f);
    return answered == CKR_OK || answered == CKR_PIN_INCORRECT ? rv : answered;
}

enum outcome failover_settle(struct world *w, json_t *report, struct fault *f)
{
    enum outcome outcome = OK;

    for (size_t i = 0; i < w->token_count && outcome == OK; i++) {
        const char *token = w->tokens[i].bound->id, *primary = token_primary(w->estate, token);
        const char *text = "uses go to the primary again";
        struct site_link link = {0};
        struct fault why = {0};
        json_t *line = NULL;

        if (strcmp(token_serving(w->estate, token), primary) == 0)
            continue;
        if (site_answers(w, token, primary, &link, &why) == OK) {
            site_close(&link);
            outcome = failover_log(w, token, token_primary(w->estate, token), "it answers again", f);
        } else {
            text = why.text;
        }
        line = json_object();
        if (outcome == OK && !(json_put_string(line, "outcome", text) && json_put_string(line, "token", token) &&
                               json_array_append(report, line) == 0))
            outcome = fault_memory(f);
        json_decref(line);
    }
    return outcome;
}
