#include "server_fixture.h"

#include "server/app_parts.h"
#include "server/backup_table.h"

static int on_row(void *context, const xt_backup_row *row)
{
    xt_buf *out = context;

    xt_buf_printf(out, "%lld %.*s %.*s %llu\n", (long long)row->at_us, XT_S_ARGS(row->place),
                  XT_S_ARGS(row->generation), (unsigned long long)row->ledger_id);
    return 0;
}

static void expect(xt_state *table, const char *text)
{
    xt_buf out = XT_BUF_INIT;

    assert_int_equal(xt_backup_table_each(table, on_row, &out, NULL), 0);
    xt_buf_putc(&out, '\0');
    assert_int_equal(xt_buf_done(&out), 0);
    assert_string_equal(out.p, text);
    xt_buf_fini(&out);
}

static void add(xt_state *table, int64_t at_us, const char *place, const char *generation, uint64_t ledger_id)
{
    xt_backup_row row = {0, at_us, xt_slice_str(place), xt_slice_str(generation), ledger_id};

    assert_int_equal(xt_backup_table_add(table, &row, NULL), 0);
}

static int end_at_once(void *context, const xt_backup_row *row)
{
    return 7;
}

static void rows_come_and_go_and_stay(void **state)
{
    fixture *f = *state;

    fixture_open(f);
    expect(f->app->state, "");
    add(f->app->state, 20, "/b", "two", 9);
    add(f->app->state, 10, "/b", "one", 4);
    add(f->app->state, 30, "/c", "one", 12);
    expect(f->app->state, "10 /b one 4\n20 /b two 9\n30 /c one 12\n");
    assert_int_equal(xt_backup_table_each(f->app->state, end_at_once, NULL, NULL), 7);
    add(f->app->state, 25, "/b", "two", 11); /* the same again */
    assert_int_equal(xt_backup_table_remove(f->app->state, XT_S("/b"), XT_S("one"), NULL), 0);
    assert_int_equal(xt_backup_table_remove(f->app->state, XT_S("/b"), XT_S("one"), NULL), 0);
    fixture_close(f);
    fixture_open(f);
    expect(f->app->state, "25 /b two 11\n30 /c one 12\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_come_and_go_and_stay, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
