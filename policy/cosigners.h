#ifndef QUORATE_POLICY_COSIGNERS_H
#define QUORATE_POLICY_COSIGNERS_H

#include "core/fault.h"
#include "core/yaml.h"

/* Who elsewhere has to have signed the log, in the syntax of C2SP tlog-policy: lines `witness NAME VKEY [URL]`, `group
 * NAME all|any|K NAME…`, `quorum NAME`. (What C2SP calls a witness is a cosigner here.) */

struct cosigner {
    char *name; /* in the policy only */
    char *vkey; /* NAME+HASH+KEY, of type 0x04 */
    char *url;  /* the submission prefix; NULL: the bytes are carried as files */
    uint8_t public_key[32];
};

struct cosigner_group { /* the cosigners come first, each a group of its own */
    char *name;
    unsigned threshold;
    size_t *members; /* of earlier groups; NULL: the cosigner of the same index */
    size_t member_count;
    bool taken; /* each name is a member once, so that a cosigner counts in one way only */
};

struct cosigners {
    struct cosigner *items;
    size_t count;
    struct cosigner_group *groups; /* the first `count` stand for the cosigners */
    size_t group_count;
    size_t quorum;     /* of groups */
    bool before_close; /* no ceremony closes before its record is cosigned */
    bool closing;      /* nor has a transcript before its own checkpoint is */
};

/* Adds one line. E_INVALID without a position: malformed, an unknown or repeated name, a key twice. */
enum outcome cosigners_line(struct cosigners *c, const char *line, struct fault *f);
/* `cosigners: {policy: [lines], close?: true | checkpoint}`. */
enum outcome cosigners_parse(const struct yaml *map, struct cosigners *ret, struct fault *f);
void cosigners_clear(struct cosigners *c);

/* signed_by has one member for each cosigner. Without cosigners: false. */
bool cosigners_met(const struct cosigners *c, const bool *signed_by);

#endif
