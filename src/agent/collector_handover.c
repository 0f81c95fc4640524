/*
 * How it works: the sockets are with the service manager from the beginning, so
 * that a kill leaves them too; what came meanwhile waits in them. An orderly
 * end for a restart stops the receiver, decodes what it took, lets the shipper
 * put all of it into the spool, and leaves a note with what is neither here nor
 * there: records whose event is not whole, events that found no shipper. The
 * next agent takes the note before the socket, so every record is read once.
 */
#include <errno.h>
#include <unistd.h>

#include "agent/beat_book.h"
#include "agent/channel.h"
#include "agent/collector_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"

bool xt_collector_can_leave(const xt_collector *c)
{
    return c->settings->supervised && c->watching && c->watch.owned && c->decoder && c->kept_owner == c->watch.owner;
}

/* Of the agent before, and nobody here reads it: the kernel would fill it up.
 */
static void forget_connector(xt_collector *c)
{
    int *fd = &c->family.inherited.connector_fd;
    if (*fd < 0)
        return;
    close(*fd);
    *fd = -1;
    xt_handover_drop_connector(&c->family.notify);
}

/* What the manager was not told (its socket is full) it is told at the next
 * look. */
void xt_collector_keep(xt_collector *c)
{
    const xt_notify *notify = &c->family.notify;
    forget_connector(c);
    if (!c->watch.owned || notify->fd < 0)
        return;
    if (c->kept_owner != c->watch.owner &&
        (c->watch.adopted ||
         xt_handover_store_audit(notify, xt_netlink_fd(c->watch.records), c->watch.owner, c->kept_owner) == 0))
        c->kept_owner = c->watch.owner;
    if (c->connector && !c->keeps_connector)
        c->keeps_connector = xt_handover_store_connector(notify, xt_proc_connector_fd(c->connector)) == 0;
}

void xt_collector_drop(xt_collector *c)
{
    if (c->watch.owned)
        xt_handover_drop(&c->family.notify, c->watch.owner);
}

/* ---- taking ---- */

int xt_collector_adopt_connector(xt_collector *c)
{
    int *fd = &c->family.inherited.connector_fd;
    if (!c->watch.adopted || *fd < 0)
        return XT_PROC_CONNECTOR_E_ABSENT;
    int r = xt_proc_connector_adopt(*fd, &c->connector);
    if (r == 0) {
        *fd = -1;
        c->keeps_connector = true;
    }
    return r;
}

static int resume(xt_collector *c, const xt_handover_note *note)
{
    char bytes[32];
    xt_buf out = XT_BUF_ON(bytes);
    if (note->run == 0 || c->family.shipper_fd < 0)
        return 0;
    xt_buf_put_u64(&out, note->run);
    xt_buf_put_u64(&out, note->run_from_ms);
    xt_buf_put_u64(&out, note->beat_ms);
    int r = xt_buf_done(&out);
    return r < 0 ? xt_error_trace(r) : xt_collector_send(c, XT_CHANNEL_RESUME, xt_buf_slice(&out));
}

static int take_events(xt_collector *c, const xt_handover_note *note)
{
    if (note->n_events == 0 || c->out_fd >= 0)
        return 0;
    xt_slice rest = note->events, bytes;
    xt_event event;
    int r = 0;
    while (r == 0 && xt_event_batch_next(&rest, &bytes)) {
        /* it was seen, though no shipper wrote that down */
        if (xt_event_decode(bytes, &event, NULL) == 0 && xt_event_has(&event, XT_F_SERIAL))
            xt_serial_count_see(&c->serials, (uint32_t)xt_event_num(&event, XT_F_SERIAL, 0));
        xt_buf_put_block(&c->out, bytes);
        r = xt_collector_count(c);
    }
    return r == 0 ? xt_collector_flush(c) : r;
}

int xt_collector_adopt(xt_collector *c)
{
    const xt_handover *from = &c->family.inherited;
    const xt_handover_note *note = &from->note;
    if (from->refused[0])
        xt_log(XT_LOG_WARN, "the note of the agent before is not read: %s", from->refused);
    if (c->settings->supervised)
        xt_handover_drop_note(&c->family.notify);
    if (c->watch.adopted)
        c->serials.at_ms = xt_beat_now_ms(); /* what the agent before had not seen
                                            yet may still come */
    if (!c->watch.adopted || !from->has_note)
        return 0;
    int r = resume(c, note);
    if (r == 0)
        r = take_events(c, note);
    xt_slice rest = note->records;
    xt_netlink_message message;
    while (r == 0 && xt_handover_next_record(&rest, &message))
        r = xt_decoder_feed_payload(c->decoder, message.type, message.payload);
    return r < 0 ? xt_error_trace(r) : 0;
}

bool xt_collector_adopted_broken(const xt_collector *c)
{
    const xt_handover *from = &c->family.inherited;
    return c->watch.adopted && (!from->has_note || !xt_slice_eq(from->note.reason, XT_S(XT_LEAVE_REASON)));
}

bool xt_collector_adopted_put(const xt_collector *c, xt_buf *out)
{
    const xt_handover *from = &c->family.inherited;
    char at[25];
    if (!c->watch.adopted)
        return false;
    xt_buf_printf(out, "; goes on with the audit socket of process %d", from->owner);
    if (!from->has_note) {
        xt_buf_printf(out,
                      ": the agent before was killed%s%s; what it held in memory "
                      "is lost, what came since is here",
                      from->refused[0] ? " or left a note that is not read: " : "", from->refused);
        return true;
    }
    xt_timestamp_format((int64_t)from->note.left_ms, at);
    xt_buf_printf(out, ": the agent before (%.*s) ended at %s: %.*s; %s", XT_S_ARGS(from->note.version), at,
                  XT_S_ARGS(from->note.reason),
                  from->note.run ? "nothing is missing between them" : "what its shipper held may be lost");
    return true;
}

/* ---- leaving ---- */

static int put_record(void *context, const xt_record *record)
{
    xt_buf *out = context;
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    xt_buf_printf(&payload, "audit(%lld.%03lld:%u): ", (long long)record->time_ms / 1000,
                  (long long)record->time_ms % 1000, record->serial);
    xt_buf_put(&payload, record->body);
    out->failed |= payload.failed;
    xt_handover_put_record(out, record->type, xt_buf_slice(&payload));
    return out->failed ? -ENOMEM : 0;
}

static uint64_t reported(const xt_collector *c, const char *name)
{
    const xt_state_file report = {.text = c->report};
    return xt_state_file_number(&report, name);
}

/* Events that the shipper did not take stand before those that it was not
 * given. */
static void take_back(xt_collector *c)
{
    xt_slice rest = xt_channel_unsent(&c->to_shipper);
    xt_buf events = XT_BUF_INIT;
    xt_frame frame;
    size_t taken;
    for (; xt_frame_next(rest, &frame, &taken, NULL) == 0; rest = xt_slice_skip(rest, taken)) {
        if ((int)frame.type != XT_CHANNEL_EVENTS)
            continue;
        xt_reader reader = xt_reader_of(frame.payload);
        c->n_out += xt_reader_varint(&reader);
        xt_buf_put(&events, xt_reader_bytes(&reader, xt_reader_left(&reader)));
    }
    /* room for a digest that has not come is none in the note */
    if (c->digests && c->out.n > 0 && xt_digest_desk_fill(c->digests, 0, &c->out) < 0) {
        xt_buf_reset(&c->out);
        c->is_whole = false;
    }
    xt_buf_put(&events, xt_buf_slice(&c->out));
    xt_buf_fini(&c->out);
    c->out = events;
}

void xt_collector_leave(xt_collector *c)
{
    take_back(c);
    XT_CLEANUP(xt_buf_fini) xt_buf records = XT_BUF_INIT;
    bool is_whole = xt_decoder_open_each(c->decoder, put_record, &records) == 0 && c->is_whole;
    const xt_handover_note note = {
        .left_ms = (uint64_t)xt_clock_wall_ms(&xt_clock_system),
        .run = is_whole ? reported(c, "run") : 0,
        .run_from_ms = reported(c, "run_from_ms"),
        .beat_ms = reported(c, "beat_ms"),
        .n_events = c->n_out,
        .version = XT_S(XT_VERSION),
        .reason = xt_slice_str(c->reason),
        .events = xt_buf_slice(&c->out),
        .records = xt_buf_done(&records) == 0 ? xt_buf_slice(&records) : XT_S_NULL,
    };
    int r = xt_handover_store_note(&c->family.notify, &note);
    if (r < 0)
        xt_log(XT_LOG_ERROR, "what the next agent needs cannot be left with the service manager: %s", strerror(-r));
    else
        xt_log(XT_LOG_INFO, "the next agent goes on here: %s", c->reason);
}
