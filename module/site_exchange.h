#ifndef QUORATE_MODULE_SITE_EXCHANGE_H
#define QUORATE_MODULE_SITE_EXCHANGE_H

#include "estate/message.h"

/* One message to a site by its courier (courier_run), and its answer, whose form alone is looked at (answer_read). What the
 * site says where it refuses comes before what its courier's status says. */
enum outcome site_exchange(const struct strings *courier, struct span message, unsigned seconds,
                           const struct digest *estate, enum message_kind kind, const char *token, const char *site,
                           struct site_answer *ret, struct fault *f);

#endif
