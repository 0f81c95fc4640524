/*
 * How it works: two buffers change places: the collector fills one while the thread writes the other, a few times a second.
 * What could be written of a piece only in part is cut off again, so that the file holds whole lines whatever the disk
 * did.
 */
#include "agent/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "event/render_raw.h"
#include "io/vfs.h"

#define REST_MS 200

struct xt_log_writer {
    xt_log_writer_settings settings;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t wake;
    xt_buf waiting;
    uint64_t n_waiting; /* events in it */
    xt_log_writer_stats stats;
    bool ends;
    /* the thread's own */
    int fd;
    uint64_t n_bytes; /* of the file */
    xt_buf writing;
    /* the caller's own */
    xt_buf text;
};

static void name_of(const xt_log_writer *w, unsigned n, char ret[static PATH_MAX])
{
    if (n)
        snprintf(ret, PATH_MAX, "%s.%u", w->settings.path, n);
    else
        snprintf(ret, PATH_MAX, "%s", w->settings.path);
}

static int file_open(xt_log_writer *w)
{
    struct stat st;
    int fd = open(w->settings.path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fchmod(fd, 0600) < 0) {
        close(fd);
        return -EINVAL;
    }
    w->fd = fd;
    w->n_bytes = (uint64_t)st.st_size;
    return 0;
}

static void file_close(xt_log_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}

/* The oldest goes, each moves on by one. What cannot be renamed is written on to. */
static int rotate(xt_log_writer *w)
{
    char from[PATH_MAX], to[PATH_MAX];
    unsigned n = w->settings.n_files;
    file_close(w);
    for (unsigned i = n - 1; i > 0; i--) {
        name_of(w, i - 1, from);
        name_of(w, i, to);
        if (rename(from, to) < 0 && errno != ENOENT)
            break;
    }
    if (n == 1 && truncate(w->settings.path, 0) < 0 && errno != ENOENT)
        return -errno;
    return file_open(w);
}

static int write_out(xt_log_writer *w)
{
    int r = w->fd < 0 ? file_open(w) : 0;
    if (r == 0 && w->n_bytes > 0 && w->n_bytes + w->writing.n > w->settings.max_bytes)
        r = rotate(w);
    if (r < 0)
        return r;
    r = xt_vfs_write_all(&xt_vfs_system, w->fd, w->writing.p, w->writing.n, w->n_bytes);
    if (r == 0)
        w->n_bytes += w->writing.n;
    else if (ftruncate(w->fd, (off_t)w->n_bytes) < 0)
        file_close(w);
    return r;
}

static void take_turn(xt_log_writer *w, uint64_t n_events)
{
    int r = write_out(w);
    xt_buf_reset(&w->writing);
    pthread_mutex_lock(&w->lock);
    w->stats.error = -r;
    w->stats.n_written += r == 0 ? n_events : 0;
    w->stats.n_lost += r == 0 ? 0 : n_events;
}

static void *run(void *context)
{
    xt_log_writer *w = context;
    pthread_mutex_lock(&w->lock);
    while (!w->ends || w->waiting.n > 0) {
        if (w->waiting.n == 0) {
            pthread_cond_wait(&w->wake, &w->lock);
            continue;
        }
        bool hurries = w->ends || w->waiting.n > XT_LOG_WRITER_BYTES / 4;
        pthread_mutex_unlock(&w->lock);
        if (!hurries)
            nanosleep(&(struct timespec){.tv_nsec = REST_MS * 1000000L}, NULL);
        pthread_mutex_lock(&w->lock);
        xt_buf swap = w->writing;
        w->writing = w->waiting;
        w->waiting = swap;
        uint64_t n = w->n_waiting;
        w->n_waiting = 0;
        pthread_mutex_unlock(&w->lock);
        take_turn(w, n);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int xt_log_writer_open(const xt_log_writer_settings *settings, xt_log_writer **ret, xt_problem *reterr_problem)
{
    xt_log_writer *w = calloc(1, sizeof *w);
    if (!w)
        return xt_error_origin(-ENOMEM);
    w->settings = *settings;
    w->fd = -1;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    int r = file_open(w);
    if (r == 0)
        r = -pthread_create(&w->thread, NULL, run, w);
    if (r < 0) {
        xt_problem_source(reterr_problem, settings->path);
        xt_problem_set(reterr_problem, "the log cannot be written: %s", strerror(-r));
        xt_problem_hint(reterr_problem, "its folder has to be there, and writable for root");
        file_close(w);
        free(w);
        return r;
    }
    *ret = w;
    return 0;
}

xt_log_writer *xt_log_writer_close(xt_log_writer *w)
{
    if (!w)
        return NULL;
    pthread_mutex_lock(&w->lock);
    w->ends = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    file_close(w);
    xt_buf_fini(&w->waiting);
    xt_buf_fini(&w->writing);
    xt_buf_fini(&w->text);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
    return NULL;
}

/* auditd names no node in the log of its own host. */
static void put_line(xt_buf *out, xt_slice line)
{
    xt_slice node;
    if (xt_slice_starts(line, XT_S("node=")))
        (void)xt_slice_cut(&line, ' ', &node);
    xt_buf_put(out, line);
    xt_buf_putc(out, '\n');
}

void xt_log_writer_put(xt_log_writer *w, const xt_event *event)
{
    xt_slice line;
    xt_buf_reset(&w->text);
    xt_render_raw(event, &w->text);
    xt_slice rest = xt_buf_slice(&w->text);
    if (rest.n == 0)
        return;
    pthread_mutex_lock(&w->lock);
    size_t before = w->waiting.n;
    while (rest.n > 0 && xt_slice_cut(&rest, '\n', &line))
        put_line(&w->waiting, line);
    bool fits = xt_buf_done(&w->waiting) == 0 && xt_buf_done(&w->text) == 0 && w->waiting.n <= XT_LOG_WRITER_BYTES;
    if (!fits) {
        w->waiting.n = before;
        w->waiting.failed = false;
    }
    w->stats.n_lost += !fits;
    w->n_waiting += fits;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

xt_log_writer_stats xt_log_writer_stats_get(xt_log_writer *w)
{
    pthread_mutex_lock(&w->lock);
    xt_log_writer_stats stats = w->stats;
    pthread_mutex_unlock(&w->lock);
    return stats;
}
