/*
 * How it works: one loop waits for the collector, the link and three timers. The collector hands events on in groups,
 * larger ones when much comes; what came at once is a batch, which is put into the spool (shipper_pack.c) and sent
 * from there (shipper_send.c). Where the server says that it has many agents, a batch is what came within the time
 * that it names. Reading from the collector stops for as long as a write to the spool lasts; the collector's own
 * buffers bridge that. How all of it is goes to the collector in reports (shipper_report.c).
 *
 * At the end what waits is still sent, for a bounded time; an agent that is started anew leaves it to the next one.
 */
#include "agent/shipper.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/shipper_private.h"
#include "base/log.h"

#define END_MS    5000
#define REPORT_MS 2000

xt_event_origin xt_shipper_origin(const xt_shipper *s)
{
    return (xt_event_origin){
        .host_name = xt_slice_str(s->settings->host_name),
        .host_id = xt_slice_str(s->identity.host_id),
        .boot_id = xt_slice_str(s->settings->boot_id),
    };
}

void xt_shipper_stop(xt_shipper *s, bool failed)
{
    s->failed |= failed;
    event_base_loopbreak(s->base);
}

void xt_shipper_check_end(xt_shipper *s)
{
    if (s->ending && s->n_packed == 0 && xt_spool_stats_get(s->spool).n_batches == 0)
        xt_shipper_stop(s, false);
}

static void timer_set(struct event *timer, uint64_t ms)
{
    struct timeval tv = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    evtimer_add(timer, &tv);
}

static void on_end_timer(evutil_socket_t fd, short what, void *context)
{
    xt_shipper_stop(context, false);
}

static void on_gather_timer(evutil_socket_t fd, short what, void *context)
{
    xt_shipper_pack_flush(context);
}

/* What came now is a batch, or the beginning of one. */
static void pack_gather(xt_shipper *s)
{
    if (s->gather_ms == 0 || s->ending)
        xt_shipper_pack_flush(s);
    else if (s->n_packed > 0 && !evtimer_pending(s->gather_timer, NULL))
        timer_set(s->gather_timer, s->gather_ms);
}

static void on_report_timer(evutil_socket_t fd, short what, void *context)
{
    xt_shipper_look(context);
}

static void on_spool_bound(xt_shipper *s, xt_slice payload)
{
    xt_reader reader = xt_reader_of(payload);
    uint64_t max_bytes = xt_reader_varint(&reader);
    if (!reader.failed && max_bytes > 0)
        xt_spool_limit(s->spool, max_bytes);
}

static void on_ready(xt_shipper *s, xt_slice payload)
{
    xt_buf_reset(&s->hello);
    xt_buf_put(&s->hello, payload);
    if (xt_buf_done(&s->hello) < 0 || xt_hello_decode(xt_buf_slice(&s->hello), &s->ready, NULL) != 0)
        return;
    xt_shipper_tell_trust(s);
    xt_link_start(s->link, true);
}

/* Whatever holds this process up then, nobody else may end it. */
static void on_end(xt_shipper *s)
{
    alarm(2 * END_MS / 1000);
    s->ending = true;
    xt_shipper_flood_put(s, true);
    xt_shipper_pack_flush(s);
    timer_set(s->end_timer, END_MS);
    xt_shipper_check_end(s);
}

/* What waits is the next agent's. */
static void on_leave(xt_shipper *s)
{
    const xt_spool_loss none = {0};
    xt_shipper_flood_put(s, true);
    xt_shipper_pack_flush(s);
    bool is_untold = memcmp(&s->unspooled, &none, sizeof none) != 0;
    xt_shipper_stop(s, is_untold || s->n_packed > 0); /* the disk does not take them */
}

static void on_resume(xt_shipper *s, xt_slice payload)
{
    xt_reader reader = xt_reader_of(payload);
    uint64_t run = xt_reader_u64(&reader);
    int64_t from_ms = (int64_t)xt_reader_u64(&reader), at_ms = (int64_t)xt_reader_u64(&reader);
    if (!reader.failed)
        xt_beat_book_resume(&s->beats, run, from_ms, at_ms);
}

static void on_message(xt_shipper *s, const xt_frame *frame)
{
    switch ((int)frame->type) {
    case XT_CHANNEL_EVENTS:
        xt_shipper_on_events(s, frame->payload);
        break;
    case XT_CHANNEL_MARK:
        xt_shipper_on_mark(s, frame->payload);
        break;
    case XT_CHANNEL_READY:
        on_ready(s, frame->payload);
        break;
    case XT_CHANNEL_HEARTBEAT:
        xt_shipper_on_heartbeat(s, frame->payload);
        break;
    case XT_CHANNEL_SERIALS:
        xt_shipper_on_serials(s, frame->payload);
        break;
    case XT_CHANNEL_POLICY_STATE:
        xt_shipper_on_policy_state(s, frame->payload);
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
    xt_shipper *s = context;
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
static int who_are_we(xt_shipper *s, bool *ret_token)
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

static int prepare(xt_shipper *s, int helper_fd)
{
    const xt_link_calls calls = xt_shipper_link_calls(s);
    xt_problem problem = XT_PROBLEM_INIT;
    bool token;
    int enrol = who_are_we(s, &token);
    if (enrol < 0)
        return enrol;
    s->base = event_base_new();
    int r = s->base ? xt_flood_new(&s->flood) : -ENOMEM;
    if (r == 0)
        r = xt_shipper_spool_open(s, &s->spool, &problem);
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
        calls.on_enrolled(s);
    return 0;
}

static void finish(xt_shipper *s)
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
    xt_shipper s = {.settings = settings, .collector_fd = collector_fd, .mark_file = {.fd = -1}};
    signal(SIGPIPE, SIG_IGN);
    int r = prepare(&s, helper_fd);
    if (r == 0)
        r = event_base_dispatch(s.base) < 0 ? -EIO : 0;
    if (r == 0 && s.spool)
        xt_shipper_report(&s);
    finish(&s);
    return r < 0 || s.failed ? 1 : 0;
}
