/* The rule of agents (agent/collector, agent/shipper): an event waits in the collector's group, then in the shipper's pack. */
#include "sim.h"

static int64_t group_due_ms(const sim_agent *a)
{
    unsigned linger_ms = a->all->settings->linger_ms;

    return a->group_ms + (a->n_group >= SIM_BUSY_EVENTS ? linger_ms * SIM_BUSY_FACTOR : linger_ms);
}

static void set_due(sim_agent *a)
{
    int64_t due_ms = a->n_group ? group_due_ms(a) : 0;

    if (a->n_pack && (!due_ms || a->pack_due_ms < due_ms))
        due_ms = a->pack_due_ms;
    a->all->due_ms[a->index] = due_ms;
}

void sim_events_come(sim_agent *a, unsigned n, int64_t at_ms)
{
    if (!a->n_group)
        a->group_ms = at_ms;
    a->n_group += n;
    a->n_made += n;
    a->all->n_made += n;
    set_due(a);
}

static void hand_on(sim_agent *a)
{
    if (!a->n_pack) {
        a->pack_ms = a->group_ms;
        a->pack_due_ms = group_due_ms(a) + (int64_t)a->gather_ms;
    }
    a->n_pack += a->n_group;
    a->n_group = 0;
}

static int send_pack(sim_agent *a)
{
    unsigned n = a->n_pack;

    a->n_pack = 0;
    int r = n ? sim_batch_make(a, n, a->pack_ms) : 0;
    sim_link_send(a);
    return r;
}

int sim_events_look(sim_agent *a)
{
    int r = 0;

    if (a->n_group && group_due_ms(a) <= a->all->now_ms)
        hand_on(a);
    if (a->n_pack && (a->pack_due_ms <= a->all->now_ms || a->n_pack >= SIM_PACK_EVENTS))
        r = send_pack(a);
    set_due(a);
    return r;
}

int sim_events_flush(sim_agent *a)
{
    int r = send_pack(a);

    set_due(a);
    return r;
}
