/*
 * The second witness on streams made here: what audit leaves out is told once and with its reason, and neither losses of
 * the connector, nor late or early events, nor pids used again, nor clocks that are set make anything look left out. The
 * canary, and the events that both make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "agent/canary.h"
#include "agent/own_event.h"
#include "agent/witness.h"
#include "agent/witness_event.h"
#include "proc_datagram.h"

#define WALL_MS  INT64_C(1790000000000)
#define MONO_MS  INT64_C(5000000)
#define BOUND_MS 4000
#define HOST     XT_S("0123456789abcdef0123456789abcdef")
#define MAX_SEEN 20000

typedef struct seen {
    uint32_t pid, serial;
    xt_unaudited reason;
    int32_t code;
    xt_hash128 of;
} seen;

/* What the witness is asked, and what it told. */
typedef struct world {
    xt_witness *witness;
    int64_t now_ms;       /* since the beginning; both clocks go with it */
    int64_t wall_step_ms; /* the wall clock was set by so much */
    uint32_t numbers[2];
    uint32_t serial;
    bool is_behind, has_proc;
    unsigned threads;
    uint32_t kernel_pid;
    seen unaudited[MAX_SEEN], exited[MAX_SEEN];
    size_t n_unaudited, n_exited;
    xt_arena arena;
} world;

static bool ask_process(void *context, uint32_t pid, xt_proc_info *ret)
{
    const world *w = context;
    if (w->has_proc)
        *ret = (xt_proc_info){.pid = pid, .ppid = 1, .sid = 77, .exe = XT_S("/bin/of-proc"), .argv = XT_S("a\0b c\0")};
    return w->has_proc;
}

static xt_slice ask_cgroup(void *context, uint32_t pid)
{
    return pid % 2 ? XT_S("0::/system.slice/odd.service\n") : XT_S_NULL;
}

static unsigned ask_threads(void *context, uint32_t pid)
{
    return ((const world *)context)->threads;
}

static bool ask_kernel(void *context, uint32_t pid)
{
    return pid == ((const world *)context)->kernel_pid;
}

static bool ask_behind(void *context)
{
    return ((const world *)context)->is_behind;
}

static const xt_event_origin origin = {.host_name = {"h", 1}, .host_id = {"0123456789abcdef0123456789abcdef", 32}};

static int on_unaudited(void *context, const xt_task *task, xt_program *program, xt_unaudited reason)
{
    world *w = context;
    xt_event event;
    xt_arena_reset(&w->arena);
    int r = xt_unaudited_event(task, program, reason, &origin, XT_S("said"), &w->arena, &event);
    assert_int_equal(r, 0);
    assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_REASON), xt_slice_str(xt_unaudited_name(reason))));
    assert_in_range(w->n_unaudited, 0, MAX_SEEN - 1);
    w->unaudited[w->n_unaudited++] = (seen){.pid = task->pid, .reason = reason, .of = program->event_id};
    return 0;
}

static int on_exited(void *context, const xt_task *task)
{
    world *w = context;
    assert_in_range(w->n_exited, 0, MAX_SEEN - 1);
    w->exited[w->n_exited++] = (seen){.pid = task->pid, .serial = task->program->serial, .code = task->code};
    return 0;
}

static void world_init(world *w, bool is_ordered)
{
    *w = (world){.threads = 1};
    const xt_witness_settings settings = {
        .max_tasks = 1000,
        .bound_ms = BOUND_MS,
        .is_ordered = is_ordered,
        .wall_ms = WALL_MS,
        .mono_ms = MONO_MS - 1000,
        .calls = {ask_process, ask_cgroup, ask_threads, ask_kernel, ask_behind, on_unaudited, on_exited, w},
    };
    assert_int_equal(xt_witness_new(&settings, &w->witness), 0);
    xt_witness_clocks(w->witness, WALL_MS, MONO_MS, 0);
    xt_arena_init(&w->arena, 1 << 20);
}

static world *world_new(bool is_ordered)
{
    world *w = malloc(sizeof *w);
    assert_non_null(w);
    world_init(w, is_ordered);
    return w;
}

static void world_free(world *w)
{
    xt_witness_free(w->witness);
    xt_arena_fini(&w->arena);
    free(w);
}

/* ---- the connector ---- */

static proc_datagram datagram_of(world *w, uint32_t what, uint32_t thread, uint32_t pid)
{
    proc_datagram d = proc_datagram_of(what, thread, pid);
    d.event.cpu = pid % 2;
    d.number = w->numbers[d.event.cpu]++;
    d.event.timestamp_ns = (uint64_t)(MONO_MS + w->now_ms) * 1000000 + 500;
    return d;
}

static void give(world *w, proc_datagram *d)
{
    assert_int_equal(xt_witness_take(w->witness, proc_datagram_bytes(d), w->now_ms), 0);
}

static proc_datagram fork_of(world *w, uint32_t parent, uint32_t thread, uint32_t pid)
{
    proc_datagram d = datagram_of(w, PROC_EVENT_FORK, thread, pid);
    d.event.event_data.fork.parent_pid = d.event.event_data.fork.parent_tgid = (int)parent;
    d.event.event_data.fork.child_pid = (int)thread;
    d.event.event_data.fork.child_tgid = (int)pid;
    return d;
}

static proc_datagram exit_of(world *w, uint32_t thread, uint32_t pid, uint32_t code)
{
    proc_datagram d = datagram_of(w, PROC_EVENT_EXIT, thread, pid);
    d.event.event_data.exit.exit_code = code;
    return d;
}

static void do_fork(world *w, uint32_t parent, uint32_t pid)
{
    proc_datagram d = fork_of(w, parent, pid, pid);
    give(w, &d);
}

static void do_exec(world *w, uint32_t pid)
{
    proc_datagram d = datagram_of(w, PROC_EVENT_EXEC, pid, pid);
    give(w, &d);
}

static void do_exit(world *w, uint32_t pid, uint32_t code)
{
    proc_datagram d = exit_of(w, pid, pid, code);
    give(w, &d);
}

/* ---- audit ---- */

typedef struct made_event {
    xt_event event;
    char args[64];
} made_event;

static void make(world *w, uint32_t pid, uint32_t ppid, const char *exe, int64_t at_ms, made_event *ret)
{
    xt_slice items[] = {xt_slice_str(exe), XT_S("two words")};
    xt_buf out = XT_BUF_ON(ret->args);
    xt_list_put(&out, items, 2);
    xt_event_reset(&ret->event);
    xt_event_set_num(&ret->event, XT_F_TIME, (uint64_t)(WALL_MS + w->wall_step_ms + at_ms));
    xt_event_set_num(&ret->event, XT_F_SERIAL, ++w->serial);
    xt_event_set_bytes(&ret->event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(&ret->event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(&ret->event, XT_F_HOST_ID, HOST);
    xt_event_set_num(&ret->event, XT_F_PID, pid);
    xt_event_set_num(&ret->event, XT_F_PPID, ppid);
    xt_event_set_num(&ret->event, XT_F_UID, 0);
    xt_event_set_bytes(&ret->event, XT_F_EXE, xt_slice_str(exe));
    xt_event_set_bytes(&ret->event, XT_F_ARGS, xt_buf_slice(&out));
}

static void meet(world *w, uint32_t pid, uint32_t ppid, const char *exe, made_event *ret)
{
    make(w, pid, ppid, exe, w->now_ms, ret);
    assert_int_equal(xt_witness_meet(w->witness, &ret->event, w->now_ms, &w->arena), 0);
}

static void go(world *w, int64_t ms)
{
    w->now_ms += ms;
    xt_witness_clocks(w->witness, WALL_MS + w->wall_step_ms + w->now_ms, MONO_MS + w->now_ms, w->now_ms);
    assert_int_equal(xt_witness_turn(w->witness, w->now_ms), 0);
}

/* ---- tests ---- */

static void test_both_tell(void **state)
{
    world *w = world_new(true);
    made_event first, second;
    do_fork(w, 1, 101);
    do_exec(w, 101);
    meet(w, 101, 1, "/bin/shell", &first);
    assert_true(xt_slice_eq(xt_event_bytes(&first.event, XT_F_UNIT), XT_S("odd.service")));
    go(w, 10);
    do_fork(w, 101, 102);
    do_exec(w, 102);
    go(w, 30);
    do_exit(w, 102, 7 << 8);
    meet(w, 102, 101, "/bin/child", &second); /* the process is over before its event is read */
    assert_true(xt_slice_eq(xt_event_bytes(&second.event, XT_F_PARENT_EXE), XT_S("/bin/shell")));
    assert_true(xt_slice_eq(xt_event_bytes(&second.event, XT_F_PARENT_CMD), XT_S("/bin/shell two words")));
    char entity[XT_EVENT_ENTITY_LEN];
    xt_event_entity_of(HOST, XT_S_NULL, 101, (int64_t)xt_event_num(&first.event, XT_F_TIME, 0), entity);
    assert_true(
        xt_slice_eq(xt_event_bytes(&second.event, XT_F_PARENT_ENTITY), xt_slice_of(entity, XT_EVENT_ENTITY_LEN)));
    assert_true(xt_slice_eq(xt_event_bytes(&second.event, XT_F_UNIT), XT_S("odd.service")));
    assert_true(xt_own_event_has_flag(&second.event, XT_S("cgroup-inferred")));
    go(w, 10000);
    assert_int_equal(w->n_unaudited, 0);
    assert_int_equal(w->n_exited, 1);
    assert_int_equal(w->exited[0].pid, 102);
    assert_int_equal(w->exited[0].serial, second.event.values[XT_F_SERIAL].num);
    assert_int_equal(w->exited[0].code, 7 << 8);
    xt_witness_stats stats = xt_witness_stats_get(w->witness);
    assert_int_equal(stats.n_both, 2);
    assert_int_equal(stats.n_unwitnessed, 0);
    world_free(w);
}

static void test_reasons(void **state)
{
    world *w = world_new(true);
    const xt_proc_info old = {.pid = 50, .ppid = 1, .exe = XT_S("/bin/old")};
    const xt_proc_info known = {.pid = 51, .ppid = 1, .exe = XT_S("/bin/known")};
    made_event event;
    w->kernel_pid = 900;
    assert_int_equal(xt_witness_seed(w->witness, &old), 0);
    assert_int_equal(xt_witness_seed(w->witness, &known), 0);
    do_exec(w, 51);
    meet(w, 51, 1, "/bin/known", &event); /* audit does tell of this one */
    do_fork(w, 2, 201);
    do_fork(w, 900, 202);
    do_fork(w, 1, 203);
    do_exec(w, 201);
    do_exec(w, 202);
    do_exec(w, 203);
    do_exec(w, 50);
    go(w, 500);
    do_exec(w, 51);
    go(w, BOUND_MS - 501);
    assert_int_equal(w->n_unaudited, 0);
    go(w, 1);
    assert_int_equal(w->n_unaudited, 4);
    go(w, 500);
    static const seen expected[] = {
        {.pid = 201, .reason = XT_UNAUDITED_KERNEL_HELPER}, {.pid = 202, .reason = XT_UNAUDITED_KERNEL_HELPER},
        {.pid = 203, .reason = XT_UNAUDITED_UNKNOWN},       {.pid = 50, .reason = XT_UNAUDITED_NO_CONTEXT},
        {.pid = 51, .reason = XT_UNAUDITED_UNKNOWN},
    };
    assert_int_equal(w->n_unaudited, XT_COUNT_OF(expected));
    for (size_t i = 0; i < XT_COUNT_OF(expected); i++) {
        assert_int_equal(w->unaudited[i].pid, expected[i].pid);
        assert_int_equal(w->unaudited[i].reason, expected[i].reason);
    }
    go(w, 60000); /* once each */
    assert_int_equal(w->n_unaudited, XT_COUNT_OF(expected));
    world_free(w);
}

/* While records stand in the kernel's queue the bound is twice as long, and no longer. */
static void test_behind(void **state)
{
    world *w = world_new(true);
    w->is_behind = true;
    do_fork(w, 1, 10);
    do_exec(w, 10);
    go(w, BOUND_MS);
    assert_int_equal(w->n_unaudited, 0);
    go(w, BOUND_MS);
    assert_int_equal(w->n_unaudited, 1);
    world_free(w);
}

/* An event that comes after all names what was said, and the count goes back. */
static void test_late(void **state)
{
    world *w = world_new(true);
    made_event event;
    char of[33];
    do_fork(w, 1, 10);
    do_exec(w, 10);
    make(w, 10, 1, "/bin/slow", w->now_ms, &event);
    go(w, BOUND_MS);
    assert_int_equal(w->n_unaudited, 1);
    assert_int_equal(xt_witness_meet(w->witness, &event.event, w->now_ms, &w->arena), 0);
    xt_hash128_format(w->unaudited[0].of, of);
    assert_true(xt_slice_eq(xt_event_bytes(&event.event, XT_F_OF), xt_slice_of(of, 32)));
    xt_witness_stats stats = xt_witness_stats_get(w->witness);
    assert_int_equal(stats.n_unaudited[XT_UNAUDITED_UNKNOWN], 0);
    assert_int_equal(stats.n_late, 1);
    assert_int_equal(stats.n_unwitnessed, 0);
    do_exit(w, 10, 0);
    go(w, 1000);
    assert_int_equal(w->n_exited, 1);
    assert_int_equal(w->exited[0].serial, event.event.values[XT_F_SERIAL].num);
    world_free(w);
}

/* Of two streams that nothing orders audit's may be ahead. */
static void test_early(void **state)
{
    world *w = world_new(false);
    made_event event;
    do_fork(w, 1, 11);
    meet(w, 11, 1, "/bin/x", &event);
    go(w, 20);
    do_exec(w, 11);
    go(w, 20000);
    assert_int_equal(w->n_unaudited, 0);
    assert_int_equal(xt_witness_stats_get(w->witness).n_both, 1);
    assert_int_equal(xt_witness_stats_get(w->witness).n_unwitnessed, 0);
    meet(w, 11, 1, "/bin/y", &event);
    go(w, 20000);
    assert_int_equal(xt_witness_stats_get(w->witness).n_unwitnessed, 1);
    world_free(w);
}

/* An exec that began before there were rules may end after. */
static void test_beginning(void **state)
{
    world *w = world_new(true);
    w->now_ms = -900;
    do_fork(w, 1, 11);
    do_exec(w, 11);
    go(w, 20000);
    assert_int_equal(w->n_unaudited, 0);
    do_exec(w, 11);
    go(w, 20000);
    assert_int_equal(w->n_unaudited, 1);
    world_free(w);
}

/* The wall clock is set, back and forth: times of the two streams mean nothing for a while, and nobody is accused. */
static void test_clock_set(void **state)
{
    world *w = world_new(true);
    made_event event, before;
    for (uint32_t i = 0; i < 6; i++) {
        do_fork(w, 1, 100 + i);
        do_exec(w, 100 + i);
        make(w, 100 + i, 1, "/bin/x", w->now_ms, &before);
        w->wall_step_ms += i % 2 ? -3600000 : 7200000;
        go(w, 100);
        assert_int_equal(xt_witness_meet(w->witness, &before.event, w->now_ms, &w->arena), 0);
        do_fork(w, 1, 200 + i);
        do_exec(w, 200 + i);
        meet(w, 200 + i, 1, "/bin/y", &event);
        go(w, 3000);
    }
    go(w, 20000);
    assert_int_equal(w->n_unaudited, 0);
    assert_int_equal(xt_witness_stats_get(w->witness).n_both, 12);
    world_free(w);
}

/* The first thread ends and others go on; and another thread than the first executes a program. */
static void test_threads(void **state)
{
    world *w = world_new(true);
    made_event event;
    do_fork(w, 1, 30);
    do_exec(w, 30);
    meet(w, 30, 1, "/bin/x", &event);
    proc_datagram d = fork_of(w, 1, 31, 30);
    give(w, &d);
    w->threads = 2;
    d = exit_of(w, 30, 30, 3 << 8);
    give(w, &d);
    go(w, 1000);
    assert_int_equal(w->n_exited, 0);
    w->threads = 1;
    d = exit_of(w, 31, 30, 0);
    give(w, &d);
    go(w, 1000);
    assert_int_equal(w->n_exited, 1);
    assert_int_equal(w->exited[0].code, 3 << 8);

    do_fork(w, 1, 40);
    d = fork_of(w, 1, 41, 40);
    give(w, &d);
    d = exit_of(w, 40, 40, 0); /* exec by 41 ends 40 and takes its number */
    give(w, &d);
    go(w, 1);
    do_exec(w, 40);
    meet(w, 40, 1, "/bin/y", &event);
    go(w, 1000);
    assert_int_equal(w->n_exited, 1);
    do_exit(w, 40, 0);
    go(w, 1000);
    assert_int_equal(w->n_exited, 2);
    assert_int_equal(xt_witness_stats_get(w->witness).n_both, 2);
    world_free(w);
}

/* What was on its way when audit's stream is read: events stay in their order, delays differ. */
typedef struct pending {
    made_event made;
    int64_t due_ms;
} pending;

#define N_PIDS  40
#define N_STEPS 4000

/*
 * Random processes of few pids: each step one of them forks, executes or ends. lose: of so many messages one is lost;
 * omit: of so many execs audit tells nothing of one (0: none). Returns how many execs audit left out.
 */
static size_t run_random(world *w, unsigned seed, int lose, int omit)
{
    static pending queue[N_STEPS];
    bool lives[N_PIDS] = {false};
    size_t n_queue = 0, first = 0, n_omitted = 0;
    int64_t due_ms = 0;
    srand(seed);
    for (unsigned step = 0; step < N_STEPS; step++) {
        uint32_t at = (uint32_t)rand() % N_PIDS, pid = 1000 + at;
        proc_datagram d;
        if (!lives[at])
            d = fork_of(w, 1, pid, pid);
        else if (rand() % 3)
            d = datagram_of(w, PROC_EVENT_EXEC, pid, pid);
        else
            d = exit_of(w, pid, pid, 0);
        bool is_exec = lives[at] && (int)d.event.what == (int)PROC_EVENT_EXEC;
        lives[at] = !lives[at] || is_exec;
        if (!lose || rand() % lose)
            give(w, &d);
        if (is_exec && omit && rand() % omit == 0) {
            n_omitted++;
        } else if (is_exec) {
            int64_t delayed_ms = w->now_ms + rand() % 3000;
            due_ms = delayed_ms > due_ms ? delayed_ms : due_ms;
            make(w, pid, 1, "/bin/random", w->now_ms, &queue[n_queue].made);
            queue[n_queue++].due_ms = due_ms;
        }
        go(w, 3 + rand() % 10);
        xt_arena_reset(&w->arena);
        for (; first < n_queue && queue[first].due_ms <= w->now_ms; first++)
            assert_int_equal(xt_witness_meet(w->witness, &queue[first].made.event, w->now_ms, &w->arena), 0);
    }
    for (; first < n_queue; first++) {
        go(w, queue[first].due_ms > w->now_ms ? queue[first].due_ms - w->now_ms : 0);
        assert_int_equal(xt_witness_meet(w->witness, &queue[first].made.event, w->now_ms, &w->arena), 0);
    }
    go(w, 10 * BOUND_MS);
    return n_omitted;
}

/* Whatever is lost of the connector's messages: no exec that audit told of looks left out, and the holes are told. */
static void test_losses_accuse_nobody(void **state)
{
    for (unsigned seed = 1; seed <= 12; seed++) {
        world *w = world_new(true);
        xt_number_gap gap;
        size_t n = 0;
        int lose = seed % 4 == 0 ? 0 : (int)(seed % 4) * 3 - 1;
        assert_int_equal(run_random(w, seed, lose, 0), 0);
        assert_int_equal(w->n_unaudited, 0);
        while (xt_witness_gap(w->witness, w->now_ms + 10000, &gap))
            n += gap.to - gap.from + 1;
        assert_true((n > 0) == (lose > 0));
        world_free(w);
    }
}

/* What audit leaves out is told exactly, whatever the delays, with pids used again and again. */
static void test_omissions_are_told(void **state)
{
    for (unsigned seed = 1; seed <= 8; seed++) {
        world *w = world_new(true);
        size_t n = run_random(w, seed, 0, 2 + (int)seed * 3);
        assert_true(n > 0);
        assert_int_equal(w->n_unaudited, n);
        xt_witness_stats stats = xt_witness_stats_get(w->witness);
        assert_int_equal(stats.n_unaudited[XT_UNAUDITED_UNKNOWN], n);
        assert_int_equal(stats.n_unwitnessed, 0);
        xt_task_stats tasks = xt_witness_task_stats(w->witness);
        assert_int_equal(tasks.n_unmet, 0);
        assert_in_range(tasks.n_tasks, 0, N_PIDS);
        world_free(w);
    }
}

/* The connector falls silent: execs of audit's alone are counted, in a row until it speaks again. */
static void test_silence(void **state)
{
    world *w = world_new(true);
    made_event event;
    for (uint32_t i = 0; i < 30; i++) {
        go(w, 10);
        meet(w, 300 + i, 1, "/bin/x", &event);
    }
    assert_int_equal(xt_witness_stats_get(w->witness).n_in_row, 30);
    do_fork(w, 1, 400);
    assert_int_equal(xt_witness_stats_get(w->witness).n_in_row, 0);
    assert_int_equal(xt_witness_stats_get(w->witness).n_unwitnessed, 30);
    go(w, 20000);
    assert_int_equal(w->n_unaudited, 0);
    world_free(w);
}

/* Its texts are what /proc said; the arguments stay apart. */
static void test_unaudited_event(void **state)
{
    world *w = world_new(true);
    xt_event event;
    xt_program program = {.n_refs = 1, .start_ms = WALL_MS, .uid = 33, .exe = XT_S("/x"), .argv = XT_S("a\0b c\0\0")};
    xt_task task = {.pid = 8, .ppid = 7, .sid = 6, .program = &program};
    assert_int_equal(xt_unaudited_event(&task, &program, XT_UNAUDITED_UNKNOWN, &origin, XT_S("m"), &w->arena, &event),
                     0);
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(&event, XT_F_ARGS));
    xt_slice arg;
    assert_true(xt_list_next(&iter, &arg) && xt_slice_eq(arg, XT_S("a")));
    assert_true(xt_list_next(&iter, &arg) && xt_slice_eq(arg, XT_S("b c")));
    assert_true(xt_list_next(&iter, &arg) && arg.n == 0);
    assert_false(xt_list_next(&iter, &arg));
    assert_int_equal(xt_event_num(&event, XT_F_LEADER, 0), 6);
    assert_int_equal(xt_event_num(&event, XT_F_PPID, 0), 7);
    assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_ACTION), XT_S("exec-unaudited")));
    world_free(w);
}

static void test_exited_event(void **state)
{
    world *w = world_new(true);
    xt_event event;
    char of[33];
    xt_program program = {.state = XT_PROGRAM_RECORDED, .start_ms = WALL_MS, .serial = 9, .time_ns = 1000, .uid = 1};
    xt_task task = {.pid = 8, .program = &program, .end_ns = 5001000, .code = 9 | 0x80};
    program.auid = program.ses = UINT32_MAX;
    program.event_id = xt_event_id_of(HOST, WALL_MS, 9);
    assert_int_equal(xt_exited_event(&task, &origin, WALL_MS + 5, &w->arena, &event), 0);
    xt_hash128_format(program.event_id, of);
    assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_OF), xt_slice_of(of, 32)));
    assert_int_equal(xt_event_num(&event, XT_F_EXIT_CODE, 0), 137);
    assert_int_equal(xt_event_num(&event, XT_F_SIGNAL, 0), 9);
    assert_int_equal(xt_event_num(&event, XT_F_DURATION, 0), 5000000);
    assert_true(xt_own_event_has_flag(&event, XT_S("core-dumped")));
    assert_false(xt_event_has(&event, XT_F_AUID));
    task.code = 3 << 8;
    assert_int_equal(xt_exited_event(&task, &origin, WALL_MS, &w->arena, &event), 0);
    assert_int_equal(xt_event_num(&event, XT_F_EXIT_CODE, 0), 3);
    assert_false(xt_event_has(&event, XT_F_SIGNAL));
    assert_int_equal(xt_event_num(&event, XT_F_TIME, 0),
                     WALL_MS + 1); /* not the exec's own time: event.id is made of it */
    world_free(w);
}

/* ---- the canary ---- */

static const uint16_t all_records[] = {1300, 1309, 1307, 1302, 1327};

/* An event with the canary's word and these records. */
static void canary_event(xt_event *event, xt_buf *args, xt_buf *records, const char *word, const uint16_t *types,
                         size_t n)
{
    xt_slice items[] = {XT_S("exectrail-agent"), XT_S(XT_CANARY_VERB), xt_slice_str(word)};
    xt_event_reset(event);
    xt_buf_reset(args);
    xt_buf_reset(records);
    xt_list_put(args, items, 3);
    xt_buf_put_varint(records, n);
    for (size_t i = 0; i < n; i++) {
        xt_buf_put_varint(records, types[i]);
        xt_buf_put_varint(records, 0); /* fields */
    }
    xt_event_set_bytes(event, XT_F_ARGS, xt_buf_slice(args));
    xt_event_set_bytes(event, XT_F_RECORDS, xt_buf_slice(records));
    xt_event_set_num(event, XT_F_PID, 55);
}

static void test_canary_whole(void **state)
{
    xt_canary c;
    xt_event event;
    char bytes[4][256];
    xt_buf args = XT_BUF_ON(bytes[0]), records = XT_BUF_ON(bytes[1]), missing = XT_BUF_ON(bytes[2]);
    xt_canary_init(&c, 60000, 44, true, 0);
    assert_false(xt_canary_next(&c, 0));
    assert_true(xt_canary_next(&c, 1000));
    canary_event(&event, &args, &records, "0000000000000000", all_records, 5); /* somebody else's word */
    assert_int_equal(xt_canary_take(&c, &event, 1, 1001, &missing), XT_CANARY_E_OTHER);
    canary_event(&event, &args, &records, c.word, all_records, 5);
    assert_int_equal(xt_canary_take(&c, &event, 1, 1020, &missing), 0); /* before the helper's answer */
    xt_canary_executed(&c, 55, 1030);
    assert_int_equal(c.n_sent, 1);
    assert_int_equal(c.n_lost, 0);
    assert_int_equal(c.took_ms, 20);
    assert_false(xt_canary_expired(&c, 100000));
    assert_false(xt_canary_next(&c, 60000));
    assert_true(xt_canary_next(&c, 61000));
}

static void test_canary_lost(void **state)
{
    xt_canary c;
    xt_event event;
    char bytes[4][256];
    xt_buf args = XT_BUF_ON(bytes[0]), records = XT_BUF_ON(bytes[1]), missing = XT_BUF_ON(bytes[2]);
    xt_canary_init(&c, 60000, 44, true, 0);
    assert_true(xt_canary_next(&c, 1000));
    xt_canary_executed(&c, 55, 1010);
    assert_false(xt_canary_expired(&c, 1009 + XT_CANARY_BOUND_MS));
    assert_true(xt_canary_expired(&c, 1010 + XT_CANARY_BOUND_MS));
    assert_int_equal(c.n_lost, 1);
    xt_canary_hurry(&c, 6000);
    assert_true(xt_canary_next(&c, 6000 + 200)); /* 1000 was long ago */
    xt_canary_hurry(&c, 6201);
    assert_false(xt_canary_next(&c, 6500)); /* not the next so soon */
    xt_canary_executed(&c, 55, 6210);
    static const uint16_t some[] = {1300, 1307, 1302, 1327};
    canary_event(&event, &args, &records, c.word, some, 4);
    assert_int_equal(xt_canary_take(&c, &event, 1, 6300, &missing), XT_CANARY_E_INCOMPLETE);
    assert_true(xt_slice_eq(xt_buf_slice(&missing), XT_S("EXECVE")));
    assert_int_equal(c.n_lost, 2);
}

/* Without EXECVE there is no word: the helper's child is it, whether the helper has answered or not. */
static void test_canary_bare(void **state)
{
    xt_canary c;
    xt_event event;
    char bytes[3][256];
    xt_buf args = XT_BUF_ON(bytes[0]), records = XT_BUF_ON(bytes[1]), missing = XT_BUF_ON(bytes[2]);
    static const uint16_t some[] = {1300, 1307, 1302, 1327};
    xt_canary_init(&c, 60000, 44, true, 0);
    assert_true(xt_canary_next(&c, 1000));
    canary_event(&event, &args, &records, c.word, some, 4);
    xt_field_set_remove(&event.present, XT_F_ARGS);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(&event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_num(&event, XT_F_PPID, 43);
    assert_int_equal(xt_canary_take(&c, &event, 1, 1010, &missing), XT_CANARY_E_OTHER);
    xt_event_set_num(&event, XT_F_PPID, 44);
    assert_int_equal(xt_canary_take(&c, &event, 1, 1010, &missing), XT_CANARY_E_INCOMPLETE);
    assert_true(xt_slice_eq(xt_buf_slice(&missing), XT_S("EXECVE")));
}

/* The helper cannot execute it: nothing is said of audit. */
static void test_canary_not_executed(void **state)
{
    xt_canary c;
    xt_canary_init(&c, 60000, 44, true, 0);
    assert_true(xt_canary_next(&c, 1000));
    xt_canary_executed(&c, 0, 1010);
    assert_false(xt_canary_expired(&c, 100000));
    assert_int_equal(c.n_lost, 0);
    xt_canary_init(&c, 0, 44, true, 0);
    xt_canary_hurry(&c, 10);
    assert_false(xt_canary_next(&c, 1000000));
    assert_int_equal(xt_canary_wait_ms(&c, 5), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_tell),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_behind),
        cmocka_unit_test(test_late),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_beginning),
        cmocka_unit_test(test_clock_set),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_losses_accuse_nobody),
        cmocka_unit_test(test_omissions_are_told),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_unaudited_event),
        cmocka_unit_test(test_exited_event),
        cmocka_unit_test(test_canary_whole),
        cmocka_unit_test(test_canary_lost),
        cmocka_unit_test(test_canary_bare),
        cmocka_unit_test(test_canary_not_executed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
