/* How it works: STATE/status says all; this is its words. `rules` asks the kernel itself. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include <cap-ng.h>

#include "agent/agent_commands.h"
#include "agent/audit_watch.h"
#include "agent/state_file.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "io/vfs.h"

static unsigned long long number(const xt_state_file *file, const char *name)
{
    return xt_state_file_number(file, name);
}

/* What stands there, safe for a terminal. */
static void put_text(xt_buf *out, const xt_state_file *file, const char *name)
{
    xt_text_visible(out, xt_state_file_text(file, name));
}

static void put_time(xt_buf *out, uint64_t t_ms)
{
    char text[25];
    xt_timestamp_format((int64_t)t_ms, text);
    xt_buf_puts(out, t_ms ? text : "never");
}

static void put_blind(xt_buf *out, const xt_state_file *file)
{
    xt_slice rest = xt_buf_slice(&file->text), line;
    while (rest.n > 0 && xt_slice_cut(&rest, '\n', &line)) {
        if (!xt_slice_starts(line, XT_S("blind=")))
            continue;
        xt_buf_puts(out, "blinded by     ");
        xt_text_visible(out, xt_slice_skip(line, 6));
        xt_buf_putc(out, '\n');
    }
}

static bool is_running(const xt_state_file *file)
{
    pid_t pid = (pid_t)number(file, "pid");
    return !number(file, "ended") && pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static void put_witness(xt_buf *out, const xt_state_file *file)
{
    xt_buf_puts(out, "witness        ");
    if (number(file, "witness")) {
        xt_buf_printf(out,
                      "%llu execs told of by audit and by the process connector, %llu by the connector alone (%llu "
                      "unexplained), %llu by audit alone; %llu messages missing\n",
                      number(file, "exec_both"), number(file, "exec_unaudited"), number(file, "exec_unexplained"),
                      number(file, "exec_unwitnessed"), number(file, "witness_gaps"));
    } else {
        xt_buf_puts(out, "none: ");
        put_text(out, file, "witness_off");
        xt_buf_putc(out, '\n');
    }
    xt_buf_puts(out, "canary         ");
    if (!number(file, "canary_interval_ms")) {
        xt_buf_puts(out, "none\n");
        return;
    }
    xt_buf_printf(out, "%llu executed, %llu lost; last back ", number(file, "canary_sent"),
                  number(file, "canary_lost"));
    put_time(out, number(file, "canary_ms"));
    if (number(file, "canary_ms"))
        xt_buf_printf(out, " within %llu ms", number(file, "canary_took_ms"));
    xt_buf_putc(out, '\n');
}

static void put_policy(xt_buf *out, const xt_state_file *file)
{
    if (xt_state_file_text(file, "policy").n > 0) {
        xt_buf_puts(out, "policy         ");
        put_text(out, file, "policy");
        xt_buf_putc(out, '\n');
    }
    if (xt_state_file_text(file, "policy_refused").n > 0) {
        xt_buf_puts(out, "refused        ");
        put_text(out, file, "policy_refused");
        xt_buf_putc(out, '\n');
    }
    if (number(file, "paused_until_ms")) {
        xt_buf_puts(out, "PAUSED         nothing is recorded until ");
        put_time(out, number(file, "paused_until_ms"));
        xt_buf_puts(out, ", by ");
        put_text(out, file, "paused_by");
        xt_buf_putc(out, '\n');
    }
}

static void put_kernel(xt_buf *out, const xt_state_file *file)
{
    xt_buf_puts(out, "mode           ");
    put_text(out, file, "audit_mode");
    xt_buf_puts(out, "\ncompleteness   ");
    put_text(out, file, "completeness");
    xt_buf_printf(out,
                  "\nkernel         enabled %llu, audit socket of process %llu, failure %llu, backlog %llu of %llu, "
                  "wait %llu ticks\n",
                  number(file, "enabled"), number(file, "audit_pid"), number(file, "failure"), number(file, "backlog"),
                  number(file, "backlog_limit"), number(file, "backlog_wait_time"));
    xt_buf_puts(out, "protect        ");
    put_text(out, file, "protect");
    xt_buf_printf(out, "; %llu changes of others set back\n", number(file, "repaired"));
    xt_buf_printf(out,
                  "lost           %llu records by the kernel since the agent began (%llu since boot), %llu here, %llu "
                  "cut, %llu forged; %llu events of this boot nobody saw\n",
                  number(file, "lost_since_start"), number(file, "lost"), number(file, "dropped_here"),
                  number(file, "truncated"), number(file, "forged"), number(file, "unseen"));
    put_blind(out, file);
    put_witness(out, file);
}

static void put_capabilities(xt_buf *out, uint64_t mask)
{
    const char *comma = "";
    for (unsigned i = 0; i < 64; i++) {
        const char *name = mask >> i & 1 ? capng_capability_to_name(i) : NULL;
        if (!name)
            continue;
        xt_buf_printf(out, "%s%s", comma, name);
        comma = ", ";
    }
    xt_buf_puts(out, mask ? "" : "no capability");
}

/* The kernel's own words about a process: what it may do, whatever the agent thinks of itself. */
static void put_process(xt_buf *out, const char *name, pid_t pid)
{
    static const char *const names[] = {"CapEff:", "NoNewPrivs:", "Seccomp:"};
    char path[64];
    uint64_t values[XT_COUNT_OF(names)] = {0};
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    if (pid <= 0 || xt_vfs_read_file(&xt_vfs_system, path, 65536, &text) < 0)
        return;
    xt_slice rest = xt_buf_slice(&text), line;
    while (rest.n > 0 && xt_slice_cut(&rest, '\n', &line))
        for (size_t i = 0; i < XT_COUNT_OF(names); i++)
            if (xt_slice_starts(line, xt_slice_str(names[i])) &&
                !xt_slice_parse_hex(xt_slice_trim(xt_slice_skip(line, strlen(names[i]))), &values[i]))
                return;
    xt_buf_printf(out, "  %-13s", name);
    put_capabilities(out, values[0]);
    xt_buf_printf(out, "; %s; %s\n", values[1] ? "no new privileges" : "NEW PRIVILEGES POSSIBLE",
                  values[2] == 2 ? "system calls filtered" : "system calls NOT filtered");
}

static void put_containment(xt_buf *out, const xt_state_file *file)
{
    xt_buf_puts(out, "contained\n");
    if (is_running(file)) {
        put_process(out, "collector", (pid_t)number(file, "pid"));
        put_process(out, "shipper", (pid_t)number(file, "shipper_pid"));
        put_process(out, "helper", (pid_t)number(file, "helper_pid"));
        if (number(file, "digester_pid"))
            put_process(out, "digester", (pid_t)number(file, "digester_pid"));
    }
    xt_buf_puts(out, "  files        ");
    put_text(out, file, "files");
    xt_buf_puts(out, "\nwatchdog       ");
    if (number(file, "watchdog_ms"))
        xt_buf_printf(out, "the service manager hears of this agent at least every %llu ms, or starts it anew\n",
                      number(file, "watchdog_ms"));
    else
        xt_buf_puts(out, "none: the agent was not started by a service manager that asks for it\n");
    xt_buf_puts(out, "hand-over      ");
    put_text(out, file, "handover");
    xt_buf_puts(out, "\nalarm          ");
    put_text(out, file, "alarm");
    xt_buf_puts(out, xt_state_file_text(file, "alarm").n ? "\n" : "none\n");
}

static void put_server(xt_buf *out, const xt_state_file *file)
{
    if (xt_state_file_text(file, "server").n == 0)
        return;
    xt_buf_puts(out, "server         ");
    put_text(out, file, "server");
    xt_buf_puts(out, ": ");
    put_text(out, file, "connection");
    if (number(file, "retry_ms")) {
        xt_buf_puts(out, "\nnext try       ");
        put_time(out, number(file, "retry_ms"));
    }
    if (number(file, "certificate_ms")) {
        xt_buf_puts(out, "\ncertificate    until ");
        put_time(out, number(file, "certificate_ms"));
    }
    xt_buf_puts(out, "\nlast ack       ");
    put_time(out, number(file, "acked_ms"));
    xt_buf_printf(out, ", batch %llu\nspool          ", number(file, "acked_number"));
    put_text(out, file, "spool");
    xt_buf_printf(out, "; %llu batches, %llu events, %llu bytes; %llu events dropped\n", number(file, "spool_batches"),
                  number(file, "spool_events"), number(file, "spool_bytes"), number(file, "spool_dropped_events"));
}

static void put_status(xt_buf *out, const xt_state_file *file)
{
    xt_buf_puts(out, "agent          ");
    if (is_running(file))
        xt_buf_printf(out, "running, process %llu, since ", number(file, "pid"));
    else
        xt_buf_puts(out, number(file, "ended") ? "stopped; began " : "not running, and it was not stopped; began ");
    put_time(out, number(file, "started_ms"));
    xt_buf_puts(out, "\nstatus of      ");
    put_time(out, number(file, "time_ms"));
    xt_buf_puts(out, "\nhost           ");
    put_text(out, file, "host");
    xt_buf_puts(out, " ");
    put_text(out, file, "host_id");
    xt_buf_puts(out, "\n");
    put_policy(out, file);
    put_kernel(out, file);
    xt_buf_printf(out, "events         %llu, %llu lines that are no record\n", number(file, "events"),
                  number(file, "unparsed"));
    if (number(file, "digests"))
        xt_buf_printf(out,
                      "digests        of %llu execs, none of %llu: their file was gone, another, or not read in time\n",
                      number(file, "digests_known"), number(file, "digests_unknown"));
    put_server(out, file);
    put_containment(out, file);
    xt_buf_printf(out, "cost           %llu ms of CPU, %llu KiB of memory", number(file, "cpu_us") / 1000,
                  number(file, "rss_bytes") / 1024);
    if (number(file, "cpu_limit")) {
        xt_buf_printf(out, "; last %llu %% of a CPU of at most %llu: ", number(file, "cpu_percent"),
                      number(file, "cpu_limit"));
        put_text(out, file, "cpu_step");
    }
    xt_buf_putc(out, '\n');
}

int xt_agent_status(const xt_opt_args *args)
{
    const char *state = xt_opt_get(args, "state");
    xt_state_file file;
    int r = xt_state_file_read(state, "status", &file);
    if (r < 0) {
        fprintf(stderr, "exectrail-agent: %s/status cannot be read: %s; has an agent run with --state %s?\n", state,
                strerror(-r), state);
        return 1;
    }
    xt_buf out = XT_BUF_INIT;
    put_status(&out, &file);
    r = xt_buf_done(&out) == 0 && fwrite(out.p, 1, out.n, stdout) == out.n ? 0 : 1;
    xt_buf_fini(&out);
    xt_state_file_fini(&file);
    return r;
}
