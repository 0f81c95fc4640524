/*
 * base/clock - where the time comes from, so that a test can inject it
 *
 * Units:     wall_ms: milliseconds since 1970 UTC; mono_ms: milliseconds that never go back.
 * Threads:   a clock is shared and read only.
 */
#pragma once
#include <stdint.h>

typedef struct xt_clock {
    int64_t (*wall_ms)(const struct xt_clock *clock);
    int64_t (*mono_ms)(const struct xt_clock *clock);
    void *context;
} xt_clock;

extern const xt_clock xt_clock_system;

static inline int64_t xt_clock_wall_ms(const xt_clock *clock)
{
    return clock->wall_ms(clock);
}
static inline int64_t xt_clock_mono_ms(const xt_clock *clock)
{
    return clock->mono_ms(clock);
}
