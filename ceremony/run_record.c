#include "ceremony/run_record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/confidential.h"
#include "core/limits.h"

enum outcome record_open(const char *ceremony, struct record *ret, struct fault *f)
{
    struct record r = {
        .ceremony = strdup(ceremony), .entries = json_array(), .custody = json_object(), .bags = json_object()};

    if (r.ceremony == NULL || r.entries == NULL || r.custody == NULL || r.bags == NULL) {
        record_clear(&r);
        return fault_memory(f);
    }
    *ret = r;
    return OK;
}

void record_clear(struct record *r)
{
    free(r->ceremony);
    json_decref(r->entries);
    json_decref(r->custody);
    json_decref(r->bags);
    *r = (struct record){0};
}

static bool text_is(const json_t *object, const char *name, const char *wanted)
{
    const char *text = json_string_or_null(object, name);

    return text != NULL && strcmp(text, wanted) == 0;
}

static bool entry_is(const json_t *entry, enum entry_type type)
{
    return text_is(entry, "type", entry_type_name(type));
}

static uint64_t entry_seq(const json_t *entry)
{
    return (uint64_t)json_integer_value(json_object_get(entry, "seq"));
}

/* The entry that a value of a step's result repeats; NULL: none. An answer's last one stands. */
static const json_t *repeated(const struct record *r, const char *step, const char *name, const char *value)
{
    for (size_t i = json_array_size(r->entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->entries, i), *body = json_object_get(entry, "body");

        if (!text_is(body, "step", step))
            continue;
        if (entry_is(entry, ENTRY_ANSWER) && text_is(body, "name", name))
            return entry;
        if ((entry_is(entry, ENTRY_EXHIBIT) || entry_is(entry, ENTRY_ARTIFACT)) && text_is(body, "digest", value))
            return entry;
    }
    return NULL;
}

json_t *record_result(const struct record *r, const char *step, json_t *result)
{
    json_t *shown = json_object(), *value = NULL;
    const char *name = NULL;
    bool good = shown != NULL;

    json_object_foreach(result, name, value)
    {
        const char *text = json_string_value(value);
        const json_t *entry = text != NULL ? repeated(r, step, name, text) : NULL;
        struct commit_text commit;

        good = good &&
               json_put(shown, name,
                        entry != NULL && commit_shown(entry, &commit) ? json_string(commit.text) : json_incref(value));
    }
    if (good)
        return shown;
    json_decref(shown);
    return NULL;
}

/* A bag's number as it was said. */
static const char *bag_opened(const struct record *r, const char *bag)
{
    const char *said = json_string_or_null(r->bags, bag);

    return said != NULL ? said : bag;
}

static enum outcome bag_take(struct record *r, const json_t *entry, struct fault *f)
{
    const json_t *body = json_object_get(entry, "body");
    struct commit_text commit;

    if (!text_is(body, "name", "bag") || !commit_shown(entry, &commit))
        return OK;
    return json_put_string(r->bags, commit.text, json_string_or_null(body, "value")) ? OK : fault_memory(f);
}

/* A bag that was opened or sealed, in whatever ceremony. */
static enum outcome custody_take(struct record *r, const json_t *body, struct fault *f)
{
    const json_t *result = json_object_get(body, "result");
    const char *item = json_string_or_null(result, "item"), *bag = json_string_or_null(result, "bag");
    bool sealed = text_is(body, "action", "seal-bag");
    json_t *now = NULL;

    if (item == NULL || bag == NULL || (!sealed && !text_is(body, "action", "open-bag")))
        return OK;
    now = json_object();
    if (!json_put_string(now, "bag", bag_opened(r, bag)) ||
        !json_put_string(now, "sealed", sealed ? "true" : "false") || !json_put(r->custody, item, json_incref(now))) {
        json_decref(now);
        return fault_memory(f);
    }
    json_decref(now);
    return OK;
}

enum outcome record_take(struct record *r, const json_t *entry, struct fault *f)
{
    json_t *copy = NULL;

    r->next = entry_seq(entry) + 1;
    if (entry_is(entry, ENTRY_ANSWER) && bag_take(r, entry, f) != OK)
        return f->outcome;
    if (entry_is(entry, ENTRY_STEP) && custody_take(r, json_object_get(entry, "body"), f) != OK)
        return f->outcome;
    if (!text_is(entry, "ceremony", r->ceremony))
        return OK;
    copy = json_deep_copy(entry);
    return copy != NULL && json_array_append_new(r->entries, copy) == 0 ? OK : fault_memory(f);
}

enum outcome record_follow(struct record *r, const struct log *l, struct fault *f)
{
    enum outcome o = OK;

    while (o == OK && r->next < log_size(l)) {
        struct entry e = {0};

        o = log_entry(l, r->next, &e, f);
        if (o == OK)
            o = record_take(r, e.json, f);
        entry_clear(&e);
    }
    return o;
}

const json_t *record_find(const struct record *r, enum entry_type type, const char *step, const char *person,
                          uint64_t from)
{
    for (size_t i = json_array_size(r->entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->entries, i), *body = json_object_get(entry, "body");

        if (entry_seq(entry) < from)
            return NULL;
        if (entry_is(entry, type) && text_is(body, "step", step) && (person == NULL || text_is(body, "person", person)))
            return body;
    }
    return NULL;
}

/* The newest step entry, done or begun. */
bool record_begun(const struct record *r, const char *step, uint64_t *ret_seq)
{
    for (size_t i = json_array_size(r->entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->entries, i), *body = json_object_get(entry, "body");

        if (entry_is(entry, ENTRY_STEP) && text_is(body, "step", step) && json_object_get(body, "begun") != NULL) {
            *ret_seq = entry_seq(entry);
            return true;
        }
    }
    return false;
}

bool record_present(const struct record *r, const char *person)
{
    for (size_t i = json_array_size(r->entries); i-- > 0;) {
        const json_t *entry = json_array_get(r->entries, i);

        if (text_is(json_object_get(entry, "body"), "person", person) &&
            (entry_is(entry, ENTRY_ENTERED) || entry_is(entry, ENTRY_LEFT)))
            return entry_is(entry, ENTRY_ENTERED);
    }
    return false;
}

bool record_deviated(const struct record *r, const char *step, uint64_t from)
{
    return record_find(r, ENTRY_DEVIATION, step, NULL, from) != NULL;
}

size_t record_deviation_count(const struct record *r)
{
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(r->entries); i++)
        count += entry_is(json_array_get(r->entries, i), ENTRY_DEVIATION);
    return count;
}

json_t *record_deviations(const struct record *r)
{
    json_t *seqs = json_array();
    bool good = seqs != NULL;

    for (size_t i = 0; i < json_array_size(r->entries) && good; i++) {
        const json_t *entry = json_array_get(r->entries, i);

        if (entry_is(entry, ENTRY_DEVIATION))
            good = json_array_append_new(seqs, json_integer((json_int_t)entry_seq(entry))) == 0;
    }
    if (good)
        return seqs;
    json_decref(seqs);
    return NULL;
}

enum outcome record_position(const struct record *r, const struct script *s, size_t *ret, struct fault *f)
{
    size_t position = 0;

    for (size_t i = 0; i < json_array_size(r->entries); i++) {
        const json_t *entry = json_array_get(r->entries, i), *body = json_object_get(entry, "body");
        const char *id = json_string_or_null(body, "step");

        if (!entry_is(entry, ENTRY_STEP))
            continue;
        if (position == s->step_count || id == NULL || strcmp(id, s->steps[position].id) != 0)
            return fault_set(f, E_REFUSED,
                             "entry %" PRIu64 " of the log has step %s of %s out of turn, where step %s was due: this "
                             "ceremony was written by something else; nothing more is done in it",
                             entry_seq(entry), id != NULL ? id : "-", r->ceremony,
                             position < s->step_count ? s->steps[position].id : "-");
        if (json_object_get(body, "begun") == NULL)
            position++;
    }
    *ret = position;
    return OK;
}

const char *record_bag(const struct record *r, const char *item, bool *ret_sealed)
{
    const json_t *now = json_object_get(r->custody, item);
    const char *bag = json_string_or_null(now, "bag");

    if (bag != NULL)
        *ret_sealed = text_is(now, "sealed", "true");
    return bag;
}
