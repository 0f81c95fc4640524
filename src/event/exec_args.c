/*
 * All values are gathered as pieces (argument, fragment, where the text is), sorted if they did not come in order,
 * which is rare, and then decoded straight into the list. Room is bounded by what the text holds, never by argc or
 * aN_len: each field ends at a space, so counting spaces bounds the pieces before the first is read.
 */
#include "event/exec_args.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>

#include "audit/value.h"
#include "base/lanes.h"
#include "event/pack.h"

#define MAX_NUMBER        (1u << 24)
#define MAX_FILLED        65536
#define MAX_MISSING_ENTRY 40 /* bytes of one "N[I-J]," */

enum piece_kind { PIECE_LENGTH = 0, PIECE_FIRST_FRAGMENT = 1 }; /* fragment i is i + 1 */

typedef struct piece {
    uint32_t arg, part;
    const char *p;
    uint32_t n;           /* bytes as written; of a length its value */
    uint32_t record : 31; /* index in the group */
    uint32_t is_quoted : 1;
} piece;

typedef struct joining {
    piece *pieces;
    size_t n_pieces;
    bool is_unsorted;
    uint64_t argc; /* UINT64_MAX: not seen */
    uint32_t argc_record;
    size_t n_filled;
    char *missing, *missing_start;
    char *out;
    uint64_t n_out; /* arguments written */
    xt_exec_args *result;
} joining;

typedef struct argument_name {
    uint32_t arg, part;
} argument_name;

/* Digits at *p, at least one; false above MAX_NUMBER. */
static bool take_number(const char **p, const char *end, uint32_t *ret)
{
    const char *q = *p;
    uint32_t v = 0;
    for (; q < end && *q >= '0' && *q <= '9' && v < MAX_NUMBER; q++)
        v = v * 10 + (uint32_t)(*q - '0');
    if (q == *p || v >= MAX_NUMBER)
        return false;
    *p = q;
    *ret = v;
    return true;
}

/* a7, a7_len, a7[2] */
static bool parse_name(xt_slice name, argument_name *ret)
{
    const char *p = name.p, *end = p + name.n;
    uint32_t fragment = 0;
    if (name.n < 2 || *p++ != 'a' || !take_number(&p, end, &ret->arg))
        return false;
    ret->part = PIECE_FIRST_FRAGMENT;
    if (p == end)
        return true;
    if (*p == '[') {
        p++;
        if (!take_number(&p, end, &fragment) || end - p != 1 || *p != ']')
            return false;
        ret->part = PIECE_FIRST_FRAGMENT + fragment;
        return true;
    }
    ret->part = PIECE_LENGTH;
    return xt_slice_eq(xt_slice_of(p, (size_t)(end - p)), XT_S("_len"));
}

bool xt_exec_args_is_argument(xt_slice name)
{
    argument_name ignored;
    return parse_name(name, &ignored) || xt_slice_eq(name, XT_S("argc"));
}

static void add_piece(joining *j, argument_name name, const xt_audit_field *field, uint32_t record)
{
    piece *new = &j->pieces[j->n_pieces];
    *new = (piece){name.arg, name.part, field->value.p, (uint32_t)field->value.n, record, field->quoting != XT_BARE};
    if (name.part == PIECE_LENGTH) {
        uint64_t length;
        new->n = xt_value_u64(field->value, &length) && length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
    }
    if (j->n_pieces > 0) {
        const piece *last = new - 1;
        if (new->arg < last->arg || (new->arg == last->arg &&new->part <= last->part))
            j->is_unsorted = true;
    }
    j->n_pieces++;
}

static void read_record(joining *j, xt_slice body, uint32_t record)
{
    xt_audit_field field;
    while (xt_audit_field_next(&body, &field)) {
        argument_name name;
        j->result->is_cut |= field.is_cut;
        if (parse_name(field.name, &name)) {
            add_piece(j, name, &field, record);
        } else if (xt_slice_eq(field.name, XT_S("argc")) && j->argc == UINT64_MAX &&
                   xt_value_u64(field.value, &j->argc)) {
            j->argc_record = record;
        } else {
            j->result->n_other++;
        }
    }
}

static size_t count_spaces(xt_slice body)
{
    size_t n = 0, i = 0;
    for (; body.n - i >= XT_LANES; i += XT_LANES)
        n += (size_t)__builtin_popcount(xt_lanes_mask(xt_lanes_load(body.p + i) == ' '));
    for (; i < body.n; i++)
        n += body.p[i] == ' ';
    return n;
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_pieces(const void *a, const void *b)
{
    const piece *x = a, *y = b;
    int by = order(x->arg, y->arg);
    by = by ? by : order(x->part, y->part);
    by = by ? by : order(x->record, y->record);
    return by ? by : order((uintptr_t)x->p, (uintptr_t)y->p);
}

static char *put_number(char *p, uint64_t v)
{
    char digits[20];
    int n = 0;
    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    while (n > 0)
        *p++ = digits[--n];
    return p;
}

static char *put_range(char *p, uint64_t first, uint64_t end)
{
    p = put_number(p, first);
    if (end - first > 1) {
        *p++ = '-';
        p = put_number(p, end - 1);
    }
    return p;
}

/* Arguments first to end - 1, or with `fragment` these fragments of `arg`, are not there. */
static void note_missing(joining *j, uint64_t first, uint64_t end)
{
    if (j->missing != j->missing_start)
        *j->missing++ = ',';
    j->missing = put_range(j->missing, first, end);
}

static void note_missing_fragments(joining *j, uint32_t arg, uint64_t first, uint64_t end)
{
    note_missing(j, arg, arg + UINT64_C(1));
    *j->missing++ = '[';
    j->missing = put_range(j->missing, first, end);
    *j->missing++ = ']';
}

/* Decodes one piece to `out`; what is bare and no hex is kept as it is, and said. */
static char *put_piece(joining *j, char *out, const piece *from)
{
    xt_slice text = xt_slice_of(from->p, from->n);
    if (from->is_quoted)
        return xt_pack_bytes(out, text);
    if (xt_value_unhex(text, out))
        return out + text.n / 2;
    j->result->has_mismatch = true;
    return xt_pack_bytes(out, text);
}

static void put_whole(joining *j, const piece *from)
{
    size_t n = from->is_quoted ? from->n : from->n / 2;
    size_t n_length = xt_pack_varint_size(n);
    char *end = put_piece(j, j->out + n_length, from);
    size_t n_real = (size_t)(end - (j->out + n_length)); /* differs only for what should have been hex */
    if (xt_pack_varint_size(n_real) != n_length) {
        memmove(j->out + xt_pack_varint_size(n_real), j->out + n_length, n_real);
        end = j->out + xt_pack_varint_size(n_real) + n_real;
    }
    xt_pack_varint(j->out, n_real);
    j->out = end;
}

/* Fragments are decoded behind room for the longest length, then moved to where the real length lets them begin. */
static void put_fragments(joining *j, const piece *first, const piece *end)
{
    char *start = j->out + XT_PACK_MAX_VARINT, *p = start;
    uint32_t next = PIECE_FIRST_FRAGMENT;
    for (const piece *it = first; it < end; it++) {
        if (it->part < next) { /* seen: one more of the same number */
            j->result->has_mismatch |= it[-1].n != it->n || memcmp(it[-1].p, it->p, it->n) != 0;
            continue;
        }
        if (it->part > next)
            note_missing_fragments(j, it->arg, next - PIECE_FIRST_FRAGMENT, it->part - PIECE_FIRST_FRAGMENT);
        p = put_piece(j, p, it);
        next = it->part + 1;
    }
    size_t n = (size_t)(p - start);
    char *to = xt_pack_varint(j->out, n);
    memmove(to, start, n);
    j->out = to + n;
}

static void put_argument(joining *j, const piece *first, const piece *end)
{
    const piece *text = first;
    while (text < end && text->part == PIECE_LENGTH)
        text++;
    if (text == end) { /* its length alone */
        note_missing(j, first->arg, first->arg + UINT64_C(1));
        return;
    }
    if (text > first) {
        uint64_t n_written = 0;
        for (const piece *it = text; it < end; it++)
            n_written += it > text && it->part == it[-1].part ? 0 : it->n;
        j->result->has_mismatch |= n_written != first->n;
    }
    if (end - text == 1 && text->part == PIECE_FIRST_FRAGMENT)
        put_whole(j, text);
    else
        put_fragments(j, text, end);
    j->n_out++;
}

/* Arguments from..to - 1 have no field: empty ones that an old kernel left out, or lost. */
static void fill_or_miss(joining *j, uint64_t from, uint64_t to, bool in_one_record)
{
    if (!in_one_record || j->n_filled + (to - from) > MAX_FILLED) {
        note_missing(j, from, to);
        return;
    }
    memset(j->out, 0, to - from); /* a length of 0 each */
    j->out += to - from;
    j->n_out += to - from;
    j->n_filled += to - from;
}

static void put_arguments(joining *j)
{
    uint64_t next = 0;
    uint32_t last_record = j->argc == UINT64_MAX ? UINT32_MAX : j->argc_record;
    const piece *end = j->pieces + j->n_pieces;
    for (const piece *first = j->pieces; first < end;) {
        const piece *stop = first + 1;
        while (stop < end && stop->arg == first->arg)
            stop++;
        if (first->arg > next)
            fill_or_miss(j, next, first->arg, first->record == last_record);
        put_argument(j, first, stop);
        next = first->arg + UINT64_C(1);
        last_record = stop[-1].record;
        first = stop;
    }
    if (j->argc != UINT64_MAX && j->argc > next)
        note_missing(j, next, j->argc);
    j->result->has_mismatch |= j->argc == UINT64_MAX || j->argc < next;
}

/* Room for all that put_arguments may write, for sorted pieces. The list begins behind room for its count. */
static int make_room(joining *j, xt_arena *arena)
{
    size_t n_bytes = 3 * XT_PACK_MAX_VARINT, n_gaps = 1, n_filled = 0;
    uint32_t next_arg = 0, next_part = 0;
    for (const piece *it = j->pieces; it < j->pieces + j->n_pieces; it++) {
        if (it->arg >= next_arg) {
            n_gaps += it->arg > next_arg;
            n_filled += it->arg - next_arg;
            next_part = PIECE_FIRST_FRAGMENT;
        }
        n_gaps += it->part > next_part || it->part == PIECE_LENGTH;
        n_bytes += XT_PACK_MAX_VARINT / 2 + (it->part == PIECE_LENGTH ? 0 : it->n);
        next_arg = it->arg + 1;
        next_part = it->part + 1;
    }
    n_bytes += n_filled < MAX_FILLED ? n_filled : MAX_FILLED;
    j->out = xt_arena_alloc(arena, n_bytes);
    j->missing = j->missing_start = xt_arena_alloc(arena, n_gaps * MAX_MISSING_ENTRY);
    return j->out && j->missing ? 0 : xt_error_origin(-ENOMEM);
}

static int gather(joining *j, const xt_group *group, xt_arena *arena)
{
    size_t n_pieces = 0;
    for (size_t i = 0; i < group->n_records; i++)
        if (group->records[i].type == AUDIT_EXECVE)
            n_pieces += count_spaces(group->records[i].body) + 1;
    j->pieces = xt_arena_alloc(arena, n_pieces * sizeof *j->pieces);
    if (!j->pieces)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < group->n_records; i++) {
        if (group->records[i].type != AUDIT_EXECVE)
            continue;
        j->result->n_records++;
        read_record(j, group->records[i].body, (uint32_t)i);
    }
    if (j->is_unsorted)
        qsort(j->pieces, j->n_pieces, sizeof *j->pieces, compare_pieces);
    return 0;
}

int xt_exec_args_join(const xt_group *group, xt_arena *arena, xt_exec_args *ret)
{
    xt_exec_args result = {0};
    joining j = {.argc = UINT64_MAX, .result = &result};
    int r = gather(&j, group, arena);
    if (r == 0 && result.n_records > 0)
        r = make_room(&j, arena);
    if (r < 0)
        return xt_error_trace(r);
    if (result.n_records > 0) {
        char *start = j.out + XT_PACK_MAX_VARINT;
        j.out = start;
        put_arguments(&j);
        char *front = start - xt_pack_varint_size(j.n_out);
        xt_pack_varint(front, j.n_out);
        result.list = xt_slice_of(front, (size_t)(j.out - front));
        result.missing = xt_slice_of(j.missing_start, (size_t)(j.missing - j.missing_start));
    }
    *ret = result;
    return 0;
}
