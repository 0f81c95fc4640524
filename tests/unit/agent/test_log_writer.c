/* audit.log beside: whole lines, rotated, and a disk that is full harms nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/log_writer.h"
#include "event/decoder.h"
#include "io/vfs.h"
#include "unit/folder.h"

typedef struct scene {
    char folder[64], path[80];
    xt_log_writer *writer;
    uint64_t n_events;
} scene;

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    scene *s = context;
    s->n_events++;
    if (s->writer)
        xt_log_writer_put(s->writer, event);
    return 0;
}

/* Feeds n events to the writer; or reads text back and counts. */
static void feed(scene *s, unsigned n, xt_slice text)
{
    xt_decoder *decoder;
    const xt_decoder_settings settings = {.origin = {.host_name = XT_S("h")}, .on_event = on_event, .context = s};
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    for (unsigned i = 0; i < n; i++) {
        char line[256];
        snprintf(line, sizeof line,
                 "type=USER_ACCT msg=audit(%u.000:%u): pid=9 uid=0 auid=5 ses=3 msg='op=x acct=\"a\" res=success'\n",
                 i + 1, i + 1);
        assert_int_equal(xt_decoder_feed(decoder, xt_slice_str(line)), 0);
    }
    assert_int_equal(xt_decoder_feed(decoder, text), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    assert_int_equal(xt_decoder_stats_get(decoder).n_unparsed, 0);
    xt_decoder_free(decoder);
}

static void scene_open(scene *s, uint64_t max_bytes, unsigned n_files)
{
    xt_problem problem = XT_PROBLEM_INIT;
    *s = (scene){.folder = "/tmp/exectrail-log-XXXXXX"};
    assert_non_null(mkdtemp(s->folder));
    snprintf(s->path, sizeof s->path, "%s/audit.log", s->folder);
    const xt_log_writer_settings settings = {s->path, max_bytes, n_files};
    assert_int_equal(xt_log_writer_open(&settings, &s->writer, &problem), 0);
}

/* Events that stand in the file of that number; -1: it is not there. */
static int64_t count_in(const scene *s, unsigned n)
{
    char path[100];
    struct stat st;
    scene back = {.writer = NULL};
    xt_buf text = XT_BUF_INIT;
    snprintf(path, sizeof path, n ? "%s.%u" : "%s", s->path, n);
    if (stat(path, &st) < 0)
        return -1;
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1 << 24, &text), 0);
    assert_true(text.n == 0 || text.p[text.n - 1] == '\n');
    assert_true(text.n == 0 || xt_slice_starts(xt_buf_slice(&text), XT_S("type=")));
    feed(&back, 0, xt_buf_slice(&text));
    xt_buf_fini(&text);
    return (int64_t)back.n_events;
}

static void test_written(void **state)
{
    scene s;
    scene_open(&s, 1 << 20, 3);
    feed(&s, 500, XT_S_NULL);
    s.writer = xt_log_writer_close(s.writer);
    assert_int_equal(count_in(&s, 0), 500);
    assert_int_equal(count_in(&s, 1), -1);
    remove_folder(s.folder);
}

static void test_rotated(void **state)
{
    scene s;
    scene_open(&s, 8192, 3);
    for (unsigned i = 0; i < 6; i++) {
        feed(&s, 40, XT_S_NULL); /* some 4,500 bytes */
        while (xt_log_writer_stats_get(s.writer).n_written < (i + 1) * 40)
            usleep(10000);
    }
    s.writer = xt_log_writer_close(s.writer);
    assert_true(count_in(&s, 0) > 0 && count_in(&s, 1) > 0 && count_in(&s, 2) > 0);
    assert_int_equal(count_in(&s, 3), -1);
    remove_folder(s.folder);
}

static void test_full_disk(void **state)
{
    scene s;
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    scene_open(&s, 1 << 20, 2);
    feed(&s, 10, XT_S_NULL);
    while (xt_log_writer_stats_get(s.writer).n_written < 10)
        usleep(10000);
    small = (struct rlimit){.rlim_cur = 1500, .rlim_max = before.rlim_max}; /* a little of the next piece fits */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    feed(&s, 50, XT_S_NULL);
    while (xt_log_writer_stats_get(s.writer).n_lost < 50)
        usleep(10000);
    assert_true(xt_log_writer_stats_get(s.writer).error > 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    feed(&s, 7, XT_S_NULL);
    s.writer = xt_log_writer_close(s.writer);
    assert_int_equal(count_in(&s, 0), 17);
    remove_folder(s.folder);
}

static void test_refused(void **state)
{
    xt_log_writer *writer = NULL;
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_log_writer_settings no_folder = {"/tmp/exectrail-none/x/audit.log", 1 << 20, 2},
                                 device = {"/dev/null", 1 << 20, 2};
    assert_true(xt_log_writer_open(&no_folder, &writer, &problem) < 0);
    assert_true(xt_log_writer_open(&device, &writer, &problem) < 0);
    assert_null(xt_log_writer_close(writer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_rotated),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
