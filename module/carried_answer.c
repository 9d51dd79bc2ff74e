#include "audit/listing.h"
#include "core/limits.h"
#include "module/arrival.h"
#include "module/carried.h"
#include "module/drill.h"
#include "module/recovery.h"
#include "module/shelf.h"

/* Answers that people carry back to questions that they carried there. */

static enum outcome question_open(const struct world *w, enum message_kind kind, const char *token, const char *site,
                                  struct inquiry *ret, struct fault *f)
{
    enum outcome outcome = inquiry_read(w->estate, kind, token, site, ret, f);
    if (outcome == E_ABSENT)
        return fault_set(
            f, E_REFUSED,
            "nobody waits for it: no %s of %s at %s is asked for now, and what was asked before is answered",
            message_kind_name(kind), token, site);
    return outcome;
}

/* A death between the entry and the end of the question: it is in the log, once. */
static enum outcome logged_already(const struct world *w, const struct inquiry *q, enum entry_type type,
                                   struct fault *f)
{
    const struct log *log = w->estate->log;
    enum outcome outcome = OK;
    bool logged = false;
    for (uint64_t seq = q->size; seq < log_size(log) && outcome == OK && !logged; seq++) {
        struct buf line = BUF(LIMIT_ENTRY);
        struct entry e = {.json = NULL};
        struct digest challenge;
        struct fault none = {OK, ""};
        outcome = log_entry_bytes(log, seq, &line, f);
        if (outcome == OK)
            outcome = entry_parse(buf_span(&line), &e, f);
        logged = outcome == OK && e.type == type && json_want_digest(e.body, "challenge", &challenge, &none) == OK &&
                 digest_equal(&challenge, &q->challenge);
        entry_clear(&e);
        buf_free(&line);
    }
    if (outcome == OK && logged)
        outcome = inquiry_forget(w->estate, q, f);
    if (outcome == OK && logged)
        outcome = fault_set(f, E_REFUSED, "the log has this answer of %s at %s already", q->token, q->site);
    return outcome;
}

static enum outcome drill_take(struct world *w, const struct inquiry *q, const json_t *receipt, json_t *more,
                               struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DRILL);
    struct drill d = {.keys = NULL};
    json_t *line = json_object();
    enum outcome outcome = line != NULL ? json_canonical(receipt, &bytes, f) : fault_memory(f);
    if (outcome == OK)
        outcome = drill_parse(buf_span(&bytes), &d, f);
    if (outcome == OK)
        outcome = logged_already(w, q, ENTRY_DRILL, f);
    if (outcome == OK)
        outcome = drill_import(w, q, &d, line, f);
    if (outcome == OK && !json_put(more, "drill", json_incref(line)))
        outcome = fault_memory(f);
    json_decref(line);
    drill_clear(&d);
    buf_free(&bytes);
    return outcome;
}

static enum outcome listing_take(struct world *w, const struct inquiry *q, const json_t *receipt, json_t *more,
                                 struct fault *f)
{
    const struct state_site *site = state_site(&w->estate->state, q->token, q->site);
    struct listing l = {.objects = NULL};
    struct shelf h = {.world = NULL};
    json_t *answer = NULL;
    if (site == NULL)
        return fault_set(f, E_REFUSED, "%s at %s is not enrolled: run `quorate enrol`", q->token, q->site);
    const struct site_question asked = {.estate = w->estate->state.estate,
                                        .challenge = q->challenge,
                                        .token = q->token,
                                        .site = q->site,
                                        .serial = site->serial,
                                        .identity = buf_span(&site->identity)};
    enum outcome outcome = inquiry_stands(&w->estate->state, q, f);
    if (outcome == OK)
        outcome = listing_read(receipt, &l, f);
    if (outcome == OK)
        outcome = listing_verify(&l, &asked, f);
    if (outcome == OK)
        outcome = shelf_make(w, &w->estate->state, q->token, q->site, &h, f);
    if (outcome == OK)
        outcome = shelf_judge_listing(&h, &l, f);
    if (outcome == OK) {
        answer =
            json_pack("{sIs[o]}", "differences", (json_int_t)h.differences, "sites", shelf_line(&h, "looked-at", NULL));
        outcome = json_put(more, "inventory", answer) ? OK : fault_memory(f);
    }
    if (h.world != NULL)
        shelf_clear(&h);
    listing_clear(&l);
    return outcome;
}

static enum outcome arrival_take(struct world *w, const struct inquiry *q, const json_t *answer, struct fault *f)
{
    enum outcome outcome = logged_already(w, q, ENTRY_ARRIVED, f);
    return outcome == OK ? arrival_import(w, q, answer, f) : outcome;
}

enum outcome carried_answer(struct world *w, const char *token, const char *site, const struct site_answer *a,
                            json_t *more, struct fault *f)
{
    struct inquiry q = {.kind = a->kind};
    struct lock *lock = NULL;
    json_t *receipt = NULL;
    enum outcome outcome = enrol_lock(w->estate, token, site, &lock, f);
    if (outcome == OK)
        outcome = estate_refresh(w->estate, f);
    if (outcome == OK)
        outcome = question_open(w, a->kind, token, site, &q, f);
    if (outcome == OK && a->kind != MESSAGE_CHALLENGE)
        outcome = json_want_object(a->json, "receipt", &receipt, f);
    if (outcome == OK)
        outcome = a->kind == MESSAGE_CHALLENGE ? arrival_take(w, &q, a->json, f)
                  : a->kind == MESSAGE_DRILL   ? drill_take(w, &q, receipt, more, f)
                                               : listing_take(w, &q, receipt, more, f);
    if (outcome == OK)
        outcome = inquiry_forget(w->estate, &q, f);
    inquiry_clear(&q);
    lock_release(lock);
    return outcome;
}
