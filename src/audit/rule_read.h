/*
 * audit/rule_read - looking into a rule; shared by rule.c and rule_text.c only
 *
 * Shape:     rules come from the kernel, but no length in them is trusted.
 */
#pragma once
#include "audit/rule.h"

#define ALL_WORDS (AUDIT_BITMASK_SIZE - 1) /* the last word is left for classes of calls */

static inline uint32_t n_fields(const struct audit_rule_data *rule)
{
    return rule->field_count < AUDIT_MAX_FIELDS ? rule->field_count : AUDIT_MAX_FIELDS;
}

static inline uint32_t rule_arch(const struct audit_rule_data *rule)
{
    for (uint32_t i = 0; i < n_fields(rule); i++)
        if (rule->fields[i] == AUDIT_ARCH && rule->fieldflags[i] == AUDIT_EQUAL)
            return rule->values[i];
    return 0;
}

static inline bool rule_has_syscall(const struct audit_rule_data *rule, unsigned number)
{
    return rule->mask[AUDIT_WORD(number)] & AUDIT_BIT(number);
}

static inline unsigned rule_list(const struct audit_rule_data *rule)
{
    return rule->flags & ~(unsigned)AUDIT_FILTER_PREPEND;
}
