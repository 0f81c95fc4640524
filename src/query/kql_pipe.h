/*
 * query/kql_pipe - a query and the stages behind it: text to tree and back
 *
 * Shape:     KQL | stage | stage ...   Names and meaning of the stages are those of ES|QL where it has them, so that
 *            either back end can run them.
 *              stats [name =] f(field), ... [by field | [name =] bin(time, 1h), ...]
 *                    count() count_distinct() min() max() sum() avg() values()
 *              sort column [asc | desc], ...      limit N      keep column, ...      where KQL      dedup column, ...
 *              rare field, ...     stats count() by field, ... | sort count(), field, ...
 *              first field         per value when it was first seen in all that is stored, newest first
 *            A column is a row of the schema, or computed: then its id is XT_F_INVALID and its name stands alone. Rows are
 *            events until stats, rare or first make others.
 * Errors:    XT_KQL_E_SYNTAX with column, sentence and hint. -ENOMEM.
 * Ownership: all of it lives in the arena.
 * Limits:    XT_PIPE_MAX_*; a tuple of `by` has XT_PIPE_MAX_BY fields.
 * Format:    xt_kql_pipe_print gives text that parses to the same tree.
 * Source:    Elastic's ES|QL reference: STATS, SORT, LIMIT, KEEP, WHERE, BUCKET. Absent values sort last here, both ways
 *            (NULLS LAST there).
 */
#pragma once
#include "query/kql.h"

#define XT_PIPE_MAX_STAGES  16
#define XT_PIPE_MAX_BY      4
#define XT_PIPE_MAX_STATS   12
#define XT_PIPE_MAX_COLUMNS 16 /* of sort, keep and dedup, and of what stats makes */

typedef enum xt_stage_kind {
    XT_STAGE_STATS,
    XT_STAGE_SORT,
    XT_STAGE_LIMIT,
    XT_STAGE_KEEP,
    XT_STAGE_WHERE,
    XT_STAGE_DEDUP,
    XT_STAGE_RARE,
    XT_STAGE_FIRST,
} xt_stage_kind;

typedef enum xt_stat {
    XT_STAT_COUNT,
    XT_STAT_COUNT_DISTINCT,
    XT_STAT_MIN,
    XT_STAT_MAX,
    XT_STAT_SUM,
    XT_STAT_AVG,
    XT_STAT_VALUES,
} xt_stat;

/* A column that a stage names. */
typedef struct xt_stage_key {
    const xt_field_info *of;     /* in the rows that come in */
    int64_t bin_ms;              /* by: 0 as it is */
    bool descending;             /* sort */
    const xt_field_info *column; /* in the rows that go out: `of` unless it is binned */
} xt_stage_key;

typedef struct xt_stage_stat {
    xt_stat stat;
    const xt_field_info *of; /* NULL: count() */
    const xt_field_info *column;
} xt_stage_stat;

typedef struct xt_stage {
    xt_stage_kind kind;
    uint32_t column_at; /* where it began, from 1 */
    xt_stage_key *keys; /* by, sort, keep, dedup, rare, first */
    size_t n_keys;
    xt_stage_stat *stats; /* rare and first: what they count */
    size_t n_stats;
    uint64_t limit;
    xt_kql_node *where;
    bool gives_events;                   /* the rows behind it are still events */
    const xt_field_info *const *columns; /* behind it: first those of `by`; NULL: all fields of events */
    size_t n_columns;
} xt_stage;

typedef struct xt_kql_pipe {
    xt_kql_node *filter;
    xt_stage *stages;
    size_t n_stages;
} xt_kql_pipe;

XT_MUST_USE int xt_kql_pipe_parse(xt_slice text, int64_t now_ms, xt_arena *arena, xt_kql_pipe **ret,
                                  xt_problem *reterr_problem);
bool xt_kql_pipe_equal(const xt_kql_pipe *a, const xt_kql_pipe *b);
void xt_kql_pipe_print(const xt_kql_pipe *pipe, xt_buf *out);
void xt_stage_print(const xt_stage *stage, xt_buf *out);
/* How a column is called: the short name. */
const char *xt_column_name(const xt_field_info *column);
bool xt_column_same(const xt_field_info *a, const xt_field_info *b); /* accepts NULL */
/* A number of any kind: what sum and avg take. */
bool xt_column_is_number(const xt_field_info *column);
/* A duration as the language has it: 1h. */
void xt_duration_put(xt_buf *out, int64_t duration_ms);
