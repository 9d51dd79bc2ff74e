#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "policy/judge.h"

static void finding_add(struct judge *j, enum finding_kind kind, const char *code, const char *format, va_list ap)
    __attribute__((format(printf, 4, 0)));
static void finding_add(struct judge *j, enum finding_kind kind, const char *code, const char *format, va_list ap)
{
    struct verdict *v = j->verdict;
    struct buf text = BUF(LIMIT_DOCUMENT);
    struct finding *grown = NULL;
    char *taken = NULL;

    buf_vputf(&text, format, ap);
    taken = buf_take(&text);
    grown = taken == NULL ? NULL : realloc(v->findings, (v->finding_count + 1) * sizeof *grown);
    if (grown == NULL) {
        j->failed = true;
        free(taken);
    } else {
        v->findings = grown;
        v->findings[v->finding_count++] = (struct finding){.kind = kind, .code = code, .text = taken};
        taken = NULL; /* taken by the verdict */
    }
    buf_free(&text);
}

void judge_note(struct judge *j, enum finding_kind kind, const char *code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    finding_add(j, kind, code, format, ap);
    va_end(ap);
}

void judge_deny(struct judge *j, const char *code, const char *format, ...)
{
    va_list ap;

    j->denied = true;
    va_start(ap, format);
    finding_add(j, FINDING_AGAINST, code, format, ap);
    va_end(ap);
}

void judge_wait(struct judge *j, const char *code, const char *format, ...)
{
    va_list ap;

    j->waiting = true;
    va_start(ap, format);
    finding_add(j, FINDING_MISSING, code, format, ap);
    va_end(ap);
}

void names_put(struct buf *b, const struct strings *names, const char *conjunction)
{
    for (size_t i = 0; i < names->count; i++) {
        if (i > 0 && i + 1 < names->count)
            buf_puts(b, ", ");
        else if (i > 0)
            buf_putf(b, " %s ", conjunction);
        buf_puts(b, names->items[i]);
    }
}

const char *decision_name(enum decision d)
{
    return d == DECISION_ALLOW ? "allow" : d == DECISION_PENDING ? "pending" : "deny";
}

void verdict_free(struct verdict *v)
{
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->finding_count; i++)
        free(v->findings[i].text);
    free(v->findings);
    free(v->rule_id);
    strings_free(&v->counted);
    strings_free(&v->sites);
    free(v);
}

json_t *verdict_json(const struct verdict *v)
{
    json_t *json = json_object(), *counted = json_array();
    bool done = json != NULL && counted != NULL;

    for (size_t i = 0; done && i < v->counted.count; i++)
        done = json_array_append_new(counted, json_string(v->counted.items[i])) == 0;
    done = done && json_put(json, "counted", json_incref(counted)) &&
           json_put_string(json, "decision", decision_name(v->decision)) && json_put_string(json, "rule", v->rule_id);
    json_decref(counted);
    if (!done) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

static void rule_put(const struct verdict *v, struct buf *b)
{
    buf_putf(b, "%s:%u: ", v->file, v->line);
    if (v->rule == NULL) {
        buf_puts(b, v->rule_id);
        return;
    }
    buf_puts(b, "rule \"");
    printable_put(b, span_str(v->rule_id));
    buf_puts(b, "\"");
}

void verdict_put(const struct verdict *v, struct buf *b)
{
    static const char *const kinds[] = {
        [FINDING_MET] = "met", [FINDING_MISSING] = "missing", [FINDING_AGAINST] = "against", [FINDING_NOTE] = "note"};

    rule_put(v, b);
    buf_putf(b, ": %s\n", decision_name(v->decision));
    for (size_t i = 0; i < v->finding_count; i++) {
        buf_putf(b, "  %s: ", kinds[v->findings[i].kind]);
        printable_put(b, span_str(v->findings[i].text));
        buf_puts(b, "\n");
    }
}

void verdict_put_short(const struct verdict *v, struct buf *b)
{
    enum finding_kind wanted = v->decision == DECISION_PENDING ? FINDING_MISSING : FINDING_AGAINST;
    bool first = true;

    buf_puts(b, v->decision == DECISION_ALLOW  ? "allowed by "
                : v->decision == DECISION_DENY ? "denied by "
                                               : "waits, by ");
    rule_put(v, b);
    for (size_t i = 0; v->decision != DECISION_ALLOW && i < v->finding_count; i++) {
        if (v->findings[i].kind != wanted)
            continue;
        buf_puts(b, first ? ": " : "; ");
        printable_put(b, span_str(v->findings[i].text));
        first = false;
    }
}
