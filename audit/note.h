#ifndef QUORATE_AUDIT_NOTE_H
#define QUORATE_AUDIT_NOTE_H

#include <openssl/evp.h>

#include "core/buf.h"
#include "core/digest.h"
#include "core/fault.h"

/* C2SP signed-note and tlog-checkpoint, Ed25519 (algorithm 0x01). */

struct note_key { /* a verifier key: "NAME+HASH8+BASE64" */
    char name[256];
    uint8_t algorithm; /* 0x01; 0x04 of cosigners (audit/cosignature.h) */
    uint8_t id[4];     /* first bytes of SHA-256(name || "\n" || algorithm || public key) */
    uint8_t public_key[32];
};
enum outcome note_key_parse(const char *vkey, struct note_key *ret, struct fault *f);
void note_key_put(const struct note_key *key, struct buf *b);
enum outcome note_key_make(const char *name, const uint8_t public_key[32], struct note_key *ret, struct fault *f);
/* The same for a key of another type. */
enum outcome note_key_parse_as(uint8_t algorithm, const char *vkey, struct note_key *ret, struct fault *f);
enum outcome note_key_make_as(uint8_t algorithm, const char *name, const uint8_t public_key[32], struct note_key *ret,
                              struct fault *f);

/* Signs `text` (ends in a newline): appends text, an empty line and the signature line to ret. */
enum outcome note_sign(struct span text, const struct note_key *key, EVP_PKEY *secret, struct buf *ret,
                       struct fault *f);

/* The text of a note and its signature lines, borrowed from it; nothing is verified of them. */
enum outcome note_split(struct span note, struct span *ret_text, struct span *ret_signatures, struct fault *f);
/* The text of a note that this key signed (one signature by it, strictly encoded; signatures by others may stand
 * beside it). ret_text borrows from note. E_REFUSED: no such signature, or a wrong one. */
enum outcome note_open(struct span note, const struct note_key *key, struct span *ret_text, struct fault *f);

/* Ed25519 secret keys as PKCS#8 PEM. */
enum outcome log_key_generate(EVP_PKEY **ret, struct buf *ret_pem, uint8_t ret_public[32], struct fault *f);
enum outcome log_key_load(struct span pem, EVP_PKEY **ret, uint8_t ret_public[32], struct fault *f);

struct checkpoint {
    char origin[256];
    uint64_t size;
    struct digest root;
};
/* "ORIGIN\nSIZE\nBASE64(root)\n", nothing else. */
void checkpoint_put(const struct checkpoint *c, struct buf *b);
enum outcome checkpoint_parse(struct span text, struct checkpoint *ret, struct fault *f);
/* note_open and checkpoint_parse; the origin must be the key's name. */
enum outcome checkpoint_open(struct span note, const struct note_key *key, struct checkpoint *ret, struct fault *f);
/* What the checkpoint says, whoever signed it: for finding the key that must have. */
enum outcome checkpoint_peek(struct span note, struct checkpoint *ret, struct fault *f);

#endif
