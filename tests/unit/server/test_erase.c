/* Erasing as the server does it: alerts and messages go with their events, holds win, and what is said of it is signed. */
#include "server_fixture.h"

#include <sqlite3.h>

#include "server/alert_document.h"
#include "server/app_parts.h"
#include "server/backup_table.h"
#include "server/erase.h"

#define MARK "forget-me"

static void ingest(fixture *f, fixture_stream *s, uint32_t from, uint32_t n, const char *argument, const char *parent)
{
    xt_buf events = XT_BUF_INIT, payload = XT_BUF_INIT;

    for (uint32_t i = from; i < from + n; i++)
        fixture_event(&events, HOST, T0 + i, i, "/bin/echo", argument, parent);
    fixture_batch(s, xt_buf_slice(&events), n, &payload);
    assert_int_equal(fixture_ingest(f, HOST, xt_buf_slice(&payload)), 0);
    xt_buf_fini(&events);
    xt_buf_fini(&payload);
}

static int erase(fixture *f, const char *kql, bool is_dry, bool is_private, xt_erase_answer *ret)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_erase_args args = {.query = xt_slice_str(kql),
                          .reason = XT_S("ticket 12"),
                          .who = XT_S("alice"),
                          .is_dry = is_dry,
                          .is_private = is_private};
    int r = xt_app_erase(f->app, &args, ret, &problem);

    if (r != 0)
        print_message("%d: %s\n", r, problem.sentence);
    return r;
}

/* Erases and forgets the answer; how many rows went. */
static uint64_t erase_rows(fixture *f, const char *kql)
{
    xt_erase_answer answer;

    assert_int_equal(erase(f, kql, false, false, &answer), 0);
    uint64_t n = answer.n_rows;
    assert_int_equal(answer.n_problems, 0);
    xt_erase_answer_fini(&answer);
    return n;
}

static size_t files_with(const char *dir, const char *text)
{
    char *paths[] = {(char *)(uintptr_t)dir, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    size_t n = 0;

    for (FTSENT *e; (e = fts_read(tree)) != NULL;) {
        xt_buf bytes = XT_BUF_INIT;
        if (e->fts_info == FTS_F && xt_vfs_read_file(&xt_vfs_system, e->fts_accpath, SIZE_MAX, &bytes) == 0 &&
            xt_slice_find(xt_buf_slice(&bytes), xt_slice_str(text)) >= 0) {
            if (getenv("XT_TEST_VERBOSE"))
                print_message("%s in %s\n", text, e->fts_path);
            n++;
        }
        xt_buf_fini(&bytes);
    }
    fts_close(tree);
    return n;
}

static void sql(const fixture *f, const char *database, const char *statement)
{
    char path[120];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/%s", f->data, database);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, statement, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", statement, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static int64_t number(fixture *f, const char *statement)
{
    int64_t n = -1;

    assert_int_equal(xt_state_number(f->app->state, NULL, &n, statement, ""), 0);
    return n;
}

static void alerts_and_messages_go(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    fixture_alerts alerts;
    size_t n_c = 0;

    f->settings.webhook = "http://127.0.0.1:1/"; /* nobody: what is to be told waits */
    fixture_open(f);
    ingest(f, &s, 0, 1, "evil " MARK, "/bin/a"); /* an alert of its own */
    ingest(f, &s, 1, 1, "evil " MARK, "/bin/b"); /* the first of one that goes on: */
    ingest(f, &s, 2, 1, "evil but kept", "/bin/b");
    ingest(f, &s, 3, 1, "evil too", "/bin/c");   /* one that has nothing to do with it */
    ingest(f, &s, 4, 1, "evil " MARK, "/bin/c"); /* but this is folded into it */
    fixture_alerts_get(f, NULL, &alerts);
    assert_int_equal(alerts.n, 3);
    assert_int_equal(number(f, "SELECT count(*) FROM outbox"), 3);
    assert_int_equal(number(f, "SELECT count(*) FROM folded"), 5);
    assert_true(files_with(f->data, MARK) > 0);
    assert_int_equal(erase_rows(f, "cmd:*" MARK "*"), 3);
    assert_int_equal(fixture_count(f, ""), 2);
    fixture_alerts_get(f, NULL, &alerts);
    assert_int_equal(alerts.n, 2);
    for (size_t i = 0; i < alerts.n; i++) {
        bool is_c = alerts.all[i].event_id[0] != '\0';
        assert_int_equal(alerts.all[i].user[0] != '\0', is_c);
        assert_int_equal(alerts.all[i].count, 1);
        n_c += is_c;
    }
    assert_int_equal(number(f, "SELECT count(*) FROM alerts WHERE document = x'' AND count = 1"), 1);
    assert_int_equal(n_c, 1);
    ingest(f, &s, 5, 1, "evil again", "/bin/b"); /* is not folded into what has no document */
    fixture_alerts_get(f, NULL, &alerts);
    assert_int_equal(alerts.n, 3);
    ingest(f, &s, 6, 1, "evil again", "/bin/b"); /* but into that one */
    assert_int_equal(number(f, "SELECT count(*) FROM outbox"), 2);
    assert_int_equal(number(f, "SELECT count(*) FROM folded"), 4);
    fixture_close(f);
    assert_int_equal(files_with(f->data, MARK), 1); /* the tombstone says what was erased */
    fixture_open(f);                                /* looks for alerts that are missing, and makes none */
    fixture_alerts_get(f, NULL, &alerts);
    assert_int_equal(alerts.n, 3);
    fixture_close(f);
}

/* What is pending, sealed, merged, and what SQLite leaves in free pages: none of it is left, the query not either. */
static void nothing_is_left(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_erase_answer answer;

    fixture_open(f);
    ingest(f, &s, 0, 500, MARK, "/bin/a");
    assert_int_equal(xt_store_compact(xt_app_store(f->app), &problem), 0);
    ingest(f, &s, 500, 500, "other", "/bin/" MARK);
    assert_int_equal(xt_store_seal(xt_app_store(f->app), &problem), 0);
    ingest(f, &s, 1000, 10, MARK, "/bin/a");
    fixture_close(f);
    for (int i = 0; i < 2; i++)
        sql(f, i ? "state.db" : "pending.db",
            "PRAGMA secure_delete = OFF; CREATE TABLE gone(text); INSERT INTO gone SELECT hex(zeroblob(5000)) || '" MARK
            "'; DROP TABLE gone");
    fixture_open(f);
    assert_int_equal(erase(f, "cmd:" MARK " or parent.exe:*" MARK, true, false, &answer), 0);
    assert_int_equal(answer.n_rows, 1010);
    assert_int_equal(answer.number, 0);
    xt_erase_answer_fini(&answer);
    assert_int_equal(fixture_count(f, ""), 1010);
    assert_int_equal(erase(f, "cmd:" MARK " or parent.exe:*" MARK, false, true, &answer), 0);
    assert_int_equal(answer.n_rows, 1010);
    assert_int_equal(strlen(answer.salt), 32);
    assert_int_equal(strlen(answer.sha256), 64);
    assert_int_equal(files_with(f->data, answer.salt), 0);
    assert_true(files_with(f->data, answer.sha256) > 0);
    assert_int_equal(fixture_count(f, ""), 0);
    assert_int_equal(files_with(f->data, MARK), 0);
    xt_erase_answer_fini(&answer);
    fixture_close(f);
    assert_int_equal(files_with(f->data, MARK), 0);
}

static void what_is_held_stays(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_erase_answer answer;
    uint64_t first, second;

    fixture_open(f);
    ingest(f, &s, 0, 10, "evil one", "/bin/a");
    ingest(f, &s, 10, 10, "evil two", "/bin/b");
    assert_int_equal(xt_app_hold_add(f->app, XT_S("cmd:*two*"), XT_S("case"), XT_S("bob"), &first, &problem), 0);
    assert_int_equal(xt_app_hold_add(f->app, XT_S("parent.exe:/bin/b"), XT_S("case"), XT_S("bob"), &second, &problem),
                     0);
    assert_int_equal(erase(f, "cmd:*evil*", false, false, &answer), 0);
    assert_int_equal(answer.n_rows, 10);
    assert_int_equal(answer.n_alerts, 1);
    assert_int_equal(answer.n_holds, 2);
    assert_true(answer.holds[0].id == first && answer.holds[0].n_rows == 10);
    assert_true(answer.holds[1].id == second && answer.holds[1].n_rows == 10);
    xt_erase_answer_fini(&answer);
    fixture_alerts alerts;
    fixture_alerts_get(f, NULL, &alerts);
    assert_int_equal(alerts.n, 1);
    assert_int_equal(alerts.all[0].count, 10);
    assert_non_null(strstr(alerts.document, "evil two"));
    fixture_close(f);
}

/* ------------------------------------------------------------------------------------------------ tombstones */

typedef struct said {
    size_t n, n_wrong;
    uint64_t n_rows, last_ledger_id;
    char query[100], who[100], sha256[65];
} said;

static int on_erasure(void *context, const xt_erasure *erasure)
{
    said *a = context;

    a->n++;
    a->n_rows += erasure->n_rows;
    a->last_ledger_id = erasure->last_ledger_id;
    snprintf(a->query, sizeof a->query, "%.*s", XT_S_ARGS(erasure->query));
    snprintf(a->who, sizeof a->who, "%.*s", XT_S_ARGS(erasure->who));
    snprintf(a->sha256, sizeof a->sha256, "%.*s", XT_S_ARGS(erasure->sha256));
    assert_true(xt_slice_eq(erasure->reason, XT_S("ticket 12")) || a->n_wrong);
    return 0;
}

static void on_problem(void *context, const xt_problem *problem)
{
    ((said *)context)->n_wrong++;
}

static said erasures(fixture *f)
{
    xt_problem problem = XT_PROBLEM_INIT;
    said a = {0};

    assert_int_equal(xt_app_erasures(f->app, on_erasure, on_problem, &a, &problem), 0);
    return a;
}

static void it_says_who_when_and_why(void **state)
{
    static const char *const changes[] = {
        "UPDATE ledger SET note = replace(note, 'alice', 'mallo') WHERE kind = 10",
        "UPDATE ledger SET note = replace(note, 'ticket 12', 'ticket 13') WHERE kind = 10",
        "UPDATE ledger SET note = replace(note, '\"rows\":5', '\"rows\":4') WHERE kind = 10",
        "UPDATE ledger SET n_events = n_events + 1 WHERE kind = 10",
        "UPDATE ledger SET at_ms = at_ms + 1 WHERE kind = 10",
        "UPDATE ledger SET last = last + 1 WHERE kind = 10",
        "UPDATE ledger SET note = substr(note, 1, length(note) - 3) || '0\"}' WHERE kind = 10",
        "UPDATE ledger SET note = 'no JSON' WHERE kind = 10",
        "UPDATE ledger SET note = '' WHERE kind = 10",
    };
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_problem problem = XT_PROBLEM_INIT;

    fixture_open(f);
    ingest(f, &s, 0, 5, "one", "/bin/a");
    assert_int_equal(xt_store_seal(xt_app_store(f->app), &problem), 0);
    ingest(f, &s, 5, 5, "one", "/bin/a");
    assert_int_equal(xt_store_seal(xt_app_store(f->app), &problem), 0);
    ingest(f, &s, 10, 1, "two", "/bin/a");
    assert_int_equal(erase_rows(f, "cmd:*one"), 10);
    said a = erasures(f);
    assert_true(a.n == 1 && a.n_wrong == 0 && a.n_rows == 10 && !a.sha256[0]);
    assert_string_equal(a.query, "cmd:*one");
    assert_string_equal(a.who, "alice");
    assert_int_equal(erase_rows(f, "cmd:*two"), 1);
    a = erasures(f);
    assert_true(a.n == 2 && a.n_wrong == 0 && a.n_rows == 11);
    fixture_close(f);
    for (size_t i = 0; i < XT_COUNT_OF(changes); i++) {
        char back[200];
        sql(f, "pending.db", "CREATE TABLE kept AS SELECT * FROM ledger");
        sql(f, "pending.db", changes[i]);
        fixture_open(f);
        a = erasures(f);
        if (!a.n_wrong)
            fail_msg("not found: %s", changes[i]);
        fixture_close(f);
        snprintf(back, sizeof back, "DELETE FROM ledger; INSERT INTO ledger SELECT * FROM kept; DROP TABLE kept");
        sql(f, "pending.db", back);
    }
    char path[120]; /* another key is found out */
    snprintf(path, sizeof path, "%s/ledger.key", f->data);
    assert_int_equal(unlink(path), 0);
    fixture_open(f);
    assert_int_equal(erasures(f).n_wrong, 3);
    fixture_close(f);
}

static int count_backup(void *context, int64_t at_ms, xt_slice place, xt_slice generation)
{
    assert_true(xt_slice_eq(place, XT_S("/backups")) && at_ms == 5000);
    assert_true(xt_slice_eq(generation, XT_S("before")));
    ++*(size_t *)context;
    return 0;
}

static void backups_that_hold_it_are_named(void **state)
{
    fixture *f = *state;
    fixture_stream s = {.stream = {{1}}};
    xt_backup_row row = {.at_us = 5000000, .place = XT_S("/backups"), .generation = XT_S("before")};
    xt_ledger_check check;
    size_t n = 0;

    fixture_open(f);
    ingest(f, &s, 0, 5, "one", "/bin/a");
    assert_int_equal(xt_store_head(xt_app_store(f->app), &check, NULL), 0);
    row.ledger_id = check.head_id;
    assert_int_equal(xt_backup_table_add(f->app->state, &row, NULL), 0);
    assert_int_equal(erase_rows(f, "cmd:*one"), 5);
    assert_int_equal(xt_store_head(xt_app_store(f->app), &check, NULL), 0);
    row.generation = XT_S("behind");
    row.ledger_id = check.head_id;
    assert_int_equal(xt_backup_table_add(f->app->state, &row, NULL), 0);
    assert_int_equal(xt_app_backups_before(f->app, erasures(f).last_ledger_id, count_backup, &n, NULL), 0);
    assert_int_equal(n, 1);
    fixture_close(f);
}

static void what_makes_no_sense_is_refused(void **state)
{
    fixture *f = *state;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_erase_args args = {.query = XT_S("cmd:a"), .reason = XT_S(" "), .who = XT_S("alice")};
    atomic_bool cancelled = true;
    xt_erase_answer answer;

    fixture_open(f);
    assert_int_equal(xt_app_erase(f->app, &args, &answer, &problem), XT_APP_E_INVALID);
    args.reason = XT_S("why");
    args.query = XT_S(" ");
    assert_int_equal(xt_app_erase(f->app, &args, &answer, &problem), XT_APP_E_INVALID);
    args.query = XT_S("cmd:(");
    assert_int_equal(xt_app_erase(f->app, &args, &answer, &problem), XT_APP_E_INVALID);
    args.query = XT_S("cmd:a | stats count()");
    assert_int_equal(xt_app_erase(f->app, &args, &answer, &problem), XT_APP_E_INVALID);
    args.query = XT_S("cmd:a");
    args.cancelled = &cancelled;
    assert_int_equal(xt_app_erase(f->app, &args, &answer, &problem), -ECANCELED);
    fixture_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(alerts_and_messages_go, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(nothing_is_left, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_held_stays, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(it_says_who_when_and_why, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(backups_that_hold_it_are_named, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_refused, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
