#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/vfs.h"

static char folder[] = "/tmp/xt-vfs-XXXXXX", path[64];

/* The system's table, but n calls of sync, rename and write go well and the next fails. */
static int calls_left;
static xt_vfs failing;

static int failing_fdatasync(const xt_vfs *vfs, int fd)
{
    return calls_left-- > 0 ? xt_vfs_system.fdatasync(vfs, fd) : -EIO;
}

static int failing_rename(const xt_vfs *vfs, const char *from, const char *to)
{
    return calls_left-- > 0 ? xt_vfs_system.rename(vfs, from, to) : -EIO;
}

/* Writes at most three bytes a call. */
static ssize_t failing_pwrite(const xt_vfs *vfs, int fd, const void *p, size_t n, uint64_t offset)
{
    return calls_left-- > 0 ? xt_vfs_system.pwrite(vfs, fd, p, n < 3 ? n : 3, offset) : -ENOSPC;
}

static int set_up(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    failing = xt_vfs_system;
    failing.fdatasync = failing_fdatasync;
    failing.rename = failing_rename;
    failing.pwrite = failing_pwrite;
    return 0;
}

static int tear_down(void **state)
{
    unlink(path);
    return rmdir(folder);
}

static void file_holds(const char *text)
{
    xt_buf out = XT_BUF_INIT;
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 1000000, &out), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&out), xt_slice_str(text)));
    xt_buf_fini(&out);
}

static void a_replaced_file_is_old_or_new(void **state)
{
    int n;

    assert_int_equal(xt_vfs_replace_file(&xt_vfs_system, path, XT_S("old"), 0600), 0);
    file_holds("old");
    for (n = 0; n < 100; n++) {
        calls_left = n;
        int r = xt_vfs_replace_file(&failing, path, XT_S("something new"), 0600);
        if (r == 0)
            break;
        assert_true(r == -EIO || r == -ENOSPC);
        file_holds("old");
    }
    assert_int_equal(n, 7); /* five writes, a sync, a rename */
    file_holds("something new");
}

static void reading_has_limits(void **state)
{
    xt_buf out = XT_BUF_INIT;
    char bytes[8];

    assert_int_equal(xt_vfs_replace_file(&xt_vfs_system, path, XT_S("12345"), 0600), 0);
    xt_buf_puts(&out, "before ");
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 4, &out), -EFBIG);
    assert_int_equal(out.n, 7);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, path, 5, &out), 0);
    assert_true(xt_slice_eq(xt_buf_slice(&out), XT_S("before 12345")));
    xt_buf_fini(&out);
    assert_int_equal(xt_vfs_read_file(&xt_vfs_system, "/nowhere/at/all", 5, &out), -ENOENT);

    int fd = xt_vfs_system.open(&xt_vfs_system, path, O_RDONLY, 0);
    uint64_t size;
    assert_true(fd >= 0);
    assert_int_equal(xt_vfs_system.size(&xt_vfs_system, fd, &size), 0);
    assert_int_equal(size, 5);
    assert_int_equal(xt_vfs_read_all(&xt_vfs_system, fd, bytes, 4, 1), 0);
    assert_memory_equal(bytes, "2345", 4);
    assert_int_equal(xt_vfs_read_all(&xt_vfs_system, fd, bytes, 4, 2), -EIO);
    assert_int_equal(xt_vfs_system.close(&xt_vfs_system, fd), 0);
    assert_int_equal(xt_vfs_system.sync_folder(&xt_vfs_system, folder), 0);
    assert_int_equal(xt_vfs_system.mkdir(&xt_vfs_system, folder, 0700), -EEXIST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_file_is_old_or_new),
        cmocka_unit_test(reading_has_limits),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
