/*
 * Each node gets the rows that are still of interest (`mask`) and clears those that do not match. A leaf on codes first
 * knows the answers of the part's distinct values (query/matches): all of them when that is cheap, and then a part where
 * none matches is left before its rows are read; else those of the rows that are left.
 */
#include "query/filter.h"

#include <errno.h>

#include "event/event.h"

typedef struct runner {
    const xt_filter *filter;
    xt_matches *matches;
    xt_scan_reader *reader;
    xt_arena *arena;
    xt_term_run match;
    xt_problem *problem;
    uint32_t n_rows;
    size_t n_words;
    xt_slice *hosts; /* of row_has_hash: by local code */
} runner;

static runner runner_of(const xt_filter *filter, xt_matches *matches, xt_scan_reader *reader, xt_arena *arena,
                        xt_problem *problem)
{
    uint32_t n_rows = xt_scan_reader_zone(reader)->n_rows;

    return (runner){.filter = filter,
                    .matches = matches,
                    .reader = reader,
                    .arena = arena,
                    .match = XT_TERM_RUN_INIT,
                    .problem = problem,
                    .n_rows = n_rows,
                    .n_words = (n_rows + 63) / 64};
}

static int runner_fini(runner *run, int r)
{
    atomic_fetch_add(run->filter->n_gave_up, run->match.n_gave_up);
    xt_term_run_fini(&run->match);
    return xt_error_trace(r);
}

static xt_matches_ask ask_of(runner *run, const xt_filter_node *node)
{
    return (xt_matches_ask){run->matches, &node->match, node->leaf, run->reader, run->arena, &run->match, run->problem};
}

/* ------------------------------------------------------------------------------------------------ values */

static int values_leaf(runner *run, const xt_filter_node *node, bool *ret)
{
    const xt_matches_ask ask = ask_of(run, node);
    const xt_dict *dict;
    const xt_column *column;
    uint32_t n;

    *ret = true;
    if (node->match.form == XT_TERM_DERIVED || node->match.form == XT_TERM_NUMBER)
        return 0;
    int r = xt_scan_dict(run->reader, node->match.field, &dict, run->problem);
    if (r || (dict && !xt_matches_is_cheap(&node->match, dict)))
        return r;
    if (dict)
        r = xt_matches_count(&ask, dict, &n);
    if (r == 0 && (!dict || n == 0))
        *ret = false;
    if (r || !*ret)
        return r;
    r = xt_scan_values(run->reader, node->match.field, &column, run->problem);
    if (r || column->kind != XT_COLUMN_CODES) {
        *ret = false;
        return r;
    }
    xt_arena_mark mark = xt_arena_mark_get(run->arena);
    uint8_t *answers = xt_arena_array(run->arena, (size_t)column->n_values + 1, 1);
    r = answers ? xt_matches_find(&ask, column, NULL, answers, ret) : xt_error_origin(-ENOMEM);
    xt_arena_mark_reset(run->arena, mark);
    return r;
}

static int values_node(runner *run, const xt_filter_node *node, bool *ret)
{
    bool is_or = node->kind == XT_KQL_OR;
    int r = 0;

    *ret = true;
    if (node->kind == XT_KQL_EQUAL)
        return values_leaf(run, node, ret);
    if (node->kind != XT_KQL_AND && !is_or)
        return 0;
    *ret = !is_or;
    for (size_t i = 0; i < node->n_parts && r == 0 && *ret != is_or; i++)
        r = values_node(run, node->parts[i], ret);
    return r;
}

int xt_filter_run_values(const xt_filter *filter, xt_matches *matches, xt_scan_reader *reader, xt_arena *arena,
                         bool *ret, xt_problem *reterr_problem)
{
    runner run = runner_of(filter, matches, reader, arena, reterr_problem);

    return runner_fini(&run, values_node(&run, filter->root, ret));
}

/* ------------------------------------------------------------------------------------------------ rows */

static size_t count_rows(const uint64_t *mask, size_t n_words)
{
    size_t n = 0;

    for (size_t i = 0; i < n_words; i++)
        n += (size_t)__builtin_popcountll(mask[i]);
    return n;
}

static void clear(const runner *run, uint64_t *mask)
{
    memset(mask, 0, run->n_words * sizeof *mask);
}

static bool has_number(const xt_column *column, uint32_t row)
{
    return !column->present || (column->present[row >> 3] >> (row & 7) & 1);
}

/* Keeps the rows of one word for which test(row) holds. */
#define KEEP_ROWS(mask, word, row, test)                                         \
    for (uint64_t left_ = (mask)[word]; left_; left_ &= left_ - 1) {             \
        uint32_t row = (uint32_t)((word)*64) + (uint32_t)__builtin_ctzll(left_); \
        if (!(test))                                                             \
            (mask)[word] &= ~(left_ & -left_);                                   \
    }

/* Rows of a word whose number lies in the range, without a branch: the loop is vectorised. */
static uint64_t range_word(const xt_term *match, const uint64_t *numbers, uint32_t n)
{
    uint64_t flip = match->type == XT_UINT ? 0 : UINT64_C(1) << 63, bits = 0;
    uint64_t width = match->max - match->min;

    for (uint32_t i = 0; i < n; i++)
        bits |= (uint64_t)(((numbers[i] ^ flip) - match->min) <= width) << i;
    return bits;
}

static uint32_t rows_of_word(const runner *run, size_t w)
{
    uint32_t n = run->n_rows - (uint32_t)w * 64;

    return n < 64 ? n : 64;
}

static void run_numbers(runner *run, const xt_term *match, const xt_column *column, uint64_t *mask)
{
    bool never = match->op == XT_TERM_RANGE && match->min > match->max;

    for (size_t w = 0; w < run->n_words; w++) {
        if (!mask[w])
            continue;
        if (never) {
            mask[w] = 0;
        } else if (match->op == XT_TERM_RANGE) {
            mask[w] &= range_word(match, column->numbers + w * 64, rows_of_word(run, w));
        } else if (match->op != XT_TERM_EXISTS) {
            KEEP_ROWS(mask, w, row, xt_term_number(match, column->numbers[row], &run->match))
        }
        if (column->present)
            KEEP_ROWS(mask, w, row, has_number(column, row))
    }
}

/* Marks the local codes of the rows that are left; NULL when there may be as many as there are values. */
static int codes_left(runner *run, const xt_column *column, const uint64_t *mask, uint8_t **ret)
{
    *ret = NULL;
    if (count_rows(mask, run->n_words) >= column->n_values)
        return 0;
    uint8_t *wanted = xt_arena_array(run->arena, (size_t)column->n_values + 1, 1);
    if (!wanted)
        return xt_error_origin(-ENOMEM);
    for (size_t w = 0; w < run->n_words; w++)
        for (uint64_t left = mask[w]; left; left &= left - 1)
            wanted[column->codes[w * 64 + (size_t)__builtin_ctzll(left)]] = 1;
    *ret = wanted;
    return 0;
}

static void keep_codes(const runner *run, const xt_column *column, const uint8_t *answers, uint64_t *mask)
{
    for (size_t w = 0; w < run->n_words; w++) {
        if (!mask[w])
            continue;
        const uint32_t *codes = column->codes + w * 64;
        uint32_t n = rows_of_word(run, w);
        uint64_t bits = 0;
        for (uint32_t i = 0; i < n; i++)
            bits |= (uint64_t)answers[codes[i]] << i;
        mask[w] &= bits;
    }
}

static int run_codes(runner *run, const xt_filter_node *node, const xt_column *column, uint64_t *mask)
{
    const xt_matches_ask ask = ask_of(run, node);
    uint8_t *answers = xt_arena_array(run->arena, (size_t)column->n_values + 1, 1), *wanted;
    bool any = false;

    if (!answers)
        return xt_error_origin(-ENOMEM);
    int r = codes_left(run, column, mask, &wanted);
    if (r == 0)
        r = xt_matches_find(&ask, column, wanted, answers, &any);
    if (r)
        return r;
    if (any)
        keep_codes(run, column, answers, mask);
    else
        clear(run, mask);
    return 0;
}

/* ------------------------------------------------------------------------------------------------ derived */

/* A value of the row's column in the arena; *ret.p NULL: none. */
static int text_of(runner *run, xt_field field, uint32_t row, xt_slice *ret)
{
    const xt_column *column;
    int r = xt_scan_column(run->reader, field, &column, run->problem);

    *ret = XT_S_NULL;
    if (r || column->kind != XT_COLUMN_CODES || !column->codes[row])
        return r;
    uint32_t code = column->values ? column->values[column->codes[row] - 1] : column->codes[row] - 1;
    return xt_dict_entry(run->reader, column->dict, code, run->arena, ret, run->problem);
}

/* Hosts are few: each is looked up once a part. */
static int host_of(runner *run, uint32_t row, xt_slice *ret)
{
    const xt_column *column;
    int r = xt_scan_column(run->reader, XT_F_HOST_ID, &column, run->problem);

    *ret = XT_S_NULL;
    if (r || column->kind != XT_COLUMN_CODES || !column->codes[row])
        return r;
    if (!run->hosts)
        run->hosts = xt_arena_array(run->arena, (size_t)column->n_values + 1, sizeof *run->hosts);
    if (!run->hosts)
        return xt_error_origin(-ENOMEM);
    xt_slice *host = &run->hosts[column->codes[row]];
    if (!host->p)
        r = text_of(run, XT_F_HOST_ID, row, host);
    *ret = *host;
    return r;
}

/* event.id against 16 bytes: no text is made. */
static int row_has_hash(runner *run, const xt_term *match, uint32_t row, bool *ret)
{
    const xt_column *time, *serial;
    xt_slice stored, host_id;

    int r = text_of(run, XT_F_EVENT_ID, row, &stored);
    *ret = false;
    if (r == 0 && stored.p)
        *ret = xt_slice_eq_nocase(stored, match->text);
    if (r || stored.p)
        return r;
    r = xt_scan_column(run->reader, XT_F_TIME, &time, run->problem);
    if (r == 0)
        r = xt_scan_column(run->reader, XT_F_SERIAL, &serial, run->problem);
    if (r == 0)
        r = host_of(run, row, &host_id);
    if (r || time->kind != XT_COLUMN_NUMBERS || !has_number(time, row) || serial->kind != XT_COLUMN_NUMBERS ||
        !has_number(serial, row))
        return r;
    *ret = xt_hash128_eq(xt_event_id_of(host_id, (int64_t)time->numbers[row], (uint32_t)serial->numbers[row]),
                         match->hash);
    return 0;
}

static bool event_derived(const xt_term *match, const xt_event *event, xt_arena *arena, xt_term_run *run)
{
    xt_event copy = {.present = event->present};
    xt_field_set sources = xt_field_sources(match->field), wanted = {{0, 0}};

    for (unsigned id = 1; id < XT_F_END; id++)
        if (xt_field_set_has(&sources, (xt_field)id))
            copy.values[id] = event->values[id];
    xt_field_set_add(&wanted, match->field);
    xt_arena_mark mark = xt_arena_mark_get(arena);
    if (xt_event_derive(&copy, wanted, arena) < 0)
        run->no_memory = true;
    bool yes = xt_event_has(&copy, match->field) && xt_term_text(match, copy.values[match->field].bytes, run);
    xt_arena_mark_reset(arena, mark);
    return yes;
}

static int row_derived(runner *run, const xt_term *match, uint32_t row, bool *ret)
{
    xt_event event;
    int r = xt_scan_event(run->reader, row, xt_field_sources(match->field), run->arena, &event, run->problem);

    *ret = r == 0 && event_derived(match, &event, run->arena, &run->match);
    return r;
}

static int run_derived(runner *run, const xt_term *match, uint64_t *mask)
{
    bool yes = false;
    int r = 0;

    for (size_t w = 0; w < run->n_words; w++)
        for (uint64_t left = mask[w]; left && r == 0; left &= left - 1) {
            uint32_t row = (uint32_t)(w * 64) + (uint32_t)__builtin_ctzll(left);
            xt_arena_mark mark = xt_arena_mark_get(run->arena);
            r = match->has_hash ? row_has_hash(run, match, row, &yes) : row_derived(run, match, row, &yes);
            if (!match->has_hash)
                xt_arena_mark_reset(run->arena, mark);
            if (!yes)
                mask[w] &= ~(left & -left);
        }
    run->hosts = NULL; /* the node's memory goes */
    return r;
}

/* ------------------------------------------------------------------------------------------------ tree */

static int run_leaf(runner *run, const xt_filter_node *node, uint64_t *mask)
{
    const xt_column *column;
    int r;

    if (node->match.form == XT_TERM_DERIVED) {
        r = run_derived(run, &node->match, mask);
    } else {
        r = xt_scan_column(run->reader, node->match.field, &column, run->problem);
        if (r == 0 && column->kind == XT_COLUMN_ABSENT)
            clear(run, mask);
        else if (r == 0 && column->kind == XT_COLUMN_NUMBERS)
            run_numbers(run, &node->match, column, mask);
        else if (r == 0)
            r = run_codes(run, node, column, mask);
    }
    return r == 0 && run->match.no_memory ? xt_error_origin(-ENOMEM) : r;
}

static int run_node(runner *run, const xt_filter_node *node, uint64_t *mask);

/* mask becomes the rows of mask that no part matches: `or` and `not` are this, turned round by the caller. */
static int run_none_of(runner *run, const xt_filter_node *node, uint64_t *mask)
{
    uint64_t *part = xt_arena_alloc(run->arena, run->n_words * sizeof *part);

    if (!part)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < node->n_parts; i++) {
        memcpy(part, mask, run->n_words * sizeof *part);
        int r = run_node(run, node->parts[i], part);
        if (r)
            return r;
        for (size_t w = 0; w < run->n_words; w++)
            mask[w] &= ~part[w];
    }
    return 0;
}

static int run_or(runner *run, const xt_filter_node *node, uint64_t *mask)
{
    uint64_t *none = xt_arena_alloc(run->arena, run->n_words * sizeof *none);

    if (!none)
        return xt_error_origin(-ENOMEM);
    memcpy(none, mask, run->n_words * sizeof *none);
    int r = run_none_of(run, node, none);
    for (size_t w = 0; w < run->n_words; w++)
        mask[w] &= ~none[w];
    return r;
}

static int run_node(runner *run, const xt_filter_node *node, uint64_t *mask)
{
    xt_arena_mark mark = xt_arena_mark_get(run->arena);
    int r = 0;

    switch (node->kind) {
    case XT_KQL_ALL:
        break;
    case XT_KQL_AND:
        for (size_t i = 0; i < node->n_parts && r == 0 && count_rows(mask, run->n_words); i++)
            r = run_node(run, node->parts[i], mask);
        break;
    case XT_KQL_OR:
        r = run_or(run, node, mask);
        break;
    case XT_KQL_NOT:
        r = run_none_of(run, node, mask);
        break;
    default:
        r = run_leaf(run, node, mask);
    }
    xt_arena_mark_reset(run->arena, mark);
    return r;
}

int xt_filter_run(const xt_filter *filter, xt_matches *matches, xt_scan_reader *reader, xt_arena *arena, uint64_t *mask,
                  xt_problem *reterr_problem)
{
    runner run = runner_of(filter, matches, reader, arena, reterr_problem);

    return runner_fini(&run, run_node(&run, filter->root, mask));
}

/* ------------------------------------------------------------------------------------------------ one event */

typedef struct event_runner {
    const xt_event *event;
    xt_arena *arena;
    xt_term_run match;
} event_runner;

static bool event_leaf(event_runner *run, const xt_term *match)
{
    if (match->form == XT_TERM_DERIVED)
        return event_derived(match, run->event, run->arena, &run->match);
    if (!xt_event_has(run->event, match->field))
        return false;
    const xt_value *value = &run->event->values[match->field];
    return match->form == XT_TERM_NUMBER ? xt_term_number(match, value->num, &run->match)
                                         : xt_term_entry(match, value->bytes, &run->match);
}

static bool event_node(event_runner *run, const xt_filter_node *node)
{
    switch (node->kind) {
    case XT_KQL_ALL:
        return true;
    case XT_KQL_AND:
        for (size_t i = 0; i < node->n_parts; i++)
            if (!event_node(run, node->parts[i]))
                return false;
        return true;
    case XT_KQL_OR:
        for (size_t i = 0; i < node->n_parts; i++)
            if (event_node(run, node->parts[i]))
                return true;
        return false;
    case XT_KQL_NOT:
        return !event_node(run, node->parts[0]);
    default:
        return event_leaf(run, &node->match);
    }
}

int xt_filter_event(const xt_filter *filter, const xt_event *event, xt_arena *arena, bool *ret)
{
    event_runner run = {event, arena, XT_TERM_RUN_INIT};
    bool yes = event_node(&run, filter->root);
    bool no_memory = run.match.no_memory;

    atomic_fetch_add(filter->n_gave_up, run.match.n_gave_up);
    xt_term_run_fini(&run.match);
    if (no_memory)
        return xt_error_origin(-ENOMEM);
    *ret = yes;
    return 0;
}
