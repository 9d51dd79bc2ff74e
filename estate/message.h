#ifndef QUORATE_ESTATE_MESSAGE_H
#define QUORATE_ESTATE_MESSAGE_H

#include "estate/estate.h"

/* What goes between the estate's host and a site that is reached by a courier or by hand (docs/FORMAT.md, Messages): a
 * message there, an answer back, each one file. A message shows the site all entries of the host's log that it has not
 * seen, with the documents that they name, so that it can judge by itself; nothing in either is secret but the blobs of
 * an offer, which are wrapped. Both ends use this; who reads trusts nothing of what is read here but its form. */

enum message_kind {
    MESSAGE_CHALLENGE, /* are you there, and the one that was enrolled: without entries */
    MESSAGE_OFFER,     /* a key: take it in */
    MESSAGE_BORN,      /* an offered key is born */
    MESSAGE_WITHDRAW,  /* an offered key is not, or people ended a born one */
    MESSAGE_END,       /* a born key came to its end, which a rule plainly allowed: destroy it */
    MESSAGE_DRILL,     /* prove every key again */
    MESSAGE_INVENTORY, /* list what lies on the HSM */
    MESSAGE_POLICY,    /* nothing but the log */
    MESSAGE_KINDS
};
const char *message_kind_name(enum message_kind kind);

/* Whether the documents of a request for this operation travel: those of the estate, of births and of ends. */
bool message_carries(const char *operation);

struct message {
    enum message_kind kind;
    struct digest estate;
    char token[LIMIT_NAME + 1], site[LIMIT_NAME + 1];
    json_t *json;        /* the whole header; owned. Members by kind: challenge {challenge, enrol?}, offer {offer}, born
                            and withdraw {intent}, drill {challenge, keys}, inventory {challenge}, policy {} */
    bool has_log;        /* all but a challenge: the rest of the members are set */
    uint64_t from, size; /* numbers of the first entry here, and of the one after the last */
    struct span note;    /* the checkpoint of `size`; borrowed from json */
    struct span entries; /* lines, each with its newline; borrowed from the bytes that were read */
};

/* Composes a message to (token, site) with the entries from `from` on (not looked at for a challenge). `more`: the
 * members of the kind, borrowed; NULL: none. E_ABSENT where a document that the entries name is not in the home; E_INVALID
 * where the log has fewer than `from` entries. */
enum outcome message_compose(const struct estate *e, enum message_kind kind, const char *token, const char *site,
                             uint64_t from, const json_t *more, struct buf *ret, struct fault *f);
/* Parses strictly: header canonical, no member unknown, as many lines as it says, names of files only such as a home
 * has. Signatures, roots and digests are not looked at. `bytes` must outlive ret. */
enum outcome message_read(struct span bytes, struct message *ret, struct fault *f);
void message_clear(struct message *m);

/* A file of the message, appended to ret. E_ABSENT where it has none of that name. */
enum outcome message_file(const struct message *m, const char *name, struct buf *ret, struct fault *f);

/* What a site answers. */
struct site_answer {
    enum message_kind kind; /* of the message that it answers */
    json_t *json;  /* the whole answer; owned. Members by kind: challenge {answer, attestation?, challenge, device?,
                               identity?, identity-id?, transport?, transport-id?}, offer {receipt}, born and withdraw
                               {intent, outcome, signature}, drill and inventory {receipt}, policy {} */
    uint64_t seen; /* so many entries of the host's log the site now holds; 0: none */
    struct digest root; /* of the host's log then; all zero where seen is 0 */
    struct span note;   /* the checkpoint of the site's own log; borrowed from json */
};

/* Composes an answer of the site whose home e is; `more` as above. kind MESSAGE_KINDS: refused, more is {text}. seen and
 * root: of the host's log. */
enum outcome answer_compose(const struct estate *e, const struct digest *estate, enum message_kind kind,
                            const char *token, const char *site, uint64_t seen, const struct digest *root,
                            const json_t *more, struct buf *ret, struct fault *f);
/* Parses strictly. E_REFUSED where the site refused ("TOKEN at SITE refuses: …"), or where the answer is for another
 * estate, token, site or kind. */
enum outcome answer_read(struct span bytes, const struct digest *estate, enum message_kind kind, const char *token,
                         const char *site, struct site_answer *ret, struct fault *f);
void site_answer_clear(struct site_answer *a);

#endif
