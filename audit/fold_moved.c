#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/fold.h"
#include "audit/note.h"

static bool was_origin(const struct state *s, const char *name)
{
    bool was = s->origin && !strcmp(s->origin, name);
    for (size_t i = 0; i < s->move_count; i++)
        was = was || !strcmp(s->moves[i].before, name);
    return was;
}

/* The home goes on at another machine: the log is the same, its origin and key are new, so that whoever has the old key alone
 * can write nothing more. What was asked for named the old origin. */
void fold_moved(struct fold *x)
{
    struct note_key key = {.name = ""};
    char why[sizeof key.name + 32];
    fold_members(x, "log-key request verdict");
    const char *vkey = fold_text(x, "log-key");
    fold_verdict(x);
    struct state_request *r = fold_live_request(x, "change-log-key");
    if (!x->rc && note_key_parse(vkey, &key, x->f))
        x->rc = x->f->outcome;
    if (!x->rc && was_origin(x->look, key.name))
        fold_fail(x, "this log has or had the origin \"%s\" already", key.name);
    if (!x->rc && r && r->state != REQUEST_INTENT)
        fold_fail(x, "nothing decided yet that the home may move");
    if (!fold_goes(x))
        return;
    struct state *s = x->s;
    struct state_move *items = fold_room(x, s->moves, s->move_count, sizeof *items);
    char *origin = fold_copy(x, key.name);
    if (!items || !origin) {
        free(origin);
        return;
    }
    fold_spend(x, r);
    snprintf(why, sizeof why, "the log goes on as %s", key.name);
    fold_void_pending(x, why);
    s->moves = items;
    items[s->move_count++] = (struct state_move){.before = s->origin, .from = x->e->seq + 2};
    s->origin = origin; /* the one before is taken by the move */
    for (size_t i = 0; i < s->site_count; i++)
        s->sites[i].headed = false; /* heads lie under the origin's name */
}
