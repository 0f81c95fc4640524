/*
 * Rows of many hosts stand in one segment, and stay for different times. A segment is looked at when a row of it may have
 * expired: by its least time first, then by the columns of host and time, which are two of many. What was found is
 * remembered as the time at which there is something to do at the earliest, so that a look costs nothing until then.
 *
 * Rewriting costs as much as all of the segment's rows that stay, so it waits until half of them can go: then the work of
 * all rewritings of a row is at most that of one more. What waits for the other half must not wait for ever: a tenth of
 * its age is what the one limit allows on top of the other.
 *
 * Rows that a hold keeps do not count as expired: else a segment of them would be looked at, and rewritten for a few
 * others, again and again.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/store_pace.h"
#include "store/store_replace.h"

#define LOOK_AGAIN_MS  INT64_C(86400000) /* where more and more expires, or nobody can tell */
#define LATE_PART      10
#define READS_A_CALL   8
#define NEVER_MS       INT64_MAX
#define VALUE_MAX_SIZE (16u << 20)

typedef struct xt_age_look {
    uint64_t id;
    unsigned version, n_hold_changes;
    int64_t at_ms; /* not before */
} xt_age_look;

/* One call. */
typedef struct ages_call {
    xt_store *store;
    const xt_store_ages *ages;
    const xt_store_choice *held;
    unsigned n_hold_changes;
    int64_t now_ms;
    xt_problem *problem;
} ages_call;

/* What is found of a segment's rows. */
typedef struct ageing {
    const xt_store_ages *ages;
    xt_scan_reader *reader;
    xt_arena arena;   /* host ids */
    int64_t *by_code; /* ages by host's code in the segment's dictionary; -1: not asked yet */
    const uint64_t *held;
    uint64_t *expired;
    int64_t now_ms, made_ms;
    uint64_t n_expired;
    int64_t next_ms; /* when the next one expires */
    int64_t late_ms; /* when the first one is a tenth too old */
    xt_problem *problem;
} ageing;

/* ------------------------------------------------------------------------------------------------ looks */

static xt_age_look *look_find(xt_store *store, uint64_t id)
{
    for (size_t i = 0; i < store->n_age_looks; i++)
        if (store->age_looks[i].id == id)
            return &store->age_looks[i];
    return NULL;
}

static bool is_due(const ages_call *call, uint64_t id)
{
    const xt_age_look *look = look_find(call->store, id);

    return !look || look->version != call->ages->version || look->n_hold_changes != call->n_hold_changes ||
           look->at_ms <= call->now_ms;
}

static int look_set(const ages_call *call, uint64_t id, int64_t at_ms)
{
    xt_store *store = call->store;
    xt_age_look *look = look_find(store, id);

    if (!look) {
        xt_age_look *looks = reallocarray(store->age_looks, store->n_age_looks + 1, sizeof *looks);
        if (!looks)
            return xt_error_origin(-ENOMEM);
        store->age_looks = looks;
        look = &looks[store->n_age_looks++];
    }
    *look = (xt_age_look){id, call->ages->version, call->n_hold_changes, at_ms};
    return 0;
}

/* Forgets the segments that are gone. */
static void looks_prune(xt_store *store, const xt_picture *picture)
{
    size_t n = 0;

    if (store->n_age_looks <= 2 * picture->segments->n)
        return;
    for (size_t i = 0; i < store->n_age_looks; i++)
        for (size_t k = 0; k < picture->segments->n; k++)
            if (xt_segment_info_get(picture->segments->items[k])->id == store->age_looks[i].id) {
                store->age_looks[n++] = store->age_looks[i];
                break;
            }
    store->n_age_looks = n;
}

/* ------------------------------------------------------------------------------------------------ rows */

/* The age of the host of a code (0: of none); -1 and *ret_r: that could not be read. */
static int64_t age_of(ageing *a, const xt_column *hosts, uint32_t local, int *ret_r)
{
    xt_slice id = XT_S("");

    if (local == 0)
        return a->ages->of_host(a->ages->context, id);
    uint32_t code = hosts->values ? hosts->values[local - 1] : local - 1;
    if (a->by_code[code] < 0) {
        xt_arena_reset(&a->arena);
        *ret_r = xt_dict_entry(a->reader, hosts->dict, code, &a->arena, &id, a->problem);
        if (*ret_r != 0)
            return -1;
        a->by_code[code] = a->ages->of_host(a->ages->context, id);
    }
    return a->by_code[code];
}

static void row_note(ageing *a, uint64_t row, int64_t time_ms, int64_t age_ms)
{
    /* A host's clock may be ahead, or it told no time: the server's own says at most when. */
    int64_t born_ms = time_ms > 0 && time_ms < a->made_ms ? time_ms : a->made_ms;
    int64_t end_ms = born_ms + age_ms, late_ms = end_ms + age_ms / LATE_PART;

    a->late_ms = late_ms < a->late_ms ? late_ms : a->late_ms;
    if (end_ms > a->now_ms) {
        a->next_ms = end_ms < a->next_ms ? end_ms : a->next_ms;
        return;
    }
    a->expired[row / 64] |= UINT64_C(1) << row % 64;
    a->n_expired++;
}

static int part_note(ageing *a, const xt_scan *scan, size_t part)
{
    const xt_column *hosts, *times;
    uint64_t first = (uint64_t)xt_scan_group(scan, part) * XT_STORE_GROUP_ROWS;

    xt_scan_reader_begin(a->reader, part);
    int r = xt_scan_column(a->reader, XT_F_HOST_ID, &hosts, a->problem);
    if (r == 0)
        r = xt_scan_column(a->reader, XT_F_TIME, &times, a->problem);
    if (r == 0 && !a->by_code && hosts->kind == XT_COLUMN_CODES) {
        a->by_code = malloc((size_t)hosts->dict->n * sizeof *a->by_code);
        for (uint32_t i = 0; a->by_code && i < hosts->dict->n; i++)
            a->by_code[i] = -1;
        r = a->by_code ? 0 : xt_error_origin(-ENOMEM);
    }
    for (uint32_t row = 0; r == 0 && row < xt_scan_zone(scan, part)->n_rows; row++) {
        uint64_t at = first + row;
        if (a->held && a->held[at / 64] >> at % 64 & 1)
            continue;
        int64_t age = age_of(a, hosts, hosts->kind == XT_COLUMN_CODES ? hosts->codes[row] : 0, &r);
        if (age > 0)
            row_note(a, at, times->kind == XT_COLUMN_NUMBERS ? (int64_t)times->numbers[row] : 0, age);
    }
    return r;
}

static int rows_note(ageing *a, xt_store *store, xt_segment *segment)
{
    xt_scan *scan = NULL;
    int r = xt_scan_open_segment(store, segment, &scan);

    if (r < 0)
        return xt_error_trace(r);
    a->reader = xt_scan_reader_new(scan);
    xt_arena_init(&a->arena, VALUE_MAX_SIZE);
    r = a->reader ? 0 : xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < xt_scan_parts(scan) && r == 0; i++)
        r = part_note(a, scan, i);
    xt_scan_reader_free(a->reader);
    xt_scan_close(scan);
    xt_arena_fini(&a->arena);
    free(a->by_code);
    return r;
}

/* ------------------------------------------------------------------------------------------------ retiring */

static int expired_retire(const ages_call *call, xt_segment *segment, uint64_t *expired, uint64_t n_expired)
{
    uint64_t n_rows = xt_segment_info_get(segment)->n_rows;
    xt_store_pace pace = {.store = call->store, .in_background = true};
    xt_segment_steps steps = xt_store_pace_begin(&pace);

    for (uint64_t w = 0; w < (n_rows + 63) / 64; w++)
        expired[w] = ~expired[w];
    if (n_rows % 64)
        expired[n_rows / 64] &= (UINT64_C(1) << n_rows % 64) - 1;
    xt_replaced one = {.old = segment,
                       .n_keep = n_rows - n_expired,
                       .keep = expired,
                       .entered = XT_LEDGER_HELD,
                       .left = XT_LEDGER_RETIRED,
                       .n_left = n_expired};
    int r = xt_replaced_make(call->store, &one, &steps, call->problem);
    if (r == 0)
        r = xt_replaced_commit(call->store, &one, 1, NULL, call->n_hold_changes, call->problem);
    xt_replaced_fini(call->store, &one);
    return r;
}

/* *ret_done: rows went. Else *ret_at_ms: when it is to be looked at again. >0: it is damaged. */
static int rows_retire(const ages_call *call, xt_segment *segment, ageing *a, bool *ret_done, int64_t *ret_at_ms)
{
    uint64_t n_rows = xt_segment_info_get(segment)->n_rows;
    int r = rows_note(a, call->store, segment);

    if (r != 0)
        return r;
    *ret_done = a->n_expired > 0 && (a->n_expired * 2 >= n_rows || a->late_ms <= a->now_ms);
    if (*ret_done)
        return expired_retire(call, segment, a->expired, a->n_expired);
    *ret_at_ms = a->n_expired == 0 ? a->next_ms : a->now_ms + LOOK_AGAIN_MS;
    if (a->n_expired > 0 && a->late_ms < *ret_at_ms)
        *ret_at_ms = a->late_ms;
    return 0;
}

static int segment_look(const ages_call *call, xt_segment *segment, bool *ret_done)
{
    const xt_segment_info *info = xt_segment_info_get(segment);
    int64_t at_ms = call->now_ms + LOOK_AGAIN_MS;
    uint64_t *kept = call->held ? xt_store_rows_new(segment) : NULL, *expired = xt_store_rows_new(segment), n;
    ageing a = {.ages = call->ages,
                .held = kept,
                .expired = expired,
                .now_ms = call->now_ms,
                .made_ms = info->made_ms,
                .next_ms = NEVER_MS,
                .late_ms = NEVER_MS,
                .problem = call->problem};
    int r = expired && (kept || !call->held) ? 0 : xt_error_origin(-ENOMEM);

    *ret_done = false;
    if (r == 0 && call->held)
        r = xt_store_rows_choose(call->store, segment, call->held, kept, &n, call->problem);
    if (r == 0)
        r = rows_retire(call, segment, &a, ret_done, &at_ms);
    free(kept);
    free(expired);
    if (r > 0) /* it is damaged, or nobody can tell what is held: it stays */
        *ret_done = false;
    return r >= 0 && !*ret_done ? look_set(call, info->id, at_ms) : r;
}

/* Whether a row may have expired at all; else when the first one does. */
static bool may_have_expired(const ages_call *call, const xt_segment_info *info, int64_t *ret_at_ms)
{
    int64_t first_ms = info->min_ms < info->made_ms ? info->min_ms : info->made_ms;

    *ret_at_ms = first_ms + call->ages->least_ms;
    return first_ms <= 0 || *ret_at_ms <= call->now_ms;
}

static int ages_locked(const ages_call *call, bool *ret_done)
{
    xt_picture *picture = xt_picture_take(call->store);
    unsigned n_reads = 0;
    int r = 0;

    looks_prune(call->store, picture);
    for (size_t i = 0; i < picture->segments->n && r == 0 && !*ret_done && n_reads < READS_A_CALL; i++) {
        xt_segment *segment = picture->segments->items[i];
        const xt_segment_info *info = xt_segment_info_get(segment);
        int64_t at_ms;
        if (!is_due(call, info->id))
            continue;
        if (may_have_expired(call, info, &at_ms)) {
            n_reads++;
            r = segment_look(call, segment, ret_done);
        } else {
            r = look_set(call, info->id, at_ms);
        }
    }
    xt_picture_unref(picture);
    return r;
}

int xt_store_retain_ages(xt_store *store, const xt_store_ages *ages, const xt_store_choice *held,
                         xt_retire_why *ret_why, xt_problem *reterr_problem)
{
    ages_call call = {.store = store,
                      .ages = ages,
                      .held = held,
                      .n_hold_changes = atomic_load(&store->n_hold_changes),
                      .now_ms = xt_clock_wall_ms(store->clock),
                      .problem = reterr_problem};
    bool done = false;

    *ret_why = XT_RETIRE_NOT;
    if (pthread_mutex_trylock(&store->merge_lock) != 0)
        return 0;
    if (xt_store_is_full(store))
        xt_store_reserve_release(store);
    int r = ages_locked(&call, &done);
    pthread_mutex_unlock(&store->merge_lock);
    if (r == -ECANCELED) /* a hold came meanwhile: the next call asks again */
        return 0;
    if (r == 0 && done)
        *ret_why = XT_RETIRE_AGE;
    return r;
}
