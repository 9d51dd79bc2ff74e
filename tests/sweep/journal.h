#ifndef QUORATE_TESTS_SWEEP_JOURNAL_H
#define QUORATE_TESTS_SWEEP_JOURNAL_H

#include "tests/sweep/disk.h"

/* What the processes that disk.h is about share. */
struct journal {
    char folder[256]; /* of disk_arm_others; "": none */
    unsigned long chosen;
    enum disk_fate fate;
    unsigned long events;
    bool hit;
    char what[160];
    size_t used;
    _Alignas(16) unsigned char bytes[];
};
extern struct journal *journal;

void journal_begin(void); /* empty */
void journal_keep(const struct disk_record *r, const void *bytes);

#endif
