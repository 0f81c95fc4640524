/* Segments as files: what is in them comes back, and nothing that was changed in them comes back as something else. */
#include <fcntl.h>

#include "store/segment.h"
#include "store/segment_codec.h"
#include "store/segment_format.h"
#include "store_fixture.h"

static void numbers_come_back(void **state)
{
    static uint64_t values[5000], got[5000], scratch[5000];
    dice d = {3};
    xt_buf out = XT_BUF_INIT;

    for (unsigned kind = 0; kind < 12; kind++)
        for (uint32_t n = 1; n <= 5000; n = n * 7 + 1) {
            for (uint32_t i = 0; i < n; i++)
                values[i] = kind == 0   ? 42
                            : kind == 1 ? 1000000 + i
                            : kind == 2 ? dice_next(&d)
                            : kind == 3 ? (uint64_t)((int64_t)dice_below(&d, 200) - 100)
                            : kind == 4 ? UINT64_MAX - i
                                        : dice_next(&d) >> 5 * kind;
            xt_buf_reset(&out);
            xt_segment_put_for(&out, values, n);
            assert_true(xt_segment_get_for(xt_buf_slice(&out), got, n));
            assert_memory_equal(got, values, n * sizeof *got);
            if (kind == 0)
                assert_int_equal(out.n, 9); /* a constant has no planes */
            if (kind == 3)
                assert_true(out.n <= 9 + n); /* small negative numbers are small */
            assert_false(xt_segment_get_for(xt_slice_head(xt_buf_slice(&out), out.n - 1), got, n));
            xt_buf_reset(&out);
            xt_segment_put_delta(&out, values, n, scratch);
            assert_true(xt_segment_get_delta(xt_buf_slice(&out), got, n));
            assert_memory_equal(got, values, n * sizeof *got);
            if (kind == 1 || kind == 4)
                assert_int_equal(out.n, 17);
        }
    xt_buf_fini(&out);
}

static void codes_come_back(void **state)
{
    static uint32_t codes[4000], got[4000];
    static uint64_t scratch[4000];
    dice d = {4};
    xt_buf out = XT_BUF_INIT;

    for (unsigned round = 0; round < 50; round++) {
        uint32_t n = 1 + (uint32_t)dice_below(&d, 4000), n_dict = 0;
        for (uint32_t i = 0; i < n; i++)
            codes[i] = dice_below(&d, 5) ? (uint32_t)dice_below(&d, n_dict + 1) : ++n_dict;
        xt_buf_reset(&out);
        xt_segment_put_recent(&out, codes, n, scratch);
        assert_true(xt_segment_get_codes(XT_SEGMENT_RECENT, xt_buf_slice(&out), got, n, n_dict, scratch));
        assert_memory_equal(got, codes, n * sizeof *got);
        if (n_dict)
            assert_false(xt_segment_get_codes(XT_SEGMENT_RECENT, xt_buf_slice(&out), got, n, n_dict - 1, scratch));
    }
    xt_buf_fini(&out);
}

/* A store with one small segment and nothing pending; the segment's path. */
static char *small_store(const char *dir, truth *t)
{
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    char *path;
    sender s;

    sender_init(&s, 41);
    for (int i = 0; i < 5; i++) {
        xt_store_batch batch = sender_next(&s, 3, t);
        assert_int_equal(append_one(store, &batch), 0);
    }
    must(xt_store_compact(store, &problem), &problem);
    xt_store_close(store);
    sender_fini(&s);
    assert_true(asprintf(&path, "%s/segments/0000000000000001.xts", dir) > 0);
    return path;
}

static void file_write(const char *path, xt_slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    close(fd);
}

/* The store opens, gives no wrong row, and names the segment. */
static void must_be_named(const char *dir, const truth *t, const char *what)
{
    xt_store *store = store_open(dir, NULL);
    xt_ledger_check check;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_scan_info info;

    truth_compare(t, store, &info);
    if (info.n_damaged != 1 || !strstr(info.damaged, "0000000000000001.xts"))
        fail_msg("%s is not named: %zu %s", what, (size_t)info.n_damaged, info.damaged);
    must(xt_store_verify(store, NULL, NULL, &check, &problem), &problem);
    xt_store_close(store);
}

static void no_flipped_byte_goes_unseen(void **state)
{
    char *dir = folder_new(), what[40];
    xt_buf file = XT_BUF_INIT;
    truth t;

    truth_init(&t);
    char *path = small_store(dir, &t);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 30, &file), 0);
    for (size_t at = 0; at < file.n; at += 7) {
        file.p[at] ^= (char)(1 << at % 8);
        file_write(path, xt_buf_slice(&file));
        snprintf(what, sizeof what, "byte %zu", at);
        must_be_named(dir, &t, what);
        file.p[at] ^= (char)(1 << at % 8);
    }
    for (size_t n = 0; n < file.n; n += 1 + file.n / 50) {
        file_write(path, xt_slice_head(xt_buf_slice(&file), n));
        snprintf(what, sizeof what, "length %zu", n);
        must_be_named(dir, &t, what);
    }
    unlink(path);
    must_be_named(dir, &t, "a missing file");
    file_write(path, xt_buf_slice(&file));
    xt_store *store = store_open(dir, NULL);
    assert_int_equal(truth_compare(&t, store, NULL), t.n);
    xt_store_close(store);
    xt_buf_fini(&file);
    truth_fini(&t);
    free(path);
    folder_drop(dir);
}

/* With the checksums out of the way the decoders themselves must stand every byte. */
static void decoders_stand_any_byte(void **state)
{
    char *dir = folder_new();
    xt_buf file = XT_BUF_INIT;
    xt_arena arena;
    truth t;
    dice d = {6};

    truth_init(&t);
    xt_arena_init(&arena, SIZE_MAX);
    char *path = small_store(dir, &t);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 30, &file), 0);
    xt_segment_ignore_checksums(true);
    for (size_t at = 0; at < file.n; at++) {
        char before = file.p[at];
        file.p[at] = (char)dice_next(&d);
        file_write(path, xt_buf_slice(&file));
        xt_segment *segment = NULL;
        if (xt_segment_open(&xt_vfs_system, path, &segment, NULL) == 0) {
            xt_segment_reader *reader = xt_segment_reader_new(&xt_vfs_system);
            for (uint32_t g = 0; g < xt_segment_info_get(segment)->n_groups; g++)
                for (unsigned f = 1; f < XT_F_END; f++) {
                    xt_open_column column;
                    xt_arena_reset(&arena);
                    int r = xt_segment_read(reader, segment, g, (xt_field)f, &arena, &column, NULL);
                    assert_true(r >= 0);
                    for (uint32_t i = 0;
                         r == 0 && column.kind == XT_COLUMN_CODES && i < xt_segment_group_get(segment, g).n_rows; i++)
                        assert_true(column.codes[i] <= column.n_dict);
                }
            xt_segment_reader_free(reader);
        }
        xt_segment_unref(segment);
        file.p[at] = before;
    }
    xt_segment_ignore_checksums(false);
    xt_buf_fini(&file);
    xt_arena_fini(&arena);
    truth_fini(&t);
    free(path);
    folder_drop(dir);
}

static void ranges_are_of_the_values(void **state)
{
    char *dir = folder_new();
    xt_segment *segment = NULL;
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t min, max;
    truth t;

    truth_init(&t);
    char *path = small_store(dir, &t);
    must(xt_segment_open(&xt_vfs_system, path, &segment, &problem), &problem);
    for (unsigned f = 1; f < XT_F_END; f++) {
        const xt_field_info *info = xt_field_find(f);
        bool any = false, is_number = info && (info->type == XT_UINT || info->type == XT_INT || info->type == XT_TIME);
        uint64_t least = 0, most = 0, flip = info && info->type == XT_UINT ? 0 : UINT64_C(1) << 63;
        for (size_t i = 0; is_number && i < t.n; i++) {
            xt_event event;
            must(xt_event_decode(t.events[i], &event, &problem), &problem);
            uint64_t v = xt_event_num(&event, (xt_field)f, 0);
            if (!xt_event_has(&event, (xt_field)f))
                continue;
            least = !any || (v ^ flip) < (least ^ flip) ? v : least;
            most = !any || (v ^ flip) > (most ^ flip) ? v : most;
            any = true;
        }
        assert_int_equal(xt_segment_range(segment, 0, (xt_field)f, &min, &max), any);
        if (any)
            assert_true(min == least && max == most);
    }
    xt_segment_unref(segment);
    truth_fini(&t);
    free(path);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),           cmocka_unit_test(codes_come_back),
        cmocka_unit_test(no_flipped_byte_goes_unseen), cmocka_unit_test(decoders_stand_any_byte),
        cmocka_unit_test(ranges_are_of_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
