#ifndef QUORATE_POLICY_JUDGE_H
#define QUORATE_POLICY_JUDGE_H

#include "policy/evaluate.h"

/* One evaluation under way: each requirement adds findings and says whether it stands in the way for good (denied) or
 * until people, a ceremony or sites come (waiting). Memory faults are sticky and make the evaluation fail. */
struct judge {
    const struct policy *policy;
    const struct evidence *evidence;
    struct verdict *verdict;
    bool denied, waiting, failed;
};

void judge_note(struct judge *j, enum finding_kind kind, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void judge_deny(struct judge *j, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));
void judge_wait(struct judge *j, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "a, b or c" */
void names_put(struct buf *b, const struct strings *names, const char *conjunction);

#endif
