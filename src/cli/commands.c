/*
 * The table. A new command is one row here and one function; where data comes from (--data or --server) is the same
 * three options everywhere, so they stand in a macro.
 */
#include "cli/commands.h"

#include <limits.h>
#include <stdio.h>

#define FROM_WHERE                                                                                              \
    {.name = "data", .value = "DIR", .help = "data folder; goes through its running server if there is one"},   \
        {.name = "server", .value = "URL", .help = "a server, http://HOST:PORT or https://HOST:PORT"},          \
        {.name = "token", .value = "T", .help = "for --server; else the environment variable EXECTRAIL_TOKEN"}, \
    {                                                                                                           \
        .name = "ca", .value = "FILE", .help = "for https: the server's CA certificate (its DIR/ca.pem)"        \
    }
#define AS_FORMAT                                                                           \
    {                                                                                       \
        .name = "format", .value = "F", .fallback = "table", .help = "table, ndjson or csv" \
    }
#define NOISE                                                                                                    \
    {                                                                                                            \
        .name = "noise", .value = "N", .fallback = "show", .help = "what is tagged as noise: show, hide or only" \
    }
#define TIMES                                                                           \
    {.name = "from", .value = "T", .help = "not older than: RFC 3339, now-15m, now/d"}, \
    {                                                                                   \
        .name = "to", .value = "T", .help = "not newer than"                            \
    }
#define SECRETS                                                                                                    \
    {                                                                                                              \
        .name = "secrets", .value = "M",                                                                           \
        .help = "in arguments of what is imported: drop (taken out before anything is stored; the default), seal " \
                "or off"                                                                                           \
    }
#define SEAL_TO                                                                                          \
    {                                                                                                    \
        .name = "seal-to", .value = "KEY",                                                               \
        .help = "with --secrets seal: the public key, or a file that holds it (exectrail secret keygen)" \
    }
#define END          \
    {                \
        .name = NULL \
    }

static const xt_opt decode_options[] = {
    {.name = "format",
     .value = "F",
     .fallback = "ndjson",
     .help = "ndjson, or text: one line a command that can be pasted into a shell"},
    {.name = "host", .value = "NAME", .help = "name of the host for records without node="},
    {.name = "records", .help = "add auditd.records: each record's type and fields apart; as text: a line a record"},
    {.name = "interpret", .help = "add what values mean: auditd.interpreted, and beside each path and record"},
    {.name = "explain",
     .value = "EVENT",
     .help = "show which bytes of which records each field of one event came from: by event.id, serial, or "
             "SECONDS.MMM:SERIAL"},
    {.name = "follow", .letter = 'f', .help = "go on as FILE grows and is rotated, until interrupted"},
    {.name = "stats", .help = "at the end, on standard error: lines, records, events by action, losses, flags, rates"},
    {.name = "unmasked", .help = "show what was typed at programs that ask for passwords"},
    {.name = "redact", .help = "take secrets out, by the rules built in"},
    {.name = "secret-rules", .value = "FILE", .help = "take secrets out, by the rules in FILE"},
    {.name = "seal-to",
     .value = "KEY",
     .help = "what is taken out is sealed to this public key, or the one in this file"},
    END,
};
static const xt_opt server_options[] = {
    {.name = "data", .value = "DIR", .fallback = "exectrail-data", .help = "data folder, made when absent"},
    {.name = "http", .value = "A:P", .fallback = "127.0.0.1:8514", .help = "address of page and API"},
    {.name = "listen", .value = "A:P", .fallback = "127.0.0.1:8515", .help = "address for agents"},
    {.name = "syslog", .value = "A:P", .help = "take audit records as syslog here, over UDP and TCP (docs/senders.md)"},
    {.name = "syslog-tls", .value = "A:P", .help = "and here over TLS"},
    {.name = "syslog-from",
     .value = "NET,...",
     .help = "who may send syslog: addresses and networks; without it this machine alone"},
    {.name = "syslog-ca",
     .value = "FILE",
     .help = "who sends syslog over TLS must have a certificate of the CA in FILE"},
    {.name = "bulk",
     .value = "A:P",
     .help = "take what is made for Elasticsearch here; it is taken below /es of --http in any case"},
    {.name = "rules", .value = "DIR", .many = true, .help = "more Sigma rules: a folder or a file"},
    {.name = "webhook", .value = "URL", .help = "alerts are posted there as JSON"},
    {.name = "host-cert-valid",
     .value = "TIME",
     .fallback = "90d",
     .help = "how long hosts' certificates last: 30d, 12h; agents renew them at two thirds"},
    {.name = "names", .value = "N,N", .help = "names and addresses for the server's certificate besides localhost"},
    SECRETS,
    SEAL_TO,
    {.name = "retain-days",
     .value = "N[,G=N]",
     .help = "retire what is older than N days; of the hosts of group G another N; without a limit all is kept"},
    {.name = "retain-bytes", .value = "N", .help = "retire the oldest when DIR takes more: bytes, or 500M, 20G, 2T"},
    {.name = "min-free-bytes", .value = "N", .help = "retire the oldest when the file system has less free"},
    {.name = "seal-rows", .value = "N", .help = "so many new events become a segment; 262144"},
    {.name = "seal-after", .value = "SECONDS", .help = "fewer do when the oldest has waited so long; 600"},
    {.name = "merge-after", .value = "SECONDS", .help = "segments are merged when they are so old; 600"},
    {.name = "sent-hosts", .value = "N", .help = "hosts without an agent that are known one by one; 10000"},
    {.name = "secret-rules", .value = "FILE", .help = "the table of secrets to use instead of the one built in"},
    {.name = "demo", .value = "FILE", .help = "replay this audit log at its own pace, under a DEMO banner"},
    END,
};
static const xt_opt import_options[] = {
    FROM_WHERE,
    {.name = "host", .value = "NAME", .help = "name of the host for records without node="},
    SECRETS,
    SEAL_TO,
    {.name = "quiet", .help = "say nothing but what went wrong"},
    END,
};
static const xt_opt search_options[] = {
    FROM_WHERE,
    TIMES,
    {.name = "limit", .value = "N", .help = "at most N rows; without it all (1000 in a table on a terminal)"},
    {.name = "fields", .value = "a,b", .help = "these fields only, by ECS name or alias"},
    {.name = "sort", .value = "F[:asc|desc]", .fallback = "time:desc", .help = "order"},
    {.name = "count", .help = "print the number of matches"},
    {.name = "by", .value = "F[,F]", .help = "count by these fields, greatest first"},
    {.name = "after", .value = "CURSOR", .help = "go on behind the row that had this cursor"},
    NOISE,
    {.name = "timeout", .value = "S", .help = "seconds of work, then what was found until then, marked as partial"},
    {.name = "memory", .value = "MIB", .fallback = "256", .help = "for groups and their values, else the same"},
    {.name = "ends",
     .value = "E",
     .help = "ends of processes in a table: fold (on the row of their exec; the default, unless the query or --fields "
             "asks for "
             "them), or rows"},
    {.name = "explain", .help = "print on standard error what was read and skipped, and why"},
    {.name = "format", .value = "F", .fallback = "table", .help = "table, ndjson, csv or raw (audit.log text)"},
    END,
};
static const xt_opt export_options[] = {
    FROM_WHERE,
    TIMES,
    {.name = "format",
     .value = "F",
     .fallback = "raw",
     .help = "raw (audit.log text that ausearch reads), ndjson or csv"},
    END,
};
static const xt_opt tail_options[] = {
    FROM_WHERE,
    NOISE,
    {.name = "ends",
     .value = "E",
     .help = "ends of processes: rows, or fold (left out unless the query asks for them; the default in a table)"},
    {.name = "format", .value = "F", .fallback = "table", .help = "table or ndjson"},
    END,
};
static const xt_opt session_options[] = {FROM_WHERE,
                                         TIMES,
                                         NOISE,
                                         {.name = "format",
                                          .value = "F",
                                          .fallback = "tree",
                                          .help = "tree; ndjson: a process a line; or its events as table, csv or raw"},
                                         END};
static const xt_opt list_options[] = {FROM_WHERE, AS_FORMAT, END};
static const xt_opt where_options[] = {FROM_WHERE, END};
static const xt_opt alerts_list_options[] = {
    FROM_WHERE,
    {.name = "status", .value = "S", .help = "open, acknowledged or closed; without it all"},
    {.name = "limit", .value = "N", .help = "at most N"},
    AS_FORMAT,
    END,
};
static const xt_opt rules_run_options[] = {
    {.name = "rules", .value = "DIR", .many = true, .required = true, .help = "a folder or a file"},
    {.name = "host", .value = "NAME", .help = "name of the host for records without node="},
    END,
};
static const xt_opt token_options[] = {
    FROM_WHERE,
    {.name = "valid", .value = "TIME", .fallback = "1h", .help = "how long: 30m, 1h, 7d"},
    {.name = "uses", .value = "N", .fallback = "1", .help = "how many hosts may enrol with it; 0: any number"},
    {.name = "group", .value = "G", .help = "group of the hosts that enrol with it: host.group of their events"},
    END,
};
static const xt_opt ca_retire_options[] = {
    FROM_WHERE,
    {.name = "force", .help = "even where hosts are locked out; they have to enrol again"},
    AS_FORMAT,
    END,
};
static const xt_opt user_add_options[] = {
    FROM_WHERE, {.name = "role", .value = "R", .fallback = "viewer", .help = "viewer, analyst or admin"}, END};
static const xt_opt user_link_options[] = {
    FROM_WHERE, {.name = "http", .value = "URL", .help = "the page's address; without it the running server's"}, END};
static const xt_opt keygen_options[] = {
    {.name = "out",
     .value = "FILE",
     .required = true,
     .help = "a new file for the private key, readable by its owner alone"},
    END,
};
static const xt_opt unseal_options[] = {
    FROM_WHERE,
    {.name = "key", .value = "FILE", .required = true, .help = "the private key; it stays on this machine"},
    {.name = "reason", .value = "TEXT", .required = true, .help = "why; it is kept with who and when, as an event"},
    END,
};
static const xt_opt dump_options[] = {
    {.name = "format", .value = "F", .fallback = "table", .help = "table or ndjson"},
    END,
};
static const xt_opt verify_options[] = {
    FROM_WHERE,
    {.name = "head", .help = "print the ledger's head, signed, and check nothing"},
    {.name = "against", .value = "FILE", .help = "a head printed earlier: does the ledger still contain it?"},
    {.name = "completeness",
     .value = "HOST",
     .help = "instead: is all there that ran on this host, and what proves it?"},
    TIMES,
    {.name = "format", .value = "F", .fallback = "text", .help = "of --completeness: text or json"},
    END,
};
static const xt_opt store_status_options[] = {
    FROM_WHERE, {.name = "format", .value = "F", .fallback = "text", .help = "text or json"}, END};
static const xt_opt hold_add_options[] = {
    FROM_WHERE,
    {.name = "reason", .value = "TEXT", .required = true, .help = "why; it is kept with who and when, in the ledger"},
    END,
};
static const xt_opt erase_options[] = {
    FROM_WHERE,
    {.name = "reason", .value = "TEXT", .help = "why; it is kept with who and when, signed, in the ledger"},
    {.name = "dry-run", .help = "say what would be erased, and erase nothing"},
    {.name = "yes", .help = "do not ask"},
    {.name = "private", .help = "keep a hash of the query in the ledger, and not the query"},
    {.name = "list", .help = "what was erased until now, and how many backups hold it still"},
    AS_FORMAT,
    END,
};
static const xt_opt backup_options[] = {
    {.name = "data", .value = "DIR", .required = true, .help = "data folder, of a running server or of none"},
    {.name = "keep", .value = "N", .help = "generations that stay; older ones are removed. Without it all stay"},
    END,
};
#define GENERATION(help_text)                                   \
    {                                                           \
        .name = "generation", .value = "G", .help = (help_text) \
    }
static const xt_opt backup_list_options[] = {AS_FORMAT, END};
static const xt_opt backup_verify_options[] = {GENERATION("this one alone; without it all"), END};
static const xt_opt restore_options[] = {
    {.name = "data", .value = "NEWDIR", .required = true, .help = "the folder to be: absent or empty"},
    GENERATION("which; without it the newest"),
    END,
};
static const xt_opt hosts_options[] = {FROM_WHERE, TIMES, AS_FORMAT, END};
static const xt_opt completeness_options[] = {
    FROM_WHERE, TIMES, {.name = "host", .value = "H", .help = "this one alone: id or name"}, AS_FORMAT, END};
static const xt_opt forward_add_options[] = {
    FROM_WHERE,
    {.name = "to",
     .value = "TARGET",
     .required = true,
     .help = "syslog+udp://HOST:PORT, syslog+tcp://, syslog+tls://, http://..., https://..., file:/PATH"},
    {.name = "events", .value = "KQL", .help = "events that match; without it all of them"},
    {.name = "alerts", .help = "alerts instead of events: each new one, and again when its level rises"},
    {.name = "level", .value = "L", .help = "of alerts: this level or a higher one alone; low, medium, high, critical"},
    {.name = "form", .value = "F", .fallback = "ecs", .help = "ecs (JSON), raw (audit.log text) or cef"},
    {.name = "from", .value = "W", .fallback = "now", .help = "now, or start: all that is stored first"},
    {.name = "bulk", .help = "over HTTP: TARGET is a _bulk endpoint of Elasticsearch or OpenSearch"},
    {.name = "gzip", .help = "over HTTP: the body compressed"},
    {.name = "bearer-file", .value = "FILE", .help = "over HTTP: a file that holds the token"},
    {.name = "headers-file", .value = "FILE", .help = "over HTTP: a file of more header lines"},
    {.name = "peer-ca", .value = "FILE", .help = "of TLS: the target's CA; without it those of the system"},
    {.name = "cert", .value = "FILE", .help = "of TLS: our certificate, where the target asks for one"},
    {.name = "key", .value = "FILE", .help = "and its key"},
    {.name = "rotate", .value = "BYTES", .help = "of a file: begin a new one before it is longer; 500M, 2G"},
    {.name = "keep", .value = "N", .fallback = "5", .help = "of a file: so many old ones stay: FILE.1, FILE.2, ..."},
    END,
};
static const xt_opt no_options[] = {END};
static const xt_opt why_options[] = {
    FROM_WHERE, {.name = "why", .value = "TEXT", .help = "the reason, for those who come after"}, END};
static const xt_opt pause_options[] = {
    FROM_WHERE,
    {.name = "for", .value = "TIME", .fallback = "1h", .help = "how long: 10m, 1h; at most a day"},
    {.name = "why", .value = "TEXT", .help = "the reason, for those who come after"},
    END,
};
static const xt_opt policy_show_options[] = {
    FROM_WHERE, {.name = "version", .value = "N", .help = "this one; without it the newest"}, END};
static const xt_opt roll_out_options[] = {
    FROM_WHERE,
    {.name = "version", .value = "N", .help = "this one; without it the newest"},
    {.name = "waves", .value = "LIST", .help = "percents of the hosts that have it, growing to 100; else 1,10,50,100"},
    {.name = "soak",
     .value = "TIME",
     .fallback = "10m",
     .help = "how long each wave is watched before the next; 0: not at all"},
    END,
};

static const xt_opt_command commands[] = {
    {"decode", "[FILE...]", 0, UINT_MAX, "audit text to one JSON document per event",
     "Reads standard input without a FILE or for -. A corrupt line is kept as an event of its own and named on "
     "standard error.",
     decode_options, xt_cmd_decode},
    {"server", "", 0, 0, "take events from agents, store, detect, alert, serve the page", NULL, server_options,
     xt_cmd_server},
    {"import", "FILE...", 1, UINT_MAX, "existing audit.log files into the store",
     "Plain, .gz or .zst; - is standard input. The files are read as one, in the order of their first records; what is "
     "there already is left out. Returns when the events are searchable.",
     import_options, xt_cmd_import},
    {"search", "['KQL']", 0, 1, "find events, newest first",
     "  exectrail search --data DIR 'user:alice and cmd:*nmap*'\n  exectrail search --data DIR --by exe 'uid < 1000'\n "
     " exectrail search --data DIR --from now-1d --count 'tty:\"(none)\"'\n"
     "  exectrail search --data DIR 'cmd:*curl* | stats count(), values(user) by host | sort count() desc | limit 10'",
     search_options, xt_cmd_search},
    {"export", "['KQL']", 0, 1, "all matching events, oldest first", NULL, export_options, xt_cmd_export},
    {"tail", "['KQL']", 0, 1, "events as they arrive", NULL, tail_options, xt_cmd_tail},
    {"session", "HOST SES", 2, 2, "one login session as a tree of processes",
     "Times, durations and exit codes where they are known, who became whom and by what.", session_options,
     xt_cmd_session},
    {"rules check", "DIR...", 1, UINT_MAX, "read rules and say what is refused and why", NULL, no_options,
     xt_cmd_rules_check},
    {"rules run", "FILE...", 1, UINT_MAX, "match audit text against rules: one JSON document per match", NULL,
     rules_run_options, xt_cmd_rules_run},
    {"rules explain", "RULE EVENT-ID", 2, 2,
     "why a rule of the server fits an event, or does not: each selection and field", NULL, where_options,
     xt_cmd_rules_explain},
    {"rules list", "", 0, 0, "the rules in force", NULL, list_options, xt_cmd_rules_list},
    {"alerts list", "", 0, 0, "alerts, newest first", NULL, alerts_list_options, xt_cmd_alerts_list},
    {"alerts show", "ID", 1, 1, "one alert with the event that raised it", NULL, where_options, xt_cmd_alerts_show},
    {"alerts ack", "ID", 1, 1, "acknowledge an alert", NULL, where_options, xt_cmd_alerts_set},
    {"alerts close", "ID", 1, 1, "close an alert", NULL, where_options, xt_cmd_alerts_set},
    {"alerts reopen", "ID", 1, 1, "open an alert again", NULL, where_options, xt_cmd_alerts_set},
    {"hosts", "", 0, 0, "the fleet: last seen, whether it was watched without a loss, and what is wrong",
     "complete, lost, dropped, streams and unwatched are those of the time given, a day without it.", hosts_options,
     xt_cmd_hosts},
    {"hosts completeness", "", 0, 0, "was each host watched all the time, and has all arrived?",
     "Without times: the last day. A host that began later was not watched before. exectrail verify --completeness "
     "HOST "
     "gives the evidence.",
     completeness_options, xt_cmd_hosts_completeness},
    {"hosts group", "HOST GROUP", 2, 2, "put a host into a group; \"\": into none",
     "What the host sends from then on carries it as host.group; retention by group (server --retain-days) goes by the "
     "group that "
     "a host is in now.",
     where_options, xt_cmd_hosts_group},
    {"hosts revoke", "HOST", 1, 1, "refuse a host (id or name) from now on; its open connection ends", NULL,
     where_options, xt_cmd_hosts_set},
    {"hosts restore", "HOST", 1, 1, "let a revoked host in again", NULL, where_options, xt_cmd_hosts_set},
    {"hosts quarantine", "HOST", 1, 1, "refuse a host until it is released; it goes on recording into its spool", NULL,
     where_options, xt_cmd_hosts_set},
    {"hosts release", "HOST", 1, 1, "end a quarantine; forget a clone that was refused",
     "When the host is not connected, the next machine that comes with its certificate is the host from then on: for a "
     "machine id that changed rightly.",
     where_options, xt_cmd_hosts_set},
    {"hosts expect", "[FILE]", 0, 1, "the hosts that ought to report, and where the fleet differs",
     "FILE (- is standard input) holds a name a line and replaces the inventory before; without it that one is "
     "compared. "
     "Lists hosts that never reported, and those that it does not name.",
     list_options, xt_cmd_hosts_expect},
    {"hosts pause", "HOST|GROUP", 1, 1, "record nothing on a host, or on the hosts of a group, for a while",
     "The agent takes its rules away, goes on telling that it is there, and takes them up again by itself. The time is "
     "a gap named "
     "paused in what is proved of the host (hosts completeness), and both ends are events.",
     pause_options, xt_cmd_hosts_pause},
    {"hosts resume", "HOST|GROUP", 1, 1, "end a pause", NULL, why_options, xt_cmd_hosts_pause},
    {"policy list", "", 0, 0, "policies of groups of hosts: versions, roll-outs, who has them", NULL, list_options,
     xt_cmd_policy_list},
    {"policy show", "GROUP", 1, 1, "the text of a policy", NULL, policy_show_options, xt_cmd_policy_show},
    {"policy history", "GROUP", 1, 1, "the versions of a policy: when, by whom", NULL, list_options,
     xt_cmd_policy_history},
    {"policy set", "GROUP FILE", 2, 2, "a new version of a group's policy; it is in force when it is rolled out",
     "FILE (- is standard input) says what the agents of the group's hosts are to do: docs/policy.md. The group all is "
     "of the hosts "
     "whose group has no policy.",
     where_options, xt_cmd_policy_set},
    {"policy roll-out", "GROUP", 1, 1, "give a version to the group's hosts, in waves",
     "It halts by itself when hosts that have it lose records, cost more or fall silent, compared with before and with "
     "those that do "
     "not have it yet.",
     roll_out_options, xt_cmd_policy_change},
    {"policy halt", "GROUP", 1, 1, "no further wave; who has the version keeps it", NULL, why_options,
     xt_cmd_policy_change},
    {"policy resume", "GROUP", 1, 1, "go on with a roll-out that halted", NULL, where_options, xt_cmd_policy_change},
    {"policy rollback", "GROUP", 1, 1, "give all hosts the version before the roll-out again", NULL, where_options,
     xt_cmd_policy_change},
    {"ca list", "", 0, 0, "the CAs, and how many hosts have a certificate of each", NULL, list_options, xt_cmd_ca_list},
    {"ca rotate", "", 0, 0, "make a new CA; connected hosts take certificates of it, both are trusted", NULL,
     list_options, xt_cmd_ca_change},
    {"ca retire", "", 0, 0, "trust the old CA no longer", "Refused while hosts have no certificate of the new one yet.",
     ca_retire_options, xt_cmd_ca_change},
    {"verify", "", 0, 0, "every checksum, the ledger's chain and the counts",
     "  exectrail verify --data DIR --head > head.json    kept on another machine, and later there:\n"
     "  exectrail verify --data DIR --against head.json   proves that nothing before it was changed\n"
     "  exectrail verify --data DIR --completeness db-1 --from now-7d    ends with 0 if it is complete",
     verify_options, xt_cmd_verify},
    {"store status", "", 0, 0, "what is there, what retention would do next, and when", NULL, store_status_options,
     xt_cmd_store_status},
    {"store hold add", "'KQL'", 1, 1, "a legal hold: what matches is never retired or erased",
     "  exectrail store hold add --data DIR 'host:db-17 and user:alice' --reason 'case 4711'", hold_add_options,
     xt_cmd_hold_add},
    {"store hold list", "", 0, 0, "the legal holds", NULL, list_options, xt_cmd_hold_list},
    {"store hold remove", "ID", 1, 1, "remove a legal hold; the ledger keeps that it was there", NULL, where_options,
     xt_cmd_hold_remove},
    {"store erase", "['KQL'|-]", 0, 1, "erase what a query matches, for good, from everything that is stored",
     "  exectrail store erase --data DIR 'user:alice and cmd:*4111*' --reason 'ticket 12'\n"
     "What a legal hold matches stays. With - the query is read from standard input, so that it is in no process list. "
     "--format is for --list; docs/store.md says what is erased and what is not.",
     erase_options, xt_cmd_store_erase},
    {"store backup", "TO", 1, 1,
     "a consistent copy in the folder TO, beside a running server too; only what is new is copied",
     "  exectrail store backup --data DIR --keep 30 /mnt/backup/exectrail\n"
     "TO holds secrets: the keys of the CA, the server and the ledger, and the administrator's token. It is written by "
     "the "
     "process that has DIR. A damaged segment is named and does not end it, but the exit status is 1. docs/store.md "
     "says "
     "more.",
     backup_options, xt_cmd_backup},
    {"store backup list", "TO", 1, 1, "the generations in it", NULL, backup_list_options, xt_cmd_backup_list},
    {"store backup verify", "TO", 1, 1, "every file against its SHA-256, and the ledger in it", NULL,
     backup_verify_options, xt_cmd_backup_verify},
    {"store restore", "TO", 1, 1, "a generation of a backup becomes a data folder",
     "  exectrail store restore --data NEWDIR /mnt/backup/exectrail\n"
     "The server that was backed up has to be stopped, or agents will talk to two that are one.",
     restore_options, xt_cmd_restore},
    {"forward add", "NAME", 1, 1, "send events or alerts on to syslog, HTTP or a file, from now on",
     "  exectrail forward add siem --data DIR --to syslog+tls://siem:6514 --peer-ca /etc/siem-ca.pem\n"
     "  exectrail forward add es --data DIR --to https://es:9200/exec/_bulk --bulk --headers-file /etc/es-key\n"
     "  exectrail forward add web --data DIR --to file:/var/log/web.json --events 'group:web' --from start\n"
     "Every event comes at least once, and after a failure perhaps twice: event.id tells. docs/forward.md says more.",
     forward_add_options, xt_cmd_forward_add},
    {"forward list", "", 0, 0, "what is sent on, how far it is behind, and what fails", NULL, list_options,
     xt_cmd_forward_list},
    {"forward status", "NAME", 1, 1, "the same of one", NULL, list_options, xt_cmd_forward_list},
    {"forward pause", "NAME", 1, 1, "it stands still and keeps its place", NULL, where_options, xt_cmd_forward_set},
    {"forward resume", "NAME", 1, 1, "it goes on from there", NULL, where_options, xt_cmd_forward_set},
    {"forward remove", "NAME", 1, 1, "remove it, and its place", NULL, where_options, xt_cmd_forward_set},
    {"token new", "", 0, 0, "an enrolment token for agents", "The token is the last word on standard output.",
     token_options, xt_cmd_token_new},
    {"token list", "", 0, 0, "enrolment tokens, without their secrets", NULL, list_options, xt_cmd_token_list},
    {"token revoke", "ID", 1, 1, "take an enrolment token back", NULL, where_options, xt_cmd_token_revoke},
    {"user add", "NAME", 1, 1, "add a user or change the role", NULL, user_add_options, xt_cmd_user_add},
    {"sender add", "NAME", 1, 1,
     "print a token with which Filebeat, Logstash and such may send events, and nothing else", NULL, where_options,
     xt_cmd_sender_add},
    {"sender list", "", 0, 0, "who has such a token", NULL, list_options, xt_cmd_sender_list},
    {"sender remove", "NAME", 1, 1, "take one back", NULL, where_options, xt_cmd_sender_remove},
    {"user list", "", 0, 0, "users and roles", NULL, list_options, xt_cmd_user_list},
    {"user link", "NAME", 1, 1, "a one-time login link to the page",
     "The address is the last word on standard output; it works once, for ten minutes. The first user becomes admin.",
     user_link_options, xt_cmd_user_link},
    {"secret keygen", "", 0, 0, "a key to seal secrets in arguments to",
     "The private key goes to FILE, which should then be kept offline. The public key is the last word on standard "
     "output: for --seal-to of agents and server.",
     keygen_options, xt_cmd_secret_keygen},
    {"secret unseal", "EVENT-ID", 1, 1, "show the sealed secrets of one event",
     "One line a value: where it stood, and the value. Each asking is an event: exectrail search "
     "'action:unsealed-secrets'.",
     unseal_options, xt_cmd_secret_unseal},
    {"store dump", "FILE...", 1, UINT_MAX, "what a segment file holds, and what each field costs",
     "Sizes are bytes a row. The file is looked at as it is, beside a running server too; docs/segment-format.md tells "
     "what the words mean.",
     dump_options, xt_cmd_store_dump},
    {"man", "", 0, 0, "print this program's manual page", NULL, no_options, xt_cmd_man},
    {.name = NULL},
};

const xt_opt_program xt_program = {
    .name = "exectrail",
    .summary = "every command that ran on your hosts: store, search, detect, alert",
    .version = XT_VERSION,
    .commands = commands,
    .footer = "Exit status: 0 done, 1 failed, 2 wrong usage. A search without a hit is 0.",
};

int xt_cmd_man(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_opt_man(&xt_program, &out);
    return xt_buf_done(&out) == 0 && fwrite(out.p, 1, out.n, stdout) == out.n ? 0 : 1;
}

int xt_cli_fail(const xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    xt_problem_format(problem, &line);
    fprintf(stderr, "exectrail: %.*s\n", XT_S_ARGS(xt_buf_slice(&line)));
    return 1;
}
