#ifndef QUORATE_TESTS_SWEEP_SWEEP_H
#define QUORATE_TESTS_SWEEP_SWEEP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "audit/note.h"
#include "tests/sweep/hsm.h"

/* build/tests/sweep: whole operations, ended at each of their calls to disk and HSM, one after the other, then looked at by another
 * process; or with each of their calls to the HSM going wrong. What is swept is a table of operations over stages. */

/* What lies there before an operation: made once, copied for every run. `estate` in the folder is the home. */
struct stage {
    const char *name;
    bool hsm; /* `tokens` and `bindings.yaml` are in the folder */
    void (*make)(const char *folder);
};

/* Each function runs in a process of its own, in the folder that `spot` names. They say on stderr what is wrong and end the
 * process with 1, or return a status likewise; 0 is good. */
struct deed {
    const char *name;
    const struct stage *stage;
    int (*begin)(void); /* up to where the calls are counted; may be NULL */
    int (*run)(void);   /* 0: went through */
    int (*check)(void); /* in another process, afterwards; what was shown before is in `shown` */
    bool answers;       /* `run` leaves in `told` what a function of PKCS#11 answered, and which */
    bool elsewhere;     /* the calls that are counted are those of a courier's other end, and it is what dies */
};
/* The last one's name is NULL. */
extern const struct deed log_operations[], estate_operations[], replicate_operations[], courier_operations[],
    home_operations[];
extern const struct stage stage_three; /* of the estate: three sites, all questions answered */

/* Where the process works. */
struct spot {
    char folder[128], home[160], log[192];
};
extern struct spot spot;
void spot_set(const char *folder);
void spot_elsewhere(void); /* home and log are those of the site that a courier goes to */
/* The other end of a courier: what the command in the bindings, `sweep courier FOLDER`, does with a message on its standard input;
 * and what the sweep asks it (courier_operations.c). */
int courier_end(int argc, char **argv);

/* Checkpoints that the operation showed before it was ended. */
#define SHOWN 1024u
extern struct checkpoint shown[SHOWN];
extern size_t shown_count;
void shown_read(void); /* from the journal */
/* The log in `spot` opens, from genesis, and leads on from all that was shown. */
enum outcome shown_check(struct fault *f);

/* The function that `run` calls may answer so. */
bool answer_allowed(const char *function, unsigned long rv);
/* What stage_three is for: in a process of its own; an application's session is open afterwards. */
int estate_begin(void);
int estate_finish(int rc);
/* vendor verb "settle"; in *ret_busy how many intents it left to others. */
enum outcome estate_settle(size_t *ret_busy);
int estate_inventory(void);
/* The questions for so many key pairs, rep-crowd-N from 0, asked and approved; one of them born; all of them checked. */
int estate_crowd_ask(unsigned count);
unsigned long estate_crowd_birth(unsigned long session, unsigned n);
unsigned long estate_crowd_session(void);
int estate_crowd_check(unsigned count);
int estate_heads_check(void);
/* The question whether the home may go on elsewhere, asked in the estate of that folder; the new home's key lies there too. */
void home_move_ask(const char *folder);

/* For `check`: the operation said that it went through. */
extern bool told_good;
/* What the HSM module asks before every call, between `begin` and the end of `run`. */
extern hsm_hook_fn *hook_between;
extern atomic_bool hook_armed;

/* What all processes share. */
struct tally {
    atomic_ulong positions, runs, bad;
};
extern struct tally *tally;

/* What run's call of PKCS#11 answered, and which function that was; of each worker and its processes. */
struct told {
    atomic_ulong answer;
    char answering[24];
};
extern struct told *told;

/* Processes (process.c). Everything lies in a folder that room_make makes and room_end removes, in memory where it can. */
void room_make(void);
void room_end(void);
void *room_shared(size_t size); /* zeroed, of this process and those that it forks from now on */
void room_path(char ret[128], const char *name);
/* A copy of a stage, which is made where it is wanted first, as `name` in the room; `spot` leads there. */
void stage_copy(const struct stage *s, const char *name);
/* Runs in a process of its own; its exit status, or 128 and the signal that ended it. */
int child(int (*life)(void));
const char *child_said(void); /* on stdout and stderr, the last one in this place */
/* The same in two parts, so that others can run meanwhile; `name` is that of the file for what it says. */
int child_begin(int (*life)(void), const char *name);
int child_end(int pid);
void orphans_end(void); /* waits for what its children left behind; there must be no child of its own */
/* Counts as bad. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The sweeps: 0 where nothing was bad. `every`: only each so-manyth position. */
int sweep_crashes(const struct deed *o, unsigned every);
unsigned long sweep_seed(void); /* SWEEP_SEED, or 0: which of the many codes and calls are taken */
int sweep_faults(const struct deed *o, unsigned every);
/* What the policy of the estate's stages gives glasgow. */
#define ANSWER_WITHIN 5u /* seconds */
int sweep_hangs(const struct deed *o, unsigned every);
int sweep_races(const struct deed *o, unsigned every); /* another process settles meanwhile */
/* Many at once (crowd.c, crowd_births.c). */
int crowd_appends(unsigned rounds);
int crowd_births(unsigned births);
/* Runs work in so many processes at once; each has a place of its own, where that deed's stage lies, and a journal. */
#define WORKERS 2u
void tally_clear(void);
void workers_run(const struct deed *o, void (*work)(unsigned worker, unsigned every), unsigned every);

#endif
