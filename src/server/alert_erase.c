/*
 * Only events that rules matched have alerts, and those carry the rules' ids: no other row is looked at. Transactions are
 * short, so that the writer, who writes alerts meanwhile, does not wait long.
 */
#include "server/alert_erase.h"

#include <errno.h>

#include "server/alerts.h"
#include "server/app_parts.h"

enum {
    EVENT_BYTES = 128 << 20,
    TRANSACTION_EVENTS = 128,
};

typedef struct alert_erasing {
    xt_app *app;
    xt_scan_reader *reader;
    xt_arena arena;
    unsigned n_events; /* in the transaction that is open; 0: none is */
    uint64_t *n_alerts;
    xt_problem *problem;
} alert_erasing;

static int folding_drop(alert_erasing *e, xt_slice rule, xt_slice event_id)
{
    xt_hash128 pair = xt_alert_pair(rule, event_id);

    return xt_error_trace(xt_state_run(e->app->state, e->problem, NULL, "DELETE FROM folded WHERE pair = ?", "b",
                                       xt_slice_of((const char *)pair.b, XT_ALERT_PAIR_BYTES)));
}

/* The alert that counts the event has one less; where that was the last one it goes. */
static int alert_count_down(alert_erasing *e, const xt_event *event, xt_slice rule, xt_slice event_id)
{
    int64_t n = 0;
    char key[33];

    xt_alert_key(event, rule, key);
    int r = xt_state_run(e->app->state, e->problem, NULL,
                         "UPDATE alerts SET count = count - 1 WHERE id = (SELECT id FROM alerts WHERE dedupe = ?1"
                         " AND first_ms <= ?2 AND last_ms >= ?2 ORDER BY event_id = ?3 DESC, last_ms LIMIT 1)",
                         "zis", key, (int64_t)xt_event_num(event, XT_F_TIME, 0), event_id);
    if (r == 0)
        r = xt_state_run(e->app->state, e->problem, &n,
                         "DELETE FROM alerts WHERE dedupe = ? AND count <= 0 AND event_id <> ''", "z", key);
    if (r == 0) /* counted already, when they lost their document */
        r = xt_state_run(e->app->state, e->problem, NULL, "DELETE FROM alerts WHERE dedupe = ? AND count <= 0", "z",
                         key);
    *e->n_alerts += (uint64_t)n;
    return xt_error_trace(r);
}

/* A message may be about the event though the alert's document is another one's: it raised the level. */
static int event_erase(alert_erasing *e, const xt_event *event)
{
    xt_slice event_id = xt_event_bytes(event, XT_F_EVENT_ID), rule;
    xt_list_iter rules = xt_list_iterate(xt_event_bytes(event, XT_F_RULES));
    int64_t n = 0;
    int r = 0;

    while (r == 0 && xt_list_next(&rules, &rule)) {
        r = folding_drop(e, rule, event_id);
        if (r == 0)
            r = alert_count_down(e, event, rule, event_id);
    }
    if (r == 0)
        r = xt_state_run(e->app->state, e->problem, NULL, "DELETE FROM outbox WHERE instr(body, CAST(? AS BLOB)) > 0",
                         "s", event_id);
    if (r == 0)
        r = xt_state_run(e->app->state, e->problem, &n,
                         "UPDATE alerts SET document = x'', event_id = '', user = '' WHERE event_id = ?", "s",
                         event_id);
    *e->n_alerts += (uint64_t)n;
    return xt_error_trace(r);
}

static int transaction_end(alert_erasing *e, int r)
{
    if (e->n_events == 0)
        return r;
    e->n_events = 0;
    return xt_state_end(e->app->state, r, e->problem);
}

static int row_erase(alert_erasing *e, uint32_t row)
{
    static const xt_field stored[] = {XT_F_TIME, XT_F_SERIAL, XT_F_EVENT_ID,  XT_F_HOST_ID,
                                      XT_F_PPID, XT_F_RULES,  XT_F_PARENT_EXE};
    xt_field_set fields = {{0, 0}}, wanted = {{0, 0}};
    xt_event event;

    xt_arena_reset(&e->arena);
    for (size_t i = 0; i < XT_COUNT_OF(stored); i++)
        xt_field_set_add(&fields, stored[i]);
    xt_field_set_add(&wanted, XT_F_EVENT_ID);
    int r = xt_scan_event(e->reader, row, fields, &e->arena, &event, e->problem);
    if (r == 0)
        r = xt_event_derive(&event, wanted, &e->arena);
    if (r == 0 && e->n_events == 0)
        r = xt_state_begin(e->app->state, e->problem);
    if (r != 0)
        return r;
    e->n_events++;
    r = event_erase(e, &event);
    return r < 0 || e->n_events == TRANSACTION_EVENTS ? transaction_end(e, r) : 0;
}

static int part_erase(alert_erasing *e, xt_scan *scan, size_t part, const uint64_t *mask)
{
    uint32_t n_rows = xt_scan_zone(scan, part)->n_rows;
    const xt_column *rules;
    uint64_t any = 0;

    for (uint32_t w = 0; w < (n_rows + 63) / 64; w++)
        any |= mask[w];
    if (!any)
        return 0;
    xt_scan_reader_begin(e->reader, part);
    int r = xt_scan_column(e->reader, XT_F_RULES, &rules, e->problem);
    for (uint32_t row = 0; r == 0 && rules->kind == XT_COLUMN_CODES && row < n_rows; row++)
        if (mask[row / 64] >> row % 64 & 1 && rules->codes[row])
            r = row_erase(e, row);
    return transaction_end(e, r);
}

int xt_alerts_erase(xt_app *app, xt_scan *scan, uint64_t *const *masks, uint64_t *n_alerts, xt_problem *reterr_problem)
{
    alert_erasing e = {.app = app, .reader = xt_scan_reader_new(scan), .n_alerts = n_alerts, .problem = reterr_problem};
    int r = e.reader ? 0 : xt_error_origin(-ENOMEM);

    xt_arena_init(&e.arena, EVENT_BYTES);
    for (size_t i = 0; i < xt_scan_parts(scan) && r == 0; i++)
        r = part_erase(&e, scan, i, masks[i]);
    xt_arena_fini(&e.arena);
    xt_scan_reader_free(e.reader);
    return r;
}
