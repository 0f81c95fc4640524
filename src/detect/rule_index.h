/*
 * detect/rule_index - which rules an event can match at all
 *
 * Shape:     lists of rule numbers: for events that are no process, for every process, and for processes by the name of
 *            their file: a rule whose condition cannot hold unless Image ends in /nc stands under "nc" alone.
 * Ownership: the index owns its lists; keys stand in the program's arena.
 * Threads:   built by one, then read by many.
 */
#pragma once
#include "detect/sigma_rule.h"

typedef struct xt_rule_list {
    uint32_t *numbers;
    size_t n, cap;
} xt_rule_list;

typedef struct xt_rule_index {
    xt_rule_list events;    /* rules for any event */
    xt_rule_list processes; /* rules for processes that no name decides */
    xt_map by_name;         /* lower-case file name -> xt_rule_list */
    uint32_t image;         /* number of the field Image */
    bool has_image;
} xt_rule_index;

#define XT_RULE_INDEX_MAX_NAME 255

/* On failure too, fini is due. */
XT_MUST_USE int xt_rule_index_build(xt_rule_index *index, xt_sigma_program *program, const xt_sigma_rule *rules,
                                    size_t n_rules);
void xt_rule_index_fini(xt_rule_index *index);
/* Rules that a value of Image lets in beside those of `processes`, or NULL. */
const xt_rule_list *xt_rule_index_find(const xt_rule_index *index, xt_slice image);
