/*
 * query/follow - what arrived since a position, for who keeps that position: nothing is left out, whatever the store does meanwhile
 *
 * Shape:     a run gives the rows that match from a position on and moves it behind them. While rows are not sealed they come in the order of
 *            arrival, one by one. What was sealed before it was asked for comes segment by segment in the order of
 *            arrival, and in a segment in its own order (host, time, serial).
 * Position:  survives sealing, merging, retention, erasing and restarts. A row is given again where a segment was rewritten
 *            while it was under way, or merged across the position (xt_store_fence_set prevents that); never is one left out that is there.
 * Gaps:      arrival numbers have no holes, so rows that are gone when their turn comes (retired, erased, damaged) are counted: n_gone.
 * Errors:    <0 errno, or what on_row returned.
 * Threads:   one a run; callbacks come from the caller's.
 */
#pragma once
#include "query/query.h"

typedef struct xt_follow_position {
    uint64_t arrival; /* all that arrived up to here was passed */
    /* Segments under way: those that end at or before `upto` (0: there are none), in ascending order of their ids. */
    uint64_t upto;
    uint64_t base;    /* `arrival` when they were begun with */
    uint64_t n_seen;  /* rows passed since */
    uint64_t segment; /* those with a lesser id are done */
    uint64_t row;     /* of this one the rows before this: group * XT_STORE_GROUP_ROWS + row of the group */
    uint64_t n_gone;  /* rows that were not there any more when their turn came */
} xt_follow_position;

typedef struct xt_follow {
    const xt_filter *filter;
    xt_field_set fields;       /* stored fields that rows should carry */
    const atomic_bool *cancel; /* ends the run soon; may be NULL */
    int64_t max_ms;            /* so does the time; 0: no limit */
    /* event: bytes valid during the call. after: the position behind this row. >0 ends the run, <0 too and is returned. */
    int (*on_row)(void *context, xt_event *event, const xt_follow_position *after);
    void *context;
} xt_follow;

/* *ret_last: the newest arrival number in the store when the run began; all is given when position->arrival has reached it. */
XT_MUST_USE int xt_follow_run(xt_store *store, const xt_follow *follow, xt_follow_position *position,
                              uint64_t *ret_last, xt_problem *reterr_problem);
/* Where a forward that begins now begins. */
xt_follow_position xt_follow_now(xt_store *store);
/* What is not to be merged for the sake of a position: the arguments of xt_store_fence_set. */
void xt_follow_fence(const xt_follow_position *oldest, const xt_follow_position *newest, uint64_t *ret_lo,
                     uint64_t *ret_hi);
