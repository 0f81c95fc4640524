/* Turns exchanges into requests; all else is the routes'. */
#include "web/door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/http/http_server.h"
#include "web/es.h"
#include "web/imports.h"
#include "web/page_files.h"
#include "web/request.h"

#define SWEEP_S 10

struct xt_door {
    xt_app *app;
    xt_http_server *http;
    xt_imports *imports;
    struct event *sweep;
    int port, bulk_port;
    bool is_secure;
};

/* Which listener a request came through. */
static const char open_door, control_door, bulk_door;

static int http_begin(xt_response *response, int status, const char *content_type, const char *extra)
{
    XT_CLEANUP(xt_buf_fini) xt_buf lines = XT_BUF_INIT;
    response->begun = true;
    xt_buf_puts(&lines, extra ? extra : "");
    if (xt_slice_find_nocase(xt_buf_slice(&lines), XT_S("cache-control:")) < 0)
        xt_buf_puts(&lines, "Cache-Control: no-store\r\n");
    xt_buf_putc(&lines, '\0');
    int r = xt_buf_done(&lines);
    return r ? xt_error_trace(r) : xt_http_begin(response->door, status, content_type, lines.p);
}

static int http_write(xt_response *response, xt_slice bytes)
{
    return xt_http_write(response->door, bytes);
}

static int http_end(xt_response *response, xt_slice summary)
{
    XT_CLEANUP(xt_buf_fini) xt_buf trailer = XT_BUF_INIT;
    if (summary.n == 0)
        return xt_http_end(response->door);
    xt_buf_printf(&trailer, "Exectrail-Answer: %.*s\r\n", XT_S_ARGS(summary));
    xt_buf_putc(&trailer, '\0');
    int r = xt_buf_done(&trailer);
    return r ? xt_error_trace(r) : xt_http_end_with(response->door, trailer.p);
}

static ssize_t http_read(xt_request *request, void *p, size_t n)
{
    return xt_http_read(request->door, p, n);
}

/* The value of `exectrail` in the Cookie header. */
static xt_slice find_cookie(xt_slice header)
{
    xt_slice pair, name;
    while (xt_slice_cut(&header, ';', &pair)) {
        xt_slice value = xt_slice_trim(pair);
        if (xt_slice_cut(&value, '=', &name) && xt_slice_eq(name, XT_S("exectrail")))
            return value;
    }
    return XT_S_NULL;
}

static xt_slice find_token(xt_slice header)
{
    return xt_slice_starts_nocase(header, XT_S("Bearer ")) ? xt_slice_trim(xt_slice_skip(header, 7)) : XT_S_NULL;
}

/* At the bulk door's / stands what is /es elsewhere, and nothing else. */
static xt_slice bulk_path(xt_slice path, xt_arena *arena)
{
    xt_slice prefix = XT_S(XT_ES_PREFIX);
    char *to = xt_arena_alloc(arena, prefix.n + path.n + 1);
    if (!to)
        return prefix;
    memcpy(to, prefix.p, prefix.n);
    memcpy(to + prefix.n, path.p, path.n);
    return xt_slice_of(to, prefix.n + path.n);
}

static xt_request request_of(const xt_door *door, xt_http_exchange *exchange, xt_arena *arena)
{
    bool is_control = xt_http_door(exchange) == &control_door;
    xt_request request = {
        .method = xt_http_method(exchange),
        .path = xt_http_path(exchange),
        .query = xt_query_parse(xt_http_query(exchange), arena),
        .read_body = http_read,
        .authorization = xt_http_header(exchange, "Authorization"),
        .content_encoding = xt_http_header(exchange, "Content-Encoding"),
        .cookie = find_cookie(xt_http_header(exchange, "Cookie")),
        .api_token = find_token(xt_http_header(exchange, "Authorization")),
        .origin = xt_http_header(exchange, "Origin"),
        .host = xt_http_header(exchange, "Host"),
        .fetch_site = xt_http_header(exchange, "Sec-Fetch-Site"),
        .accept_encoding = xt_http_header(exchange, "Accept-Encoding"),
        .if_none_match = xt_http_header(exchange, "If-None-Match"),
        .last_event_id = xt_http_header(exchange, "Last-Event-ID"),
        .is_secure = door->is_secure && !is_control,
        .is_local = is_control,
        .role = is_control ? XT_ROLE_ADMIN : XT_ROLE_NONE,
        .cancelled = xt_http_cancelled(exchange),
        .arena = arena,
        .imports = door->imports,
        .door = exchange,
    };
    if (xt_http_door(exchange) == &bulk_door)
        request.path = bulk_path(request.path, arena);
    if (is_control)
        memcpy(request.user, XT_LOCAL_USER, sizeof XT_LOCAL_USER);
    return request;
}

static void on_request(void *context, xt_http_exchange *exchange)
{
    xt_door *door = context;
    xt_arena arena;
    xt_arena_init(&arena, XT_REQUEST_MAX_ARENA);
    xt_request request = request_of(door, exchange, &arena);
    xt_response response = {.begin = http_begin, .write = http_write, .end = http_end, .door = exchange};
    if (request.query)
        (void)!xt_route_run(door->app, &request, &response); /* a cut answer is cut by the exchange */
    xt_arena_fini(&arena);
}

/* A large body is announced. */
static bool on_body(void *context, xt_http_exchange *exchange)
{
    xt_door *door = context;
    xt_arena arena;
    xt_arena_init(&arena, XT_REQUEST_MAX_ARENA);
    xt_request request = request_of(door, exchange, &arena);
    xt_response response = {.begin = http_begin, .write = http_write, .end = http_end, .door = exchange};
    bool may_come = request.query && xt_route_admits(door->app, &request, &response);
    xt_arena_fini(&arena);
    return may_come;
}

static bool is_stream(void *context, const xt_http_exchange *exchange)
{
    (void)context;
    return xt_route_is_stream(xt_http_path(exchange));
}

static void on_sweep(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    xt_imports_sweep(context);
}

static int on_user(void *context, const char *name, xt_role role, int64_t last_login_ms)
{
    (void)name;
    (void)role;
    (void)last_login_ms;
    *(bool *)context = true;
    return 0;
}

/* What other machines can reach wants TLS and somebody who may log in. */
static int check_address(xt_app *app, const xt_door_settings *settings, const char *address, xt_problem *reterr_problem)
{
    bool has_user = false;
    if (xt_http_address_is_loopback(address))
        return 0;
    int r = xt_app_users_list(app, on_user, &has_user, reterr_problem);
    if (r)
        return r < 0 ? r : xt_error_fold(r);
    if (settings->tls && has_user)
        return 0;
    xt_problem_set(reterr_problem, "%s is not this machine alone: that needs %s", address,
                   settings->tls ? "a user" : "TLS");
    xt_problem_hint(reterr_problem, "%s",
                    settings->tls ? "add one with: exectrail user add NAME --role admin"
                                  : "listen on 127.0.0.1, or give a certificate");
    return XT_DOOR_E_LISTEN;
}

static int listen_on(xt_door *door, const xt_door_settings *settings, xt_problem *reterr_problem)
{
    int r = 0;
    if (settings->address) {
        r = check_address(door->app, settings, settings->address, reterr_problem);
        if (r == 0)
            r = xt_http_server_listen(door->http, settings->address, settings->tls, &open_door, &door->port,
                                      reterr_problem);
    }
    if (r == 0 && settings->bulk_address) {
        r = check_address(door->app, settings, settings->bulk_address, reterr_problem);
        if (r == 0)
            r = xt_http_server_listen(door->http, settings->bulk_address, settings->bulk_tls, &bulk_door,
                                      &door->bulk_port, reterr_problem);
    }
    if (r == 0 && settings->control_path)
        r = xt_http_server_listen_unix(door->http, settings->control_path, &control_door, reterr_problem);
    return r > 0 ? XT_DOOR_E_LISTEN : r;
}

static int start(xt_door *door, struct event_base *base)
{
    const struct timeval period = {.tv_sec = SWEEP_S};
    const xt_http_settings settings = {.handle = on_request,
                                       .admit = on_body,
                                       .is_stream = is_stream,
                                       .context = door,
                                       .fixed_headers = xt_page_headers};
    int r = xt_imports_new(xt_app_clock(door->app), &door->imports);
    if (r == 0)
        r = xt_http_server_new(base, &settings, &door->http);
    if (r == 0)
        door->sweep = event_new(base, -1, EV_PERSIST, on_sweep, door->imports);
    if (r == 0 && (!door->sweep || event_add(door->sweep, &period) != 0))
        r = xt_error_origin(-ENOMEM);
    return r;
}

int xt_door_open(xt_app *app, struct event_base *base, const xt_door_settings *settings, xt_door **ret,
                 xt_problem *reterr_problem)
{
    xt_door *door = calloc(1, sizeof *door);
    if (!door)
        return xt_error_origin(-ENOMEM);
    door->app = app;
    door->is_secure = settings->tls != NULL;
    int r = start(door, base);
    if (r == 0)
        r = listen_on(door, settings, reterr_problem);
    if (r) {
        xt_door_close(door);
        return r;
    }
    *ret = door;
    return 0;
}

int xt_door_port(const xt_door *door)
{
    return door->port;
}

int xt_door_bulk_port(const xt_door *door)
{
    return door->bulk_port;
}

xt_door *xt_door_close(xt_door *door)
{
    if (!door)
        return NULL;
    if (door->sweep)
        event_free(door->sweep);
    xt_http_server_close(door->http);
    xt_imports_free(door->imports);
    free(door);
    return NULL;
}
