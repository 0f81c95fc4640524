/*
 * detect/sigma_detection - the selections of a rule as expressions
 *
 * Format:    a selection is a map (all of its fields), a list of maps (any of them), or a text or list of texts:
 *            keywords, looked for in the command line. A field's value is a scalar or a list of scalars (any; all of them
 *            under `all`).
 * Errors:    XT_SIGMA_E_BAD with line and column.
 */
#pragma once
#include "detect/sigma_condition.h"

XT_MUST_USE int xt_sigma_selection_compile(xt_sigma_program *program, const xt_yaml_node *node, xt_sigma_scope scope,
                                           const xt_sigma_expr **ret, xt_problem *reterr_problem);
