/*
 * web/request - reading a request: its query, its parameters, its body
 *
 * Errors:    XT_REQUEST_E_BAD with a problem that names the parameter; <0 memory, or what read_body said.
 * Ownership: results live in the request's arena.
 */
#pragma once
#include "web/route.h"

#define XT_REQUEST_MAX_PARAMS 64

enum {
    XT_REQUEST_E_BAD = 1,
};

/* %XX and, with `plus`, + for a space; a % without two digits stands for itself. p NULL: memory. */
XT_MUST_USE xt_slice xt_percent_decode(xt_slice text, bool plus, xt_arena *arena);
/* "a=1&b=2" as pairs, ended by name.p == NULL; NULL: memory. What is beyond XT_REQUEST_MAX_PARAMS is left out. */
XT_MUST_USE const xt_param *xt_query_parse(xt_slice text, xt_arena *arena);

/* name=1 (or name=true). */
bool xt_request_flag(const xt_request *request, const char *name);
/* Who asks; on this machine, where everybody is an administrator, who `by` says. */
xt_slice xt_request_asker(const xt_request *request);
/* A whole number of at most max; `otherwise` when it is not there. */
XT_MUST_USE int xt_request_number(const xt_request *request, const char *name, uint64_t otherwise, uint64_t max,
                                  uint64_t *ret, xt_problem *reterr_problem);
/* A point in time as in xt_timestamp_parse; `otherwise` when it is not there. */
XT_MUST_USE int xt_request_time(const xt_request *request, const char *name, int64_t now_ms, bool round_up,
                                int64_t otherwise, int64_t *ret, xt_problem *reterr_problem);
/* The value as a C string in the arena; NULL when it is not there. Refuses a NUL in it. */
XT_MUST_USE int xt_request_text(const xt_request *request, const char *name, const char **ret,
                                xt_problem *reterr_problem);
/* The whole body, at most max bytes. */
XT_MUST_USE int xt_request_body(xt_request *request, size_t max, xt_buf *out, xt_problem *reterr_problem);
