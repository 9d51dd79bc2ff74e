#ifndef QUORATE_ESTATE_ENDS_H
#define QUORATE_ESTATE_ENDS_H

#include "estate/message.h"

/* A key's end at a site that judges by itself: what it is to be shown, and what it signs then. */
struct key_end {
    enum message_kind kind; /* MESSAGE_WITHDRAW: people approved it; MESSAGE_END: a rule plainly allowed it */
    uint64_t number;        /* seq of the end's intent; of the key's `born` entry */
    struct digest way;      /* of the entry of the intent by which the key came to the site */
};

/* E_REFUSED where the log has nothing to show: the key lives, or came there otherwise than by an offer. */
enum outcome key_end_find(const struct state *s, const struct state_key *k, const char *site, struct key_end *ret,
                          struct fault *f);
/* The member that names it in its message. NULL on memory. */
json_t *key_end_json(const struct key_end *e);

#endif
