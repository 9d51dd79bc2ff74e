#include "ceremony/policy_file.h"
#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"

enum outcome policy_file_read(const char *path, struct policy **ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    enum outcome o = file_read(path, false, &bytes, f);

    if (o == OK)
        o = policy_parse(path, buf_span(&bytes), ret, f);
    buf_free(&bytes);
    return o;
}

static const char *remark_word(enum remark_kind k)
{
    switch (k) {
    case REMARK_BROKEN:
        return "broken";
    case REMARK_UNMET:
        return "unmet";
    case REMARK_FRAIL:
        break;
    }
    return "frail";
}

bool remarks_put(const struct remarks *r, struct buf *b, bool *ret_unmet)
{
    bool broken = false;

    *ret_unmet = false;
    for (size_t i = 0; i < r->count; i++) {
        const struct remark *x = &r->items[i];

        broken = broken || x->kind == REMARK_BROKEN;
        *ret_unmet = *ret_unmet || x->kind == REMARK_UNMET;
        buf_puts(b, "  ");
        print_cell(b, x->kind == REMARK_FRAIL ? TONE_WAIT : TONE_BAD, remark_word(x->kind), 6);
        print_text(b, x->text);
        buf_puts(b, "\n");
    }
    return broken;
}

/* NULL on memory. */
static json_t *remarks_json(const struct remarks *r)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && i < r->count; i++) {
        json_t *j = json_object();

        good = json_put_string(j, "kind", remark_word(r->items[i].kind)) &&
               json_put_integer(j, "line", r->items[i].line) && json_put_string(j, "text", r->items[i].text);
        if (good)
            good = json_array_append_new(list, j) == 0;
        else
            json_decref(j);
    }
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

static enum outcome check_tell_json(const struct policy *p, const struct remarks *r, bool holds, struct fault *f)
{
    json_t *j = json_object();

    if (json_put_digest(j, "canonical", &p->canonical) && json_put_digest(j, "digest", &p->digest) &&
        json_put_string(j, "name", p->name) && json_put(j, "remarks", remarks_json(r)) &&
        json_put_string(j, "status", holds ? "holds" : "does not hold") && json_put_integer(j, "version", p->version))
        return print_json(j, f);
    json_decref(j);
    return fault_memory(f);
}

enum outcome run_policy_check(const struct arguments *a, struct fault *f)
{
    struct policy *p = NULL;
    struct remarks remarks = {0};
    struct buf b = BUF(OUTPUT_MAX), list = BUF(OUTPUT_MAX);
    bool holds = false, unmet = true;
    enum outcome o = policy_file_read(a->operands[0], &p, f);

    if (o == OK)
        o = policy_check(p, moment_now(), &remarks, f);
    if (o != OK)
        goto out;
    holds = !remarks_put(&remarks, &list, &unmet) && !unmet;
    if (argument_flag(a, "json")) {
        o = check_tell_json(p, &remarks, holds, f);
    } else {
        print_text(&b, p->file);
        buf_puts(&b, ": ");
        print_toned(&b, holds ? TONE_GOOD : TONE_BAD, holds ? "holds" : "does not hold");
        buf_puts(&b, "\n");
        print_field(&b, "policy", "%s, version %u", p->name, p->version);
        print_field(&b, "digest", "%s", digest_hex(&p->digest).hex);
        print_field(&b, "declares", "people %zu, sites %zu, tokens %zu, rules %zu", p->person_count, p->site_count,
                    p->token_count, p->rule_count);
        buf_put(&b, list.data, list.len);
        o = print_out(&b, f);
    }
    if (o == OK && !holds)
        o = print_said(E_REFUSED, f);
out:
    buf_free(&list);
    buf_free(&b);
    remarks_free(&remarks);
    policy_free(p);
    return o;
}
