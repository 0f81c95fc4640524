/* base/timestamp: days against libc's calendar, RFC 3339, numbers, date math as Kibana reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/timestamp.h"

#define DAY_MS INT64_C(86400000)

/* Monday, 2026-11-23T02:10:43.120Z */
#define NOW_MS INT64_C(1795399843120)

static void test_format_every_day(void **state)
{
    char got[25], want[64];

    for (int64_t t_ms = 0; t_ms <= XT_TIMESTAMP_MAX_MS; t_ms += DAY_MS + 123457) {
        time_t t = (time_t)(t_ms / 1000);
        struct tm tm;
        assert_non_null(gmtime_r(&t, &tm));
        size_t n = strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(want + n, sizeof want - n, ".%03dZ", (int)(t_ms % 1000));
        xt_timestamp_format(t_ms, got);
        assert_string_equal(got, want);
    }
    xt_timestamp_format(-1, got);
    assert_string_equal(got, "1970-01-01T00:00:00.000Z");
    xt_timestamp_format(INT64_MAX, got);
    assert_string_equal(got, "9999-12-31T23:59:59.999Z");
    xt_timestamp_format(NOW_MS, got);
    assert_string_equal(got, "2026-11-23T02:10:43.120Z");
}

static void test_parse_what_was_formatted(void **state)
{
    char text[25];
    int64_t back;

    for (int64_t t_ms = 0; t_ms <= XT_TIMESTAMP_MAX_MS; t_ms += 7 * DAY_MS + 7654321) {
        xt_timestamp_format(t_ms, text);
        assert_int_equal(xt_timestamp_parse(xt_slice_str(text), 0, false, &back, NULL), 0);
        assert_int_equal(back, t_ms);
    }
}

typedef struct example {
    const char *text, *down, *up; /* up NULL: the same */
} example;

static void assert_reads(const char *text, bool round_up, const char *want)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int64_t t_ms;
    char got[25];

    if (xt_timestamp_parse(xt_slice_str(text), NOW_MS, round_up, &t_ms, &problem) != 0)
        fail_msg("%s: %s", text, problem.sentence);
    xt_timestamp_format(t_ms, got);
    if (strcmp(got, want) != 0)
        fail_msg("%s: %s instead of %s", text, got, want);
}

static void test_examples(void **state)
{
    static const example examples[] = {
        {"2026-11-23T02:10:43Z", "2026-11-23T02:10:43.000Z", NULL},
        {"2026-11-23t02:10:43.1z", "2026-11-23T02:10:43.100Z", NULL},
        {"2026-11-23 02:10:43.123456789", "2026-11-23T02:10:43.123Z", NULL},
        {"2026-11-23T02:10", "2026-11-23T02:10:00.000Z", NULL},
        {"2026-11-23T02:10:43+01:30", "2026-11-23T00:40:43.000Z", NULL},
        {"2026-11-23T23:10:43-05:00", "2026-11-24T04:10:43.000Z", NULL},
        {"1969-12-31T23:30:00-01:00", "1970-01-01T00:30:00.000Z", NULL},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z", NULL},
        {"2017-01-01T00:59:60.5+01:00", "2017-01-01T00:00:00.500Z", NULL},
        {"2024-02-29", "2024-02-29T00:00:00.000Z", "2024-02-29T23:59:59.999Z"},
        {"9999-12-31", "9999-12-31T00:00:00.000Z", "9999-12-31T23:59:59.999Z"},
        {"0", "1970-01-01T00:00:00.000Z", NULL},
        {"1795399843", "2026-11-23T02:10:43.000Z", NULL},
        {"1795399843120", "2026-11-23T02:10:43.120Z", NULL},
        {"0000000000001", "1970-01-01T00:00:00.001Z", NULL},
        {"now", "2026-11-23T02:10:43.120Z", NULL},
        {"now-15m", "2026-11-23T01:55:43.120Z", NULL},
        {"now-120ms", "2026-11-23T02:10:43.000Z", NULL},
        {"now+1h-1s", "2026-11-23T03:10:42.120Z", NULL},
        {"now-d", "2026-11-22T02:10:43.120Z", NULL},
        {"now/d", "2026-11-23T00:00:00.000Z", "2026-11-23T23:59:59.999Z"},
        {"now-1d/d", "2026-11-22T00:00:00.000Z", "2026-11-22T23:59:59.999Z"},
        {"now-1d/w", "2026-11-16T00:00:00.000Z", "2026-11-22T23:59:59.999Z"},
        {"now/w", "2026-11-23T00:00:00.000Z", "2026-11-29T23:59:59.999Z"},
        {"now/M", "2026-11-01T00:00:00.000Z", "2026-11-30T23:59:59.999Z"},
        {"now+1M/M", "2026-12-01T00:00:00.000Z", "2026-12-31T23:59:59.999Z"},
        {"now/y", "2026-01-01T00:00:00.000Z", "2026-12-31T23:59:59.999Z"},
        {"now/h", "2026-11-23T02:00:00.000Z", "2026-11-23T02:59:59.999Z"},
        {"now/m", "2026-11-23T02:10:00.000Z", "2026-11-23T02:10:59.999Z"},
        {"now/s", "2026-11-23T02:10:43.000Z", "2026-11-23T02:10:43.999Z"},
        {"now/ms", "2026-11-23T02:10:43.120Z", NULL},
        {"now-56y", "1970-11-23T02:10:43.120Z", NULL},
        {"2026-01-02||+1M/d", "2026-02-02T00:00:00.000Z", "2026-02-02T23:59:59.999Z"},
        {"2026-01-31||+1M", "2026-02-28T00:00:00.000Z", NULL},
        {"2024-02-29||+1y", "2025-02-28T00:00:00.000Z", NULL},
        {"2026-03-31||-1M", "2026-02-28T00:00:00.000Z", NULL},
        {"2026-01-02T03:04:05Z||-1h", "2026-01-02T02:04:05.000Z", NULL},
        {"2026-01-02||", "2026-01-02T00:00:00.000Z", NULL},
        {"9999-12-31||/y", "9999-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"},
    };

    for (size_t i = 0; i < XT_COUNT_OF(examples); i++) {
        const example *e = &examples[i];
        assert_reads(e->text, false, e->down);
        assert_reads(e->text, true, e->up ? e->up : e->down);
    }
}

typedef struct refusal {
    const char *text;
    int offset;
} refusal;

static void test_refusals(void **state)
{
    static const refusal refusals[] = {
        {"", 0},
        {" now", 0},
        {"now ", 3},
        {"nowish", 3},
        {"now-", 4},
        {"now-15", 6},
        {"now-15q", 6},
        {"now/2d", 4},
        {"now-1dd", 6},
        {"now||+1d", 3},
        {"now-57y", 3},
        {"now+8000y", 3},
        {"now-9223372036854775807d", 3},
        {"now-99999999999999999999d", 4},
        {"now+9223372036854775807M", 3},
        {"2026-13-01", 5},
        {"2026-02-29", 8},
        {"2026-1-01", 5},
        {"2026/01/01", 4},
        {"2026-01-01T", 11},
        {"2026-01-01T24:00:00", 11},
        {"2026-01-01T10:60:00", 14},
        {"2026-01-01T10:10:61", 17},
        {"2026-01-01T10:10:60Z", 17},
        {"2026-01-01T10:10:10.", 20},
        {"2026-01-01T10:10:10.1234567890", 29},
        {"2026-01-01T10:10:10+0100", 22},
        {"2026-01-01T10:10:10+24:00", 20},
        {"2026-01-01x", 10},
        {"2026-01-01|+1d", 11},
        {"1969-12-31", 10},
        {"9999-12-31T23:59:59-01:00", 25},
        {"253402300800", 12},
        {"253402300800000", 0},
        {"99999999999999999999999", 0},
        {"-1", 0},
        {"1.5", 0},
    };

    for (size_t i = 0; i < XT_COUNT_OF(refusals); i++) {
        xt_problem problem = XT_PROBLEM_INIT;
        int64_t t_ms = 42;
        int r = xt_timestamp_parse(xt_slice_str(refusals[i].text), NOW_MS, false, &t_ms, &problem);
        if (r != XT_TIMESTAMP_E_INVALID || problem.offset != refusals[i].offset)
            fail_msg("\"%s\": %d, offset %d", refusals[i].text, r, (int)problem.offset);
        assert_int_equal(t_ms, 42);
        assert_true(xt_problem_is_set(&problem));
        assert_int_equal(xt_timestamp_parse(xt_slice_str(refusals[i].text), NOW_MS, true, &t_ms, NULL), r);
    }
    int64_t t_ms;
    assert_int_equal(xt_timestamp_parse(xt_slice_of("now\0", 4), NOW_MS, false, &t_ms, NULL), 1);
    /* That week began in 1969 and ended in 1970. */
    assert_int_equal(xt_timestamp_parse(XT_S("1970-01-01||/w"), NOW_MS, false, &t_ms, NULL), 1);
    assert_int_equal(xt_timestamp_parse(XT_S("1970-01-01||/w"), NOW_MS, true, &t_ms, NULL), 0);
    assert_int_equal(t_ms, 4 * DAY_MS - 1);
}

static void test_durations(void **state)
{
    int64_t ms = 42;
    const char *bad[] = {"", "15", "m", "-1s", "1M", "1y", "1 s", "1ss", "1.5h", "99999999999999999999s", "300000w1"};
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"1500ms", 1500}, {"10s", 10000}, {"15m", 900000}, {"2h", 7200000}, {"7d", 604800000}, {"0s", 0}};

    for (size_t i = 0; i < XT_COUNT_OF(bad); i++)
        assert_int_equal(xt_duration_parse(xt_slice_str(bad[i]), &ms, NULL), XT_TIMESTAMP_E_INVALID);
    assert_int_equal(xt_duration_parse(XT_S("9223372036854775807d"), &ms, NULL), XT_TIMESTAMP_E_INVALID);
    assert_int_equal(ms, 42);
    for (size_t i = 0; i < XT_COUNT_OF(good); i++) {
        assert_int_equal(xt_duration_parse(xt_slice_str(good[i].text), &ms, NULL), 0);
        assert_int_equal(ms, good[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format_every_day), cmocka_unit_test(test_parse_what_was_formatted),
        cmocka_unit_test(test_examples),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
