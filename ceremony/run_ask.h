#ifndef QUORATE_CEREMONY_RUN_ASK_H
#define QUORATE_CEREMONY_RUN_ASK_H

#include "ceremony/run.h"

/* How a step gets to know what people say: from the terminal, or from the answers. */

/* OK: the value as it goes into the log. E_REFUSED: readable, but not what was expected (the value is set; it stands
 * only under a deviation). E_INVALID: not readable. */
typedef enum outcome question_take(const void *context, const char *typed, struct buf *ret_value, struct fault *why);

struct question {
    const char *name; /* in `answer` entries and results */
    bool optional;
    bool unlogged;       /* leaves no `answer` entry: what comes of it has an entry of its own */
    question_take *take; /* NULL: any printable text */
    const void *context;
};

/* Asks all of them, again where an answer does not fit, and notes deviations. *ret_given {name: value} is the caller's.
 * *ret_undone: a deviation says that the step could not be done (only where its action may be skipped). No questions:
 * waits for the word that it is done. */
enum outcome runner_ask(struct runner *r, const struct step *s, const struct question *questions, size_t count,
                        json_t **ret_given, bool *ret_undone, struct fault *f);

/* A deviation is demanded: the terminal asks for cause and acceptance; the answers must have one next. */
enum outcome runner_want_deviation(struct runner *r, const struct step *s, const char *why, struct fault *f);

/* Interactive: asks what to do after a failure. OK: again. E_REFUSED (empty text): break. Unattended: the failure
 * itself. */
enum outcome runner_again(struct runner *r, const struct step *s, enum outcome failed, struct fault *f);

#endif
