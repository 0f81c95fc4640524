/* Resting is by values read and not by calls, since a call may be for one row group or for a thousand. */
#include "store/store_pace.h"

#define STEP_VALUES (1 << 20)
#define MAX_REST_NS 50000000

static int64_t ns_since(const struct timespec *from)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - from->tv_sec) * 1000000000LL + now.tv_nsec - from->tv_nsec;
}

bool xt_store_pace_stops(const xt_store_pace *pace)
{
    return atomic_load(&pace->store->merging_stops) || (pace->stops && pace->stops(pace->context));
}

static int step(void *context, uint64_t n_values)
{
    xt_store_pace *pace = context;

    if (xt_store_pace_stops(pace))
        return 1;
    pace->n_values += n_values;
    if (!pace->in_background || pace->n_values < STEP_VALUES)
        return 0;
    pace->n_values = 0;
    int64_t worked = ns_since(&pace->worked_from);
    struct timespec rest = {0, worked < MAX_REST_NS ? worked : MAX_REST_NS};
    nanosleep(&rest, NULL);
    clock_gettime(CLOCK_MONOTONIC, &pace->worked_from);
    return 0;
}

xt_segment_steps xt_store_pace_begin(xt_store_pace *pace)
{
    pace->n_values = 0;
    clock_gettime(CLOCK_MONOTONIC, &pace->worked_from);
    return (xt_segment_steps){step, pace};
}
