/*
 * A note that waits is its parts as blocks in a list; entering takes the first, and gives it up only when it is durable.
 */
#include "server/note.h"

#include <errno.h>
#include <stdlib.h>

#include "server/app_parts.h"
#include "server/secret.h"
#include "wire/batch.h"

/* ----------------------------------------------------------------------------------------------- at once */

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t settled;
    bool done;
    int outcome;
} waiter;

static void on_done(void *context, int outcome, uint64_t number)
{
    waiter *w = context;
    (void)number;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    w->outcome = outcome;
    pthread_cond_signal(&w->settled);
    pthread_mutex_unlock(&w->lock);
}

static int put_and_wait(xt_app *app, xt_slice payload)
{
    waiter w = {.lock = PTHREAD_MUTEX_INITIALIZER, .settled = PTHREAD_COND_INITIALIZER};
    xt_writer_put_args args = {.payload = payload, .done = on_done, .context = &w, .wait = true};
    int r = xt_writer_put(app->writer, &args);
    pthread_mutex_lock(&w.lock);
    while (r == 0 && !w.done)
        pthread_cond_wait(&w.settled, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_cond_destroy(&w.settled);
    pthread_mutex_destroy(&w.lock);
    return r == 0 ? w.outcome : r;
}

static void set_if(xt_event *event, xt_field field, xt_slice value)
{
    if (value.n)
        xt_event_set_bytes(event, field, value);
}

static void fill(xt_event *ret, const xt_note *note, xt_slice host_id, xt_slice own_id, int64_t now_ms)
{
    xt_event_reset(ret);
    xt_event_set_num(ret, XT_F_TIME, (uint64_t)now_ms);
    xt_event_set_bytes(ret, XT_F_EVENT_ID, own_id);
    xt_event_set_bytes(ret, XT_F_ACTION, note->action);
    /* lists of one: count, length, bytes */
    xt_event_set_bytes(ret, XT_F_CATEGORY, XT_S("\x01\x04host"));
    xt_event_set_bytes(ret, XT_F_EVENT_TYPE,
                       note->type.n ? note->type
                                    : XT_S("\x01\x06"
                                           "change"));
    xt_event_set_bytes(ret, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(ret, XT_F_HOST, note->host_name);
    xt_event_set_bytes(ret, XT_F_HOST_ID, host_id);
    set_if(ret, XT_F_USER, note->user);
    set_if(ret, XT_F_OF, note->of);
    xt_event_set_bytes(ret, XT_F_MESSAGE, note->message);
}

int xt_note_enter(xt_app *app, const xt_note *note)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;
    xt_hash128 stream, id, chain = {.b = {0}};
    xt_event event;
    char own_id[33], host_id[33];
    int r = xt_secret_random(stream.b, sizeof stream.b);
    if (r == 0)
        r = xt_secret_random(id.b, sizeof id.b);
    if (r < 0)
        return xt_error_trace(r);
    xt_hash128_format(id, own_id);
    if (!note->host_id.n && !xt_hosts_id_of(app->hosts, note->host_name, host_id))
        xt_hash128_format(xt_event_import_host_id(note->host_name), host_id);
    fill(&event, note, note->host_id.n ? note->host_id : xt_slice_of(host_id, 32), xt_slice_of(own_id, 32),
         xt_clock_wall_ms(app->clock));
    xt_event_batch_put(&events, &event);
    r = xt_buf_done(&events);
    if (r == 0)
        r = xt_batch_encode(stream, 1, 1, chain, xt_buf_slice(&events), &payload);
    if (r == 0)
        r = put_and_wait(app, xt_buf_slice(&payload));
    return r > 0 ? XT_NOTE_E_REFUSED : xt_error_trace(r);
}

/* ------------------------------------------------------------------------------------------------ later on */

typedef struct waiting {
    struct waiting *next;
    xt_buf parts;
} waiting;

struct xt_notes {
    pthread_mutex_t lock;
    waiting *first, **end;
    size_t n, n_left_out;
};

int xt_notes_new(xt_notes **ret)
{
    xt_notes *notes = calloc(1, sizeof *notes);

    if (!notes)
        return xt_error_origin(-ENOMEM);
    pthread_mutex_init(&notes->lock, NULL);
    notes->end = &notes->first;
    *ret = notes;
    return 0;
}

static void waiting_free(waiting *w)
{
    xt_buf_fini(&w->parts);
    free(w);
}

xt_notes *xt_notes_free(xt_notes *notes)
{
    if (!notes)
        return NULL;
    while (notes->first) {
        waiting *next = notes->first->next;
        waiting_free(notes->first);
        notes->first = next;
    }
    pthread_mutex_destroy(&notes->lock);
    free(notes);
    return NULL;
}

static waiting *waiting_new(const xt_note *note)
{
    const xt_slice parts[] = {note->host_name, note->host_id, note->type,   note->action,
                              note->user,      note->of,      note->message};
    waiting *w = calloc(1, sizeof *w);

    for (size_t i = 0; w && i < XT_COUNT_OF(parts); i++)
        xt_buf_put_block(&w->parts, parts[i]);
    if (w && xt_buf_done(&w->parts) == 0)
        return w;
    if (w)
        waiting_free(w);
    return NULL;
}

void xt_notes_add(xt_notes *notes, const xt_note *note)
{
    pthread_mutex_lock(&notes->lock);
    waiting *w = notes->n < XT_NOTES_MAX ? waiting_new(note) : NULL;
    if (w) {
        *notes->end = w;
        notes->end = &w->next;
        notes->n++;
    } else {
        notes->n_left_out++;
    }
    pthread_mutex_unlock(&notes->lock);
}

static int enter_one(xt_app *app, const waiting *w, size_t n_left_out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf message = XT_BUF_INIT;
    xt_reader reader = xt_reader_of(xt_buf_slice(&w->parts));
    xt_note note;

    note.host_name = xt_reader_block(&reader);
    note.host_id = xt_reader_block(&reader);
    note.type = xt_reader_block(&reader);
    note.action = xt_reader_block(&reader);
    note.user = xt_reader_block(&reader);
    note.of = xt_reader_block(&reader);
    xt_buf_put(&message, xt_reader_block(&reader));
    if (n_left_out)
        xt_buf_printf(&message, " (and %zu such things that there was no room to note)", n_left_out);
    note.message = xt_buf_slice(&message);
    return xt_buf_done(&message) ? -ENOMEM : xt_note_enter(app, &note);
}

int xt_notes_enter(xt_notes *notes, xt_app *app)
{
    for (;;) {
        pthread_mutex_lock(&notes->lock);
        waiting *w = notes->first; /* only this function takes from the list, on one thread */
        size_t n_left_out = notes->n_left_out;
        pthread_mutex_unlock(&notes->lock);
        if (!w)
            return 0;
        int r = enter_one(app, w, n_left_out);
        if (r < 0)
            return xt_error_trace(r);
        pthread_mutex_lock(&notes->lock);
        notes->first = w->next;
        if (!notes->first)
            notes->end = &notes->first;
        notes->n--;
        notes->n_left_out -= n_left_out;
        pthread_mutex_unlock(&notes->lock);
        waiting_free(w);
    }
}
