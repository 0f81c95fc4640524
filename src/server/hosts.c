/*
 * Heartbeats of ten thousand agents are thousands of small changes a second: they change memory only, and dirty hosts
 * are written together, some hundred a transaction so that nobody waits long for the lock. Hosts are never freed before
 * close, so a list walks them by index and copies one at a time.
 */
#include "server/hosts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/timestamp.h"
#include "event/event.h"
#include "server/host_rows.h"
#include "server/hosts_private.h"
#include "server/secret.h"

enum {
    FLUSH_ROWS = 256,
    CLOCK_SAMPLES = 8,
    CLOCK_STEP_MS = 5000,     /* more than any way takes: the clock was set */
    CLONE_AGAIN_MS = 3600000, /* an hour: a clone that keeps coming is an event again */
    /* What one host may bring about at once, and one each so many ms after that. */
    BEATS = 128, /* twice what an agent keeps while there is no connection */
    BEATS_MS = 500,
    OVER_AGAIN_MS = 3600000,
    ROWS = 128,
    ROWS_MS = 10000,
    NOTES = 16,
    NOTES_MS = 10000,
    CLONES_MS = 60000,
};

static xt_slice name_of(const xt_host_entry *entry)
{
    return xt_slice_str(entry->host.name);
}

/* The key of a name is that of the first in its chain. */
static int link_name(xt_hosts *hosts, xt_host_entry *entry)
{
    void *before = NULL;
    int r = xt_map_put(&hosts->by_name, name_of(entry), entry, &before);

    if (r == 0)
        entry->next_named = before;
    return xt_error_trace(r);
}

static void unlink_name(xt_hosts *hosts, xt_host_entry *entry)
{
    xt_host_entry *first = xt_map_find(&hosts->by_name, name_of(entry)), *at = first;

    while (at && at != entry && at->next_named != entry)
        at = at->next_named;
    if (!at)
        return; /* there was no memory for its name */
    if (at != entry)
        at->next_named = entry->next_named;
    else if (entry->next_named)
        (void)!xt_map_put(&hosts->by_name, name_of(entry->next_named), entry->next_named, NULL); /* in its place */
    else
        xt_map_remove(&hosts->by_name, name_of(entry));
}

static void rename_entry(xt_hosts *hosts, xt_host_entry *entry, xt_slice name)
{
    if (xt_slice_eq(name_of(entry), name))
        return;
    unlink_name(hosts, entry);
    entry->next_named = NULL;
    xt_text_copy(entry->host.name, sizeof entry->host.name, name);
    (void)!link_name(hosts, entry); /* without memory it is known by its id alone */
}

static bool is_of(const xt_host_entry *entry, xt_hosts_which which)
{
    return which == XT_HOSTS_ANY || (!entry->host.imported && (which == XT_HOSTS_ENROLLED || !entry->host.revoked));
}

xt_host_entry *xt_hosts_named(xt_hosts *hosts, xt_slice name, xt_hosts_which which)
{
    xt_host_entry *latest = NULL;

    for (xt_host_entry *entry = xt_map_find(&hosts->by_name, name); entry; entry = entry->next_named)
        if (is_of(entry, which) && (!latest || entry->order > latest->order))
            latest = entry;
    return latest;
}

static int add(xt_hosts *hosts, xt_host_entry *entry)
{
    if (hosts->n == hosts->cap) {
        size_t cap = hosts->cap ? hosts->cap * 2 : 16;
        xt_host_entry **grown = reallocarray(hosts->entries, cap, sizeof(void *));
        if (!grown)
            return xt_error_origin(-ENOMEM);
        hosts->entries = grown;
        hosts->cap = cap;
    }
    int r = xt_map_put(&hosts->by_id, xt_host_entry_id(entry), entry, NULL);
    if (r)
        return xt_error_trace(r);
    r = link_name(hosts, entry);
    if (r) {
        xt_map_remove(&hosts->by_id, xt_host_entry_id(entry));
        return xt_error_trace(r);
    }
    entry->order = hosts->n;
    hosts->entries[hosts->n++] = entry;
    hosts->n_imported += entry->host.imported;
    return 0;
}

xt_host_entry *xt_hosts_find(xt_hosts *hosts, xt_slice id)
{
    return xt_map_find(&hosts->by_id, id);
}

static int load_one(void *context, const xt_host *host, const char *key)
{
    xt_hosts *hosts = context;
    xt_host_entry *entry = calloc(1, sizeof *entry);

    if (!entry)
        return xt_error_origin(-ENOMEM);
    entry->host = *host;
    xt_text_copy(entry->key, sizeof entry->key, xt_slice_str(key));
    int r = add(hosts, entry);
    if (r)
        free(entry);
    return xt_error_trace(r);
}

int xt_hosts_open(xt_state *state, const xt_clock *clock, xt_notes *notes, xt_hosts **ret, xt_problem *reterr_problem)
{
    xt_hosts *hosts = calloc(1, sizeof *hosts);
    int r;

    if (!hosts)
        return xt_error_origin(-ENOMEM);
    pthread_mutex_init(&hosts->lock, NULL);
    hosts->state = state;
    hosts->clock = clock;
    hosts->notes = notes;
    hosts->max_imported = XT_HOSTS_MAX_SENT;
    r = xt_host_rows_load(state, load_one, hosts, reterr_problem);
    if (r) {
        xt_hosts_close(hosts);
        return xt_error_trace(r);
    }
    *ret = hosts;
    return 0;
}

void xt_hosts_limit_sent(xt_hosts *hosts, uint64_t max)
{
    pthread_mutex_lock(&hosts->lock);
    hosts->max_imported = max ? max : XT_HOSTS_MAX_SENT;
    pthread_mutex_unlock(&hosts->lock);
}

xt_hosts *xt_hosts_close(xt_hosts *hosts)
{
    if (!hosts)
        return NULL;
    for (size_t i = 0; i < hosts->n; i++) {
        xt_buf_fini(&hosts->entries[i]->gaps);
        free(hosts->entries[i]);
    }
    free(hosts->entries);
    xt_map_fini(&hosts->by_id);
    xt_map_fini(&hosts->by_name);
    pthread_mutex_destroy(&hosts->lock);
    free(hosts);
    return NULL;
}

int xt_host_entry_save(xt_hosts *hosts, const xt_host_entry *entry, xt_problem *reterr_problem)
{
    return xt_error_trace(xt_host_row_save(hosts->state, &entry->host, entry->key, reterr_problem));
}

static int make_id(char ret[static 33])
{
    xt_hash128 id;
    int r = xt_secret_random(id.b, sizeof id.b);

    if (r == 0)
        xt_hash128_format(id, ret);
    return xt_error_trace(r);
}

static void fill(xt_host_entry *entry, const xt_enroll *enroll, const char *key, const char *address, const char *group,
                 int64_t now_ms)
{
    xt_text_copy(entry->host.group, sizeof entry->host.group, xt_slice_str(group));
    xt_text_copy(entry->host.name, sizeof entry->host.name, enroll->host_name);
    xt_text_copy(entry->host.os, sizeof entry->host.os, enroll->os);
    xt_text_copy(entry->host.machine_id, sizeof entry->host.machine_id, enroll->machine_id);
    xt_text_copy(entry->host.address, sizeof entry->host.address, xt_slice_str(address));
    xt_text_copy(entry->key, sizeof entry->key, xt_slice_str(key));
    entry->host.enrolled_ms = entry->host.last_seen_ms = now_ms;
}

static int refuse_return(xt_problem *reterr_problem, int outcome, const char *sentence)
{
    xt_problem_set(reterr_problem, "%s", sentence);
    xt_problem_hint(reterr_problem, "remove the shipper folder in the state folder, and enrol as a new host");
    return outcome;
}

/* May the host of this id have a new certificate, and be the same host? */
static int judge_return(xt_hosts *hosts, const xt_enroll *enroll, const char *key, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&hosts->lock);
    const xt_host_entry *entry = xt_hosts_find(hosts, enroll->host_id);
    bool known = entry && !entry->host.imported, revoked = known && entry->host.revoked;
    bool same = known && entry->key[0] && strcmp(entry->key, key) == 0 &&
                xt_slice_eq(xt_slice_str(entry->host.machine_id), enroll->machine_id);
    pthread_mutex_unlock(&hosts->lock);
    if (!known)
        return refuse_return(reterr_problem, XT_APP_E_NOT_FOUND, "the server does not know this host");
    if (revoked)
        return refuse_return(reterr_problem, XT_APP_E_DENIED, "this host was revoked on the server");
    if (!same)
        return refuse_return(reterr_problem, XT_APP_E_INVALID,
                             "the key or the machine is not the one that the host enrolled with");
    return 0;
}

int xt_hosts_enroll(xt_hosts *hosts, const xt_enroll *enroll, const char *key, const char *address, const char *group,
                    char ret_id[static 33], xt_problem *reterr_problem)
{
    xt_host_entry entry = {0};

    if (enroll->host_id.n) {
        int r = judge_return(hosts, enroll, key, reterr_problem);
        if (r == 0)
            xt_text_copy(ret_id, 33, enroll->host_id);
        return r;
    }
    int r = make_id(entry.host.id);
    fill(&entry, enroll, key, address, group, xt_clock_wall_ms(hosts->clock));
    if (r == 0)
        r = xt_host_entry_save(hosts, &entry, reterr_problem);
    if (r == 0)
        xt_text_copy(ret_id, 33, xt_host_entry_id(&entry));
    return xt_error_trace(r);
}

int xt_hosts_admit(xt_hosts *hosts, const xt_enroll *enroll, const char *key, const char *address, const char *group,
                   const char *id)
{
    if (enroll->host_id.n)
        return 0; /* it is known */
    xt_host_entry *entry = calloc(1, sizeof *entry);
    int r;

    if (!entry)
        return xt_error_origin(-ENOMEM);
    xt_text_copy(entry->host.id, sizeof entry->host.id, xt_slice_str(id));
    fill(entry, enroll, key, address, group, xt_clock_wall_ms(hosts->clock));
    pthread_mutex_lock(&hosts->lock);
    r = add(hosts, entry);
    pthread_mutex_unlock(&hosts->lock);
    if (r)
        free(entry);
    return xt_error_trace(r);
}

static bool text_eq(const char *z, xt_slice s)
{
    return xt_slice_eq(xt_slice_str(z), s);
}

static bool is_another_machine(const xt_host *h, xt_slice machine_id)
{
    return machine_id.n && h->machine_id[0] && !text_eq(h->machine_id, machine_id);
}

/* The machine that was refused before, told by its boot alone. */
static bool is_the_clone(const xt_host *h, xt_slice boot_id)
{
    return h->cloned && h->clone_boot_id[0] && text_eq(h->clone_boot_id, boot_id) &&
           strcmp(h->clone_machine_id, h->machine_id) == 0;
}

uint64_t xt_hosts_refusal(xt_hosts *hosts, xt_slice id, xt_slice boot_id, xt_slice machine_id)
{
    pthread_mutex_lock(&hosts->lock);
    const xt_host_entry *entry = xt_hosts_find(hosts, id);
    uint64_t reason = !entry || entry->host.imported                 ? XT_REFUSED_UNKNOWN
                      : entry->host.revoked                          ? XT_REFUSED_REVOKED
                      : entry->host.quarantined                      ? XT_REFUSED_QUARANTINED
                      : is_another_machine(&entry->host, machine_id) ? XT_REFUSED_CLONED
                      : is_the_clone(&entry->host, boot_id)          ? XT_REFUSED_CLONED
                                                                     : 0;
    pthread_mutex_unlock(&hosts->lock);
    return reason;
}

void xt_hosts_note(xt_hosts *hosts, const xt_host *h, const char *action, xt_slice who, const char *message)
{
    const xt_note n = {.host_name = xt_slice_str(h->name),
                       .host_id = xt_slice_str(h->id),
                       .action = xt_slice_str(action),
                       .user = who,
                       .message = xt_slice_str(message)};
    xt_notes_add(hosts->notes, &n);
}

/* The same for what the host itself brings about: what is too much is counted in the next. */
static void note_paced(xt_hosts *hosts, xt_host_entry *entry, const char *text)
{
    char longer[640];
    xt_buf message = XT_BUF_ON(longer);

    if (!xt_pace_take(&entry->notes, NOTES, NOTES_MS, xt_clock_wall_ms(hosts->clock))) {
        entry->n_unnoted++;
        return;
    }
    xt_buf_puts(&message, text);
    if (entry->n_unnoted)
        xt_buf_printf(&message, " (and %llu such things of this host that were too many to note)",
                      (unsigned long long)entry->n_unnoted);
    longer[message.n] = '\0';
    entry->n_unnoted = 0;
    xt_hosts_note(hosts, &entry->host, "gap", XT_S_NULL, longer);
}

/* Losses are events of the agent's own; that nobody watched, only the server can say. */
static void note_gap(xt_hosts *hosts, xt_host_entry *entry, const xt_gap *gap)
{
    char text[256], from[25], to[25];
    xt_buf message = XT_BUF_ON(text);

    if (gap->kind == XT_GAP_BLIND || gap->kind == XT_GAP_MODE)
        return; /* of each heartbeat */
    xt_timestamp_format(gap->from_ms, from);
    xt_timestamp_format(gap->to_ms, to);
    xt_buf_printf(&message, "%s from %s to %s", xt_gap_words(gap->kind), from, to);
    if (gap->n)
        xt_buf_printf(&message, ": %llu", (unsigned long long)gap->n);
    text[message.n] = '\0';
    note_paced(hosts, entry, text);
}

/* Remembers who is refused, and says so once an hour while it is the same. */
static void mark_clone(xt_hosts *hosts, xt_host_entry *entry, xt_slice machine_id, xt_slice boot_id,
                       const char *address, const char *how)
{
    xt_host *h = &entry->host;
    int64_t now_ms = xt_clock_wall_ms(hosts->clock);
    bool same = h->cloned && text_eq(h->clone_boot_id, boot_id) && text_eq(h->clone_machine_id, machine_id) &&
                entry->clone_noted_ms > now_ms - CLONE_AGAIN_MS;
    char text[512];
    xt_buf message = XT_BUF_ON(text);

    h->cloned = true;
    h->clone_ms = now_ms;
    xt_text_copy(h->clone_machine_id, sizeof h->clone_machine_id, machine_id);
    xt_text_copy(h->clone_boot_id, sizeof h->clone_boot_id, boot_id);
    xt_text_copy(h->clone_address, sizeof h->clone_address, xt_slice_str(address));
    entry->dirty = true;
    if (same || !xt_pace_take(&entry->clones, NOTES, CLONES_MS, now_ms))
        return;
    entry->clone_noted_ms = now_ms;
    xt_buf_printf(&message, "a machine at %s has the identity of this host, which was last at %s: %s; it is refused",
                  address, h->address, how);
    text[message.n] = '\0';
    xt_hosts_note(hosts, h, "cloned-host", XT_S_NULL, text);
}

static bool was_booted_before(const xt_host_entry *entry, xt_slice boot_id)
{
    for (unsigned i = 0; i < XT_COUNT_OF(entry->boots_before); i++)
        if (entry->boots_before[i][0] && text_eq(entry->boots_before[i], boot_id))
            return true;
    return false;
}

static void push_boot(xt_host_entry *entry)
{
    if (entry->host.boot_id[0])
        xt_text_copy(entry->boots_before[entry->n_boots_before++ % XT_HOSTS_BOOTS_KEPT], sizeof entry->boots_before[0],
                     xt_slice_str(entry->host.boot_id));
}

/* 0: it is the host; else it was marked as a clone. *ret_other: the machine that was connected before it is one. */
static uint64_t judge_machine(xt_hosts *hosts, xt_host_entry *entry, const xt_hello *hello, const char *address,
                              bool *ret_other)
{
    xt_host *h = &entry->host;

    if (is_another_machine(h, hello->machine_id)) {
        mark_clone(hosts, entry, hello->machine_id, hello->boot_id, address, "its machine id is another one");
        return XT_REFUSED_CLONED;
    }
    if (is_the_clone(h, hello->boot_id)) {
        mark_clone(hosts, entry, hello->machine_id, hello->boot_id, address, "both are up at the same time");
        return XT_REFUSED_CLONED;
    }
    if (text_eq(h->boot_id, hello->boot_id))
        return 0;
    if (was_booted_before(entry, hello->boot_id)) {
        char other_boot[40], other_address[64];
        xt_text_copy(other_boot, sizeof other_boot, xt_slice_str(h->boot_id));
        xt_text_copy(other_address, sizeof other_address, xt_slice_str(h->address));
        xt_text_copy(h->address, sizeof h->address, xt_slice_str(address));
        mark_clone(hosts, entry, xt_slice_str(h->machine_id), xt_slice_str(other_boot), other_address,
                   "both are up at the same time");
        *ret_other = true;
    } else {
        push_boot(entry);
    }
    return 0;
}

static void take_clock(xt_host_entry *entry, int64_t offset_ms)
{
    xt_host *h = &entry->host;
    int64_t jump_ms = offset_ms - h->clock_offset_ms;

    if (!h->clock_known || jump_ms > CLOCK_STEP_MS || jump_ms < -CLOCK_STEP_MS) {
        entry->clock_best_ms = entry->clock_before_ms = offset_ms;
        entry->n_clock = 0;
    } else if (entry->n_clock++ % CLOCK_SAMPLES == 0) {
        entry->clock_before_ms = entry->n_clock == 1 ? offset_ms : entry->clock_best_ms;
        entry->clock_best_ms = offset_ms;
    } else if (offset_ms > entry->clock_best_ms) {
        entry->clock_best_ms = offset_ms;
    }
    h->clock_known = true;
    h->clock_offset_ms = entry->clock_best_ms > entry->clock_before_ms ? entry->clock_best_ms : entry->clock_before_ms;
}

/* The last of that kind that waits to be written; NULL: there is none. */
static xt_gap *waiting_of(xt_host_entry *entry, xt_gap_kind kind)
{
    for (size_t at = entry->gaps.n; at > 0; at -= sizeof(xt_found_gap)) {
        xt_found_gap *found = (xt_found_gap *)(void *)(entry->gaps.p + at) - 1;
        if (found->gap.kind == kind)
            return &found->gap;
    }
    return NULL;
}

static void keep_gap(xt_hosts *hosts, xt_host_entry *entry, const xt_gap *gap)
{
    bool joins = !xt_pace_take(&entry->rows, ROWS, ROWS_MS, xt_clock_wall_ms(hosts->clock));
    xt_gap *before = joins ? waiting_of(entry, gap->kind) : NULL;
    const xt_found_gap found = {.gap = *gap, .joins = joins};

    if (!before) {
        xt_buf_put(&entry->gaps, xt_slice_of(&found, sizeof found));
        return;
    }
    before->from_ms = gap->from_ms < before->from_ms ? gap->from_ms : before->from_ms;
    before->to_ms = gap->to_ms > before->to_ms ? gap->to_ms : before->to_ms;
    before->n += gap->n;
}

static void take_gaps(xt_hosts *hosts, xt_host_entry *entry, const xt_gap *gaps, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        keep_gap(hosts, entry, &gaps[i]);
        if (gaps[i].kind == XT_GAP_STREAM || !xt_gap_counts(gaps[i].kind))
            note_gap(hosts, entry, &gaps[i]);
    }
}

static void take_hello(xt_hosts *hosts, xt_host_entry *entry, const xt_hello *hello, const char *address)
{
    xt_host *h = &entry->host;
    xt_gap gaps[XT_GAPS_AT_ONCE];
    unsigned n_gaps = xt_coverage_hello(&h->coverage, !text_eq(h->boot_id, hello->boot_id), hello->stream,
                                        xt_clock_wall_ms(hosts->clock), gaps);

    take_gaps(hosts, entry, gaps, n_gaps);
    rename_entry(hosts, entry, hello->host_name);
    xt_text_copy(h->boot_id, sizeof h->boot_id, hello->boot_id);
    if (hello->machine_id.n)
        xt_text_copy(h->machine_id, sizeof h->machine_id, hello->machine_id);
    xt_text_copy(h->agent_version, sizeof h->agent_version, hello->agent_version);
    xt_text_copy(h->os, sizeof h->os, hello->os);
    xt_text_copy(h->audit_mode, sizeof h->audit_mode, hello->audit_mode);
    xt_text_copy(h->completeness, sizeof h->completeness, hello->completeness);
    xt_text_copy(h->address, sizeof h->address, xt_slice_str(address));
    h->last_seen_ms = xt_clock_wall_ms(hosts->clock);
    if (hello->clock_ms)
        take_clock(entry, (int64_t)hello->clock_ms - h->last_seen_ms);
    h->connected = true;
    h->refused[0] = '\0';
    h->refused_ms = 0;
    entry->dirty = true;
}

uint64_t xt_hosts_hello(xt_hosts *hosts, const xt_hello *hello, const char *address, bool *ret_other)
{
    uint64_t reason;

    *ret_other = false;
    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = xt_hosts_find(hosts, hello->host_id);
    if (!entry || entry->host.imported)
        reason = XT_REFUSED_UNKNOWN;
    else if (entry->host.revoked)
        reason = XT_REFUSED_REVOKED;
    else if (entry->host.quarantined)
        reason = XT_REFUSED_QUARANTINED;
    else
        reason = judge_machine(hosts, entry, hello, address, ret_other);
    if (reason == 0)
        take_hello(hosts, entry, hello, address);
    pthread_mutex_unlock(&hosts->lock);
    return reason;
}

void xt_hosts_certificate(xt_hosts *hosts, xt_slice id, const char *ca, int64_t to_ms, const char *key)
{
    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = xt_hosts_find(hosts, id);
    if (entry) {
        xt_text_copy(entry->host.ca, sizeof entry->host.ca, xt_slice_str(ca));
        entry->host.cert_to_ms = to_ms;
        xt_text_copy(entry->key, sizeof entry->key, xt_slice_str(key));
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

void xt_hosts_refused(xt_hosts *hosts, xt_slice id, uint64_t reason)
{
    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = xt_hosts_find(hosts, id);
    bool proven =
        reason != XT_REFUSED_CA && reason != XT_REFUSED_IDENTITY; /* else anybody may say that it is this host */
    if (entry && !entry->host.imported && (proven || !entry->host.connected)) {
        xt_text_copy(entry->host.refused, sizeof entry->host.refused, xt_slice_str(xt_refusal_words_get(reason)->name));
        entry->host.refused_ms = xt_clock_wall_ms(hosts->clock);
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

/* More than any agent sends: numbers of heartbeats go on from the one before, so what is passed over stands in the next. */
static bool is_beat_due(xt_hosts *hosts, xt_host_entry *entry, int64_t now_ms)
{
    char text[160];
    bool is_due = xt_pace_take(&entry->beats, BEATS, BEATS_MS, now_ms);

    entry->n_beats_over += !is_due;
    if (entry->n_beats_over == 0 || (entry->over_noted_ms && now_ms - entry->over_noted_ms < OVER_AGAIN_MS))
        return is_due;
    entry->over_noted_ms = now_ms;
    snprintf(text, sizeof text, "more than two heartbeats a second came: %llu were passed over",
             (unsigned long long)entry->n_beats_over);
    entry->n_beats_over = 0;
    xt_hosts_note(hosts, &entry->host, "heartbeats-over", XT_S_NULL, text);
    return is_due;
}

void xt_hosts_heartbeat(xt_hosts *hosts, xt_slice id, const xt_heartbeat *beat)
{
    xt_gap gaps[XT_GAPS_AT_ONCE];

    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = xt_hosts_find(hosts, id);
    if (entry && is_beat_due(hosts, entry, xt_clock_wall_ms(hosts->clock))) {
        xt_host *h = &entry->host;
        h->last_seen_ms = xt_clock_wall_ms(hosts->clock);
        take_gaps(hosts, entry, gaps, xt_coverage_beat(&h->coverage, beat, h->last_seen_ms, gaps));
        h->enabled = beat->enabled;
        h->audit_pid = beat->audit_pid;
        h->lost = beat->lost_since_start;
        h->backlog = beat->backlog;
        h->spool_batches = beat->spool_batches;
        h->spool_dropped = beat->spool_dropped_events;
        h->spool_bytes = beat->spool_bytes;
        h->spool_max_bytes = beat->spool_max_bytes;
        h->n_flood = beat->n_flood;
        h->cpu_us = beat->cpu_us;
        h->rss_bytes = beat->rss_bytes;
        if (beat->sent_ms)
            take_clock(entry, (int64_t)beat->sent_ms - h->last_seen_ms);
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
    xt_host_entry *entry = xt_hosts_find(hosts, id);
    if (entry) {
        entry->host.connected = false;
        entry->host.last_seen_ms = xt_clock_wall_ms(hosts->clock);
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

static xt_host_entry *add_imported(xt_hosts *hosts, xt_slice id, xt_slice name)
{
    xt_host_entry *entry = calloc(1, sizeof *entry);

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

/* Says it at the first, and once an hour, with a name. */
static xt_host_entry *rest_of(xt_hosts *hosts, xt_slice name)
{
    char id[33], text[512];
    int64_t now_ms = xt_clock_wall_ms(hosts->clock);

    xt_hash128_format(xt_event_import_host_id(XT_S(XT_HOSTS_REST)), id);
    xt_host_entry *rest = xt_hosts_find(hosts, xt_slice_of(id, 32));
    if (!rest)
        rest = add_imported(hosts, xt_slice_of(id, 32), XT_S(XT_HOSTS_REST));
    if (!rest || (hosts->over_noted_ms && now_ms - hosts->over_noted_ms < OVER_AGAIN_MS))
        return rest;
    hosts->over_noted_ms = now_ms;
    snprintf(text, sizeof text,
             "%zu hosts without an agent are known, and no more get a row of their own; events of others are stored "
             "and counted here, now those of %.*s",
             hosts->max_imported, (int)(name.n < 255 ? name.n : 255), name.p);
    xt_hosts_note(hosts, &rest->host, "hosts-over", XT_S_NULL, text);
    return rest;
}

void xt_hosts_count(xt_hosts *hosts, xt_slice id, xt_slice name, uint64_t n_events, int64_t last_event_ms)
{
    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = xt_hosts_find(hosts, id);
    if (!entry)
        entry = hosts->n_imported < hosts->max_imported ? add_imported(hosts, id, name) : rest_of(hosts, name);
    if (entry) {
        entry->host.n_events += n_events;
        if (last_event_ms > entry->host.last_event_ms)
            entry->host.last_event_ms = last_event_ms;
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

size_t xt_hosts_n_enrolled(xt_hosts *hosts)
{
    size_t n = 0;

    pthread_mutex_lock(&hosts->lock);
    for (size_t i = 0; i < hosts->n; i++)
        n += !hosts->entries[i]->host.imported && !hosts->entries[i]->host.revoked;
    pthread_mutex_unlock(&hosts->lock);
    return n;
}

bool xt_hosts_id_of(xt_hosts *hosts, xt_slice name, char ret_id[static 33])
{
    pthread_mutex_lock(&hosts->lock);
    const xt_host_entry *entry = xt_hosts_named(hosts, name, XT_HOSTS_WELCOME);
    if (entry)
        xt_text_copy(ret_id, 33, xt_host_entry_id(entry));
    pthread_mutex_unlock(&hosts->lock);
    return entry != NULL;
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

/* Copies the next dirty host out from *i on, and takes its gaps; false at the end. */
static bool next_dirty(xt_hosts *hosts, size_t *i, xt_host_entry *ret)
{
    bool found = false;

    pthread_mutex_lock(&hosts->lock);
    for (; *i < hosts->n && !found; ++*i) {
        xt_host_entry *entry = hosts->entries[*i];
        found = entry->dirty;
        if (found) {
            entry->dirty = false;
            *ret = *entry;
            entry->gaps = XT_BUF_INIT;
        }
    }
    pthread_mutex_unlock(&hosts->lock);
    return found;
}

/* What was not written is to be written another time. */
static void give_back(xt_hosts *hosts, xt_host_entry *taken)
{
    pthread_mutex_lock(&hosts->lock);
    xt_host_entry *entry = xt_hosts_find(hosts, xt_host_entry_id(taken));
    if (entry) {
        xt_buf_put(&taken->gaps, xt_buf_slice(&entry->gaps));
        xt_buf_fini(&entry->gaps);
        entry->gaps = taken->gaps;
        entry->dirty = true;
    }
    pthread_mutex_unlock(&hosts->lock);
}

/* The host and what its coverage lacks, inside a transaction: the numbers of both have to agree. */
static int save_all(xt_hosts *hosts, const xt_host_entry *entry, xt_problem *reterr_problem)
{
    int r = xt_host_entry_save(hosts, entry, reterr_problem);

    for (size_t at = 0; r == 0 && at < entry->gaps.n; at += sizeof(xt_found_gap)) {
        const xt_found_gap *found = (const xt_found_gap *)(const void *)(entry->gaps.p + at);
        r = xt_host_gap_save(hosts->state, entry->host.id, &found->gap, found->joins, reterr_problem);
    }
    return xt_error_trace(r);
}

/* A transaction of some hosts. *ret_n: how many were taken, to be written or given back. */
static int flush_some(xt_hosts *hosts, size_t *i, xt_host_entry *taken, size_t *ret_n, xt_problem *reterr_problem)
{
    size_t n = 0;
    int r = xt_state_begin(hosts->state, reterr_problem);

    while (r == 0 && n < FLUSH_ROWS && next_dirty(hosts, i, &taken[n]))
        r = save_all(hosts, &taken[n++], reterr_problem);
    *ret_n = n;
    return r && n == 0 ? r : xt_state_end(hosts->state, r, reterr_problem);
}

int xt_hosts_flush(xt_hosts *hosts, xt_problem *reterr_problem)
{
    xt_host_entry *taken = calloc(FLUSH_ROWS, sizeof *taken);
    size_t i = 0, n = FLUSH_ROWS;
    int r = taken ? 0 : xt_error_origin(-ENOMEM);

    while (r == 0 && n == FLUSH_ROWS) {
        r = flush_some(hosts, &i, taken, &n, reterr_problem);
        for (size_t k = 0; k < n && r; k++)
            give_back(hosts, &taken[k]);
        for (size_t k = 0; k < n && !r; k++)
            xt_buf_fini(&taken[k].gaps);
    }
    free(taken);
    return xt_error_trace(r);
}
