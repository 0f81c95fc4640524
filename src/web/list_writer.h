/*
 * web/list_writer - a list as one JSON document, NDJSON, CSV or a table, as format= says
 *
 * Shape:     begin; per item either a JSON object or its cells, whichever the format asks for (xt_list_is_json); end.
 *            table: columns as wide as their widest cell, made visible (no byte of it can move a cursor). csv: RFC 4180;
 *            cells that begin with = + - @ or a control character get a leading apostrophe (spreadsheets run them).
 * Errors:    XT_REQUEST_E_BAD from begin: no such format. Memory and the door's from end.
 * Limits:    everything is gathered before it is sent: XT_LIST_MAX_BYTES.
 */
#pragma once
#include "base/json_out.h"
#include "query/query.h"
#include "web/route.h"

#define XT_LIST_MAX_BYTES   (128u << 20)
#define XT_LIST_MAX_COLUMNS 20

typedef struct xt_list {
    enum { XT_LIST_JSON, XT_LIST_NDJSON, XT_LIST_CSV, XT_LIST_TABLE } format;
    const char *const *columns;
    size_t n_columns, column;
    size_t widths[XT_LIST_MAX_COLUMNS];
    xt_buf out; /* of a table: cells, each a block, made visible */
    xt_json json;
    const xt_answer *answer; /* for the trailer of what is no JSON document; may be NULL */
} xt_list;

/* name: the member of the JSON document that holds the items. columns: borrowed. Ended by end or fini. */
XT_MUST_USE int xt_list_begin(xt_list *list, const xt_request *request, const char *name, const char *const *columns,
                              size_t n_columns, xt_problem *reterr_problem);
static inline bool xt_list_is_json(const xt_list *list)
{
    return list->format == XT_LIST_JSON || list->format == XT_LIST_NDJSON;
}
/* Where one item's object is written; then item_done. */
xt_json *xt_list_json(xt_list *list);
void xt_list_json_done(xt_list *list);
/* One cell; the row is done when it has as many as there are columns. */
void xt_list_cell(xt_list *list, xt_slice text);
void xt_list_cell_u64(xt_list *list, uint64_t n);
void xt_list_cell_time(xt_list *list, int64_t t_ms);
/* The items are over: what else the JSON document says is written to it; NULL in other formats. */
xt_json *xt_list_rest(xt_list *list);
/* Sends it. The list is ended in any case. */
XT_MUST_USE int xt_list_end(xt_list *list, xt_response *response);
void xt_list_fini(xt_list *list);
