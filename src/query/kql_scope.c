/*
 * Names of computed columns hold parentheses and spaces: they are compared without the spaces, so that
 * bin(time,1h) is bin(time, 1h).
 */
#include <stdio.h>
#include <stdlib.h>

#include "query/kql_pipe.h"
#include "query/kql_term.h"

const char *xt_column_name(const xt_field_info *column)
{
    return column->alias[0] ? column->alias : column->name;
}

bool xt_column_same(const xt_field_info *a, const xt_field_info *b)
{
    if (!a || !b || a->id != b->id)
        return a == b;
    return a->id != XT_F_INVALID ||
           (a->type == b->type && xt_slice_eq_nocase(xt_slice_str(a->name), xt_slice_str(b->name)));
}

bool xt_column_is_number(const xt_field_info *column)
{
    return column->type == XT_UINT || column->type == XT_INT;
}

/* Bytes of `text` from pos on that are the name, spaces aside; 0: it is another. */
static size_t name_bytes(xt_slice name, xt_slice text, size_t pos)
{
    size_t i = 0, at = pos;

    for (; i < name.n; i++) {
        if (name.p[i] == ' ')
            continue;
        while (at > pos && at < text.n && text.p[at] == ' ')
            at++;
        if (at == text.n || !xt_slice_eq_nocase(xt_slice_head(xt_slice_skip(text, at), 1), xt_slice_of(name.p + i, 1)))
            return 0;
        at++;
    }
    return at - pos;
}

const xt_field_info *xt_kql_scope_find(const xt_kql_scope *scope, xt_slice name)
{
    const xt_field_info *field = xt_field_by_name(name), *found = NULL;
    unsigned n_found = 0;

    for (size_t i = 0; i < scope->n; i++) {
        const xt_field_info *column = scope->columns[i];
        if ((field && column->id == field->id) ||
            (column->id == XT_F_INVALID && name.n > 0 && name_bytes(xt_slice_str(column->name), name, 0) == name.n))
            return column;
    }
    for (size_t i = 0; i < scope->n; i++) {
        xt_slice column = xt_slice_str(scope->columns[i]->name);
        if (column.n > name.n && name.n > 0 && column.p[name.n] == '(' && xt_slice_starts_nocase(column, name)) {
            found = scope->columns[i];
            n_found++;
        }
    }
    return n_found == 1 ? found : NULL;
}

size_t xt_kql_scope_match(const xt_kql_scope *scope, xt_slice text, size_t pos)
{
    size_t best = 0;

    for (size_t i = 0; i < scope->n; i++) {
        xt_slice name = xt_slice_str(scope->columns[i]->name);
        size_t n = scope->columns[i]->id == XT_F_INVALID ? name_bytes(name, text, pos) : 0;
        if (n > best && xt_slice_find_byte(name, '(') >= 0)
            best = n;
    }
    return best;
}

int xt_kql_fault_column(const xt_kql_context *context, const xt_kql_scope *scope, size_t at, size_t n)
{
    const char *names[XT_PIPE_MAX_COLUMNS];
    char all[200] = "";
    xt_buf list = XT_BUF_ON(all);
    int r = xt_kql_fault(context, at, n, "there is no column of this name at this stage");

    for (size_t i = 0; i < scope->n && i < XT_PIPE_MAX_COLUMNS; i++) {
        names[i] = xt_column_name(scope->columns[i]);
        xt_buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    }
    const char *near = xt_name_nearest(xt_slice_head(xt_slice_skip(context->text, at), n), names, scope->n);
    if (near)
        xt_problem_hint(context->problem, "did you mean %s?", near);
    else
        xt_problem_hint(context->problem, "there are: %.*s", XT_S_ARGS(xt_buf_slice(&list)));
    return r;
}

/* ------------------------------------------------------------------------------------------------ reals */

uint64_t xt_real_encode(double value)
{
    uint64_t bits;

    value += 0.0; /* there is one zero */
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? bits ^ INT64_MAX : bits;
}

double xt_real_decode(uint64_t number)
{
    uint64_t bits = number >> 63 ? number ^ INT64_MAX : number;
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

void xt_real_put(xt_buf *out, double value)
{
    char text[32];

    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    xt_buf_puts(out, text);
}

bool xt_real_parse(xt_slice text, double *ret)
{
    char copy[64], *end;

    if (text.n == 0 || text.n >= sizeof copy || !strchr("-0123456789.", text.p[0]))
        return false;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == '\0' || !strchr("0123456789.eE+-", text.p[i]))
            return false;
    memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    double value = strtod(copy, &end);
    if (*end || value - value != 0)
        return false;
    *ret = value;
    return true;
}
