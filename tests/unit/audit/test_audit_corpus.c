/*
 * Real captures through parser and joiner, compared with a grouping that knows nothing of either: lines are sorted
 * by the text between "audit(" and "):", stably. The captures in tests/data always run; the big ones of a shared
 * folder (XT_SHARED, else ../shared beside the source) run where they are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <zstd.h>

#include "audit/joiner.h"
#include "audit/names.h"

#define MAX_BYTES ((size_t)48 << 20) /* of one capture: enough, and the test stays short */
#define WINDOW    40                 /* groups that are mixed with each other */

/* ---- reading ---- */

static void read_zstd(FILE *f, xt_buf *out)
{
    ZSTD_DStream *stream = ZSTD_createDStream();
    static char piece[1 << 16];
    for (size_t n; out->n < MAX_BYTES && (n = fread(piece, 1, sizeof piece, f)) > 0;) {
        ZSTD_inBuffer in = {piece, n, 0};
        while (in.pos < in.size && out->n < MAX_BYTES) {
            char *room = xt_buf_reserve(out, 1 << 18);
            assert_non_null(room);
            ZSTD_outBuffer to = {room, 1 << 18, 0};
            assert_false(ZSTD_isError(ZSTD_decompressStream(stream, &to, &in)));
            out->n += to.pos;
        }
    }
    ZSTD_freeDStream(stream);
}

static bool read_capture(const char *path, xt_buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    if (xt_slice_ends(xt_slice_str(path), XT_S(".zst"))) {
        read_zstd(f, out);
    } else {
        for (size_t n = 1; n > 0 && out->n < MAX_BYTES; out->n += n)
            n = fread(xt_buf_reserve(out, 1 << 16), 1, 1 << 16, f);
    }
    fclose(f);
    return true;
}

/* ---- lines and naive groups ---- */

typedef struct line {
    xt_slice text, key; /* key: what stands between "audit(" and "):" */
    size_t at;          /* order of pushing */
    bool is_proctitle;
} line;

typedef struct lines {
    line *v;
    size_t n;
} lines;

static xt_slice key_of(xt_slice text)
{
    ptrdiff_t from = xt_slice_find(text, XT_S("audit("));
    assert_true(from >= 0);
    xt_slice rest = xt_slice_skip(text, (size_t)from + 6);
    return xt_slice_head(rest, (size_t)xt_slice_find_byte(rest, ')'));
}

static lines lines_of(xt_slice capture)
{
    lines l = {0};
    size_t cap = 0;
    xt_slice text;
    while (xt_slice_cut(&capture, '\n', &text)) {
        if (text.n == 0 || capture.p == NULL)
            continue; /* the end, or cut in two by MAX_BYTES */
        if (l.n == cap)
            l.v = realloc(l.v, (cap = cap ? 2 * cap : 1024) * sizeof *l.v);
        l.v[l.n++] = (line){text, key_of(text), 0, xt_slice_starts(text, XT_S("type=PROCTITLE "))};
    }
    return l;
}

static lines lines_copy(lines l)
{
    lines copy = {malloc((l.n + 1) * sizeof *l.v), l.n};
    memcpy(copy.v, l.v, l.n * sizeof *l.v);
    return copy;
}

static int line_cmp(const void *a, const void *b)
{
    const line *x = a, *y = b;
    int r = xt_slice_cmp(x->key, y->key);
    return r ? r : x->at < y->at ? -1 : 1;
}

/* Sorted by key and order of pushing: groups lie side by side. */
static lines naive(lines pushed)
{
    for (size_t i = 0; i < pushed.n; i++)
        pushed.v[i].at = i;
    lines sorted = lines_copy(pushed);
    qsort(sorted.v, sorted.n, sizeof *sorted.v, line_cmp);
    return sorted;
}

/* ---- comparing ---- */

typedef struct run {
    lines expected;
    bool *seen; /* of expected's lines */
    size_t n_groups;
    unsigned wrong_flags; /* flags that no group may have */
} run;

static size_t first_of(const run *r, xt_slice key)
{
    size_t low = 0, high = r->expected.n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (xt_slice_cmp(r->expected.v[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The record must be this line: the same text behind the stamp, the same type. */
static void check_record(const xt_record *record, const line *l)
{
    ptrdiff_t colon = xt_slice_find(l->text, XT_S("):"));
    xt_slice rest = xt_slice_skip(l->text, (size_t)colon + 2);
    while (rest.n > 0 && rest.p[0] == ' ')
        rest = xt_slice_skip(rest, 1);
    ptrdiff_t mark = xt_slice_find_byte(rest, 0x1d);
    assert_true(xt_slice_eq(record->body, mark < 0 ? rest : xt_slice_head(rest, (size_t)mark)));
    assert_true(xt_slice_eq(record->enriched, mark < 0 ? XT_S_NULL : xt_slice_skip(rest, (size_t)mark + 1)));
    xt_slice type = xt_slice_skip(l->text, 5);
    type = xt_slice_head(type, (size_t)xt_slice_find_byte(type, ' '));
    const char *name = xt_record_type_name(record->type);
    assert_true(xt_slice_eq(type, xt_slice_str(name)));
}

static void check_group(run *r, const xt_group *group)
{
    char text[64];
    snprintf(text, sizeof text, "%lld.%03d:%u", (long long)(group->time_ms / 1000), (int)(group->time_ms % 1000),
             group->serial);
    xt_slice key = xt_slice_str(text);
    size_t at = first_of(r, key);
    for (size_t i = 0; i < group->n_records; i++, at++) {
        if (at >= r->expected.n || !xt_slice_eq(r->expected.v[at].key, key))
            fail_msg("%s: record %d is too much", text, (int)i);
        assert_false(r->seen[at]);
        r->seen[at] = true;
        check_record(&group->records[i], &r->expected.v[at]);
    }
    if (at < r->expected.n && xt_slice_eq(r->expected.v[at].key, key))
        fail_msg("%s: has %d records only", text, (int)group->n_records);
    if (group->flags & r->wrong_flags)
        fail_msg("%s: flags %u", text, group->flags);
    r->n_groups++;
}

/* Pushes the lines in their order and holds every group against the naive one; the number of groups. */
static size_t check_lines(lines pushed, int64_t timeout_ms)
{
    run r = {.expected = naive(pushed), .wrong_flags = XT_GROUP_LATE | XT_GROUP_EVICTED | XT_GROUP_TRUNCATED};
    r.seen = calloc(pushed.n + 1, 1);
    xt_joiner *joiner;
    xt_joiner_settings settings = {.timeout_ms = timeout_ms};
    assert_int_equal(xt_joiner_new(&settings, &joiner), 0);
    int64_t now_ms = 0;
    const xt_group *group;
    for (size_t i = 0; i < pushed.n; i++) {
        xt_record record;
        assert_int_equal(xt_record_parse_line(pushed.v[i].text, &record, NULL), 0);
        now_ms = record.time_ms > now_ms ? record.time_ms : now_ms;
        assert_int_equal(xt_joiner_push(joiner, &record, now_ms), 0);
        while ((group = xt_joiner_next(joiner, now_ms)) != NULL)
            check_group(&r, group);
    }
    xt_joiner_finish(joiner);
    while ((group = xt_joiner_next(joiner, now_ms)) != NULL)
        check_group(&r, group);
    xt_joiner_free(joiner);
    for (size_t i = 0; i < pushed.n; i++)
        if (!r.seen[i])
            fail_msg("lost: %.*s", (int)r.expected.v[i].text.n, r.expected.v[i].text.p);
    free(r.seen);
    free(r.expected.v);
    return r.n_groups;
}

/* ---- disorder ---- */

static uint32_t seed;

static uint32_t below(size_t n)
{
    seed = seed * 1664525 + 1013904223;
    return (uint32_t)((seed >> 8) % n);
}

typedef struct piece {
    size_t from, n;
} piece;

/* One line of a group out of [from, from + n), its PROCTITLE only when nothing else is left. */
static line take_line(lines sorted, piece *p)
{
    size_t pick = p->from + below(p->n);
    if (sorted.v[pick].is_proctitle && p->n > 1)
        pick = pick == p->from ? p->from + 1 : p->from;
    if (sorted.v[pick].is_proctitle && p->n > 1)
        pick = p->from + p->n - 1;
    line taken = sorted.v[pick];
    sorted.v[pick] = sorted.v[p->from];
    p->from++;
    p->n--;
    return taken;
}

/* WINDOW groups at a time are mixed, line by line. */
static lines shuffled(lines l)
{
    lines sorted = naive(l), out = {malloc((l.n + 1) * sizeof(line)), 0};
    size_t at = 0;
    while (at < sorted.n) {
        piece pieces[WINDOW];
        size_t n = 0;
        for (; n < WINDOW && at < sorted.n; n++) {
            size_t from = at;
            while (at < sorted.n && xt_slice_eq(sorted.v[at].key, sorted.v[from].key))
                at++;
            pieces[n] = (piece){from, at - from};
        }
        while (n > 0) {
            size_t i = below(n);
            out.v[out.n++] = take_line(sorted, &pieces[i]);
            if (pieces[i].n == 0)
                pieces[i] = pieces[--n];
        }
    }
    free(sorted.v);
    return out;
}

/* Every tenth line is missing. */
static lines thinned(lines l)
{
    lines out = lines_copy(l);
    out.n = 0;
    for (size_t i = 0; i < l.n; i++)
        if (below(10) > 0)
            out.v[out.n++] = l.v[i];
    return out;
}

/* Every tenth line comes twice, but no user message: those are complete with their first line. */
static lines doubled(lines l)
{
    lines out = {malloc((2 * l.n + 1) * sizeof(line)), 0};
    for (size_t i = 0; i < l.n; i++) {
        xt_record record;
        assert_int_equal(xt_record_parse_line(l.v[i].text, &record, NULL), 0);
        out.v[out.n++] = l.v[i];
        if (record.type >= 1300 && record.type < 2000 && below(10) == 0)
            out.v[out.n++] = l.v[i];
    }
    return out;
}

#define FOR_EVER INT64_C(1000000000000)

static void check_capture(xt_slice capture)
{
    lines l = lines_of(capture);
    assert_true(l.n > 0);
    size_t n_groups = check_lines(l, 0);
    seed = 42;
    lines mixed = shuffled(l), thin = thinned(mixed), twice = doubled(l);
    assert_int_equal(check_lines(mixed, FOR_EVER), n_groups);
    assert_true(check_lines(thin, FOR_EVER) <= n_groups);
    assert_int_equal(check_lines(twice, 0), n_groups);
    free(twice.v);
    free(thin.v);
    free(mixed.v);
    free(l.v);
}

static bool check_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    xt_buf capture = XT_BUF_INIT;
    bool is_there = read_capture(path, &capture);
    if (is_there)
        check_capture(xt_buf_slice(&capture));
    xt_buf_fini(&capture);
    return is_there;
}

static const char *data_folder(void)
{
    static char path[4096];
    const char *data = getenv("XT_TEST_DATA");
    snprintf(path, sizeof path, "%s/capture", data ? data : "tests/data");
    return path;
}

static const char *shared_folder(void)
{
    static char path[4096];
    const char *shared = getenv("XT_SHARED"), *source = getenv("XT_SOURCE");
    if (shared)
        snprintf(path, sizeof path, "%s/corpus", shared);
    else
        snprintf(path, sizeof path, "%s/../shared/corpus", source ? source : ".");
    return path;
}

static void test_own_captures(void **state)
{
    static const char *const names[] = {"args.log",    "argv-head.log", "compat32-head.log",
                                        "session.log", "tamper.log",    "tty.log"};
    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (!check_file(data_folder(), names[i]))
            fail_msg("%s/%s is missing", data_folder(), names[i]);
}

static void test_shared_captures(void **state)
{
    static const char *const names[] = {"bypass.log",   "sudo.log",         "webshell.log", "args.log",
                                        "argv.log.zst", "compat32.log.zst", "fleet.log.zst"};
    size_t n = 0;
    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        n += check_file(shared_folder(), names[i]);
    if (n == 0)
        skip();
}

/* ---- netlink ---- */

/* The next record of a capture of datagrams; false at its end. */
static bool next_datagram(xt_reader *reader, xt_record *ret)
{
    while (xt_reader_left(reader) >= 8) {
        uint16_t type = (uint16_t)xt_reader_u32(reader);
        xt_slice payload = xt_reader_bytes(reader, xt_reader_u32(reader));
        assert_false(reader->failed);
        if (type < 1000)
            continue; /* the acknowledgement of a request */
        xt_problem problem = XT_PROBLEM_INIT;
        if (xt_record_parse_payload(type, payload, ret, &problem) != 0)
            fail_msg("%s", problem.sentence);
        return true;
    }
    return false;
}

/* As auditd would have written it. */
static void put_line(xt_buf *out, const xt_record *r)
{
    xt_buf_printf(out, "type=%s msg=audit(%lld.%03d:%u): ", xt_record_type_name(r->type),
                  (long long)(r->time_ms / 1000), (int)(r->time_ms % 1000), r->serial);
    xt_buf_put(out, r->body);
    xt_buf_putc(out, '\n');
}

/* Datagrams end every group but the open ones with an EOE, and make the same groups as their text does. */
static void check_datagrams(xt_slice capture)
{
    xt_buf text = XT_BUF_INIT;
    xt_reader reader = xt_reader_of(capture);
    xt_joiner *joiner;
    xt_joiner_settings settings = {.timeout_ms = FOR_EVER};
    assert_int_equal(xt_joiner_new(&settings, &joiner), 0);
    for (xt_record r; next_datagram(&reader, &r);)
        if (r.type != 1320)
            put_line(&text, &r);
    lines l = lines_of(xt_buf_slice(&text));
    size_t n_groups = check_lines(l, FOR_EVER);
    run known = {.expected = naive(l), .wrong_flags = XT_GROUP_LATE, .seen = calloc(l.n + 1, 1)};
    reader = xt_reader_of(capture);
    const xt_group *group;
    for (xt_record r; next_datagram(&reader, &r);) {
        assert_int_equal(xt_joiner_push(joiner, &r, 0), 0);
        while ((group = xt_joiner_next(joiner, 0)) != NULL)
            check_group(&known, group);
    }
    xt_joiner_finish(joiner);
    while ((group = xt_joiner_next(joiner, 0)) != NULL)
        check_group(&known, group);
    assert_int_equal(known.n_groups, n_groups);
    assert_true(xt_joiner_stats_get(joiner).n_eoe > n_groups / 2);
    xt_joiner_free(joiner);
    free(known.seen);
    free(known.expected.v);
    free(l.v);
    xt_buf_fini(&text);
}

static bool check_datagram_file(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    xt_buf capture = XT_BUF_INIT;
    bool is_there = read_capture(path, &capture);
    if (is_there)
        check_datagrams(xt_buf_slice(&capture));
    xt_buf_fini(&capture);
    return is_there;
}

static void test_own_datagrams(void **state)
{
    assert_true(check_datagram_file(data_folder(), "netlink-head.bin"));
}

static void test_shared_datagrams(void **state)
{
    if (!check_datagram_file(shared_folder(), "netlink.bin.zst"))
        skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_captures),
        cmocka_unit_test(test_own_datagrams),
        cmocka_unit_test(test_shared_captures),
        cmocka_unit_test(test_shared_datagrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
