#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "policy/parse.h"

#define DEGREE_DECIMALS 9

/* Degrees as written by people: "-3.18". */
static enum outcome parse_degrees(const struct yaml *node, unsigned limit, char **ret_text, double *ret,
                                  struct fault *f)
{
    const char *point = NULL;
    enum outcome o = yaml_text(node, ret_text, f);

    if (o != OK)
        return o;
    point = strchr(*ret_text, '.');
    if (!degrees_parse(*ret_text, limit, ret) || (point != NULL && strlen(point + 1) > DEGREE_DECIMALS))
        return yaml_fault(node, f, "expected degrees between -%u and %u such as 51.51", limit, limit);
    return OK;
}

static enum outcome parse_place(const struct yaml *map, struct place *at, struct fault *f)
{
    const struct yaml *pair = yaml_get(map, "at"), *country = yaml_get(map, "country");
    const struct yaml *tags = yaml_get(map, "tags");
    enum outcome o = OK;

    if (pair->kind != YAML_LIST || pair->count != 2)
        return yaml_fault(pair, f, "expected [latitude, longitude]");
    if ((o = parse_degrees(pair->items[0], 90, &at->latitude_text, &at->latitude, f)) != OK ||
        (o = parse_degrees(pair->items[1], 180, &at->longitude_text, &at->longitude, f)) != OK)
        return o;
    if (country == NULL)
        at->country = strdup("");
    else if ((o = yaml_text(country, &at->country, f)) != OK)
        return o;
    if (at->country == NULL)
        return fault_memory(f);
    return tags == NULL ? OK : yaml_strings(tags, &at->tags, f);
}

/* How long the site may take for one answer. */
static enum outcome parse_answer_within(const struct yaml *node, unsigned *ret, struct fault *f)
{
    struct span_of_time span = {0};
    enum outcome o = node != NULL ? yaml_duration(node, &span, f) : OK;

    if (o == OK && node != NULL && (span.months > 0 || span.seconds < 1 || span.seconds > LIMIT_WAIT_MOST))
        o = yaml_fault(node, f, "expected from 1 second to %s", duration_format((int64_t)LIMIT_WAIT_MOST).text);
    if (o == OK)
        *ret = (unsigned)span.seconds;
    return o;
}

/* Vendors' roots, by the digests of their certificates, as people's are. */
static enum outcome parse_attested_by(const struct yaml *node, struct site *s, struct fault *f)
{
    struct strings texts = {0};
    enum outcome o = OK;

    if (node == NULL)
        return OK;
    o = yaml_strings(node, &texts, f);
    if (o == OK && texts.count > LIMIT_ROOTS)
        o = yaml_fault(node, f, "at most %u roots", LIMIT_ROOTS);
    if (o == OK && (s->roots = calloc(texts.count, sizeof *s->roots)) == NULL)
        o = fault_memory(f);
    for (size_t i = 0; o == OK && i < texts.count; i++) {
        o = yaml_fingerprint(parse_item(node, i), &s->roots[i], f);
        s->root_count = i + 1;
    }
    strings_free(&texts);
    return o;
}

/* An object identifier as dotted decimals without zeros in front (X.660), by which alone the texts can be compared. */
static bool is_oid(const char *text)
{
    bool dotted = false;

    for (const char *at = text;; at++) {
        size_t digits = strspn(at, "0123456789");

        if (digits == 0 || (digits > 1 && *at == '0'))
            return false;
        at += digits;
        if (*at == '\0')
            return dotted;
        if (*at != '.')
            return false;
        dotted = true;
    }
}

/* What the vendor's certificates must say besides: `attested-with: {OID: HEX}`. */
static enum outcome parse_attested_with(const struct yaml *map, struct site *s, struct fault *f)
{
    enum outcome o = OK;

    if (map == NULL)
        return OK;
    if (map->kind != YAML_MAP || map->count == 0 || map->count > LIMIT_EXTENSIONS)
        return yaml_fault(map, f, "a map of at most %u was expected: OID: HEX", LIMIT_EXTENSIONS);
    if (s->root_count == 0)
        return yaml_fault(map, f, "without `attested-by` no vendor is asked");
    for (size_t i = 0; i < map->count && o == OK; i++) {
        char *value = NULL;

        o = yaml_text(map->items[i], &value, f);
        if (o == OK && (strlen(value) % 2 != 0 || value[strspn(value, "0123456789abcdef")] != '\0'))
            o = yaml_fault(map->items[i], f, "expected the extension's value in hex, lower case");
        if (o == OK && !is_oid(map->keys[i]->scalar))
            o = yaml_fault(map->keys[i], f, "expected an object identifier such as 1.3.6.1");
        if (o == OK && (!strings_add(&s->extensions, map->keys[i]->scalar) || !strings_add(&s->values, value)))
            o = fault_memory(f);
        free(value);
    }
    return o;
}

static enum outcome parse_site(struct policy *p, const struct yaml *map, struct site *s, struct fault *f)
{
    enum outcome o = OK;

    if ((o = yaml_members(map, "id at ?answer-within ?attested-by ?attested-with ?country ?tags", f)) != OK ||
        (o = yaml_name(yaml_get(map, "id"), &s->id, f)) != OK)
        return o;
    s->line = map->line;
    if (policy_site(p, s->id) != s)
        return yaml_fault(yaml_get(map, "id"), f, "site %s is declared twice", s->id);
    o = parse_answer_within(yaml_get(map, "answer-within"), &s->answer_within, f);
    if (o == OK)
        o = parse_attested_by(yaml_get(map, "attested-by"), s, f);
    if (o == OK)
        o = parse_attested_with(yaml_get(map, "attested-with"), s, f);
    return o == OK ? parse_place(map, &s->at, f) : o;
}

enum outcome parse_sites(struct policy *p, const struct yaml *list, struct fault *f)
{
    enum outcome o = parse_list(list, "sites", f);

    if (o != OK)
        return o;
    p->sites = calloc(list->count + 1, sizeof *p->sites);
    if (p->sites == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < list->count; i++) {
        p->site_count = i + 1;
        if ((o = parse_site(p, list->items[i], &p->sites[i], f)) != OK)
            return o;
    }
    return OK;
}

static enum outcome parse_replicas(const struct policy *p, const struct yaml *node, struct token *t, struct fault *f)
{
    enum outcome o = yaml_strings(node, &t->replicas, f);

    if (o != OK)
        return o;
    if (t->replicas.count > LIMIT_SITES - 1)
        return yaml_fault(node, f, "at most %u replica sites", LIMIT_SITES - 1);
    for (size_t i = 0; i < t->replicas.count; i++) {
        const struct yaml *at = node->kind == YAML_LIST ? node->items[i] : node;

        if (policy_site(p, t->replicas.items[i]) == NULL)
            return yaml_fault(at, f, "no site %s is declared", t->replicas.items[i]);
        if (strcmp(t->replicas.items[i], t->primary) == 0)
            return yaml_fault(at, f, "%s is the primary; a replica must be at another site", t->primary);
    }
    return OK;
}

static enum outcome parse_failover(const struct yaml *node, struct token *t, struct fault *f)
{
    char *text = NULL;
    enum outcome o = yaml_text(node, &text, f);

    if (o != OK)
        return o;
    if (strcmp(text, "use") != 0)
        o = yaml_fault(node, f, "\"%s\" is nothing that a replica does; use was expected, or no failover at all", text);
    else if (t->replicas.count == 0)
        o = yaml_fault(node, f, "token %s has no replicas that uses could go to", t->id);
    t->failover_use = o == OK;
    free(text);
    return o;
}

static enum outcome parse_token(struct policy *p, const struct yaml *map, struct token *t, struct fault *f)
{
    const struct yaml *replicas = NULL, *failover = NULL;
    enum outcome o = OK;

    if ((o = yaml_members(map, "id primary ?replicas ?failover", f)) != OK ||
        (o = yaml_name(yaml_get(map, "id"), &t->id, f)) != OK)
        return o;
    t->line = map->line;
    if (policy_token(p, t->id) != t)
        return yaml_fault(yaml_get(map, "id"), f, "token %s is declared twice", t->id);
    if ((o = yaml_name(yaml_get(map, "primary"), &t->primary, f)) != OK)
        return o;
    if (policy_site(p, t->primary) == NULL)
        return yaml_fault(yaml_get(map, "primary"), f, "no site %s is declared", t->primary);
    replicas = yaml_get(map, "replicas");
    if (replicas != NULL && (o = parse_replicas(p, replicas, t, f)) != OK)
        return o;
    failover = yaml_get(map, "failover");
    return failover == NULL ? OK : parse_failover(failover, t, f);
}

enum outcome parse_tokens(struct policy *p, const struct yaml *list, struct fault *f)
{
    enum outcome o = parse_list(list, "tokens", f);

    if (o != OK)
        return o;
    if (list->count > LIMIT_TOKENS)
        return yaml_fault(list, f, "at most %u tokens", LIMIT_TOKENS);
    p->tokens = calloc(list->count + 1, sizeof *p->tokens);
    if (p->tokens == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < list->count; i++) {
        p->token_count = i + 1;
        if ((o = parse_token(p, list->items[i], &p->tokens[i], f)) != OK)
            return o;
    }
    return OK;
}
