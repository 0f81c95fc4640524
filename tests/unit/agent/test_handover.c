/* What one agent leaves to the next: a note that is read as it was written, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/beat_book.h"
#include "agent/handover.h"
#include "event/decoder.h"

static const xt_handover_note whole = {
    .left_ms = 1700000000123,
    .run = 77,
    .run_from_ms = 5,
    .beat_ms = 1000,
    .n_events = 3,
    .version = {"9.9", 3},
    .reason = {"it is started anew", 18},
    .events = {"abc", 3},
    .records = {NULL, 0},
};

static void test_note(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_handover_note back;
    char why[96] = "";
    xt_handover_note_put(&whole, &out);
    assert_int_equal(xt_buf_done(&out), 0);
    assert_true(xt_handover_note_get(xt_buf_slice(&out), &back, why));
    assert_int_equal(back.left_ms, whole.left_ms);
    assert_int_equal(back.run, 77);
    assert_int_equal(back.run_from_ms, 5);
    assert_int_equal(back.beat_ms, 1000);
    assert_int_equal(back.n_events, 3);
    assert_true(xt_slice_eq(back.reason, whole.reason) && xt_slice_eq(back.events, whole.events));
    for (size_t n = 0; n < out.n; n++) { /* cut anywhere */
        assert_false(xt_handover_note_get(xt_slice_of(out.p, n), &back, why));
        assert_true(why[0] != '\0');
    }
    xt_buf_putc(&out, 'x');
    assert_false(xt_handover_note_get(xt_buf_slice(&out), &back, why));
    out.p[7] = 99;
    assert_false(xt_handover_note_get(xt_buf_slice(&out), &back, why));
    assert_non_null(strstr(why, "version 99"));
}

static void test_records(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_netlink_message m;
    xt_handover_put_record(&out, 1300, XT_S("audit(1.002:3): a=1"));
    xt_handover_put_record(&out, 1320, XT_S(""));
    xt_slice rest = xt_buf_slice(&out);
    assert_true(xt_handover_next_record(&rest, &m));
    assert_int_equal(m.type, 1300);
    assert_true(xt_slice_eq(m.payload, XT_S("audit(1.002:3): a=1")));
    assert_true(xt_handover_next_record(&rest, &m));
    assert_int_equal(m.type, 1320);
    assert_false(xt_handover_next_record(&rest, &m));
    rest = xt_slice_of(out.p, 20);
    assert_false(xt_handover_next_record(&rest, &m));
}

/* ---- half an event in one decoder, half in the next ---- */

static unsigned n_events, n_args;

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_slice arg;
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_ARGS));
    n_events++;
    while (xt_list_next(&iter, &arg))
        n_args++;
    return 0;
}

static int put(void *context, const xt_record *record)
{
    char text[256];
    int n = snprintf(text, sizeof text, "audit(%lld.%03lld:%u): %.*s", (long long)record->time_ms / 1000,
                     (long long)record->time_ms % 1000, record->serial, XT_S_ARGS(record->body));
    xt_handover_put_record(context, record->type, xt_slice_of(text, (size_t)n));
    return 0;
}

static xt_decoder *decoder_new(void)
{
    const xt_decoder_settings settings = {.live = true, .source = "test", .on_event = on_event};
    xt_decoder *d;
    assert_int_equal(xt_decoder_new(&settings, &d), 0);
    return d;
}

static void test_half_an_event(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf left = XT_BUF_INIT;
    xt_decoder *d = decoder_new();
    assert_int_equal(xt_decoder_feed_payload(d, 1300,
                                             XT_S("audit(1700000000.001:7): arch=c000003e syscall=59 success=yes "
                                                  "exit=0 items=2 ppid=1 pid=2 auid=0 uid=0 exe=\"/bin/true\"")),
                     0);
    assert_int_equal(xt_decoder_feed_payload(d, 1309, XT_S("audit(1700000000.001:7): argc=2 a0=\"true\" a1=\"x\"")), 0);
    assert_int_equal(xt_decoder_open_each(d, put, &left), 0);
    xt_decoder_free(d);
    assert_int_equal(n_events, 0);

    d = decoder_new();
    xt_slice rest = xt_buf_slice(&left);
    xt_netlink_message m;
    while (xt_handover_next_record(&rest, &m))
        assert_int_equal(xt_decoder_feed_payload(d, m.type, m.payload), 0);
    assert_int_equal(rest.n, 0);
    assert_int_equal(xt_decoder_feed_payload(d, 1327, XT_S("audit(1700000000.001:7): proctitle=\"true\"")), 0);
    assert_int_equal(xt_decoder_feed_payload(d, 1320, XT_S("audit(1700000000.001:7): ")), 0);
    assert_int_equal(xt_decoder_tick(d, 1), 0);
    assert_int_equal(n_events, 1);
    assert_int_equal(n_args, 2);
    xt_decoder_free(d);
}

/* ---- descriptors ---- */

/* In a child, for the numbers of descriptors count. */
static void test_receive(void **state)
{
    xt_handover h;
    setenv("LISTEN_FDS", "2", 1);
    setenv("LISTEN_PID", "1", 1); /* another's */
    xt_handover_receive(&h);
    assert_int_equal(h.audit_fd, -1);
    assert_null(getenv("LISTEN_FDS"));
    xt_handover_fini(&h);

    int note = memfd_create("note", MFD_CLOEXEC), null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    char pid[16];
    xt_handover_note_put(&whole, &out);
    assert_int_equal(write(note, out.p, out.n), (ssize_t)out.n);
    int saved[6];
    for (int i = 0; i < 6; i++)
        saved[i] = fcntl(3 + i, F_DUPFD_CLOEXEC, 100);
    int high_note = fcntl(note, F_DUPFD_CLOEXEC, 100), high_null = fcntl(null, F_DUPFD_CLOEXEC, 100);
    dup2(high_null, 3);
    dup2(high_null, 4);
    dup2(high_note, 5);
    dup2(high_null, 6);
    snprintf(pid, sizeof pid, "%d", getpid());
    setenv("LISTEN_FDS", "4", 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDNAMES", "connector:audit.1234:note:what", 1);
    xt_handover_receive(&h);
    assert_int_equal(h.connector_fd, 3);
    assert_int_equal(h.audit_fd, 4);
    assert_int_equal(h.owner, 1234);
    assert_false(h.has_note); /* the family is forked first, and must not have it */
    assert_int_equal(h.bytes.n, 0);
    xt_handover_read_note(&h);
    assert_true(h.has_note);
    assert_int_equal(h.note_fd, -1);
    assert_int_equal(h.note.run, 77);
    assert_int_equal(fcntl(6, F_GETFD), -1);
    assert_int_equal(fcntl(4, F_GETFD), FD_CLOEXEC);
    xt_handover_fini(&h);
    for (int i = 0; i < 6; i++)
        if (saved[i] >= 0) {
            dup2(saved[i], 3 + i);
            close(saved[i]);
        }
    close(high_note);
    close(high_null);
}

static void test_beats_go_on(void **state)
{
    xt_beat_book book = {0};
    xt_heartbeat beat = {.enabled = 1, .audit_pid = 9, .audit_mode = XT_S("owner")};
    xt_beat_book_resume(&book, 77, 1000, 8000);
    assert_int_equal(xt_beat_book_take(&book, &beat, 9, true, 9500), 0);
    assert_int_equal(book.run, 77);
    assert_int_equal(book.run_from_ms, 1000);
    xt_beat_book_fini(&book);
    book = (xt_beat_book){0};
    xt_beat_book_resume(&book, 77, 1000, 8000);
    assert_int_equal(xt_beat_book_take(&book, &beat, 9, true, 8001 + XT_BEAT_BREAK_MS), 0);
    assert_int_not_equal(book.run, 77);
    xt_beat_book_fini(&book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_note),    cmocka_unit_test(test_records),     cmocka_unit_test(test_half_an_event),
        cmocka_unit_test(test_receive), cmocka_unit_test(test_beats_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
