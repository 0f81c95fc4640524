/*
 * bench/program - what the programs of the benchmarks have in common: options in, one line out when something fails
 *
 * Errors:    exit status 1 failed, 2 wrong usage.
 */
#pragma once
#include "base/opt.h"
#include "base/problem.h"

/* Parses the arguments and runs the command; the program's exit status. */
int xt_bench_main(const xt_opt_program *program, int argc, char **argv);
/* Prints what is wrong behind the program's name (r: <0 errno, for a problem that is not set). Returns 1. */
int xt_bench_fail(const xt_opt_program *program, const xt_problem *problem, int r);
