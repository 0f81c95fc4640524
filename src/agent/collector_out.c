/*
 * How it works: events stand encoded in `out` until they are many, or the loop finds them old enough, and then go to
 * the shipper as one message, with the serials that they account for behind it; without a shipper they are written as
 * lines of JSON. Digests that are still on their way are waited for a moment, and what a followed file was read up to
 * goes along. The queue to the shipper takes all that it is given: the loop stops reading records when too much waits
 * there.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/collector_private.h"
#include "agent/own_event.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "event/event_json.h"

#define FLUSH_BYTES    196608 /* events are handed on when they are this many bytes, */
#define FLUSH_EVENTS   1500   /* or this many */
#define JSON_BYTES     ((size_t)256 << 20)
#define DIGEST_LAST_MS 50 /* a group is full: so long is waited for digests that are on their way */

xt_event_origin xt_collector_origin(const xt_collector *c)
{
    return (xt_event_origin){
        .host_name = xt_slice_str(c->settings->host_name),
        .host_id = xt_slice_str(c->host_id),
        .boot_id = xt_slice_str(c->settings->boot_id),
    };
}

static int write_all(int fd, xt_slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            bytes = xt_slice_skip(bytes, (size_t)n);
    }
    return 0;
}

int xt_collector_send(xt_collector *c, xt_channel_type type, xt_slice payload)
{
    return c->family.shipper_fd >= 0 ? xt_channel_put(&c->to_shipper, type, payload) : 0;
}

static int send_events(xt_collector *c)
{
    xt_buf message = XT_BUF_INIT;
    xt_buf_put_varint(&message, c->n_out);
    xt_buf_put(&message, xt_buf_slice(&c->out));
    int r = xt_buf_done(&message);
    if (r == 0)
        r = xt_collector_send(c, XT_CHANNEL_EVENTS, xt_buf_slice(&message));
    if (r == 0 && c->serials.max)
        r = xt_collector_send(c, XT_CHANNEL_SERIALS, xt_slice_of(&c->serials, sizeof c->serials));
    xt_buf_fini(&message);
    return r;
}

static int write_events(xt_collector *c)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_slice rest = xt_buf_slice(&c->out), bytes;
    xt_arena arena;
    int r = 0;
    xt_arena_init(&arena, JSON_BYTES);
    while (r == 0 && xt_event_batch_next(&rest, &bytes)) {
        xt_event event;
        r = xt_event_decode(bytes, &event, NULL) == 0 ? xt_event_json(&event, 0, &arena, &text)
                                                      : xt_error_origin(-EINVAL);
        xt_buf_putc(&text, '\n');
        xt_arena_reset(&arena);
    }
    xt_arena_fini(&arena);
    if (r == 0)
        r = xt_buf_done(&text);
    return r == 0 ? write_all(c->out_fd, xt_buf_slice(&text)) : r;
}

int xt_collector_flush(xt_collector *c)
{
    if (c->out.n == 0 && !c->out.failed)
        return 0;
    int r = xt_buf_done(&c->out);
    if (r == 0 && c->digests)
        r = xt_digest_desk_fill(c->digests, c->end ? XT_DIGEST_WAIT_MS : DIGEST_LAST_MS, &c->out);
    if (r == 0)
        r = xt_collector_input_hand_on(c, true);
    if (r == 0)
        r = c->out_fd >= 0 ? write_events(c) : send_events(c);
    if (r == 0)
        r = xt_collector_input_hand_on(c, false);
    xt_buf_reset(&c->out);
    c->n_out = 0;
    return r;
}

int xt_collector_count(xt_collector *c)
{
    if (c->n_out++ == 0)
        c->out_ms = xt_clock_mono_ms(&xt_clock_system);
    c->n_events++;
    return c->out.n >= FLUSH_BYTES || c->n_out >= FLUSH_EVENTS ? xt_collector_flush(c) : 0;
}

int xt_collector_emit(xt_collector *c, xt_event *event, xt_arena *arena)
{
    int r = xt_collector_context_put(c, event, arena);
    if (r < 0)
        return xt_error_trace(r);
    if (c->digests)
        r = xt_digest_desk_put(c->digests, event, &c->out);
    else
        xt_event_batch_put(&c->out, event);
    int counted = xt_collector_count(c);
    return r < 0 ? r : counted;
}

void xt_collector_say(xt_collector *c, const char *action, const char *format, ...)
{
    char text[2048], scratch[64];
    xt_arena arena;
    xt_event event;
    const xt_event_origin origin = xt_collector_origin(c);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    xt_slice message = xt_slice_of(text, (size_t)n < sizeof text ? (size_t)n : xt_text_mark_cut(text, sizeof text - 1));
    xt_arena_init(&arena, 65536);
    xt_own_event_fill(&event, &origin, xt_clock_wall_ms(&xt_clock_system), action, message, scratch);
    xt_collector_note(c, action, message);
    if (xt_collector_emit(c, &event, &arena) < 0)
        xt_log(XT_LOG_WARN, "an event of action %s was not taken", action);
    xt_arena_fini(&arena);
}
