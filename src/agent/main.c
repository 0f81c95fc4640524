/* exectrail-agent: see `exectrail-agent --help`, which prints the tables below. */
#include <stdio.h>

#include "agent/agent_commands.h"
#include "agent/agent_settings.h"
#include "agent/canary.h"

/* clang-format off */
static const xt_opt run_options[] = {
    {"server",    0, "HOST:PORT", .help = "the server's door for agents (port 8515 when left out); several with commas: one is used, the others are its stand-ins"},
    {"token",     0, "T",         .help = "enrolment token from `exectrail token new`; used once, not needed afterwards"},
    {"state",     0, "DIR",       .fallback = XT_AGENT_STATE, .help = "folder for key, certificate, spool and status"},
    {"audit",     0, "MODE",      .fallback = "auto", .help = "auto, own (take the audit socket), plugin (read what auditd writes), multicast (listen beside its owner), af_unix[:SOCKET] (auditd's socket), follow[:FILE] (auditd's log), text (records of another host)"},
    {"follow",    0, "FILE",      .help = "read a log file that grows and is rotated, and go on after a restart where it was; with --audit text: of another host"},
    {"host",      0, "NAME",      .help = "name of this host in events; else the system's"},
    {"label",     0, "NAME=VALUE", .many = true, .help = "a label of this host, on each of its events; in the settings one a line"},
    {"write-log", 0, "FILE",      .help = "as the owner of the audit socket: write audit.log too, for ausearch and others that read it; secrets are taken out as elsewhere"},
    {"write-log-mib", 0, "N",     .fallback = "8", .help = "size at which that file is renamed to FILE.1"},
    {"write-log-files", 0, "N",   .fallback = "5", .help = "how many of them there are"},
    {"output",    'o', "FILE",    .help = "write events as JSON, one a line, to FILE or - and need no server"},
    {"stdin",     0, NULL,        .help = "read audit records as text from standard input instead of the kernel"},
    {"plugin",    0, NULL,        .help = "started by auditd: --stdin --audit plugin"},
    {"user",      0, "NAME",      .help = "unprivileged user of the process that speaks with the server; else exectrail, or nobody"},
    {"spool-mib", 0, "N",         .fallback = "256", .help = "bound of the spool on disk; when it is passed ends of processes go first, then executions, the oldest before the others, and an event says so"},
    {"spool-free-mib", 0, "N", .help = "leave so much of the disk free; else 5 %, at most 1 GiB"},
    {"rules",     0, "GROUPS",    .fallback = "", .help = "optional groups of audit rules, with commas: names that `exectrail-agent rules --groups` lists, or files"},
    {"policy",    0, "WHAT",      .fallback = "on", .help = "what the server may decide here: on (all of it), off, or rules, protect, exits, canary, spool-mib, cpu-limit, pause"},
    {"witness",   0, "on|off",    .fallback = "on", .help = "hold every exec against the kernel's process connector, where there is one"},
    {"exits",     0, "on|off",    .fallback = "on", .help = "with the witness: an event for the end of every process that executed something"},
    {"hash",      0, "sha256|off", .fallback = "off", .help = "the digest of each executed file, taken by a process of its own that may only read"},
    {"canary",    0, "SECONDS",   .fallback = "60", .help = "how often a known program is executed whose records must come back; 0: never"},
    {"protect",   0, "host|record", .fallback = "host", .help = "when records come too fast: host (no exec ever waits for audit; what is lost is counted and said) or record (execs wait, within a bound)"},
    {"repair",    0, "on|off",    .fallback = "on", .help = "set back what others change of audit: the switch, the agent's rules, the socket, the backlog's limits"},
    {"cpu-limit", 0, "PERCENT",   .fallback = "0", .help = "of one CPU, over some seconds: above it ends and context are left out, and an event says so; 0: no limit"},
    {"secrets",   0, "M",         .fallback = "drop", .help = "in arguments: drop (taken out before anything is written or sent), seal (and kept for the owner of a key alone) or off"},
    {"seal-to",   0, "KEY",       .help = "with --secrets seal: the public key, or a file that holds it (exectrail secret keygen)"},
    {"secret-rules", 0, "FILE",   .help = "the table of secrets to use instead of the one built in"},
    {"config",    'c', "FILE",    .help = "settings: lines of name = value with the names above (" XT_AGENT_CONFIG " when it exists)"},
    {0},
};
static const xt_opt state_options[] = {
    {"state", 0, "DIR", .fallback = XT_AGENT_STATE, .help = "the agent's state folder"},
    {0},
};
static const xt_opt rules_options[] = {
    {"groups", 0, NULL,    .help = "list the groups that are built in instead: name, reason, cost"},
    {"rules",  0, "GROUPS", .help = "the groups that are wanted; else those of the settings file, and of the server's policy"},
    {"config", 'c', "FILE", .fallback = XT_AGENT_CONFIG, .help = "the settings file"},
    {"state",  0, "DIR",    .fallback = XT_AGENT_STATE, .help = "the agent's state folder"},
    {0},
};
static const xt_opt install_options[] = {
    {"config", 'c', "FILE", .fallback = XT_AGENT_CONFIG, .help = "the settings that the agent reads when auditd starts it"},
    {"file",   0,   "FILE", .fallback = XT_AGENT_PLUGIN, .help = "where auditd looks for plugins"},
    {0},
};
static const xt_opt uninstall_options[] = {
    {"file", 0, "FILE", .fallback = XT_AGENT_PLUGIN, .help = "where auditd looks for plugins"},
    {0},
};

static const xt_opt_command commands[] = {
    {"", "", .summary = "record every command on this host", .options = run_options, .run = xt_agent_run,
     .text = "Takes the kernel's audit records, makes events of them, and sends them to a server (or writes them, --output). The audit "
             "state is given back as it was when the agent ends. Where auditd runs it keeps the audit socket: install-plugin lets it "
             "feed this agent."},
    {"status", "", .summary = "how the agent on this host is, in words", .options = state_options, .run = xt_agent_status},
    {"rules", "", .summary = "audit rules: those that the agent wants, and those of others", .options = rules_options, .run = xt_agent_rules,
     .text = "Each line is a word, the group and the rule: loaded or missing (a rule that the agent wants), extra (one that an agent "
             "added and that is wanted no more), hides (a rule of others that hides commands), partial (one that leaves out accounts "
             "without a login) or other. Ends with 1 when one is missing."},
    {"install-plugin", "", .summary = "let auditd start this agent and feed it", .options = install_options, .run = xt_agent_install_plugin},
    {"uninstall-plugin", "", .summary = "undo install-plugin", .options = uninstall_options, .run = xt_agent_uninstall_plugin},
    {0},
};

static const xt_opt_program program = {
    "exectrail-agent",
    "records every command run on this host, from the kernel, and ships it",
    XT_VERSION,
    commands,
    "Exit status: 0 done, 1 failed, 2 wrong usage.",
};
/* clang-format on */

int main(int argc, char **argv)
{
    static xt_opt_args args;
    xt_buf out = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_canary_is(argc, argv))
        return 0;
    int r = xt_opt_parse(&program, argc, argv, &args, &out, &problem);
    if (r == XT_OPT_E_HELP) {
        fwrite(out.p, 1, out.n, stdout);
        r = 0;
    } else if (r != 0) {
        xt_problem_format(&problem, &out);
        fprintf(stderr, "%.*s\n", XT_S_ARGS(xt_buf_slice(&out)));
        r = r == XT_OPT_E_USAGE ? 2 : 1;
    } else {
        r = args.command->run(&args);
    }
    xt_buf_fini(&out);
    return r;
}
