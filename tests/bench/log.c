#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/lines.h"
#include "audit/log_inner.h"
#include "core/limits.h"
#include "estate/estate.h"

/* The log against what it cannot do without (tests/bench/log.sh): `appends BLOCK GROUP ROUNDS`, `make N`, `tree`, `full`, `prove N`,
 * `estate N`. Each prints nanoseconds, of the clock where the disk is waited for. */

#define BARE_LINE 257 /* as long as those of the log that it is compared with */

static const char *folder;

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void stop(const struct fault *f)
{
    fprintf(stderr, "%s\n", f->text);
    exit(1);
}

static void must(enum outcome rc, const struct fault *f)
{
    if (rc)
        stop(f);
}

static char *path_of(const char *name)
{
    return path_join(folder, name);
}

/* What an entry of a birth looks like, about 300 bytes a line. */
static json_t *body_of(unsigned i)
{
    json_t *body = json_object();
    struct digest d;
    digest_of(&d, 1, span_of(&i, sizeof i));
    if (!json_put_string(body, "action", "confirm") || !json_put_digest(body, "artifact", &d) ||
        !json_put_string(body, "said", "The seal of the bag was whole and its number was the one that was written.") ||
        !json_put_string(body, "step", "1.2"))
        exit(1);
    return body;
}

static void create(void)
{
    struct fault f;
    struct digest policy = {{0}};
    json_t *body = json_object();
    if (!json_put_string(body, "environment", "test") || !json_put_string(body, "name", "bench") ||
        !json_put_digest(body, "policy", &policy))
        exit(1);
    must(log_create(folder, "bench.test/log", body, &f), &f);
    json_decref(body);
}

static struct log *opened(log_visitor *visit)
{
    struct fault f;
    struct log *l = NULL;
    must(log_open(folder, visit, NULL, &l, &f), &f);
    return l;
}

/* Ours: a log, and what is to be said, which is there before: the bare program's line is as well. */
struct ours {
    struct log *log;
    json_t *bodies;
};

static struct ours ours_start(unsigned count)
{
    struct ours o = {.bodies = json_array()};
    create();
    o.log = opened(NULL);
    for (unsigned i = 0; i < count; i++)
        if (json_array_append_new(o.bodies, body_of(i)))
            exit(1);
    return o;
}

static void ours_run(const struct ours *o, unsigned from, unsigned count, unsigned group)
{
    struct fault f;
    for (unsigned i = from; i < from + count; i += group) {
        must(log_begin(o->log, &f), &f);
        if (group > 1)
            log_group(o->log);
        for (unsigned n = 0; n < group; n++)
            must(log_append(o->log, ENTRY_STEP, NULL, json_array_get(o->bodies, i + n), NULL, &f), &f);
        if (group > 1)
            must(log_group_end(o->log, &f), &f);
        log_end(o->log);
    }
}

/* Written beside, synced, renamed, the folder synced. */
static void bare_replace(int dir, const char *name, const void *bytes, size_t len)
{
    int out = openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (out < 0 || write(out, bytes, len) != (ssize_t)len || fsync(out) || close(out) ||
        renameat(dir, "new", dir, name) || fsync(dir))
        exit(1);
}

/* A program that knows nothing, and writes and syncs what the log does: the lines; of each 256 a tile of hashes; a note that is
 * signed. */
struct bare {
    EVP_PKEY *secret;
    int fd, dir;
};

static struct bare bare_start(void)
{
    static const uint8_t secret[32] = {7};
    mkdir(folder, 0700);
    char *entries = path_of("entries");
    struct bare b = {
        .secret = EVP_PKEY_new_raw_private_key_ex(crypto_context(), "ED25519", NULL, secret, sizeof secret),
        .fd = open(entries, O_WRONLY | O_CREAT, 0644),
        .dir = open(folder, O_RDONLY | O_DIRECTORY),
    };
    free(entries);
    return b;
}

static void bare_run(const struct bare *b, unsigned from, unsigned count, unsigned group)
{
    static uint8_t line[BARE_LINE], note[175], tile[256 * 32];
    for (unsigned i = from; i < from + count; i += group) {
        uint8_t signature[64];
        size_t len = sizeof signature;
        for (unsigned n = 0; n < group; n++)
            if (write(b->fd, line, sizeof line) != sizeof line)
                exit(1);
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        if (fdatasync(b->fd) || !EVP_DigestSignInit_ex(c, NULL, NULL, crypto_context(), NULL, b->secret, NULL) ||
            !EVP_DigestSign(c, signature, &len, note, 120))
            exit(1);
        EVP_MD_CTX_free(c);
        if ((i + group) / 256 != i / 256)
            bare_replace(b->dir, "tile", tile, sizeof tile);
        bare_replace(b->dir, "checkpoint", note, sizeof note);
    }
}

/* One block of appends after the other: ours, bare, bare, ours, so that a disk that gets slower or busier meets both alike. For
 * each four the time of an entry, ours and bare. */
static void run_appends(unsigned block, unsigned group, unsigned rounds)
{
    const char *top = folder;
    mkdir(top, 0700);
    folder = path_join(top, "ours");
    const struct ours ours = ours_start(2 * block * rounds);
    folder = path_join(top, "bare");
    const struct bare bare = bare_start();
    for (unsigned round = 0; round < rounds; round++) {
        double took[2] = {0, 0};
        unsigned at[2] = {2 * block * round, 2 * block * round};
        for (unsigned i = 0; i < 4; i++) {
            const unsigned who = i == 1 || i == 2;
            double start = now(CLOCK_MONOTONIC);
            if (who)
                bare_run(&bare, at[who], block, group);
            else
                ours_run(&ours, at[who], block, group);
            took[who] += now(CLOCK_MONOTONIC) - start;
            at[who] += block;
        }
        printf("%.0f %.0f\n", took[0] / (2 * block), took[1] / (2 * block));
    }
    json_decref(ours.bodies);
    log_close(ours.log);
    EVP_PKEY_free(bare.secret);
}

/* A log of that many entries, its checkpoint signed once at the end; then its tiles and caches. */
static void run_make(unsigned count)
{
    struct fault f;
    create();
    struct log *l = opened(NULL);
    must(log_begin(l, &f), &f);
    log_group(l);
    for (unsigned i = 1; i < count; i++) {
        json_t *body = body_of(i);
        must(log_append(l, ENTRY_STEP, NULL, body, NULL, &f), &f);
        json_decref(body);
        if (i % 2048 == 0) {
            must(log_group_end(l, &f), &f);
            log_group(l);
        }
    }
    must(log_group_end(l, &f), &f);
    log_end(l);
    log_close(l);
}

static void run_tree(void)
{
    struct fault f;
    struct buf note = BUF(LIMIT_NOTE);
    struct checkpoint c;
    struct tree tree = {.bytes = 0};
    struct lines lines = {.fd = -1};
    struct log *l = NULL;
    must(log_prepare(folder, NULL, NULL, &l, &f), &f);
    int fd = -1;
    double start = now(CLOCK_MONOTONIC);
    must(file_read(l->checkpoint, false, &note, &f), &f);
    must(log_open_entries(l, O_RDONLY, &fd, &f), &f);
    must(lines_open(fd, span_of(NULL, 0), 0, &lines, &f), &f);
    must(tree_follow(&tree, &lines, buf_span(&note), &l->key, &c, &f), &f);
    printf("%.0f\n", now(CLOCK_MONOTONIC) - start);
}

static void run_full(void)
{
    struct fault f;
    struct buf note = BUF(LIMIT_NOTE);
    struct log *l = NULL;
    struct rusage usage;
    must(log_prepare(folder, NULL, NULL, &l, &f), &f);
    double start = now(CLOCK_MONOTONIC);
    must(file_read(l->checkpoint, false, &note, &f), &f);
    must(log_verify_file(l->entries, buf_span(&note), &l->key, NULL, NULL, NULL, &f), &f);
    double took = now(CLOCK_MONOTONIC) - start;
    getrusage(RUSAGE_SELF, &usage);
    printf("%.0f %ld\n", took, usage.ru_maxrss);
}

/* From the caches: what an opening costs, and one proof after the other, all over the log. */
static void run_prove(unsigned count)
{
    struct fault f;
    struct log *l = NULL;
    double start = now(CLOCK_MONOTONIC);
    must(log_open_at(folder, NULL, NULL, NULL, &l, &f), &f);
    double open_took = now(CLOCK_MONOTONIC) - start;
    start = now(CLOCK_MONOTONIC);
    for (unsigned i = 0; i < count; i++) {
        struct merkle_proof p;
        must(log_inclusion(l, (uint64_t)i * 7919 * 104729 % log_size(l), log_size(l), &p, &f), &f);
    }
    printf("%.0f %.0f\n", (now(CLOCK_MONOTONIC) - start) / count, open_took);
    log_close(l);
}

static void write_text(const char *name, const char *text)
{
    struct fault f;
    char *path = path_of(name);
    must(file_replace(path, span_str(text), 0600, &f), &f);
    free(path);
}

/* Requests, that the state keeps, among what it does not. */
static void estate_grow(struct estate *e, unsigned count)
{
    struct fault f;
    for (unsigned i = 0; i < count; i++) {
        const bool request = i % 16 == 0;
        json_t *body = request ? json_object() : body_of(i);
        struct digest d;
        if (!digest_one(&d, span_of(&i, sizeof i)) ||
            (request && (!json_put_digest(body, "request", &d) || !json_put_digest(body, "subject", &d) ||
                         !json_put_string(body, "expires", "2999-01-01T00:00:00Z") ||
                         !json_put_string(body, "operation", "generate") || !json_put_string(body, "rule", "r"))))
            exit(1);
        if (i % 2048 == 0) {
            must(log_begin(e->log, &f), &f);
            log_group(e->log);
        }
        must(log_append(e->log, request ? ENTRY_REQUEST : ENTRY_STEP, NULL, body, NULL, &f), &f);
        json_decref(body);
        if (i % 2048 == 2047 || i + 1 == count) {
            must(log_group_end(e->log, &f), &f);
            log_end(e->log);
        }
    }
}

/* What opening an estate of so many entries costs, by its snapshot and without. */
static void run_estate(unsigned count)
{
    struct fault f;
    struct estate *e = NULL;
    double took[2];
    mkdir(folder, 0700);
    write_text("policy.yaml", "quorate: 1\nsemantics: 1\nname: bench\nversion: 1\n"
                              "people:\n  - {id: a, name: A, organisation: O, roles: [r], fingerprint: "
                              "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\"}\n"
                              "sites:\n  - {id: here, at: [51.5, -0.6], country: GB}\n"
                              "tokens:\n  - {id: root, primary: here}\nrules:\n  - {id: r, when: {operation: "
                              "adopt-policy}, require: {quorum: {of: r, "
                              "at-least: 1}}}\notherwise: deny\n");
    write_text("bindings.yaml", "home: ./home\npolicy: ./policy.yaml\ntokens:\n  root:\n    here: {carried: true}\n");
    char *bindings = path_of("bindings.yaml"), *snapshot = path_of("home/snapshot");
    must(estate_create(bindings, "test", "bench.test/log", &f), &f);
    must(estate_open(bindings, &e, &f), &f);
    estate_grow(e, count);
    estate_close(e);
    for (unsigned i = 0; i < 2; i++) {
        double start = now(CLOCK_MONOTONIC);
        must(estate_open(bindings, &e, &f), &f);
        took[i] = now(CLOCK_MONOTONIC) - start;
        e->snapshot.size = log_size(e->log); /* no other is written */
        estate_close(e);
        if (unlink(snapshot) && i == 0)
            exit(1);
    }
    printf("%.0f %.0f\n", took[0], took[1]);
    free(bindings);
    free(snapshot);
}

int main(int argc, char **argv)
{
    unsigned count = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 0;
    unsigned group = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 1;
    if (argc < 3)
        return 2;
    folder = argv[1];
    if (!strcmp(argv[2], "appends"))
        run_appends(count, group, argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 1);
    else if (!strcmp(argv[2], "make"))
        run_make(count);
    else if (!strcmp(argv[2], "tree"))
        run_tree();
    else if (!strcmp(argv[2], "full"))
        run_full();
    else if (!strcmp(argv[2], "prove"))
        run_prove(count);
    else if (!strcmp(argv[2], "estate"))
        run_estate(count);
    else
        return 2;
    return 0;
}
