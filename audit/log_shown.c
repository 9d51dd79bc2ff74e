#include <inttypes.h>
#include <stdlib.h>

#include "audit/log_inner.h"
#include "core/limits.h"

enum outcome log_show(const struct log *l, struct span note, struct fault *f)
{
    enum outcome rc = file_replace(l->next_checkpoint, note, 0644, f);
    return rc ? rc : file_move(l->next_checkpoint, "checkpoint", f);
}

static enum outcome take(struct log *l, struct buf *note, struct fault *f)
{
    char *folder = NULL;
    enum outcome rc = log_follow(l, buf_span(note), f);
    if (!rc)
        rc = file_move(l->next_checkpoint, "checkpoint", f);
    if (!rc)
        rc = (folder = path_folder(l->checkpoint)) ? folder_sync(folder, f) : fault_memory(f);
    free(folder);
    if (rc)
        return fault_context(f, "after what is shown it cannot come; move it away where no failure of power left it");
    buf_free(&l->note);
    l->note = *note;
    *note = BUF(LIMIT_NOTE); /* taken by the log */
    if (stat(l->checkpoint, &l->seen) != 0)
        l->seen = (struct stat){.st_ino = 0}; /* log_changed will say so */
    return OK;
}

enum outcome log_adopt(struct log *l, struct fault *f)
{
    struct buf note = BUF(LIMIT_NOTE);
    struct checkpoint c;
    enum outcome rc = file_exists(l->next_checkpoint) ? file_read(l->next_checkpoint, false, &note, f) : E_ABSENT;
    if (rc == E_ABSENT)
        return OK;
    if (!rc)
        rc = checkpoint_peek(buf_span(&note), &c, f);
    if (!rc && c.size <= log_size(l))
        rc = file_remove(l->next_checkpoint, f); /* one of an older copy of the home */
    else if (!rc)
        rc = take(l, &note, f);
    buf_free(&note);
    return rc ? fault_context(f, "log %s: %s", l->entries, l->next_checkpoint) : OK;
}

enum outcome log_adopt_free(struct log *l, struct fault *f)
{
    struct fault ignored = {.outcome = OK};
    if (!file_exists(l->next_checkpoint) || lock_take(l->lock_file, false, &l->lock, &ignored))
        return OK;
    enum outcome rc = log_refresh(l, f);
    if (!rc)
        rc = log_adopt(l, f);
    log_end(l);
    return rc;
}
