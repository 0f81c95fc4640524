/* A query read and compiled, and an event asked, with every request for memory refused in turn: -ENOMEM or the answer. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../alloc_faults.h"
#include "query/query.h"

#define NOW_MS INT64_C(1795401043120)

typedef struct question {
    const char *kql;
    bool answer;
} question;

static void make_event(xt_event *event)
{
    xt_event_reset(event);
    xt_event_set_num(event, XT_F_TIME, NOW_MS - 5000);
    xt_event_set_num(event, XT_F_UID, 1001);
    xt_event_set_bytes(event, XT_F_USER, XT_S("alice"));
    xt_event_set_bytes(event, XT_F_EXE, XT_S("/usr/bin/nmap"));
    xt_event_set_bytes(event, XT_F_ARGS, XT_S("\3\4nmap\2-A\012192.0.2.10"));
}

static int ask(void *context)
{
    const question *q = context;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_filter *filter = NULL;
    xt_arena arena;
    xt_event event;
    bool answer = false;
    make_event(&event);
    xt_arena_init(&arena, 1 << 20);
    int r = xt_filter_compile(xt_slice_str(q->kql), NOW_MS, &filter, &problem);
    if (r == 0)
        r = xt_filter_event(filter, &event, &arena, &answer);
    xt_filter_free(filter);
    xt_arena_fini(&arena);
    bool was_armed = alloc_pause();
    if (r != 0 && r != -ENOMEM)
        fail_msg("%s ends with %d: %s", q->kql, r, problem.sentence);
    assert_true(r != 0 || answer == q->answer);
    alloc_resume(was_armed);
    return r;
}

static void test_queries(void **state)
{
    static const question questions[] = {
        {"user:alice and cmd:*nmap* and not host:(web-1 or web-2)", true},
        {"uid < 1000 or exe:/usr/bin/*", true},
        {"cmd:/-A\\s+[0-9.]+$/ and time > now-15m", true},
        {"user:(bob or carol or \"al\\\"ice\") or args:\"-B\"", false},
        {"nmap and 192.0.2.10 and not (key:* or ses >= 3)", true},
        {"auditd.data.a0:1 or path:*shadow*", false},
    };
    for (size_t i = 0; i < XT_COUNT_OF(questions); i++) {
        question q = questions[i];
        assert_true(alloc_fail_each(ask, &q) >= 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
