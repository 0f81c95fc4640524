/* bench-generate: realistic events of a fleet, for `./dev bench store` and for whoever wants to try a store. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "program.h"
#include "sink.h"

static int run(const xt_opt_args *args);

static const xt_opt options[] = {
    {"capture", 'c', "FILE", true, false, NULL, "audit text that events are made from (.zst too); may be given often"},
    {"events", 'n', "N", false, false, "1000000", "how many"},
    {"seed", 0, "N", false, false, "1", "another seed gives another week"},
    {"format", 'f', "FORMAT", false, false, "none",
     "text (audit.log with node=), ndjson (ECS), columns (tab-separated), batches (of agents) or none; to standard "
     "output"},
    {"data", 0, "DIR", false, false, NULL, "store them in this data folder instead"},
    {"sqlite", 0, "FILE", false, false, NULL, "or in a table of this SQLite file"},
    {"batch", 0, "N", false, false, "200", "events a batch at most"},
    {"hosts", 0, "FILE", false, false, NULL, "a line `NAME ID` for each host, as bench-load enroll prints it"},
    {"names", 0, NULL, false, false, NULL, "print the names of the hosts and end"},
    {"truth", 0, "FILE", false, false, NULL, "what was made, as JSON; else on standard error"},
    {NULL},
};

static const xt_opt_command commands[] = {
    {"", "", 0, 0, "realistic events of a fleet of 200 hosts in a week", NULL, options, run},
    {NULL},
};
static const xt_opt_program program = {"bench-generate", "generates events", XT_VERSION, commands, NULL, NULL};

static uint64_t number(const xt_opt_args *args, const char *name)
{
    uint64_t v = 0;
    return xt_slice_parse_u64(xt_slice_str(xt_opt_get(args, name)), &v) ? v : 0;
}

static int read_captures(const xt_opt_args *args, xt_capture *capture, xt_problem *problem)
{
    int r = 0;
    for (unsigned i = 0; r == 0 && xt_opt_nth(args, "capture", i); i++)
        r = xt_capture_read(capture, xt_opt_nth(args, "capture", i), problem);
    return r;
}

/* The list of hosts, NUL-ended. */
static int read_hosts(const char *path, xt_buf *out, xt_problem *problem)
{
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char piece[4096];
    ssize_t n = 0;
    if (!path)
        return 0;
    while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
        xt_buf_put(out, xt_slice_of(piece, (size_t)n));
    if (fd >= 0)
        close(fd);
    if (fd < 0 || n < 0) {
        xt_problem_set(problem, "%s cannot be read: %s", path, strerror(errno));
        return -errno;
    }
    xt_buf_putc(out, '\0');
    return xt_buf_done(out);
}

static int on_event(void *context, unsigned host, const xt_event *event)
{
    xt_sink **sink = context;
    return xt_sink_put(*sink, host, event);
}

static int open_sink(const xt_opt_args *args, const xt_fleet *fleet, xt_sink **ret, xt_problem *problem)
{
    const char *format = xt_opt_get(args, "format");
    unsigned most = (unsigned)number(args, "batch");
    if (xt_opt_has(args, "data"))
        return xt_sink_store_open(xt_opt_get(args, "data"), fleet, most, ret, problem);
    if (xt_opt_has(args, "sqlite"))
        return xt_sink_sqlite_open(xt_opt_get(args, "sqlite"), ret, problem);
    if (strcmp(format, "batches") == 0)
        return xt_sink_batches_open(STDOUT_FILENO, most, ret, problem);
    return xt_sink_lines_open(format, STDOUT_FILENO, ret, problem);
}

static int put_truth(const xt_opt_args *args, const xt_fleet *fleet, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    FILE *out = xt_opt_has(args, "truth") ? fopen(xt_opt_get(args, "truth"), "we") : stderr;
    xt_fleet_truth_put(fleet, &text);
    if (!out || xt_buf_done(&text) < 0) {
        xt_problem_set(problem, "what was made cannot be written down");
        return -EIO;
    }
    fprintf(out, "%.*s\n", XT_S_ARGS(xt_buf_slice(&text)));
    return out == stderr || fclose(out) == 0 ? 0 : -EIO;
}

static int generate(const xt_opt_args *args, xt_capture *capture, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf hosts = XT_BUF_INIT;
    xt_fleet *fleet = NULL;
    xt_sink *sink = NULL;
    int r = read_captures(args, capture, problem);
    if (r == 0)
        r = read_hosts(xt_opt_get(args, "hosts"), &hosts, problem);
    xt_fleet_settings settings = {.n_events = number(args, "events"),
                                  .seed = number(args, "seed"),
                                  .hosts = hosts.p,
                                  .on_event = on_event,
                                  .context = &sink};
    if (r == 0)
        r = xt_fleet_new(&settings, capture, &fleet, problem);
    if (r == 0)
        r = open_sink(args, fleet, &sink, problem);
    if (r == 0)
        r = xt_fleet_run(fleet);
    if (r == 0 && sink->finish)
        r = sink->finish(sink, problem);
    if (r == 0)
        r = put_truth(args, fleet, problem);
    if (sink)
        sink->free(sink);
    xt_fleet_free(fleet);
    return r;
}

static int run(const xt_opt_args *args)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_capture *capture = NULL;
    char name[32];
    if (xt_opt_has(args, "names")) {
        for (unsigned i = 0; i < XT_FLEET_HOSTS; i++) {
            xt_fleet_name_of(i, name);
            puts(name);
        }
        return 0;
    }
    int r = xt_capture_new(&capture);
    if (r == 0)
        r = generate(args, capture, &problem);
    xt_capture_free(capture);
    return r ? xt_bench_fail(&program, &problem, r) : 0;
}

int main(int argc, char **argv)
{
    return xt_bench_main(&program, argc, argv);
}
