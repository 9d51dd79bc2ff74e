#ifndef QUORATE_MODULE_WORLD_H
#define QUORATE_MODULE_WORLD_H

#include <pthread.h>

#include "estate/estate.h"
#include "module/lower.h"

/* What one C_Initialize brings to life and C_Finalize ends. */

struct shown_token { /* a logical token, shown in one slot (its index) by its primary's HSM */
    const struct bound_token *bound;
    const char *primary;           /* the site's id */
    const struct binding *binding; /* of the primary; NULL where it is not bound as a module */
    struct lower *lower;           /* NULL: not there; the slot is then empty */
    CK_SLOT_ID lower_slot;
};

struct world {
    pthread_mutex_t lock; /* guards the estate: take it for every call into estate/, never on the pass-through path */
    struct estate *estate;
    struct lower *lowers[16];
    size_t lower_count;
    struct shown_token *tokens;
    size_t token_count;
};

/* given: a bindings path or NULL. Loads every lower module that the bindings name as such. */
enum outcome world_open(const char *given, struct world **ret, struct fault *f);
void world_close(struct world *w);
struct lower *world_lower(const struct world *w, const char *path); /* NULL if not loaded */
struct shown_token *world_token(const struct world *w, const char *id);

/* Why the calling thread's last call was refused, for the vendor verb "refusal". */
void refusal_set(const struct fault *f);
const char *refusal_text(void);

#endif
