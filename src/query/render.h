/*
 * query/render - rows as a table, NDJSON, CSV or audit text
 *
 * Shape:     begin, rows, end; the page's download, the API and the command line print through this.
 *            table: columns time, host, login>user, tty, ses, cwd, exit, ended (code and duration of the process, where
 *            they are known), command (or the fields asked for), made
 *            visible (no byte of it can move a cursor). csv: RFC 4180, header line, one column a field; cells that
 *            begin with = + - @ get a leading apostrophe (spreadsheets run them). ndjson: the ECS document, or a
 *            flat object with --fields. raw: audit.log text (event/render_raw.h).
 */
#pragma once
#include "event/event_json.h"

enum {
    XT_RENDER_E_FIELD = 1, /* a name that is no field, or too many: the problem has the column */
};

typedef enum xt_format { XT_FORMAT_TABLE, XT_FORMAT_NDJSON, XT_FORMAT_CSV, XT_FORMAT_RAW } xt_format;
bool xt_format_by_name(xt_slice name, xt_format *ret);

typedef struct xt_render {
    xt_format format;
    const xt_field *fields; /* NULL: the format's own */
    size_t n_fields;
    xt_buf *out; /* the caller empties it as it likes */
} xt_render;
void xt_render_begin(xt_render *render);
XT_MUST_USE int xt_render_row(xt_render *render, xt_event *event, xt_arena *arena);
/* Stored fields that rows must carry for this rendering. */
xt_field_set xt_render_fields(const xt_render *render);
/* Comma-separated field names or aliases -> ids; XT_RENDER_E_FIELD. */
XT_MUST_USE int xt_fields_parse(xt_slice list, xt_field *ret, size_t max, size_t *ret_n, xt_problem *reterr_problem);
