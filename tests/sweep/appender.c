#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/log.h"
#include "core/limits.h"

/* For the sweeps over a disk's faults (tests/sweep/run.sh):
 * `appender FOLDER create`; `append N`: appends N times, every third time a group of three, and says on descriptor 3, once
 * they are durable, the size and root that it would show; `check ACKED`: the log holds, leads on from every line of that
 * file, and can be appended to. */

static int stop(const struct fault *f)
{
    fprintf(stderr, "%s\n", f->text);
    return 1;
}

static void acknowledge(const struct log *l)
{
    struct digest root;
    char line[128];
    log_root(l, &root);
    int len = snprintf(line, sizeof line, "%llu %s\n", (unsigned long long)log_size(l), digest_hex(&root).hex);
    if (write(3, line, (size_t)len) != len)
        _exit(9);
}

static enum outcome add(struct log *l, unsigned i, struct fault *f)
{
    struct digest d;
    json_t *body = json_object();
    enum outcome rc = log_begin(l, f);
    if (!rc && i % 3 == 2)
        log_group(l);
    for (unsigned n = 0; !rc && n < (i % 3 == 2 ? 3u : 1u); n++) {
        digest_of(&d, 1, span_of(&i, sizeof i));
        rc = json_put_digest(body, "said", &d) ? log_append(l, ENTRY_STEP, NULL, body, NULL, f) : fault_memory(f);
    }
    if (!rc && i % 3 == 2)
        rc = log_group_end(l, f);
    log_end(l);
    json_decref(body);
    return rc;
}

static int append(const char *folder, unsigned count)
{
    struct fault f;
    struct log *l = NULL;
    enum outcome rc = log_open(folder, NULL, NULL, &l, &f);
    for (unsigned i = 0; !rc && i < count; i++) {
        rc = add(l, i, &f);
        if (!rc)
            acknowledge(l);
    }
    log_close(l);
    return rc ? stop(&f) : 0;
}

static int create(const char *folder)
{
    struct fault f;
    struct digest policy = {{0}};
    json_t *body = json_object();
    enum outcome rc = json_put_string(body, "environment", "test") && json_put_string(body, "name", "sweep") &&
                              json_put_digest(body, "policy", &policy)
                          ? log_create(folder, "sweep.test/log", body, &f)
                          : fault_memory(&f);
    json_decref(body);
    return rc ? stop(&f) : 0;
}

/* acked: lines "SIZE ROOT"; each must be a prefix of the log as it is. */
static int check(const char *folder, const char *acked)
{
    struct fault f = {.text = ""};
    struct log *l = NULL;
    char line[128];
    FILE *file = fopen(acked, "re");
    enum outcome rc = file ? log_open(folder, NULL, NULL, &l, &f) : fault_set(&f, E_IO, "%s", acked);
    while (!rc && fgets(line, sizeof line, file)) {
        char *hex = NULL;
        struct digest wanted, root;
        unsigned long long size = strtoull(line, &hex, 10);
        if (*hex != ' ' || strlen(hex) != 66 || hex[65] != '\n')
            break; /* cut short by the death of whoever wrote it */
        hex++;
        hex[64] = '\0';
        rc = digest_parse(hex, &wanted, &f);
        if (!rc)
            rc = log_root_at(l, size, &root, &f);
        if (!rc && !digest_equal(&root, &wanted))
            rc = fault_set(&f, E_REFUSED, "what was shown at %llu is not a prefix", size);
    }
    if (!rc)
        rc = add(l, 0, &f);
    log_close(l);
    if (file)
        fclose(file);
    return rc ? stop(&f) : 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[2], "create"))
        return create(argv[1]);
    if (argc == 4 && !strcmp(argv[2], "append"))
        return append(argv[1], (unsigned)strtoul(argv[3], NULL, 10));
    if (argc == 4 && !strcmp(argv[2], "check"))
        return check(argv[1], argv[3]);
    return 2;
}
