/*
 * bench/fleet/sim - ten thousand agents in one process, to load a server as a fleet does
 *
 * Shape:     each agent enrols with a token, keeps a TLS connection of its own, says hello, sends chained batches of real events in
 *            the server's window, heartbeats, keeps what is not acknowledged, and after a break comes again as an agent does:
 *            by chance within a bound that doubles from half a second to half a minute, or when the server said.
 * Batches:   as agents make them: events are handed on when the first is 100 ms old (400 where fifty have come by then), and gathered
 *            beyond that for as long as the server asks; a heartbeat sends what there is.
 * Commands:  one a line on standard input: enroll; connect SECONDS; start; stop; busy N FACTOR; mark INDEX TEXT; phase; counts FILE;
 *            end. What is known comes as a line of JSON each second, and after phase what acknowledgements took since the last.
 * Units:     ms are of the monotonic clock, but those of events and heartbeats.
 * Threads:   one.
 * Limits:    a simulated agent differs from a real one in three things: all have the same key (each its own certificate), what
 *            waits is in memory, and messages go in their long form.
 */
#pragma once
#include <openssl/ssl.h>

#include "base/buf.h"
#include "event/event.h"
#include "wire/frame.h"
#include "wire/message.h"
#include "wire/token.h"

#define SIM_MAX_LATENCY_MS 60000
#define SIM_REFUSALS       32
#define SIM_BUSY_EVENTS    50
#define SIM_BUSY_FACTOR    4 /* times the linger */
#define SIM_PACK_EVENTS    1500

typedef struct sim sim;

typedef enum sim_phase {
    SIM_OFF,     /* it is not wanted yet */
    SIM_WAITING, /* until due_ms */
    SIM_SHAKING,
    SIM_ASKED, /* hello or enrolment is on its way */
    SIM_UP,
} sim_phase;

/* A batch that is not acknowledged. */
typedef struct sim_parcel {
    struct sim_parcel *next;
    uint64_t number;
    int64_t made_ms; /* when the first of its events happened */
    uint32_t n_events, n;
    char frame[];
} sim_parcel;

typedef struct sim_agent {
    sim *all;
    unsigned index;
    char id[33], name[24];
    X509 *cert; /* NULL: not enrolled */
    sim_phase phase;
    int fd;
    uint32_t interest; /* of epoll */
    SSL *ssl;
    xt_buf in, out;
    int64_t due_ms, since_ms; /* next attempt; when the phase began */
    unsigned n_failures;
    xt_hash128 stream, chain;
    uint64_t number, acked, sent, window;
    sim_parcel *first, **end, *unsent;
    uint32_t serial, next_sample;
    uint64_t n_made, n_acked;
    unsigned n_group, n_pack;  /* events that its collector has, and its shipper */
    int64_t group_ms, pack_ms; /* when the first of them happened */
    int64_t pack_due_ms;
    uint64_t gather_ms; /* as the server asked last */
    char *mark;         /* goes into its next batch */
} sim_agent;

typedef struct sim_settings {
    const char *port, *token;
    unsigned n_agents, linger_ms, beat_ms, events_per_s;
    uint64_t seed;
    const char *const *captures;
    unsigned n_captures;
} sim_settings;

typedef struct sim_histogram {
    uint64_t n, at_ms[SIM_MAX_LATENCY_MS + 1];
} sim_histogram;

struct sim {
    const sim_settings *settings;
    sim_agent *agents;
    int64_t *due_ms; /* of each: when it has to look at its events, 0: there are none */
    int epoll_fd;
    SSL_CTX *pinned, *tls;
    EVP_PKEY *key;
    xt_buf csr;
    xt_token token;
    /* events to be sent again and again, each time by another host at another time */
    xt_event *samples;
    uint32_t n_samples;
    xt_buf sample_bytes, scratch, frame;
    unsigned n_busy, factor; /* the first n_busy make factor times as many events */
    bool connects, makes, ends;
    unsigned n_up, n_enrolled, n_shaking;
    int64_t now_ms, begin_ms;    /* begin: of making */
    uint64_t n_ticks, n_beats;   /* since then */
    int64_t late_ms;             /* the simulator's own delay, the greatest since the last line */
    uint64_t n_made, n_acked;    /* events */
    uint64_t n_batches, n_bytes; /* made */
    uint64_t n_connections, n_breaks,
        n_forgot; /* forgot: the server did not know of a batch that it had acknowledged */
    uint64_t n_refused[SIM_REFUSALS];
    sim_histogram took[2]; /* of batches, from the first event to the acknowledgement; [1]: of the busy ones */
};

XT_MUST_USE int sim_samples_read(sim *s, xt_problem *reterr_problem);
/* Makes a batch of n events that happened from then until now, and keeps it to be sent. */
XT_MUST_USE int sim_batch_make(sim_agent *a, unsigned n, int64_t made_ms);

/* n events happened. */
void sim_events_come(sim_agent *a, unsigned n, int64_t at_ms);
/* Does what is due with them. */
XT_MUST_USE int sim_events_look(sim_agent *a);
/* Sends what there is. */
XT_MUST_USE int sim_events_flush(sim_agent *a);

XT_MUST_USE int sim_links_open(sim *s, xt_problem *reterr_problem);
void sim_links_close(sim *s);
void sim_link_connect(sim_agent *a);
void sim_link_on(sim_agent *a); /* its socket can be read or written */
void sim_link_send(sim_agent *a);
void sim_link_beat(sim_agent *a);
/* An answer that does not come in time. */
void sim_link_look(sim_agent *a);

XT_MUST_USE int sim_run(const sim_settings *settings, xt_problem *reterr_problem);
