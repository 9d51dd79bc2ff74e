#include "policy/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "policy/parse.h"

static const char *const not_yet[] = {"wait", "sealed"};

enum outcome parse_not_yet(const struct yaml *map, struct fault *f)
{
    if (map->kind != YAML_MAP)
        return OK; /* yaml_members says what is wrong */
    for (size_t i = 0; i < map->count; i++)
        for (size_t k = 0; k < sizeof not_yet / sizeof *not_yet; k++)
            if (strcmp(map->keys[i]->scalar, not_yet[k]) == 0)
                return yaml_fault(map->keys[i], f, "not yet: %s; this version does not carry it out, leave it out",
                                  not_yet[k]);
    return OK;
}

enum outcome parse_list(const struct yaml *node, const char *what, struct fault *f)
{
    if (node->kind != YAML_LIST)
        return yaml_fault(node, f, "expected a list of %s", what);
    return OK;
}

const struct yaml *parse_item(const struct yaml *node, size_t i)
{
    return node->kind == YAML_LIST ? node->items[i] : node;
}

/* A key that has one right value, which the document must still spell out. */
static enum outcome parse_constant(const struct yaml *root, const char *key, const char *value, struct fault *f)
{
    const struct yaml *node = yaml_get(root, key);

    if (node->kind != YAML_SCALAR || strcmp(node->scalar, value) != 0)
        return yaml_fault(node, f, "%s must be %s", key, value);
    return OK;
}

static enum outcome parse_head(struct policy *p, const struct yaml *root, struct fault *f)
{
    enum outcome o = OK;

    if ((o = yaml_members(
             root,
             "quorate semantics name version people ?sites ?tokens ?confidential ?cosigners rules otherwise "
             "?succession",
             f)) != OK ||
        (o = parse_constant(root, "quorate", "1", f)) != OK || (o = parse_constant(root, "semantics", "1", f)) != OK ||
        (o = parse_constant(root, "otherwise", "deny", f)) != OK ||
        (o = yaml_name(yaml_get(root, "name"), &p->name, f)) != OK)
        return o;
    p->semantics = 1;
    p->otherwise_line = yaml_get(root, "otherwise")->line;
    return yaml_count(yaml_get(root, "version"), 1, 1000000000, &p->version, f);
}

static enum outcome parse_body(struct policy *p, const struct yaml *root, struct fault *f)
{
    const struct yaml *sites = yaml_get(root, "sites"), *tokens = yaml_get(root, "tokens");
    const struct yaml *succession = yaml_get(root, "succession"), *cosigners = yaml_get(root, "cosigners"),
                      *confidential = yaml_get(root, "confidential");
    enum outcome o = OK;

    if ((o = parse_people(p, yaml_get(root, "people"), f)) != OK ||
        (sites != NULL && (o = parse_sites(p, sites, f)) != OK) ||
        (tokens != NULL && (o = parse_tokens(p, tokens, f)) != OK) ||
        (cosigners != NULL && (o = cosigners_parse(cosigners, &p->cosigners, f)) != OK) ||
        (confidential != NULL && (o = classes_parse_types(confidential, &p->confidential, f)) != OK) ||
        (o = parse_rules(p, yaml_get(root, "rules"), f)) != OK || succession == NULL)
        return o;
    if ((o = yaml_members(succession, "quorum", f)) != OK)
        return o;
    return parse_quorum(yaml_get(succession, "quorum"), &p->succession, f);
}

static enum outcome parse_canonical(struct policy *p, const struct yaml *root, struct fault *f)
{
    json_t *json = NULL;
    enum outcome o = yaml_to_json(root, &json, f);

    if (o == OK)
        o = json_canonical(json, &p->canonical_json, f);
    if (o == OK && !digest_one(&p->canonical, buf_span(&p->canonical_json)))
        o = fault_set(f, E_IO, "SHA-256 of the policy failed: libcrypto is broken");
    json_decref(json);
    return o;
}

enum outcome policy_parse(const char *file, struct span bytes, struct policy **ret, struct fault *f)
{
    enum outcome o = E_MEMORY;
    struct yaml *root = NULL;
    struct policy *p = calloc(1, sizeof *p);

    if (p == NULL || (p->file = strdup(file)) == NULL) {
        fault_memory(f);
        goto out;
    }
    p->source = BUF(LIMIT_DOCUMENT);
    p->canonical_json = BUF(4 * LIMIT_DOCUMENT); /* escapes may lengthen it */
    buf_put(&p->source, bytes.data, bytes.len);
    if (p->source.failed) {
        o = fault_set(f, E_MEMORY, "%s: larger than %u bytes", file, LIMIT_DOCUMENT);
        goto out;
    }
    if (!digest_one(&p->digest, bytes)) {
        o = fault_set(f, E_IO, "SHA-256 of %s failed: libcrypto is broken", file);
        goto out;
    }
    if ((o = yaml_parse(file, bytes, &root, f)) != OK || (o = parse_head(p, root, f)) != OK ||
        (o = parse_body(p, root, f)) != OK || (o = parse_canonical(p, root, f)) != OK)
        goto out;
    *ret = p;
    p = NULL; /* taken by the caller */
out:
    yaml_free(root);
    policy_free(p);
    return o;
}

static void quorum_clear(struct quorum *q)
{
    strings_free(&q->of);
    strings_free(&q->except);
}

static void rule_clear(struct rule *r)
{
    free(r->id);
    strings_free(&r->tokens);
    if (r->label != NULL)
        regfree(&r->label_regex);
    free(r->label);
    strings_free(&r->classes);
    strings_free(&r->ceremony);
    quorum_clear(&r->quorum);
    strings_free(&r->replicas.tagged);
    strings_free(&r->replicas.countries);
    strings_free(&r->replicas.sites);
    free(r->replicas.hardware);
    strings_free(&r->key.types);
    strings_free(&r->key.usage);
    strings_free(&r->transport);
}

static void person_clear(struct person *h)
{
    free(h->id);
    free(h->name);
    free(h->organisation);
    free(h->certificate);
    free(h->alternate_for);
    strings_free(&h->roles);
}

static void site_clear(struct site *s)
{
    free(s->id);
    free(s->at.latitude_text);
    free(s->at.longitude_text);
    free(s->at.country);
    free(s->roots);
    strings_free(&s->extensions);
    strings_free(&s->values);
    strings_free(&s->at.tags);
}

void policy_free(struct policy *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->person_count; i++)
        person_clear(&p->people[i]);
    for (size_t i = 0; i < p->site_count; i++)
        site_clear(&p->sites[i]);
    for (size_t i = 0; i < p->token_count; i++) {
        free(p->tokens[i].id);
        free(p->tokens[i].primary);
        strings_free(&p->tokens[i].replicas);
    }
    for (size_t i = 0; i < p->rule_count; i++)
        rule_clear(&p->rules[i]);
    quorum_clear(&p->succession);
    cosigners_clear(&p->cosigners);
    classes_clear(&p->confidential);
    free(p->people);
    free(p->sites);
    free(p->tokens);
    free(p->rules);
    free(p->name);
    free(p->file);
    buf_free(&p->source);
    buf_free(&p->canonical_json);
    free(p);
}

const struct person *policy_person(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->person_count; i++)
        if (strcmp(p->people[i].id, id) == 0)
            return &p->people[i];
    return NULL;
}

const struct person *policy_person_by_fingerprint(const struct policy *p, const struct digest *fingerprint)
{
    for (size_t i = 0; i < p->person_count; i++)
        if (digest_equal(&p->people[i].fingerprint, fingerprint))
            return &p->people[i];
    return NULL;
}

static void primary_swap(struct token *t, size_t replica)
{
    char *was = t->primary;

    t->primary = t->replicas.items[replica - 1];
    t->replicas.items[replica - 1] = was;
}

void token_promote(struct token *t, const char *site)
{
    if (t->promoted != 0)
        primary_swap(t, t->promoted);
    t->promoted = 0;
    for (size_t i = 0; site != NULL && i < t->replicas.count && t->promoted == 0; i++)
        if (strcmp(t->replicas.items[i], site) == 0)
            t->promoted = i + 1;
    if (t->promoted != 0)
        primary_swap(t, t->promoted);
}

const struct site *policy_site(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->site_count; i++)
        if (strcmp(p->sites[i].id, id) == 0)
            return &p->sites[i];
    return NULL;
}

const struct token *policy_token(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->token_count; i++)
        if (strcmp(p->tokens[i].id, id) == 0)
            return &p->tokens[i];
    return NULL;
}

const struct rule *policy_rule(const struct policy *p, const char *id)
{
    for (size_t i = 0; i < p->rule_count; i++)
        if (strcmp(p->rules[i].id, id) == 0)
            return &p->rules[i];
    return NULL;
}

double place_distance_km(double lat1, double lon1, double lat2, double lon2)
{
    const double radians = 3.14159265358979323846 / 180.0, radius = 6371.0088;
    double south_north = sin((lat2 - lat1) * radians / 2), west_east = sin((lon2 - lon1) * radians / 2);
    double h = south_north * south_north + cos(lat1 * radians) * cos(lat2 * radians) * west_east * west_east;

    return 2 * radius * asin(sqrt(h < 1 ? h : 1));
}
