/*
 * Open groups stand in a hash table by (node, time, serial) and in a list by their last record, oldest first, which
 * is what time and bounds take from. A finished group moves to a queue until `next` gives it out, then its memory
 * goes back to the pools.
 *
 * Records of one event mostly follow each other, so the group of the last record is tried before the table.
 * Text is copied into a chain of blocks that belongs to the group: nothing moves, and one pass frees all. The first
 * block holds a common event; each further one doubles, so that a group of n bytes takes less than 2 n.
 *
 * Groups that had their PROCTITLE stand in a list of their node, lowest serial first: a record of serial s ends
 * those below s, after which all that are left lie above s, so its own group is always added in front.
 *
 * Keys given out are remembered as hashes in small sets, newest first: a bounded memory without upkeep. A hash is
 * seeded, so nobody can choose keys that collide.
 */
#include "audit/joiner.h"

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/map.h"

#define FIRST_BLOCK_BYTES 4096u
#define N_BLOCK_CLASSES   5 /* 4, 8, 16, 32, 64 KiB; a longer record gets a block of its own */
#define POOL_MAX_BYTES    (1u << 20)
#define POOL_MAX_GROUPS   256
#define FIRST_RECORDS     16
#define RECENT_WAYS       8 /* one cache line */
#define RECENT_SETS       2048
#define RECENT_PROCTITLE  UINT64_C(1) /* lowest bit of a remembered hash: the group had its PROCTITLE */

typedef struct block {
    struct block *next;
    uint32_t class; /* N_BLOCK_CLASSES: not pooled */
    size_t cap, used;
    char bytes[];
} block;

typedef struct link {
    struct link *previous, *next;
} link;

/* Where records come from; lives as long as a group refers to it. */
typedef struct node {
    xt_slice name;
    size_t n_groups;
    link titled; /* groups that wait for a later serial */
} node;

typedef struct group {
    link order;  /* open groups by last record, or the finished queue, or the pool */
    link titled; /* in its node's list while it waits for a later serial; else unlinked */
    struct group *chain;
    uint64_t hash;
    node *node;
    int64_t time_ms;
    int64_t touched_ms;
    uint32_t serial;
    unsigned flags;
    bool has_proctitle;
    xt_record *records;
    size_t n_records, cap_records;
    size_t n_bytes; /* text and records, as counted against the limits */
    size_t n_dropped;
    block *blocks; /* the one in use first */
} group;

struct xt_joiner {
    xt_joiner_settings settings;
    xt_joiner_stats stats;
    int64_t now_ms;
    uint64_t seed;
    size_t n_open;
    size_t n_bytes; /* of open groups */

    group **table;
    size_t table_mask;
    link open, finished;
    group *last;  /* of the record before this one, NULL when it was finished */
    group *given; /* what next gave out */
    xt_group view;

    node anonymous; /* records without node= */
    node *last_node;
    xt_map nodes;

    block *pool[N_BLOCK_CLASSES];
    size_t pool_bytes;
    link pool_groups;
    size_t n_pool_groups;
    uint64_t recent[RECENT_SETS][RECENT_WAYS];
};

#define GROUP_OF(l, member) ((group *)(void *)((char *)(l)-offsetof(group, member)))

static void list_init(link *l)
{
    l->previous = l->next = l;
}

static bool list_is_empty(const link *l)
{
    return l->next == l;
}

static void list_unlink(link *l)
{
    l->previous->next = l->next;
    l->next->previous = l->previous;
    list_init(l);
}

static void list_insert(link *after, link *l)
{
    l->previous = after;
    l->next = after->next;
    l->next->previous = l;
    after->next = l;
}

static void list_append(link *list, link *l)
{
    list_insert(list->previous, l);
}

/* ---- blocks ---- */

static block *block_new(xt_joiner *joiner, uint32_t class, size_t need)
{
    size_t cap = (size_t)FIRST_BLOCK_BYTES << class;
    while (class < N_BLOCK_CLASSES && cap - sizeof(block) < need)
        cap = (size_t)FIRST_BLOCK_BYTES << ++class;
    if (class == N_BLOCK_CLASSES)
        cap = sizeof(block) + need;
    block *b = class < N_BLOCK_CLASSES ? joiner->pool[class] : NULL;
    if (b) {
        joiner->pool[class] = b->next;
        joiner->pool_bytes -= cap;
    } else {
        b = malloc(cap);
        if (!b)
            return NULL;
    }
    b->class = class;
    b->cap = cap - sizeof(block);
    b->used = 0;
    return b;
}

static void block_free(xt_joiner *joiner, block *b)
{
    size_t bytes = b->cap + sizeof(block);
    if (b->class == N_BLOCK_CLASSES || joiner->pool_bytes + bytes > POOL_MAX_BYTES) {
        free(b);
        return;
    }
    b->next = joiner->pool[b->class];
    joiner->pool[b->class] = b;
    joiner->pool_bytes += bytes;
}

/* Room for n bytes in the group, or NULL. */
static char *group_reserve(xt_joiner *joiner, group *g, size_t n)
{
    block *b = g->blocks;
    if (!b || b->cap - b->used < n) {
        uint32_t class = !b ? 0 : b->class + 1 < N_BLOCK_CLASSES ? b->class + 1 : N_BLOCK_CLASSES - 1;
        b = block_new(joiner, class, n);
        if (!b)
            return NULL;
        b->next = g->blocks;
        g->blocks = b;
    }
    char *p = b->bytes + b->used;
    b->used += n;
    return p;
}

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
    list_init(&n->titled);
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

static uint64_t key_hash(const xt_joiner *joiner, const xt_record *record)
{
    uint64_t h = joiner->seed ^ record->serial ^ (uint64_t)record->time_ms << 32 ^ (uint64_t)record->time_ms >> 32;
    if (record->node.n > 0)
        h += xt_slice_hash(record->node) ^ joiner->seed << 1;
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint64_t *recent_find(xt_joiner *joiner, uint64_t hash)
{
    uint64_t *set = joiner->recent[(hash >> 32) % RECENT_SETS];
    for (size_t i = 0; i < RECENT_WAYS; i++)
        if (((set[i] ^ hash) & ~RECENT_PROCTITLE) == 0)
            return &set[i];
    return NULL;
}

static void recent_put(xt_joiner *joiner, const group *g)
{
    uint64_t *set = joiner->recent[(g->hash >> 32) % RECENT_SETS], *known = recent_find(joiner, g->hash);
    if (known) {
        *known |= g->has_proctitle ? RECENT_PROCTITLE : 0;
        return;
    }
    memmove(set + 1, set, (RECENT_WAYS - 1) * sizeof *set);
    set[0] = (g->hash & ~RECENT_PROCTITLE) | (g->has_proctitle ? RECENT_PROCTITLE : 0);
}

/* ---- groups ---- */

static bool is_of(const group *g, const xt_record *record)
{
    return g->serial == record->serial && g->time_ms == record->time_ms && xt_slice_eq(g->node->name, record->node);
}

static group *group_find(xt_joiner *joiner, uint64_t hash, const xt_record *record)
{
    group *g = joiner->table[hash & joiner->table_mask];
    while (g && !(g->hash == hash && is_of(g, record)))
        g = g->chain;
    return g;
}

static void table_remove(xt_joiner *joiner, const group *g)
{
    group **at = &joiner->table[g->hash & joiner->table_mask];
    while (*at != g)
        at = &(*at)->chain;
    *at = g->chain;
}

static void group_destroy(group *g)
{
    if (g)
        free(g->records);
    free(g);
}

static group *group_alloc(xt_joiner *joiner)
{
    if (!list_is_empty(&joiner->pool_groups)) {
        group *g = GROUP_OF(joiner->pool_groups.next, order);
        list_unlink(&g->order);
        joiner->n_pool_groups--;
        return g;
    }
    group *g = calloc(1, sizeof *g);
    if (!g)
        return NULL;
    g->cap_records = FIRST_RECORDS;
    g->records = malloc(FIRST_RECORDS * sizeof *g->records);
    if (!g->records) {
        group_destroy(g);
        return NULL;
    }
    return g;
}

/* Open, in the table. */
static group *group_new(xt_joiner *joiner, uint64_t hash, const xt_record *record)
{
    node *n = node_find(joiner, record->node);
    if (!n)
        n = node_new(joiner, record->node);
    if (!n)
        return NULL;
    n->n_groups++;
    group *g = group_alloc(joiner);
    if (!g) {
        node_unref(joiner, n);
        return NULL;
    }
    xt_record *records = g->records;
    size_t cap = g->cap_records;
    *g = (group){.hash = hash, .node = n, .records = records, .cap_records = cap};
    g->time_ms = record->time_ms;
    g->serial = record->serial;
    list_init(&g->titled);
    group **at = &joiner->table[hash & joiner->table_mask];
    g->chain = *at;
    *at = g;
    list_append(&joiner->open, &g->order);
    joiner->n_open++;
    return g;
}

/* Everything back to the pools. The group is in no list. */
static void group_recycle(xt_joiner *joiner, group *g)
{
    for (block *b = g->blocks, *next; b; b = next) {
        next = b->next;
        block_free(joiner, b);
    }
    g->blocks = NULL;
    node_unref(joiner, g->node);
    if (joiner->n_pool_groups >= POOL_MAX_GROUPS || g->cap_records > 16 * FIRST_RECORDS) {
        group_destroy(g);
        return;
    }
    list_insert(&joiner->pool_groups, &g->order);
    joiner->n_pool_groups++;
}

/* Open to finished. A group that never got a record (memory was out) leaves no trace. */
static void group_finish(xt_joiner *joiner, group *g, unsigned flag)
{
    table_remove(joiner, g);
    list_unlink(&g->order);
    list_unlink(&g->titled);
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
    list_append(&joiner->finished, &g->order);
    joiner->stats.n_groups++;
    joiner->stats.n_eoe += flag == XT_GROUP_EOE;
    joiner->stats.n_timeout += flag == XT_GROUP_TIMEOUT;
    joiner->stats.n_evicted += flag == XT_GROUP_EVICTED;
}

static void group_drop(xt_joiner *joiner, group *g)
{
    joiner->stats.n_truncated += g->n_dropped == 0;
    g->flags |= XT_GROUP_TRUNCATED;
    g->n_dropped++;
}

static int group_grow(group *g)
{
    if (g->n_records < g->cap_records)
        return 0;
    xt_record *records = realloc(g->records, 2 * g->cap_records * sizeof *records);
    if (!records)
        return -ENOMEM;
    g->records = records;
    g->cap_records *= 2;
    return 0;
}

static int group_add(xt_joiner *joiner, group *g, const xt_record *record)
{
    size_t n_text = record->body.n + record->enriched.n, n_bytes = n_text + sizeof *record;
    if (g->n_dropped > 0 || g->n_bytes + n_bytes > joiner->settings.max_group_bytes) {
        group_drop(joiner, g);
        return 0;
    }
    if (group_grow(g) < 0)
        return xt_error_origin(-ENOMEM);
    char *text = group_reserve(joiner, g, n_text);
    if (!text)
        return xt_error_origin(-ENOMEM);
    xt_record *copy = &g->records[g->n_records++];
    *copy = *record;
    copy->node = g->node->name;
    copy->body.p = memcpy(text, record->body.n ? record->body.p : "", record->body.n);
    text += record->body.n;
    copy->enriched.p = memcpy(text, record->enriched.n ? record->enriched.p : "", record->enriched.n);
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
    while (n && !list_is_empty(&n->titled)) {
        group *g = GROUP_OF(n->titled.next, titled);
        if (!is_later(record->serial, g->serial))
            return;
        group_finish(joiner, g, 0);
    }
}

/* After its PROCTITLE nothing is missing but the end mark, which texts never have. */
static unsigned time_flag(const group *g)
{
    return g->has_proctitle ? 0 : XT_GROUP_TIMEOUT;
}

static void finish_expired(xt_joiner *joiner)
{
    while (!list_is_empty(&joiner->open)) {
        group *g = GROUP_OF(joiner->open.next, order);
        if (joiner->now_ms - g->touched_ms < joiner->settings.timeout_ms)
            return;
        group_finish(joiner, g, time_flag(g));
    }
}

/* Until the bounds are kept again; `keep` is the group at hand. */
static void evict(xt_joiner *joiner, const group *keep)
{
    while (joiner->n_open > joiner->settings.max_groups || joiner->n_bytes > joiner->settings.max_bytes) {
        group *oldest = GROUP_OF(joiner->open.next, order);
        if (list_is_empty(&joiner->open) || oldest == keep)
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
    group *g = group_new(joiner, hash, record);
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
        list_insert(&g->node->titled, &g->titled);
    evict(joiner, g);
    return 0;
}

static int push_next(xt_joiner *joiner, group *g, const xt_record *record)
{
    joiner->last = g;
    if (record->type == AUDIT_EOE) {
        group_finish(joiner, g, XT_GROUP_EOE);
        return 0;
    }
    int r = group_add(joiner, g, record);
    if (r < 0)
        return xt_error_trace(r);
    g->touched_ms = joiner->now_ms;
    list_unlink(&g->order);
    list_append(&joiner->open, &g->order);
    if (record->type == AUDIT_PROCTITLE && !g->has_proctitle) {
        g->has_proctitle = true;
        list_insert(&g->node->titled, &g->titled);
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
    joiner->table = calloc(joiner->table_mask + 1, sizeof(group *));
    if (!joiner->table) {
        free(joiner);
        return xt_error_origin(-ENOMEM);
    }
    if (getrandom(&joiner->seed, sizeof joiner->seed, GRND_NONBLOCK) != sizeof joiner->seed)
        joiner->seed = (uintptr_t)joiner;
    list_init(&joiner->open);
    list_init(&joiner->finished);
    list_init(&joiner->pool_groups);
    list_init(&joiner->anonymous.titled);
    joiner->last_node = &joiner->anonymous;
    *ret = joiner;
    return 0;
}

static void list_destroy(xt_joiner *joiner, link *list)
{
    while (!list_is_empty(list)) {
        group *g = GROUP_OF(list->next, order);
        list_unlink(&g->order);
        list_unlink(&g->titled);
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
    while (!list_is_empty(&joiner->pool_groups)) {
        group *g = GROUP_OF(joiner->pool_groups.next, order);
        list_unlink(&g->order);
        group_destroy(g);
    }
    for (size_t class = 0; class < N_BLOCK_CLASSES; class ++) {
        for (block *b = joiner->pool[class], *next; b; b = next) {
            next = b->next;
            free(b);
        }
    }
    xt_map_fini(&joiner->nodes);
    free(joiner->table);
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
    group *g = group_find(joiner, hash, record);
    return g ? push_next(joiner, g, record) : push_first(joiner, hash, record);
}

const xt_group *xt_joiner_next(xt_joiner *joiner, int64_t now_ms)
{
    see_time(joiner, now_ms);
    if (joiner->given)
        group_recycle(joiner, joiner->given);
    joiner->given = NULL;
    finish_expired(joiner);
    if (list_is_empty(&joiner->finished))
        return NULL;
    group *g = GROUP_OF(joiner->finished.next, order);
    list_unlink(&g->order);
    joiner->given = g;
    joiner->view = (xt_group){.time_ms = g->time_ms, .serial = g->serial, .flags = g->flags, .node = g->node->name};
    joiner->view.records = g->records;
    joiner->view.n_records = g->n_records;
    joiner->view.n_dropped = g->n_dropped;
    return &joiner->view;
}

void xt_joiner_finish(xt_joiner *joiner)
{
    while (!list_is_empty(&joiner->open)) {
        group *g = GROUP_OF(joiner->open.next, order);
        group_finish(joiner, g, time_flag(g));
    }
}

xt_joiner_stats xt_joiner_stats_get(const xt_joiner *joiner)
{
    return joiner->stats;
}
