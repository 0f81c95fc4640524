/*
 * The table holds the first item of each name and is at least twice as large as the number of items, so finding a
 * place is a few steps whatever the names are.
 */
#include "event/json_group.h"

#include <assert.h>
#include <errno.h>

int xt_json_group_init(xt_json_group *group, size_t n, xt_arena *arena)
{
    uint32_t n_table = 16;
    if (n >= UINT32_MAX / 4)
        return xt_error_origin(-ENOMEM);
    while (n_table < 2 * n)
        n_table *= 2;
    xt_json_group made = {.cap = (uint32_t)n, .n_table = n_table};
    made.items = xt_arena_alloc(arena, n * sizeof *made.items + 1);
    made.table = xt_arena_array(arena, n_table, sizeof *made.table);
    if (!made.items || !made.table)
        return xt_error_origin(-ENOMEM);
    *group = made;
    return 0;
}

/* Whoever made names that collide in a part of the hash does not know this address. */
static uint32_t start_of(xt_slice name)
{
    static const char seed;
    return (uint32_t)((xt_slice_hash(name) ^ (uintptr_t)&seed) * UINT64_C(0x9e3779b97f4a7c15) >> 32);
}

/* Where the name is, or the free place where it goes. */
static uint32_t *find_place(const xt_json_group *group, xt_slice name)
{
    uint32_t mask = group->n_table - 1, at = start_of(name) & mask;
    while (group->table[at] != 0 && !xt_slice_eq(group->items[group->table[at] - 1].name, name))
        at = (at + 1) & mask;
    return &group->table[at];
}

void xt_json_group_add(xt_json_group *group, xt_slice name, xt_slice value)
{
    assert(group->n < group->cap);
    uint32_t *place = find_place(group, name), number = group->n++;
    group->items[number] = (xt_json_item){name, value, XT_JSON_GROUP_NONE, number, *place == 0, false};
    if (*place == 0) {
        *place = number + 1;
        return;
    }
    xt_json_item *first = &group->items[*place - 1];
    group->items[first->last].next = number;
    first->last = number;
}

uint32_t xt_json_group_find(const xt_json_group *group, xt_slice name)
{
    if (group->n == 0)
        return XT_JSON_GROUP_NONE;
    uint32_t place = *find_place(group, name);
    return place == 0 ? XT_JSON_GROUP_NONE : place - 1;
}
