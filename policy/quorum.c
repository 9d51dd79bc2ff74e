#include "policy/quorum.h"

#include <stdlib.h>
#include <string.h>

static bool on_roster(const struct person *h, moment at)
{
    return at >= h->from && at < h->until;
}

const struct person *quorum_seat(const struct policy *p, const struct person *h, moment at)
{
    const struct person *principal = h->alternate_for == NULL ? NULL : policy_person(p, h->alternate_for);

    if (principal == NULL || at < h->alternate_from || at >= h->alternate_until || !on_roster(principal, at))
        return h;
    return principal;
}

static bool any_role(const struct strings *roles, const struct person *h)
{
    for (size_t i = 0; i < h->roles.count; i++)
        if (strings_have(roles, h->roles.items[i]))
            return true;
    return false;
}

enum standing quorum_standing(const struct policy *p, const struct quorum *q, const struct person *h,
                              const char *requester, moment at)
{
    const struct person *seat = quorum_seat(p, h, at);

    if (at < h->from)
        return STANDING_NOT_YET;
    if (at >= h->until)
        return STANDING_LEAVER;
    if (any_role(&q->except, h) || any_role(&q->except, seat))
        return STANDING_EXCLUDED;
    if (!any_role(&q->of, h) && !any_role(&q->of, seat))
        return STANDING_ROLE;
    /* In the requester's place their alternate would approve the requester's own request. */
    if (requester != NULL && (strcmp(requester, h->id) == 0 || strcmp(requester, seat->id) == 0))
        return STANDING_REQUESTER;
    return STANDING_COUNTS;
}

/* Seats and organisations, as the two sides of a matching: an organisation is represented once, by a seat of its own. */
struct matching {
    const struct policy *policy;
    const bool *marked;
    moment at;
    const char **organisations;
    size_t organisation_count;
    size_t *holder; /* by seat (index of its person): the organisation that it represents + 1, 0: none */
    bool *visited;  /* by seat, within one search */
};

static size_t seat_index(const struct matching *m, size_t person)
{
    return (size_t)(quorum_seat(m->policy, &m->policy->people[person], m->at) - m->policy->people);
}

/* Augmenting path (Kuhn): depth is bounded by the number of organisations. */
static bool represent(struct matching *m, size_t organisation)
{
    for (size_t i = 0; i < m->policy->person_count; i++) {
        size_t seat = 0;

        if (!m->marked[i] || strcmp(m->policy->people[i].organisation, m->organisations[organisation]) != 0)
            continue;
        seat = seat_index(m, i);
        if (m->visited[seat])
            continue;
        m->visited[seat] = true;
        if (m->holder[seat] == 0 || represent(m, m->holder[seat] - 1)) {
            m->holder[seat] = organisation + 1;
            return true;
        }
    }
    return false;
}

static void list_organisations(struct matching *m)
{
    for (size_t i = 0; i < m->policy->person_count; i++) {
        const char *name = m->policy->people[i].organisation;
        size_t k = 0;

        while (k < m->organisation_count && strcmp(m->organisations[k], name) != 0)
            k++;
        if (m->marked[i] && k == m->organisation_count)
            m->organisations[m->organisation_count++] = name;
    }
}

bool quorum_capacity(const struct policy *p, const bool *marked, moment at, struct capacity *ret)
{
    size_t n = p->person_count;
    struct matching m = {.policy = p, .marked = marked, .at = at};
    struct capacity c = {0};
    bool done = false;

    m.organisations = calloc(n + 1, sizeof *m.organisations);
    m.holder = calloc(n + 1, sizeof *m.holder);
    m.visited = calloc(n + 1, sizeof *m.visited);
    if (m.organisations == NULL || m.holder == NULL || m.visited == NULL)
        goto out;
    for (size_t i = 0; i < n; i++)
        if (marked[i])
            m.visited[seat_index(&m, i)] = true;
    for (size_t i = 0; i < n; i++)
        c.people += m.visited[i];
    list_organisations(&m);
    for (size_t k = 0; k < m.organisation_count; k++) {
        memset(m.visited, 0, (n + 1) * sizeof *m.visited);
        c.organisations += represent(&m, k);
    }
    *ret = c;
    done = true;
out:
    free(m.organisations);
    free(m.holder);
    free(m.visited);
    return done;
}

bool quorum_reached(const struct quorum *q, const struct capacity *c)
{
    return q->at_least > 0 && c->people >= q->at_least && c->organisations >= q->organisations;
}
