/*
 * audit/rule_parse - rules and groups of rules from text
 *
 * Shape:     a line is one rule as auditctl has it: -a or -A LIST,ACTION with -S, -F, -C and -k, or -w PATH with -p and -k. A rule
 *            is encoded as auditctl encodes it, byte for byte. What is not a rule (-D, -b, -e, ...) is refused, and so are
 *            names of users and groups: a rule means the same on every host.
 *            A group is such lines, with `# name:`, `# reason:` and `# cost:` before them.
 * Errors:    XT_RULE_E_INVALID with a problem: source, line, column.
 * Ownership: rules and texts live in the arena.
 * Limits:    a line of 8 KiB; 64 conditions; keys of 255 bytes together; XT_RULE_GROUP_MAX rules a group.
 * Source:    auditctl(8); io_uring (list 7), which older auditctl do not know, is linux/audit.h's.
 */
#pragma once
#include "audit/rule.h"
#include "base/problem.h"

#define XT_RULE_GROUP_MAX 256

enum {
    XT_RULE_E_INVALID = 1,
    XT_RULE_E_EMPTY = 2, /* a blank line, or a comment */
};

/* Says whether a path that is watched is a folder; NULL: none is. */
typedef bool (*xt_rule_is_folder)(const char *path);
/* As the file system says now. */
bool xt_rule_is_folder_now(const char *path);

/* reterr_problem: sentence and column; source and line are the caller's. */
XT_MUST_USE int xt_rule_parse(xt_slice line, xt_rule_is_folder is_folder, xt_arena *arena, xt_rule *ret,
                              xt_problem *reterr_problem);

typedef struct xt_rule_group {
    xt_slice name, reason, cost; /* empty: not told */
    xt_rule *rules;
    uint32_t *lines; /* of each rule */
    size_t n;
} xt_rule_group;

/* first_line: number of the text's first line, from 1. */
XT_MUST_USE int xt_rule_group_parse(xt_slice text, const char *source, uint64_t first_line, xt_rule_is_folder is_folder,
                                    xt_arena *arena, xt_rule_group *ret, xt_problem *reterr_problem);
/* A name of a group: letters, digits, - and _, at most 32. */
bool xt_rule_group_is_name(xt_slice name);

/* The groups that are built in (etc/rules). */
typedef struct xt_rule_text {
    const char *name, *text;
} xt_rule_text;
extern const xt_rule_text xt_rule_texts[]; /* ended by name == NULL */
/* Its text; p NULL: there is none. */
xt_slice xt_rule_text_find(xt_slice name);
