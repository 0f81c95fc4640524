#include "support.h"

static xt_event sample(void)
{
    static char list[64], paths[128];
    const xt_slice items[] = {XT_S("ls"), XT_S(""), XT_S("a b\377")};
    xt_event event = {0};
    xt_buf out = {.p = list, .cap = sizeof list, .max_bytes = sizeof list};
    xt_list_put(&out, items, 3);
    xt_event_set_num(&event, XT_F_TIME, (uint64_t)INT64_C(-5));
    xt_event_set_num(&event, XT_F_SERIAL, UINT32_MAX);
    xt_event_set_num(&event, XT_F_EXIT, (uint64_t)INT64_C(-13));
    xt_event_set_bytes(&event, XT_F_HOST_ID, XT_S("h"));
    xt_event_set_bytes(&event, XT_F_ARGS, xt_buf_slice(&out));
    xt_path path = {.item = 1,
                    .has_name = true,
                    .name = XT_S("/x"),
                    .nametype = XT_S("NORMAL"),
                    .has_inode = true,
                    .inode = UINT64_MAX,
                    .mode = 0100755,
                    .rdev_minor = 7,
                    .rest = XT_S("obj=a")};
    xt_path none = {.item = 300};
    xt_buf path_out = XT_BUF_INIT;
    xt_paths_put(&path_out, (const xt_path[]){path, none}, 2);
    memcpy(paths, path_out.p, path_out.n);
    xt_event_set_bytes(&event, XT_F_PATHS, xt_slice_of(paths, path_out.n));
    xt_buf_fini(&path_out);
    return event;
}

static void test_round_trip(void **state)
{
    xt_event event = sample(), back = {0};
    xt_buf out = XT_BUF_INIT;
    xt_event_encode(&event, &out);
    assert_int_equal(xt_event_decode(xt_buf_slice(&out), &back, NULL), 0);
    assert_memory_equal(&event.present, &back.present, sizeof event.present);
    assert_int_equal((int64_t)back.values[XT_F_TIME].num, -5);
    assert_int_equal((int64_t)back.values[XT_F_EXIT].num, -13);
    assert_int_equal(back.values[XT_F_SERIAL].num, UINT32_MAX);
    assert_true(xt_slice_eq(event.values[XT_F_ARGS].bytes, back.values[XT_F_ARGS].bytes));
    assert_int_equal(xt_list_count(back.values[XT_F_ARGS].bytes), 3);
    assert_slice_eq(list_item(back.values[XT_F_ARGS].bytes, 2), "a b\377");
    xt_path_iter iter = xt_paths_iterate(back.values[XT_F_PATHS].bytes);
    xt_path path;
    assert_true(xt_paths_next(&iter, &path));
    assert_true(path.has_inode && path.inode == UINT64_MAX && path.mode == 0100755 && path.rdev_minor == 7);
    assert_slice_eq(path.rest, "obj=a");
    assert_true(xt_paths_next(&iter, &path));
    assert_true(!path.has_inode && !path.has_name && path.item == 300);
    assert_false(xt_paths_next(&iter, &path));
    xt_buf_fini(&out);
}

/* The bytes are a format: written down once, by hand. */
static void test_bytes(void **state)
{
    xt_event event = {0};
    xt_buf out = XT_BUF_INIT;
    xt_event_set_num(&event, XT_F_TIME, 150);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("hi"));
    xt_event_set_num(&event, XT_F_MESSAGE, 0);
    xt_event_set_bytes(&event, XT_F_MESSAGE, XT_S(""));
    xt_event_encode(&event, &out);
    const uint8_t wanted[] = {1, 1 << 1, 0xac, 0x02, 4 << 1 | 1, 2, 'h', 'i', 0x83, 0x01, 0};
    assert_int_equal(out.n, sizeof wanted);
    assert_memory_equal(out.p, wanted, sizeof wanted);
    xt_buf_fini(&out);
}

static void test_unknown_fields_are_skipped(void **state)
{
    const uint8_t bytes[] = {1, 1 << 1, 4, 0xc9, 0x01, 3, 'a', 'b', 'c', 0xca, 0x01, 9};
    xt_event event = {0};
    assert_int_equal(xt_event_decode(xt_slice_of(bytes, sizeof bytes), &event, NULL), 0);
    assert_int_equal(event.present.bits[0], 2);
    assert_int_equal(event.present.bits[1], 0);
}

static void assert_refused(const uint8_t *bytes, size_t n, int outcome)
{
    xt_event event = {0};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_event_set_num(&event, XT_F_PID, 1);
    assert_int_equal(xt_event_decode(xt_slice_of(bytes, n), &event, &problem), outcome);
    assert_true(problem.sentence[0] != '\0');
    assert_true(xt_event_has(&event, XT_F_PID));
}

#define REFUSED(outcome, ...) \
    assert_refused((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), outcome)

static void test_corrupt_bytes_are_refused(void **state)
{
    assert_refused((const uint8_t *)"", 0, XT_EVENT_E_CORRUPT);
    REFUSED(XT_EVENT_E_CORRUPT, 0);
    REFUSED(XT_EVENT_E_NEWER, 2);
    REFUSED(XT_EVENT_E_CORRUPT, 1, 0, 0);                             /* id 0 */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 1 << 1);                           /* number cut off */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 4 << 1 | 1, 3, 'a');               /* bytes cut off */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 1 << 1 | 1, 1, 'a');               /* bytes for a number */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 4 << 1, 1);                        /* a number for bytes */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 2 << 1, 1, 1 << 1, 1);             /* falling ids */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 2 << 1, 1, 2 << 1, 1);             /* twice */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 27 << 1 | 1, 2, 2, 0);             /* a list with an item less */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 27 << 1 | 1, 3, 1, 0, 0);          /* a list with a byte more */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 40 << 1 | 1, 2, 1, 0);             /* half a path */
    REFUSED(XT_EVENT_E_CORRUPT, 1, 60 << 1 | 1, 4, 1, 0x94, 0x0a, 1); /* a record without its field */
}

/* Every prefix of an event is refused or ends between two fields. */
static void test_prefixes(void **state)
{
    xt_event event = sample(), part = {0};
    xt_buf out = XT_BUF_INIT;
    size_t n_whole = 0;
    xt_event_encode(&event, &out);
    for (size_t n = 0; n < out.n; n++)
        n_whole += xt_event_decode(xt_slice_of(out.p, n), &part, NULL) == 0;
    assert_int_equal(n_whole, 6); /* the version alone, and behind each field but the last */
    xt_buf_fini(&out);
}

static void test_batch(void **state)
{
    xt_event event = sample();
    xt_buf out = XT_BUF_INIT;
    xt_slice bytes, rest;
    char big[300];
    memset(big, 'x', sizeof big);
    xt_event_batch_put(&out, &event);
    xt_event_set_bytes(&event, XT_F_MESSAGE, xt_slice_of(big, sizeof big));
    xt_event_batch_put(&out, &event);
    rest = xt_buf_slice(&out);
    for (int i = 0; i < 2; i++) {
        xt_event back;
        assert_true(xt_event_batch_next(&rest, &bytes));
        assert_int_equal(xt_event_decode(bytes, &back, NULL), 0);
        assert_int_equal(xt_event_bytes(&back, XT_F_MESSAGE).n, i * sizeof big);
    }
    assert_false(xt_event_batch_next(&rest, &bytes));
    assert_int_equal(rest.n, 0);
    rest = xt_slice_of(out.p, 5);
    assert_false(xt_event_batch_next(&rest, &bytes));
    assert_int_equal(rest.n, 5);
    xt_buf_fini(&out);
}

static void test_derive(void **state)
{
    xt_event event = sample();
    xt_field_set all = {{UINT64_MAX, UINT64_MAX}};
    xt_arena arena;
    xt_arena_init(&arena, 4096);
    xt_event_set_num(&event, XT_F_PID, 7);
    assert_int_equal(xt_event_derive(&event, all, &arena), 0);
    assert_slice_eq(xt_event_bytes(&event, XT_F_CMD), "ls  a b\377");
    assert_int_equal(xt_event_num(&event, XT_F_ARGC, 0), 3);
    assert_int_equal(xt_list_count(xt_event_bytes(&event, XT_F_PATH)), 1);
    assert_int_equal(xt_event_bytes(&event, XT_F_EVENT_ID).n, 32);
    assert_false(xt_event_has(&event, XT_F_ENTITY)); /* nothing was executed */
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(&event, XT_F_OUTCOME, XT_S("success"));
    assert_int_equal(xt_event_derive(&event, all, &arena), 0);
    assert_int_equal(xt_event_bytes(&event, XT_F_ENTITY).n, XT_EVENT_ENTITY_LEN);
    xt_arena_fini(&arena);
}

static void test_derive_without_memory(void **state)
{
    xt_field_set all = {{UINT64_MAX, UINT64_MAX}};
    int r = -1;
    for (size_t limit = 1; r != 0; limit += 8) {
        xt_event event = sample();
        xt_arena arena;
        xt_arena_init(&arena, limit);
        r = xt_event_derive(&event, all, &arena);
        assert_true(r == 0 || r == -12);
        assert_true(limit < 4096);
        xt_arena_fini(&arena);
    }
}

/* Against the layout written down in the header. */
static void test_ids(void **state)
{
    char text[33];
    xt_hash128_format(xt_event_id_of(XT_S("h"), 1, 2), text);
    xt_slice same = xt_slice_of("h\0\1\0\0\0\0\0\0\0\2\0\0\0", 14);
    char wanted[33];
    xt_hash128_format(xt_slice_hash128(same), wanted);
    assert_string_equal(text, wanted);
    xt_hash128_format(xt_event_import_host_id(XT_S("db")), text);
    xt_hash128_format(xt_slice_hash128(XT_S("import:db")), wanted);
    assert_string_equal(text, wanted);
    assert_false(xt_hash128_eq(xt_event_id_of(XT_S("h"), 1, 2), xt_event_id_of(XT_S("h"), 2, 1)));
}

static void test_records(void **state)
{
    const uint8_t bytes[] = {2,   0x94, 0x0a, 2,    1,    'a', 0, 1,   'x', 0, 0,  3,
                             'w', ' ',  'v',  0x96, 0x0a, 1,   1, 'a', 99,  1, 'y'};
    xt_slice records = xt_slice_of(bytes, sizeof bytes), value;
    xt_rec_iter iter = xt_recs_iterate(records);
    xt_rec_field field;
    uint16_t type;
    assert_true(xt_recs_next(&iter, &type));
    assert_int_equal(type, 1300);
    assert_true(xt_recs_next(&iter, &type)); /* fields of the first are passed over */
    assert_int_equal(type, 1302);
    assert_true(xt_recs_next_field(&iter, &field));
    assert_int_equal(field.form, XT_REC_BARE);
    assert_false(xt_recs_next(&iter, &type));
    assert_true(xt_recs_find(records, XT_S("a"), 1, &value));
    assert_slice_eq(value, "y");
    assert_true(xt_recs_find(records, XT_S("text"), 0, &value));
    assert_slice_eq(value, "w v");
    assert_false(xt_recs_find(records, XT_S("a"), 2, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_unknown_fields_are_skipped),
        cmocka_unit_test(test_corrupt_bytes_are_refused),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_derive),
        cmocka_unit_test(test_derive_without_memory),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
