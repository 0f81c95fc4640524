/*
 * tests/unit/event/cases - what the tests of docs/audit-cases.md share: records as text, events asked by field
 */
#pragma once
#include "support.h"

#define AT(stamp) "msg=audit(" stamp "): "
#define TASK(pid) "ppid=1 pid=" pid " auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=5 "
#define SYSCALL(stamp, pid, number, success, exit)                                              \
    "type=SYSCALL " AT(stamp) "arch=c000003e syscall=" number " success=" success " exit=" exit \
                              " a0=1 a1=2 a2=3 a3=4 items=0 " TASK(pid) "comm=\"x\" exe=\"/bin/x\" key=\"exec\"\n"
#define EXEC(stamp, pid)    SYSCALL(stamp, pid, "59", "yes", "0")
#define EXECVE(stamp, args) "type=EXECVE " AT(stamp) args "\n"
#define TITLE(stamp)        "type=PROCTITLE " AT(stamp) "proctitle=\"x\"\n"
#define COMMAND(stamp, pid) EXEC(stamp, pid) EXECVE(stamp, "argc=1 a0=\"x\"") TITLE(stamp)

#define assert_text(event, field, z) assert_slice_eq(xt_event_bytes((event), (field)), z)
#define assert_arg(event, n, z)      assert_slice_eq(list_item(xt_event_bytes((event), XT_F_ARGS), n), z)
#define assert_data(event, name, z)  assert_slice_eq(case_data((event), (name)), z)

static inline xt_slice case_data(const xt_event *event, const char *name)
{
    xt_slice value = XT_S("(absent)");
    xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), xt_slice_str(name), 0, &value);
    return value;
}

static inline bool has_flag(const xt_event *event, const char *flag)
{
    return list_has(xt_event_bytes(event, XT_F_FLAGS), flag);
}

static inline size_t n_args(const xt_event *event)
{
    return xt_list_count(xt_event_bytes(event, XT_F_ARGS));
}

/* Decodes text that must give n events and no unread line. */
static inline seen case_read(const char *text, size_t n)
{
    seen s = seen_text(text);
    assert_int_equal(s.n, n);
    assert_int_equal(s.n_problems, 0);
    return s;
}
