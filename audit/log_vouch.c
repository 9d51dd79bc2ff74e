#include "audit/log_inner.h"

/* What else the log's key signs: that a cache is this home's own. */

enum outcome log_vouch(struct log *l, struct span text, struct buf *ret_note, struct fault *f)
{
    struct fault ignored = {.outcome = OK};
    struct checkpoint c;
    if (checkpoint_parse(text, &c, &ignored) == OK)
        return fault_set(f, E_INVALID, "a checkpoint is signed by an append alone");
    enum outcome rc = log_load_voucher(l, f);
    return rc ? rc : note_sign(text, &l->signer, l->secret, ret_note, f);
}

enum outcome log_vouched(const struct log *l, struct span note, struct span *ret_text, struct fault *f)
{
    return note_open(note, tree_key(&l->tree, log_size(l) + 1), ret_text, f);
}
