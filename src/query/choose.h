/*
 * query/choose - the rows of a scan that filters match, as bits: what the store asks for holds and erasures
 *
 * Errors:    <0 memory or I/O; XT_SCAN_E_DAMAGED: a part could not be read, or an expression gave up, so that nobody can
 *            tell which rows match.
 * Threads:   on the caller's alone.
 */
#pragma once
#include "query/query.h"

/* Sets in masks[part] (bit i mod 64 of word i / 64) the rows that any of the filters matches. */
XT_MUST_USE int xt_filters_choose(xt_filter *const *filters, size_t n, xt_scan *scan, uint64_t *const *masks,
                                  xt_problem *reterr_problem);
