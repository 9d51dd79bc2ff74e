#ifndef QUORATE_CEREMONY_ACTION_CERTIFICATE_H
#define QUORATE_CEREMONY_ACTION_CERTIFICATE_H

#include "ceremony/action_perform.h"

/* make-csr and issue-certificate. What such a step signs is composed once, when it is first asked for; serial and times
 * are fixed then. It stays in the log as the artifact of kind `tbs` of that step, so that approvals given ahead, a break
 * and a crash all lead to the same bytes. */

/* Asks the key's HSM, through the module, to sign what the step signs; keeps the certificate or CSR as an artifact and
 * fills `result`. The module must stand at this step (runner_stand). E_REFUSED: the module refuses; *ret_request is then
 * the request that it left or found, all zero where there is none, and is written for that outcome too. */
enum outcome certificate_sign(struct runner *r, const struct step *s, json_t *result, struct digest *ret_request,
                              struct fault *f);

/* Whether the profile that each such step names (`profiles/NAME.yaml` beside the script) is there and fits: asked before
 * anything starts. E_INVALID reads "FILE:LINE:COLUMN: step ID: ...". */
enum outcome certificate_steps_check(const struct script *script, struct fault *f);

#endif
