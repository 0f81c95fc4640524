#include "server/host_rows.h"

enum {
    CLOSE_MS = 60000,
    ONE_ROW_MS = 3600000,
    KEPT_DAYS = 1100, /* three years */
};

#define COLUMNS                                                                                         \
    "id, name, machine_id, agent_version, boot_id, os, audit_mode, address, host_group,"                \
    " completeness, blind, enrolled_ms, last_seen_ms, last_event_ms, revoked, imported,"                \
    " n_events, enabled, audit_pid, lost, backlog, spool_batches, spool_dropped, cpu_us,"               \
    " rss_bytes, key_sha256, ca, cert_to_ms, clone_machine_id, clone_boot_id, clone_address, clone_ms," \
    " refused, refused_ms, coverage, quarantined"

static uint64_t column_u64(sqlite3_stmt *stmt, int i)
{
    return (uint64_t)sqlite3_column_int64(stmt, i);
}

static void get_host(sqlite3_stmt *stmt, xt_host *h)
{
    xt_state_text(stmt, 0, h->id, sizeof h->id);
    xt_state_text(stmt, 1, h->name, sizeof h->name);
    xt_state_text(stmt, 2, h->machine_id, sizeof h->machine_id);
    xt_state_text(stmt, 3, h->agent_version, sizeof h->agent_version);
    xt_state_text(stmt, 4, h->boot_id, sizeof h->boot_id);
    xt_state_text(stmt, 5, h->os, sizeof h->os);
    xt_state_text(stmt, 6, h->audit_mode, sizeof h->audit_mode);
    xt_state_text(stmt, 7, h->address, sizeof h->address);
    xt_state_text(stmt, 8, h->group, sizeof h->group);
    xt_state_text(stmt, 9, h->completeness, sizeof h->completeness);
    xt_state_text(stmt, 10, h->blind, sizeof h->blind);
    h->enrolled_ms = sqlite3_column_int64(stmt, 11);
    h->last_seen_ms = sqlite3_column_int64(stmt, 12);
    h->last_event_ms = sqlite3_column_int64(stmt, 13);
    h->revoked = sqlite3_column_int(stmt, 14);
    h->imported = sqlite3_column_int(stmt, 15);
}

static void get_beat(sqlite3_stmt *stmt, xt_host *h)
{
    h->n_events = column_u64(stmt, 16);
    h->enabled = column_u64(stmt, 17);
    h->audit_pid = column_u64(stmt, 18);
    h->lost = column_u64(stmt, 19);
    h->backlog = column_u64(stmt, 20);
    h->spool_batches = column_u64(stmt, 21);
    h->spool_dropped = column_u64(stmt, 22);
    h->cpu_us = column_u64(stmt, 23);
    h->rss_bytes = column_u64(stmt, 24);
    xt_coverage_get(xt_sqlite_slice(stmt, 34), &h->coverage);
}

static void get_identity(sqlite3_stmt *stmt, xt_host *h, char key[static 65])
{
    xt_state_text(stmt, 25, key, 65);
    xt_state_text(stmt, 26, h->ca, sizeof h->ca);
    h->cert_to_ms = sqlite3_column_int64(stmt, 27);
    xt_state_text(stmt, 28, h->clone_machine_id, sizeof h->clone_machine_id);
    xt_state_text(stmt, 29, h->clone_boot_id, sizeof h->clone_boot_id);
    xt_state_text(stmt, 30, h->clone_address, sizeof h->clone_address);
    h->clone_ms = sqlite3_column_int64(stmt, 31);
    h->cloned = h->clone_ms != 0;
    xt_state_text(stmt, 32, h->refused, sizeof h->refused);
    h->refused_ms = sqlite3_column_int64(stmt, 33);
    h->quarantined = sqlite3_column_int(stmt, 35);
}

int xt_host_rows_load(xt_state *state, int (*each)(void *context, const xt_host *host, const char *key), void *context,
                      xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    char key[65];

    xt_state_lock(state);
    int r = xt_state_select(state, reterr_problem, &stmt, "SELECT " COLUMNS " FROM hosts ORDER BY enrolled_ms, id", "");
    while (r == 0 && (r = xt_state_next(state, stmt, reterr_problem)) == 1) {
        xt_host host = {.id = ""};
        get_host(stmt, &host);
        get_beat(stmt, &host);
        get_identity(stmt, &host, key);
        r = each(context, &host, key);
    }
    xt_state_unlock(state);
    return xt_error_trace(r);
}

int xt_host_row_save(xt_state *state, const xt_host *h, const char *key, xt_problem *reterr_problem)
{
    char bytes[256];
    xt_buf coverage = XT_BUF_ON(bytes);

    xt_coverage_put(&h->coverage, &coverage);
    return xt_error_trace(
        xt_state_run(state, reterr_problem, NULL,
                     "INSERT OR REPLACE INTO hosts(" COLUMNS ")"
                     " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                     "zzzzzzzzzzziiiiiiiiiiiiiizzizzzizibi", h->id, h->name, h->machine_id, h->agent_version,
                     h->boot_id, h->os, h->audit_mode, h->address, h->group, h->completeness, h->blind, h->enrolled_ms,
                     h->last_seen_ms, h->last_event_ms, (int64_t)h->revoked, (int64_t)h->imported, (int64_t)h->n_events,
                     (int64_t)h->enabled, (int64_t)h->audit_pid, (int64_t)h->lost, (int64_t)h->backlog,
                     (int64_t)h->spool_batches, (int64_t)h->spool_dropped, (int64_t)h->cpu_us, (int64_t)h->rss_bytes,
                     key, h->ca, h->cert_to_ms, h->clone_machine_id, h->clone_boot_id, h->clone_address, h->clone_ms,
                     h->refused, h->refused_ms, xt_buf_slice(&coverage), (int64_t)h->quarantined));
}

int xt_host_gap_save(xt_state *state, const char *host_id, const xt_gap *gap, bool joins, xt_problem *reterr_problem)
{
    bool adds = joins || (gap->kind != XT_GAP_STREAM &&
                          (xt_gap_counts(gap->kind) || gap->kind == XT_GAP_BLIND || gap->kind == XT_GAP_MODE));
    int64_t n = 0;
    int r = adds ? xt_state_run(state, reterr_problem, &n,
                                "UPDATE gaps SET to_ms = max(to_ms, ?), n = n + ? WHERE id = (SELECT id FROM gaps"
                                " WHERE host_id = ? AND kind = ? AND to_ms >= ? AND from_ms >= ?"
                                " ORDER BY to_ms DESC LIMIT 1)",
                                "iiziii", gap->to_ms, (int64_t)gap->n, host_id, (int64_t)gap->kind,
                                gap->from_ms - CLOSE_MS, gap->to_ms - ONE_ROW_MS)
                 : 0;

    if (r == 0 && n == 0)
        r = xt_state_run(state, reterr_problem, NULL,
                         "INSERT INTO gaps(host_id, kind, from_ms, to_ms, n) VALUES(?,?,?,?,?)", "ziiii", host_id,
                         (int64_t)gap->kind, gap->from_ms, gap->to_ms, (int64_t)gap->n);
    return xt_error_trace(r);
}

int xt_host_gaps_load(xt_state *state, const char *host_id, int64_t from_ms, int64_t to_ms,
                      int (*each)(void *context, const xt_gap *gap), void *context, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;

    xt_state_lock(state);
    int r = xt_state_select(state, reterr_problem, &stmt,
                            "SELECT kind, from_ms, to_ms, n FROM gaps WHERE host_id = ? AND to_ms >= ? AND from_ms < ?"
                            " ORDER BY to_ms, id",
                            "zii", host_id, from_ms, to_ms);
    while (r == 0 && (r = xt_state_next(state, stmt, reterr_problem)) == 1) {
        const xt_gap gap = {.kind = (xt_gap_kind)sqlite3_column_int(stmt, 0),
                            .from_ms = sqlite3_column_int64(stmt, 1),
                            .to_ms = sqlite3_column_int64(stmt, 2),
                            .n = column_u64(stmt, 3)};
        r = each(context, &gap);
    }
    xt_state_unlock(state);
    return xt_error_trace(r);
}

int xt_host_gaps_prune(xt_state *state, int64_t now_ms, xt_problem *reterr_problem)
{
    return xt_error_trace(xt_state_run(state, reterr_problem, NULL, "DELETE FROM gaps WHERE to_ms < ?", "i",
                                       now_ms - KEPT_DAYS * INT64_C(86400000)));
}
