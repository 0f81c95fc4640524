#include "input/bulk_body.h"

#include <zlib.h>

#include "cmocka_head.h"

static xt_arena arena;

static void assert_next(xt_bulk_reader *reader, const char *action, const char *index, const char *id,
                        const char *document)
{
    xt_bulk_item item;
    assert_int_equal(xt_bulk_next(reader, &arena, &item, NULL), 0);
    assert_string_equal(item.action, action);
    assert_true(index ? xt_slice_eq(item.index, xt_slice_str(index)) : !item.index.p);
    assert_true(id ? xt_slice_eq(item.id, xt_slice_str(id)) : !item.id.p);
    assert_true(document ? xt_slice_eq(item.document, xt_slice_str(document)) : !item.document.p);
}

static void test_items(void **state)
{
    xt_bulk_reader reader = {
        .rest = XT_S("{\"create\":{\"_index\":\"a\",\"_id\":\"1\",\"pipeline\":\"p\"}}\n{\"x\":1}\n\r\n"
                     "{\"index\":{}}\r\n{\"y\":2}\r\n{\"delete\":{\"_id\":\"3\"}}\n{\"update\":{\"_id\":\"4\"}}\n{}")};
    xt_bulk_item item;
    (void)state;
    assert_next(&reader, "create", "a", "1", "{\"x\":1}");
    assert_next(&reader, "index", NULL, NULL, "{\"y\":2}");
    assert_next(&reader, "delete", NULL, "3", NULL);
    assert_next(&reader, "update", NULL, "4", "{}");
    assert_int_equal(xt_bulk_next(&reader, &arena, &item, NULL), XT_BULK_E_END);
}

static void test_what_is_malformed_is_named(void **state)
{
    static const char *const bodies[] = {"{}\n{}\n",
                                         "[]\n",
                                         "x\n",
                                         "{\"create\":{}}\n",
                                         "{\"create\":1}\n{}\n",
                                         "{\"create\":{},\"index\":{}}\n{}\n",
                                         "{\"drop\":{}}\n{}\n"};
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(bodies); i++) {
        xt_bulk_reader reader = {.rest = xt_slice_str(bodies[i])};
        xt_problem problem = XT_PROBLEM_INIT;
        xt_bulk_item item;
        assert_int_equal(xt_bulk_next(&reader, &arena, &item, &problem), XT_BULK_E_MALFORMED);
        assert_in_range(problem.line, 1, 2);
    }
}

static void test_gzip(void **state)
{
    unsigned char text[5000], packed[6000];
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    z_stream z = {.next_in = text, .avail_in = sizeof text, .next_out = packed, .avail_out = sizeof packed};
    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * i % 251);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t n = sizeof packed - z.avail_out;
    deflateEnd(&z);
    assert_int_equal(xt_bulk_gunzip(xt_slice_of(packed, n), sizeof text, &out, NULL), 0);
    assert_int_equal(out.n, sizeof text);
    assert_memory_equal(out.p, text, sizeof text);
    xt_buf_reset(&out);
    assert_int_equal(xt_bulk_gunzip(xt_slice_of(packed, n), sizeof text - 1, &out, NULL), XT_BULK_E_END);
    for (size_t cut = 0; cut < n; cut += 97) {
        xt_buf_reset(&out);
        assert_int_equal(xt_bulk_gunzip(xt_slice_of(packed, cut), sizeof text, &out, NULL), XT_BULK_E_MALFORMED);
    }
}

static void gzip_put(xt_buf *out, xt_slice text)
{
    unsigned char packed[1000];
    z_stream z = {.next_out = packed, .avail_out = sizeof packed};
    XT_CLEANUP(xt_buf_fini) xt_buf copy = XT_BUF_INIT;
    xt_buf_put(&copy, text);
    z.next_in = (unsigned char *)copy.p;
    z.avail_in = (unsigned)copy.n;
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    xt_buf_put(out, xt_slice_of(packed, sizeof packed - z.avail_out));
    deflateEnd(&z);
}

/* RFC 1952 2.2: a file is members one behind the other, some maybe empty. What is none of them is not passed over. */
static void test_gzip_of_members(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf packed = XT_BUF_INIT, out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    (void)state;
    gzip_put(&packed, XT_S("one\n"));
    gzip_put(&packed, XT_S(""));
    size_t n_two = packed.n;
    gzip_put(&packed, XT_S("three\n"));
    assert_int_equal(xt_bulk_gunzip(xt_buf_slice(&packed), 10, &out, &problem), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("one\nthree\n")));
    xt_buf_reset(&out);
    assert_int_equal(xt_bulk_gunzip(xt_buf_slice(&packed), 9, &out, &problem), XT_BULK_E_END);
    for (size_t n = n_two + 1; n < packed.n; n++) {
        xt_buf_reset(&out);
        assert_int_equal(xt_bulk_gunzip(xt_slice_of(packed.p, n), 10, &out, &problem), XT_BULK_E_MALFORMED);
    }
    const xt_slice rubbish[] = {XT_S("\0"), XT_S("\n"), XT_S("{\"create\":{}}"), {"\x1f\x8b", 2}};
    for (size_t i = 0; i < XT_COUNT_OF(rubbish); i++) {
        size_t whole = packed.n;
        xt_buf_put(&packed, rubbish[i]);
        xt_buf_reset(&out);
        problem = XT_PROBLEM_INIT;
        assert_int_equal(xt_bulk_gunzip(xt_buf_slice(&packed), 100, &out, &problem), XT_BULK_E_MALFORMED);
        assert_non_null(strstr(problem.sentence, i < 3 ? "byte" : "ends"));
        packed.n = whole;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_items), cmocka_unit_test(test_what_is_malformed_is_named),
                                       cmocka_unit_test(test_gzip), cmocka_unit_test(test_gzip_of_members)};
    xt_arena_init(&arena, 1 << 20);
    int r = cmocka_run_group_tests(tests, NULL, NULL);
    xt_arena_fini(&arena);
    return r;
}
