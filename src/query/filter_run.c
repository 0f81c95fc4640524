/*
 * Each node gets the rows that are still of interest (`mask`) and clears those that do not match. A leaf on codes
 * matches each distinct entry once; when fewer rows are left than the dictionary has entries, only the entries of
 * those rows (lazily, with a memo). So in `host:db-17 and cmd:/x/` the expression sees what ran on that host alone.
 */
#include "query/filter.h"

#include <errno.h>

#include "event/event.h"

typedef struct runner {
    const xt_block *block;
    xt_arena *arena;
    xt_term_run match;
    size_t n_words;
} runner;

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

static void run_numbers(runner *run, const xt_term *match, const xt_column *column, uint64_t *mask)
{
    bool never = match->op == XT_TERM_RANGE && match->min > match->max;

    for (size_t w = 0; w < run->n_words; w++) {
        if (!mask[w])
            continue;
        if (never) {
            mask[w] = 0;
        } else if (match->op == XT_TERM_RANGE) {
            uint32_t n = run->block->n_rows - (uint32_t)w * 64;
            mask[w] &= range_word(match, column->numbers + w * 64, n < 64 ? n : 64);
        } else if (match->op != XT_TERM_EXISTS) {
            KEEP_ROWS(mask, w, row, xt_term_number(match, column->numbers[row], &run->match))
        }
        if (column->present)
            KEEP_ROWS(mask, w, row, has_number(column, row))
    }
}

/* All entries first, then a table look-up per row. */
static void run_codes_dense(runner *run, const xt_term *match, const xt_column *column, uint8_t *answers,
                            uint64_t *mask)
{
    answers[0] = 0;
    for (uint32_t i = 0; i < column->n_dict; i++)
        answers[i + 1] = xt_term_entry(match, column->dict[i], &run->match);
    for (size_t w = 0; w < run->n_words; w++) {
        if (!mask[w])
            continue;
        const uint32_t *codes = column->codes + w * 64;
        uint32_t n = run->block->n_rows - (uint32_t)w * 64;
        uint64_t bits = 0;
        for (uint32_t i = 0; i < (n < 64 ? n : 64); i++)
            bits |= (uint64_t)answers[codes[i]] << i;
        mask[w] &= bits;
    }
}

/* answers: 0 not asked yet, 1 no, 2 yes. */
static bool lazy_answer(runner *run, const xt_term *match, const xt_column *column, uint8_t *answers, uint32_t code)
{
    if (code == 0)
        return false;
    if (!answers[code])
        answers[code] = xt_term_entry(match, column->dict[code - 1], &run->match) ? 2 : 1;
    return answers[code] == 2;
}

static int run_codes(runner *run, const xt_term *match, const xt_column *column, uint64_t *mask)
{
    xt_arena_mark mark = xt_arena_mark_get(run->arena);
    uint8_t *answers = xt_arena_array(run->arena, (size_t)column->n_dict + 1, 1);

    if (!answers)
        return xt_error_origin(-ENOMEM);
    if (count_rows(mask, run->n_words) >= column->n_dict) {
        run_codes_dense(run, match, column, answers, mask);
    } else {
        for (size_t w = 0; w < run->n_words; w++)
            KEEP_ROWS(mask, w, row, lazy_answer(run, match, column, answers, column->codes[row]))
    }
    xt_arena_mark_reset(run->arena, mark);
    return 0;
}

static bool entry_of(const xt_block *block, xt_field field, uint32_t row, xt_slice *ret)
{
    const xt_column *column = block->columns[field];

    if (!column || column->kind != XT_COLUMN_CODES || column->codes[row] == 0)
        return false;
    *ret = column->dict[column->codes[row] - 1];
    return true;
}

static bool number_of(const xt_block *block, xt_field field, uint32_t row, uint64_t *ret)
{
    const xt_column *column = block->columns[field];

    if (!column || column->kind != XT_COLUMN_NUMBERS || !has_number(column, row))
        return false;
    *ret = column->numbers[row];
    return true;
}

/* event.id against 16 bytes: no text is made. */
static bool row_has_hash(const xt_term *match, const xt_block *block, uint32_t row)
{
    xt_slice stored, host_id = XT_S_NULL;
    uint64_t time, serial;

    if (entry_of(block, XT_F_EVENT_ID, row, &stored))
        return xt_slice_eq_nocase(stored, match->text);
    if (!number_of(block, XT_F_TIME, row, &time) || !number_of(block, XT_F_SERIAL, row, &serial))
        return false;
    entry_of(block, XT_F_HOST_ID, row, &host_id);
    return xt_hash128_eq(xt_event_id_of(host_id, (int64_t)time, (uint32_t)serial), match->hash);
}

/* Only what deriving `field` needs. */
static void sources_of_row(const xt_block *block, xt_field field, uint32_t row, xt_event *event)
{
    xt_field_set sources = xt_field_sources(field);

    xt_event_reset(event);
    for (unsigned id = 1; id < XT_F_END; id++) {
        uint64_t number;
        xt_slice bytes;
        if (!xt_field_set_has(&sources, (xt_field)id))
            continue;
        if (number_of(block, (xt_field)id, row, &number))
            xt_event_set_num(event, (xt_field)id, number);
        else if (entry_of(block, (xt_field)id, row, &bytes))
            xt_event_set_bytes(event, (xt_field)id, bytes);
    }
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

static bool row_derived(runner *run, const xt_term *match, uint32_t row)
{
    xt_event event;

    sources_of_row(run->block, match->field, row, &event);
    return event_derived(match, &event, run->arena, &run->match);
}

static void run_derived(runner *run, const xt_term *match, uint64_t *mask)
{
    for (size_t w = 0; w < run->n_words; w++) {
        if (match->has_hash)
            KEEP_ROWS(mask, w, row, row_has_hash(match, run->block, row))
        else
            KEEP_ROWS(mask, w, row, row_derived(run, match, row))
    }
}

static int run_leaf(runner *run, const xt_term *match, uint64_t *mask)
{
    const xt_column *column = run->block->columns[match->field];

    if (match->form == XT_TERM_DERIVED)
        run_derived(run, match, mask);
    else if (!column || column->kind == XT_COLUMN_ABSENT)
        clear(run, mask);
    else if (column->kind == XT_COLUMN_NUMBERS)
        run_numbers(run, match, column, mask);
    else
        return run_codes(run, match, column, mask);
    return run->match.no_memory ? xt_error_origin(-ENOMEM) : 0;
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
            return xt_error_trace(r);
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
    return xt_error_trace(r);
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
        r = run_leaf(run, &node->match, mask);
    }
    xt_arena_mark_reset(run->arena, mark);
    return r;
}

int xt_filter_run(const xt_filter *filter, const xt_block *block, xt_arena *arena, uint64_t *out)
{
    runner run = {.block = block, .arena = arena, .match = XT_TERM_RUN_INIT, .n_words = (block->n_rows + 63) / 64};

    memset(out, 0xff, run.n_words * sizeof *out);
    if (block->n_rows % 64)
        out[run.n_words - 1] = (UINT64_C(1) << block->n_rows % 64) - 1;
    int r = run_node(&run, filter->root, out);
    atomic_fetch_add(filter->n_gave_up, run.match.n_gave_up);
    xt_term_run_fini(&run.match);
    return xt_error_trace(r);
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
