#include <stdio.h>

#include "audit/tiles.h"
#include "audit_log_fixture.h"
#include "core/encode.h"

/* Tiles, the public folder, and a log whose hashes do not all lie in memory. */

static void say_many(struct log *l, unsigned count)
{
    struct fault f;
    json_t *body = json_object();
    if (log_begin(l, &f))
        fail_msg("%s", f.text);
    for (unsigned i = 0; i < count; i++)
        if (log_append(l, ENTRY_STEP, NULL, body, NULL, &f))
            fail_msg("%s", f.text);
    log_end(l);
    json_decref(body);
}

static void paths_are_those_of_tlog_tiles(void **state)
{
    (void)state;
    const struct {
        const char *path;
        uint64_t index;
        int level;
        unsigned width;
    } rows[] = {{"f/tile/0/000", 0, 0, 256},
                {"f/tile/1/007.p/3", 7, 1, 3},
                {"f/tile/0/999", 999, 0, 256},
                {"f/tile/0/x001/x234/067", 1234067, 0, 256},
                {"f/tile/entries/x001/000.p/17", 1000, -1, 17}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *path = tile_path("f", rows[i].level, rows[i].index, rows[i].width);
        assert_string_equal(path, rows[i].path);
        free(path);
    }
}

/* Every proof from tiles, over two levels of them, is one that verifies. */
static void proofs_from_tiles(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say_many(l, 699);
    for (int again = 0; again < 2; again++) {
        struct digest root, old_root;
        log_root(l, &root);
        for (uint64_t seq = 0; seq < 700; seq += 13) {
            struct merkle_proof p;
            struct digest leaf;
            struct buf bytes = BUF(LIMIT_ENTRY);
            assert_int_equal(log_entry_bytes(l, seq, &bytes, &f), OK);
            merkle_leaf(buf_span(&bytes), &leaf);
            assert_int_equal(log_inclusion(l, seq, 700, &p, &f), OK);
            assert_true(merkle_verify_inclusion(&leaf, seq, 700, &root, p.nodes, p.count));
            assert_int_equal(log_root_at(l, seq + 1, &old_root, &f), OK);
            assert_int_equal(log_consistency(l, seq + 1, 700, &p, &f), OK);
            assert_true(merkle_verify_consistency(seq + 1, &old_root, 700, &root, p.nodes, p.count));
            buf_free(&bytes);
        }
        log_close(l);
        l = log_opened(folder);
    }
    log_close(l);
    log_gone(folder);
}

static bool there(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    bool found = file_exists(path);
    free(path);
    return found;
}

/* checkpoint, hash tiles and bundles as C2SP tlog-tiles has them; partial ones go when the tile is full. */
static void the_public_folder(void **state)
{
    (void)state;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say_many(l, 9);
    log_close(l);
    assert_true(there(folder, "public/tile/0/000.p/10"));
    assert_true(there(folder, "public/tile/entries/000.p/10"));
    l = log_opened(folder);
    say_many(l, 250);
    log_close(l);
    assert_false(there(folder, "public/tile/0/000.p"));
    assert_true(there(folder, "public/tile/0/001.p/4"));
    assert_true(there(folder, "public/tile/1/000.p/1"));
    struct buf tile = file_bytes(folder, "public/tile/0/000"), bundle = file_bytes(folder, "public/tile/entries/000"),
               note = file_bytes(folder, "checkpoint"), shown = file_bytes(folder, "public/checkpoint");
    assert_true(span_equal(buf_span(&note), buf_span(&shown)));
    assert_int_equal(tile.len, 256 * 32);
    size_t at = 0;
    for (unsigned i = 0; i < 256; i++) {
        size_t len = (size_t)(bundle.data[at] << 8 | bundle.data[at + 1]);
        struct digest leaf;
        merkle_leaf(span_of(bundle.data + at + 2, len), &leaf);
        assert_memory_equal(&leaf, tile.data + 32 * i, 32);
        at += len + 2;
    }
    assert_int_equal(at, bundle.len);
    buf_free(&tile);
    buf_free(&bundle);
    buf_free(&note);
    buf_free(&shown);
    log_gone(folder);
}

/* What can be made again is: a lost folder, a lost tile, a damaged one. */
static void lost_tiles_come_back(void **state)
{
    (void)state;
    struct fault f;
    struct merkle_proof p;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say_many(l, 599);
    log_close(l);
    in_folder(folder, "rm -r public");
    l = log_opened(folder);
    assert_int_equal(log_inclusion(l, 1, 600, &p, &f), OK);
    in_folder(folder, "rm public/tile/0/000 && echo x >public/tile/0/001");
    log_close(l);
    l = log_opened(folder); /* a tile that a failure of power left empty is as good as none */
    struct buf bytes = BUF(LIMIT_ENTRY);
    assert_int_equal(log_entry_bytes(l, 300, &bytes, &f), OK);
    buf_clear(&bytes);
    assert_int_equal(log_publish(l, true, &f), OK);
    assert_int_equal(log_entry_bytes(l, 300, &bytes, &f), OK);
    buf_free(&bytes);
    log_close(l);
    log_gone(folder);
}

/* A tile that was altered cannot make an entry look right or wrong unseen. */
static void altered_tiles_are_noticed(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say_many(l, 299);
    struct buf tile = file_bytes(folder, "public/tile/0/000"), bytes = BUF(LIMIT_ENTRY);
    tile.data[10] ^= 1;
    file_put(folder, "public/tile/0/000", buf_span(&tile));
    assert_int_equal(log_entry_bytes(l, 1, &bytes, &f), E_REFUSED);
    assert_non_null(strstr(f.text, "damage"));
    log_close(l);
    buf_free(&tile);
    buf_free(&bytes);
    log_gone(folder);
}

static enum outcome count_visits(void *context, const struct entry *e, struct fault *f)
{
    (void)f;
    uint64_t *first = context;
    if (*first == UINT64_MAX)
        *first = e->seq;
    return OK;
}

static uint64_t first_visited(const char *folder, const struct log_mark *mark, enum outcome wanted)
{
    struct fault f;
    struct log *l = NULL;
    uint64_t first = UINT64_MAX;
    enum outcome rc = log_open_at(folder, mark, count_visits, &first, &l, &f);
    if (wanted == OK && rc)
        fail_msg("%s", f.text);
    assert_true((rc == OK) == (wanted == OK));
    if (!rc) {
        say(l, "goes on");
        struct buf bytes = BUF(LIMIT_ENTRY);
        assert_int_equal(log_entry_bytes(l, 3, &bytes, &f), OK);
        buf_free(&bytes);
    }
    log_close(l);
    return first;
}

/* Who remembers reads on from there; who remembers another log, or finds the caches gone or altered, does not. */
static void opened_from_a_mark(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made(), *path;
    struct log *l = log_opened(folder);
    say_many(l, 599);
    struct log_mark mark = {.size = 590}, other = {.size = 590};
    assert_int_equal(log_root_at(l, 590, &mark.root, &f), OK);
    log_close(l);
    assert_int_equal(first_visited(folder, &mark, OK), 590);
    assert_int_equal(first_visited(folder, &mark, OK), 590);
    assert_int_equal(first_visited(folder, NULL, OK), 602); /* the entry that it adds itself */
    first_visited(folder, &other, E_REFUSED);
    other.size = 9000;
    first_visited(folder, &other, E_REFUSED);
    struct buf edge = file_bytes(folder, "edge");
    for (size_t at = 0; at < edge.len; at += 97) {
        edge.data[at] ^= 4;
        file_put(folder, "edge", buf_span(&edge));
        first_visited(folder, &mark, E_REFUSED);
        edge.data[at] ^= 4;
    }
    file_put(folder, "edge", buf_span(&edge));
    file_put(folder, "places", span_str("too short"));
    first_visited(folder, &mark, E_REFUSED);
    path = path_join(folder, "edge");
    assert_int_equal(unlink(path), 0);
    first_visited(folder, &mark, E_REFUSED);
    l = log_opened(folder); /* none of it is needed */
    say(l, "whole");
    log_close(l);
    assert_int_equal(first_visited(folder, &mark, OK), 590);
    buf_free(&edge);
    free(path);
    log_gone(folder);
}

/* Entries signed over, then altered below the mark: not read at this opening, but found when they are, and by whoever
 * reads all. */
static void damage_below_the_mark(void **state)
{
    (void)state;
    struct fault f;
    char *folder = log_made();
    struct log *l = log_opened(folder);
    say_many(l, 599);
    struct log_mark mark = {.size = 600};
    log_root(l, &mark.root);
    log_close(l);
    struct buf entries = file_bytes(folder, "entries");
    uint8_t *said = memmem(entries.data, entries.len, "\"seq\":5,", 8);
    said[6] = '6';
    file_put(folder, "entries", buf_span(&entries));
    assert_int_equal(log_open_at(folder, &mark, NULL, NULL, &l, &f), OK);
    struct buf bytes = BUF(LIMIT_ENTRY);
    assert_int_equal(log_entry_bytes(l, 5, &bytes, &f), E_REFUSED);
    assert_int_equal(log_entry_bytes(l, 6, &bytes, &f), OK);
    log_close(l);
    log_refused(folder, E_REFUSED, "damage");
    buf_free(&entries);
    buf_free(&bytes);
    log_gone(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_are_those_of_tlog_tiles),
        cmocka_unit_test(proofs_from_tiles),
        cmocka_unit_test(the_public_folder),
        cmocka_unit_test(lost_tiles_come_back),
        cmocka_unit_test(altered_tiles_are_noticed),
        cmocka_unit_test(opened_from_a_mark),
        cmocka_unit_test(damage_below_the_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
