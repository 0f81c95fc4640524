#include "agent/server_list.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "agent/agent_settings.h"

#define WAIT_FIRST_MS 500
#define WAIT_MAX_MS   30000
#define WAIT_MIN_MS   10

static uint64_t random_below(uint64_t n)
{
    uint64_t v;
    return getrandom(&v, sizeof v, 0) == sizeof v && n > 0 ? v % n : 0;
}

static bool parse_one(xt_server_list *list, xt_slice text)
{
    text = xt_slice_trim(text);
    if (!text.p || text.n == 0)
        return false;
    xt_slice host = text, port = XT_S(XT_AGENT_PORT);
    const char *colon = memrchr(text.p, ':', text.n), *bracket = memrchr(text.p, ']', text.n);
    if (colon && (!bracket || colon > bracket)) {
        host = xt_slice_head(text, (size_t)(colon - text.p));
        port = xt_slice_skip(text, host.n + 1);
    }
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
        host = xt_slice_of(host.p + 1, host.n - 2);
    uint64_t number;
    if (host.n == 0 || host.n >= sizeof list->all[0].host || !xt_slice_parse_u64(port, &number) || number < 1 ||
        number > 65535)
        return false;
    xt_server *server = &list->all[list->n++];
    *server = (xt_server){.n_failures = 0};
    snprintf(server->host, sizeof server->host, "%.*s", XT_S_ARGS(host));
    snprintf(server->port, sizeof server->port, "%.*s", XT_S_ARGS(port));
    snprintf(server->text, sizeof server->text, "%.*s", XT_S_ARGS(text));
    return true;
}

int xt_server_list_parse(xt_server_list *list, const char *text, xt_problem *reterr_problem)
{
    xt_slice rest = xt_slice_str(text), piece;
    *list = (xt_server_list){.n = 0};
    while (xt_slice_cut(&rest, ',', &piece)) {
        if (list->n < XT_SERVERS_MAX && parse_one(list, piece))
            continue;
        xt_problem_set(reterr_problem, list->n < XT_SERVERS_MAX ? "--server holds something that is not HOST:PORT"
                                                                : "--server names more than 16 servers");
        xt_problem_excerpt(reterr_problem, piece);
        return xt_error_origin(-EINVAL);
    }
    list->at = (unsigned)random_below(list->n);
    return 0;
}

const xt_server *xt_server_list_get(const xt_server_list *list)
{
    return &list->all[list->at];
}

static uint64_t wait_of(const xt_server *server, uint64_t retry_ms)
{
    if (retry_ms > XT_SERVER_WAIT_MAX_MS)
        retry_ms = XT_SERVER_WAIT_MAX_MS;
    if (retry_ms > 0 && retry_ms < WAIT_FIRST_MS)
        retry_ms = WAIT_FIRST_MS;
    if (retry_ms > 0)
        return retry_ms + random_below(retry_ms / 2 + 1);
    uint64_t bound_ms = WAIT_FIRST_MS;
    for (unsigned i = 1; i < server->n_failures && bound_ms < WAIT_MAX_MS; i++)
        bound_ms *= 2;
    bound_ms = bound_ms < WAIT_MAX_MS ? bound_ms : WAIT_MAX_MS;
    return WAIT_MIN_MS + random_below(bound_ms);
}

uint64_t xt_server_list_failed(xt_server_list *list, uint64_t retry_ms, int64_t now_ms)
{
    xt_server *server = &list->all[list->at];
    server->n_failures++;
    server->not_before_ms = now_ms + (int64_t)wait_of(server, retry_ms);
    unsigned best = list->at;
    for (unsigned i = 1; i <= list->n; i++) { /* the next that may be tried now, else the first that may */
        unsigned k = (list->at + i) % list->n;
        if (list->all[k].not_before_ms <= now_ms) {
            list->at = k;
            return WAIT_MIN_MS;
        }
        if (list->all[k].not_before_ms < list->all[best].not_before_ms)
            best = k;
    }
    list->at = best;
    return (uint64_t)(list->all[best].not_before_ms - now_ms);
}

void xt_server_list_worked(xt_server_list *list)
{
    list->all[list->at].n_failures = 0;
    list->all[list->at].not_before_ms = 0;
}
