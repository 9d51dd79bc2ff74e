#ifndef QUORATE_MODULE_TOKEN_KEYS_H
#define QUORATE_MODULE_TOKEN_KEYS_H

#include "module/key_sites.h"

/* The living keys that the primary of a token holds: what C_InitToken destroys. With the world's lock held. */
struct token_keys {
    struct key_sites *items; /* sites: the primary alone; left: who else holds it */
    size_t count;
    bool replicated; /* one of them has replicas */
};
enum outcome token_keys_of(const struct world *w, const char *token, struct token_keys *ret, struct fault *f);
void token_keys_clear(struct token_keys *t);

/* They are gone: a `destroyed` for each that still lives to the log, under the open intent `intent`; NULL: none, a rule
 * plainly allowed it. */
enum outcome token_keys_gone(struct world *w, const struct token_keys *t, const uint64_t *intent, struct fault *f);
/* The same after a death, for those that the HSM says it does not hold; E_DEVICE where it cannot be asked. */
enum outcome token_keys_settle(struct world *w, const char *token, uint64_t intent, struct fault *f);

#endif
