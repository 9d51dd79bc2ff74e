#ifndef QUORATE_AUDIT_COSIGNER_H
#define QUORATE_AUDIT_COSIGNER_H

#include "audit/cosignature.h"
#include "audit/merkle.h"

/* A cosigner: a program elsewhere that signs a log's checkpoint only where it extends the one that it signed before. In a
 * folder of its own: `key` (0600, PKCS#8 PEM), `vkey`, `lock`, and for each log `logs/SHA-256(ORIGIN)/vkeys` (its verifier
 * keys, a line each) and `logs/SHA-256(ORIGIN)/state` (the text of the checkpoint signed last; size 0 at first). A log
 * whose state is missing is never signed again: it might have been another. */
struct cosigner_state;

/* Makes the folder's files with a new key. E_BUSY where there is a cosigner. */
enum outcome cosigner_create(const char *folder, const char *name, struct fault *f);
/* Takes a log in, or one more key of a log that is known. */
enum outcome cosigner_trust(const char *folder, const struct note_key *log, struct fault *f);

enum outcome cosigner_open(const char *folder, struct cosigner_state **ret, struct fault *f);
void cosigner_close(struct cosigner_state *c); /* NULL is fine */
const struct note_key *cosigner_key(const struct cosigner_state *c);

/* The bytes of C2SP tlog-witness, over HTTP or in files. */
#define COSIGN_PROOF_MAX 63
struct cosign_request {
    uint64_t old;
    struct merkle_proof proof;
    struct span note; /* borrowed */
};
void cosign_request_put(const struct cosign_request *r, struct buf *b);
enum outcome cosign_request_parse(struct span bytes, struct cosign_request *ret, struct fault *f);

/* One `add-checkpoint`. Returns the HTTP status: 200 (ret_body: the signature line), 400 malformed, 403 not signed by a
 * trusted key, 404 unknown origin, 409 another size or a fork (ret_body: the size signed last), 422 the proof does not
 * hold, 500 this cosigner cannot keep its state. The state is durable before the signature leaves; calls of several
 * processes and threads exclude each other. f says why it is not 200. */
unsigned cosigner_add(struct cosigner_state *c, struct span request, struct buf *ret_body, struct fault *f);

#endif
