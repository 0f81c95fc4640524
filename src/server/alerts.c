/*
 * One event and one rule at a time, inside the transaction of a commit: told before? else folded into an alert that is still
 * open, or a new one; and a message where a person should hear of it.
 */
#include "server/alerts.h"

#include <errno.h>

#include "base/json_out.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "server/alert_document.h"
#include "server/app_parts.h"
#include "server/secret.h"

enum {
    WINDOW_MS = 10 * 60 * 1000,
    SUMMARY_BYTES = 400,
};

void xt_alert_key(const xt_event *event, xt_slice rule_id, char ret[static 33])
{
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT;
    xt_slice parent = xt_event_bytes(event, XT_F_PARENT_EXE);

    xt_buf_put_block(&key, xt_event_bytes(event, XT_F_HOST_ID));
    xt_buf_put_block(&key, rule_id);
    if (parent.n)
        xt_buf_put_block(&key, parent);
    else
        xt_buf_put_dec(&key, xt_event_num(event, XT_F_PPID, 0));
    xt_hash128_format(xt_slice_hash128(xt_buf_slice(&key)), ret);
}

static void user_of(const xt_event *event, char *ret, size_t n)
{
    xt_slice name = xt_event_bytes(event, XT_F_LOGIN);

    if (!name.n)
        name = xt_event_bytes(event, XT_F_USER);
    xt_text_copy(ret, n, name);
    if (!name.n && xt_event_has(event, XT_F_UID)) {
        xt_buf number = XT_BUF_INIT;
        xt_buf_put_dec(&number, xt_event_num(event, XT_F_UID, 0));
        xt_text_copy(ret, n, xt_buf_slice(&number));
        xt_buf_fini(&number);
    }
}

/* What an alert of this event looks like when it is the first, but for its document. */
static int fresh(xt_event *event, const xt_match *match, xt_arena *arena, xt_alert *ret)
{
    xt_field_set wanted = {{0, 0}};
    int r;

    xt_field_set_add(&wanted, XT_F_EVENT_ID);
    r = xt_event_derive(event, wanted, arena);
    if (r)
        return xt_error_trace(r);
    *ret = (xt_alert){.count = 1, .status = "open"};
    ret->first_ms = ret->last_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    xt_text_copy(ret->rule_id, sizeof ret->rule_id, match->rule->id);
    xt_text_copy(ret->rule_title, sizeof ret->rule_title, match->rule->title);
    xt_text_copy(ret->host, sizeof ret->host, xt_event_bytes(event, XT_F_HOST));
    xt_text_copy(ret->level, sizeof ret->level, xt_slice_str(xt_level_name(match->level)));
    xt_text_copy(ret->event_id, sizeof ret->event_id, xt_event_bytes(event, XT_F_EVENT_ID));
    user_of(event, ret->user, sizeof ret->user);
    return 0;
}

/* Only for who is told of the alert: of a thousand events that are folded one is. */
static int document_make(xt_event *event, const xt_match *match, xt_arena *arena, xt_buf *document, xt_alert *alert)
{
    xt_field_set wanted = {{0, 0}};

    xt_field_set_add(&wanted, XT_F_CMD);
    int r = xt_event_derive(event, wanted, arena);
    if (r == 0)
        r = xt_match_json(match, event, arena, document);
    alert->document = xt_buf_slice(document);
    return xt_error_trace(r);
}

/* The alert not closed that this event belongs to; id 0: there is none. */
static int find_open(xt_app *app, const char *key, xt_alert *alert, int64_t *ret_level, xt_problem *reterr_problem)
{
    enum { ID, FIRST_MS, LAST_MS, COUNT, LEVEL, IS_OPEN, N };
    int64_t found[N] = {0};
    int r = xt_state_numbers(app->state, reterr_problem, found, N,
                             "SELECT id, first_ms, last_ms, count, level, status = 'open' FROM alerts WHERE dedupe = ?1"
                             " AND event_id <> '' AND status <> 'closed' AND first_ms - ?3 <= ?2 AND last_ms + ?3 >= ?2"
                             " ORDER BY last_ms DESC LIMIT 1",
                             "zii", key, alert->first_ms, (int64_t)WINDOW_MS);

    if (r < 0 || !found[ID])
        return xt_error_trace(r);
    alert->id = (uint64_t)found[ID];
    alert->first_ms = found[FIRST_MS] < alert->first_ms ? found[FIRST_MS] : alert->first_ms;
    alert->last_ms = found[LAST_MS] > alert->last_ms ? found[LAST_MS] : alert->last_ms;
    alert->count = (uint64_t)found[COUNT] + 1;
    *ret_level = found[LEVEL];
    xt_text_copy(alert->status, sizeof alert->status, found[IS_OPEN] ? XT_S("open") : XT_S("acknowledged"));
    return 0;
}

static void summary(const xt_alert *alert, const xt_event *event, xt_buf *out)
{
    char text[SUMMARY_BYTES];
    xt_buf line = XT_BUF_ON(text);

    xt_buf_printf(&line, "[%s] ", alert->level);
    (void)xt_text_visible_head(&line, xt_slice_str(alert->rule_title));
    (void)xt_text_visible_head(&line, XT_S(" on "));
    (void)xt_text_visible_head(&line, xt_slice_str(alert->host));
    (void)xt_text_visible_head(&line, XT_S(": "));
    (void)xt_text_visible_head(&line, xt_slice_str(alert->user));
    (void)xt_text_visible_head(&line, XT_S(": "));
    (void)xt_text_visible_head(&line, xt_event_bytes(event, XT_F_CMD));
    xt_buf_put(out, xt_buf_slice(&line));
}

static void json_time(xt_json *json, const char *key, int64_t t_ms)
{
    char text[25];

    xt_timestamp_format(t_ms, text);
    xt_json_field_string(json, key, xt_slice_str(text));
}

void xt_alert_json(const xt_alert *alert, xt_buf *out)
{
    xt_json json = xt_json_to(out);

    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "id", alert->id);
    xt_json_field_string(&json, "status", xt_slice_str(alert->status));
    xt_json_field_string(&json, "level", xt_slice_str(alert->level));
    xt_json_field_u64(&json, "count", alert->count);
    json_time(&json, "first", alert->first_ms);
    json_time(&json, "last", alert->last_ms);
    xt_json_key(&json, XT_S("rule"));
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "id", xt_slice_str(alert->rule_id));
    xt_json_field_string(&json, "name", xt_slice_str(alert->rule_title));
    xt_json_object_end(&json);
    xt_json_field_string(&json, "host", xt_slice_str(alert->host));
    xt_json_field_string(&json, "user", xt_slice_str(alert->user));
    xt_json_field_string(&json, "event_id", xt_slice_str(alert->event_id));
    xt_json_field_string(&json, "acknowledged_by", xt_slice_str(alert->acked_by));
    xt_json_key(&json, XT_S("event"));
    if (alert->document.n)
        xt_json_raw(&json, alert->document);
    else
        xt_json_null(&json);
    xt_json_object_end(&json);
}

static int notify(xt_app *app, const xt_alert *alert, const xt_event *event, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf body = XT_BUF_INIT, text = XT_BUF_INIT, inner = XT_BUF_INIT;
    xt_json json = xt_json_to(&body);

    summary(alert, event, &text);
    xt_alert_json(alert, &inner);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "text", xt_buf_slice(&text));
    xt_json_key(&json, XT_S("alert"));
    xt_json_raw(&json, xt_buf_slice(&inner));
    xt_json_object_end(&json);
    if (xt_buf_done(&body) || xt_buf_done(&text) || xt_buf_done(&inner))
        return xt_error_origin(-ENOMEM);
    return xt_error_trace(xt_outbox_put(app->outbox, alert->id, xt_buf_slice(&body), reterr_problem));
}

/* Gives it the next number of those that somebody should hear of; forwards go by it. */
static int tell(xt_app *app, uint64_t alert_id, xt_problem *reterr_problem)
{
    int r = xt_state_run(app->state, reterr_problem, NULL,
                         "INSERT INTO meta(name, value) VALUES('alerts_told', (SELECT coalesce(max(told), 0) + 1 FROM"
                         " alerts)) ON CONFLICT(name) DO UPDATE SET value = value + 1",
                         "");

    if (r == 0)
        r = xt_state_run(app->state, reterr_problem, NULL,
                         "UPDATE alerts SET told = (SELECT value FROM meta WHERE name = 'alerts_told') WHERE id = ?",
                         "i", (int64_t)alert_id);
    return xt_error_trace(r);
}

static int insert(xt_app *app, const char *key, xt_alert *alert, xt_level level, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf packed = XT_BUF_INIT;
    int r = xt_alert_document_pack(alert->document, &packed);

    if (r)
        return xt_error_trace(r);
    r = xt_state_run(app->state, reterr_problem, NULL,
                     "INSERT INTO alerts(dedupe, first_ms, last_ms, count, status, rule_id, rule_title, host, user,"
                     " level, event_id, document) VALUES(?,?,?,1,'open',?,?,?,?,?,?,?)",
                     "ziizzzzizb", key, alert->first_ms, alert->last_ms, alert->rule_id, alert->rule_title, alert->host,
                     alert->user, (int64_t)level, alert->event_id, xt_buf_slice(&packed));
    if (r == 0)
        alert->id = (uint64_t)xt_state_last_id(app->state);
    return xt_error_trace(r);
}

static int fold(xt_app *app, xt_alert *alert, xt_level level, bool rises, xt_problem *reterr_problem)
{
    if (rises)
        xt_text_copy(alert->status, sizeof alert->status, XT_S("open"));
    return xt_error_trace(xt_state_run(app->state, reterr_problem, NULL,
                                       "UPDATE alerts SET first_ms = ?, last_ms = ?, count = ?, status = ?,"
                                       " level = max(level, ?) WHERE id = ?",
                                       "iiizii", alert->first_ms, alert->last_ms, (int64_t)alert->count, alert->status,
                                       (int64_t)level, (int64_t)alert->id));
}

xt_hash128 xt_alert_pair(xt_slice rule_id, xt_slice event_id)
{
    xt_hash128 pair = xt_slice_hash128(rule_id), event = xt_slice_hash128(event_id);

    for (size_t i = 0; i < sizeof pair.b; i++)
        pair.b[i] ^= event.b[i];
    return pair;
}

/* false: this rule has been told of this event before. */
static int first_time(xt_app *app, const xt_alert *alert, bool *ret, xt_problem *reterr_problem)
{
    xt_hash128 pair = xt_alert_pair(xt_slice_str(alert->rule_id), xt_slice_str(alert->event_id));
    int64_t n = 0;
    int r = xt_state_run(app->state, reterr_problem, &n, "INSERT OR IGNORE INTO folded(pair, made_ms) VALUES(?,?)",
                         "bi", xt_slice_of((const char *)pair.b, XT_ALERT_PAIR_BYTES), xt_clock_wall_ms(app->clock));
    *ret = n > 0;
    return xt_error_trace(r);
}

int xt_alerts_raise(xt_app *app, xt_event *event, const xt_match *match, xt_arena *arena, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf document = XT_BUF_INIT;
    xt_alert alert;
    char key[33];
    bool first = false;
    int64_t level = -1;
    int r = fresh(event, match, arena, &alert);

    if (r == 0)
        r = first_time(app, &alert, &first, reterr_problem);
    if (r || !first)
        return xt_error_trace(r);
    xt_alert_key(event, match->rule->id, key);
    r = find_open(app, key, &alert, &level, reterr_problem);
    if (r)
        return xt_error_trace(r);
    bool rises = (int64_t)match->level > level;
    if (!alert.id || rises)
        r = document_make(event, match, arena, &document, &alert);
    if (r)
        return xt_error_trace(r);
    r = alert.id ? fold(app, &alert, match->level, rises, reterr_problem)
                 : insert(app, key, &alert, match->level, reterr_problem);
    if (r == 0 && rises)
        r = tell(app, alert.id, reterr_problem);
    if (r == 0 && rises)
        r = notify(app, &alert, event, reterr_problem);
    return xt_error_trace(r);
}
