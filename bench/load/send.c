/*
 * All connections share one loop. A connection sends while the server's window is open and little waits in memory; the
 * clock runs from the first batch to the last acknowledgement, after all connections are welcome.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "load.h"
#include "wire/batch.h"

#define MAX_HOSTS    1024
#define QUEUED_BYTES ((size_t)256 << 10)
#define HEAD_BYTES   12
#define BEAT_SECONDS 20 /* the server closes connections that are silent for two minutes */

typedef struct sender sender;

typedef struct agent {
    sender *all;
    char name[64], id[33];
    SSL_CTX *tls;
    struct bufferevent *stream;
    xt_slice *batches; /* payloads, in the file */
    size_t n, cap;
    uint64_t sent, acked, window, n_events;
    bool welcome;
} agent;

struct sender {
    const xt_load_settings *settings;
    struct event_base *base;
    struct event *beat;
    agent agents[MAX_HOSTS];
    unsigned n_agents, n_welcome, n_done;
    xt_slice file;
    xt_buf frame;
    int64_t begin_ms, end_ms;
    int failure;
    xt_problem *problem;
};

static void fail(sender *s, const char *name, const char *why)
{
    if (s->failure == 0)
        xt_problem_set(s->problem, "%s: %s", name, why);
    s->failure = -EPROTO;
    event_base_loopbreak(s->base);
}

static void write_frame(agent *a, xt_frame_type type, xt_slice payload)
{
    xt_buf_reset(&a->all->frame);
    xt_frame_put(&a->all->frame, type, payload);
    if (xt_buf_done(&a->all->frame) < 0 || bufferevent_write(a->stream, a->all->frame.p, a->all->frame.n) < 0)
        fail(a->all, a->name, "out of memory");
}

/* Sends what the window and memory allow. */
static void send_some(agent *a)
{
    struct evbuffer *out = bufferevent_get_output(a->stream);
    while (a->sent < a->n && a->sent - a->acked < a->window && evbuffer_get_length(out) < QUEUED_BYTES)
        write_frame(a, XT_FRAME_BATCH, a->batches[a->sent++]);
}

static void begin(sender *s)
{
    s->begin_ms = xt_clock_mono_ms(&xt_clock_system);
    for (unsigned i = 0; i < s->n_agents; i++)
        send_some(&s->agents[i]);
}

static void on_welcome(agent *a, xt_slice payload)
{
    xt_welcome welcome;
    if (xt_welcome_decode(payload, &welcome, NULL) != 0 || welcome.number != 0) {
        fail(a->all, a->name, "the server knows this stream already; send to a new data folder");
        return;
    }
    a->window = welcome.window;
    a->welcome = true;
    if (++a->all->n_welcome == a->all->n_agents)
        begin(a->all);
}

static void on_ack(agent *a, xt_slice payload)
{
    xt_ack ack;
    if (xt_ack_decode(payload, &ack, NULL) != 0) {
        fail(a->all, a->name, "an acknowledgement does not hold together");
        return;
    }
    a->acked = ack.number;
    send_some(a);
    if (a->acked == a->n && ++a->all->n_done == a->all->n_agents) {
        a->all->end_ms = xt_clock_mono_ms(&xt_clock_system);
        event_base_loopbreak(a->all->base);
    }
}

static void on_read(struct bufferevent *stream, void *context)
{
    agent *a = context;
    struct evbuffer *in = bufferevent_get_input(stream);
    size_t n, taken;
    while ((n = evbuffer_get_length(in)) > 0) {
        xt_frame frame;
        int r = xt_frame_next(xt_slice_of(evbuffer_pullup(in, -1), n), &frame, &taken, NULL);
        if (r == XT_FRAME_E_MORE)
            return;
        if (r == 0 && frame.type == XT_FRAME_WELCOME)
            on_welcome(a, frame.payload);
        else if (r == 0 && frame.type == XT_FRAME_ACK)
            on_ack(a, frame.payload);
        else
            fail(a->all, a->name, r ? "a frame is broken" : "the server refused");
        if (a->all->failure)
            return;
        evbuffer_drain(in, taken);
    }
}

static void on_write(struct bufferevent *stream, void *context)
{
    agent *a = context;
    if (a->welcome && a->all->begin_ms)
        send_some(a);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
    agent *a = context;
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    if (!(what & BEV_EVENT_CONNECTED)) {
        if (a->acked < a->n || !a->welcome)
            fail(a->all, a->name, what & BEV_EVENT_TIMEOUT ? "the server does not answer" : "the connection broke");
        return; /* who has nothing more to say may be left alone by the server */
    }
    xt_hello hello = {.version = XT_WIRE_VERSION,
                      .host_id = xt_slice_str(a->id),
                      .host_name = xt_slice_str(a->name),
                      .boot_id = XT_S("bench"),
                      .agent_version = XT_S("bench"),
                      .os = XT_S("Linux"),
                      .stream = xt_slice_hash128(xt_slice_str(a->name)),
                      .audit_mode = XT_S("owner")};
    xt_hello_put(&payload, &hello);
    write_frame(a, XT_FRAME_HELLO, xt_buf_slice(&payload));
}

static void on_beat(evutil_socket_t fd, short what, void *context)
{
    XT_CLEANUP(xt_buf_fini) xt_buf payload = XT_BUF_INIT;
    sender *s = context;
    xt_heartbeat beat = {.time_ms = (uint64_t)xt_clock_wall_ms(&xt_clock_system),
                         .enabled = 1,
                         .audit_pid = 1,
                         .audit_mode = XT_S("owner")};
    xt_heartbeat_put(&payload, &beat);
    for (unsigned i = 0; i < s->n_agents; i++)
        if (s->agents[i].welcome)
            write_frame(&s->agents[i], XT_FRAME_HEARTBEAT, xt_buf_slice(&payload));
}

/* ------------------------------------------------------------------------------------------------ setting up */

static int connect_agent(agent *a, xt_slice ca)
{
    XT_CLEANUP(xt_buf_fini) xt_buf pem = XT_BUF_INIT;
    sender *s = a->all;
    char path[512];
    int fd = -1, on = 1;
    snprintf(path, sizeof path, "%s/%s.pem", s->settings->dir, a->name);
    int r = xt_load_read(path, &pem, s->problem);
    if (r == 0)
        r = xt_tls_client_context(ca, xt_buf_slice(&pem), xt_buf_slice(&pem), &a->tls, s->problem);
    if (r == 0)
        r = xt_load_connect(s->settings, &fd, s->problem);
    if (r)
        return xt_error_fold(r);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    evutil_make_socket_nonblocking(fd);
    SSL *ssl = SSL_new(a->tls);
    a->stream =
        ssl ? bufferevent_openssl_socket_new(s->base, fd, ssl, BUFFEREVENT_SSL_CONNECTING, BEV_OPT_CLOSE_ON_FREE)
            : NULL;
    if (!a->stream)
        return xt_error_origin(-ENOMEM);
    bufferevent_setcb(a->stream, on_read, on_write, on_event, a);
    bufferevent_setwatermark(a->stream, EV_WRITE, QUEUED_BYTES / 4, 0);
    return bufferevent_enable(a->stream, EV_READ | EV_WRITE);
}

static int map_file(sender *s)
{
    struct stat status;
    int fd = open(s->settings->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0 || status.st_size == 0) {
        xt_problem_set(s->problem, "%s cannot be read: %s", s->settings->file, strerror(errno));
        return -EINVAL;
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    close(fd);
    if (bytes == MAP_FAILED)
        return xt_error_origin(-errno);
    s->file = xt_slice_of(bytes, (size_t)status.st_size);
    return 0;
}

static int add_batch(agent *a, xt_slice payload, uint32_t n_events)
{
    if (a->n == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 256;
        xt_slice *grown = reallocarray(a->batches, cap, sizeof *grown);
        if (!grown)
            return xt_error_origin(-ENOMEM);
        a->batches = grown;
        a->cap = cap;
    }
    a->batches[a->n++] = payload;
    a->n_events += n_events;
    return 0;
}

static int read_batches(sender *s)
{
    xt_reader reader = xt_reader_of(s->file);
    while (xt_reader_left(&reader) > HEAD_BYTES) {
        uint32_t host = xt_reader_u32(&reader), n_events = xt_reader_u32(&reader), n = xt_reader_u32(&reader);
        xt_slice payload = xt_reader_bytes(&reader, n);
        if (reader.failed || host >= s->n_agents) {
            xt_problem_set(s->problem, "%s is no file of batches for these hosts", s->settings->file);
            return -EINVAL;
        }
        int r = add_batch(&s->agents[host], payload, n_events);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_hosts(sender *s)
{
    xt_slice rest = xt_slice_str(s->settings->names), line, name;
    while (s->n_agents < MAX_HOSTS && xt_slice_cut(&rest, '\n', &line) && line.n) {
        agent *a = &s->agents[s->n_agents++];
        a->all = s;
        if (!xt_slice_cut(&line, ' ', &name) || line.n != 32) {
            xt_problem_set(s->problem, "a line of the hosts is not NAME ID");
            return -EINVAL;
        }
        snprintf(a->name, sizeof a->name, "%.*s", XT_S_ARGS(name));
        memcpy(a->id, line.p, 32);
    }
    return 0;
}

/* Hosts without a batch have nothing to say. */
static int connect_all(sender *s)
{
    XT_CLEANUP(xt_buf_fini) xt_buf ca = XT_BUF_INIT;
    char path[512];
    snprintf(path, sizeof path, "%s/ca.pem", s->settings->dir);
    int r = xt_load_read(path, &ca, s->problem);
    for (unsigned i = 0; i < s->n_agents && r == 0; i++) {
        if (s->agents[i].n > 0)
            r = connect_agent(&s->agents[i], xt_buf_slice(&ca));
        else
            s->n_welcome++, s->n_done++;
    }
    return r;
}

static int begin_beats(sender *s)
{
    struct timeval every = {.tv_sec = BEAT_SECONDS};
    s->beat = event_new(s->base, -1, EV_PERSIST, on_beat, s);
    return s->beat && event_add(s->beat, &every) == 0 ? 0 : xt_error_origin(-ENOMEM);
}

static void print(const sender *s)
{
    uint64_t n_events = 0, n_batches = 0;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    for (unsigned i = 0; i < s->n_agents; i++) {
        n_events += s->agents[i].n_events;
        n_batches += s->agents[i].n;
    }
    printf("{\"events\":%llu,\"batches\":%llu,\"bytes\":%zu,\"wall_ms\":%lld,\"client_cpu_ms\":%lld}\n",
           (unsigned long long)n_events, (unsigned long long)n_batches, s->file.n, (long long)(s->end_ms - s->begin_ms),
           (long long)((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000));
}

int xt_load_send(const xt_load_settings *settings, xt_problem *reterr_problem)
{
    sender *s = calloc(1, sizeof *s);
    if (!s)
        return xt_error_origin(-ENOMEM);
    s->settings = settings;
    s->problem = reterr_problem;
    s->base = event_base_new();
    int r = s->base ? read_hosts(s) : xt_error_origin(-ENOMEM);
    if (r == 0)
        r = map_file(s);
    if (r == 0)
        r = read_batches(s);
    if (r == 0)
        r = connect_all(s);
    if (r == 0)
        r = begin_beats(s);
    if (r == 0)
        event_base_dispatch(s->base);
    if (r == 0)
        r = s->failure;
    if (r == 0)
        print(s);
    for (unsigned i = 0; i < s->n_agents; i++) {
        if (s->agents[i].stream)
            bufferevent_free(s->agents[i].stream);
        SSL_CTX_free(s->agents[i].tls);
        free(s->agents[i].batches);
    }
    if (s->beat)
        event_free(s->beat);
    if (s->base)
        event_base_free(s->base);
    xt_buf_fini(&s->frame);
    free(s);
    return r;
}
