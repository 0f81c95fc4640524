/*
 * cli/call - asking a route: over HTTP, through a running server's control.sock, or in this process
 *
 * Shape:     --server URL goes over HTTP(S); --data DIR goes through DIR/control.sock when a server answers there, else the folder is opened
 *            in this process and the same handler runs here. The answer is handed on in pieces as it comes.
 * Errors:    a command's exit status: 0, or 1 after one line on standard error (what the route answered, or why it
 *            could not be asked).
 */
#pragma once
#include "base/opt.h"

typedef struct xt_call {
    const char *method; /* "GET", "POST" */
    xt_buf path;        /* "/api/v1/search"; segments already encoded (xt_call_segment) */
    xt_buf query;       /* "q=…&limit=5", encoded (xt_call_param) */
    /*
     * The body in pieces: 0 done or *ret empty at the end; NULL: no body. in_pieces: it goes in requests of one session,
     * each of bytes with the same *ret_params (encoded, "a=b&c=d", at first empty), which it has too; else in one.
     */
    int (*next_body)(void *context, xt_slice *ret, xt_slice *ret_params);
    bool in_pieces;
    void (*on_more)(void *context, xt_slice answer); /* to each request of the session but the last; may be NULL */
    /* The answer in pieces; NULL: to standard output. Non-zero ends the call quietly. */
    int (*on_bytes)(void *context, xt_slice bytes);
    void *context;
    bool make; /* --data: the folder is made when it is not there (import, token new, ...) */
} xt_call;

void xt_call_init(xt_call *call, const char *method, const char *path);
void xt_call_fini(xt_call *call);
/* Adds name=value; nothing when value is NULL. */
void xt_call_param(xt_call *call, const char *name, const char *value);
/* The same at the end of any query. */
void xt_call_put_param(xt_buf *query, const char *name, const char *value);
void xt_call_segment(xt_call *call, const char *segment);
/* Adds those options of the command line that were given under the same names, comma-separated list of names. */
void xt_call_options(xt_call *call, const xt_opt_args *args, const char *names);

int xt_call_run(const xt_opt_args *args, xt_call *call);
/* The same, with the whole answer in *ret (for commands that look into it). */
int xt_call_fetch(const xt_opt_args *args, xt_call *call, xt_buf *ret);
/* True when --data names a folder whose server answers, or --server is given. */
bool xt_call_is_remote(const xt_opt_args *args);
