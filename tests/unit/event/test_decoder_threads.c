/*
 * With workers the decoder gives out the same events in the same order as without: held against each other over every
 * capture there is, over commands with secrets, over files that follow one another, and where memory ends.
 */
#include "support.h"

#include <dirent.h>
#include <zstd.h>

#include "event/secret_redact.h"

#define SECRET "hUnter2xy"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAX_CAPTURE_BYTES ((size_t)4 << 20)
static const unsigned worker_counts[] = {1, 4};
#else
#define MAX_CAPTURE_BYTES SIZE_MAX
static const unsigned worker_counts[] = {1, 3, 40};
#endif

typedef struct fixture {
    xt_secret_rules *rules;
    xt_hpke_key own;
    xt_secret_seal_key key;
} fixture;

/* What a decoder gave out, as sums. */
typedef struct outcome {
    xt_decoder_stats stats;
    uint64_t events;   /* each event's bytes and its place go in */
    uint64_t problems; /* whose order is not promised */
    size_t n_events, n_problems, n_redactions, n_sealed;
    const fixture *f;
    xt_buf bytes, opened, bound;
    bool shows_secret;
} outcome;

static int open_fixture(void **state)
{
    static fixture f;
    assert_int_equal(xt_secret_rules_builtin(&f.rules), 0);
    assert_int_equal(xt_hpke_key_make(&f.own), 0);
    assert_int_equal(xt_secret_seal_key_of(&f.own, &f.key), 0);
    *state = &f;
    return 0;
}

static int close_fixture(void **state)
{
    xt_secret_rules_unref(((fixture *)*state)->rules);
    return 0;
}

/* A box is another one each time: what is in it takes its place. */
static void box_open(outcome *o, xt_event *event, xt_arena *arena)
{
    xt_reader entries;
    xt_slice where, what;
    xt_buf_reset(&o->bound);
    xt_buf_reset(&o->opened);
    assert_int_equal(xt_secret_seal_bound(event, arena, &o->bound), 0);
    assert_int_equal(xt_secret_unseal(&o->f->own, xt_event_bytes(event, XT_F_SEALED), xt_buf_slice(&o->bound),
                                      &o->opened, &entries, NULL),
                     0);
    xt_event_set_bytes(event, XT_F_SEALED, XT_S(""));
    while (xt_secret_unsealed_next(&entries, xt_buf_slice(&o->bound), &where, &what))
        o->events = o->events * 31 + xt_slice_hash(where) + xt_slice_hash(what);
    o->n_sealed++;
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    outcome *o = context;
    if (xt_event_has(event, XT_F_SEALED))
        box_open(o, event, arena);
    xt_buf_reset(&o->bytes);
    xt_event_encode(event, &o->bytes);
    if (xt_slice_find(xt_buf_slice(&o->bytes), XT_S(SECRET)) >= 0 && getenv("DBG") && !o->shows_secret)
        fprintf(stderr, "%.*s\n", (int)o->bytes.n, o->bytes.p);
    o->shows_secret |= xt_slice_find(xt_buf_slice(&o->bytes), XT_S(SECRET)) >= 0;
    o->events = o->events * 31 + xt_slice_hash(xt_buf_slice(&o->bytes));
    o->n_redactions += xt_list_count(xt_event_bytes(event, XT_F_REDACTIONS));
    o->n_events++;
    return 0;
}

static void on_problem(void *context, const xt_problem *problem)
{
    outcome *o = context;
    o->problems += xt_slice_hash(xt_slice_str(problem->sentence)) + problem->line * 31 + problem->column * 17 +
                   xt_slice_hash(xt_slice_str(problem->source)) + xt_slice_hash(xt_slice_str(problem->excerpt));
    o->n_problems++;
}

typedef struct run {
    const fixture *f;
    bool seals, shows_typed;
    size_t max_memory, piece;
    const xt_slice *files;
    size_t n_files;
} run;

static outcome decode(const run *how, unsigned n_workers)
{
    outcome o = {.f = how->f};
    xt_decoder *decoder;
    xt_decoder_settings settings = {.origin = {.host_name = XT_S("web-1")},
                                    .secrets = how->f ? how->f->rules : NULL,
                                    .seal_to = how->seals ? &how->f->key : NULL,
                                    .shows_typed_secrets = how->shows_typed,
                                    .source = "first",
                                    .max_memory_bytes = how->max_memory,
                                    .n_workers = n_workers,
                                    .on_event = on_event,
                                    .on_problem = on_problem,
                                    .context = &o};
    assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
    for (size_t i = 0; i < how->n_files; i++) {
        if (i > 0)
            assert_int_equal(xt_decoder_begin(decoder, "next"), 0);
        for (size_t at = 0; at < how->files[i].n; at += how->piece)
            assert_int_equal(xt_decoder_feed(decoder, xt_slice_head(xt_slice_skip(how->files[i], at), how->piece)), 0);
    }
    assert_int_equal(xt_decoder_finish(decoder), 0);
    o.stats = xt_decoder_stats_get(decoder);
    xt_decoder_free(decoder);
    assert_int_equal(o.stats.n_events, o.n_events);
    xt_buf_fini(&o.bytes);
    xt_buf_fini(&o.opened);
    xt_buf_fini(&o.bound);
    return o;
}

/* Decodes with no worker and with some; what came of it without. */
static outcome decode_all_ways(const char *name, const run *how)
{
    outcome alone = decode(how, 0);
    for (size_t i = 0; i < XT_COUNT_OF(worker_counts); i++) {
        outcome o = decode(how, worker_counts[i]);
        bool same = o.events == alone.events && o.problems == alone.problems && o.n_problems == alone.n_problems &&
                    o.n_redactions == alone.n_redactions && o.n_sealed == alone.n_sealed &&
                    memcmp(&o.stats, &alone.stats, sizeof o.stats) == 0;
        if (!same)
            fail_msg("%s: %u workers give other events (%zu instead of %zu, %zu problems instead of %zu)", name,
                     worker_counts[i], o.n_events, alone.n_events, o.n_problems, alone.n_problems);
    }
    return alone;
}

/* ---- captures ---- */

static void unpack(const xt_buf *packed, xt_buf *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer in = {packed->p, packed->n, 0};
    for (size_t left = 1; (left > 0 || in.pos < in.size) && out->n < MAX_CAPTURE_BYTES;) {
        char *to = xt_buf_reserve(out, 1 << 20);
        assert_non_null(to);
        ZSTD_outBuffer part = {to, 1 << 20, 0};
        left = ZSTD_decompressStream(stream, &part, &in);
        assert_false(ZSTD_isError(left));
        out->n += part.pos;
    }
    ZSTD_freeDStream(stream);
}

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), n_end = strlen(end);
    return n > n_end && strcmp(name + n - n_end, end) == 0;
}

/* false: it is no capture in text. */
static bool capture_load(const char *folder, const char *name, xt_buf *out)
{
    char path[8192];
    xt_buf bytes = XT_BUF_INIT;
    bool is_packed = ends_with(name, ".log.zst");
    *out = XT_BUF_INIT;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!is_packed && !ends_with(name, ".log"))
        return false;
    assert_true(seen_file(path, is_packed ? &bytes : out));
    if (is_packed)
        unpack(&bytes, out);
    xt_buf_fini(&bytes);
    return true;
}

static size_t folder_check(const fixture *f, const char *folder)
{
    DIR *dir = opendir(folder);
    size_t n = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
        xt_buf text;
        if (!capture_load(folder, entry->d_name, &text))
            continue;
        xt_slice file = xt_slice_head(xt_buf_slice(&text), MAX_CAPTURE_BYTES);
        run how = {.f = f, .piece = 1 << 20, .files = &file, .n_files = 1};
        assert_true(decode_all_ways(entry->d_name, &how).n_events > 5);
        how = (run){.shows_typed = true, .piece = 65521, .files = &file, .n_files = 1};
        if (file.n < 2 << 20)
            (void)decode_all_ways(entry->d_name, &how);
        xt_buf_fini(&text);
        n++;
    }
    if (dir)
        closedir(dir);
    return n;
}

static void test_carried_captures(void **state)
{
    char folder[4096];
    const char *data = getenv("XT_TEST_DATA");
    snprintf(folder, sizeof folder, "%s/capture", data ? data : "tests/data");
    assert_true(folder_check(*state, folder) > 5);
}

static void test_shared_captures(void **state)
{
    char folder[4096];
    const char *shared = getenv("XT_SHARED"), *source = getenv("XT_SOURCE");
    if (shared)
        snprintf(folder, sizeof folder, "%s/corpus", shared);
    else
        snprintf(folder, sizeof folder, "%s/../shared/corpus", source ? source : ".");
    if (folder_check(*state, folder) == 0)
        skip();
}

/* ---- made text ---- */

static void put_stamp(xt_buf *text, const char *type, unsigned serial)
{
    xt_buf_printf(text, "type=%s msg=audit(%u.%03u:%u): ", type, 1700000000 + serial / 100, serial % 100, serial);
}

static void put_hex(xt_buf *text, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        xt_buf_printf(text, "%02X", (unsigned char)p[i]);
}

static void put_call(xt_buf *text, unsigned serial)
{
    put_stamp(text, "SYSCALL", serial);
    xt_buf_printf(
        text,
        "arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=%u pid=%u auid=1000 uid=0 gid=0 ses=3 tty=pts2 "
        "comm=\"x\" exe=\"/x\"\n",
        1000 + serial / 3 % 50, 1000 + serial % 50);
}

/* A command of the table of planted secrets, its arguments between tabs. */
static void put_planted(xt_buf *text, unsigned serial, const char *line)
{
    XT_CLEANUP(xt_buf_fini) xt_buf command = XT_BUF_INIT;
    unsigned n = 1;
    while (*line) {
        bool at_secret = strncmp(line, "{S}", 3) == 0, at_newline = strncmp(line, "\\n", 2) == 0;
        xt_buf_printf(&command, "%.*s", at_secret ? 9 : 1, at_secret ? SECRET : at_newline ? "\n" : line);
        line += at_secret ? 3 : at_newline ? 2 : 1;
    }
    put_call(text, serial);
    put_stamp(text, "EXECVE", serial);
    xt_slice rest = xt_buf_slice(&command), arg;
    for (size_t i = 0; i < rest.n; i++)
        n += rest.p[i] == '\t';
    xt_buf_printf(text, "argc=%u", n);
    for (unsigned i = 0; i < n && xt_slice_cut(&rest, '\t', &arg); i++) {
        xt_buf_printf(text, " a%u=", i);
        put_hex(text, arg.p, arg.n);
    }
    xt_buf_putc(text, '\n');
}

static void put_typed(xt_buf *text, unsigned serial, const char *comm, const char *keys)
{
    put_stamp(text, "TTY", serial);
    xt_buf_printf(text, "tty pid=7 uid=1001 auid=1001 ses=3 major=136 minor=2 comm=\"%s\" data=", comm);
    put_hex(text, keys, strlen(keys));
    xt_buf_putc(text, '\n');
}

/* Commands with secrets, secrets that are typed (over several records), and secrets in lines that are no records. */
static void put_secrets(xt_buf *text)
{
    XT_CLEANUP(xt_buf_fini) xt_buf table = XT_BUF_INIT;
    char path[4096], line[2048];
    const char *data = getenv("XT_TEST_DATA");
    unsigned serial = 0;
    snprintf(path, sizeof path, "%s/secrets/planted.txt", data ? data : "tests/data");
    assert_true(seen_file(path, &table));
    for (int round = 0; round < 5; round++) {
        xt_slice rest = xt_buf_slice(&table), at;
        while (xt_slice_cut(&rest, '\n', &at)) {
            if (at.n == 0 || at.p[0] == '#')
                continue;
            snprintf(line, sizeof line, "%.*s", XT_S_ARGS(at));
            put_planted(text, ++serial, line);
            if (serial % 7 == 0)
                xt_buf_printf(text, "no record: mysql --password=%s %u\n", SECRET, serial);
            if (serial % 5 == 0) {
                put_typed(text, ++serial, "bash", "mysql -");
                put_typed(text, ++serial, "bash", "p" SECRET "\r");
            }
            if (serial % 11 == 0)
                put_typed(text, ++serial, "sudo", SECRET "\n");
        }
    }
}

static void test_secrets(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    put_secrets(&text);
    xt_slice file = xt_buf_slice(&text);
    run how = {.f = *state, .piece = 4096, .files = &file, .n_files = 1};
    outcome gone = decode_all_ways("secrets", &how);
    assert_true(gone.n_redactions > 500);
    assert_false(gone.shows_secret);
    assert_int_equal(gone.n_sealed, 0);
    how.seals = true;
    outcome sealed = decode_all_ways("sealed secrets", &how);
    assert_true(sealed.n_sealed > 200);
    assert_false(sealed.shows_secret);
    how.f = NULL;
    how.seals = false;
    assert_true(decode_all_ways("secrets that stay", &how).shows_secret);
}

/* Events of more than a MiB among small ones, and such as do not fit into memory. */
static void test_great_events(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    for (unsigned serial = 1; serial < 400; serial++) {
        put_call(&text, serial);
        put_stamp(&text, "EXECVE", serial);
        xt_buf_puts(&text, "argc=2 a0=\"x\" a1=\"y\"\n");
        if (serial % 100 == 50)
            for (unsigned i = 0; i < 300; i++) {
                put_stamp(&text, "EXECVE", serial);
                xt_buf_printf(&text, " a%u=", i + 2);
                for (unsigned k = 0; k < 7000; k++)
                    xt_buf_puts(&text, "6B");
                xt_buf_putc(&text, '\n');
            }
        if (serial % 100 == 70) { /* small, and many fields */
            put_stamp(&text, "USER_LOGIN", serial + 1000);
            for (int i = 0; i < 200000; i++)
                xt_buf_puts(&text, "a= ");
            xt_buf_putc(&text, '\n');
        }
    }
    xt_slice file = xt_buf_slice(&text);
    run how = {.f = *state, .piece = 100000, .files = &file, .n_files = 1};
    assert_int_equal(decode_all_ways("great events", &how).n_problems, 0);
    how.max_memory = 3 << 20;
    assert_true(decode_all_ways("too great events", &how).n_problems >= 4);
}

/* The second file goes on, the third one is the first again, the fourth begins in the middle. */
static void test_files(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    put_secrets(&text);
    xt_slice whole = xt_buf_slice(&text), half = xt_slice_head(whole, text.n / 2 + 17);
    const xt_slice files[] = {half, xt_slice_skip(whole, half.n), half, xt_slice_skip(whole, text.n / 4)};
    run how = {.f = *state, .piece = 10000, .files = files, .n_files = XT_COUNT_OF(files)};
    (void)decode_all_ways("files", &how);
}

/* ---- the end ---- */

static int refuse(void *context, xt_event *event, xt_arena *arena)
{
    (void)event;
    (void)arena;
    return ++*(size_t *)context == 100 ? 77 : 0;
}

/* What the callback says comes back, and nothing more is given out. */
static void test_callback_ends_the_stream(void **state)
{
    (void)state;
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    put_secrets(&text);
    for (int ends = 0; ends < 2; ends++) {
        size_t n = 0;
        int r = 0;
        xt_decoder_settings settings = {.on_event = refuse, .context = &n, .n_workers = 2};
        xt_decoder *decoder;
        assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
        for (size_t at = 0; at < text.n && r == 0; at += 1000)
            r = xt_decoder_feed(decoder, xt_slice_head(xt_slice_skip(xt_buf_slice(&text), at), 1000));
        if (r == 0 || ends)
            r = xt_decoder_finish(decoder);
        assert_int_equal(r, 77);
        xt_decoder_free(decoder);
        assert_int_equal(n, 100);
    }
}

/* Given up with batches under way. */
static void test_given_up(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    const fixture *f = *state;
    put_secrets(&text);
    for (size_t n = 1; n < text.n; n += text.n / 20) {
        outcome o = {.f = f};
        xt_decoder_settings settings = {.on_event = on_event, .context = &o, .secrets = f->rules, .n_workers = 3};
        xt_decoder *decoder;
        assert_int_equal(xt_decoder_new(&settings, &decoder), 0);
        assert_int_equal(xt_decoder_feed(decoder, xt_slice_head(xt_buf_slice(&text), n)), 0);
        xt_decoder_free(decoder);
        assert_false(o.shows_secret);
        xt_buf_fini(&o.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carried_captures),
        cmocka_unit_test(test_shared_captures),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_great_events),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_callback_ends_the_stream),
        cmocka_unit_test(test_given_up),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
