#include "ceremony/describe.h"
#include "ceremony/tbs.h"
#include "ceremony/tool.h"
#include "core/encode.h"

/* `quorate request list` and `request show`. */

/* What is missing, or stands against it; rule and position are for `request show`. */
static void findings_put(const struct verdict *v, struct buf *ret)
{
    enum finding_kind wanted = v->decision == DECISION_PENDING ? FINDING_MISSING : FINDING_AGAINST;

    for (size_t i = 0; i < v->finding_count; i++)
        if (v->findings[i].kind == wanted)
            buf_putf(ret, "%s%s", ret->len > 0 ? "; " : "", v->findings[i].text);
}

static enum outcome known_judge(struct estate *e, const struct state_request *known, struct verdict **ret,
                                struct fault *f)
{
    struct request *r = NULL;
    enum outcome o = estate_request(e, &known->id, &r, f);

    if (o == OK)
        o = request_judge(e, r, ret, f);
    request_free(r);
    return o;
}

bool request_approved(struct estate *e, const struct state_request *known)
{
    struct verdict *v = NULL;
    struct fault f = {.outcome = OK};
    bool approved = known_judge(e, known, &v, &f) == OK && v->decision == DECISION_ALLOW;

    verdict_free(v);
    return approved;
}

/* In one line: whom the request waits for. A request whose policy or file is gone says so instead. */
static void missing_put(struct estate *e, const struct state_request *known, struct buf *ret)
{
    struct verdict *v = NULL;
    struct fault f = {.outcome = OK};

    if (known_judge(e, known, &v, &f) != OK)
        buf_puts(ret, f.text);
    else if (v->decision == DECISION_ALLOW)
        buf_puts(ret, "approved: ask again to have it done");
    else
        findings_put(v, ret);
    verdict_free(v);
}

json_t *request_row_json(struct estate *e, const struct state_request *known, moment now)
{
    json_t *j = json_object();
    struct buf missing = BUF(OUTPUT_MAX);
    bool good = json_put_moment(j, "expires", known->expires) && json_put_moment(j, "made", known->made) &&
                json_put_string(j, "operation", known->operation) && json_put_digest(j, "request", &known->id) &&
                json_put_string(j, "rule", known->rule) && json_put_string(j, "state", request_word(known, now)) &&
                (!known->token || json_put_string(j, "token", known->token)) &&
                (!known->label || json_put_string(j, "label", known->label)) &&
                (!known->why || json_put_string(j, "why", known->why));

    if (good && known->state == REQUEST_PENDING && now < known->expires) {
        missing_put(e, known, &missing);
        good = json_put_string(j, "missing", buf_str(&missing));
    }
    buf_free(&missing);
    if (good)
        return j;
    json_decref(j);
    return NULL;
}

void request_row_put(struct estate *e, const struct state_request *known, moment now, struct buf *b)
{
    struct buf missing = BUF(OUTPUT_MAX), what = BUF(OUTPUT_MAX);
    char id[16];

    snprintf(id, sizeof id, "%.12s", digest_hex(&known->id).hex);
    headline_put(&what, known->operation, NULL, known->label, known->token);
    print_cell(b, TONE_PLAIN, id, 12);
    print_cell(b, request_tone(known, now), request_word(known, now), 11);
    print_cell(b, TONE_PLAIN, buf_str(&what), 34);
    if (known->state == REQUEST_PENDING && now < known->expires) {
        missing_put(e, known, &missing);
        print_text(b, buf_str(&missing));
    } else if (known->why) {
        print_text(b, known->why);
    }
    buf_puts(b, "\n");
    buf_free(&what);
    buf_free(&missing);
}

enum outcome run_request_list(const struct arguments *a, struct fault *f)
{
    struct estate *e = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    json_t *list = json_array();
    moment now = moment_now();
    size_t shown = 0;
    bool json = argument_flag(a, "json");
    enum outcome o = list ? estate_open(argument(a, "bindings"), &e, f) : fault_memory(f);

    for (size_t i = 0; o == OK && i < e->state.request_count; i++) {
        const struct state_request *known = &e->state.requests[i];
        bool pending = known->state == REQUEST_INTENT || (known->state == REQUEST_PENDING && now < known->expires);

        if (!pending && !argument_flag(a, "all"))
            continue;
        shown++;
        if (!json)
            request_row_put(e, known, now, &b);
        else if (json_array_append_new(list, request_row_json(e, known, now)) != 0)
            o = fault_memory(f);
    }
    if (o == OK && json) {
        o = print_json(list, f);
        list = NULL; /* taken by print_json */
    } else if (o == OK) {
        if (shown == 0)
            buf_puts(&b, "No request waits.\n");
        o = print_out(&b, f);
    }
    json_decref(list);
    buf_free(&b);
    estate_close(e);
    return o;
}

static json_t *votes_json(const struct state_request *known)
{
    json_t *list = json_array();
    bool good = list != NULL;

    for (size_t i = 0; good && known && i < known->vote_count; i++) {
        const struct state_vote *v = &known->votes[i];
        json_t *j = json_object();

        good = json_put_moment(j, "at", v->at) && json_put_string(j, "person", v->person) &&
               json_put_string(j, "vote", v->rejection ? "rejection" : "approval") &&
               (!v->reason || json_put_string(j, "reason", v->reason));
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

static json_t *id_words(const struct digest *id)
{
    struct buf words = BUF(1024);
    json_t *j = NULL;

    words_put(&words, span_of(id->bytes, sizeof id->bytes));
    j = words.failed ? NULL : json_string(buf_str(&words));
    buf_free(&words);
    return j;
}

static enum outcome show_json(const struct estate *e, const struct request *r, const struct verdict *v, struct fault *f)
{
    const struct state_request *known = state_request(&e->state, &r->id);
    json_t *j = json_object(), *document = NULL;
    enum outcome o = json_parse_canonical(buf_span(&r->bytes), &document, f);

    if (o == OK && (!json_put_digest(j, "id", &r->id) || !json_put(j, "request", json_incref(document)) ||
                    !json_put_string(j, "state", known ? request_word(known, moment_now()) : "unknown") ||
                    !json_put(j, "votes", votes_json(known)) || !json_put(j, "words", id_words(&r->id)) ||
                    (v && !json_put(j, "verdict", verdict_details(v)))))
        o = fault_memory(f);
    if (o == OK) {
        o = print_json(j, f);
        j = NULL; /* taken by print_json */
    }
    json_decref(document);
    json_decref(j);
    return o;
}

enum outcome run_request_show(const struct arguments *a, struct fault *f)
{
    struct estate *e = NULL;
    struct request *r = NULL;
    struct verdict *v = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    const struct state_request *known = NULL;
    char *folder = NULL;
    enum outcome o = estate_open(argument(a, "bindings"), &e, f);

    if (o == OK)
        o = request_named(e, a->operands[0], &r, f);
    if (o != OK)
        goto out;
    known = state_request(&e->state, &r->id);
    if (!request_closed(known))
        o = request_judge(e, r, &v, f);
    if (o == OK && argument_flag(a, "json")) {
        o = show_json(e, r, v, f);
    } else if (o == OK) {
        request_put(e, r, v, &b);
        folder = tbs_folder(e, &r->id);
        o = folder ? tbs_put(folder, r, &b, f) : fault_memory(f);
    }
    if (o == OK && b.len != 0) {
        o = print_out(&b, f);
    }
    if (o == OK)
        o = print_said(request_holds(state_request(&e->state, &r->id), v), f);
out:
    free(folder);
    buf_free(&b);
    verdict_free(v);
    request_free(r);
    estate_close(e);
    return o;
}
