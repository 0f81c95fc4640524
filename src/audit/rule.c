/*
 * Rules are built and compared field by field; whether one blinds is decided for every record or call it may match.
 * rule_text.c prints them.
 */
#include "audit/rule.h"

#include <errno.h>

#include "audit/names.h"
#include "audit/rule_read.h"

static void rule_add_syscall(struct audit_rule_data *rule, int number)
{
    if (number >= 0)
        rule->mask[AUDIT_WORD(number)] |= AUDIT_BIT(number);
}

static void rule_add_field(struct audit_rule_data *rule, uint32_t id, uint32_t value)
{
    rule->fields[rule->field_count] = id;
    rule->fieldflags[rule->field_count] = AUDIT_EQUAL;
    rule->values[rule->field_count++] = value;
}

int xt_rule_exec(xt_arena *arena, uint32_t arch, xt_rule *ret)
{
    xt_slice key = XT_S(XT_RULE_KEY);
    struct audit_rule_data *rule = xt_arena_array(arena, 1, sizeof *rule + key.n);
    if (!rule)
        return xt_error_origin(-ENOMEM);
    rule->flags = AUDIT_FILTER_EXIT;
    rule->action = AUDIT_ALWAYS;
    for (int number = 0; number < ALL_WORDS * 32; number++)
        if (xt_syscall_is_exec(arch, (uint64_t)number))
            rule_add_syscall(rule, number);
    rule_add_field(rule, AUDIT_ARCH, arch);
    rule_add_field(rule, AUDIT_FILTERKEY, (uint32_t)key.n);
    memcpy(rule->buf, key.p, key.n);
    rule->buflen = (uint32_t)key.n;
    *ret = (xt_rule){rule, sizeof *rule + key.n};
    return 0;
}

bool xt_rule_eq(const struct audit_rule_data *a, size_t n_a, const struct audit_rule_data *b, size_t n_b)
{
    if (n_a < sizeof *a || n_b < sizeof *b || n_a - sizeof *a < a->buflen || n_b - sizeof *b < b->buflen)
        return false;
    size_t n = n_fields(a);
    return rule_list(a) == rule_list(b) && a->action == b->action && n == n_fields(b) &&
           memcmp(a->mask, b->mask, sizeof a->mask) == 0 &&
           memcmp(a->fields, b->fields, n * sizeof a->fields[0]) == 0 &&
           memcmp(a->values, b->values, n * sizeof a->values[0]) == 0 &&
           memcmp(a->fieldflags, b->fieldflags, n * sizeof a->fieldflags[0]) == 0 && a->buflen == b->buflen &&
           memcmp(a->buf, b->buf, a->buflen) == 0;
}

/* Without an arch the numbers mean something else on each: any of ours counts. */
static bool touches_exec(const struct audit_rule_data *rule)
{
    static const uint32_t arches[] = {XT_ARCH_X86_64, XT_ARCH_I386, XT_ARCH_AARCH64};
    uint32_t arch = rule_arch(rule);
    for (unsigned number = 0; number < ALL_WORDS * 32; number++) {
        if (!rule_has_syscall(rule, number))
            continue;
        if (arch && xt_syscall_is_exec(arch, number))
            return true;
        for (size_t i = 0; !arch && i < XT_COUNT_OF(arches); i++)
            if (xt_syscall_is_exec(arches[i], number))
                return true;
    }
    return false;
}

static bool compare_holds(uint32_t flags, uint32_t left, uint32_t right)
{
    switch (flags & AUDIT_OPERATORS) {
    case AUDIT_EQUAL:
        return left == right;
    case AUDIT_NOT_EQUAL:
        return left != right;
    case AUDIT_LESS_THAN:
        return left < right;
    case AUDIT_LESS_THAN_OR_EQUAL:
        return left <= right;
    case AUDIT_GREATER_THAN:
        return left > right;
    case AUDIT_GREATER_THAN_OR_EQUAL:
        return left >= right;
    default:
        return true;
    }
}

static bool excludes_type(const struct audit_rule_data *rule, uint32_t type)
{
    for (uint32_t i = 0; i < n_fields(rule); i++)
        if (rule->fields[i] == AUDIT_MSGTYPE && !compare_holds(rule->fieldflags[i], type, rule->values[i]))
            return false;
    return true;
}

static bool excludes_exec(const struct audit_rule_data *rule)
{
    return excludes_type(rule, AUDIT_SYSCALL) || excludes_type(rule, AUDIT_EXECVE) || excludes_type(rule, AUDIT_CWD) ||
           excludes_type(rule, AUDIT_PATH);
}

static bool has_auid_condition(const struct audit_rule_data *rule)
{
    for (uint32_t i = 0; i < n_fields(rule); i++)
        if (rule->fields[i] == AUDIT_LOGINUID || rule->fields[i] == AUDIT_LOGINUID_SET)
            return true;
    return false;
}

xt_rule_blinds xt_rule_blinds_get(const struct audit_rule_data *rule)
{
    switch (rule_list(rule)) {
    case AUDIT_FILTER_EXCLUDE: /* whatever the action says */
        return excludes_exec(rule) ? XT_RULE_BLINDS_NEVER : XT_RULE_BLINDS_NOTHING;
    case AUDIT_FILTER_TASK:
        return rule->action == AUDIT_NEVER ? XT_RULE_BLINDS_NEVER : XT_RULE_BLINDS_NOTHING;
    case AUDIT_FILTER_ENTRY:
    case AUDIT_FILTER_EXIT:
        if (!touches_exec(rule))
            return XT_RULE_BLINDS_NOTHING;
        if (rule->action == AUDIT_NEVER)
            return XT_RULE_BLINDS_NEVER;
        return has_auid_condition(rule) ? XT_RULE_BLINDS_AUID : XT_RULE_BLINDS_NOTHING;
    default:
        return XT_RULE_BLINDS_NOTHING;
    }
}
