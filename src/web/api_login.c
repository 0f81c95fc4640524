/* The secret comes in a body, never in an address: addresses are logged. */
#include <errno.h>
#include <jansson.h>

#include "web/api.h"
#include "web/request.h"
#include "web/respond.h"

#define MAX_BODY_BYTES 4096
#define COOKIE_S       (12 * 60 * 60)

static int answer_me(xt_response *response, const char *user, xt_role role, const char *extra)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "user", xt_slice_str(user));
    xt_json_field_string(&json, "role", xt_slice_str(xt_role_name(role)));
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    int r = xt_buf_done(&out);
    if (r == 0)
        r = response->begin(response, 200, "application/json", extra);
    if (r == 0)
        r = response->write(response, xt_buf_slice(&out));
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

static int parse_secret(xt_slice body, xt_buf *out, xt_problem *problem)
{
    json_error_t error;
    json_t *document = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, &error);
    const char *secret = json_string_value(json_object_get(document, "secret"));
    if (secret)
        xt_buf_puts(out, secret);
    xt_problem_source(problem, "body");
    if (!document) {
        xt_problem_set(problem, "not JSON: %s", error.text);
        xt_problem_at(problem, (uint64_t)(error.line > 0 ? error.line : 0),
                      (uint64_t)(error.column > 0 ? error.column : 0));
    } else if (!secret) {
        xt_problem_set(problem, "a text named secret is missing");
    }
    json_decref(document);
    return secret ? xt_buf_done(out) : XT_REQUEST_E_BAD;
}

static int set_cookie(xt_app *app, const xt_request *request, xt_response *response, xt_slice cookie)
{
    XT_CLEANUP(xt_buf_fini) xt_buf extra = XT_BUF_INIT;
    char user[64];
    xt_role role = xt_app_role_of(app, cookie, XT_S_NULL, user);
    xt_buf_printf(&extra, "Set-Cookie: exectrail=%.*s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s\r\n",
                  XT_S_ARGS(cookie), COOKIE_S, request->is_secure ? "; Secure" : "");
    xt_buf_putc(&extra, '\0');
    int r = xt_buf_done(&extra);
    return r ? xt_error_trace(r) : answer_me(response, user, role, extra.p);
}

int xt_api_login(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf body = XT_BUF_INIT, secret = XT_BUF_INIT, cookie = XT_BUF_INIT;
    int r = xt_request_body(request, MAX_BODY_BYTES, &body, &problem);
    if (r == 0)
        r = parse_secret(xt_buf_slice(&body), &secret, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    problem = XT_PROBLEM_INIT;
    r = xt_app_login(app, xt_buf_slice(&secret), &cookie, &problem);
    if (r > 0) {
        if (!xt_problem_is_set(&problem))
            xt_problem_set(&problem, "%s",
                           r == XT_APP_E_EXPIRED ? "this login link is too old"
                           : r == XT_APP_E_USED  ? "this login link was used before"
                                                 : "this is no login link of this server");
        xt_problem_hint(&problem, "make a new one with: exectrail user link NAME");
    }
    return r ? xt_respond_app_failure(response, r, &problem)
             : set_cookie(app, request, response, xt_buf_slice(&cookie));
}

int xt_api_logout(xt_app *app, xt_request *request, xt_response *response)
{
    int r = request->cookie.n > 0 ? xt_app_logout(app, request->cookie) : 0;
    if (r < 0)
        return r;
    r = response->begin(response, 204, NULL,
                        "Set-Cookie: exectrail=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict\r\n");
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

int xt_api_me(xt_app *app, xt_request *request, xt_response *response)
{
    (void)app;
    return answer_me(response, request->user, request->role, "");
}
