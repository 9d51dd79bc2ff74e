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

/* Spent, void or rejected: no vote changes it, and it is judged no more. */
bool request_closed(const struct state_request *known);

/* Everything about one request: subject, state, votes, verdict with findings (NULL: closed), id as words. */
void request_put(const struct estate *e, const struct request *r, const struct verdict *v, struct buf *b);

/* Whether what is asked may happen: OK, E_PENDING or E_REFUSED with an empty text. v: as of now, NULL where it is closed. */
enum outcome request_holds(const struct state_request *known, const struct verdict *v);

/* Loads the request that ID or its prefix names. */
enum outcome request_named(struct estate *e, const char *id, struct request **ret, struct fault *f);

/* One line of a list, or its JSON (NULL on memory): id, state, what, whom it waits for. */
void request_row_put(struct estate *e, const struct state_request *known, moment now, struct buf *b);
json_t *request_row_json(struct estate *e, const struct state_request *known, moment now);

/* Enough people approved it: it waits for whoever asked, to ask again. */
bool request_approved(struct estate *e, const struct state_request *known);

/* The verdict as of now, whoever judges. */
enum outcome request_judge(struct estate *e, const struct request *r, struct verdict **ret, struct fault *f);

#endif
