/*
 * How it works: a kind is the hash of an event without the fields that differ from one process to the next. A table of a few
 * hundred is searched through: this runs on a host in trouble only. The oldest kind of which nothing is counted makes room.
 */
#include "agent/flood.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define MAX_SAMPLE 65536

typedef struct flood_kind {
    uint64_t hash;
    int64_t since_ms; /* monotonic; when this turn of XT_FLOOD_MS began; 0: the place is free */
    unsigned n_passed;
    uint64_t n_counted, first_ms, last_ms; /* wall times of the events */
    xt_buf sample;
} flood_kind;

struct xt_flood {
    flood_kind kinds[XT_FLOOD_KINDS];
    uint64_t n_counted;
    xt_buf scratch;
};

static const xt_field varying[] = {XT_F_TIME,          XT_F_SERIAL, XT_F_EVENT_ID,      XT_F_PID,
                                   XT_F_PPID,          XT_F_OF,     XT_F_PARENT_ENTITY, XT_F_ENTITY,
                                   XT_F_LEADER_ENTITY, XT_F_LEADER, XT_F_DURATION};

int xt_flood_new(xt_flood **ret)
{
    xt_flood *flood = calloc(1, sizeof *flood);
    if (!flood)
        return xt_error_origin(-ENOMEM);
    *ret = flood;
    return 0;
}

xt_flood *xt_flood_free(xt_flood *flood)
{
    if (!flood)
        return NULL;
    for (unsigned i = 0; i < XT_FLOOD_KINDS; i++)
        xt_buf_fini(&flood->kinds[i].sample);
    xt_buf_fini(&flood->scratch);
    free(flood);
    return NULL;
}

static void strip(xt_event *event)
{
    for (size_t i = 0; i < XT_COUNT_OF(varying); i++)
        xt_field_set_remove(&event->present, varying[i]);
}

/* The kind's place, or one for it; NULL: there is none. */
static flood_kind *kind_of(xt_flood *flood, uint64_t hash, int64_t now_ms)
{
    flood_kind *best = NULL;
    for (unsigned i = 0; i < XT_FLOOD_KINDS; i++) {
        flood_kind *k = &flood->kinds[i];
        if (k->since_ms && k->hash == hash)
            return k;
        if (k->n_counted == 0 && (!best || k->since_ms < best->since_ms))
            best = k;
    }
    if (best) {
        best->hash = hash;
        best->since_ms = now_ms;
        best->n_passed = 0;
    }
    return best;
}

bool xt_flood_take(xt_flood *flood, xt_slice bytes, int64_t now_ms)
{
    xt_event event;
    if (bytes.n > MAX_SAMPLE || xt_event_decode(bytes, &event, NULL) != 0)
        return false;
    xt_slice action = xt_event_bytes(&event, XT_F_ACTION);
    if (!xt_slice_eq(action, XT_S("executed")) && !xt_slice_eq(action, XT_S("exited")))
        return false;
    uint64_t ms = xt_event_num(&event, XT_F_TIME, 0);
    strip(&event);
    xt_buf_reset(&flood->scratch);
    xt_event_encode(&event, &flood->scratch);
    flood_kind *k =
        xt_buf_done(&flood->scratch) == 0 ? kind_of(flood, xt_slice_hash(xt_buf_slice(&flood->scratch)), now_ms) : NULL;
    if (!k)
        return false;
    if (k->n_counted == 0 && now_ms - k->since_ms >= XT_FLOOD_MS) {
        k->since_ms = now_ms;
        k->n_passed = 0;
    }
    if (k->n_passed < XT_FLOOD_PASS) {
        k->n_passed++;
        return false;
    }
    if (k->n_counted == 0) {
        xt_buf_reset(&k->sample);
        xt_buf_put(&k->sample, xt_buf_slice(&flood->scratch));
        if (xt_buf_done(&k->sample) < 0)
            return false;
        k->first_ms = k->last_ms = ms;
    }
    k->first_ms = ms < k->first_ms ? ms : k->first_ms;
    k->last_ms = ms > k->last_ms ? ms : k->last_ms;
    k->n_counted++;
    flood->n_counted++;
    return true;
}

static void put_summary(const flood_kind *k, xt_buf *out)
{
    xt_event event;
    xt_hash128 id;
    char digits[33], text[200];
    xt_buf message = XT_BUF_ON(text);
    if (xt_event_decode(xt_buf_slice(&k->sample), &event, NULL) != 0)
        return; /* it was encoded here */
    xt_slice reason = xt_event_bytes(&event, XT_F_ACTION);
    if (getrandom(id.b, sizeof id.b, 0) != sizeof id.b)
        id = xt_slice_hash128(xt_slice_of(k, sizeof *k));
    xt_hash128_format(id, digits);
    xt_buf_printf(
        &message,
        "%llu times the same, beside the first %d: they are counted, not told one by one, while the spool is over half",
        (unsigned long long)k->n_counted, XT_FLOOD_PASS);
    xt_event_set_bytes(&event, XT_F_EVENT_ID, xt_slice_of(digits, 32));
    xt_event_set_bytes(&event, XT_F_REASON, reason);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("flood"));
    xt_event_set_bytes(&event, XT_F_MESSAGE, xt_buf_slice(&message));
    xt_event_set_num(&event, XT_F_TIME, k->last_ms);
    xt_event_set_num(&event, XT_F_START, k->first_ms);
    xt_event_set_num(&event, XT_F_COUNT, k->n_counted);
    xt_event_batch_put(out, &event);
}

unsigned xt_flood_put(xt_flood *flood, int64_t now_ms, bool all, xt_buf *out)
{
    unsigned n = 0;
    for (unsigned i = 0; i < XT_FLOOD_KINDS; i++) {
        flood_kind *k = &flood->kinds[i];
        if (k->n_counted == 0 || !(all || now_ms - k->since_ms >= XT_FLOOD_MS))
            continue;
        put_summary(k, out);
        n++;
        k->n_counted = 0;
        k->n_passed = 0;
        k->since_ms = now_ms;
    }
    return n;
}

uint64_t xt_flood_counted(const xt_flood *flood)
{
    return flood->n_counted;
}
