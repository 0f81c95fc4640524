/* An exec and its end: one row where people read, two events everywhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/web/web_fixture.h"

#include "query/ends.h"
#include "wire/batch.h"

#define T0 INT64_C(1790000000000)
#define H1 "0123456789abcdef0123456789abcdef"
#define H2 "fedcba9876543210fedcba9876543210"

static web w;

static void put_exec(xt_buf *out, const char *host, uint32_t serial, const char *word)
{
    XT_CLEANUP(xt_buf_fini) xt_buf args = XT_BUF_INIT;
    xt_slice item = xt_slice_str(word);
    xt_event event;

    xt_event_reset(&event);
    xt_list_put(&args, &item, 1);
    xt_event_set_num(&event, XT_F_TIME, (uint64_t)(T0 + serial));
    xt_event_set_num(&event, XT_F_SERIAL, serial);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(&event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(&event, XT_F_HOST, XT_S("ends"));
    xt_event_set_bytes(&event, XT_F_HOST_ID, xt_slice_str(host));
    xt_event_set_bytes(&event, XT_F_ARGS, xt_buf_slice(&args));
    xt_event_batch_put(out, &event);
}

/* host says that a process of of_host ended. */
static void put_end_of(xt_buf *out, const char *host, const char *of_host, uint32_t serial, int64_t after_ms,
                       uint64_t code)
{
    char of[33];
    xt_event event;

    xt_hash128_format(xt_event_id_of(xt_slice_str(of_host), T0 + serial, serial), of);
    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, (uint64_t)(T0 + serial + after_ms));
    xt_event_set_num(&event, XT_F_SERIAL, serial);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("exited"));
    xt_event_set_bytes(&event, XT_F_HOST, XT_S("ends"));
    xt_event_set_bytes(&event, XT_F_HOST_ID, xt_slice_str(host));
    xt_event_set_bytes(&event, XT_F_OF, xt_slice_of(of, 32));
    xt_event_set_num(&event, XT_F_EXIT_CODE, code);
    xt_event_set_num(&event, XT_F_DURATION, (uint64_t)after_ms * 1000000);
    if (code > 128)
        xt_event_set_num(&event, XT_F_SIGNAL, code - 128);
    xt_event_batch_put(out, &event);
}

static void put_exited(xt_buf *out, const char *host, uint32_t serial, int64_t after_ms, uint64_t code)
{
    put_end_of(out, host, host, serial, after_ms, code);
}

static void on_done(void *context, int outcome, uint64_t number)
{
    (void)number;
    assert_int_equal(outcome, 0);
    atomic_fetch_add((atomic_int *)context, 1);
}

static void ingest(const char *host, xt_buf *events, uint64_t n, uint8_t stream)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    xt_hash128 none = {.b = {0}};
    atomic_int done = 0;

    assert_int_equal(xt_batch_encode((xt_hash128){{stream}}, 1, n, none, xt_buf_slice(events), &payload), 0);
    assert_int_equal(xt_app_ingest(w.app, xt_slice_str(host), xt_buf_slice(&payload), on_done, &done), 0);
    for (int i = 0; i < 20000 && !atomic_load(&done); i++)
        usleep(1000);
    assert_int_equal(atomic_load(&done), 1);
    xt_buf_fini(events);
}

static int set_up(void **state)
{
    xt_buf a = XT_BUF_INIT, b = XT_BUF_INIT;

    web_open(&w);
    put_exec(&a, H1, 1, "fast");
    put_exited(&a, H1, 1, 12, 3);
    put_exec(&a, H1, 2, "killed");
    put_exited(&a, H1, 2, 7500000, 137);
    put_exec(&a, H1, 3, "running");
    put_exec(&a, H1, 4, "forgotten");
    put_exited(&a, H1, 4, 2 * XT_ENDS_MS, 5);
    put_exec(&b, H2, 1, "other"); /* of another host, with the same serial */
    put_exited(&b, H2, 1, 61000, 0);
    put_end_of(&b, H2, H1, 3, 5000, 0); /* what is not its own: that one runs on */
    ingest(H1, &a, 7, 1);
    ingest(H2, &b, 3, 2);
    return 0;
}

static int tear_down(void **state)
{
    web_close(&w);
    return 0;
}

static char *text_of(const char *target)
{
    static char text[20000];
    web_answer a = {.status = 0};

    assert_int_equal(web_ask(&w, "GET", target, NULL, &a), 200);
    snprintf(text, sizeof text, "%.*s", XT_S_ARGS(xt_buf_slice(&a.body)));
    web_answer_reset(&a);
    return text;
}

static size_t lines_of(const char *target)
{
    size_t n = 0;

    for (const char *p = text_of(target); (p = strchr(p, '\n')); p++)
        n++;
    return n;
}

/* The line of a table that ends in this command. */
static void expect_row(const char *table, const char *command, const char *ended)
{
    const char *at = strstr(table, command);
    char line[300];

    assert_non_null(at);
    const char *end = strchr(at, '\n');
    while (at > table && at[-1] != '\n')
        at--;
    snprintf(line, sizeof line, "%.*s", (int)(end - at), at);
    if (!strstr(line, ended))
        fail_msg("%s: %s", ended, line);
}

static void a_table_has_one_row_for_both(void **state)
{
    char *table = text_of("/api/v1/search?q=host:ends&format=table&limit=0");

    assert_null(strstr(table, "(exited)"));
    expect_row(table, " fast", " 3 12ms ");
    expect_row(table, " killed", " 137 2h05m ");
    expect_row(table, " other", " 0 1m01s ");
    expect_row(table, " running", "         running");
    expect_row(table, " forgotten", "         forgotten"); /* longer than is looked for */
    assert_int_equal(lines_of("/api/v1/search?q=host:ends&format=table&limit=0"), 1 + 5);
    assert_int_equal(lines_of("/api/v1/search?q=host:ends&format=table&limit=2"), 1 + 2);
    assert_int_equal(lines_of("/api/v1/search?q=host:ends%20or%20comm:nothing&format=table&limit=0"), 1 + 5);
    table = text_of("/api/v1/search?q=host:ends&format=table&limit=0&fields=cmd,code,duration");
    assert_non_null(strstr(table, "fast"));
    assert_non_null(strstr(table, "12000000"));
}

static void who_asks_for_ends_gets_them(void **state)
{
    assert_int_equal(lines_of("/api/v1/search?q=action:exited&format=table&limit=0"), 1 + 5);
    assert_int_equal(lines_of("/api/v1/search?q=host:ends%20and%20code:*&format=table&limit=0"), 1 + 5);
    assert_int_equal(lines_of("/api/v1/search?q=host:ends&format=table&limit=0&ends=rows"), 1 + 10);
    assert_int_equal(lines_of("/api/v1/search?q=host:ends&format=table&limit=0&fields=time,action"), 1 + 10);
    assert_int_equal(lines_of("/api/v1/search?q=host:ends&format=table&limit=0&noise=only"), 1 + 5);
}

/* Counting, exports and JSON say what there is. */
static void nothing_else_is_folded(void **state)
{
    assert_int_equal(lines_of("/api/v1/search?q=host:ends&format=ndjson&limit=0"), 10);
    assert_int_equal(lines_of("/api/v1/search?q=host:ends&format=csv&limit=0"), 1 + 10);
    assert_string_equal(text_of("/api/v1/search?q=host:ends&count=1&format=table"), "10\n");
    json_t *answer = web_get(&w, "/api/v1/search?q=host:ends");
    assert_int_equal(json_array_size(json_object_get(answer, "rows")), 10);
    json_decref(answer);
}

static void json_folds_when_asked(void **state)
{
    json_t *answer = web_get(&w, "/api/v1/search?q=host:ends%20and%20cmd:killed&ends=fold"), *row;
    assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
    row = json_array_get(json_object_get(answer, "rows"), 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "process"), "exit_code")), 137);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "event"), "duration")),
                     INT64_C(7500000) * 1000000);
    json_decref(answer);
    answer = web_get(&w, "/api/v1/search?q=host:ends&ends=fold&limit=3");
    assert_int_equal(json_array_size(json_object_get(answer, "rows")), 3);
    assert_true(json_is_string(json_object_get(answer, "next")));
    json_decref(answer);
    web_answer a = {.status = 0};
    assert_int_equal(web_ask(&w, "GET", "/api/v1/search?ends=nonsense", NULL, &a), 400);
    web_answer_reset(&a);
}

static void one_event_has_its_end(void **state)
{
    char id[33], target[100];

    xt_hash128_format(xt_event_id_of(XT_S(H1), T0 + 1, 1), id);
    snprintf(target, sizeof target, "/api/v1/events/%s", id);
    json_t *event = web_get(&w, target);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(event, "process"), "exit_code")), 3);
    json_decref(event);
    xt_hash128_format(xt_event_id_of(XT_S(H1), T0 + 3, 3), id);
    snprintf(target, sizeof target, "/api/v1/events/%s", id);
    event = web_get(&w, target);
    assert_null(json_object_get(json_object_get(event, "process"), "exit_code"));
    json_decref(event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_has_one_row_for_both), cmocka_unit_test(who_asks_for_ends_gets_them),
        cmocka_unit_test(nothing_else_is_folded),       cmocka_unit_test(json_folds_when_asked),
        cmocka_unit_test(one_event_has_its_end),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
