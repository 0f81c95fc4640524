/*
 * Rows and pieces are lists in the arena, in the order in which they are added. A line's head is looked at from behind:
 * the stamp is the last "audit(" before the fields, the type the last "type=" before that.
 */
#include "event/explain_build.h"

#include <linux/audit.h>
#include <stdarg.h>
#include <stdio.h>

#include "audit/value.h"
#include "event/event_json.h"

void *xt_explain_alloc(xt_explain_build *b, size_t n_bytes)
{
    void *p = xt_arena_alloc(b->arena, n_bytes);
    if (!p)
        b->no_memory = true;
    return p;
}

static xt_slice XT_PRINTF(2, 0) format_text(xt_explain_build *b, const char *format, va_list args)
{
    char text[1024];
    int n = vsnprintf(text, sizeof text, format, args);
    xt_slice copy = xt_arena_copy(b->arena, xt_slice_of(text, n < 0 ? 0 : strnlen(text, sizeof text)));
    b->no_memory |= !copy.p;
    return copy.p ? copy : XT_S("");
}

xt_slice xt_explain_format(xt_explain_build *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    xt_slice text = format_text(b, format, args);
    va_end(args);
    return text;
}

xt_explain_value *xt_explain_row_of(xt_explain_build *b, xt_field field, xt_slice name, xt_slice text)
{
    xt_explain_value *v = xt_explain_alloc(b, sizeof *v);
    if (!v)
        v = &b->spare;
    *v = (xt_explain_value){.field = field, .name = name, .text = text, .last_bytes = &v->bytes};
    if (v == &b->spare)
        return v;
    *b->last = v;
    b->last = &v->next;
    b->out->n_values++;
    return v;
}

xt_explain_value *xt_explain_row(xt_explain_build *b, xt_field field, xt_slice text)
{
    return xt_explain_row_of(b, field, xt_slice_str(xt_field_find(field)->name), text);
}

void xt_explain_rule(xt_explain_build *b, xt_explain_value *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    v->rule = format_text(b, format, args);
    va_end(args);
}

static void add_bytes(xt_explain_build *b, xt_explain_value *v, xt_explain_bytes bytes)
{
    xt_explain_bytes *copy = xt_explain_alloc(b, sizeof *copy);
    if (!copy)
        return;
    *copy = bytes;
    *v->last_bytes = copy;
    v->last_bytes = &copy->next;
}

void xt_explain_bytes_of(xt_explain_build *b, xt_explain_value *v, const xt_explain_record *record, xt_slice raw,
                         xt_explain_how how)
{
    add_bytes(b, v, (xt_explain_bytes){.line = record->line, .type = record->record.type, .raw = raw, .how = how});
}

void xt_explain_source_of(xt_explain_build *b, xt_explain_value *v, const xt_explain_source *s, xt_explain_how how)
{
    add_bytes(b, v,
              (xt_explain_bytes){.line = s->record->line,
                                 .type = s->record->record.type,
                                 .name = s->field.name,
                                 .raw = xt_explain_raw(s),
                                 .how = how});
}

/* What stands before the fields: "node=... type=... msg=audit(...): ". */
static xt_slice head_of(const xt_explain_record *record)
{
    xt_slice text = record->line->text, name, fields;
    if (record->record.type == XT_RECORD_NAMED && xt_record_cut_name(record->record.body, &name, &fields))
        return xt_slice_head(text, (size_t)(fields.p - text.p));
    return xt_slice_head(text, (size_t)(record->record.body.p - text.p));
}

/* Where `word` stands last in text, or NULL. */
static const char *find_last(xt_slice text, xt_slice word)
{
    const char *found = NULL, *next;
    while ((next = memmem(text.p, text.n, word.p, word.n)) != NULL) {
        found = next;
        text = xt_slice_skip(text, (size_t)(next + 1 - text.p));
    }
    return found;
}

xt_slice xt_explain_type_word(const xt_explain_record *record)
{
    xt_slice head = head_of(record);
    const char *stamp = find_last(head, XT_S("audit("));
    head.n = stamp ? (size_t)(stamp - head.p) : 0;
    const char *type = find_last(head, XT_S("type="));
    xt_slice rest = type ? xt_slice_skip(head, (size_t)(type + 5 - head.p)) : XT_S(""), word = XT_S("");
    (void)xt_slice_cut(&rest, ' ', &word);
    return word;
}

bool xt_explain_stamp(const xt_explain_record *record, xt_slice *ret_time, xt_slice *ret_serial)
{
    xt_slice head = head_of(record);
    const char *stamp = find_last(head, XT_S("audit("));
    xt_slice rest = stamp ? xt_slice_skip(head, (size_t)(stamp + 6 - head.p)) : XT_S("");
    return stamp && xt_slice_cut(&rest, ':', ret_time) && rest.p && xt_slice_cut(&rest, ')', ret_serial);
}

xt_slice xt_explain_raw(const xt_explain_source *s)
{
    xt_slice raw = s->field.value;
    if (s->field.quoting == XT_BARE || s->field.quoting == XT_BRACED)
        return raw;
    return xt_slice_of(raw.p - 1, raw.n + 1 + !s->field.is_cut);
}

/* Digits in capitals, two a byte. */
static bool is_hex(xt_slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if (!(text.p[i] >= '0' && text.p[i] <= '9') && !(text.p[i] >= 'A' && text.p[i] <= 'F'))
            return false;
    return text.n > 0 && text.n % 2 == 0;
}

bool xt_explain_text(xt_explain_build *b, const xt_audit_field *field, xt_slice *ret, xt_explain_how *ret_how)
{
    xt_slice value = field->value;
    *ret = value;
    *ret_how = field->quoting == XT_BARE ? XT_EXPLAIN_LITERAL : XT_EXPLAIN_QUOTED;
    if (field->quoting != XT_BARE)
        return true;
    if (xt_slice_eq(value, XT_S("(null)")))
        return false;
    if (!is_hex(value))
        return true;
    char *text = xt_explain_alloc(b, value.n / 2);
    if (!text || !xt_value_unhex(value, text))
        return true;
    *ret = xt_slice_of(text, value.n / 2);
    *ret_how = XT_EXPLAIN_HEX;
    return true;
}

const xt_explain_source *xt_explain_find(const xt_explain_build *b, uint16_t type, xt_slice name)
{
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        if (s->place == XT_EXPLAIN_BODY && (type == 0 || s->record->record.type == type) &&
            xt_slice_eq(s->field.name, name))
            return s;
    }
    return NULL;
}

const xt_explain_source *xt_explain_find_in_head(const xt_explain_build *b, xt_slice name)
{
    for (size_t i = 0; i < b->n_sources && b->head && b->sources[i].record == b->head; i++)
        if (b->sources[i].place == XT_EXPLAIN_BODY && xt_slice_eq(b->sources[i].field.name, name))
            return &b->sources[i];
    return NULL;
}

xt_slice xt_explain_value_text(xt_explain_build *b, xt_field field)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_event_field_text(b->event, field, &out);
    xt_slice copy = xt_buf_done(&out) == 0 ? xt_arena_copy(b->arena, xt_buf_slice(&out)) : XT_S_NULL;
    b->no_memory |= !copy.p;
    return copy.p ? copy : XT_S("");
}
