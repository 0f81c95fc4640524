/*
 * A cursor carries the whole key, so that it needs nothing of the store that made it, and goes on rightly when events
 * arrived, were sealed or retired in between.
 */
#include "query/row_order.h"

#include <errno.h>

#include "base/base64.h"

#define CURSOR_VERSION   2
#define CURSOR_MAX_BYTES 4096
#define HOST_ID_BYTES    255

enum { FLAG_REVERSE = 1, FLAG_TIE = 2 };

static int cmp_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int cmp_sort(const xt_row_order *order, const xt_row_key *a, const xt_row_key *b)
{
    if (a->has_sort != b->has_sort)
        return a->has_sort ? -1 : 1;
    int r = cmp_u64(b->sort_number, a->sort_number);
    if (!r)
        r = xt_slice_cmp(b->sort_text, a->sort_text);
    return order->reverse ? -r : r;
}

int xt_row_key_cmp_untied(const xt_row_order *order, const xt_row_key *a, const xt_row_key *b)
{
    int r = order->sort_field ? cmp_sort(order, a, b) : 0;

    if (r)
        return r;
    r = a->time_ms == b->time_ms ? 0 : a->time_ms > b->time_ms ? -1 : 1;
    if (!r)
        r = xt_slice_cmp(a->host_id, b->host_id);
    if (!r)
        r = cmp_u64(b->serial, a->serial);
    return order->reverse ? -r : r;
}

int xt_row_key_cmp(const xt_row_order *order, const xt_row_key *a, const xt_row_key *b)
{
    int r = xt_row_key_cmp_untied(order, a, b);

    if (r || !a->has_tie || !b->has_tie)
        return r;
    return order->reverse ? cmp_u64(b->tie, a->tie) : cmp_u64(a->tie, b->tie);
}

void xt_row_cursor_put(const xt_row_order *order, const xt_row_key *key, xt_buf *out)
{
    char bytes[1024];
    xt_buf raw = XT_BUF_ON(bytes);

    xt_buf_put_u8(&raw, CURSOR_VERSION);
    xt_buf_put_u8(&raw, (uint8_t)((order->reverse ? FLAG_REVERSE : 0) | (key->has_tie ? FLAG_TIE : 0)));
    xt_buf_put_varint(&raw, order->sort_field);
    xt_buf_put_zigzag(&raw, key->time_ms);
    xt_buf_put_varint(&raw, key->serial);
    xt_buf_put_block(&raw, xt_slice_head(key->host_id, HOST_ID_BYTES));
    xt_buf_put_varint(&raw, key->n_same);
    if (key->has_tie)
        xt_buf_put_u64(&raw, key->tie);
    if (order->sort_field) {
        xt_buf_put_u8(&raw, key->has_sort);
        xt_buf_put_varint(&raw, key->sort_number);
        xt_buf_put_block(&raw, key->sort_text);
    }
    xt_buf_put_u32(&raw, (uint32_t)xt_slice_hash(xt_buf_slice(&raw)));
    xt_base64_put(out, xt_buf_slice(&raw));
}

static bool decode(const xt_row_order *order, xt_slice bytes, xt_row_key *ret)
{
    xt_row_key key = {0};

    if (bytes.n < 4)
        return false;
    xt_slice body = xt_slice_head(bytes, bytes.n - 4);
    xt_reader check = xt_reader_of(xt_slice_skip(bytes, body.n)), reader = xt_reader_of(body);
    if (xt_reader_u32(&check) != (uint32_t)xt_slice_hash(body))
        return false;
    if (xt_reader_u8(&reader) != CURSOR_VERSION)
        return false;
    uint8_t flags = xt_reader_u8(&reader);
    key.has_tie = flags & FLAG_TIE;
    if ((flags & ~FLAG_TIE) != (order->reverse ? FLAG_REVERSE : 0) || xt_reader_varint(&reader) != order->sort_field)
        return false;
    key.time_ms = xt_reader_zigzag(&reader);
    key.serial = xt_reader_varint(&reader);
    key.host_id = xt_reader_block(&reader);
    key.n_same = xt_reader_varint(&reader);
    if (key.has_tie)
        key.tie = xt_reader_u64(&reader);
    if (order->sort_field) {
        key.has_sort = xt_reader_u8(&reader) != 0;
        key.sort_number = xt_reader_varint(&reader);
        key.sort_text = xt_reader_block(&reader);
    }
    *ret = key;
    return key.host_id.n <= HOST_ID_BYTES && key.sort_text.n <= XT_ROW_SORT_BYTES && xt_reader_done(&reader);
}

int xt_row_cursor_parse(const xt_row_order *order, xt_slice cursor, xt_arena *arena, xt_row_key *ret,
                        xt_problem *reterr_problem)
{
    xt_buf raw = {.max_bytes = CURSOR_MAX_BYTES};
    bool good = cursor.n <= CURSOR_MAX_BYTES && xt_base64_get(&raw, cursor);
    xt_slice bytes = good ? xt_arena_copy(arena, xt_buf_slice(&raw)) : XT_S_NULL;
    bool failed = raw.failed || (good && !bytes.p);

    xt_buf_fini(&raw);
    if (failed)
        return xt_error_origin(-ENOMEM);
    if (good && decode(order, bytes, ret))
        return 0;
    xt_problem_set(reterr_problem, "this is no cursor of such a query");
    xt_problem_hint(reterr_problem, "pass on what the answer before gave, with the same order, or none to begin anew");
    xt_problem_excerpt(reterr_problem, cursor);
    return XT_QUERY_E_BAD_CURSOR;
}
