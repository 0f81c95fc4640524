/* How it works: places by hash in sets of WAYS, so that a look costs one line of memory or two and nothing is allocated. */
#include "event/session_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define WAYS   4
#define N_SETS (XT_SESSION_MAX / WAYS)

struct xt_session_table {
    xt_session_entry places[N_SETS][WAYS];
    uint64_t clock, n_changes;
};

int xt_session_table_new(xt_session_table **ret)
{
    xt_session_table *table = calloc(1, sizeof *table);
    if (!table)
        return xt_error_origin(-ENOMEM);
    *ret = table;
    return 0;
}

xt_session_table *xt_session_table_free(xt_session_table *table)
{
    free(table);
    return NULL;
}

static size_t set_of(uint64_t host, uint32_t ses)
{
    return ((host ^ ses) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % N_SETS;
}

/* The session's place, or NULL. */
static xt_session_entry *find(xt_session_table *table, uint64_t host, uint32_t ses)
{
    xt_session_entry *set = table->places[set_of(host, ses)];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].used && set[i].ses == ses && set[i].host == host)
            return &set[i];
    return NULL;
}

static xt_session_entry *make_room(xt_session_table *table, uint64_t host, uint32_t ses)
{
    xt_session_entry *set = table->places[set_of(host, ses)];
    size_t oldest = 0;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].used < set[oldest].used)
            oldest = i;
    return &set[oldest];
}

static bool is_address(const char *z)
{
    struct in6_addr ignored;
    return inet_pton(AF_INET, z, &ignored) == 1 || inet_pton(AF_INET6, z, &ignored) == 1;
}

void xt_session_table_put(xt_session_table *table, uint64_t host, uint32_t ses, xt_slice address, bool is_inferred)
{
    xt_session_entry entry = {.host = host, .ses = ses, .is_inferred = is_inferred};
    xt_session_entry *place = find(table, host, ses);
    if (ses == UINT32_MAX || address.n == 0 || address.n >= sizeof entry.address)
        return;
    memcpy(entry.address, address.p, address.n);
    if ((place && (is_inferred || !place->is_inferred)) /* the first one counts */ || !is_address(entry.address))
        return;
    if (!place)
        place = make_room(table, host, ses);
    entry.used = ++table->clock;
    *place = entry;
    table->n_changes++;
}

static bool opens_session(const xt_event *event)
{
    xt_slice action = xt_event_bytes(event, XT_F_ACTION);
    return (xt_slice_eq(action, XT_S("started-session")) || xt_slice_eq(action, XT_S("logged-in"))) &&
           xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("success"));
}

/* A LOGIN may be given out after the records that follow it: what these told stays. */
static void forget(xt_session_table *table, uint64_t host, uint32_t ses, int64_t time_ms)
{
    xt_session_entry *place = find(table, host, ses);
    if (!place || place->time_ms >= time_ms)
        return;
    *place = (xt_session_entry){.used = 0};
    table->n_changes++;
}

static void forget_host(xt_session_table *table, uint64_t host)
{
    for (size_t i = 0; i < XT_SESSION_MAX; i++) {
        xt_session_entry *place = &table->places[i / WAYS][i % WAYS];
        if (place->used && place->host == host)
            *place = (xt_session_entry){.used = 0};
    }
    table->n_changes++;
}

static void learn(xt_session_table *table, uint64_t host, uint32_t ses, const xt_event *event)
{
    uint64_t n = table->n_changes;
    xt_session_table_put(table, host, ses, xt_event_bytes(event, XT_F_FROM), false);
    if (table->n_changes > n)
        find(table, host, ses)->time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);
}

int xt_session_table_apply(xt_session_table *table, xt_event *event, xt_arena *arena)
{
    uint64_t ses = xt_event_num(event, XT_F_SES, UINT32_MAX);
    xt_slice action = xt_event_bytes(event, XT_F_ACTION);
    uint64_t host = xt_slice_hash(xt_event_bytes(event, XT_F_HOST_ID));
    if (xt_slice_eq(action, XT_S("booted-system")))
        forget_host(table, host);
    if (ses >= UINT32_MAX)
        return 0;
    if (xt_slice_eq(action, XT_S("changed-login-id")))
        forget(table, host, (uint32_t)ses, (int64_t)xt_event_num(event, XT_F_TIME, 0));
    if (xt_event_has(event, XT_F_FROM)) {
        if (opens_session(event))
            learn(table, host, (uint32_t)ses, event);
        return 0;
    }
    xt_session_entry *place = find(table, host, (uint32_t)ses);
    if (!place)
        return 0;
    place->used = ++table->clock;
    xt_slice copy = xt_arena_copy(arena, xt_slice_str(place->address));
    if (!copy.p)
        return xt_error_origin(-ENOMEM);
    xt_event_set_bytes(event, XT_F_FROM, copy);
    return place->is_inferred ? XT_SESSION_E_INFERRED : 0;
}

const xt_session_entry *xt_session_table_next(const xt_session_table *table, size_t *i)
{
    for (; *i < XT_SESSION_MAX; (*i)++) {
        const xt_session_entry *place = &table->places[*i / WAYS][*i % WAYS];
        if (place->used) {
            (*i)++;
            return place;
        }
    }
    return NULL;
}

uint64_t xt_session_table_changes(const xt_session_table *table)
{
    return table->n_changes;
}
