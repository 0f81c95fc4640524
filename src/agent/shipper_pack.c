/*
 * How it works: events are packed as they come, and what is packed becomes a batch in the spool when it is large
 * enough, or when the loop says so. Only what the spool has is accounted for: the mark of a followed file and the
 * serials are written down then. What the disk does not take waits in memory, up to a bound; beyond it the least
 * important events go, and are counted. When the spool is over half, storms of one command are counted instead of
 * packed.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "agent/own_event.h"
#include "agent/shipper_private.h"
#include "agent/thin.h"
#include "base/clock.h"
#include "base/log.h"

#define PACK_BYTES  196608
#define PACK_EVENTS 1500
#define HELD_BYTES  ((size_t)2 << 20) /* that wait in memory when the disk does not take them */
#define SPOOL       "spool"

static uint64_t spool_room(void *context)
{
    xt_shipper *s = context;
    return xt_disk_room_soon(&s->room, ".", s->settings->spool_free_bytes, xt_clock_mono_ms(&xt_clock_system));
}

void xt_shipper_disk_note(xt_shipper *s, const xt_problem *problem)
{
    if (problem && !s->disk_refuses)
        xt_log_problem(XT_LOG_ERROR, problem);
    else if (!problem && s->disk_refuses)
        xt_log(XT_LOG_INFO, "the spool can be written again");
    s->disk_refuses = problem != NULL;
}

static void put_dropped(void *context, const xt_spool_loss *loss, xt_buf *out)
{
    const xt_event_origin origin = xt_shipper_origin(context);
    xt_own_event_put_dropped(out, &origin, xt_clock_wall_ms(&xt_clock_system), loss);
}

int xt_shipper_spool_open(xt_shipper *s, xt_spool **ret, xt_problem *reterr_problem)
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
static void mark_write(xt_shipper *s)
{
    int r = s->mark.n > 0 && s->mark_file.fd < 0 ? xt_mark_file_open(&s->mark_file, AT_FDCWD, "mark") : 0;
    if (r == 0 && s->mark.n > 0)
        r = xt_mark_file_write(&s->mark_file, xt_buf_slice(&s->mark));
    if (r < 0)
        xt_log(XT_LOG_WARN, "how far the file was read cannot be written down: %s", strerror(-r));
    xt_buf_reset(&s->mark);
}

void xt_shipper_on_mark(xt_shipper *s, xt_slice payload)
{
    xt_buf_reset(&s->next_mark);
    xt_buf_put(&s->next_mark, payload);
}

/* The events that it belongs to are packed. */
static void mark_take(xt_shipper *s)
{
    if (s->next_mark.n == 0)
        return;
    xt_buf_reset(&s->mark);
    xt_buf_put(&s->mark, xt_buf_slice(&s->next_mark));
    xt_buf_reset(&s->next_mark);
}

/* What was packed is on disk, or said to be dropped: it is accounted for. */
static void serials_put(xt_shipper *s)
{
    if (s->serials && s->told.max)
        xt_serial_file_put(s->serials, &s->told);
    s->told.max = 0;
}

void xt_shipper_on_serials(xt_shipper *s, xt_slice payload)
{
    if (payload.n == sizeof s->told)
        memcpy(&s->told, payload.p, sizeof s->told);
    if (s->n_packed == 0)
        serials_put(s);
}

/* The disk does not take it: it waits here, and when that is too much the least of it goes. */
static void pack_hold(xt_shipper *s, const xt_problem *problem)
{
    xt_shipper_disk_note(s, problem);
    for (unsigned rank = 0; rank < XT_N_RANKS && (s->pack.n > HELD_BYTES || s->pack.failed); rank++) {
        uint64_t n_left = xt_thin_events(&s->pack, s->n_packed, rank, &s->unspooled);
        s->n_unspooled += s->n_packed - n_left;
        s->n_packed = n_left;
    }
}

void xt_shipper_pack_flush(xt_shipper *s)
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
    xt_shipper_disk_note(s, NULL);
    s->unspooled = none;
    s->n_batches++;
    s->n_put++;
    mark_write(s);
    xt_buf_reset(&s->pack);
    s->n_packed = 0;
    serials_put(s);
    xt_shipper_pump(s);
}

void xt_shipper_say(xt_shipper *s, const char *action, const char *format, ...)
{
    char text[160];
    xt_buf message = XT_BUF_ON(text);
    const xt_event_origin origin = xt_shipper_origin(s);
    va_list args;
    va_start(args, format);
    xt_buf_vprintf(&message, format, args);
    va_end(args);
    xt_log(XT_LOG_WARN, "%.*s", XT_S_ARGS(xt_buf_slice(&message)));
    xt_own_event_put(&s->pack, &origin, xt_clock_wall_ms(&xt_clock_system), action, xt_buf_slice(&message));
    s->n_packed++;
    xt_shipper_pack_flush(s);
}

/* Over half of what it may be, what is the same again and again is counted. */
bool xt_shipper_is_over_half(const xt_shipper *s)
{
    xt_spool_stats stats = xt_spool_stats_get(s->spool);
    return s->disk_refuses || stats.n_bytes > stats.max_bytes / 2;
}

void xt_shipper_flood_put(xt_shipper *s, bool all)
{
    if (s->is_flooding)
        s->n_packed += xt_flood_put(s->flood, xt_clock_mono_ms(&xt_clock_system), all, &s->pack);
    s->is_flooding &= !all;
}

static uint64_t pack_sifted(xt_shipper *s, xt_slice events)
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
    xt_shipper_flood_put(s, false);
    return n;
}

void xt_shipper_on_events(xt_shipper *s, xt_slice payload)
{
    xt_reader reader = xt_reader_of(payload);
    uint64_t n = xt_reader_varint(&reader);
    xt_slice events = xt_reader_bytes(&reader, xt_reader_left(&reader));
    if (xt_shipper_is_over_half(s)) {
        n = pack_sifted(s, events);
    } else {
        xt_shipper_flood_put(s, true);
        xt_buf_put(&s->pack, events);
    }
    s->n_packed += n;
    mark_take(s);
    if (s->pack.n >= PACK_BYTES || s->n_packed >= PACK_EVENTS)
        xt_shipper_pack_flush(s);
}

/* What waits longer than a moment is to survive a power failure. */
void xt_shipper_spool_sync(xt_shipper *s)
{
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t n = xt_spool_stats_get(s->spool).n_batches;
    if (n > 0 && s->n_last_waiting > 0 && xt_spool_sync(s->spool, &problem) < 0)
        xt_shipper_disk_note(s, &problem);
    s->n_last_waiting = n;
}

/* Somebody took its folder away: what waited there is gone, and a new stream begins with what comes. */
void xt_shipper_spool_look(xt_shipper *s)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_spool_stats stats = xt_spool_stats_get(s->spool);
    struct stat st;
    xt_spool *fresh;
    if (stat(SPOOL, &st) == 0 && st.st_ino == s->spool_inode)
        return;
    if (xt_shipper_spool_open(s, &fresh, &problem) < 0) {
        xt_shipper_disk_note(s, &problem);
        return;
    }
    xt_spool_close(s->spool);
    s->spool = fresh;
    s->unspooled.n_batches += stats.n_batches;
    s->unspooled.n_unknown += stats.n_events;
    s->unspooled.n_damaged += stats.n_events;
    s->n_unspooled += stats.n_events;
    s->sent = 0;
    xt_shipper_say(s, "agent-files-changed", "the spool was removed: %llu events that waited in it are lost",
                   (unsigned long long)stats.n_events);
    xt_link_restart(s->link);
}
