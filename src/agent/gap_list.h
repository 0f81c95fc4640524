/*
 * agent/gap_list - holes in numbers that count up on each cpu
 *
 * Shape:     a hole is open for a while, for on older kernels a message may overtake the one before it; what then is still
 *            missing is taken as a gap.
 * Limits:    XT_GAP_CPUS cpus, XT_GAP_OPEN holes at once; the numbers of more are counted alone.
 * Threads:   one at a time.
 */
#pragma once
#include "base/slice.h"

#define XT_GAP_CPUS    1024
#define XT_GAP_OPEN    64
#define XT_GAP_WAIT_MS 1000

typedef struct xt_number_gap {
    uint32_t cpu, from, to; /* both are missing, and all between; they wrap */
    int64_t since_ms;
} xt_number_gap;

typedef struct xt_gap_list {
    uint32_t next[XT_GAP_CPUS];
    bool seen[XT_GAP_CPUS];
    xt_number_gap open[XT_GAP_OPEN];
    size_t n_open;
    uint64_t n_untold; /* missing numbers of holes that found no place */
} xt_gap_list;

void xt_gap_list_see(xt_gap_list *list, uint32_t cpu, uint32_t number, int64_t now_ms);
/* A hole that stayed open; all: however long it is open. */
bool xt_gap_list_take(xt_gap_list *list, int64_t now_ms, bool all, xt_number_gap *ret);
