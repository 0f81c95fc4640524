/*
 * Records of four nodes, of near serials across the wrap and of near stamps, in any order and at any time, through the
 * joiner and through a naive one, which keeps everything in a row and looks at all of it: the same groups come out, in
 * the same order, with the same records and the same flags. Three bytes are a step: node and type; serial; stamp, how far
 * the clock moves, whether anybody looks.
 */
#include <linux/audit.h>
#include <stdint.h>
#include <stdlib.h>

#include "audit/joiner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define MAX_STEPS  512
#define TIMEOUT_MS 2000

static void require(bool holds)
{
    if (!holds)
        abort();
}

typedef struct plain_group {
    xt_record key; /* node, stamp, serial */
    unsigned numbers[MAX_STEPS];
    unsigned n, flags;
    uint64_t touched, titled; /* when, by count of steps; 0: never */
    int64_t touched_ms;
    bool is_open, has_title, was_given;
} plain_group;

/* Every group there ever was, in the order of its first record; those that have ended in the order in which they did. */
typedef struct plain_joiner {
    plain_group groups[MAX_STEPS];
    plain_group *ended[MAX_STEPS];
    size_t n_groups, n_ended, n_given;
    uint64_t step;
    int64_t now_ms;
} plain_joiner;

static bool is_key(const xt_record *a, const xt_record *b)
{
    return a->serial == b->serial && a->time_ms == b->time_ms && xt_slice_eq(a->node, b->node);
}

static void plain_end(plain_joiner *j, plain_group *g, unsigned flag)
{
    g->is_open = false;
    g->flags |= flag;
    j->ended[j->n_ended++] = g;
}

/* The open one with a title below that serial: the lowest, of several the one that had its title last. */
static plain_group *plain_titled(plain_joiner *j, const xt_record *record)
{
    plain_group *found = NULL;
    for (plain_group *g = j->groups; g < j->groups + j->n_groups; g++) {
        if (!g->is_open || !g->has_title || !xt_slice_eq(g->key.node, record->node) ||
            (int32_t)(record->serial - g->key.serial) <= 0)
            continue;
        int32_t below = found ? (int32_t)(found->key.serial - g->key.serial) : 1;
        if (below > 0 || (below == 0 && g->titled > found->titled))
            found = g;
    }
    return found;
}

static void plain_add(plain_joiner *j, plain_group *g, const xt_record *record, unsigned number)
{
    g->numbers[g->n++] = number;
    g->touched = j->step;
    g->touched_ms = j->now_ms;
    if (record->type == AUDIT_PROCTITLE && !g->has_title) {
        g->has_title = true;
        g->titled = j->step;
    }
}

static void plain_push(plain_joiner *j, const xt_record *record, unsigned number)
{
    bool is_late = false, had_title = false;
    j->step++;
    if (record->type < AUDIT_DAEMON_START || record->type >= AUDIT_SYSCALL)
        for (plain_group *g; (g = plain_titled(j, record)) != NULL;)
            plain_end(j, g, 0);
    for (plain_group *g = j->groups; g < j->groups + j->n_groups; g++) {
        if (!is_key(&g->key, record))
            continue;
        if (g->is_open && record->type == AUDIT_EOE)
            plain_end(j, g, XT_GROUP_EOE);
        else if (g->is_open)
            plain_add(j, g, record, number);
        if (g->touched == j->step || record->type == AUDIT_EOE)
            return;
        is_late = true;
        had_title |= g->has_title;
    }
    if (record->type == AUDIT_EOE || (had_title && record->type == AUDIT_PROCTITLE))
        return;
    plain_group *g = &j->groups[j->n_groups++];
    *g = (plain_group){.key = *record, .is_open = true};
    plain_add(j, g, record, number);
    if (is_late || (record->type < AUDIT_SYSCALL && record->type >= AUDIT_FIRST_USER_MSG))
        plain_end(j, g, is_late ? XT_GROUP_LATE : 0);
}

static plain_group *plain_oldest(plain_joiner *j)
{
    plain_group *oldest = NULL;
    for (plain_group *g = j->groups; g < j->groups + j->n_groups; g++)
        if (g->is_open && (!oldest || g->touched < oldest->touched))
            oldest = g;
    return oldest;
}

static void plain_expire(plain_joiner *j, bool is_end)
{
    for (plain_group *g; (g = plain_oldest(j)) != NULL && (is_end || j->now_ms - g->touched_ms >= TIMEOUT_MS);)
        plain_end(j, g, g->has_title ? 0 : XT_GROUP_TIMEOUT);
}

static void check_group(const xt_group *group, const plain_group *plain)
{
    require(group->n_records == plain->n && group->flags == plain->flags && group->n_dropped == 0);
    require(group->serial == plain->key.serial && group->time_ms == plain->key.time_ms);
    require(xt_slice_eq(group->node, plain->key.node));
    for (size_t i = 0; i < group->n_records; i++) {
        uint64_t number;
        require(xt_slice_parse_u64(group->records[i].body, &number) && number == plain->numbers[i]);
        require(is_key(&group->records[i], &plain->key));
    }
}

static void take_all(xt_joiner *joiner, plain_joiner *plain)
{
    for (const xt_group *group; (group = xt_joiner_next(joiner, plain->now_ms)) != NULL;) {
        plain_expire(plain, false);
        require(plain->n_given < plain->n_ended);
        check_group(group, plain->ended[plain->n_given++]);
    }
    plain_expire(plain, false);
    require(plain->n_given == plain->n_ended);
}

static xt_record record_of(const uint8_t *step, unsigned number, char body[static 16])
{
    static const uint16_t types[] = {AUDIT_SYSCALL,   AUDIT_EXECVE, AUDIT_PATH,     AUDIT_CWD,
                                     AUDIT_PROCTITLE, AUDIT_EOE,    AUDIT_USER_AVC, AUDIT_DAEMON_START};
    static const char *const nodes[] = {"", "a", "b", "web-1.example"};
    xt_buf out = {.p = body, .cap = 16, .max_bytes = 16};
    xt_buf_put_dec(&out, number);
    return (xt_record){.type = types[step[0] >> 2 & 7],
                       .serial = UINT32_C(0xfffffff0) + (step[1] & 31),
                       .time_ms = 1700000000000 + (step[2] & 1),
                       .node = xt_slice_str(nodes[step[0] & 3]),
                       .body = xt_buf_slice(&out)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static plain_joiner plain;
    xt_joiner_settings settings = {.timeout_ms = TIMEOUT_MS, .max_groups = 2 * MAX_STEPS};
    xt_joiner *joiner;
    plain.n_groups = plain.n_ended = plain.n_given = 0;
    plain.step = 0;
    plain.now_ms = 1;
    require(xt_joiner_new(&settings, &joiner) == 0);
    for (unsigned number = 0; number < MAX_STEPS && n >= 3; number++, data += 3, n -= 3) {
        char body[16];
        xt_record record = record_of(data, number, body);
        plain.now_ms += (data[2] >> 2) * 40;
        plain_push(&plain, &record, number);
        require(xt_joiner_push(joiner, &record, plain.now_ms) >= 0);
        if (data[2] & 2)
            take_all(joiner, &plain);
    }
    take_all(joiner, &plain);
    xt_joiner_finish(joiner);
    plain_expire(&plain, true);
    take_all(joiner, &plain);
    xt_joiner_free(joiner);
    return 0;
}
