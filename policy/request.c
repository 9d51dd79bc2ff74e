#include "policy/request.h"

#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

#define MEMBERS "?ceremony expires log made nonce policy rule ?step subject type version"

moment request_expires(const struct rule *rule, moment made)
{
    static const struct span_of_time usual = {LIMIT_EXPIRES_USUAL, 0};

    return moment_add(made, rule != NULL && (rule->expires.seconds != 0 || rule->expires.months != 0) ? rule->expires
                                                                                                      : usual);
}

static json_t *frame_json(const json_t *subject, const struct request_frame *frame)
{
    json_t *json = json_object(), *log = json_object(), *policy = json_object(), *copy = json_deep_copy(subject);
    struct buf nonce = BUF(64);
    bool done = false;

    hex_put(&nonce, span_of(frame->nonce, sizeof frame->nonce));
    done =
        !nonce.failed && json_put_digest(log, "root", &frame->log_root) &&
        json_put_integer(log, "size", (int64_t)frame->log_size) && json_put_digest(policy, "digest", &frame->policy) &&
        json_put_integer(policy, "version", frame->policy_version) &&
        json_put_moment(json, "expires", frame->expires) && json_put_moment(json, "made", frame->made) &&
        json_put_string(json, "nonce", buf_str(&nonce)) && json_put_string(json, "rule", frame->rule) &&
        json_put_string(json, "type", REQUEST_TYPE) && json_put_integer(json, "version", REQUEST_VERSION) &&
        (frame->ceremony == NULL || json_put_string(json, "ceremony", frame->ceremony)) &&
        (frame->step == NULL || json_put_string(json, "step", frame->step)) && json_object_set(json, "log", log) == 0 &&
        json_object_set(json, "policy", policy) == 0 && json_object_set(json, "subject", copy) == 0;
    buf_free(&nonce);
    json_decref(log);
    json_decref(policy);
    json_decref(copy);
    if (!done) {
        json_decref(json);
        json = NULL;
    }
    return json;
}

enum outcome request_compose(const json_t *subject, const struct request_frame *frame, struct request **ret,
                             struct fault *f)
{
    struct buf bytes = BUF(LIMIT_REQUEST);
    json_t *json = frame_json(subject, frame);
    enum outcome o = json == NULL ? fault_memory(f) : json_canonical(json, &bytes, f);

    if (o == OK)
        o = request_parse(buf_span(&bytes), ret, f); /* what is read back is what is meant */
    json_decref(json);
    buf_free(&bytes);
    return o;
}

static enum outcome copy_text(const json_t *json, const char *name, char **ret, struct fault *f)
{
    const char *text = NULL;
    enum outcome o = json_want_string(json, name, &text, f);

    if (o != OK)
        return o;
    if (*text == '\0')
        return fault_set(f, E_INVALID, "%s is empty", name);
    *ret = strdup(text);
    return *ret == NULL ? fault_memory(f) : OK;
}

static enum outcome read_nonce(struct request *r, const json_t *json, struct fault *f)
{
    const char *text = NULL;
    uint8_t bytes[16];
    enum outcome o = json_want_string(json, "nonce", &text, f);

    if (o != OK || (o = hex_parse(text, bytes, sizeof bytes, f)) != OK)
        return o;
    memcpy(r->nonce, text, sizeof r->nonce);
    return OK;
}

static enum outcome read_frame(struct request *r, const json_t *json, struct fault *f)
{
    json_t *log = NULL, *policy = NULL;
    int64_t size = 0, version = 0;
    enum outcome o = OK;

    if ((o = json_want_object(json, "log", &log, f)) != OK || (o = json_members(log, "root size", f)) != OK ||
        (o = json_want_digest(log, "root", &r->log_root, f)) != OK ||
        (o = json_want_integer(log, "size", &size, f)) != OK ||
        (o = json_want_object(json, "policy", &policy, f)) != OK ||
        (o = json_members(policy, "digest version", f)) != OK ||
        (o = json_want_digest(policy, "digest", &r->policy, f)) != OK ||
        (o = json_want_integer(policy, "version", &version, f)) != OK ||
        (o = json_want_moment(json, "made", &r->made, f)) != OK ||
        (o = json_want_moment(json, "expires", &r->expires, f)) != OK || (o = read_nonce(r, json, f)) != OK ||
        (o = copy_text(json, "rule", &r->rule, f)) != OK)
        return o;
    if (size < 0 || version < 0 || version > UINT32_MAX || r->expires < r->made)
        return fault_set(f, E_INVALID, "log size, policy version or times are out of range");
    r->log_size = (uint64_t)size;
    r->policy_version = (unsigned)version;
    if (json_object_get(json, "ceremony") != NULL && (o = copy_text(json, "ceremony", &r->ceremony, f)) != OK)
        return o;
    return json_object_get(json, "step") == NULL ? OK : copy_text(json, "step", &r->step, f);
}

static enum outcome read_subject(struct request *r, const json_t *json, struct fault *f)
{
    json_t *subject = NULL;
    enum outcome o = json_want_object(json, "subject", &subject, f);

    if (o != OK || (o = json_digest(subject, &r->subject_digest, f)) != OK)
        return o;
    return subject_read(json_incref(subject), &r->subject, f);
}

enum outcome request_parse(struct span bytes, struct request **ret, struct fault *f)
{
    enum outcome o = E_MEMORY;
    const char *type = NULL;
    int64_t version = 0;
    json_t *json = NULL;
    struct request *r = calloc(1, sizeof *r);

    if (r == NULL)
        return fault_memory(f);
    r->bytes = BUF(LIMIT_REQUEST);
    buf_put(&r->bytes, bytes.data, bytes.len);
    if (r->bytes.failed) {
        o = fault_set(f, E_MEMORY, "a request has at most %u bytes", LIMIT_REQUEST);
        goto out;
    }
    if ((o = json_parse_canonical(bytes, &json, f)) != OK || (o = json_members(json, MEMBERS, f)) != OK ||
        (o = json_want_string(json, "type", &type, f)) != OK ||
        (o = json_want_integer(json, "version", &version, f)) != OK)
        goto out;
    if (strcmp(type, REQUEST_TYPE) != 0 || version != REQUEST_VERSION) {
        o = fault_set(f, E_INVALID, "its type is not " REQUEST_TYPE ", version %d", REQUEST_VERSION);
        goto out;
    }
    if ((o = read_frame(r, json, f)) != OK || (o = read_subject(r, json, f)) != OK)
        goto out;
    if (!digest_one(&r->id, bytes)) {
        o = fault_set(f, E_IO, "SHA-256 failed: libcrypto is broken");
        goto out;
    }
    *ret = r;
    r = NULL; /* taken by the caller */
out:
    if (o != OK)
        fault_context(f, "request");
    json_decref(json);
    request_free(r);
    return o;
}

void request_free(struct request *r)
{
    if (r == NULL)
        return;
    buf_free(&r->bytes);
    subject_free(r->subject);
    free(r->rule);
    free(r->ceremony);
    free(r->step);
    free(r);
}

enum outcome renewal_compose(const struct digest *request, const struct digest *renews, struct buf *ret,
                             struct fault *f)
{
    json_t *json = json_object();
    bool good = json_put_digest(json, "renews", renews) && json_put_digest(json, "request", request) &&
                json_put_string(json, "type", RENEWAL_TYPE);
    enum outcome o = good ? json_canonical(json, ret, f) : fault_memory(f);

    json_decref(json);
    return o;
}

enum outcome rejection_compose(const struct digest *request, const char *reason, struct buf *ret, struct fault *f)
{
    json_t *json = json_object();
    enum outcome o = E_MEMORY;

    if (*reason == '\0' || !utf8_printable(span_str(reason)))
        o = fault_set(f, E_INVALID, "a rejection needs a reason, one line of printable text");
    else if (!json_put_string(json, "reason", reason) || !json_put_digest(json, "request", request) ||
             !json_put_string(json, "type", REJECTION_TYPE))
        o = fault_memory(f);
    else
        o = json_canonical(json, ret, f);
    json_decref(json);
    return o;
}

enum outcome rejection_parse(struct span bytes, struct digest *ret_request, char **ret_reason, struct fault *f)
{
    json_t *json = NULL;
    const char *type = NULL;
    char *reason = NULL;
    struct digest request;
    enum outcome o = json_parse_canonical(bytes, &json, f);

    if (o != OK || (o = json_members(json, "reason request type", f)) != OK ||
        (o = json_want_string(json, "type", &type, f)) != OK ||
        (o = json_want_digest(json, "request", &request, f)) != OK || (o = copy_text(json, "reason", &reason, f)) != OK)
        goto out;
    if (strcmp(type, REJECTION_TYPE) != 0 || !utf8_printable(span_str(reason))) {
        o = fault_set(f, E_INVALID, "its type is not " REJECTION_TYPE ", or its reason is not printable");
        goto out;
    }
    *ret_request = request;
    *ret_reason = reason;
    reason = NULL; /* taken by the caller */
out:
    if (o != OK)
        fault_context(f, "rejection");
    json_decref(json);
    free(reason);
    return o;
}
