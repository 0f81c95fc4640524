/*
 * web/search_params - q, from, to, noise, ... of a request as a query
 *
 * Errors:    XT_REQUEST_E_BAD with a problem: that of a query has the source "query", line 1 and the column.
 */
#pragma once
#include "query/pipe.h"
#include "query/query.h"
#include "query/render.h"
#include "web/request.h"

#define XT_SEARCH_MAX_FIELDS 64

typedef struct xt_search_params {
    xt_filter *filter; /* without stages */
    xt_pipe *pipe;     /* with them */
    xt_query query;
    int64_t now_ms;
    bool has_from, has_to;
    bool folds; /* the query leaves ends of processes out: they belong on the rows of their execs (query/ends.h) */
} xt_search_params;

/* kql p NULL: the parameter q, which has no stages. What is compiled is freed by fini. */
XT_MUST_USE int xt_search_params_init(xt_search_params *params, xt_app *app, const xt_request *request, xt_slice kql,
                                      xt_problem *reterr_problem);
/* The parameter q, which may have stages: pipe is set. */
XT_MUST_USE int xt_search_params_init_pipe(xt_search_params *params, xt_app *app, const xt_request *request,
                                           xt_problem *reterr_problem);
/*
 * ends=rows|fold: fold leaves `exited` events out, unless the query asks for them or has stages; without the parameter what
 * otherwise says. The filter is another one then.
 */
XT_MUST_USE int xt_search_params_fold(xt_search_params *params, const xt_request *request, bool otherwise,
                                      xt_problem *reterr_problem);
/* Answers a search whose stages make a table: api_table.c. */
int xt_api_table(xt_app *app, xt_request *request, xt_response *response, const xt_search_params *params);
void xt_search_params_fini(xt_search_params *params);
/* fields= or by=: *ret_n 0 when it is not there. */
XT_MUST_USE int xt_search_fields(const xt_request *request, const char *name, xt_field *ret, size_t max, size_t *ret_n,
                                 xt_problem *reterr_problem);
/* The row as JSON with its cursor in exectrail.cursor. document: an object, as xt_event_json writes it. */
void xt_row_with_cursor(xt_slice document, xt_slice cursor, xt_buf *out);
