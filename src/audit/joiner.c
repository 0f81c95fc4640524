/*
 * Open groups stand in a hash table by (node, time, serial) and in a list by their last record, oldest first, which
 * is what time and bounds take from. A finished group moves to a queue until `next` gives it out, then its memory
 * goes back to the pools.
 *
 * Records of one event mostly follow each other, so the group of the last record is tried before the table.
 * Where their memory comes from: group_pool.c.
 *
 * Groups that had their PROCTITLE stand in a list of their node, lowest serial first: a record of serial s ends
 * those below s, after which all that are left lie above s, so its own group is always added in front.
 *
 * Keys given out are remembered as hashes in small sets, newest first: a bounded memory without upkeep. A hash is
 * seeded, so nobody can choose keys that collide.
 */
#include "audit/joiner.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <sys/random.h>

#include "audit/group_pool.h"
#include "base/map.h"

#define RECENT_WAYS      8           /* one cache line */
#define RECENT_PROCTITLE UINT64_C(1) /* lowest bit of a remembered hash: the group had its PROCTITLE */

/* Where records come from; lives as long as a group refers to it. */
typedef struct node {
    xt_slice name;
    size_t n_groups;
    xt_link titled; /* groups that wait for a later serial */
} node;

struct xt_joiner {
    xt_joiner_settings settings;
    xt_joiner_stats stats;
    int64_t now_ms;
    uint64_t seed;
    size_t n_open;
    size_t n_bytes; /* of open groups */

    xt_open_group **table;
    size_t table_mask;
    xt_link open, finished;
    xt_open_group *last;  /* of the record before this one, NULL when it was finished */
    xt_open_group *given; /* what next gave out */
    xt_group view;

    node anonymous; /* records without node= */
    node *last_node;
    xt_map nodes;

    unsigned copy; /* how often what was given out was forgotten */
    xt_group_pool pool;
    size_t n_recent_sets;
    uint64_t (*recent)[RECENT_WAYS];
};

/* ---- nodes ---- */

static node *node_find(xt_joiner *joiner, xt_slice name)
{
    if (xt_slice_eq(joiner->last_node->name, name))
        return joiner->last_node;
    node *found = name.n == 0 ? &joiner->anonymous : xt_map_find(&joiner->nodes, name);
    if (found)
        joiner->last_node = found;
    return found;
}

static node *node_new(xt_joiner *joiner, xt_slice name)
{
    node *n = malloc(sizeof *n + name.n);
    if (!n)
        return NULL;
    memcpy(n + 1, name.p, name.n);
    *n = (node){.name = xt_slice_of(n + 1, name.n)};
    xt_list_init(&n->titled);
    if (xt_map_put(&joiner->nodes, n->name, n, NULL) < 0) {
        free(n);
        return NULL;
    }
    return n;
}

static void node_unref(xt_joiner *joiner, node *n)
{
    if (--n->n_groups > 0 || n == &joiner->anonymous)
        return;
    if (joiner->last_node == n)
        joiner->last_node = &joiner->anonymous;
    (void)xt_map_remove(&joiner->nodes, n->name);
    free(n);
}

/* ---- recently given out ---- */

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint64_t key_hash(const xt_joiner *joiner, const xt_record *record)
{
    uint64_t h = mix(mix(joiner->seed ^ (uint64_t)record->time_ms) + record->serial);
    return record->node.n > 0 ? mix(h + xt_slice_hash(record->node)) : h;
}

static size_t recent_set(const xt_joiner *joiner, uint64_t hash)
{
    return (hash >> 32) & (joiner->n_recent_sets - 1);
}

static const uint64_t *recent_find(const xt_joiner *joiner, uint64_t hash)
{
    const uint64_t *set = joiner->recent[recent_set(joiner, hash)];
    for (size_t i = 0; i < RECENT_WAYS; i++)
        if (((set[i] ^ hash) & ~RECENT_PROCTITLE) == 0)
            return &set[i];
    return NULL;
}

static void recent_put(xt_joiner *joiner, const xt_open_group *g)
{
    uint64_t *set = joiner->recent[recent_set(joiner, g->hash)];
    const uint64_t *known = recent_find(joiner, g->hash);
    if (known) {
        set[known - set] |= g->has_proctitle ? RECENT_PROCTITLE : 0;
        return;
    }
    memmove(set + 1, set, (RECENT_WAYS - 1) * sizeof *set);
    set[0] = (g->hash & ~RECENT_PROCTITLE) | (g->has_proctitle ? RECENT_PROCTITLE : 0);
}

/* ---- groups ---- */

static bool is_of(const xt_open_group *g, const xt_record *record)
{
    return g->serial == record->serial && g->time_ms == record->time_ms && xt_slice_eq(g->node->name, record->node);
}

static xt_open_group *group_find(const xt_joiner *joiner, uint64_t hash, const xt_record *record)
{
    xt_open_group *g = joiner->table[hash & joiner->table_mask];
    while (g && !(g->hash == hash && is_of(g, record)))
        g = g->chain;
    return g;
}

static void table_remove(xt_joiner *joiner, const xt_open_group *g)
{
    xt_open_group **at = &joiner->table[g->hash & joiner->table_mask];
    while (*at != g)
        at = &(*at)->chain;
    *at = g->chain;
}

/* Open, in the table. */
static xt_open_group *group_new(xt_joiner *joiner, uint64_t hash, const xt_record *record)
{
    node *n = node_find(joiner, record->node);
    if (!n)
        n = node_new(joiner, record->node);
    if (!n)
        return NULL;
    n->n_groups++;
    xt_open_group *g = xt_group_pool_take(&joiner->pool);
    if (!g) {
        node_unref(joiner, n);
        return NULL;
    }
    g->hash = hash;
    g->node = n;
    g->time_ms = record->time_ms;
    g->serial = record->serial;
    g->copy = joiner->copy;
    xt_open_group **at = &joiner->table[hash & joiner->table_mask];
    g->chain = *at;
    *at = g;
    xt_list_append(&joiner->open, &g->order);
    joiner->n_open++;
    return g;
}

/* The group is in no list any more. */
static void group_recycle(xt_joiner *joiner, xt_open_group *g)
{
    node_unref(joiner, g->node);
    xt_group_pool_give(&joiner->pool, g);
}

/* Open to finished. A group that never got a record (memory was out) leaves no trace. */
static void group_finish(xt_joiner *joiner, xt_open_group *g, unsigned flag)
{
    table_remove(joiner, g);
    xt_list_unlink(&g->order);
    xt_list_unlink(&g->titled);
    joiner->n_open--;
    joiner->n_bytes -= g->n_bytes;
    if (joiner->last == g)
        joiner->last = NULL;
    if (g->n_records == 0 && g->n_dropped == 0) {
        group_recycle(joiner, g);
        return;
    }
    g->flags |= flag;
    recent_put(joiner, g);
    xt_list_append(&joiner->finished, &g->order);
    joiner->stats.n_groups++;
    joiner->stats.n_eoe += flag == XT_GROUP_EOE;
    joiner->stats.n_timeout += flag == XT_GROUP_TIMEOUT;
    joiner->stats.n_evicted += flag == XT_GROUP_EVICTED;
}

static void group_drop(xt_joiner *joiner, xt_open_group *g)
{
    joiner->stats.n_truncated += g->n_dropped == 0;
    g->flags |= XT_GROUP_TRUNCATED;
    g->n_dropped++;
}

static int group_add(xt_joiner *joiner, xt_open_group *g, const xt_record *record)
{
    size_t n_bytes = record->body.n + record->enriched.n + sizeof *record;
    if (g->n_dropped > 0 || g->n_bytes + n_bytes > joiner->settings.max_group_bytes) {
        group_drop(joiner, g);
        return 0;
    }
    int r = xt_group_pool_copy(&joiner->pool, g, record, g->node->name);
    if (r < 0)
        return xt_error_trace(r);
    g->flags |= record->flags & XT_RECORD_CUT ? XT_GROUP_CUT : 0;
    g->n_bytes += n_bytes;
    joiner->n_bytes += n_bytes;
    return 0;
}

/* ---- rules of the end ---- */

static bool is_single(uint16_t type)
{
    return (type >= AUDIT_FIRST_USER_MSG && type < AUDIT_SYSCALL) || (type >= AUDIT_KERNEL && type <= 2999);
}

static bool is_later(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static void finish_titled(xt_joiner *joiner, const xt_record *record)
{
    /* auditd counts its own messages from another number */
    if (record->type >= AUDIT_DAEMON_START && record->type < AUDIT_SYSCALL)
        return;
    node *n = node_find(joiner, record->node);
    while (n && !xt_list_is_empty(&n->titled)) {
        xt_open_group *g = XT_GROUP_OF(n->titled.next, titled);
        if (!is_later(record->serial, g->serial))
            return;
        group_finish(joiner, g, 0);
    }
}

/* After its PROCTITLE nothing is missing but the end mark, which texts never have. */
static unsigned time_flag(const xt_open_group *g)
{
    return g->has_proctitle ? 0 : XT_GROUP_TIMEOUT;
}

static void finish_expired(xt_joiner *joiner)
{
    while (!xt_list_is_empty(&joiner->open)) {
        xt_open_group *g = XT_GROUP_OF(joiner->open.next, order);
        if (joiner->now_ms - g->touched_ms < joiner->settings.timeout_ms)
            return;
        group_finish(joiner, g, time_flag(g));
    }
}

/* Until the bounds are kept again; `keep` is the group at hand. */
static void evict(xt_joiner *joiner, const xt_open_group *keep)
{
    while (joiner->n_open > joiner->settings.max_groups || joiner->n_bytes > joiner->settings.max_bytes) {
        xt_open_group *oldest = XT_GROUP_OF(joiner->open.next, order);
        if (xt_list_is_empty(&joiner->open) || oldest == keep)
            return;
        group_finish(joiner, oldest, XT_GROUP_EVICTED);
    }
}

/* A record whose group is not open: is it too late for it? */
static bool is_late(xt_joiner *joiner, uint64_t hash, bool *ret_has_proctitle)
{
    const uint64_t *known = recent_find(joiner, hash);
    *ret_has_proctitle = known && (*known & RECENT_PROCTITLE);
    return known != NULL;
}

static int push_first(xt_joiner *joiner, uint64_t hash, const xt_record *record)
{
    bool has_proctitle, late = is_late(joiner, hash, &has_proctitle);
    if (record->type == AUDIT_EOE || (late && has_proctitle && record->type == AUDIT_PROCTITLE))
        return 0;
    xt_open_group *g = group_new(joiner, hash, record);
    if (!g)
        return xt_error_origin(-ENOMEM);
    joiner->last = g;
    g->touched_ms = joiner->now_ms;
    g->has_proctitle = record->type == AUDIT_PROCTITLE;
    int r = group_add(joiner, g, record);
    if (r < 0 || late || is_single(record->type)) {
        joiner->stats.n_late += late && r == 0;
        group_finish(joiner, g, late ? XT_GROUP_LATE : 0);
        evict(joiner, NULL);
        return r < 0 ? r : late ? XT_JOINER_E_LATE : 0;
    }
    if (g->has_proctitle)
        xt_list_insert(&g->node->titled, &g->titled);
    evict(joiner, g);
    return 0;
}

/* A group that another copy of the log left open: what that had of it is not to be there twice. */
static bool is_repeated(const xt_joiner *joiner, const xt_open_group *g, const xt_record *record)
{
    for (size_t i = 0; g->copy != joiner->copy && i < g->n_records; i++)
        if (g->records[i].type == record->type && xt_slice_eq(g->records[i].body, record->body))
            return true;
    return false;
}

static int push_next(xt_joiner *joiner, xt_open_group *g, const xt_record *record)
{
    joiner->last = g;
    if (is_repeated(joiner, g, record))
        return 0;
    if (record->type == AUDIT_EOE) {
        group_finish(joiner, g, XT_GROUP_EOE);
        return 0;
    }
    int r = group_add(joiner, g, record);
    if (r < 0)
        return xt_error_trace(r);
    g->touched_ms = joiner->now_ms;
    xt_list_unlink(&g->order);
    xt_list_append(&joiner->open, &g->order);
    if (record->type == AUDIT_PROCTITLE && !g->has_proctitle) {
        g->has_proctitle = true;
        xt_list_insert(&g->node->titled, &g->titled);
    }
    evict(joiner, g);
    return 0;
}

static void see_time(xt_joiner *joiner, int64_t now_ms)
{
    if (now_ms > joiner->now_ms)
        joiner->now_ms = now_ms;
}

/* ---- the outside ---- */

static void settings_complete(xt_joiner_settings *s)
{
    s->timeout_ms = s->timeout_ms ? s->timeout_ms : 2000;
    s->max_groups = s->max_groups ? s->max_groups : 16384;
    s->max_bytes = s->max_bytes ? s->max_bytes : (size_t)64 << 20;
    s->max_group_bytes = s->max_group_bytes ? s->max_group_bytes : (size_t)16 << 20;
    s->max_recent = s->max_recent ? s->max_recent : 65536;
    if (s->max_group_bytes > s->max_bytes)
        s->max_group_bytes = s->max_bytes;
}

static size_t table_size(size_t max_groups)
{
    size_t n = 64;
    while (n < max_groups && n < (1u << 20))
        n *= 2;
    return n;
}

int xt_joiner_new(const xt_joiner_settings *settings, xt_joiner **ret)
{
    xt_joiner *joiner = calloc(1, sizeof *joiner);
    if (!joiner)
        return xt_error_origin(-ENOMEM);
    joiner->settings = settings ? *settings : (xt_joiner_settings){0};
    settings_complete(&joiner->settings);
    joiner->now_ms = INT64_MIN / 2;
    joiner->table_mask = table_size(joiner->settings.max_groups) - 1;
    joiner->table = calloc(joiner->table_mask + 1, sizeof(xt_open_group *));
    joiner->n_recent_sets = table_size(joiner->settings.max_recent) / RECENT_WAYS;
    joiner->recent = calloc(joiner->n_recent_sets, sizeof *joiner->recent);
    if (!joiner->table || !joiner->recent) {
        free(joiner->table);
        free(joiner->recent);
        free(joiner);
        return xt_error_origin(-ENOMEM);
    }
    if (getrandom(&joiner->seed, sizeof joiner->seed, GRND_NONBLOCK) != sizeof joiner->seed)
        joiner->seed = (uintptr_t)joiner;
    xt_list_init(&joiner->open);
    xt_list_init(&joiner->finished);
    xt_list_init(&joiner->anonymous.titled);
    joiner->last_node = &joiner->anonymous;
    *ret = joiner;
    return 0;
}

static void list_destroy(xt_joiner *joiner, xt_link *list)
{
    while (!xt_list_is_empty(list)) {
        xt_open_group *g = XT_GROUP_OF(list->next, order);
        xt_list_unlink(&g->order);
        xt_list_unlink(&g->titled);
        group_recycle(joiner, g);
    }
}

xt_joiner *xt_joiner_free(xt_joiner *joiner)
{
    if (!joiner)
        return NULL;
    if (joiner->given)
        group_recycle(joiner, joiner->given);
    list_destroy(joiner, &joiner->open);
    list_destroy(joiner, &joiner->finished);
    xt_group_pool_fini(&joiner->pool);
    xt_map_fini(&joiner->nodes);
    free(joiner->table);
    free(joiner->recent);
    free(joiner);
    return NULL;
}

int xt_joiner_push(xt_joiner *joiner, const xt_record *record, int64_t now_ms)
{
    see_time(joiner, now_ms);
    joiner->stats.n_records++;
    if (joiner->last && is_of(joiner->last, record))
        return push_next(joiner, joiner->last, record);
    finish_titled(joiner, record);
    uint64_t hash = key_hash(joiner, record);
    __builtin_prefetch(joiner->recent[recent_set(joiner, hash)]); /* looked at when the table has no such group */
    xt_open_group *g = group_find(joiner, hash, record);
    return g ? push_next(joiner, g, record) : push_first(joiner, hash, record);
}

const xt_group *xt_joiner_next(xt_joiner *joiner, int64_t now_ms)
{
    see_time(joiner, now_ms);
    if (joiner->given)
        group_recycle(joiner, joiner->given);
    joiner->given = NULL;
    finish_expired(joiner);
    if (xt_list_is_empty(&joiner->finished))
        return NULL;
    xt_open_group *g = XT_GROUP_OF(joiner->finished.next, order);
    xt_list_unlink(&g->order);
    joiner->given = g;
    joiner->view = (xt_group){.time_ms = g->time_ms, .serial = g->serial, .flags = g->flags, .node = g->node->name};
    joiner->view.records = g->records;
    joiner->view.n_records = g->n_records;
    joiner->view.n_dropped = g->n_dropped;
    return &joiner->view;
}

void xt_joiner_finish(xt_joiner *joiner)
{
    while (!xt_list_is_empty(&joiner->open)) {
        xt_open_group *g = XT_GROUP_OF(joiner->open.next, order);
        group_finish(joiner, g, time_flag(g));
    }
}

void xt_joiner_finish_titled(xt_joiner *joiner)
{
    xt_link *next;
    for (xt_link *link = joiner->open.next; link != &joiner->open; link = next) {
        xt_open_group *g = XT_GROUP_OF(link, order);
        next = link->next;
        if (g->has_proctitle)
            group_finish(joiner, g, 0);
    }
}

int xt_joiner_open_each(const xt_joiner *joiner, int (*each)(void *context, const xt_record *record), void *context)
{
    int r = 0;
    for (xt_link *link = joiner->open.next; link != &joiner->open && r == 0; link = link->next) {
        const xt_open_group *g = XT_GROUP_OF(link, order);
        for (size_t i = 0; i < g->n_records && r == 0; i++)
            r = each(context, &g->records[i]);
    }
    return r;
}

bool xt_joiner_is_open(const xt_joiner *joiner, const xt_record *record)
{
    return group_find(joiner, key_hash(joiner, record), record) != NULL;
}

bool xt_joiner_is_late(const xt_joiner *joiner, const xt_record *record)
{
    uint64_t hash = key_hash(joiner, record);
    return !group_find(joiner, hash, record) && recent_find(joiner, hash);
}

void xt_joiner_forget(xt_joiner *joiner)
{
    memset(joiner->recent, 0, joiner->n_recent_sets * sizeof *joiner->recent);
    joiner->copy++;
}

size_t xt_joiner_open_bytes(const xt_joiner *joiner)
{
    return joiner->n_bytes;
}

xt_joiner_stats xt_joiner_stats_get(const xt_joiner *joiner)
{
    return joiner->stats;
}
