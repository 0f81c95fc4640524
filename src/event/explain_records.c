/*
 * What is left of each record when the fields of the schema are taken: every kept field is looked for among the fields
 * of its record that were not named yet, by name, form and value.
 */
#include <linux/audit.h>

#include "audit/names.h"
#include "audit/value.h"
#include "event/explain_build.h"

typedef struct record_rows {
    xt_explain_build *b;
    const xt_explain_record *record;
    unsigned number; /* among those that the event lists */
} record_rows;

static bool is_msg(xt_rec_form form)
{
    return form == XT_REC_MSG || form == XT_REC_MSG_HEX || form == XT_REC_MSG_QUOTED;
}

static bool is_quoted(xt_rec_form form)
{
    return form == XT_REC_QUOTED || form == XT_REC_MSG_QUOTED || form == XT_REC_REPEATED_QUOTED;
}

static bool is_hex(xt_rec_form form)
{
    return form == XT_REC_HEX || form == XT_REC_MSG_HEX || form == XT_REC_REPEATED_HEX;
}

static xt_explain_place place_of(xt_rec_form form)
{
    return form == XT_REC_ENRICHED ? XT_EXPLAIN_ENRICHED : is_msg(form) ? XT_EXPLAIN_MSG : XT_EXPLAIN_BODY;
}

/* Whether the source says the field; words without a name may be several, as they stand. */
static bool says(const record_rows *rows, const xt_explain_source *s, const xt_rec_field *field, xt_slice *ret_raw,
                 xt_explain_how *ret_how)
{
    xt_slice value = s->field.value, text = s->record->line->text, again;
    *ret_raw = xt_explain_raw(s);
    *ret_how = s->field.quoting == XT_BARE || s->field.quoting == XT_BRACED ? XT_EXPLAIN_LITERAL : XT_EXPLAIN_QUOTED;
    if (field->form != XT_REC_ENRICHED && is_quoted(field->form) != (s->field.quoting != XT_BARE))
        return false;
    if (field->name.n == 0) {
        *ret_raw = xt_slice_of(value.p, field->value.n);
        return field->value.n <= (size_t)(text.p + text.n - value.p) && xt_slice_eq(*ret_raw, field->value);
    }
    if (!is_hex(field->form))
        return xt_slice_eq(value, field->value);
    return xt_value_is_string_field(s->record->record.type, field->name) &&
           xt_explain_text(rows->b, &s->field, &again, ret_how) && *ret_how == XT_EXPLAIN_HEX &&
           xt_slice_eq(again, field->value);
}

static bool find_source(const record_rows *rows, const xt_rec_field *field, xt_explain_value *v)
{
    for (size_t i = 0; i < rows->b->n_sources; i++) {
        xt_explain_source *s = &rows->b->sources[i];
        xt_slice raw;
        xt_explain_how how;
        if (s->record != rows->record || s->is_used || s->place != place_of(field->form) ||
            !xt_slice_eq(s->field.name, field->name) || !says(rows, s, field, &raw, &how))
            continue;
        s->is_used = true;
        xt_explain_source_of(rows->b, v, s, how);
        v->bytes->raw = raw;
        return true;
    }
    return false;
}

static void add_field(const record_rows *rows, const xt_rec_field *field)
{
    xt_slice name = field->name.n > 0 ? field->name : XT_S("text");
    xt_explain_value *v = xt_explain_row_of(
        rows->b, XT_F_RECORDS, xt_explain_format(rows->b, "auditd.records[%u].%.*s", rows->number, XT_S_ARGS(name)),
        field->value);
    v->is_proved = rows->record && find_source(rows, field, v);
    if (xt_rec_is_repeated(field->form))
        xt_explain_rule(rows->b, v, "says again what another record says");
    else if (is_msg(field->form))
        xt_explain_rule(rows->b, v, "written by a program, not by the kernel");
}

static void add_record(record_rows *rows, uint16_t type)
{
    const char *known = xt_record_type_name(type);
    xt_slice name = known ? xt_slice_str(known) : xt_explain_format(rows->b, "UNKNOWN[%u]", (unsigned)type);
    xt_explain_value *v = xt_explain_row_of(rows->b, XT_F_RECORDS,
                                            xt_explain_format(rows->b, "auditd.records[%u].type", rows->number), name);
    if (!rows->record) {
        xt_explain_rule(rows->b, v, "no record of that type is left for it");
        return;
    }
    xt_slice word = xt_explain_type_word(rows->record);
    xt_explain_bytes_of(rows->b, v, rows->record, word,
                        xt_slice_eq(word, name) ? XT_EXPLAIN_LITERAL : XT_EXPLAIN_TABLE);
    v->is_proved = xt_slice_eq(word, name) || xt_record_type_by_name(word) == type ||
                   (type == XT_RECORD_NAMED && xt_record_type_by_name(word) == 0);
}

/* The next record that the event may list, from *i on. */
static const xt_explain_record *next_record(const xt_explain_build *b, uint16_t type, size_t *i)
{
    while (*i < b->in->n_records) {
        const xt_explain_record *record = &b->in->records[(*i)++];
        if (!record->is_repeated && record->record.type == type)
            return record;
    }
    return NULL;
}

void xt_explain_records(xt_explain_build *b, xt_field field)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(b->event, field));
    record_rows rows = {.b = b};
    xt_rec_field kept;
    size_t i = 0;
    for (size_t k = 0; k < b->n_sources; k++)
        b->sources[k].is_used = false;
    for (uint16_t type; xt_recs_next(&iter, &type); rows.number++) {
        rows.record = next_record(b, type, &i);
        add_record(&rows, type);
        while (xt_recs_next_field(&iter, &kept))
            add_field(&rows, &kept);
    }
}
