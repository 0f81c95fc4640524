/* base/map: against a plain array, with many removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/map.h"

#define N_KEYS 2000

static char keys[N_KEYS][16];
static bool inside[N_KEYS];

static xt_slice key_of(size_t i)
{
    return xt_slice_str(keys[i]);
}

static void make_keys(void)
{
    for (size_t i = 0; i < N_KEYS; i++)
        snprintf(keys[i], sizeof keys[i], "key %zu", i);
}

static void test_put_replace_remove(void **state)
{
    xt_map map = XT_MAP_INIT;
    int one = 1, two = 2;
    void *old = &old;

    assert_null(xt_map_find(&map, XT_S("a")));
    assert_null(xt_map_remove(&map, XT_S("a")));
    assert_int_equal(xt_map_put(&map, XT_S("a"), &one, &old), 0);
    assert_null(old);
    assert_int_equal(xt_map_put(&map, XT_S_NULL, &two, NULL), 0); /* the empty key is a key */
    assert_int_equal(xt_map_put(&map, XT_S("a"), &two, &old), 0);
    assert_ptr_equal(old, &one);
    assert_ptr_equal(xt_map_find(&map, XT_S("a")), &two);
    assert_ptr_equal(xt_map_find(&map, XT_S("")), &two);
    assert_int_equal(map.n, 2);
    assert_ptr_equal(xt_map_remove(&map, XT_S("a")), &two);
    assert_null(xt_map_find(&map, XT_S("a")));
    xt_map_reset(&map);
    assert_null(xt_map_find(&map, XT_S("")));
    assert_int_equal(map.n, 0);
    xt_map_fini(&map);
}

static void check_all(const xt_map *map)
{
    size_t n = 0, n_seen = 0, i = 0;

    for (size_t k = 0; k < N_KEYS; k++) {
        assert_ptr_equal(xt_map_find(map, key_of(k)), inside[k] ? keys[k] : NULL);
        n += inside[k];
    }
    assert_int_equal(map->n, n);
    for (xt_map_entry *e; (e = xt_map_next(map, &i)) != NULL; n_seen++)
        assert_ptr_equal(e->value, e->key.p);
    assert_int_equal(n_seen, n);
    assert_true(map->n_used <= map->cap / 4 * 3);
}

static void test_against_an_array(void **state)
{
    xt_map map = XT_MAP_INIT;
    uint64_t random = 88172645463325252; /* xorshift: the same run every time */

    memset(inside, 0, sizeof inside);
    for (int step = 0; step < 40000; step++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t k = random % N_KEYS;
        if (random >> 32 & 1) {
            assert_int_equal(xt_map_put(&map, key_of(k), keys[k], NULL), 0);
            inside[k] = true;
        } else {
            assert_ptr_equal(xt_map_remove(&map, key_of(k)), inside[k] ? keys[k] : NULL);
            inside[k] = false;
        }
        if (step % 4000 == 0)
            check_all(&map);
    }
    check_all(&map);
    xt_map_fini(&map);
}

static void test_steady_churn_does_not_grow(void **state)
{
    xt_map map = XT_MAP_INIT;

    for (size_t i = 0; i < 50 * N_KEYS; i++) {
        assert_int_equal(xt_map_put(&map, key_of(i % N_KEYS), keys[i % N_KEYS], NULL), 0);
        if (i >= 10)
            assert_non_null(xt_map_remove(&map, key_of((i - 10) % N_KEYS)));
    }
    assert_int_equal(map.n, 10);
    assert_true(map.cap <= 64);
    xt_map_fini(&map);
}

static void test_removing_while_iterating(void **state)
{
    xt_map map = XT_MAP_INIT;
    size_t i = 0, n = 0;

    for (size_t k = 0; k < N_KEYS; k++)
        assert_int_equal(xt_map_put(&map, key_of(k), keys[k], NULL), 0);
    for (xt_map_entry *e; (e = xt_map_next(&map, &i)) != NULL; n++) {
        void *value = e->value;
        assert_ptr_equal(xt_map_remove(&map, xt_slice_str(value)), value);
    }
    assert_int_equal(n, N_KEYS);
    assert_int_equal(map.n, 0);
    assert_int_equal(map.n_used, 0); /* no place stays behind when its neighbours are free */
    xt_map_fini(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_replace_remove),
        cmocka_unit_test(test_against_an_array),
        cmocka_unit_test(test_steady_churn_does_not_grow),
        cmocka_unit_test(test_removing_while_iterating),
    };
    make_keys();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
