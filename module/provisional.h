#ifndef QUORATE_MODULE_PROVISIONAL_H
#define QUORATE_MODULE_PROVISIONAL_H

#include "module/gate.h"

/* Use of a provisional key: where the rule of its birth says `provisional-use: [self-sign]`, it signs its own certificate, in
 * the ceremony that made it, each time approved by itself. That the rule says so, and that this is the ceremony, is judged
 * with the policy; here, what is signed. With the world's lock held. */

/* As gate_object, of a key that is to be used: a provisional one counts where object_key_awaited has it. ret_lower may be NULL;
 * *ret_key is NULL of what is no key of the log. */
bool use_object(const struct world *w, const struct session_view *view, CK_OBJECT_HANDLE handle,
                struct object_facts *ret, CK_OBJECT_HANDLE *ret_lower, const struct state_key **ret_key);

/* CKR_OK, or the refusal where the key is provisional and this is no signature that people approve. */
CK_RV provisional_judge(struct world *w, const struct question *q, const struct rule *rule);
/* The same of what is to be signed: it must be the TBS that the step names, of the key's own certificate. */
CK_RV provisional_data(struct world *w, const struct question *q, struct span data);

#endif
