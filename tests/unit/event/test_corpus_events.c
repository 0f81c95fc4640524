/*
 * Real captures against the truth: what each process itself wrote down about how it was started; and all arguments of
 * the largest against a naive reading of the EXECVE records. Truth and captures of their own size are looked for in
 * $XT_SHARED/corpus, or in ../shared/corpus beside the source; what is not there is skipped. A part of them is carried.
 */
#include "support.h"

#include <jansson.h>
#include <unistd.h>
#include <zstd.h>

#include "base/map.h"

/* A file, or NAME.zst unpacked. */
static bool load(const char *folder, const char *name, xt_buf *out)
{
    char path[4096];
    xt_buf packed = XT_BUF_INIT;
    *out = XT_BUF_INIT;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (seen_file(path, out))
        return true;
    snprintf(path, sizeof path, "%s/%s.zst", folder, name);
    if (!seen_file(path, &packed))
        return false;
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed.p, packed.n, 0};
    for (size_t left = 1; left > 0 || in.pos < in.size;) {
        char *to = xt_buf_reserve(out, 1 << 20);
        assert_non_null(to);
        ZSTD_outBuffer part = {to, 1 << 20, 0};
        left = ZSTD_decompressStream(stream, &part, &in);
        assert_false(ZSTD_isError(left));
        out->n += part.pos;
    }
    ZSTD_freeDStream(stream);
    xt_buf_fini(&packed);
    return true;
}

static const char *shared_corpus(void)
{
    static char path[4096];
    const char *shared = getenv("XT_SHARED"), *source = getenv("XT_SOURCE");
    if (shared)
        snprintf(path, sizeof path, "%s/corpus", shared);
    else
        snprintf(path, sizeof path, "%s/../shared/corpus", source ? source : ".");
    return path;
}

static const char *carried(const char *folder)
{
    static char path[4096];
    const char *data = getenv("XT_TEST_DATA");
    snprintf(path, sizeof path, "%s/%s", data ? data : "tests/data", folder);
    return path;
}

/* What is known of execs: (pid, ppid, uid, exe, cwd, arguments) as one text, how often it was seen. */
typedef struct execs {
    xt_map map; /* to a count, as a pointer */
    xt_arena arena;
    size_t n;
} execs;

static void put_exec(xt_buf *key, uint64_t pid, uint64_t ppid, uint64_t uid, xt_slice exe, xt_slice cwd, xt_slice args)
{
    xt_buf_reset(key);
    xt_buf_printf(key, "%u %u %u ", (unsigned)pid, (unsigned)ppid, (unsigned)uid);
    xt_buf_put_block(key, exe);
    xt_buf_put_block(key, cwd);
    xt_buf_put(key, args);
}

/* Nothing is missing in these captures; what is said of programs is checked for the one that says its own truth. */
static void check_flags(const xt_event *event)
{
    static const char *const of_programs[] = {"argv0-mismatch", "memfd", "deleted", "loader"};
    xt_slice flags = xt_event_bytes(event, XT_F_FLAGS), exe = xt_event_bytes(event, XT_F_EXE);
    uint64_t n = 0;
    for (size_t i = 0; i < XT_COUNT_OF(of_programs); i++)
        n += list_has(flags, of_programs[i]);
    assert_int_equal(n, flags.n > 0 ? xt_list_count(flags) : 0);
    if (!xt_slice_ends(exe, XT_S("/bin/witness")) || xt_list_count(xt_event_bytes(event, XT_F_ARGS)) == 0)
        return;
    xt_slice name = list_item(xt_event_bytes(event, XT_F_ARGS), 0);
    const char *slash = name.n > 0 ? memrchr(name.p, '/', name.n) : NULL;
    if (slash)
        name = xt_slice_skip(name, (size_t)(slash + 1 - name.p));
    assert_int_equal(list_has(flags, "argv0-mismatch"), !xt_slice_eq(name, XT_S("witness")));
}

static int remember_exec(void *context, xt_event *event, xt_arena *arena)
{
    execs *all = context;
    xt_buf key = XT_BUF_INIT;
    (void)arena;
    if (!xt_event_has(event, XT_F_ARGS))
        return 0;
    assert_slice_eq(xt_event_bytes(event, XT_F_ACTION), "executed");
    check_flags(event);
    put_exec(&key, xt_event_num(event, XT_F_PID, 0), xt_event_num(event, XT_F_PPID, 0),
             xt_event_num(event, XT_F_UID, 0), xt_event_bytes(event, XT_F_EXE), xt_event_bytes(event, XT_F_CWD),
             xt_event_bytes(event, XT_F_ARGS));
    uintptr_t n = (uintptr_t)xt_map_find(&all->map, xt_buf_slice(&key));
    xt_slice copy = n > 0 ? xt_buf_slice(&key) : xt_arena_copy(&all->arena, xt_buf_slice(&key));
    if (n == 0)
        assert_int_equal(xt_map_put(&all->map, copy, (void *)(n + 1), NULL), 0);
    all->n++;
    xt_buf_fini(&key);
    return 0;
}

static xt_slice unhex(xt_buf *out, const char *hex)
{
    xt_buf_reset(out);
    size_t n = strlen(hex);
    char *to = xt_buf_reserve(out, n / 2 + 1);
    assert_non_null(to);
    for (size_t i = 0; i < n / 2; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        to[i] = (char)byte;
    }
    out->n = n / 2;
    return xt_buf_slice(out);
}

static bool has_truth(const execs *all, const json_t *truth)
{
    xt_buf key = XT_BUF_INIT, exe = XT_BUF_INIT, cwd = XT_BUF_INIT, args = XT_BUF_INIT, arg = XT_BUF_INIT;
    const json_t *list = json_object_get(truth, "args_hex");
    xt_buf_put_varint(&args, json_array_size(list));
    for (size_t i = 0; i < json_array_size(list); i++)
        xt_buf_put_block(&args, unhex(&arg, json_string_value(json_array_get(list, i))));
    put_exec(&key, (uint64_t)json_integer_value(json_object_get(truth, "pid")),
             (uint64_t)json_integer_value(json_object_get(truth, "ppid")),
             (uint64_t)json_integer_value(json_object_get(truth, "uid")),
             unhex(&exe, json_string_value(json_object_get(truth, "exe_hex"))),
             unhex(&cwd, json_string_value(json_object_get(truth, "cwd_hex"))), xt_buf_slice(&args));
    bool found = xt_map_find(&all->map, xt_buf_slice(&key)) != NULL;
    xt_buf *const bufs[] = {&key, &exe, &cwd, &args, &arg};
    for (size_t i = 0; i < XT_COUNT_OF(bufs); i++)
        xt_buf_fini(bufs[i]);
    return found;
}

static size_t check_truth(const execs *all, const char *name, xt_slice text)
{
    size_t n = 0;
    for (xt_slice line; xt_slice_cut(&text, '\n', &line);) {
        if (line.n == 0)
            continue;
        json_t *truth = json_loadb(line.p, line.n, 0, NULL);
        assert_non_null(truth);
        if (!has_truth(all, truth))
            fail_msg("%s: no event for %.*s", name, (int)(line.n < 200 ? line.n : 200), line.p);
        json_decref(truth);
        n++;
    }
    return n;
}

static xt_decoder *open_decoder(execs *all)
{
    xt_decoder_settings settings = {.origin = {.host_name = XT_S("h")}, .on_event = remember_exec, .context = all};
    xt_decoder *decoder;
    *all = (execs){.map = XT_MAP_INIT};
    xt_arena_init(&all->arena, (size_t)4 << 30);
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    return decoder;
}

static void close_decoder(execs *all, xt_decoder *decoder)
{
    assert_int_equal(xt_decoder_finish(decoder), 0);
    assert_int_equal(xt_decoder_stats_get(decoder).n_unparsed, 0);
    assert_int_equal(xt_decoder_stats_get(decoder).n_late, 0);
    xt_decoder_free(decoder);
    assert_true(all->n > 0);
}

static void execs_fini(execs *all)
{
    xt_map_fini(&all->map);
    xt_arena_fini(&all->arena);
}

/* Skips when the capture is not there. */
static void check_log(const char *log_folder, const char *truth_folder, const char *name, size_t n_truth)
{
    char file[256];
    xt_buf log, truth;
    execs all;
    snprintf(file, sizeof file, "%s.log", name);
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", log_folder);
    if (!load(folder, file, &log))
        skip();
    snprintf(file, sizeof file, "%s.truth.jsonl", name);
    assert_true(load(truth_folder, file, &truth));
    xt_decoder *decoder = open_decoder(&all);
    for (size_t at = 0; at < log.n; at += 1 << 20)
        assert_int_equal(xt_decoder_feed(decoder, xt_slice_head(xt_slice_skip(xt_buf_slice(&log), at), 1 << 20)), 0);
    close_decoder(&all, decoder);
    assert_int_equal(check_truth(&all, name, xt_buf_slice(&truth)), n_truth);
    execs_fini(&all);
    xt_buf_fini(&log);
    xt_buf_fini(&truth);
}

static void test_carried_args(void **state)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", carried("capture"));
    check_log(folder, carried("event"), "args", 324);
}

static void test_carried_argv(void **state)
{
    check_log(carried("event"), carried("event"), "argv", 264);
}

static void test_carried_compat32(void **state)
{
    check_log(carried("event"), carried("event"), "compat32", 160);
}

static void test_argv(void **state)
{
    check_log(shared_corpus(), shared_corpus(), "argv", 2902);
}

static void test_compat32(void **state)
{
    check_log(shared_corpus(), shared_corpus(), "compat32", 160);
}

static void test_fleet(void **state)
{
    check_log(shared_corpus(), shared_corpus(), "fleet", 20161);
}

/* Datagrams: u32 type, u32 length, payload; type 2 is an acknowledgement. */
static void test_netlink(void **state)
{
    xt_buf datagrams, truth;
    execs all;
    if (!load(shared_corpus(), "netlink.bin", &datagrams))
        skip();
    assert_true(load(shared_corpus(), "netlink.truth.jsonl", &truth));
    xt_decoder *decoder = open_decoder(&all);
    xt_reader reader = xt_reader_of(xt_buf_slice(&datagrams));
    while (xt_reader_left(&reader) > 0) {
        uint32_t type = xt_reader_u32(&reader), n = xt_reader_u32(&reader);
        xt_slice payload = xt_reader_bytes(&reader, n);
        if (type != 2)
            assert_int_equal(xt_decoder_feed_payload(decoder, (uint16_t)type, payload), 0);
    }
    assert_false(reader.failed);
    close_decoder(&all, decoder);
    assert_true(check_truth(&all, "netlink", xt_buf_slice(&truth)) > 100);
    execs_fini(&all);
    xt_buf_fini(&datagrams);
    xt_buf_fini(&truth);
}

/* The naive reading: arguments by serial, in the order of the file, as the kernel writes them. */
typedef struct naive {
    xt_buf *by_serial; /* arguments, each ended by 0 */
    size_t n, n_execs;
    uint32_t first;
} naive;

static void naive_value(xt_buf *out, const char *p, const char *end)
{
    if (p < end && *p == '"') {
        xt_buf_put(out, xt_slice_of(p + 1, (size_t)(end - p) - 2));
        return;
    }
    for (; p + 1 < end; p += 2) {
        char digits[3] = {p[0], p[1], '\0'};
        xt_buf_putc(out, (char)strtoul(digits, NULL, 16));
    }
}

static void naive_line(naive *all, xt_slice line)
{
    const char *colon = memchr(line.p, ':', line.n), *end = memchr(line.p, 0x1d, line.n);
    uint32_t serial = (uint32_t)strtoul(colon + 1, NULL, 10) - all->first;
    const char *p = memchr(colon + 1, ':', 20);
    end = end ? end : line.p + line.n;
    if (serial >= all->n)
        return;
    xt_buf *out = &all->by_serial[serial];
    for (p++; p < end;) {
        while (p < end && *p == ' ')
            p++;
        const char *equals = memchr(p, '=', (size_t)(end - p));
        if (!equals)
            break;
        const char *stop = memchr(equals, ' ', (size_t)(end - equals));
        stop = stop ? stop : end;
        bool is_length = equals[-1] == 'n' && equals[-2] == 'e', is_first = strncmp(p, "argc", 4) == 0;
        bool is_fragment = equals[-1] == ']';
        if (!is_length && !is_first) {
            if (out->n > 0 && !(is_fragment && strncmp(equals - 3, "[0]", 3) != 0))
                xt_buf_putc(out, '\0');
            if (out->n == 0)
                xt_buf_putc(out, 'x'); /* so that an empty first argument is seen */
            naive_value(out, equals + 1, stop);
        }
        p = stop;
    }
}

static int compare_naive(void *context, xt_event *event, xt_arena *arena)
{
    naive *all = context;
    xt_buf text = XT_BUF_INIT;
    (void)arena;
    if (!xt_event_has(event, XT_F_ARGS))
        return 0;
    xt_buf_putc(&text, 'x');
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_ARGS));
    bool is_first = true;
    for (xt_slice arg; xt_list_next(&iter, &arg); is_first = false) {
        if (!is_first)
            xt_buf_putc(&text, '\0');
        xt_buf_put(&text, arg);
    }
    uint32_t serial = (uint32_t)xt_event_num(event, XT_F_SERIAL, 0) - all->first;
    assert_true(serial < all->n);
    assert_true(xt_slice_eq(xt_buf_slice(&text), xt_buf_slice(&all->by_serial[serial])));
    all->n_execs++;
    xt_buf_fini(&text);
    return 0;
}

static void test_fleet_against_naive(void **state)
{
    xt_buf log;
    size_t n_lines = 0;
    if (!load(shared_corpus(), "fleet.log", &log))
        skip();
    naive all = {.n = 400000, .first = 26000};
    all.by_serial = calloc(all.n, sizeof *all.by_serial);
    assert_non_null(all.by_serial);
    xt_slice rest = xt_buf_slice(&log);
    for (xt_slice line; xt_slice_cut(&rest, '\n', &line);) {
        if (xt_slice_starts(line, XT_S("type=EXECVE "))) {
            naive_line(&all, line);
            n_lines++;
        }
    }
    assert_int_equal(n_lines, 174286);
    xt_decoder_settings settings = {.origin = {.host_name = XT_S("h")}, .on_event = compare_naive, .context = &all};
    xt_decoder *decoder;
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    assert_int_equal(xt_decoder_feed(decoder, xt_buf_slice(&log)), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    xt_decoder_free(decoder);
    assert_true(all.n_execs > 150000);
    for (size_t i = 0; i < all.n; i++)
        xt_buf_fini(&all.by_serial[i]);
    free(all.by_serial);
    xt_buf_fini(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carried_args),     cmocka_unit_test(test_carried_argv),
        cmocka_unit_test(test_carried_compat32), cmocka_unit_test(test_argv),
        cmocka_unit_test(test_compat32),         cmocka_unit_test(test_fleet),
        cmocka_unit_test(test_netlink),          cmocka_unit_test(test_fleet_against_naive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
