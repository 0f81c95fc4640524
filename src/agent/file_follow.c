/*
 * How it works: a file is known by its inode and the hash of its first bytes; either alone is not enough, for inodes are
 * used again and copies begin alike. At its end it is asked whether the name leads elsewhere by now (renamed), or the file
 * is shorter than what was read, or begins otherwise (truncated after it was copied): then the file that begins alike has
 * the rest. The next one is the one that was written to next.
 */
#include "agent/file_follow.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)128 << 10)
#define MAX_LINE   ((size_t)1 << 20)
#define MAX_FILES  1000

typedef struct log_file {
    char name[256];
    uint64_t dev, ino, size, number;
    int64_t time_ns; /* of its last write */
} log_file;

typedef struct file_list {
    log_file *files; /* oldest first; the one without a suffix last */
    size_t n;
} file_list;

/* ---- the files there are ---- */

static xt_slice base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return xt_slice_str(slash ? slash + 1 : path);
}

static int folder_open(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof folder)
        return -ENAMETOOLONG;
    memcpy(folder, path, n);
    folder[n] = '\0';
    int fd = open(slash ? n ? folder : "/" : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_log(xt_slice name, xt_slice base)
{
    static const char *const packed[] = {".gz", ".xz", ".bz2", ".zst", ".lz4", ".tmp"};
    if (!xt_slice_starts(name, base) || name.n >= sizeof((log_file *)0)->name)
        return false;
    for (size_t i = 0; i < XT_COUNT_OF(packed); i++)
        if (xt_slice_ends(name, xt_slice_str(packed[i])))
            return false;
    xt_slice suffix = xt_slice_skip(name, base.n);
    return suffix.n == 0 || suffix.p[0] == '.' || suffix.p[0] == '-';
}

static void log_fill(log_file *file, const struct stat *st, xt_slice name, xt_slice base)
{
    *file = (log_file){.dev = st->st_dev,
                       .ino = st->st_ino,
                       .size = (uint64_t)st->st_size,
                       .time_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec};
    memcpy(file->name, name.p, name.n);
    if (name.n == base.n)
        file->time_ns = INT64_MAX;
    else if (!xt_slice_parse_u64(xt_slice_skip(name, base.n + 1), &file->number))
        file->number = 0;
}

static int older_first(const void *a, const void *b)
{
    const log_file *x = a, *y = b;
    if (x->time_ns != y->time_ns)
        return x->time_ns < y->time_ns ? -1 : 1;
    return x->number > y->number ? -1 : x->number < y->number; /* log.2 is older than log.1 */
}

static int list_read(const char *path, file_list *ret)
{
    xt_slice base = base_of(path);
    int fd = folder_open(path);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    *ret = (file_list){0};
    if (!folder) {
        int error = fd < 0 ? -fd : errno;
        if (fd >= 0)
            close(fd);
        return -error;
    }
    ret->files = calloc(MAX_FILES, sizeof *ret->files);
    for (struct dirent *entry; ret->files && ret->n < MAX_FILES && (entry = readdir(folder)) != NULL;) {
        struct stat st;
        xt_slice name = xt_slice_str(entry->d_name);
        if (is_log(name, base) && fstatat(fd, entry->d_name, &st, 0) == 0 && S_ISREG(st.st_mode))
            log_fill(&ret->files[ret->n++], &st, name, base);
    }
    closedir(folder);
    if (!ret->files)
        return xt_error_origin(-ENOMEM);
    qsort(ret->files, ret->n, sizeof *ret->files, older_first);
    return 0;
}

static void list_fini(file_list *list)
{
    free(list->files);
}

/* ---- one file ---- */

static uint64_t head_hash(int fd, uint64_t n)
{
    char head[XT_FOLLOW_HEAD];
    ssize_t got = n ? pread(fd, head, n, 0) : 0;
    return got == (ssize_t)n && n > 0 ? xt_slice_hash(xt_slice_of(head, n)) : 0;
}

/* A descriptor of the file of that name in the log's folder. */
static int log_open(const char *path, const char *name)
{
    int folder = folder_open(path);
    if (folder < 0)
        return folder;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int error = errno;
    close(folder);
    return fd < 0 ? -error : fd;
}

static bool begins_like(const char *path, const log_file *file, const xt_follow_file *like)
{
    int fd = like->head_bytes > 0 && file->size >= like->head_bytes ? log_open(path, file->name) : -1;
    bool is_alike = fd >= 0 && head_hash(fd, like->head_bytes) == like->head_hash;
    if (fd >= 0)
        close(fd);
    return is_alike;
}

/* The head is known better as the file grows. */
static void head_update(xt_follow *f, uint64_t size)
{
    uint64_t n = size < XT_FOLLOW_HEAD ? size : XT_FOLLOW_HEAD;
    if (n <= f->file.head_bytes)
        return;
    f->file.head_hash = head_hash(f->fd, n);
    f->file.head_bytes = n;
}

static int begin_file(xt_follow *f, const char *name, uint64_t offset)
{
    struct stat st;
    int fd = log_open(f->path, name);
    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return -EINVAL;
    }
    if (f->fd >= 0)
        close(f->fd);
    f->fd = fd;
    f->file = (xt_follow_file){.dev = st.st_dev, .ino = st.st_ino};
    f->offset = offset;
    xt_buf_reset(&f->bytes);
    xt_buf out = XT_BUF_ON(f->name);
    xt_buf_puts(&out, name);
    f->name[out.n] = '\0';
    head_update(f, (uint64_t)st.st_size);
    return 0;
}

static void say_gap(xt_follow *f, const char *why)
{
    xt_buf out = XT_BUF_ON(f->why);
    xt_buf_puts(&out, why);
    f->why[out.n] = '\0';
    f->is_gap = true;
}

/* ---- where to begin ---- */

static const log_file *find_marked(const xt_follow *f, const file_list *list, const xt_follow_place *from)
{
    const log_file *alike = NULL;
    for (size_t i = 0; i < list->n; i++) {
        const log_file *file = &list->files[i];
        if (from->file.head_bytes > 0 && !begins_like(f->path, file, &from->file))
            continue;
        if (file->ino == from->file.ino)
            return file;
        if (from->file.head_bytes > 0)
            alike = file;
    }
    return alike;
}

static int begin_at_mark(xt_follow *f, const file_list *list, const xt_follow_mark *mark, int64_t mark_ms)
{
    const log_file *file = find_marked(f, list, &mark->from);
    if (file)
        return begin_file(f, file->name, file->size < mark->from.offset ? file->size : mark->from.offset);
    for (size_t i = 0; i < list->n; i++) {
        if (list->files[i].time_ns / 1000000 < mark_ms)
            continue; /* not written to since */
        say_gap(f, "the file that was read last is not there any more: what it got meanwhile, and files after it, may "
                   "be lost");
        return begin_file(f, list->files[i].name, 0);
    }
    return -ENOENT;
}

int xt_follow_open(xt_follow *f, const char *path, const xt_follow_mark *mark, int64_t mark_ms,
                   xt_problem *reterr_problem)
{
    struct stat st;
    file_list list;
    *f = (xt_follow){.path = path, .fd = -1};
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "it is no regular file");
        return XT_FOLLOW_E_REFUSED;
    }
    int r = list_read(path, &list);
    if (r == -ENOENT)
        return 0; /* no folder yet either */
    if (r == 0 && mark)
        r = begin_at_mark(f, &list, mark, mark_ms);
    else if (r == 0 && list.n > 0 && list.files[list.n - 1].time_ns == INT64_MAX)
        r = begin_file(f, list.files[list.n - 1].name, 0);
    list_fini(&list);
    if (r == 0 || r == -ENOENT)
        return 0;
    xt_problem_source(reterr_problem, path);
    xt_problem_set(reterr_problem, "the file cannot be read: %s", strerror(-r));
    return XT_FOLLOW_E_REFUSED;
}

void xt_follow_close(xt_follow *f)
{
    if (f->fd >= 0)
        close(f->fd);
    f->fd = -1;
    xt_buf_fini(&f->bytes);
}

static int give(xt_follow *f, size_t n, xt_slice *ret_lines, uint64_t *ret_offset)
{
    *ret_lines = xt_slice_of(f->bytes.p, n);
    *ret_offset = f->offset;
    f->offset += n;
    return 0;
}

/* ---- from one file to the next ---- */

static int begin_next(xt_follow *f, const log_file *file, uint64_t offset)
{
    bool is_gap = f->is_gap;
    int r = begin_file(f, file->name, offset);
    if (r == -ENOENT)
        return XT_FOLLOW_E_NONE; /* rotated just now: the next turn sees it */
    f->is_gap = false;
    return r < 0 ? r : is_gap ? XT_FOLLOW_E_GAP : XT_FOLLOW_E_FILE;
}

/* The file was cut short under us: the rest of what it held may stand in a copy. */
static int on_truncated(xt_follow *f, const file_list *list)
{
    const log_file *current = list->n > 0 ? &list->files[list->n - 1] : NULL;
    for (size_t i = 0; i + 1 < list->n; i++) {
        const log_file *file = &list->files[i];
        if (file->ino == f->file.ino || !begins_like(f->path, file, &f->file))
            continue;
        return file->size > f->offset ? begin_next(f, file, f->offset) : begin_next(f, current, 0);
    }
    if (!current || current->time_ns != INT64_MAX)
        return XT_FOLLOW_E_NONE;
    say_gap(f, "the file was truncated: what it got before that and after it was last read is lost");
    return begin_next(f, current, 0);
}

static int on_renamed(xt_follow *f, const file_list *list, const struct stat *st)
{
    int64_t time_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
    for (size_t i = 0; i < list->n; i++)
        if (list->files[i].dev == f->file.dev && list->files[i].ino == f->file.ino)
            return i + 1 < list->n ? begin_next(f, &list->files[i + 1], 0) : XT_FOLLOW_E_NONE;
    for (size_t i = 0; i < list->n; i++) {
        if (list->files[i].time_ns < time_ns)
            continue;
        if (list->files[i].time_ns != INT64_MAX)
            say_gap(f, "the file was removed while it was read: files after it may have been removed too");
        return begin_next(f, &list->files[i], 0);
    }
    return XT_FOLLOW_E_NONE;
}

static bool is_rewritten(const xt_follow *f)
{
    return f->file.head_bytes > 0 && head_hash(f->fd, f->file.head_bytes) != f->file.head_hash;
}

/*
 * At the end of the file: is it the one that is written to? The beginning of a line that was never finished is given out
 * before the file is left (0).
 */
static int look_around(xt_follow *f, int64_t wall_ms, xt_slice *ret_lines, uint64_t *ret_offset)
{
    struct stat st, named;
    file_list list = {0};
    if (fstat(f->fd, &st) < 0)
        return -errno;
    bool is_cut = (uint64_t)st.st_size < f->offset || is_rewritten(f);
    bool is_named = stat(f->path, &named) == 0 && named.st_ino == st.st_ino && named.st_dev == st.st_dev;
    int64_t age_ms = wall_ms - ((int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    if (!is_cut && (is_named || (age_ms >= 0 && age_ms < XT_FOLLOW_GRACE_MS)))
        return XT_FOLLOW_E_NONE;
    if (!is_cut && f->bytes.n > 0)
        return give(f, f->bytes.n, ret_lines, ret_offset);
    int r = list_read(f->path, &list);
    if (r == 0)
        r = is_cut ? on_truncated(f, &list) : on_renamed(f, &list, &st);
    list_fini(&list);
    return r;
}

static int wait_for_file(xt_follow *f)
{
    int r = begin_file(f, base_of(f->path).p, 0);
    return r == 0 ? XT_FOLLOW_E_FILE : r == -ENOENT ? XT_FOLLOW_E_NONE : r;
}

/* ---- lines ---- */

/* Appends what the file has behind the bytes that are here; *ret_n 0: nothing. */
static int more(xt_follow *f, size_t *ret_n)
{
    char *p = xt_buf_reserve(&f->bytes, READ_BYTES);
    if (!p)
        return xt_error_origin(-ENOMEM);
    ssize_t n = pread(f->fd, p, READ_BYTES, (off_t)(f->offset + f->bytes.n));
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    f->bytes.n += (size_t)n;
    *ret_n = (size_t)n;
    return 0;
}

int xt_follow_read(xt_follow *f, int64_t wall_ms, xt_slice *ret_lines, uint64_t *ret_offset)
{
    if (f->fd < 0)
        return wait_for_file(f);
    if (f->is_gap) {
        f->is_gap = false;
        return XT_FOLLOW_E_GAP;
    }
    xt_buf_reset(&f->bytes);
    for (;;) {
        size_t n = 0;
        int r = more(f, &n);
        if (r < 0)
            return r;
        if (n == 0 || is_rewritten(f))
            break;
        head_update(f, f->offset + f->bytes.n);
        const char *newline = memrchr(f->bytes.p + f->bytes.n - n, '\n', n);
        if (newline)
            return give(f, (size_t)(newline - f->bytes.p) + 1, ret_lines, ret_offset);
        if (f->bytes.n >= MAX_LINE)
            return give(f, f->bytes.n, ret_lines, ret_offset);
    }
    return look_around(f, wall_ms, ret_lines, ret_offset);
}
