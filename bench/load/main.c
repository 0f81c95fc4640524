/* bench-load: the agents of a whole fleet, to measure a server. */
#include <stdio.h>

#include "load.h"
#include "program.h"

static int run_enroll(const xt_opt_args *args);
static int run_send(const xt_opt_args *args);

static const xt_opt enroll_options[] = {
    {"port", 0, "PORT", false, true, NULL, "of the server on 127.0.0.1"},
    {"token", 0, "TOKEN", false, true, NULL, "that any number of hosts may enrol with"},
    {"dir", 0, "DIR", false, true, NULL, "where keys and certificates are kept"},
    {"hosts", 0, "FILE", false, true, NULL, "a host name a line"},
    {NULL},
};
static const xt_opt send_options[] = {
    {"port", 0, "PORT", false, true, NULL, "of the server on 127.0.0.1"},
    {"dir", 0, "DIR", false, true, NULL, "where keys and certificates are kept"},
    {"hosts", 0, "FILE", false, true, NULL, "a line `NAME ID` for each host"},
    {NULL},
};
static const xt_opt_command commands[] = {
    {"enroll", "", 0, 0, "give every host a certificate; prints NAME ID lines", NULL, enroll_options, run_enroll},
    {"send", "FILE", 1, 1, "send a file of batches", NULL, send_options, run_send},
    {NULL},
};
static const xt_opt_program program = {
    "bench-load", "loads a server as a fleet's agents do", XT_VERSION, commands, NULL, NULL};

static int run_with(const xt_opt_args *args, xt_load_settings settings,
                    int (*work)(const xt_load_settings *, xt_problem *))
{
    XT_CLEANUP(xt_buf_fini) xt_buf names = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_load_read(xt_opt_get(args, "hosts"), &names, &problem);
    xt_buf_putc(&names, '\0');
    settings.host = "127.0.0.1";
    settings.port = xt_opt_get(args, "port");
    settings.dir = xt_opt_get(args, "dir");
    settings.names = names.p;
    if (r == 0)
        r = xt_buf_done(&names);
    if (r == 0)
        r = work(&settings, &problem);
    return r ? xt_bench_fail(&program, &problem, r) : 0;
}

static int run_enroll(const xt_opt_args *args)
{
    return run_with(args, (xt_load_settings){.token = xt_opt_get(args, "token")}, xt_load_enroll);
}

static int run_send(const xt_opt_args *args)
{
    return run_with(args, (xt_load_settings){.file = args->operands[0]}, xt_load_send);
}

int main(int argc, char **argv)
{
    return xt_bench_main(&program, argc, argv);
}
