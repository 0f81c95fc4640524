/*
 * web/es - as much of Elasticsearch's HTTP API as those need who send to it: /es/... of every door, / of the bulk door
 *
 * Shape:     GET / and its kin answer so that Filebeat, Auditbeat, Logstash and the clients' libraries go on; what they set up (templates,
 *            policies, pipelines) is acknowledged and kept nowhere, since events have one schema here; _bulk takes documents.
 * Who:       an API token that may send (server/sender_tokens), as Basic, ApiKey or Bearer; admin.token may.
 * Errors:    in Elasticsearch's shape.
 * Source:    Elasticsearch's reference, 8.
 */
#pragma once
#include "web/route.h"

#define XT_ES_PREFIX "/es"

/* Whether the path is one of these. */
bool xt_es_is(xt_slice path);
XT_MUST_USE int xt_es_run(xt_app *app, xt_request *request, xt_response *response);

/* Whether a large body may come; not: 401 was answered. */
bool xt_es_admits(xt_app *app, xt_request *request, xt_response *response);

/* api_bulk.c: index from the path, p NULL: none. */
XT_MUST_USE int xt_es_bulk(xt_app *app, xt_request *request, xt_response *response, xt_slice index);
/* A whole answer; HEAD has no body. extra: as of a response's begin. */
XT_MUST_USE int xt_es_answer(xt_response *response, int status, const xt_buf *body, const char *extra);
/* {"error":{...},"status":N} */
XT_MUST_USE int xt_es_error(xt_response *response, int status, const char *type, const char *reason, const char *extra);
