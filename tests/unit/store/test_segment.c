/* Segments as files: what is in them comes back, and nothing that was changed in them comes back as something else. */
#include <fcntl.h>

#include "segment_rows.h"
#include "store/dict_filter.h"
#include "store/dict_form.h"
#include "store/segment_codec.h"
#include "store/segment_format.h"
#include "store/segment_merge.h"

/* ------------------------------------------------------------------------------------------------ encodings */

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
    static uint32_t codes[4000], got[4000], order[4001];
    static uint64_t scratch[4001];
    dice d = {4};
    xt_buf out = XT_BUF_INIT;

    for (unsigned round = 0; round < 50; round++) {
        uint32_t n = 1 + (uint32_t)dice_below(&d, 4000), n_values = 1 + (uint32_t)dice_below(&d, n);
        for (uint32_t i = 0; i < n; i++) /* every code occurs */
            codes[i] = i < n_values ? n_values - i : (uint32_t)dice_below(&d, n_values + 1);
        for (uint32_t i = n; i-- > 1;) {
            uint32_t j = (uint32_t)dice_below(&d, i + 1), swap = codes[i];
            codes[i] = codes[j];
            codes[j] = swap;
        }
        for (uint8_t encoding = XT_SEGMENT_FOR; encoding <= XT_SEGMENT_WORDS; encoding++) {
            xt_buf_reset(&out);
            if (encoding == XT_SEGMENT_RECENT)
                xt_segment_put_recent(&out, codes, n, n_values, scratch, order);
            else if (encoding == XT_SEGMENT_WORDS)
                xt_segment_put_words(&out, codes, n);
            else if (encoding == XT_SEGMENT_FOR) {
                for (uint32_t i = 0; i < n; i++)
                    scratch[i] = codes[i];
                xt_segment_put_for(&out, scratch, n);
            } else {
                assert_false(xt_segment_get_codes(encoding, xt_buf_slice(&out), got, n, n_values, scratch));
                continue;
            }
            assert_true(xt_segment_get_codes(encoding, xt_buf_slice(&out), got, n, n_values, scratch));
            assert_memory_equal(got, codes, n * sizeof *got);
            assert_false(xt_segment_get_codes(encoding, xt_buf_slice(&out), got, n, n_values - 1, scratch));
        }
    }
    xt_buf_fini(&out);
}

/* Texts and lists, those among them that end, begin and are full of the bytes that mean something here. */
static xt_slice dice_entry(dice *d, xt_type type, xt_arena *arena)
{
    xt_slice items[5];
    xt_buf out = XT_BUF_INIT;
    size_t n_items = dice_below(d, 6);

    for (size_t k = 0; k < 5; k++) {
        size_t n = dice_below(d, dice_below(d, 8) ? 4 : 300);
        char *p = xt_arena_alloc(arena, n);
        for (size_t i = 0; i < n; i++)
            p[i] = (char)(dice_below(d, 2) ? dice_below(d, 4) : 'a' + dice_below(d, 3));
        items[k] = xt_slice_of(p, n);
    }
    if (type == XT_TEXT)
        return items[0];
    if (dice_below(d, 20) == 0) /* not what the codec writes: kept all the same */
        return items[1];
    xt_list_put(&out, items, n_items < 5 ? n_items : 5);
    xt_slice s = xt_arena_copy(arena, xt_buf_slice(&out));
    xt_buf_fini(&out);
    return s;
}

static void entries_come_back(void **state)
{
    dice d = {9};
    xt_arena arena;
    xt_buf out = XT_BUF_INIT;

    xt_arena_init(&arena, SIZE_MAX);
    for (unsigned round = 0; round < 400; round++) {
        xt_type type = round % 2 ? XT_TEXT : XT_LIST;
        xt_slice values[40], got[41], stored[40];
        bool sound = false;
        xt_buf_reset(&out);
        for (size_t i = 0; i < 40; i++) {
            values[i] = dice_entry(&d, type, &arena);
            stored[i].n = out.n;
            xt_dict_put_stored(&out, type, values[i]);
            stored[i].n = out.n - stored[i].n;
        }
        assert_false(xt_dict_cut(type, xt_buf_slice(&out), got, 39));
        assert_false(xt_dict_cut(type, xt_buf_slice(&out), got, 41));
        assert_false(xt_dict_cut(type, xt_slice_head(xt_buf_slice(&out), out.n - 1), got, 40));
        assert_true(xt_dict_cut(type, xt_buf_slice(&out), got, 40));
        for (size_t i = 0; i < 40; i++) {
            assert_int_equal(got[i].n, stored[i].n);
            stored[i] = got[i];
        }
        assert_int_equal(xt_dict_values(type, got, 40, &arena, &sound), 0);
        assert_true(sound);
        for (size_t i = 0; i < 40; i++)
            assert_true(xt_slice_eq(got[i], values[i]));
        for (size_t i = 1; i < 40; i++) {
            int order = xt_dict_order(stored[i - 1], stored[i]), plain = xt_dict_order(values[i - 1], values[i]);
            assert_int_equal(order == 0, xt_slice_eq(values[i - 1], values[i]));
            if (type == XT_TEXT)
                assert_int_equal((order > 0) - (order < 0), (plain > 0) - (plain < 0));
        }
        xt_arena_reset(&arena);
    }
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
}

static void broken_entries_are_refused(void **state)
{
    static const char *const lists[] = {"\1\7", "a\1", "a\0b", "\1\3", "\1\3a"};
    static const size_t lengths[] = {2, 2, 3, 2, 3};
    dice d = {10};
    xt_arena arena;

    xt_arena_init(&arena, SIZE_MAX);
    for (unsigned round = 0; round < 20000; round++) {
        char bytes[30];
        size_t n = dice_below(&d, sizeof bytes);
        bool sound = true;
        xt_slice got[1];
        for (size_t i = 0; i < n; i++)
            bytes[i] = (char)(dice_below(&d, 2) ? dice_below(&d, 5) : 'x');
        if (round < XT_COUNT_OF(lists))
            memcpy(bytes, lists[round], n = lengths[round]);
        if (n <= 28)
            memcpy(bytes + n, "\1\0", 2);
        xt_type type = round % 3 ? XT_LIST : XT_TEXT;
        if (xt_dict_cut(type, xt_slice_of(bytes, n <= 28 ? n + 2 : n), got, 1))
            assert_int_equal(xt_dict_values(type, got, 1, &arena, &sound), 0);
        xt_arena_reset(&arena);
    }
    xt_arena_fini(&arena);
}

static void a_filter_never_denies_what_is_there(void **state)
{
    dice d = {11};
    xt_dict_grams *grams = xt_dict_grams_new();
    xt_buf stored = XT_BUF_INIT, filter = XT_BUF_INIT;
    xt_slice items[2] = {XT_S("/usr/bin/Curl"), XT_S("-o x.sh")};
    unsigned n_denied = 0;

    for (int again = 0; again < 2; again++) {
        xt_buf list = XT_BUF_INIT;
        xt_buf_reset(&stored);
        xt_buf_reset(&filter);
        xt_list_put(&list, items, 2);
        xt_dict_put_stored(&stored, XT_LIST, xt_buf_slice(&list));
        xt_dict_put_stored(&stored, XT_LIST, xt_buf_slice(&list));
        xt_dict_grams_add(grams, xt_buf_slice(&stored));
        xt_dict_grams_put(grams, &filter);
        xt_buf_fini(&list);
    }
    static const char *const there[] = {"curl -o x.sh", "/usr/bin/curl", "x.sh", "bin", "cu", ""};
    for (size_t i = 0; i < XT_COUNT_OF(there); i++)
        assert_true(xt_dict_filter_may_hold(xt_buf_slice(&filter), xt_slice_str(there[i])));
    for (int i = 0; i < 1000; i++) {
        char text[9];
        for (size_t k = 0; k < 8; k++)
            text[k] = (char)('a' + dice_below(&d, 26));
        text[8] = '\0';
        n_denied += !xt_dict_filter_may_hold(xt_buf_slice(&filter), xt_slice_str(text));
    }
    assert_true(n_denied > 950);
    assert_true(xt_dict_filter_may_hold(XT_S_NULL, XT_S("nothing is known")));
    xt_dict_grams_free(grams);
    xt_buf_fini(&stored);
    xt_buf_fini(&filter);
}

/* ------------------------------------------------------------------------------------------------ files */

static char *path_in(const char *dir, const char *name)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    return path;
}

/* A few rows of each column, every n-th, are what the whole column says. */
static void cells_compare(rows_reader *rows, uint32_t group, uint32_t n_rows, uint32_t step)
{
    uint32_t *some = calloc(n_rows, sizeof *some);
    size_t n = 0;
    xt_cells cells;

    for (uint32_t row = step / 2; row < n_rows; row += step)
        some[n++] = row;
    for (unsigned f = 1; f < XT_F_END && n; f++) {
        const xt_column *column = &rows->column[f];
        must(xt_segment_read_cells(rows->reader, rows->segment, group, (xt_field)f, some, n, &rows->columns, &cells,
                                   NULL),
             NULL);
        assert_int_equal(cells.numbers != NULL, column->kind == XT_COLUMN_NUMBERS);
        assert_int_equal(cells.codes != NULL, column->kind == XT_COLUMN_CODES);
        for (size_t i = 0; i < n; i++) {
            uint32_t row = some[i], local = cells.codes ? column->codes[row] : 0;
            if (cells.codes) {
                assert_ptr_equal(cells.dict, column->dict);
                assert_int_equal(cells.codes[i], local ? column->values[local - 1] + 1 : 0);
            }
            if (!cells.numbers)
                continue;
            assert_int_equal(!cells.present || cells.present[i],
                             !column->present || column->present[row / 8] >> row % 8 & 1);
            assert_int_equal(cells.numbers[i], column->numbers[row]);
        }
    }
    free(some);
}

/*
 * Every row of the file is one of the truth from `from` on, in order, each at most once; how many there were. Groups that
 * cannot be read are passed over when damage is allowed.
 */
static size_t rows_compare(const char *path, const truth *t, size_t from, size_t n, bool damage_allowed)
{
    rows_reader rows;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_event event, before = {0};
    xt_buf out = XT_BUF_INIT;
    xt_arena kept;
    char *seen = calloc(1, n + 1);
    size_t n_rows = 0;
    int r = rows_open(&rows, &xt_vfs_system, path, &problem);

    xt_arena_init(&kept, SIZE_MAX);
    if (!damage_allowed)
        must(r, &problem);
    assert_true(r >= 0);
    for (uint32_t g = 0; r == 0 && g < xt_segment_info_get(rows.segment)->n_groups; g++) {
        xt_segment_group group = xt_segment_group_get(rows.segment, g);
        int gr = rows_group(&rows, g, &problem);
        if (!damage_allowed)
            must(gr, &problem);
        assert_true(gr >= 0);
        assert_true(gr == 0 || xt_problem_is_set(&problem));
        for (uint32_t step = group.n_rows < 1000 ? 1 : 97; gr == 0 && step <= group.n_rows; step = 5 * step + 2)
            cells_compare(&rows, g, group.n_rows, step);
        for (uint32_t row = 0; gr == 0 && row < group.n_rows; row++, n_rows++) {
            rows_event(&rows, row, &event);
            int64_t time_ms = (int64_t)xt_event_num(&event, XT_F_TIME, 0);
            assert_true(time_ms >= group.min_ms && time_ms <= group.max_ms);
            xt_buf_reset(&out);
            xt_event_encode(&event, &out);
            size_t at = from;
            if (rows.arrivals)
                at = rows.arrivals[row] - 1;
            else /* merged: whichever has these bytes and was not seen */
                while (at < from + n && (seen[at - from] || !xt_slice_eq(t->events[at], xt_buf_slice(&out))))
                    at++;
            assert_in_range(at, from, from + n - 1);
            assert_false(seen[at - from]);
            seen[at - from] = 1;
            assert_true(xt_slice_eq(t->events[at], xt_buf_slice(&out)));
            assert_int_equal(xt_event_decode(t->events[at], &event, NULL), 0);
            if (n_rows && !damage_allowed)
                assert_true(event_order(&before, &event) <= 0);
            before = event;
        }
    }
    rows_close(&rows);
    xt_arena_fini(&kept);
    xt_buf_fini(&out);
    free(seen);
    return n_rows;
}

static void rows_come_back_in_order(void **state)
{
    char *dir = folder_new(), *path = path_in(dir, "a.xts");

    for (unsigned round = 0; round < 12; round++) {
        dice d = {round};
        truth t;
        truth_init(&t);
        truth_fill(&t, &d, round < 10 ? 1 + dice_below(&d, 200) : 40000);
        segment_make(path, 1, &t, 0, t.n, round % 2 ? 50 : XT_STORE_GROUP_ROWS);
        assert_int_equal(rows_compare(path, &t, 0, t.n, false), t.n);
        truth_fini(&t);
    }
    free(path);
    folder_drop(dir);
}

static void file_write(const char *path, xt_slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.p, bytes.n), bytes.n);
    close(fd);
}

static void no_flipped_byte_gives_a_wrong_row(void **state)
{
    char *dir = folder_new(), *path = path_in(dir, "a.xts");
    xt_buf file = XT_BUF_INIT;
    dice d = {41};
    truth t;

    truth_init(&t);
    truth_fill(&t, &d, 3);
    segment_make(path, 1, &t, 0, t.n, 2);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 30, &file), 0);
    for (size_t at = 0; at < file.n; at++) {
        file.p[at] ^= (char)(1 << at % 8);
        file_write(path, xt_buf_slice(&file));
        assert_int_equal(rows_compare(path, &t, 0, t.n, true), 0); /* there is one group */
        file.p[at] ^= (char)(1 << at % 8);
    }
    for (size_t n = 0; n < file.n; n += n < 100 || file.n - n < 100 ? 1 : 7) {
        file_write(path, xt_slice_head(xt_buf_slice(&file), n));
        assert_int_equal(rows_compare(path, &t, 0, t.n, true), 0);
    }
    file_write(path, xt_buf_slice(&file));
    assert_int_equal(rows_compare(path, &t, 0, t.n, false), t.n);
    xt_buf_fini(&file);
    truth_fini(&t);
    free(path);
    folder_drop(dir);
}

/* With the checksums out of the way the decoders themselves must stand every byte. */
static void decoders_stand_any_byte(void **state)
{
    char *dir = folder_new(), *path = path_in(dir, "a.xts");
    xt_buf file = XT_BUF_INIT;
    dice d = {6};
    truth t;

    truth_init(&t);
    truth_fill(&t, &d, 40);
    segment_make(path, 1, &t, 0, t.n, 15);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 30, &file), 0);
    xt_segment_ignore_checksums(true);
    for (size_t at = 0; at < file.n; at++) {
        char before = file.p[at];
        rows_reader rows;
        file.p[at] = (char)dice_next(&d);
        file_write(path, xt_buf_slice(&file));
        int r = rows_open(&rows, &xt_vfs_system, path, NULL);
        for (uint32_t g = 0; r == 0 && g < xt_segment_info_get(rows.segment)->n_groups; g++) {
            xt_event event;
            if (rows_group(&rows, g, NULL) == 0)
                for (uint32_t row = 0; row < xt_segment_group_get(rows.segment, g).n_rows; row++)
                    rows_event(&rows, row, &event);
        }
        assert_true(r >= 0);
        rows_close(&rows);
        file.p[at] = before;
    }
    xt_segment_ignore_checksums(false);
    xt_buf_fini(&file);
    truth_fini(&t);
    free(path);
    folder_drop(dir);
}

static void another_version_is_named(void **state)
{
    char *dir = folder_new(), *path = path_in(dir, "a.xts"), text[300];
    xt_buf file = XT_BUF_INIT, out = XT_BUF_ON(text);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_segment *segment = NULL;
    dice d = {6};
    truth t;

    truth_init(&t);
    truth_fill(&t, &d, 3);
    segment_make(path, 1, &t, 0, t.n, 15);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 30, &file), 0);
    file.p[8] = 1;
    file_write(path, xt_buf_slice(&file));
    xt_segment_ignore_checksums(true);
    assert_int_equal(xt_segment_open(&xt_vfs_system, path, &segment, &problem), XT_SEGMENT_E_VERSION);
    xt_segment_ignore_checksums(false);
    xt_problem_format(&problem, &out);
    assert_true(xt_slice_find(xt_buf_slice(&out), XT_S("version 1")) >= 0);
    xt_buf_fini(&file);
    truth_fini(&t);
    free(path);
    folder_drop(dir);
}

static void ranges_are_of_the_values(void **state)
{
    char *dir = folder_new(), *path = path_in(dir, "a.xts");
    xt_segment *segment = NULL;
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t min, max;
    dice d = {12};
    truth t;

    truth_init(&t);
    truth_fill(&t, &d, 15);
    segment_make(path, 1, &t, 0, t.n, 4);
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

/* ------------------------------------------------------------------------------------------------ merging */

static void merged_rows_are_those_of_all(void **state)
{
    char *dir = folder_new(), *merged = path_in(dir, "m.xts");
    xt_problem problem = XT_PROBLEM_INIT;

    for (unsigned round = 0; round < 8; round++) {
        dice d = {round + 100};
        xt_segment *inputs[5];
        char *paths[5];
        size_t n_inputs = 1 + round % 5, from = 0;
        truth t;
        truth_init(&t);
        for (size_t i = 0; i < n_inputs; i++) {
            char name[20];
            size_t n = round < 6 ? 1 + dice_below(&d, 300) : 1 + dice_below(&d, 15000);
            snprintf(name, sizeof name, "%zu.xts", i);
            paths[i] = path_in(dir, name);
            truth_fill(&t, &d, n);
            segment_make(paths[i], i + 1, &t, from, n, 100);
            must(xt_segment_open(&xt_vfs_system, paths[i], &inputs[i], &problem), &problem);
            from += n;
        }
        xt_segment_info info;
        must(xt_segment_merge(&xt_vfs_system, merged, 77, 9, inputs, n_inputs, NULL, NULL, &info, &problem), &problem);
        assert_int_equal(info.n_rows, t.n);
        assert_int_equal(info.first_arrival, 1);
        assert_int_equal(info.last_arrival, t.n);
        assert_int_equal(info.level, 1);
        assert_int_equal(rows_compare(merged, &t, 0, t.n, false), t.n);
        for (size_t i = 0; i < n_inputs; i++) {
            xt_segment_unref(inputs[i]);
            free(paths[i]);
        }
        truth_fini(&t);
    }
    free(merged);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(codes_come_back),
        cmocka_unit_test(entries_come_back),
        cmocka_unit_test(broken_entries_are_refused),
        cmocka_unit_test(a_filter_never_denies_what_is_there),
        cmocka_unit_test(rows_come_back_in_order),
        cmocka_unit_test(no_flipped_byte_gives_a_wrong_row),
        cmocka_unit_test(decoders_stand_any_byte),
        cmocka_unit_test(another_version_is_named),
        cmocka_unit_test(ranges_are_of_the_values),
        cmocka_unit_test(merged_rows_are_those_of_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
