/*
 * query/filter - inside of xt_filter: the tree of terms that runs on blocks
 *
 * Shape:     `and` and `or` hold any number of parts, the cheap ones first; leaves are matches.
 */
#pragma once
#include "query/matches.h"
#include "query/query.h"

typedef struct xt_filter_node {
    xt_kql_kind kind; /* ALL, AND, OR, NOT, or EQUAL for every leaf */
    unsigned cost;
    unsigned leaf;           /* number of a leaf, from 0 */
    const xt_kql_node *tree; /* of a leaf */
    size_t n_parts;
    struct xt_filter_node **parts;
    xt_term match;
} xt_filter_node;

struct xt_filter {
    xt_arena arena;
    xt_filter_node *root;
    xt_field_set fields;
    unsigned n_leaves;
    atomic_uint_least64_t *n_gave_up; /* expressions that passed their limit of steps: answers are not whole */
};

/* From a tree that outlives the filter. */
XT_MUST_USE int xt_filter_of_tree(const xt_kql_node *tree, xt_filter **ret, xt_problem *reterr_problem);
/* Clears the bits of rows that do not match. The part at hand of the reader; >0: XT_SCAN_E_DAMAGED. */
XT_MUST_USE int xt_filter_run(const xt_filter *filter, xt_matches *matches, xt_scan_reader *reader, xt_arena *arena,
                              uint64_t *mask, xt_problem *reterr_problem);
/* Whether a row of the part may match, by its distinct values alone. */
XT_MUST_USE int xt_filter_run_values(const xt_filter *filter, xt_matches *matches, xt_scan_reader *reader,
                                     xt_arena *arena, bool *ret, xt_problem *reterr_problem);
/* By times and ranges of numbers. */
bool xt_filter_may_match(const xt_filter *filter, const xt_zone *zone);
/* Leaves in the order in which they are asked; returns how many there are, at most max. */
size_t xt_filter_leaves(const xt_filter *filter, const xt_filter_node **ret, size_t max);
/* How often an expression gave up so far. */
uint64_t xt_filter_gave_up(const xt_filter *filter);
/* Matches every row. */
bool xt_filter_is_all(const xt_filter *filter);
