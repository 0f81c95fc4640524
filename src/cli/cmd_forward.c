/* exectrail forward: other systems that events and alerts are sent on to. */
#include "cli/call.h"
#include "cli/commands.h"

int xt_cmd_forward_list(const xt_opt_args *args)
{
    xt_call call;

    xt_call_init(&call, "GET", "/api/v1/forwards");
    xt_call_options(&call, args, "format");
    if (args->n_operands)
        xt_call_segment(&call, args->operands[0]);
    return xt_call_run(args, &call);
}

/* 500M, 20G; the number of bytes as text in out. */
static bool parse_bytes(const char *text, xt_buf *out)
{
    static const char units[] = "KMGT";
    xt_slice s = xt_slice_str(text);
    const char *unit = s.n ? strchr(units, s.p[s.n - 1]) : NULL;
    unsigned shift = unit && *unit ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t n;

    if (!xt_slice_parse_u64(xt_slice_head(s, s.n - (shift > 0)), &n) || n == 0 || n > UINT64_C(1) << (50 - shift))
        return false;
    xt_buf_put_dec(out, n << shift);
    xt_buf_putc(out, '\0');
    return xt_buf_done(out) == 0;
}

int xt_cmd_forward_add(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT, bytes = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    const char *rotate = xt_opt_get(args, "rotate");
    xt_call call;

    if (rotate && !parse_bytes(rotate, &bytes)) {
        xt_problem_set(&problem, "--rotate is a number of bytes, or 500M, 20G");
        return xt_cli_fail(&problem);
    }
    if (xt_opt_has(args, "alerts") && xt_opt_has(args, "events")) {
        xt_problem_set(&problem, "a forward sends events or alerts");
        xt_problem_hint(&problem, "add two forwards");
        return xt_cli_fail(&problem);
    }
    xt_call_init(&call, "POST", "/api/v1/forwards");
    xt_call_param(&call, "name", args->operands[0]);
    xt_call_options(&call, args, "to,from,cert,key,level");
    xt_call_param(&call, "ca", xt_opt_get(args, "peer-ca"));
    xt_call_param(&call, "form", xt_opt_get(args, "form"));
    xt_call_param(&call, "what", xt_opt_has(args, "alerts") ? "alerts" : "events");
    xt_call_param(&call, "q", xt_opt_get(args, "events"));
    xt_call_param(&call, "bulk", xt_opt_has(args, "bulk") ? "1" : NULL);
    xt_call_param(&call, "gzip", xt_opt_has(args, "gzip") ? "1" : NULL);
    xt_call_param(&call, "bearer_file", xt_opt_get(args, "bearer-file"));
    xt_call_param(&call, "headers_file", xt_opt_get(args, "headers-file"));
    xt_call_param(&call, "rotate_bytes", rotate ? bytes.p : NULL);
    xt_call_param(&call, "keep", xt_opt_get(args, "keep"));
    call.make = true;
    return xt_call_fetch(args, &call, &answer);
}

int xt_cmd_forward_set(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;

    xt_call_init(&call, "POST", "/api/v1/forwards");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, strchr(args->command->name, ' ') + 1);
    return xt_call_fetch(args, &call, &answer);
}
