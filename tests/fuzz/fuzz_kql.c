/*
 * Any text as a query: it is refused with a place in it, or its tree prints to a text that parses to the same tree,
 * and prints the same again. Accepted queries are also compiled and run on one event and on an empty one. The same with
 * stages, and with the text behind a table's `where`; and any text as a cursor.
 */
#include <stdlib.h>

#include "event/event.h"
#include "query/kql_pipe.h"
#include "query/pipe.h"
#include "query/row_order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define NOW_MS INT64_C(1795401043120)
#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

static void run_filter(xt_slice query, xt_arena *arena)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter;
    int r = xt_filter_compile(query, NOW_MS, &filter, &problem);

    CHECK(r == 0 || (r == XT_KQL_E_SYNTAX && problem.column > 0 && problem.sentence[0]));
    if (r)
        return;
    xt_event event = {.present = {{0, 0}}};
    bool yes;
    CHECK(xt_filter_event(filter, &event, arena, &yes) == 0);
    static const char args[] = "\x03\x02nc\x02-e\x07/bin/sh";
    xt_event_set_bytes(&event, XT_F_ARGS, xt_slice_of(args, sizeof args - 1));
    xt_event_set_bytes(&event, XT_F_USER, XT_S("alice"));
    xt_event_set_num(&event, XT_F_UID, 1000);
    xt_event_set_num(&event, XT_F_TIME, NOW_MS);
    CHECK(xt_filter_event(filter, &event, arena, &yes) == 0);
    xt_filter_free(filter);
}

static void check_pipe(xt_slice query, xt_arena *arena)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_kql_pipe *tree, *again;
    xt_buf first = XT_BUF_INIT, second = XT_BUF_INIT;
    xt_pipe *pipe;
    int r = xt_kql_pipe_parse(query, NOW_MS, arena, &tree, &problem);

    if (r == 0) {
        xt_kql_pipe_print(tree, &first);
        r = xt_kql_pipe_parse(xt_buf_slice(&first), NOW_MS, arena, &again, &problem);
        CHECK(first.n > XT_KQL_MAX_BYTES || r == 0);
        if (r == 0) {
            CHECK(xt_kql_pipe_equal(tree, again));
            xt_kql_pipe_print(again, &second);
            CHECK(xt_slice_eq(xt_buf_slice(&first), xt_buf_slice(&second)));
        }
        r = xt_pipe_compile(query, NOW_MS, &pipe, &problem);
        CHECK(r == 0 || (r == XT_KQL_E_SYNTAX && problem.column > 0 && problem.sentence[0]));
        if (r == 0)
            xt_pipe_free(pipe);
    } else {
        CHECK(r == XT_KQL_E_SYNTAX && problem.column > 0 && problem.sentence[0]);
    }
    xt_buf_fini(&first);
    xt_buf_fini(&second);
}

static void check_stages(xt_slice text, xt_arena *arena)
{
    xt_buf query = XT_BUF_INIT;

    check_pipe(text, arena);
    xt_buf_puts(&query, "* | stats n = count(), avg(uid), values(user) by key, bin(time, 1h) | where ");
    xt_buf_put(&query, text);
    check_pipe(xt_buf_slice(&query), arena);
    xt_buf_fini(&query);
}

static void check_cursor(xt_slice text, xt_arena *arena)
{
    static const xt_row_order orders[] = {{XT_F_INVALID, false}, {XT_F_USER, true}};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_row_key key;

    for (size_t i = 0; i < XT_COUNT_OF(orders); i++) {
        int r = xt_row_cursor_parse(&orders[i], text, arena, &key, &problem);
        CHECK(r == 0 || (r == XT_QUERY_E_BAD_CURSOR && problem.sentence[0]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_slice query = xt_slice_of(data, n);
    xt_kql_node *tree, *again;
    xt_buf first = XT_BUF_INIT, second = XT_BUF_INIT;
    xt_arena arena;

    xt_arena_init(&arena, 64 << 20);
    int r = xt_kql_parse(query, NOW_MS, &arena, &tree, &problem);
    if (r == 0) {
        xt_kql_print(tree, &first);
        r = xt_kql_parse(xt_buf_slice(&first), NOW_MS, &arena, &again, &problem);
        CHECK(first.n > XT_KQL_MAX_BYTES || r == 0);
        if (r == 0) {
            CHECK(xt_kql_equal(tree, again));
            xt_kql_print(again, &second);
            CHECK(xt_slice_eq(xt_buf_slice(&first), xt_buf_slice(&second)));
        }
        run_filter(query, &arena);
    } else {
        CHECK(r == XT_KQL_E_SYNTAX && problem.column > 0 && problem.sentence[0]);
    }
    check_stages(query, &arena);
    check_cursor(query, &arena);
    xt_buf_fini(&first);
    xt_buf_fini(&second);
    xt_arena_fini(&arena);
    return 0;
}
