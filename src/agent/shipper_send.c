/*
 * How it works: batches are sent from the spool and only from there, so that what is sent first and what is sent again
 * take one path. The window that the server names bounds what is unanswered; an acknowledgement takes batches out of
 * the spool and makes room. A welcome says up to where the server has this stream: sending goes on behind that, or a
 * new stream begins. A heartbeat is the collector's, with what is known here added; it waits in the book of beats and
 * not in the spool. Orders of policies and changes of CAs are passed on to the collector, which judges them.
 */
#include <unistd.h>

#include "agent/channel.h"
#include "agent/own_event.h"
#include "agent/shipper_private.h"
#include "base/clock.h"
#include "base/log.h"

#define QUEUE_BYTES ((size_t)4 << 20) /* handed to TLS and not yet gone */

static bool send_batch(xt_shipper *s)
{
    xt_batch batch;
    xt_slice payload = xt_buf_slice(&s->payload);
    xt_buf_reset(&s->brief);
    if (xt_batch_decode(payload, &batch, NULL) != 0)
        return false;
    bool brief = s->is_brief && xt_short_batch_put(&s->form, &batch, &s->brief) && xt_buf_done(&s->brief) == 0;
    if (!xt_link_send(s->link, brief ? XT_FRAME_BATCH_SHORT : XT_FRAME_BATCH,
                      brief ? xt_buf_slice(&s->brief) : payload))
        return false;
    xt_short_batch_went(&s->form, batch.number, payload);
    s->sent = batch.number;
    return true;
}

void xt_shipper_pump(xt_shipper *s)
{
    xt_problem problem = XT_PROBLEM_INIT;
    while (xt_link_is_up(s->link) && s->sent - xt_spool_stats_get(s->spool).acked_number < s->window &&
           xt_link_queued(s->link) < QUEUE_BYTES) {
        uint64_t number = 0;
        xt_buf_reset(&s->payload);
        int r = xt_spool_next(s->spool, s->sent, &number, &s->payload, &problem);
        if (r == XT_SPOOL_E_RENEWED)
            xt_link_restart(s->link);
        if (r < 0)
            xt_shipper_disk_note(s, &problem); /* tried again with the next report */
        if (r != 0 || number == 0)
            break;
        if (!send_batch(s))
            break;
    }
}

static void on_enrolled(void *context)
{
    xt_shipper *s = context;
    if (xt_channel_send(s->collector_fd, XT_CHANNEL_IDENTITY, xt_slice_str(s->identity.host_id)) < 0)
        xt_shipper_stop(s, true);
}

static void on_hello(void *context, xt_hello *hello)
{
    xt_shipper *s = context;
    hello->stream = xt_spool_stream(s->spool);
    hello->audit_mode = s->ready.audit_mode;
    hello->completeness = s->ready.completeness;
    hello->dictionary = xt_codec_newest();
}

/* All that was made up to a mark is acknowledged (or dropped, which is counted) when as many batches are gone as there were then. */
static void settle(xt_shipper *s, int64_t now_ms)
{
    uint64_t n_waiting = xt_spool_stats_get(s->spool).n_batches;
    uint64_t n_gone = s->n_put > n_waiting ? s->n_put - n_waiting : 0;
    if (n_waiting == 0) {
        s->settled.until_ms = now_ms;
        s->settled.at_ms = 0;
        return;
    }
    if (s->settled.at_ms && n_gone >= s->settled.n_put) {
        s->settled.until_ms = s->settled.at_ms;
        s->settled.at_ms = 0;
    }
    if (!s->settled.at_ms) {
        s->settled.n_put = s->n_put;
        s->settled.at_ms = now_ms;
    }
}

static void beat_send(void *context, xt_heartbeat *beat)
{
    xt_shipper *s = context;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    beat->sent_ms = (uint64_t)xt_clock_wall_ms(&xt_clock_system);
    if (s->settled.until_ms)
        beat->settled_ms = (uint64_t)(xt_beat_now_ms() - s->settled.until_ms) + 1;
    bool brief = s->is_brief && xt_short_beat_put(&s->form, beat, &out);
    if (!brief)
        xt_heartbeat_put(&out, beat);
    if (xt_buf_done(&out) < 0 ||
        !xt_link_send(s->link, brief ? XT_FRAME_HEARTBEAT_SHORT : XT_FRAME_HEARTBEAT, xt_buf_slice(&out)))
        xt_link_restart(s->link); /* the next difference would be to what the server never had */
}

/* The collector's heartbeat with what is known here. */
void xt_shipper_on_heartbeat(xt_shipper *s, xt_slice payload)
{
    xt_heartbeat beat;
    bool up = xt_link_is_up(s->link);
    int64_t now_ms = xt_beat_now_ms();
    if (xt_heartbeat_decode(payload, &beat, NULL) != 0)
        return;
    xt_shipper_pack_flush(s); /* what came before it */
    settle(s, now_ms);
    xt_spool_stats stats = xt_spool_stats_get(s->spool);
    beat.n_batches = s->n_batches;
    beat.spool_batches = stats.n_batches;
    beat.spool_bytes = stats.n_bytes;
    beat.spool_max_bytes = stats.max_bytes;
    beat.spool_dropped_events = stats.n_dropped_events + s->n_unspooled;
    beat.n_unspooled = s->n_unspooled;
    beat.n_flood = xt_flood_counted(s->flood);
    if (xt_beat_book_take(&s->beats, &beat, (uint64_t)getppid(), up, now_ms) == 0 && up)
        xt_beat_book_send(&s->beats, now_ms, beat_send, s);
    xt_shipper_report(s);
}

static void on_policy(void *context, xt_slice payload)
{
    xt_shipper *s = context;
    if (xt_policy_relay_order(&s->policy, s->collector_fd, payload) < 0)
        xt_shipper_stop(s, true);
}

/* The collector believes what the CAs that it trusts have signed, not this process. */
static void on_trust(void *context, xt_slice payload)
{
    xt_shipper *s = context;
    if (xt_channel_send(s->collector_fd, XT_CHANNEL_TRUST, payload) < 0)
        xt_shipper_stop(s, true);
}

/* What came after the CAs that the collector has: a message may have been under way when the agent ended. */
void xt_shipper_tell_trust(xt_shipper *s)
{
    xt_slice since = xt_buf_slice(&s->identity.proofs);
    xt_reader reader = xt_reader_of(since);
    xt_trust trust;
    if (s->ready.trust == xt_slice_hash(xt_buf_slice(&s->identity.ca)))
        return;
    while (xt_reader_left(&reader) > 0 && xt_trust_decode(xt_reader_block(&reader), &trust, NULL) == 0)
        if (xt_slice_hash(trust.ca_pem) == s->ready.trust)
            since = xt_slice_of((const char *)reader.p, xt_reader_left(&reader));
    for (reader = xt_reader_of(since); xt_reader_left(&reader) > 0 && !reader.failed;)
        on_trust(s, xt_reader_block(&reader));
}

static void policy_state_send(xt_shipper *s)
{
    if (s->policy.state.n > 0 && xt_link_has(s->link, XT_FEATURE_POLICY))
        (void)xt_link_send(s->link, XT_FRAME_POLICY_STATE, xt_buf_slice(&s->policy.state));
}

void xt_shipper_on_policy_state(xt_shipper *s, xt_slice payload)
{
    if (xt_policy_relay_answer(&s->policy, s->collector_fd, payload) < 0)
        xt_shipper_stop(s, true);
    policy_state_send(s);
}

/* What was acknowledged is not there any more: an event says that the server does not have it either. */
static int lost_put(xt_shipper *s, uint64_t known, uint64_t acked, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT;
    const xt_event_origin origin = xt_shipper_origin(s);

    xt_own_event_put_lost_by_server(&events, &origin, xt_clock_wall_ms(&xt_clock_system), known, acked);
    int r = xt_buf_done(&events);
    return r == 0 ? xt_spool_put(s->spool, xt_buf_slice(&events), 1, reterr_problem) : r;
}

static void on_welcome(void *context, const xt_welcome *welcome)
{
    xt_shipper *s = context;
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t acked = xt_spool_stats_get(s->spool).acked_number;
    int r = xt_spool_welcome(s->spool, welcome->number, welcome->hash, &problem);
    if (r == XT_SPOOL_E_RENEWED && welcome->number < acked) {
        int put = lost_put(s, welcome->number, acked, &problem);
        r = put < 0 ? put : r;
    }
    if (r < 0) {
        xt_shipper_disk_note(s, &problem);
        s->says_hello_again = true;
        s->window = 0;
        return;
    }
    if (r == XT_SPOOL_E_RENEWED) {
        xt_log(XT_LOG_WARN,
               "the server knows another past of this host's stream: a new stream begins with all that waits");
        s->sent = 0;
        xt_link_restart(s->link);
        return;
    }
    s->sent = welcome->number;
    s->is_brief = welcome->features & XT_FEATURE_SHORT;
    xt_short_begin(&s->form, xt_spool_stream(s->spool), welcome);
    xt_spool_set_codec(s->spool, welcome->dictionary == xt_codec_newest() ? welcome->dictionary : XT_CODEC_ZSTD);
    s->window = welcome->window > 0 ? welcome->window : 1;
    s->gather_ms = welcome->gather_ms;
    s->progress_ms = xt_clock_mono_ms(&xt_clock_system);
    policy_state_send(s);
    xt_beat_book_send(&s->beats, xt_beat_now_ms(), beat_send, s);
    xt_shipper_pump(s);
    xt_shipper_report(s);
    xt_shipper_check_end(s);
}

static bool on_ack(void *context, const xt_ack *ack)
{
    xt_shipper *s = context;
    xt_problem problem = XT_PROBLEM_INIT;
    s->gather_ms = ack->gather_ms;
    if (ack->number > s->sent || ack->number <= xt_spool_stats_get(s->spool).acked_number)
        return false; /* nothing true is said by that */
    int r = xt_spool_ack(s->spool, ack->number, &problem);
    if (r < 0)
        xt_shipper_disk_note(s, &problem); /* what is not noted is sent again at worst, and known there */
    if (r == XT_SPOOL_E_RENEWED) {
        xt_link_restart(s->link);
        return false;
    }
    s->acked_ms = xt_clock_wall_ms(&xt_clock_system);
    s->progress_ms = xt_clock_mono_ms(&xt_clock_system);
    xt_shipper_pump(s);
    xt_shipper_check_end(s);
    return r == 0;
}

static void on_writable(void *context)
{
    xt_shipper_pump(context);
}

static void on_fatal(void *context)
{
    xt_shipper_stop(context, true);
}

xt_link_calls xt_shipper_link_calls(xt_shipper *s)
{
    return (xt_link_calls){on_enrolled, on_hello, on_welcome, on_ack, on_policy, on_trust, on_writable, on_fatal, s};
}
