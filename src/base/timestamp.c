/*
 * Dates are arithmetic on days since 0000-03-01: with the leap day at the end of the year both directions are a few
 * multiplications (Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms",
 * 2022). libc's functions are not used: they take locks and read the zone's files.
 *
 * Reading works on a cursor; every reader of a part returns false and leaves the cursor at what it could not read,
 * which is the place that the problem names.
 */
#include "base/timestamp.h"

#define DAY_MS            INT64_C(86400000)
#define DAYS_TO_1970      719468 /* from 0000-03-01 */
#define DAYS_A_ERA        146097 /* 400 years */
#define MIN_DIGITS_FOR_MS 13

typedef struct civil {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
} civil;

static civil civil_of_days(uint32_t days)
{
    uint32_t n1 = 4 * (days + DAYS_TO_1970) + 3;
    uint32_t n2 = n1 % DAYS_A_ERA / 4 * 4 + 3;
    uint64_t p2 = UINT64_C(2939745) * n2;
    uint32_t day_of_year = (uint32_t)p2 / 2939745 / 4;
    uint32_t n3 = 2141 * day_of_year + 197913;
    bool next_year = day_of_year >= 306; /* January and February */

    return (civil){
        .year = 100 * (int64_t)(n1 / DAYS_A_ERA) + (int64_t)(p2 >> 32) + next_year,
        .month = (int)(n3 >> 16) - (next_year ? 12 : 0),
        .day = (int)((uint16_t)n3 / 2141) + 1,
    };
}

/* Years 0 and later; a month of any size carries into the year. */
static int64_t days_of_civil(int64_t year, int64_t month, int64_t day)
{
    int64_t months = year * 12 + (month - 1) - 2; /* since 0000-03 */
    int64_t y = months / 12, m = months % 12;

    return y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - DAYS_TO_1970;
}

static int days_in_month(int64_t year, int64_t month)
{
    return (int)(days_of_civil(year, month + 1, 1) - days_of_civil(year, month, 1));
}

static inline void put_two(char *p, unsigned v)
{
    p[0] = (char)('0' + v / 10);
    p[1] = (char)('0' + v % 10);
}

void xt_timestamp_format(int64_t t_ms, char ret[static 25])
{
    uint64_t t = t_ms < 0 ? 0 : t_ms > XT_TIMESTAMP_MAX_MS ? XT_TIMESTAMP_MAX_MS : (uint64_t)t_ms;
    civil date = civil_of_days((uint32_t)(t / DAY_MS));
    unsigned in_day = (unsigned)(t % DAY_MS), seconds = in_day / 1000, ms = in_day % 1000;

    memcpy(ret, "0000-00-00T00:00:00.000Z", 25);
    put_two(ret, (unsigned)date.year / 100);
    put_two(ret + 2, (unsigned)date.year % 100);
    put_two(ret + 5, (unsigned)date.month);
    put_two(ret + 8, (unsigned)date.day);
    put_two(ret + 11, seconds / 3600);
    put_two(ret + 14, seconds / 60 % 60);
    put_two(ret + 17, seconds % 60);
    ret[20] = (char)('0' + ms / 100);
    put_two(ret + 21, ms % 100);
}

/* Where reading stands, and what is wrong there. */
typedef struct cursor {
    xt_slice text;
    size_t at;
    const char *wrong;
} cursor;

static bool wrong(cursor *c, const char *sentence)
{
    c->wrong = sentence;
    return false;
}

static inline char peek(const cursor *c)
{
    return c->at < c->text.n ? c->text.p[c->at] : '\0';
}

static inline bool at_end(const cursor *c)
{
    return c->at == c->text.n;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool take(cursor *c, const char *any_of)
{
    if (at_end(c) || peek(c) == '\0' || !strchr(any_of, peek(c)))
        return false;
    c->at++;
    return true;
}

/* Exactly n digits, within min and max. */
static bool read_part(cursor *c, int n, int min, int max, int *ret)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        char digit = c->at + (size_t)i < c->text.n ? c->text.p[c->at + (size_t)i] : '\0';
        if (!is_digit(digit))
            return wrong(c, "not a time: a digit is missing");
        v = v * 10 + digit - '0';
    }
    if (v < min || v > max)
        return wrong(c, "not a time: out of range");
    c->at += (size_t)n;
    *ret = v;
    return true;
}

static bool read_mark(cursor *c, const char *any_of, const char *sentence)
{
    return take(c, any_of) || wrong(c, sentence);
}

/* ".120": up to nine digits; what is below a millisecond is cut. */
static bool read_fraction(cursor *c, int64_t *ret_ms)
{
    int64_t ms = 0;
    int n = 0;

    *ret_ms = 0;
    if (!take(c, "."))
        return true;
    for (; is_digit(peek(c)); c->at++, n++) {
        if (n == 9)
            return wrong(c, "not a time: more than nine digits of a second");
        if (n < 3)
            ms = ms * 10 + peek(c) - '0';
    }
    if (n == 0)
        return wrong(c, "not a time: a digit is missing");
    for (; n < 3; n++)
        ms *= 10;
    *ret_ms = ms;
    return true;
}

/* "Z", "+01:00" or nothing. */
static bool read_zone(cursor *c, int64_t *ret_offset_ms)
{
    int hours = 0, minutes = 0;
    bool minus = peek(c) == '-';

    *ret_offset_ms = 0;
    if (take(c, "Zz") || !take(c, "+-"))
        return true;
    if (!read_part(c, 2, 0, 23, &hours) || !read_mark(c, ":", "not a time: a zone is Z or +HH:MM") ||
        !read_part(c, 2, 0, 59, &minutes))
        return false;
    int64_t offset_ms = (hours * INT64_C(60) + minutes) * 60000;
    *ret_offset_ms = minus ? -offset_ms : offset_ms;
    return true;
}

/* Behind the date: "T02:10:43.120+01:00"; seconds may be left out. Adds to *t_ms. */
static bool read_clock_time(cursor *c, int64_t *t_ms)
{
    int hour = 0, minute = 0, second = 0;
    int64_t fraction_ms = 0, offset_ms = 0;

    if (!read_part(c, 2, 0, 23, &hour) || !read_mark(c, ":", "not a time: HH:MM:SS is expected behind the date") ||
        !read_part(c, 2, 0, 59, &minute))
        return false;
    size_t second_at = c->at + 1;
    if (take(c, ":") && (!read_part(c, 2, 0, 60, &second) || !read_fraction(c, &fraction_ms)))
        return false;
    if (!read_zone(c, &offset_ms))
        return false;
    *t_ms += hour * INT64_C(3600000) + minute * INT64_C(60000) + second * INT64_C(1000) - offset_ms;
    if (second == 60 && *t_ms % DAY_MS != 0) {
        c->at = second_at;
        return wrong(c, "not a time: second 60 is a leap second, which is at 23:59 UTC only");
    }
    *t_ms += fraction_ms;
    return true;
}

static bool read_date_time(cursor *c, bool round_up, int64_t *ret_ms)
{
    int year = 0, month = 0, day = 0;

    if (!read_part(c, 4, 0, 9999, &year) || !read_mark(c, "-", "not a time: YYYY-MM-DD is expected") ||
        !read_part(c, 2, 1, 12, &month) || !read_mark(c, "-", "not a time: YYYY-MM-DD is expected") ||
        !read_part(c, 2, 1, days_in_month(year, month), &day))
        return false;
    *ret_ms = days_of_civil(year, month, day) * DAY_MS;
    if (take(c, "Tt "))
        return read_clock_time(c, ret_ms);
    if (round_up)
        *ret_ms += DAY_MS - 1;
    return true;
}

/* Digits alone: seconds, or milliseconds from 13 digits on. */
static bool read_epoch(cursor *c, int64_t *ret_ms)
{
    uint64_t v;
    size_t n = 0;

    while (n < c->text.n && is_digit(c->text.p[n]))
        n++;
    if (!xt_slice_parse_u64(xt_slice_head(c->text, n), &v) || v > XT_TIMESTAMP_MAX_MS)
        return wrong(c, "not a time: out of range");
    *ret_ms = (int64_t)v * (n < MIN_DIGITS_FOR_MS ? 1000 : 1);
    c->at = n;
    return true;
}

/* The unit at the cursor: 's', ... or '_' for ms; 0 when there is none. */
static char read_unit(cursor *c)
{
    if (xt_slice_starts(xt_slice_skip(c->text, c->at), XT_S("ms"))) {
        c->at += 2;
        return '_';
    }
    char unit = peek(c);
    return take(c, "smhdwMy") ? unit : 0;
}

/* 0 for months and years. */
static int64_t unit_ms(char unit)
{
    switch (unit) {
    case '_':
        return 1;
    case 's':
        return 1000;
    case 'm':
        return 60000;
    case 'h':
        return 3600000;
    case 'd':
        return DAY_MS;
    case 'w':
        return 7 * DAY_MS;
    default:
        return 0;
    }
}

/* Later by n units; the day of a month is cut to the length of the new one. */
static bool add_units(int64_t *t_ms, int64_t n, char unit)
{
    int64_t step_ms = unit_ms(unit), sum;

    if (step_ms)
        return !__builtin_mul_overflow(n, step_ms, &sum) && !__builtin_add_overflow(*t_ms, sum, t_ms);
    if (n > 120000 || n < -120000)
        return false;
    civil date = civil_of_days((uint32_t)(*t_ms / DAY_MS));
    int64_t months = date.year * 12 + date.month - 1 + (unit == 'y' ? n * 12 : n);
    if (months < INT64_C(1970) * 12)
        return false;
    int64_t year = months / 12, month = months % 12 + 1;
    int day = days_in_month(year, month) < date.day ? days_in_month(year, month) : date.day;
    *t_ms = days_of_civil(year, month, day) * DAY_MS + *t_ms % DAY_MS;
    return true;
}

/* The first millisecond of the unit that t_ms is in; weeks begin on Monday. */
static int64_t unit_start(int64_t t_ms, char unit)
{
    int64_t step_ms = unit_ms(unit);

    if (unit == 'w') {
        int64_t into_week_ms = (t_ms + 3 * DAY_MS) % step_ms; /* 1970-01-01 was a Thursday */
        return t_ms - into_week_ms;
    }
    if (step_ms)
        return t_ms - t_ms % step_ms;
    civil date = civil_of_days((uint32_t)(t_ms / DAY_MS));
    return days_of_civil(date.year, unit == 'y' ? 1 : date.month, 1) * DAY_MS;
}

static bool in_range(int64_t t_ms)
{
    return t_ms >= 0 && t_ms <= XT_TIMESTAMP_MAX_MS;
}

/* "+15m", "/d": one step of date math. */
static bool read_step(cursor *c, bool round_up, int64_t *t_ms)
{
    size_t start = c->at;
    char op = peek(c);
    int64_t n = 1;

    if (!take(c, "+-/"))
        return wrong(c, "not a time: + - or / is expected");
    size_t n_digits = 0;
    while (c->at + n_digits < c->text.n && is_digit(c->text.p[c->at + n_digits]))
        n_digits++;
    xt_slice digits = xt_slice_head(xt_slice_skip(c->text, c->at), n_digits);
    if (n_digits && (op == '/' || !xt_slice_parse_i64(digits, &n)))
        return wrong(c, op == '/' ? "not a time: a single unit is expected behind /" : "not a time: out of range");
    c->at += n_digits;
    char unit = read_unit(c);
    if (!unit)
        return wrong(c, "not a time: a unit is expected: ms s m h d w M y");
    bool ok = true;
    if (op == '/') {
        *t_ms = unit_start(*t_ms, unit);
        ok = !round_up || add_units(t_ms, 1, unit); /* before 1970 for a week only, which is plain adding */
        *t_ms -= round_up;
    } else {
        ok = add_units(t_ms, op == '-' ? -n : n, unit);
    }
    if (ok && in_range(*t_ms))
        return true;
    c->at = start;
    return wrong(c, "not a time: out of range");
}

/* "||", which parts a date from its arithmetic. */
static bool take_bars(cursor *c)
{
    if (!take(c, "|"))
        return false;
    return take(c, "|");
}

static bool read_timestamp(cursor *c, int64_t now_ms, bool round_up, int64_t *ret_ms)
{
    bool math = true, all_digits = c->text.n > 0;
    ptrdiff_t bars = xt_slice_find(c->text, XT_S("||"));

    for (size_t i = 0; i < c->text.n; i++)
        all_digits = all_digits && is_digit(c->text.p[i]);
    if (xt_slice_starts(c->text, XT_S("now"))) {
        *ret_ms = now_ms;
        c->at = 3;
    } else if (all_digits) {
        return read_epoch(c, ret_ms) && (in_range(*ret_ms) || wrong(c, "not a time: out of range"));
    } else {
        if (!read_date_time(c, round_up && bars < 0, ret_ms))
            return false;
        math = take_bars(c);
    }
    if (!in_range(*ret_ms))
        return wrong(c, "not a time: years 1970 to 9999 only");
    while (math && !at_end(c))
        if (!read_step(c, round_up, ret_ms))
            return false;
    return at_end(c) || wrong(c, "not a time: something stands behind it");
}

static int problem_of(const cursor *c, const char *hint, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "%s", c->wrong);
    xt_problem_at_offset(reterr_problem, (int64_t)c->at);
    xt_problem_excerpt(reterr_problem, c->text);
    xt_problem_hint(reterr_problem, "%s", hint);
    return XT_TIMESTAMP_E_INVALID;
}

int xt_timestamp_parse(xt_slice text, int64_t now_ms, bool round_up, int64_t *ret_ms, xt_problem *reterr_problem)
{
    cursor c = {.text = text};
    int64_t t_ms = 0;

    if (!read_timestamp(&c, now_ms, round_up, &t_ms))
        return problem_of(&c, "times look like 2026-11-23T02:10:43Z, 2026-11-23, now-15m or now/d", reterr_problem);
    *ret_ms = t_ms;
    return 0;
}

static bool read_duration(cursor *c, int64_t *ret_ms)
{
    int64_t n = 0;
    size_t n_digits = 0;

    while (n_digits < c->text.n && is_digit(c->text.p[n_digits]))
        n_digits++;
    if (n_digits == 0)
        return wrong(c, "not a duration: a number is expected");
    if (!xt_slice_parse_i64(xt_slice_head(c->text, n_digits), &n))
        return wrong(c, "not a duration: out of range");
    c->at = n_digits;
    int64_t step_ms = unit_ms(read_unit(c));
    if (!step_ms || !at_end(c)) {
        c->at = n_digits;
        return wrong(c, "not a duration: a unit is expected: ms s m h d w");
    }
    if (!__builtin_mul_overflow(n, step_ms, ret_ms) && *ret_ms <= XT_TIMESTAMP_MAX_MS)
        return true;
    c->at = 0;
    return wrong(c, "not a duration: out of range");
}

int xt_duration_parse(xt_slice text, int64_t *ret_ms, xt_problem *reterr_problem)
{
    cursor c = {.text = text};
    int64_t ms = 0;

    if (!read_duration(&c, &ms))
        return problem_of(&c, "durations look like 1500ms, 10s, 15m, 2h or 7d", reterr_problem);
    *ret_ms = ms;
    return 0;
}
