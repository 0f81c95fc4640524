/*
 * A handful of small tables. Every use is one line; what is run to its end under the lock keeps its prepared statement
 * (preparing cost more than running where alerts come fast), what is read row by row is prepared anew. Secrets
 * (tokens, login links, cookies) are kept as their SHA-256 alone.
 */
#include "server/state_db.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define MAX_KEPT 32 /* statements; more are prepared anew each time */

struct xt_state {
    sqlite3 *db;
    pthread_mutex_t lock; /* recursive */
    sqlite3_stmt *kept[MAX_KEPT];
    unsigned n_kept;
};

static const xt_sqlite_migration migrations[] = {
    {1, "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE hosts(id TEXT PRIMARY KEY, name TEXT NOT NULL, machine_id TEXT NOT NULL DEFAULT '',"
        "  agent_version TEXT NOT NULL DEFAULT '', boot_id TEXT NOT NULL DEFAULT '', os TEXT NOT NULL DEFAULT '',"
        "  audit_mode TEXT NOT NULL DEFAULT '', address TEXT NOT NULL DEFAULT '', host_group TEXT NOT NULL DEFAULT '',"
        "  completeness TEXT NOT NULL DEFAULT '', blind TEXT NOT NULL DEFAULT '',"
        "  enrolled_ms INTEGER NOT NULL DEFAULT 0, last_seen_ms INTEGER NOT NULL DEFAULT 0,"
        "  last_event_ms INTEGER NOT NULL DEFAULT 0, revoked INTEGER NOT NULL DEFAULT 0,"
        "  imported INTEGER NOT NULL DEFAULT 0, n_events INTEGER NOT NULL DEFAULT 0,"
        "  enabled INTEGER NOT NULL DEFAULT 0, audit_pid INTEGER NOT NULL DEFAULT 0, lost INTEGER NOT NULL DEFAULT 0,"
        "  backlog INTEGER NOT NULL DEFAULT 0, spool_batches INTEGER NOT NULL DEFAULT 0,"
        "  spool_dropped INTEGER NOT NULL DEFAULT 0, cpu_us INTEGER NOT NULL DEFAULT 0,"
        "  rss_bytes INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "CREATE TABLE tokens(id BLOB PRIMARY KEY, secret BLOB NOT NULL, made_ms INTEGER NOT NULL,"
        "  expires_ms INTEGER NOT NULL, max_uses INTEGER NOT NULL, n_used INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "CREATE TABLE users(name TEXT PRIMARY KEY, role TEXT NOT NULL, made_ms INTEGER NOT NULL,"
        "  last_login_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "CREATE TABLE logins(secret BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,"
        "  expires_ms INTEGER NOT NULL, used INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
        "CREATE TABLE sessions(cookie BLOB PRIMARY KEY, user TEXT NOT NULL REFERENCES users(name) ON DELETE CASCADE,"
        "  expires_ms INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE alerts(id INTEGER PRIMARY KEY AUTOINCREMENT, dedupe TEXT NOT NULL, first_ms INTEGER NOT NULL,"
        "  last_ms INTEGER NOT NULL, count INTEGER NOT NULL, status TEXT NOT NULL, rule_id TEXT NOT NULL,"
        "  rule_title TEXT NOT NULL, host TEXT NOT NULL, user TEXT NOT NULL, level INTEGER NOT NULL,"
        "  event_id TEXT NOT NULL, document BLOB NOT NULL, acked_by TEXT NOT NULL DEFAULT '');"
        "CREATE INDEX alerts_dedupe ON alerts(dedupe, last_ms);"
        "CREATE INDEX alerts_last ON alerts(last_ms);"
        "CREATE TABLE folded(rule_id TEXT NOT NULL, event_id TEXT NOT NULL, made_ms INTEGER NOT NULL,"
        "  PRIMARY KEY(rule_id, event_id)) WITHOUT ROWID;"
        "CREATE INDEX folded_made ON folded(made_ms);"
        "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, alert_id INTEGER NOT NULL, body BLOB NOT NULL,"
        "  made_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0);"
        "CREATE INDEX outbox_due ON outbox(due_ms);"},
    /* An eighth of the size: a hash of the two instead of their text, and no index by time (it is pruned by the hour). */
    {2, "DROP TABLE folded;"
        "CREATE TABLE folded(pair BLOB PRIMARY KEY, made_ms INTEGER NOT NULL) WITHOUT ROWID;"},
    {3, "CREATE INDEX alerts_status ON alerts(status);"}, /* counting reads no documents */
    {4, "CREATE TABLE backup(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, place TEXT NOT NULL,"
        "  generation TEXT NOT NULL, ledger_id INTEGER NOT NULL, UNIQUE(place, generation));"},
    {5, "CREATE INDEX alerts_event ON alerts(event_id);"}, /* erasing finds those of an event */
    {6, "ALTER TABLE tokens ADD COLUMN host_group TEXT NOT NULL DEFAULT '';"},
    {7, "ALTER TABLE hosts ADD COLUMN key_sha256 TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE hosts ADD COLUMN ca TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE hosts ADD COLUMN cert_to_ms INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE hosts ADD COLUMN clone_machine_id TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE hosts ADD COLUMN clone_boot_id TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE hosts ADD COLUMN clone_address TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE hosts ADD COLUMN clone_ms INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE hosts ADD COLUMN refused TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE hosts ADD COLUMN refused_ms INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE tokens ADD COLUMN ca TEXT NOT NULL DEFAULT '';"
        "CREATE TABLE inventory(name TEXT PRIMARY KEY) WITHOUT ROWID;"},
    {8, "ALTER TABLE hosts ADD COLUMN coverage BLOB NOT NULL DEFAULT x'';"
        "CREATE TABLE gaps(id INTEGER PRIMARY KEY, host_id TEXT NOT NULL, kind INTEGER NOT NULL,"
        "  from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, n INTEGER NOT NULL);"
        "CREATE INDEX gaps_host ON gaps(host_id, to_ms);"},
    {9, "ALTER TABLE hosts ADD COLUMN quarantined INTEGER NOT NULL DEFAULT 0;"},
    {10, "ALTER TABLE alerts ADD COLUMN told INTEGER NOT NULL DEFAULT 0;"
         "UPDATE alerts SET told = id;"
         "CREATE INDEX alerts_told ON alerts(told);"
         "INSERT INTO meta(name, value) VALUES('alerts_told', (SELECT coalesce(max(id), 0) FROM alerts));"
         "CREATE TABLE forwards(name TEXT PRIMARY KEY, alerts INTEGER NOT NULL, bulk INTEGER NOT NULL,"
         "  format INTEGER NOT NULL, query TEXT NOT NULL, target TEXT NOT NULL, ca TEXT NOT NULL, cert TEXT NOT NULL,"
         "  key TEXT NOT NULL, bearer_file TEXT NOT NULL, headers_file TEXT NOT NULL, gzip INTEGER NOT NULL,"
         "  rotate_bytes INTEGER NOT NULL, n_keep INTEGER NOT NULL, made_ms INTEGER NOT NULL,"
         "  paused INTEGER NOT NULL DEFAULT 0, arrival INTEGER NOT NULL DEFAULT 0, upto INTEGER NOT NULL DEFAULT 0,"
         "  base INTEGER NOT NULL DEFAULT 0, n_seen INTEGER NOT NULL DEFAULT 0, segment INTEGER NOT NULL DEFAULT 0,"
         "  row INTEGER NOT NULL DEFAULT 0, n_gone INTEGER NOT NULL DEFAULT 0, n_sent INTEGER NOT NULL DEFAULT 0,"
         "  n_bytes INTEGER NOT NULL DEFAULT 0, n_refused INTEGER NOT NULL DEFAULT 0,"
         "  n_cut INTEGER NOT NULL DEFAULT 0, n_textless INTEGER NOT NULL DEFAULT 0,"
         "  sent_ms INTEGER NOT NULL DEFAULT 0, event_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"},
    {11, "CREATE TABLE policies(grp TEXT NOT NULL, version INTEGER NOT NULL, text BLOB NOT NULL, who TEXT NOT NULL,"
         "  made_ms INTEGER NOT NULL, PRIMARY KEY(grp, version)) WITHOUT ROWID;"
         "CREATE TABLE policy_rollouts(grp TEXT PRIMARY KEY, version INTEGER NOT NULL, previous INTEGER NOT NULL,"
         "  waves TEXT NOT NULL, wave INTEGER NOT NULL, bound INTEGER NOT NULL, soak_ms INTEGER NOT NULL,"
         "  wave_ms INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;"
         "CREATE TABLE policy_orders(host TEXT PRIMARY KEY, serial INTEGER NOT NULL, grp TEXT NOT NULL,"
         "  version INTEGER NOT NULL, until_ms INTEGER NOT NULL, body BLOB NOT NULL, signature BLOB NOT NULL,"
         "  made_ms INTEGER NOT NULL, outcome INTEGER NOT NULL, said TEXT NOT NULL, stated_ms INTEGER NOT NULL)"
         " WITHOUT ROWID;"
         "CREATE TABLE policy_pauses(scope TEXT PRIMARY KEY, until_ms INTEGER NOT NULL, who TEXT NOT NULL,"
         "  why TEXT NOT NULL) WITHOUT ROWID;"},
    {12, "CREATE TABLE senders(name TEXT PRIMARY KEY, token BLOB NOT NULL UNIQUE, made_ms INTEGER NOT NULL,"
         "  used_ms INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
         "CREATE TABLE open_records(host TEXT PRIMARY KEY, number INTEGER NOT NULL, box BLOB NOT NULL) WITHOUT ROWID;"},
    {13, "ALTER TABLE policy_orders ADD COLUMN ca BLOB NOT NULL DEFAULT x'';"}, /* SHA-256 of the CA that signed it */
};

int xt_state_open(const char *path, xt_state **ret, xt_problem *reterr_problem)
{
    xt_state *state = calloc(1, sizeof *state);
    pthread_mutexattr_t attr;
    int r;

    if (!state)
        return xt_error_origin(-ENOMEM);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&state->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    r = xt_sqlite_open(path, migrations, XT_COUNT_OF(migrations), &state->db, reterr_problem);
    if (r) {
        xt_state_close(state);
        return xt_error_trace(r);
    }
    *ret = state;
    return 0;
}

xt_state *xt_state_close(xt_state *state)
{
    if (!state)
        return NULL;
    for (unsigned i = 0; i < state->n_kept; i++)
        sqlite3_finalize(state->kept[i]);
    xt_sqlite_close(state->db);
    pthread_mutex_destroy(&state->lock);
    free(state);
    return NULL;
}

void xt_state_lock(xt_state *state)
{
    pthread_mutex_lock(&state->lock);
}

void xt_state_unlock(xt_state *state)
{
    pthread_mutex_unlock(&state->lock);
}

int xt_state_begin(xt_state *state, xt_problem *reterr_problem)
{
    int r;

    xt_state_lock(state);
    r = xt_sqlite_exec(state->db, "BEGIN IMMEDIATE", reterr_problem);
    if (r)
        xt_state_unlock(state);
    return xt_error_trace(r);
}

int xt_state_end(xt_state *state, int r, xt_problem *reterr_problem)
{
    if (r == 0)
        r = xt_sqlite_exec(state->db, "COMMIT", reterr_problem);
    if (r && !sqlite3_get_autocommit(state->db)) {
        int ignored = xt_sqlite_exec(state->db, "ROLLBACK", NULL); /* the first failure is the one to report */
        (void)ignored;
    }
    xt_state_unlock(state);
    return r < 0 ? xt_error_trace(r) : r;
}

static void bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 'i')
            sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
        else if (*types == 's')
            xt_sqlite_bind_slice(stmt, i, va_arg(args, xt_slice));
        else if (*types == 'b')
            xt_sqlite_bind_blob(stmt, i, va_arg(args, xt_slice));
        else
            xt_sqlite_bind_slice(stmt, i, xt_slice_str(va_arg(args, const char *)));
    }
}

static int select_v(xt_state *state, xt_problem *reterr_problem, sqlite3_stmt **ret, const char *sql, const char *types,
                    va_list args)
{
    int r = xt_sqlite_prepare(state->db, sql, ret, reterr_problem);

    if (r)
        return xt_error_trace(r);
    bind_all(*ret, types, args);
    return 0;
}

int xt_state_select(xt_state *state, xt_problem *reterr_problem, sqlite3_stmt **ret, const char *sql, const char *types,
                    ...)
{
    va_list args;
    int r;

    va_start(args, types);
    r = select_v(state, reterr_problem, ret, sql, types, args);
    va_end(args);
    return xt_error_trace(r);
}

int xt_state_next(xt_state *state, sqlite3_stmt *stmt, xt_problem *reterr_problem)
{
    int rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc == SQLITE_DONE)
        return 0;
    return xt_sqlite_error(state->db, rc, "state.db", reterr_problem);
}

void xt_state_finish(sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
    *stmt = NULL;
}

/* The statement kept for that text, or a new one (*ret_kept tells whether it stays). */
static int take(xt_state *state, const char *sql, sqlite3_stmt **ret, bool *ret_kept, xt_problem *reterr_problem)
{
    for (unsigned i = 0; i < state->n_kept; i++) {
        if (!sqlite3_stmt_busy(state->kept[i]) && strcmp(sqlite3_sql(state->kept[i]), sql) == 0) {
            *ret = state->kept[i];
            *ret_kept = true;
            return 0;
        }
    }
    int r = xt_sqlite_prepare(state->db, sql, ret, reterr_problem);
    *ret_kept = r == 0 && state->n_kept < MAX_KEPT;
    if (*ret_kept)
        state->kept[state->n_kept++] = *ret;
    return xt_error_trace(r);
}

static void give_back(sqlite3_stmt *stmt, bool kept)
{
    if (kept) {
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    } else {
        sqlite3_finalize(stmt);
    }
}

int xt_state_run(xt_state *state, xt_problem *reterr_problem, int64_t *ret_changes, const char *sql, const char *types,
                 ...)
{
    sqlite3_stmt *stmt = NULL;
    va_list args;
    bool kept = false;
    int r;

    xt_state_lock(state);
    r = take(state, sql, &stmt, &kept, reterr_problem);
    if (r == 0) {
        va_start(args, types);
        bind_all(stmt, types, args);
        va_end(args);
        r = xt_state_next(state, stmt, reterr_problem);
    }
    if (r >= 0 && ret_changes)
        *ret_changes = sqlite3_changes64(state->db);
    give_back(stmt, kept);
    xt_state_unlock(state);
    return r < 0 ? xt_error_trace(r) : 0;
}

static int numbers_v(xt_state *state, xt_problem *reterr_problem, int64_t *ret, int n, const char *sql,
                     const char *types, va_list args)
{
    sqlite3_stmt *stmt = NULL;
    bool kept = false;

    xt_state_lock(state);
    int r = take(state, sql, &stmt, &kept, reterr_problem);
    if (r == 0) {
        bind_all(stmt, types, args);
        r = xt_state_next(state, stmt, reterr_problem);
    }
    for (int i = 0; r == 1 && i < n; i++)
        ret[i] = sqlite3_column_int64(stmt, i);
    give_back(stmt, kept);
    xt_state_unlock(state);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_state_scrub(xt_state *state, xt_problem *reterr_problem)
{
    xt_state_lock(state);
    int r = xt_sqlite_scrub(state->db, reterr_problem);
    xt_state_unlock(state);
    return r;
}

int xt_state_numbers(xt_state *state, xt_problem *reterr_problem, int64_t *ret, int n, const char *sql,
                     const char *types, ...)
{
    va_list args;

    va_start(args, types);
    int r = numbers_v(state, reterr_problem, ret, n, sql, types, args);
    va_end(args);
    return xt_error_trace(r);
}

int xt_state_number(xt_state *state, xt_problem *reterr_problem, int64_t *ret, const char *sql, const char *types, ...)
{
    va_list args;

    va_start(args, types);
    int r = numbers_v(state, reterr_problem, ret, 1, sql, types, args);
    va_end(args);
    return xt_error_trace(r);
}

int64_t xt_state_last_id(xt_state *state)
{
    return sqlite3_last_insert_rowid(state->db);
}

void xt_state_text(sqlite3_stmt *stmt, int i, char *ret, size_t n)
{
    xt_slice text = xt_slice_head(xt_sqlite_slice(stmt, i), n - 1);

    if (text.n)
        memcpy(ret, text.p, text.n);
    ret[text.n] = '\0';
}
