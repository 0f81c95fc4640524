/*
 * The typed records of an event are read first, field by field, and rendered in their order into one list; then the
 * event receives the list, and RECORDS is written anew where something in it is masked.
 */
#include "event/tty_table.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>

#include "audit/value.h"
#include "event/pack.h"
#include "event/tty_program.h"
#include "event/tty_state.h"

#define MAX_UNFINISHED 1024 /* keys */

enum {
    FLAG_MASKED = 1 << 0,
    FLAG_TRUNCATED = 1 << 1,
    FLAG_INJECTED = 1 << 2,
};
static const char *const flag_names[] = {"masked", "truncated", "injected"};

struct xt_tty_table {
    bool shows_secrets;
    xt_tty_states states;
    xt_tty_states aside; /* for a late record: empty before and after */
    xt_buf lines;        /* of the event at work: blocks */
    xt_buf text;         /* one line */
    xt_buf unfinished;
    uint64_t n_lines;
    unsigned flags;
};

/* A record of typed keys: what the event's own fields do not say otherwise. */
typedef struct typed {
    uint16_t type;
    xt_slice comm, data, kind;
    bool has_data;
    uint64_t pid, auid, ses, major, minor;
} typed;

int xt_tty_table_new(bool shows_secrets, xt_tty_table **ret)
{
    xt_tty_table *table = calloc(1, sizeof *table);
    if (!table)
        return xt_error_origin(-ENOMEM);
    table->shows_secrets = shows_secrets;
    *ret = table;
    return 0;
}

xt_tty_table *xt_tty_table_free(xt_tty_table *table)
{
    if (!table)
        return NULL;
    xt_tty_states_fini(&table->states);
    xt_tty_states_fini(&table->aside);
    xt_buf_fini(&table->lines);
    xt_buf_fini(&table->text);
    xt_buf_fini(&table->unfinished);
    free(table);
    return NULL;
}

bool xt_tty_is_typed(uint16_t record_type)
{
    return record_type == AUDIT_TTY || record_type == AUDIT_USER_TTY;
}

static void read_number(const xt_rec_field *field, const char *name, uint64_t *to)
{
    uint64_t number;
    if (xt_slice_eq(field->name, xt_slice_str(name)) && xt_value_u64(field->value, &number))
        *to = number;
}

static bool is_null(const xt_rec_field *field)
{
    return (field->form == XT_REC_BARE || field->form == XT_REC_MSG) && xt_slice_eq(field->value, XT_S("(null)"));
}

static typed read_typed(const xt_event *event, uint16_t type, xt_rec_iter *iter)
{
    typed t = {.type = type,
               .comm = xt_event_bytes(event, XT_F_COMM),
               .pid = xt_event_num(event, XT_F_PID, UINT64_MAX),
               .auid = xt_event_num(event, XT_F_AUID, UINT64_MAX),
               .ses = xt_event_num(event, XT_F_SES, UINT64_MAX),
               .major = UINT64_MAX};
    for (xt_rec_field field; xt_recs_next_field(iter, &field);) {
        read_number(&field, "pid", &t.pid);
        read_number(&field, "auid", &t.auid);
        read_number(&field, "ses", &t.ses);
        read_number(&field, "major", &t.major);
        read_number(&field, "minor", &t.minor);
        if (xt_slice_eq(field.name, XT_S("comm")))
            t.comm = field.value;
        else if (xt_slice_eq(field.name, XT_S("ioctl")))
            t.kind = field.value;
        else if (xt_slice_eq(field.name, XT_S("data")) && !t.has_data && !is_null(&field)) {
            t.data = field.value;
            t.has_data = true;
        }
    }
    return t;
}

/* The name or what the event says of the executable; a system call's own record says more than TTY's. */
static xt_tty_use use_of(const xt_event *event, const typed *t)
{
    xt_slice exe = xt_event_bytes(event, XT_F_EXE);
    xt_tty_use use = xt_tty_program_use(t->comm, exe);
    return use != XT_TTY_USE_LINES ? use : xt_tty_program_use(xt_event_bytes(event, XT_F_COMM), exe);
}

static bool is_masked(const xt_tty_table *table, const xt_event *event, const typed *t)
{
    return !table->shows_secrets && t->type == AUDIT_TTY && use_of(event, t) == XT_TTY_USE_SECRET;
}

static void put_line(xt_tty_table *table, xt_slice text)
{
    if (text.n == 0)
        return;
    xt_buf_put_block(&table->lines, text);
    table->n_lines++;
}

static int key_of(const xt_event *event, const typed *t, xt_tty_key *ret)
{
    XT_CLEANUP(xt_buf_fini) xt_buf names = XT_BUF_INIT;
    xt_buf_put_block(&names, xt_event_bytes(event, XT_F_HOST_ID));
    xt_buf_put_block(&names, t->comm);
    xt_buf_put_block(&names, t->kind);
    memset(ret, 0, sizeof *ret);
    ret->names = xt_slice_hash128(xt_buf_slice(&names));
    ret->ses = t->ses;
    ret->auid = t->auid;
    ret->pid = t->pid;
    ret->major = (uint32_t)t->major;
    ret->minor = (uint32_t)t->minor;
    return xt_buf_done(&names);
}

static void end_line(xt_tty_table *table, xt_tty_line *line)
{
    xt_buf_reset(&table->text);
    if (!xt_tty_line_put(line, 0, &table->text) || line->is_truncated)
        table->flags |= FLAG_TRUNCATED;
    table->lines.failed |= table->text.failed;
    put_line(table, xt_buf_slice(&table->text));
    xt_tty_line_reset(line);
}

static int take_keys(xt_tty_table *table, xt_tty_state *state, xt_slice data)
{
    uint32_t keys[XT_KEY_MAX];
    for (size_t i = 0; i < data.n; i++) {
        unsigned n = xt_key_read(&state->reader, (uint8_t)data.p[i], keys);
        for (unsigned k = 0; k < n; k++) {
            int r = xt_tty_line_key(&state->line, keys[k]);
            if (r < 0)
                return xt_error_trace(r);
            if (r == XT_TTY_LINE_ENDS)
                end_line(table, &state->line);
        }
    }
    return 0;
}

static void put_unfinished(xt_tty_table *table, const xt_tty_line *line)
{
    size_t n = line->cells.n, from = n > MAX_UNFINISHED ? n - MAX_UNFINISHED : 0;
    xt_buf_reset(&table->unfinished);
    xt_tty_line_put(line, from, &table->unfinished);
    if (from > 0 || line->is_truncated)
        table->flags |= FLAG_TRUNCATED;
}

/* The process has ended: what is unfinished stays so. */
static bool is_exit(const xt_event *event)
{
    xt_slice call = xt_event_bytes(event, XT_F_SYSCALL);
    return xt_slice_eq(call, XT_S("exit_group")) || xt_slice_eq(call, XT_S("exit"));
}

static int render_keys(xt_tty_table *table, const xt_event *event, const typed *t)
{
    bool is_late = xt_event_has(event, XT_F_OF); /* was read before, or belongs before what was read */
    xt_tty_states *states = is_late ? &table->aside : &table->states;
    xt_tty_key key;
    xt_tty_state *state = NULL;
    int r = key_of(event, t, &key);
    if (r == 0)
        r = xt_tty_states_get(states, &key, use_of(event, t) != XT_TTY_USE_SCREEN, &state);
    if (r < 0)
        return xt_error_trace(r);
    assert(state);
    r = take_keys(table, state, t->data);
    put_unfinished(table, &state->line);
    if (is_late || is_exit(event))
        xt_tty_states_drop(states, state);
    xt_tty_states_trim(states);
    return r < 0 ? xt_error_trace(r) : 0;
}

/* What the shell says of itself: finished lines. */
static void render_said(xt_tty_table *table, xt_slice data)
{
    for (xt_slice rest = data, line; xt_slice_cut(&rest, '\n', &line);) {
        while (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n > XT_TTY_LINE_MAX)
            table->flags |= FLAG_TRUNCATED;
        put_line(table, xt_slice_head(line, XT_TTY_LINE_MAX));
    }
}

static int render(xt_tty_table *table, const xt_event *event, const typed *t)
{
    table->flags |= t->kind.n > 0 ? FLAG_INJECTED : 0;
    if (is_masked(table, event, t)) {
        put_line(table, XT_S("<masked>"));
        table->flags |= FLAG_MASKED;
    } else if (t->has_data && t->type == AUDIT_TTY) {
        return render_keys(table, event, t);
    } else if (t->has_data) {
        render_said(table, t->data);
    }
    return 0;
}

/* drivers are told by their major numbers: Documentation/admin-guide/devices.txt */
static void name_terminal(xt_buf *out, uint64_t major, uint64_t minor)
{
    if (minor > UINT32_MAX)
        return;
    if (major >= 136 && major <= 143) {
        xt_buf_puts(out, "pts");
        xt_buf_put_dec(out, (major - 136) * 256 + minor);
    } else if (major == 4) {
        xt_buf_puts(out, minor < 64 ? "tty" : "ttyS");
        xt_buf_put_dec(out, minor < 64 ? minor : minor - 64);
    } else if (major == 229) {
        xt_buf_puts(out, "hvc");
        xt_buf_put_dec(out, minor);
    } else if (major == 5 && minor <= 1) {
        xt_buf_puts(out, minor == 0 ? "tty" : "console");
    }
}

static int put_terminal(xt_event *event, const typed *t, xt_arena *arena)
{
    char text[32];
    xt_buf out = XT_BUF_ON(text);
    if (xt_event_has(event, XT_F_TTY))
        return 0;
    name_terminal(&out, t->major, t->minor);
    if (out.n == 0)
        return 0;
    xt_slice name = xt_arena_copy(arena, xt_buf_slice(&out));
    if (!name.p)
        return xt_error_origin(-ENOMEM);
    xt_event_set_bytes(event, XT_F_TTY, name);
    return 0;
}

static int set_list(xt_event *event, xt_field field, uint64_t n_items, xt_slice blocks, xt_arena *arena)
{
    char *start = xt_arena_alloc(arena, XT_PACK_MAX_VARINT + blocks.n);
    if (!start)
        return xt_error_origin(-ENOMEM);
    char *end = xt_pack_bytes(xt_pack_varint(start, n_items), blocks);
    xt_event_set_bytes(event, field, xt_slice_of(start, (size_t)(end - start)));
    return 0;
}

static int add_flags(xt_event *event, unsigned flags, xt_arena *arena)
{
    XT_CLEANUP(xt_buf_fini) xt_buf blocks = XT_BUF_INIT;
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    uint64_t n = 0;
    for (xt_slice flag; xt_list_next(&iter, &flag); n++) {
        xt_buf_put_block(&blocks, flag);
        for (size_t i = 0; i < XT_COUNT_OF(flag_names); i++)
            if (xt_slice_eq(flag, xt_slice_str(flag_names[i])))
                flags &= ~(1u << i);
    }
    for (size_t i = 0; i < XT_COUNT_OF(flag_names); i++) {
        n += flags >> i & 1;
        if (flags >> i & 1)
            xt_buf_put_block(&blocks, xt_slice_str(flag_names[i]));
    }
    int r = xt_buf_done(&blocks);
    return r < 0 || n == 0 ? r : set_list(event, XT_F_FLAGS, n, xt_buf_slice(&blocks), arena);
}

static void copy_record(const xt_tty_table *table, const xt_event *event, uint16_t type, xt_rec_iter iter, xt_buf *out)
{
    xt_rec_iter again = iter;
    typed t = read_typed(event, type, &again);
    bool hides = xt_tty_is_typed(type) && is_masked(table, event, &t);
    uint64_t n = 0;
    again = iter;
    for (xt_rec_field field; xt_recs_next_field(&again, &field);)
        n += !(hides && xt_slice_eq(field.name, XT_S("data")));
    xt_buf_put_varint(out, type);
    xt_buf_put_varint(out, n);
    for (xt_rec_field field; xt_recs_next_field(&iter, &field);) {
        if (hides && xt_slice_eq(field.name, XT_S("data")))
            continue;
        xt_buf_put_block(out, field.name);
        xt_buf_put_u8(out, (uint8_t)field.form);
        xt_buf_put_block(out, field.value);
    }
}

/* RECORDS without the keystrokes of masked records. */
static int mask_records(const xt_tty_table *table, xt_event *event, xt_arena *arena)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    xt_buf_put_varint(&out, iter.records_left);
    for (uint16_t type; xt_recs_next(&iter, &type);)
        copy_record(table, event, type, iter, &out);
    int r = xt_buf_done(&out);
    if (r < 0)
        return r;
    xt_slice copy = xt_arena_copy(arena, xt_buf_slice(&out));
    if (!copy.p)
        return xt_error_origin(-ENOMEM);
    xt_event_set_bytes(event, XT_F_RECORDS, copy);
    return 0;
}

static int put_result(xt_tty_table *table, xt_event *event, xt_arena *arena)
{
    int r = xt_buf_done(&table->lines);
    if (r == 0)
        r = xt_buf_done(&table->unfinished);
    if (r == 0 && table->n_lines > 0)
        r = set_list(event, XT_F_TTY_LINE, table->n_lines, xt_buf_slice(&table->lines), arena);
    if (r == 0 && table->unfinished.n > 0) {
        xt_slice copy = xt_arena_copy(arena, xt_buf_slice(&table->unfinished));
        if (!copy.p)
            return xt_error_origin(-ENOMEM);
        xt_event_set_bytes(event, XT_F_TTY_UNFINISHED, copy);
    }
    if (r == 0 && table->flags & FLAG_MASKED)
        r = mask_records(table, event, arena);
    return r == 0 && table->flags ? add_flags(event, table->flags, arena) : r;
}

int xt_tty_apply(xt_tty_table *table, xt_event *event, xt_arena *arena)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    int r = 0;
    xt_buf_reset(&table->lines);
    xt_buf_reset(&table->unfinished);
    table->n_lines = table->flags = 0;
    for (uint16_t type; r == 0 && xt_recs_next(&iter, &type);) {
        if (!xt_tty_is_typed(type))
            continue;
        typed t = read_typed(event, type, &iter);
        r = put_terminal(event, &t, arena);
        if (r == 0)
            r = render(table, event, &t);
    }
    if (r == 0)
        r = put_result(table, event, arena);
    return r < 0 ? xt_error_trace(r) : 0;
}
