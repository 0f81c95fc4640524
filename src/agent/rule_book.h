/*
 * agent/rule_book - the audit rules that the agent wants, and which of them are in the kernel
 *
 * Shape:     a list in the order of their loading: the exec rules first, then the rules of optional groups. Entries do not move
 *            while the book lives, but for drop_missing.
 * Errors:    <0 errno; XT_RULE_BOOK_E_FULL with a problem.
 * Ownership: rules and names are copied into the book's arena.
 * Threads:   one at a time.
 * Limits:    XT_RULE_BOOK_MAX rules.
 */
#pragma once
#include "audit/rule.h"
#include "base/problem.h"

#define XT_RULE_BOOK_MAX    512
#define XT_RULE_BOOK_BEFORE ""     /* the group of rules that an agent before this one loaded */
#define XT_RULE_BOOK_EXEC   "exec" /* the group of the rules that the agent is for: always there, never given up */

enum {
    XT_RULE_BOOK_E_FULL = 1,
};

typedef struct xt_rule_entry {
    xt_rule rule;
    const char *group;
    bool loaded;      /* as the kernel listed last */
    bool added;       /* by an agent, so it is taken away again; else it was there before */
    char refused[96]; /* why the kernel did not take it; empty: it did, or was not asked */
} xt_rule_entry;

typedef struct xt_rule_book {
    xt_arena arena;
    xt_rule_entry *entries;
    size_t n, cap;
} xt_rule_book;

void xt_rule_book_init(xt_rule_book *book);
void xt_rule_book_fini(xt_rule_book *book); /* accepts what is all zeros */
/* One more rule; nothing when the book has it already. */
XT_MUST_USE int xt_rule_book_add(xt_rule_book *book, const char *group, const struct audit_rule_data *rule,
                                 size_t n_bytes, xt_problem *reterr_problem);
/* All rules of another one, which may be NULL. */
XT_MUST_USE int xt_rule_book_add_book(xt_rule_book *book, const xt_rule_book *other, xt_problem *reterr_problem);
/* The rules for execve and execveat of this machine's arches. */
XT_MUST_USE int xt_rule_book_add_exec(xt_rule_book *book, xt_problem *reterr_problem);
/* NULL: it has no such rule. */
xt_rule_entry *xt_rule_book_find(const xt_rule_book *book, const struct audit_rule_data *rule, size_t n_bytes);
/* Takes out those of that group that are not loaded. Entries move, this once. */
void xt_rule_book_drop_missing(xt_rule_book *book, const char *group);
/* True when the exec rules are loaded, all of them. */
bool xt_rule_book_has_exec(const xt_rule_book *book);
