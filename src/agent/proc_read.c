/*
 * How it works: stat is read first and last; its 22nd field (start, in ticks since boot) names the process for as long
 * as the machine runs. The name stands in brackets and may hold any byte, so fields are counted from the last bracket.
 */
#include "agent/proc_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_CMD_BYTES    65536 /* of a parent's command line; exec events hold theirs whole */
#define MAX_CGROUP_BYTES 16384
#define FLAG_KERNEL      0x00200000 /* PF_KTHREAD of linux/sched.h, in the 9th field of stat */

typedef struct stat_line {
    xt_slice comm;
    uint32_t ppid, sid;
    uint64_t flags;
    uint64_t start_ticks, utime_ticks, stime_ticks, rss_pages;
} stat_line;

static int read_file(uint32_t pid, const char *name, size_t max_bytes, xt_buf *out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    xt_buf_reset(out);
    int r = 0;
    while (out->n < max_bytes) {
        char *p = xt_buf_reserve(out, 4096);
        ssize_t n = p ? read(fd, p, 4096) : -1;
        if (n <= 0) {
            r = p ? n < 0 ? -errno : 0 : -ENOMEM;
            break;
        }
        out->n += (size_t)n;
    }
    close(fd);
    return r;
}

static bool parse_stat(xt_slice text, stat_line *ret)
{
    const char *open = text.n ? memchr(text.p, '(', text.n) : NULL,
               *close = text.n ? memrchr(text.p, ')', text.n) : NULL;
    if (!open || !close || close < open)
        return false;
    ret->comm = xt_slice_of(open + 1, (size_t)(close - open) - 1);
    xt_slice rest = xt_slice_skip(text, (size_t)(close - text.p) + 2), word;
    uint64_t fields[53] = {0};
    for (unsigned i = 3; i < XT_COUNT_OF(fields) && xt_slice_cut(&rest, ' ', &word); i++)
        if (!xt_slice_parse_u64(word, &fields[i]))
            fields[i] = 0;
    ret->ppid = (uint32_t)fields[4];
    ret->sid = (uint32_t)fields[6];
    ret->flags = fields[9];
    ret->utime_ticks = fields[14];
    ret->stime_ticks = fields[15];
    ret->start_ticks = fields[22];
    ret->rss_pages = fields[24];
    return ret->start_ticks > 0 || ret->ppid == 0;
}

/* Wall time of the boot in milliseconds. */
static int64_t boot_ms(void)
{
    struct timespec wall, since;
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_BOOTTIME, &since);
    return (wall.tv_sec - since.tv_sec) * 1000 + (wall.tv_nsec - since.tv_nsec) / 1000000;
}

static void read_exe(xt_proc_reader *reader, uint32_t pid, xt_proc_info *info)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/exe", pid);
    ssize_t n = readlink(path, reader->exe, sizeof reader->exe);
    info->exe = n > 0 ? xt_slice_of(reader->exe, (size_t)n) : XT_S_NULL;
}

/* Arguments end with NUL each; they are joined by one space as everywhere. */
static void read_cmd(xt_proc_reader *reader, uint32_t pid, xt_proc_info *info)
{
    xt_arena arena;
    if (read_file(pid, "cmdline", MAX_CMD_BYTES, &reader->raw) < 0)
        return;
    xt_buf_reset(&reader->cmd);
    xt_buf_reset(&reader->marks);
    xt_arena_init(&arena, 16 * MAX_CMD_BYTES);
    int r = xt_secret_redact_argv(reader->secrets, xt_buf_slice(&reader->raw), &arena, &reader->cmd, &reader->marks);
    xt_arena_fini(&arena);
    if (r < 0)
        return;
    xt_buf_reset(&reader->argv);
    xt_buf_put(&reader->argv, xt_buf_slice(&reader->cmd));
    info->argv = xt_buf_slice(&reader->argv);
    size_t n = reader->cmd.n;
    while (n > 0 && reader->cmd.p[n - 1] == '\0')
        n--;
    for (size_t i = 0; i < n; i++)
        if (reader->cmd.p[i] == '\0')
            reader->cmd.p[i] = ' ';
    info->cmd = xt_slice_of(reader->cmd.p, n);
    info->marks = xt_buf_slice(&reader->marks);
}

bool xt_proc_read(void *context, uint32_t pid, xt_proc_info *ret)
{
    xt_proc_reader *reader = context;
    stat_line before, after;
    xt_proc_info info = {.pid = pid};
    if (read_file(pid, "stat", 4096, &reader->stat) < 0 || !parse_stat(xt_buf_slice(&reader->stat), &before))
        return false;
    read_exe(reader, pid, &info);
    read_cmd(reader, pid, &info);
    if (read_file(pid, "stat", 4096, &reader->stat) < 0 || !parse_stat(xt_buf_slice(&reader->stat), &after) ||
        after.start_ticks != before.start_ticks)
        return false;
    info.ppid = after.ppid;
    info.sid = after.sid;
    info.comm = after.comm;
    info.start_ms = boot_ms() + (int64_t)(after.start_ticks * 1000 / (uint64_t)sysconf(_SC_CLK_TCK));
    *ret = info;
    return true;
}

void xt_proc_reader_fini(xt_proc_reader *reader)
{
    xt_buf_fini(&reader->stat);
    xt_buf_fini(&reader->cmd);
    xt_buf_fini(&reader->argv);
    xt_buf_fini(&reader->raw);
    xt_buf_fini(&reader->marks);
    xt_buf_fini(&reader->cgroup);
}

xt_slice xt_proc_read_cgroup(xt_proc_reader *reader, uint32_t pid)
{
    return read_file(pid, "cgroup", MAX_CGROUP_BYTES, &reader->cgroup) == 0 ? xt_buf_slice(&reader->cgroup) : XT_S_NULL;
}

uint32_t xt_proc_login(uint32_t pid)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    uint64_t id;
    if (read_file(pid, "loginuid", 64, &text) < 0 || !xt_slice_parse_u64(xt_slice_trim(xt_buf_slice(&text)), &id))
        return UINT32_MAX;
    return (uint32_t)id;
}

void xt_proc_comm(uint32_t pid, char *ret, size_t n)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_slice comm = read_file(pid, "comm", 256, &text) == 0 ? xt_buf_slice(&text) : XT_S_NULL;
    comm = xt_slice_head(xt_slice_ends(comm, XT_S("\n")) ? xt_slice_head(comm, comm.n - 1) : comm, n - 1);
    if (comm.n > 0)
        memcpy(ret, comm.p, comm.n);
    ret[comm.n] = '\0';
}

uint32_t xt_proc_uid(uint32_t pid)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_slice rest, line, word;
    uint64_t uid;
    if (read_file(pid, "status", 4096, &text) < 0)
        return UINT32_MAX;
    rest = xt_buf_slice(&text);
    while (xt_slice_cut(&rest, '\n', &line))
        if (xt_slice_cut(&line, '\t', &word) && xt_slice_eq(word, XT_S("Uid:")) && xt_slice_cut(&line, '\t', &word) &&
            xt_slice_parse_u64(word, &uid))
            return (uint32_t)uid;
    return UINT32_MAX;
}

bool xt_proc_is_kernel(uint32_t pid)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    stat_line line;
    return read_file(pid, "stat", 4096, &text) == 0 && parse_stat(xt_buf_slice(&text), &line) &&
           (line.flags & FLAG_KERNEL) != 0;
}

unsigned xt_proc_threads(uint32_t pid)
{
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    return stat(path, &st) == 0 && st.st_nlink > 2 ? (unsigned)st.st_nlink - 2 : 0;
}

bool xt_proc_is_gone(uint32_t pid)
{
    return kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

int xt_proc_read_all(xt_proc_reader *reader, int (*each)(void *context, const xt_proc_info *info), void *context)
{
    DIR *folder = opendir("/proc");
    if (!folder)
        return xt_error_origin(-errno);
    int r = 0;
    for (struct dirent *entry; r == 0 && (entry = readdir(folder)) != NULL;) {
        uint64_t pid;
        xt_proc_info info;
        if (xt_slice_parse_u64(xt_slice_str(entry->d_name), &pid) && pid <= UINT32_MAX &&
            xt_proc_read(reader, (uint32_t)pid, &info) && info.exe.n > 0)
            r = each(context, &info);
    }
    closedir(folder);
    return r;
}

void xt_proc_cost(uint32_t pid, uint64_t *cpu_us, uint64_t *rss_bytes)
{
    xt_buf text = XT_BUF_INIT;
    stat_line line;
    if (read_file(pid, "stat", 4096, &text) == 0 && parse_stat(xt_buf_slice(&text), &line)) {
        *cpu_us += (line.utime_ticks + line.stime_ticks) * (1000000 / (uint64_t)sysconf(_SC_CLK_TCK));
        *rss_bytes += line.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
    }
    xt_buf_fini(&text);
}

char xt_proc_state(uint32_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    const char *close_bracket = n > 0 ? memrchr(text, ')', (size_t)n) : NULL;
    return close_bracket && close_bracket + 2 < text + n ? close_bracket[2] : '\0';
}
