/*
 * How it works: a table of fixed size per kind, one place an id: a collision costs a question, never a wrong name. A
 * helper that let a question run into its bound is not asked again for a second, so that a dead name service slows
 * nothing down; its late answers are entered when they come.
 */
#include "agent/name_cache.h"

#include <errno.h>
#include <stdlib.h>

#include "agent/helper.h"

#define PLACES   512
#define REST_MS  1000
#define MAX_NAME 64

typedef struct place {
    uint32_t id;
    uint8_t n;
    bool used;
    int64_t until_ms;
    char name[MAX_NAME];
} place;

struct xt_name_cache {
    int fd;
    const xt_clock *clock;
    xt_name_source source;
    uint32_t number;
    int64_t rest_until_ms;
    struct {
        uint32_t number, id;
        xt_helper_kind kind;
    } asked[16]; /* by number modulo 16 */
    place users[PLACES], groups[PLACES];
};

static place *place_of(xt_name_cache *cache, xt_helper_kind kind, uint32_t id)
{
    place *all = kind == XT_HELPER_USER ? cache->users : cache->groups;
    return &all[(id * 2654435761u) >> 23 & (PLACES - 1)];
}

static void enter(xt_name_cache *cache, const xt_helper_answer *answer)
{
    unsigned slot = answer->number % XT_COUNT_OF(cache->asked);
    if (cache->asked[slot].number != answer->number || cache->asked[slot].kind != answer->kind)
        return;
    uint32_t id = cache->asked[slot].id;
    place *p = place_of(cache, answer->kind, id);
    *p = (place){.id = id, .used = true, .n = (uint8_t)(answer->data.n < MAX_NAME ? answer->data.n : 0)};
    p->until_ms = xt_clock_mono_ms(cache->clock) + (p->n ? XT_NAME_KEEP_MS : XT_NAME_UNKNOWN_MS);
    if (p->n)
        memcpy(p->name, answer->data.p, p->n);
}

static void ask(xt_name_cache *cache, xt_helper_kind kind, uint32_t id)
{
    uint32_t number = ++cache->number;
    char bytes[8];
    xt_buf data = XT_BUF_ON(bytes);
    xt_buf_put_u32(&data, id);
    cache->asked[number % XT_COUNT_OF(cache->asked)].number = number;
    cache->asked[number % XT_COUNT_OF(cache->asked)].id = id;
    cache->asked[number % XT_COUNT_OF(cache->asked)].kind = kind;
    int r = xt_helper_ask(cache->fd, kind, number, xt_buf_slice(&data));
    int64_t end_ms = xt_clock_mono_ms(cache->clock) + XT_NAME_WAIT_MS;
    xt_helper_answer answer = {.number = number - 1};
    while (r == 0 && answer.number != number) {
        int64_t left_ms = end_ms - xt_clock_mono_ms(cache->clock);
        r = left_ms > 0 ? xt_helper_take(cache->fd, (int)left_ms, &answer) : -EAGAIN;
        if (r == 0)
            enter(cache, &answer);
    }
    if (r < 0)
        cache->rest_until_ms = end_ms + REST_MS;
}

static xt_slice find(xt_name_cache *cache, xt_helper_kind kind, uint32_t id)
{
    place *p = place_of(cache, kind, id);
    int64_t now_ms = xt_clock_mono_ms(cache->clock);
    bool known = p->used && p->id == id;
    if ((!known || now_ms >= p->until_ms) && cache->fd >= 0 && now_ms >= cache->rest_until_ms) {
        ask(cache, kind, id);
        known = p->used && p->id == id;
    }
    return known ? xt_slice_of(p->name, p->n) : XT_S_NULL;
}

static xt_slice find_user(void *context, uint32_t id)
{
    return find(context, XT_HELPER_USER, id);
}

static xt_slice find_group(void *context, uint32_t id)
{
    return find(context, XT_HELPER_GROUP, id);
}

int xt_name_cache_new(int helper_fd, const xt_clock *clock, xt_name_cache **ret)
{
    xt_name_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return xt_error_origin(-ENOMEM);
    cache->fd = helper_fd;
    cache->clock = clock;
    cache->source = (xt_name_source){.user = find_user, .group = find_group, .context = cache};
    *ret = cache;
    return 0;
}

xt_name_cache *xt_name_cache_free(xt_name_cache *cache)
{
    free(cache);
    return NULL;
}

const xt_name_source *xt_name_cache_source(const xt_name_cache *cache)
{
    return &cache->source;
}
