/*
 * The first byte says what the rest is: arguments with NUL between them, a title, keys, a line that is no record, or a
 * table of rules. Arguments keep their number, every mark points at what stands for a secret, and what has no mark is
 * as it was.
 */
#include <assert.h>
#include <linux/audit.h>
#include <stdlib.h>

#include "event/secret_redact.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static xt_secret_rules *rules;

static xt_slice argument(xt_slice list, uint64_t number)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice item = XT_S_NULL;
    do
        assert(xt_list_next(&iter, &item));
    while (number-- > 0);
    return item;
}

/* args[N]:OFFSET:RULE */
static void check_mark(const xt_event *event, xt_slice mark)
{
    xt_slice where, offset;
    uint64_t number, at;
    assert(xt_slice_cut(&mark, ':', &where) && xt_slice_cut(&mark, ':', &offset) && mark.n > 0);
    if (!xt_slice_starts(where, XT_S("args[")))
        return;
    assert(xt_slice_parse_u64(xt_slice_of(where.p + 5, where.n - 6), &number) && xt_slice_parse_u64(offset, &at));
    xt_slice arg = argument(xt_event_bytes(event, XT_F_ARGS), number);
    assert(at < arg.n && xt_slice_starts(xt_slice_skip(arg, at), XT_S("[redacted]")));
}

static void put_list(xt_buf *out, xt_slice text)
{
    xt_buf items = XT_BUF_INIT;
    xt_slice item;
    uint64_t n = 0;
    for (; xt_slice_cut(&text, '\0', &item); n++)
        xt_buf_put_block(&items, item);
    xt_buf_put_varint(out, n);
    xt_buf_put(out, xt_buf_slice(&items));
    xt_buf_fini(&items);
}

static void put_record(xt_buf *out, uint64_t type, xt_slice name, xt_slice value)
{
    xt_buf_put_varint(out, 1);
    xt_buf_put_varint(out, type);
    xt_buf_put_varint(out, 1);
    xt_buf_put_block(out, name);
    xt_buf_put_u8(out, XT_REC_HEX);
    xt_buf_put_block(out, value);
}

/* Every value that was taken out stood in what was given, and has a mark. */
static void check_values(const xt_event *event, xt_secret_values *values, xt_slice before)
{
    uint64_t n_marks = xt_list_count(xt_event_bytes(event, XT_F_REDACTIONS));
    xt_reader reader = xt_reader_of(xt_buf_slice(&values->entries));
    for (size_t i = 0; i < values->n; i++) {
        uint64_t index = xt_reader_varint(&reader);
        xt_slice value = xt_reader_block(&reader);
        assert(index > 0 && index <= n_marks && value.n > 0 && xt_slice_find(before, value) >= 0);
    }
    assert(xt_reader_done(&reader) && (values->n > 0) == (n_marks > 0));
    xt_secret_values_fini(values);
}

static void redact(uint8_t kind, xt_slice text, xt_arena *arena)
{
    xt_event event;
    xt_buf bytes = XT_BUF_INIT, out = XT_BUF_INIT;
    xt_field field = kind == 0 ? XT_F_ARGS : kind == 3 ? XT_F_ORIGINAL : XT_F_RECORDS;
    if (kind == 0)
        put_list(&bytes, text);
    else if (kind == 3)
        xt_buf_put(&bytes, text);
    else
        put_record(&bytes, kind == 1 ? AUDIT_PROCTITLE : AUDIT_TTY, kind == 1 ? XT_S("proctitle") : XT_S("data"), text);
    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, 1);
    xt_event_set_bytes(&event, field, xt_buf_slice(&bytes));
    if (kind == 2)
        xt_event_set_bytes(&event, XT_F_CODE, XT_S("TTY"));
    xt_secret_values values = {.n = 0};
    assert(xt_secret_redact(rules, &event, &values, arena) == 0);
    check_values(&event, &values, xt_buf_slice(&bytes));
    xt_event_encode(&event, &out);
    assert(xt_event_decode(xt_buf_slice(&out), &event, NULL) == 0);
    if (!xt_event_has(&event, XT_F_REDACTIONS))
        assert(xt_slice_eq(xt_event_bytes(&event, field), xt_buf_slice(&bytes)));
    if (kind == 0)
        assert(xt_list_count(xt_event_bytes(&event, field)) == xt_list_count(xt_buf_slice(&bytes)));
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(&event, XT_F_REDACTIONS));
    for (xt_slice mark; xt_list_next(&iter, &mark);)
        check_mark(&event, mark);
    xt_buf_fini(&bytes);
    xt_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_arena arena;
    if (!rules && xt_secret_rules_builtin(&rules) != 0)
        abort();
    if (n < 2)
        return 0;
    xt_slice text = xt_slice_of(data + 1, n - 1);
    if (data[0] % 5 == 4) {
        xt_secret_rules *parsed = NULL;
        if (xt_secret_rules_parse(text, "fuzz", &parsed, NULL) == 0)
            xt_secret_rules_unref(parsed);
        return 0;
    }
    xt_arena_init(&arena, 64 << 20);
    redact(data[0] % 5, text, &arena);
    xt_arena_fini(&arena);
    return 0;
}
