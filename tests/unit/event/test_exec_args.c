#include "support.h"

#include "event/exec_args.h"

#define MAX_RECORDS 8

/* Joins EXECVE bodies and gives the arguments with `|` between, then `!` and what is missing, then `~` for a mismatch. */
static const char *join_n(size_t limit, int *ret_r, const char *const *bodies)
{
    static char text[4096];
    xt_record records[MAX_RECORDS] = {0};
    xt_group group = {.records = records};
    xt_exec_args args;
    xt_arena arena;
    for (; bodies[group.n_records]; group.n_records++)
        records[group.n_records] = (xt_record){.type = 1309, .body = xt_slice_str(bodies[group.n_records])};
    xt_arena_init(&arena, limit);
    *ret_r = xt_exec_args_join(&group, &arena, &args);
    xt_buf out = {.p = text, .cap = sizeof text, .max_bytes = sizeof text - 1};
    if (*ret_r == 0) {
        xt_list_iter iter = xt_list_iterate(args.list);
        bool is_first = true;
        for (xt_slice item; xt_list_next(&iter, &item); is_first = false) {
            if (!is_first)
                xt_buf_putc(&out, '|');
            xt_buf_put(&out, item);
        }
        assert_true(iter.left == 0 && xt_reader_done(&iter.reader));
        if (args.missing.n > 0)
            xt_buf_putc(&out, '!');
        xt_buf_put(&out, args.missing);
        if (args.has_mismatch)
            xt_buf_putc(&out, '~');
    }
    text[out.n] = '\0';
    xt_arena_fini(&arena);
    return text;
}

static const char *join_ok(const char *const *bodies)
{
    int r;
    const char *text = join_n(1 << 22, &r, bodies);
    assert_int_equal(r, 0);
    return text;
}

#define JOIN(...) join_ok((const char *const[]){__VA_ARGS__, NULL})

static void test_plain(void **state)
{
    assert_string_equal(JOIN("argc=2 a0=\"ls\" a1=\"-l\""), "ls|-l");
    assert_string_equal(JOIN("argc=2 a0=\"ls\" a1=612062"), "ls|a b");
    assert_string_equal(JOIN("argc=1 a0=\"\""), "");
    assert_string_equal(JOIN("argc=0"), "");
    assert_string_equal(JOIN("argc=3 a0=\"DEADBEEF\" a1=\"(null)\" a2=\"a0=x\""), "DEADBEEF|(null)|a0=x");
    assert_string_equal(JOIN("argc=2 a0=\"type=EXECVE\" a1=\"msg=audit(1.2:3):\""), "type=EXECVE|msg=audit(1.2:3):");
}

static void test_fragments(void **state)
{
    assert_string_equal(JOIN("argc=2 a0=\"x\" a1_len=8 a1[0]=6120 a1[1]=6263"), "x|a bc");
    assert_string_equal(JOIN("argc=1 a0_len=4 a0[0]=\"ab\"", "a0[1]=\"cd\""), "abcd");
    assert_string_equal(JOIN("argc=2 a0=\"x\" a1_len=6 a1[0]=\"ab\"", "a1[1]=\"cd\" ", "a1[2]=\"ef\""), "x|abcdef");
}

static void test_any_order(void **state)
{
    assert_string_equal(JOIN("a2=\"c\" a3=\"d\"", "argc=4 a0=\"a\" a1=\"b\""), "a|b|c|d");
    assert_string_equal(JOIN("argc=1 a0_len=6 a0[0]=\"ab\"", "a0[2]=\"ef\"", "a0[1]=\"cd\""), "abcdef");
    assert_string_equal(JOIN("a1=\"b\" a0=\"a\" argc=2"), "a|b");
}

/* Kernels that leave empty arguments out: a gap within one record. */
static void test_old_kernels(void **state)
{
    assert_string_equal(JOIN("argc=3 a0=\"a\" a2=\"c\""), "a||c");
    assert_string_equal(JOIN("argc=4 a3=\"d\""), "|||d");
    assert_string_equal(JOIN("argc=3 a0=\"a\" a1=\"b\""), "a|b!2"); /* empty or lost: nobody can tell */
}

static void test_lost_records(void **state)
{
    assert_string_equal(JOIN("argc=9 a0=\"a\"", "a3=\"d\" a4=\"e\"", "a8=\"i\""), "a|d|e|i!1-2,5-7");
    assert_string_equal(JOIN("a3=\"d\""), "d!0-2~");
    assert_string_equal(JOIN("argc=1 a0_len=6 a0[0]=\"ab\"", "a0[2]=\"ef\""), "abef!0[1]~");
    assert_string_equal(JOIN("argc=2 a0=\"x\" a1_len=8 a1[3]=\"ef\""), "x|ef!1[0-2]~");
    assert_string_equal(JOIN("argc=3 a0=\"x\""), "x!1-2");
}

static void test_mismatches(void **state)
{
    assert_string_equal(JOIN("argc=1 a0=\"a\" a1=\"b\""), "a|b~");
    assert_string_equal(JOIN("a0=\"a\""), "a~");
    assert_string_equal(JOIN("argc=1 a0_len=99 a0[0]=\"ab\""), "ab~");
    assert_string_equal(JOIN("argc=1 a0=\"ab\" a0=\"ab\""), "ab");
    assert_string_equal(JOIN("argc=1 a0=\"ab\" a0=\"cd\""), "ab~");
    assert_string_equal(JOIN("argc=1 a0=61zz"), "61zz~");
    assert_string_equal(JOIN("argc=1 a0=616"), "616~");
}

/* Numbers that ask for memory which the text does not hold. */
static void test_hostile_numbers(void **state)
{
    assert_string_equal(JOIN("argc=4294967295 a0=\"a\""), "a!1-4294967294");
    assert_string_equal(JOIN("argc=18446744073709551615 a0=\"a\""), "a~"); /* no number that argc may have */
    assert_string_equal(JOIN("argc=2 a0=\"a\" a9999999=\"b\""), "a|b!1-9999998~");
    assert_string_equal(JOIN("argc=1 a0=\"a\" a99999999999=\"b\" a=\"c\" a0[=\"d\" a0[1=\"e\" ax=\"f\""), "a");
    assert_string_equal(JOIN("argc=1 a0_len=99999999999999999999 a0[0]=\"ab\""), "ab~");
}

static void test_other_fields_are_counted(void **state)
{
    xt_record record = {.type = 1309, .body = XT_S("argc=1 a0=\"a\" b=2 a0_x=1")};
    xt_group group = {.records = &record, .n_records = 1};
    xt_exec_args args;
    xt_arena arena;
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_exec_args_join(&group, &arena, &args), 0);
    assert_int_equal(args.n_other, 2);
    assert_true(xt_exec_args_is_argument(XT_S("a12_len")));
    assert_true(xt_exec_args_is_argument(XT_S("argc")));
    assert_false(xt_exec_args_is_argument(XT_S("a12_")));
    assert_false(xt_exec_args_is_argument(XT_S("arch")));
    xt_arena_fini(&arena);
}

static void test_without_memory(void **state)
{
    const char *const bodies[] = {"argc=9 a0=\"a\" a1_len=4 a1[0]=6161", "a3=\"d\" a4=\"e\"", "a8=\"i\"", NULL};
    int r = -1;
    for (size_t limit = 1; r != 0; limit += 8) {
        const char *text = join_n(limit, &r, bodies);
        assert_true(r == -12 || (r == 0 && strcmp(text, "a|aa|d|e|i!2,5-7") == 0));
        assert_true(limit < 8192);
    }
}

/* Whole and in fragments, shuffled over records: against a plain list. */
static void test_many(void **state)
{
    enum { N = 3000 };
    xt_record records[16];
    xt_buf bodies[16] = {0}, wanted = XT_BUF_INIT;
    uint32_t random = 1;
    xt_buf_printf(&bodies[0], "argc=%d", N);
    for (int i = 0; i < N; i++) {
        random = random * 1103515245 + 12345;
        xt_buf *out = &bodies[random >> 16 & 15];
        if (random >> 20 & 1)
            xt_buf_printf(out, " a%d=\"v%d\"", i, i);
        else
            xt_buf_printf(&bodies[random >> 24 & 15], " a%d[1]=\"%d\"", i, i), xt_buf_printf(out, " a%d[0]=76", i);
        xt_buf_printf(&wanted, "v%d ", i);
    }
    for (int i = 0; i < 16; i++)
        records[i] = (xt_record){.type = 1309, .body = xt_buf_slice(&bodies[i])};
    xt_group group = {.records = records, .n_records = 16};
    xt_exec_args args;
    xt_arena arena;
    xt_buf joined = XT_BUF_INIT;
    xt_arena_init(&arena, 1 << 24);
    assert_int_equal(xt_exec_args_join(&group, &arena, &args), 0);
    assert_true(!args.has_mismatch && args.missing.n == 0);
    xt_list_join(args.list, &joined);
    xt_buf_putc(&joined, ' ');
    assert_true(xt_slice_eq(xt_buf_slice(&joined), xt_buf_slice(&wanted)));
    for (int i = 0; i < 16; i++)
        xt_buf_fini(&bodies[i]);
    xt_buf_fini(&wanted);
    xt_buf_fini(&joined);
    xt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),           cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_any_order),       cmocka_unit_test(test_old_kernels),
        cmocka_unit_test(test_lost_records),    cmocka_unit_test(test_mismatches),
        cmocka_unit_test(test_hostile_numbers), cmocka_unit_test(test_other_fields_are_counted),
        cmocka_unit_test(test_without_memory),  cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
