/*
 * event/json_group - fields gathered by name, so that a name stands once in an object (inside of event/ only)
 *
 * Shape:     names in the order in which they first appeared; the values of each as a chain.
 * Ownership: all in the arena.
 * Errors:    -ENOMEM.
 */
#pragma once
#include "base/arena.h"

#define XT_JSON_GROUP_NONE UINT32_MAX

typedef struct xt_json_item {
    xt_slice name, value;
    uint32_t next;  /* the next of this name, or NONE */
    uint32_t last;  /* of the first of a name: the last of it */
    bool is_first;  /* the first of its name */
    bool is_hidden; /* with its first set: not written */
} xt_json_item;

typedef struct xt_json_group {
    xt_json_item *items;
    uint32_t n, cap;
    uint32_t *table; /* open addressing: number of the first item + 1, 0 free */
    uint32_t n_table;
} xt_json_group;

/* Room for n items. */
XT_MUST_USE int xt_json_group_init(xt_json_group *group, size_t n, xt_arena *arena);
void xt_json_group_add(xt_json_group *group, xt_slice name, xt_slice value);
/* The first item of that name, or NONE. */
uint32_t xt_json_group_find(const xt_json_group *group, xt_slice name);
