/* server/intake_private - the inside of the intake, for intake*.c alone */
#pragma once
#include <pthread.h>

#include "input/recent.h"
#include "server/intake.h"

/* What gathers, or is under way. */
typedef struct xt_intake_load {
    xt_buf events, index; /* canonical; xt_import_event each */
    size_t n;
    int64_t since_ms;
} xt_intake_load;

struct xt_intake {
    xt_app *app;
    pthread_t thread;
    bool runs, stop;
    pthread_mutex_t lock;
    pthread_cond_t filled, settled; /* both by CLOCK_MONOTONIC */
    xt_senders *senders;
    xt_recent ids;
    xt_intake_load due;
    size_t n_waiters;
    uint64_t n_put, n_settled; /* events */
    uint64_t n_lost;           /* of those, such as the store refused for good */
    xt_intake_stats stats;

    xt_hash128 stream, chain; /* of the thread alone, from here to answered */
    uint64_t number;
    xt_intake_load under_way;
    xt_buf payload;
    bool answered; /* by the writer, under the lock */
    int outcome;

    uint8_t key[32];        /* of open_records; constant */
    int64_t picture_number; /* of what waits, the last that was taken; under the lock */
    bool has_rows;          /* of open_records, but for empty ones; the same */
};

/* Of a load whose index is in the order of its events. */
void xt_intake_drop_known(xt_intake_load *load);
/* intake_open.c: reads or makes the key; feeds what waited when the server was killed. */
XT_MUST_USE int xt_intake_key_get(xt_intake *intake);
XT_MUST_USE int xt_intake_open_records(xt_intake *intake);
/* With the lock, which is given back meanwhile; nothing is due: rows of hosts of which nothing waits any more go. */
void xt_intake_open_sweep(xt_intake *intake);
/* Nothing waits. */
void xt_intake_open_clear(xt_intake *intake);
