/*
 * audit/rule_read - looking into a rule; shared by the files of rules only
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

typedef enum xt_rule_kind {
    XT_RULE_KIND_NUMBER, /* signed: -1 is "unset" */
    XT_RULE_KIND_ID,     /* of a user, a group or a session: the same */
    XT_RULE_KIND_HEX,
    XT_RULE_KIND_STRING,
    XT_RULE_KIND_PATH, /* a string that begins with a slash */
    XT_RULE_KIND_ARCH,
    XT_RULE_KIND_EXIT,
    XT_RULE_KIND_TYPE,
    XT_RULE_KIND_PERM,
    XT_RULE_KIND_KEY,
    XT_RULE_KIND_COMPARE,
    XT_RULE_KIND_FILETYPE,
    XT_RULE_KIND_FSTYPE,
} xt_rule_kind;

typedef enum xt_rule_ops { XT_RULE_OPS_ALL, XT_RULE_OPS_EQUAL /* = and != */, XT_RULE_OPS_SAME /* = */ } xt_rule_ops;

typedef struct xt_rule_field {
    uint16_t id;
    uint8_t kind, ops;
    uint16_t lists; /* a bit each */
    char name[13];
} xt_rule_field;

/* What b64 and b32 mean on this machine, by 64 and 32. */
uint32_t xt_rule_arch(unsigned bits);
/* NULL: unknown. */
const xt_rule_field *xt_rule_field_find(uint32_t id);
const xt_rule_field *xt_rule_field_by_name(xt_slice name);

/* AUDIT_COMPARE_A_TO_B by its number. */
#define XT_RULE_N_COMPARISONS (AUDIT_COMPARE_SGID_TO_FSGID + 1)
extern const char *const xt_rule_comparisons[XT_RULE_N_COMPARISONS][2];
