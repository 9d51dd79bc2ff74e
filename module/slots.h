#ifndef QUORATE_MODULE_SLOTS_H
#define QUORATE_MODULE_SLOTS_H

#include "module/world.h"

/* A slot is the index of a logical token that the policy in force names a primary for. */

/* The token whose HSM is there, with the world's lock held: CKR_SLOT_ID_INVALID, CKR_TOKEN_NOT_PRESENT. */
CK_RV slot_token(const struct world *w, CK_SLOT_ID slot, struct shown_token **ret);

/* PKCS#11's fixed-size texts: padded with blanks, no NUL. */
void text_pad(unsigned char *ret, size_t size, const char *text);

#endif
