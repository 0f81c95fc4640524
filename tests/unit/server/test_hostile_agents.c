/*
 * A host that means harm, enrolled or not, beside one that does not: whatever it sends, memory stays bounded, the other goes on,
 * and the store holds what is true alone.
 */
#include "agents_fixture.h"

#include <zstd.h>

enum {
    MOST_GROWTH_MB = 300, /* of this process while claims of gigabytes are made; sanitizers take their share of it */
};

/* Two hosts on one door. */
typedef struct scene {
    fixture *f;
    door d;
    host good, bad;
    client other; /* the good one's connection */
    fixture_stream s;
    uint64_t seed;
} scene;

static void scene_open(scene *w, fixture *f)
{
    *w = (scene){.f = f, .s = {.stream = {{1}}}, .seed = 88172645463325252u};
    fixture_open(f);
    door_open(&w->d, f);
    enroll(&w->d, &w->good);
    enroll(&w->d, &w->bad);
    talk(&w->other, &w->d, &w->good, &w->s);
    welcome_of(&w->other);
}

/* The other one's batch is taken, on the connection that it has had all the time. */
static void others_go_on(scene *w)
{
    batch_send(&w->other, &w->good, &w->s);
    assert_int_equal(ack_of(&w->other), w->s.number);
}

/* n: of the bad host's own events that were rightly stored. */
static void scene_close(scene *w, uint64_t n)
{
    others_go_on(w);
    client_close(&w->other);
    door_close(&w->d);
    char query[80];
    snprintf(query, sizeof query, "host.id:%s", w->good.id);
    assert_int_equal(fixture_count(w->f, query), w->s.number);
    snprintf(query, sizeof query, "host.id:%s", w->bad.id);
    assert_int_equal(fixture_count(w->f, query), n);
    assert_int_equal(fixture_count(w->f, ""), w->s.number + n);
    host_fini(&w->good);
    host_fini(&w->bad);
}

static uint64_t chance(scene *w)
{
    w->seed ^= w->seed << 13, w->seed ^= w->seed >> 7, w->seed ^= w->seed << 17;
    return w->seed;
}

static void put_noise(scene *w, size_t n, xt_buf *out)
{
    for (size_t i = 0; i < n; i++)
        xt_buf_put_u8(out, (uint8_t)chance(w));
}

static long resident_mb(void)
{
    long pages = 0, n;
    FILE *f = fopen("/proc/self/statm", "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld %ld", &n, &pages), 2);
    assert_int_equal(fclose(f), 0);
    return pages * sysconf(_SC_PAGESIZE) >> 20;
}

/* As it stands, without a frame around it. The server may have closed already. */
static void raw_send(client *c, xt_slice bytes)
{
    for (size_t at = 0; at < bytes.n;) {
        int k = SSL_write(c->ssl, bytes.p + at, (int)(bytes.n - at));
        if (k <= 0)
            return;
        at += (size_t)k;
    }
}

/* Reads until the server has closed; a refusal on the way is none of a batch's acknowledgement. */
static void until_closed(client *c)
{
    xt_frame frame;
    while ((frame = client_next(c)).type != 0)
        assert_true(frame.type == XT_FRAME_REFUSED || frame.type == XT_FRAME_ACK || frame.type == XT_FRAME_TRUST);
}

/* ------------------------------------------------------------------------------------------------ bytes */

static void noise_before_tls(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf noise = XT_BUF_INIT;
    char byte;
    scene w;

    scene_open(&w, *state);
    for (unsigned i = 0; i < 40; i++) {
        int fd = connect_raw(w.d.port);
        xt_buf_reset(&noise);
        if (i % 2) /* a record of TLS that holds nonsense */
            xt_buf_put(&noise, xt_slice_of("\x16\x03\x01\x40\x00", 5));
        put_noise(&w, 1 + chance(&w) % 30000, &noise);
        (void)!send(fd, noise.p, noise.n, MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        while (recv(fd, &byte, 1, 0) > 0)
            ;
        close(fd);
    }
    scene_close(&w, 0);
}

/* Noise, frames with a good checksum that hold noise, and frames that are cut off or changed. */
static void noise_in_frames(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT, noise = XT_BUF_INIT;
    fixture_stream own = {.stream = {{2}}};
    client c;
    scene w;

    scene_open(&w, *state);
    for (unsigned i = 0; i < 60; i++) {
        bool has_said_hello = i % 3 != 0;
        mutual_open(&c, &w.d, &w.bad);
        if (has_said_hello) {
            hello_send(&c, w.bad.id, own.stream, XT_WIRE_VERSION);
            welcome_of(&c);
        }
        xt_buf_reset(&bytes);
        xt_buf_reset(&noise);
        put_noise(&w, chance(&w) % 3000, &noise);
        xt_frame_put(&bytes, (xt_frame_type)(chance(&w) % 20), xt_buf_slice(&noise));
        if (i % 4 == 1)
            bytes.p[chance(&w) % bytes.n] ^= 1 << chance(&w) % 8;
        else if (i % 4 == 2)
            put_noise(&w, 200, &bytes);
        raw_send(&c, xt_buf_slice(&bytes));
        shutdown(c.fd, SHUT_WR);
        until_closed(&c);
        client_close(&c);
    }
    scene_close(&w, 0);
}

/* What is announced is not allocated. */
static void frames_that_claim_much(void **state)
{
    enum { CONNECTIONS = 40, CLAIM = 31 << 20 };
    XT_CLEANUP(xt_buf_fini) xt_buf head = XT_BUF_INIT;
    fixture_stream own = {.stream = {{2}}};
    client c[CONNECTIONS];
    host hosts[CONNECTIONS];
    scene w;

    scene_open(&w, *state);
    long before_mb = resident_mb();
    xt_buf_put_u32(&head, CLAIM);
    xt_buf_put_u32(&head, XT_FRAME_BATCH);
    put_noise(&w, 1000, &head);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        enroll(&w.d, &hosts[i]);
        talk(&c[i], &w.d, &hosts[i], &own);
        welcome_of(&c[i]);
        raw_send(&c[i], xt_buf_slice(&head));
    }
    others_go_on(&w);
    assert_true(resident_mb() - before_mb < MOST_GROWTH_MB);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        client_close(&c[i]);
        host_fini(&hosts[i]);
    }
    scene_close(&w, 0);
}

/* ------------------------------------------------------------------------------------------------ batches */

/* One batch that must be refused as corrupt. */
static void refused_batch(scene *w, xt_hash128 stream, const xt_buf *payload)
{
    client c;
    fixture_stream s = {.stream = stream};

    talk(&c, &w->d, &w->bad, &s);
    welcome_of(&c);
    client_send(&c, XT_FRAME_BATCH, payload);
    assert_int_equal(refusal_of(&c), XT_REFUSED_CORRUPT);
    client_close(&c);
}

static void another_hosts_batches(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf first = XT_BUF_INIT, second = XT_BUF_INIT, forged = XT_BUF_INIT;
    fixture_stream heard, own = {.stream = {{2}}};
    scene w;

    scene_open(&w, *state);
    others_go_on(&w);
    heard = w.s; /* the good one's stream, its number and its chain are known */
    batch_make(&w.good, &heard, &second);
    refused_batch(&w, w.s.stream, &second); /* the next batch of the good one, over the bad one's connection */
    heard = w.s;
    batch_make(&w.bad, &heard, &forged); /* the bad one's own event as the next of the good one's stream */
    refused_batch(&w, w.s.stream, &forged);
    batch_make(&w.good, &own, &first); /* the good one's event in a stream of the bad one's */
    refused_batch(&w, own.stream, &first);
    scene_close(&w, 0);
}

static void another_hosts_identity(void **state)
{
    fixture_stream own = {.stream = {{2}}};
    client c;
    scene w;

    scene_open(&w, *state);
    mutual_open(&c, &w.d, &w.bad);
    hello_send(&c, w.good.id, own.stream, XT_WIRE_VERSION);
    assert_int_equal(refusal_of(&c), XT_REFUSED_IDENTITY);
    client_close(&c);
    scene_close(&w, 0);
}

static void bomb_make(fixture_stream *s, size_t raw, size_t claim, xt_buf *payload)
{
    char *zeros = calloc(1, raw);
    size_t cap = ZSTD_compressBound(raw);
    char *packed = malloc(cap);

    assert_true(zeros && packed);
    size_t n = ZSTD_compress(packed, cap, zeros, raw, 3);
    assert_false(ZSTD_isError(n));
    xt_batch batch = {.stream = s->stream,
                      .number = 1,
                      .n_events = 1,
                      .codec = XT_CODEC_ZSTD,
                      .raw_bytes = claim,
                      .data = xt_slice_of(packed, n)};
    xt_batch_put(&batch, payload);
    free(zeros);
    free(packed);
}

static void bombs(void **state)
{
    enum { LIMIT = XT_BATCH_MAX_RAW_BYTES };
    static const size_t sizes[][2] = {{LIMIT, LIMIT}, {LIMIT * 4UL, LIMIT * 4UL}, {LIMIT, 1000}, {1000, LIMIT}};
    fixture_stream own = {.stream = {{2}}};
    scene w;

    scene_open(&w, *state);
    long before_mb = resident_mb();
    for (size_t i = 0; i < XT_COUNT_OF(sizes); i++) {
        XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
        bomb_make(&own, sizes[i][0], sizes[i][1], &payload);
        assert_true(payload.n < 100000);
        refused_batch(&w, own.stream, &payload);
        others_go_on(&w);
    }
    assert_true(resident_mb() - before_mb < MOST_GROWTH_MB);
    scene_close(&w, 0);
}

/* What was heard once is said again: over the same connection and over another. */
static void replayed_batches(void **state)
{
    enum { BATCHES = 5 };
    xt_buf heard[BATCHES] = {0};
    fixture_stream own = {.stream = {{2}}};
    client c;
    scene w;

    scene_open(&w, *state);
    talk(&c, &w.d, &w.bad, &own);
    welcome_of(&c);
    for (unsigned i = 0; i < BATCHES; i++) {
        batch_make(&w.bad, &own, &heard[i]);
        client_send(&c, XT_FRAME_BATCH, &heard[i]);
    }
    while (ack_of(&c) < BATCHES)
        ;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < BATCHES; i++)
            client_send(&c, XT_FRAME_BATCH, &heard[i]);
        while (ack_of(&c) < BATCHES)
            ;
        others_go_on(&w);
        client_close(&c);
        talk(&c, &w.d, &w.bad, &own);
        assert_int_equal(welcome_of(&c).number, BATCHES);
    }
    client_close(&c);
    for (unsigned i = 0; i < BATCHES; i++)
        xt_buf_fini(&heard[i]);
    scene_close(&w, BATCHES);
}

/* ------------------------------------------------------------------------------------------------ connections */

/* Keys that change without end are worked on inside SSL_read: whoever sends nothing else would have the loop for himself. */
static void keys_that_change_without_end(void **state)
{
    enum { CHANGES = 200000 };
    fixture_stream own = {.stream = {{2}}};
    unsigned n = 0;
    client c;
    scene w;

    scene_open(&w, *state);
    talk(&c, &w.d, &w.bad, &own);
    welcome_of(&c);
    while (n < CHANGES && SSL_key_update(c.ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(c.ssl) == 1)
        n++;
    assert_true(n < CHANGES);
    client_close(&c);
    scene_close(&w, 0);
}

/* Silent, in the middle of the handshake, and with half a hello: more than there may be, and who says hello gets in. */
static void connections_without_end(void **state)
{
    enum { CONNECTIONS = 120, PLACES = 30 };
    int fds[CONNECTIONS];
    client half[CONNECTIONS / 3], c;
    fixture_stream s = {.stream = {{2}}};
    host third;
    scene w;

    limits.max_new = PLACES;
    scene_open(&w, *state);
    enroll(&w.d, &third);
    for (unsigned i = 0; i < CONNECTIONS / 3; i++) {
        fds[3 * i] = connect_raw(w.d.port);
        fds[3 * i + 1] = connect_raw(w.d.port);
        assert_int_equal(send(fds[3 * i + 1], "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11, MSG_NOSIGNAL), 11);
        mutual_open(&half[i], &w.d, &w.bad);
        raw_send(&half[i], xt_slice_of("\x50\0\0\0\3\0", 6));
        if (i % 10 == 9)
            others_go_on(&w);
    }
    talk(&c, &w.d, &third, &s);
    welcome_of(&c);
    batch_send(&c, &third, &s);
    assert_int_equal(ack_of(&c), 1);
    client_close(&c);
    for (unsigned i = 0; i < CONNECTIONS / 3; i++) {
        close(fds[3 * i]);
        close(fds[3 * i + 1]);
        client_close(&half[i]);
    }
    limits.max_new = 0;
    others_go_on(&w);
    client_close(&w.other);
    door_close(&w.d);
    host_fini(&third);
    host_fini(&w.good);
    host_fini(&w.bad);
}

/* ------------------------------------------------------------------------------------------------ a million batches */

typedef struct flood {
    scene *w;
    unsigned wanted, n_connections;
    atomic_bool done;
} flood;

static bool try_send(client *c, const xt_buf *payload)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_frame_put(&out, XT_FRAME_BATCH, xt_buf_slice(payload));
    for (size_t at = 0; at < out.n;) {
        int k = SSL_write(c->ssl, out.p + at, (int)(out.n - at));
        if (k <= 0)
            return false;
        at += (size_t)k;
    }
    return true;
}

/* As fast as it goes, and never reads what is answered; whenever it is thrown out, it goes on where the server is. */
static void *flood_run(void *context)
{
    flood *f = context;
    fixture_stream own = {.stream = {{2}}};
    xt_welcome welcome;
    client c;

    while (own.number < f->wanted) {
        talk(&c, &f->w->d, &f->w->bad, &own);
        xt_frame frame = client_next(&c);
        f->n_connections++;
        if (frame.type == XT_FRAME_WELCOME && xt_welcome_decode(frame.payload, &welcome, NULL) == 0) {
            own.number = welcome.number;
            own.chain = welcome.hash;
            for (bool taken = true; taken && own.number < f->wanted;) {
                XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
                batch_make(&f->w->bad, &own, &payload);
                taken = try_send(&c, &payload);
            }
        } else {
            own.number = 0;
            usleep(500000);
        }
        if (own.number >= f->wanted) /* what is on its way is not to be lost by a reset */
            while (ack_of(&c) < f->wanted)
                ;
        client_close(&c);
    }
    atomic_store(&f->done, true);
    return NULL;
}

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Batches upon batches, and no acknowledgement is read: they are taken as fast as they are stored, and the other one goes on. */
static void batches_without_end(void **state)
{
    enum { BATCHES = 4000, MOST_TIMES = 100000 };
    const char *torture = getenv("XT_TORTURE");
    uint64_t wanted = BATCHES;
    static int64_t us[MOST_TIMES];
    size_t n = 0;
    pthread_t thread;
    scene w;

    assert_true(!torture || xt_slice_parse_u64(xt_slice_str(torture), &wanted));
    scene_open(&w, *state);
    flood f = {.w = &w, .wanted = (unsigned)wanted};
    long before_mb = resident_mb(), most_mb = 0;
    assert_int_equal(pthread_create(&thread, NULL, flood_run, &f), 0);
    while (n < MOST_TIMES && (!atomic_load(&f.done) || n == 0)) {
        int64_t begin_us = now_us();
        others_go_on(&w);
        us[n++] = now_us() - begin_us;
        most_mb = resident_mb() > most_mb ? resident_mb() : most_mb;
        usleep(20000);
    }
    pthread_join(thread, NULL);
    qsort(us, n, sizeof us[0], by_value);
    print_message("%u batches over %u connections; %zu of the other host acknowledged after %lld us in the middle, "
                  "%lld at worst of "
                  "a hundred, %lld at most; %ld MiB more\n",
                  f.wanted, f.n_connections, n, (long long)us[n / 2], (long long)us[n * 99 / 100], (long long)us[n - 1],
                  most_mb - before_mb);
    assert_true(most_mb - before_mb < MOST_GROWTH_MB);
    scene_close(&w, wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(noise_before_tls, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(noise_in_frames, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(frames_that_claim_much, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(another_hosts_batches, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(another_hosts_identity, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(bombs, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(replayed_batches, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(keys_that_change_without_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(connections_without_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(batches_without_end, fixture_setup, fixture_teardown),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
