#ifndef QUORATE_MODULE_SLOTS_H
#define QUORATE_MODULE_SLOTS_H

#include "module/world.h"

/* A slot is the index of a logical token that the policy in force names a primary for. */

/* The token whose HSM is there, with the world's lock held: CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT. */
CK_RV slot_token(const struct world *w, CK_SLOT_ID slot, struct shown_token **ret);

/* Looks, with the world's lock held, which HSMs came or went, and what others did to the estate meanwhile: where an
 * application asks how many slots there are, or waits for that to change. Sessions on an HSM that went are closed. */
void slots_look(struct world *w);

/* PKCS#11's fixed-size texts: padded with blanks, no NUL. */
void text_pad(unsigned char *ret, size_t size, const char *text);

#endif
