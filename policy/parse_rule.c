#include <stdlib.h>
#include <string.h>

#include "policy/parse.h"

#define CLASSES "private-key public-key secret-key certificate data"
#define BIT(op) (UINT32_C(1) << (op))

static enum outcome parse_operations(const struct yaml *node, struct rule *r, struct fault *f)
{
    struct strings names = {0};
    enum outcome o = yaml_strings(node, &names, f);

    for (size_t i = 0; o == OK && i < names.count; i++) {
        int op = operation_parse(names.items[i]);

        if (op < 0)
            o = yaml_fault(parse_item(node, i), f,
                           "unknown operation %s; expected generate, use, adopt-policy or another of the manual's list",
                           names.items[i]);
        else
            r->operations |= BIT(op);
    }
    strings_free(&names);
    return o;
}

static enum outcome parse_tokens_named(const struct policy *p, const struct yaml *node, struct rule *r, struct fault *f)
{
    enum outcome o = yaml_strings(node, &r->tokens, f);

    for (size_t i = 0; o == OK && i < r->tokens.count; i++)
        if (policy_token(p, r->tokens.items[i]) == NULL)
            o = yaml_fault(parse_item(node, i), f, "no token %s is declared", r->tokens.items[i]);
    return o;
}

static enum outcome parse_label(const struct yaml *node, struct rule *r, struct fault *f)
{
    char *text = NULL;
    enum outcome o = yaml_text(node, &text, f);

    if (o != OK)
        return o;
    o = label_compile(text, &r->label_regex, f);
    if (o != OK) {
        free(text);
        return yaml_fault_at(node, f);
    }
    r->label = text;
    text = NULL; /* taken by the rule */
    return OK;
}

static enum outcome parse_classes(const struct yaml *node, struct rule *r, struct fault *f)
{
    enum outcome o = yaml_strings(node, &r->classes, f);
    unsigned index = 0;

    for (size_t i = 0; o == OK && i < r->classes.count; i++)
        o = yaml_choice(parse_item(node, i), CLASSES, &index, f);
    return o;
}

static enum outcome parse_when(const struct policy *p, const struct yaml *map, struct rule *r, struct fault *f)
{
    const struct yaml *token = NULL, *label = NULL, *classes = NULL, *object = NULL;
    unsigned choice = 0;
    enum outcome o = OK;

    if ((o = yaml_members(map, "operation ?token ?label ?class ?object", f)) != OK)
        return o;
    token = yaml_get(map, "token");
    label = yaml_get(map, "label");
    classes = yaml_get(map, "class");
    object = yaml_get(map, "object");
    r->object = -1;
    if ((o = parse_operations(yaml_get(map, "operation"), r, f)) != OK ||
        (token != NULL && (o = parse_tokens_named(p, token, r, f)) != OK) ||
        (label != NULL && (o = parse_label(label, r, f)) != OK) ||
        (classes != NULL && (o = parse_classes(classes, r, f)) != OK) ||
        (object != NULL && (o = yaml_choice(object, "session token", &choice, f)) != OK))
        return o;
    if (object != NULL)
        r->object = (int)choice;
    return OK;
}

/* Exactly one of `allow: true`, `deny: true` and `require`. */
static enum outcome parse_effect(const struct yaml *map, struct rule *r, struct fault *f)
{
    const struct yaml *allow = yaml_get(map, "allow"), *deny = yaml_get(map, "deny");
    const struct yaml *require = yaml_get(map, "require"), *said = allow != NULL ? allow : deny;
    bool value = false;
    enum outcome o = OK;

    if ((allow != NULL) + (deny != NULL) + (require != NULL) != 1)
        return yaml_fault(map, f, "expected exactly one of allow: true, deny: true and require");
    if (said != NULL && (o = yaml_bool(said, &value, f)) != OK)
        return o;
    if (said != NULL && !value)
        return yaml_fault(said, f, "%s can only be true; leave the rule out instead", allow != NULL ? "allow" : "deny");
    r->effect = require != NULL ? EFFECT_REQUIRE : allow != NULL ? EFFECT_ALLOW : EFFECT_DENY;
    return OK;
}

static enum outcome parse_rule_options(const struct yaml *map, struct rule *r, struct fault *f)
{
    const struct yaml *expires = yaml_get(map, "expires"), *suspended = yaml_get(map, "while-suspended");
    enum outcome o = OK;

    r->expires = (struct span_of_time){.seconds = 24 * 60 * 60};
    if (expires != NULL && r->effect != EFFECT_REQUIRE)
        return yaml_fault(expires, f, "only a rule with require makes requests that expire");
    if (expires != NULL && (o = yaml_duration(expires, &r->expires, f)) != OK)
        return o;
    if (suspended != NULL && (o = yaml_bool(suspended, &r->while_suspended, f)) != OK)
        return o;
    return OK;
}

static enum outcome parse_rule(struct policy *p, const struct yaml *map, struct rule *r, struct fault *f)
{
    const struct yaml *id = NULL;
    enum outcome o = OK;

    if ((o = parse_not_yet(map, f)) != OK ||
        (o = yaml_members(map, "id when ?allow ?deny ?require ?expires ?while-suspended", f)) != OK)
        return o;
    id = yaml_get(map, "id");
    r->line = map->line;
    if ((o = yaml_text(id, &r->id, f)) != OK)
        return o;
    if (policy_rule(p, r->id) != r)
        return yaml_fault(id, f, "two rules are called \"%s\"; every rule needs an id of its own", r->id);
    if (strlen(r->id) > LIMIT_LABEL || strcmp(r->id, "otherwise") == 0 || strcmp(r->id, "succession") == 0)
        return yaml_fault(id, f, "a rule's id is at most %u bytes, and neither otherwise nor succession", LIMIT_LABEL);
    if ((o = parse_effect(map, r, f)) != OK || (o = parse_when(p, yaml_get(map, "when"), r, f)) != OK ||
        (o = parse_rule_options(map, r, f)) != OK || r->effect != EFFECT_REQUIRE)
        return o;
    return parse_require(p, yaml_get(map, "require"), r, f);
}

enum outcome parse_rules(struct policy *p, const struct yaml *list, struct fault *f)
{
    enum outcome o = parse_list(list, "rules", f);

    if (o != OK)
        return o;
    p->rules = calloc(list->count + 1, sizeof *p->rules);
    if (p->rules == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < list->count; i++) {
        p->rule_count = i + 1;
        if ((o = parse_rule(p, list->items[i], &p->rules[i], f)) != OK)
            return o;
    }
    return OK;
}
