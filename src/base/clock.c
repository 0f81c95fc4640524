/* Both clocks are read through the vDSO: no system call. */
#include "base/clock.h"

#include <time.h>

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_wall_ms(const xt_clock *clock)
{
    return read_ms(CLOCK_REALTIME);
}

static int64_t system_mono_ms(const xt_clock *clock)
{
    return read_ms(CLOCK_MONOTONIC);
}

const xt_clock xt_clock_system = {.wall_ms = system_wall_ms, .mono_ms = system_mono_ms};
