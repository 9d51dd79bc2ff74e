#ifndef QUORATE_MODULE_MESSAGES_H
#define QUORATE_MODULE_MESSAGES_H

#include "module/governed.h"

/* The message functions of 3.0: one key, mechanism and session, and then message by message. Where a rule plainly allows
 * the use they go down; where it requires something, each message is a use of its own: nothing is begun below, what is fed
 * is kept, and at its end people are asked for exactly this message, with the parameter that came with it. */
enum message_kind { MESSAGE_ENCRYPT, MESSAGE_DECRYPT, MESSAGE_SIGN, MESSAGE_VERIFY };
#define MESSAGE_KINDS 4u

/* Of C_SignMessage, C_SignMessageNext, C_MessageSignFinal and their like. */
static inline enum message_kind message_kind(const char *function)
{
    switch (function[function[2] == 'M' ? 9 : 2]) {
    case 'E':
        return MESSAGE_ENCRYPT;
    case 'D':
        return MESSAGE_DECRYPT;
    case 'S':
        return MESSAGE_SIGN;
    default:
        return MESSAGE_VERIFY;
    }
}

static inline enum governed_kind message_use(enum message_kind kind)
{
    return GOVERNED_ENCRYPT_MESSAGE + (enum governed_kind)kind;
}

/* Whether such messages of the session are under approvals. Takes no lock. */
static inline bool message_kept(const struct session_view *view, enum message_kind kind)
{
    return atomic_load_explicit(&view->session->spoken, memory_order_acquire) >> kind & 1;
}

/* Whether the key that C_MessageSignInit and its like were given may be used for one message more: what is begun by them
 * has no end of its own. function: "C_SignMessage"; takes no lock where the last answer is young. */
CK_RV message_goes_on(const struct session_view *view, const char *function);

/* What C_MessageSignInit and its like begin under a rule that requires something. */
CK_RV message_begin(CK_SESSION_HANDLE session, enum message_kind kind, const CK_MECHANISM *mechanism,
                    CK_OBJECT_HANDLE key);
/* The whole of a message, or a part of it: with begins its parameter and what is associated, with ends its last. */
struct message_part {
    enum message_kind kind;
    bool begins, ends;
    const void *parameter;
    CK_ULONG parameter_len;
    const unsigned char *associated;
    CK_ULONG associated_len;
    struct governed_end end;
};
CK_RV message_part(CK_SESSION_HANDLE session, const struct message_part *part);
void messages_new(struct session *s); /* of a session that begins: none */
/* Ends the messages of the kinds whose bits are set; none are fine. With the world's lock held. */
void messages_end(struct session *s, unsigned kinds);

#endif
