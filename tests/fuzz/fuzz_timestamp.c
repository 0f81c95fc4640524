/*
 * Any text as a time and as a duration. What is taken must be in range, rounding up never comes before rounding down,
 * a time that was read is printed to what reads back as the same, and a refusal names a place inside the text.
 */
#include <stdlib.h>

#include "base/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NOW_MS INT64_C(1795399843120)
#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

static void check_refusal(const xt_problem *problem, size_t n)
{
    CHECK(xt_problem_is_set(problem));
    CHECK(problem->offset >= 0 && (size_t)problem->offset <= n);
}

static void check_time(int64_t t_ms)
{
    char printed[25];
    int64_t back;

    CHECK(t_ms >= 0 && t_ms <= XT_TIMESTAMP_MAX_MS);
    xt_timestamp_format(t_ms, printed);
    CHECK(xt_timestamp_parse(xt_slice_str(printed), 0, true, &back, NULL) == 0 && back == t_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_slice text = xt_slice_of(data, n);
    xt_problem problem = XT_PROBLEM_INIT;
    int64_t down = -1, up = -1, ms = -1, any = 0;

    int r_down = xt_timestamp_parse(text, NOW_MS, false, &down, &problem);
    if (r_down != 0)
        check_refusal(&problem, n);
    else
        check_time(down);
    problem = XT_PROBLEM_INIT;
    int r_up = xt_timestamp_parse(text, NOW_MS, true, &up, &problem);
    if (r_up != 0)
        check_refusal(&problem, n);
    else
        check_time(up);
    CHECK(r_down != 0 || r_up != 0 || xt_slice_find_byte(text, '/') >= 0 || up >= down);

    problem = XT_PROBLEM_INIT;
    if (xt_duration_parse(text, &ms, &problem) != 0)
        check_refusal(&problem, n);
    else
        CHECK(ms >= 0 && ms <= XT_TIMESTAMP_MAX_MS);

    /* The first eight bytes as a clock's reading: no arithmetic may overflow, whatever the clock says. */
    if (n)
        memcpy(&any, data, n < sizeof any ? n : sizeof any);
    if (xt_timestamp_parse(xt_slice_skip(text, sizeof any), any, true, &ms, NULL) == 0)
        check_time(ms);
    return 0;
}
