/*
 * agent/rule_groups - optional groups of rules, by name, by file, or as text
 *
 * Shape:     names with commas between: groups that are built in (etc/rules), or files, whose paths begin with a slash.
 * Errors:    XT_RULE_E_INVALID, XT_RULE_BOOK_E_FULL as outcomes above 0, with a problem.
 */
#pragma once
#include "agent/rule_book.h"
#include "audit/rule_parse.h"

/* Entries are of the group that the file or the table names. is_folder: as in audit/rule_parse, NULL: no path is looked at. */
XT_MUST_USE int xt_rule_groups_add(xt_rule_book *book, xt_slice names, xt_rule_is_folder is_folder,
                                   xt_problem *reterr_problem);
/* The rules of one text; first_line: number of its first line in `source`. */
XT_MUST_USE int xt_rule_groups_add_text(xt_rule_book *book, xt_slice name, xt_slice text, const char *source,
                                        uint64_t first_line, xt_rule_is_folder is_folder, xt_problem *reterr_problem);
