#ifndef QUORATE_CEREMONY_RUN_RECORD_H
#define QUORATE_CEREMONY_RUN_RECORD_H

#include "audit/log.h"
#include "ceremony/script.h"
#include "core/json.h"

/* What the log says of one ceremony, and of bags in all of them. */
struct record {
    char *ceremony;
    json_t *entries; /* of this ceremony, whole, in order */
    json_t *custody; /* item -> {bag, sealed: "true"|"false"} */
    json_t *bags;    /* how a result shows a confidential answer -> that answer */
    uint64_t next;   /* the first entry not yet read */
};
enum outcome record_open(const char *ceremony, struct record *ret, struct fault *f);
void record_clear(struct record *r);

/* Takes one entry; in order. */
enum outcome record_take(struct record *r, const json_t *entry, struct fault *f);
/* Reads what the log has since. */
enum outcome record_follow(struct record *r, const struct log *l, struct fault *f);

/* The body of the newest entry of this type and step at or after `from`; NULL: none. person NULL: anybody's. */
const json_t *record_find(const struct record *r, enum entry_type type, const char *step, const char *person,
                          uint64_t from);
/* The seq of the newest `begun` of a step; false: none. */
bool record_begun(const struct record *r, const char *step, uint64_t *ret_seq);
bool record_present(const struct record *r, const char *person); /* entered and not left */
bool record_deviated(const struct record *r, const char *step, uint64_t from);
json_t *record_deviations(const struct record *r); /* their seqs; NULL on memory */
size_t record_deviation_count(const struct record *r);

/* A step's result as the log may show it: where a value repeats what an entry of the step only commits to, the
 * commitment. A new object, NULL on memory. */
json_t *record_result(const struct record *r, const char *step, json_t *result);

/* The first step without a done entry; step_count where all are done. E_REFUSED: a step was done out of turn. */
enum outcome record_position(const struct record *r, const struct script *s, size_t *ret, struct fault *f);

/* Where an item was last: its bag, and whether it is in it; NULL: the log never saw it. */
const char *record_bag(const struct record *r, const char *item, bool *ret_sealed);

#endif
