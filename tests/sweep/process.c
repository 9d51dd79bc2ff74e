#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sweep/disk.h"
#include "tests/sweep/sweep.h"

struct place place;
struct checkpoint shown[SHOWN];
size_t shown_count;
struct tally *tally;

static char room[64];

void place_set(const char *folder)
{
    snprintf(place.folder, sizeof place.folder, "%s", folder);
    snprintf(place.home, sizeof place.home, "%s/estate", folder);
    snprintf(place.log, sizeof place.log, "%s/log", place.home);
}

void room_make(void)
{
    snprintf(room, sizeof room, "%s/quorate-sweep-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED || !mkdtemp(room))
        exit(3);
    umask(022);
    disk_share();
}

void room_end(void)
{
    tree_remove(room);
}

void room_path(char ret[128], const char *name)
{
    snprintf(ret, 128, "%s/%.50s", room, name);
}

void stage_copy(const struct stage *s, const char *name)
{
    char from[128], to[128];
    struct stat there;
    room_path(from, s->name);
    room_path(to, name);
    if (stat(from, &there) != 0) {
        if (mkdir(from, 0700) != 0)
            exit(3);
        s->make(from);
    }
    tree_copy(from, to);
    place_set(to);
}

static void said_path(char ret[160])
{
    snprintf(ret, 160, "%s.said", place.folder);
}

const char *child_said(void)
{
    static char text[2048];
    char path[160];
    said_path(path);
    FILE *file = fopen(path, "re");
    size_t len = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    while (len > 0 && text[len - 1] == '\n')
        len--;
    text[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\n')
            text[i] = ' ';
    return text;
}

int child(int (*life)(void))
{
    char path[160];
    int status = 0;
    said_path(path);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        int rc = life();
        fflush(stdout);
        _exit(rc);
    }
    while (pid < 0 || waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            exit(3);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void complain(const char *format, ...)
{
    char text[3072];
    va_list more;
    va_start(more, format);
    vsnprintf(text, sizeof text, format, more);
    va_end(more);
    printf("     %s\n", text); /* in one piece: several processes write */
    fflush(stdout);
    atomic_fetch_add(&tally->bad, 1);
}

/* What was written into that node before it was renamed. */
static size_t content(const struct disk_record *renamed, char ret[1024])
{
    size_t len = 0;
    for (const struct disk_record *r = disk_next(NULL); r && r != renamed; r = disk_next(r))
        if (r->kind == DISK_WRITE && r->node == renamed->node && (size_t)r->at + r->len < 1024) {
            memcpy(ret + r->at, disk_bytes(r), r->len);
            len = (size_t)r->at + r->len;
        }
    return len;
}

/* Every file that was renamed to `checkpoint` in the log, from then on. */
void shown_read(void)
{
    struct stat folder;
    char text[1024];
    struct fault f;
    shown_count = 0;
    if (stat(place.log, &folder) != 0)
        return;
    for (const struct disk_record *r = disk_next(NULL); r; r = disk_next(r)) {
        if (r->kind != DISK_RENAME || r->folder != folder.st_ino || strcmp(r->to, "checkpoint") != 0)
            continue;
        if (shown_count == SHOWN || checkpoint_peek(span_of(text, content(r, text)), &shown[shown_count], &f)) {
            complain("a checkpoint was shown that is none");
            return;
        }
        shown_count++;
    }
}
