#include "agent/cpu_brake.h"

#define CALM_SHARE 70 /* percent of the limit: what was left out would cost again what it did */

const char *xt_brake_sentence(unsigned step)
{
    static const char *const sentences[XT_BRAKE_STEPS] = {
        "nothing is left out",
        "the ends of processes are left out",
        "the ends of processes and their control groups are left out",
    };
    return sentences[step < XT_BRAKE_STEPS ? step : XT_BRAKE_STEPS - 1];
}

static int decide(xt_brake *brake, int64_t now_ms)
{
    if (brake->percent > brake->limit) {
        brake->calm_ms = 0;
        return brake->step + 1 < XT_BRAKE_STEPS;
    }
    if (brake->percent * 100 >= brake->limit * CALM_SHARE) {
        brake->calm_ms = 0;
        return 0;
    }
    if (brake->calm_ms == 0)
        brake->calm_ms = now_ms;
    if (brake->step == 0 || now_ms - brake->calm_ms < XT_BRAKE_CALM_MS)
        return 0;
    brake->calm_ms = now_ms;
    return -1;
}

/* There is no limit any more. */
static int release(xt_brake *brake)
{
    int change = -(int)brake->step;
    brake->step = 0;
    brake->checked_ms = brake->calm_ms = 0;
    return change;
}

int xt_brake_turn(xt_brake *brake, uint64_t cpu_us, int64_t now_ms)
{
    int64_t passed_ms = now_ms - brake->checked_ms;
    if (brake->limit == 0 && brake->step > 0)
        return release(brake);
    if (brake->limit == 0 || (brake->checked_ms != 0 && passed_ms < XT_BRAKE_CHECK_MS))
        return 0;
    bool is_first = brake->checked_ms == 0 || cpu_us < brake->cpu_us;
    brake->percent = is_first ? 0 : (unsigned)((cpu_us - brake->cpu_us) / 10 / (uint64_t)passed_ms);
    brake->cpu_us = cpu_us;
    brake->checked_ms = now_ms;
    int change = is_first ? 0 : decide(brake, now_ms);
    brake->step = (unsigned)((int)brake->step + change);
    return change;
}
