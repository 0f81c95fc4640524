/*
 * How it works: the collector hands events on in groups, larger ones when much comes; what came at once is a batch, which
 * is put into the spool, and sent from there and only from there, so that what is sent first and what is sent again take
 * one path. Where the server says that it has many agents, a batch is what came within the time that it names.
 * What the disk does not take waits in memory. The window that the server names bounds what is unanswered. Reading
 * from the collector stops for as long as a write to the spool lasts; the collector's own buffers bridge that.
 */
#include "agent/shipper.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/beat_book.h"
#include "agent/channel.h"
#include "agent/disk_room.h"
#include "agent/flood.h"
#include "agent/identity.h"
#include "agent/link.h"
#include "agent/mark_file.h"
#include "agent/own_event.h"
#include "agent/policy_relay.h"
#include "agent/proc_read.h"
#include "agent/serial_count.h"
#include "agent/thin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "io/tls_trust.h"
#include "wire/short_form.h"
#include "wire/spool.h"

#define PACK_BYTES    196608
#define PACK_EVENTS   1500
#define HELD_BYTES    ((size_t)2 << 20) /* that wait in memory when the disk does not take them */
#define QUEUE_BYTES   ((size_t)4 << 20) /* handed to TLS and not yet gone */
#define END_MS        5000
#define SPOOL         "spool"
#define REPORT_MS     2000
#define UNANSWERED_MS 60000

typedef struct shipper {
    const xt_agent_settings *settings;
    struct event_base *base;
    int collector_fd;
    struct event *collector_event, *end_timer, *report_timer, *gather_timer;
    xt_buf in, pack, payload, brief, hello;
    xt_policy_relay policy;
    uint64_t n_packed, n_batches;
    xt_beat_book beats;
    xt_mark_file mark_file;
    xt_buf next_mark, mark; /* of the events that come next, and of what is packed (collector_input.c); empty: none */
    uint64_t n_put;         /* batches that ever waited here */
    struct {
        uint64_t n_put;
        int64_t at_ms;    /* of this mark, as the beats' times; 0: none */
        int64_t until_ms; /* what was made before is acknowledged; 0: not known */
    } settled;
    xt_identity identity;
    xt_token token;
    xt_link *link;
    xt_spool *spool;
    xt_hello ready; /* its slices point into hello */
    uint64_t sent, window;
    uint64_t gather_ms; /* as the server asked last, also while there is no connection */
    bool is_brief;      /* the server knows short forms */
    xt_short_form form;
    int64_t acked_ms;    /* wall; 0: never */
    int64_t progress_ms; /* mono: an acknowledgement, or nothing was waited for, and nothing to be read there */
    xt_serial_file *serials;
    xt_serial_count told; /* by the collector, of what stands in pack; max 0: nothing */
    xt_flood *flood;
    bool is_flooding;        /* the spool was over half, and summaries may be due */
    xt_spool_loss unspooled; /* what found no place on the disk, and is not told of yet */
    uint64_t n_unspooled;    /* all such since the start */
    ino_t spool_inode;       /* of its folder */
    bool disk_refuses;       /* it was said */
    bool says_hello_again;   /* when the disk may have come right */
    uint64_t n_last_waiting; /* batches, when it was last looked at */
    xt_disk_room_kept room;
    bool ending, failed, is_collector_stopped; /* and that was said */
    unsigned n_collector_stopped;
} shipper;

static void stop(shipper *s, bool failed)
{
    s->failed |= failed;
    event_base_loopbreak(s->base);
}

static void timer_set(struct event *timer, uint64_t ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    evtimer_add(timer, &tv);
}

static xt_event_origin origin_of(const shipper *s)
{
    return (xt_event_origin){
        .host_name = xt_slice_str(s->settings->host_name),
        .host_id = xt_slice_str(s->identity.host_id),
        .boot_id = xt_slice_str(s->settings->boot_id),
    };
}

static uint64_t spool_room(void *context)
{
    shipper *s = context;
    return xt_disk_room_soon(&s->room, ".", s->settings->spool_free_bytes, xt_clock_mono_ms(&xt_clock_system));
}

/* The disk, or memory: said once, and once when it is right again. */
static void on_disk(shipper *s, const xt_problem *problem)
{
    if (problem && !s->disk_refuses)
        xt_log_problem(XT_LOG_ERROR, problem);
    else if (!problem && s->disk_refuses)
        xt_log(XT_LOG_INFO, "the spool can be written again");
    s->disk_refuses = problem != NULL;
}

static void put_dropped(void *context, const xt_spool_loss *loss, xt_buf *out)
{
    const xt_event_origin origin = origin_of(context);
    xt_own_event_put_dropped(out, &origin, xt_clock_wall_ms(&xt_clock_system), loss);
}

/* When the certificate ends, wall time in ms; 0: there is none. */
static int64_t certificate_end(const shipper *s)
{
    int64_t from_ms, to_ms = 0;
    if (s->identity.cert.n > 0 && xt_tls_cert_span(xt_buf_slice(&s->identity.cert), &from_ms, &to_ms) < 0)
        return 0;
    return to_ms;
}

/* How the spool is, in words. */
static void put_spool_state(const shipper *s, const xt_spool_stats *stats, xt_buf *out)
{
    uint64_t percent = stats->max_bytes ? stats->n_bytes * 100 / stats->max_bytes : 100;
    if (s->disk_refuses)
        xt_buf_printf(out, "the disk does not take it: %llu events wait in memory", (unsigned long long)s->n_packed);
    else if (stats->n_batches == 0)
        xt_buf_puts(out, "empty");
    else if (stats->is_shedding)
        xt_buf_puts(out, "full: the least important and oldest events go");
    else
        xt_buf_printf(out, "%llu %% of %llu MiB in use", (unsigned long long)percent,
                      (unsigned long long)(stats->max_bytes >> 20));
    if (xt_flood_counted(s->flood))
        xt_buf_printf(out, "; %llu events of storms were counted", (unsigned long long)xt_flood_counted(s->flood));
    if (stats->max_bytes < s->settings->spool_bytes)
        xt_buf_puts(out, "; its disk has room for no more");
}

static void report(shipper *s)
{
    char text[2560], server[300], state[800], spool[200];
    xt_buf out = XT_BUF_ON(text), a = XT_BUF_ON(server), b = XT_BUF_ON(state), c = XT_BUF_ON(spool);
    xt_spool_stats stats = xt_spool_stats_get(s->spool);
    xt_text_visible_head(&a, xt_slice_str(xt_link_server(s->link)));
    xt_text_visible_head(&b, xt_slice_str(xt_link_state(s->link)));
    put_spool_state(s, &stats, &c);
    xt_buf_printf(&out,
                  "host_id=%s\nserver=%.*s\nconnection=%.*s\nspool=%.*s\nspool_batches=%llu\nspool_events=%llu\nspool_"
                  "bytes=%llu\n"
                  "spool_dropped_events=%llu\nacked_number=%llu\nacked_ms=%lld\nretry_ms=%lld\ncertificate_ms=%lld\n"
                  "run=%llu\nrun_from_ms=%lld\nbeat_ms=%lld\ncollector_stopped=%u\n",
                  s->identity.host_id, XT_S_ARGS(xt_buf_slice(&a)), XT_S_ARGS(xt_buf_slice(&b)),
                  XT_S_ARGS(xt_buf_slice(&c)), (unsigned long long)stats.n_batches, (unsigned long long)stats.n_events,
                  (unsigned long long)stats.n_bytes, (unsigned long long)stats.n_dropped_events + s->n_unspooled,
                  (unsigned long long)stats.acked_number, (long long)s->acked_ms, (long long)xt_link_retry_ms(s->link),
                  (long long)certificate_end(s), (unsigned long long)s->beats.run, (long long)s->beats.run_from_ms,
                  (long long)s->beats.last.at_ms, s->n_collector_stopped);
    if (xt_buf_done(&out) == 0 && xt_channel_try(s->collector_fd, XT_CHANNEL_REPORT, xt_buf_slice(&out)) < 0)
        return; /* the next one will do */
}

static void check_end(shipper *s)
{
    if (s->ending && s->n_packed == 0 && xt_spool_stats_get(s->spool).n_batches == 0)
        stop(s, false);
}

static bool send_batch(shipper *s)
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

/* Sends what the window, the queue and the spool allow. */
static void pump(shipper *s)
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
            on_disk(s, &problem); /* tried again with the next report */
        if (r != 0 || number == 0)
            break;
        if (!send_batch(s))
            break;
    }
}

static int spool_open(shipper *s, xt_spool **ret, xt_problem *reterr_problem)
{
    const xt_spool_settings settings = {.vfs = &xt_vfs_system,
                                        .dir = SPOOL,
                                        .max_bytes = s->settings->spool_bytes,
                                        .room = spool_room,
                                        .tombstone = put_dropped,
                                        .context = s};
    struct stat st;
    int r = xt_spool_open(&settings, ret, reterr_problem);
    s->spool_inode = r == 0 && stat(SPOOL, &st) == 0 ? st.st_ino : 0;
    return r;
}

/* What the collector wants to know of what is in the spool. */
static void mark_write(shipper *s)
{
    int r = s->mark.n > 0 && s->mark_file.fd < 0 ? xt_mark_file_open(&s->mark_file, AT_FDCWD, "mark") : 0;
    if (r == 0 && s->mark.n > 0)
        r = xt_mark_file_write(&s->mark_file, xt_buf_slice(&s->mark));
    if (r < 0)
        xt_log(XT_LOG_WARN, "how far the file was read cannot be written down: %s", strerror(-r));
    xt_buf_reset(&s->mark);
}

static void on_mark(shipper *s, xt_slice payload)
{
    xt_buf_reset(&s->next_mark);
    xt_buf_put(&s->next_mark, payload);
}

/* The events that it belongs to are packed. */
static void mark_take(shipper *s)
{
    if (s->next_mark.n == 0)
        return;
    xt_buf_reset(&s->mark);
    xt_buf_put(&s->mark, xt_buf_slice(&s->next_mark));
    xt_buf_reset(&s->next_mark);
}

/* What was packed is on disk, or said to be dropped: it is accounted for. */
static void serials_put(shipper *s)
{
    if (s->serials && s->told.max)
        xt_serial_file_put(s->serials, &s->told);
    s->told.max = 0;
}

/* The disk does not take it: it waits here, and when that is too much the least of it goes. */
static void pack_hold(shipper *s, const xt_problem *problem)
{
    on_disk(s, problem);
    for (unsigned rank = 0; rank < XT_N_RANKS && (s->pack.n > HELD_BYTES || s->pack.failed); rank++) {
        uint64_t n_left = xt_thin_events(&s->pack, s->n_packed, rank, &s->unspooled);
        s->n_unspooled += s->n_packed - n_left;
        s->n_packed = n_left;
    }
}

static void pack_flush(shipper *s)
{
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_spool_loss none = {0};
    if (s->n_packed == 0)
        return;
    evtimer_del(s->gather_timer);
    size_t n_bytes = s->pack.n;
    bool lost = memcmp(&s->unspooled, &none, sizeof none) != 0;
    if (lost)
        put_dropped(s, &s->unspooled, &s->pack);
    int r = xt_buf_done(&s->pack);
    if (r == 0)
        r = xt_spool_put(s->spool, xt_buf_slice(&s->pack), s->n_packed + lost, &problem);
    if (r < 0) {
        s->pack.n = n_bytes; /* what was lost is told when it is taken */
        pack_hold(s, &problem);
        return;
    }
    on_disk(s, NULL);
    s->unspooled = none;
    s->n_batches++;
    s->n_put++;
    mark_write(s);
    xt_buf_reset(&s->pack);
    s->n_packed = 0;
    serials_put(s);
    pump(s);
}

static void on_gather_timer(evutil_socket_t fd, short what, void *context)
{
    pack_flush(context);
}

/* What came now is a batch, or the beginning of one. */
static void pack_gather(shipper *s)
{
    if (s->gather_ms == 0 || s->ending)
        pack_flush(s);
    else if (s->n_packed > 0 && !evtimer_pending(s->gather_timer, NULL))
        timer_set(s->gather_timer, s->gather_ms);
}

static void on_end_timer(evutil_socket_t fd, short what, void *context)
{
    stop(context, false);
}

/* An event of the shipper's own. */
XT_PRINTF(3, 4) static void say(shipper *s, const char *action, const char *format, ...)
{
    char text[160];
    xt_buf message = XT_BUF_ON(text);
    const xt_event_origin origin = origin_of(s);
    va_list args;
    va_start(args, format);
    xt_buf_vprintf(&message, format, args);
    va_end(args);
    xt_log(XT_LOG_WARN, "%.*s", XT_S_ARGS(xt_buf_slice(&message)));
    xt_own_event_put(&s->pack, &origin, xt_clock_wall_ms(&xt_clock_system), action, xt_buf_slice(&message));
    s->n_packed++;
    pack_flush(s);
}

/* A collector that somebody stopped says nothing; where a service manager watches over it, it is sent on at once. */
static void look_at_collector(shipper *s)
{
    pid_t pid = getppid();
    bool was_stopped = s->is_collector_stopped;
    s->is_collector_stopped = pid > 1 && !s->ending && xt_proc_state((uint32_t)pid) == 'T';
    if (!s->is_collector_stopped || was_stopped)
        return;
    s->n_collector_stopped++;
    bool goes_on = s->settings->supervised && kill(pid, SIGCONT) == 0;
    say(s, "agent-process-stopped", "the collector process %d of the agent was stopped by a signal%s", pid,
        goes_on ? "; it was sent on" : "");
}

/* Over half of what it may be, what is the same again and again is counted. */
static bool is_over_half(const shipper *s)
{
    xt_spool_stats stats = xt_spool_stats_get(s->spool);
    return s->disk_refuses || stats.n_bytes > stats.max_bytes / 2;
}

static void flood_put(shipper *s, bool all)
{
    if (s->is_flooding)
        s->n_packed += xt_flood_put(s->flood, xt_clock_mono_ms(&xt_clock_system), all, &s->pack);
    s->is_flooding &= !all;
}

static uint64_t pack_sifted(shipper *s, xt_slice events)
{
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    xt_slice bytes;
    uint64_t n = 0;
    if (!s->is_flooding)
        xt_log(XT_LOG_WARN, "the spool is over half: storms of one command are counted from now on");
    s->is_flooding = true;
    while (xt_event_batch_next(&events, &bytes)) {
        if (xt_flood_take(s->flood, bytes, now_ms))
            continue;
        xt_buf_put_block(&s->pack, bytes);
        n++;
    }
    flood_put(s, false);
    return n;
}

/* What waits longer than a moment is to survive a power failure. */
static void sync_waiting(shipper *s)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t n = xt_spool_stats_get(s->spool).n_batches;
    if (n > 0 && s->n_last_waiting > 0 && xt_spool_sync(s->spool, &problem) < 0)
        on_disk(s, &problem);
    s->n_last_waiting = n;
}

/* Somebody took its folder away: what waited there is gone, and a new stream begins with what comes. */
static void spool_look(shipper *s)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_spool_stats stats = xt_spool_stats_get(s->spool);
    struct stat st;
    xt_spool *fresh;
    if (stat(SPOOL, &st) == 0 && st.st_ino == s->spool_inode)
        return;
    if (spool_open(s, &fresh, &problem) < 0) {
        on_disk(s, &problem);
        return;
    }
    xt_spool_close(s->spool);
    s->spool = fresh;
    s->unspooled.n_batches += stats.n_batches;
    s->unspooled.n_unknown += stats.n_events;
    s->unspooled.n_damaged += stats.n_events;
    s->n_unspooled += stats.n_events;
    s->sent = 0;
    say(s, "agent-files-changed", "the spool was removed: %llu events that waited in it are lost",
        (unsigned long long)stats.n_events);
    xt_link_restart(s->link);
}

static void on_report_timer(evutil_socket_t fd, short what, void *context)
{
    shipper *s = context;
    look_at_collector(s);
    spool_look(s);
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    bool is_through = s->sent == xt_spool_stats_get(s->spool).acked_number && xt_link_queued(s->link) == 0;
    if (!xt_link_is_up(s->link) || is_through)
        s->progress_ms = now_ms;
    else if (now_ms - s->progress_ms > UNANSWERED_MS)
        xt_link_restart(s->link);
    if (s->says_hello_again && xt_link_is_up(s->link))
        xt_link_restart(s->link);
    s->says_hello_again = false;
    sync_waiting(s);
    flood_put(s, !is_over_half(s));
    pack_flush(s);
    pump(s);
    report(s);
}

static void on_enrolled(void *context)
{
    shipper *s = context;
    if (xt_channel_send(s->collector_fd, XT_CHANNEL_IDENTITY, xt_slice_str(s->identity.host_id)) < 0)
        stop(s, true);
}

static void on_hello(void *context, xt_hello *hello)
{
    shipper *s = context;
    hello->stream = xt_spool_stream(s->spool);
    hello->audit_mode = s->ready.audit_mode;
    hello->completeness = s->ready.completeness;
    hello->dictionary = xt_codec_newest();
}

/* All that was made up to a mark is acknowledged (or dropped, which is counted) when as many batches are gone as there were then. */
static void settle(shipper *s, int64_t now_ms)
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
    shipper *s = context;
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
static void on_heartbeat(shipper *s, xt_slice payload)
{
    xt_heartbeat beat;
    bool up = xt_link_is_up(s->link);
    int64_t now_ms = xt_beat_now_ms();
    if (xt_heartbeat_decode(payload, &beat, NULL) != 0)
        return;
    pack_flush(s); /* what came before it */
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
    report(s);
}

static void on_policy(void *context, xt_slice payload)
{
    shipper *s = context;
    if (xt_policy_relay_order(&s->policy, s->collector_fd, payload) < 0)
        stop(s, true);
}

/* The collector believes what the CAs that it trusts have signed, not this process. */
static void on_trust(void *context, xt_slice payload)
{
    shipper *s = context;
    if (xt_channel_send(s->collector_fd, XT_CHANNEL_TRUST, payload) < 0)
        stop(s, true);
}

/* What came after the CAs that the collector has: a message may have been under way when the agent ended. */
static void tell_trust(shipper *s)
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

static void policy_state_send(shipper *s)
{
    if (s->policy.state.n > 0 && xt_link_has(s->link, XT_FEATURE_POLICY))
        (void)xt_link_send(s->link, XT_FRAME_POLICY_STATE, xt_buf_slice(&s->policy.state));
}

static void on_policy_state(shipper *s, xt_slice payload)
{
    if (xt_policy_relay_answer(&s->policy, s->collector_fd, payload) < 0)
        stop(s, true);
    policy_state_send(s);
}

static void on_spool_bound(shipper *s, xt_slice payload)
{
    xt_reader reader = xt_reader_of(payload);
    uint64_t max_bytes = xt_reader_varint(&reader);
    if (!reader.failed && max_bytes > 0)
        xt_spool_limit(s->spool, max_bytes);
}

/* What was acknowledged is not there any more: an event says that the server does not have it either. */
static int lost_put(shipper *s, uint64_t known, uint64_t acked, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT;
    const xt_event_origin origin = origin_of(s);

    xt_own_event_put_lost_by_server(&events, &origin, xt_clock_wall_ms(&xt_clock_system), known, acked);
    int r = xt_buf_done(&events);
    return r == 0 ? xt_spool_put(s->spool, xt_buf_slice(&events), 1, reterr_problem) : r;
}

static void on_welcome(void *context, const xt_welcome *welcome)
{
    shipper *s = context;
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t acked = xt_spool_stats_get(s->spool).acked_number;
    int r = xt_spool_welcome(s->spool, welcome->number, welcome->hash, &problem);
    if (r == XT_SPOOL_E_RENEWED && welcome->number < acked) {
        int put = lost_put(s, welcome->number, acked, &problem);
        r = put < 0 ? put : r;
    }
    if (r < 0) {
        on_disk(s, &problem);
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
    pump(s);
    report(s);
    check_end(s);
}

static bool on_ack(void *context, const xt_ack *ack)
{
    shipper *s = context;
    xt_problem problem = XT_PROBLEM_INIT;
    s->gather_ms = ack->gather_ms;
    if (ack->number > s->sent || ack->number <= xt_spool_stats_get(s->spool).acked_number)
        return false; /* nothing true is said by that */
    int r = xt_spool_ack(s->spool, ack->number, &problem);
    if (r < 0)
        on_disk(s, &problem); /* what is not noted is sent again at worst, and known there */
    if (r == XT_SPOOL_E_RENEWED) {
        xt_link_restart(s->link);
        return false;
    }
    s->acked_ms = xt_clock_wall_ms(&xt_clock_system);
    s->progress_ms = xt_clock_mono_ms(&xt_clock_system);
    pump(s);
    check_end(s);
    return r == 0;
}

static void on_writable(void *context)
{
    pump(context);
}

static void on_fatal(void *context)
{
    stop(context, true);
}

static void on_events(shipper *s, xt_slice payload)
{
    xt_reader reader = xt_reader_of(payload);
    uint64_t n = xt_reader_varint(&reader);
    xt_slice events = xt_reader_bytes(&reader, xt_reader_left(&reader));
    if (is_over_half(s)) {
        n = pack_sifted(s, events);
    } else {
        flood_put(s, true);
        xt_buf_put(&s->pack, events);
    }
    s->n_packed += n;
    mark_take(s);
    if (s->pack.n >= PACK_BYTES || s->n_packed >= PACK_EVENTS)
        pack_flush(s);
}

static void on_ready(shipper *s, xt_slice payload)
{
    xt_buf_reset(&s->hello);
    xt_buf_put(&s->hello, payload);
    if (xt_buf_done(&s->hello) < 0 || xt_hello_decode(xt_buf_slice(&s->hello), &s->ready, NULL) != 0)
        return;
    tell_trust(s);
    xt_link_start(s->link, true);
}

/* Whatever holds this process up then, nobody else may end it. */
static void on_end(shipper *s)
{
    alarm(2 * END_MS / 1000);
    s->ending = true;
    flood_put(s, true);
    pack_flush(s);
    timer_set(s->end_timer, END_MS);
    check_end(s);
}

/* What waits is the next agent's. */
static void on_leave(shipper *s)
{
    flood_put(s, true);
    pack_flush(s);
    stop(s, s->n_unspooled > 0 || s->n_packed > 0); /* or the disk does not take them */
}

static void on_resume(shipper *s, xt_slice payload)
{
    xt_reader reader = xt_reader_of(payload);
    uint64_t run = xt_reader_u64(&reader);
    int64_t from_ms = (int64_t)xt_reader_u64(&reader), at_ms = (int64_t)xt_reader_u64(&reader);
    if (!reader.failed)
        xt_beat_book_resume(&s->beats, run, from_ms, at_ms);
}

static void on_message(shipper *s, const xt_frame *frame)
{
    switch ((int)frame->type) {
    case XT_CHANNEL_EVENTS:
        on_events(s, frame->payload);
        break;
    case XT_CHANNEL_MARK:
        on_mark(s, frame->payload);
        break;
    case XT_CHANNEL_READY:
        on_ready(s, frame->payload);
        break;
    case XT_CHANNEL_HEARTBEAT:
        on_heartbeat(s, frame->payload);
        break;
    case XT_CHANNEL_SERIALS:
        if (frame->payload.n == sizeof s->told)
            memcpy(&s->told, frame->payload.p, sizeof s->told);
        if (s->n_packed == 0)
            serials_put(s);
        break;
    case XT_CHANNEL_POLICY_STATE:
        on_policy_state(s, frame->payload);
        break;
    case XT_CHANNEL_SPOOL:
        on_spool_bound(s, frame->payload);
        break;
    case XT_CHANNEL_END:
        on_end(s);
        break;
    case XT_CHANNEL_LEAVE:
        on_leave(s);
        break;
    case XT_CHANNEL_RESUME:
        on_resume(s, frame->payload);
        break;
    default:
        break;
    }
}

static void on_collector(evutil_socket_t fd, short what, void *context)
{
    shipper *s = context;
    int r = xt_channel_receive(fd, &s->in);
    if (r == -EAGAIN)
        return;
    xt_slice rest = xt_buf_slice(&s->in);
    xt_frame frame;
    size_t taken;
    while (r >= 0 && (r = xt_frame_next(rest, &frame, &taken, NULL)) == 0) {
        on_message(s, &frame);
        rest = xt_slice_skip(rest, taken);
    }
    xt_buf_consume(&s->in, s->in.n - rest.n);
    pack_gather(s);
    if (r < 0 || r == XT_FRAME_E_CORRUPT) {
        /* The collector is gone: what it gave is still sent, or waits in the spool. */
        event_del(s->collector_event);
        if (s->settings->supervised)
            on_leave(s); /* the next agent waits for this one's end */
        else if (!s->ending)
            on_end(s);
    }
}

/* 0: enrolled; 1: there is a token to enrol with; <0 said in the log. *ret_token: a token that can be read was given. */
static int who_are_we(shipper *s, bool *ret_token)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_identity_read(&s->identity, &problem);
    int t = s->settings->token ? xt_token_parse(xt_slice_str(s->settings->token), &s->token, &problem) : 1;
    *ret_token = t == 0;
    if (r == XT_IDENTITY_E_NONE && !s->settings->token) {
        xt_problem_set(&problem, "this host is not enrolled yet, and no enrolment token was given");
        xt_problem_hint(&problem, "run `exectrail token new` on the server and give what it prints with --token");
        r = -ENOENT;
    } else if (r == XT_IDENTITY_E_NONE) {
        r = t == 0 ? 1 : -EINVAL;
    }
    if (r < 0)
        xt_log_problem(XT_LOG_ERROR, &problem);
    return r;
}

static int prepare(shipper *s, int helper_fd)
{
    const xt_link_calls calls = {on_enrolled, on_hello,    on_welcome, on_ack, on_policy,
                                 on_trust,    on_writable, on_fatal,   s};
    xt_problem problem = XT_PROBLEM_INIT;
    bool token;
    int enrol = who_are_we(s, &token);
    if (enrol < 0)
        return enrol;
    s->base = event_base_new();
    int r = s->base ? xt_flood_new(&s->flood) : -ENOMEM;
    if (r == 0)
        r = spool_open(s, &s->spool, &problem);
    if (r == 0)
        r = xt_link_new(s->base, s->settings, helper_fd, &s->identity, token ? &s->token : NULL, &calls, &s->link,
                        &problem);
    if (r < 0) {
        xt_log_problem(XT_LOG_ERROR, &problem);
        return r;
    }
    s->n_put = xt_spool_stats_get(s->spool).n_batches;
    r = xt_serial_file_open(XT_SERIAL_FILE, s->settings->boot_id, &s->serials);
    if (r < 0)
        xt_log(XT_LOG_WARN, "%s: cannot be had: %s; after a kill nothing will tell how many events were missed",
               XT_SERIAL_FILE, strerror(-r));
    s->collector_event = event_new(s->base, s->collector_fd, EV_READ | EV_PERSIST, on_collector, s);
    s->end_timer = evtimer_new(s->base, on_end_timer, s);
    s->report_timer = event_new(s->base, -1, EV_PERSIST, on_report_timer, s);
    s->gather_timer = evtimer_new(s->base, on_gather_timer, s);
    if (!s->collector_event || !s->end_timer || !s->report_timer || !s->gather_timer)
        return xt_error_origin(-ENOMEM);
    event_add(s->collector_event, NULL);
    timer_set(s->report_timer, REPORT_MS);
    if (enrol)
        xt_link_start(s->link, false);
    else
        on_enrolled(s);
    return 0;
}

static void finish(shipper *s)
{
    struct event *const events[] = {s->collector_event, s->end_timer, s->report_timer, s->gather_timer};
    for (size_t i = 0; i < XT_COUNT_OF(events); i++)
        if (events[i])
            event_free(events[i]);
    xt_link_free(s->link);
    xt_flood_free(s->flood);
    xt_spool_close(s->spool);
    xt_serial_file_close(s->serials);
    if (s->base)
        event_base_free(s->base);
    xt_identity_fini(&s->identity);
    xt_beat_book_fini(&s->beats);
    xt_mark_file_close(&s->mark_file);
    xt_short_fini(&s->form);
    xt_policy_relay_fini(&s->policy);
    xt_buf *const bufs[] = {&s->in, &s->pack, &s->payload, &s->brief, &s->hello, &s->mark, &s->next_mark};
    for (size_t i = 0; i < XT_COUNT_OF(bufs); i++)
        xt_buf_fini(bufs[i]);
}

int xt_shipper_run(const xt_agent_settings *settings, int collector_fd, int helper_fd)
{
    shipper s = {.settings = settings, .collector_fd = collector_fd, .mark_file = {.fd = -1}};
    signal(SIGPIPE, SIG_IGN);
    int r = prepare(&s, helper_fd);
    if (r == 0)
        r = event_base_dispatch(s.base) < 0 ? -EIO : 0;
    if (r == 0 && s.spool)
        report(&s);
    finish(&s);
    return r < 0 || s.failed ? 1 : 0;
}
