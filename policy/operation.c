#include "policy/operation.h"

#include <string.h>

static const char *const names[OP_COUNT] = {
#define X(name, text) [OP_##name] = text,
    OPERATIONS(X)
#undef X
};

const char *operation_name(enum operation op)
{
    return (unsigned)op < OP_COUNT ? names[op] : "unknown";
}

int operation_parse(const char *text)
{
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(names[i], text) == 0)
            return i;
    return -1;
}
