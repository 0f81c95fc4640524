/* A line of text through parser, iterator and values; every slice must lie inside the line. */
#include <stdint.h>
#include <stdlib.h>

#include "audit/record.h"
#include "audit/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool lies_in(xt_slice outer, xt_slice inner)
{
    return inner.n == 0 || (inner.p >= outer.p && inner.p + inner.n <= outer.p + outer.n);
}

/* Fields come in order, and each takes at least a byte. */
static void walk(xt_arena *arena, uint16_t type, xt_slice body, unsigned depth)
{
    xt_slice rest = body, text;
    xt_audit_field field;
    bool is_null;
    for (size_t before = rest.n + 1; xt_audit_field_next(&rest, &field); before = rest.n) {
        require(rest.n < before && lies_in(body, field.name) && lies_in(body, field.value) && lies_in(body, rest));
        (void)xt_value_is_string_field(type, field.name);
        uint32_t id;
        uint64_t number;
        if (xt_value_u64(field.value, &number))
            require(xt_value_id(field.value, &id) == (number <= UINT32_MAX));
        if (xt_value_text(arena, &field, &text, &is_null) == 0)
            require(text.n == field.value.n || text.n * 2 == field.value.n || is_null);
        if (depth < 2 && (field.quoting == XT_SINGLE || field.quoting == XT_BRACED))
            walk(arena, type, field.value, depth + 1);
    }
    require(rest.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_slice line = xt_slice_of(data, n);
    xt_record record;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_record_parse_line(line, &record, &problem);
    require(r >= 0 && (r == XT_RECORD_E_CORRUPT) == xt_problem_is_set(&problem));
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    if (r == 0) {
        require(lies_in(line, record.node) && lies_in(line, record.body) && lies_in(line, record.enriched));
        walk(&arena, record.type, record.body, 0);
        walk(&arena, record.type, record.enriched, 0);
    }
    walk(&arena, 1300, line, 0);
    xt_arena_fini(&arena);
    return 0;
}
