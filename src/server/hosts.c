/*
 * Heartbeats of ten thousand agents are thousands of small changes a second: they change memory only, and dirty hosts
 * are written together, some hundred a transaction so that nobody waits long for the lock. Hosts are never freed before
 * close, so a list walks them by index and copies one at a time.
 */
#include "server/hosts.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/map.h"
#include "server/secret.h"

enum { FLUSH_ROWS = 256 };

typedef struct host_entry {
    xt_host host;
    char machine_id[64];
    bool dirty;
} host_entry;

struct xt_hosts {
    pthread_mutex_t lock;
    xt_state *state;
    const xt_clock *clock;
    xt_map by_id;
    host_entry **entries;
    size_t n, cap;
    unsigned n_group_changes;
};

static xt_slice id_of(const host_entry *entry)
{
    return xt_slice_str(entry->host.id);
}

static int add(xt_hosts *hosts, host_entry *entry)
{
    if (hosts->n == hosts->cap) {
        size_t cap = hosts->cap ? hosts->cap * 2 : 16;
        host_entry **grown = reallocarray(hosts->entries, cap, sizeof(void *));
        if (!grown)
            return xt_error_origin(-ENOMEM);
        hosts->entries = grown;
        hosts->cap = cap;
    }
    int r = xt_map_put(&hosts->by_id, id_of(entry), entry, NULL);
    if (r == 0)
        hosts->entries[hosts->n++] = entry;
    return xt_error_trace(r);
}

static host_entry *find(xt_hosts *hosts, xt_slice id)
{
    return xt_map_find(&hosts->by_id, id);
}

static uint64_t column_u64(sqlite3_stmt *stmt, int i)
{
    return (uint64_t)sqlite3_column_int64(stmt, i);
}

static int load_row(xt_hosts *hosts, sqlite3_stmt *stmt)
{
    host_entry *entry = calloc(1, sizeof *entry);
    xt_host *h = entry ? &entry->host : NULL;

    if (!entry)
        return xt_error_origin(-ENOMEM);
    xt_state_text(stmt, 0, h->id, sizeof h->id);
    xt_state_text(stmt, 1, h->name, sizeof h->name);
    xt_state_text(stmt, 2, entry->machine_id, sizeof entry->machine_id);
    xt_state_text(stmt, 3, h->agent_version, sizeof h->agent_version);
    xt_state_text(stmt, 4, h->boot_id, sizeof h->boot_id);
    xt_state_text(stmt, 5, h->os, sizeof h->os);
    xt_state_text(stmt, 6, h->audit_mode, sizeof h->audit_mode);
    xt_state_text(stmt, 7, h->address, sizeof h->address);
    xt_state_text(stmt, 8, h->group, sizeof h->group);
    xt_state_text(stmt, 9, h->completeness, sizeof h->completeness);
    xt_state_text(stmt, 10, h->blind, sizeof h->blind);
    h->enrolled_ms = sqlite3_column_int64(stmt, 11);
    h->last_seen_ms = sqlite3_column_int64(stmt, 12);
    h->last_event_ms = sqlite3_column_int64(stmt, 13);
    h->revoked = sqlite3_column_int(stmt, 14);
    h->imported = sqlite3_column_int(stmt, 15);
    h->n_events = column_u64(stmt, 16);
    h->enabled = column_u64(stmt, 17);
    h->audit_pid = column_u64(stmt, 18);
    h->lost = column_u64(stmt, 19);
    h->backlog = column_u64(stmt, 20);
    h->spool_batches = column_u64(stmt, 21);
    h->spool_dropped = column_u64(stmt, 22);
    h->cpu_us = column_u64(stmt, 23);
    h->rss_bytes = column_u64(stmt, 24);
    int r = add(hosts, entry);
    if (r)
        free(entry);
    return xt_error_trace(r);
}

static int load(xt_hosts *hosts, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int r = xt_state_select(hosts->state, reterr_problem, &stmt,
                            "SELECT id, name, machine_id, agent_version, boot_id, os, audit_mode, address, host_group,"
                            " completeness, blind, enrolled_ms, last_seen_ms, last_event_ms, revoked, imported,"
                            " n_events, enabled, audit_pid, lost, backlog, spool_batches, spool_dropped, cpu_us,"
                            " rss_bytes FROM hosts ORDER BY enrolled_ms, id",
                            "");

    while (r == 0 && (r = xt_state_next(hosts->state, stmt, reterr_problem)) == 1)
        r = load_row(hosts, stmt);
    return xt_error_trace(r);
}

int xt_hosts_open(xt_state *state, const xt_clock *clock, xt_hosts **ret, xt_problem *reterr_problem)
{
    xt_hosts *hosts = calloc(1, sizeof *hosts);
    int r;

    if (!hosts)
        return xt_error_origin(-ENOMEM);
    pthread_mutex_init(&hosts->lock, NULL);
    hosts->state = state;
    hosts->clock = clock;
    xt_state_lock(state);
    r = load(hosts, reterr_problem);
    xt_state_unlock(state);
    if (r) {
        xt_hosts_close(hosts);
        return xt_error_trace(r);
    }
    *ret = hosts;
    return 0;
}

xt_hosts *xt_hosts_close(xt_hosts *hosts)
{
    if (!hosts)
        return NULL;
    for (size_t i = 0; i < hosts->n; i++)
        free(hosts->entries[i]);
    free(hosts->entries);
    xt_map_fini(&hosts->by_id);
    pthread_mutex_destroy(&hosts->lock);
    free(hosts);
    return NULL;
}

static int save(xt_hosts *hosts, const host_entry *entry, xt_problem *reterr_problem)
{
    const xt_host *h = &entry->host;

    return xt_error_trace(xt_state_run(
        hosts->state, reterr_problem, NULL,
        "INSERT OR REPLACE INTO hosts(id, name, machine_id, agent_version, boot_id, os, audit_mode, address, "
        "host_group,"
        " completeness, blind, enrolled_ms, last_seen_ms, last_event_ms, revoked, imported, n_events, enabled,"
        " audit_pid, lost, backlog, spool_batches, spool_dropped, cpu_us, rss_bytes)"
        " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        "zzzzzzzzzzziiiiiiiiiiiiii", h->id, h->name, entry->machine_id, h->agent_version, h->boot_id, h->os,
        h->audit_mode, h->address, h->group, h->completeness, h->blind, h->enrolled_ms, h->last_seen_ms,
        h->last_event_ms, (int64_t)h->revoked, (int64_t)h->imported, (int64_t)h->n_events, (int64_t)h->enabled,
        (int64_t)h->audit_pid, (int64_t)h->lost, (int64_t)h->backlog, (int64_t)h->spool_batches,
        (int64_t)h->spool_dropped, (int64_t)h->cpu_us, (int64_t)h->rss_bytes));
}

static int make_id(char ret[static 33])
{
    xt_hash128 id;
    int r = xt_secret_random(id.b, sizeof id.b);

    if (r == 0)
        xt_hash128_format(id, ret);
    return xt_error_trace(r);
}

static void fill(host_entry *entry, const xt_enroll *enroll, const char *address, const char *group, int64_t now_ms)
{
    xt_text_copy(entry->host.group, sizeof entry->host.group, xt_slice_str(group));
    xt_text_copy(entry->host.name, sizeof entry->host.name, enroll->host_name);
    xt_text_copy(entry->host.os, sizeof entry->host.os, enroll->os);
    xt_text_copy(entry->machine_id, sizeof entry->machine_id, enroll->machine_id);
    xt_text_copy(entry->host.address, sizeof entry->host.address, xt_slice_str(address));
    entry->host.enrolled_ms = entry->host.last_seen_ms = now_ms;
}

int xt_hosts_enroll(xt_hosts *hosts, const xt_enroll *enroll, const char *address, const char *group,
                    char ret_id[static 33], xt_problem *reterr_problem)
{
    host_entry entry = {0};
    int r = make_id(entry.host.id);

    fill(&entry, enroll, address, group, xt_clock_wall_ms(hosts->clock));
    if (r == 0)
        r = save(hosts, &entry, reterr_problem);
    if (r == 0)
        xt_text_copy(ret_id, 33, id_of(&entry));
    return xt_error_trace(r);
}

int xt_hosts_admit(xt_hosts *hosts, const xt_enroll *enroll, const char *address, const char *group, const char *id)
{
    host_entry *entry = calloc(1, sizeof *entry);
    int r;

    if (!entry)
        return xt_error_origin(-ENOMEM);
    xt_text_copy(entry->host.id, sizeof entry->host.id, xt_slice_str(id));
    fill(entry, enroll, address, group, xt_clock_wall_ms(hosts->clock));
    pthread_mutex_lock(&hosts->lock);
    r = add(hosts, entry);
    pthread_mutex_unlock(&hosts->lock);
    if (r)
        free(entry);
    return xt_error_trace(r);
}

int xt_hosts_check(xt_hosts *hosts, xt_slice id)
{
    pthread_mutex_lock(&hosts->lock);
    host_entry *entry = find(hosts, id);
    int r = !entry || entry->host.imported ? XT_APP_E_NOT_FOUND : entry->host.revoked ? XT_APP_E_DENIED : 0;
    pthread_mutex_unlock(&hosts->lock);
    return r;
}

void xt_hosts_hello(xt_hosts *hosts, const xt_hello *hello, const char *address)
{
    pthread_mutex_lock(&hosts->lock);
    host_entry *entry = find(hosts, hello->host_id);
    if (entry) {
        xt_host *h = &entry->host;
        xt_text_copy(h->name, sizeof h->name, hello->host_name);
        xt_text_copy(h->boot_id, sizeof h->boot_id, hello->boot_id);
        xt_text_copy(h->agent_version, sizeof h->agent_version, hello->agent_version);
        xt_text_copy(h->os, sizeof h->os, hello->os);
        xt_text_copy(h->audit_mode, sizeof h->audit_mode, hello->audit_mode);
        xt_text_copy(h->completeness, sizeof h->completeness, hello->completeness);
        xt_text_copy(h->address, sizeof h->address, xt_slice_str(address));
        h->last_seen_ms = xt_clock_wall_ms(hosts->clock);
        h->connected = true;
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

void xt_hosts_heartbeat(xt_hosts *hosts, xt_slice id, const xt_heartbeat *beat)
{
    pthread_mutex_lock(&hosts->lock);
    host_entry *entry = find(hosts, id);
    if (entry) {
        xt_host *h = &entry->host;
        h->last_seen_ms = xt_clock_wall_ms(hosts->clock);
        h->enabled = beat->enabled;
        h->audit_pid = beat->audit_pid;
        h->lost = beat->lost_since_start;
        h->backlog = beat->backlog;
        h->spool_batches = beat->spool_batches;
        h->spool_dropped = beat->spool_dropped_events;
        h->cpu_us = beat->cpu_us;
        h->rss_bytes = beat->rss_bytes;
        xt_text_copy(h->audit_mode, sizeof h->audit_mode, beat->audit_mode);
        xt_text_copy(h->completeness, sizeof h->completeness, beat->completeness);
        xt_text_copy(h->blind, sizeof h->blind, beat->blind);
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

void xt_hosts_gone(xt_hosts *hosts, xt_slice id)
{
    pthread_mutex_lock(&hosts->lock);
    host_entry *entry = find(hosts, id);
    if (entry) {
        entry->host.connected = false;
        entry->host.last_seen_ms = xt_clock_wall_ms(hosts->clock);
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

static host_entry *add_imported(xt_hosts *hosts, xt_slice id, xt_slice name)
{
    host_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return NULL;
    xt_text_copy(entry->host.id, sizeof entry->host.id, id);
    xt_text_copy(entry->host.name, sizeof entry->host.name, name);
    entry->host.imported = true;
    if (add(hosts, entry)) {
        free(entry);
        return NULL;
    }
    return entry;
}

void xt_hosts_count(xt_hosts *hosts, xt_slice id, xt_slice name, uint64_t n_events, int64_t last_event_ms)
{
    pthread_mutex_lock(&hosts->lock);
    host_entry *entry = find(hosts, id);
    if (!entry)
        entry = add_imported(hosts, id, name);
    if (entry) {
        entry->host.n_events += n_events;
        if (last_event_ms > entry->host.last_event_ms)
            entry->host.last_event_ms = last_event_ms;
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

bool xt_hosts_id_of(xt_hosts *hosts, xt_slice name, char ret_id[static 33])
{
    bool found = false;

    pthread_mutex_lock(&hosts->lock);
    for (size_t i = hosts->n; i-- > 0 && !found;) {
        const xt_host *h = &hosts->entries[i]->host;
        found = !h->imported && !h->revoked && xt_slice_eq(xt_slice_str(h->name), name);
        if (found)
            xt_text_copy(ret_id, 33, xt_slice_str(h->id));
    }
    pthread_mutex_unlock(&hosts->lock);
    return found;
}

/* The enrolled host of that id, else the latest of that name. */
static host_entry *find_enrolled(xt_hosts *hosts, xt_slice host)
{
    host_entry *entry = find(hosts, host);

    for (size_t i = hosts->n; i-- > 0 && !entry;)
        if (!hosts->entries[i]->host.imported && xt_slice_eq(xt_slice_str(hosts->entries[i]->host.name), host))
            entry = hosts->entries[i];
    return entry && !entry->host.imported ? entry : NULL;
}

int xt_hosts_revoke(xt_hosts *hosts, xt_slice host, bool revoked, xt_problem *reterr_problem)
{
    char id[33] = "";

    pthread_mutex_lock(&hosts->lock);
    host_entry *entry = find_enrolled(hosts, host);
    if (entry) {
        entry->host.revoked = revoked;
        xt_text_copy(id, sizeof id, id_of(entry));
    }
    pthread_mutex_unlock(&hosts->lock);
    if (!entry) {
        xt_problem_set(reterr_problem, "no enrolled host has this id or name");
        xt_problem_excerpt(reterr_problem, host);
        return XT_APP_E_NOT_FOUND;
    }
    return xt_error_trace(xt_state_run(hosts->state, reterr_problem, NULL, "UPDATE hosts SET revoked = ? WHERE id = ?",
                                       "iz", (int64_t)revoked, id));
}

/* ------------------------------------------------------------------------------------------------ groups */

int xt_host_group_check(xt_slice group, xt_problem *reterr_problem)
{
    bool good = group.n < XT_HOST_GROUP_BYTES;

    for (size_t i = 0; i < group.n; i++) {
        char c = group.p[i], low = (char)(c | 0x20);
        good &= (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || (c == '-' && i > 0);
    }
    if (good)
        return 0;
    xt_problem_source(reterr_problem, "group");
    xt_problem_set(reterr_problem,
                   "the name of a group of hosts has at most %d letters, digits, dots, dashes and underscores",
                   XT_HOST_GROUP_BYTES - 1);
    xt_problem_excerpt(reterr_problem, group);
    return XT_APP_E_INVALID;
}

static host_entry *find_any(xt_hosts *hosts, xt_slice host)
{
    host_entry *entry = find_enrolled(hosts, host);

    if (!entry)
        entry = find(hosts, host);
    for (size_t i = hosts->n; i-- > 0 && !entry;)
        if (xt_slice_eq(xt_slice_str(hosts->entries[i]->host.name), host))
            entry = hosts->entries[i];
    return entry;
}

/* The whole row is written: an imported host may have none yet. */
static int group_save(xt_hosts *hosts, const host_entry *entry, xt_problem *reterr_problem)
{
    int r = xt_state_begin(hosts->state, reterr_problem);

    if (r)
        return xt_error_trace(r);
    return xt_state_end(hosts->state, save(hosts, entry, reterr_problem), reterr_problem);
}

int xt_hosts_set_group(xt_hosts *hosts, xt_slice host, xt_slice group, xt_problem *reterr_problem)
{
    host_entry copy = {0};
    int r = xt_host_group_check(group, reterr_problem);

    if (r)
        return r;
    pthread_mutex_lock(&hosts->lock);
    host_entry *entry = find_any(hosts, host);
    if (entry) {
        xt_text_copy(entry->host.group, sizeof entry->host.group, group);
        entry->dirty = true; /* what is being written down may be the row as it was */
        hosts->n_group_changes++;
        copy = *entry;
    }
    pthread_mutex_unlock(&hosts->lock);
    if (!entry) {
        xt_problem_set(reterr_problem, "no host has this id or name");
        xt_problem_excerpt(reterr_problem, host);
        return XT_APP_E_NOT_FOUND;
    }
    return group_save(hosts, &copy, reterr_problem);
}

void xt_hosts_group_of(xt_hosts *hosts, xt_slice id, char ret[static XT_HOST_GROUP_BYTES])
{
    pthread_mutex_lock(&hosts->lock);
    const host_entry *entry = find(hosts, id);
    xt_text_copy(ret, XT_HOST_GROUP_BYTES, xt_slice_str(entry ? entry->host.group : ""));
    pthread_mutex_unlock(&hosts->lock);
}

unsigned xt_hosts_group_changes(xt_hosts *hosts)
{
    pthread_mutex_lock(&hosts->lock);
    unsigned n = hosts->n_group_changes;
    pthread_mutex_unlock(&hosts->lock);
    return n;
}

int xt_hosts_list(xt_hosts *hosts, int (*each)(void *context, const xt_host *host), void *context)
{
    for (size_t i = 0;; i++) {
        xt_host copy;
        pthread_mutex_lock(&hosts->lock);
        bool more = i < hosts->n;
        if (more)
            copy = hosts->entries[i]->host;
        pthread_mutex_unlock(&hosts->lock);
        if (!more)
            return 0;
        int r = each(context, &copy);
        if (r)
            return r;
    }
}

/* Copies the next dirty host out from *i on; false at the end. */
static bool next_dirty(xt_hosts *hosts, size_t *i, host_entry *ret)
{
    bool found = false;

    pthread_mutex_lock(&hosts->lock);
    for (; *i < hosts->n && !found; ++*i) {
        host_entry *entry = hosts->entries[*i];
        found = entry->dirty;
        if (found) {
            entry->dirty = false;
            *ret = *entry;
        }
    }
    pthread_mutex_unlock(&hosts->lock);
    return found;
}

int xt_hosts_flush(xt_hosts *hosts, xt_problem *reterr_problem)
{
    host_entry entry;
    size_t i = 0;
    bool more = next_dirty(hosts, &i, &entry);

    while (more) {
        int r = xt_state_begin(hosts->state, reterr_problem);
        if (r)
            return xt_error_trace(r);
        for (int k = 0; more && r == 0 && k < FLUSH_ROWS; k++) {
            r = save(hosts, &entry, reterr_problem);
            more = r == 0 && next_dirty(hosts, &i, &entry);
        }
        r = xt_state_end(hosts->state, r, reterr_problem);
        if (r)
            return xt_error_trace(r);
    }
    return 0;
}
