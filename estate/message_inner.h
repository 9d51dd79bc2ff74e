#ifndef QUORATE_ESTATE_MESSAGE_INNER_H
#define QUORATE_ESTATE_MESSAGE_INNER_H

#include "estate/message.h"

/* Inside of the messages: what reading and composing share. */

bool message_file_named(const char *name);              /* a name that a file of a message may have */
void answer_type(enum message_kind kind, char ret[64]); /* MESSAGE_KINDS: that of a refusal */

#endif
