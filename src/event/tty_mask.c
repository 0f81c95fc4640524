/* The kernel writes data= behind the task's name, so a line that holds the keys holds the name, wherever it was cut. */
#include "event/tty_mask.h"

#include <errno.h>

#include "base/buf.h"
#include "event/tty_program.h"

#define MAX_COMM 15

/* The name in comm="NAME" at the end of text; empty for anything else. */
static xt_slice name_before(xt_slice text)
{
    if (!xt_slice_ends(text, XT_S("\"")))
        return XT_S_NULL;
    size_t end = text.n - 1, at = end;
    while (at > 0 && end - at <= MAX_COMM && text.p[at - 1] != '"')
        at--;
    bool is_name = xt_slice_ends(xt_slice_head(text, at), XT_S("comm=\""));
    return is_name ? xt_slice_of(text.p + at, end - at) : XT_S_NULL;
}

static size_t n_hex(xt_slice text)
{
    size_t n = 0;
    while (n < text.n && ((text.p[n] >= '0' && text.p[n] <= '9') || (text.p[n] >= 'A' && text.p[n] <= 'F')))
        n++;
    return n;
}

static void mask(xt_slice line, xt_buf *out)
{
    const xt_slice before_keys = XT_S(" data=");
    for (ptrdiff_t at; (at = xt_slice_find(line, before_keys)) >= 0;) {
        bool hides = xt_tty_program_use(name_before(xt_slice_head(line, (size_t)at)), XT_S_NULL) == XT_TTY_USE_SECRET;
        size_t n_kept = (size_t)at + before_keys.n;
        xt_buf_put(out, xt_slice_head(line, n_kept));
        line = xt_slice_skip(line, n_kept);
        if (!hides)
            continue;
        xt_buf_puts(out, "<masked>");
        line = xt_slice_skip(line, n_hex(line));
    }
    xt_buf_put(out, line);
}

int xt_tty_mask_line(xt_slice *line, xt_arena *arena)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    if (xt_slice_find(*line, XT_S("\" data=")) < 0)
        return 0;
    mask(*line, &out);
    int r = xt_buf_done(&out);
    if (r < 0)
        return r;
    xt_slice copy = xt_arena_copy(arena, xt_buf_slice(&out));
    if (!copy.p)
        return xt_error_origin(-ENOMEM);
    *line = copy;
    return 0;
}
