/*
 * base/timestamp - points in time as text
 *
 * Units:     milliseconds since 1970-01-01T00:00:00Z (int64_t, `_ms`), proleptic Gregorian, UTC.
 * Limits:    years 1970 to 9999.
 * Source:    RFC 3339; date math as in Kibana: now, now-15m, now/d, now-1d/d, 2026-01-02||+1M/d;
 *            units s m h d w M y and ms.
 */
#pragma once
#include "base/problem.h"

enum {
    XT_TIMESTAMP_E_INVALID = 1, /* reterr_problem says what and where */
};

#define XT_TIMESTAMP_MAX_MS INT64_C(253402300799999)

/* "2026-11-23T02:10:43.120Z", NUL-ended. Out of range prints the nearest limit. */
void xt_timestamp_format(int64_t t_ms, char ret[static 25]);

/*
 * RFC 3339 (also a date alone, a time without zone is UTC, up to nine fraction digits), whole numbers of seconds
 * or milliseconds since 1970 (13 digits and more), or date math. `round_up`: `/d` and a date alone mean the last
 * millisecond of the unit (the end of a range), as Kibana does.
 */
XT_MUST_USE int xt_timestamp_parse(xt_slice text, int64_t now_ms, bool round_up, int64_t *ret_ms,
                                   xt_problem *reterr_problem);

/* "1500ms", "10s", "15m", "2h", "7d", "2w" -> milliseconds. */
XT_MUST_USE int xt_duration_parse(xt_slice text, int64_t *ret_ms, xt_problem *reterr_problem);
