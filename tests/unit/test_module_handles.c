#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "module/handles.h"

struct thing {
    struct handle_entry entry;
    int value;
};

static struct thing *take(struct table *t, CK_ULONG *ret)
{
    struct thing *e = (struct thing *)table_take(t);

    assert_non_null(e);
    *ret = table_show(&e->entry);
    return e;
}

static void *get(struct table *t, CK_ULONG handle)
{
    return table_get(t, handle, sizeof(struct thing));
}

static void nothing_is_there_before(void **state)
{
    static struct table t = TABLE(struct thing);

    (void)state;
    assert_null(get(&t, 0));
    assert_null(get(&t, 1));
    assert_null(get(&t, ~0UL));
    assert_null(get(&t, HANDLE_INDEX_MASK));
}

static void an_old_handle_stays_invalid(void **state)
{
    static struct table t = TABLE(struct thing);
    CK_ULONG first = 0, second = 0;
    struct thing *a = take(&t, &first);

    (void)state;
    assert_int_not_equal(first, CK_INVALID_HANDLE);
    assert_ptr_equal(get(&t, first), a);
    table_drop(&t, &a->entry);
    assert_null(get(&t, first));
    assert_ptr_equal(take(&t, &second), a); /* the same entry */
    assert_int_not_equal(first, second);
    assert_null(get(&t, first));
    assert_ptr_equal(get(&t, second), a);
}

static void taken_but_not_shown_is_invisible(void **state)
{
    static struct table t = TABLE(struct thing);
    struct handle_entry *e = table_take(&t);

    (void)state;
    assert_null(get(&t, e->index));
    table_drop(&t, e);
    assert_int_equal(table_take(&t)->index, e->index);
}

static void entries_never_move(void **state)
{
    static struct table t = TABLE(struct thing);
    static CK_ULONG handles[5000];
    CK_ULONG first = 0;
    struct thing *a = take(&t, &first);

    (void)state;
    for (size_t i = 0; i < 5000; i++)
        take(&t, &handles[i])->value = (int)i;
    assert_ptr_equal(get(&t, first), a);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(((struct thing *)get(&t, handles[i]))->value, (int)i);
}

static void a_child_knows_no_handle_of_its_parent(void **state)
{
    static struct table t = TABLE(struct thing);
    CK_ULONG parents[3], child = 0;
    unsigned char *parents_memory = NULL;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        take(&t, &parents[i]);
    table_drop(&t, (struct handle_entry *)get(&t, parents[1]));
    take(&t, &parents[1]);
    parents_memory = atomic_load(&t.chunks[0]);
    table_forget(&t);
    free(parents_memory); /* in a child it is left alone */
    for (size_t i = 0; i < 3; i++)
        assert_null(get(&t, parents[i]));
    for (size_t i = 0; i < 3; i++) {
        take(&t, &child);
        for (size_t j = 0; j < 3; j++)
            assert_int_not_equal(child, parents[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_there_before),
        cmocka_unit_test(an_old_handle_stays_invalid),
        cmocka_unit_test(taken_but_not_shown_is_invisible),
        cmocka_unit_test(entries_never_move),
        cmocka_unit_test(a_child_knows_no_handle_of_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
