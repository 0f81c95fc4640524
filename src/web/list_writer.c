#include "web/list_writer.h"

#include <assert.h>

#include "base/timestamp.h"
#include "base/utf8.h"
#include "web/request.h"
#include "web/respond.h"

static int find_format(xt_list *list, const xt_request *request, xt_problem *reterr_problem)
{
    static const char *const names[] = {"json", "ndjson", "csv", "table"};
    xt_slice wanted = xt_request_get(request, "format");
    for (unsigned i = 0; i < XT_COUNT_OF(names); i++)
        if (wanted.n == 0 || xt_slice_eq_nocase(wanted, xt_slice_str(names[i]))) {
            list->format = i;
            return 0;
        }
    xt_problem_source(reterr_problem, "format");
    xt_problem_set(reterr_problem, "there is no format of this name for a list");
    xt_problem_excerpt(reterr_problem, wanted);
    xt_problem_hint(reterr_problem, "json, ndjson, csv or table");
    return XT_REQUEST_E_BAD;
}

int xt_list_begin(xt_list *list, const xt_request *request, const char *name, const char *const *columns,
                  size_t n_columns, xt_problem *reterr_problem)
{
    assert(n_columns <= XT_LIST_MAX_COLUMNS);
    *list = (xt_list){.columns = columns, .n_columns = n_columns};
    list->out.max_bytes = XT_LIST_MAX_BYTES;
    int r = find_format(list, request, reterr_problem);
    if (r != 0)
        return r;
    list->json = xt_json_to(&list->out);
    if (list->format == XT_LIST_JSON) {
        xt_json_object_begin(&list->json);
        xt_json_key(&list->json, xt_slice_str(name));
        xt_json_array_begin(&list->json);
    }
    for (size_t i = 0; i < n_columns && !xt_list_is_json(list); i++)
        xt_list_cell(list, xt_slice_str(columns[i]));
    return 0;
}

xt_json *xt_list_json(xt_list *list)
{
    if (list->format == XT_LIST_NDJSON)
        list->json = xt_json_to(&list->out);
    xt_json_object_begin(&list->json);
    return &list->json;
}

void xt_list_json_done(xt_list *list)
{
    xt_json_object_end(&list->json);
    if (list->format == XT_LIST_NDJSON)
        xt_buf_putc(&list->out, '\n');
}

static size_t width_of(xt_slice text)
{
    size_t n = 0;
    for (size_t i = 0; i < text.n; i++)
        n += ((uint8_t)text.p[i] & 0xc0) != 0x80;
    return n;
}

static void put_table_cell(xt_list *list, xt_slice text)
{
    XT_CLEANUP(xt_buf_fini) xt_buf visible = XT_BUF_INIT;
    xt_text_visible(&visible, text);
    size_t width = width_of(xt_buf_slice(&visible));
    if (width > list->widths[list->column])
        list->widths[list->column] = width;
    list->out.failed |= visible.failed;
    xt_buf_put_block(&list->out, xt_buf_slice(&visible));
}

static void put_csv_cell(xt_buf *out, xt_slice text)
{
    bool danger = text.n > 0 && (strchr("=+-@", text.p[0]) || (uint8_t)text.p[0] < 0x20);
    bool quote = false;
    for (size_t i = 0; i < text.n; i++)
        quote |= text.p[i] == '"' || text.p[i] == ',' || text.p[i] == '\n' || text.p[i] == '\r';
    if (quote)
        xt_buf_putc(out, '"');
    if (danger)
        xt_buf_putc(out, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            xt_buf_putc(out, '"');
        xt_buf_putc(out, text.p[i]);
    }
    if (quote)
        xt_buf_putc(out, '"');
}

void xt_list_cell(xt_list *list, xt_slice text)
{
    if (list->format == XT_LIST_TABLE)
        put_table_cell(list, text);
    else
        put_csv_cell(&list->out, text);
    bool last = ++list->column == list->n_columns;
    if (last)
        list->column = 0;
    if (list->format == XT_LIST_CSV)
        xt_buf_puts(&list->out, last ? "\r\n" : ",");
}

void xt_list_cell_u64(xt_list *list, uint64_t n)
{
    char text[24];
    xt_buf buf = XT_BUF_ON(text);
    xt_buf_put_dec(&buf, n);
    xt_list_cell(list, xt_buf_slice(&buf));
}

void xt_list_cell_time(xt_list *list, int64_t t_ms)
{
    char text[25];
    xt_timestamp_format(t_ms, text);
    xt_list_cell(list, t_ms ? xt_slice_str(text) : list->format == XT_LIST_CSV ? XT_S("") : XT_S("-"));
}

xt_json *xt_list_rest(xt_list *list)
{
    if (list->format != XT_LIST_JSON)
        return NULL;
    if (list->json.depth == 2)
        xt_json_array_end(&list->json);
    return &list->json;
}

/* The cells gathered become lines. */
static void lay_out(xt_list *list, xt_buf *out)
{
    xt_reader reader = xt_reader_of(xt_buf_slice(&list->out));
    while (xt_reader_left(&reader) > 0) {
        for (size_t i = 0; i < list->n_columns; i++) {
            xt_slice cell = xt_reader_block(&reader);
            xt_buf_put(out, cell);
            bool last = i + 1 == list->n_columns;
            for (size_t pad = width_of(cell); !last && pad < list->widths[i] + 2; pad++)
                xt_buf_putc(out, ' ');
        }
        xt_buf_putc(out, '\n');
    }
}

int xt_list_end(xt_list *list, xt_response *response)
{
    static const char *const types[] = {"application/json", "application/x-ndjson", "text/csv; charset=utf-8",
                                        "text/plain; charset=utf-8"};
    XT_CLEANUP(xt_buf_fini) xt_buf laid_out = XT_BUF_INIT;
    laid_out.max_bytes = XT_LIST_MAX_BYTES;
    if (xt_list_rest(list)) {
        xt_json_object_end(&list->json);
        xt_buf_putc(&list->out, '\n');
    }
    if (list->format == XT_LIST_TABLE) {
        lay_out(list, &laid_out);
        laid_out.failed |= list->out.failed;
    }
    const xt_buf *body = list->format == XT_LIST_TABLE ? &laid_out : &list->out;
    int r = list->answer && list->format != XT_LIST_JSON
                ? xt_respond_answer(response, types[list->format], body, list->answer)
                : xt_respond_text(response, types[list->format], body);
    xt_list_fini(list);
    return r;
}

void xt_list_fini(xt_list *list)
{
    xt_buf_fini(&list->out);
}
