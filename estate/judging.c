#include "estate/judging.h"

#include <string.h>

#include "estate/evidence.h"

enum outcome verdict_reach(struct estate *e, const struct policy *judge, const struct request *r,
                           const struct ceremony_fact *ceremony, const struct votes *votes, moment at,
                           struct verdict **ret, struct fault *f)
{
    struct evidence_base base = {0};
    enum outcome result = evidence_gather(&e->state, judge, r->subject, &base, f);

    if (result == OK) {
        struct evidence evidence = {.at = at,
                                    .votes = votes->items,
                                    .vote_count = votes->count,
                                    .sites = base.sites,
                                    .site_count = base.site_count,
                                    .ceremony = ceremony,
                                    .key = base.has_key ? &base.key : NULL,
                                    .suspended = base.suspended,
                                    .cosigned = base.cosigned};

        result = policy_evaluate(judge, r, &evidence, ret, f);
    }
    evidence_clear(&base);
    return result;
}

enum outcome refusal_log(struct estate *e, const struct request *r, bool named, const struct verdict *v,
                         const char *closed, struct fault *f)
{
    json_t *body = json_object(), *findings = json_array();
    const struct subject *s = r->subject;
    bool good = body != NULL && findings != NULL;
    enum outcome result = E_MEMORY;

    for (size_t i = 0; good && i < v->finding_count; i++)
        if (v->findings[i].kind != FINDING_MET)
            good = json_array_append_new(findings, json_string(v->findings[i].text)) == 0;
    good = good && json_put(body, "findings", json_incref(findings)) &&
           json_put_string(body, "operation", operation_name(s->operation)) &&
           json_put_string(body, "requester", s->requester) && json_put_digest(body, "subject", &r->subject_digest);
    if (good && s->token != NULL)
        good = json_put_string(body, "token", s->token);
    if (good && s->label != NULL && s->label[0] != '\0')
        good = json_put_string(body, "label", s->label);
    if (good && named)
        good = json_put_digest(body, "request", &r->id);
    if (good && closed != NULL)
        good = json_put_string(body, "closed", closed);
    result = good ? log_append(e->log, ENTRY_REFUSED, e->ceremony, body, NULL, f) : fault_memory(f);
    json_decref(findings);
    json_decref(body);
    return result;
}

static const char *verdict_closes(const struct verdict *v)
{
    for (size_t i = 0; v->decision == DECISION_DENY && i < v->finding_count; i++)
        if (v->findings[i].kind == FINDING_AGAINST &&
            (strcmp(v->findings[i].code, "rejected") == 0 || strcmp(v->findings[i].code, "expired") == 0))
            return v->findings[i].code;
    return NULL;
}

enum outcome pending_judge(struct estate *e, const struct policy *judge, const struct request *r,
                           const struct ceremony_fact *ceremony, struct verdict **ret, const char **ret_closed,
                           struct fault *f)
{
    struct votes votes = {0};
    struct verdict *verdict = NULL;
    const char *closed = NULL;
    enum outcome result = votes_gather(e, judge, r, true, &votes, f);

    if (result == OK)
        result = verdict_reach(e, judge, r, ceremony, &votes, log_time(e->log), &verdict, f);
    if (result == OK)
        closed = verdict_closes(verdict);
    if (closed != NULL)
        result = refusal_log(e, r, true, verdict, closed, f);
    if (result == OK) {
        *ret = verdict;
        *ret_closed = closed;
        verdict = NULL; /* taken by the caller */
    }
    verdict_free(verdict);
    votes_clear(&votes);
    return result;
}
