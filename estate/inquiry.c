#include "estate/inquiry.h"

#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "core/limits.h"

#define INQUIRY_TYPE "quorate/inquiry/v1"

void inquiry_clear(struct inquiry *q)
{
    json_decref(q->keys);
    json_decref(q->arrival);
    *q = (struct inquiry){.kind = MESSAGE_KINDS};
}

/* No name has an @. */
static char *inquiry_path(const struct estate *e, enum message_kind kind, const char *token, const char *site)
{
    char name[2 * LIMIT_NAME + 32];

    snprintf(name, sizeof name, "%.64s@%.64s.%s.json", token, site, message_kind_name(kind));
    return estate_path(e, "inquiries", name);
}

static enum outcome keys_read(const json_t *json, struct inquiry *q, struct fault *f)
{
    json_t *keys = NULL, *item = NULL;
    json_int_t before = -1;
    size_t at = 0;
    enum outcome result = json_want_array(json, "keys", &keys, f);

    json_array_foreach(keys, at, item)
    {
        if (!json_is_integer(item) || json_integer_value(item) <= before)
            result = fault_set(f, E_INVALID, "its keys are no rising numbers");
        before = json_integer_value(item);
    }
    if (result == OK)
        q->keys = json_incref(keys);
    return result;
}

static enum outcome arrival_read(const json_t *json, struct inquiry *q, struct fault *f)
{
    json_t *arrival = NULL;
    const char *bag = NULL;
    enum outcome result = json_want_object(json, "arrival", &arrival, f);

    if (result == OK)
        result = json_members(arrival, "bag ?elsewhere ?received-by ?safe", f);
    if (result == OK)
        result = json_want_string(arrival, "bag", &bag, f);
    if (result == OK)
        q->arrival = json_incref(arrival);
    return result;
}

static enum outcome inquiry_parse(const json_t *json, struct inquiry *q, struct fault *f)
{
    const char *type = NULL;
    int64_t size = 0;
    enum outcome result = json_members(json,
                                       q->kind == MESSAGE_DRILL       ? "challenge keys made size type"
                                       : q->kind == MESSAGE_CHALLENGE ? "arrival challenge made size type"
                                                                      : "challenge made size type",
                                       f);

    if (result == OK)
        result = json_want_string(json, "type", &type, f);
    if (result == OK && strcmp(type, INQUIRY_TYPE) != 0)
        result = fault_set(f, E_INVALID, "it is \"%.60s\"", type);
    if (result == OK)
        result = json_want_digest(json, "challenge", &q->challenge, f);
    if (result == OK)
        result = json_want_moment(json, "made", &q->made, f);
    if (result == OK)
        result = json_want_integer(json, "size", &size, f);
    if (result == OK && size < 0)
        result = fault_set(f, E_INVALID, "it was asked before the log began");
    q->size = (uint64_t)size;
    if (result == OK && q->kind == MESSAGE_CHALLENGE)
        return arrival_read(json, q, f);
    return result == OK && q->kind == MESSAGE_DRILL ? keys_read(json, q, f) : result;
}

static enum outcome inquiry_named(enum message_kind kind, const char *token, const char *site, struct inquiry *ret,
                                  struct fault *f)
{
    *ret = (struct inquiry){.kind = kind};
    if (snprintf(ret->token, sizeof ret->token, "%s", token) >= (int)sizeof ret->token ||
        snprintf(ret->site, sizeof ret->site, "%s", site) >= (int)sizeof ret->site)
        return fault_set(f, E_INVALID, "token or site is no name");
    return OK;
}

enum outcome inquiry_read(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                          struct inquiry *ret, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct inquiry q = {.kind = kind};
    json_t *json = NULL;
    char *path = inquiry_path(e, kind, token, site);
    enum outcome result = path != NULL ? inquiry_named(kind, token, site, &q, f) : fault_memory(f);

    if (result == OK)
        result = file_read(path, false, &bytes, f);
    if (result == OK)
        result = json_parse_canonical(buf_span(&bytes), &json, f);
    if (result == OK)
        result = inquiry_parse(json, &q, f);
    if (result == OK) {
        *ret = q;
        q.keys = q.arrival = NULL; /* taken by *ret */
    } else if (result != E_ABSENT) {
        fault_context(f, "%s", path != NULL ? path : "home/inquiries");
    }
    inquiry_clear(&q);
    json_decref(json);
    free(path);
    buf_free(&bytes);
    return result;
}

static enum outcome inquiry_write(const struct estate *e, const struct inquiry *q, struct fault *f)
{
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    char *folder = estate_path(e, "inquiries", NULL), *path = inquiry_path(e, q->kind, q->token, q->site);
    json_t *json = inquiry_json(q);
    bool good = folder != NULL && path != NULL &&
                (q->arrival == NULL || json_put(json, "arrival", json_incref(q->arrival))) &&
                json_put_moment(json, "made", q->made) && json_put_integer(json, "size", (int64_t)q->size) &&
                json_put_string(json, "type", INQUIRY_TYPE);
    enum outcome result = good ? json_canonical(json, &bytes, f) : fault_memory(f);

    if (result == OK)
        result = folder_make(folder, 0700, f);
    if (result == OK)
        result = file_replace(path, buf_span(&bytes), 0600, f);
    json_decref(json);
    free(folder);
    free(path);
    buf_free(&bytes);
    return result;
}

static enum outcome inquiry_make(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                                 const json_t *about, const struct digest *challenge, struct inquiry *ret,
                                 struct fault *f)
{
    struct inquiry q = {.kind = kind};
    enum outcome result = inquiry_named(kind, token, site, &q, f);
    json_t *copy = about != NULL ? json_deep_copy(about) : NULL;

    q.size = e->state.size;
    q.made = moment_now();
    *(kind == MESSAGE_CHALLENGE ? &q.arrival : &q.keys) = copy;
    if (result == OK && about != NULL && copy == NULL)
        result = fault_memory(f);
    if (challenge != NULL)
        q.challenge = *challenge;
    else if (result == OK && !random_bytes(q.challenge.bytes, sizeof q.challenge.bytes))
        result = fault_set(f, E_IO, "no random bytes from the system");
    if (result == OK)
        result = inquiry_write(e, &q, f);
    if (result == OK) {
        *ret = q;
        q.keys = q.arrival = NULL; /* taken by *ret */
    }
    inquiry_clear(&q);
    return result;
}

enum outcome inquiry_want(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                          const json_t *about, const struct digest *challenge, struct fault *ret_text, struct fault *f)
{
    struct inquiry q = {.kind = kind};
    struct fault ignored = {OK, ""};
    enum outcome result = OK;

    if (inquiry_read(e, kind, token, site, &q, &ignored) != OK || inquiry_stands(&e->state, &q, &ignored) != OK ||
        (about != NULL && !json_equal(kind == MESSAGE_CHALLENGE ? q.arrival : q.keys, about)) ||
        (challenge != NULL && !digest_equal(challenge, &q.challenge))) {
        inquiry_clear(&q);
        result = inquiry_make(e, kind, token, site, about, challenge, &q, f);
    }
    if (result == OK)
        fault_set(ret_text, E_PENDING,
                  "files are carried there: `quorate offer export %s DIR`, and `quorate receipt import` what comes "
                  "back, until "
                  "%s",
                  site, moment_format(inquiry_until(&q)).text);
    inquiry_clear(&q);
    return result;
}

enum outcome inquiry_forget(const struct estate *e, const struct inquiry *q, struct fault *f)
{
    char *path = inquiry_path(e, q->kind, q->token, q->site);
    enum outcome result = path != NULL ? file_remove(path, f) : fault_memory(f);

    free(path);
    return result;
}

moment inquiry_until(const struct inquiry *q)
{
    return q->made + (moment)LIMIT_INQUIRY;
}

static enum outcome arrival_stands(const struct state *s, const struct inquiry *q, struct fault *f)
{
    const struct state_site *known = state_site(s, q->token, q->site);

    if (known != NULL && known->away && strcmp(known->bag, json_string_or_null(q->arrival, "bag")) == 0)
        return OK;
    return fault_set(f, E_REFUSED, "the HSM of %s at %s is not on its way in bag %s any more", q->token, q->site,
                     json_string_or_null(q->arrival, "bag"));
}

enum outcome inquiry_stands(const struct state *s, const struct inquiry *q, struct fault *f)
{
    const json_t *item = NULL;
    size_t at = 0;

    if (moment_now() > inquiry_until(q))
        return fault_set(f, E_REFUSED,
                         "the %s of %s at %s was asked for on %s, and an answer counts until %s: ask again",
                         message_kind_name(q->kind), q->token, q->site, moment_format(q->made).text,
                         moment_format(inquiry_until(q)).text);
    json_array_foreach(q->keys, at, item)
    {
        const struct state_key *k = state_key_born(s, (uint64_t)json_integer_value(item));

        if (k == NULL || !state_key_at(k, q->token, q->site))
            return fault_set(f, E_REFUSED, "the key of entry %llu is not at %s any more: drill %s again",
                             (unsigned long long)json_integer_value(item), q->site, q->site);
    }
    return q->arrival != NULL ? arrival_stands(s, q, f) : OK;
}

json_t *inquiry_json(const struct inquiry *q)
{
    json_t *json = json_object();

    if (json_put_digest(json, "challenge", &q->challenge) &&
        (q->keys == NULL || json_put(json, "keys", json_deep_copy(q->keys))))
        return json;
    json_decref(json);
    return NULL;
}
