#ifndef QUORATE_CEREMONY_CARRIED_H
#define QUORATE_CEREMONY_CARRIED_H

#include "ceremony/client.h"

/* Has the module take in an answer that was carried back; the report is that of its verb "import". E_INVALID, E_REFUSED: it is
 * none that is awaited. */
enum outcome carried_answer_import(struct client *c, const char *path, json_t **ret, struct fault *f);

#endif
