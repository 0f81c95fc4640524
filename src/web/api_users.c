/* Enrolment tokens, users, login links. */
#include <errno.h>

#include "base/timestamp.h"
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

#define TOKEN_VALID_MS (60 * 60 * 1000)

static int answer_field(xt_response *response, const char *name, xt_slice value)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, name, value);
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

int xt_api_token_new(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf token = XT_BUF_INIT;
    xt_slice valid = xt_request_get(request, "valid");
    int64_t valid_ms = TOKEN_VALID_MS;
    uint64_t uses;
    xt_problem_source(&problem, "valid");
    int r = valid.n > 0 ? xt_duration_parse(valid, &valid_ms, &problem) : 0;
    if (r == 0)
        r = xt_request_number(request, "uses", 1, UINT32_MAX, &uses, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_token_new(app, valid_ms, uses, xt_request_get(request, "group"), &token, &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : answer_field(response, "token", xt_buf_slice(&token));
}

static int on_token(void *context, const xt_token_info *token)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        xt_json_field_string(json, "id", xt_slice_str(token->id));
        xt_json_field_string(json, "state", xt_slice_str(token->state));
        xt_json_field_time(json, "made", token->made_ms);
        xt_json_field_time(json, "expires", token->expires_ms);
        xt_json_field_u64(json, "uses", token->max_uses);
        xt_json_field_u64(json, "used", token->n_used);
        xt_json_field_string(json, "group", xt_slice_str(token->group));
        xt_list_json_done(list);
    } else {
        xt_list_cell(list, xt_slice_str(token->id));
        xt_list_cell(list, xt_slice_str(token->state));
        xt_list_cell_time(list, token->made_ms);
        xt_list_cell_time(list, token->expires_ms);
        if (token->max_uses)
            xt_list_cell_u64(list, token->max_uses);
        else
            xt_list_cell(list, XT_S("any"));
        xt_list_cell_u64(list, token->n_used);
        xt_list_cell(list, token->group[0] || list->format == XT_LIST_CSV ? xt_slice_str(token->group) : XT_S("-"));
    }
    return xt_buf_done(&list->out);
}

int xt_api_tokens(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const columns[] = {"id", "state", "made", "expires", "uses", "used", "group"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "tokens", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_tokens_list(app, on_token, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

int xt_api_token_revoke(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int r = xt_app_token_revoke(app, request->params[0], &problem);
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}

static int on_user(void *context, const char *name, xt_role role, int64_t last_login_ms)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        xt_json_field_string(json, "name", xt_slice_str(name));
        xt_json_field_string(json, "role", xt_slice_str(xt_role_name(role)));
        xt_json_field_time(json, "last_login", last_login_ms);
        xt_list_json_done(list);
    } else {
        xt_list_cell(list, xt_slice_str(name));
        xt_list_cell(list, xt_slice_str(xt_role_name(role)));
        xt_list_cell_time(list, last_login_ms);
    }
    return xt_buf_done(&list->out);
}

int xt_api_users(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const columns[] = {"name", "role", "last login"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "users", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_users_list(app, on_user, &list, &problem);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

static int read_user(const xt_request *request, const char **ret_name, xt_role *ret_role, xt_problem *problem)
{
    xt_slice role = xt_request_get(request, "role");
    int r = xt_request_text(request, "name", ret_name, problem);
    if (r)
        return r;
    if (!*ret_name || !**ret_name) {
        xt_problem_source(problem, "name");
        xt_problem_set(problem, "a user needs a name");
        return XT_REQUEST_E_BAD;
    }
    if (!xt_role_by_name(role, ret_role) || *ret_role == XT_ROLE_NONE) {
        xt_problem_source(problem, "role");
        xt_problem_set(problem, "role must be viewer, analyst or admin");
        xt_problem_excerpt(problem, role);
        return XT_REQUEST_E_BAD;
    }
    return 0;
}

int xt_api_user_add(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    const char *name;
    xt_role role;
    int r = read_user(request, &name, &role, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_user_add(app, name, role, &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : xt_api_users(app, request, response);
}

int xt_api_user_link(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT, secret = XT_BUF_INIT;
    xt_slice name = request->params[0];
    int r = 0;
    if (xt_slice_find_byte(name, '\0') >= 0) {
        xt_problem_set(&problem, "a name holds no NUL");
        r = XT_APP_E_INVALID;
    }
    if (r == 0)
        r = xt_app_user_link(app, name.p, &secret, &problem); /* decoded parameters end in a NUL */
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "secret", xt_buf_slice(&secret));
    xt_json_key(&json, XT_S("path"));
    XT_CLEANUP(xt_buf_fini) xt_buf path = XT_BUF_INIT;
    xt_buf_puts(&path, "/#login=");
    xt_buf_put(&path, xt_buf_slice(&secret));
    xt_json_string(&json, xt_buf_slice(&path));
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}
