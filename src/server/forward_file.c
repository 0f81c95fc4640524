/*
 * A batch is written behind what is there, and synced. What of it was written when that fails is cut off again, and so is a line
 * without an end that a kill left, when the file is opened. A file that somebody else moved away (logrotate) is noticed
 * before the next batch, and made anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "server/forward_sink.h"

typedef struct file_sink {
    xt_sink sink; /* first */
    const xt_vfs *vfs;
    char *path;
    uint64_t rotate_bytes, size;
    unsigned n_keep;
    int fd;
} file_sink;

static void shut(file_sink *f)
{
    if (f->fd >= 0)
        f->vfs->close(f->vfs, f->fd);
    f->fd = -1;
}

static int away(file_sink *f, int r, const char *doing, xt_problem *reterr_problem)
{
    shut(f);
    xt_problem_set(reterr_problem, "%s %s: %s", doing, f->path, strerror(-r));
    return XT_SINK_E_AWAY;
}

/* Where the last whole line ends. */
static int whole_lines(file_sink *f, uint64_t size, uint64_t *ret)
{
    char block[4096];

    while (size > 0) {
        size_t n = size < sizeof block ? (size_t)size : sizeof block;
        int r = xt_vfs_read_all(f->vfs, f->fd, block, n, size - n);
        if (r)
            return r;
        for (size_t i = n; i > 0; i--)
            if (block[i - 1] == '\n') {
                *ret = size - n + i;
                return 0;
            }
        size -= n;
    }
    *ret = 0;
    return 0;
}

static int open_file(file_sink *f, xt_problem *reterr_problem)
{
    uint64_t size = 0, whole = 0;
    int r = f->vfs->open(f->vfs, f->path, O_RDWR | O_CREAT | O_NOCTTY | O_NONBLOCK, 0640);

    if (r < 0)
        return away(f, r, "opening", reterr_problem);
    f->fd = r;
    struct stat st;
    if (fstat(f->fd, &st) == 0 && !S_ISREG(st.st_mode))
        return away(f, -EINVAL, "opening (it is no regular file)", reterr_problem);
    r = f->vfs->size(f->vfs, f->fd, &size);
    if (r == 0)
        r = whole_lines(f, size, &whole);
    if (r == 0 && whole < size)
        r = f->vfs->truncate(f->vfs, f->fd, whole);
    if (r)
        return away(f, r, "reading", reterr_problem);
    f->size = whole;
    return 0;
}

/* Whether the path still names the file that is open. */
static bool is_there(const file_sink *f)
{
    struct stat open, named;

    return fstat(f->fd, &open) == 0 && stat(f->path, &named) == 0 && open.st_dev == named.st_dev &&
           open.st_ino == named.st_ino;
}

/* PATH.2 becomes PATH.3 and so on; the last one goes. */
static int rotate(file_sink *f, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf from = XT_BUF_INIT, to = XT_BUF_INIT;
    int r = 0;

    shut(f);
    for (unsigned i = f->n_keep; i > 0 && r == 0; i--) {
        xt_buf_reset(&from);
        xt_buf_reset(&to);
        xt_buf_puts(&from, f->path);
        if (i > 1)
            xt_buf_printf(&from, ".%u", i - 1);
        xt_buf_printf(&to, "%s.%u", f->path, i);
        xt_buf_putc(&from, '\0');
        xt_buf_putc(&to, '\0');
        r = xt_buf_done(&from) || xt_buf_done(&to) ? -ENOMEM : f->vfs->rename(f->vfs, from.p, to.p);
        r = r == -ENOENT ? 0 : r;
    }
    if (r)
        return away(f, r, "rotating", reterr_problem);
    return open_file(f, reterr_problem);
}

static int send(xt_sink *sink, const xt_forward_batch *batch, xt_problem *reterr_problem)
{
    file_sink *f = (file_sink *)sink;
    xt_slice bytes = xt_buf_slice(&batch->bytes);
    int r = 0;

    if (bytes.n == 0)
        return 0;
    if (f->fd >= 0 && !is_there(f))
        shut(f);
    if (f->fd < 0)
        r = open_file(f, reterr_problem);
    if (r == 0 && f->rotate_bytes && f->size && f->size + bytes.n > f->rotate_bytes)
        r = rotate(f, reterr_problem);
    if (r)
        return r;
    r = xt_vfs_write_all(f->vfs, f->fd, bytes.p, bytes.n, f->size);
    if (r == 0)
        r = f->vfs->fdatasync(f->vfs, f->fd);
    if (r) {
        (void)!f->vfs->truncate(f->vfs, f->fd, f->size);
        return away(f, r, "writing", reterr_problem);
    }
    f->size += bytes.n;
    return 0;
}

static void file_free(xt_sink *sink)
{
    file_sink *f = (file_sink *)sink;

    shut(f);
    free(f->path);
    free(f);
}

int xt_sink_file_new(const xt_sink_settings *settings, xt_sink **ret)
{
    file_sink *f = calloc(1, sizeof *f);

    if (!f)
        return xt_error_origin(-ENOMEM);
    f->sink = (xt_sink){.send = send, .free = file_free};
    f->vfs = settings->vfs ? settings->vfs : &xt_vfs_system;
    f->rotate_bytes = settings->rotate_bytes;
    f->n_keep = settings->n_keep ? settings->n_keep : 1;
    f->fd = -1;
    f->path = strdup(xt_sink_path(settings->target));
    if (!f->path) {
        file_free(&f->sink);
        return xt_error_origin(-ENOMEM);
    }
    *ret = &f->sink;
    return 0;
}
