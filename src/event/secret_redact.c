/*
 * Texts are numbered as they are scanned (arguments; fields of RECORDS); hits are sorted by text and place, and then
 * what holds hits is written anew. Nothing is written where there are none.
 */
#include "event/secret_redact.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/audit.h>
#include <stdlib.h>

#include "event/secret_scan.h"

#define REDACTED XT_S("[redacted]")

typedef struct job {
    xt_secret_scan scan;
    xt_event *event;
    xt_arena *arena;
    xt_buf marks; /* blocks, as items of a list */
    uint64_t n_marks;
    size_t next_hit;                 /* the first that is not applied yet */
    const xt_secret_rule *line_rule; /* of a secret in a line that was typed; NULL: there is none */
    xt_secret_values *values;        /* where values go; NULL: nowhere */
    uint64_t n_bound;                /* redactions so far that a seal binds */
    bool copies;                     /* what is taken out now may stand in another place too */
} job;

static xt_secret_word word_of(xt_slice text, size_t base)
{
    return (xt_secret_word){.text = text, .base = base, .unit = 1};
}

static size_t n_hits(const job *j)
{
    return j->scan.hits.n / sizeof(xt_secret_hit);
}

static int compare_hits(const void *a, const void *b)
{
    const xt_secret_hit *x = a, *y = b;
    if (x->text != y->text)
        return x->text < y->text ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to > y->to ? -1 : 1;
    return (x->rule->kind > y->rule->kind) - (x->rule->kind < y->rule->kind);
}

/* The next texts; that memory was out stays known. */
static void begin(job *j)
{
    bool has_failed = j->scan.hits.failed;
    xt_buf_reset(&j->scan.hits);
    j->scan.hits.failed = has_failed;
    j->next_hit = 0;
}

static void sort(job *j)
{
    if (n_hits(j) > 1)
        qsort(j->scan.hits.p, n_hits(j), sizeof(xt_secret_hit), compare_hits);
}

static void put_mark(job *j, xt_slice where, size_t offset, const xt_secret_rule *rule, xt_slice value)
{
    char text[160];
    xt_buf mark = XT_BUF_ON(text);
    xt_buf_put(&mark, xt_slice_head(where, 64));
    xt_buf_printf(&mark, ":%zu:", offset);
    xt_buf_put(&mark, xt_slice_head(rule->name, 64));
    xt_buf_put_block(&j->marks, xt_buf_slice(&mark));
    j->n_marks++;
    if (!xt_secret_seal_binds(xt_buf_slice(&mark)))
        return;
    if (j->values)
        xt_secret_values_put(j->values, j->n_bound, value, j->copies);
    j->n_bound++;
}

/* Appends the text, which has that number, without its secrets. True when it had any. Hits that overlap are one. */
static bool apply(job *j, uint32_t number, xt_slice where, xt_slice text, xt_buf *out)
{
    const xt_secret_hit *hits = (const xt_secret_hit *)(const void *)j->scan.hits.p;
    size_t start = out->n, at = 0, n = n_hits(j), first = j->next_hit;
    while (j->next_hit < n && hits[j->next_hit].text == number) {
        xt_secret_hit hit = hits[j->next_hit++];
        while (j->next_hit < n && hits[j->next_hit].text == number && hits[j->next_hit].from < hit.to) {
            if (hits[j->next_hit].to > hit.to)
                hit.to = hits[j->next_hit].to;
            j->next_hit++;
        }
        xt_buf_put(out, xt_slice_of(text.p + at, hit.from - at));
        put_mark(j, where, out->n - start, hit.rule, xt_slice_of(text.p + hit.from, hit.to - hit.from));
        xt_buf_put(out, REDACTED);
        at = hit.to;
    }
    xt_buf_put(out, xt_slice_skip(text, at));
    return j->next_hit > first;
}

static xt_slice keep(job *j, const xt_buf *bytes)
{
    return xt_buf_done(bytes) < 0 ? XT_S_NULL : xt_arena_copy(j->arena, xt_buf_slice(bytes));
}

static int set_bytes(job *j, xt_field field, xt_buf *bytes)
{
    xt_slice kept = keep(j, bytes);
    xt_buf_fini(bytes);
    if (!kept.p)
        return xt_error_origin(-ENOMEM);
    xt_event_set_bytes(j->event, field, kept);
    return 0;
}

static int rewrite_list(job *j, xt_field f, const char *where_name)
{
    xt_buf list = XT_BUF_INIT, item = XT_BUF_INIT;
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(j->event, f));
    char name[32];
    uint32_t number = 0;
    xt_buf_put_varint(&list, iter.left);
    for (xt_slice arg; xt_list_next(&iter, &arg); number++) {
        xt_buf where = XT_BUF_ON(name);
        xt_buf_printf(&where, "%s[%u]", where_name, number);
        xt_buf_reset(&item);
        (void)apply(j, number, xt_buf_slice(&where), arg, &item);
        list.failed |= item.failed;
        xt_buf_put_block(&list, xt_buf_slice(&item));
    }
    xt_buf_fini(&item);
    return set_bytes(j, f, &list);
}

static int redact_args(job *j)
{
    xt_slice args = xt_event_bytes(j->event, XT_F_ARGS);
    xt_list_iter iter = xt_list_iterate(args);
    xt_secret_command command;
    begin(j);
    xt_secret_command_init(&command, xt_event_bytes(j->event, XT_F_EXE));
    j->scan.text = 0;
    for (xt_slice arg; xt_list_next(&iter, &arg); j->scan.text++) {
        xt_secret_word word = word_of(arg, 0);
        xt_secret_command_take(&j->scan, &command, &word);
    }
    sort(j);
    return n_hits(j) > 0 ? rewrite_list(j, XT_F_ARGS, "args") : 0;
}

static void put_whole(job *j, xt_slice text, const xt_secret_rule *rule)
{
    xt_secret_hit hit = {.text = j->scan.text, .to = text.n, .rule = rule};
    if (text.n > 0)
        xt_buf_put(&j->scan.hits, xt_slice_of(&hit, sizeof hit));
}

/* The rule of a key block that begins in this line and ends in another; NULL when there is none. */
static const xt_secret_rule *open_block(const job *j, xt_slice line)
{
    size_t n;
    const xt_secret_rule *rules = xt_secret_rules_get(j->scan.rules, &n);
    if (xt_slice_find(line, XT_S("PRIVATE KEY-----")) < 0 || xt_slice_find(line, XT_S("-----END")) >= 0)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (rules[i].kind == XT_SECRET_PEM)
            return &rules[i];
    return NULL;
}

static int redact_lines(job *j)
{
    const xt_secret_rule *block = NULL;
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(j->event, XT_F_TTY_LINE));
    begin(j);
    j->scan.text = 0;
    for (xt_slice line; xt_list_next(&iter, &line); j->scan.text++) {
        if (block && xt_slice_find(line, XT_S("-----END")) < 0) {
            put_whole(j, line, block);
            continue;
        }
        xt_secret_scan_line(&j->scan, line);
        block = open_block(j, line);
    }
    sort(j);
    if (n_hits(j) == 0)
        return 0;
    j->line_rule = ((const xt_secret_hit *)(const void *)j->scan.hits.p)->rule;
    return rewrite_list(j, XT_F_TTY_LINE, "tty.line");
}

static bool is_keys(uint16_t type)
{
    return type == AUDIT_TTY || type == AUDIT_USER_TTY;
}

/* Keys of a line that holds a secret, which are not seen to hold it (it began in another record), go as a whole. */
static void scan_keys_of_line(job *j, xt_slice keys)
{
    size_t n = n_hits(j);
    xt_secret_scan_keys(&j->scan, keys);
    if (!j->line_rule || n_hits(j) > n || keys.n == 0)
        return;
    put_whole(j, keys, j->line_rule);
}

static void scan_field(job *j, uint16_t type, const xt_rec_field *field)
{
    xt_secret_scan *scan = &j->scan;
    xt_arena_mark mark = xt_arena_mark_get(scan->arena);
    if (type == AUDIT_PROCTITLE)
        xt_secret_scan_title(scan, field->value);
    else if (is_keys(type) && xt_slice_eq(field->name, XT_S("data")))
        scan_keys_of_line(j, field->value);
    else
        xt_secret_scan_joined(scan, field->value);
    xt_arena_mark_reset(scan->arena, mark);
}

static void put_record(job *j, xt_rec_iter *iter, uint32_t *number, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf value = XT_BUF_INIT;
    xt_rec_field field;
    while (xt_recs_next_field(iter, &field)) {
        xt_buf_reset(&value);
        (void)apply(j, (*number)++, field.name.n > 0 ? field.name : XT_S("text"), field.value, &value);
        out->failed |= value.failed;
        xt_buf_put_block(out, field.name);
        xt_buf_put_u8(out, (uint8_t)field.form);
        xt_buf_put_block(out, xt_buf_slice(&value));
    }
}

static int rewrite_records(job *j, xt_slice records)
{
    xt_buf out = XT_BUF_INIT;
    xt_rec_iter iter = xt_recs_iterate(records);
    uint32_t number = 0;
    xt_buf_put_varint(&out, iter.records_left);
    for (uint16_t type; xt_recs_next(&iter, &type);) {
        xt_buf_put_varint(&out, type);
        xt_buf_put_varint(&out, iter.fields_left);
        put_record(j, &iter, &number, &out);
    }
    return set_bytes(j, XT_F_RECORDS, &out);
}

static int redact_records(job *j)
{
    xt_slice records = xt_event_bytes(j->event, XT_F_RECORDS);
    xt_rec_iter iter = xt_recs_iterate(records);
    xt_rec_field field;
    begin(j);
    j->scan.text = 0;
    j->copies = true;
    for (uint16_t type; xt_recs_next(&iter, &type);)
        for (; xt_recs_next_field(&iter, &field); j->scan.text++)
            if (is_keys(type) || xt_secret_rules_may_match(j->scan.rules, field.value))
                scan_field(j, type, &field);
    sort(j);
    return n_hits(j) > 0 ? rewrite_records(j, records) : 0;
}

static int redact_text(job *j, xt_field f, xt_slice where, void (*scan)(xt_secret_scan *scan, xt_slice text))
{
    xt_slice text = xt_event_bytes(j->event, f);
    if (text.n == 0)
        return 0;
    begin(j);
    j->scan.text = 0;
    scan(&j->scan, text);
    sort(j);
    if (n_hits(j) == 0)
        return 0;
    xt_buf out = XT_BUF_INIT;
    (void)apply(j, 0, where, text, &out);
    return set_bytes(j, f, &out);
}

/* Sets a list to what it held and to `more`, which is n items as blocks. */
static int append_list(job *j, xt_field f, uint64_t n, xt_slice more)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(j->event, f));
    xt_buf list = XT_BUF_INIT;
    xt_buf_put_varint(&list, iter.left + n);
    for (xt_slice item; xt_list_next(&iter, &item);)
        xt_buf_put_block(&list, item);
    xt_buf_put(&list, more);
    return set_bytes(j, f, &list);
}

static bool has_flag(const xt_event *event, xt_slice flag)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    for (xt_slice item; xt_list_next(&iter, &item);)
        if (xt_slice_eq(item, flag))
            return true;
    return false;
}

static int put_marks(job *j)
{
    static const char flag[] = "\x10secret-suspected";
    xt_slice block = xt_slice_of(flag, sizeof flag - 1);
    int r = j->scan.hits.failed || j->marks.failed ? xt_error_origin(-ENOMEM) : 0;
    if (r == 0 && j->n_marks > 0)
        r = append_list(j, XT_F_REDACTIONS, j->n_marks, xt_buf_slice(&j->marks));
    if (r == 0 && j->scan.is_suspected && !has_flag(j->event, xt_slice_skip(block, 1)))
        r = append_list(j, XT_F_FLAGS, 1, block);
    return r;
}

static bool has_keys(const xt_event *event)
{
    xt_slice action = xt_event_bytes(event, XT_F_CODE);
    return xt_slice_eq(action, XT_S("TTY")) || xt_slice_eq(action, XT_S("USER_TTY"));
}

static bool may_match(const xt_secret_rules *rules, const xt_event *event)
{
    static const xt_field fields[] = {XT_F_ARGS,     XT_F_EXE,      XT_F_RECORDS,       XT_F_PARENT_CMD,
                                      XT_F_ORIGINAL, XT_F_TTY_LINE, XT_F_TTY_UNFINISHED};
    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        if (xt_event_has(event, fields[i]) && xt_secret_rules_may_match(rules, event->values[fields[i]].bytes))
            return true;
    return has_keys(event);
}

static uint64_t count_bound(const xt_event *event)
{
    uint64_t n = 0;
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_REDACTIONS));
    for (xt_slice item; xt_list_next(&iter, &item);)
        n += xt_secret_seal_binds(item);
    return n;
}

int xt_secret_redact(const xt_secret_rules *rules, xt_event *event, xt_secret_values *values, xt_arena *arena)
{
    if (!rules || !may_match(rules, event))
        return 0;
    job j = {.scan = {.rules = rules, .arena = arena}, .event = event, .arena = arena, .values = values};
    j.n_bound = count_bound(event);
    int r = redact_args(&j);
    if (r == 0)
        r = redact_lines(&j);
    if (r == 0)
        r = redact_records(&j);
    if (r == 0)
        r = redact_text(&j, XT_F_TTY_UNFINISHED, XT_S("tty.unfinished"), xt_secret_scan_line);
    if (r == 0)
        r = redact_text(&j, XT_F_PARENT_CMD, XT_S("parent.cmd"), xt_secret_scan_joined);
    if (r == 0)
        r = redact_text(&j, XT_F_ORIGINAL, XT_S("raw"), xt_secret_scan_record);
    if (r == 0)
        r = put_marks(&j);
    xt_buf_fini(&j.scan.hits);
    xt_buf_fini(&j.marks);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_secret_redact_argv(const xt_secret_rules *rules, xt_slice argv, xt_arena *arena, xt_buf *out, xt_buf *marks)
{
    job j = {.scan = {.rules = rules, .arena = arena}, .arena = arena};
    if (rules && xt_secret_rules_may_match(rules, argv))
        xt_secret_scan_title(&j.scan, argv);
    sort(&j);
    (void)apply(&j, 0, XT_S("parent.cmd"), argv, out);
    xt_buf_put(marks, xt_buf_slice(&j.marks));
    int r = j.scan.hits.failed || j.marks.failed ? xt_error_origin(-ENOMEM) : xt_buf_done(out);
    xt_buf_fini(&j.scan.hits);
    xt_buf_fini(&j.marks);
    return r < 0 ? xt_error_trace(r) : 0;
}

/* args[INDEX]:OFFSET:RULE; false for any other mark. */
static bool read_mark(xt_slice mark, uint64_t *ret_index, uint64_t *ret_offset, xt_slice *ret_rule)
{
    xt_slice where, offset;
    if (!xt_slice_cut(&mark, ':', &where) || !xt_slice_cut(&mark, ':', &offset) ||
        !xt_slice_starts(where, XT_S("args[")) || !xt_slice_ends(where, XT_S("]")))
        return false;
    *ret_rule = mark;
    return xt_slice_parse_u64(xt_slice_of(where.p + 5, where.n - 6), ret_index) &&
           xt_slice_parse_u64(offset, ret_offset);
}

/* Marks of arguments stand in the order of the arguments, so one pass over these finds all places. */
void xt_secret_marks_of_parent(const xt_event *event, size_t max_bytes, xt_buf *marks)
{
    xt_list_iter args = xt_list_iterate(xt_event_bytes(event, XT_F_ARGS));
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_REDACTIONS));
    uint64_t at = 0, number = 0, index, offset;
    char text[128];
    xt_slice arg, rule;
    for (xt_slice item; xt_list_next(&iter, &item);) {
        if (!read_mark(item, &index, &offset, &rule))
            continue;
        for (; number < index && xt_list_next(&args, &arg); number++)
            at += arg.n + 1;
        if (number != index || at + offset >= max_bytes)
            return;
        xt_buf mark = XT_BUF_ON(text);
        xt_buf_printf(&mark, "parent.cmd:%" PRIu64 ":", at + offset);
        xt_buf_put(&mark, xt_slice_head(rule, 64));
        xt_buf_put_block(marks, xt_buf_slice(&mark));
    }
}

int xt_secret_marks_add(xt_event *event, xt_slice marks, xt_arena *arena)
{
    job j = {.event = event, .arena = arena};
    uint64_t n = 0;
    for (xt_reader reader = xt_reader_of(marks); xt_reader_left(&reader) > 0 && !reader.failed; n++)
        (void)xt_reader_block(&reader);
    return n > 0 ? xt_error_trace(append_list(&j, XT_F_REDACTIONS, n, marks)) : 0;
}
