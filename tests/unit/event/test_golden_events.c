/*
 * tests/golden/event/NAME.in (audit text) must become NAME.out: a document a line, records included. With
 * XT_GOLDEN_UPDATE=1 the .out files are written anew: read their difference before it is committed.
 */
#include "support.h"

#include <dirent.h>

static int put_document(void *context, xt_event *event, xt_arena *arena)
{
    xt_buf *out = context;
    assert_int_equal(xt_event_json(event, XT_EVENT_JSON_RECORDS, arena, out), 0);
    xt_buf_putc(out, '\n');
    return 0;
}

static bool read_file(const char *path, xt_buf *out)
{
    FILE *f = fopen(path, "rb");
    *out = XT_BUF_INIT;
    if (!f)
        return false;
    char *to = xt_buf_reserve(out, 1 << 20);
    assert_non_null(to);
    out->n = fread(to, 1, 1 << 20, f);
    fclose(f);
    return true;
}

static void write_file(const char *path, xt_slice text)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text.p, 1, text.n, f), text.n);
    fclose(f);
}

static void check(const char *folder, const char *name)
{
    char path[4096 + 300];
    xt_buf in, wanted, out = XT_BUF_INIT;
    xt_decoder *decoder;
    xt_decoder_settings settings = {
        .origin = {.host_name = XT_S("web-1"), .host_id = XT_S("h-1"), .boot_id = XT_S("b-1")},
        .on_event = put_document,
        .context = &out};
    snprintf(path, sizeof path, "%s/%s.in", folder, name);
    assert_true(read_file(path, &in));
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_buf_slice(&in)), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    snprintf(path, sizeof path, "%s/%s.out", folder, name);
    if (getenv("XT_GOLDEN_UPDATE"))
        write_file(path, xt_buf_slice(&out));
    if (!read_file(path, &wanted) || !xt_slice_eq(xt_buf_slice(&wanted), xt_buf_slice(&out)))
        fail_msg("%s is not what comes out now; with XT_GOLDEN_UPDATE=1 it is written anew. Now:\n%.*s", path,
                 XT_S_ARGS(xt_buf_slice(&out)));
    xt_buf_fini(&in);
    xt_buf_fini(&wanted);
    xt_buf_fini(&out);
}

static void test_golden(void **state)
{
    char folder[4096];
    const char *source = getenv("XT_SOURCE");
    snprintf(folder, sizeof folder, "%s/tests/golden/event", source ? source : ".");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    unsigned n = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        char name[256];
        if (length < 4 || strcmp(entry->d_name + length - 3, ".in") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(length - 3), entry->d_name);
        check(folder, name);
        n++;
    }
    closedir(dir);
    assert_true(n >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
