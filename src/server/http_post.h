/*
 * server/http_post - posting a body to an address, for the outbox and for forwards
 *
 * Shape:     one connection, kept between posts; redirects are not followed.
 * Errors:    <0 memory; -EINVAL where a file that is named cannot be used, with a problem.
 * Threads:   one at a time.
 */
#pragma once
#include <stdatomic.h>

#include "base/buf.h"
#include "base/problem.h"

typedef struct xt_http_post xt_http_post;

typedef struct xt_http_post_settings {
    const char *url; /* http:// or https://; copied */
    const char *content_type;
    const char *const *headers; /* lines; copied */
    size_t n_headers;
    const char *ca, *cert, *key; /* files in PEM, NULL: the system's CAs, no certificate of our own */
    long timeout_ms;
    size_t max_answer_bytes;  /* what is kept of an answer; 0: nothing */
    const atomic_bool *stops; /* ends a post under way */
} xt_http_post_settings;

bool xt_http_post_is_address(const char *url);
XT_MUST_USE int xt_http_post_open(const xt_http_post_settings *settings, xt_http_post **ret);
xt_http_post *xt_http_post_close(xt_http_post *post); /* accepts NULL, returns NULL */
/*
 * The HTTP status, or 0 when there was no answer; *ret_why says then why, for people, without what the address may hold of secrets. encoding:
 * of the body, "gzip" or NULL. answer: may be NULL.
 */
long xt_http_post_send(xt_http_post *post, xt_slice body, const char *encoding, xt_buf *answer, const char **ret_why);
