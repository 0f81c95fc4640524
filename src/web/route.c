/*
 * A path is compared with each pattern segment by segment, undecoded, so that a `/` inside of a name (%2F) stays in it.
 * Who asks: a token when one was sent (a cookie beside it does not count), else the cookie.
 */
#include "web/route.h"

#include <errno.h>

#include "web/es.h"
#include "web/request.h"
#include "web/respond.h"

static bool is_placeholder(xt_slice segment)
{
    return xt_slice_starts(segment, XT_S("{"));
}

/* Whether the path fits; params are what stood for {…}, undecoded. */
static bool fits(const char *pattern, xt_slice path, xt_slice params[static 4])
{
    xt_slice want = xt_slice_str(pattern), have = path, a, b;
    size_t n = 0;
    for (;;) {
        bool more_a = xt_slice_cut(&want, '/', &a), more_b = xt_slice_cut(&have, '/', &b);
        if (!more_a || !more_b)
            return more_a == more_b;
        if (is_placeholder(a) ? b.n == 0 || n == 4 : !xt_slice_eq(a, b))
            return false;
        if (is_placeholder(a))
            params[n++] = b;
    }
}

static bool method_fits(const xt_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static bool changes_something(const xt_request *request)
{
    return strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0;
}

static int refuse(xt_response *response, int status, const char *sentence, const char *hint)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "%s", sentence);
    if (hint)
        xt_problem_hint(&problem, "%s", hint);
    return xt_response_problem(response, status, &problem);
}

static int refuse_method(xt_response *response, const char *allow)
{
    xt_slice body = XT_S("{\"error\":{\"sentence\":\"this route does not know that method\"}}\n");
    XT_CLEANUP(xt_buf_fini) xt_buf extra = XT_BUF_INIT;
    xt_buf_printf(&extra, "Allow: %s\r\nContent-Length: %zu\r\n", allow, body.n);
    xt_buf_putc(&extra, '\0');
    int r = xt_buf_done(&extra);
    if (r == 0)
        r = response->begin(response, 405, "application/json", extra.p);
    if (r == 0)
        r = response->write(response, body);
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

/* scheme://HOST of Origin is the host that was asked. */
static bool is_same_host(const xt_request *request)
{
    ptrdiff_t at = xt_slice_find(request->origin, XT_S("://"));
    return at > 0 && request->host.n > 0 &&
           xt_slice_eq_nocase(xt_slice_skip(request->origin, (size_t)at + 3), request->host);
}

/* Nobody else's page may change something with the browser's cookie. */
static bool comes_from_elsewhere(const xt_request *request)
{
    if (!changes_something(request) || request->api_token.n > 0)
        return false;
    if (request->origin.p)
        return !is_same_host(request);
    return request->cookie.n > 0 && !xt_slice_eq_nocase(request->fetch_site, XT_S("same-origin"));
}

static bool find_role(xt_app *app, xt_request *request)
{
    bool has_token = request->api_token.n > 0;
    request->role = xt_app_role_of(app, has_token ? XT_S_NULL : request->cookie, request->api_token, request->user);
    return request->role != XT_ROLE_NONE;
}

/* 0: may go on; else answered, *ret is what to return. */
static bool is_refused(xt_app *app, const xt_route *route, xt_request *request, xt_response *response, int *ret)
{
    if (request->role != XT_ROLE_NONE) /* the door knows who that is */
        return false;
    if (comes_from_elsewhere(request)) {
        *ret =
            refuse(response, 403, "the request comes from another site", "use the page at this server's own address");
        return true;
    }
    if (route->role == XT_ROLE_NONE)
        return false;
    if (!find_role(app, request)) {
        *ret = refuse(response, 401, "not logged in",
                      "open a link that `exectrail user link` prints, or send Authorization: Bearer TOKEN");
        return true;
    }
    if (request->role < route->role) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_problem_set(&problem, "this needs the role %s", xt_role_name(route->role));
        xt_problem_hint(&problem, "you have the role %s", xt_role_name(request->role));
        *ret = xt_response_problem(response, 403, &problem);
        return true;
    }
    return false;
}

static int run(xt_app *app, const xt_route *route, xt_request *request, xt_response *response)
{
    int r = 0;
    for (size_t i = 0; i < XT_COUNT_OF(request->params) && request->params[i].p; i++) {
        request->params[i] = xt_percent_decode(request->params[i], false, request->arena);
        if (!request->params[i].p)
            return xt_error_origin(-ENOMEM);
    }
    if (is_refused(app, route, request, response, &r))
        return r;
    r = route->handle(app, request, response);
    if (r == 0 || response->begun || r == -EPIPE)
        return r;
    xt_problem problem = XT_PROBLEM_INIT;
    return xt_respond_failure(response, r, 500, &problem);
}

/* NULL: there is none, which is answered; *ret is what to return. */
static const xt_route *find(xt_request *request, xt_response *response, int *ret)
{
    const char *allow = NULL;
    for (const xt_route *route = xt_routes; route->method; route++) {
        xt_slice params[4] = {XT_S_NULL, XT_S_NULL, XT_S_NULL, XT_S_NULL};
        if (!fits(route->pattern, request->path, params))
            continue;
        if (!method_fits(route, request->method)) {
            allow = allow ? "GET, HEAD, POST" : strcmp(route->method, "GET") == 0 ? "GET, HEAD" : "POST";
            continue;
        }
        memcpy(request->params, params, sizeof params);
        return route;
    }
    *ret = allow ? refuse_method(response, allow) : refuse(response, 404, "there is no such route", NULL);
    return NULL;
}

int xt_route_run(xt_app *app, xt_request *request, xt_response *response)
{
    int r = 0;
    if (xt_es_is(request->path))
        return xt_es_run(app, request, response);
    const xt_route *route = find(request, response, &r);
    return route ? run(app, route, request, response) : r;
}

bool xt_route_admits(xt_app *app, xt_request *request, xt_response *response)
{
    int r = 0;
    if (xt_es_is(request->path))
        return xt_es_admits(app, request, response);
    const xt_route *route = find(request, response, &r);
    if (!route || is_refused(app, route, request, response, &r))
        return false;
    if (route->role != XT_ROLE_NONE || request->role != XT_ROLE_NONE)
        return true;
    (void)!refuse(response, 413, "the body is larger than what this route takes", NULL);
    return false;
}

bool xt_route_is_stream(xt_slice path)
{
    return xt_slice_eq(path, XT_S("/api/v1/tail"));
}
