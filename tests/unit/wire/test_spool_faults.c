/*
 * A spool on a disk that fails and a machine that goes down, against a receiver that is strict: it takes the next batch of a
 * stream with the right chain, or one that it has. Whatever happens, no event is there twice, what was put and not received is
 * counted by a tombstone, and what a power failure takes was not synced.
 *
 * XT_TORTURE=N: every call, with N seeds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "../dice.h"
#include "../folder.h"
#include "wire/spool.h"

#define folder_remove remove_folder

static uint64_t dice_below(dice *d, uint64_t n)
{
    return dice_next(d) % n;
}

#include "../fault_disk.h"

#define MAX_EVENTS  4000
#define MAX_STREAMS 64
#define MAX_BYTES   ((uint64_t)256 << 10)

static char root[64], dir[80];

/* What the receiver has of a stream. */
typedef struct known_stream {
    xt_hash128 stream, hash;
    uint64_t number;
} known_stream;

static struct {
    dice d;
    xt_spool *spool;
    /* the sender's knowledge */
    bool put[MAX_EVENTS];
    uint8_t rank[MAX_EVENTS];
    unsigned n_events, n_unsynced; /* n_unsynced: events put since the last sync that was good */
    uint64_t sent;
    bool says_hello;
    uint64_t room; /* what the disk has left */
    /* the receiver's */
    unsigned seen[MAX_EVENTS];
    known_stream streams[MAX_STREAMS];
    unsigned n_streams;
    uint64_t n_told;
    uint64_t unacked; /* a number that is durable there and was not acknowledged; 0: none */
} t;

static void put_event(xt_buf *out, unsigned id)
{
    static char noise[700];
    static const char *const actions[] = {"exited", "executed", "logged-in"};
    xt_event event;
    xt_event_reset(&event);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)dice_next(&t.d);
    xt_event_set_num(&event, XT_F_TIME, 1700000000000 + id);
    xt_event_set_bytes(&event, XT_F_ACTION, xt_slice_str(actions[t.rank[id]]));
    xt_event_set_num(&event, XT_F_PID, id + 1);
    xt_event_set_bytes(&event, XT_F_MESSAGE, xt_slice_of(noise, 200 + dice_below(&t.d, 500)));
    xt_event_batch_put(out, &event);
}

static void tombstone(void *context, const xt_spool_loss *loss, xt_buf *out)
{
    xt_event event;
    xt_event_reset(&event);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("dropped"));
    xt_event_set_num(&event, XT_F_SERIAL, loss->n_events[0] + loss->n_events[1] + loss->n_events[2] + loss->n_unknown);
    xt_event_batch_put(out, &event);
}

static uint64_t room(void *context)
{
    return t.room;
}

static void open_spool(void)
{
    const xt_spool_settings settings = {
        .vfs = &fault_vfs, .dir = dir, .max_bytes = MAX_BYTES, .room = room, .tombstone = tombstone};
    t.spool = NULL;
    if (xt_spool_open(&settings, &t.spool, NULL) < 0)
        assert_true(failed_ever());
    else
        xt_spool_set_codec(t.spool, dice_next(&t.d) % 2 ? xt_codec_newest() : XT_CODEC_ZSTD);
    t.says_hello = true;
}

static void put_some(void)
{
    xt_buf events = XT_BUF_INIT;
    unsigned n = 1 + (unsigned)dice_below(&t.d, 12), first = t.n_events;
    if (first + n > MAX_EVENTS)
        return;
    for (unsigned i = 0; i < n; i++) {
        t.rank[first + i] = (uint8_t)dice_below(&t.d, 3);
        put_event(&events, first + i);
    }
    t.n_events += n;
    int r = xt_spool_put(t.spool, xt_buf_slice(&events), n, NULL);
    assert_true(r <= 0);
    assert_true(r == 0 || failed_ever() || t.room < 100000);
    for (unsigned i = 0; r == 0 && i < n; i++)
        t.put[first + i] = true;
    t.n_unsynced += r == 0 ? n : 0;
    xt_buf_fini(&events);
}

static known_stream *stream_of(xt_hash128 id)
{
    for (unsigned i = 0; i < t.n_streams; i++)
        if (xt_hash128_eq(t.streams[i].stream, id))
            return &t.streams[i];
    assert_true(t.n_streams < MAX_STREAMS);
    t.streams[t.n_streams] = (known_stream){.stream = id};
    return &t.streams[t.n_streams++];
}

static void receive_events(const xt_batch *batch)
{
    xt_buf events = XT_BUF_INIT;
    xt_slice rest, bytes;
    xt_event event;
    assert_int_equal(xt_batch_events(batch, &events, NULL), 0);
    for (rest = xt_buf_slice(&events); xt_event_batch_next(&rest, &bytes);) {
        assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
        uint64_t pid = xt_event_num(&event, XT_F_PID, 0);
        if (pid == 0) {
            t.n_told += xt_event_num(&event, XT_F_SERIAL, 0);
            continue;
        }
        assert_true(pid <= t.n_events);
        assert_true(t.put[pid - 1]);
        assert_int_equal(t.seen[pid - 1]++, 0);
    }
    xt_buf_fini(&events);
}

static void receive(xt_slice payload)
{
    xt_batch batch;
    assert_int_equal(xt_batch_decode(payload, &batch, NULL), 0);
    known_stream *s = stream_of(batch.stream);
    if (batch.number <= s->number)
        return;
    assert_int_equal(batch.number, s->number + 1);
    assert_true(xt_hash128_eq(batch.chain, s->hash));
    receive_events(&batch);
    s->number = batch.number;
    s->hash = xt_batch_hash(payload);
}

/* As a connection begins; what went before is not heard any more. */
static bool hello(void)
{
    known_stream *s = stream_of(xt_spool_stream(t.spool));
    int r = xt_spool_welcome(t.spool, s->number, s->hash, NULL);
    assert_true(r == 0 || r == XT_SPOOL_E_RENEWED || failed_ever());
    t.says_hello = r != 0;
    t.sent = s->number;
    t.unacked = 0;
    return r == 0;
}

/* One batch goes over, or there is none (false). */
static bool send_one(void)
{
    xt_buf payload = XT_BUF_INIT;
    uint64_t number = 0;
    int r = xt_spool_next(t.spool, t.sent, &number, &payload, NULL);
    assert_true(r == 0 || r == XT_SPOOL_E_RENEWED || failed_ever());
    t.says_hello |= r == XT_SPOOL_E_RENEWED;
    if (r == 0 && number) {
        receive(xt_buf_slice(&payload));
        t.sent = t.unacked = number;
    }
    xt_buf_fini(&payload);
    return r == 0 && number;
}

static void ack(void)
{
    int r = t.unacked ? xt_spool_ack(t.spool, t.unacked, NULL) : 0;
    assert_true(r == 0 || r == XT_SPOOL_E_RENEWED || failed_ever());
    t.says_hello |= r == XT_SPOOL_E_RENEWED;
    t.unacked = 0;
}

static void step(void)
{
    unsigned what = (unsigned)dice_below(&t.d, 20);
    if (!t.spool) {
        open_spool();
    } else if (what < 12) {
        put_some();
    } else if (what == 12) {
        t.spool = xt_spool_close(t.spool);
    } else if (what == 13) {
        if (xt_spool_sync(t.spool, NULL) == 0)
            t.n_unsynced = 0;
    } else if (what == 14) {
        t.room = dice_next(&t.d) % 2 ? UINT64_MAX : dice_below(&t.d, 40000);
    } else if (t.says_hello) {
        hello();
    } else {
        for (unsigned i = (unsigned)dice_below(&t.d, 5); i > 0 && !t.says_hello && send_one(); i--)
            ;
        if (!t.says_hello && dice_below(&t.d, 3) > 0)
            ack();
    }
}

static void begin(uint64_t seed)
{
    memset(&t, 0, sizeof t);
    t.d.state = seed;
    t.room = UINT64_MAX;
    snprintf(root, sizeof root, "%s/xt-spool-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(root));
    snprintf(dir, sizeof dir, "%s/spool", root);
    faults_begin(0, 0, 0);
    disk_begin(root, seed);
}

/* The disk is good again: all that is there goes over, and nothing is unaccounted for but what was not synced. */
static void end(bool went_down)
{
    uint64_t n_put = 0, n_seen = 0;
    faults_begin(0, 0, 0);
    t.spool = xt_spool_close(t.spool);
    if (went_down)
        disk_crash();
    t.room = UINT64_MAX;
    open_spool();
    assert_non_null(t.spool);
    while (!hello())
        ;
    unsigned n_turns = 0;
    do {
        assert_true(n_turns++ < 100);
        while (send_one())
            ;
        ack();
        assert_true(!t.says_hello || hello() || hello());
    } while (xt_spool_stats_get(t.spool).n_batches > 0);
    for (unsigned i = 0; i < t.n_events; i++) {
        n_put += t.put[i];
        n_seen += t.seen[i];
    }
    if (n_put != n_seen + t.n_told) {
        assert_true(went_down);
        assert_in_range(n_seen + t.n_told, n_put - t.n_unsynced, n_put + t.n_unsynced);
    }
    assert_int_equal(xt_spool_stats_get(t.spool).n_events, 0);
    t.spool = xt_spool_close(t.spool);
    disk_free();
    remove_folder(root);
}

static unsigned run(uint64_t seed, unsigned fail_at, unsigned n_fails, int error, unsigned down_at)
{
    begin(seed);
    faults_begin(fail_at, n_fails, error);
    the_faults.down_at = down_at;
    for (unsigned i = 0; i < 220 && !(down_at && failed_ever()); i++)
        step();
    unsigned n_calls = the_faults.n_calls;
    end(down_at > 0);
    return n_calls;
}

static void test_no_faults(void **state)
{
    for (uint64_t seed = 1; seed <= 6; seed++)
        run(seed, 0, 0, 0, 0);
}

static void test_a_call_fails(void **state)
{
    static const unsigned lengths[] = {1, 2, 9, UINT32_MAX};
    unsigned n_seeds = torture() ? torture() : 1;
    for (uint64_t seed = 11; seed < 11 + n_seeds; seed++) {
        unsigned n_calls = run(seed, 0, 0, 0, 0), stride = torture() ? 1 : n_calls / 60 + 1;
        for (unsigned at = 1; at <= n_calls; at += stride)
            run(seed, at, lengths[at / stride % 4], at % 2 ? ENOSPC : EIO, 0);
    }
}

static void test_the_machine_goes_down(void **state)
{
    unsigned n_seeds = torture() ? torture() : 2;
    for (uint64_t seed = 21; seed < 21 + n_seeds; seed++) {
        unsigned n_calls = run(seed, 0, 0, 0, 0), stride = torture() ? 1 : n_calls / 60 + 1;
        for (unsigned at = 1 + seed % stride; at <= n_calls; at += stride)
            run(seed, 0, 0, 0, at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_faults),
        cmocka_unit_test(test_a_call_fails),
        cmocka_unit_test(test_the_machine_goes_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
