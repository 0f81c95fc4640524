/* One event, with every record of it apart. */
#include <errno.h>

#include "query/ends.h"
#include "web/api.h"
#include "web/respond.h"
#include "web/search_params.h"

static int answer_event(xt_request *request, xt_response *response, const xt_event *event)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int r = xt_event_json(event, XT_EVENT_JSON_RECORDS | XT_EVENT_JSON_INTERPRET, request->arena, &out);
    if (r)
        return xt_error_trace(r);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

/* How its process ended, where that is known and the event does not say so itself. */
static int join_end(xt_app *app, xt_request *request, xt_event *event, xt_problem *problem)
{
    xt_field_set id = {{0, 0}};
    xt_end end;

    xt_field_set_add(&id, XT_F_EVENT_ID);
    int r = xt_event_derive(event, id, request->arena);
    if (r || !xt_end_init(&end, event))
        return r;
    r = xt_ends_find(xt_app_store(app), &end, 1, request->cancelled, problem);
    if (r == 0 && end.found)
        xt_end_apply(&end, event);
    return r;
}

int xt_api_event(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_hash128 id;
    xt_event event;
    int64_t time_ms;
    bool found = false;
    int64_t now_ms = xt_clock_wall_ms(xt_app_clock(app));
    int r = xt_request_time(request, "time", now_ms, false, 0, &time_ms, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    if (xt_hash128_parse(request->params[0], &id))
        r = xt_store_event_find(xt_app_store(app), id, time_ms, request->arena, &event, &found, &problem);
    if (r == 0 && found)
        r = join_end(app, request, &event, &problem);
    if (r == 0 && found)
        return answer_event(request, response, &event);
    if (r == 0) {
        xt_problem_set(&problem, "there is no event of this id");
        xt_problem_excerpt(&problem, request->params[0]);
    }
    return xt_respond_failure(response, r ? r : 1, 404, &problem);
}
