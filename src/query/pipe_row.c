#include "query/pipe_row.h"

#include "base/timestamp.h"
#include "query/kql_term.h"
#include "query/term.h"

bool xt_cell_is_number(const xt_field_info *column)
{
    return column->type == XT_UINT || column->type == XT_INT || column->type == XT_TIME;
}

/* What a list is sorted by. */
static bool first_item(const xt_cell *cell, xt_slice *ret)
{
    xt_list_iter iter = xt_list_iterate(cell->text);

    return cell->has && xt_list_next(&iter, ret);
}

int xt_cell_cmp(const xt_field_info *column, bool descending, const xt_cell *a, const xt_cell *b)
{
    bool has_a = a->has, has_b = b->has;
    xt_slice x = a->text, y = b->text;
    int r;

    if (column->type == XT_LIST) {
        has_a = first_item(a, &x);
        has_b = first_item(b, &y);
    }
    if (!has_a || !has_b)
        return has_b - has_a;
    if (xt_cell_is_number(column)) {
        uint64_t p = xt_term_key(column->type, a->number), q = xt_term_key(column->type, b->number);
        r = (p > q) - (p < q);
    } else {
        r = xt_slice_cmp(x, y);
    }
    return descending ? -r : r;
}

void xt_cell_key(const xt_field_info *column, const xt_cell *cell, xt_buf *out)
{
    xt_buf_put_u8(out, cell->has);
    if (cell->has && xt_cell_is_number(column))
        xt_buf_put_u64(out, cell->number);
    else if (cell->has)
        xt_buf_put_block(out, cell->text);
}

void xt_cell_put(const xt_field_info *column, const xt_cell *cell, xt_buf *out)
{
    char time[25];

    if (!cell->has)
        return;
    if (column->flags & XT_COLUMN_REAL) {
        xt_real_put(out, xt_real_decode(cell->number));
    } else if (column->type == XT_TIME) {
        xt_timestamp_format((int64_t)cell->number, time);
        xt_buf_puts(out, time);
    } else if (column->type == XT_INT) {
        xt_buf_put_sdec(out, (int64_t)cell->number);
    } else if (column->type == XT_UINT) {
        xt_buf_put_dec(out, cell->number);
    } else {
        xt_buf_put(out, cell->text);
    }
}

xt_cell xt_cell_of_event(const xt_event *event, const xt_field_info *column)
{
    xt_cell cell = {.has = xt_event_has(event, column->id)};

    if (cell.has && xt_cell_is_number(column))
        cell.number = event->values[column->id].num;
    else if (cell.has)
        cell.text = event->values[column->id].bytes;
    return cell;
}
