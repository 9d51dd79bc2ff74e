#ifndef QUORATE_CEREMONY_TOOL_H
#define QUORATE_CEREMONY_TOOL_H

#include "core/fault.h"
#include "core/json.h"

/* The program's commands: one table drives dispatch, `--help` and the tests of the man pages. */

struct option {
    const char *name;  /* without the dashes; NULL ends a list */
    const char *value; /* what stands for its value in help; NULL: a flag */
    bool many;         /* may be given more than once */
    const char *help;
};

struct arguments;

struct command {
    const char *name;             /* "init", "policy check" */
    const char *operands;         /* as help shows them: "FILE"; "" for none */
    unsigned min, max;            /* number of operands */
    bool json;                    /* knows --json */
    const char *summary;          /* one line, without a full stop */
    const char *about;            /* what a reader of --help wants to know next */
    const struct option *options; /* its own; --bindings, --json and --help are common */
    /* Everything but OK with an empty text: the output has said it already. NULL: a group, listed by its name. */
    enum outcome (*run)(const struct arguments *a, struct fault *f);
};
extern const struct command commands[]; /* ended by a NULL name */

struct given {
    const struct option *option;
    const char *value; /* NULL for a flag */
};
struct arguments {
    const struct command *command;
    const char **operands;
    size_t operand_count;
    struct given *given;
    size_t given_count;
    bool help; /* nothing else was checked then */
};

/* The longest entry of the table that the words begin with, a group included, and how many words it took. E_INVALID names the
 * nearest commands. */
enum outcome command_find(int count, char *const *words, const struct command **ret, int *ret_taken, struct fault *f);
/* Options may stand anywhere; `--name VALUE` or `--name=VALUE`; after `--` only operands. E_INVALID: unknown, repeated,
 * without its value, too many or too few operands. */
enum outcome arguments_read(const struct command *c, int count, char *const *words, struct arguments *ret,
                            struct fault *f);
void arguments_clear(struct arguments *a);

const char *argument(const struct arguments *a, const char *name); /* the value, or NULL */
bool argument_flag(const struct arguments *a, const char *name);
enum outcome argument_want(const struct arguments *a, const char *name, const char **ret, struct fault *f);
/* --key, or what the environment says instead: there other users do not see it. */
#define KEY_VARIABLE "QUORATE_KEY"
enum outcome argument_key(const struct arguments *a, const char **ret, struct fault *f);

/* Help: of the program (command NULL), of a group, of a command. */
void help_put(const struct command *c, struct buf *b);

/* 0 holds, 1 does not hold, 2 usage or environment. */
int exit_status(enum outcome o);

/* Runs the program: what main does with its words. */
int tool_run(int argc, char *const *argv);

enum outcome run_init(const struct arguments *a, struct fault *f);
enum outcome run_policy_check(const struct arguments *a, struct fault *f);
enum outcome run_policy_explain(const struct arguments *a, struct fault *f);
enum outcome run_policy_adopt(const struct arguments *a, struct fault *f);
enum outcome run_policy_export(const struct arguments *a, struct fault *f);
enum outcome run_introduce(const struct arguments *a, struct fault *f);
enum outcome run_offer_export(const struct arguments *a, struct fault *f);
enum outcome run_receipt_import(const struct arguments *a, struct fault *f);
enum outcome run_accept(const struct arguments *a, struct fault *f);
enum outcome run_enrol(const struct arguments *a, struct fault *f);
enum outcome run_settle(const struct arguments *a, struct fault *f);
enum outcome run_inventory(const struct arguments *a, struct fault *f);
enum outcome run_readopt(const struct arguments *a, struct fault *f);
enum outcome run_move(const struct arguments *a, struct fault *f);
enum outcome run_arrive(const struct arguments *a, struct fault *f);
enum outcome run_promote(const struct arguments *a, struct fault *f);
enum outcome run_replicate(const struct arguments *a, struct fault *f);
enum outcome run_retire(const struct arguments *a, struct fault *f);
enum outcome run_drill(const struct arguments *a, struct fault *f);
enum outcome run_status(const struct arguments *a, struct fault *f);
enum outcome run_request_list(const struct arguments *a, struct fault *f);
enum outcome run_request_show(const struct arguments *a, struct fault *f);
enum outcome run_request_export(const struct arguments *a, struct fault *f);
enum outcome run_approve(const struct arguments *a, struct fault *f);
enum outcome run_reject(const struct arguments *a, struct fault *f);
enum outcome run_suspend(const struct arguments *a, struct fault *f);
enum outcome run_resume(const struct arguments *a, struct fault *f);
enum outcome run_log_show(const struct arguments *a, struct fault *f);
enum outcome run_log_check(const struct arguments *a, struct fault *f);
enum outcome run_log_publish(const struct arguments *a, struct fault *f);
enum outcome run_log_prove(const struct arguments *a, struct fault *f);
enum outcome run_log_check_proof(const struct arguments *a, struct fault *f);
enum outcome run_log_move(const struct arguments *a, struct fault *f);
enum outcome run_log_new_home(const struct arguments *a, struct fault *f);
enum outcome run_log_change_key(const struct arguments *a, struct fault *f);
enum outcome run_cosign_init(const struct arguments *a, struct fault *f);
enum outcome run_cosign_trust(const struct arguments *a, struct fault *f);
enum outcome run_cosign_file(const struct arguments *a, struct fault *f);
enum outcome run_cosign_serve(const struct arguments *a, struct fault *f);
enum outcome run_cosign_collect(const struct arguments *a, struct fault *f);
enum outcome run_timestamp_query(const struct arguments *a, struct fault *f);
enum outcome run_timestamp_add(const struct arguments *a, struct fault *f);
/* Packs a folder into one file, the same bytes wherever and whenever (POSIX ustar). */
enum outcome folder_pack(const char *folder, const char *file, struct fault *f);
enum outcome run_transcript(const struct arguments *a, struct fault *f);
enum outcome run_verify(const struct arguments *a, struct fault *f);
enum outcome run_script_check(const struct arguments *a, struct fault *f);
enum outcome run_script_print(const struct arguments *a, struct fault *f);
enum outcome run_run(const struct arguments *a, struct fault *f);
enum outcome run_attest(const struct arguments *a, struct fault *f);

#endif
