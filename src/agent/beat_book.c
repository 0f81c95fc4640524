#include "agent/beat_book.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

int64_t xt_beat_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Never 0. */
static uint64_t random_id(void)
{
    uint64_t id = 0;

    if (getrandom(&id, sizeof id, 0) != sizeof id)
        id = (uint64_t)xt_beat_now_ms();
    return id ? id : 1;
}

/* What does not come from the kernel's own records is not judged by the kernel's switch. */
static xt_beat_state state_of(const xt_heartbeat *beat, uint64_t owner_pid)
{
    bool owner = xt_slice_eq(beat->audit_mode, XT_S("owner"));

    if (beat->state == XT_BEAT_PAUSED || beat->state == XT_BEAT_STOPPED) /* the collector says so itself */
        return (xt_beat_state)beat->state;
    if (beat->enabled == 0 && (owner || xt_slice_eq(beat->audit_mode, XT_S("multicast"))))
        return XT_BEAT_OFF;
    return owner && beat->audit_pid != owner_pid ? XT_BEAT_TAKEN : XT_BEAT_WATCHING;
}

static void thin(xt_beat_book *book)
{
    unsigned n = 0;

    for (unsigned i = 0; i < book->n_kept; i++)
        if (i % 2 == 0)
            book->kept[n++] = book->kept[i];
        else
            xt_buf_fini(&book->kept[i].payload);
    book->n_kept = n;
}

/* The last one is the end of something: it is kept, and the next takes its place. */
static void keep_last(xt_beat_book *book)
{
    if (book->n_kept == XT_BEATS_KEPT)
        thin(book);
    book->kept[book->n_kept++] = book->last;
    book->last = (xt_kept_beat){.payload = XT_BUF_INIT};
}

int xt_beat_book_take(xt_beat_book *book, const xt_heartbeat *beat, uint64_t owner_pid, bool connected, int64_t now_ms)
{
    xt_buf payload = XT_BUF_INIT;
    xt_heartbeat whole = *beat;
    xt_beat_state state = state_of(beat, owner_pid);
    bool goes_on = book->run && state == XT_BEAT_WATCHING && now_ms - book->last.at_ms <= XT_BEAT_BREAK_MS;
    uint64_t run = goes_on ? book->run : state == XT_BEAT_WATCHING ? random_id() : 0;
    bool changed = run != book->run || state != book->state || beat->lost != book->lost ||
                   beat->n_unread != book->n_unread || beat->spool_dropped_events != book->n_dropped;

    if (!book->process)
        book->process = random_id();
    whole.state = state;
    whole.process = book->process;
    whole.run = run;
    whole.unbroken_ms = goes_on ? (uint64_t)(now_ms - book->run_from_ms) : 0;
    xt_heartbeat_put(&payload, &whole);
    if (xt_buf_done(&payload) < 0) {
        xt_buf_fini(&payload);
        return xt_error_origin(-ENOMEM);
    }
    if (changed && book->last.payload.n && !book->last_sent)
        keep_last(book);
    xt_buf_fini(&book->last.payload);
    book->last = (xt_kept_beat){.payload = payload, .at_ms = now_ms};
    book->last_sent = connected;
    if (!goes_on)
        book->run_from_ms = now_ms;
    book->run = run;
    book->state = state;
    book->lost = beat->lost;
    book->n_unread = beat->n_unread;
    book->n_dropped = beat->spool_dropped_events;
    return 0;
}

void xt_beat_book_resume(xt_beat_book *book, uint64_t run, int64_t from_ms, int64_t at_ms)
{
    book->run = run;
    book->run_from_ms = from_ms;
    book->last.at_ms = at_ms;
    book->last_sent = true;
    book->state = XT_BEAT_WATCHING;
}

static void send_one(const xt_kept_beat *kept, int64_t now_ms, void (*send)(void *context, xt_heartbeat *beat),
                     void *context)
{
    xt_heartbeat beat;

    if (!kept->payload.n || xt_heartbeat_decode(xt_buf_slice(&kept->payload), &beat, NULL) != 0)
        return;
    beat.age_ms = (uint64_t)(now_ms - kept->at_ms);
    send(context, &beat);
}

void xt_beat_book_send(xt_beat_book *book, int64_t now_ms, void (*send)(void *context, xt_heartbeat *beat),
                       void *context)
{
    for (unsigned i = 0; i < book->n_kept; i++) {
        send_one(&book->kept[i], now_ms, send, context);
        xt_buf_fini(&book->kept[i].payload);
    }
    book->n_kept = 0;
    send_one(&book->last, now_ms, send, context);
    book->last_sent = true;
}

void xt_beat_book_fini(xt_beat_book *book)
{
    for (unsigned i = 0; i < book->n_kept; i++)
        xt_buf_fini(&book->kept[i].payload);
    xt_buf_fini(&book->last.payload);
    book->n_kept = 0;
}
