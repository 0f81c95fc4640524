/*
 * query/filter - inside of xt_filter: the tree of terms that runs on blocks
 *
 * Shape:     `and` and `or` hold any number of parts, the cheap ones first; leaves are matches.
 */
#pragma once
#include "query/query.h"
#include "query/term.h"

typedef struct xt_filter_node {
    xt_kql_kind kind; /* ALL, AND, OR, NOT, or EQUAL for every leaf */
    unsigned cost;
    size_t n_parts;
    struct xt_filter_node **parts;
    xt_term match;
} xt_filter_node;

struct xt_filter {
    xt_arena arena;
    xt_filter_node *root;
    xt_field_set fields;
    atomic_uint_least64_t *n_gave_up; /* expressions that passed their limit of steps: answers are not whole */
};

/* How often an expression gave up so far. */
uint64_t xt_filter_gave_up(const xt_filter *filter);
/* Matches every row. */
bool xt_filter_is_all(const xt_filter *filter);
