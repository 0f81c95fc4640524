/*
 * web/route - what can be asked: one table of routes, used over HTTP, over control.sock and in-process
 *
 * Shape:     a route is method, path pattern, role, handler. A handler reads an xt_request and writes an xt_response; it does
 *            not know which door the request came through. The command line calls the same handlers, through
 *            --server URL, DIR/control.sock or in its own process, so each answer is made in one place.
 * Roles:     checked in one place (xt_route_run) before the handler: NONE (page files, login), VIEWER, ANALYST, ADMIN.
 *            control.sock and in-process callers are ADMIN (the socket is 0600). What changes something and comes with
 *            a cookie must come from the page itself: Origin of the same host, or Sec-Fetch-Site: same-origin.
 * Errors:    a handler answers problems itself with xt_response_problem: 400, 404, 409, 503 and a JSON document {"error": {...}}.
 *            <0 from a handler: nothing more is written; xt_route_run answers 500 where nothing was begun.
 * Ownership: all slices of a request live as long as the call, in its arena or in what the door read.
 * Threads:   a handler runs on a worker thread and may block; `cancelled` becomes true when the client is gone.
 */
#pragma once
#include <stdatomic.h>

#include "server/app.h"

#define XT_REQUEST_MAX_ARENA (512u << 20) /* of one request */

struct xt_imports;

typedef struct xt_param {
    xt_slice name, value;
} xt_param;

typedef struct xt_request {
    const char *method;           /* "GET", "HEAD", "POST" */
    xt_slice path;                /* as sent, percent-encoded, without the query */
    xt_slice params[4];           /* what the pattern's {…} stood for, decoded */
    const struct xt_param *query; /* decoded name=value pairs, ended by name.p == NULL */
    /* The body in pieces; 0 at the end, <0 errno. */
    ssize_t (*read_body)(struct xt_request *request, void *p, size_t n);
    xt_slice cookie, api_token;
    xt_slice authorization, content_encoding;               /* headers, p NULL when not sent */
    xt_slice origin, host, fetch_site;                      /* headers, p NULL when not sent */
    xt_slice accept_encoding, if_none_match, last_event_id; /* headers, p NULL when not sent */
    bool is_secure;                                         /* came over TLS */
    bool is_local;                                          /* over control.sock or in-process: who owns DIR asks */
    xt_role role; /* set by the door for control.sock and in-process; else found out by xt_route_run */
    char user[64];
    const atomic_bool *cancelled; /* may be NULL */
    xt_arena *arena;              /* for what lives as long as the request */
    struct xt_imports *imports;   /* imports in several requests; NULL: this door has none */
    void *door;                   /* the door's own */
} xt_request;

typedef struct xt_response {
    /* Once, before write. extra: more header lines, each ended by "\r\n", or "". */
    int (*begin)(struct xt_response *response, int status, const char *content_type, const char *extra);
    /* Blocks while the client is slow; -EPIPE when it is gone. */
    int (*write)(struct xt_response *response, xt_slice bytes);
    /* summary: what became of an answer whose rows are out already, a JSON object on one line; may be empty. */
    int (*end)(struct xt_response *response, xt_slice summary);
    void *door;
    bool begun;
} xt_response;

typedef struct xt_route {
    const char *method, *pattern; /* "/api/v1/alerts/{id}/ack" */
    xt_role role;
    int (*handle)(xt_app *app, xt_request *request, xt_response *response);
    const char *help; /* one line, for docs/api.md */
} xt_route;

extern const xt_route xt_routes[]; /* ended by method == NULL */

/* Finds the route, checks the role, runs the handler; answers 404, 405, 401, 403 by itself. <0: the answer was cut. */
XT_MUST_USE int xt_route_run(xt_app *app, xt_request *request, xt_response *response);
/*
 * Whether a body larger than anybody's may come for this request: there is the route, and who asks has its role. Not: that
 * was answered as xt_route_run would, or could not be.
 */
bool xt_route_admits(xt_app *app, xt_request *request, xt_response *response);
/* Whether a path (as sent) is that of an answer that stays open: the live tail. */
bool xt_route_is_stream(xt_slice path);
/* The value of a query parameter, p == NULL when absent. */
xt_slice xt_request_get(const xt_request *request, const char *name);
int xt_response_problem(xt_response *response, int status, const xt_problem *problem);
