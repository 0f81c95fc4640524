/*
 * agent/cpu_brake - leaves out what costs, step by step, while the agent takes more CPU than it may
 *
 * Shape:     turn is told what the agent's processes have taken so far and answers by how much the step changes: up at once, down
 *            after a while that was well below the limit.
 * Units:     percent of one CPU, over XT_BRAKE_CHECK_MS at least.
 * Limits:    the last step does not go further: records of execs are never left out by it, for those are what the agent is for.
 * Threads:   one at a time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define XT_BRAKE_CHECK_MS 4000
#define XT_BRAKE_CALM_MS  30000

typedef enum xt_brake_step {
    XT_BRAKE_NONE,
    XT_BRAKE_ENDS,    /* no events of the ends of processes */
    XT_BRAKE_CONTEXT, /* nor control groups */
    XT_BRAKE_STEPS,
} xt_brake_step;

typedef struct xt_brake {
    unsigned limit; /* percent; 0: there is none */
    unsigned step, percent;
    uint64_t cpu_us;
    int64_t checked_ms, calm_ms; /* calm since; 0 where it is not */
} xt_brake;

/* What is left out, for an event or a status. */
const char *xt_brake_sentence(unsigned step);
/* What the step changed by: 1, 0, -1, or all of it when the limit was taken away. */
int xt_brake_turn(xt_brake *brake, uint64_t cpu_us, int64_t now_ms);
