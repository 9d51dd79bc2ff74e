#ifndef QUORATE_TESTS_SWEEP_SWEEP_H
#define QUORATE_TESTS_SWEEP_SWEEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "audit/note.h"

/* build/tests/sweep: whole operations, ended at each of their calls to disk and HSM, one after the other, then looked at by another
 * process; or with each of their calls to the HSM going wrong. What is swept is a table of operations over stages. */

/* What lies there before an operation: made once, copied for every run. `estate` in the folder is the home. */
struct stage {
    const char *name;
    bool hsm; /* `tokens` and `bindings.yaml` are in the folder */
    void (*make)(const char *folder);
};

/* Each function runs in a process of its own, in the folder that `place` names. They say on stderr what is wrong and end the
 * process with 1, or return a status likewise; 0 is good. */
struct operation {
    const char *name;
    const struct stage *stage;
    int (*begin)(void);   /* up to where the calls are counted; may be NULL */
    int (*run)(void);     /* 0: went through */
    int (*check)(void);   /* in another process, afterwards; what was shown before is in `shown` */
    const char *function; /* of PKCS#11, that `run` calls; NULL: none */
};
extern const struct operation log_operations[], estate_operations[]; /* the last one's name is NULL */

/* Where the process works. */
struct place {
    char folder[128], home[160], log[192];
};
extern struct place place;
void place_set(const char *folder);

/* Checkpoints that the operation showed before it was ended. */
#define SHOWN 64u
extern struct checkpoint shown[SHOWN];
extern size_t shown_count;
void shown_read(void); /* from the journal */
/* The log in `place` opens, from genesis, and leads on from all that was shown. */
enum outcome shown_check(struct fault *f);

/* What all processes share. */
struct tally {
    atomic_ulong positions, runs, bad;
    atomic_ulong answer; /* of run's call of PKCS#11 */
};
extern struct tally *tally;

/* Processes (process.c). Everything lies in a folder that room_make makes and room_end removes, in memory where it can. */
void room_make(void);
void room_end(void);
void room_path(char ret[128], const char *name);
/* A copy of a stage, which is made where it is wanted first, as `name` in the room; `place` leads there. */
void stage_copy(const struct stage *s, const char *name);
/* Runs in a process of its own; its exit status, or 128 and the signal that ended it. */
int child(int (*life)(void));
const char *child_said(void); /* on stdout and stderr, the last one in this place */
/* Counts as bad. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The sweeps: 0 where nothing was bad. `every`: only each so-manyth position. */
int sweep_crashes(const struct operation *o, unsigned every);

#endif
