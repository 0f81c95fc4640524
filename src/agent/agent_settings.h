/*
 * agent/agent_settings - what the agent was told, from the command line and its file
 *
 * Shape:     every setting has the name of its option; FILE holds lines of `name = value`, `#` begins a comment. What
 *            the command line says goes before what the file says.
 * Errors:    XT_SETTINGS_E_INVALID with a problem that names the file and line, or the option.
 * Ownership: texts point into argv or into `file`.
 */
#pragma once
#include "agent/protect.h"
#include "base/opt.h"
#include "event/secret_rules.h"
#include "event/secret_seal.h"

#define XT_AGENT_CONFIG "/etc/exectrail/agent.conf"
#define XT_AGENT_STATE  "/var/lib/exectrail-agent"
#define XT_AGENT_PORT   "8515"
#define XT_AGENT_PLUGIN "/etc/audit/plugins.d/exectrail.conf"
#define XT_AGENT_FOLLOW "/var/log/audit/audit.log"

enum {
    XT_SETTINGS_E_INVALID = 1,
};

typedef enum xt_agent_audit {
    XT_AUDIT_AUTO,
    XT_AUDIT_OWN,
    XT_AUDIT_PLUGIN,
    XT_AUDIT_MULTICAST,
    XT_AUDIT_AF_UNIX,
    XT_AUDIT_FOLLOW,
    XT_AUDIT_TEXT,
} xt_agent_audit;

/* Where records come from. */
typedef enum xt_agent_input { XT_INPUT_KERNEL, XT_INPUT_STANDARD, XT_INPUT_SOCKET, XT_INPUT_FILE } xt_agent_input;

typedef struct xt_agent_settings {
    const char *servers; /* HOST:PORT, comma separated; NULL: none */
    const char *token, *state, *host, *output, *user;
    unsigned policy_words; /* what a server's policy may decide here: bits of xt_policy_word (audit/policy.h) */
    const char *rules;     /* optional groups (agent/rule_groups), "": none */
    xt_agent_audit audit;
    xt_agent_input input;
    const char *input_path;   /* of the file, or of auditd's socket (NULL: where it usually is) */
    xt_buf labels;            /* for LABELS; empty: none */
    bool is_text;             /* records may be of another host: the kernel here is none of their business */
    xt_secret_rules *secrets; /* NULL: they stay */
    xt_secret_seal_key seal_key;
    bool seals; /* what is taken out is sealed to it; else it is gone */
    uint64_t spool_bytes;
    uint64_t spool_free_bytes; /* of its disk, that stay free; 0: agent/disk_room.h says */
    const char *write_log;     /* NULL: none */
    uint64_t write_log_bytes;
    unsigned write_log_files;
    uint64_t canary_ms; /* between two; 0: none */
    bool witness, exits;
    bool takes_digests; /* SHA-256 of executables */
    bool supervised;    /* a service manager started the agent, and starts it again */
    xt_protect protect;
    bool repair;        /* what others change of audit is set back */
    unsigned cpu_limit; /* percent of one CPU; 0: none */
    char host_name[256];
    char boot_id[64], machine_id[64], os[128], kernel[72];
    const char *path; /* of the settings file */
    char *file;       /* its content, cut up */
} xt_agent_settings;

XT_MUST_USE int xt_agent_settings_read(const xt_opt_args *args, xt_agent_settings *ret, xt_problem *reterr_problem);
/* Of the command `rules`: its state folder and its rules, else what the file says of them, and the boot. */
XT_MUST_USE int xt_agent_settings_of_rules(const xt_opt_args *args, xt_agent_settings *ret, xt_problem *reterr_problem);
void xt_agent_settings_fini(xt_agent_settings *settings);
