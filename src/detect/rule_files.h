/*
 * detect/rule_files - rule files on disk, in an order that is the same everywhere
 *
 * Shape:     a path is a file, or a folder whose *.yml and *.yaml are read with those of its sub-folders, by name.
 *            Names that begin with a dot are left out, and
 *            folders named secrets, whose rules are another kind.
 * Errors:    XT_RULE_FILES_E_PATH with a problem: the path itself is not there. A file or folder below it that cannot be
 *            read is told to unreadable. What `each` returns other than 0 ends the reading and is returned.
 * Limits:    16 folders deep, a file of 1 MiB.
 */
#pragma once
#include "base/problem.h"

enum {
    XT_RULE_FILES_E_PATH = 1,
};

/* text: valid during the call. */
typedef int (*xt_rule_file_fn)(void *context, const char *path, xt_slice text);

XT_MUST_USE int xt_rule_files_read(const char *path, xt_rule_file_fn each,
                                   void (*unreadable)(void *context, const xt_problem *problem), void *context,
                                   xt_problem *reterr_problem);
