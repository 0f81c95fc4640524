/* The agent's pieces that stand alone: ring, names by a helper, processes from /proc, its own events, status files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/helper.h"
#include "agent/name_cache.h"
#include "agent/own_event.h"
#include "agent/proc_read.h"
#include "agent/ring.h"
#include "agent/state_file.h"

static void put_number(xt_ring *ring, uint32_t n, size_t pad)
{
    static char bytes[65536];
    memcpy(bytes, &n, sizeof n);
    const xt_netlink_message message = {.type = 1300, .payload = xt_slice_of(bytes, sizeof n + pad)};
    const xt_netlink_counters counters = {.n_messages = n};
    xt_ring_put(ring, &message, 1, &counters);
}

static void test_ring_bound(void **state)
{
    xt_ring *ring;
    assert_int_equal(xt_ring_open(&ring), 0);
    assert_int_equal(xt_ring_take(ring).n, 0);
    for (uint32_t i = 0; i < 200; i++)
        put_number(ring, i, 60000);
    uint64_t dropped = xt_ring_dropped(ring);
    assert_in_range(dropped, 1, 199);
    xt_slice rest = xt_ring_take(ring);
    xt_netlink_message message;
    uint32_t n = 0;
    while (xt_ring_next(&rest, &message)) {
        assert_int_equal(message.type, 1300);
        assert_memory_equal(message.payload.p, &n, sizeof n);
        n++;
    }
    assert_int_equal(n + dropped, 200);
    put_number(ring, 7, 0);
    rest = xt_ring_take(ring);
    assert_true(xt_ring_next(&rest, &message));
    assert_int_equal(message.payload.n, 4);
    assert_int_equal(xt_ring_counters(ring).n_messages, 7);
    xt_ring_close(ring);
}

#define N_THREAD 200000

static void *put_many(void *context)
{
    for (uint32_t i = 0; i < N_THREAD; i++)
        put_number(context, i, i % 50);
    return NULL;
}

/* Two threads: what was not dropped comes once and in order. */
static void test_ring_threads(void **state)
{
    xt_ring *ring;
    pthread_t thread;
    assert_int_equal(xt_ring_open(&ring), 0);
    assert_int_equal(pthread_create(&thread, NULL, put_many, ring), 0);
    uint64_t n = 0;
    int64_t last = -1;
    while (n + xt_ring_dropped(ring) < N_THREAD) {
        xt_slice rest = xt_ring_take(ring);
        xt_netlink_message message;
        while (xt_ring_next(&rest, &message)) {
            uint32_t value;
            memcpy(&value, message.payload.p, sizeof value);
            assert_true(value > last);
            last = value;
            n++;
        }
    }
    pthread_join(thread, NULL);
    xt_ring_close(ring);
}

static pid_t helper_start(int *ret_fd)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        xt_helper_run(&fds[1], 1);
        _exit(0);
    }
    close(fds[1]);
    *ret_fd = fds[0];
    return pid;
}

static void test_names(void **state)
{
    int fd, status;
    pid_t pid = helper_start(&fd);
    xt_name_cache *cache;
    assert_int_equal(xt_name_cache_new(fd, &xt_clock_system, &cache), 0);
    const xt_name_source *source = xt_name_cache_source(cache);
    const struct passwd *user;
    setpwent();
    while ((user = getpwent()) != NULL) {
        const struct passwd *first = getpwuid(user->pw_uid);
        xt_slice name = source->user(source->context, first->pw_uid);
        assert_true(xt_slice_eq(name, xt_slice_str(first->pw_name)));
    }
    endpwent();
    assert_true(xt_slice_eq(source->group(source->context, 0), xt_slice_str(getgrgid(0)->gr_name)));
    assert_int_equal(source->user(source->context, 3999999999u).n, 0);
    assert_true(xt_slice_eq(source->user(source->context, 0), XT_S("root")));
    close(fd);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    /* Without a helper what is known stays known, and nothing hangs. */
    assert_true(xt_slice_eq(source->user(source->context, 0), XT_S("root")));
    xt_name_cache_free(cache);
}

static void test_addresses(void **state)
{
    int fd;
    pid_t pid = helper_start(&fd);
    xt_helper_answer answer;
    assert_int_equal(xt_helper_ask(fd, XT_HELPER_ADDRESS, 5,
                                   XT_S("127.0.0.1\0"
                                        "8515")),
                     0);
    assert_int_equal(xt_helper_take(fd, 5000, &answer), 0);
    assert_int_equal(answer.number, 5);
    assert_true(answer.data.n > 1 && answer.data.n == (size_t)(uint8_t)answer.data.p[0] + 1);
    assert_int_equal(xt_helper_ask(fd, XT_HELPER_ADDRESS, 6, XT_S("no-port-here")), 0);
    assert_int_equal(xt_helper_take(fd, 5000, &answer), 0);
    assert_int_equal(answer.data.n, 0);
    close(fd);
    waitpid(pid, NULL, 0);
}

static void test_proc_read(void **state)
{
    xt_proc_reader reader = {0};
    xt_proc_info info;
    char exe[512];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe);
    assert_true(xt_proc_read(&reader, (uint32_t)getpid(), &info));
    assert_int_equal(info.ppid, getppid());
    assert_true(xt_slice_eq(info.exe, xt_slice_of(exe, (size_t)n)));
    assert_true(xt_slice_find(info.cmd, XT_S("test_agent_parts")) >= 0);
    assert_true(xt_slice_eq(info.comm, XT_S("test_agent_part")));
    int64_t now_ms = xt_clock_wall_ms(&xt_clock_system);
    assert_in_range(info.start_ms, now_ms - 600000, now_ms + 1000);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    assert_false(xt_proc_read(&reader, (uint32_t)pid, &info));
    uint64_t cpu_us = 0, rss = 0;
    xt_proc_cost((uint32_t)getpid(), &cpu_us, &rss);
    assert_in_range(rss, 1 << 18, (uint64_t)1 << 40);
    xt_proc_reader_fini(&reader);
}

static void test_own_event(void **state)
{
    xt_buf out = XT_BUF_INIT;
    const xt_event_origin origin = {.host_name = XT_S("h"), .host_id = XT_S("id"), .boot_id = XT_S("b")};
    xt_own_event_put(&out, &origin, 1234, "lost", XT_S("the kernel lost 3 audit records"));
    xt_slice rest = xt_buf_slice(&out), bytes, item;
    xt_event event;
    assert_true(xt_event_batch_next(&rest, &bytes));
    assert_int_equal(rest.n, 0);
    assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
    assert_int_equal(xt_event_num(&event, XT_F_TIME, 0), 1234);
    assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_ACTION), XT_S("lost")));
    assert_int_equal(xt_event_bytes(&event, XT_F_EVENT_ID).n, 32);
    assert_int_equal(xt_list_count(xt_event_bytes(&event, XT_F_CATEGORY)), 1);
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(&event, XT_F_CATEGORY));
    assert_true(xt_list_next(&iter, &item) && xt_slice_eq(item, XT_S("host")));
    xt_buf_fini(&out);
}

static void test_channel(void **state)
{
    int fds[2];
    xt_buf in = XT_BUF_INIT;
    xt_frame frame;
    size_t taken;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_int_equal(xt_channel_send(fds[0], XT_CHANNEL_READY, XT_S("abc")), 0);
    assert_int_equal(xt_channel_try(fds[0], XT_CHANNEL_END, XT_S_NULL), 0);
    assert_int_equal(xt_channel_receive(fds[1], &in), 0);
    assert_int_equal(xt_frame_next(xt_buf_slice(&in), &frame, &taken, NULL), 0);
    assert_int_equal(frame.type, XT_CHANNEL_READY);
    assert_true(xt_slice_eq(frame.payload, XT_S("abc")));
    xt_buf_consume(&in, taken);
    assert_int_equal(xt_frame_next(xt_buf_slice(&in), &frame, &taken, NULL), 0);
    assert_int_equal(frame.type, XT_CHANNEL_END);
    close(fds[0]);
    assert_true(xt_channel_receive(fds[1], &in) < 0);
    close(fds[1]);
    xt_buf_fini(&in);
}

/* Nobody reads at first: all of it waits, nothing blocks, and what comes out is what went in. */
static void test_channel_queue(void **state)
{
    static char payload[100000];
    int fds[2];
    xt_buf in = XT_BUF_INIT;
    xt_frame frame;
    size_t taken;
    unsigned n = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    xt_channel_queue queue = XT_CHANNEL_QUEUE_ON(fds[0]);
    for (unsigned i = 0; i < 50; i++) {
        memset(payload, (int)i, sizeof payload);
        assert_int_equal(xt_channel_put(&queue, XT_CHANNEL_EVENTS, xt_slice_of(payload, sizeof payload - i)), 0);
    }
    assert_true(xt_channel_waiting(&queue) > 4 * sizeof payload);
    /* the first that is not gone whole is there whole */
    assert_int_equal(xt_frame_next(xt_channel_unsent(&queue), &frame, &taken, NULL), 0);
    assert_true(frame.payload.p[0] > 0 && frame.payload.n == sizeof payload - (size_t)frame.payload.p[0]);
    while (n < 50) {
        int r = xt_channel_receive(fds[1], &in);
        assert_true(r == 0 || r == -EAGAIN);
        assert_int_equal(xt_channel_pump(&queue), 0);
        while (xt_frame_next(xt_buf_slice(&in), &frame, &taken, NULL) == 0) {
            assert_int_equal(frame.payload.n, sizeof payload - n);
            assert_int_equal(frame.payload.p[frame.payload.n - 1], n);
            xt_buf_consume(&in, taken);
            n++;
        }
    }
    assert_int_equal(xt_channel_waiting(&queue), 0);
    assert_int_equal(xt_channel_unsent(&queue).n, 0);
    close(fds[1]);
    assert_int_equal(xt_channel_put(&queue, XT_CHANNEL_EVENTS, XT_S("abc")), -EPIPE);
    assert_int_equal(xt_frame_next(xt_channel_unsent(&queue), &frame, &taken, NULL), 0);
    assert_true(xt_slice_eq(frame.payload, XT_S("abc")));
    close(fds[0]);
    xt_channel_queue_fini(&queue);
    xt_buf_fini(&in);
}

static void test_state_file(void **state)
{
    char dir[] = "/tmp/xt-parts-XXXXXX", path[64];
    xt_state_file file;
    assert_non_null(mkdtemp(dir));
    assert_true(xt_state_file_read(dir, "status", &file) < 0);
    assert_int_equal(xt_state_file_write(dir, "status", XT_S("old=1\n")), 0);
    assert_int_equal(xt_state_file_write(dir, "status", XT_S("a=1\nab=2\nempty=\nlast=x=y")), 0);
    assert_int_equal(xt_state_file_read(dir, "status", &file), 0);
    assert_int_equal(xt_state_file_number(&file, "ab"), 2);
    assert_int_equal(xt_state_file_number(&file, "old"), 0);
    assert_int_equal(xt_state_file_text(&file, "empty").n, 0);
    assert_true(xt_slice_eq(xt_state_file_text(&file, "last"), XT_S("x=y")));
    xt_state_file_fini(&file);
    snprintf(path, sizeof path, "%s/status", dir);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ring_bound), cmocka_unit_test(test_ring_threads),  cmocka_unit_test(test_names),
        cmocka_unit_test(test_addresses),  cmocka_unit_test(test_proc_read),     cmocka_unit_test(test_own_event),
        cmocka_unit_test(test_channel),    cmocka_unit_test(test_channel_queue), cmocka_unit_test(test_state_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
