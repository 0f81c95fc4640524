/*
 * io/http/http_head - the head of an HTTP/1.1 request, read strictly
 *
 * Errors:    the status to answer with: 400 malformed, 501 a transfer coding other than chunked, 505 another version; *reterr is
 *            then a sentence without a full stop.
 * Ownership: slices point into the bytes given.
 * Limits:    XT_HTTP_MAX_HEADERS; a method of 15 letters.
 * Source:    RFC 9112: no folded lines, no bare line feeds, no control characters, one length.
 */
#pragma once
#include "base/slice.h"

#define XT_HTTP_MAX_HEADERS 100

typedef struct xt_http_header_line {
    xt_slice name, value;
} xt_http_header_line;

typedef struct xt_http_head {
    char method[16];
    xt_slice path, query; /* as sent; query without the `?` */
    xt_http_header_line headers[XT_HTTP_MAX_HEADERS];
    size_t n_headers;
    unsigned minor;  /* of version 1.minor: 0 or 1 */
    uint64_t length; /* Content-Length, 0 without one */
    bool chunked, keep_alive, expects_continue;
} xt_http_head;

/* bytes: up to and with the empty line. */
XT_MUST_USE int xt_http_head_parse(xt_slice bytes, xt_http_head *ret, const char **reterr);
/* The value of the first header of that name (any case); p NULL when there is none. */
xt_slice xt_http_head_find(const xt_http_head *head, xt_slice name);
