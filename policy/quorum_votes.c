#include <stdlib.h>
#include <string.h>

#include "policy/quorum.h"

/* One vote of somebody on the roster. */
struct ballot {
    const struct vote *vote;
    const struct person *person, *seat;
    enum standing standing;
    bool weighs;            /* the person could count for this quorum, and voted in time */
    const char *code, *why; /* of one that does not weigh */
    bool chosen;
};

struct tally {
    struct judge *j;
    const struct quorum *q;
    struct ballot *ballots; /* by log time */
    size_t count;
    size_t rejecters;
    bool *could; /* by person: could still count, or counts */
    struct capacity reached;
};

static int ballot_order(const void *a, const void *b)
{
    const struct vote *x = ((const struct ballot *)a)->vote, *y = ((const struct ballot *)b)->vote;

    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->seq == y->seq ? 0 : x->seq < y->seq ? -1 : 1;
}

static bool same_voice(const struct ballot *a, const struct ballot *b)
{
    return a->seat == b->seat || digest_equal(&a->vote->public_key, &b->vote->public_key);
}

static void ballot_classify(struct tally *t, struct ballot *b, const char *requester)
{
    static const struct {
        const char *code, *why;
    } reasons[] = {
        [STANDING_NOT_YET] = {"not-yet", "was not on the roster yet"},
        [STANDING_LEAVER] = {"leaver", "had left the roster"},
        [STANDING_ROLE] = {"role", "holds none of the roles that count"},
        [STANDING_EXCLUDED] = {"excluded", "holds a role that is excluded"},
        [STANDING_REQUESTER] = {"requester", "nobody approves their own request, nor does their alternate"},
    };

    b->seat = quorum_seat(t->j->policy, b->person, b->vote->at);
    b->standing = quorum_standing(t->j->policy, t->q, b->person, requester, b->vote->at);
    if (b->vote->at > t->j->evidence->at) {
        b->code = "late";
        b->why = "came too late";
    } else if (b->standing != STANDING_COUNTS) {
        b->code = reasons[b->standing].code;
        b->why = reasons[b->standing].why;
    } else {
        b->weighs = true;
    }
}

/* Reads the votes in the order of the log; whoever is not on the roster is named at once. */
static void tally_read(struct tally *t, const char *requester)
{
    const struct evidence *e = t->j->evidence;

    for (size_t i = 0; i < e->vote_count; i++) {
        const struct vote *v = &e->votes[i];
        const struct person *h = policy_person_by_fingerprint(t->j->policy, &v->fingerprint);

        if (v->kind == VOTE_UNUSABLE)
            judge_note(t->j, FINDING_NOTE, "unusable", "%s", v->what == NULL ? "a vote could not be read" : v->what);
        else if (h == NULL)
            judge_note(t->j, FINDING_NOTE, "unknown", "%s with certificate sha256:%s, which the policy does not name",
                       v->kind == VOTE_APPROVAL ? "an approval" : "a rejection", digest_hex(&v->fingerprint).hex);
        else
            t->ballots[t->count++] = (struct ballot){.vote = v, .person = h};
    }
    qsort(t->ballots, t->count, sizeof *t->ballots, ballot_order);
    for (size_t i = 0; i < t->count; i++)
        ballot_classify(t, &t->ballots[i], requester);
}

static bool rejected_by(const struct tally *t, const struct ballot *b, size_t before)
{
    for (size_t i = 0; i < before; i++) {
        const struct ballot *r = &t->ballots[i];

        if (r->vote->kind == VOTE_REJECTION && r->weighs && same_voice(r, b))
            return true;
    }
    return false;
}

static void judge_rejections(struct tally *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct ballot *b = &t->ballots[i];
        const char *reason = b->vote->what == NULL || *b->vote->what == '\0' ? "no reason given" : b->vote->what;

        if (b->vote->kind != VOTE_REJECTION)
            continue;
        if (!b->weighs) {
            judge_note(t->j, FINDING_NOTE, b->code, "%s rejected without weight: %s", b->person->id, b->why);
            continue;
        }
        t->rejecters += !rejected_by(t, b, i);
        judge_note(t->j, FINDING_AGAINST, "rejection", "%s (%s) rejected it on %s: %s", b->person->id,
                   b->person->organisation, moment_format(b->vote->at).text, reason);
    }
    for (size_t i = 0; i < t->count; i++) {
        struct ballot *b = &t->ballots[i];

        if (b->vote->kind == VOTE_APPROVAL && b->weighs && rejected_by(t, b, t->count)) {
            b->weighs = false;
            b->code = "outweighed";
            b->why = "the rejection from the same place outweighs it";
        }
    }
}

static struct capacity chosen_size(const struct tally *t)
{
    struct capacity c = {0};

    for (size_t i = 0; i < t->count; i++) {
        bool first = true;

        if (!t->ballots[i].chosen)
            continue;
        for (size_t k = 0; k < i; k++)
            first = first && !(t->ballots[k].chosen &&
                               strcmp(t->ballots[k].person->organisation, t->ballots[i].person->organisation) == 0);
        c.people++;
        c.organisations += first;
    }
    return c;
}

/* Chooses among the approvals from `first` on that lie within the time: principals before their alternates, then by log
 * time; one for each place and each key. */
static struct capacity choose_window(struct tally *t, size_t first)
{
    moment start = t->ballots[first].vote->at;

    for (size_t i = 0; i < t->count; i++)
        t->ballots[i].chosen = false;
    for (int alternates = 0; alternates <= 1; alternates++)
        for (size_t i = first; i < t->count; i++) {
            struct ballot *b = &t->ballots[i];
            bool taken = false;

            if (!b->weighs || b->vote->kind != VOTE_APPROVAL || (b->seat != b->person) != alternates ||
                (t->q->within > 0 && b->vote->at - start > t->q->within))
                continue;
            for (size_t k = first; k < t->count; k++)
                taken = taken || (t->ballots[k].chosen && same_voice(&t->ballots[k], b));
            b->chosen = !taken;
        }
    return chosen_size(t);
}

/* The first window that makes the quorum, else the first with most people. */
static void choose(struct tally *t)
{
    size_t best = 0;
    bool found = false;

    for (size_t i = 0; i < t->count; i++) {
        struct capacity c = {0};

        if (!t->ballots[i].weighs || t->ballots[i].vote->kind != VOTE_APPROVAL)
            continue;
        c = choose_window(t, i);
        if (!found || c.people > t->reached.people || quorum_reached(t->q, &c)) {
            best = i;
            t->reached = c;
            found = true;
        }
        if (t->q->within == 0 || quorum_reached(t->q, &c))
            break;
    }
    if (found)
        t->reached = choose_window(t, best);
}

static void explain_unchosen(struct tally *t, struct ballot *b)
{
    b->code = "within";
    b->why = "outside of the time from first to last approval (quorate approve --again renews it)";
    for (size_t i = 0; i < t->count; i++) {
        const struct ballot *other = &t->ballots[i];

        if (!other->chosen || !same_voice(other, b))
            continue;
        b->code = other->person == b->person ? "twice" : other->seat == b->seat ? "alternate" : "same-key";
        b->why = other->person == b->person ? "approved before, and counts once"
                 : other->seat == b->seat   ? "an alternate counts in the place of the principal, never beside them"
                                            : "somebody else approved with the same key, which counts once";
    }
}

static void judge_approvals(struct tally *t)
{
    choose(t);
    for (size_t i = 0; i < t->count; i++) {
        struct ballot *b = &t->ballots[i];

        if (b->vote->kind != VOTE_APPROVAL)
            continue;
        if (b->chosen) {
            judge_note(t->j, FINDING_MET, "approval", "%s (%s) approved on %s%s%s", b->person->id,
                       b->person->organisation, moment_format(b->vote->at).text,
                       b->seat == b->person ? "" : " in the place of ", b->seat == b->person ? "" : b->seat->id);
            if (!strings_add(&t->j->verdict->counted, b->person->id))
                t->j->failed = true;
            continue;
        }
        if (b->weighs)
            explain_unchosen(t, b);
        judge_note(t->j, FINDING_NOTE, b->code, "%s approved, which does not count: %s", b->person->id, b->why);
    }
}

/* Who can bring the quorum together: the people of today whose place has not rejected, and whoever counts already. */
static void mark_possible(struct tally *t, const char *requester)
{
    const struct policy *p = t->j->policy;
    moment at = t->j->evidence->at;

    for (size_t i = 0; i < p->person_count; i++) {
        struct vote none = {0};
        struct ballot asked = {.vote = &none, .person = &p->people[i], .seat = quorum_seat(p, &p->people[i], at)};

        t->could[i] = quorum_standing(p, t->q, asked.person, requester, at) == STANDING_COUNTS;
        for (size_t k = 0; k < t->count; k++) {
            const struct ballot *b = &t->ballots[k];

            if (b->vote->kind == VOTE_REJECTION && b->weighs && (b->seat == asked.seat || b->person == asked.person))
                t->could[i] = false;
        }
    }
    for (size_t k = 0; k < t->count; k++)
        if (t->ballots[k].chosen)
            t->could[t->ballots[k].person - p->people] = true;
}

static void quorum_put(const struct tally *t, struct buf *b)
{
    buf_putf(b, "%zu of %u approvals by ", t->reached.people, t->q->at_least);
    names_put(b, &t->q->of, "or");
    if (t->q->organisations > 0)
        buf_putf(b, " from %zu of %u organisations", t->reached.organisations, t->q->organisations);
    if (t->q->within > 0)
        buf_putf(b, " within %s", duration_format(t->q->within).text);
}

static void open_names_put(const struct tally *t, struct buf *b)
{
    struct strings open = {0};
    const struct policy *p = t->j->policy;

    for (size_t i = 0; i < p->person_count; i++) {
        bool voted = false;

        for (size_t k = 0; k < t->count; k++)
            voted = voted || (t->ballots[k].person == &p->people[i] && t->ballots[k].chosen);
        if (t->could[i] && !voted && !strings_add(&open, p->people[i].id))
            b->failed = true;
    }
    if (open.count > 0) {
        buf_puts(b, "; these can still approve: ");
        names_put(b, &open, "and");
    }
    strings_free(&open);
}

static void judge_sum(struct tally *t)
{
    struct buf text = BUF(LIMIT_DOCUMENT);
    struct capacity possible = {0};
    const struct quorum *q = t->q;

    if (!quorum_capacity(t->j->policy, t->could, t->j->evidence->at, &possible)) {
        t->j->failed = true;
        goto out;
    }
    if (quorum_reached(q, &t->reached))
        possible = t->reached; /* whoever left since then has approved all the same */
    quorum_put(t, &text);
    if (t->rejecters > 0 && (q->reject_at > 0 ? t->rejecters >= q->reject_at : !quorum_reached(q, &possible)))
        judge_deny(t->j, "rejected", "%zu rejection%s closed it%s", t->rejecters, t->rejecters == 1 ? "" : "s",
                   q->reject_at > 0 ? "" : ": the quorum can no longer form");
    else if (quorum_reached(q, &t->reached))
        judge_note(t->j, FINDING_MET, "quorum", "%s", buf_str(&text));
    else if (!quorum_reached(q, &possible))
        judge_deny(t->j, "quorum", "%s; the declared people can never bring it together", buf_str(&text));
    else {
        open_names_put(t, &text);
        judge_wait(t->j, "quorum", "%s", buf_str(&text));
    }
    if (text.failed)
        t->j->failed = true;
out:
    buf_free(&text);
}

static int name_order(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void quorum_judge(struct judge *j, const struct quorum *q, const char *requester)
{
    struct tally t = {.j = j, .q = q};
    struct strings *counted = &j->verdict->counted;

    t.ballots = calloc(j->evidence->vote_count + 1, sizeof *t.ballots);
    t.could = calloc(j->policy->person_count + 1, sizeof *t.could);
    if (t.ballots == NULL || t.could == NULL) {
        j->failed = true;
        goto out;
    }
    tally_read(&t, requester);
    judge_rejections(&t);
    judge_approvals(&t);
    mark_possible(&t, requester);
    judge_sum(&t);
    if (counted->count > 1)
        qsort(counted->items, counted->count, sizeof *counted->items, name_order);
out:
    free(t.ballots);
    free(t.could);
}
