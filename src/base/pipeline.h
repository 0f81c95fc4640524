/*
 * base/pipeline - work on many threads, its results taken in the order in which it was put
 *
 * Shape:     a ring of slots that the caller owns. The caller takes a free slot, fills it, and puts it; any of the workers
 *            works on it; then one thread more finishes the slots one after the other, in the order of putting.
 * Errors:    what finish returns first (not 0) ends it: slots put from then on come back without work; take and drain
 *            return it.
 * Threads:   take, put, drain, free: one thread. work: many at once, each slot in one; finish: one thread.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define XT_PIPELINE_MAX_WORKERS 32

typedef struct xt_pipeline xt_pipeline;

typedef struct xt_pipeline_settings {
    unsigned n_workers; /* at least 1, at most XT_PIPELINE_MAX_WORKERS */
    unsigned n_slots;
    void *const *slots; /* borrowed */
    void (*work)(void *context, void *slot);
    int (*finish)(void *context, void *slot);
    void *context;
} xt_pipeline_settings;

XT_MUST_USE int xt_pipeline_new(const xt_pipeline_settings *settings, xt_pipeline **ret);
/* Slots that are not finished are given up; accepts NULL, returns NULL. */
xt_pipeline *xt_pipeline_free(xt_pipeline *pipeline);
/* The next free slot; waits for one. It is taken until it is put. */
XT_MUST_USE int xt_pipeline_take(xt_pipeline *pipeline, void **ret);
void xt_pipeline_put(xt_pipeline *pipeline);
/* Waits until every slot that was put is finished. */
XT_MUST_USE int xt_pipeline_drain(xt_pipeline *pipeline);
/* Cores that this process may use. */
unsigned xt_cores(void);
