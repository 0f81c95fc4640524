/* bench-fleet: the agents of a fleet, told by standard input what to do (sim.h). */
#include "program.h"
#include "sim.h"

static int run(const xt_opt_args *args);

static const xt_opt options[] = {
    {"port", 0, "PORT", false, true, NULL, "of the server on 127.0.0.1"},
    {"token", 0, "TOKEN", false, true, NULL, "that as many hosts may enrol with"},
    {"agents", 'n', "N", false, false, "500", "how many"},
    {"rate", 0, "N", false, false, "5", "events a second of each"},
    {"linger", 0, "MS", false, false, "100", "for how long an agent gathers events by itself"},
    {"beat", 0, "MS", false, false, "5000", "time between two heartbeats of an agent"},
    {"capture", 'c', "FILE", true, true, NULL, "audit text that events are made from (.zst too); may be given often"},
    {NULL},
};
static const xt_opt_command commands[] = {
    {"", "", 0, 0, "simulates a fleet of agents", NULL, options, run},
    {NULL},
};
static const xt_opt_program program = {
    "bench-fleet", "loads a server as a fleet's agents do", XT_VERSION, commands, NULL, NULL};

#define CAPTURES 16

static unsigned number(const xt_opt_args *args, const char *name)
{
    uint64_t v = 0;
    return xt_slice_parse_u64(xt_slice_str(xt_opt_get(args, name)), &v) && v < 1000000 ? (unsigned)v : 0;
}

static int run(const xt_opt_args *args)
{
    const char *captures[CAPTURES];
    xt_problem problem = XT_PROBLEM_INIT;
    sim_settings settings = {.port = xt_opt_get(args, "port"),
                             .token = xt_opt_get(args, "token"),
                             .n_agents = number(args, "agents"),
                             .events_per_s = number(args, "rate"),
                             .linger_ms = number(args, "linger"),
                             .beat_ms = number(args, "beat"),
                             .seed = 1,
                             .captures = captures};

    while (settings.n_captures < CAPTURES && xt_opt_nth(args, "capture", settings.n_captures)) {
        captures[settings.n_captures] = xt_opt_nth(args, "capture", settings.n_captures);
        settings.n_captures++;
    }
    if (!settings.n_agents || !settings.beat_ms || !settings.events_per_s || settings.events_per_s > 1000) {
        xt_problem_set(&problem, "there must be agents, and 1 to 1000 events a second of each");
        return xt_bench_fail(&program, &problem, 0) + 1;
    }
    int r = sim_run(&settings, &problem);
    return r ? xt_bench_fail(&program, &problem, r) : 0;
}

int main(int argc, char **argv)
{
    return xt_bench_main(&program, argc, argv);
}
