/* base/arena: limits, alignment, marks and reuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_pieces_are_aligned_and_apart(void **state)
{
    xt_arena arena;
    char *pieces[300];

    xt_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < XT_COUNT_OF(pieces); i++) {
        pieces[i] = xt_arena_alloc(&arena, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 8, 0);
        if (i)
            memset(pieces[i], (int)i, i);
    }
    for (size_t i = 0; i < XT_COUNT_OF(pieces); i++)
        for (size_t k = 0; k < i; k++)
            assert_int_equal((uint8_t)pieces[i][k], (uint8_t)i);
    xt_arena_fini(&arena);
}

static void test_limit_is_an_outcome(void **state)
{
    xt_arena arena;

    xt_arena_init(&arena, 1024);
    assert_non_null(xt_arena_alloc(&arena, 1000));
    assert_null(xt_arena_alloc(&arena, 25));
    assert_non_null(xt_arena_alloc(&arena, 24));
    assert_int_equal(arena.used_bytes, 1024);
    assert_null(xt_arena_alloc(&arena, 0));
    xt_arena_reset(&arena);
    assert_non_null(xt_arena_alloc(&arena, 1024));
    assert_null(xt_arena_alloc(&arena, SIZE_MAX));
    assert_null(xt_arena_array(&arena, SIZE_MAX / 2, 3));
    assert_null(xt_arena_copy(&arena, xt_slice_of("x", SIZE_MAX)).p);
    xt_arena_fini(&arena);
}

static void test_array_is_zeroed_after_reuse(void **state)
{
    xt_arena arena;

    xt_arena_init(&arena, 1 << 20);
    memset(xt_arena_alloc(&arena, 4096), 0xff, 4096);
    xt_arena_reset(&arena);
    uint64_t *a = xt_arena_array(&arena, 512, sizeof *a);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(a[i], 0);
    xt_arena_fini(&arena);
}

static void test_copy_has_a_nul(void **state)
{
    xt_arena arena;

    xt_arena_init(&arena, 1 << 20);
    xt_slice copy = xt_arena_copy(&arena, xt_slice_of("a\0b", 3));
    assert_int_equal(copy.n, 3);
    assert_memory_equal(copy.p, "a\0b", 4);
    copy = xt_arena_copy(&arena, XT_S_NULL);
    assert_non_null(copy.p);
    assert_int_equal(copy.n, 0);
    xt_arena_fini(&arena);
}

static void test_mark_goes_back_over_blocks(void **state)
{
    xt_arena arena;

    xt_arena_init(&arena, 64 << 20);
    xt_arena_mark empty = xt_arena_mark_get(&arena);
    xt_slice kept = xt_arena_copy(&arena, XT_S("kept"));
    xt_arena_mark mark = xt_arena_mark_get(&arena);
    for (int i = 0; i < 400; i++)
        assert_non_null(xt_arena_alloc(&arena, 10000));
    assert_non_null(xt_arena_alloc(&arena, 3 << 20)); /* larger than any block */
    xt_arena_mark_reset(&arena, mark);
    assert_int_equal(arena.used_bytes, mark.used_bytes);
    assert_true(xt_slice_eq(kept, XT_S("kept")));
    assert_ptr_equal(xt_arena_alloc(&arena, 8), xt_arena_mark_get(&arena).block ? kept.p + (mark.block_used) : NULL);
    assert_true(arena.spare_bytes > 0 && arena.spare_bytes <= 1 << 20);
    xt_arena_mark_reset(&arena, empty);
    assert_int_equal(arena.used_bytes, 0);
    xt_arena_fini(&arena);
}

static void test_reset_keeps_a_mebibyte_at_most(void **state)
{
    xt_arena arena;

    xt_arena_init(&arena, 64 << 20);
    void *first = xt_arena_alloc(&arena, 100);
    xt_arena_reset(&arena);
    assert_ptr_equal(xt_arena_alloc(&arena, 100), first);
    for (int i = 0; i < 100; i++)
        assert_non_null(xt_arena_alloc(&arena, 100000));
    xt_arena_reset(&arena);
    assert_true(arena.spare_bytes <= 1 << 20);
    assert_int_equal(arena.used_bytes, 0);
    xt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_and_apart), cmocka_unit_test(test_limit_is_an_outcome),
        cmocka_unit_test(test_array_is_zeroed_after_reuse),  cmocka_unit_test(test_copy_has_a_nul),
        cmocka_unit_test(test_mark_goes_back_over_blocks),   cmocka_unit_test(test_reset_keeps_a_mebibyte_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
