/*
 * Every value of every event has a source, and the source gives the value again: of all captures that are carried, of
 * what is made here to be odd, and of a sample of the shared corpus ($XT_SHARED/corpus; skipped without it).
 */
#include "support.h"

#include <dirent.h>
#include <unistd.h>
#include <zstd.h>

#include "event/explain_stream.h"

typedef struct check {
    const char *name;
    size_t n_events, n_values, n_bad;
} check;

static void print_bad(const check *c, const xt_explanation *e, const xt_explain_value *v)
{
    fprintf(stderr, "%s: event %.*s: %.*s is not proved: value '%.*s', rule '%.*s', %s\n", c->name, XT_S_ARGS(e->id),
            XT_S_ARGS(v->name), XT_S_ARGS(v->text), XT_S_ARGS(v->rule), v->bytes ? "bytes" : "no bytes");
    for (size_t i = 0; i < e->n_records; i++)
        fprintf(stderr, "    %u: '%.*s'\n", (unsigned)e->records[i].line->number,
                XT_S_ARGS(xt_slice_head(e->records[i].line->text, 1000)));
    if (v->bytes)
        fprintf(stderr, "    line %u: '%.*s'\n", (unsigned)v->bytes->line->number, XT_S_ARGS(v->bytes->raw));
}

/* A source or a rule in words; pieces lie within their line. */
static void check_value(const xt_explain_value *v)
{
    assert_true(v->bytes || v->rule.n > 0);
    for (const xt_explain_bytes *b = v->bytes; b; b = b->next) {
        assert_non_null(b->line);
        assert_true(b->raw.p >= b->line->text.p && b->raw.p + b->raw.n <= b->line->text.p + b->line->text.n);
        assert_true(xt_explain_column(b) >= 1 && xt_explain_end(b) <= b->line->text.n + (b->raw.n == 0));
    }
}

static int on_explained(void *context, const xt_explanation *explanation)
{
    check *c = context;
    xt_field_set explained = {{0, 0}};
    size_t n_bad = 0;
    c->n_events++;
    for (const xt_explain_value *v = explanation->values; v; v = v->next) {
        xt_field_set_add(&explained, v->field);
        check_value(v);
        c->n_values++;
        n_bad += !v->is_proved;
        if (!v->is_proved && c->n_bad + n_bad <= 10)
            print_bad(c, explanation, v);
    }
    assert_int_equal(n_bad, explanation->n_unproved);
    c->n_bad += n_bad;
    assert_memory_equal(&explained, &explanation->event->present, sizeof explained);
    return 0;
}

static xt_explain_settings settings_of(check *c)
{
    return (xt_explain_settings){.decoder = {.origin = {.host_name = XT_S("web-1")}, .source = c->name},
                                 .on_explained = on_explained,
                                 .context = c};
}

static check explain_text(const char *name, xt_slice text, unsigned every)
{
    check c = {.name = name};
    xt_explain_settings settings = settings_of(&c);
    xt_explain_stream *stream;
    settings.every = every;
    assert_int_equal(xt_explain_stream_new(&settings, &stream), 0);
    for (size_t at = 0; at < text.n; at += 65521)
        assert_int_equal(xt_explain_stream_feed(stream, xt_slice_head(xt_slice_skip(text, at), 65521)), 0);
    assert_int_equal(xt_explain_stream_finish(stream), 0);
    assert_null(xt_explain_stream_free(stream));
    return c;
}

/* The first max bytes of a packed file. */
static void unpack(xt_slice packed, size_t max, xt_buf *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed.p, packed.n, 0};
    for (size_t left = 1; out->n < max && (left > 0 || in.pos < in.size);) {
        char *to = xt_buf_reserve(out, 1 << 20);
        assert_non_null(to);
        ZSTD_outBuffer part = {to, 1 << 20, 0};
        left = ZSTD_decompressStream(stream, &part, &in);
        assert_false(ZSTD_isError(left));
        out->n += part.pos;
    }
    ZSTD_freeDStream(stream);
}

static check explain_file(const char *folder, const char *name, size_t max, unsigned every)
{
    char path[4096];
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf packed = XT_BUF_INIT;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(seen_file(path, xt_slice_ends(xt_slice_str(name), XT_S(".zst")) ? &packed : &text));
    if (packed.n > 0)
        unpack(xt_buf_slice(&packed), max, &text);
    return explain_text(name, xt_slice_head(xt_buf_slice(&text), max), every);
}

static void test_carried_captures(void **state)
{
    char folder[4096];
    const char *data = getenv("XT_TEST_DATA");
    size_t n_files = 0;
    (void)state;
    snprintf(folder, sizeof folder, "%s/capture", data ? data : "tests/data");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!xt_slice_ends(xt_slice_str(entry->d_name), XT_S(".log")))
            continue;
        check c = explain_file(folder, entry->d_name, SIZE_MAX, 0);
        assert_int_equal(c.n_bad, 0);
        assert_true(c.n_events > 10);
        n_files++;
    }
    closedir(dir);
    assert_true(n_files >= 6);
}

/* XT_LONG: all of them to their end. */
static void test_shared_corpus(void **state)
{
    static const struct {
        const char *name;
        size_t max;
        unsigned every;
    } files[] = {
        {"bypass.log", SIZE_MAX, 0},       {"sudo.log", SIZE_MAX, 0},         {"argv.log.zst", 12u << 20, 3},
        {"compat32.log.zst", SIZE_MAX, 0}, {"fleet.log.zst", 30u << 20, 100},
    };
    char folder[4096];
    const char *shared = getenv("XT_SHARED"), *source = getenv("XT_SOURCE");
    (void)state;
    if (shared)
        snprintf(folder, sizeof folder, "%s/corpus", shared);
    else
        snprintf(folder, sizeof folder, "%s/../shared/corpus", source ? source : ".");
    if (access(folder, R_OK) != 0)
        skip();
    for (size_t i = 0; i < XT_COUNT_OF(files); i++) {
        check c = explain_file(folder, files[i].name, getenv("XT_LONG") ? SIZE_MAX : files[i].max, files[i].every);
        assert_int_equal(c.n_bad, 0);
        assert_true(c.n_events > 10);
        if (getenv("XT_LONG"))
            print_message("%s: %zu events, %zu values\n", files[i].name, c.n_events, c.n_values);
    }
}

/* ---- a value that is not what the bytes say is not proved ---- */

static xt_value falsified(const xt_explanation *e, xt_field field, char *copy)
{
    xt_value value = e->event->values[field];
    value.num ^= 1;
    if (xt_field_find(field)->type >= XT_TEXT && value.bytes.n > 0) {
        memcpy(copy, value.bytes.p, value.bytes.n);
        copy[value.bytes.n - 1] ^= 1;
        value.bytes.p = copy;
    }
    return value;
}

static bool is_proved(const xt_explanation *e, xt_field field)
{
    bool all = true;
    for (const xt_explain_value *v = e->values; v; v = v->next)
        all &= v->field != field || v->is_proved;
    return all;
}

/* Explains the event once more with one field made wrong: it must be seen. */
static int falsify(void *context, const xt_explanation *e)
{
    check *c = context;
    static const xt_event_origin origin = {.host_name = {"web-1", 5}};
    static char copy[1 << 20];
    xt_arena arena;
    xt_arena_init(&arena, 64u << 20);
    for (unsigned id = 1; e->n_records > 0 && id < XT_F_END; id++) {
        xt_event event = *e->event;
        xt_explain_input input = {.event = &event, .origin = &origin, .records = e->records, .n_records = e->n_records};
        xt_explanation plain, wrong;
        const xt_field_info *info = xt_field_find(id);
        bool is_encoded = info && (info->type == XT_PATHS || info->type == XT_RECORDS);
        if (!xt_event_has(&event, (xt_field)id) || is_encoded)
            continue;
        xt_arena_reset(&arena);
        assert_int_equal(xt_explain_event(&input, &arena, &plain), 0);
        if (!is_proved(&plain, (xt_field)id)) /* of the process table, which is not here */
            continue;
        event.values[id] = falsified(e, (xt_field)id, copy);
        assert_int_equal(xt_explain_event(&input, &arena, &wrong), 0);
        if (is_proved(&wrong, (xt_field)id))
            fail_msg("%s: %s is proved although it is wrong", c->name, info->name);
        c->n_values++;
    }
    xt_arena_fini(&arena);
    return 0;
}

static void test_wrong_values_are_seen(void **state)
{
    char path[4096];
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    const char *data = getenv("XT_TEST_DATA");
    check c = {.name = "session.log"};
    xt_explain_settings settings = settings_of(&c);
    xt_explain_stream *stream;
    (void)state;
    snprintf(path, sizeof path, "%s/capture/session.log", data ? data : "tests/data");
    assert_true(seen_file(path, &text));
    settings.on_explained = falsify;
    assert_int_equal(xt_explain_stream_new(&settings, &stream), 0);
    assert_int_equal(xt_explain_stream_feed(stream, xt_buf_slice(&text)), 0);
    assert_int_equal(xt_explain_stream_finish(stream), 0);
    (void)xt_explain_stream_free(stream);
    assert_true(c.n_values > 2000);
}

/* ---- a type that only a later kernel knows ---- */

static void test_unknown_types(void **state)
{
    check c = explain_text("types",
                           XT_S("type=FOO_BAR msg=audit(1700000000.123:77): pid=1 type=x exe=\"/bin/y\"\n"
                                "type=SYSCALL msg=audit(1700000000.123:77): arch=c000003e syscall=2 success=yes exit=0 "
                                "items=0 ppid=1 pid=2 comm=\"x\" exe=\"/bin/x\" key=(null)\n"
                                "type=UNKNOWN[1999] msg=audit(1700000000.123:78): pid=1\n"
                                "node=n type=ONLY_THIS msg=audit(1700000000.123:79): pid=1 x\x1dUID=\"root\"\n"
                                "type=foo msg=audit(1700000000.123:80): pid=1\n"),
                           0);
    (void)state;
    assert_int_equal(c.n_events, 4);
    assert_int_equal(c.n_bad, 0);
}

/* ---- which events ---- */

static void test_wanted(void **state)
{
    static const char *const stamps[] = {"1700000000.123:77", "audit(1700000000.123:77)", "audit(1700000000.123:77):",
                                         "msg=audit(1700000000.123:77):", "msg=audit(1700000000.123:77)"};
    static const char *const none[] = {"",
                                       "x",
                                       "-1",
                                       "4294967296",
                                       "1.5",
                                       "1700000000.1:77",
                                       "audit(",
                                       ":7",
                                       "1.123:4294967296",
                                       "1.123:",
                                       "1700000000.123:77 ",
                                       "0123456789abcdef"};
    xt_explain_wanted w;
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(stamps); i++) {
        assert_true(xt_explain_wanted_parse(xt_slice_str(stamps[i]), &w));
        assert_true(w.by_serial && w.by_time && !w.by_id && w.serial == 77 && w.time_ms == INT64_C(1700000000123));
    }
    assert_true(xt_explain_wanted_parse(XT_S("627457"), &w));
    assert_true(w.by_serial && !w.by_time && !w.by_id && w.serial == 627457);
    assert_true(xt_explain_wanted_parse(XT_S("BF6EA21A7E6265117948916F593D4BAC"), &w));
    assert_true(w.by_id && !w.by_serial);
    assert_string_equal(w.id, "bf6ea21a7e6265117948916f593d4bac");
    for (size_t i = 0; i < XT_COUNT_OF(none); i++)
        assert_false(xt_explain_wanted_parse(xt_slice_str(none[i]), &w));
}

/* ---- damaged ---- */

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Lines dropped, doubled, cut, run into the next, with a byte changed, or held back for a while. */
static void damage(xt_slice text, uint64_t seed, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf held = XT_BUF_INIT;
    uint64_t state = seed;
    for (xt_slice line; xt_slice_cut(&text, '\n', &line);) {
        unsigned what = (unsigned)(next_random(&state) % 100);
        size_t n = line.n > 0 ? next_random(&state) % line.n : 0;
        if (what < 3)
            continue;
        if (what < 6) { /* cut, and the next one follows in the same line */
            xt_buf_put(out, xt_slice_head(line, n));
            if (what < 4)
                xt_buf_putc(out, '\n');
            continue;
        }
        if (what < 9) {
            xt_buf_put(&held, line);
            xt_buf_putc(&held, '\n');
            continue;
        }
        xt_buf_put(out, line);
        if (what < 11 && line.n > 0)
            out->p[out->n - line.n + n] = (char)next_random(&state);
        xt_buf_putc(out, '\n');
        if (what < 14) {
            xt_buf_put(out, line);
            xt_buf_putc(out, '\n');
        }
        if (what == 99) {
            xt_buf_put(out, xt_buf_slice(&held));
            xt_buf_reset(&held);
        }
    }
    assert_int_equal(xt_buf_done(out), 0);
}

static void test_damaged_captures(void **state)
{
    static const char *const names[] = {"session.log",       "tty.log",       "webshell.log", "tamper.log",
                                        "compat32-head.log", "argv-head.log", "calls.log"};
    const char *data = getenv("XT_TEST_DATA");
    size_t n_rounds = getenv("XT_LONG") ? 200 : 4;
    (void)state;
    for (size_t i = 0; i < XT_COUNT_OF(names) * n_rounds; i++) {
        char path[4096];
        XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
        XT_CLEANUP(xt_buf_fini) xt_buf bad = XT_BUF_INIT;
        snprintf(path, sizeof path, "%s/capture/%s", data ? data : "tests/data", names[i % XT_COUNT_OF(names)]);
        assert_true(seen_file(path, &text));
        damage(xt_buf_slice(&text), i + 1, &bad);
        check c = explain_text(names[i % XT_COUNT_OF(names)], xt_buf_slice(&bad), 0);
        if (c.n_bad > 0)
            fail_msg("seed %zu", i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carried_captures),
        cmocka_unit_test(test_shared_corpus),
        cmocka_unit_test(test_wrong_values_are_seen),
        cmocka_unit_test(test_unknown_types),
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_damaged_captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
