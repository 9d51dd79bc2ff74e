#include "policy/replicas.h"

#include <string.h>

#include "core/hardware.h"
#include "core/limits.h"

uint32_t replicas_best(const struct spot *primary, const struct spot *spots, size_t count, double apart_km)
{
    uint32_t near[LIMIT_SITES - 1] = {0}, usable = 0, best = 0;
    int most = 0;

    if (!primary->usable || count > LIMIT_SITES - 1)
        return 0;
    for (size_t i = 0; i < count; i++) {
        const struct spot *a = &spots[i];

        if (a->usable && (apart_km <= 0 || place_distance_km(a->latitude, a->longitude, primary->latitude,
                                                             primary->longitude) >= apart_km))
            usable |= UINT32_C(1) << i;
        for (size_t k = 0; k < count; k++)
            if (k != i && apart_km > 0 &&
                place_distance_km(a->latitude, a->longitude, spots[k].latitude, spots[k].longitude) < apart_km)
                near[i] |= UINT32_C(1) << k;
    }
    for (uint32_t set = 1; set < UINT32_C(1) << count; set++) {
        bool apart = (set & ~usable) == 0;

        for (size_t i = 0; apart && i < count; i++)
            apart = (set >> i & 1) == 0 || (set & near[i]) == 0;
        if (apart && __builtin_popcount(set) > most) {
            most = __builtin_popcount(set);
            best = set;
        }
    }
    return best;
}

bool replicas_place_fits(const struct replica_rule *r, const char *country, const struct strings *tags)
{
    for (size_t i = 0; i < r->tagged.count; i++)
        if (tags == NULL || !strings_have(tags, r->tagged.items[i]))
            return false;
    return r->countries.count == 0 || (country != NULL && strings_have(&r->countries, country));
}

static bool place_matters(const struct replica_rule *r)
{
    return r->apart_km > 0 || r->tagged.count > 0 || r->countries.count > 0;
}

static const struct site_fact *fact_of(const struct evidence *e, const char *token, const char *site)
{
    for (size_t i = 0; i < e->site_count; i++)
        if (strcmp(e->sites[i].token, token) == 0 && strcmp(e->sites[i].site, site) == 0)
            return &e->sites[i];
    return NULL;
}

bool replicas_hardware_fits(const struct replica_rule *r, const char *hardware)
{
    if (r->hardware == NULL)
        return true;
    if (hardware == NULL)
        return false;
    /* The vendor's word is worth more than that of people who read the label. */
    return strcmp(hardware, HARDWARE_BY_VENDOR) == 0 ||
           (strcmp(hardware, HARDWARE_BY_PEOPLE) == 0 && strcmp(r->hardware, HARDWARE_BY_VENDOR) != 0);
}

/* Where the HSM counts as being: where it is, or, while it may still be on its way, at its site. False: nowhere known. */
static bool spot_find(struct judge *j, const struct replica_rule *r, const struct site_fact *fact, struct spot *spot,
                      const char **country, const struct strings **tags)
{
    const struct site *home = policy_site(j->policy, fact->site);
    struct moment_text by;

    if (fact->at_home || (r->placed_within.seconds == 0 && r->placed_within.months == 0) || home == NULL) {
        *spot = (struct spot){.usable = true, .latitude = fact->latitude, .longitude = fact->longitude};
        *country = fact->country;
        *tags = fact->tags;
        return fact->placed;
    }
    *spot = (struct spot){.usable = true, .latitude = home->at.latitude, .longitude = home->at.longitude};
    *country = home->at.country;
    *tags = &home->at.tags;
    by = moment_format(moment_add(j->evidence->at, r->placed_within));
    judge_note(j, FINDING_NOTE, "place", "the HSM of %s is not at its site yet; it must have arrived there by %s",
               fact->site, by.text);
    return true;
}

/* The primary holds the key whatever the rule says of replicas; it must be enrolled, and its place known. */
static void primary_spot(struct judge *j, const struct replica_rule *r, const struct token *token, struct spot *spot)
{
    const struct site_fact *fact = fact_of(j->evidence, token->id, token->primary);
    const char *country = NULL;
    const struct strings *tags = NULL;

    *spot = (struct spot){0};
    if (fact == NULL || !fact->enrolled) {
        judge_wait(j, "site", "the primary %s of %s is not enrolled", token->primary, token->id);
    } else if (fact->away) {
        judge_wait(j, "site", "the HSM of the primary %s is on its way: it left and has not arrived", token->primary);
    } else if (!place_matters(r)) {
        spot->usable = true;
    } else if (!spot_find(j, r, fact, spot, &country, &tags)) {
        spot->usable = false;
        judge_wait(j, "site", "where the HSM of the primary %s is now is not known: no arrival is recorded",
                   token->primary);
    }
}

static void replica_spot(struct judge *j, const struct replica_rule *r, const char *token, const char *site,
                         struct spot *spot)
{
    const struct site_fact *fact = fact_of(j->evidence, token, site);
    const char *country = NULL, *why = NULL;
    const struct strings *tags = NULL;

    *spot = (struct spot){0};
    if (r->sites.count > 0 && !strings_have(&r->sites, site))
        return;
    if (fact == NULL || !fact->enrolled)
        why = "is not enrolled";
    else if (fact->away)
        why = "is on its way: it left and has not arrived";
    else if (!replicas_hardware_fits(r, fact->hardware))
        why = "has hardware that is not attested as the rule asks";
    else if ((r->fresh.seconds != 0 || r->fresh.months != 0) &&
             (fact->drilled == 0 || j->evidence->at > moment_add(fact->drilled, r->fresh)))
        why = "was not drilled within the time that the rule asks";
    else if (!place_matters(r))
        spot->usable = true;
    else if (!spot_find(j, r, fact, spot, &country, &tags))
        why = "has no known place: no arrival is recorded";
    else if (!replicas_place_fits(r, country, tags))
        why = "is in no place with the tags and the country that the rule asks";
    if (why != NULL) {
        spot->usable = false;
        judge_note(j, FINDING_NOTE, "site", "replica site %s of %s %s", site, token, why);
    }
}

static void judge_count(struct judge *j, const struct replica_rule *r, const struct token *token, uint32_t best)
{
    struct buf apart = BUF(64);
    size_t found = (size_t)__builtin_popcount(best);

    if (r->apart_km > 0)
        buf_putf(&apart, ", %.0f km from the primary and from each other", r->apart_km);
    for (size_t i = 0; i < token->replicas.count; i++)
        if ((best >> i & 1) != 0 && !strings_add(&j->verdict->sites, token->replicas.items[i]))
            j->failed = true;
    if (found >= r->at_least)
        judge_note(j, FINDING_MET, "replicas", "%zu of %u replica sites qualify%s", found, r->at_least,
                   buf_str(&apart));
    else
        judge_wait(j, "replicas", "%zu of %u replica sites qualify%s", found, r->at_least, buf_str(&apart));
    j->failed = j->failed || apart.failed;
    buf_free(&apart);
}

void replicas_judge(struct judge *j, const struct replica_rule *r, const char *token_id)
{
    const struct token *token = token_id == NULL ? NULL : policy_token(j->policy, token_id);
    struct spot primary = {0}, spots[LIMIT_SITES - 1] = {0};

    if (token == NULL) {
        judge_deny(j, "replicas", "the policy declares no token %s", token_id == NULL ? "here" : token_id);
        return;
    }
    if (token->replicas.count < r->at_least) {
        judge_deny(j, "replicas", "%s has %zu replica sites, and the rule asks for %u", token->id,
                   token->replicas.count, r->at_least);
        return;
    }
    primary_spot(j, r, token, &primary);
    for (size_t i = 0; i < token->replicas.count; i++)
        replica_spot(j, r, token->id, token->replicas.items[i], &spots[i]);
    judge_count(j, r, token, replicas_best(&primary, spots, token->replicas.count, r->apart_km));
}

bool replicas_in_place(const struct policy *p, const struct replica_rule *r, const char *token_id,
                       const struct evidence *e, const struct strings *held)
{
    const struct token *token = policy_token(p, token_id);
    const struct site_fact *fact = token == NULL ? NULL : fact_of(e, token_id, token->primary);
    struct spot primary = {0}, spots[LIMIT_SITES - 1] = {0};

    if (!place_matters(r))
        return true;
    if (fact == NULL || !fact->placed)
        return false;
    primary = (struct spot){.usable = true, .latitude = fact->latitude, .longitude = fact->longitude};
    for (size_t i = 0; i < token->replicas.count; i++) {
        fact = fact_of(e, token_id, token->replicas.items[i]);
        if (fact != NULL && fact->placed && held != NULL && strings_have(held, fact->site) &&
            replicas_place_fits(r, fact->country, fact->tags))
            spots[i] = (struct spot){.usable = true, .latitude = fact->latitude, .longitude = fact->longitude};
    }
    return (unsigned)__builtin_popcount(replicas_best(&primary, spots, token->replicas.count, r->apart_km)) >=
           r->at_least;
}
