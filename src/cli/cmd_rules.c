/* exectrail rules check and run: rules without a store. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/input.h"
#include "detect/detect.h"
#include "event/decoder.h"

static void print_refused(void *context, const xt_problem *problem)
{
    (void)context;
    (void)xt_cli_fail(problem);
}

int xt_cmd_rules_check(const xt_opt_args *args)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ruleset *set = NULL;
    int r = xt_ruleset_load((const char *const *)args->operands, args->n_operands, print_refused, NULL, &set, &problem);
    if (r != 0)
        return xt_cli_fail(&problem);
    xt_ruleset_stats stats = xt_ruleset_stats_get(set);
    printf("%zu rules, %zu noise rules, %zu refused, %zu of other log sources\n", stats.n_rules, stats.n_noise,
           stats.n_refused, stats.n_not_ours);
    (void)xt_ruleset_unref(set);
    return stats.n_refused ? 1 : 0;
}

static int on_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_match matches[XT_DETECT_MAX_MATCHES];
    size_t n = 0;
    int r = xt_ruleset_match(context, event, arena, matches, &n);
    for (size_t i = 0; r == 0 && i < n; i++) {
        XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
        r = xt_match_json(&matches[i], event, arena, &line);
        xt_buf_putc(&line, '\n');
        if (r == 0 && fwrite(line.p, 1, line.n, stdout) != line.n)
            r = -EPIPE;
    }
    return r;
}

static int run_file(xt_ruleset *set, const char *path, const char *host)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_input *input = NULL;
    xt_decoder *decoder = NULL;
    int r = xt_input_open(path, &input, &problem);
    xt_decoder_settings settings = {.origin = {.host_name = xt_slice_str(host)},
                                    .source = path,
                                    .on_event = on_event,
                                    .on_problem = print_refused,
                                    .context = set};
    if (r == 0)
        r = xt_decoder_new(&settings, &decoder);
    for (bool more = true; r == 0 && more;) {
        xt_slice piece = XT_S_NULL;
        r = xt_input_next(input, &piece, &problem);
        more = piece.n > 0;
        if (r == 0)
            r = more ? xt_decoder_feed(decoder, piece) : xt_decoder_finish(decoder);
    }
    (void)xt_decoder_free(decoder);
    (void)xt_input_close(input);
    if (r == 0)
        return 0;
    if (!xt_problem_is_set(&problem)) {
        xt_problem_source(&problem, path);
        xt_problem_set(&problem, "%s", strerror(r < 0 ? -r : EPROTO));
    }
    return xt_cli_fail(&problem);
}

int xt_cmd_rules_run(const xt_opt_args *args)
{
    const char *paths[XT_OPT_MAX_VALUES];
    size_t n = 0;
    for (const char *path; (path = xt_opt_nth(args, "rules", (unsigned)n)) != NULL;)
        paths[n++] = path;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_ruleset *set = NULL;
    if (xt_ruleset_load(paths, n, print_refused, NULL, &set, &problem) != 0)
        return xt_cli_fail(&problem);
    int status = 0;
    for (unsigned i = 0; i < args->n_operands; i++)
        status |= run_file(set, args->operands[i], xt_opt_get(args, "host"));
    (void)xt_ruleset_unref(set);
    return status;
}
