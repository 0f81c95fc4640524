/*
 * At the start of each message its first bytes tell the framing: digits, a space and "<" are a length. They may come in
 * pieces, so a message that could still be either waits in `partial`. Everything else is gathered there only when a piece
 * ends inside of a message.
 */
#include "input/syslog_frame.h"

#define MAX_DIGITS 9

enum { NOT_COUNTED = 0, COUNTED = 1, NOT_YET = 2 };

void xt_syslog_framer_init(xt_syslog_framer *f, int (*on_message)(void *, xt_slice, bool), void *context)
{
    *f = (xt_syslog_framer){.on_message = on_message, .context = context};
}

void xt_syslog_framer_fini(xt_syslog_framer *f)
{
    xt_buf_fini(&f->partial);
}

static int classify(xt_slice text, size_t *ret_head, size_t *ret_n)
{
    size_t i = 0, n = 0;
    if (text.n > 0 && text.p[0] == '0')
        return NOT_COUNTED;
    for (; i < text.n && i < MAX_DIGITS && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        n = n * 10 + (size_t)(text.p[i] - '0');
    if (i == text.n)
        return NOT_YET;
    if (i == 0 || text.p[i] != ' ' || n == 0)
        return NOT_COUNTED;
    if (i + 1 == text.n)
        return NOT_YET;
    *ret_head = i + 1;
    *ret_n = n;
    return text.p[i + 1] == '<' ? COUNTED : NOT_COUNTED;
}

static int give_out(xt_syslog_framer *f, xt_slice message, bool is_cut)
{
    return message.n > 0 ? f->on_message(f->context, message, is_cut) : 0;
}

/* What is in `partial` is given out with `more` behind it, whole or cut. */
static int give_out_partial(xt_syslog_framer *f, xt_slice more, bool is_cut)
{
    size_t room = XT_SYSLOG_MAX_MESSAGE - f->partial.n;
    is_cut |= more.n > room;
    xt_buf_put(&f->partial, xt_slice_head(more, room));
    int r = xt_buf_done(&f->partial);
    if (r == 0)
        r = give_out(f, xt_buf_slice(&f->partial), is_cut);
    xt_buf_reset(&f->partial);
    return r;
}

/* Text up to where the message ends, or not yet; a message that is too long is given out at once. */
static int take(xt_syslog_framer *f, xt_slice text, bool is_end)
{
    if (f->skips) {
        f->skips = !is_end;
        return 0;
    }
    if (is_end && f->partial.n == 0)
        return give_out(f, xt_slice_head(text, XT_SYSLOG_MAX_MESSAGE), text.n > XT_SYSLOG_MAX_MESSAGE);
    if (is_end)
        return give_out_partial(f, text, false);
    if (f->partial.n + text.n > XT_SYSLOG_MAX_MESSAGE) {
        f->skips = true;
        return give_out_partial(f, text, true);
    }
    xt_buf_put(&f->partial, text);
    return xt_buf_done(&f->partial);
}

static int take_counted(xt_syslog_framer *f, xt_slice *bytes)
{
    size_t n = bytes->n < f->want ? bytes->n : f->want;
    xt_slice text = xt_slice_head(*bytes, n);
    *bytes = xt_slice_skip(*bytes, n);
    f->want -= n;
    f->is_counted = f->want > 0;
    return take(f, text, f->want == 0);
}

static size_t find_end(xt_slice bytes)
{
    const char *newline = memchr(bytes.p, '\n', bytes.n);
    size_t n = newline ? (size_t)(newline - bytes.p) : bytes.n;
    const char *nul = memchr(bytes.p, '\0', n);
    return nul ? (size_t)(nul - bytes.p) : n;
}

static int take_line(xt_syslog_framer *f, xt_slice *bytes)
{
    size_t n = find_end(*bytes);
    xt_slice text = xt_slice_head(*bytes, n);
    bool is_end = n < bytes->n;
    *bytes = xt_slice_skip(*bytes, is_end ? n + 1 : n);
    return take(f, text, is_end);
}

/* At the start of a message; what may be a length waits for more. */
static int begin(xt_syslog_framer *f, xt_slice *bytes)
{
    size_t head = 0, n = 0, had = f->partial.n;
    size_t more = had < MAX_DIGITS + 2 ? MAX_DIGITS + 2 - had : 0;
    more = more < bytes->n ? more : bytes->n;
    xt_slice text = *bytes;
    if (had > 0) {
        xt_buf_put(&f->partial, xt_slice_head(*bytes, more));
        int r = xt_buf_done(&f->partial);
        if (r)
            return r;
        text = xt_buf_slice(&f->partial);
    }
    int kind = classify(text, &head, &n);
    f->partial.n = had;
    if (kind == NOT_YET) {
        xt_buf_put(&f->partial, *bytes);
        *bytes = XT_S_NULL;
        return xt_buf_done(&f->partial);
    }
    if (kind == COUNTED) {
        xt_buf_reset(&f->partial);
        *bytes = xt_slice_skip(*bytes, head - had);
        f->is_counted = true;
        f->want = n;
        return take_counted(f, bytes);
    }
    return take_line(f, bytes);
}

/* Whether what waits may still turn out to be a length. */
static bool is_beginning(const xt_syslog_framer *f)
{
    size_t head, n;
    return !f->skips && (f->partial.n == 0 || classify(xt_buf_slice(&f->partial), &head, &n) == NOT_YET);
}

int xt_syslog_framer_feed(xt_syslog_framer *f, xt_slice bytes)
{
    int r = 0;
    while (r == 0 && bytes.n > 0)
        r = f->is_counted ? take_counted(f, &bytes) : is_beginning(f) ? begin(f, &bytes) : take_line(f, &bytes);
    return r;
}

int xt_syslog_framer_finish(xt_syslog_framer *f)
{
    int r = f->skips ? 0 : give_out_partial(f, XT_S(""), true);
    f->is_counted = f->skips = false;
    f->want = 0;
    return r;
}
