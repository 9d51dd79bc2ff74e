#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ceremony/print.h"
#include "ceremony/tool.h"
#include "ceremony/verify_inner.h"
#include "core/limits.h"
#include "estate/serving.h"

/* `quorate verify DIR --trust FILE`: what somebody who was not in the room can know. */

const char *entry_text(const struct entry *e, const char *name)
{
    const char *text = json_string_or_null(e->body, name);

    return text != NULL ? text : "";
}

typedef void entry_visitor(struct verifier *v, const struct entry *e);
static entry_visitor *const visitors[ENTRY_TYPE_COUNT] = {
    [ENTRY_GENESIS] = verify_genesis,
    [ENTRY_REQUEST] = verify_request,
    [ENTRY_APPROVAL] = verify_vote,
    [ENTRY_REJECTION] = verify_vote,
    [ENTRY_INTENT] = verify_intent,
    [ENTRY_POLICY] = verify_policy,
    [ENTRY_SITE_ENROLLED] = verify_enrolment,
    [ENTRY_SITE_RETIRED] = verify_retirement,
    [ENTRY_TRANSPORT_RENEWED] = verify_renewal,
    [ENTRY_ARRIVED] = verify_arrival,
    [ENTRY_FAILOVER] = verify_failover,
    [ENTRY_PROMOTED] = verify_promotion,
    [ENTRY_OFFER] = verify_offer,
    [ENTRY_RECEIPT] = verify_receipt,
    [ENTRY_PROVISIONAL] = verify_provisional,
    [ENTRY_BORN] = verify_birth,
    [ENTRY_REPLICATED] = verify_replicated,
    [ENTRY_ACCEPTED] = verify_accepted,
    [ENTRY_DRILL] = verify_drill,
    [ENTRY_USED] = verify_use,
    [ENTRY_MODIFIED] = verify_key_end,
    [ENTRY_DESTROYED] = verify_key_end,
    [ENTRY_SUSPENDED] = verify_suspension,
    [ENTRY_RESUMED] = verify_suspension,
    [ENTRY_INTRODUCED] = verify_introduced,
    [ENTRY_TAKEN] = verify_taken,
    [ENTRY_LOG_KEY] = verify_log_key,
    [ENTRY_MOVED] = verify_log_key,
    [ENTRY_READOPTED] = verify_readoption,
    [ENTRY_COSIGNED] = verify_cosigned,
    [ENTRY_ENVIRONMENT] = verify_environment,
};

static void verify_entry(struct verifier *v, const struct entry *e)
{
    if (visitors[e->type] != NULL)
        visitors[e->type](v, e);
    verify_ceremony(v, e);
}

static enum outcome verify_visit(void *context, const struct entry *visited, struct fault *f)
{
    struct verifier *v = context;
    struct entry opened = *visited, *e = &opened;
    enum outcome result = OK;

    if (!verify_root_keep(v, &e->leaf))
        return fault_set(f, E_IO, "no room for a temporary file");
    verify_confidential(v, e);
    for (size_t i = 0; i < v->policy_count; i++)
        promotions_apply(v->policies[i], &v->state);
    verify_entry(v, e);
    result = state_apply(&v->state, e, f);
    if (result == OK) {
        v->last = e->type;
        v->last_time = e->time;
        claim_holds(&v->claims, CLAIM_LOG);
        claim_holds(&v->claims, CLAIM_TIME);
    }
    return result;
}

static void verifier_run(struct verifier *v)
{
    struct fault f = {OK, ""};
    struct buf checkpoint = BUF(LIMIT_NOTE);
    char *entries = verify_path(v, "entries");

    if (!verify_file(v, "checkpoint", LIMIT_NOTE, &checkpoint) || entries == NULL)
        claim_fails(&v->claims, CLAIM_LOG, "the log cannot be read");
    else if (log_verify_file(entries, buf_span(&checkpoint), &v->trust.log_key, verify_visit, v, &v->checkpoint, &f) !=
             OK)
        claim_fails(&v->claims, CLAIM_LOG, "%s", f.text);
    else {
        claim_evidence(&v->claims, CLAIM_LOG, "%llu entries, root %.16s", (unsigned long long)v->checkpoint.size,
                       digest_hex(&v->checkpoint.root).hex);
        claim_evidence(&v->claims, CLAIM_TIME, "to %s; no timestamp of an authority", moment_format(v->last_time).text);
        claim_evidence(&v->claims, CLAIM_CUSTODY, "%u bags that the log never saw sealed", v->unsealed_bags);
        if (v->last != ENTRY_CEREMONY_CLOSED)
            claim_fails(&v->claims, CLAIM_CLOSING, "the last entry is not the close of a ceremony");
        verify_awaited(v);
        verify_timestamps(v, buf_span(&checkpoint));
        verify_classes(v);
        verify_closing_cosigned(v);
    }
    verify_inventory(v);
    buf_free(&checkpoint);
    free(entries);
}

static void ceremony_clear(struct verified_ceremony *c)
{
    for (size_t i = 0; i < c->artifact_count; i++) {
        free(c->artifacts[i].kind);
        free(c->artifacts[i].step);
    }
    for (size_t i = 0; i < c->use_count; i++)
        free(c->uses[i].label);
    for (size_t i = 0; i < c->signed_count; i++)
        free(c->signed_things[i].label);
    free(c->artifacts);
    free(c->uses);
    free(c->signed_things);
    free(c->deviations);
    free(c->id);
    json_decref(c->people);
    strings_free(&c->present);
    strings_free(&c->deviated);
    strings_free(&c->deviations_told);
    strings_free(&c->attested);
    strings_free(&c->exhibits);
    strings_free(&c->begun);
    json_decref(c->answers);
    json_decref(c->drills);
    json_decref(c->arrivals);
    json_decref(c->withheld);
    script_free(c->script);
}

static void verifier_clear(struct verifier *v)
{
    for (size_t i = 0; i < v->ceremony_count; i++)
        ceremony_clear(&v->ceremonies[i]);
    for (size_t i = 0; i < v->request_count; i++) {
        request_free(v->requests[i].request);
        json_decref(v->requests[i].verdict);
    }
    for (size_t i = 0; i < v->policy_count; i++)
        policy_free(v->policies[i]);
    verify_offers_free(v);
    free(v->ceremonies);
    free(v->requests);
    free(v->policies);
    if (v->roots != NULL)
        fclose(v->roots);
    strings_free(&v->bags);
    strings_free(&v->expected);
    state_clear(&v->state);
    json_decref(v->software);
    json_decref(v->answered);
    json_decref(v->classes);
    claims_clear(&v->claims);
    trust_clear(&v->trust);
}

static void ceremony_tell(const struct verified_ceremony *c, struct buf *b)
{
    buf_puts(b, "ceremony ");
    print_text(b, c->id);
    buf_putf(b, ": %zu steps, %zu deviations%s\n", c->script->step_count, c->deviation_count,
             c->closed ? "" : ", not closed");
    for (size_t i = 0; i < c->deviations_told.count; i++) {
        buf_puts(b, "  ");
        print_text(b, c->deviations_told.items[i]);
        buf_puts(b, "\n");
    }
}

/* What differs from the rehearsal: what may, and what may not. */
struct differences {
    struct strings allowed, refused;
};

static bool strings_put(json_t *object, const char *name, const struct strings *s)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; i < s->count && good; i++)
        good = json_array_append_new(list, json_string(s->items[i])) == 0;
    if (good)
        return json_put(object, name, list);
    json_decref(list);
    return false;
}

/* The claims, and besides: classes of confidential bodies, deviations, what differs from the rehearsal. */
static json_t *verify_json(const struct verifier *v, const struct differences *differences)
{
    json_t *result = claims_json(&v->claims), *deviations = json_array();
    bool good = result != NULL && deviations != NULL;

    for (size_t i = 0; i < v->ceremony_count && good; i++)
        for (size_t k = 0; k < v->ceremonies[i].deviations_told.count && good; k++)
            good = json_array_append_new(deviations, json_string(v->ceremonies[i].deviations_told.items[k])) == 0;
    if (good && v->classes != NULL)
        good = json_put(result, "classes", json_incref(v->classes));
    good = good && json_put(result, "deviations", json_incref(deviations)) &&
           strings_put(result, "differences", &differences->allowed) &&
           strings_put(result, "not-rehearsed", &differences->refused);
    json_decref(deviations);
    if (good)
        return result;
    json_decref(result);
    return NULL;
}

static void differences_put(const char *what, const struct strings *s, struct buf *b)
{
    for (size_t i = 0; i < s->count; i++) {
        buf_puts(b, what);
        print_text(b, s->items[i]);
        buf_puts(b, "\n");
    }
}

static enum outcome verify_tell(const struct verifier *v, const struct differences *differences, bool json,
                                struct fault *f)
{
    struct buf text = BUF(OUTPUT_MAX);
    enum outcome result = OK;
    bool holds = claims_hold(&v->claims);

    if (json)
        return print_json(verify_json(v, differences), f);
    claims_put(&v->claims, &text);
    buf_puts(&text, "\n");
    for (size_t i = 0; i < v->ceremony_count; i++)
        ceremony_tell(&v->ceremonies[i], &text);
    differences_put("differs from the rehearsal: ", &differences->allowed, &text);
    differences_put("was not rehearsed like this: ", &differences->refused, &text);
    print_toned(&text, holds ? TONE_GOOD : TONE_BAD, holds ? "The transcript holds." : "The transcript does NOT hold.");
    if (v->withheld != 0)
        buf_putf(&text, " %zu bodies are withheld; what rests on them is not verifiable here.", v->withheld);
    buf_puts(&text, "\n");
    result = print_out(&text, f);
    buf_free(&text);
    return result;
}

/* What is not there at all, or is no folder, does not fail to hold: nobody looked at it. */
static enum outcome folder_there(const char *folder, struct fault *f)
{
    struct stat s;

    if (stat(folder, &s) != 0)
        return fault_errno(f, "cannot read the transcript", folder);
    return S_ISDIR(s.st_mode) ? OK : fault_set(f, E_INVALID, "%s is no folder: a transcript is one", folder);
}

/* The other transcript is verified too, as its own trust file wants it. */
static enum outcome rehearsal_run(struct verifier *v, const struct arguments *a, struct differences *ret_differences,
                                  struct fault *f)
{
    struct verifier other = {.folder = argument(a, "rehearsal")};
    const char *trust = NULL;
    enum outcome result = OK;

    if (other.folder == NULL)
        return OK;
    state_init(&other.state);
    result = argument_want(a, "rehearsal-trust", &trust, f);
    if (result == OK)
        result = trust_load(trust, &other.trust, f);
    if (result == OK)
        result = folder_there(other.folder, f);
    if (result == OK) {
        verifier_run(&other);
        verify_rehearsal(v, &other, &ret_differences->allowed, &ret_differences->refused);
    }
    verifier_clear(&other);
    return result;
}

enum outcome run_verify(const struct arguments *a, struct fault *f)
{
    struct verifier v = {.folder = a->operands[0]};
    struct differences differences = {0};
    const char *trust = NULL;
    enum outcome result = argument_want(a, "trust", &trust, f);

    state_init(&v.state);
    if (result == OK)
        result = trust_load(trust, &v.trust, f);
    if (result == OK)
        result = folder_there(v.folder, f);
    if (result == OK) {
        verifier_run(&v);
        result = rehearsal_run(&v, a, &differences, f);
    }
    if (result == OK)
        result = verify_tell(&v, &differences, argument_flag(a, "json"), f);
    if (result == OK && !claims_hold(&v.claims)) {
        f->text[0] = '\0';
        result = E_REFUSED;
    }
    strings_free(&differences.allowed);
    strings_free(&differences.refused);
    verifier_clear(&v);
    return result;
}
