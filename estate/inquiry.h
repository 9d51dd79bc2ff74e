#ifndef QUORATE_ESTATE_INQUIRY_H
#define QUORATE_ESTATE_INQUIRY_H

#include "estate/message.h"

/* A question that goes to a site by files (a drill, an inventory, a challenge where its HSM arrived), in home/inquiries from when it is asked until its answer is
 * taken in: one of each kind for each site, the last one asked. Its challenge is what makes an answer fresh, so it counts for
 * LIMIT_INQUIRY and no longer. */
struct inquiry {
    enum message_kind kind;
    char token[LIMIT_NAME + 1], site[LIMIT_NAME + 1];
    struct digest challenge;
    uint64_t size; /* of the log when it was asked */
    moment made;
    json_t *keys;    /* owned; of a drill: rising seqs of `born` entries; NULL */
    json_t *arrival; /* owned; of a challenge: {bag, elsewhere?, received-by?, safe?}, which stays here; NULL */
};
void inquiry_clear(struct inquiry *q);

/* E_ABSENT: nothing is asked there. */
enum outcome inquiry_read(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                          struct inquiry *ret, struct fault *f);
/* The one that is asked already, where it stands and is about the same: a drill's keys, a challenge's arrival (borrowed; NULL: of
 * all else), for this challenge (NULL: any); else a new one in its place. *ret_text says what people are to do. */
enum outcome inquiry_want(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                          const json_t *about, const struct digest *challenge, struct fault *ret_text, struct fault *f);
/* It was answered. */
enum outcome inquiry_forget(const struct estate *e, const struct inquiry *q, struct fault *f);

moment inquiry_until(const struct inquiry *q);
/* E_REFUSED, and why, where its time is over, one of its keys is not at the site any more, or the HSM is not on its way in
 * that bag. */
enum outcome inquiry_stands(const struct state *s, const struct inquiry *q, struct fault *f);
/* The members of its message. NULL on memory. */
json_t *inquiry_json(const struct inquiry *q);

#endif
