/* A session's events as a tree: parents, execs in one process, pids that are used again, who became whom, how it ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "query/session_tree.h"

#define T0 INT64_C(1700000000000)

typedef struct world {
    xt_arena arena;
    xt_session_tree tree;
    uint64_t uid, euid;
    const char *boot;
    uint32_t serial;
    int64_t time_ms;
} world;

static int world_new(void **state)
{
    world *w = calloc(1, sizeof *w);
    xt_arena_init(&w->arena, (size_t)64 << 20);
    xt_session_tree_init(&w->tree, &w->arena);
    w->uid = w->euid = 1000;
    w->boot = "b1";
    w->time_ms = T0;
    *state = w;
    return 0;
}

static int world_free(void **state)
{
    world *w = *state;
    xt_session_tree_fini(&w->tree);
    xt_arena_fini(&w->arena);
    free(w);
    return 0;
}

static void event_begin(world *w, xt_event *event, const char *action, uint32_t pid, uint32_t ppid)
{
    xt_event_reset(event);
    xt_event_set_num(event, XT_F_TIME, (uint64_t)(w->time_ms += 10));
    xt_event_set_num(event, XT_F_SERIAL, ++w->serial);
    xt_event_set_bytes(event, XT_F_ACTION, xt_slice_str(action));
    xt_event_set_bytes(event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(event, XT_F_HOST_ID, XT_S("h"));
    xt_event_set_bytes(event, XT_F_BOOT_ID, xt_slice_str(w->boot));
    xt_event_set_num(event, XT_F_PID, pid);
    if (ppid)
        xt_event_set_num(event, XT_F_PPID, ppid);
    xt_event_set_num(event, XT_F_UID, w->uid);
    xt_event_set_num(event, XT_F_EUID, w->euid);
    if (w->uid == 1000)
        xt_event_set_bytes(event, XT_F_USER, XT_S("alice"));
    if (w->euid == 1000)
        xt_event_set_bytes(event, XT_F_EUSER, XT_S("alice"));
}

static void add(world *w, xt_event *event)
{
    assert_int_equal(xt_session_tree_add(&w->tree, event), 0);
}

/* exe with one argument. */
static void executes(world *w, uint32_t pid, uint32_t ppid, const char *exe, const char *argument)
{
    xt_slice args[] = {xt_slice_str(strrchr(exe, '/') + 1), xt_slice_str(argument)};
    XT_CLEANUP(xt_buf_fini) xt_buf list = XT_BUF_INIT;
    xt_event event;

    event_begin(w, &event, "executed", pid, ppid);
    xt_list_put(&list, args, 2);
    xt_event_set_bytes(&event, XT_F_ARGS, xt_buf_slice(&list));
    xt_event_set_bytes(&event, XT_F_EXE, xt_slice_str(exe));
    add(w, &event);
}

static void calls(world *w, uint32_t pid, const char *action, const char *syscall, const char *a0)
{
    XT_CLEANUP(xt_buf_fini) xt_buf records = XT_BUF_INIT;
    xt_event event;

    event_begin(w, &event, action, pid, 0);
    xt_event_set_bytes(&event, XT_F_SYSCALL, xt_slice_str(syscall));
    xt_buf_put_varint(&records, 1);
    xt_buf_put_varint(&records, 1300);
    xt_buf_put_varint(&records, 1);
    xt_buf_put_block(&records, XT_S("a0"));
    xt_buf_put_u8(&records, XT_REC_BARE);
    xt_buf_put_block(&records, xt_slice_str(a0));
    xt_event_set_bytes(&event, XT_F_RECORDS, xt_buf_slice(&records));
    add(w, &event);
}

/* A line a process in the order of the tree: depth dots, pid, its steps' commands, what is known. */
static void must_be(world *w, const char *expected)
{
    static const char *const marks[] = {"", "!", "~", "?", "."};
    char text[4000];
    xt_buf out = XT_BUF_ON(text);

    xt_session_tree_done(&w->tree);
    for (uint32_t i = XT_SESSION_NONE; (i = xt_session_tree_next(&w->tree, i)) != XT_SESSION_NONE;) {
        const xt_session_process *p = w->tree.processes[i];
        for (uint32_t d = 0; d < p->depth; d++)
            xt_buf_putc(&out, '.');
        xt_buf_printf(&out, "%u%s", p->pid, p->unseen ? p->guessed ? " guessed" : " unseen" : "");
        for (const xt_session_step *s = p->first; s; s = s->next) {
            xt_buf_printf(&out, " %s%.*s", marks[s->did], XT_S_ARGS(s->cmd.n ? s->cmd : s->exe));
            if (s->changed)
                xt_buf_printf(&out, "(%llu/%llu>%llu/%llu %.*s)", (unsigned long long)s->from.uid,
                              (unsigned long long)s->from.euid, (unsigned long long)s->to.uid,
                              (unsigned long long)s->to.euid, XT_S_ARGS(s->by));
        }
        if (p->has_exit_code)
            xt_buf_printf(&out, " exit %lld", (long long)p->exit_code);
        if (p->has_end)
            xt_buf_printf(&out, " %lld ms", (long long)(p->end_ms - p->start_ms));
        xt_buf_putc(&out, '\n');
    }
    text[out.n] = '\0';
    assert_string_equal(text, expected);
}

static void parents_and_execs(void **state)
{
    world *w = *state;
    xt_event event;

    executes(w, 500, 400, "/bin/bash", "-l");
    executes(w, 502, 500, "/bin/wc", "-l"); /* the right side of a pipe first */
    executes(w, 501, 500, "/bin/ls", "/");
    executes(w, 503, 500, "/bin/sh", "x.sh");
    executes(w, 505, 504, "/bin/id", "-u"); /* 504 was never seen */
    executes(w, 503, 500, "/bin/cat", "y");
    event_begin(w, &event, "executed", 506, 503);
    xt_event_set_bytes(&event, XT_F_OUTCOME, XT_S("failure"));
    xt_event_set_bytes(&event, XT_F_EXE, XT_S("/usr/local/bin/date"));
    xt_event_set_num(&event, XT_F_EXIT, (uint64_t)-2);
    add(w, &event);
    executes(w, 506, 503, "/bin/date", "+%s");
    must_be(w, "400 unseen\n.500 bash -l\n..502 wc -l\n..501 ls /\n..503 sh x.sh cat y\n...504 guessed\n....505 id -u\n"
               "...506 !/usr/local/bin/date date +%s\n");
}

/* What is said of the parent finds the shell that it is a fork of. */
static void a_fork_without_an_exec(void **state)
{
    world *w = *state;
    xt_event event;

    executes(w, 500, 400, "/bin/bash", "-l");
    event_begin(w, &event, "executed", 511, 510);
    xt_event_set_bytes(&event, XT_F_EXE, XT_S("/bin/true"));
    xt_event_set_bytes(&event, XT_F_PARENT_EXE, XT_S("/bin/bash"));
    xt_event_set_bytes(&event, XT_F_PARENT_CMD, XT_S("bash -l"));
    add(w, &event);
    executes(w, 510, 500, "/bin/sleep", "1"); /* then it executes after all */
    must_be(w, "400 unseen\n.500 bash -l\n..510 sleep 1\n...511 /bin/true\n");
}

static void pids_are_used_again(void **state)
{
    world *w = *state;

    executes(w, 500, 400, "/bin/bash", "-l");
    executes(w, 600, 500, "/bin/ls", "1");
    calls(w, 600, "called", "exit_group", "2");
    executes(w, 600, 500, "/bin/ls", "2"); /* the first had ended */
    executes(w, 601, 500, "/bin/sh", "3");
    executes(w, 601, 600, "/bin/ls", "4"); /* of another parent */
    executes(w, 601, 600, "/bin/ls", "5"); /* the same again: an exec */
    w->boot = "b2";
    executes(w, 601, 600, "/bin/ls", "6"); /* after another start */
    must_be(w, "400 unseen\n.500 bash -l\n..600 ls 1 . exit 2 10 ms\n..600 ls 2\n...601 ls 4 ls 5\n..601 sh 3\n"
               "600 unseen\n.601 ls 6\n");
}

static void pids_go_round(void **state)
{
    world *w = *state;

    executes(w, 30000, 400, "/bin/bash", "-l");
    executes(w, 30001, 30000, "/bin/ls", "1");
    executes(w, 32700, 30000, "/bin/ls", "2");
    executes(w, 350, 30000, "/bin/ls", "3"); /* they went round */
    executes(w, 29999, 30000, "/bin/ls", "4");
    executes(w, 30001, 30000, "/bin/ls", "5"); /* so this is not the first one executing again */
    executes(w, 30000, 400, "/bin/zsh", "-l"); /* and this is: it has children all the time */
    executes(w, 30002, 30000, "/bin/ls", "6");
    must_be(w, "400 unseen\n.30000 bash -l zsh -l\n..30001 ls 1\n..32700 ls 2\n..350 ls 3\n..29999 ls 4\n..30001 ls 5\n"
               "..30002 ls 6\n");
}

static void children_of_who_is_gone(void **state)
{
    world *w = *state;

    executes(w, 500, 400, "/bin/bash", "-l");
    executes(w, 501, 500, "/bin/sh", "1");
    executes(w, 502, 501, "/bin/sh", "2");
    executes(w, 502, 1, "/bin/ls", "3"); /* init has it: its parent ended */
    must_be(w, "400 unseen\n.500 bash -l\n..501 sh 1\n...502 sh 2 ls 3\n");
}

static void who_became_whom(void **state)
{
    world *w = *state;

    executes(w, 500, 400, "/bin/bash", "-l");
    w->euid = 0;
    executes(w, 501, 500, "/usr/bin/sudo", "id");
    w->uid = 0;
    executes(w, 503, 502, "/usr/bin/id", "-u"); /* 502: the monitor of sudo, which executes nothing */
    w->uid = w->euid = 1000;
    executes(w, 504, 500, "/opt/daemon", "-x");
    w->uid = w->euid = 65534;
    calls(w, 504, "changed-identity", "setresuid", "fffe");
    executes(w, 504, 500, "/bin/worker", "-y");
    must_be(w, "400 unseen\n.500 bash -l\n..501 sudo id(1000/1000>1000/0 sudo)\n...502 guessed\n"
               "....503 id -u(1000/0>0/0 sudo)\n..504 daemon -x ~(1000/1000>65534/65534 setresuid) worker -y\n");
}

static void text_for_people(void **state)
{
    world *w = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;

    executes(w, 500, 400, "/bin/bash", "-l");
    executes(w, 501, 500, "/bin/ls", "a\x1b[2Jb");
    calls(w, 501, "called", "exit_group", "ff");
    w->euid = 0;
    executes(w, 502, 500, "/usr/bin/su", "-");
    w->uid = 0;
    executes(w, 503, 502, "/bin/bash", "-");
    calls(w, 500, "called", "exit_group", "0");
    xt_session_tree_done(&w->tree);
    for (uint32_t i = XT_SESSION_NONE; (i = xt_session_tree_next(&w->tree, i)) != XT_SESSION_NONE;)
        xt_session_process_text(&w->tree, i, &out);
    xt_buf_putc(&out, '\0');
    assert_string_equal(
        out.p, "2023-11-14T22:13:20.010Z  (unknown)  [pid 400, not of this session's records]\n"
               "2023-11-14T22:13:20.010Z  └─ bash -l  [pid 500, alice, 50 ms, exit 0]\n"
               "2023-11-14T22:13:20.020Z     ├─ ls a\\x1b[2Jb  [pid 501, alice, 10 ms, exit 255]\n"
               "2023-11-14T22:13:20.040Z     └─ su -  [pid 502, alice -> alice (effective uid 0) by su]\n"
               "2023-11-14T22:13:20.050Z        └─ bash -  [pid 503, alice (effective uid 0) -> uid 0 by su]\n");
}

/* A long chain of processes takes no stack and ends its branches somewhere. */
static void deep(void **state)
{
    world *w = *state;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    uint32_t n = 0;

    for (uint32_t pid = 2; pid < 5000; pid++)
        executes(w, pid, pid - 1, "/bin/sh", "x");
    xt_session_tree_done(&w->tree);
    for (uint32_t i = XT_SESSION_NONE; (i = xt_session_tree_next(&w->tree, i)) != XT_SESSION_NONE; n++) {
        xt_session_process_text(&w->tree, i, &out);
        xt_session_process_json(&w->tree, i, &out);
    }
    assert_int_equal(n, 4999);
    assert_int_equal(w->tree.processes[4998]->depth, 4998);
    assert_int_equal(xt_buf_done(&out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parents_and_execs, world_new, world_free),
        cmocka_unit_test_setup_teardown(a_fork_without_an_exec, world_new, world_free),
        cmocka_unit_test_setup_teardown(pids_are_used_again, world_new, world_free),
        cmocka_unit_test_setup_teardown(pids_go_round, world_new, world_free),
        cmocka_unit_test_setup_teardown(children_of_who_is_gone, world_new, world_free),
        cmocka_unit_test_setup_teardown(who_became_whom, world_new, world_free),
        cmocka_unit_test_setup_teardown(text_for_people, world_new, world_free),
        cmocka_unit_test_setup_teardown(deep, world_new, world_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
