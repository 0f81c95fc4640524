/* The same as the product's own mains do, for programs without a log. */
#include "program.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

int xt_bench_fail(const xt_opt_program *program, const xt_problem *problem, int r)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;

    xt_problem_format(problem, &text);
    const char *otherwise = xt_problem_is_set(problem) ? "" : r < 0 ? strerror(-r) : "failed";
    fprintf(stderr, "%s: %.*s%s\n", program->name, XT_S_ARGS(xt_buf_slice(&text)), otherwise);
    return 1;
}

int xt_bench_main(const xt_opt_program *program, int argc, char **argv)
{
    XT_CLEANUP(xt_buf_fini) xt_buf help = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_opt_args args;

    signal(SIGPIPE, SIG_IGN);
    int r = xt_opt_parse(program, argc, argv, &args, &help, &problem);
    if (r == XT_OPT_E_HELP)
        return fwrite(help.p, 1, help.n, stdout) == help.n ? 0 : 1;
    if (r != 0) {
        xt_problem_source(&problem, ""); /* the line begins with the program's name anyway */
        return xt_bench_fail(program, &problem, r) + (r == XT_OPT_E_USAGE);
    }
    return args.command->run(&args);
}
