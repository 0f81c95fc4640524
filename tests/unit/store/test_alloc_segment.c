/*
 * A segment opened and all of its columns read with every request for memory refused in turn: an error, or the bytes
 * that are read when nothing is refused.
 */
#include "store_fixture.h"

#include "../alloc_faults.h"
#include "store/segment.h"

typedef struct reading {
    const char *path;
    uint64_t sum; /* of all values */
    bool is_reference;
} reading;

static uint64_t sum_of(const xt_open_column *column, uint32_t n_rows)
{
    uint64_t sum = (uint64_t)column->kind;
    for (uint32_t i = 0; column->kind == XT_COLUMN_NUMBERS && i < n_rows; i++)
        sum = sum * 31 + (!column->present || (column->present[i / 8] >> i % 8 & 1) ? column->numbers[i] : 7);
    for (uint32_t i = 0; column->kind == XT_COLUMN_CODES && i < n_rows; i++)
        sum = sum * 31 + (column->codes[i] ? xt_slice_hash(column->dict[column->codes[i] - 1]) : 7);
    return sum;
}

static int read_all(xt_segment_reader *reader, const xt_segment *segment, xt_arena *arena, uint64_t *ret_sum)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t sum = 0;
    for (xt_field f = XT_F_INVALID + 1; f < XT_F_END; f++) {
        xt_open_column column;
        if (!xt_field_find(f))
            continue;
        int r = xt_segment_read(reader, segment, 0, f, arena, &column, &problem);
        if (r != 0)
            return r;
        sum = sum * 131 + sum_of(&column, xt_segment_group_get(segment, 0).n_rows);
    }
    *ret_sum = sum;
    return 0;
}

static int read_segment(void *context)
{
    reading *to = context;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_segment *segment = NULL;
    xt_segment_reader *reader = NULL;
    xt_arena arena;
    uint64_t sum = 0;
    xt_arena_init(&arena, 64 << 20);
    int r = xt_segment_open(&xt_vfs_system, to->path, &segment, &problem);
    if (r == 0) {
        reader = xt_segment_reader_new(&xt_vfs_system);
        r = reader ? read_all(reader, segment, &arena, &sum) : -ENOMEM;
    }
    xt_segment_reader_free(reader);
    xt_segment_unref(segment);
    xt_arena_fini(&arena);
    bool was_armed = alloc_pause();
    if (r != 0 && r != -ENOMEM)
        fail_msg("ends with %d: %s", r, problem.sentence);
    if (r == 0 && to->is_reference)
        to->sum = sum;
    assert_true(r != 0 || to->sum == sum);
    alloc_resume(was_armed);
    return r;
}

static void test_segment(void **state)
{
    char *dir = folder_new(), *path;
    xt_problem problem = XT_PROBLEM_INIT;
    truth t;
    sender s;
    truth_init(&t);
    sender_init(&s, 41);
    xt_store *store = store_open(dir, NULL);
    for (int i = 0; i < 5; i++) {
        xt_store_batch batch = sender_next(&s, 3, &t);
        assert_int_equal(append_one(store, &batch), 0);
    }
    must(xt_store_compact(store, &problem), &problem);
    xt_store_close(store);
    assert_true(asprintf(&path, "%s/segments/0000000000000001.xts", dir) > 0);
    reading to = {.path = path, .is_reference = true};
    assert_int_equal(read_segment(&to), 0);
    to.is_reference = false;
    assert_true(alloc_fail_each(read_segment, &to) > 3);
    free(path);
    sender_fini(&s);
    truth_fini(&t);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
