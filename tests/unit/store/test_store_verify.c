/* Whatever is changed, taken out or put in behind the store's back is found by verify; a head of before holds on. */
#include <sqlite3.h>

#include "store_fixture.h"

static void sql(const char *dir, const char *statement)
{
    char path[300];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/pending.db", dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, statement, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", statement, sqlite3_errmsg(db));
    assert_true(sqlite3_changes(db) > 0);
    sqlite3_close(db);
}

static void count(void *context, const xt_problem *problem)
{
    ++*(size_t *)context;
    if (getenv("XT_TEST_VERBOSE"))
        print_message("  %s: %s\n", problem->source, problem->sentence);
}

static bool is_whole(const char *dir, xt_ledger_check *ret)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store *store = NULL;
    size_t n = 0;

    if (xt_store_open(dir, NULL, &store, &problem) != 0)
        return false;
    must(xt_store_verify(store, count, &n, ret, &problem), &problem);
    xt_store_close(store);
    assert_true(n > 0 || (ret->chain_ok && ret->counts_ok));
    return n == 0;
}

/* Three segments, of which the first is retired, and two pending batches of two streams. */
static char *folder_make(void)
{
    char *dir = folder_new();
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_limits limits = {.min_free_bytes = UINT64_MAX >> 1};
    xt_retire_why why;
    sender a, b;

    sender_init(&a, 61);
    sender_init(&b, 62);
    for (int i = 0; i < 4; i++) {
        xt_store_batch one = sender_next(&a, 20, NULL);
        assert_int_equal(append_one(store, &one), 0);
        xt_store_batch other = sender_next(&b, 20, NULL);
        assert_int_equal(append_one(store, &other), 0);
        if (i < 3)
            must(xt_store_seal(store, &problem), &problem);
    }
    must(xt_store_maintain(store, &problem), &problem);
    uint64_t id;
    must(xt_store_hold_add(store, XT_S("user:al"), XT_S("case"), XT_S("me"), &id, &problem), &problem);
    must(xt_store_hold_add(store, XT_S("user:eve"), XT_S("case"), XT_S("me"), &id, &problem), &problem);
    must(xt_store_hold_remove(store, id, XT_S("you"), &problem), &problem);
    must(xt_store_retain(store, &limits, NULL, &why, &problem), &problem);
    xt_store_close(store);
    sender_fini(&a);
    sender_fini(&b);
    return dir;
}

static void what_is_done_to_the_tables_is_found(void **state)
{
    static const char *const changes[] = {
        "DELETE FROM ledger WHERE id = 3",
        "DELETE FROM ledger WHERE id = (SELECT max(id) FROM ledger)",
        "DELETE FROM ledger WHERE kind = 3",
        "UPDATE ledger SET n_events = n_events + 1 WHERE kind = 3",
        "UPDATE ledger SET at_ms = at_ms + 1 WHERE id = 1",
        "UPDATE ledger SET digest = zeroblob(32) WHERE kind = 2",
        "UPDATE ledger SET note = 'x' WHERE id = 2",
        "UPDATE ledger SET chain = zeroblob(32) WHERE id = 4",
        ("INSERT INTO ledger SELECT id + 1, kind, at_ms, n_events, first_arrival, subject, first, last, hash, digest, "
         "note,"
         " chain FROM ledger ORDER BY id DESC LIMIT 1"),
        "DELETE FROM segments WHERE id = 2",
        "UPDATE segments SET n_rows = n_rows - 1 WHERE id = 3",
        "UPDATE segments SET hash = zeroblob(16) WHERE id = 3",
        ("INSERT INTO segments SELECT 77, n_rows, first_arrival, last_arrival, min_ms, max_ms, bytes, made_ms, hash"
         " FROM segments LIMIT 1"),
        "DELETE FROM pending WHERE id = (SELECT max(id) FROM pending)",
        "UPDATE pending SET frame = zeroblob(length(frame)) WHERE id = (SELECT max(id) FROM pending)",
        "UPDATE pending SET n_events = n_events - 1 WHERE id = (SELECT max(id) FROM pending)",
        "UPDATE streams SET number = number + 1 WHERE stream = (SELECT min(stream) FROM streams)",
        "UPDATE streams SET hash = zeroblob(16) WHERE stream = (SELECT min(stream) FROM streams)",
        "DELETE FROM holds",
        "UPDATE holds SET query = 'user:bob'",
        "INSERT INTO holds VALUES (99, 1, 'a', 'b', 'c')",
        "UPDATE marks SET value = value + 1 WHERE name = 'sealed_row'",
    };
    char *origin = folder_make();
    xt_ledger_check check;

    assert_true(is_whole(origin, &check));
    assert_int_equal(check.n_received, 160);
    assert_int_equal(check.n_retired, 40);
    for (size_t i = 0; i < XT_COUNT_OF(changes); i++) {
        char *dir = folder_new();
        folder_copy(origin, dir);
        sql(dir, changes[i]);
        if (is_whole(dir, &check))
            fail_msg("not found: %s", changes[i]);
        folder_drop(dir);
    }
    folder_drop(origin);
}

static void what_is_done_to_the_files_is_found(void **state)
{
    char *origin = folder_make(), from[300], to[300];
    xt_ledger_check check;

    for (int i = 0; i < 4; i++) {
        char *dir = folder_new();
        folder_copy(origin, dir);
        snprintf(from, sizeof from, "%s/segments/0000000000000002.xts", dir);
        snprintf(to, sizeof to, "%s/segments/%s.xts", dir, i == 1 ? "0000000000000001" : "0000000000000003");
        if (i == 0) { /* one is gone */
            assert_int_equal(unlink(from), 0);
        } else if (i == 1 || i == 2) { /* one too many; one in another's place */
            assert_int_equal(i == 1 ? link(from, to) : rename(from, to), 0);
        } else {
            FILE *f = fopen(from, "r+");
            assert_non_null(f);
            assert_int_equal(fseek(f, 100, SEEK_SET), 0);
            int c = getc(f);
            assert_int_equal(fseek(f, 100, SEEK_SET), 0);
            putc(c ^ 1, f);
            fclose(f);
        }
        if (is_whole(dir, &check))
            fail_msg("not found: %d", i);
        folder_drop(dir);
    }
    folder_drop(origin);
}

static void a_head_of_before_is_contained(void **state)
{
    char *dir = folder_make();
    xt_store *store = store_open(dir, NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ledger_check head, check;
    size_t n = 0;
    sender s;

    must(xt_store_head(store, &head, &problem), &problem);
    assert_true(head.head_id > 8 && head.n_received == 160);
    sender_init(&s, 63);
    xt_store_batch batch = sender_next(&s, 5, NULL);
    assert_int_equal(append_one(store, &batch), 0);
    must(xt_store_seal(store, &problem), &problem);
    must(xt_store_verify_against(store, head.head_id, head.chain, count, &n, &check, &problem), &problem);
    assert_true(n == 0 && check.chain_ok && check.head_id > head.head_id);
    head.chain[7] ^= 1;
    must(xt_store_verify_against(store, head.head_id, head.chain, count, &n, &check, &problem), &problem);
    assert_true(n == 1 && !check.chain_ok);
    head.chain[7] ^= 1;
    must(xt_store_verify_against(store, 1000, head.chain, count, &n, &check, &problem), &problem);
    assert_true(n == 2 && !check.chain_ok);
    xt_store_close(store);
    sender_fini(&s);
    folder_drop(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_done_to_the_tables_is_found),
        cmocka_unit_test(what_is_done_to_the_files_is_found),
        cmocka_unit_test(a_head_of_before_is_contained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
