#include "estate/mirrors.h"

#include <stdlib.h>

#include "core/mirror.h"

#define SIGN "log/checkpoint" /* written last: a folder that has it is a mirror */

enum outcome mirrors_make(const struct bindings *b, struct fault *f)
{
    enum outcome o = OK;
    for (size_t i = 0; i < b->mirrors.count && o == OK; i++) {
        const char *mirror = b->mirrors.items[i];
        struct strings names = {0};
        o = folder_make(mirror, 0700, f);
        if (o == OK)
            o = folder_list(mirror, &names, f);
        if (o == OK && names.count > 0)
            o = fault_set(f, E_BUSY, "%s is to be a mirror of the home and holds %s: an empty folder is wanted", mirror,
                          names.items[0]);
        strings_free(&names);
    }
    return o;
}

/* Under the append lock: see log_set_copier. */
static enum outcome mirrors_copy(void *context, bool begin, struct fault *f)
{
    struct estate *e = context;
    const struct strings *all = &e->bindings->mirrors;
    struct mirrors wanted = e->mirrors;
    enum outcome o = OK;
    e->mirrors.level = false;
    for (size_t i = 0; i < all->count && o == OK; i++) {
        bool level = wanted.level;
        if (!begin) {
            o = mirror_extend(e, all->items[i], f);
            continue;
        }
        if (level)
            o = mirror_is_level(e, all->items[i], &level, f);
        if (o == OK && !level)
            o = mirror_level(e, all->items[i], wanted.contents, wanted.fill, f);
    }
    e->mirrors.level = o == OK;
    return o;
}

enum outcome mirrors_open(struct estate *e, struct fault *f)
{
    enum outcome o = mirror_watch(e->bindings->home, &e->bindings->mirrors, SIGN, f);
    if (o == OK && e->bindings->mirrors.count > 0) {
        e->mirrors.watched = true;
        log_set_copier(e->log, mirrors_copy, e);
    }
    return o;
}

void mirrors_close(struct estate *e)
{
    if (e->mirrors.watched)
        mirror_unwatch(e->bindings->home);
}

enum outcome estate_mirrors_settle(struct estate *e, bool fill, struct fault *f)
{
    e->mirrors = (struct mirrors){.contents = true, .fill = fill, .watched = e->mirrors.watched};
    enum outcome o = log_begin(e->log, f);
    log_end(e->log);
    e->mirrors.contents = e->mirrors.fill = false;
    return o;
}

const char *estate_mirror_look(const struct estate *e, size_t i, struct fault *why)
{
    bool level = false;
    enum outcome o = mirror_present(e->bindings->mirrors.items[i], SIGN, why);
    if (o == OK)
        o = mirror_is_level(e, e->bindings->mirrors.items[i], &level, why);
    if (o == E_REFUSED)
        return "another log";
    return o != OK ? "not there" : level ? "level" : "behind";
}
