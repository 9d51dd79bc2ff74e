#ifndef QUORATE_ESTATE_FOLLOWER_H
#define QUORATE_ESTATE_FOLLOWER_H

#include "estate/host.h"

/* A log visitor that judges again what a host's log says was judged (internal to estate/). */
struct follower {
    struct estate *copy;
    const struct message *message; /* where new documents are; NULL: none */
    uint64_t known;                /* entries before this one were judged earlier */
    struct merkle_edge edge;
    struct digest *roots; /* of the tree at each size, from 0 */
    size_t capacity;
    struct policy *first; /* the genesis' policy, before it is in force */
    struct strings used;  /* names of the message's files that the entries named */
};
void follower_clear(struct follower *w);
enum outcome follower_visit(void *context, const struct entry *e, struct fault *f);

/* FOLDER/DIGEST+suffix of the message, or of the home where an earlier message brought it; appended to ret. */
enum outcome follower_named(struct follower *w, const char *folder, const struct digest *digest, const char *suffix,
                            struct buf *ret, struct fault *f);
/* requests/ID/NAME likewise, NAME being person + suffix. */
enum outcome follower_beside(struct follower *w, const struct digest *request, const char *person, const char *suffix,
                             struct buf *ret, struct fault *f);
/* The policy in force in the fold, and where none is yet the genesis'. Borrowed. */
enum outcome follower_policy(struct follower *w, const struct policy **ret, struct fault *f);
/* What this entry says was judged holds, given the fold of all entries before it. */
enum outcome follower_judge(struct follower *w, const struct entry *e, struct fault *f);

#endif
