/*
 * query/query - running a query on the store
 *
 * Shape:     a compiled filter answers on column blocks with a bitmap of rows (a pattern is matched once per distinct
 *            dictionary value). On top: newest-first rows with a cursor, counts by fields, histograms.
 * Order:     (time descending, host id ascending, serial descending, a hash of the row's content): total but for rows
 *            that are the same in all fields, of which a cursor knows how many were given. Nothing of it changes when
 *            events are sealed, merged or read back.
 * Answer:    every answer says whether it is whole: partial (a budget or a cancel ended it), truncated (limit reached,
 *            more would match), skipped (damaged segments, named).
 * Errors:    XT_KQL_E_SYNTAX (kql.h) at compile. XT_QUERY_E_CANCELLED when *cancel became true. <0 memory or I/O.
 * Threads:   a compiled filter may be used by many threads at once. A run works on n_threads threads; callbacks come from
 *            the caller's alone.
 */
#pragma once
#include <stdatomic.h>

#include "query/kql.h"
#include "store/store.h"

enum {
    XT_QUERY_E_CANCELLED = 2,
    XT_QUERY_E_BAD_CURSOR = 3,
};

typedef struct xt_filter xt_filter;
XT_MUST_USE int xt_filter_compile(xt_slice kql, int64_t now_ms, xt_filter **ret, xt_problem *reterr_problem);
xt_filter *xt_filter_free(xt_filter *filter); /* accepts NULL, returns NULL */
xt_field_set xt_filter_fields(const xt_filter *filter);
/* One event alone (noise, tests): the same answer as on a block. */
XT_MUST_USE int xt_filter_event(const xt_filter *filter, const xt_event *event, xt_arena *arena, bool *ret);

typedef enum xt_noise { XT_NOISE_SHOW, XT_NOISE_HIDE, XT_NOISE_ONLY } xt_noise;

typedef struct xt_query {
    const xt_filter *filter;
    int64_t from_ms, to_ms;    /* inclusive */
    xt_noise noise;            /* HIDE keeps noise that raised an alert */
    const atomic_bool *cancel; /* may be NULL */
    unsigned n_threads;        /* at most; 0: as many as there are cores */
    int64_t max_ms;            /* of work: then the answer is partial; 0: no limit */
    size_t max_memory_bytes;   /* of groups and values held; 0: XT_QUERY_MEMORY_BYTES; then the answer is partial */
    bool explain;              /* the answer says so again, for who prints it */
} xt_query;

/* What was done for one term of the filter: its dictionaries. */
#define XT_QUERY_EXPLAINED_TERMS 12
typedef struct xt_query_term {
    char text[80];                            /* cut */
    uint64_t n_chunks_read, n_chunks_skipped; /* of dictionaries; skipped: their filter told */
    uint64_t n_values_looked_at, n_values_matched;
} xt_query_term;

/* What a stage did (query/pipe.h): rows that came in and went out. */
#define XT_QUERY_EXPLAINED_STAGES 16
typedef struct xt_query_stage {
    char text[80]; /* cut */
    uint64_t n_in, n_out;
} xt_query_stage;

/* What a query did: `explain`. Skipped parts are counted once, by the first reason. */
typedef struct xt_query_cost {
    uint64_t n_parts;          /* row groups and open views in the range of time and arrival */
    uint64_t n_skipped_range;  /* by times of the rows wanted and ranges of numbers */
    uint64_t n_skipped_values; /* by their distinct values (and the filters of dictionaries) */
    uint64_t n_read;           /* parts whose rows were looked at */
    uint64_t n_rows_read;
    uint64_t n_chunks_read, n_bytes_read;                      /* of columns; of files */
    int64_t plan_us, values_us, filter_us, work_us, finish_us; /* of all threads together */
    unsigned n_threads, n_terms;
    xt_query_term terms[XT_QUERY_EXPLAINED_TERMS]; /* in the order in which they are asked */
    unsigned n_stages;
    xt_query_stage stages[XT_QUERY_EXPLAINED_STAGES];
} xt_query_cost;

typedef struct xt_answer {
    uint64_t
        n_matched; /* rows that matched and were counted (all of them unless partial or truncated); of rows: given */
    uint64_t n_hidden; /* matched, but hidden as noise (of rows: met on the way, counts and histograms know all) */
    bool partial, truncated, explain;
    const char *reason;    /* of partial, a sentence; NULL when it is not */
    uint64_t n_cut_values; /* of stages: cells of values() that hold the first values alone */
    xt_scan_info scan;
    xt_query_cost cost;
    int64_t took_us;
} xt_answer;

/* Rows, newest first. */
typedef struct xt_query_rows {
    xt_query query;
    xt_field_set fields;     /* stored fields the rows should carry */
    uint64_t limit;          /* 0: all, in bounded memory */
    size_t max_memory_bytes; /* of events held at once, 0: 64 MiB; what does not fit is looked for in another pass */
    bool oldest_first;       /* reverse order (with sort_field: smallest first) */
    xt_field sort_field; /* XT_F_INVALID: by time; else greatest first, texts by their first 256 bytes, lists by their
                                first item, absent ones last */
    xt_slice after;      /* cursor of a row given earlier, empty: from the start */
    uint64_t after_arrival; /* live tail: only rows that arrived later */
    /* event: bytes valid during the call. cursor: pass as `after` to go on behind this row. >0 ends the
     * run, which is then truncated; <0 ends it and is returned. */
    int (*on_row)(void *context, xt_event *event, xt_slice cursor);
    void *context;
} xt_query_rows;
XT_MUST_USE int xt_query_rows_run(xt_store *store, const xt_query_rows *rows, xt_answer *ret,
                                  xt_problem *reterr_problem);

XT_MUST_USE int xt_query_count(xt_store *store, const xt_query *query, xt_answer *ret, xt_problem *reterr_problem);

#define XT_QUERY_MEMORY_BYTES ((size_t)256 << 20)

#define XT_QUERY_MAX_BY 4
typedef struct xt_query_key {
    xt_field field;
    int64_t bin_ms; /* TIME: rounded down to a multiple of this; 0: as it is */
} xt_query_key;
#define XT_QUERY_MAX_GROUPS (1u << 20) /* more distinct tuples than this: partial */
typedef struct xt_query_group {
    xt_slice values[XT_QUERY_MAX_BY]; /* as text; p NULL: absent */
    uint64_t count;
} xt_query_group;
/* Counts per distinct tuple of `by`, greatest first (ties by value), at most limit (0: all). Result in the arena. */
XT_MUST_USE int xt_query_by(xt_store *store, const xt_query *query, const xt_query_key *by, size_t n_by, uint64_t limit,
                            xt_arena *arena, xt_query_group **ret, size_t *ret_n, xt_answer *ret_answer,
                            xt_problem *reterr_problem);

typedef struct xt_query_bucket {
    uint64_t count, n_alerts; /* n_alerts: those with rule.id */
} xt_query_bucket;
/* n buckets of interval_ms from from_ms on; buckets: caller's, zeroed by the call. */
XT_MUST_USE int xt_query_histogram(xt_store *store, const xt_query *query, int64_t interval_ms,
                                   xt_query_bucket *buckets, size_t n, xt_answer *ret, xt_problem *reterr_problem);
