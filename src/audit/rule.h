/*
 * audit/rule - audit rules: building ours, reading those of others
 *
 * Shape:     struct audit_rule_data with its string buffer, as the kernel takes and lists it.
 * Source:    linux/audit.h; the text is auditctl's.
 */
#pragma once
#include <linux/audit.h>

#include "base/arena.h"
#include "base/buf.h"

#define XT_RULE_MAX_BYTES (sizeof(struct audit_rule_data) + 4096)
#define XT_RULE_KEY       "exectrail"

typedef struct xt_rule {
    struct audit_rule_data *data;
    size_t n_bytes;
} xt_rule;

/* always,exit for execve and execveat of one arch (XT_ARCH_X86_64, XT_ARCH_I386, ...), key XT_RULE_KEY, no filter. */
XT_MUST_USE int xt_rule_exec(xt_arena *arena, uint32_t arch, xt_rule *ret);
/* As auditctl -l prints it, appended to out: "-a always,exit -F arch=b64 -S execve,execveat -F key=exectrail". */
void xt_rule_format(const struct audit_rule_data *rule, size_t n_bytes, xt_buf *out);
bool xt_rule_eq(const struct audit_rule_data *a, size_t n_a, const struct audit_rule_data *b, size_t n_b);
/*
 * Whether this rule hides execs from whoever watches: a `never` rule or an exclude filter that can touch exec
 * records, or an exec rule with an auid condition (the caller knows whether one without it is loaded too).
 */
typedef enum xt_rule_blinds {
    XT_RULE_BLINDS_NOTHING,
    XT_RULE_BLINDS_NEVER, /* a never rule on exit or task list, or exclude of SYSCALL, EXECVE, CWD, PATH */
    XT_RULE_BLINDS_AUID,  /* an exec rule with an auid condition: records no service account */
} xt_rule_blinds;
xt_rule_blinds xt_rule_blinds_get(const struct audit_rule_data *rule);
