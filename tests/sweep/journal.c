#include "tests/sweep/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM (16u << 20)

struct journal *journal;

static void map(int flags, int fd)
{
    journal = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | flags, fd, 0);
    if (journal == MAP_FAILED)
        abort();
}

void disk_share(void)
{
    map(MAP_ANONYMOUS, -1);
}

void disk_share_in(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, ROOM) != 0)
        abort();
    map(0, fd);
    close(fd);
}

void disk_arm_others(const char *folder, unsigned long at, enum disk_fate fate)
{
    journal_begin();
    journal->chosen = at;
    journal->fate = fate;
    snprintf(journal->folder, sizeof journal->folder, "%s", folder);
}

void disk_disarm_others(void)
{
    journal->folder[0] = '\0';
}

void journal_begin(void)
{
    journal->events = journal->used = 0;
    journal->hit = false;
    journal->what[0] = '\0';
}

unsigned long disk_events(void)
{
    return journal->events;
}

bool disk_hit(void)
{
    return journal->hit;
}

const char *disk_hit_what(void)
{
    return journal->what;
}

const struct disk_record *disk_next(const struct disk_record *r)
{
    const unsigned char *at = r ? (const unsigned char *)(r + 1) + ((r->len + 15) & ~(size_t)15) : journal->bytes;
    return at < journal->bytes + journal->used ? (const void *)at : NULL;
}

const void *disk_bytes(const struct disk_record *r)
{
    return r + 1;
}

void journal_keep(const struct disk_record *r, const void *bytes)
{
    size_t size = sizeof *r + ((r->len + 15) & ~(size_t)15);
    if (sizeof *journal + journal->used + size > ROOM)
        abort();
    memcpy(journal->bytes + journal->used, r, sizeof *r);
    if (bytes)
        memcpy(journal->bytes + journal->used + sizeof *r, bytes, r->len);
    journal->used += size;
}
