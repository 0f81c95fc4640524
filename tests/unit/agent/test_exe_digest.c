/* Files executed and found again, or not; the answers against OpenSSL's own sum of what was written. The process runs as a thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/digest_desk.h"
#include "agent/own_event.h"

#define HOST_TIME INT64_MAX / 2

typedef struct fixture {
    char folder[64];
    int ours, theirs;
    pthread_t thread;
    uint32_t number;
} fixture;

static void *run(void *context)
{
    xt_exe_digest_run(((fixture *)context)->theirs);
    return NULL;
}

static int set_up(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    int pair[2];
    strcpy(f->folder, "/tmp/xt-digest-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    f->ours = pair[0];
    f->theirs = pair[1];
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *f = *state;
    char path[128];
    static const char *const names[] = {"a", "b", "big"};
    close(f->ours);
    pthread_join(f->thread, NULL);
    close(f->theirs);
    for (size_t i = 0; i < XT_COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, names[i]);
        unlink(path);
    }
    rmdir(f->folder);
    free(f);
    return 0;
}

static char *path_of(const fixture *f, const char *name, char ret[static 128])
{
    snprintf(ret, 128, "%s/%s", f->folder, name);
    return ret;
}

static void write_file(const char *path, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    close(fd);
}

static void sum(const void *bytes, size_t n, uint8_t ret[static XT_DIGEST_BYTES])
{
    assert_int_equal(EVP_Digest(bytes, n, ret, NULL, EVP_sha256(), NULL), 1);
}

static xt_digest_question about(fixture *f, const char *path, int64_t time_ms)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (xt_digest_question){.number = ++f->number,
                                .time_ms = time_ms,
                                .path = xt_slice_str(path),
                                .n_files = 2,
                                .files = {{1, 1}, {st.st_dev, st.st_ino}}};
}

static xt_digest_answer ask(fixture *f, const xt_digest_question *q)
{
    char bytes[XT_DIGEST_DATAGRAM];
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_digest_answer answer;
    xt_digest_question_put(&out, q);
    assert_int_equal(send(f->ours, out.p, out.n, 0), out.n);
    ssize_t n = recv(f->ours, bytes, sizeof bytes, 0);
    assert_true(n > 0);
    xt_slice rest = xt_slice_of(bytes, (size_t)n);
    assert_true(xt_digest_answer_next(&rest, &answer));
    assert_int_equal(answer.number, q->number);
    return answer;
}

static int64_t changed_ms(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
}

static void a_file_is_known_by_what_audit_said(void **state)
{
    fixture *f = *state;
    char a[128], b[128];
    uint8_t expected[XT_DIGEST_BYTES];
    write_file(path_of(f, "a", a), "program", 7);
    sum("program", 7, expected);
    xt_digest_question q = about(f, a, HOST_TIME);
    for (int i = 0; i < 2; i++) { /* read, and remembered */
        xt_digest_answer answer = ask(f, &q);
        assert_true(answer.is_known);
        assert_memory_equal(answer.digest, expected, sizeof expected);
    }
    q.files[1].inode++;
    assert_false(ask(f, &q).is_known);
    q = about(f, a, HOST_TIME);
    q.files[1].device++;
    assert_false(ask(f, &q).is_known);
    q = about(f, a, changed_ms(a)); /* it changed when it was executed, or behind that */
    assert_false(ask(f, &q).is_known);
    q.time_ms++;
    assert_true(ask(f, &q).is_known);
    write_file(a, "PROGRAM", 7); /* the same inode, size and perhaps second */
    sum("PROGRAM", 7, expected);
    q = about(f, a, HOST_TIME);
    xt_digest_answer answer = ask(f, &q);
    assert_true(answer.is_known);
    assert_memory_equal(answer.digest, expected, sizeof expected);
    write_file(path_of(f, "b", b), "another", 7);
    q = about(f, a, HOST_TIME); /* another file takes its place before it is looked for */
    assert_int_equal(rename(b, a), 0);
    assert_false(ask(f, &q).is_known);
    assert_int_equal(symlink("/bin/true", b), 0);
    q = about(f, b, HOST_TIME); /* audit tells the file, not a link to it */
    assert_false(ask(f, &q).is_known);
    unlink(b);
    q = about(f, "/dev/null", HOST_TIME);
    assert_false(ask(f, &q).is_known);
    assert_int_equal(mkfifo(b, 0600), 0); /* nobody waits for its writer */
    q = about(f, b, HOST_TIME);
    assert_false(ask(f, &q).is_known);
}

/* What runs and has no path: a memfd, as one executes it who leaves no file. */
static void what_a_process_runs_is_known_without_its_path(void **state)
{
    fixture *f = *state;
    static char program[1 << 18];
    char text[64];
    int from = open("/bin/sleep", O_RDONLY | O_CLOEXEC), fd = memfd_create("gone", MFD_CLOEXEC);
    struct stat st;
    uint8_t expected[XT_DIGEST_BYTES];
    ssize_t n = read(from, program, sizeof program);
    assert_true(n > 0 && n < (ssize_t)sizeof program);
    close(from);
    assert_int_equal(write(fd, program, (size_t)n), n);
    sum(program, (size_t)n, expected);
    assert_int_equal(fstat(fd, &st), 0);
    snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
    pid_t pid = fork();
    if (pid == 0) {
        int again = open(text, O_RDONLY);
        char *const argv[] = {(char[]){"sleep"}, (char[]){"60"}, NULL}, *const envp[] = {NULL};
        close(fd);
        fexecve(again, argv, envp);
        _exit(1);
    }
    close(fd);
    xt_digest_question q = {
        .pid = (uint32_t)pid, .time_ms = HOST_TIME, .n_files = 1, .path = XT_S("/memfd:gone (deleted)")};
    q.files[0] = (xt_digest_file){st.st_dev, st.st_ino};
    xt_digest_answer answer = {.is_known = false};
    for (int i = 0; i < 500 && !answer.is_known; i++) { /* until it has executed it */
        q.number = ++f->number;
        answer = ask(f, &q);
        usleep(10000);
    }
    assert_true(answer.is_known);
    assert_memory_equal(answer.digest, expected, sizeof expected);
    q.path = XT_S("/memfd:other (deleted)");
    assert_false(ask(f, &q).is_known);
    q.path = XT_S("/memfd:gone (deleted)");
    q.time_ms = (int64_t)st.st_ctim.tv_sec * 1000 - 1000;
    assert_false(ask(f, &q).is_known);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void put_exec(xt_event *event, const char *path, uint32_t pid, xt_arena *arena)
{
    static char paths[512];
    struct stat st;
    xt_buf out = XT_BUF_ON(paths);
    assert_int_equal(stat(path, &st), 0);
    const xt_path item = {.has_inode = true,
                          .nametype = XT_S("NORMAL"),
                          .inode = st.st_ino,
                          .dev_major = st.st_dev >> 8 & 0xfff,
                          .dev_minor = (st.st_dev & 0xff) | (st.st_dev >> 12 & 0xfff00)};
    xt_paths_put(&out, &item, 1);
    xt_event_reset(event);
    xt_event_set_num(event, XT_F_TIME, (uint64_t)1 << 52);
    xt_event_set_num(event, XT_F_PID, pid);
    xt_event_set_bytes(event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(event, XT_F_EXE, xt_slice_str(path));
    xt_event_set_bytes(event, XT_F_PATHS, xt_buf_slice(&out));
}

/* Three events of a group: one of a file, one of a file that is gone, one that executes nothing. */
static void a_group_goes_with_what_is_known(void **state)
{
    fixture *f = *state;
    xt_digest_desk *desk;
    xt_event event;
    xt_arena arena;
    XT_CLEANUP(xt_buf_fini) xt_buf group = XT_BUF_INIT;
    char a[128], b[128], hex[65];
    uint8_t digest[XT_DIGEST_BYTES];
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(xt_digest_desk_new(f->ours, &desk), 0);
    write_file(path_of(f, "a", a), "program", 7);
    write_file(path_of(f, "b", b), "gone", 4);
    sum("program", 7, digest);
    for (int i = 0; i < XT_DIGEST_BYTES; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    for (int round = 0; round < 2; round++) {
        xt_buf_reset(&group);
        write_file(b, "gone", 4);
        put_exec(&event, a, 1, &arena);
        assert_int_equal(xt_digest_desk_put(desk, &event, &group), 0);
        put_exec(&event, b, 2, &arena);
        unlink(b);
        assert_int_equal(xt_digest_desk_put(desk, &event, &group), 0);
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, 5);
        xt_event_set_bytes(&event, XT_F_ACTION, XT_S("exited"));
        assert_int_equal(xt_digest_desk_put(desk, &event, &group), 0);
        assert_true(xt_digest_desk_waits(desk));
        assert_int_equal(xt_digest_desk_fill(desk, 20000, &group), 0);
        assert_false(xt_digest_desk_waits(desk));
        xt_slice rest = xt_buf_slice(&group), bytes;
        assert_true(xt_event_batch_next(&rest, &bytes));
        assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
        assert_true(xt_slice_eq(xt_event_bytes(&event, XT_F_HASH), xt_slice_str(hex)));
        assert_false(xt_own_event_has_flag(&event, XT_S("unhashed")));
        assert_true(xt_event_batch_next(&rest, &bytes));
        assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
        assert_int_equal(xt_event_num(&event, XT_F_PID, 0), 2);
        assert_false(xt_event_has(&event, XT_F_HASH));
        assert_true(xt_own_event_has_flag(&event, XT_S("unhashed")));
        assert_true(xt_event_batch_next(&rest, &bytes));
        assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
        assert_int_equal(xt_event_num(&event, XT_F_TIME, 0), 5);
        assert_false(xt_event_has(&event, XT_F_FLAGS));
        assert_int_equal(rest.n, 0);
    }
    assert_int_equal(xt_digest_desk_stats_get(desk).n_known, 2);
    assert_int_equal(xt_digest_desk_stats_get(desk).n_unknown, 2);
    xt_digest_desk_free(desk);
    xt_arena_fini(&arena);
}

/* Nobody waits for a large one; who asks later has it, and small ones come in between. */
static void a_large_file_is_read_behind(void **state)
{
    enum { SIZE = 96 << 20 };
    fixture *f = *state;
    xt_digest_desk *desk;
    xt_event event;
    XT_CLEANUP(xt_buf_fini) xt_buf group = XT_BUF_INIT;
    char a[128], big[128];
    char *bytes = calloc(1, SIZE);
    assert_non_null(bytes);
    write_file(path_of(f, "big", big), bytes, SIZE);
    write_file(path_of(f, "a", a), "program", 7);
    free(bytes);
    assert_int_equal(xt_digest_desk_new(f->ours, &desk), 0);
    put_exec(&event, big, 1, NULL);
    assert_int_equal(xt_digest_desk_put(desk, &event, &group), 0);
    assert_int_equal(xt_digest_desk_fill(desk, 1, &group), 0); /* no machine reads it within a millisecond */
    assert_int_equal(xt_digest_desk_stats_get(desk).n_unknown, 1);
    xt_buf_reset(&group);
    put_exec(&event, a, 2, NULL);
    assert_int_equal(xt_digest_desk_put(desk, &event, &group), 0);
    put_exec(&event, big, 3, NULL);
    assert_int_equal(xt_digest_desk_put(desk, &event, &group), 0);
    assert_int_equal(xt_digest_desk_fill(desk, 60000, &group), 0);
    assert_int_equal(xt_digest_desk_stats_get(desk).n_known, 2);
    xt_digest_desk_free(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_is_known_by_what_audit_said, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_process_runs_is_known_without_its_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_group_goes_with_what_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_file_is_read_behind, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
