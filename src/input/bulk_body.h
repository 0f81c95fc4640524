/*
 * input/bulk_body - the body of Elasticsearch's _bulk: what to do and, on the next line, the document
 *
 * Errors:    XT_BULK_E_END; XT_BULK_E_MALFORMED with a problem that names the line: nothing behind it can be told apart any more.
 * Ownership: index and id are in the arena, the document is cut from the body.
 * Limits:    a line that says what to do has at most XT_BULK_MAX_ACTION bytes.
 * Source:    Elasticsearch's reference of the Bulk API; RFC 1952.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/problem.h"

#define XT_BULK_MAX_ACTION 4096

enum {
    XT_BULK_E_END = 1,
    XT_BULK_E_MALFORMED = 2,
};

typedef struct xt_bulk_reader {
    xt_slice rest;
    uint64_t line_number; /* of the last line that was read */
} xt_bulk_reader;

typedef struct xt_bulk_item {
    const char *action;   /* "create", "index", "update", "delete" */
    xt_slice index, id;   /* p NULL: not given */
    xt_slice document;    /* p NULL: of a delete */
    uint64_t line_number; /* of the document, or of what to do */
} xt_bulk_item;

XT_MUST_USE int xt_bulk_next(xt_bulk_reader *reader, xt_arena *arena, xt_bulk_item *ret, xt_problem *reterr_problem);
/*
 * gzip of one member or several, and nothing else, appended to out, of which max_bytes is the limit. XT_BULK_E_MALFORMED;
 * XT_BULK_E_END: it has more than max_bytes.
 */
XT_MUST_USE int xt_bulk_gunzip(xt_slice packed, size_t max_bytes, xt_buf *out, xt_problem *reterr_problem);
