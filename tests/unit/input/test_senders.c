#include "input/senders.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmocka_head.h"

#include "event/decoder.h"
#include "event/event_json.h"

/* Documents, a line each, in the order in which the events came; those of one host apart. */
typedef struct sink {
    xt_buf lines;
    size_t n;
    const char *only;
    size_t fail_at; /* this event has no room; 0: each has */
} sink;

static int keep(sink *to, xt_event *event)
{
    XT_CLEANUP(xt_arena_fini) xt_arena arena;
    xt_arena_init(&arena, 1 << 24);
    to->n++;
    if (to->n == to->fail_at)
        return -ENOMEM;
    if (to->only && !xt_slice_eq(xt_event_bytes(event, XT_F_HOST), xt_slice_str(to->only)))
        return 0;
    assert_int_equal(xt_event_json(event, 0, &arena, &to->lines), 0);
    xt_buf_puts(&to->lines, "\n");
    return 0;
}

static int on_event(void *context, xt_event *event)
{
    return keep(context, event);
}

static int on_decoded(void *context, xt_event *event, xt_arena *arena)
{
    (void)arena;
    return keep(context, event);
}

/* NULL: it is not there. */
static const char *find(const sink *in, const char *sought)
{
    return memmem(in->lines.p, in->lines.n, sought, strlen(sought));
}

static void host_id(void *context, xt_slice name, char ret[static 33])
{
    (void)context;
    xt_hash128_format(xt_event_import_host_id(name), ret);
}

static xt_senders *open_senders(sink *to)
{
    xt_senders_settings settings = {.host_id = host_id, .on_event = on_event, .context = to};
    xt_senders *senders = NULL;
    assert_int_equal(xt_senders_new(&settings, &senders), 0);
    return senders;
}

static void read_capture(const char *name, xt_buf *out)
{
    char path[512];
    const char *data = getenv("XT_TEST_DATA");
    snprintf(path, sizeof path, "%s/capture/%s", data ? data : "tests/data", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    for (int c; (c = getc(file)) != EOF;)
        xt_buf_putc(out, (char)c);
    fclose(file);
}

static void decode(xt_slice text, const char *host, sink *to)
{
    xt_decoder *decoder = NULL;
    xt_decoder_settings settings = {
        .origin = {.host_name = xt_slice_str(host)}, .follows_sessions = true, .on_event = on_decoded, .context = to};
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, text), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t sorted(xt_buf *lines, char **ret, size_t max)
{
    size_t n = 0;
    xt_buf_putc(lines, '\0');
    for (char *line = lines->p, *end; (end = strchr(line, '\n')) != NULL && n < max; line = end + 1) {
        *end = '\0';
        ret[n++] = line;
    }
    qsort(ret, n, sizeof *ret, by_text);
    return n;
}

static void assert_same(sink *a, sink *b)
{
    enum { MAX = 4096 };
    char **x = calloc(MAX, sizeof *x), **y = calloc(MAX, sizeof *y);
    size_t n = sorted(&a->lines, x, MAX);
    assert_int_equal(sorted(&b->lines, y, MAX), n);
    assert_true(n > 10);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(x[i], y[i]);
    free(x);
    free(y);
}

/* Two hosts whose lines come in turn, each with the same events as when it is alone. */
static void test_each_host_has_its_own_events(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf one = XT_BUF_INIT, two = XT_BUF_INIT;
    sink got = {.only = "h1"}, want = {.only = "h1"};
    xt_slice a, b, line;
    int64_t now_ms = 1000;
    (void)state;
    read_capture("session.log", &one);
    read_capture("tamper.log", &two);
    xt_senders *senders = open_senders(&got);
    a = xt_buf_slice(&one);
    b = xt_buf_slice(&two);
    while (xt_slice_cut(&a, '\n', &line)) {
        if (line.n > 0)
            assert_int_equal(xt_senders_feed(senders, XT_S("h1"), line, now_ms), 0);
        if (xt_slice_cut(&b, '\n', &line) && line.n > 0)
            assert_int_equal(xt_senders_feed(senders, XT_S("h2"), line, now_ms), 0);
    }
    assert_int_equal(xt_senders_tick(senders, now_ms + 5000), 0); /* a quiet stream is given out */
    assert_int_equal(xt_senders_stats_get(senders).n_open_bytes, 0);
    assert_int_equal(xt_senders_stats_get(senders).n_hosts, 2);
    decode(xt_buf_slice(&one), "h1", &want);
    assert_same(&got, &want);
    xt_senders_free(senders);
    xt_buf_fini(&got.lines);
    xt_buf_fini(&want.lines);
}

/* Everything once more, and once more while its events still wait: nothing of it is there twice. */
static void test_what_is_sent_again_is_passed_over(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    sink got = {.n = 0}, want = {.n = 0};
    (void)state;
    read_capture("session.log", &text);
    xt_senders *senders = open_senders(&got);
    for (int round = 0; round < 3; round++) {
        xt_slice rest = xt_buf_slice(&text), line;
        while (xt_slice_cut(&rest, '\n', &line))
            if (line.n > 0)
                assert_true(xt_senders_feed(senders, XT_S("h1"), line, 1000 + 10 * round) >= 0);
    }
    assert_int_equal(xt_senders_finish(senders), 0);
    decode(xt_buf_slice(&text), "h1", &want);
    assert_int_equal(got.n, want.n);
    assert_same(&got, &want);
    xt_senders_free(senders);
    xt_buf_fini(&got.lines);
    xt_buf_fini(&want.lines);
}

static int feed_all(xt_senders *senders, const char *host, xt_slice text)
{
    xt_slice line;
    int r = 0;
    while (r >= 0 && xt_slice_cut(&text, '\n', &line))
        if (line.n > 0)
            r = xt_senders_feed(senders, xt_slice_str(host), line, 1000);
    return r < 0 ? r : xt_senders_finish(senders);
}

/* The event's id and its arguments; what the events before it say (its parent) may be another. */
static bool has_event(const sink *in, xt_slice wanted)
{
    xt_slice rest = xt_buf_slice(&in->lines), line;
    ptrdiff_t id = xt_slice_find(wanted, XT_S("\"id\":\"")), args = xt_slice_find(wanted, XT_S("\"args\":["));
    xt_slice parts[2] = {xt_slice_head(xt_slice_skip(wanted, (size_t)id), 39), XT_S("")};
    if (args > 0) {
        parts[1] = xt_slice_skip(wanted, (size_t)args);
        parts[1] = xt_slice_head(parts[1], (size_t)xt_slice_find_byte(parts[1], ']'));
    }
    while (xt_slice_cut(&rest, '\n', &line))
        if (xt_slice_find(line, parts[0]) >= 0 && xt_slice_find(line, parts[1]) >= 0)
            return true;
    return false;
}

/* An event that there was no memory for is there, whole, when all of it is sent again; whichever it was, of this host or another. */
static void test_what_was_lost_is_heard_again(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    sink want = {.n = 0};
    (void)state;
    read_capture("session.log", &text);
    decode(xt_buf_slice(&text), "h1", &want);
    for (size_t fail_at = 1; fail_at <= want.n; fail_at += 1 + want.n / 40) {
        sink got = {.fail_at = fail_at};
        xt_senders *senders = open_senders(&got);
        assert_int_equal(xt_senders_feed(senders, XT_S("h2"),
                                         XT_S("type=LOGIN msg=audit(1700000000.123:1): pid=1 uid=0 auid=0 res=1"),
                                         1000),
                         0);
        assert_int_equal(feed_all(senders, "h1", xt_buf_slice(&text)), -ENOMEM);
        assert_int_equal(feed_all(senders, "h1", xt_buf_slice(&text)), 0);
        xt_slice rest = xt_buf_slice(&want.lines), line;
        while (xt_slice_cut(&rest, '\n', &line)) {
            if (line.n > 0 && !has_event(&got, line))
                fail_msg("without event %zu this is missing: %.*s", fail_at, XT_S_ARGS(line));
        }
        assert_int_equal(xt_senders_feed(senders, XT_S("h1"),
                                         XT_S("type=LOGIN msg=audit(1700000000.123:9): pid=1 uid=0 auid=0 res=1"),
                                         1000),
                         0);
        xt_senders_free(senders);
        xt_buf_fini(&got.lines);
    }
    xt_buf_fini(&want.lines);
}

static void test_what_is_no_record(void **state)
{
    sink got = {.n = 0};
    (void)state;
    xt_senders *senders = open_senders(&got);
    assert_int_equal(xt_senders_feed(senders, XT_S("h"), XT_S("session opened for user root"), 1), XT_SENDERS_E_OTHER);
    assert_int_equal(xt_senders_feed(senders, XT_S("h"), XT_S(""), 1), XT_SENDERS_E_OTHER);
    assert_int_equal(got.n, 0);
    assert_int_equal(xt_senders_feed(senders, XT_S("h"), XT_S("type=SYSCALL msg=audit(broken"), 1), 0);
    assert_int_equal(got.n, 1); /* it claims to be one: kept */
    assert_non_null(find(&got, "unparsed"));
    xt_senders_stats stats = xt_senders_stats_get(senders);
    assert_int_equal(stats.n_other, 2);
    assert_int_equal(stats.n_unparsed, 1);
    xt_senders_free(senders);
    xt_buf_fini(&got.lines);
}

#define LOGIN(host, serial) \
    "node=" host " type=LOGIN msg=audit(1700000000.123:" serial "): pid=1 uid=0 old-auid=4294967295 auid=0 res=1"

static void test_node_names_the_host_and_a_log_escapes(void **state)
{
    sink got = {.n = 0};
    (void)state;
    xt_senders *senders = open_senders(&got);
    assert_int_equal(
        xt_senders_feed(senders, XT_S("relay"), XT_S(LOGIN("db-1", "7") "#035UID=\"root\" AUID=\"root\""), 1), 0);
    assert_int_equal(got.n, 0);
    assert_int_equal(xt_senders_tick(senders, 2500), 0);
    assert_int_equal(got.n, 1);
    assert_non_null(find(&got, "\"name\":\"db-1\""));
    assert_null(find(&got, "#035"));
    assert_non_null(find(&got, "\"name\":\"root\""));
    xt_senders_free(senders);
    xt_buf_fini(&got.lines);
}

/* Names without end: as many as there is room for are remembered, and nothing is lost of the others. */
static void test_hosts_are_bounded(void **state)
{
    sink got = {.n = 0};
    enum { N = XT_SENDERS_HOSTS + 200 };
    (void)state;
    xt_senders *senders = open_senders(&got);
    for (unsigned i = 0; i < N; i++) {
        char line[256], host[32];
        snprintf(line, sizeof line, "type=LOGIN msg=audit(1700000000.123:%u): pid=1 uid=0 auid=0 res=1", i);
        snprintf(host, sizeof host, "h%u", i);
        assert_int_equal(xt_senders_feed(senders, xt_slice_str(host), xt_slice_str(line), 1), 0);
    }
    assert_int_equal(xt_senders_stats_get(senders).n_hosts, XT_SENDERS_HOSTS);
    assert_int_equal(got.n, N - XT_SENDERS_HOSTS);
    assert_int_equal(xt_senders_finish(senders), 0);
    assert_int_equal(got.n, N);
    xt_senders_free(senders);
    xt_buf_fini(&got.lines);
}

static int keep_lines(void *context, xt_slice host, xt_slice lines)
{
    sink *to = context;
    assert_true(xt_slice_eq(host, XT_S("h1")));
    to->n++;
    xt_buf_reset(&to->lines);
    xt_buf_put(&to->lines, lines);
    return 0;
}

/* At any place where the log is cut: what waits, given to others who go on, makes the same events. */
static void test_what_waits_can_be_carried_on(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    sink want = {.n = 0};
    (void)state;
    read_capture("tamper.log", &text);
    decode(xt_buf_slice(&text), "h1", &want);
    char **expected = calloc(4096, sizeof *expected);
    size_t n_expected = sorted(&want.lines, expected, 4096);
    for (size_t cut = 1; cut < 40; cut += 3) {
        sink got = {.n = 0}, open = {.n = 0};
        xt_slice rest = xt_buf_slice(&text), line;
        xt_senders *first = open_senders(&got), *second = open_senders(&got);
        for (size_t i = 0; xt_slice_cut(&rest, '\n', &line); i++) {
            if (i == cut) {
                assert_int_equal(xt_senders_finish_titled(first), 0);
                assert_int_equal(xt_senders_open_each(first, keep_lines, &open), 0);
                xt_slice lines = xt_buf_slice(&open.lines), kept;
                while (xt_slice_cut(&lines, '\n', &kept))
                    if (kept.n > 0)
                        assert_int_equal(xt_senders_feed_kept(second, XT_S("h1"), kept, 1), 0);
            }
            if (line.n > 0)
                assert_int_equal(xt_senders_feed_kept(i < cut ? first : second, XT_S("h1"), line, 1), 0);
        }
        assert_int_equal(xt_senders_finish(second), 0);
        xt_senders_free(first);
        xt_senders_free(second);
        assert_int_equal(got.n, want.n);
        xt_buf_fini(&got.lines);
        xt_buf_fini(&open.lines);
    }
    assert_true(n_expected > 10);
    free(expected);
    xt_buf_fini(&want.lines);
}

static void test_a_picture_is_taken_of_what_changed(void **state)
{
    sink got = {.n = 0}, open = {.n = 0};
    (void)state;
    xt_senders *senders = open_senders(&got);
    assert_int_equal(xt_senders_feed(senders, XT_S("other"), XT_S("type=LOGIN msg=audit(1.000:1): pid=1"), 1), 0);
    assert_int_equal(xt_senders_feed_kept(senders, XT_S("h1"), XT_S("type=LOGIN msg=audit(1.000:1): pid=1"), 1), 0);
    assert_int_equal(xt_senders_open_each(senders, keep_lines, &open), 0);
    assert_int_equal(open.n, 1); /* not of the host that nobody keeps */
    assert_true(xt_slice_eq(xt_buf_slice(&open.lines), XT_S("type=LOGIN msg=audit(1.000:1): pid=1\n")));
    assert_int_equal(xt_senders_tick(senders, 4000), 0);
    assert_int_equal(got.n, 1); /* the other host's: of one that is kept it may come later */
    assert_int_equal(xt_senders_tick(senders, XT_SENDERS_KEPT_MS + 1), 0);
    assert_int_equal(got.n, 2);
    assert_int_equal(xt_senders_open_each(senders, keep_lines, &open), 0);
    assert_int_equal(open.n, 2); /* nothing waits any more: that is said once */
    assert_int_equal(open.lines.n, 0);
    assert_int_equal(xt_senders_open_each(senders, keep_lines, &open), 0);
    assert_int_equal(open.n, 2);
    xt_senders_free(senders);
    xt_buf_fini(&got.lines);
    xt_buf_fini(&open.lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_host_has_its_own_events),
        cmocka_unit_test(test_what_is_sent_again_is_passed_over),
        cmocka_unit_test(test_what_was_lost_is_heard_again),
        cmocka_unit_test(test_what_is_no_record),
        cmocka_unit_test(test_node_names_the_host_and_a_log_escapes),
        cmocka_unit_test(test_hosts_are_bounded),
        cmocka_unit_test(test_what_waits_can_be_carried_on),
        cmocka_unit_test(test_a_picture_is_taken_of_what_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
