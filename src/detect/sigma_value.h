/*
 * detect/sigma_value - one value of a rule, under its modifiers, becomes a test
 *
 * Format:    field|modifier|modifier: value. Without modifiers the whole value is compared without case; * is any run
 *            of bytes, ? any one byte; \* \? and \\ are the characters themselves, any other backslash is plain.
 * Errors:    XT_SIGMA_E_BAD with line and column.
 * Source:    Sigma specification 2.1, appendix "modifiers".
 */
#pragma once
#include "detect/sigma_program.h"

typedef struct xt_sigma_modifiers {
    xt_sigma_op op;  /* EQ, PREFIX, SUFFIX, CONTAINS, RE, EXISTS, LT, LTE, GT, GTE */
    bool all, cased; /* all: every value of the list, not any */
    uint32_t re_options;
} xt_sigma_modifiers;

/* Takes the key of a detection item apart: the field's name (may be empty) and its modifiers. */
XT_MUST_USE int xt_sigma_modifiers_parse(const xt_yaml_node *key, xt_slice *ret_name, xt_sigma_modifiers *ret,
                                         xt_problem *reterr_problem);
/* One scalar as a test of that field, added to the program; *ret_negated: the test's answer is to be turned round. */
XT_MUST_USE int xt_sigma_value_compile(xt_sigma_program *program, uint32_t field, const xt_sigma_modifiers *modifiers,
                                       const xt_yaml_node *value, uint32_t *ret_test, bool *ret_negated,
                                       xt_problem *reterr_problem);
