#include <unistd.h>

#include "ceremony/verify_inner.h"

/* The roots of the tree at every size so far: requests and attestations name one. */

bool verify_root_keep(struct verifier *v, const struct digest *leaf)
{
    struct digest root;

    if (v->roots == NULL) {
        v->roots = tmpfile();
        merkle_root(&v->edge, &root);
        if (v->roots == NULL || fwrite(root.bytes, sizeof root.bytes, 1, v->roots) != 1)
            return false;
    }
    merkle_push(&v->edge, leaf);
    merkle_root(&v->edge, &root);
    return fwrite(root.bytes, sizeof root.bytes, 1, v->roots) == 1;
}

bool verify_root(struct verifier *v, uint64_t size, const struct digest *root)
{
    struct digest kept;

    return v->roots != NULL && size <= v->edge.size && fflush(v->roots) == 0 &&
           pread(fileno(v->roots), kept.bytes, sizeof kept.bytes, (off_t)(size * sizeof kept.bytes)) ==
               (ssize_t)sizeof kept.bytes &&
           digest_equal(&kept, root);
}
