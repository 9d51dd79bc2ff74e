#ifndef QUORATE_POLICY_MATCH_H
#define QUORATE_POLICY_MATCH_H

#include <regex.h>

/* LABEL_BROKEN: no memory to find out; the caller denies. */
enum label_match { LABEL_DIFFERS, LABEL_MATCHES, LABEL_BROKEN };
enum label_match label_match(const regex_t *compiled, const char *label);

#endif
