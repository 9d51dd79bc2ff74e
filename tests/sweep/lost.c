#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/sweep/disk.h"

/* Files and folders as a disk has them: what is durable of each, and what was done since the last sync, in order. */

#define SECTOR 512u
#define PENDING 512u

struct name {
    char text[112];
    size_t node;
};

struct node {
    ino_t number;
    mode_t mode;
    bool folder;
    unsigned char *bytes; /* of a file, durable */
    size_t len;
    struct name *names; /* of a folder, durable */
    size_t count;
    const struct disk_record *pending[PENDING];
    size_t pending_count;
};

struct image {
    struct node *nodes; /* the first is the root */
    size_t count;
    char path[256]; /* while it is scanned */
};

static void *grow(void *p, size_t size)
{
    void *more = realloc(p, size > 0 ? size : 1);
    if (!more)
        abort();
    return more;
}

static void *fresh(size_t size)
{
    void *p = calloc(1, size > 0 ? size : 1);
    if (!p)
        abort();
    return p;
}

_Noreturn static void give_up(const char *what)
{
    perror(what);
    exit(3);
}

#define must(good, what)                                                                                               \
    do {                                                                                                               \
        if (!(good))                                                                                                   \
            give_up(what);                                                                                             \
    } while (0)

static size_t node_add(struct image *i, ino_t number, mode_t mode, bool folder)
{
    i->nodes = grow(i->nodes, (i->count + 1) * sizeof *i->nodes);
    i->nodes[i->count] = (struct node){.number = number, .mode = mode, .folder = folder};
    return i->count++;
}

static void name_set(struct node *folder, const char *text, size_t node)
{
    size_t n = 0;
    while (n < folder->count && strcmp(folder->names[n].text, text) != 0)
        n++;
    if (n == folder->count)
        folder->names = grow(folder->names, ++folder->count * sizeof *folder->names);
    snprintf(folder->names[n].text, sizeof folder->names[n].text, "%s", text);
    folder->names[n].node = node;
}

static void name_drop(struct node *folder, const char *text)
{
    for (size_t n = 0; n < folder->count; n++)
        if (strcmp(folder->names[n].text, text) == 0) {
            folder->names[n] = folder->names[--folder->count];
            return;
        }
}

static void bytes_put(struct node *file, off_t at, const void *bytes, size_t len)
{
    size_t end = (size_t)at + len;
    if (end > file->len) {
        file->bytes = grow(file->bytes, end);
        memset(file->bytes + file->len, 0, end - file->len);
        file->len = end;
    }
    memcpy(file->bytes + at, bytes, len);
}

static void bytes_cut(struct node *file, size_t len)
{
    if (len > file->len) {
        file->bytes = grow(file->bytes, len);
        memset(file->bytes + file->len, 0, len - file->len);
    }
    file->len = len;
}

static void file_scan(struct node *n, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    unsigned char piece[65536];
    ssize_t got = 0;
    must(fd >= 0, path);
    while ((got = read(fd, piece, sizeof piece)) > 0)
        bytes_put(n, (off_t)n->len, piece, (size_t)got);
    must(got == 0, path);
    close(fd);
}

/* What `path`, which the image holds in its own room, leads to. */
static size_t scan(struct image *i, size_t path_len)
{
    struct stat s;
    must(lstat(i->path, &s) == 0, i->path);
    size_t at = node_add(i, s.st_ino, s.st_mode & 07777, S_ISDIR(s.st_mode));
    if (!S_ISDIR(s.st_mode)) {
        file_scan(&i->nodes[at], i->path);
        return at;
    }
    DIR *folder = opendir(i->path);
    must(folder != NULL, i->path);
    for (struct dirent *e; (e = readdir(folder)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        int len = snprintf(i->path + path_len, sizeof i->path - path_len, "/%s", e->d_name);
        size_t child = scan(i, path_len + (size_t)len);
        i->path[path_len] = '\0';
        name_set(&i->nodes[at], e->d_name, child);
    }
    closedir(folder);
    return at;
}

struct image *image_scan(const char *folder)
{
    struct image *i = fresh(sizeof *i);
    *i = (struct image){.nodes = NULL};
    snprintf(i->path, sizeof i->path, "%s", folder);
    scan(i, strlen(i->path));
    return i;
}

/* The newest of that number: it may have been given again. */
static size_t node_find(const struct image *i, ino_t number)
{
    for (size_t n = i->count; n-- > 0;)
        if (i->nodes[n].number == number)
            return n;
    fprintf(stderr, "the journal names a file that is not there\n");
    exit(3);
}

static bool changes_names(enum disk_kind kind)
{
    return kind == DISK_MAKE || kind == DISK_FOLDER || kind == DISK_RENAME || kind == DISK_LINK || kind == DISK_REMOVE;
}

static void names_change(struct image *i, struct node *folder, const struct disk_record *r)
{
    if (r->kind == DISK_MAKE || r->kind == DISK_FOLDER)
        name_set(folder, r->name, node_find(i, r->node));
    else if (r->kind == DISK_REMOVE || r->kind == DISK_RENAME)
        name_drop(folder, r->name);
    if (r->kind == DISK_LINK || r->kind == DISK_RENAME)
        name_set(folder, r->to, node_find(i, r->node));
}

static void apply(struct image *i, struct node *n, const struct disk_record *r)
{
    if (changes_names(r->kind))
        names_change(i, n, r);
    else if (r->kind == DISK_CUT)
        bytes_cut(n, (size_t)r->at);
    else
        bytes_put(n, r->at, disk_bytes(r), r->len);
}

static void synced(struct image *i, struct node *n)
{
    for (size_t k = 0; k < n->pending_count; k++)
        apply(i, n, n->pending[k]);
    n->pending_count = 0;
}

void image_play(struct image *i)
{
    for (const struct disk_record *r = disk_next(NULL); r; r = disk_next(r)) {
        if (r->kind == DISK_CALL)
            continue;
        if (r->kind == DISK_SYNC_ALL) {
            for (size_t n = 0; n < i->count; n++)
                synced(i, &i->nodes[n]);
            continue;
        }
        if (r->kind == DISK_MAKE || r->kind == DISK_FOLDER)
            node_add(i, r->node, r->kind == DISK_FOLDER ? 0700 : 0600, r->kind == DISK_FOLDER);
        struct node *n = &i->nodes[node_find(i, changes_names(r->kind) ? r->folder : r->node)];
        if (r->kind == DISK_SYNC) {
            synced(i, n);
            continue;
        }
        if (n->pending_count == PENDING)
            abort();
        n->pending[n->pending_count++] = r;
    }
}

static unsigned draw(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 16;
}

/* A write of which only some sectors came to be. */
static void tear(struct node *n, const struct disk_record *r, unsigned *seed)
{
    const unsigned char *bytes = disk_bytes(r);
    for (size_t done = 0; done < r->len;) {
        size_t at = (size_t)r->at + done, rest = SECTOR - at % SECTOR,
               piece = r->len - done < rest ? r->len - done : rest;
        if (draw(seed) % 2)
            bytes_put(n, (off_t)at, bytes + done, piece);
        done += piece;
    }
}

static void lose(struct image *i, struct node *n, unsigned mode, unsigned *seed)
{
    for (size_t k = 0; k < n->pending_count; k++) {
        const struct disk_record *r = n->pending[k];
        bool names = changes_names(r->kind);
        unsigned chance = draw(seed) % 3;
        if (mode < 3 ? mode == (names ? 1u : 2u) : chance == 0 || (names && chance == 1 && draw(seed) % 2))
            apply(i, n, r);
        else if (mode >= 3 && r->kind == DISK_WRITE && chance == 1)
            tear(n, r, seed);
    }
    n->pending_count = 0;
}

static void show(const struct image *i, size_t at, const char *path)
{
    const struct node *n = &i->nodes[at];
    char inner[512];
    if (!n->folder) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, n->mode);
        must(fd >= 0 && write(fd, n->bytes, n->len) == (ssize_t)n->len && close(fd) == 0, path);
        return;
    }
    must(mkdir(path, n->mode) == 0, path);
    for (size_t k = 0; k < n->count; k++) {
        snprintf(inner, sizeof inner, "%s/%s", path, n->names[k].text);
        show(i, n->names[k].node, inner);
    }
}

static struct image *image_copy(const struct image *from)
{
    struct image *i = fresh(sizeof *i);
    *i = *from;
    i->nodes = fresh(i->count * sizeof *i->nodes);
    memcpy(i->nodes, from->nodes, i->count * sizeof *i->nodes);
    for (size_t n = 0; n < i->count; n++) {
        struct node *node = &i->nodes[n];
        node->bytes = fresh(node->len);
        node->names = fresh(node->count * sizeof *node->names);
        if (node->len > 0)
            memcpy(node->bytes, from->nodes[n].bytes, node->len);
        if (node->count > 0)
            memcpy(node->names, from->nodes[n].names, node->count * sizeof *node->names);
    }
    return i;
}

void image_lose(const struct image *from, const char *folder, unsigned seed)
{
    struct image *i = image_copy(from);
    unsigned chance = seed;
    for (size_t n = 0; n < i->count; n++)
        lose(i, &i->nodes[n], seed, &chance);
    tree_remove(folder);
    show(i, 0, folder);
    image_free(i);
}

void image_free(struct image *i)
{
    for (size_t n = 0; n < i->count; n++) {
        free(i->nodes[n].bytes);
        free(i->nodes[n].names);
    }
    free(i->nodes);
    free(i);
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where)
{
    (void)s;
    (void)kind;
    (void)where;
    return remove(path);
}

void tree_remove(const char *folder)
{
    struct stat s;
    if (lstat(folder, &s) == 0)
        must(nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, folder);
}

void tree_copy(const char *from, const char *to)
{
    struct image *i = image_scan(from);
    tree_remove(to);
    show(i, 0, to);
    image_free(i);
}
