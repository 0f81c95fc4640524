#include "server/coverage.h"

#define CANARY_MOST_MS INT64_C(86400000) /* agent_settings.c: canaries come at least once a day, or not at all */
#define OLD_AGENT_MS   15000 /* between two heartbeats of an agent that says nothing of its runs: three of its periods */

static const struct {
    const char *name, *words;
    bool counts;
} kinds[XT_GAP_KINDS] = {
    [0] = {"unknown", "something that this version does not know", false},
    [XT_GAP_SILENT] = {"silent", "no heartbeat", false},
    [XT_GAP_OFF] = {"audit-off", "audit was switched off", false},
    [XT_GAP_TAKEN] = {"audit-taken", "the audit socket was another process's", false},
    [XT_GAP_PAUSED] = {"paused", "somebody paused the host: it recorded nothing", false},
    [XT_GAP_STOPPED] = {"stopped", "the agent was told to end", false},
    [XT_GAP_KERNEL] = {"kernel-lost", "records lost by the kernel", true},
    [XT_GAP_AGENT] = {"agent-lost", "records that the agent had no room for, or that were cut", true},
    [XT_GAP_SPOOL] = {"spool-dropped", "events dropped from the spool", true},
    [XT_GAP_STREAM] = {"new-stream", "a new stream began; batches known to wait in the old one", true},
    [XT_GAP_BLIND] = {"hidden", "rules of others hid commands", false},
    [XT_GAP_MODE] = {"unproven", "the agent did not own the audit socket: what is lost there nobody counts", false},
    [XT_GAP_UNAUDITED] = {"unaudited", "execs that audit has no event of, for no known reason", true},
    [XT_GAP_CANARY] = {"canary-lost", "known execs whose records did not come back", true},
    [XT_GAP_UNSEEN] = {"unseen", "audit events that were made, as their serials tell, and never seen", true},
};

static unsigned index_of(xt_gap_kind kind)
{
    return (unsigned)kind < XT_GAP_KINDS ? (unsigned)kind : 0;
}

const char *xt_gap_name(xt_gap_kind kind)
{
    return kinds[index_of(kind)].name;
}

const char *xt_gap_words(xt_gap_kind kind)
{
    return kinds[index_of(kind)].words;
}

bool xt_gap_counts(xt_gap_kind kind)
{
    return kinds[index_of(kind)].counts;
}

/* A counter that may have begun anew. */
static uint64_t more(uint64_t before, uint64_t now)
{
    return now >= before ? now - before : now;
}

static xt_gap_kind kind_of_state(uint64_t state)
{
    return state == XT_BEAT_OFF       ? XT_GAP_OFF
           : state == XT_BEAT_TAKEN   ? XT_GAP_TAKEN
           : state == XT_BEAT_PAUSED  ? XT_GAP_PAUSED
           : state == XT_BEAT_STOPPED ? XT_GAP_STOPPED
                                      : XT_GAP_SILENT;
}

static unsigned put(xt_gap *ret, unsigned n, xt_gap_kind kind, int64_t from_ms, int64_t to_ms, uint64_t count)
{
    ret[n] = (xt_gap){.kind = kind, .from_ms = from_ms < to_ms ? from_ms : to_ms, .to_ms = to_ms, .n = count};
    return n + 1;
}

/* The time since the last one was watched, or a gap is in it. */
static unsigned cover(xt_coverage *c, const xt_heartbeat *beat, int64_t at_ms, xt_gap *ret, unsigned n)
{
    int64_t from_ms = at_ms - (int64_t)beat->unbroken_ms;

    if (beat->state == XT_BEAT_OFF || beat->state == XT_BEAT_TAKEN || beat->state == XT_BEAT_PAUSED ||
        beat->state == XT_BEAT_STOPPED) {
        c->run = 0;
        return n;
    }
    if (beat->state == XT_BEAT_UNKNOWN && c->to_ms && at_ms - c->to_ms < OLD_AGENT_MS)
        from_ms = c->to_ms;
    bool same = beat->run && beat->run == c->run;
    if (c->to_ms && !same && from_ms > c->to_ms)
        n = put(ret, n, kind_of_state(c->state), c->to_ms, from_ms, 0);
    if (!c->first_ms)
        c->first_ms = from_ms;
    if (at_ms > c->to_ms)
        c->to_ms = at_ms;
    c->run = beat->run;
    return n;
}

/* They may have been made before the heartbeat before this one. */
static int64_t unseen_from_ms(const xt_heartbeat *beat, int64_t from_ms, int64_t at_ms)
{
    int64_t span_ms = beat->unseen_ms < INT64_MAX / 4 ? (int64_t)beat->unseen_ms : 0;
    return at_ms - span_ms < from_ms ? at_ms - span_ms : from_ms;
}

/* What the disk never had is counted anew by each process, the rest for as long as there is the spool. */
static uint64_t dropped_since(const xt_coverage *c, const xt_heartbeat *beat)
{
    uint64_t here = beat->n_unspooled < beat->spool_dropped_events ? beat->n_unspooled : beat->spool_dropped_events;
    return more(c->n_dropped - c->n_unspooled, beat->spool_dropped_events - here) +
           more(beat->process == c->process ? c->n_unspooled : 0, here);
}

/*
 * From the last known exec that came back to the next one: what was executed in between may be missing too. When that was
 * is told by the host's clock, as the heartbeat's own time: the difference counts.
 */
static unsigned count_canaries(const xt_coverage *c, const xt_heartbeat *beat, int64_t from_ms, int64_t at_ms,
                               xt_gap *ret, unsigned n)
{
    bool same = beat->process == c->process;
    uint64_t before = same ? c->n_canary_lost : 0;
    uint64_t lost = beat->n_canary_lost > before ? beat->n_canary_lost - before : 0;
    int64_t since_ms = same && c->canary_ms ? (int64_t)(beat->time_ms - c->canary_ms) : 0;

    if (!lost && !(same && c->is_canary_lost))
        return n;
    if (lost && since_ms > 0 && since_ms < CANARY_MOST_MS && at_ms - since_ms < from_ms)
        from_ms = at_ms - since_ms;
    return put(ret, n, XT_GAP_CANARY, from_ms, at_ms, lost);
}

static unsigned count(const xt_coverage *c, const xt_heartbeat *beat, int64_t from_ms, int64_t at_ms, xt_gap *ret,
                      unsigned n)
{
    uint64_t lost = c->beat_ms ? more(c->lost, beat->lost) : beat->lost_since_start;
    uint64_t unread = more(c->n_unread, beat->n_unread + beat->n_truncated);
    uint64_t dropped = dropped_since(c, beat);

    if (lost)
        n = put(ret, n, XT_GAP_KERNEL, from_ms, at_ms, lost);
    if (unread)
        n = put(ret, n, XT_GAP_AGENT, from_ms, at_ms, unread);
    if (dropped)
        n = put(ret, n, XT_GAP_SPOOL, from_ms, at_ms, dropped);
    if (beat->n_exec_unexplained > c->n_unaudited) /* it goes back when audit's event comes late */
        n = put(ret, n, XT_GAP_UNAUDITED, from_ms, at_ms, beat->n_exec_unexplained - c->n_unaudited);
    if (beat->n_unseen > c->n_unseen) /* that goes back too */
        n = put(ret, n, XT_GAP_UNSEEN, unseen_from_ms(beat, from_ms, at_ms), at_ms, beat->n_unseen - c->n_unseen);
    n = count_canaries(c, beat, from_ms, at_ms, ret, n);
    if (beat->blind.n)
        n = put(ret, n, XT_GAP_BLIND, from_ms, at_ms, 0);
    if (!xt_slice_eq(beat->audit_mode, XT_S("owner")))
        n = put(ret, n, XT_GAP_MODE, from_ms, at_ms, 0);
    return n;
}

unsigned xt_coverage_beat(xt_coverage *c, const xt_heartbeat *beat, int64_t now_ms, xt_gap ret[static XT_GAPS_AT_ONCE])
{
    int64_t age_ms = beat->age_ms < INT64_MAX / 4 ? (int64_t)beat->age_ms : 0, at_ms = now_ms - age_ms;
    int64_t from_ms = c->beat_ms ? c->beat_ms : at_ms;
    unsigned n;

    if (beat->process != c->process)
        c->n_unread = c->n_unaudited = 0; /* they count from its start */
    n = count(c, beat, from_ms, at_ms, ret, 0);
    n = cover(c, beat, at_ms, ret, n);
    if (beat->settled_ms && now_ms - (int64_t)beat->settled_ms > c->settled_ms)
        c->settled_ms = now_ms - (int64_t)beat->settled_ms;
    c->beat_ms = at_ms > c->beat_ms ? at_ms : c->beat_ms;
    c->n_canary_lost = beat->n_canary_lost;
    c->canary_ms = beat->canary_ms;
    c->is_canary_lost = beat->canary_is_lost;
    c->state = beat->state;
    c->process = beat->process;
    c->lost = beat->lost;
    c->n_unread = beat->n_unread + beat->n_truncated;
    c->n_dropped = beat->spool_dropped_events;
    c->n_unspooled = beat->n_unspooled < c->n_dropped ? beat->n_unspooled : c->n_dropped;
    c->n_waiting = beat->spool_batches;
    c->n_unaudited = beat->n_exec_unexplained;
    c->n_unseen = beat->n_unseen;
    return n;
}

unsigned xt_coverage_hello(xt_coverage *c, bool is_new_boot, xt_hash128 stream, int64_t now_ms,
                           xt_gap ret[static XT_GAPS_AT_ONCE])
{
    static const xt_hash128 none;
    bool other = !xt_hash128_eq(c->stream, none) && !xt_hash128_eq(c->stream, stream);
    unsigned n = 0;

    if (is_new_boot)
        c->lost = c->n_unseen = 0; /* the kernel counts from its start */
    if (other) {
        n = put(ret, 0, XT_GAP_STREAM, c->beat_ms ? c->beat_ms : now_ms, now_ms, c->n_waiting);
        c->n_dropped = c->n_unspooled = c->n_waiting = 0;
    }
    c->stream = stream;
    return n;
}

unsigned xt_coverage_ends(const xt_coverage *c, int64_t from_ms, int64_t to_ms, int64_t now_ms,
                          xt_gap ret[static XT_GAPS_AT_ONCE])
{
    int64_t end_ms = to_ms < now_ms ? to_ms : now_ms, first_ms = c->first_ms ? c->first_ms : end_ms;
    unsigned n = 0;

    if (from_ms < first_ms)
        n = put(ret, n, XT_GAP_SILENT, from_ms, first_ms < end_ms ? first_ms : end_ms, 0);
    bool is_over = c->first_ms && end_ms > c->to_ms && now_ms - c->to_ms > XT_COVERAGE_TAIL_MS;
    if (is_over || (c->first_ms && end_ms > c->to_ms && c->state != XT_BEAT_WATCHING && c->state != XT_BEAT_UNKNOWN))
        n = put(ret, n, kind_of_state(c->state), c->to_ms > from_ms ? c->to_ms : from_ms, end_ms, 0);
    return n;
}

void xt_coverage_put(const xt_coverage *c, xt_buf *out)
{
    const uint64_t numbers[] = {(uint64_t)c->first_ms,
                                (uint64_t)c->to_ms,
                                (uint64_t)c->beat_ms,
                                (uint64_t)c->settled_ms,
                                c->run,
                                c->process,
                                c->state,
                                c->lost,
                                c->n_unread,
                                c->n_dropped,
                                c->n_waiting,
                                c->n_unaudited,
                                c->n_unseen,
                                c->n_unspooled,
                                c->n_canary_lost,
                                c->canary_ms,
                                c->is_canary_lost};

    xt_buf_put(out, xt_slice_of(c->stream.b, sizeof c->stream.b));
    for (size_t i = 0; i < XT_COUNT_OF(numbers); i++)
        xt_buf_put_varint(out, numbers[i]);
}

void xt_coverage_get(xt_slice bytes, xt_coverage *ret)
{
    xt_reader reader = xt_reader_of(bytes);
    xt_slice stream = xt_reader_bytes(&reader, sizeof ret->stream.b);
    xt_coverage c = {.first_ms = 0};

    c.first_ms = (int64_t)xt_reader_varint(&reader);
    c.to_ms = (int64_t)xt_reader_varint(&reader);
    c.beat_ms = (int64_t)xt_reader_varint(&reader);
    c.settled_ms = (int64_t)xt_reader_varint(&reader);
    c.run = xt_reader_varint(&reader);
    c.process = xt_reader_varint(&reader);
    c.state = xt_reader_varint(&reader);
    c.lost = xt_reader_varint(&reader);
    c.n_unread = xt_reader_varint(&reader);
    c.n_dropped = xt_reader_varint(&reader);
    c.n_waiting = xt_reader_varint(&reader);
    if (xt_reader_left(&reader) > 0)
        c.n_unaudited = xt_reader_varint(&reader);
    if (xt_reader_left(&reader) > 0)
        c.n_unseen = xt_reader_varint(&reader);
    uint64_t *const later[] = {&c.n_unspooled, &c.n_canary_lost, &c.canary_ms, &c.is_canary_lost};
    for (size_t i = 0; i < XT_COUNT_OF(later) && xt_reader_left(&reader) > 0; i++)
        *later[i] = xt_reader_varint(&reader);
    if (!reader.failed)
        memcpy(c.stream.b, stream.p, sizeof c.stream.b);
    *ret = reader.failed ? (xt_coverage){.first_ms = 0} : c;
}
