/*
 * server/ingest - what a batch says, and what the server thinks of it
 *
 * Shape:     one job is one batch: decoded, each event checked, tagged and matched, and what came of that kept as derived bytes
 *            (store/derived.h) and hits. Nothing is written here.
 * Errors:    the outcome is kept in the job: 0, XT_STORE_E_DUPLICATE, XT_STORE_E_CORRUPT (with a problem), <0.
 * Threads:   the writer's alone.
 */
#pragma once
#include "server/app.h"
#include "wire/batch.h"

/* An event that rules matched. */
typedef struct xt_ingest_hit {
    struct xt_ingest_hit *next;
    xt_slice event; /* canonical bytes, in the job's events */
    xt_slice noise; /* borrowed from the rules */
    uint64_t index; /* of the event in its batch */
    size_t n_matches;
    xt_match *matches;
    xt_slice group; /* in the group_arena */
} xt_ingest_hit;

/* Events of one host that follow each other. */
typedef struct xt_ingest_run {
    struct xt_ingest_run *next;
    xt_slice host_id, host_name; /* in the job's events */
    xt_slice group;              /* of that host, in the group_arena */
    uint64_t n_events;
    int64_t last_ms;
} xt_ingest_run;

typedef struct xt_ingest_job {
    struct xt_ingest_job *next;
    char host_id[33]; /* "" an import */
    xt_buf payload, events, derived;
    size_t cost; /* what the writer has to do for its events, in bytes (xt_ingest_cost); known before it is unpacked */
    xt_app_done_fn done;
    void *context;
    xt_batch batch;
    xt_ingest_hit *hits, **hits_end;
    xt_ingest_run *runs;  /* the latest first */
    struct xt_bulk *bulk; /* of a great import: its rows, instead of payload and events; borrowed. NULL: a batch */
    uint64_t *ret_last_arrival;
    int outcome;
    xt_problem problem;
} xt_ingest_job;

/* What jobs of one commit share. */
typedef struct xt_ingest {
    xt_app *app;
    xt_ruleset *rules;
    xt_noise_state *noise;
    xt_arena event_arena; /* reset with each event */
    xt_arena group_arena; /* hits and runs, reset with each commit */
    xt_buf scratch;
} xt_ingest;

void xt_ingest_job_free(xt_ingest_job *job);
/* Of a batch, by what its head claims: a head that lies is found when it is unpacked, before anything is done for its events. */
size_t xt_ingest_cost(xt_slice payload);
/* Decodes and judges; sets job->outcome. */
void xt_ingest_prepare(xt_ingest *in, xt_ingest_job *job);
/* What noise and rules say of an event, which gets the server's fields; their bytes are valid until the next call. */
XT_MUST_USE int xt_ingest_judge(xt_ingest *in, xt_event *event, xt_slice group /* of its host */, xt_slice *ret_noise,
                                xt_match *ret_matches, size_t *ret_n);
/* A hit in the arena, its event's bytes and its group borrowed. NULL: no memory. */
XT_MUST_USE xt_ingest_hit *xt_ingest_hit_new(xt_arena *arena, uint64_t index, xt_slice event, xt_slice noise,
                                             xt_slice group, const xt_match *matches, size_t n);
/* Puts the server's fields of a hit on its event. */
XT_MUST_USE int xt_ingest_hit_event(xt_ingest *in, const xt_ingest_hit *hit, xt_event *ret);
