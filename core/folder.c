#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mirror.h"

enum outcome folder_sync(const char *path, struct fault *f)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum outcome o = OK;

    if (fd < 0)
        return fault_errno(f, "cannot open the folder", path);
    if (fsync(fd) != 0)
        o = fault_errno(f, "cannot make durable the folder", path);
    close(fd);
    return o;
}

static enum outcome make_one(const char *path, mode_t mode, struct fault *f)
{
    char *parent = NULL;
    enum outcome o = OK;
    struct stat st;

    if (mkdir(path, mode) != 0) {
        if (errno != EEXIST)
            return fault_errno(f, "cannot make the folder", path);
        if (lstat(path, &st) != 0)
            return fault_errno(f, "cannot examine", path);
        return S_ISDIR(st.st_mode) ? OK : fault_set(f, E_REFUSED, "%s is there already and is not a folder", path);
    }
    parent = path_folder(path);
    o = parent == NULL ? fault_memory(f) : folder_sync(parent, f);
    free(parent);
    return o;
}

static enum outcome make_there(const char *there, void *context, struct fault *f)
{
    return make_one(there, *(const mode_t *)context, f);
}

enum outcome folder_make(const char *path, mode_t mode, struct fault *f)
{
    enum outcome o = make_one(path, mode, f);

    return o == OK ? mirror_each(path, make_there, &mode, f) : o;
}

enum outcome folder_make_above(const char *path, mode_t mode, struct fault *f)
{
    char *folder = path_folder(path);
    enum outcome o = OK;

    if (folder == NULL)
        return fault_memory(f);
    if (!file_exists(folder))
        o = folder_make_above(folder, mode, f);
    if (o == OK)
        o = folder_make(folder, mode, f);
    free(folder);
    return o;
}

static int name_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum outcome folder_list(const char *path, struct strings *ret, struct fault *f)
{
    struct strings names = {0};
    struct dirent *entry;
    enum outcome o = OK;
    DIR *folder = NULL;

    folder = opendir(path);
    if (folder == NULL) {
        fault_errno(f, "cannot read the folder", path);
        if (errno == ENOENT)
            f->outcome = E_ABSENT;
        return f->outcome;
    }
    errno = 0;
    while ((entry = readdir(folder)) != NULL) {
        if (entry->d_name[0] != '.' && !strings_add(&names, entry->d_name)) {
            o = fault_memory(f);
            goto out;
        }
        errno = 0;
    }
    if (errno != 0) {
        o = fault_errno(f, "cannot read the folder", path);
        goto out;
    }
    if (names.count > 1)
        qsort(names.items, names.count, sizeof *names.items, name_compare);
    *ret = names;
    names = (struct strings){0}; /* the caller's */
out:
    strings_free(&names);
    closedir(folder);
    return o;
}
