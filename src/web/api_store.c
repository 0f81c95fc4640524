/* What an administrator does to the store. */
#include "web/api.h"
#include "web/respond.h"

int xt_api_seal(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    (void)request;
    int r = xt_store_seal(xt_app_store(app), &problem);
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_failure(response, r, 503, &problem) : xt_respond_json(response, 200, &out);
}

int xt_api_ledger_head(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    (void)request;
    int r = xt_app_ledger_head(app, &out, &problem);
    xt_buf_putc(&out, '\n');
    return r ? xt_respond_failure(response, r, 500, &problem) : xt_respond_json(response, 200, &out);
}

/* What verifying gathers. */
typedef struct verifying {
    xt_json problems, erasures;
} verifying;

static void on_problem(void *context, const xt_problem *problem)
{
    xt_problem_json(problem, &((verifying *)context)->problems);
}

static int on_erasure(void *context, const xt_erasure *erasure)
{
    xt_json *json = &((verifying *)context)->erasures;
    xt_json_object_begin(json);
    xt_erasure_json(erasure, json);
    xt_json_object_end(json);
    return 0;
}

/* The store's problems and those of the tombstones. */
static int verify(xt_app *app, xt_slice head, verifying *v, xt_ledger_check *check, xt_problem *problem)
{
    unsigned char chain[32];
    uint64_t head_id = 0;
    int r = head.n ? xt_app_ledger_head_read(head, &head_id, chain, problem) : 0;
    if (r)
        return r;
    xt_json_array_begin(&v->problems);
    xt_json_array_begin(&v->erasures);
    r = head.n ? xt_store_verify_against(xt_app_store(app), head_id, chain, on_problem, v, check, problem)
               : xt_store_verify(xt_app_store(app), on_problem, v, check, problem);
    if (r == 0)
        r = xt_app_erasures(app, on_erasure, on_problem, v, problem);
    xt_json_array_end(&v->problems);
    xt_json_array_end(&v->erasures);
    return r;
}

int xt_api_verify(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT, problems = XT_BUF_INIT, erasures = XT_BUF_INIT;
    xt_ledger_check check = {.n_rows = 0};
    verifying v = {xt_json_to(&problems), xt_json_to(&erasures)};
    xt_json json = xt_json_to(&out);
    int r = verify(app, xt_request_get(request, "against"), &v, &check, &problem);
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    bool ok = check.chain_ok && check.counts_ok && problems.n == 2; /* "[]" */
    xt_json_object_begin(&json);
    xt_json_field_bool(&json, "ok", ok);
    xt_json_key(&json, XT_S("problems"));
    xt_json_raw(&json, xt_buf_slice(&problems));
    xt_json_field_u64(&json, "received", check.n_received);
    xt_json_field_u64(&json, "sealed", check.n_sealed);
    xt_json_field_u64(&json, "retired", check.n_retired);
    xt_json_field_u64(&json, "erased", check.n_erased);
    xt_json_field_u64(&json, "pending", check.n_pending);
    xt_json_field_u64(&json, "ledger_rows", check.n_rows);
    xt_json_key(&json, XT_S("erasures"));
    xt_json_raw(&json, xt_buf_slice(&erasures));
    xt_json_object_end(&json);
    out.failed |= problems.failed | erasures.failed;
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}
