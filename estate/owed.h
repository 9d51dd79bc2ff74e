#ifndef QUORATE_ESTATE_OWED_H
#define QUORATE_ESTATE_OWED_H

#include "estate/message.h"

/* What a site that files are carried to is to get, and whose answer is awaited from it: offers of provisional births, that a
 * key was born, what is to be withdrawn or destroyed, and questions. Each is a message of its own. */
struct owed {
    enum message_kind kind;
    uint64_t
        number; /* of the intent; of an end that nobody approved the `born` entry; of a question the log's size then */
    unsigned part;       /* of offers: which of those to this site, from 1; else 0 */
    struct digest offer; /* of offers */
    json_t *more;        /* owned; the message's members; NULL for an offer, which lies in the home */
    const char *label;   /* of the key; borrowed from the state; NULL for questions */
    moment until;        /* an answer counts until then; MOMENT_NEVER */
};
struct owed_list {
    struct owed *items;
    size_t count;
};
const char *owed_number_name(enum message_kind kind); /* "intent", "born" or "size" */
enum outcome owed_gather(const struct estate *e, const char *token, const char *site, struct owed_list *ret,
                         struct fault *f);
void owed_free(struct owed_list *l);

/* The message, with the log's entries from `from` on; appended to ret. */
enum outcome owed_message(const struct estate *e, const char *token, const char *site, const struct owed *o,
                          uint64_t from, struct buf *ret, struct fault *f);

#endif
