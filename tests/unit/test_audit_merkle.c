#include "audit/merkle.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>

#include "audit_fixture.h"

enum { MOST = 70 };

/* RFC 6962 section 2.1, word for word: the slow way to the same root. */
static struct digest brute_root(const struct digest *leaves, uint64_t n)
{
    struct digest d, left, right;
    if (n == 0) {
        assert_true(digest_one(&d, span_of(NULL, 0)));
        return d;
    }
    if (n == 1)
        return leaves[0];
    uint64_t k = 1;
    while (2 * k < n)
        k *= 2;
    left = brute_root(leaves, k);
    right = brute_root(leaves + k, n - k);
    uint8_t one = 1;
    assert_true(digest_of(&d, 3, span_of(&one, 1), span_of(left.bytes, 32), span_of(right.bytes, 32)));
    return d;
}

static void make_leaves(struct digest leaves[MOST])
{
    for (unsigned i = 0; i < MOST; i++) {
        char text[16];
        snprintf(text, sizeof text, "leaf %u", i);
        merkle_leaf(span_str(text), &leaves[i]);
    }
}

/* The eight entries of the certificate transparency reference implementation and the roots that it gives. */
static void known_roots(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *root;
    } known[] = {
        {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
        {"00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
        {"10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
        {"2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
        {"3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
        {"40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
        {"5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
        {"606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
    };
    struct merkle_edge edge = {.size = 0};
    struct digest root;
    merkle_root(&edge, &root);
    assert_string_equal(digest_hex(&root).hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct fault f;
        struct buf entry = BUF(64);
        struct digest leaf;
        assert_int_equal(hex_parse_buf(known[i].entry, &entry, &f), OK);
        merkle_leaf(buf_span(&entry), &leaf);
        merkle_push(&edge, &leaf);
        merkle_root(&edge, &root);
        assert_string_equal(digest_hex(&root).hex, known[i].root);
        buf_free(&entry);
    }
}

static void roots_equal_brute_force(void **state)
{
    (void)state;
    struct digest leaves[MOST];
    struct merkle_edge edge = {.size = 0};
    make_leaves(leaves);
    for (uint64_t n = 0; n <= MOST; n++) {
        struct digest root, wanted = brute_root(leaves, n);
        merkle_root(&edge, &root);
        assert_int_equal(edge.size, n);
        assert_true(digest_equal(&root, &wanted));
        if (n < MOST)
            merkle_push(&edge, &leaves[n]);
    }
}

/* MTH of a range, by the RFC's recursion. */
static enum outcome node_of(void *leaves, unsigned level, uint64_t index, struct digest *ret, struct fault *f)
{
    (void)f;
    *ret = brute_root((const struct digest *)leaves + (index << level), (uint64_t)1 << level);
    return OK;
}

static bool included(struct digest *leaves, uint64_t size, uint64_t index, struct merkle_proof *ret)
{
    struct fault f;
    const struct merkle_source source = {node_of, leaves};
    return merkle_inclusion(&source, size, index, ret, &f) == OK;
}

static bool consistent(struct digest *leaves, uint64_t old, uint64_t size, struct merkle_proof *ret)
{
    struct fault f;
    const struct merkle_source source = {node_of, leaves};
    return merkle_consistency(&source, old, size, ret, &f) == OK;
}

static void inclusion_of_all(void **state)
{
    (void)state;
    struct digest leaves[MOST];
    struct merkle_proof p;
    make_leaves(leaves);
    for (uint64_t n = 1; n <= MOST; n++) {
        struct digest root = brute_root(leaves, n);
        for (uint64_t i = 0; i < n; i++) {
            assert_true(included(leaves, n, i, &p));
            assert_true(merkle_verify_inclusion(&leaves[i], i, n, &root, p.nodes, p.count));
            for (uint64_t other = 0; other < n; other++)
                assert_int_equal(merkle_verify_inclusion(&leaves[i], other, n, &root, p.nodes, p.count), other == i);
            assert_false(merkle_verify_inclusion(&leaves[i], i, n, &root, p.nodes, p.count + 1));
            if (p.count) {
                assert_false(merkle_verify_inclusion(&leaves[i], i, n, &root, p.nodes, p.count - 1));
                p.nodes[n % p.count].bytes[i % 32] ^= 1;
                assert_false(merkle_verify_inclusion(&leaves[i], i, n, &root, p.nodes, p.count));
            }
        }
        assert_false(included(leaves, n, n, &p));
        assert_false(merkle_verify_inclusion(&leaves[0], n, n, &root, NULL, 0));
    }
    assert_false(included(leaves, 0, 0, &p));
}

static void consistency_of_all(void **state)
{
    (void)state;
    struct digest leaves[MOST];
    struct merkle_proof p;
    make_leaves(leaves);
    for (uint64_t n = 1; n <= MOST; n++) {
        struct digest root = brute_root(leaves, n);
        for (uint64_t m = 1; m <= n; m++) {
            struct digest old = brute_root(leaves, m), bent = old;
            bent.bytes[31] ^= 0x80;
            assert_true(consistent(leaves, m, n, &p));
            assert_true(merkle_verify_consistency(m, &old, n, &root, p.nodes, p.count));
            assert_false(merkle_verify_consistency(m, &bent, n, &root, p.nodes, p.count));
            assert_false(merkle_verify_consistency(m, &old, n, &bent, p.nodes, p.count));
            assert_false(merkle_verify_consistency(m, &old, n, &root, p.nodes, p.count + 1));
            if (p.count) {
                assert_false(merkle_verify_consistency(m, &old, n, &root, p.nodes, p.count - 1));
                p.nodes[m % p.count].bytes[0] ^= 4;
                assert_false(merkle_verify_consistency(m, &old, n, &root, p.nodes, p.count));
            }
        }
        assert_false(consistent(leaves, n + 1, n, &p));
        assert_false(consistent(leaves, 0, n, &p));
        assert_false(merkle_verify_consistency(0, &root, n, &root, NULL, 0));
        assert_false(merkle_verify_consistency(n + 1, &root, n, &root, NULL, 0));
    }
}

static uint64_t number(const json_t *v)
{
    double n = json_number_value(json_object_get(v, "leafIdx"));
    return n >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)n;
}

static uint64_t count_of(const json_t *v, const char *name)
{
    return (uint64_t)json_number_value(json_object_get(v, name));
}

/* False where it is no hash at all: such a proof cannot even be handed over. Roots in the consistency set may be shorter ("don't care"). */
static int read_hash(const json_t *text, int exact, struct digest *ret)
{
    struct fault f;
    struct buf b = BUF(4096);
    int good = json_is_string(text) && base64_parse(span_str(json_string_value(text)), &b, &f) == OK &&
               (exact ? b.len == 32 : b.len <= 32);
    memset(ret, 0, sizeof *ret);
    if (good)
        memcpy(ret->bytes, b.data, b.len);
    buf_free(&b);
    return good;
}

static int vector_holds(const json_t *v, int inclusion)
{
    struct digest nodes[128], first, second;
    size_t count = json_array_size(json_object_get(v, "proof"));
    assert_true(count < 128);
    for (size_t i = 0; i < count; i++)
        if (!read_hash(json_array_get(json_object_get(v, "proof"), i), 1, &nodes[i]))
            return 0;
    if (!read_hash(json_object_get(v, inclusion ? "root" : "root1"), inclusion, &first) ||
        !read_hash(json_object_get(v, inclusion ? "leafHash" : "root2"), inclusion, &second))
        return 0;
    if (inclusion)
        return merkle_verify_inclusion(&second, number(v), count_of(v, "treeSize"), &first, nodes, count);
    return merkle_verify_consistency(count_of(v, "size1"), &first, count_of(v, "size2"), &second, nodes, count);
}

static unsigned run_vectors(const char *folder, int inclusion)
{
    unsigned seen = 0;
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        char path[1024];
        if (e->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (!strstr(e->d_name, ".json")) {
            seen += run_vectors(path, inclusion);
            continue;
        }
        json_t *v = json_load_file(path, JSON_DECODE_INT_AS_REAL, NULL);
        assert_non_null(v);
        if (vector_holds(v, inclusion) == json_is_true(json_object_get(v, "wantErr")))
            fail_msg("%s", path);
        json_decref(v);
        seen++;
    }
    closedir(d);
    return seen;
}

static void answers_from_elsewhere(void **state)
{
    (void)state;
    if (!vectors_there(VECTORS "/README.md"))
        return;
    assert_true(run_vectors(VECTORS "/merkle/inclusion", 1) > 50);
    assert_true(run_vectors(VECTORS "/merkle/consistency", 0) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_roots),
        cmocka_unit_test(roots_equal_brute_force),
        cmocka_unit_test(inclusion_of_all),
        cmocka_unit_test(consistency_of_all),
        cmocka_unit_test(answers_from_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
