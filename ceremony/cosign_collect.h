#ifndef QUORATE_CEREMONY_COSIGN_COLLECT_H
#define QUORATE_CEREMONY_COSIGN_COLLECT_H

#include "estate/estate.h"

/* One round for the cosigners of the policy in force, over the log as it is now (or, where files are being carried, as it
 * was when they were written, if that has `at_least` entries). Who has an address is asked there; for the others
 * home/cosign/NAME.request is written, and home/cosign/NAME.cosignature read. OK: *ret_body is the body of a `cosigned`
 * entry that the caller has to append, and then call cosign_collected. E_PENDING: f says who is missing, and why. */
enum outcome cosign_collect(struct estate *e, uint64_t at_least, const char *step, json_t **ret_body, struct fault *f);
/* The same over the closing checkpoint of a ceremony, which cosigners sign only as long as they have signed nothing later. */
enum outcome cosign_collect_closing(struct estate *e, const char *ceremony, json_t **ret_body, struct fault *f);
/* The entry is in the log: the files of the round are done with. */
enum outcome cosign_collected(const struct estate *e, struct fault *f);

#endif
