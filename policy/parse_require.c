#include <stdlib.h>
#include <string.h>

#include "core/hardware.h"
#include "core/limits.h"
#include "policy/parse.h"

#define KM_MAX 20016u /* half of the way around */

enum outcome parse_quorum(const struct yaml *map, struct quorum *q, struct fault *f)
{
    const struct yaml *organisations = NULL, *within = NULL, *except = NULL, *reject_at = NULL;
    struct span_of_time span = {0};
    enum outcome o = OK;

    if ((o = parse_not_yet(map, f)) != OK ||
        (o = yaml_members(map, "of at-least ?organisations ?within ?except ?reject-at", f)) != OK)
        return o;
    organisations = yaml_get(map, "organisations");
    within = yaml_get(map, "within");
    except = yaml_get(map, "except");
    reject_at = yaml_get(map, "reject-at");
    q->line = map->line;
    if ((o = yaml_strings(yaml_get(map, "of"), &q->of, f)) != OK ||
        (o = yaml_count(yaml_get(map, "at-least"), 1, LIMIT_PEOPLE, &q->at_least, f)) != OK ||
        (organisations != NULL && (o = yaml_count(organisations, 1, LIMIT_PEOPLE, &q->organisations, f)) != OK) ||
        (except != NULL && (o = yaml_strings(except, &q->except, f)) != OK) ||
        (reject_at != NULL && (o = yaml_count(reject_at, 1, LIMIT_PEOPLE, &q->reject_at, f)) != OK) ||
        (within != NULL && (o = yaml_duration(within, &span, f)) != OK))
        return o;
    if (q->organisations > q->at_least)
        return yaml_fault(organisations, f, "%u organisations need at-least: %u or more people", q->organisations,
                          q->organisations);
    if (within != NULL && (span.months != 0 || span.seconds <= 0))
        return yaml_fault(within, f, "expected a time in seconds, minutes, hours, days or weeks");
    q->within = span.seconds;
    return OK;
}

static enum outcome parse_distance(const struct yaml *node, struct replica_rule *r, struct fault *f)
{
    unsigned km = 0;
    enum outcome o = yaml_count(node, 1, KM_MAX, &km, f);

    if (o == OK)
        r->apart_km = km;
    return o;
}

static enum outcome parse_replica_sites(const struct policy *p, const struct yaml *node, struct replica_rule *r,
                                        struct fault *f)
{
    enum outcome o = yaml_strings(node, &r->sites, f);

    for (size_t i = 0; o == OK && i < r->sites.count; i++)
        if (policy_site(p, r->sites.items[i]) == NULL)
            o = yaml_fault(parse_item(node, i), f, "no site %s is declared", r->sites.items[i]);
    if (o == OK && r->sites.count < r->at_least)
        o = yaml_fault(node, f, "%zu sites can never hold at-least: %u replicas", r->sites.count, r->at_least);
    return o;
}

/* `provisional-use: [self-sign]`: what a key may do before its last receipts have come. */
static enum outcome parse_provisional_use(const struct yaml *node, const struct yaml *deferred, struct replica_rule *r,
                                          struct fault *f)
{
    struct strings uses = {0};
    unsigned choice = 0;
    enum outcome o = yaml_strings(node, &uses, f);

    if (o == OK && deferred == NULL)
        o = yaml_fault(node, f, "without `deferred` no key is ever provisional; leave provisional-use out");
    for (size_t i = 0; i < uses.count && o == OK; i++)
        o = yaml_choice(parse_item(node, i), "self-sign", &choice, f);
    r->self_signs = o == OK;
    strings_free(&uses);
    return o;
}

/* `spares: 3`: how many offers more than one lie ready for each site that files are carried to. */
static enum outcome parse_spares(const struct yaml *node, const struct yaml *deferred, struct replica_rule *r,
                                 struct fault *f)
{
    r->spares = LIMIT_SPARES_USUAL;
    if (node == NULL)
        return OK;
    if (deferred == NULL)
        return yaml_fault(node, f, "without `deferred` no offer is ever carried; leave spares out");
    return yaml_count(node, 0, LIMIT_SPARES, &r->spares, f);
}

static enum outcome parse_replica_rule(const struct policy *p, const struct yaml *map, struct replica_rule *r,
                                       struct fault *f)
{
    const struct yaml *apart = NULL, *tagged = NULL, *countries = NULL, *sites = NULL, *placed = NULL;
    const struct yaml *hardware = NULL, *fresh = NULL, *deferred = NULL, *spares = NULL, *use = NULL;
    unsigned choice = 0;
    enum outcome o = OK;

    if ((o = parse_not_yet(map, f)) != OK ||
        (o = yaml_members(map,
                          "at-least prove ?apart-km ?tagged ?countries ?sites ?placed-within ?hardware "
                          "?fresh ?deferred ?spares ?provisional-use",
                          f)) != OK)
        return o;
    r->present = true;
    apart = yaml_get(map, "apart-km");
    tagged = yaml_get(map, "tagged");
    countries = yaml_get(map, "countries");
    sites = yaml_get(map, "sites");
    placed = yaml_get(map, "placed-within");
    hardware = yaml_get(map, "hardware");
    fresh = yaml_get(map, "fresh");
    deferred = yaml_get(map, "deferred");
    spares = yaml_get(map, "spares");
    use = yaml_get(map, "provisional-use");
    if ((o = yaml_count(yaml_get(map, "at-least"), 1, LIMIT_SITES - 1, &r->at_least, f)) != OK ||
        (o = yaml_choice(yaml_get(map, "prove"), "attest signature", &choice, f)) != OK)
        return o;
    r->prove_signature = choice == 1;
    if ((apart != NULL && (o = parse_distance(apart, r, f)) != OK) ||
        (tagged != NULL && (o = yaml_strings(tagged, &r->tagged, f)) != OK) ||
        (countries != NULL && (o = yaml_strings(countries, &r->countries, f)) != OK) ||
        (sites != NULL && (o = parse_replica_sites(p, sites, r, f)) != OK) ||
        (placed != NULL && (o = yaml_duration(placed, &r->placed_within, f)) != OK) ||
        (fresh != NULL && (o = yaml_duration(fresh, &r->fresh, f)) != OK) ||
        (deferred != NULL && (o = yaml_duration(deferred, &r->deferred, f)) != OK) ||
        (o = parse_spares(spares, deferred, r, f)) != OK ||
        (use != NULL && (o = parse_provisional_use(use, deferred, r, f)) != OK) || hardware == NULL)
        return o;
    if ((o = yaml_choice(hardware, "attested " HARDWARE_BY_PEOPLE " " HARDWARE_BY_VENDOR, &choice, f)) != OK)
        return o;
    return yaml_text(hardware, &r->hardware, f);
}

static bool number_within(const char *text, unsigned long min, unsigned long max)
{
    unsigned long value = 0;

    if (*text < '1' || *text > '9' || strlen(text) > 6)
        return false;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (unsigned long)(*text - '0');
    return *text == '\0' && value >= min && value <= max;
}

static bool key_type_known(const char *text)
{
    static const char *const fixed[] = {"EC:P-256", "EC:P-384", "EC:P-521", "EC:Ed25519",
                                        "AES:128",  "AES:192",  "AES:256"};

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (strcmp(text, fixed[i]) == 0)
            return true;
    return (strncmp(text, "RSA:", 4) == 0 && number_within(text + 4, 2048, 16384)) ||
           (strncmp(text, "GENERIC:", 8) == 0 && number_within(text + 8, 128, 4096));
}

static enum outcome parse_key_rule(const struct yaml *map, struct key_rule *k, struct fault *f)
{
    const struct yaml *types = NULL, *usage = NULL, *lifetime = NULL;
    unsigned choice = 0;
    enum outcome o = OK;

    if ((o = parse_not_yet(map, f)) != OK || (o = yaml_members(map, "?types ?usage ?lifetime", f)) != OK)
        return o;
    if (map->count == 0)
        return yaml_fault(map, f, "nothing is asked of the key; say types, usage or lifetime, or leave key out");
    k->present = true;
    types = yaml_get(map, "types");
    usage = yaml_get(map, "usage");
    lifetime = yaml_get(map, "lifetime");
    if ((types != NULL && (o = yaml_strings(types, &k->types, f)) != OK) ||
        (usage != NULL && (o = yaml_strings(usage, &k->usage, f)) != OK) ||
        (lifetime != NULL && (o = yaml_duration(lifetime, &k->lifetime, f)) != OK))
        return o;
    for (size_t i = 0; i < k->types.count; i++)
        if (!key_type_known(k->types.items[i]))
            return yaml_fault(parse_item(types, i), f,
                              "unknown key type %s; expected one such as EC:P-384, RSA:3072, "
                              "AES:256 or GENERIC:256",
                              k->types.items[i]);
    for (size_t i = 0; i < k->usage.count; i++)
        if ((o = yaml_choice(parse_item(usage, i), "sign decrypt derive wrap", &choice, f)) != OK)
            return o;
    return OK;
}

/* `extractable: closed` or `trusted-wrap-only`, and `transport: {allow: [cloned, oaep-sha1]}`. */
static enum outcome parse_wrapping(const struct yaml *extractable, const struct yaml *transport, struct rule *rule,
                                   struct fault *f)
{
    unsigned choice = 0;
    const struct yaml *allow = NULL;
    enum outcome o = OK;

    if (extractable != NULL && (o = yaml_choice(extractable, "closed trusted-wrap-only", &choice, f)) != OK)
        return o;
    rule->extractable_closed = extractable != NULL && choice == 0;
    rule->trusted_wrap_only = extractable != NULL && choice == 1;
    if (transport == NULL)
        return OK;
    if ((o = yaml_members(transport, "allow", f)) != OK)
        return o;
    allow = yaml_get(transport, "allow");
    if ((o = yaml_strings(allow, &rule->transport, f)) != OK)
        return o;
    for (size_t i = 0; i < rule->transport.count; i++)
        if ((o = yaml_choice(parse_item(allow, i), "cloned oaep-sha1", &choice, f)) != OK)
            return o;
    return OK;
}

/* What is asked of a new key says nothing about any other operation; how it travels, of one that is brought to a site too. */
static enum outcome check_births_only(const struct yaml *map, const struct rule *rule, struct fault *f)
{
    static const char *const births[] = {"transport", "replicas", "key", "extractable"};
    const uint32_t birth = UINT32_C(1) << OP_GENERATE, travels = birth | UINT32_C(1) << OP_REPLICATE;

    if (rule->operations == birth)
        return OK;
    for (size_t i = 0; i < map->count; i++)
        for (size_t k = (rule->operations & ~travels) == 0; k < sizeof births / sizeof *births; k++)
            if (strcmp(map->keys[i]->scalar, births[k]) == 0)
                return yaml_fault(map->keys[i], f, "%s can only be required of generate%s; give it a rule of its own",
                                  births[k], k == 0 ? " and replicate" : "");
    return OK;
}

/* `uses: {at-most: N, within: DURATION}`: an approval grants so many uses, whatever is signed. */
static enum outcome parse_uses(const struct yaml *map, struct rule *rule, struct fault *f)
{
    const struct yaml *within = NULL;
    struct span_of_time span = {0};
    enum outcome o = yaml_members(map, "at-most within", f);

    if (o != OK)
        return o;
    if (rule->operations != UINT32_C(1) << OP_USE)
        return yaml_fault(map, f, "uses can only be required of use; give it a rule of its own");
    within = yaml_get(map, "within");
    if ((o = yaml_count(yaml_get(map, "at-most"), 1, LIMIT_USES, &rule->uses_at_most, f)) != OK ||
        (o = yaml_duration(within, &span, f)) != OK)
        return o;
    if (span.months != 0 || span.seconds <= 0)
        return yaml_fault(within, f, "expected a time in seconds, minutes, hours, days or weeks");
    rule->uses_within = span.seconds;
    return OK;
}

/* `cosigned: true`: without cosigners nobody could ever meet it. */
static enum outcome parse_cosigned(const struct policy *p, const struct yaml *node, struct rule *rule, struct fault *f)
{
    enum outcome o = yaml_bool(node, &rule->cosigned, f);

    if (o == OK && !rule->cosigned)
        return yaml_fault(node, f, "cosigned: true was expected; leave it out otherwise");
    if (o == OK && rule->operations != UINT32_C(1) << OP_USE)
        return yaml_fault(node, f, "cosigned can only be required of use; give it a rule of its own");
    if (o == OK && p->cosigners.count == 0)
        return yaml_fault(node, f, "the policy names no cosigners");
    return o;
}

enum outcome parse_require(const struct policy *p, const struct yaml *map, struct rule *rule, struct fault *f)
{
    const struct yaml *quorum = NULL, *ceremony = NULL, *replicas = NULL, *key = NULL;
    const struct yaml *uses = NULL, *cosigned = NULL;
    enum outcome o = OK;

    if ((o = parse_not_yet(map, f)) != OK ||
        (o = yaml_members(map, "?quorum ?ceremony ?replicas ?key ?extractable ?transport ?uses ?cosigned", f)) != OK ||
        (o = check_births_only(map, rule, f)) != OK)
        return o;
    if (map->count == 0)
        return yaml_fault(map, f, "an empty requirement; say what is required, or allow: true");
    quorum = yaml_get(map, "quorum");
    ceremony = yaml_get(map, "ceremony");
    replicas = yaml_get(map, "replicas");
    key = yaml_get(map, "key");
    uses = yaml_get(map, "uses");
    cosigned = yaml_get(map, "cosigned");
    if (ceremony != NULL && (rule->operations & UINT32_C(1) << OP_OPEN_CEREMONY) != 0)
        return yaml_fault(ceremony, f, "no ceremony is open yet where one is to be opened; leave it out");
    rule->has_quorum = quorum != NULL;
    if (cosigned != NULL && (o = parse_cosigned(p, cosigned, rule, f)) != OK)
        return o;
    if ((quorum != NULL && (o = parse_quorum(quorum, &rule->quorum, f)) != OK) ||
        (ceremony != NULL && (o = yaml_strings(ceremony, &rule->ceremony, f)) != OK) ||
        (replicas != NULL && (o = parse_replica_rule(p, replicas, &rule->replicas, f)) != OK) ||
        (key != NULL && (o = parse_key_rule(key, &rule->key, f)) != OK) ||
        (uses != NULL && (o = parse_uses(uses, rule, f)) != OK))
        return o;
    return parse_wrapping(yaml_get(map, "extractable"), yaml_get(map, "transport"), rule, f);
}
