/*
 * web/respond - writing an answer
 *
 * Errors:    all return what the response's door said: 0 or <0.
 */
#pragma once
#include "base/json_out.h"
#include "query/query.h"
#include "web/route.h"

/* The whole answer as JSON; -ENOMEM when the buf had failed. */
XT_MUST_USE int xt_respond_json(xt_response *response, int status, const xt_buf *body);
XT_MUST_USE int xt_respond_text(xt_response *response, const char *content_type, const xt_buf *body);
/* Text whose trailer says what became of the answer, as that of streamed rows does. */
XT_MUST_USE int xt_respond_answer(xt_response *response, const char *content_type, const xt_buf *body,
                                  const xt_answer *answer);
/*
 * Answers what went wrong: r > 0 with that status, r < 0 with 500 or 503. Where the answer has begun or the client is
 * gone nothing can be answered: r < 0 comes back.
 */
XT_MUST_USE int xt_respond_failure(xt_response *response, int r, int status, xt_problem *problem);
/* The same for the outcomes of server/app.h (XT_APP_E_*), which name the status themselves. */
XT_MUST_USE int xt_respond_app_failure(xt_response *response, int r, xt_problem *problem);

void xt_problem_json(const xt_problem *problem, xt_json *json);
/* A time in ms as a field, null when 0. */
void xt_json_field_time(xt_json *json, const char *key, int64_t t_ms);
/* total, hidden, partial, truncated, skipped, took_ms. */
void xt_json_answer(xt_json *json, const xt_answer *answer);
