/*
 * Every field of a line of audit text is interpreted as that of its record, of many types of the same hundred, and as
 * an argument. What is said is neither the value itself nor nothing; where nothing is said nothing is appended; and a
 * buffer without room is not overrun.
 */
#include <stdlib.h>

#include "audit/interpret.h"
#include "audit/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static xt_slice name_of(void *context, uint32_t id)
{
    return id % 2 ? XT_S("alice") : XT_S_NULL;
}

static void interpret(const xt_interpret_context *context, const xt_audit_field *field)
{
    char little[8];
    xt_buf out = XT_BUF_INIT, tight = XT_BUF_ON(little);
    xt_buf_puts(&out, "+");
    bool says = xt_interpret(context, field->name, field->value, &out);
    require(out.p[0] == '+' && says == (out.n > 1));
    require(!says || !xt_slice_eq(xt_slice_of(out.p + 1, out.n - 1), field->value));
    (void)xt_interpret(context, field->name, field->value, &tight);
    require(tight.n < sizeof little);
    xt_buf_fini(&out);
}

static void interpret_all(xt_interpret_context *context, xt_slice body)
{
    xt_audit_field field;
    uint64_t number;
    while (xt_audit_field_next(&body, &field)) {
        interpret(context, &field);
        if (xt_slice_eq(field.name, XT_S("call")))
            context->syscall = field.value;
        if (xt_slice_eq(field.name, XT_S("arch")) && xt_slice_parse_hex(field.value, &number))
            context->arch = (uint32_t)number;
        if (field.name.n == 2 && field.name.p[0] == 'a' && xt_slice_parse_hex(field.value, &number)) {
            xt_buf out = XT_BUF_INIT;
            unsigned index = (unsigned char)field.name.p[1] - '0';
            if (index < 4)
                context->args[index] = number;
            (void)xt_interpret_argument(context, index, number, &out);
            xt_buf_fini(&out);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const xt_name_source names = {.user = name_of, .group = name_of};
    xt_record record;
    xt_problem problem = XT_PROBLEM_INIT;
    if (n > 4096 || xt_record_parse_line(xt_slice_of(data, n), &record, &problem) != 0)
        return 0;
    for (unsigned i = 0; i < 100; i += i < 40 ? 1 : 11) {
        xt_interpret_context context = {.record_type = (uint16_t)(record.type / 100 * 100 + i), .names = &names};
        context.called = i;
        interpret_all(&context, record.body);
    }
    return 0;
}
