/* query/pipe_private - a compiled pipe, for compile and run */
#pragma once
#include "query/kql_pipe.h"
#include "query/pipe.h"

struct xt_pipe {
    xt_arena arena;
    xt_kql_pipe *tree;
    xt_filter *filter; /* with the `where` that stand before anything that could tell them from it */
    xt_filter *all;    /* of `first`: everything that is stored */
    size_t source;     /* the stage that is answered on codes; n_stages: none, rows come as events */
    bool gives_events;
    const xt_field_info *const *columns;
    size_t n_columns;
    const xt_field_info **cells; /* of events: what stages look at */
    size_t n_cells;
};
