/*
 * web/local - the routes in this process: what the command line uses when no server has the data folder
 *
 * Shape:     one call runs one route to its end; the caller is ADMIN. Same routes, same answers as over HTTP; no page files.
 * Errors:    <0 errno, or what a callback returned (not 0): the run ended there. An answer of status 400 and above
 *            is an answer: 0.
 * Threads:   runs on the caller's thread; many may run at once.
 */
#pragma once
#include "web/route.h"

typedef struct xt_local_request {
    const char *method; /* "GET", "POST" */
    const char *path;   /* as in an address: "/api/v1/sessions/web-1/12", percent-encoded */
    xt_slice query;     /* "q=user%3Aalice&limit=10", percent-encoded; may be empty */
    /* The body in pieces: how many bytes, 0 at the end, <0 errno. NULL: no body. */
    ssize_t (*read_body)(void *context, void *p, size_t n);
    /* Once, before the first bytes. extra: more header lines or "". May be NULL. */
    int (*on_begin)(void *context, int status, const char *content_type, const char *extra);
    int (*on_bytes)(void *context, xt_slice bytes);
    /* After streamed rows: JSON with total, hidden, partial, truncated, skipped, took_ms. May be NULL. */
    int (*on_summary)(void *context, xt_slice json);
    void *context;
    const atomic_bool *cancelled; /* set from elsewhere to end it early; may be NULL */
    struct xt_imports *imports;   /* those that come in several requests (web/imports.h); NULL: none do */
} xt_local_request;

XT_MUST_USE int xt_local_run(xt_app *app, const xt_local_request *request, int *ret_status);
