/*
 * How it works: every two seconds it is looked at what nobody tells: whether the collector was stopped, the spool's
 * folder is still there, the server answers; a connection on which nothing is answered for too long is made anew.
 * What the disk did not take is tried again then. A report goes to the collector, which writes what
 * agent/shipper_words knows into STATE/status; one that has no room in the channel is left out.
 */
#include <signal.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/proc_read.h"
#include "agent/shipper_private.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "io/tls_trust.h"

#define UNANSWERED_MS 60000

/* When the certificate ends, wall time in ms; 0: there is none. */
static int64_t certificate_end(const xt_shipper *s)
{
    int64_t from_ms, to_ms = 0;
    if (s->identity.cert.n > 0 && xt_tls_cert_span(xt_buf_slice(&s->identity.cert), &from_ms, &to_ms) < 0)
        return 0;
    return to_ms;
}

/* How the spool is, in words. */
static void put_spool_state(const xt_shipper *s, const xt_spool_stats *stats, xt_buf *out)
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

void xt_shipper_report(xt_shipper *s)
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

/* A collector that somebody stopped says nothing; where a service manager watches over it, it is sent on at once. */
static void look_at_collector(xt_shipper *s)
{
    pid_t pid = getppid();
    bool was_stopped = s->is_collector_stopped;
    s->is_collector_stopped = pid > 1 && !s->ending && xt_proc_state((uint32_t)pid) == 'T';
    if (!s->is_collector_stopped || was_stopped)
        return;
    s->n_collector_stopped++;
    bool goes_on = s->settings->supervised && kill(pid, SIGCONT) == 0;
    xt_shipper_say(s, "agent-process-stopped", "the collector process %d of the agent was stopped by a signal%s", pid,
                   goes_on ? "; it was sent on" : "");
}

void xt_shipper_look(xt_shipper *s)
{
    look_at_collector(s);
    xt_shipper_spool_look(s);
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    bool is_through = s->sent == xt_spool_stats_get(s->spool).acked_number && xt_link_queued(s->link) == 0;
    if (!xt_link_is_up(s->link) || is_through)
        s->progress_ms = now_ms;
    else if (now_ms - s->progress_ms > UNANSWERED_MS)
        xt_link_restart(s->link);
    if (s->says_hello_again && xt_link_is_up(s->link))
        xt_link_restart(s->link);
    s->says_hello_again = false;
    xt_shipper_spool_sync(s);
    xt_shipper_flood_put(s, !xt_shipper_is_over_half(s));
    xt_shipper_pack_flush(s);
    xt_shipper_pump(s);
    xt_shipper_report(s);
}
