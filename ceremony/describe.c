#include "ceremony/describe.h"

#include <string.h>

#include "ceremony/attestation.h"
#include "core/encode.h"

void headline_put(struct buf *b, const char *operation, const char *key_type, const char *label, const char *token)
{
    print_text(b, operation);
    if (key_type && *key_type) {
        buf_puts(b, " ");
        print_text(b, key_type);
    }
    if (label && *label) {
        buf_puts(b, " \"");
        print_text(b, label);
        buf_puts(b, "\"");
    }
    if (token && *token) {
        buf_puts(b, " on ");
        print_text(b, token);
    }
}

static void names_put(struct buf *b, const char *name, const json_t *attributes, const char *value)
{
    struct buf line = BUF(OUTPUT_MAX);
    const char *key = NULL;
    const json_t *item = NULL;

    json_object_foreach((json_t *)(uintptr_t)attributes, key, item)
    {
        const char *text = json_string_value(item);

        if (text && strcmp(text, value) == 0)
            buf_putf(&line, "%s%s", line.len > 0 ? " " : "", strncmp(key, "CKA_", 4) == 0 ? key + 4 : key);
    }
    if (line.len > 0)
        print_field(b, name, "%s", buf_str(&line));
    b->failed = b->failed || line.failed;
    buf_free(&line);
}

static void value_put(struct buf *b, const char *name, const json_t *value)
{
    struct buf text = BUF(OUTPUT_MAX);
    struct fault f = {.outcome = OK};

    if (json_is_string(value))
        print_field(b, name, "%s", json_string_value(value));
    else if (json_is_integer(value))
        print_field(b, name, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_canonical(value, &text, &f) == OK)
        print_field(b, name, "%s", buf_str(&text));
    else
        print_field(b, name, "(%s)", f.text);
    buf_free(&text);
}

/* One template: what is true and what is false in a line each, then the rest by name. */
static void template_put(struct buf *b, const char *name, const json_t *attributes)
{
    const char *key = NULL;
    json_t *item = NULL;

    buf_puts(b, "  ");
    print_text(b, name);
    buf_puts(b, " key\n");
    names_put(b, "  true", attributes, "true");
    names_put(b, "  false", attributes, "false");
    json_object_foreach((json_t *)(uintptr_t)attributes, key, item)
    {
        const char *text = json_string_value(item);
        char shown[64];

        if (text && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
            continue;
        snprintf(shown, sizeof shown, "  %s", strncmp(key, "CKA_", 4) == 0 ? key + 4 : key);
        value_put(b, shown, item);
    }
}

void subject_put(struct buf *b, const struct request *r)
{
    static const char *const first[] = {"requester", "environment", "estate", "origin", NULL};
    const struct subject *s = r->subject;
    const char *key = NULL;
    json_t *item = NULL;

    headline_put(b, operation_name(s->operation), s->key_type, s->label, s->token);
    buf_puts(b, "\n");
    for (size_t i = 0; first[i]; i++)
        value_put(b, first[i], json_object_get(s->json, first[i]));
    json_object_foreach(s->json, key, item)
    {
        bool shown = strcmp(key, "operation") == 0;

        for (size_t i = 0; first[i]; i++)
            shown = shown || strcmp(key, first[i]) == 0;
        if (shown)
            continue;
        if (strcmp(key, "templates") == 0) {
            const char *which = NULL;
            json_t *attributes = NULL;

            json_object_foreach(item, which, attributes) template_put(b, which, attributes);
        } else if (strcmp(key, "attestation") == 0) {
            attestation_put(b, item);
        } else if (json_is_object(item)) {
            const char *inner = NULL;
            json_t *value = NULL;

            json_object_foreach(item, inner, value)
            {
                char name[64];

                snprintf(name, sizeof name, "%s %s", key, inner);
                value_put(b, name, value);
            }
        } else {
            value_put(b, key, item);
        }
    }
    if (r->ceremony)
        print_field(b, "ceremony", "%s, step %s", r->ceremony, r->step ? r->step : "-");
}

const char *request_word(const struct state_request *r, moment now)
{
    switch (r->state) {
    case REQUEST_PENDING:
        return now >= r->expires ? "expired" : "pending";
    case REQUEST_INTENT:
        return "carried out";
    case REQUEST_SPENT:
        return "spent";
    case REQUEST_REJECTED:
        return "rejected";
    case REQUEST_VOID:
        break;
    }
    return "void";
}

enum tone request_tone(const struct state_request *r, moment now)
{
    switch (r->state) {
    case REQUEST_PENDING:
        return now >= r->expires ? TONE_FAINT : TONE_WAIT;
    case REQUEST_INTENT:
        return TONE_WAIT;
    case REQUEST_SPENT:
        return TONE_GOOD;
    case REQUEST_REJECTED:
        return TONE_BAD;
    case REQUEST_VOID:
        break;
    }
    return TONE_FAINT;
}

static void votes_put(struct buf *b, const struct state_request *known)
{
    print_head(b, "Votes");
    for (size_t i = 0; i < known->vote_count; i++) {
        const struct state_vote *v = &known->votes[i];

        buf_puts(b, "  ");
        print_cell(b, v->rejection ? TONE_BAD : TONE_GOOD, v->rejection ? "rejects" : "approves", 14);
        print_cell(b, TONE_PLAIN, v->person, 16);
        print_text(b, moment_format(v->at).text);
        if (v->reason) {
            buf_puts(b, "  ");
            print_text(b, v->reason);
        }
        buf_puts(b, "\n");
    }
    if (known->vote_count == 0)
        buf_puts(b, "  none yet\n");
}

bool request_closed(const struct state_request *known)
{
    return known && (known->state == REQUEST_SPENT || known->state == REQUEST_VOID || known->state == REQUEST_REJECTED);
}

void request_put(const struct estate *e, const struct request *r, const struct verdict *v, struct buf *b)
{
    const struct state_request *known = state_request(&e->state, &r->id);
    moment now = moment_now();
    struct buf text = BUF(OUTPUT_MAX);

    buf_puts(b, "Request ");
    print_toned(b, TONE_HEAD, digest_hex(&r->id).hex);
    buf_puts(b, "\n");
    print_words(b, &r->id);
    print_head(b, "What is asked");
    buf_puts(b, "  ");
    subject_put(b, r);
    print_head(b, "State");
    if (known) {
        buf_puts(b, "  ");
        print_toned(b, request_tone(known, now), request_word(known, now));
        if (known->why) {
            buf_puts(b, ": ");
            print_text(b, known->why);
        }
        buf_puts(b, "\n");
    }
    print_field(b, "made", "%s", moment_format(r->made).text);
    print_field(b, "expires", "%s", moment_format(r->expires).text);
    print_field(b, "rule", "%s (policy version %u)", r->rule, r->policy_version);
    if (known)
        votes_put(b, known);
    if (v) {
        print_head(b, "Verdict as of now");
        verdict_put(v, &text);
        print_lines(b, &text);
    }
    buf_free(&text);
}

enum outcome request_holds(const struct state_request *known, const struct verdict *v)
{
    if (known && known->state == REQUEST_SPENT)
        return OK;
    if (!v || v->decision == DECISION_DENY)
        return E_REFUSED;
    return v->decision == DECISION_PENDING ? E_PENDING : OK;
}

enum outcome request_named(struct estate *e, const char *id, struct request **ret, struct fault *f)
{
    struct digest digest;
    enum outcome o = estate_request_find(e, id, &digest, f);

    return o == OK ? estate_request(e, &digest, ret, f) : o;
}

enum outcome request_judge(struct estate *e, const struct request *r, struct verdict **ret, struct fault *f)
{
    struct asking_context c = {0};
    enum outcome o = estate_judging(e, r, &c.judge, f);

    return o == OK ? estate_judge(e, r, &c, ret, f) : o;
}
