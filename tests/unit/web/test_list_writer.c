#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/list_writer.h"
#include "web/request.h"

static xt_buf sent;
static int sent_status;

static int on_begin(xt_response *response, int status, const char *content_type, const char *extra)
{
    (void)content_type;
    (void)extra;
    response->begun = true;
    sent_status = status;
    xt_buf_reset(&sent);
    return 0;
}

static int on_write(xt_response *response, xt_slice bytes)
{
    (void)response;
    xt_buf_put(&sent, bytes);
    return 0;
}

static int on_end(xt_response *response, xt_slice summary)
{
    (void)response;
    (void)summary;
    return 0;
}

static void write_list(const char *format)
{
    static const char *const columns[] = {"name", "text"};
    static const char *const rows[][2] = {{"a", "=1+1"},
                                          {"longer", "x,\"y\"\nz"},
                                          {"\x1b[2J", "\xe2\x80\xae"
                                                      "bidi"},
                                          {"-", "@x"}};
    const xt_param query[] = {{XT_S("format"), xt_slice_str(format)}, {.name = XT_S_NULL}};
    const xt_request request = {.query = query};
    xt_response response = {.begin = on_begin, .write = on_write, .end = on_end};
    xt_list list;
    assert_int_equal(xt_list_begin(&list, &request, "things", columns, 2, NULL), 0);
    for (size_t i = 0; i < XT_COUNT_OF(rows); i++) {
        if (xt_list_is_json(&list)) {
            xt_json_field_string(xt_list_json(&list), "name", xt_slice_str(rows[i][0]));
            xt_list_json_done(&list);
            continue;
        }
        xt_list_cell(&list, xt_slice_str(rows[i][0]));
        xt_list_cell(&list, xt_slice_str(rows[i][1]));
    }
    xt_json *json = xt_list_rest(&list);
    if (json)
        xt_json_field_u64(json, "n", 4);
    assert_int_equal(xt_list_end(&list, &response), 0);
    assert_int_equal(sent_status, 200);
}

#define assert_sent(z) assert_true(xt_slice_eq(xt_buf_slice(&sent), xt_slice_str(z)))

static void test_formats(void **state)
{
    (void)state;
    write_list("json");
    assert_sent(
        "{\"things\":[{\"name\":\"a\"},{\"name\":\"longer\"},{\"name\":\"\\u001b[2J\"},{\"name\":\"-\"}],\"n\":4}\n");
    write_list("ndjson");
    assert_sent("{\"name\":\"a\"}\n{\"name\":\"longer\"}\n{\"name\":\"\\u001b[2J\"}\n{\"name\":\"-\"}\n");
    write_list("csv");
    assert_sent("name,text\r\na,'=1+1\r\nlonger,\"x,\"\"y\"\"\nz\"\r\n'\x1b[2J,\xe2\x80\xae"
                "bidi\r\n'-,'@x\r\n");
    write_list("table");
    assert_sent("name     text\na        =1+1\nlonger   x,\"y\"\\x0az\n\\x1b[2J  \\u{202e}bidi\n-        @x\n");
    xt_buf_fini(&sent);
}

static void test_unknown_format(void **state)
{
    const xt_param query[] = {{XT_S("format"), XT_S("raw")}, {.name = XT_S_NULL}};
    const xt_request request = {.query = query};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    (void)state;
    assert_int_equal(xt_list_begin(&list, &request, "things", NULL, 0, &problem), XT_REQUEST_E_BAD);
    assert_string_equal(problem.excerpt, "raw");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_unknown_format),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
