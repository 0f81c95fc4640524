/*
 * Fields for RECORDS are gathered as slices of the input and written in one piece at the end, when their number is
 * known. An ordinary exec has none.
 */
#include "event/conversion.h"

#include <errno.h>
#include <linux/audit.h>

#include "audit/value.h"
#include "event/pack.h"

#define MIN_FIELDS 32

void *xt_conversion_alloc(xt_conversion *c, size_t n_bytes)
{
    void *p = xt_arena_alloc(c->arena, n_bytes);
    if (!p)
        c->no_memory = true;
    return p;
}

bool xt_conversion_text(xt_conversion *c, const xt_audit_field *field, xt_slice *ret)
{
    bool is_null = false;
    if (field->quoting == XT_DOUBLE) {
        *ret = field->value;
        return true;
    }
    if (xt_value_text(c->arena, field, ret, &is_null) < 0) {
        c->no_memory = true;
        return false;
    }
    return !is_null;
}

void xt_conversion_open(xt_conversion *c, const xt_record *record)
{
    c->record = record;
    c->spans[record - c->group->records] = (xt_rec_span){c->n_fields, 0};
}

#define SKIPPED SIZE_MAX

void xt_conversion_skip(xt_conversion *c, const xt_record *record)
{
    c->spans[record - c->group->records] = (xt_rec_span){SKIPPED, 0};
}

static void keep(xt_conversion *c, xt_slice name, xt_slice value, xt_rec_form form)
{
    if (c->n_fields == c->cap_fields) {
        size_t cap = c->cap_fields ? 2 * c->cap_fields : MIN_FIELDS;
        xt_rec_field *more = xt_conversion_alloc(c, cap * sizeof *more);
        if (!more)
            return;
        if (c->n_fields > 0)
            memcpy(more, c->fields, c->n_fields * sizeof *more);
        c->fields = more;
        c->cap_fields = cap;
    }
    c->fields[c->n_fields++] = (xt_rec_field){name, value, form};
    c->spans[c->record - c->group->records].n++;
}

/* Words without a name that follow each other ("avc:  denied  { read }") become one value, as they stand. */
static bool joins_last(xt_conversion *c, const xt_audit_field *field)
{
    xt_rec_span *span = &c->spans[c->record - c->group->records];
    if (field->name.n > 0 || span->n == 0 || c->fields[c->n_fields - 1].name.n > 0)
        return false;
    xt_slice *last = &c->fields[c->n_fields - 1].value;
    for (const char *p = last->p + last->n; p < field->value.p; p++)
        if (*p != ' ')
            return false;
    last->n = (size_t)(field->value.p + field->value.n - last->p);
    return true;
}

/* How a value was written, by who says it. */
typedef struct form_set {
    xt_rec_form bare, quoted, hex;
} form_set;

static const form_set of_kernel = {XT_REC_BARE, XT_REC_QUOTED, XT_REC_HEX};
static const form_set of_program = {XT_REC_MSG, XT_REC_MSG_QUOTED, XT_REC_MSG_HEX};
static const form_set of_column = {XT_REC_REPEATED, XT_REC_REPEATED_QUOTED, XT_REC_REPEATED_HEX};

static void keep_as(xt_conversion *c, const xt_audit_field *field, const form_set *forms)
{
    xt_slice value = field->value;
    xt_rec_form form = forms->bare;
    if (joins_last(c, field))
        return;
    if (field->quoting != XT_BARE) {
        form = forms->quoted;
    } else if (xt_value_is_string_field(c->record->type, field->name)) {
        xt_slice text;
        if (xt_conversion_text(c, field, &text) && text.p != value.p) {
            value = text;
            form = forms->hex;
        }
    }
    keep(c, field->name, value, form);
}

void xt_conversion_keep(xt_conversion *c, const xt_audit_field *field, bool in_msg)
{
    keep_as(c, field, in_msg ? &of_program : &of_kernel);
}

xt_slice xt_conversion_take_fields(xt_conversion *c)
{
    xt_slice name, fields;
    if (c->record->type != XT_RECORD_NAMED || !xt_record_cut_name(c->record->body, &name, &fields))
        return c->record->body;
    keep(c, XT_S("type"), name, XT_REC_BARE);
    return fields;
}

void xt_conversion_keep_repeated(xt_conversion *c, const xt_audit_field *field)
{
    if (c->head != c->record)
        keep_as(c, field, &of_column);
}

void xt_conversion_keep_enriched(xt_conversion *c, const xt_audit_field *field)
{
    keep(c, field->name, field->value, XT_REC_ENRICHED);
}

static bool is_listed(const xt_conversion *c, size_t i)
{
    /* an EOE says nothing, and a text log never has it */
    return c->group->records[i].type != AUDIT_EOE && c->spans[i].first != SKIPPED;
}

static size_t measure_records(const xt_conversion *c)
{
    size_t n = XT_PACK_MAX_VARINT + c->group->n_records * 2 * XT_PACK_MAX_VARINT;
    for (size_t i = 0; i < c->n_fields; i++)
        n += xt_pack_block_size(c->fields[i].name) + 1 + xt_pack_block_size(c->fields[i].value);
    return n;
}

void xt_conversion_put_records(xt_conversion *c)
{
    const xt_group *group = c->group;
    char *start = xt_conversion_alloc(c, measure_records(c));
    size_t n = 0;
    for (size_t i = 0; i < group->n_records; i++)
        n += is_listed(c, i);
    if (!start)
        return;
    char *p = xt_pack_varint(start, n);
    for (size_t i = 0; i < group->n_records; i++) {
        if (!is_listed(c, i))
            continue;
        p = xt_pack_varint(p, group->records[i].type);
        p = xt_pack_varint(p, c->spans[i].n);
        for (size_t k = 0; k < c->spans[i].n; k++) {
            const xt_rec_field *f = &c->fields[c->spans[i].first + k];
            p = xt_pack_block(p, f->name);
            *p++ = (char)f->form;
            p = xt_pack_block(p, f->value);
        }
    }
    xt_event_set_bytes(c->event, XT_F_RECORDS, xt_slice_of(start, (size_t)(p - start)));
}

static bool may_fill(const xt_conversion *c)
{
    return !c->head || c->head == c->record;
}

void xt_conversion_fill_num(xt_conversion *c, xt_field f, uint64_t num, const xt_audit_field *field)
{
    if (!xt_event_has(c->event, f) && may_fill(c))
        xt_event_set_num(c->event, f, num);
    else if (!xt_event_has(c->event, f) || c->event->values[f].num != num)
        xt_conversion_keep(c, field, false);
    else
        xt_conversion_keep_repeated(c, field);
}

void xt_conversion_fill_bytes(xt_conversion *c, xt_field f, xt_slice bytes, const xt_audit_field *field)
{
    if (!xt_event_has(c->event, f) && may_fill(c))
        xt_event_set_bytes(c->event, f, bytes);
    else if (!xt_event_has(c->event, f) || !xt_slice_eq(c->event->values[f].bytes, bytes))
        xt_conversion_keep(c, field, false);
    else
        xt_conversion_keep_repeated(c, field);
}
