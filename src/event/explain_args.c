/*
 * Arguments by their numbers: all aN, aN_len and aN[i] of all EXECVE records are sorted by argument, fragment and where
 * they stand, then read in a row. The list of the event is followed beside it.
 */
#include <linux/audit.h>
#include <stdlib.h>

#include "audit/names.h"
#include "audit/value.h"
#include "event/explain_build.h"

#define MAX_NUMBER (1u << 24)
#define MAX_FILLED 65536

typedef struct piece {
    uint32_t arg;
    int64_t part; /* -1: its length */
    size_t place; /* in the sources: records, and fields in them, in order */
    const xt_explain_source *source;
} piece;

typedef struct reading {
    xt_explain_build *b;
    piece *pieces;
    size_t n_pieces;
    bool has_argc;
    uint64_t argc;
    const xt_explain_record *last; /* that the argument before stood in */
    uint64_t n_filled;
    xt_list_iter list; /* of the event */
    uint64_t n_items;
    xt_buf missing;
    const xt_explain_source *argc_source;
    bool shows_items;
} reading;

static bool take_number(xt_slice *text, uint32_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; n < text->n && text->p[n] >= '0' && text->p[n] <= '9' && v < MAX_NUMBER; n++)
        v = v * 10 + (unsigned)(text->p[n] - '0');
    *text = xt_slice_skip(*text, n);
    *ret = (uint32_t)v;
    return n > 0 && v < MAX_NUMBER;
}

static bool parse_name(xt_slice name, piece *ret)
{
    uint32_t part;
    if (name.n < 2 || name.p[0] != 'a')
        return false;
    name = xt_slice_skip(name, 1);
    if (!take_number(&name, &ret->arg))
        return false;
    ret->part = name.n == 0 ? 0 : -1;
    if (name.n == 0 || xt_slice_eq(name, XT_S("_len")))
        return true;
    if (name.p[0] != '[')
        return false;
    name = xt_slice_skip(name, 1);
    if (!take_number(&name, &part))
        return false;
    ret->part = part;
    return xt_slice_eq(name, XT_S("]"));
}

static int compare(const void *a, const void *b)
{
    const piece *x = a, *y = b;
    if (x->arg != y->arg)
        return x->arg < y->arg ? -1 : 1;
    if (x->part != y->part)
        return x->part < y->part ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static bool gather(reading *r)
{
    xt_explain_build *b = r->b;
    r->pieces = xt_explain_alloc(b, b->n_sources * sizeof *r->pieces + 1);
    for (size_t i = 0; r->pieces && i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        piece p = {.place = i, .source = s};
        if (s->record->record.type != AUDIT_EXECVE || s->place != XT_EXPLAIN_BODY)
            continue;
        if (parse_name(s->field.name, &p)) {
            r->pieces[r->n_pieces++] = p;
        } else if (xt_slice_eq(s->field.name, XT_S("argc")) && !r->has_argc && xt_value_u64(s->field.value, &r->argc)) {
            r->has_argc = true;
            r->argc_source = s;
            r->last = s->record;
        }
    }
    if (r->pieces && r->n_pieces > 1)
        qsort(r->pieces, r->n_pieces, sizeof *r->pieces, compare);
    return r->pieces != NULL;
}

static void put_missing(reading *r, uint64_t first, uint64_t end)
{
    if (r->missing.n > 0 && r->missing.p[r->missing.n - 1] != '[')
        xt_buf_putc(&r->missing, ',');
    xt_buf_put_dec(&r->missing, first);
    if (end - first > 1) {
        xt_buf_putc(&r->missing, '-');
        xt_buf_put_dec(&r->missing, end - 1);
    }
}

static void put_missing_parts(reading *r, uint32_t arg, int64_t first, int64_t end)
{
    put_missing(r, arg, arg + UINT64_C(1));
    xt_buf_putc(&r->missing, '[');
    put_missing(r, (uint64_t)first, (uint64_t)end);
    xt_buf_putc(&r->missing, ']');
}

/* The row of the next item of the event's list; NULL when only what is missing is asked for. */
static xt_explain_value *next_item(reading *r)
{
    xt_slice item = XT_S("");
    if (!r->shows_items)
        return NULL;
    bool is_there = xt_list_next(&r->list, &item);
    xt_explain_value *v = xt_explain_row_of(
        r->b, XT_F_ARGS, xt_explain_format(r->b, "process.args[%llu]", (unsigned long long)r->n_items++), item);
    v->is_proved = is_there;
    return v;
}

static xt_slice convert(reading *r, const xt_audit_field *field, xt_explain_how *ret_how)
{
    char *text = field->quoting == XT_BARE ? xt_explain_alloc(r->b, field->value.n / 2 + 1) : NULL;
    *ret_how = field->quoting == XT_BARE ? XT_EXPLAIN_LITERAL : XT_EXPLAIN_QUOTED;
    if (text && xt_value_unhex(field->value, text)) {
        *ret_how = XT_EXPLAIN_HEX;
        return xt_slice_of(text, field->value.n / 2);
    }
    r->b->args_differ |= field->quoting == XT_BARE;
    return field->value;
}

/* The argument's fragments in order, each number once; their text joined. */
static void join(reading *r, const piece *first, const piece *end)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_explain_value *v = next_item(r);
    int64_t next = 0;
    unsigned n = 0;
    for (const piece *it = first; it < end; it++) {
        const xt_audit_field *field = &it->source->field;
        xt_explain_how how;
        if (it->part < next) {
            r->b->args_differ |= !xt_slice_eq(field->value, it[-1].source->field.value);
            continue;
        }
        if (it->part > next)
            put_missing_parts(r, it->arg, next, it->part);
        xt_slice bytes = convert(r, field, &how);
        xt_buf_put(&text, bytes);
        if (v)
            xt_explain_source_of(r->b, v, it->source, how);
        next = it->part + 1;
        n++;
    }
    r->b->no_memory |= xt_buf_done(&text) < 0;
    if (!v)
        return;
    v->is_proved &= xt_slice_eq(v->text, xt_buf_slice(&text));
    if (n > 1)
        xt_explain_rule(r->b, v, "joined from %u fragments", n);
}

/* The kernel's count of what it wrote of an argument, against what is there. */
static void check_length(reading *r, const piece *first, const piece *text, const piece *end)
{
    uint64_t said, n = 0;
    if (text == first)
        return;
    for (const piece *it = text; it < end; it++)
        n += it > text && it->part == it[-1].part ? 0 : it->source->field.value.n;
    if (!xt_value_u64(first->source->field.value, &said) || said > UINT32_MAX)
        said = UINT32_MAX;
    r->b->args_differ |= said != n;
}

static void read_argument(reading *r, const piece *first, const piece *end)
{
    const piece *text = first;
    while (text < end && text->part < 0)
        text++;
    if (text == end) {
        put_missing(r, first->arg, first->arg + UINT64_C(1));
        return;
    }
    check_length(r, first, text, end);
    join(r, text, end);
}

/* Arguments without a field: empty ones that kernels 4.8 to 4.20 leave out of a record, or lost with one. */
static void read_gap(reading *r, uint64_t from, uint64_t to, const piece *behind)
{
    if (behind->source->record != r->last || r->n_filled + (to - from) > MAX_FILLED) {
        put_missing(r, from, to);
        return;
    }
    r->n_filled += to - from;
    for (uint64_t i = from; i < to; i++) {
        xt_explain_value *v = next_item(r);
        if (!v)
            continue;
        v->is_proved &= v->text.n == 0;
        xt_explain_source_of(r->b, v, behind->source, XT_EXPLAIN_CLUE);
        xt_explain_rule(r->b, v, "empty: its record goes on with a later argument");
    }
}

static void read_arguments(reading *r)
{
    uint64_t next = 0;
    const piece *end = r->pieces + r->n_pieces;
    for (const piece *first = r->pieces; first < end;) {
        const piece *stop = first + 1;
        while (stop < end && stop->arg == first->arg)
            stop++;
        if (first->arg > next)
            read_gap(r, next, first->arg, first);
        read_argument(r, first, stop);
        next = first->arg + UINT64_C(1);
        r->last = stop[-1].source->record;
        first = stop;
    }
    if (r->has_argc && r->argc > next)
        put_missing(r, next, r->argc);
    r->b->args_differ |= !r->has_argc || r->argc < next;
}

void xt_explain_args(xt_explain_build *b, xt_field field)
{
    reading r = {.b = b, .shows_items = true, .list = xt_list_iterate(xt_event_bytes(b->event, field))};
    if (gather(&r))
        read_arguments(&r);
    while (r.list.left > 0 && !b->no_memory) /* more than the records have */
        next_item(&r)->is_proved = false;
    b->no_memory |= xt_buf_done(&r.missing) < 0;
    xt_buf_fini(&r.missing);
}

/* Records that the system call promises: their types, a comma between. */
static void explain_missing_records(xt_explain_build *b, xt_field field)
{
    static const char *const looked_at[] = {"syscall", "success", "a0", "a1", "a2", "a3"};
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    xt_slice rest = v->text, name;
    v->is_proved = true;
    while (xt_slice_cut(&rest, ',', &name)) {
        uint16_t type = xt_record_type_by_name(name);
        v->is_proved &= type != 0;
        for (size_t i = 0; i < b->in->n_records; i++)
            v->is_proved &= b->in->records[i].record.type != type;
    }
    for (size_t i = 0; i < XT_COUNT_OF(looked_at); i++) {
        const xt_explain_source *s = xt_explain_find_in_head(b, xt_slice_str(looked_at[i]));
        if (s)
            xt_explain_source_of(b, v, s, XT_EXPLAIN_CLUE);
    }
    xt_explain_rule(b, v, "types of records that the kernel writes with this call, and that did not come");
}

void xt_explain_missing(xt_explain_build *b, xt_field field)
{
    if (!b->is_exec) {
        explain_missing_records(b, field);
        return;
    }
    reading r = {.b = b};
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (gather(&r))
        read_arguments(&r);
    b->no_memory |= xt_buf_done(&r.missing) < 0;
    xt_explain_prove(v, xt_buf_slice(&r.missing));
    xt_buf_fini(&r.missing);
    if (r.argc_source)
        xt_explain_source_of(b, v, r.argc_source, XT_EXPLAIN_CLUE);
    xt_explain_rule(b, v, "numbers below argc, fragments below the last, that no EXECVE record of this event has");
}
