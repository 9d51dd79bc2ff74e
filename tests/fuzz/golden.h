#ifndef QUORATE_TESTS_FUZZ_GOLDEN_H
#define QUORATE_TESTS_FUZZ_GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/entry.h"
#include "core/file.h"

/* The transcript that the targets begin with: what holds before it is altered. */
#define GOLDEN "tests/golden/1/transcript"
#define GOLDEN_FILES 128
#define GOLDEN_LINES 256

static struct golden_file {
    char *name; /* within the folder */
    struct buf bytes;
} golden_files[GOLDEN_FILES];
static size_t golden_count, golden_entries; /* where `entries` stands */
static struct span golden_lines[GOLDEN_LINES];
static size_t golden_line_count;

static inline void golden_walk(const char *inner)
{
    struct fault f;
    struct strings names = {.items = NULL};
    char *folder = path_join(GOLDEN, inner);
    if (folder_list(folder, &names, &f)) {
        fprintf(stderr, "%s: %s (the targets run in the project's folder)\n", folder, f.text);
        exit(1);
    }
    for (size_t i = 0; i < names.count; i++) {
        char *path = path_join(folder, names.items[i]), *name = path_join(inner, names.items[i]);
        struct golden_file *g = &golden_files[golden_count];
        g->bytes = BUF(1 << 20);
        if (golden_count < GOLDEN_FILES && file_read(path, false, &g->bytes, &f) == OK) {
            g->name = strdup(name + 2); /* without the "./" */
            golden_entries = strcmp(g->name, "entries") != 0 ? golden_entries : golden_count;
            golden_count++;
        } else {
            golden_walk(name);
        }
        free(path);
        free(name);
    }
    strings_free(&names);
    free(folder);
}

static inline void golden_load(void)
{
    if (golden_count)
        return;
    golden_walk(".");
    struct span rest = buf_span(&golden_files[golden_entries].bytes);
    while (rest.len > 0 && golden_line_count < GOLDEN_LINES) {
        const uint8_t *end = memchr(rest.data, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.data) : rest.len - 1;
        golden_lines[golden_line_count++] = span_of(rest.data, len);
        rest = span_of(rest.data + len + 1, rest.len - len - 1);
    }
}

/* The file of that folder and ending, the nth of them; NULL: there are fewer. */
static inline const struct golden_file *golden_file(const char *folder, const char *ending, size_t n)
{
    for (size_t i = 0; i < golden_count; i++) {
        size_t len = strlen(golden_files[i].name);
        if (len > strlen(ending) && !strncmp(golden_files[i].name, folder, strlen(folder)) &&
            !strcmp(golden_files[i].name + len - strlen(ending), ending) && n-- == 0)
            return &golden_files[i];
    }
    return NULL;
}

#endif
