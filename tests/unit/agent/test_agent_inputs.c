/* What does not come from the kernel's socket: auditd's streams, a file that is rotated, and how far it was read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/audisp_stream.h"
#include "agent/file_follow.h"
#include "agent/mark_file.h"
#include "unit/dice.h"
#include "unit/folder.h"

static uint64_t below(dice *d, uint64_t n)
{
    return dice_next(d) % n;
}

static void folder_make(char ret[static 256])
{
    snprintf(ret, 256, "/tmp/exectrail-inputs-XXXXXX");
    assert_non_null(mkdtemp(ret));
}

/* ---- auditd's streams ---- */

typedef struct heard {
    xt_buf text, records; /* a record as TYPE:payload and a newline */
} heard;

static int hear_text(void *context, xt_slice bytes)
{
    xt_buf_put(&((heard *)context)->text, bytes);
    return 0;
}

static int hear_record(void *context, uint16_t type, xt_slice payload)
{
    xt_buf *out = &((heard *)context)->records;
    xt_buf_printf(out, "%u:", type);
    xt_buf_put(out, payload);
    xt_buf_putc(out, '\n');
    return 0;
}

static void put_frame(xt_buf *out, uint32_t version, uint32_t type, const char *data, size_t room)
{
    const uint32_t head[] = {version, 16, type, (uint32_t)strlen(data)};
    static const char stale[] = "a0=\"old\" audit(1:2): left over ";
    xt_buf_put(out, xt_slice_of(head, sizeof head));
    xt_buf_puts(out, data);
    for (size_t i = strlen(data); i < room; i++)
        xt_buf_putc(out, i % 7 ? stale[i % (sizeof stale - 1)] : '\0');
}

/* However it is cut, the same is heard. */
static void check_stream(xt_slice bytes, const char *text, const char *records)
{
    static const size_t pieces[] = {1, 3, 17, 4096, SIZE_MAX};
    for (size_t k = 0; k < XT_COUNT_OF(pieces); k++) {
        xt_audisp_stream stream = {0};
        heard h = {0};
        const xt_audisp_calls calls = {hear_text, hear_record, &h};
        for (xt_slice rest = bytes; rest.n > 0; rest = xt_slice_skip(rest, pieces[k]))
            assert_int_equal(xt_audisp_stream_feed(&stream, xt_slice_head(rest, pieces[k]), &calls, NULL), 0);
        assert_int_equal(h.text.n, strlen(text));
        assert_int_equal(h.records.n, strlen(records));
        if (h.text.n)
            assert_memory_equal(h.text.p, text, h.text.n);
        if (h.records.n)
            assert_memory_equal(h.records.p, records, h.records.n);
        xt_buf_fini(&h.text);
        xt_buf_fini(&h.records);
        xt_audisp_stream_fini(&stream);
    }
}

static void test_stream_forms(void **state)
{
    static const char line[] = "type=EOE msg=audit(1.000:7): \n";
    static const char records[] = "1300:audit(1.000:7): a=1\n1307:audit(1.000:7): cwd=\"/\"\n1320:audit(1.000:7): \n";
    check_stream(xt_slice_str(line), line, "");
    for (size_t room = 0; room <= 8970; room += 8970) {
        xt_buf bytes = XT_BUF_INIT;
        put_frame(&bytes, 0, 1300, "audit(1.000:7): a=1", room);
        put_frame(&bytes, 0, 1307, "audit(1.000:7): cwd=\"/\"", room);
        put_frame(&bytes, 0, 1320, "audit(1.000:7): ", room);
        check_stream(xt_buf_slice(&bytes), "", records);
        xt_buf_reset(&bytes);
        put_frame(&bytes, 1, 1300, "type=A msg=audit(1.000:7): a", room);
        put_frame(&bytes, 1, 1300, "node=n type=B msg=audit(1.000:7): b", room);
        check_stream(xt_buf_slice(&bytes), "type=A msg=audit(1.000:7): a\nnode=n type=B msg=audit(1.000:7): b\n", "");
        xt_buf_fini(&bytes);
    }
}

/* A record is not held back until the next one comes. */
static void test_stream_at_once(void **state)
{
    xt_audisp_stream stream = {0};
    heard h = {0};
    const xt_audisp_calls calls = {hear_text, hear_record, &h};
    xt_buf bytes = XT_BUF_INIT;
    put_frame(&bytes, 0, 1300, "audit(1.000:7): a=1", 0);
    assert_int_equal(xt_audisp_stream_feed(&stream, xt_buf_slice(&bytes), &calls, NULL), 0);
    assert_true(h.records.n > 0);
    xt_audisp_stream_fini(&stream);
    xt_buf_fini(&h.records);
    xt_buf_fini(&bytes);
}

static void test_stream_corrupt(void **state)
{
    xt_audisp_stream stream = {0};
    heard h = {0};
    const xt_audisp_calls calls = {hear_text, hear_record, &h};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf bytes = XT_BUF_INIT;
    put_frame(&bytes, 0, 1300, "audit(1.000:7): a=1", 0);
    put_frame(&bytes, 0, 1300, "audit(1.000:7): a=1", 0);
    xt_buf_puts(&bytes, "no head at all, and long enough to be one");
    assert_int_equal(xt_audisp_stream_feed(&stream, xt_buf_slice(&bytes), &calls, &problem), XT_AUDISP_E_CORRUPT);
    assert_true(strlen(problem.sentence) > 0);
    xt_audisp_stream_reset(&stream);
    assert_int_equal(xt_audisp_stream_feed(&stream, XT_S("type=X\n"), &calls, &problem), 0);
    assert_int_equal(h.text.n, 7);
    xt_audisp_stream_fini(&stream);
    xt_buf_fini(&h.records);
    xt_buf_fini(&h.text);
    xt_buf_fini(&bytes);
}

/* ---- the file ---- */

typedef struct scene {
    char folder[256], path[300];
    xt_follow follow;
    xt_follow_marks marks;
    xt_buf lines; /* everything that was read */
    unsigned n_gaps;
    uint64_t n_written;
} scene;

static void name_of(const scene *s, unsigned n, char ret[static 320])
{
    if (n)
        snprintf(ret, 320, "%s.%u", s->path, n);
    else
        snprintf(ret, 320, "%s", s->path);
}

static void append(scene *s, unsigned n_lines)
{
    FILE *file = fopen(s->path, "a");
    assert_non_null(file);
    for (unsigned i = 0; i < n_lines; i++, s->n_written++)
        fprintf(file, "type=X msg=audit(%llu.000:%llu): line\n", (unsigned long long)s->n_written + 1,
                (unsigned long long)s->n_written);
    fclose(file);
}

/* As auditd does: the oldest goes, each moves on by one. */
static void rotate(scene *s, unsigned keep)
{
    char from[320], to[320];
    name_of(s, keep, from);
    (void)unlink(from);
    for (unsigned i = keep; i > 0; i--) {
        name_of(s, i - 1, from);
        name_of(s, i, to);
        (void)rename(from, to);
    }
    close(open(s->path, O_CREAT | O_WRONLY, 0600));
}

/* As logrotate's copytruncate does. */
static void copy_truncate(scene *s)
{
    static char bytes[1 << 20];
    char to[320];
    name_of(s, 1, to);
    int from = open(s->path, O_RDONLY), fd = open(to, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ssize_t n = read(from, bytes, sizeof bytes);
    assert_true(n >= 0 && write(fd, bytes, (size_t)n) == n);
    close(from);
    close(fd);
    assert_int_equal(truncate(s->path, 0), 0);
}

/* Reads what there is; far in the future, so that nothing is waited for. */
static void read_all(scene *s)
{
    xt_slice lines;
    uint64_t offset;
    for (int r = 0; r != XT_FOLLOW_E_NONE;) {
        r = xt_follow_read(&s->follow, INT64_MAX / 2, &lines, &offset);
        assert_true(r >= 0);
        s->n_gaps += r == XT_FOLLOW_E_GAP;
        if (r == XT_FOLLOW_E_GAP || r == XT_FOLLOW_E_FILE)
            xt_follow_marks_begin(&s->marks, &s->follow.file, s->follow.offset);
        while (r == 0 && lines.n > 0) {
            const char *newline = memchr(lines.p, '\n', lines.n);
            xt_slice line = xt_slice_head(lines, newline ? (size_t)(newline - lines.p) + 1 : lines.n);
            xt_follow_marks_line(&s->marks, &s->follow.file, offset, line);
            xt_follow_marks_out(&s->marks, xt_follow_key_of_line(line));
            xt_buf_put(&s->lines, line);
            offset += line.n;
            lines = xt_slice_skip(lines, line.n);
        }
    }
}

/* Every line that was written, once and in order. */
static void check_lines(const scene *s)
{
    xt_slice rest = xt_buf_slice(&s->lines), line;
    char text[100];
    for (uint64_t i = 0; i < s->n_written; i++) {
        assert_true(xt_slice_cut(&rest, '\n', &line));
        snprintf(text, sizeof text, "type=X msg=audit(%llu.000:%llu): line", (unsigned long long)i + 1,
                 (unsigned long long)i);
        assert_true(xt_slice_eq(line, xt_slice_str(text)));
    }
    assert_int_equal(rest.n, 0);
}

static void scene_open(scene *s)
{
    memset(s, 0, sizeof *s);
    folder_make(s->folder);
    snprintf(s->path, sizeof s->path, "%s/audit.log", s->folder);
    assert_int_equal(xt_follow_open(&s->follow, s->path, NULL, 0, NULL), 0);
}

static void scene_restart(scene *s)
{
    xt_follow_mark *mark = calloc(1, sizeof *mark);
    xt_follow_marks_get(&s->marks, mark);
    xt_follow_close(&s->follow);
    assert_int_equal(xt_follow_open(&s->follow, s->path, mark->from.file.ino ? mark : NULL, 0, NULL), 0);
    free(mark);
}

static void scene_close(scene *s)
{
    xt_follow_close(&s->follow);
    xt_buf_fini(&s->lines);
    remove_folder(s->folder);
}

static void test_follow_appears_and_grows(void **state)
{
    static scene s;
    scene_open(&s);
    read_all(&s);
    append(&s, 3);
    read_all(&s);
    append(&s, 5000);
    read_all(&s);
    check_lines(&s);
    scene_close(&s);
}

static void test_follow_line_in_pieces(void **state)
{
    static scene s;
    scene_open(&s);
    append(&s, 1);
    FILE *file = fopen(s.path, "a");
    fputs("type=X msg=audit(2.000:1)", file);
    fflush(file);
    read_all(&s);
    fputs(": line\n", file);
    fclose(file);
    s.n_written = 2;
    read_all(&s);
    check_lines(&s);
    scene_close(&s);
}

/* Any order of writing, rotating, reading, restarting. */
static void test_follow_rotations(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        static scene s;
        dice d = {seed};
        bool copies = seed % 2;
        unsigned unread = 0;
        bool is_known = false; /* a file of which nothing was read is not known again in its copy */
        scene_open(&s);
        append(&s, 1);
        read_all(&s);
        for (unsigned step = 0; step < 40; step++) {
            unsigned what = (unsigned)below(&d, 10);
            if (what < 4) {
                append(&s, 1 + (unsigned)below(&d, 4));
            } else if (what < 6 && access(s.path, F_OK) == 0 && unread < (copies ? 1 : 6)) {
                if (copies && !is_known)
                    read_all(&s);
                if (copies)
                    copy_truncate(&s);
                else
                    rotate(&s, 8);
                unread++;
                is_known = false;
                usleep(5000); /* the times of files go by ticks of the kernel */
            } else if (what < 9) {
                read_all(&s);
                unread = 0;
                is_known = s.follow.file.head_bytes > 0;
            } else {
                scene_restart(&s);
            }
        }
        read_all(&s);
        check_lines(&s);
        assert_int_equal(s.n_gaps, 0);
        scene_close(&s);
    }
}

static void test_follow_gap_is_told(void **state)
{
    static scene s;
    scene_open(&s);
    append(&s, 3);
    read_all(&s);
    for (unsigned i = 0; i < 4; i++) {
        append(&s, 2);
        usleep(5000);
        rotate(&s, 2); /* the first one is gone before it was read to its end */
    }
    append(&s, 1);
    scene_restart(&s);
    read_all(&s);
    assert_int_equal(s.n_gaps, 1);
    assert_true(strlen(s.follow.why) > 0);
    scene_close(&s);
}

static void test_follow_refuses(void **state)
{
    char folder[256], path[300];
    xt_follow f;
    xt_problem problem = XT_PROBLEM_INIT;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(xt_follow_open(&f, path, NULL, 0, &problem), XT_FOLLOW_E_REFUSED);
    xt_follow_close(&f);
    remove_folder(folder);
}

/* ---- marks ---- */

static void test_mark_keys(void **state)
{
    uint64_t key = xt_follow_key_of_line(XT_S("node=a type=SYSCALL msg=audit(1700000000.123:42): x"));
    assert_int_equal(key, xt_follow_key(1700000000123, 42));
    assert_int_not_equal(key, xt_follow_key(1700000000123, 43));
    assert_int_equal(xt_follow_key_of_line(XT_S("type=SYSCALL msg=audit(1700000000.123")), 0);
    assert_int_equal(xt_follow_key_of_line(XT_S("")), 0);
    assert_int_equal(xt_follow_key_of_line(XT_S("audit(99999999999999999999999.1:1)")), 0);
}

/*
 * Interleaved events that end in any order; killed anywhere and begun again from the mark of the last hand-over, each
 * is out once.
 */
static void test_mark_exactly_once(void **state)
{
    enum { N = 300, WIDE = 6 };
    static xt_follow_marks marks;
    static xt_follow_mark mark;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        dice d = {seed};
        unsigned lines[N * 3], n_lines = 0, seen[N] = {0}, out[N] = {0}, handed[N] = {0}, left[N];
        for (unsigned i = 0; i < N; i++)
            left[i] = 3;
        for (unsigned low = 0; low < N;
             low += left[low] == 0) { /* three lines each, mixed with those of the next few */
            unsigned i = low + (unsigned)below(&d, WIDE);
            if (i < N && left[i] > 0) {
                left[i]--;
                lines[n_lines++] = i;
            }
        }
        const xt_follow_file file = {1, 2, 0, 0};
        mark = (xt_follow_mark){.from = {file, 0}};
        for (unsigned round = 0; round < 4; round++) {
            memset(&marks, 0, sizeof marks);
            memset(seen, 0, sizeof seen);
            memset(out, 0, sizeof out);
            unsigned end = round == 3 ? n_lines : (unsigned)below(&d, n_lines);
            unsigned at = (unsigned)(mark.from.offset / 10), n_passed = (unsigned)mark.n_keys;
            uint64_t passed[XT_FOLLOW_KEYS / 8];
            assert_true(n_passed < XT_COUNT_OF(passed));
            memcpy(passed, mark.keys, n_passed * sizeof passed[0]);
            for (; at < end; at++) {
                char line[64];
                unsigned e = lines[at];
                int n = snprintf(line, sizeof line, "audit(1.000:%u)", e);
                xt_follow_marks_line(&marks, &file, (uint64_t)at * 10, xt_slice_of(line, (size_t)n));
                marks.end.offset = ((uint64_t)at + 1) * 10;
                if (++seen[e] == 3) {
                    bool is_new = true;
                    xt_follow_marks_out(&marks, xt_follow_key(1000, e));
                    for (unsigned i = 0; i < n_passed; i++)
                        is_new &= passed[i] != xt_follow_key(1000, e);
                    out[e] += is_new;
                }
                if (below(&d, 5) > 0 && at + 1 < end)
                    continue;
                xt_follow_marks_get(&marks, &mark);
                for (unsigned i = 0; i < n_passed; i++)
                    mark.keys[mark.n_keys++] = passed[i];
                for (unsigned i = 0; i < N; i++)
                    handed[i] += out[i];
                memset(out, 0, sizeof out);
            }
        }
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(handed[i], 1);
    }
}

static void test_mark_text(void **state)
{
    static xt_follow_mark mark, back;
    xt_buf out = XT_BUF_INIT;
    mark = (xt_follow_mark){.from = {{1, 2, 100, 4}, 5}, .end = 6, .n_keys = 2, .keys = {7, 8}};
    xt_follow_mark_put(&out, &mark);
    assert_true(xt_follow_mark_read(xt_buf_slice(&out), &back));
    assert_memory_equal(&mark, &back, offsetof(xt_follow_mark, keys) + 16);
    for (size_t n = 0; n < out.n; n++)
        assert_false(xt_follow_mark_read(xt_slice_head(xt_buf_slice(&out), n), &back));
    xt_buf_fini(&out);
}

static void test_mark_file(void **state)
{
    char folder[256], path[300];
    xt_mark_file file;
    xt_buf out = XT_BUF_INIT;
    uint64_t number;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/mark", folder);
    int fd = open(folder, O_RDONLY | O_DIRECTORY);
    assert_int_equal(xt_mark_file_read(fd, "mark", &out, &number), XT_MARK_FILE_E_NONE);
    assert_int_equal(xt_mark_file_open(&file, fd, "mark"), 0);
    assert_int_equal(xt_mark_file_write(&file, XT_S("one")), 0);
    assert_int_equal(xt_mark_file_write(&file, XT_S("two")), 0);
    xt_mark_file_close(&file);
    assert_int_equal(xt_mark_file_read(fd, "mark", &out, &number), 0);
    assert_int_equal(number, 2);
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("two")));
    int raw = open(path, O_RDWR); /* the second place is the first one in the file: a torn write of it */
    assert_int_equal(pwrite(raw, "x", 1, 13), 1);
    xt_buf_reset(&out);
    assert_int_equal(xt_mark_file_read(fd, "mark", &out, &number), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("one")));
    close(raw);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_true(xt_mark_file_open(&file, fd, "mark") < 0);
    close(fd);
    xt_buf_fini(&out);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_forms),
        cmocka_unit_test(test_stream_at_once),
        cmocka_unit_test(test_stream_corrupt),
        cmocka_unit_test(test_follow_appears_and_grows),
        cmocka_unit_test(test_follow_line_in_pieces),
        cmocka_unit_test(test_follow_rotations),
        cmocka_unit_test(test_follow_gap_is_told),
        cmocka_unit_test(test_follow_refuses),
        cmocka_unit_test(test_mark_keys),
        cmocka_unit_test(test_mark_exactly_once),
        cmocka_unit_test(test_mark_text),
        cmocka_unit_test(test_mark_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
