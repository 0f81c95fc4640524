/*
 * Items of a list are told apart one by one: lists are short, and of a long one only the first MAX_DISTINCT count.
 */
#include "query/field_values.h"

#include <errno.h>

#include "base/timestamp.h"

static bool is_there(const xt_slice *values, size_t n, xt_slice value)
{
    for (size_t i = 0; i < n; i++)
        if (xt_slice_eq(values[i], value))
            return true;
    return false;
}

/* How many items are told apart; of more, the first ones stand for all. Keeps a list of 100,000 arguments linear. */
#define MAX_DISTINCT 256

static int list_values(xt_slice entry, xt_arena *arena, xt_slice **ret, size_t *ret_n)
{
    uint64_t n_items = xt_list_count(entry);
    xt_slice *values = xt_arena_array(arena, n_items < MAX_DISTINCT ? n_items + 1 : MAX_DISTINCT, sizeof *values);
    xt_list_iter iter = xt_list_iterate(entry);
    size_t n = 0;

    if (!values)
        return xt_error_origin(-ENOMEM);
    for (xt_slice item; n < MAX_DISTINCT && xt_list_next(&iter, &item);)
        if (!is_there(values, n, item))
            values[n++] = item;
    *ret = values;
    *ret_n = n;
    return 0;
}

static int path_values(xt_slice entry, xt_arena *arena, xt_slice **ret, size_t *ret_n)
{
    xt_slice *values = xt_arena_array(arena, MAX_DISTINCT, sizeof *values);
    xt_path_iter iter = xt_paths_iterate(entry);
    size_t n = 0;

    if (!values)
        return xt_error_origin(-ENOMEM);
    for (xt_path path; n < MAX_DISTINCT && xt_paths_next(&iter, &path);)
        if (path.has_name && !is_there(values, n, path.name))
            values[n++] = path.name;
    *ret = values;
    *ret_n = n;
    return 0;
}

static int cmd_value(xt_slice entry, xt_arena *arena, xt_slice *ret)
{
    char *p = xt_arena_alloc(arena, entry.n + 1); /* a space is never more than the length it stands for */
    xt_list_iter iter = xt_list_iterate(entry);
    size_t n = 0;

    if (!p)
        return xt_error_origin(-ENOMEM);
    bool first = true;
    for (xt_slice item; xt_list_next(&iter, &item); first = false) {
        if (!first)
            p[n++] = ' ';
        if (item.n)
            memcpy(p + n, item.p, item.n);
        n += item.n;
    }
    *ret = xt_slice_of(p, n);
    return 0;
}

int xt_field_values(xt_field field, xt_slice entry, xt_arena *arena, xt_slice **ret, size_t *ret_n)
{
    xt_slice *one = NULL;
    int r = 0;

    if (field == XT_F_PATH || field == XT_F_PATHS)
        return path_values(entry, arena, ret, ret_n);
    if (field != XT_F_CMD && field != XT_F_ARGC && xt_field_find(field)->type == XT_LIST)
        return list_values(entry, arena, ret, ret_n);
    one = xt_arena_new(arena, xt_slice);
    if (!one)
        return xt_error_origin(-ENOMEM);
    if (field == XT_F_CMD)
        r = cmd_value(entry, arena, one);
    else if (field == XT_F_ARGC)
        r = xt_field_number_text(field, xt_list_count(entry), arena, one);
    else
        *one = entry.p ? entry : XT_S("");
    *ret = one;
    *ret_n = 1;
    return xt_error_trace(r);
}

xt_slice xt_field_number_write(xt_field field, uint64_t number, char *to)
{
    xt_buf out = {.p = to, .cap = 32, .max_bytes = 31};
    xt_type type = xt_field_find(field)->type;

    if (type == XT_TIME) {
        xt_timestamp_format((int64_t)number, to);
        return xt_slice_str(to);
    }
    if (type == XT_INT)
        xt_buf_put_sdec(&out, (int64_t)number);
    else
        xt_buf_put_dec(&out, number);
    return xt_buf_slice(&out);
}

int xt_field_number_text(xt_field field, uint64_t number, xt_arena *arena, xt_slice *ret)
{
    char text[32];

    *ret = xt_arena_copy(arena, xt_field_number_write(field, number, text));
    return ret->p ? 0 : xt_error_origin(-ENOMEM);
}
