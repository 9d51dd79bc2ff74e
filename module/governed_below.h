#ifndef QUORATE_MODULE_GOVERNED_BELOW_H
#define QUORATE_MODULE_GOVERNED_BELOW_H

#include "module/governed.h"

struct governed;
struct message_parameter;

/* The lower module's functions by kind (internal to governed*.c). */
CK_RV below_init(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind, CK_MECHANISM *mechanism,
                 CK_OBJECT_HANDLE key);
/* The one-shot function; end->data is all of it. */
CK_RV below_once(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind,
                 const struct governed_end *end);
CK_RV below_update(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind, const unsigned char *part,
                   CK_ULONG part_len, unsigned char *out, CK_ULONG *out_len);
CK_RV below_final(CK_FUNCTION_LIST *f, CK_SESSION_HANDLE session, enum governed_kind kind,
                  const struct governed_end *end);

/* The same for messages; `later` NULL: the session went over to another HSM meanwhile. g has the message. */
CK_RV below_message_init(const CK_FUNCTION_LIST_3_0 *later, CK_SESSION_HANDLE session, enum governed_kind kind,
                         CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
CK_RV below_message(const CK_FUNCTION_LIST_3_0 *later, CK_SESSION_HANDLE session, const struct governed *g,
                    const struct governed_end *end, struct message_parameter *parameter);

#endif
