/*
 * Lines are cut and parsed here a second time and remembered by (node, time, serial) until the decoder gives out the
 * event of that key: all that came so far are its records, and a late one finds none but its own. Lines that are no
 * records leave the decoder in their order, so they wait in a queue. What decoder and joiner do inside is not asked, only
 * which types of records the event lists: a record that was swallowed (a second PROCTITLE) is not among them.
 */
#include "event/explain_stream.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>

#include "base/map.h"
#include "event/tty_mask.h"
#include "event/tty_table.h"

#define MAX_LINE      (1u << 20)
#define MAX_OPEN      16384       /* groups that the decoder holds */
#define MAX_OPEN_TEXT (64u << 20) /* and their bytes */
#define MAX_GROUP     (16u << 20)
#define MAX_PROCESSES 1000000
#define MAX_CMD       8192 /* that the process table keeps */
#define MAX_COMPARED  64   /* records of a group */
#define FULL_KEYS     8192 /* hex digits of a full buffer of keys */
#define ARENA_BYTES   (1u << 30)

/* A line with a record, or without one. */
typedef struct kept {
    struct kept *next;
    unsigned n_refs;
    xt_explain_line line;
    xt_explain_record as_record;
    struct kept *beside; /* of a line without: the record whose time it gets */
    char text[];
} kept;

/* Records of one key whose event is not out yet. */
typedef struct open_key {
    kept *first, **last;
    size_t n, n_bytes, n_key;
    char key[];
} open_key;

typedef struct process {
    uint64_t key[2]; /* host, pid */
    xt_explain_process is;
} process;

/* A line that is being typed. */
typedef struct begun {
    uint64_t key[3]; /* host, session, pid */
    char event_id[33];
} begun;

typedef struct source_name {
    struct source_name *next;
    char name[];
} source_name;

struct xt_explain_stream {
    xt_explain_settings settings;
    xt_decoder *decoder;
    xt_tty_table *terminals;
    xt_arena arena;
    xt_map open, processes, typing;
    size_t n_open_bytes;
    kept *lines, **last_line; /* that are no records, in their order */
    kept *last;               /* the last record */
    source_name *names;
    const char *source;
    xt_buf partial;
    bool is_over_long; /* the line at hand was taken, its end is awaited */
    uint64_t line_number, offset, partial_offset;
    uint64_t n_wanted;
};

/* ---- lines ---- */

static kept *kept_new(xt_explain_stream *s, xt_slice text, const xt_record *record)
{
    kept *k = malloc(sizeof *k + text.n);
    if (!k)
        return NULL;
    *k = (kept){.n_refs = 1};
    if (text.n > 0)
        memcpy(k->text, text.p, text.n);
    k->line = (xt_explain_line){s->source, s->line_number, s->partial_offset, xt_slice_of(k->text, text.n)};
    if (!record)
        return k;
    k->as_record = (xt_explain_record){.line = &k->line, .record = *record};
    xt_slice *const views[] = {&k->as_record.record.node, &k->as_record.record.body, &k->as_record.record.enriched};
    for (size_t i = 0; i < XT_COUNT_OF(views); i++)
        if (views[i]->p)
            views[i]->p = k->text + (views[i]->p - text.p);
    return k;
}

static kept *kept_unref(kept *k)
{
    if (!k || --k->n_refs > 0)
        return NULL;
    kept_unref(k->beside);
    free(k);
    return NULL;
}

static xt_slice make_key(xt_buf *out, xt_slice node, int64_t time_ms, uint32_t serial)
{
    xt_buf_put(out, node);
    xt_buf_put(out, xt_slice_of(&time_ms, sizeof time_ms));
    xt_buf_put(out, xt_slice_of(&serial, sizeof serial));
    return xt_buf_slice(out);
}

static open_key *open_key_new(xt_explain_stream *s, xt_slice key)
{
    open_key *o = malloc(sizeof *o + key.n);
    if (!o)
        return NULL;
    *o = (open_key){.n_key = key.n};
    o->last = &o->first;
    memcpy(o->key, key.p, key.n);
    if (xt_map_put(&s->open, xt_slice_of(o->key, key.n), o, NULL) == 0)
        return o;
    free(o);
    return NULL;
}

static void open_key_free(xt_explain_stream *s, open_key *o)
{
    s->n_open_bytes -= o->n_bytes;
    for (kept *k = o->first, *next; k; k = next) {
        next = k->next;
        kept_unref(k);
    }
    free(o);
}

static int keep_record(xt_explain_stream *s, xt_slice text, const xt_record *record)
{
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT;
    kept *k = kept_new(s, text, record);
    if (!k)
        return xt_error_origin(-ENOMEM);
    for (kept *line = s->lines; line && !s->last; line = line->next) {
        line->beside = k; /* lines before the first record have its time */
        k->n_refs++;
    }
    kept_unref(s->last);
    s->last = k;
    if (record->type == AUDIT_EOE)
        return 0;
    make_key(&key, record->node, record->time_ms, record->serial);
    open_key *o = xt_buf_done(&key) == 0 ? xt_map_find(&s->open, xt_buf_slice(&key)) : NULL;
    if (!o)
        o = open_key_new(s, xt_buf_slice(&key));
    if (!o)
        return xt_error_origin(-ENOMEM);
    size_t n_bytes = record->body.n + record->enriched.n + sizeof *record;
    k->n_refs++;
    *o->last = k;
    o->last = &k->next;
    o->n++;
    o->n_bytes += n_bytes;
    s->n_open_bytes += n_bytes;
    return 0;
}

static int keep_line(xt_explain_stream *s, xt_slice text)
{
    kept *k = kept_new(s, text, NULL);
    if (!k)
        return xt_error_origin(-ENOMEM);
    k->beside = s->last;
    if (s->last)
        s->last->n_refs++;
    *s->last_line = k;
    s->last_line = &k->next;
    return 0;
}

/* As the decoder: all records that begin within the line, and if there is more than one the line itself. */
static int keep_parsed(xt_explain_stream *s, xt_slice line, xt_record record, bool is_cut)
{
    xt_slice rest = XT_S_NULL;
    bool is_spliced = xt_record_split(&record, &rest);
    record.flags |= !is_spliced && is_cut ? XT_RECORD_CUT : 0;
    int r = keep_record(s, line, &record);
    if (r == 0 && is_spliced)
        r = keep_line(s, line);
    while (r == 0 && rest.p) {
        xt_slice text = rest;
        rest = XT_S_NULL;
        if (xt_record_parse_line(text, &record, NULL) != 0)
            break;
        bool is_last = !xt_record_split(&record, &rest);
        record.flags |= is_last && is_cut ? XT_RECORD_CUT : 0;
        r = keep_record(s, line, &record);
    }
    return r;
}

static int take_line(xt_explain_stream *s, xt_slice line, bool is_cut)
{
    xt_record record;
    s->line_number++;
    if (line.n > MAX_LINE)
        return keep_line(s, xt_slice_head(line, MAX_LINE));
    int r = xt_record_parse_line(line, &record, NULL);
    if (r == 0)
        return keep_parsed(s, line, record, is_cut);
    return r == XT_RECORD_E_EMPTY ? 0 : keep_line(s, line);
}

/* ---- events ---- */

static uint64_t host_of(const xt_event *event)
{
    return xt_slice_hash(xt_event_bytes(event, XT_F_HOST_ID));
}

static process *find_process(xt_explain_stream *s, const xt_event *event, xt_field pid)
{
    const uint64_t key[] = {host_of(event), xt_event_num(event, pid, 0)};
    return xt_map_find(&s->processes, xt_slice_of(key, sizeof key));
}

static int derive(xt_explain_stream *s, xt_event *event, xt_field field)
{
    xt_field_set wanted = {{0, 0}};
    xt_field_set_add(&wanted, field);
    return xt_event_derive(event, wanted, &s->arena);
}

static int derive_all(xt_explain_stream *s, xt_event *event)
{
    static const xt_field all[] = {XT_F_EVENT_ID, XT_F_ENTITY, XT_F_ARGC, XT_F_CMD, XT_F_PATH};
    int r = 0;
    for (size_t i = 0; r == 0 && i < XT_COUNT_OF(all); i++)
        r = derive(s, event, all[i]);
    return r;
}

static void copy_text(char *to, size_t size, xt_slice text)
{
    text = xt_slice_head(text, size - 1);
    memcpy(to, text.n > 0 ? text.p : "", text.n);
    to[text.n] = '\0';
}

static process *process_new(xt_explain_stream *s, const xt_event *event)
{
    if (s->processes.n >= MAX_PROCESSES)
        return NULL;
    process *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->key[0] = host_of(event);
    p->key[1] = xt_event_num(event, XT_F_PID, 0);
    p->is.time_ms = INT64_MIN;
    if (xt_map_put(&s->processes, xt_slice_of(p->key, sizeof p->key), p, NULL) == 0)
        return p;
    free(p);
    return NULL;
}

/* What the pid is from this event on; event.id, cmd and the entity are derived. */
static void enter_process(xt_explain_stream *s, const xt_event *event, const xt_explain_line *line)
{
    int64_t time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0);
    process *p = find_process(s, event, XT_F_PID);
    if (!p)
        p = process_new(s, event);
    if (!p || time_ms < p->is.time_ms)
        return;
    p->is = (xt_explain_process){
        .pid = (uint32_t)p->key[1],
        .time_ms = time_ms,
        .serial = (uint32_t)xt_event_num(event, XT_F_SERIAL, 0),
        .source = line ? line->source : "",
        .line = line ? line->number : 0,
        .exe = xt_slice_hash128(xt_event_bytes(event, XT_F_EXE)),
        .comm = xt_slice_hash128(xt_event_bytes(event, XT_F_COMM)),
        .cmd = xt_slice_hash128(xt_slice_head(xt_event_bytes(event, XT_F_CMD), MAX_CMD)),
    };
    copy_text(p->is.event_id, sizeof p->is.event_id, xt_event_bytes(event, XT_F_EVENT_ID));
    copy_text(p->is.entity, sizeof p->is.entity, xt_event_bytes(event, XT_F_ENTITY));
}

static bool is_wanted(xt_explain_stream *s, const xt_event *event)
{
    const xt_explain_wanted *w = &s->settings.wanted;
    bool has_serial = xt_event_has(event, XT_F_SERIAL);
    if (w->by_id && !xt_slice_eq(xt_event_bytes(event, XT_F_EVENT_ID), xt_slice_str(w->id)))
        return false;
    if (w->by_serial && (!has_serial || xt_event_num(event, XT_F_SERIAL, 0) != w->serial))
        return false;
    if (w->by_time && (int64_t)xt_event_num(event, XT_F_TIME, 0) != w->time_ms)
        return false;
    return s->settings.every == 0 || s->n_wanted++ % s->settings.every == 0;
}

/* Types of which the kernel writes no two alike in an event; of full buffers of keys it may. */
static bool is_repeated(const xt_explain_record *records, size_t n, const xt_record *record)
{
    if (record->type != AUDIT_SYSCALL && record->type != AUDIT_PATH && record->type != AUDIT_CWD &&
        record->type != AUDIT_PROCTITLE && (record->type != AUDIT_TTY || record->body.n >= FULL_KEYS))
        return false;
    for (size_t i = 0; i < n && i < MAX_COMPARED; i++)
        if (records[i].record.type == record->type && xt_slice_eq(records[i].record.body, record->body) &&
            xt_slice_eq(records[i].record.enriched, record->enriched))
            return true;
    return false;
}

/* Of what was kept for the key, the records that the event lists, in its order. */
static int align(xt_explain_stream *s, const open_key *o, const xt_event *event, xt_explain_input *input)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    xt_explain_record *records = xt_arena_alloc(&s->arena, o->n * sizeof *records + 1);
    uint16_t type = 0;
    if (!records)
        return xt_error_origin(-ENOMEM);
    bool has_next = xt_recs_next(&iter, &type);
    size_t n = 0;
    for (const kept *k = o->first; k; k = k->next) {
        bool repeats = is_repeated(records, n, &k->as_record.record);
        if (!repeats && (!has_next || k->as_record.record.type != type))
            continue;
        records[n] = k->as_record;
        records[n++].is_repeated = repeats;
        if (!repeats)
            has_next = xt_recs_next(&iter, &type);
    }
    input->records = records;
    input->n_records = n;
    return 0;
}

/* Records without a node belong to the source's host. */
static open_key *find_open(xt_explain_stream *s, const xt_event *event)
{
    const xt_slice nodes[] = {xt_event_bytes(event, XT_F_HOST), XT_S("")};
    open_key *o = NULL;
    for (size_t i = 0; !o && i < XT_COUNT_OF(nodes); i++) {
        XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT;
        make_key(&key, nodes[i], (int64_t)xt_event_num(event, XT_F_TIME, 0),
                 (uint32_t)xt_event_num(event, XT_F_SERIAL, 0));
        o = xt_map_find(&s->open, xt_buf_slice(&key));
    }
    return o;
}

static bool has_typed(const xt_explain_input *input)
{
    for (size_t i = 0; i < input->n_records; i++)
        if (xt_tty_is_typed(input->records[i].record.type))
            return true;
    return false;
}

/* Which event began the line that is typed, and whether this one leaves one. */
static int follow_typing(xt_explain_stream *s, const xt_event *event, xt_explain_input *input)
{
    const uint64_t key[] = {host_of(event), xt_event_num(event, XT_F_SES, UINT64_MAX),
                            xt_event_num(event, XT_F_PID, UINT64_MAX)};
    begun *b = xt_map_find(&s->typing, xt_slice_of(key, sizeof key));
    if (b) {
        xt_slice id = xt_arena_copy(&s->arena, xt_slice_str(b->event_id));
        input->typed_before = id.p ? id : XT_S("");
    }
    if (b && !xt_event_has(event, XT_F_TTY_UNFINISHED))
        free(xt_map_remove(&s->typing, xt_slice_of(key, sizeof key)));
    if (!xt_event_has(event, XT_F_TTY_UNFINISHED))
        return 0;
    if (!b) {
        b = calloc(1, sizeof *b);
        if (!b)
            return xt_error_origin(-ENOMEM);
        memcpy(b->key, key, sizeof key);
        int r = xt_map_put(&s->typing, xt_slice_of(b->key, sizeof b->key), b, NULL);
        if (r < 0) {
            free(b);
            return xt_error_trace(r);
        }
    }
    copy_text(b->event_id, sizeof b->event_id, xt_event_bytes(event, XT_F_EVENT_ID));
    return 0;
}

/* The event once more, through terminals of our own. */
static int type_again(xt_explain_stream *s, const xt_event *event, xt_explain_input *input, xt_event *ret)
{
    xt_record *records = xt_arena_alloc(&s->arena, input->n_records * sizeof *records);
    if (!records)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < input->n_records; i++)
        records[i] = input->records[i].record;
    const xt_group group = {.time_ms = records->time_ms,
                            .serial = records->serial,
                            .flags = xt_event_has(event, XT_F_OF) ? XT_GROUP_LATE : 0,
                            .node = records->node,
                            .records = records,
                            .n_records = input->n_records};
    int r = xt_event_from_group(&group, &s->settings.decoder.origin, NULL, &s->arena, ret);
    if (r == 0)
        r = xt_tty_apply(s->terminals, ret, &s->arena);
    input->typed = ret;
    if (r < 0 || xt_event_has(event, XT_F_OF)) /* a late one goes on with nothing */
        return xt_error_trace(r);
    return follow_typing(s, event, input);
}

static int explain(xt_explain_stream *s, xt_explain_input *input)
{
    xt_explanation explanation;
    const process *parent = find_process(s, input->event, XT_F_PPID), *self = find_process(s, input->event, XT_F_PID);
    input->origin = &s->settings.decoder.origin;
    input->parent = parent ? &parent->is : NULL;
    input->self = self ? &self->is : NULL;
    input->shows_typed_secrets = s->settings.decoder.shows_typed_secrets;
    int r = xt_explain_event(input, &s->arena, &explanation);
    return r < 0 ? xt_error_trace(r) : s->settings.on_explained(s->settings.context, &explanation);
}

/* The next line of the queue, if it is the event's; an event of another origin has none. */
static kept *take_kept_line(xt_explain_stream *s, const xt_event *event)
{
    kept *k = s->lines;
    xt_slice text = k ? k->line.text : XT_S_NULL;
    if (!k || (!s->settings.decoder.shows_typed_secrets && xt_tty_mask_line(&text, &s->arena) < 0) ||
        !xt_slice_eq(text, xt_event_bytes(event, XT_F_ORIGINAL)))
        return NULL;
    s->lines = k->next;
    if (!s->lines)
        s->last_line = &s->lines;
    return k;
}

static int on_unparsed(xt_explain_stream *s, const xt_event *event)
{
    kept *k = take_kept_line(s, event);
    xt_explain_input input = {.event = event};
    if (k) {
        input.line = &k->line;
        input.line_number = k->line.number;
        input.beside = k->beside ? &k->beside->as_record : NULL;
    }
    int r = is_wanted(s, event) ? explain(s, &input) : 0;
    kept_unref(k);
    return r;
}

static int on_records(xt_explain_stream *s, const xt_event *event, const open_key *o)
{
    xt_event typed;
    xt_explain_input input = {.event = event};
    int r = o ? align(s, o, event, &input) : 0;
    input.is_over_bounds = s->open.n >= MAX_OPEN || s->n_open_bytes >= MAX_OPEN_TEXT || (o && o->n_bytes > MAX_GROUP);
    if (r == 0 && has_typed(&input))
        r = type_again(s, event, &input, &typed);
    if (r == 0 && is_wanted(s, event))
        r = explain(s, &input);
    if (r == 0 && xt_event_is_own_entity(event))
        enter_process(s, event, input.n_records > 0 ? input.records[0].line : NULL);
    return r;
}

static int on_event(void *context, xt_event *given, xt_arena *arena)
{
    xt_explain_stream *s = context;
    xt_event event = *given;
    (void)arena;
    xt_arena_reset(&s->arena);
    int r = derive_all(s, &event);
    if (r < 0)
        return xt_error_trace(r);
    if (xt_event_has(&event, XT_F_ORIGINAL))
        return on_unparsed(s, &event);
    open_key *o = find_open(s, &event);
    r = on_records(s, &event, o);
    if (o) {
        xt_map_remove(&s->open, xt_slice_of(o->key, o->n_key));
        open_key_free(s, o);
    }
    return r;
}

/* ---- the outside ---- */

int xt_explain_stream_new(const xt_explain_settings *settings, xt_explain_stream **ret)
{
    xt_explain_stream *s = calloc(1, sizeof *s);
    if (!s)
        return xt_error_origin(-ENOMEM);
    s->settings = *settings;
    s->source = settings->decoder.source ? settings->decoder.source : "input";
    s->last_line = &s->lines;
    xt_arena_init(&s->arena, ARENA_BYTES);
    xt_decoder_settings decoding = settings->decoder;
    decoding.secrets = NULL;
    decoding.seal_to = NULL;
    decoding.on_event = on_event;
    decoding.on_problem = NULL;
    decoding.context = s;
    int r = xt_decoder_new(&decoding, &s->decoder);
    if (r == 0)
        r = xt_tty_table_new(decoding.shows_typed_secrets, &s->terminals);
    if (r < 0) {
        xt_explain_stream_free(s);
        return xt_error_trace(r);
    }
    *ret = s;
    return 0;
}

static void free_values(xt_map *map)
{
    size_t i = 0;
    for (xt_map_entry *e; (e = xt_map_next(map, &i)) != NULL;)
        free(e->value);
    xt_map_fini(map);
}

static void free_open(xt_explain_stream *s)
{
    size_t i = 0;
    for (xt_map_entry *e; (e = xt_map_next(&s->open, &i)) != NULL;)
        open_key_free(s, e->value);
    xt_map_fini(&s->open);
}

xt_explain_stream *xt_explain_stream_free(xt_explain_stream *s)
{
    if (!s)
        return NULL;
    if (s->decoder)
        xt_decoder_free(s->decoder);
    xt_tty_table_free(s->terminals);
    free_open(s);
    free_values(&s->processes);
    free_values(&s->typing);
    for (kept *k = s->lines, *next; k; k = next) {
        next = k->next;
        kept_unref(k);
    }
    kept_unref(s->last);
    for (source_name *n = s->names, *next; n; n = next) {
        next = n->next;
        free(n);
    }
    xt_arena_fini(&s->arena);
    xt_buf_fini(&s->partial);
    free(s);
    return NULL;
}

/* What came of a line so far, up to one byte more than a line may have. */
static int add_partial(xt_explain_stream *s, xt_slice bytes)
{
    if (s->partial.n == 0)
        s->partial_offset = s->offset;
    if (!s->is_over_long)
        xt_buf_put(&s->partial, xt_slice_head(bytes, MAX_LINE + 1 - s->partial.n));
    int r = xt_buf_done(&s->partial);
    if (r == 0 && s->partial.n > MAX_LINE && !s->is_over_long) {
        s->is_over_long = true;
        r = take_line(s, xt_buf_slice(&s->partial), false);
    }
    return r;
}

static int end_line(xt_explain_stream *s, bool is_cut)
{
    int r = s->is_over_long ? 0 : take_line(s, xt_buf_slice(&s->partial), is_cut);
    s->is_over_long = false;
    xt_buf_reset(&s->partial);
    return r;
}

int xt_explain_stream_feed(xt_explain_stream *s, xt_slice bytes)
{
    int r = 0;
    while (r == 0 && bytes.n > 0) {
        const char *newline = memchr(bytes.p, '\n', bytes.n);
        size_t n = newline ? (size_t)(newline - bytes.p) : bytes.n;
        r = add_partial(s, xt_slice_head(bytes, n));
        if (r == 0 && newline)
            r = end_line(s, false);
        n += newline != NULL;
        s->offset += n;
        if (r == 0)
            r = xt_decoder_feed(s->decoder, xt_slice_head(bytes, n));
        bytes = xt_slice_skip(bytes, n);
    }
    return r;
}

static int end_source(xt_explain_stream *s)
{
    return s->partial.n > 0 ? end_line(s, true) : 0;
}

int xt_explain_stream_begin(xt_explain_stream *s, const char *source)
{
    size_t n = strlen(source) + 1;
    source_name *name = malloc(sizeof *name + n);
    if (!name)
        return xt_error_origin(-ENOMEM);
    memcpy(name->name, source, n);
    name->next = s->names;
    s->names = name;
    int r = end_source(s);
    s->source = name->name;
    s->line_number = s->offset = 0;
    return r != 0 ? r : xt_decoder_begin(s->decoder, name->name);
}

int xt_explain_stream_finish(xt_explain_stream *s)
{
    int r = end_source(s);
    return r != 0 ? r : xt_decoder_finish(s->decoder);
}

xt_decoder_stats xt_explain_stream_stats(const xt_explain_stream *s)
{
    return xt_decoder_stats_get(s->decoder);
}

/* Digits up to `end`, a byte, or the end of the text. */
static bool parse_stamp(xt_slice text, xt_explain_wanted *w)
{
    xt_slice time, seconds;
    uint64_t sec, ms, serial;
    if (!xt_slice_cut(&text, ':', &time) || !text.p || !xt_slice_cut(&time, '.', &seconds) || time.n != 3 ||
        !xt_slice_parse_u64(seconds, &sec) || !xt_slice_parse_u64(time, &ms) || !xt_slice_parse_u64(text, &serial) ||
        serial > UINT32_MAX || sec > INT64_MAX / 2000)
        return false;
    w->by_serial = w->by_time = true;
    w->serial = (uint32_t)serial;
    w->time_ms = (int64_t)(sec * 1000 + ms);
    return true;
}

bool xt_explain_wanted_parse(xt_slice text, xt_explain_wanted *ret)
{
    xt_explain_wanted w = {.by_id = false};
    uint64_t serial;
    xt_hash128 id;
    if (xt_slice_starts(text, XT_S("msg=")))
        text = xt_slice_skip(text, 4);
    if (xt_slice_starts(text, XT_S("audit("))) {
        text = xt_slice_skip(text, 6);
        text.n -= xt_slice_ends(text, XT_S(":"));
        text.n -= xt_slice_ends(text, XT_S(")"));
    }
    if (text.n == 32 && xt_hash128_parse(text, &id)) {
        w.by_id = true;
        xt_hash128_format(id, w.id);
    } else if (xt_slice_parse_u64(text, &serial) && serial <= UINT32_MAX) {
        w.by_serial = true;
        w.serial = (uint32_t)serial;
    } else if (!parse_stamp(text, &w)) {
        return false;
    }
    *ret = w;
    return true;
}
