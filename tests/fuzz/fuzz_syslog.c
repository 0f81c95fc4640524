/*
 * A stream of syslog: the first byte says in what pieces it comes. The messages are those of the same stream in one piece;
 * each is taken apart and its lines go to senders, whose events must encode and decode.
 */
#include <stdint.h>
#include <stdlib.h>

#include "input/senders.h"
#include "input/syslog_frame.h"
#include "input/syslog_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static int note(void *context, xt_slice message, bool is_cut)
{
    require(message.n > 0 && message.n <= XT_SYSLOG_MAX_MESSAGE);
    xt_buf_put_u8(context, is_cut);
    xt_buf_put_block(context, message);
    return 0;
}

static void split(xt_slice stream, size_t piece, xt_buf *out)
{
    xt_syslog_framer f;
    xt_syslog_framer_init(&f, note, out);
    for (size_t at = 0; at < stream.n; at += piece)
        require(xt_syslog_framer_feed(&f, xt_slice_head(xt_slice_skip(stream, at), piece)) == 0);
    require(xt_syslog_framer_finish(&f) == 0);
    xt_syslog_framer_fini(&f);
}

static void host_id(void *context, xt_slice name, char ret[static 33])
{
    (void)context;
    xt_hash128_format(xt_event_import_host_id(name), ret);
}

static int on_event(void *context, xt_event *event)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    xt_event again;
    xt_event_encode(event, &bytes);
    require(xt_event_decode(xt_buf_slice(&bytes), &again, NULL) == 0);
    ++*(uint64_t *)context;
    return 0;
}

static bool is_inside(xt_slice part, xt_slice whole)
{
    return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void take(xt_senders *senders, xt_slice message, int64_t now_ms)
{
    xt_syslog_message m;
    xt_slice line;
    xt_syslog_message_parse(message, &m);
    require(is_inside(m.host, message) && is_inside(m.app, message) && is_inside(m.text, message));
    while (xt_slice_cut(&m.text, '\n', &line))
        require(xt_senders_feed(senders, m.host, line, now_ms) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    XT_CLEANUP(xt_buf_fini) xt_buf whole = XT_BUF_INIT, pieces = XT_BUF_INIT;
    xt_senders *senders = NULL;
    uint64_t n_events = 0;
    if (n == 0)
        return 0;
    xt_slice stream = xt_slice_of(data + 1, n - 1);
    split(stream, n, &whole);
    split(stream, 1 + data[0] % 64u, &pieces);
    require(xt_slice_eq(xt_buf_slice(&whole), xt_buf_slice(&pieces)));
    xt_senders_settings settings = {.host_id = host_id, .on_event = on_event, .context = &n_events, .n_lines = 64};
    require(xt_senders_new(&settings, &senders) == 0);
    xt_reader reader = xt_reader_of(xt_buf_slice(&whole));
    for (int64_t now_ms = 1; xt_reader_left(&reader) > 0; now_ms += 100) {
        (void)xt_reader_u8(&reader);
        take(senders, xt_reader_block(&reader), now_ms);
    }
    require(xt_senders_finish(senders) == 0);
    xt_senders_stats stats = xt_senders_stats_get(senders);
    require(stats.n_events == n_events && stats.n_open_bytes == 0);
    xt_senders_free(senders);
    return 0;
}
