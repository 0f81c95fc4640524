/*
 * A map from (host, pid) to an entry, entries in a list from the most to the least recently used. An entry's texts
 * stand in one piece of memory that is reused. Command lines are kept up to MAX_CMD bytes and all texts together
 * up to MEAN_TEXT bytes an entry, so that long ones cost entries instead of memory.
 *
 * Without the kernel's fork events nobody tells when a pid was given to another process. What contradicts is not
 * believed: a parent that began after its child, or one of another login session (a session is inherited and, once
 * set, not changed by those who may not).
 */
#include "event/proc_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "event/pack.h"
#include "event/secret_redact.h"

#define MAX_CMD   8192
#define MEAN_TEXT 512

typedef struct entry_key {
    uint64_t host;
    uint64_t pid;
} entry_key;

typedef struct entry {
    entry_key key;
    struct entry *newer, *older;
    int64_t start_ms;
    uint64_t ppid;
    uint64_t ses; /* UINT64_MAX: unset or not known */
    char *text;   /* exe, comm, cmd, marks */
    size_t text_cap, n_exe, n_comm, n_cmd, n_marks;
} entry;

struct xt_proc_table {
    xt_map map;
    entry *newest, *oldest;
    size_t n, max_entries, n_text_bytes;
    xt_proc_lookup_fn lookup;
    void *context;
};

int xt_proc_table_new(size_t max_entries, xt_proc_lookup_fn lookup, void *context, xt_proc_table **ret)
{
    xt_proc_table *table = calloc(1, sizeof *table);
    if (!table)
        return xt_error_origin(-ENOMEM);
    table->max_entries = max_entries > 0 ? max_entries : 1;
    table->lookup = lookup;
    table->context = context;
    *ret = table;
    return 0;
}

static xt_slice key_slice(const entry_key *key)
{
    return xt_slice_of(key, sizeof *key);
}

static void unlink_entry(xt_proc_table *table, entry *e)
{
    *(e->newer ? &e->newer->older : &table->newest) = e->older;
    *(e->older ? &e->older->newer : &table->oldest) = e->newer;
}

static void link_newest(xt_proc_table *table, entry *e)
{
    e->newer = NULL;
    e->older = table->newest;
    *(table->newest ? &table->newest->newer : &table->oldest) = e;
    table->newest = e;
}

static void drop(xt_proc_table *table, entry *e)
{
    unlink_entry(table, e);
    xt_map_remove(&table->map, key_slice(&e->key));
    table->n--;
    table->n_text_bytes -= e->text_cap;
    free(e->text);
    free(e);
}

xt_proc_table *xt_proc_table_free(xt_proc_table *table)
{
    if (!table)
        return NULL;
    while (table->oldest)
        drop(table, table->oldest);
    xt_map_fini(&table->map);
    free(table);
    return NULL;
}

static entry *find(xt_proc_table *table, xt_slice host_id, uint64_t pid)
{
    entry_key key = {xt_slice_hash(host_id), pid};
    entry *e = xt_map_find(&table->map, key_slice(&key));
    if (e) {
        unlink_entry(table, e);
        link_newest(table, e);
    }
    return e;
}

static void make_room(xt_proc_table *table, const entry *but)
{
    while (table->oldest && table->oldest != but &&
           (table->n > table->max_entries || table->n_text_bytes > table->max_entries * MEAN_TEXT))
        drop(table, table->oldest);
}

/* The entry of that pid, made if need be. */
static int find_or_add(xt_proc_table *table, xt_slice host_id, uint64_t pid, entry **ret)
{
    entry *e = find(table, host_id, pid);
    if (!e) {
        e = calloc(1, sizeof *e);
        if (!e)
            return xt_error_origin(-ENOMEM);
        e->key = (entry_key){xt_slice_hash(host_id), pid};
        e->start_ms = INT64_MIN;
        int r = xt_map_put(&table->map, key_slice(&e->key), e, NULL);
        if (r < 0) {
            free(e);
            return xt_error_trace(r);
        }
        link_newest(table, e);
        table->n++;
    }
    *ret = e;
    return 0;
}

/* Room for the texts; the old ones are gone then. Far too much room is given back. */
static int resize_text(xt_proc_table *table, entry *e, size_t n)
{
    size_t cap = n < 64 ? 64 : n;
    if (e->text && e->text_cap >= n && e->text_cap <= 2 * cap)
        return 0;
    char *text = malloc(cap);
    if (!text)
        return xt_error_origin(-ENOMEM);
    free(e->text);
    table->n_text_bytes += cap - e->text_cap;
    e->text = text;
    e->text_cap = cap;
    return 0;
}

/* Up to MAX_CMD bytes of the arguments joined by one space. */
static size_t join_args(xt_slice args, char *out)
{
    xt_list_iter iter = xt_list_iterate(args);
    size_t n = 0;
    bool is_first = true;
    for (xt_slice arg; n < MAX_CMD && xt_list_next(&iter, &arg); is_first = false) {
        if (!is_first)
            out[n++] = ' ';
        arg = xt_slice_head(arg, MAX_CMD - n);
        xt_pack_bytes(out + n, arg);
        n += arg.n;
    }
    return n;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* args: a list to join, or empty: cmd as it is. */
static int set_entry(xt_proc_table *table, entry *e, const xt_proc_info *info, xt_slice args)
{
    xt_slice exe = xt_slice_head(info->exe, MAX_CMD), comm = xt_slice_head(info->comm, 64);
    size_t n_cmd = smaller(args.n > 0 ? args.n : info->cmd.n, MAX_CMD);
    int r = resize_text(table, e, exe.n + comm.n + n_cmd + info->marks.n);
    if (r < 0)
        return xt_error_trace(r);
    char *p = xt_pack_bytes(xt_pack_bytes(e->text, exe), comm);
    if (args.n > 0)
        n_cmd = join_args(args, p);
    else
        xt_pack_bytes(p, xt_slice_head(info->cmd, n_cmd));
    xt_pack_bytes(p + n_cmd, info->marks);
    e->n_marks = info->marks.n;
    e->n_exe = exe.n;
    e->n_comm = comm.n;
    e->n_cmd = n_cmd;
    e->start_ms = info->start_ms;
    e->ppid = info->ppid;
    make_room(table, e);
    return 0;
}

int xt_proc_table_seed(xt_proc_table *table, const xt_proc_info *info, xt_slice host_id, xt_slice boot_id)
{
    entry *e = NULL;
    (void)boot_id; /* one boot at a time: after another the pids mean nothing, and the agent seeds anew */
    int r = find_or_add(table, host_id, info->pid, &e);
    if (r == 0) {
        e->ses = UINT64_MAX;
        r = set_entry(table, e, info, XT_S_NULL);
    }
    return r < 0 ? xt_error_trace(r) : 0;
}

/* Whether the entry may be the process with that pid at the time of the event. */
static bool is_believable(const entry *e, const xt_event *event)
{
    return e->start_ms <= (int64_t)xt_event_num(event, XT_F_TIME, 0) &&
           (e->ses == UINT64_MAX || e->ses == xt_event_num(event, XT_F_SES, UINT64_MAX));
}

static int find_parent(xt_proc_table *table, const xt_event *event, entry **ret)
{
    xt_slice host_id = xt_event_bytes(event, XT_F_HOST_ID);
    uint64_t ppid = xt_event_num(event, XT_F_PPID, 0);
    entry *e = find(table, host_id, ppid);
    xt_proc_info info = {0};
    *ret = NULL;
    if (e && is_believable(e, event)) {
        *ret = e;
        return 0;
    }
    if (!table->lookup || !table->lookup(table->context, (uint32_t)ppid, &info) ||
        info.start_ms > (int64_t)xt_event_num(event, XT_F_TIME, 0))
        return 0;
    info.pid = (uint32_t)ppid;
    int r = xt_proc_table_seed(table, &info, host_id, XT_S_NULL);
    if (r < 0)
        return xt_error_trace(r);
    *ret = find(table, host_id, ppid);
    return 0;
}

static int put_entity(xt_event *event, xt_field f, const entry *e, xt_arena *arena)
{
    char *text = xt_arena_alloc(arena, XT_EVENT_ENTITY_LEN);
    if (!text)
        return xt_error_origin(-ENOMEM);
    xt_event_entity_of(xt_event_bytes(event, XT_F_HOST_ID), xt_event_bytes(event, XT_F_BOOT_ID), (uint32_t)e->key.pid,
                       e->start_ms, text);
    xt_event_set_bytes(event, f, xt_slice_of(text, XT_EVENT_ENTITY_LEN));
    return 0;
}

static int put_parent(xt_event *event, const entry *e, xt_arena *arena)
{
    size_t n_shown = e->n_exe + e->n_comm + e->n_cmd;
    xt_slice text = xt_arena_copy(arena, xt_slice_of(e->text, n_shown));
    if (!text.p)
        return xt_error_origin(-ENOMEM);
    if (e->n_exe > 0)
        xt_event_set_bytes(event, XT_F_PARENT_EXE, xt_slice_of(text.p, e->n_exe));
    if (e->n_comm > 0)
        xt_event_set_bytes(event, XT_F_PARENT_COMM, xt_slice_of(text.p + e->n_exe, e->n_comm));
    if (e->n_cmd > 0)
        xt_event_set_bytes(event, XT_F_PARENT_CMD, xt_slice_of(text.p + e->n_exe + e->n_comm, e->n_cmd));
    int r = e->n_marks > 0 ? xt_secret_marks_add(event, xt_slice_of(e->text + n_shown, e->n_marks), arena) : 0;
    return r < 0 ? xt_error_trace(r) : put_entity(event, XT_F_PARENT_ENTITY, e, arena);
}

static int enter(xt_proc_table *table, const xt_event *event)
{
    xt_proc_info info = {
        .ppid = (uint32_t)xt_event_num(event, XT_F_PPID, 0),
        .start_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
        .exe = xt_event_bytes(event, XT_F_EXE),
        .comm = xt_event_bytes(event, XT_F_COMM),
    };
    entry *e = NULL;
    int r = find_or_add(table, xt_event_bytes(event, XT_F_HOST_ID), xt_event_num(event, XT_F_PID, 0), &e);
    if (r < 0)
        return xt_error_trace(r);
    if (info.start_ms < e->start_ms) /* an older exec that came late */
        return 0;
    e->ses = xt_event_num(event, XT_F_SES, UINT64_MAX);
    xt_buf marks = XT_BUF_INIT;
    if (xt_event_has(event, XT_F_REDACTIONS))
        xt_secret_marks_of_parent(event, MAX_CMD, &marks);
    info.marks = xt_buf_slice(&marks);
    r = set_entry(table, e, &info, xt_event_bytes(event, XT_F_ARGS));
    xt_buf_fini(&marks);
    return r < 0 ? xt_error_trace(r) : 0;
}

/* A failed exec left the process what it was, if the table knows that; the caller's exe tells whether it does. */
static int put_unchanged(xt_proc_table *table, xt_event *event, xt_arena *arena)
{
    const entry *e = find(table, xt_event_bytes(event, XT_F_HOST_ID), xt_event_num(event, XT_F_PID, 0));
    xt_slice exe;
    if (!e || !is_believable(e, event) || e->ppid != xt_event_num(event, XT_F_PPID, 0) ||
        !xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), XT_S("exe"), 0, &exe) ||
        !xt_slice_eq(exe, xt_slice_of(e->text, e->n_exe)))
        return 0;
    return put_entity(event, XT_F_ENTITY, e, arena);
}

int xt_proc_table_apply(xt_proc_table *table, xt_event *event, xt_arena *arena)
{
    entry *parent;
    if (!xt_event_has(event, XT_F_PID) || !xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")))
        return 0;
    int r = find_parent(table, event, &parent);
    if (r == 0 && parent)
        r = put_parent(event, parent, arena);
    if (r == 0)
        r = xt_event_is_own_entity(event) ? enter(table, event) : put_unchanged(table, event, arena);
    return r < 0 ? xt_error_trace(r) : 0;
}
