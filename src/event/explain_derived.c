/* Fields that follow from others: what names the event and its host, virtual fields, typed lines, the process table. */
#include <linux/audit.h>

#include "audit/names.h"
#include "audit/value.h"
#include "base/timestamp.h"
#include "event/explain_build.h"
#include "event/tty_mask.h"
#include "event/tty_table.h"

static const xt_explain_record *leader(const xt_explain_build *b)
{
    return b->head ? b->head : b->in->n_records > 0 ? b->in->records : b->in->beside;
}

static bool parse_time(xt_slice text, int64_t *ret_ms)
{
    xt_slice seconds;
    uint64_t sec, ms;
    if (!xt_slice_cut(&text, '.', &seconds) || !text.p || !xt_slice_parse_u64(seconds, &sec) ||
        !xt_slice_parse_u64(text, &ms))
        return false;
    *ret_ms = (int64_t)(sec * 1000 + ms);
    return true;
}

void xt_explain_stamps(xt_explain_build *b, xt_field field)
{
    const xt_explain_record *record = leader(b);
    xt_slice time, serial;
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    int64_t ms = 0;
    if (record && xt_explain_stamp(record, &time, &serial)) {
        bool is_time = field == XT_F_TIME;
        xt_explain_bytes_of(b, v, record, is_time ? time : serial, is_time ? XT_EXPLAIN_STAMP : XT_EXPLAIN_DECIMAL);
        uint64_t number = UINT64_MAX;
        v->is_proved = is_time ? parse_time(time, &ms) && (uint64_t)ms == b->event->values[XT_F_TIME].num
                               : xt_slice_parse_u64(serial, &number) && number == b->event->values[XT_F_SERIAL].num;
    } else {
        v->is_proved = field == XT_F_TIME && b->event->values[XT_F_TIME].num == 0;
        xt_explain_rule(b, v, "no record stands near this line");
    }
    if (b->in->n_records == 0 && v->bytes)
        xt_explain_rule(b, v, "the line has none: that of the record next to it");
}

static xt_slice hash_text(xt_explain_build *b, xt_hash128 hash)
{
    char text[33];
    xt_hash128_format(hash, text);
    return xt_explain_format(b, "%s", text);
}

static xt_hash128 id_of_stamp(const xt_explain_build *b)
{
    const xt_record *record = &b->in->records[0].record;
    return xt_event_id_of(xt_event_bytes(b->event, XT_F_HOST_ID), record->time_ms, record->serial);
}

static void put_le(xt_buf *out, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        xt_buf_putc(out, (char)(v >> (8 * i)));
}

/* Of a late record: it depends on what came, so that each has its own. */
static xt_slice id_of_amendment(xt_explain_build *b)
{
    XT_CLEANUP(xt_buf_fini) xt_buf input = XT_BUF_INIT;
    xt_hash128 of = id_of_stamp(b);
    xt_buf_put(&input, xt_slice_of(of.b, sizeof of.b));
    for (size_t i = 0; i < b->in->n_records; i++) {
        put_le(&input, b->in->records[i].record.type, 2);
        xt_buf_put(&input, b->in->records[i].record.body);
    }
    b->no_memory |= xt_buf_done(&input) < 0;
    return hash_text(b, xt_slice_hash128(xt_buf_slice(&input)));
}

static xt_slice id_of_line(xt_explain_build *b)
{
    XT_CLEANUP(xt_buf_fini) xt_buf input = XT_BUF_INIT;
    xt_buf_put(&input, xt_event_bytes(b->event, XT_F_HOST_ID));
    xt_buf_putc(&input, '\0');
    put_le(&input, b->in->line_number, 8);
    xt_buf_put(&input, xt_event_bytes(b->event, XT_F_ORIGINAL));
    b->no_memory |= xt_buf_done(&input) < 0;
    return hash_text(b, xt_slice_hash128(xt_buf_slice(&input)));
}

void xt_explain_id(xt_explain_build *b, xt_field field)
{
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (b->in->n_records == 0) {
        xt_explain_prove(v, id_of_line(b));
        xt_explain_rule(b, v, "hash of host.id, the line's number (%llu) and event.original",
                        (unsigned long long)b->in->line_number);
    } else if (field == XT_F_EVENT_ID && xt_event_has(b->event, XT_F_OF)) {
        xt_explain_prove(v, id_of_amendment(b));
        xt_explain_rule(b, v, "hash of exectrail.of and the types and fields of the records");
    } else {
        xt_explain_prove(v, hash_text(b, id_of_stamp(b)));
        xt_explain_rule(b, v, "%shash of host.id, @timestamp and event.sequence",
                        field == XT_F_OF ? "the event that was given out before these records came: " : "");
    }
}

void xt_explain_host(xt_explain_build *b, xt_field field)
{
    const xt_event_origin *origin = b->in->origin;
    const xt_explain_record *record = b->in->n_records > 0 ? b->in->records : NULL;
    xt_slice node = record ? record->record.node : XT_S_NULL;
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (field == XT_F_HOST && node.n > 0) {
        xt_explain_bytes_of(b, v, record, node, XT_EXPLAIN_LITERAL);
        xt_explain_prove(v, node);
    } else if (field == XT_F_HOST) {
        xt_explain_rule(b, v, "the name given for records without node=");
        xt_explain_prove(v, origin->host_name);
    } else if (field == XT_F_BOOT_ID) {
        xt_explain_rule(b, v, "given for the host");
        xt_explain_prove(v, origin->boot_id);
    } else if (origin->host_id.n > 0 && xt_slice_eq(v->text, origin->host_id)) {
        xt_explain_rule(b, v, "given for the host");
        v->is_proved = true;
    } else {
        xt_explain_rule(b, v, "hash of \"import:\" and host.name");
        xt_explain_prove(v, hash_text(b, xt_event_import_host_id(xt_event_bytes(b->event, XT_F_HOST))));
    }
}

void xt_explain_code(xt_explain_build *b, xt_field field)
{
    const xt_explain_record *record = b->deciding ? b->deciding : leader(b);
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (!record)
        return;
    const char *name = xt_record_type_name(record->record.type);
    xt_slice word = xt_explain_type_word(record);
    xt_explain_bytes_of(b, v, record, word, xt_slice_eq(word, v->text) ? XT_EXPLAIN_LITERAL : XT_EXPLAIN_TABLE);
    if (record->record.type == XT_RECORD_NAMED)
        xt_explain_prove(v, word);
    else
        xt_explain_prove(v, name ? xt_slice_str(name)
                                 : xt_explain_format(b, "UNKNOWN[%u]", (unsigned)record->record.type));
}

/* ---- virtual fields ---- */

static xt_slice join(xt_explain_build *b, xt_slice list)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_list_iter iter = xt_list_iterate(list);
    bool is_first = true;
    for (xt_slice item; xt_list_next(&iter, &item); is_first = false) {
        xt_buf_puts(&text, is_first ? "" : " ");
        xt_buf_put(&text, item);
    }
    xt_slice copy = xt_buf_done(&text) == 0 ? xt_arena_copy(b->arena, xt_buf_slice(&text)) : XT_S_NULL;
    b->no_memory |= !copy.p;
    return copy;
}

static void explain_path_names(xt_explain_build *b, xt_field field)
{
    xt_path_iter paths = xt_paths_iterate(xt_event_bytes(b->event, XT_F_PATHS));
    xt_list_iter names = xt_list_iterate(xt_event_bytes(b->event, field));
    xt_path path;
    unsigned i = 0, number = 0;
    for (; xt_paths_next(&paths, &path); i++) {
        xt_slice name = XT_S("");
        if (!path.has_name)
            continue;
        bool is_there = xt_list_next(&names, &name);
        xt_explain_value *v = xt_explain_row_of(b, field, xt_explain_format(b, "file.path[%u]", number++), name);
        xt_explain_rule(b, v, "auditd.paths[%u].name", i);
        v->is_proved = is_there && xt_slice_eq(name, path.name);
    }
}

void xt_explain_virtual(xt_explain_build *b, xt_field field)
{
    xt_slice args = xt_event_bytes(b->event, XT_F_ARGS), arg;
    if (field == XT_F_PATH) {
        explain_path_names(b, field);
        return;
    }
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    if (field == XT_F_CMD) {
        xt_explain_rule(b, v, "process.args, one space between");
        xt_explain_prove(v, join(b, args));
        return;
    }
    xt_list_iter iter = xt_list_iterate(args);
    uint64_t n = 0;
    while (xt_list_next(&iter, &arg))
        n++;
    xt_explain_rule(b, v, "number of process.args");
    v->is_proved = n == b->event->values[field].num;
}

/* ---- what was typed ---- */

static bool is_masked(const xt_event *event)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    for (xt_slice flag; xt_list_next(&iter, &flag);)
        if (xt_slice_eq(flag, XT_S("masked")))
            return true;
    return false;
}

static void add_typed_sources(xt_explain_build *b, xt_explain_value *v, xt_slice name, xt_explain_how how)
{
    for (size_t i = 0; i < b->n_sources; i++) {
        const xt_explain_source *s = &b->sources[i];
        if (xt_tty_is_typed(s->record->record.type) && xt_slice_eq(s->field.name, name))
            xt_explain_source_of(b, v, s, s->field.quoting == XT_BARE ? how : XT_EXPLAIN_QUOTED);
    }
}

static void explain_typed_row(xt_explain_build *b, xt_explain_value *v, bool is_first)
{
    bool masked = is_masked(b->event) && !b->in->shows_typed_secrets;
    add_typed_sources(b, v, masked ? XT_S("comm") : XT_S("data"), masked ? XT_EXPLAIN_CLUE : XT_EXPLAIN_HEX);
    if (masked)
        xt_explain_rule(b, v, "keys of data= as lines; those typed at a program that asks for passwords are masked");
    else if (is_first && b->in->typed_before.n > 0)
        xt_explain_rule(b, v, "keys of data= as lines; goes on with what event %.*s left unfinished",
                        XT_S_ARGS(b->in->typed_before));
    else
        xt_explain_rule(b, v, "keys of data= as lines, with editing applied");
}

void xt_explain_typed(xt_explain_build *b, xt_field field)
{
    const xt_event *again = b->in->typed;
    bool is_same = again && xt_event_has(again, field) &&
                   xt_slice_eq(xt_event_bytes(again, field), xt_event_bytes(b->event, field));
    if (field == XT_F_TTY) {
        xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
        add_typed_sources(b, v, XT_S("major"), XT_EXPLAIN_DECIMAL);
        add_typed_sources(b, v, XT_S("minor"), XT_EXPLAIN_DECIMAL);
        xt_explain_rule(b, v, "the terminal with that device number");
        v->is_proved = is_same;
        return;
    }
    if (field == XT_F_TTY_UNFINISHED) {
        xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
        explain_typed_row(b, v, !xt_event_has(b->event, XT_F_TTY_LINE));
        v->is_proved = is_same;
        return;
    }
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(b->event, field));
    unsigned i = 0;
    for (xt_slice line; xt_list_next(&iter, &line); i++) {
        xt_explain_value *v = xt_explain_row_of(b, field, xt_explain_format(b, "tty.line[%u]", i), line);
        explain_typed_row(b, v, i == 0);
        v->is_proved = is_same;
    }
}

void xt_explain_original(xt_explain_build *b, xt_field field)
{
    const xt_explain_line *line = b->in->line;
    xt_explain_value *v = xt_explain_row(b, field, xt_event_bytes(b->event, field));
    if (!line)
        return;
    xt_slice text = line->text;
    if (!b->in->shows_typed_secrets && xt_tty_mask_line(&text, b->arena) < 0)
        b->no_memory = true;
    const xt_explain_record as_line = {.line = line};
    xt_explain_bytes_of(b, v, &as_line, line->text, XT_EXPLAIN_LITERAL);
    if (text.p != line->text.p)
        xt_explain_rule(b, v, "what was typed at a program that asks for passwords is masked");
    xt_explain_prove(v, text);
}

/* ---- the process table ---- */

static bool is_text(xt_slice text, xt_hash128 hash)
{
    return xt_hash128_eq(xt_slice_hash128(text), hash);
}

static void explain_own_entity(xt_explain_build *b, xt_explain_value *v)
{
    char text[XT_EVENT_ENTITY_LEN];
    const xt_explain_process *self = b->in->self;
    if (xt_event_is_own_entity(b->event)) {
        xt_event_entity_of(xt_event_bytes(b->event, XT_F_HOST_ID), xt_event_bytes(b->event, XT_F_BOOT_ID),
                           (uint32_t)xt_event_num(b->event, XT_F_PID, 0), (int64_t)xt_event_num(b->event, XT_F_TIME, 0),
                           text);
        xt_explain_rule(b, v, "hash of host.id, host.boot.id, process.pid and @timestamp: it begins with this exec");
        xt_explain_prove(v, xt_slice_of(text, sizeof text));
    } else if (self) {
        xt_explain_rule(b, v, "the exec failed: the process is what event %s made it (serial %u, %s:%llu)",
                        self->event_id, (unsigned)self->serial, self->source, (unsigned long long)self->line);
        xt_explain_prove(v, xt_slice_str(self->entity));
    }
}

void xt_explain_process_of(xt_explain_build *b, xt_field field)
{
    xt_explain_value *v = xt_explain_row(b, field, xt_explain_value_text(b, field));
    const xt_explain_process *parent = b->in->parent;
    if (field == XT_F_ENTITY) {
        explain_own_entity(b, v);
        return;
    }
    if (!parent) {
        xt_explain_rule(b, v, "the process table has it, but no event before this one");
        return;
    }
    v->is_proved = field == XT_F_PARENT_ENTITY ? xt_slice_eq(v->text, xt_slice_str(parent->entity))
                   : field == XT_F_PARENT_EXE  ? is_text(v->text, parent->exe)
                   : field == XT_F_PARENT_COMM ? is_text(v->text, parent->comm)
                                               : is_text(v->text, parent->cmd);
    xt_explain_rule(b, v, "process table: %s of pid %u, as event %s left it (serial %u, %s:%llu)",
                    field == XT_F_PARENT_ENTITY ? "process.entity_id"
                    : field == XT_F_PARENT_EXE  ? "process.executable"
                    : field == XT_F_PARENT_COMM ? "process.name"
                                                : "process.command_line",
                    (unsigned)parent->pid, parent->event_id, (unsigned)parent->serial, parent->source,
                    (unsigned long long)parent->line);
}
