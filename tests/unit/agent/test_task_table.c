/*
 * Who runs what: messages of the process connector, holes in their numbers, pids that are used again, control groups.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "agent/gap_list.h"
#include "agent/proc_message.h"
#include "agent/task_table.h"
#include "proc_datagram.h"

/* ---- messages ---- */

static proc_datagram datagram_of(uint32_t what)
{
    proc_datagram d = proc_datagram_of(what, 0, 0);
    d.number = 77;
    d.event.cpu = 3;
    d.event.timestamp_ns = 123456789;
    return d;
}

static void test_message_kinds(void **state)
{
    proc_datagram d = datagram_of(PROC_EVENT_FORK);
    xt_proc_message m;
    d.event.event_data.fork.parent_pid = 10;
    d.event.event_data.fork.parent_tgid = 11;
    d.event.event_data.fork.child_pid = 12;
    d.event.event_data.fork.child_tgid = 13;
    assert_int_equal(xt_proc_message_parse(proc_datagram_bytes(&d), &m), 0);
    assert_int_equal(m.kind, XT_PROC_FORK);
    assert_int_equal(m.pid, 13);
    assert_int_equal(m.thread, 12);
    assert_int_equal(m.parent, 11);
    assert_int_equal(m.cpu, 3);
    assert_int_equal(m.number, 77);
    assert_int_equal(m.time_ns, 123456789);
    d = datagram_of(PROC_EVENT_EXIT);
    d.event.event_data.exit.process_pid = 20;
    d.event.event_data.exit.process_tgid = 21;
    d.event.event_data.exit.exit_code = 0x200;
    assert_int_equal(xt_proc_message_parse(proc_datagram_bytes(&d), &m), 0);
    assert_int_equal(m.kind, XT_PROC_EXIT);
    assert_int_equal(m.thread, 20);
    assert_int_equal(m.pid, 21);
    assert_int_equal(m.code, 0x200);
    d = datagram_of(PROC_EVENT_UID);
    d.event.event_data.id.r.ruid = 33;
    assert_int_equal(xt_proc_message_parse(proc_datagram_bytes(&d), &m), 0);
    assert_int_equal(m.kind, XT_PROC_UID);
    assert_int_equal(m.uid, 33);
    d = datagram_of(0x12340000); /* a kind of a later kernel: its number counts */
    assert_int_equal(xt_proc_message_parse(proc_datagram_bytes(&d), &m), 0);
    assert_int_equal(m.kind, XT_PROC_OTHER);
}

/* Whatever is cut off, an exec is whole or refused; what is not the connector's is refused. */
static void test_message_cut(void **state)
{
    proc_datagram d = datagram_of(PROC_EVENT_EXEC);
    xt_proc_message m;
    size_t head = sizeof(struct cn_msg);
    size_t needed = head + offsetof(struct proc_event, event_data) + sizeof d.event.event_data.exec;
    for (size_t n = 0; n <= sizeof d.bytes; n++) {
        d.n_event = (uint16_t)(n < head ? 0 : n - head);
        int r = xt_proc_message_parse(xt_slice_head(proc_datagram_bytes(&d), n), &m);
        assert_int_equal(r, n < needed ? XT_PROC_MESSAGE_E_FOREIGN : 0);
    }
    d.n_event = sizeof d.event + 1; /* more than there is */
    assert_int_equal(xt_proc_message_parse(proc_datagram_bytes(&d), &m), XT_PROC_MESSAGE_E_FOREIGN);
    d.n_event = sizeof d.event;
    d.val = CN_VAL_PROC + 1;
    assert_int_equal(xt_proc_message_parse(proc_datagram_bytes(&d), &m), XT_PROC_MESSAGE_E_FOREIGN);
}

/* ---- gaps ---- */

static void test_gap_plain(void **state)
{
    static xt_gap_list list;
    xt_number_gap gap;
    list = (xt_gap_list){0};
    for (uint32_t i = 100; i < 120; i++)
        if (i < 105 || i > 108)
            xt_gap_list_see(&list, 0, i, 1000);
    xt_gap_list_see(&list, 1, 7, 1000); /* another cpu counts for itself */
    assert_false(xt_gap_list_take(&list, 1000, false, &gap));
    assert_true(xt_gap_list_take(&list, 1000 + XT_GAP_WAIT_MS, false, &gap));
    assert_int_equal(gap.cpu, 0);
    assert_int_equal(gap.from, 105);
    assert_int_equal(gap.to, 108);
    assert_false(xt_gap_list_take(&list, 1000 + XT_GAP_WAIT_MS, true, &gap));
}

/* Numbers that wrap, and come in another order: random permutations within a window leave exactly what is missing. */
static void test_gap_orders(void **state)
{
    static xt_gap_list list;
    srand(7);
    for (unsigned round = 0; round < 300; round++) {
        uint32_t numbers[64], first = UINT32_MAX - 20, missing = 0, found = 0;
        bool is_missing[64] = {false};
        list = (xt_gap_list){0};
        xt_gap_list_see(&list, 5, first - 1, 0);
        for (uint32_t i = 0; i < 64; i++)
            numbers[i] = first + i;
        for (uint32_t i = 0; i + 4 < 60; i++) { /* swaps of neighbours near each other */
            uint32_t j = i + (uint32_t)rand() % 4, t = numbers[i];
            numbers[i] = numbers[j];
            numbers[j] = t;
        }
        for (uint32_t i = 0; i < 64; i++) {
            bool drop = numbers[i] != first + 63 && rand() % 8 == 0;
            is_missing[numbers[i] - first] = drop;
            missing += drop;
            if (!drop)
                xt_gap_list_see(&list, 5, numbers[i], 0);
        }
        for (xt_number_gap gap; xt_gap_list_take(&list, 0, true, &gap);)
            for (uint32_t n = gap.from; n != gap.to + 1; n++, found++)
                assert_true(is_missing[n - first]);
        assert_int_equal(found, missing);
        assert_int_equal(list.n_untold, 0);
    }
}

static void test_gap_bounds(void **state)
{
    static xt_gap_list list;
    xt_number_gap gap;
    unsigned n = 0;
    list = (xt_gap_list){0};
    xt_gap_list_see(&list, XT_GAP_CPUS, 1, 0); /* no such place: nothing is written */
    for (uint32_t i = 0; i <= 2 * (XT_GAP_OPEN + 3); i += 2)
        xt_gap_list_see(&list, 0, i, 0);
    while (xt_gap_list_take(&list, 0, true, &gap))
        n++;
    assert_int_equal(n, XT_GAP_OPEN);
    assert_int_equal(list.n_untold, 3);
}

/* ---- tasks ---- */

static xt_task_table *table_new(size_t max)
{
    xt_task_table *table;
    assert_int_equal(xt_task_table_new(max, &table), 0);
    return table;
}

static xt_task *fork_task(xt_task_table *table, uint32_t pid, uint32_t parent, uint64_t at)
{
    xt_task *task = NULL;
    assert_int_equal(xt_task_fork(table, pid, parent, at, &task), 0);
    return task;
}

static void fill(xt_task_table *table, xt_program *p, const char *exe)
{
    const xt_proc_info info = {.exe = xt_slice_str(exe), .cmd = xt_slice_str(exe)};
    assert_int_equal(xt_program_fill(table, p, &info, XT_S_NULL), 0);
}

/* The pid of an ended process is used again while the exec of the first one is not met yet. */
static void test_pid_reuse(void **state)
{
    xt_task_table *table = table_new(100);
    xt_task *first = fork_task(table, 500, 1, 1000), *second;
    assert_int_equal(xt_task_exec(table, first, 1100, 1), 0);
    xt_program *program = first->program;
    xt_task_end(table, first, 1200, 0, 2);
    second = fork_task(table, 500, 1, 2000);
    assert_ptr_not_equal(first, second);
    assert_ptr_equal(xt_task_find(table, 500), second);
    assert_ptr_equal(xt_task_older(second), first);
    assert_ptr_equal(xt_task_find_at(table, 500, 1500), first);
    assert_ptr_equal(xt_task_find_at(table, 500, 2500), second);
    assert_null(second->program); /* nothing of the first use is the second one's */
    assert_int_equal(xt_task_exec(table, second, 2100, 3), 0);
    assert_ptr_equal(xt_task_unmet(table, 500, 0), program);
    assert_ptr_equal(xt_task_unmet(table, 500, 1500), second->program);
    assert_null(xt_task_unmet(table, 500, 2200));
    xt_program_meet(table, program, XT_PROGRAM_RECORDED);
    assert_ptr_equal(xt_task_unmet(table, 500, 0), second->program);
    assert_ptr_equal(xt_task_first_ended(table), first);
    xt_task_drop(table, first);
    assert_ptr_equal(xt_task_find(table, 500), second);
    assert_int_equal(xt_task_stats_get(table).n_tasks, 1);
    xt_task_table_free(table);
}

/* A use whose end was not told ends when its pid is used again; both are there until they are told. */
static void test_end_missed(void **state)
{
    xt_task_table *table = table_new(100);
    xt_task *first = fork_task(table, 9, 1, 10), *second = fork_task(table, 9, 1, 20);
    assert_true(first->is_ended);
    assert_int_equal(first->code, -1);
    assert_false(second->is_ended);
    xt_task_table_free(table);
}

/* The parent's program at the fork is the child's parent, whatever the parent runs or whether it lives later. */
static void test_parent_at_fork(void **state)
{
    xt_task_table *table = table_new(100);
    xt_task *parent = fork_task(table, 2, 1, 10);
    assert_int_equal(xt_task_exec(table, parent, 11, 1), 0);
    fill(table, parent->program, "/bin/first");
    xt_task *child = fork_task(table, 3, 2, 12);
    assert_int_equal(xt_task_exec(table, parent, 13, 1), 0);
    fill(table, parent->program, "/bin/second");
    assert_true(xt_slice_eq(child->parent->exe, XT_S("/bin/first")));
    assert_true(xt_slice_eq(child->program->exe, XT_S("/bin/first"))); /* until it executes one itself */
    xt_task_end(table, parent, 14, 0, 2);
    xt_task_drop(table, parent);
    assert_true(xt_slice_eq(child->parent->exe, XT_S("/bin/first")));
    assert_int_equal(xt_task_exec(table, child, 15, 1), 0);
    assert_true(xt_slice_eq(child->parent->exe, XT_S("/bin/first")));
    xt_task_table_free(table);
}

static void test_table_bound(void **state)
{
    xt_task_table *table = table_new(3);
    for (uint32_t pid = 1; pid <= 5; pid++)
        assert_true((fork_task(table, pid, 0, pid) != NULL) == (pid <= 3));
    assert_int_equal(xt_task_stats_get(table).n_refused, 2);
    assert_null(xt_task_find(table, 4));
    xt_task_end(table, xt_task_find(table, 1), 9, 0, 9);
    xt_task_drop(table, xt_task_first_ended(table));
    assert_non_null(fork_task(table, 4, 0, 10));
    xt_task_table_free(table);
}

/* However many long command lines there are, their texts have a bound. */
static void test_text_bound(void **state)
{
    xt_task_table *table = table_new(4000);
    static char cmd[20000];
    memset(cmd, 'x', sizeof cmd);
    for (uint32_t pid = 1; pid <= 4000; pid++) {
        xt_task *task = fork_task(table, pid, 0, pid);
        const xt_proc_info info = {.exe = XT_S("/bin/x"), .cmd = xt_slice_of(cmd, sizeof cmd)};
        assert_int_equal(xt_task_exec(table, task, pid, 1), 0);
        assert_int_equal(xt_program_fill(table, task->program, &info, XT_S_NULL), 0);
        assert_in_range(task->program->cmd.n, 256, XT_TASK_MAX_CMD);
    }
    assert_in_range(xt_task_stats_get(table).n_text_bytes, 1, 8 << 20);
    for (uint32_t pid = 1; pid <= 4000; pid++)
        xt_task_end(table, xt_task_find(table, pid), 9, 0, 9);
    while (xt_task_first_ended(table))
        xt_task_drop(table, xt_task_first_ended(table));
    xt_task_stats stats = xt_task_stats_get(table);
    assert_int_equal(stats.n_tasks + stats.n_programs + stats.n_unmet + stats.n_text_bytes, 0);
    xt_task_table_free(table);
}

/* ---- control groups ---- */

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_cgroups(void **state)
{
    static const struct {
        const char *text, *container, *unit;
    } cases[] = {
        {"0::/\n", "", ""},
        {"0::/system.slice/nginx.service\n", "", "nginx.service"},
        {"0::/user.slice/user-1000.slice/session-3.scope\n", "", "session-3.scope"},
        {"0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.service\n", "", "app-x.service"},
        {"0::/system.slice/docker-" ID ".scope\n", ID, ""},
        {"0::/system.slice/docker-" ID ".scope/system.slice/cron.service\n", ID, "cron.service"},
        {"12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", ID, ""},
        {"0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/cri-containerd-" ID ".scope\n", ID,
         ""},
        {"11:cpu:/kubepods/besteffort/pod12/" ID
         "\n1:name=systemd:/system.slice/containerd.service/kubepods:cri-containerd:" ID "\n",
         ID, "containerd.service"},
        {"0::/kubepods.slice/x.slice/crio-" ID ".scope\n", ID, ""},
        {"0::/machine.slice/libpod-" ID ".scope/container\n", ID, ""},
        {"0::/machine.slice/libpod-conmon-" ID ".scope\n", "", "libpod-conmon-" ID ".scope"},
        {"0::/lxc.payload.web/system.slice/a.service\n", "web", "a.service"},
        {"3:cpu:/lxc/web\n", "web", ""},
        {"0::/machine.slice/systemd-nspawn@deb.service/payload\n", "deb", ""},
        {"0::/machine.slice/machine-deb.scope\n", "deb", ""},
        {"0::/machine.slice/machine-qemu\\x2d1.scope\n", "", "machine-qemu\\x2d1.scope"},
        {"0::/system.slice/docker-0123.scope\n", "", "docker-0123.scope"}, /* too short for an id */
        {"nonsense\n\n::\n", "", ""},
    };
    for (size_t i = 0; i < XT_COUNT_OF(cases); i++) {
        xt_slice container, unit;
        xt_cgroup_parse(xt_slice_str(cases[i].text), &container, &unit);
        if (!xt_slice_eq(container, xt_slice_str(cases[i].container)) ||
            !xt_slice_eq(unit, xt_slice_str(cases[i].unit)))
            fail_msg("%s: container '%.*s', unit '%.*s'", cases[i].text, XT_S_ARGS(container), XT_S_ARGS(unit));
    }
}

static void test_cgroup_set(void **state)
{
    xt_cgroup_set set = {0};
    xt_cgroup *a, *b;
    assert_int_equal(xt_cgroup_get(&set, XT_S("0::/a.service\n"), &a), 0);
    assert_int_equal(xt_cgroup_get(&set, XT_S("0::/a.service\n"), &b), 0);
    assert_ptr_equal(a, b);
    xt_cgroup_unref(&set, a);
    assert_true(xt_slice_eq(b->unit, XT_S("a.service")));
    xt_cgroup_unref(&set, b);
    xt_cgroup_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message_kinds), cmocka_unit_test(test_message_cut),    cmocka_unit_test(test_gap_plain),
        cmocka_unit_test(test_gap_orders),    cmocka_unit_test(test_gap_bounds),     cmocka_unit_test(test_pid_reuse),
        cmocka_unit_test(test_end_missed),    cmocka_unit_test(test_parent_at_fork), cmocka_unit_test(test_table_bound),
        cmocka_unit_test(test_text_bound),    cmocka_unit_test(test_cgroups),        cmocka_unit_test(test_cgroup_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
