#ifndef QUORATE_CEREMONY_SUMMARY_H
#define QUORATE_CEREMONY_SUMMARY_H

#include "audit/entry.h"

/* An entry's body in one line for people: what happened to what, who, how it came out. */
void summary_put(struct buf *b, enum entry_type type, const json_t *body);

#endif
