/*
 * A few rows of a column: the chunk has to be read and unpacked as a whole, but not decoded, where a value's place in it
 * is known. What decoding a whole column would have checked is checked here of the rows that are asked for.
 */
#include <errno.h>
#include <stdlib.h>

#include "store/segment_codec.h"
#include "store/segment_private.h"

/* What is asked for. */
typedef struct cells_ask {
    xt_segment_reader *reader;
    const xt_segment *segment;
    uint32_t group, n_rows;
    const uint32_t *rows;
    size_t n;
    xt_arena *arena;
    xt_problem *problem;
} cells_ask;

/* ------------------------------------------------------------------------------------------------ numbers */

/* The places of the rows that are present among the values that are stored; their number. */
static size_t places_of_present(const cells_ask *ask, const uint8_t *bits, uint32_t *places, bool *present)
{
    uint32_t n_before = 0, upto = 0; /* a multiple of 8 */
    size_t n = 0;

    for (size_t i = 0; i < ask->n; i++) {
        uint32_t row = ask->rows[i], whole = row / 8 * 8;
        n_before += xt_segment_bits_count(bits + upto / 8, whole - upto);
        upto = whole;
        present[i] = bits[row / 8] >> row % 8 & 1;
        if (present[i])
            places[n++] = n_before + xt_segment_bits_count(bits + upto / 8, row - whole);
    }
    return n;
}

static int plain_numbers(const cells_ask *ask, const xt_segment_place *place, uint64_t *numbers, xt_cells *ret)
{
    const uint8_t *bits = NULL;
    const uint32_t *places = ask->rows;
    uint64_t at = place->offset + place->a.stored_bytes;
    uint32_t n_stored = 0;
    bool *present = NULL;
    size_t n = ask->n;
    xt_slice raw;
    int r = xt_segment_presence_read(ask->reader, ask->segment, place, ask->n_rows, ask->arena, &bits, &n_stored,
                                     ask->problem);

    if (r == 0 && bits) {
        uint32_t *of_present = xt_arena_alloc(ask->arena, n * sizeof *of_present);
        present = xt_arena_alloc(ask->arena, n * sizeof *present);
        if (!of_present || !present)
            return xt_error_origin(-ENOMEM);
        n = places_of_present(ask, bits, of_present, present);
        places = of_present;
    }
    if (r == 0)
        r = xt_segment_chunk_read(ask->reader, ask->segment, &place->b, at, &raw, ask->problem);
    if (r != 0)
        return r;
    bool ok = place->b.encoding == XT_SEGMENT_FOR     ? xt_segment_pick_for(raw, n_stored, places, n, numbers)
              : place->b.encoding == XT_SEGMENT_DELTA ? xt_segment_pick_delta(raw, n_stored, places, n, numbers)
                                                      : false;
    if (!ok)
        return xt_segment_undecodable(ask->segment, at, ask->problem);
    for (size_t i = ask->n; present && i-- > 0;)
        numbers[i] = present[i] ? numbers[--n] : 0;
    *ret = (xt_cells){.numbers = numbers, .present = present};
    return 0;
}

static int numbers_read(const cells_ask *ask, const xt_segment_field *field, xt_cells *ret)
{
    const xt_segment_place *place = &field->places[ask->group];

    if (place->encoding == XT_SEGMENT_SAME) /* of a field that stands earlier: opening made sure */
        return numbers_read(ask, xt_segment_field_find(ask->segment, place->source), ret);
    uint64_t *numbers = xt_arena_alloc(ask->arena, ask->n * sizeof *numbers);
    if (!numbers)
        return xt_error_origin(-ENOMEM);
    if (place->encoding == XT_SEGMENT_PLAIN)
        return plain_numbers(ask, place, numbers, ret);
    for (size_t i = 0; i < ask->n; i++)
        numbers[i] = place->low;
    *ret = (xt_cells){.numbers = numbers};
    return 0;
}

/* ------------------------------------------------------------------------------------------------ codes */

/* Local codes of the rows: 0 absent. */
static int locals_read(const cells_ask *ask, const xt_segment_place *place, uint64_t *locals)
{
    uint64_t at = place->offset + place->a.stored_bytes;
    uint32_t *all;
    xt_slice raw;
    bool ok;
    int r = xt_segment_chunk_read(ask->reader, ask->segment, &place->b, at, &raw, ask->problem);

    if (r != 0)
        return r;
    if (place->b.encoding == XT_SEGMENT_RECENT) { /* each depends on those before */
        all = xt_arena_alloc(ask->arena, ask->n_rows * sizeof *all);
        if (!all)
            return xt_error_origin(-ENOMEM);
        ok = xt_segment_get_codes(place->b.encoding, raw, all, ask->n_rows, (uint32_t)place->low, ask->reader->scratch);
        for (size_t i = 0; ok && i < ask->n; i++)
            locals[i] = all[ask->rows[i]];
    } else {
        ok = place->b.encoding == XT_SEGMENT_FOR ? xt_segment_pick_for(raw, ask->n_rows, ask->rows, ask->n, locals)
             : place->b.encoding == XT_SEGMENT_WORDS
                 ? xt_segment_pick_words(raw, ask->n_rows, ask->rows, ask->n, locals)
                 : false;
    }
    for (size_t i = 0; ok && i < ask->n; i++)
        ok = locals[i] <= place->low;
    return ok ? 0 : xt_segment_undecodable(ask->segment, at, ask->problem);
}

static int place_order(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* The codes in the dictionary that local codes (not 0) stand for, from the ascending set of those that occur. */
static int set_pick(const cells_ask *ask, const xt_segment_field *field, const uint64_t *locals, uint32_t *codes)
{
    const xt_segment_place *place = &field->places[ask->group];
    uint32_t *places = xt_arena_alloc(ask->arena, ask->n * sizeof *places);
    uint64_t *values = xt_arena_alloc(ask->arena, ask->n * sizeof *values);
    size_t n = 0, n_distinct = 0;
    xt_slice raw;

    if (!places || !values)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < ask->n; i++)
        if (locals[i])
            places[n++] = (uint32_t)locals[i] - 1;
    if (n > 1)
        qsort(places, n, sizeof *places, place_order);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || places[i] != places[n_distinct - 1])
            places[n_distinct++] = places[i];
    int r = xt_segment_chunk_read(ask->reader, ask->segment, &place->a, place->offset, &raw, ask->problem);
    if (r != 0)
        return r;
    bool ok = place->a.encoding == XT_SEGMENT_DELTA &&
              xt_segment_pick_delta(raw, (uint32_t)place->low, places, n_distinct, values);
    for (size_t i = 0; ok && i < ask->n; i++) {
        uint32_t at = (uint32_t)locals[i] - 1;
        const uint32_t *found = locals[i] ? bsearch(&at, places, n_distinct, sizeof *places, place_order) : NULL;
        ok = !found || values[found - places] < field->n_dict;
        codes[i] = found && ok ? (uint32_t)values[found - places] + 1 : 0;
    }
    return ok ? 0 : xt_segment_undecodable(ask->segment, place->offset, ask->problem);
}

static int codes_read(const cells_ask *ask, const xt_segment_field *field, xt_cells *ret)
{
    const xt_segment_place *place = &field->places[ask->group];
    uint32_t *codes = xt_arena_alloc(ask->arena, ask->n * sizeof *codes);
    uint64_t *locals = xt_arena_alloc(ask->arena, ask->n * sizeof *locals);
    int r = 0;

    if (!codes || !locals)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < ask->n; i++)
        locals[i] = 1;
    if (place->encoding == XT_SEGMENT_PLAIN)
        r = locals_read(ask, place, locals);
    if (r != 0)
        return r;
    if (place->low > 1 && place->a.stored_bytes)
        r = set_pick(ask, field, locals, codes);
    else
        for (size_t i = 0; i < ask->n; i++)
            codes[i] = locals[i] == 0 ? 0 : place->low == 1 ? (uint32_t)place->high + 1 : (uint32_t)locals[i];
    *ret = (xt_cells){.codes = codes, .dict = &field->dict};
    return r;
}

int xt_segment_read_cells(xt_segment_reader *reader, const xt_segment *segment, uint32_t group, xt_field id,
                          const uint32_t *rows, size_t n, xt_arena *arena, xt_cells *ret, xt_problem *reterr_problem)
{
    const xt_segment_field *field = xt_segment_field_find(segment, id);
    cells_ask ask = {.reader = reader,
                     .segment = segment,
                     .group = group,
                     .n_rows = segment->directory.groups[group].n_rows,
                     .rows = rows,
                     .n = n,
                     .arena = arena,
                     .problem = reterr_problem};

    if (!field || field->places[group].encoding == XT_SEGMENT_ABSENT) {
        *ret = (xt_cells){.numbers = NULL};
        return 0;
    }
    return field->kind == XT_SEGMENT_NUMBERS ? numbers_read(&ask, field, ret) : codes_read(&ask, field, ret);
}
