/* exectrail: finds the command in the table and runs it. */
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "cli/commands.h"

int main(int argc, char **argv)
{
    XT_CLEANUP(xt_buf_fini) xt_buf help = XT_BUF_INIT;
    xt_opt_args args;
    xt_problem problem = XT_PROBLEM_INIT;
    signal(SIGPIPE, SIG_IGN);
    xt_log_init("server", XT_LOG_INFO);
    int r = xt_opt_parse(&xt_program, argc, argv, &args, &help, &problem);
    if (r == XT_OPT_E_HELP)
        return fwrite(help.p, 1, help.n, stdout) == help.n ? 0 : 1;
    if (r != 0) {
        xt_problem_source(&problem, ""); /* the line begins with the program's name anyway */
        (void)xt_cli_fail(&problem);
        return r == XT_OPT_E_USAGE ? 2 : 1;
    }
    return args.command->run(&args);
}
