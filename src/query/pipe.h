/*
 * query/pipe - a query with stages, run on the store
 *
 * Shape:     the filter, with every `where` that can be folded into it, is answered as any query. A stats (or rare, first) that
 *            stands directly behind it works on codes of columns, part by part on all cores; other stages take rows one by
 *            one, and hold only what their meaning asks for: sort its rows (with a limit behind it the best alone), dedup
 *            and stats the distinct tuples.
 * Order:     events come newest first; rows of stats in the order of their `by` columns, absent ones last; rows of rare
 *            by count, then value; of first the latest first_seen first. sort keeps the order of rows that are the same.
 * Values:    count_distinct is exact. values() gives the first XT_PIPE_MAX_VALUES in order, and the answer's note says that there
 *            are more. A sum that passes 64 bits is absent. A field with several values counts for each of them in `by`.
 * Answer:    partial, with the reason, when groups or distinct values are more than the query may hold
 *            (query.max_memory_bytes, XT_QUERY_MAX_GROUPS), or as for any query.
 * Errors:    as query/query.h.
 * Threads:   a compiled pipe may be used by many threads at once; callbacks come from the caller's thread.
 */
#pragma once
#include "query/pipe_row.h"
#include "query/query.h"

#define XT_PIPE_MAX_VALUES 100

typedef struct xt_pipe xt_pipe;
XT_MUST_USE int xt_pipe_compile(xt_slice text, int64_t now_ms, xt_pipe **ret, xt_problem *reterr_problem);
xt_pipe *xt_pipe_free(xt_pipe *pipe); /* accepts NULL, returns NULL */
/* The events that the stages begin with; lives as long as the pipe. */
const xt_filter *xt_pipe_filter(const xt_pipe *pipe);
void xt_pipe_filter_print(const xt_pipe *pipe, xt_buf *out); /* what stands before the first stage */
size_t xt_pipe_stages(const xt_pipe *pipe);
/* Rows are events: on_event is called, else on_row. */
bool xt_pipe_gives_events(const xt_pipe *pipe);
/* What rows hold; of events what keep left, *ret_n 0: all. */
const xt_field_info *const *xt_pipe_columns(const xt_pipe *pipe, size_t *ret_n);

typedef struct xt_pipe_run {
    xt_query query;      /* its filter is that of the pipe */
    xt_field_set fields; /* stored fields that events should carry */
    uint64_t limit;      /* more rows than this: truncated; 0: all */
    /* Valid during the call. >0 ends the run, <0 ends it and is returned. */
    int (*on_event)(void *context, xt_event *event);
    int (*on_row)(void *context, const xt_cell *cells);
    void *context;
} xt_pipe_run;
XT_MUST_USE int xt_pipe_run_on(xt_store *store, const xt_pipe *pipe, const xt_pipe_run *run, xt_answer *ret,
                               xt_problem *reterr_problem);
