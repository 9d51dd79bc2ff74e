#include "core/mirror.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct watched {
    char *folder, *sign;
    struct strings mirrors;
    unsigned users;
    struct watched *next;
};
/* Recursive: a mirror's missing folders are made while it is written. */
static pthread_mutex_t guard = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static struct watched *all;

static void watched_free(struct watched *w)
{
    if (w == NULL)
        return;
    strings_free(&w->mirrors);
    free(w->folder);
    free(w->sign);
    free(w);
}

static struct watched *watched_make(const char *folder, const struct strings *mirrors, const char *sign)
{
    struct watched *w = calloc(1, sizeof *w);
    bool good = w != NULL && (w->folder = strdup(folder)) != NULL && (sign == NULL || (w->sign = strdup(sign)) != NULL);
    for (size_t i = 0; good && i < mirrors->count; i++)
        good = strings_add(&w->mirrors, mirrors->items[i]);
    if (good)
        return w;
    watched_free(w);
    return NULL;
}

static struct watched **watched_find(const char *folder)
{
    struct watched **at = &all;
    while (*at != NULL && strcmp((*at)->folder, folder) != 0)
        at = &(*at)->next;
    return at;
}

enum outcome mirror_watch(const char *folder, const struct strings *mirrors, const char *sign, struct fault *f)
{
    struct watched *made = NULL, **at = NULL;
    if (mirrors->count == 0)
        return OK;
    made = watched_make(folder, mirrors, sign);
    if (made == NULL)
        return fault_memory(f);
    pthread_mutex_lock(&guard);
    at = watched_find(folder);
    if (*at == NULL) {
        *at = made;
        made = NULL; /* taken by the list */
    }
    (*at)->users++;
    pthread_mutex_unlock(&guard);
    watched_free(made);
    return OK;
}

void mirror_unwatch(const char *folder)
{
    struct watched *gone = NULL;
    pthread_mutex_lock(&guard);
    struct watched **at = watched_find(folder);
    if (*at != NULL && --(*at)->users == 0) {
        gone = *at;
        *at = gone->next;
    }
    pthread_mutex_unlock(&guard);
    watched_free(gone);
}

enum outcome mirror_present(const char *mirror, const char *sign, struct fault *f)
{
    char *path = path_join(mirror, sign);
    enum outcome o = path == NULL ? fault_memory(f) : OK;
    if (o == OK && !file_exists(path))
        o = fault_set(
            f, E_IO,
            "the mirror %s of the home is not there: nothing is written any more. Put its medium back and do the "
            "same again; a new one is an empty folder of that name, which `quorate settle --new-mirror` fills",
            mirror);
    free(path);
    return o;
}

static enum outcome mirror_one(const struct watched *w, const char *mirror, const char *rest, mirror_act *act,
                               void *context, struct fault *f)
{
    char *there = path_join(mirror, rest);
    enum outcome o = there == NULL ? fault_memory(f) : OK;
    if (o == OK && w->sign != NULL)
        o = mirror_present(mirror, w->sign, f);
    if (o == OK && act(there, context, f) != OK)
        o = fault_set(f, E_IO, "the mirror %s of the home cannot be written: %s", mirror, f->text);
    free(there);
    return o;
}

enum outcome mirror_each(const char *path, mirror_act *act, void *context, struct fault *f)
{
    enum outcome o = OK;
    pthread_mutex_lock(&guard);
    for (const struct watched *w = all; w != NULL; w = w->next) {
        size_t len = strlen(w->folder);
        if (strncmp(path, w->folder, len) != 0 || path[len] != '/')
            continue;
        for (size_t i = 0; i < w->mirrors.count && o == OK; i++)
            o = mirror_one(w, w->mirrors.items[i], path + len + 1, act, context, f);
    }
    pthread_mutex_unlock(&guard);
    return o;
}
