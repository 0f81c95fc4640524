/*
 * event/schema - the one table of fields
 *
 * Everything that knows fields follows from it: the canonical event's codec, the columns of the store, the names of
 * the query language, JSON, the Sigma mapping and docs/schema.md (tools/schema_doc.py).
 *
 * A row:     X(SYMBOL, id, "ecs.name", TYPE, "alias", "SigmaField", FLAGS, "help")
 *            id      number in the canonical event and in segments: never reused, never changed
 *            alias   short name in queries, "" for none (the ECS name always works)
 *            Sigma   field name in process_creation rules, "" for none
 * Types:     TIME  milliseconds since 1970 UTC       UINT  unsigned      INT  signed (stored as two's complement)
 *            TEXT  bytes, usually UTF-8              LIST  list of texts (xt_list)
 *            PATHS list of PATH records (xt_path)    RECORDS  the records with what no other field holds (xt_rec)
 * Flags:     NONE
 *            VIRTUAL  computed from other fields when read, never stored (see xt_event_derive)
 *            ID       a number that JSON shows as a string (ECS ids)
 *            SERVER   set by the server beside the frame (noise, alerts), never by a host
 *            DERIVED  stored only where it is not what xt_event_derive computes from the other fields; so whoever reads
 *                     it asks for it in `wanted`, as for a VIRTUAL field
 */
#pragma once
#include "base/slice.h"

typedef enum xt_type { XT_TIME, XT_UINT, XT_INT, XT_TEXT, XT_LIST, XT_PATHS, XT_RECORDS } xt_type;

enum {
    XT_NONE = 0,
    XT_VIRTUAL = 1 << 0,
    XT_ID = 1 << 1,
    XT_SERVER = 1 << 2,
    XT_DERIVED = 1 << 3,
};

/* clang-format off */
#define XT_FIELDS(X) \
    X(TIME,           1, "@timestamp",                   TIME,    "time",       "",                  NONE,    "when the system call was entered, by the kernel's coarse clock") \
    X(SERIAL,         2, "event.sequence",               UINT,    "serial",     "",                  NONE,    "the kernel's audit serial; wraps, and starts anew at boot") \
    X(EVENT_ID,       3, "event.id",                     TEXT,    "id",         "",                  DERIVED, "hash of host id, time and serial, 32 hex digits: the same on every delivery; stored only where it is another (no serial, or an amendment)") \
    X(ACTION,         4, "event.action",                 TEXT,    "action",     "",                  NONE,    "executed for execve and execveat, else after the record: logged-in, ran-sudo, changed-audit-configuration, ...") \
    X(CATEGORY,       5, "event.category",               LIST,    "category",   "",                  NONE,    "ECS category: process, authentication, configuration, ...") \
    X(EVENT_TYPE,     6, "event.type",                   LIST,    "",           "",                  NONE,    "ECS type: start, change, info, ...") \
    X(OUTCOME,        7, "event.outcome",                TEXT,    "outcome",    "",                  NONE,    "success, failure or unknown") \
    X(CODE,           8, "event.code",                   TEXT,    "type",       "",                  NONE,    "type of the first record: SYSCALL, USER_CMD, ...") \
    X(HOST,           9, "host.name",                    TEXT,    "host",       "",                  NONE,    "name of the host") \
    X(HOST_ID,       10, "host.id",                      TEXT,    "host.id",    "",                  NONE,    "id given to the host at enrolment (an import: hash of the name)") \
    X(BOOT_ID,       11, "host.boot.id",                 TEXT,    "boot",       "",                  NONE,    "the kernel's boot id") \
    X(UID,           12, "user.id",                      UINT,    "uid",        "LogonId",           ID,      "real user id") \
    X(USER,          13, "user.name",                    TEXT,    "user",       "User",              NONE,    "name of the real user, as the host knows it") \
    X(EUID,          14, "user.effective.id",            UINT,    "euid",       "",                  ID,      "effective user id") \
    X(EUSER,         15, "user.effective.name",          TEXT,    "euser",      "",                  NONE,    "name of the effective user") \
    X(AUID,          16, "user.audit.id",                UINT,    "auid",       "",                  ID,      "login user id: who logged in, whatever su and sudo did since; absent when unset") \
    X(LOGIN,         17, "user.audit.name",              TEXT,    "login",      "",                  NONE,    "name of the login user") \
    X(GID,           18, "group.id",                     UINT,    "gid",        "",                  ID,      "real group id") \
    X(GROUP,         19, "group.name",                   TEXT,    "groupname",  "",                  NONE,    "name of the real group") \
    X(SES,           20, "auditd.session",               UINT,    "ses",        "",                  ID,      "login session; absent when unset") \
    X(PID,           21, "process.pid",                  UINT,    "pid",        "ProcessId",         NONE,    "process id in the first pid namespace") \
    X(PPID,          22, "process.parent.pid",           UINT,    "ppid",       "ParentProcessId",   NONE,    "parent's process id") \
    X(ENTITY,        23, "process.entity_id",            TEXT,    "entity",     "ProcessGuid",       DERIVED, "the process beyond reuse of pids: hash of host, boot, pid and start, 16 hex digits; stored only where it is not what this event itself executed") \
    X(PARENT_ENTITY, 24, "process.parent.entity_id",     TEXT,    "parent.entity", "ParentProcessGuid", NONE, "entity id of the parent") \
    X(EXE,           25, "process.executable",           TEXT,    "exe",        "Image",             NONE,    "what really runs: the kernel's path of the file; of a failed exec the path tried") \
    X(COMM,          26, "process.name",                 TEXT,    "comm",       "",                  NONE,    "the task's name, 15 bytes, chosen by the process") \
    X(ARGS,          27, "process.args",                 LIST,    "args",       "",                  NONE,    "every argument in order, byte for byte") \
    X(ARGC,          28, "process.args_count",           UINT,    "argc",       "",                  VIRTUAL, "number of arguments held in args") \
    X(CMD,           29, "process.command_line",         TEXT,    "cmd",        "CommandLine",       VIRTUAL, "the arguments joined by one space") \
    X(CWD,           30, "process.working_directory",    TEXT,    "cwd",        "CurrentDirectory",  NONE,    "working directory") \
    X(TTY,           31, "auditd.data.tty",              TEXT,    "tty",        "",                  NONE,    "terminal: pts0, tty1, (none)") \
    X(PARENT_EXE,    32, "process.parent.executable",    TEXT,    "parent.exe", "ParentImage",       NONE,    "what the parent was executing") \
    X(PARENT_CMD,    33, "process.parent.command_line",  TEXT,    "parent.cmd", "ParentCommandLine", NONE,    "the parent's arguments joined by one space") \
    X(PARENT_COMM,   34, "process.parent.name",          TEXT,    "parent.comm","",                  NONE,    "the parent's task name") \
    X(EXIT,          35, "auditd.data.exit",             INT,     "exit",       "",                  NONE,    "the system call's own result, negative errno on failure") \
    X(SUCCESS,       36, "auditd.data.success",          TEXT,    "success",    "",                  NONE,    "yes or no, as the kernel wrote it") \
    X(SCRIPT,        37, "process.script",               TEXT,    "script",     "",                  NONE,    "path of PATH item 0 where it is not the executable: the script's own path") \
    X(KEY,           38, "auditd.key",                   LIST,    "key",        "",                  NONE,    "keys of the audit rules that matched (also as tags)") \
    X(PATH,          39, "file.path",                    LIST,    "path",       "TargetFilename",    VIRTUAL, "names of all PATH records") \
    X(PATHS,         40, "auditd.paths",                 PATHS,   "",           "",                  NONE,    "PATH records: item, name, nametype, inode, device, mode, owner") \
    X(CONTAINER,     41, "container.id",                 TEXT,    "container",  "",                  NONE,    "container, read from the cgroup by the agent") \
    X(IMAGE,         42, "container.image.name",         TEXT,    "image",      "",                  NONE,    "the container's image") \
    X(UNIT,          43, "service.name",                 TEXT,    "unit",       "",                  NONE,    "systemd unit, read from the cgroup by the agent") \
    X(FROM,          44, "source.ip",                    TEXT,    "from",       "",                  NONE,    "address that the session was opened from") \
    X(HASH,          45, "process.hash.sha256",          TEXT,    "hash",       "Hashes",            NONE,    "digest of the executable, where the agent is told to take it") \
    X(HOST_GROUP,    46, "host.group",                   TEXT,    "group",      "",                  NONE,    "group of hosts, by enrolment and policy") \
    X(NOISE,         47, "exectrail.noise",              TEXT,    "noise",      "",                  SERVER,  "name of the noise rule that tagged the event; absent for what a person should see") \
    X(FLAGS,         48, "exectrail.flags",              LIST,    "flags",      "",                  NONE,    "truncated, missing-execve, late, escaped, unparsed, enriched-mismatch (auditd appended what the record contradicts), parent-inferred (the parent was read from /proc, its exec was not seen), cgroup-inferred (container and unit are the parent's: the process was gone before its own could be read), source-inferred (the session was opened before the agent began: its address is utmp's), unhashed (digests are taken, and this file's could not be had: docs/agent.md), ...") \
    X(OF,            49, "exectrail.of",                 TEXT,    "of",         "",                  NONE,    "event.id of the event that this one amends, ends or tells of") \
    X(RULES,         50, "rule.id",                      LIST,    "rule",       "",                  SERVER,  "detection rules that matched") \
    X(RULE_LEVEL,    51, "rule.level",                   TEXT,    "level",      "",                  SERVER,  "highest level of those rules: informational, low, medium, high, critical") \
    X(ARCH,          52, "auditd.data.arch",             TEXT,    "arch",       "",                  NONE,    "x86_64, i386, aarch64, ..., or the number in hex") \
    X(SYSCALL,       53, "auditd.data.syscall",          TEXT,    "syscall",    "",                  NONE,    "name of the system call, or its number") \
    X(SUID,          54, "auditd.data.suid",             UINT,    "",           "",                  ID,      "saved user id") \
    X(FSUID,         55, "auditd.data.fsuid",            UINT,    "",           "",                  ID,      "file system user id") \
    X(EGID,          56, "auditd.data.egid",             UINT,    "",           "",                  ID,      "effective group id") \
    X(SGID,          57, "auditd.data.sgid",             UINT,    "",           "",                  ID,      "saved group id") \
    X(FSGID,         58, "auditd.data.fsgid",            UINT,    "",           "",                  ID,      "file system group id") \
    X(ITEMS,         59, "auditd.data.items",            UINT,    "",           "",                  NONE,    "number of PATH records the kernel announced") \
    X(RECORDS,       60, "auditd.records",               RECORDS, "",           "",                  NONE,    "every record's type in order, with the fields that no other field holds (shown as auditd.data.NAME)") \
    X(ORIGINAL,      61, "event.original",               TEXT,    "raw",        "",                  NONE,    "the line itself where it could not be read as a record") \
    X(EXIT_CODE,     62, "process.exit_code",            INT,     "code",       "",                  NONE,    "how the process ended; on events of action exited") \
    X(DURATION,      63, "event.duration",               UINT,    "duration",   "",                  NONE,    "nanoseconds from exec to exit; on events of action exited") \
    X(MISSING,       64, "exectrail.missing",            TEXT,    "",           "",                  NONE,    "which arguments are missing, as ranges: 3-5,9; or which records: SOCKADDR") \
    X(MESSAGE,       65, "message",                      TEXT,    "message",    "",                  NONE,    "a sentence, on events that Exectrail itself makes (loss, drift, gaps)") \
    X(REDACTIONS,    66, "exectrail.redactions",         LIST,    "redactions", "",                  NONE,    "secrets that were taken out, as where:offset:rule; the offset is that of [redacted] in the text as it is now") \
    X(TTY_LINE,      67, "tty.line",                     LIST,    "line",       "",                  NONE,    "lines typed at a terminal and finished in this event, as they stood when Enter was pressed; keys that cannot be applied are named: <tab>, <up>, <ctrl-r>") \
    X(TTY_UNFINISHED,68, "tty.unfinished",               TEXT,    "unfinished", "",                  NONE,    "what was typed so far of a line that a later event finishes") \
    X(SEALED,        69, "exectrail.sealed",             TEXT,    "sealed",     "",                  NONE,    "the secrets that were taken out, where the host seals them to a key: version, key id, what only the owner of that key can read (docs/secrets.md)") \
    X(LEADER,        70, "process.session_leader.pid",   UINT,    "leader",     "",                  NONE,    "process id of the leader of the process's session (setsid), told by the kernel's process connector") \
    X(LEADER_ENTITY, 71, "process.session_leader.entity_id", TEXT, "leader.entity", "",              NONE,    "entity id of that leader, while it lives") \
    X(REASON,        72, "event.reason",                 TEXT,    "reason",     "",                  NONE,    "why: on exec-unaudited kernel-helper, no-audit-context or unknown; on canary-lost not-recorded or incomplete") \
    X(SIGNAL,        73, "process.exit_signal",          UINT,    "signal",     "",                  NONE,    "number of the signal that ended the process; process.exit_code is 128 more then, as shells have it") \
    X(POD,           74, "orchestrator.resource.name",   TEXT,    "pod",        "",                  NONE,    "the pod that the container belongs to, as the container's runtime wrote it down") \
    X(NAMESPACE,     75, "orchestrator.namespace",       TEXT,    "namespace",  "",                  NONE,    "that pod's namespace") \
    X(CONTAINER_NAME,76, "container.name",               TEXT,    "container.name", "",              NONE,    "the container's name, as its runtime has it") \
    X(LABELS,        77, "labels",                       LIST,    "labels",     "",                  NONE,    "labels of the host, NAME=VALUE, from the agent's settings; labels.NAME asks for one of them") \
    X(OS,            78, "host.os.full",                 TEXT,    "os",         "",                  NONE,    "the host's system, as /etc/os-release names it") \
    X(KERNEL,        79, "host.os.kernel",               TEXT,    "kernel",     "",                  NONE,    "release of the host's kernel") \
    X(COUNT,         80, "exectrail.count",              UINT,    "repeated",   "",                  NONE,    "how many events this one stands for; on events of action flood") \
    X(START,         81, "event.start",                  TIME,    "",           "",                  NONE,    "time of the first of them; @timestamp is that of the last")
/* clang-format on */

typedef enum xt_field {
    XT_F_INVALID = 0,
#define X(symbol, id, ecs, type, alias, sigma, flags, help) XT_F_##symbol = (id),
    XT_FIELDS(X)
#undef X
        XT_F_END /* one past the last id */
} xt_field;

typedef struct xt_field_info {
    xt_field id;
    const char *symbol; /* "PARENT_EXE" */
    const char *name;   /* ECS */
    xt_type type;
    const char *alias, *sigma;
    unsigned flags;
    const char *help;
} xt_field_info;

/* A set of fields, for projections. */
typedef struct xt_field_set {
    uint64_t bits[2];
} xt_field_set;
_Static_assert(XT_F_END <= 128, "xt_field_set is too small");

static inline void xt_field_set_add(xt_field_set *set, xt_field f)
{
    set->bits[f >> 6] |= UINT64_C(1) << (f & 63);
}
static inline void xt_field_set_remove(xt_field_set *set, xt_field f)
{
    set->bits[f >> 6] &= ~(UINT64_C(1) << (f & 63));
}
static inline bool xt_field_set_has(const xt_field_set *set, xt_field f)
{
    return (set->bits[f >> 6] >> (f & 63)) & 1;
}
static inline void xt_field_set_add_all(xt_field_set *set, xt_field_set more)
{
    set->bits[0] |= more.bits[0];
    set->bits[1] |= more.bits[1];
}

/* Row of an id that is in the table; NULL for an id that is not (a later version's). */
const xt_field_info *xt_field_find(unsigned id);
/* By ECS name or alias, any case (`tags` is KEY); NULL when unknown. auditd.data.NAME that is no row: see xt_recs_find. */
const xt_field_info *xt_field_by_name(xt_slice name);
const xt_field_info *xt_field_by_sigma(xt_slice name); /* exact case */
/* The nearest known name or alias to a mistyped one, for "did you mean"; NULL when none is near. */
const char *xt_field_nearest(xt_slice name);
/* The same among names of the caller's. */
const char *xt_name_nearest(xt_slice name, const char *const *names, size_t n);
