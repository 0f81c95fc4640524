/*
 * Any text as a cursor, and any bytes as what a cursor holds, with the checksum that it would have: it is refused with a
 * problem, or it is a place that is written again as itself, and that no row stands before and behind at once.
 */
#include <assert.h>
#include <xxhash.h>

#include "base/base64.h"
#include "query/row_order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void cursor_check(const xt_row_order *order, xt_slice cursor, xt_arena *arena)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_row_key key, again;

    xt_arena_reset(arena);
    int r = xt_row_cursor_parse(order, cursor, arena, &key, &problem);
    assert(r == 0 || r == XT_QUERY_E_BAD_CURSOR || r < 0);
    assert(r == 0 || r < 0 || xt_problem_is_set(&problem));
    if (r != 0)
        return;
    xt_row_cursor_put(order, &key, &text);
    assert(xt_buf_done(&text) == 0);
    r = xt_row_cursor_parse(order, xt_buf_slice(&text), arena, &again, &problem);
    assert(r == 0 && again.n_same == key.n_same && again.has_tie == key.has_tie);
    assert(xt_row_key_cmp(order, &key, &again) == 0);
    xt_row_key row = {.time_ms = 1700000000000,
                      .serial = 5,
                      .host_id = XT_S("h"),
                      .has_sort = true,
                      .sort_number = 7,
                      .sort_text = XT_S("alice")};
    int there = xt_row_key_cmp_untied(order, &key, &row), back = xt_row_key_cmp_untied(order, &row, &key);
    assert((there > 0) == (back < 0) && (there < 0) == (back > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const xt_field fields[] = {XT_F_INVALID, XT_F_USER, XT_F_PID, XT_F_TIME, XT_F_ARGS};
    XT_CLEANUP(xt_buf_fini) xt_buf body = XT_BUF_INIT, text = XT_BUF_INIT;
    xt_slice bytes = xt_slice_of((const char *)data, n);
    xt_arena arena;

    xt_arena_init(&arena, (size_t)1 << 20);
    xt_buf_put(&body, bytes);
    xt_buf_put_u32(&body, (uint32_t)XXH3_64bits(data, n));
    xt_base64_put(&text, xt_buf_slice(&body));
    for (size_t i = 0; i < 2 * XT_COUNT_OF(fields); i++) {
        xt_row_order order = {.sort_field = fields[i / 2], .reverse = i % 2};
        cursor_check(&order, bytes, &arena);
        cursor_check(&order, xt_buf_slice(&text), &arena);
    }
    xt_arena_fini(&arena);
    return 0;
}
