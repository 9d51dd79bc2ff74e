#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "estate/estate.h"

enum outcome estate_salt(const struct estate *e, struct digest *ret, struct fault *f)
{
    struct buf bytes = BUF(sizeof ret->bytes);
    struct digest salt = {{0}};
    char *path = estate_path(e, NULL, "salt");
    enum outcome outcome = E_MEMORY;

    if (path == NULL)
        return fault_memory(f);
    if (!random_bytes(salt.bytes, sizeof salt.bytes))
        outcome = fault_set(f, E_IO, "no random bytes from libcrypto");
    else
        outcome = file_create(path, (struct span){salt.bytes, sizeof salt.bytes}, 0600, f);
    if (outcome == E_BUSY) /* there already */
        outcome = OK;
    if (outcome == OK)
        outcome = file_read(path, false, &bytes, f);
    if (outcome == OK && bytes.len != sizeof ret->bytes)
        outcome =
            fault_set(f, E_REFUSED, "%s was altered: %zu bytes instead of %zu", path, bytes.len, sizeof ret->bytes);
    if (outcome == OK)
        memcpy(ret->bytes, bytes.data, sizeof ret->bytes);
    explicit_bzero(&salt, sizeof salt);
    buf_free(&bytes);
    free(path);
    return outcome;
}
