/*
 * Any text as a query: it is refused with a place in it, or its tree prints to a text that parses to the same tree,
 * and prints the same again. Accepted queries are also compiled and run on one event and on an empty one.
 */
#include <stdlib.h>

#include "event/event.h"
#include "query/query.h"

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
    xt_buf_fini(&first);
    xt_buf_fini(&second);
    xt_arena_fini(&arena);
    return 0;
}
