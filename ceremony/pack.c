#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ceremony/tool.h"
#include "core/file.h"
#include "core/limits.h"

/* A folder as one POSIX ustar archive: files only, in the order of their names' bytes, of nobody and no time. */

enum { BLOCK = 512, NAME_MAX_USTAR = 100, PREFIX_MAX_USTAR = 155, DEPTH_MAX = 4 };

struct header { /* POSIX.1-2017 pax, "ustar Interchange Format" */
    char name[NAME_MAX_USTAR], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[PREFIX_MAX_USTAR], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

/* Splits a long name at a slash. */
static bool name_put(struct header *h, const char *name)
{
    size_t len = strlen(name);
    const char *cut = len > NAME_MAX_USTAR ? strchr(name + len - NAME_MAX_USTAR - 1, '/') : NULL;
    size_t prefix = cut != NULL ? (size_t)(cut - name) : 0;
    const char *rest = cut != NULL ? cut + 1 : name;

    if (strlen(rest) > NAME_MAX_USTAR || prefix > PREFIX_MAX_USTAR)
        return false;
    memcpy(h->name, rest, strlen(rest));
    memcpy(h->prefix, name, prefix);
    return true;
}

static enum outcome file_pack(const char *path, const char *name, struct buf *out, struct fault *f)
{
    static const uint8_t zeros[BLOCK];
    struct buf bytes = BUF(LIMIT_TRANSCRIPT);
    struct header h = {.type = '0'};
    unsigned sum = 0;
    enum outcome o = file_read(path, false, &bytes, f);

    if (o == OK && !name_put(&h, name))
        o = fault_set(f, E_INVALID, "the name %s is too long for an archive", name);
    if (o == OK) {
        snprintf(h.mode, sizeof h.mode, "0000644");
        snprintf(h.uid, sizeof h.uid, "0000000");
        snprintf(h.gid, sizeof h.gid, "0000000");
        snprintf(h.size, sizeof h.size, "%011zo", bytes.len);
        snprintf(h.mtime, sizeof h.mtime, "%011o", 0u);
        memset(h.checksum, ' ', sizeof h.checksum);
        memcpy(h.magic, "ustar", sizeof h.magic);
        memcpy(h.version, "00", sizeof h.version);
        for (size_t i = 0; i < sizeof h; i++)
            sum += ((const uint8_t *)&h)[i];
        snprintf(h.checksum, sizeof h.checksum, "%06o", sum);
        buf_put(out, &h, sizeof h);
        buf_put(out, bytes.data, bytes.len);
        buf_put(out, zeros, (BLOCK - bytes.len % BLOCK) % BLOCK);
    }
    buf_free(&bytes);
    return o;
}

static enum outcome tree_pack(const char *path, const char *inner, unsigned depth, struct buf *out, struct fault *f)
{
    struct strings names = {0};
    enum outcome o = depth <= DEPTH_MAX ? folder_list(path, &names, f)
                                        : fault_set(f, E_INVALID, "%s lies too deep for a transcript", inner);

    for (size_t i = 0; o == OK && i < names.count; i++) {
        char *next = path_join(path, names.items[i]);
        char *name = inner[0] != '\0' ? path_join(inner, names.items[i]) : strdup(names.items[i]);
        struct stat st;

        if (next == NULL || name == NULL)
            o = fault_memory(f);
        else if (lstat(next, &st) != 0)
            o = fault_errno(f, "cannot look at", next);
        else
            o = S_ISDIR(st.st_mode) ? tree_pack(next, name, depth + 1, out, f) : file_pack(next, name, out, f);
        free(name);
        free(next);
    }
    strings_free(&names);
    return o;
}

enum outcome folder_pack(const char *folder, const char *file, struct fault *f)
{
    static const uint8_t end[2 * BLOCK];
    struct buf out = BUF(LIMIT_PACK);
    enum outcome o = tree_pack(folder, "", 0, &out, f);

    buf_put(&out, end, sizeof end);
    if (o == OK)
        o = out.failed ? fault_memory(f) : file_replace(file, buf_span(&out), 0644, f);
    buf_free(&out);
    return o;
}
