#ifndef QUORATE_CEREMONY_DESCRIBE_H
#define QUORATE_CEREMONY_DESCRIBE_H

#include "ceremony/print.h"
#include "estate/asking.h"

/* Requests and verdicts for people. */

/* "generate EC:P-384 \"app-1\" on root"; NULL or "" for what there is not. */
void headline_put(struct buf *b, const char *operation, const char *key_type, const char *label, const char *token);

/* All that is signed: the headline, each member of the subject, the templates, what stands around. */
void subject_put(struct buf *b, const struct request *r);

/* The request's state as a word: pending, carried out, spent, rejected, void, expired. */
const char *request_word(const struct state_request *r, moment now);
enum tone request_tone(const struct state_request *r, moment now);

/* Everything about one request: subject, state, votes, verdict with findings, id as words. */
enum outcome request_put(struct estate *e, const struct request *r, struct buf *b, struct fault *f);

/* Loads the request that ID or its prefix names. */
enum outcome request_named(struct estate *e, const char *id, struct request **ret, struct fault *f);

/* One line of a list, or its JSON (NULL on memory): id, state, what, whom it waits for. */
void request_row_put(struct estate *e, const struct state_request *known, moment now, struct buf *b);
json_t *request_row_json(struct estate *e, const struct state_request *known, moment now);

/* The verdict as of now, whoever judges. */
enum outcome request_judge(struct estate *e, const struct request *r, struct verdict **ret, struct fault *f);

#endif
