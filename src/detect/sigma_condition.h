/*
 * detect/sigma_condition - a rule's condition as an expression over its selections
 *
 * Format:    or < and < not < x of < parentheses. x: 1, any, all; of what: `them` (all selections but those whose name
 *            begins with _), a name, or a name with *. A list of conditions: any of them.
 * Errors:    XT_SIGMA_E_BAD with line and column: `|` (the old aggregation), a name that no selection has, a pattern
 *            that no selection fits, a number other than 1.
 * Limits:    XT_SIGMA_MAX_PARENS deep, XT_SIGMA_MAX_WORDS long: what walks an expression may call itself.
 * Source:    Sigma specification 2.1, "condition".
 */
#pragma once
#include "detect/sigma_program.h"

#define XT_SIGMA_MAX_PARENS 40
#define XT_SIGMA_MAX_WORDS  1000

typedef struct xt_sigma_selection {
    xt_slice name;
    uint32_t line;
    const xt_sigma_expr *expr;
} xt_sigma_selection;

XT_MUST_USE int xt_sigma_condition_compile(xt_sigma_program *program, const xt_yaml_node *condition,
                                           const xt_sigma_selection *selections, size_t n_selections,
                                           const xt_sigma_expr **ret, xt_problem *reterr_problem);
