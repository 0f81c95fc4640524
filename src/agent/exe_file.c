/*
 * How it works: by its path first, for most programs have ended before they are looked for, and that takes one lstat. Nothing is
 * opened whose inode is not that of a record: a fifo or a device that took the program's place is left alone.
 *
 * A record's device is that of the file system; stat may tell another one (subvolumes of btrfs, layers of overlayfs).
 * Then the mount that the file lies on says which file system it is.
 */
#include "agent/exe_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * A file's ctime may be a tick later than the time of an exec that began behind it: the exec has the coarse clock's, and newer
 * kernels give files a finer one.
 */
#define LATE_MS   10
#define MAX_PAIRS 16

static const char deleted[] = " (deleted)";

/* stat's device, and the file system's, of what was looked up before. */
static struct {
    uint64_t seen, real;
} pairs[MAX_PAIRS];
static unsigned n_pairs;

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static xt_exe_key key_of(const struct stat *st)
{
    return (xt_exe_key){.device = st->st_dev,
                        .inode = st->st_ino,
                        .size = (uint64_t)st->st_size,
                        .mtime_ns = ns_of(st->st_mtim),
                        .ctime_ns = ns_of(st->st_ctim)};
}

bool xt_exe_key_get(int fd, xt_exe_key *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *ret = key_of(&st);
    return true;
}

/* "36 35 98:0 /root /mnt ...": of the mount with that number; 0: it is not there. */
static uint64_t device_of_mount(uint32_t pid, uint64_t number)
{
    char path[64], line[4096];
    uint64_t device = 0;
    if (pid)
        snprintf(path, sizeof path, "/proc/%u/mountinfo", pid);
    else
        snprintf(path, sizeof path, "/proc/self/mountinfo");
    FILE *f = fopen(path, "re");
    while (f && !device && fgets(line, sizeof line, f)) {
        xt_slice rest = xt_slice_str(line), word, major;
        uint64_t id, a, b;
        bool is_it = xt_slice_cut(&rest, ' ', &word) && xt_slice_parse_u64(word, &id) && id == number &&
                     xt_slice_cut(&rest, ' ', &word) && xt_slice_cut(&rest, ' ', &word);
        if (is_it && xt_slice_cut(&word, ':', &major) && xt_slice_parse_u64(major, &a) && xt_slice_parse_u64(word, &b))
            device = makedev((unsigned)a, (unsigned)b);
    }
    if (f)
        fclose(f);
    return device;
}

/* Is that what the file system's device is called by stat? pid: who sees the mount. */
static bool is_same_device(int fd, const char *path, uint32_t pid, uint64_t seen, uint64_t device)
{
    struct statx sx;
    for (unsigned i = 0; i < n_pairs; i++)
        if (pairs[i].seen == seen && pairs[i].real == device)
            return true;
    if (statx(fd, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &sx) < 0 || !(sx.stx_mask & STATX_MNT_ID) ||
        device_of_mount(pid, sx.stx_mnt_id) != device)
        return false;
    pairs[n_pairs % MAX_PAIRS].seen = seen;
    pairs[n_pairs % MAX_PAIRS].real = device;
    n_pairs = n_pairs < MAX_PAIRS ? n_pairs + 1 : n_pairs;
    return true;
}

static bool is_recorded(const xt_digest_question *q, int fd, const char *path, uint32_t pid, const struct stat *st)
{
    for (unsigned i = 0; i < q->n_files; i++)
        if (q->files[i].inode == st->st_ino &&
            (q->files[i].device == st->st_dev || is_same_device(fd, path, pid, st->st_dev, q->files[i].device)))
            return true;
    return false;
}

static bool is_older(const struct stat *st, int64_t time_ms)
{
    return ns_of(st->st_ctim) / 1000000 < time_ms;
}

/* pid: whose root it is below; 0: ours. */
static int by_path(const xt_digest_question *q, uint32_t pid, xt_slice exe, xt_exe_key *ret, char ret_path[static 8192])
{
    struct stat st;
    int n = pid ? snprintf(ret_path, 8192, "/proc/%u/root%.*s", pid, XT_S_ARGS(exe))
                : snprintf(ret_path, 8192, "%.*s", XT_S_ARGS(exe));
    if (n <= 0 || n >= 8192 || exe.n == 0 || exe.p[0] != '/' || lstat(ret_path, &st) < 0 || !S_ISREG(st.st_mode) ||
        !is_older(&st, q->time_ms) || !is_recorded(q, AT_FDCWD, ret_path, pid, &st))
        return XT_EXE_FILE_E_ABSENT;
    *ret = key_of(&st);
    return 0;
}

static xt_slice without_deleted(xt_slice path)
{
    return xt_slice_ends(path, xt_slice_str(deleted)) ? xt_slice_head(path, path.n - strlen(deleted)) : path;
}

/* Is the open file called so? From outside of a changed root its path is longer. */
static bool is_called(int fd, xt_slice exe)
{
    char link[64], text[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, text, sizeof text);
    return n > 0 && n < (ssize_t)sizeof text && xt_slice_ends(without_deleted(xt_slice_of(text, (size_t)n)), exe);
}

static int by_process(const xt_digest_question *q, xt_slice exe, xt_exe_key *ret, int *ret_fd)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%u/exe", q->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return XT_EXE_FILE_E_ABSENT;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_older(&st, q->time_ms + LATE_MS) ||
        !is_recorded(q, fd, "", q->pid, &st) || !is_called(fd, exe)) {
        close(fd);
        return XT_EXE_FILE_E_ABSENT;
    }
    *ret = key_of(&st);
    *ret_fd = fd;
    return 0;
}

int xt_exe_file_find(const xt_digest_question *q, xt_exe_key *ret, int *ret_fd, char ret_path[static 8192])
{
    xt_slice exe = without_deleted(q->path);
    *ret_fd = -1;
    int r = by_path(q, 0, exe, ret, ret_path);
    if (r != 0 && q->pid)
        r = by_process(q, exe, ret, ret_fd);
    if (r != 0 && q->ppid)
        r = by_path(q, q->ppid, exe, ret, ret_path);
    return r;
}

int xt_exe_file_open(const char *path, const xt_exe_key *key, int *ret_fd)
{
    xt_exe_key now;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return XT_EXE_FILE_E_ABSENT;
    if (!xt_exe_key_get(fd, &now) || !xt_exe_key_eq(&now, key)) {
        close(fd);
        return XT_EXE_FILE_E_ABSENT;
    }
    *ret_fd = fd;
    return 0;
}
