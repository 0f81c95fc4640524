/* Files that an agent with another user left become this user's; nothing else does, though that user tries while it is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/state_folder.h"

#define USER   60000
#define ROUNDS 3000

static char folder[64];
static atomic_bool is_over;

static const char *at(const char *name)
{
    static _Thread_local char paths[4][128];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void make(const char *name)
{
    int fd = open(at(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static uid_t owner_of(const char *name)
{
    struct stat st;
    assert_int_equal(lstat(at(name), &st), 0);
    return st.st_uid;
}

static void open_state(void)
{
    const xt_privilege_user user = {USER, USER};
    xt_problem problem = XT_PROBLEM_INIT;
    int shipper, lock;
    assert_int_equal(xt_state_folder_open(at("state"), &user, &shipper, &lock, &problem), 0);
    close(shipper);
    close(lock);
}

static int setup(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return 0;
    snprintf(folder, sizeof folder, "/tmp/xt-state-XXXXXX");
    assert_non_null(mkdtemp(folder));
    make("victim");
    assert_int_equal(chmod(at("victim"), 0666) | chmod(folder, 0755), 0); /* what the user may write it may link */
    open_state();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const names[] = {"state/shipper/link",
                                        "state/shipper/other",
                                        "state/shipper/mine",
                                        "state/shipper/a",
                                        "state/shipper/b",
                                        "state/shipper/spool",
                                        "state/shipper",
                                        "state/lock",
                                        "state",
                                        "victim",
                                        ""};
    for (size_t i = 0; folder[0] && i < sizeof names / sizeof names[0]; i++)
        remove(at(names[i]));
    return 0;
}

static void test_owners(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    make("state/shipper/mine");
    assert_int_equal(symlink(at("victim"), at("state/shipper/link")), 0);
    assert_int_equal(link(at("victim"), at("state/shipper/other")), 0);
    open_state();
    assert_int_equal(owner_of("state/shipper/mine"), USER);
    assert_int_equal(owner_of("state/shipper/link"), 0);
    assert_int_equal(owner_of("victim"), 0);
    remove(at("state/shipper/other"));
}

/* `a` is now a file of its own, now another name of root's file. */
static void *swap(void *context)
{
    const long user = syscall(SYS_setresuid, USER, USER, USER); /* of this thread alone */
    while (!is_over && user == 0) {
        int fd = open(at("state/shipper/b"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            close(fd);
        (void)!rename(at("state/shipper/b"), at("state/shipper/a"));
        (void)!link(at("victim"), at("state/shipper/b"));
        (void)!rename(at("state/shipper/b"), at("state/shipper/a"));
        remove(at("state/shipper/a"));
    }
    return context;
}

static void test_swapped_meanwhile(void **state)
{
    pthread_t thread;
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
    for (unsigned i = 0; i < ROUNDS && owner_of("victim") == 0; i++)
        open_state();
    is_over = true;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(owner_of("victim"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_owners), cmocka_unit_test(test_swapped_meanwhile)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
