/*
 * event/exec_args - the arguments of an exec from its EXECVE records (inside of event/ only)
 *
 * Shape:     an encoded list (xt_list) of the arguments in order, byte for byte.
 * Facts:     a value in quotes is literal; a bare one is hex. An argument may come in fragments (aN_len=, aN[0]=, ...)
 *            over several records, and records may come in any order. Kernels 4.8 to 4.20 leave empty arguments out: a
 *            gap between two arguments of one record is that, a gap between records is a lost record.
 * Limits:    argument and fragment numbers below 2^24; up to 65536 empty arguments are put into gaps.
 * Errors:    -ENOMEM when the arena is full.
 * Source:    linux kernel/auditsc.c audit_log_execve_info.
 */
#pragma once
#include "audit/joiner.h"
#include "event/event.h"

typedef struct xt_exec_args {
    size_t n_records;  /* EXECVE records; 0: nothing else is set */
    xt_slice list;     /* arguments that are there */
    xt_slice missing;  /* numbers of those that are not: "3-5,9", a fragment as "7[2]"; empty: none */
    bool has_mismatch; /* argc, a length or a repeated argument contradicts what is there */
    bool is_cut;       /* a quote that never ends */
    size_t n_other;    /* fields that are neither argc nor an argument */
} xt_exec_args;

XT_MUST_USE int xt_exec_args_join(const xt_group *group, xt_arena *arena, xt_exec_args *ret);
/* argc, aN, aN_len, aN[i]. */
bool xt_exec_args_is_argument(xt_slice name);
