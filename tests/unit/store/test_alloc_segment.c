/*
 * A segment opened and all of its columns read with every request for memory refused in turn: an error, or the bytes
 * that are read when nothing is refused.
 */
#include "segment_rows.h"

#include "../alloc_faults.h"

typedef struct reading {
    const char *path;
    uint64_t sum; /* of all values */
    bool is_reference;
} reading;

static int read_all(rows_reader *rows, xt_problem *problem, uint64_t *ret_sum)
{
    uint64_t sum = 0;
    int r = 0;

    for (uint32_t g = 0; r == 0 && g < xt_segment_info_get(rows->segment)->n_groups; g++) {
        r = rows_group(rows, g, problem);
        for (uint32_t row = 0; r == 0 && row < xt_segment_group_get(rows->segment, g).n_rows; row++) {
            xt_event event;
            rows_event(rows, row, &event);
            for (unsigned f = 1; f < XT_F_END; f++)
                if (xt_event_has(&event, (xt_field)f))
                    sum = sum * 31 + (xt_segment_dict(rows->segment, (xt_field)f) ? xt_slice_hash(event.values[f].bytes)
                                                                                  : event.values[f].num);
        }
    }
    *ret_sum = sum;
    return r;
}

static int read_segment(void *context)
{
    reading *to = context;
    xt_problem problem = XT_PROBLEM_INIT;
    rows_reader rows;
    uint64_t sum = 0;
    int r = rows_open(&rows, &xt_vfs_system, to->path, &problem);
    if (r == 0)
        r = read_all(&rows, &problem, &sum);
    rows_close(&rows);
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
