/*
 * audit/policy - what a server wants of the agents of a group of hosts, as text
 *
 * Shape:     lines of `name = value` and, below a line [rules NAME], the rules of a group of the policy's own; # begins a comment.
 *            rules = io-uring,web      optional groups: built in, or of this policy. Those that the host's own settings name stay
 *            protect = host|record     whose side is taken when records cannot be kept up with
 *            exits = on|off            events for the ends of processes
 *            canary = SECONDS          10 to 3600
 *            spool-mib = N             64 to 65536
 *            cpu-limit = PERCENT       of one core, 10 to 400
 * Limits:    what it can do is bounded by what there is no word for: no file is written, no program is run, no rule of the agent's own is
 *            taken away, nothing is hidden. A rule records (always), on the lists exit and io_uring, and names its
 *            calls, a path or a program. 64 KiB, XT_POLICY_MAX_GROUPS groups.
 * Errors:    XT_RULE_E_INVALID with a problem: source, line, column.
 * Ownership: all of it lives in the arena, or is a slice of the text.
 */
#pragma once
#include "audit/rule_parse.h"

#define XT_POLICY_MAX_BYTES  65536
#define XT_POLICY_MAX_GROUPS 24

/* The settings that a policy may hold; a host's own settings can allow some of them alone. */
typedef enum xt_policy_word {
    XT_POLICY_RULES = 1,
    XT_POLICY_PROTECT = 2,
    XT_POLICY_EXITS = 4,
    XT_POLICY_CANARY = 8,
    XT_POLICY_SPOOL = 16,
    XT_POLICY_CPU = 32,
    XT_POLICY_PAUSE = 64, /* no setting of the text: whether the server may pause the host */
    XT_POLICY_ALL = 127,
} xt_policy_word;

typedef struct xt_policy_group {
    xt_slice name;
    xt_rule *rules;
    size_t n;
} xt_policy_group;

typedef struct xt_policy {
    unsigned has; /* bits of xt_policy_word: what the text says something about */
    bool protects_record, exits;
    uint64_t canary_s, spool_mib, cpu_percent;
    xt_policy_group groups[XT_POLICY_MAX_GROUPS]; /* those that `rules` names */
    size_t n_groups;
} xt_policy;

XT_MUST_USE int xt_policy_parse(xt_slice text, const char *source, xt_rule_is_folder is_folder, xt_arena *arena,
                                xt_policy *ret, xt_problem *reterr_problem);
/* "on", "off", or words with commas ("rules,pause"), as bits of xt_policy_word; false: another word. */
bool xt_policy_words_parse(xt_slice text, unsigned *ret);
