#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

enum {
    DRAW_EVERY_MS = 100,
    TELL_EVERY_MS = 10000,
    LINE_BYTES = 400,
    DEFAULT_COLUMNS = 80,
};

void xt_progress_begin(xt_progress *progress, uint64_t n_total, bool is_quiet)
{
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);

    *progress = (xt_progress){.is_quiet = is_quiet,
                              .is_terminal = isatty(STDERR_FILENO) == 1,
                              .n_total = n_total,
                              .begun_ms = now_ms,
                              .shown_ms = now_ms};
}

static void put_duration(xt_buf *out, uint64_t seconds)
{
    if (seconds >= 3600)
        xt_buf_printf(out, "%" PRIu64 ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60),
                      (unsigned)(seconds % 60));
    else
        xt_buf_printf(out, "%u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

static void put_line(const xt_progress *progress, xt_buf *out, uint64_t n_bytes, uint64_t n_events, int64_t passed_ms)
{
    uint64_t ms = passed_ms > 0 ? (uint64_t)passed_ms : 1;

    if (progress->n_total)
        xt_buf_printf(out, "%3u %%", (unsigned)((double)n_bytes / (double)progress->n_total * 100));
    else
        xt_buf_printf(out, "%" PRIu64 " MB", n_bytes / 1000000);
    xt_buf_printf(out, "  %" PRIu64 " events  %" PRIu64 "/s", n_events, n_events * 1000 / ms);
    if (progress->n_total && n_bytes > 0) {
        xt_buf_puts(out, "  ");
        put_duration(out, (uint64_t)((double)ms / (double)n_bytes * (double)(progress->n_total - n_bytes)) / 1000);
        xt_buf_puts(out, " left");
    }
    xt_buf_puts(out, "  ");
}

static size_t columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : DEFAULT_COLUMNS;
}

void xt_progress_show(xt_progress *progress, const char *name, uint64_t n_bytes, uint64_t n_events)
{
    char line[LINE_BYTES];
    xt_buf out = XT_BUF_ON(line);
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);

    if (progress->is_quiet || now_ms - progress->shown_ms < (progress->is_terminal ? DRAW_EVERY_MS : TELL_EVERY_MS))
        return;
    progress->shown_ms = now_ms;
    n_bytes = progress->n_total && n_bytes > progress->n_total ? progress->n_total : n_bytes;
    put_line(progress, &out, n_bytes, n_events, now_ms - progress->begun_ms);
    (void)xt_text_visible_head(&out, xt_slice_str(name));
    size_t room = progress->is_terminal ? columns() - 1 : sizeof line;
    int n = (int)(out.n < room ? out.n : room);
    if (progress->is_terminal)
        fprintf(stderr, "\r%.*s\x1b[K", n, out.p);
    else
        fprintf(stderr, "%.*s\n", n, out.p);
    progress->is_drawn = progress->is_terminal;
}

void xt_progress_clear(xt_progress *progress)
{
    if (progress->is_drawn)
        fputs("\r\x1b[K", stderr);
    progress->is_drawn = false;
}
