/*
 * How it works: the length of a tick is the resolution of the coarse clock. Why these numbers: decision 031.
 */
#include "agent/protect.h"

#include <time.h>
#include <unistd.h>

#define MIB             ((size_t)1 << 20)
#define GIB             ((uint64_t)1 << 30)
#define BACKLOG         32768 /* records that kauditd has not sent yet: two seconds of a host that does nothing but execs */
#define BACKLOG_SMALL   8192
#define SMALL_BYTES     (2 * GIB)
#define RECORD_WAIT_MS  1000 /* for each record */
#define TICKS_OTHERWISE 250

const char *xt_protect_name(xt_protect protect)
{
    return protect == XT_PROTECT_RECORD ? "record" : "host";
}

static size_t share(uint64_t memory_bytes, unsigned part, size_t least, size_t most)
{
    uint64_t n = memory_bytes / part;
    return n < least ? least : n > most ? most : (size_t)n;
}

xt_protect_limits xt_protect_limits_of(xt_protect protect, uint64_t memory_bytes, uint32_t ticks_per_second)
{
    bool is_record = protect == XT_PROTECT_RECORD;
    return (xt_protect_limits){
        .backlog_limit = memory_bytes < SMALL_BYTES ? BACKLOG_SMALL : BACKLOG,
        .wait_ticks = is_record ? (uint32_t)((uint64_t)ticks_per_second * RECORD_WAIT_MS / 1000) : 0,
        .audit_bytes =
            is_record ? share(memory_bytes, 32, 8 * MIB, 256 * MIB) : share(memory_bytes, 128, 8 * MIB, 32 * MIB),
        .connector_bytes = share(memory_bytes, 64, 8 * MIB, 64 * MIB),
    };
}

xt_protect_limits xt_protect_limits_get(xt_protect protect)
{
    struct timespec tick;
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t memory_bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : GIB;
    uint32_t ticks = TICKS_OTHERWISE;
    if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0 && tick.tv_sec == 0 && tick.tv_nsec > 0)
        ticks = (uint32_t)(1000000000L / tick.tv_nsec);
    return xt_protect_limits_of(protect, memory_bytes, ticks);
}
