#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/scratch_folder.h"
#include "tests/sweep/disk.h"
#include "tests/sweep/sweep.h"

struct spot spot;
struct checkpoint shown[SHOWN];
size_t shown_count;
struct tally *tally;
struct told *told;
bool told_good;

static char room[64];

void spot_set(const char *folder)
{
    snprintf(spot.folder, sizeof spot.folder, "%s", folder);
    snprintf(spot.home, sizeof spot.home, "%s/estate", folder);
    snprintf(spot.log, sizeof spot.log, "%s/log", spot.home);
}

void spot_elsewhere(void)
{
    snprintf(spot.home, sizeof spot.home, "%s/far", spot.folder);
    snprintf(spot.log, sizeof spot.log, "%s/log", spot.home);
}

void room_make(void)
{
    tally = room_shared(sizeof *tally);
    told = room_shared(sizeof *told);
    if (!scratch_folder(room, sizeof room, "sweep"))
        exit(3);
    umask(022);
    disk_share();
}

void *room_shared(size_t size)
{
    void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shared == MAP_FAILED)
        exit(3);
    return shared;
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
    spot_set(to);
}

const char *child_said(void)
{
    static char text[2048];
    char path[192];
    snprintf(path, sizeof path, "%s.said", spot.folder);
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

int child_begin(int (*life)(void), const char *name)
{
    char path[192];
    snprintf(path, sizeof path, "%s.%s", spot.folder, name);
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        exit(3);
    if (pid == 0) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        int rc = life();
        fflush(stdout);
        _exit(rc);
    }
    return pid;
}

int child_end(int pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            exit(3);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void orphans_end(void)
{
    while (waitpid(-1, NULL, __WALL) >= 0 || errno == EINTR)
        ;
}

int child(int (*life)(void))
{
    return child_end(child_begin(life, "said"));
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
    if (stat(spot.log, &folder) != 0)
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

void tally_clear(void)
{
    atomic_store(&tally->positions, 0);
    atomic_store(&tally->runs, 0);
    atomic_store(&tally->bad, 0);
}

/* One for each worker. */
static void journal_share(const struct deed *o)
{
    char path[192];
    snprintf(path, sizeof path, "%s.journal", spot.folder);
    if (o->elsewhere)
        disk_share_in(path);
    else
        disk_share();
}

void workers_run(const struct deed *o, void (*work)(unsigned worker, unsigned every), unsigned every)
{
    pid_t pids[WORKERS];
    int status = 0;
    stage_copy(o->stage, "first"); /* so that the workers need not make it */
    tally_clear();
    fflush(stdout);
    for (unsigned w = 0; w < WORKERS; w++) {
        pids[w] = fork();
        if (pids[w] == 0) {
            char name[32];
            snprintf(name, sizeof name, "worker-%u", w);
            told = room_shared(sizeof *told);
            stage_copy(o->stage, name);
            journal_share(o);
            prctl(PR_SET_CHILD_SUBREAPER, 1);
            work(w, every);
            exit(0);
        }
    }
    for (unsigned w = 0; w < WORKERS; w++)
        if (waitpid(pids[w], &status, 0) < 0 || status != 0)
            complain("%s: a worker ended with %d", o->name, status);
}
