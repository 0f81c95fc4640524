/*
 * Two sorted tables, searched by halving. Lists are written here as they are encoded: number of items, then length and
 * text of each (octal escapes), so that they need no work per event.
 */
#include "event/event_action.h"

#include <linux/audit.h>

#include "audit/names.h"

/* clang-format off */
/* a slice in a constant table, where XT_S is no constant */
#define S(literal) {"" literal, sizeof(literal) - 1}

#define L_ACCESS S("\1" "\6" "access")
#define L_AUTHENTICATION S("\1" "\16" "authentication")
#define L_AUTHENTICATION_AND_INTRUSION_DETECTION S("\2" "\16" "authentication" "\23" "intrusion_detection")
#define L_AUTHENTICATION_AND_SESSION S("\2" "\16" "authentication" "\7" "session")
#define L_CHANGE S("\1" "\6" "change")
#define L_CONFIGURATION S("\1" "\15" "configuration")
#define L_CONFIGURATION_AND_NETWORK S("\2" "\15" "configuration" "\7" "network")
#define L_CREATION S("\1" "\10" "creation")
#define L_DELETION S("\1" "\10" "deletion")
#define L_DENIED S("\1" "\6" "denied")
#define L_DRIVER S("\1" "\6" "driver")
#define L_END S("\1" "\3" "end")
#define L_FILE S("\1" "\4" "file")
#define L_GROUP_AND_CHANGE S("\2" "\5" "group" "\6" "change")
#define L_GROUP_AND_CREATION S("\2" "\5" "group" "\10" "creation")
#define L_GROUP_AND_DELETION S("\2" "\5" "group" "\10" "deletion")
#define L_HOST S("\1" "\4" "host")
#define L_IAM S("\1" "\3" "iam")
#define L_INFO S("\1" "\4" "info")
#define L_INFO_AND_CONNECTION S("\2" "\4" "info" "\12" "connection")
#define L_INTRUSION_DETECTION S("\1" "\23" "intrusion_detection")
#define L_NETWORK S("\1" "\7" "network")
#define L_PACKAGE S("\1" "\7" "package")
#define L_PROCESS S("\1" "\7" "process")
#define L_SESSION S("\1" "\7" "session")
#define L_START S("\1" "\5" "start")
#define L_START_AND_CONNECTION S("\2" "\5" "start" "\12" "connection")
#define L_USER_AND_CHANGE S("\2" "\4" "user" "\6" "change")
#define L_USER_AND_CREATION S("\2" "\4" "user" "\10" "creation")
#define L_USER_AND_DELETION S("\2" "\4" "user" "\10" "deletion")

typedef struct record_row {
    uint16_t type;
    xt_action action;
} record_row;

static const record_row record_rows[] = {
    {1006, {S("changed-login-id"), L_AUTHENTICATION_AND_SESSION, L_START}}, /* LOGIN */
    {1100, {S("authenticated"), L_AUTHENTICATION, L_INFO}}, /* USER_AUTH */
    {1101, {S("was-authorized"), L_AUTHENTICATION, L_INFO}}, /* USER_ACCT */
    {1102, {S("modified-user-account"), L_IAM, L_USER_AND_CHANGE}}, /* USER_MGMT */
    {1103, {S("acquired-credentials"), L_AUTHENTICATION, L_INFO}}, /* CRED_ACQ */
    {1104, {S("disposed-credentials"), L_AUTHENTICATION, L_INFO}}, /* CRED_DISP */
    {1105, {S("started-session"), L_SESSION, L_START}}, /* USER_START */
    {1106, {S("ended-session"), L_SESSION, L_END}}, /* USER_END */
    {1107, {S("violated-access-policy"), L_INTRUSION_DETECTION, L_DENIED}}, /* USER_AVC */
    {1108, {S("changed-password"), L_IAM, L_USER_AND_CHANGE}}, /* USER_CHAUTHTOK */
    {1109, {S("failed-user-operation"), L_AUTHENTICATION, L_INFO}}, /* USER_ERR */
    {1110, {S("refreshed-credentials"), L_AUTHENTICATION, L_INFO}}, /* CRED_REFR */
    {1111, {S("changed-system-configuration"), L_CONFIGURATION, L_CHANGE}}, /* USYS_CONFIG */
    {1112, {S("logged-in"), L_AUTHENTICATION_AND_SESSION, L_START}}, /* USER_LOGIN */
    {1113, {S("logged-out"), L_AUTHENTICATION_AND_SESSION, L_END}}, /* USER_LOGOUT */
    {1114, {S("added-user-account"), L_IAM, L_USER_AND_CREATION}}, /* ADD_USER */
    {1115, {S("deleted-user-account"), L_IAM, L_USER_AND_DELETION}}, /* DEL_USER */
    {1116, {S("added-group-account"), L_IAM, L_GROUP_AND_CREATION}}, /* ADD_GROUP */
    {1117, {S("deleted-group-account"), L_IAM, L_GROUP_AND_DELETION}}, /* DEL_GROUP */
    {1119, {S("changed-group-id"), L_IAM, L_GROUP_AND_CHANGE}}, /* CHGRP_ID */
    {1123, {S("ran-sudo"), L_PROCESS, L_START}}, /* USER_CMD */
    {1124, {S("typed"), L_PROCESS, L_INFO}}, /* USER_TTY */
    {1125, {S("changed-user-id"), L_IAM, L_USER_AND_CHANGE}}, /* CHUSER_ID */
    {1126, {S("authenticated-to-group"), L_AUTHENTICATION, L_INFO}}, /* GRP_AUTH */
    {1127, {S("booted-system"), L_HOST, L_START}}, /* SYSTEM_BOOT */
    {1128, {S("shut-down-system"), L_HOST, L_END}}, /* SYSTEM_SHUTDOWN */
    {1129, {S("changed-runlevel"), L_HOST, L_CHANGE}}, /* SYSTEM_RUNLEVEL */
    {1130, {S("started-service"), L_PROCESS, L_START}}, /* SERVICE_START */
    {1131, {S("stopped-service"), L_PROCESS, L_END}}, /* SERVICE_STOP */
    {1132, {S("modified-group-account"), L_IAM, L_GROUP_AND_CHANGE}}, /* GRP_MGMT */
    {1133, {S("changed-group-password"), L_IAM, L_GROUP_AND_CHANGE}}, /* GRP_CHAUTHTOK */
    {1135, {S("locked-account"), L_IAM, L_USER_AND_CHANGE}}, /* ACCT_LOCK */
    {1136, {S("unlocked-account"), L_IAM, L_USER_AND_CHANGE}}, /* ACCT_UNLOCK */
    {1138, {S("updated-software"), L_PACKAGE, L_CHANGE}}, /* SOFTWARE_UPDATE */
    {1200, {S("started-audit-daemon"), L_CONFIGURATION, L_START}}, /* DAEMON_START */
    {1201, {S("stopped-audit-daemon"), L_CONFIGURATION, L_END}}, /* DAEMON_END */
    {1202, {S("aborted-audit-daemon"), L_CONFIGURATION, L_END}}, /* DAEMON_ABORT */
    {1203, {S("changed-audit-daemon-configuration"), L_CONFIGURATION, L_CHANGE}}, /* DAEMON_CONFIG */
    {1204, {S("changed-audit-daemon-configuration"), L_CONFIGURATION, L_CHANGE}}, /* DAEMON_RECONFIG */
    {1205, {S("rotated-audit-log"), L_CONFIGURATION, L_CHANGE}}, /* DAEMON_ROTATE */
    {1206, {S("resumed-audit-log"), L_CONFIGURATION, L_CHANGE}}, /* DAEMON_RESUME */
    {1305, {S("changed-audit-configuration"), L_CONFIGURATION, L_CHANGE}}, /* CONFIG_CHANGE */
    {1319, {S("typed"), L_PROCESS, L_INFO}}, /* TTY */
    {1325, {S("changed-firewall"), L_CONFIGURATION_AND_NETWORK, L_CHANGE}}, /* NETFILTER_CFG */
    {1326, {S("violated-seccomp-policy"), L_PROCESS, L_INFO}}, /* SECCOMP */
    {1328, {S("changed-audit-feature"), L_CONFIGURATION, L_CHANGE}}, /* FEATURE_CHANGE */
    {1330, {S("loaded-kernel-module"), L_DRIVER, L_START}}, /* KERN_MODULE */
    {1332, {S("changed-system-time"), L_CONFIGURATION, L_CHANGE}}, /* TIME_INJOFFSET */
    {1333, {S("changed-system-time"), L_CONFIGURATION, L_CHANGE}}, /* TIME_ADJNTPVAL */
    {1334, {S("used-bpf"), L_DRIVER, L_INFO}}, /* BPF */
    {1335, {S("listened-to-audit"), L_CONFIGURATION, L_INFO}}, /* EVENT_LISTENER */
    {1338, {S("changed-block-device"), L_CONFIGURATION, L_CHANGE}}, /* DM_CTRL */
    {1339, {S("reported-block-device"), L_HOST, L_INFO}}, /* DM_EVENT */
    {1400, {S("violated-access-policy"), L_INTRUSION_DETECTION, L_DENIED}}, /* AVC */
    {1401, {S("failed-selinux-operation"), L_INTRUSION_DETECTION, L_INFO}}, /* SELINUX_ERR */
    {1403, {S("loaded-access-policy"), L_CONFIGURATION, L_CHANGE}}, /* MAC_POLICY_LOAD */
    {1404, {S("changed-access-policy-enforcement"), L_CONFIGURATION, L_CHANGE}}, /* MAC_STATUS */
    {1405, {S("changed-access-policy-setting"), L_CONFIGURATION, L_CHANGE}}, /* MAC_CONFIG_CHANGE */
    {1700, {S("changed-promiscuous-mode"), L_NETWORK, L_CHANGE}}, /* ANOM_PROMISCUOUS */
    {1701, {S("crashed-program"), L_PROCESS, L_END}}, /* ANOM_ABEND */
    {1702, {S("used-suspicious-link"), L_FILE, L_DENIED}}, /* ANOM_LINK */
    {1703, {S("used-suspicious-creation"), L_FILE, L_DENIED}}, /* ANOM_CREAT */
    {2000, {S("initialized-audit"), L_CONFIGURATION, L_START}}, /* KERNEL */
    {2100, {S("failed-to-log-in-too-often"), L_AUTHENTICATION_AND_INTRUSION_DETECTION, L_DENIED}}, /* ANOM_LOGIN_FAILURES */
    {2101, {S("logged-in-at-unusual-time"), L_AUTHENTICATION_AND_INTRUSION_DETECTION, L_INFO}}, /* ANOM_LOGIN_TIME */
    {2102, {S("opened-too-many-sessions"), L_AUTHENTICATION_AND_INTRUSION_DETECTION, L_INFO}}, /* ANOM_LOGIN_SESSIONS */
    {2104, {S("logged-in-from-unusual-place"), L_AUTHENTICATION_AND_INTRUSION_DETECTION, L_INFO}}, /* ANOM_LOGIN_LOCATION */
    {2300, {S("changed-role"), L_IAM, L_USER_AND_CHANGE}}, /* USER_ROLE_CHANGE */
    {2402, {S("logged-in-to-crypto-device"), L_AUTHENTICATION, L_START}}, /* CRYPTO_LOGIN */
    {2403, {S("logged-out-of-crypto-device"), L_AUTHENTICATION, L_END}}, /* CRYPTO_LOGOUT */
    {2404, {S("used-session-key"), L_SESSION, L_INFO}}, /* CRYPTO_KEY_USER */
    {2407, {S("negotiated-session-key"), L_SESSION, L_INFO}}, /* CRYPTO_SESSION */
};

typedef struct syscall_row {
    xt_slice name;
    xt_action action;
} syscall_row;

static const syscall_row syscall_rows[] = {
    {S("accept"), {S("accepted-connection"), L_NETWORK, L_START_AND_CONNECTION}},
    {S("accept4"), {S("accepted-connection"), L_NETWORK, L_START_AND_CONNECTION}},
    {S("adjtimex"), {S("changed-system-time"), L_CONFIGURATION, L_CHANGE}},
    {S("bind"), {S("bound-socket"), L_NETWORK, L_START}},
    {S("bpf"), {S("used-bpf"), L_DRIVER, L_INFO}},
    {S("capset"), {S("changed-capabilities"), L_PROCESS, L_CHANGE}},
    {S("chmod"), {S("changed-file-permissions"), L_FILE, L_CHANGE}},
    {S("chown"), {S("changed-file-ownership"), L_FILE, L_CHANGE}},
    {S("chroot"), {S("changed-root"), L_PROCESS, L_CHANGE}},
    {S("clock_adjtime"), {S("changed-system-time"), L_CONFIGURATION, L_CHANGE}},
    {S("clock_settime"), {S("changed-system-time"), L_CONFIGURATION, L_CHANGE}},
    {S("clone"), {S("forked-process"), L_PROCESS, L_START}},
    {S("clone3"), {S("forked-process"), L_PROCESS, L_START}},
    {S("connect"), {S("connected-to"), L_NETWORK, L_START_AND_CONNECTION}},
    {S("creat"), {S("created-file"), L_FILE, L_CREATION}},
    {S("delete_module"), {S("unloaded-kernel-module"), L_DRIVER, L_END}},
    {S("fchmod"), {S("changed-file-permissions"), L_FILE, L_CHANGE}},
    {S("fchmodat"), {S("changed-file-permissions"), L_FILE, L_CHANGE}},
    {S("fchmodat2"), {S("changed-file-permissions"), L_FILE, L_CHANGE}},
    {S("fchown"), {S("changed-file-ownership"), L_FILE, L_CHANGE}},
    {S("fchownat"), {S("changed-file-ownership"), L_FILE, L_CHANGE}},
    {S("finit_module"), {S("loaded-kernel-module"), L_DRIVER, L_START}},
    {S("fork"), {S("forked-process"), L_PROCESS, L_START}},
    {S("fremovexattr"), {S("changed-file-attributes"), L_FILE, L_CHANGE}},
    {S("fsetxattr"), {S("changed-file-attributes"), L_FILE, L_CHANGE}},
    {S("ftruncate"), {S("changed-file"), L_FILE, L_CHANGE}},
    {S("init_module"), {S("loaded-kernel-module"), L_DRIVER, L_START}},
    {S("kexec_file_load"), {S("loaded-kernel"), L_HOST, L_CHANGE}},
    {S("kexec_load"), {S("loaded-kernel"), L_HOST, L_CHANGE}},
    {S("kill"), {S("killed-process"), L_PROCESS, L_END}},
    {S("lchown"), {S("changed-file-ownership"), L_FILE, L_CHANGE}},
    {S("link"), {S("linked-file"), L_FILE, L_CREATION}},
    {S("linkat"), {S("linked-file"), L_FILE, L_CREATION}},
    {S("listen"), {S("listened-for-connections"), L_NETWORK, L_START}},
    {S("lremovexattr"), {S("changed-file-attributes"), L_FILE, L_CHANGE}},
    {S("lsetxattr"), {S("changed-file-attributes"), L_FILE, L_CHANGE}},
    {S("memfd_create"), {S("created-memory-file"), L_FILE, L_CREATION}},
    {S("mkdir"), {S("created-directory"), L_FILE, L_CREATION}},
    {S("mkdirat"), {S("created-directory"), L_FILE, L_CREATION}},
    {S("mount"), {S("mounted"), L_HOST, L_CHANGE}},
    {S("open"), {S("opened-file"), L_FILE, L_ACCESS}},
    {S("openat"), {S("opened-file"), L_FILE, L_ACCESS}},
    {S("openat2"), {S("opened-file"), L_FILE, L_ACCESS}},
    {S("pivot_root"), {S("changed-root"), L_PROCESS, L_CHANGE}},
    {S("process_vm_readv"), {S("read-process-memory"), L_PROCESS, L_ACCESS}},
    {S("process_vm_writev"), {S("wrote-process-memory"), L_PROCESS, L_ACCESS}},
    {S("ptrace"), {S("traced-process"), L_PROCESS, L_ACCESS}},
    {S("reboot"), {S("rebooted-system"), L_HOST, L_END}},
    {S("recvfrom"), {S("received-from"), L_NETWORK, L_INFO_AND_CONNECTION}},
    {S("recvmsg"), {S("received-from"), L_NETWORK, L_INFO_AND_CONNECTION}},
    {S("removexattr"), {S("changed-file-attributes"), L_FILE, L_CHANGE}},
    {S("rename"), {S("renamed-file"), L_FILE, L_CHANGE}},
    {S("renameat"), {S("renamed-file"), L_FILE, L_CHANGE}},
    {S("renameat2"), {S("renamed-file"), L_FILE, L_CHANGE}},
    {S("rmdir"), {S("deleted-directory"), L_FILE, L_DELETION}},
    {S("sendmsg"), {S("sent-to"), L_NETWORK, L_INFO_AND_CONNECTION}},
    {S("sendto"), {S("sent-to"), L_NETWORK, L_INFO_AND_CONNECTION}},
    {S("setdomainname"), {S("changed-domain-name"), L_CONFIGURATION, L_CHANGE}},
    {S("setgid"), {S("changed-identity"), L_PROCESS, L_CHANGE}},
    {S("setgroups"), {S("changed-identity"), L_PROCESS, L_CHANGE}},
    {S("sethostname"), {S("changed-host-name"), L_CONFIGURATION, L_CHANGE}},
    {S("setns"), {S("entered-namespace"), L_PROCESS, L_CHANGE}},
    {S("setregid"), {S("changed-identity"), L_PROCESS, L_CHANGE}},
    {S("setresgid"), {S("changed-identity"), L_PROCESS, L_CHANGE}},
    {S("setresuid"), {S("changed-identity"), L_PROCESS, L_CHANGE}},
    {S("setreuid"), {S("changed-identity"), L_PROCESS, L_CHANGE}},
    {S("settimeofday"), {S("changed-system-time"), L_CONFIGURATION, L_CHANGE}},
    {S("setuid"), {S("changed-identity"), L_PROCESS, L_CHANGE}},
    {S("setxattr"), {S("changed-file-attributes"), L_FILE, L_CHANGE}},
    {S("socket"), {S("created-socket"), L_NETWORK, L_INFO}},
    {S("stime"), {S("changed-system-time"), L_CONFIGURATION, L_CHANGE}},
    {S("swapoff"), {S("changed-swap"), L_CONFIGURATION, L_CHANGE}},
    {S("swapon"), {S("changed-swap"), L_CONFIGURATION, L_CHANGE}},
    {S("symlink"), {S("symlinked-file"), L_FILE, L_CREATION}},
    {S("symlinkat"), {S("symlinked-file"), L_FILE, L_CREATION}},
    {S("tgkill"), {S("killed-process"), L_PROCESS, L_END}},
    {S("tkill"), {S("killed-process"), L_PROCESS, L_END}},
    {S("truncate"), {S("changed-file"), L_FILE, L_CHANGE}},
    {S("umount"), {S("unmounted"), L_HOST, L_CHANGE}},
    {S("umount2"), {S("unmounted"), L_HOST, L_CHANGE}},
    {S("unlink"), {S("deleted-file"), L_FILE, L_DELETION}},
    {S("unlinkat"), {S("deleted-file"), L_FILE, L_DELETION}},
    {S("unshare"), {S("entered-namespace"), L_PROCESS, L_CHANGE}},
    {S("vfork"), {S("forked-process"), L_PROCESS, L_START}},
};
/* clang-format on */

const xt_action xt_action_executed = {S("executed"), L_PROCESS, L_START};
const xt_action xt_action_amended = {S("amended"), L_PROCESS, L_INFO};
const xt_action xt_action_unparsed = {S("unparsed"), L_HOST, L_INFO};

bool xt_action_is_about_a_syscall(uint16_t type)
{
    switch (type) {
    case AUDIT_SYSCALL:
    case AUDIT_PATH:
    case AUDIT_IPC:
    case AUDIT_SOCKETCALL:
    case AUDIT_SOCKADDR:
    case AUDIT_CWD:
    case AUDIT_EXECVE:
    case AUDIT_IPC_SET_PERM:
    case AUDIT_MQ_OPEN:
    case AUDIT_MQ_SENDRECV:
    case AUDIT_MQ_NOTIFY:
    case AUDIT_MQ_GETSETATTR:
    case AUDIT_FD_PAIR:
    case AUDIT_OBJ_PID:
    case AUDIT_EOE:
    case AUDIT_BPRM_FCAPS:
    case AUDIT_CAPSET:
    case AUDIT_MMAP:
    case AUDIT_PROCTITLE:
    case AUDIT_URINGOP:
    case AUDIT_OPENAT2:
        return true;
    default:
        return false;
    }
}

static const xt_action *find_record(uint16_t type)
{
    size_t low = 0, high = XT_COUNT_OF(record_rows);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (record_rows[middle].type == type)
            return &record_rows[middle].action;
        if (record_rows[middle].type < type)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* prefix and name in small letters, `_` as `-`. */
static xt_slice spell(xt_slice prefix, xt_slice name, xt_arena *arena)
{
    char *text = xt_arena_alloc(arena, prefix.n + name.n + 1);
    if (!text)
        return XT_S_NULL;
    for (size_t i = 0; i < prefix.n; i++)
        text[i] = prefix.p[i];
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        text[prefix.n + i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c == '_' ? '-' : c;
    }
    return xt_slice_of(text, prefix.n + name.n);
}

xt_action xt_action_of_record(uint16_t type, xt_arena *arena)
{
    const xt_action *row = find_record(type);
    if (row)
        return *row;
    const char *name = xt_record_type_name(type);
    if (!name)
        return (xt_action){XT_S("unknown-record"), xt_action_unparsed.category, xt_action_unparsed.type};
    return (xt_action){spell(XT_S_NULL, xt_slice_str(name), arena), xt_action_unparsed.category,
                       xt_action_unparsed.type};
}

xt_action xt_action_of_syscall(xt_slice name, xt_arena *arena)
{
    size_t low = 0, high = XT_COUNT_OF(syscall_rows);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = xt_slice_cmp(syscall_rows[middle].name, name);
        if (order == 0)
            return syscall_rows[middle].action;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (xt_action){spell(XT_S("called-"), name, arena), xt_action_amended.category, xt_action_amended.type};
}
