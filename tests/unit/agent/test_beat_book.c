#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/beat_book.h"

#define PID 42

typedef struct seen {
    xt_heartbeat all[2 * XT_BEATS_KEPT];
    unsigned n;
} seen;

static void on_beat(void *context, xt_heartbeat *beat)
{
    seen *s = context;
    s->all[s->n] = *beat;
    s->all[s->n].audit_mode = s->all[s->n].blind = XT_S_NULL; /* they are of the book */
    s->n++;
}

static xt_heartbeat beat_of(uint64_t lost)
{
    return (xt_heartbeat){.enabled = 1, .audit_pid = PID, .audit_mode = XT_S("owner"), .lost = lost};
}

static void take(xt_beat_book *book, const xt_heartbeat *beat, bool connected, int64_t now_ms)
{
    assert_int_equal(xt_beat_book_take(book, beat, PID, connected, now_ms), 0);
}

static void a_long_quiet_time_is_one_heartbeat(void **state)
{
    xt_beat_book book = {.n_kept = 0};
    xt_heartbeat beat = beat_of(0);
    seen s = {.n = 0};

    for (int64_t now_ms = 1000; now_ms <= 3601000; now_ms += 5000)
        take(&book, &beat, false, now_ms);
    assert_int_equal(book.n_kept, 0);
    xt_beat_book_send(&book, 3602000, on_beat, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.all[0].unbroken_ms, 3600000);
    assert_int_equal(s.all[0].age_ms, 1000);
    assert_int_equal(s.all[0].state, XT_BEAT_WATCHING);
    assert_int_not_equal(s.all[0].run, 0);
    xt_beat_book_fini(&book);
}

static void what_ends_is_kept(void **state)
{
    xt_beat_book book = {.n_kept = 0};
    xt_heartbeat beat = beat_of(0), lossy = beat_of(8), off = beat_of(8);
    seen s = {.n = 0};

    off.enabled = 0;
    take(&book, &beat, false, 1000);
    take(&book, &beat, false, 6000);
    take(&book, &lossy, false, 11000); /* between 6 and 11 */
    take(&book, &off, false, 16000);
    take(&book, &off, false, 21000);
    take(&book, &lossy, false, 26000);
    take(&book, &lossy, false, 50000); /* nobody looked for 24 s */
    xt_beat_book_send(&book, 50000, on_beat, &s);
    assert_int_equal(s.n, 5);
    assert_int_equal(s.all[0].age_ms, 44000);
    assert_int_equal(s.all[0].unbroken_ms, 5000);
    assert_int_equal(s.all[1].lost, 8);
    assert_int_equal(s.all[1].run, s.all[0].run);
    assert_int_equal(s.all[1].unbroken_ms, 10000);
    assert_int_equal(s.all[2].state, XT_BEAT_OFF);
    assert_int_equal(s.all[2].run, 0);
    assert_int_equal(s.all[2].age_ms, 29000);
    assert_int_not_equal(s.all[3].run, s.all[0].run);
    assert_int_not_equal(s.all[4].run, s.all[3].run);
    assert_int_equal(s.all[4].unbroken_ms, 0);
    assert_int_equal(book.n_kept, 0);
    xt_beat_book_fini(&book);
}

static void what_was_sent_is_not_kept(void **state)
{
    xt_beat_book book = {.n_kept = 0};
    xt_heartbeat beat = beat_of(0), lossy = beat_of(8);
    seen s = {.n = 0};

    take(&book, &beat, true, 1000);
    take(&book, &lossy, false, 6000);
    xt_beat_book_send(&book, 6000, on_beat, &s);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.all[0].lost, 8);
    xt_beat_book_fini(&book);
}

static void another_owner_and_other_modes(void **state)
{
    xt_beat_book book = {.n_kept = 0};
    xt_heartbeat taken = beat_of(0), text = {.audit_mode = XT_S("text")};
    seen s = {.n = 0};

    taken.audit_pid = PID + 1;
    take(&book, &taken, false, 1000);
    take(&book, &text, false, 2000); /* no kernel of its own is asked */
    xt_beat_book_send(&book, 2000, on_beat, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.all[0].state, XT_BEAT_TAKEN);
    assert_int_equal(s.all[1].state, XT_BEAT_WATCHING);
    xt_beat_book_fini(&book);
}

static void the_book_is_bounded(void **state)
{
    xt_beat_book book = {.n_kept = 0};
    seen s = {.n = 0};

    for (uint64_t i = 0; i < 5000; i++) {
        xt_heartbeat beat = beat_of(i);
        take(&book, &beat, false, (int64_t)i * 5000);
        assert_true(book.n_kept <= XT_BEATS_KEPT);
    }
    xt_beat_book_send(&book, 5000 * 5000, on_beat, &s);
    for (unsigned i = 1; i < s.n; i++)
        assert_true(s.all[i].lost > s.all[i - 1].lost && s.all[i].age_ms < s.all[i - 1].age_ms);
    assert_int_equal(s.all[0].lost, 0);
    assert_int_equal(s.all[s.n - 1].lost, 4999);
    xt_beat_book_fini(&book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_quiet_time_is_one_heartbeat),
        cmocka_unit_test(what_ends_is_kept),
        cmocka_unit_test(what_was_sent_is_not_kept),
        cmocka_unit_test(another_owner_and_other_modes),
        cmocka_unit_test(the_book_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
