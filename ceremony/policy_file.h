#ifndef QUORATE_CEREMONY_POLICY_FILE_H
#define QUORATE_CEREMONY_POLICY_FILE_H

#include "ceremony/print.h"
#include "policy/policy.h"

enum outcome policy_file_read(const char *path, struct policy **ret, struct fault *f);

/* The remarks, a line each. Returns whether one of them refuses adoption; ret_unmet: one says "can never be met". */
bool remarks_put(const struct remarks *r, struct buf *b, bool *ret_unmet);

#endif
