/*
 * Whoever lists alerts may be slow (a client behind a thin line): rows are copied out one at a time and given out
 * without the lock.
 */
#include <errno.h>
#include <stdlib.h>

#include "server/alert_document.h"
#include "server/alerts.h"
#include "server/app_parts.h"
#include "server/secret.h"

enum { MAX_LISTED = 100000 };

#define ALERT_COLUMNS \
    "id, first_ms, last_ms, count, status, rule_id, rule_title, host, user, level, event_id, document, acked_by"

static void read_row(sqlite3_stmt *stmt, xt_alert *ret)
{
    int level = sqlite3_column_int(stmt, 9);

    *ret = (xt_alert){.id = (uint64_t)sqlite3_column_int64(stmt, 0)};
    ret->first_ms = sqlite3_column_int64(stmt, 1);
    ret->last_ms = sqlite3_column_int64(stmt, 2);
    ret->count = (uint64_t)sqlite3_column_int64(stmt, 3);
    xt_state_text(stmt, 4, ret->status, sizeof ret->status);
    xt_state_text(stmt, 5, ret->rule_id, sizeof ret->rule_id);
    xt_state_text(stmt, 6, ret->rule_title, sizeof ret->rule_title);
    xt_state_text(stmt, 7, ret->host, sizeof ret->host);
    xt_state_text(stmt, 8, ret->user, sizeof ret->user);
    if (level >= XT_LEVEL_INFORMATIONAL && level <= XT_LEVEL_CRITICAL)
        xt_text_copy(ret->level, sizeof ret->level, xt_slice_str(xt_level_name((xt_level)level)));
    xt_state_text(stmt, 10, ret->event_id, sizeof ret->event_id);
    xt_state_text(stmt, 12, ret->acked_by, sizeof ret->acked_by);
}

/* *document keeps the bytes that ret->document points to. XT_APP_E_NOT_FOUND. */
static int read_alert(xt_app *app, int64_t id, xt_buf *document, xt_alert *ret, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = NULL;
    int unpacked = 0, r;

    xt_buf_reset(document);
    xt_state_lock(app->state);
    r = xt_state_select(app->state, reterr_problem, &stmt, "SELECT " ALERT_COLUMNS " FROM alerts WHERE id = ?", "i",
                        id);
    if (r == 0)
        r = xt_state_next(app->state, stmt, reterr_problem);
    if (r == 1) {
        read_row(stmt, ret);
        unpacked = xt_alert_document_unpack(xt_sqlite_slice(stmt, 11), document);
        if (unpacked == -EIO) { /* damaged: the alert itself is still worth showing */
            xt_buf_reset(document);
            unpacked = 0;
        }
        ret->document = xt_buf_slice(document);
    }
    xt_state_finish(&stmt);
    xt_state_unlock(app->state);
    if (r < 0)
        return xt_error_trace(r);
    return r == 0 ? XT_APP_E_NOT_FOUND : xt_error_trace(unpacked);
}

static int not_found(uint64_t id, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "there is no alert %llu", (unsigned long long)id);
    xt_problem_hint(reterr_problem, "list them with: exectrail alerts list");
    return XT_APP_E_NOT_FOUND;
}

static int read_ids(xt_app *app, const char *status, int64_t limit, int64_t *ids, size_t *ret_n,
                    xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = NULL;
    size_t n = 0;
    int r;

    xt_state_lock(app->state);
    r = xt_state_select(app->state, reterr_problem, &stmt,
                        "SELECT id FROM alerts WHERE ?1 IS NULL OR status = ?1 ORDER BY last_ms DESC, id DESC LIMIT ?2",
                        "zi", status, limit);
    while (r == 0 && (r = xt_state_next(app->state, stmt, reterr_problem)) == 1) {
        ids[n++] = sqlite3_column_int64(stmt, 0);
        r = 0;
    }
    xt_state_finish(&stmt);
    xt_state_unlock(app->state);
    *ret_n = n;
    return xt_error_trace(r);
}

int xt_app_alerts_list(xt_app *app, const char *status, uint64_t limit,
                       int (*each)(void *context, const xt_alert *alert), void *context, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf document = XT_BUF_INIT;
    size_t max = limit && limit < MAX_LISTED ? (size_t)limit : MAX_LISTED, n = 0;
    int64_t *ids = malloc(max * sizeof *ids);
    xt_alert alert;
    int r = ids ? read_ids(app, status, (int64_t)max, ids, &n, reterr_problem) : xt_error_origin(-ENOMEM);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = read_alert(app, ids[i], &document, &alert, reterr_problem);
        r = r == 0 ? each(context, &alert) : r == XT_APP_E_NOT_FOUND ? 0 : r;
    }
    free(ids);
    return r;
}

enum { MAX_TOLD = 1000 };

int xt_alerts_each_told(xt_app *app, int64_t after, int64_t limit,
                        int (*each)(void *context, const xt_alert *alert, int64_t told), void *context,
                        xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf document = XT_BUF_INIT;
    int64_t ids[MAX_TOLD], told[MAX_TOLD];
    sqlite3_stmt *stmt = NULL;
    xt_alert alert;
    int n = 0, r;

    xt_state_lock(app->state);
    r = xt_state_select(app->state, reterr_problem, &stmt,
                        "SELECT id, told FROM alerts WHERE told > ? ORDER BY told LIMIT ?", "ii", after,
                        limit < MAX_TOLD ? limit : (int64_t)MAX_TOLD);
    while (r == 0 && (r = xt_state_next(app->state, stmt, reterr_problem)) == 1) {
        ids[n] = sqlite3_column_int64(stmt, 0);
        told[n++] = sqlite3_column_int64(stmt, 1);
        r = 0;
    }
    xt_state_finish(&stmt);
    xt_state_unlock(app->state);
    for (int i = 0; i < n && r == 0; i++) {
        r = read_alert(app, ids[i], &document, &alert, reterr_problem);
        r = r == 0 ? each(context, &alert, told[i]) : r == XT_APP_E_NOT_FOUND ? 0 : r;
    }
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_alerts_last_told(xt_app *app, int64_t *ret, xt_problem *reterr_problem)
{
    return xt_error_trace(
        xt_state_number(app->state, reterr_problem, ret, "SELECT value FROM meta WHERE name = 'alerts_told'", ""));
}

int xt_app_alerts_count(xt_app *app, const char *status, uint64_t *ret, xt_problem *reterr_problem)
{
    int64_t n = 0;
    int r =
        xt_state_number(app->state, reterr_problem, &n, "SELECT count(*) FROM alerts WHERE status = ?", "z", status);

    if (r == 0)
        *ret = (uint64_t)n;
    return xt_error_trace(r);
}

int xt_app_alert_get(xt_app *app, uint64_t id, int (*each)(void *context, const xt_alert *alert), void *context,
                     xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf document = XT_BUF_INIT;
    xt_alert alert;
    int r = read_alert(app, (int64_t)id, &document, &alert, reterr_problem);

    if (r == XT_APP_E_NOT_FOUND)
        return not_found(id, reterr_problem);
    return r ? xt_error_trace(r) : each(context, &alert);
}

int xt_app_alert_set(xt_app *app, uint64_t id, const char *status, const char *user, xt_problem *reterr_problem)
{
    int64_t n = 0;

    if (strcmp(status, "open") != 0 && strcmp(status, "acknowledged") != 0 && strcmp(status, "closed") != 0) {
        xt_problem_set(reterr_problem, "the status of an alert is open, acknowledged or closed");
        xt_problem_excerpt(reterr_problem, xt_slice_str(status));
        return XT_APP_E_INVALID;
    }
    int r = xt_state_run(app->state, reterr_problem, &n, "UPDATE alerts SET status = ?, acked_by = ? WHERE id = ?",
                         "zzi", status, strcmp(status, "open") == 0 || !user ? "" : user, (int64_t)id);
    if (r)
        return xt_error_trace(r);
    return n ? 0 : not_found(id, reterr_problem);
}
