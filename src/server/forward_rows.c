#include "server/forward_rows.h"

#include <errno.h>

enum {
    NAME,
    QUERY,
    TARGET,
    CA,
    CERT,
    KEY,
    BEARER,
    HEADERS,
    N_TEXTS,
};

static uint64_t number(sqlite3_stmt *stmt, int *column)
{
    return (uint64_t)sqlite3_column_int64(stmt, (*column)++);
}

static void read_spec(sqlite3_stmt *stmt, xt_forward_spec *ret)
{
    const char *texts[N_TEXTS];
    int c = 0;

    for (; c < N_TEXTS; c++)
        texts[c] = (const char *)sqlite3_column_text(stmt, c);
    *ret = (xt_forward_spec){.name = texts[NAME],
                             .query = texts[QUERY],
                             .target = texts[TARGET],
                             .ca = texts[CA],
                             .cert = texts[CERT],
                             .key = texts[KEY],
                             .bearer_file = texts[BEARER],
                             .headers_file = texts[HEADERS]};
    ret->alerts = number(stmt, &c);
    ret->bulk = number(stmt, &c);
    ret->gzip = number(stmt, &c);
    ret->format = (xt_forward_format)number(stmt, &c);
    ret->rotate_bytes = number(stmt, &c);
    ret->n_keep = (unsigned)number(stmt, &c);
}

static void read_state(sqlite3_stmt *stmt, xt_forward_state *ret)
{
    int c = N_TEXTS + 6;

    ret->paused = number(stmt, &c);
    ret->at.arrival = number(stmt, &c);
    ret->at.upto = number(stmt, &c);
    ret->at.base = number(stmt, &c);
    ret->at.n_seen = number(stmt, &c);
    ret->at.segment = number(stmt, &c);
    ret->at.row = number(stmt, &c);
    ret->at.n_gone = number(stmt, &c);
    ret->n_sent = number(stmt, &c);
    ret->n_bytes = number(stmt, &c);
    ret->n_refused = number(stmt, &c);
    ret->n_cut = number(stmt, &c);
    ret->n_textless = number(stmt, &c);
    ret->sent_ms = sqlite3_column_int64(stmt, c++);
    ret->event_ms = sqlite3_column_int64(stmt, c);
}

int xt_forward_rows_each(xt_state *state,
                         int (*each)(void *context, const xt_forward_spec *spec, const xt_forward_state *at),
                         void *context, xt_problem *reterr_problem)
{
    sqlite3_stmt *stmt = NULL;
    xt_forward_spec spec;
    xt_forward_state at;
    int r;

    xt_state_lock(state);
    r = xt_state_select(state, reterr_problem, &stmt,
                        "SELECT name, query, target, ca, cert, key, bearer_file, headers_file, alerts, bulk, gzip,"
                        " format, rotate_bytes, n_keep, paused, arrival, upto, base, n_seen, segment, row, n_gone,"
                        " n_sent, n_bytes, n_refused, n_cut, n_textless, sent_ms, event_ms FROM forwards ORDER BY name",
                        "");
    while (r == 0 && (r = xt_state_next(state, stmt, reterr_problem)) == 1) {
        read_spec(stmt, &spec);
        read_state(stmt, &at);
        r = each(context, &spec, &at);
    }
    xt_state_finish(&stmt);
    xt_state_unlock(state);
    return xt_error_trace(r);
}

int xt_forward_row_put(xt_state *state, const xt_forward_spec *spec, int64_t made_ms, xt_problem *reterr_problem)
{
    return xt_error_trace(xt_state_run(
        state, reterr_problem, NULL,
        "INSERT INTO forwards(name, query, target, ca, cert, key, bearer_file, headers_file, alerts, bulk,"
        " gzip, format, rotate_bytes, n_keep, made_ms) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "zzzzzzzziiiiiii", spec->name, spec->query, spec->target, spec->ca, spec->cert, spec->key, spec->bearer_file,
        spec->headers_file, (int64_t)spec->alerts, (int64_t)spec->bulk, (int64_t)spec->gzip, (int64_t)spec->format,
        (int64_t)spec->rotate_bytes, (int64_t)spec->n_keep, made_ms));
}

int xt_forward_row_save(xt_state *state, const char *name, const xt_forward_state *at, xt_problem *reterr_problem)
{
    const xt_follow_position *p = &at->at;

    return xt_error_trace(xt_state_run(
        state, reterr_problem, NULL,
        "UPDATE forwards SET paused = ?, arrival = ?, upto = ?, base = ?, n_seen = ?, segment = ?, row = ?, n_gone = ?,"
        " n_sent = ?, n_bytes = ?, n_refused = ?, n_cut = ?, n_textless = ?, sent_ms = ?, event_ms = ? WHERE name = ?",
        "iiiiiiiiiiiiiiiz", (int64_t)at->paused, (int64_t)p->arrival, (int64_t)p->upto, (int64_t)p->base,
        (int64_t)p->n_seen, (int64_t)p->segment, (int64_t)p->row, (int64_t)p->n_gone, (int64_t)at->n_sent,
        (int64_t)at->n_bytes, (int64_t)at->n_refused, (int64_t)at->n_cut, (int64_t)at->n_textless, at->sent_ms,
        at->event_ms, name));
}

int xt_forward_row_remove(xt_state *state, const char *name, xt_problem *reterr_problem)
{
    return xt_error_trace(xt_state_run(state, reterr_problem, NULL, "DELETE FROM forwards WHERE name = ?", "z", name));
}
