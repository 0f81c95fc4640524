/*
 * base/log - the programs' own words, on standard error, one line each
 *
 * Only src/agent, src/server and src/cli log; what is below returns errors and problems instead.
 * Format:    2026-11-23T02:10:43.120Z LEVEL COMPONENT: sentence          (under systemd: <N> prefix, no time)
 * Threads:   any (xt_log_init before the second one starts); a line is written with one write(2).
 * Limits:    4 KiB a line; what is longer ends in "...". Control characters are made visible (base/utf8).
 */
#pragma once
#include "base/problem.h"

typedef enum xt_log_level { XT_LOG_ERROR, XT_LOG_WARN, XT_LOG_INFO, XT_LOG_DEBUG } xt_log_level;

/* component: borrowed for the life of the process ("agent", "server"). Default: INFO, "exectrail". */
void xt_log_init(const char *component, xt_log_level max_level);
void xt_log(xt_log_level level, const char *format, ...) XT_PRINTF(2, 3);
void xt_log_problem(xt_log_level level, const xt_problem *problem);
