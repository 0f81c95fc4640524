/*
 * query/stage - stages that take rows one by one
 *
 * Shape:     a chain: whoever has a row pushes it into the next stage, and finishes that one when there are no more. A row is its
 *            cells, and while rows are events the event. The last of the chain gives rows to the caller.
 * Errors:    XT_STAGE_E_ENOUGH from push: no more rows are needed. <0 as usual.
 * Ownership: a row is valid during the push.
 * Threads:   one.
 */
#pragma once
#include "query/pipe.h"

enum {
    XT_STAGE_E_ENOUGH = 10,
};

typedef struct xt_stage_row {
    const xt_cell *cells;
    xt_event *event; /* NULL: of a table */
} xt_stage_row;

/* What the stages of a run share. */
typedef struct xt_stage_shared {
    size_t n_bytes, max_bytes; /* of rows and values held */
    const char *reason;        /* why the answer is partial */
    uint64_t n_cut_values;
    xt_field_set event_fields; /* stored fields of events that are kept for later */
} xt_stage_shared;

typedef struct xt_stage_op xt_stage_op;
struct xt_stage_op {
    const xt_stage *stage;
    xt_stage_shared *shared;
    xt_stage_op *next;
    const xt_field_info *const *columns; /* of the rows that come in */
    size_t n_columns;
    bool of_events;
    int (*push)(xt_stage_op *op, const xt_stage_row *row);
    int (*finish)(xt_stage_op *op); /* gives what was held; does not finish the next */
    void (*fini)(xt_stage_op *op);
    void *state;
    uint64_t n_in, n_out;
};

/* Sets push, finish, fini and state for the stage. */
XT_MUST_USE int xt_stage_where_init(xt_stage_op *op, xt_problem *reterr_problem);
XT_MUST_USE int xt_stage_limit_init(xt_stage_op *op);
XT_MUST_USE int xt_stage_keep_init(xt_stage_op *op);
XT_MUST_USE int xt_stage_dedup_init(xt_stage_op *op);
XT_MUST_USE int xt_stage_sort_init(xt_stage_op *op);
XT_MUST_USE int xt_stage_stats_init(xt_stage_op *op);

/* A row into a stage, counted. */
XT_MUST_USE int xt_stage_push(xt_stage_op *op, const xt_stage_row *row);
/* Place of a column in the rows that come in. */
size_t xt_stage_column(const xt_stage_op *op, const xt_field_info *column);
/* Takes n more bytes of the budget; false, with a reason: it is used up. */
bool xt_stage_charge(xt_stage_shared *shared, size_t n_bytes);
/* Rows that stats, rare or first made, in their order, into the next stage. cells: sorted by the call. */
XT_MUST_USE int xt_stage_give(const xt_stage *stage, xt_cell *cells, size_t n, xt_stage_op *next);
