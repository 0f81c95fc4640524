/*
 * Real captures, damaged at random (seeded, so a failure repeats): records dropped, doubled, shuffled within a window,
 * lines cut so that the next one begins in them, with and without the NULs of a crash between. What comes out is
 * compared with the undamaged decode by event.id: an event that carries no flag is the same, and one that does holds
 * nothing but what the undamaged one holds. An event that lacks a record is flagged, but for the records of which nothing
 * tells (docs/audit-cases.md), and these are counted. No flag of a loss stands at an undamaged event.
 *
 * Not compared: who the parent was and what was typed (told by other events, and lost with them), and the order of PATH
 * records, which is that of arrival.
 */
#include "../dice.h"
#include "cases.h"

#include <dirent.h>

#include "audit/names.h"
#include "base/map.h"

#define MAX_LINES 4000

typedef struct text_lines {
    xt_buf file;
    xt_slice v[MAX_LINES];
    size_t n;
} text_lines;

typedef struct known_event {
    char id[33];
    xt_event event;
    xt_buf bytes;
    bool seen;
} known_event;

typedef struct decoded {
    seen s;
    xt_map by_id;
    known_event *events;
    size_t n;
} decoded;

static dice seeded;

static uint64_t draw(uint64_t below)
{
    return dice_next(&seeded) % below;
}

static void read_lines(const char *path, text_lines *ret)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    ret->file = XT_BUF_INIT;
    char *to = xt_buf_reserve(&ret->file, 2 << 20);
    assert_non_null(to);
    ret->file.n = fread(to, 1, 2 << 20, f);
    fclose(f);
    xt_slice rest = xt_buf_slice(&ret->file), line;
    for (ret->n = 0; ret->n < MAX_LINES && xt_slice_cut(&rest, '\n', &line);)
        if (line.n > 0)
            ret->v[ret->n++] = line;
}

/* The event's id; of an amendment that of the event it belongs to; false for a line that was not read. */
static bool id_of(const xt_event *event, char ret[static 33])
{
    xt_slice of = xt_event_bytes(event, XT_F_OF);
    if (of.n == 32)
        memcpy(ret, of.p, 32);
    else if (xt_event_has(event, XT_F_SERIAL))
        xt_hash128_format(xt_event_id_of(xt_event_bytes(event, XT_F_HOST_ID),
                                         (int64_t)xt_event_num(event, XT_F_TIME, 0),
                                         (uint32_t)xt_event_num(event, XT_F_SERIAL, 0)),
                          ret);
    else
        return false;
    ret[32] = '\0';
    return true;
}

static void decode(xt_slice text, decoded *ret)
{
    *ret = (decoded){0};
    xt_decoder_settings settings = seen_settings(&ret->s);
    seen_feed(&ret->s, &settings, text, 100000);
    ret->events = calloc(ret->s.n + 1, sizeof *ret->events);
    xt_slice rest = xt_buf_slice(&ret->s.batch), bytes;
    while (xt_event_batch_next(&rest, &bytes)) {
        known_event *k = &ret->events[ret->n];
        assert_int_equal(xt_event_decode(bytes, &k->event, NULL), 0);
        if (id_of(&k->event, k->id))
            assert_int_equal(xt_map_put(&ret->by_id, xt_slice_str(k->id), k, NULL), 0);
        ret->n++;
    }
}

static void decoded_fini(decoded *d)
{
    xt_map_fini(&d->by_id);
    free(d->events);
    seen_fini(&d->s);
}

static void put_lines(xt_buf *out, const text_lines *lines)
{
    for (size_t i = 0; i < lines->n; i++) {
        xt_buf_put(out, lines->v[i]);
        xt_buf_putc(out, '\n');
    }
}

/* ---- what may differ ---- */

static bool is_compared(xt_field f)
{
    if (xt_slice_starts(xt_slice_str(xt_field_find(f)->name), XT_S("tty.")))
        return false;
    static const xt_field left_out[] = {XT_F_PARENT_ENTITY, XT_F_PARENT_EXE, XT_F_PARENT_CMD, XT_F_PARENT_COMM,
                                        XT_F_FLAGS,         XT_F_MISSING,    XT_F_OF,         XT_F_EVENT_ID,
                                        XT_F_RECORDS,       XT_F_ENTITY};
    for (size_t i = 0; i < XT_COUNT_OF(left_out); i++)
        if (left_out[i] == f)
            return false;
    return true;
}

/* What is concluded from records together: may be another where one is missing and the event says so. */
static bool is_concluded(xt_field f)
{
    return f == XT_F_ACTION || f == XT_F_CATEGORY || f == XT_F_EVENT_TYPE || f == XT_F_OUTCOME || f == XT_F_CODE ||
           f == XT_F_SCRIPT;
}

static bool list_is_part(xt_slice part, xt_slice whole)
{
    xt_list_iter inner = xt_list_iterate(whole), outer = xt_list_iterate(part);
    for (xt_slice item, candidate; xt_list_next(&outer, &item);) {
        bool found = false;
        while (!found && xt_list_next(&inner, &candidate)) /* a lost fragment leaves a part of the argument */
            found = xt_slice_eq(item, candidate) || (item.n > 0 && item.n < candidate.n);
        if (!found)
            return false;
    }
    return true;
}

static bool paths_are_part(xt_slice part, xt_slice whole)
{
    xt_path path, candidate;
    for (xt_path_iter outer = xt_paths_iterate(part); xt_paths_next(&outer, &path);) {
        bool found = false;
        for (xt_path_iter inner = xt_paths_iterate(whole); !found && xt_paths_next(&inner, &candidate);)
            found = path.item == candidate.item &&
                    (!path.has_name || (candidate.has_name && xt_slice_starts(candidate.name, path.name))) &&
                    (!path.has_inode || (path.inode == candidate.inode && path.mode == candidate.mode));
        if (!found && path.has_name) /* the number may be what was cut off */
            return false;
    }
    return true;
}

static bool same_bytes(xt_field f, const xt_event *a, const xt_event *b)
{
    if (f == XT_F_PATHS)
        return paths_are_part(a->values[f].bytes, b->values[f].bytes) &&
               paths_are_part(b->values[f].bytes, a->values[f].bytes);
    return xt_field_find(f)->type <= XT_INT ? a->values[f].num == b->values[f].num
                                            : xt_slice_eq(a->values[f].bytes, b->values[f].bytes);
}

/* The damaged event's value is the whole one's, or a part of it. */
static bool is_part(xt_field f, const xt_event *damaged, const xt_event *whole)
{
    xt_slice part = xt_event_bytes(damaged, f), all = xt_event_bytes(whole, f);
    if (f == XT_F_ARGS)
        return list_is_part(part, all);
    if (f == XT_F_PATHS)
        return paths_are_part(part, all);
    /* a relative name whose directory was lost */
    return xt_field_find(f)->type == XT_TEXT && f == XT_F_EXE && xt_slice_ends(all, part);
}

/* A name in auditd's addition may stand in for a field whose own record was lost. */
static bool is_known_value(const xt_event *whole, xt_field f, const xt_event *damaged)
{
    static const xt_field texts[] = {XT_F_USER, XT_F_EUSER, XT_F_LOGIN, XT_F_GROUP};
    for (size_t i = 0; i < XT_COUNT_OF(texts); i++)
        if (xt_slice_eq(xt_event_bytes(whole, texts[i]), xt_event_bytes(damaged, f)))
            return true;
    return false;
}

static bool has_loss(const xt_event *event)
{
    static const char *const losses[] = {"missing-execve", "missing-args",   "args-mismatch", "missing-path",
                                         "missing-cwd",    "missing-record", "late",          "truncated",
                                         "timeout",        "no-syscall"};
    for (size_t i = 0; i < XT_COUNT_OF(losses); i++)
        if (has_flag(event, losses[i]))
            return true;
    return false;
}

static size_t n_of_type(const xt_event *event, uint16_t type)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    size_t n = 0;
    for (uint16_t found; xt_recs_next(&iter, &found);)
        n += found == type;
    return n;
}

/* A call whose address is certain; of the others it is known only when it came. */
static bool tells_address(const xt_event *whole)
{
    xt_slice call = xt_event_bytes(whole, XT_F_SYSCALL), sub;
    if (xt_slice_eq(call, XT_S("socketcall")))
        return xt_recs_find(xt_event_bytes(whole, XT_F_RECORDS), XT_S("a0"), 0, &sub) &&
               (xt_slice_eq(sub, XT_S("2")) || xt_slice_eq(sub, XT_S("3")));
    return xt_slice_eq(call, XT_S("connect")) || xt_slice_eq(call, XT_S("bind"));
}

static bool has_named_path(const xt_event *whole)
{
    xt_path path;
    for (xt_path_iter iter = xt_paths_iterate(xt_event_bytes(whole, XT_F_PATHS)); xt_paths_next(&iter, &path);)
        if (path.has_name)
            return true;
    return false;
}

/* Nothing tells of it, or only if the call succeeded and a rule collected (docs/audit-cases.md). */
static bool is_unannounced(const xt_event *whole, uint16_t type)
{
    static const uint16_t always[] = {1300, 1302, 1309, 1327};
    static const uint16_t collected[] = {1303, 1304, 1306, 1311, 1312, 1313, 1314, 1315, 1317, 1322, 1323};
    for (size_t i = 0; i < XT_COUNT_OF(always); i++)
        if (always[i] == type)
            return false;
    if (type == 1307)
        return !has_named_path(whole);
    for (size_t i = 0; i < XT_COUNT_OF(collected); i++)
        if (collected[i] == type)
            return (type == 1306 && !tells_address(whole)) || !xt_event_has(whole, XT_F_KEY) ||
                   !xt_slice_eq(xt_event_bytes(whole, XT_F_SUCCESS), XT_S("yes"));
    return true;
}

typedef struct lost {
    bool any, announced;
} lost;

static lost lost_records(const xt_event *damaged, const xt_event *whole)
{
    lost l = {false, false};
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(whole, XT_F_RECORDS));
    for (uint16_t type; xt_recs_next(&iter, &type);) {
        bool is_lost = n_of_type(damaged, type) < n_of_type(whole, type);
        l.any |= is_lost;
        l.announced |= is_lost && !is_unannounced(whole, type);
    }
    return l;
}

static unsigned n_flagged, n_silent; /* events that lack a record */

static void check_event(const xt_event *damaged, const xt_event *whole)
{
    lost l = lost_records(damaged, whole);
    bool is_flagged = has_loss(damaged);
    if (l.announced && !is_flagged)
        fail_msg("serial %u: a record is missing and no flag says so", (unsigned)xt_event_num(whole, XT_F_SERIAL, 0));
    n_flagged += l.any && is_flagged;
    n_silent += l.any && !is_flagged;
    is_flagged |= l.any;
    for (xt_field f = XT_F_INVALID + 1; f < XT_F_END; f++) {
        if (!xt_field_find(f) || !is_compared(f))
            continue;
        bool in_damaged = xt_event_has(damaged, f), in_whole = xt_event_has(whole, f);
        if (in_damaged == in_whole && (!in_whole || same_bytes(f, damaged, whole)))
            continue;
        if (is_flagged && (!in_damaged || is_concluded(f) || (in_whole && is_part(f, damaged, whole)) ||
                           is_known_value(whole, f, damaged)))
            continue;
        fail_msg("serial %u: %s differs (%s, %s)", (unsigned)xt_event_num(whole, XT_F_SERIAL, 0),
                 xt_field_find(f)->name, in_damaged ? "present" : "absent", is_flagged ? "flagged" : "not flagged");
    }
}

/* Every event of the damaged text against the one of the same id. */
static void check_text(xt_slice text, decoded *whole)
{
    decoded d;
    decode(text, &d);
    for (size_t i = 0; i < whole->n; i++)
        whole->events[i].seen = false;
    for (size_t i = 0; i < d.n; i++) {
        if (!d.events[i].id[0])
            continue;
        known_event *k = xt_map_find(&whole->by_id, xt_slice_str(d.events[i].id));
        if (!k)
            fail_msg("serial %u of %.*s at %lld comes out of nothing",
                     (unsigned)xt_event_num(&d.events[i].event, XT_F_SERIAL, 0),
                     XT_S_ARGS(xt_event_bytes(&d.events[i].event, XT_F_HOST)),
                     (long long)xt_event_num(&d.events[i].event, XT_F_TIME, 0));
        k->seen = true;
        check_event(&d.events[i].event, &k->event);
    }
    decoded_fini(&d);
}

/* ---- damage ---- */

static void put_dropped(xt_buf *out, const text_lines *lines)
{
    uint64_t one_in = 2 + draw(40);
    for (size_t i = 0; i < lines->n; i++) {
        if (draw(one_in) == 0)
            continue;
        xt_buf_put(out, lines->v[i]);
        xt_buf_putc(out, '\n');
    }
}

static void put_doubled(xt_buf *out, const text_lines *lines)
{
    uint64_t one_in = 1 + draw(10);
    for (size_t i = 0; i < lines->n; i++)
        for (int k = 0; k < (draw(one_in) == 0 ? 2 : 1); k++) {
            xt_buf_put(out, lines->v[i]);
            xt_buf_putc(out, '\n');
        }
}

static void put_shuffled(xt_buf *out, const text_lines *lines)
{
    text_lines *mixed = malloc(sizeof *mixed);
    assert_non_null(mixed);
    *mixed = *lines;
    uint64_t window = 2 + draw(30);
    for (size_t i = 0; i + 1 < mixed->n; i++) {
        size_t k = i + draw(window < mixed->n - i ? window : mixed->n - i);
        xt_slice line = mixed->v[i];
        mixed->v[i] = mixed->v[k];
        mixed->v[k] = line;
    }
    put_lines(out, mixed);
    free(mixed);
}

/* The beginning of a line, at least its stamp, and then the next line, perhaps behind NULs. */
static void put_spliced(xt_buf *out, const text_lines *lines)
{
    uint64_t one_in = 2 + draw(40);
    for (size_t i = 0; i < lines->n; i++) {
        const char *stamp = memmem(lines->v[i].p, lines->v[i].n, "): ", 3);
        size_t head = stamp ? (size_t)(stamp + 3 - lines->v[i].p) : lines->v[i].n;
        bool is_programs = memmem(lines->v[i].p, lines->v[i].n, "msg='", 5) != NULL; /* never taken apart: case_58 */
        if (!is_programs && head < lines->v[i].n && i + 1 < lines->n && draw(one_in) == 0) {
            xt_buf_put(out, xt_slice_head(lines->v[i], head + draw(lines->v[i].n - head)));
            for (uint64_t n = draw(2) * draw(5000); n > 0; n--)
                xt_buf_putc(out, '\0');
            continue;
        }
        xt_buf_put(out, lines->v[i]);
        xt_buf_putc(out, '\n');
    }
}

typedef void (*damage)(xt_buf *out, const text_lines *lines);

static void check_capture(const char *path, damage put, uint64_t n_rounds)
{
    text_lines *lines = malloc(sizeof *lines);
    assert_non_null(lines);
    read_lines(path, lines);
    xt_buf text = XT_BUF_INIT;
    decoded whole;
    put_lines(&text, lines);
    decode(xt_buf_slice(&text), &whole);
    for (size_t i = 0; i < whole.n; i++)
        assert_false(has_loss(&whole.events[i].event));
    for (uint64_t round = 0; round < n_rounds; round++) {
        seeded.state = round;
        xt_buf_reset(&text);
        put(&text, lines);
        assert_int_equal(xt_buf_done(&text), 0);
        check_text(xt_buf_slice(&text), &whole);
    }
    decoded_fini(&whole);
    xt_buf_fini(&text);
    xt_buf_fini(&lines->file);
    free(lines);
}

static void check_captures(damage put)
{
    char folder[4096], path[4096 + 300];
    const char *data = getenv("XT_TEST_DATA");
    unsigned n = 0;
    snprintf(folder, sizeof folder, "%s/capture", data ? data : "tests/data");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 4, ".log") != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        check_capture(path, put, 40);
        n++;
    }
    closedir(dir);
    assert_true(n >= 3);
}

static void test_dropped(void **state)
{
    n_flagged = n_silent = 0;
    check_captures(put_dropped);
    print_message("%u events lacked a record and said so, %u of which nothing tells\n", n_flagged, n_silent);
    assert_true(n_silent > 0 && n_flagged > 10 * n_silent);
}

static void test_doubled(void **state)
{
    check_captures(put_doubled);
}

static void test_shuffled(void **state)
{
    check_captures(put_shuffled);
}

static void test_spliced(void **state)
{
    check_captures(put_spliced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_doubled),
        cmocka_unit_test(test_shuffled),
        cmocka_unit_test(test_spliced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
