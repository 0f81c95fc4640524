/*
 * server/pace - so many at once, and then one each so many ms
 *
 * Shape:     a moment that runs after the clock: each that is taken puts it forward by every_ms, and it is never further behind than
 *            at_once of them. Zero: nothing was taken yet.
 * Units:     ms of any clock; one that was set back begins anew.
 * Threads:   one at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct xt_pace {
    int64_t used_ms;
} xt_pace;

static inline bool xt_pace_take(xt_pace *pace, unsigned at_once, unsigned every_ms, int64_t now_ms)
{
    int64_t from_ms = now_ms - (int64_t)at_once * every_ms;

    if (pace->used_ms > from_ms && pace->used_ms <= now_ms)
        from_ms = pace->used_ms;
    if (from_ms + every_ms > now_ms)
        return false;
    pace->used_ms = from_ms + every_ms;
    return true;
}
