/*
 * store/store_pace - long work that is in nobody's way
 *
 * Shape:     what rewrites segments calls the step (store/segment.h) with the values it read. In the background the thread
 *            then rests as long as it worked, up to a twentieth of a second at a time. Closing the store ends the work, and
 *            so does `stops`.
 * Threads:   a pace is its thread's own.
 */
#pragma once
#include <time.h>

#include "store/store_private.h"

typedef struct xt_store_pace {
    xt_store *store;
    bool in_background;
    bool (*stops)(void *context); /* may be NULL */
    void *context;
    uint64_t n_values; /* since the last rest */
    struct timespec worked_from;
} xt_store_pace;

/* The steps of a pace whose first four members are set; it has to stay where it is. */
xt_segment_steps xt_store_pace_begin(xt_store_pace *pace);
/* Whether the work has to end. */
bool xt_store_pace_stops(const xt_store_pace *pace);
