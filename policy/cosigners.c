#include "policy/cosigners.h"

#include <stdlib.h>
#include <string.h>

#include "core/digest.h"
#include "core/encode.h"
#include "core/limits.h"

#define ED25519_COSIGNATURE 0x04 /* C2SP tlog-cosignature */

enum { WORDS_MAX = 3 + LIMIT_COSIGNERS };

static bool blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Splits a copy of the line in place. */
static size_t split(char *line, char *words[WORDS_MAX + 1])
{
    size_t count = 0;

    while (count <= WORDS_MAX) {
        while (blank(*line))
            line++;
        if (*line == '\0')
            break;
        words[count++] = line;
        while (*line != '\0' && !blank(*line))
            line++;
        if (*line != '\0')
            *line++ = '\0';
    }
    return count;
}

static const struct cosigner_group *find(const struct cosigners *c, const char *name)
{
    for (size_t i = 0; i < c->group_count; i++)
        if (strcmp(c->groups[i].name, name) == 0)
            return &c->groups[i];
    return NULL;
}

/* The raw key of NAME+HASH+KEY; the hash must be that of name and key. */
static enum outcome key_read(const char *vkey, uint8_t ret[32], struct fault *f)
{
    const char *first = strchr(vkey, '+'), *second = first != NULL ? strchr(first + 1, '+') : NULL;
    struct buf body = BUF(64);
    struct digest d;
    uint8_t id[4];
    char hex[9] = "";
    enum outcome o = E_INVALID;

    if (second == NULL || first == vkey || second - first - 1 != 8)
        goto out;
    memcpy(hex, first + 1, 8);
    if (hex_parse(hex, id, sizeof id, f) != OK || base64_parse(span_str(second + 1), &body, f) != OK ||
        body.len != 33 || body.data[0] != ED25519_COSIGNATURE ||
        !digest_of(&d, 3, span_of(vkey, (size_t)(first - vkey)), span_str("\n"), buf_span(&body)) ||
        memcmp(d.bytes, id, sizeof id) != 0)
        goto out;
    memcpy(ret, body.data + 1, 32);
    o = OK;
out:
    if (o != OK)
        fault_set(f, E_INVALID, "\"%s\" is not a cosigner's verifier key NAME+HASH+KEY of type 4 (quorate cosign init)",
                  vkey);
    buf_free(&body);
    return o;
}

static enum outcome group_add(struct cosigners *c, const char *name, unsigned threshold, struct fault *f)
{
    struct cosigner_group *grown = NULL;

    if (!name_valid(name))
        return fault_set(f, E_INVALID, "%s is no name; [a-z0-9][a-z0-9._-]* was expected", name);
    if (find(c, name) != NULL || strcmp(name, "none") == 0)
        return fault_set(f, E_INVALID, "the name %s is taken", name);
    if (c->group_count >= LIMIT_COSIGNERS)
        return fault_set(f, E_INVALID, "more than %d cosigners and groups", LIMIT_COSIGNERS);
    grown = realloc(c->groups, (c->group_count + 1) * sizeof *grown);
    if (grown == NULL)
        return fault_memory(f);
    c->groups = grown;
    grown[c->group_count] = (struct cosigner_group){.name = strdup(name), .threshold = threshold};
    return grown[c->group_count++].name != NULL ? OK : fault_memory(f);
}

static enum outcome witness_line(struct cosigners *c, char *const *words, size_t count, struct fault *f)
{
    struct cosigner *grown = NULL, one = {0};
    enum outcome o = OK;

    if (count != 3 && count != 4)
        return fault_set(f, E_INVALID, "a witness line reads \"witness NAME VKEY [URL]\"");
    if (c->group_count != c->count)
        return fault_set(f, E_INVALID, "witness lines come before group lines");
    if (count == 4 && strncmp(words[3], "http://", 7) != 0 && strncmp(words[3], "https://", 8) != 0)
        return fault_set(f, E_INVALID, "%s is no http or https address", words[3]);
    o = key_read(words[2], one.public_key, f);
    if (o != OK)
        return o;
    for (size_t i = 0; i < c->count; i++)
        if (memcmp(c->items[i].public_key, one.public_key, sizeof one.public_key) == 0)
            return fault_set(f, E_INVALID, "the cosigners %s and %s have one key; they would count once",
                             c->items[i].name, words[1]);
    grown = realloc(c->items, (c->count + 1) * sizeof *grown);
    if (grown == NULL)
        return fault_memory(f);
    c->items = grown;
    o = group_add(c, words[1], 1, f);
    if (o != OK)
        return o;
    one.name = strdup(words[1]);
    one.vkey = strdup(words[2]);
    one.url = count == 4 ? strdup(words[3]) : NULL;
    grown[c->count++] = one;
    return one.name != NULL && one.vkey != NULL && (count == 3 || one.url != NULL) ? OK : fault_memory(f);
}

static bool threshold_read(const char *text, size_t members, unsigned *ret)
{
    unsigned value = 0;

    if (strcmp(text, "any") == 0)
        value = 1;
    else if (strcmp(text, "all") == 0)
        value = (unsigned)members;
    else if (text[0] >= '1' && text[0] <= '9' && strlen(text) <= 3 && strspn(text, "0123456789") == strlen(text))
        value = (unsigned)strtoul(text, NULL, 10);
    *ret = value;
    return value >= 1 && value <= members;
}

static enum outcome group_line(struct cosigners *c, char *const *words, size_t count, struct fault *f)
{
    unsigned threshold = 0;
    struct cosigner_group *g = NULL;
    enum outcome o = OK;

    if (count < 4 || !threshold_read(words[2], count - 3, &threshold))
        return fault_set(f, E_INVALID,
                         "a group line reads \"group NAME all|any|K NAME…\", with K from 1 to the number of members");
    o = group_add(c, words[1], threshold, f);
    if (o != OK)
        return o;
    g = &c->groups[c->group_count - 1];
    g->members = calloc(count - 3, sizeof *g->members);
    if (g->members == NULL)
        return fault_memory(f);
    for (size_t i = 3; i < count; i++) {
        const struct cosigner_group *member = find(c, words[i]);

        if (member == NULL || member == g)
            return fault_set(f, E_INVALID, "%s is no witness or group of a line before", words[i]);
        if (member->taken)
            return fault_set(f, E_INVALID, "%s is a member twice; it would count twice", words[i]);
        g->members[g->member_count] = (size_t)(member - c->groups);
        c->groups[g->members[g->member_count++]].taken = true;
    }
    return OK;
}

static enum outcome quorum_line(struct cosigners *c, char *const *words, size_t count, struct fault *f)
{
    const struct cosigner_group *g = count == 2 ? find(c, words[1]) : NULL;

    if (g == NULL)
        return fault_set(f, E_INVALID, "a quorum line reads \"quorum NAME\", of a witness or group of a line before");
    c->quorum = (size_t)(g - c->groups);
    return OK;
}

enum outcome cosigners_line(struct cosigners *c, const char *line, struct fault *f)
{
    char *copy = strdup(line), *words[WORDS_MAX + 1] = {NULL};
    size_t count = copy != NULL ? split(copy, words) : 0;
    enum outcome o = OK;

    if (copy == NULL)
        o = fault_memory(f);
    else if (count > WORDS_MAX)
        o = fault_set(f, E_INVALID, "the line has too many words");
    else if (count > 0 && strcmp(words[0], "witness") == 0)
        o = witness_line(c, words, count, f);
    else if (count > 0 && strcmp(words[0], "group") == 0)
        o = group_line(c, words, count, f);
    else if (count > 0 && strcmp(words[0], "quorum") == 0)
        o = quorum_line(c, words, count, f);
    else
        o = fault_set(f, E_INVALID, "expected a line that begins with witness, group or quorum");
    free(copy);
    return o;
}

enum outcome cosigners_parse(const struct yaml *map, struct cosigners *ret, struct fault *f)
{
    struct strings lines = {0};
    const struct yaml *close = NULL, *policy = NULL;
    unsigned when = 0;
    enum outcome o = yaml_members(map, "policy ?close", f);

    if (o != OK)
        return o;
    policy = yaml_get(map, "policy");
    close = yaml_get(map, "close");
    o = yaml_strings(policy, &lines, f);
    if (o == OK && close != NULL)
        o = yaml_choice(close, "false true checkpoint", &when, f);
    ret->before_close = when != 0;
    ret->closing = when == 2;
    for (size_t i = 0; o == OK && i < lines.count; i++) {
        const struct yaml *at = policy->kind == YAML_LIST ? policy->items[i] : policy;
        bool quorum = strncmp(lines.items[i], "quorum", 6) == 0;

        o = cosigners_line(ret, lines.items[i], f);
        if (o == OK && quorum != (i + 1 == lines.count))
            o = fault_set(f, E_INVALID, "the quorum line is the last one, and there is exactly one");
        if (o == E_INVALID)
            yaml_fault_at(at, f);
    }
    strings_free(&lines);
    return o;
}

void cosigners_clear(struct cosigners *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->items[i].name);
        free(c->items[i].vkey);
        free(c->items[i].url);
    }
    for (size_t i = 0; i < c->group_count; i++) {
        free(c->groups[i].name);
        free(c->groups[i].members);
    }
    free(c->items);
    free(c->groups);
    *c = (struct cosigners){0};
}

bool cosigners_met(const struct cosigners *c, const bool *signed_by)
{
    bool met[LIMIT_COSIGNERS] = {false};

    for (size_t i = 0; i < c->group_count; i++) {
        const struct cosigner_group *g = &c->groups[i];
        unsigned have = i < c->count && signed_by[i];

        for (size_t k = 0; k < g->member_count; k++)
            have += met[g->members[k]];
        met[i] = have >= g->threshold;
    }
    return c->group_count > 0 && met[c->quorum];
}
