/* A response whose door is a pair of callbacks. */
#include "web/local.h"

#include <errno.h>

#include "web/request.h"

typedef struct local {
    const xt_local_request *asked;
    int status;
    int error; /* what a callback returned */
} local;

static int fail(local *l, int r)
{
    if (r)
        l->error = r;
    return r > 0 ? -ECANCELED : r;
}

static int local_begin(xt_response *response, int status, const char *content_type, const char *extra)
{
    local *l = response->door;
    response->begun = true;
    l->status = status;
    const xt_local_request *asked = l->asked;
    return asked->on_begin ? fail(l, asked->on_begin(asked->context, status, content_type, extra ? extra : "")) : 0;
}

static int local_write(xt_response *response, xt_slice bytes)
{
    local *l = response->door;
    return fail(l, l->asked->on_bytes(l->asked->context, bytes));
}

static int local_end(xt_response *response, xt_slice summary)
{
    local *l = response->door;
    const xt_local_request *asked = l->asked;
    return asked->on_summary && summary.n > 0 ? fail(l, asked->on_summary(asked->context, summary)) : 0;
}

static ssize_t local_read(xt_request *request, void *p, size_t n)
{
    local *l = request->door;
    return l->asked->read_body ? l->asked->read_body(l->asked->context, p, n) : 0;
}

int xt_local_run(xt_app *app, const xt_local_request *asked, int *ret_status)
{
    local l = {.asked = asked};
    xt_arena arena;
    xt_arena_init(&arena, XT_REQUEST_MAX_ARENA);
    xt_request request = {.method = asked->method,
                          .path = xt_slice_str(asked->path),
                          .query = xt_query_parse(asked->query, &arena),
                          .read_body = local_read,
                          .role = XT_ROLE_ADMIN,
                          .is_local = true,
                          .user = XT_LOCAL_USER,
                          .cancelled = asked->cancelled,
                          .imports = asked->imports,
                          .arena = &arena,
                          .door = &l};
    xt_response response = {.begin = local_begin, .write = local_write, .end = local_end, .door = &l};
    int r = request.query ? xt_route_run(app, &request, &response) : xt_error_origin(-ENOMEM);
    xt_arena_fini(&arena);
    if (r < 0)
        return l.error ? l.error : r;
    *ret_status = l.status;
    return 0;
}
