/*
 * agent/server_list - the servers an agent may use, and when each may be tried
 *
 * Shape:     agents begin with one of the list by chance, so that a fleet spreads; a server that fails is followed by the next
 *            that may be tried at once. Each server has its own wait: by chance between nothing and a bound that doubles with
 *            every failure, from half a second to half a minute, so that a fleet does not come back all at once. What a server
 *            asked for (retry after) is kept to, and by chance up to half as much longer.
 * Units:     now_ms is monotonic.
 * Limits:    XT_SERVERS_MAX servers; half a second to XT_SERVER_WAIT_MAX_MS (and half of that) whatever a server asks for.
 * Threads:   one at a time.
 */
#pragma once
#include "base/problem.h"

#define XT_SERVERS_MAX        16
#define XT_SERVER_WAIT_MAX_MS 3600000

typedef struct xt_server {
    char host[256], port[16], text[280];
    unsigned n_failures;
    int64_t not_before_ms;
} xt_server;

typedef struct xt_server_list {
    xt_server all[XT_SERVERS_MAX];
    unsigned n, at;
} xt_server_list;

/* "name:port", "name", "[v6]:port", comma separated. -EINVAL. */
XT_MUST_USE int xt_server_list_parse(xt_server_list *list, const char *text, xt_problem *reterr_problem);
const xt_server *xt_server_list_get(const xt_server_list *list);
/* The one in use failed, or (retry_ms not 0) sent us away: goes on to the next, and says in how many ms to try it. */
uint64_t xt_server_list_failed(xt_server_list *list, uint64_t retry_ms, int64_t now_ms);
/* The one in use works. */
void xt_server_list_worked(xt_server_list *list);
