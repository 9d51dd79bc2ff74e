#ifndef QUORATE_AUDIT_CONFIDENTIAL_H
#define QUORATE_AUDIT_CONFIDENTIAL_H

#include "audit/entry.h"

/* Bodies that may be kept from some readers (docs/FORMAT.md, "Log"). The entry commits to its body and a salt; both stand
 * together in a document of their own, canonical JSON {body, salt}, beside the log and in transcripts that show it. */

/* Whether entries of this type may be confidential: those whose bodies neither the fold nor a verdict needs. */
bool confidential_type(enum entry_type t);

/* A fresh salt for this body, what an entry commits to with it, and the document. */
enum outcome confidential_make(const json_t *body, struct digest *ret_commit, struct buf *ret_document,
                               struct fault *f);
/* Puts the body in its place in *e: e->body, and the member "body" of e->json, which then has more members than the
 * entry's bytes. E_REFUSED where the document is not what the entry commits to. */
enum outcome confidential_open(struct entry *e, struct span document, struct fault *f);

/* In FOLDER, by the commitment: COMMIT.json. Kept durably, the folder made where there is none. */
enum outcome confidential_keep(const char *folder, const struct digest *commit, struct span document, struct fault *f);
enum outcome confidential_read(const char *folder, const struct digest *commit, struct buf *ret, struct fault *f);
/* The same, and opens *e. E_REFUSED names what was lost or altered. Nothing to do for an entry that is not confidential,
 * or where folder is NULL: it stays closed. */
enum outcome confidential_fetch(const char *folder, struct entry *e, struct fault *f);

/* How a step's result repeats something confidential: "commit:D". */
struct commit_text {
    char text[80];
};
struct commit_text commit_show(const struct digest *commit);
/* The same of an entry as JSON; false where it is not confidential. */
bool commit_shown(const json_t *entry, struct commit_text *ret);

#endif
