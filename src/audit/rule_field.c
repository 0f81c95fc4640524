/* The fields that conditions can be about. The lists of each are those on which the kernel gives it a meaning. */
#include <linux/audit.h>

#include "audit/rule_read.h"

#define BIT(list) (UINT16_C(1) << (list))
#define L_USER    BIT(AUDIT_FILTER_USER)
#define L_TASK    BIT(AUDIT_FILTER_TASK)
#define L_EXIT    BIT(AUDIT_FILTER_EXIT)
#define L_EXCLUDE BIT(AUDIT_FILTER_EXCLUDE)
#define L_FS      BIT(AUDIT_FILTER_FS)
#define L_URING   BIT(AUDIT_FILTER_URING_EXIT)
#define L_ALL     UINT16_MAX

/* clang-format off */
static const xt_rule_field fields[] = {
    {AUDIT_PID, XT_RULE_KIND_NUMBER, XT_RULE_OPS_ALL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "pid"},
    {AUDIT_UID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "uid"},
    {AUDIT_EUID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "euid"},
    {AUDIT_SUID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "suid"},
    {AUDIT_FSUID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "fsuid"},
    {AUDIT_GID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "gid"},
    {AUDIT_EGID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "egid"},
    {AUDIT_SGID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "sgid"},
    {AUDIT_FSGID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "fsgid"},
    {AUDIT_LOGINUID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "auid"},
    {AUDIT_LOGINUID_SET, XT_RULE_KIND_NUMBER, XT_RULE_OPS_EQUAL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "loginuid_set"},
    {AUDIT_SESSIONID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "sessionid"},
    {AUDIT_PERS, XT_RULE_KIND_NUMBER, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "pers"},
    {AUDIT_ARCH, XT_RULE_KIND_ARCH, XT_RULE_OPS_EQUAL, L_TASK | L_EXIT | L_URING, "arch"},
    {AUDIT_MSGTYPE, XT_RULE_KIND_TYPE, XT_RULE_OPS_ALL, L_USER | L_EXCLUDE, "msgtype"},
    {AUDIT_SUBJ_USER, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "subj_user"},
    {AUDIT_SUBJ_ROLE, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "subj_role"},
    {AUDIT_SUBJ_TYPE, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "subj_type"},
    {AUDIT_SUBJ_SEN, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "subj_sen"},
    {AUDIT_SUBJ_CLR, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_TASK | L_USER | L_EXCLUDE | L_EXIT | L_URING, "subj_clr"},
    {AUDIT_PPID, XT_RULE_KIND_NUMBER, XT_RULE_OPS_ALL, L_TASK | L_EXIT | L_URING, "ppid"},
    {AUDIT_OBJ_USER, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_EXIT | L_URING, "obj_user"},
    {AUDIT_OBJ_ROLE, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_EXIT | L_URING, "obj_role"},
    {AUDIT_OBJ_TYPE, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_EXIT | L_URING, "obj_type"},
    {AUDIT_OBJ_LEV_LOW, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_EXIT | L_URING, "obj_lev_low"},
    {AUDIT_OBJ_LEV_HIGH, XT_RULE_KIND_STRING, XT_RULE_OPS_EQUAL, L_EXIT | L_URING, "obj_lev_high"},
    {AUDIT_FSTYPE, XT_RULE_KIND_FSTYPE, XT_RULE_OPS_EQUAL, L_FS, "fstype"},
    {AUDIT_DEVMAJOR, XT_RULE_KIND_NUMBER, XT_RULE_OPS_ALL, L_EXIT | L_URING, "devmajor"},
    {AUDIT_DEVMINOR, XT_RULE_KIND_NUMBER, XT_RULE_OPS_ALL, L_EXIT | L_URING, "devminor"},
    {AUDIT_INODE, XT_RULE_KIND_NUMBER, XT_RULE_OPS_EQUAL, L_EXIT | L_URING, "inode"},
    {AUDIT_EXIT, XT_RULE_KIND_EXIT, XT_RULE_OPS_ALL, L_EXIT | L_URING, "exit"},
    {AUDIT_SUCCESS, XT_RULE_KIND_NUMBER, XT_RULE_OPS_ALL, L_EXIT | L_URING, "success"},
    {AUDIT_WATCH, XT_RULE_KIND_PATH, XT_RULE_OPS_SAME, L_EXIT, "path"},
    {AUDIT_PERM, XT_RULE_KIND_PERM, XT_RULE_OPS_SAME, L_EXIT, "perm"},
    {AUDIT_DIR, XT_RULE_KIND_PATH, XT_RULE_OPS_SAME, L_EXIT, "dir"},
    {AUDIT_FILETYPE, XT_RULE_KIND_FILETYPE, XT_RULE_OPS_EQUAL, L_EXIT, "filetype"},
    {AUDIT_OBJ_UID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_EXIT | L_URING, "obj_uid"},
    {AUDIT_OBJ_GID, XT_RULE_KIND_ID, XT_RULE_OPS_ALL, L_EXIT | L_URING, "obj_gid"},
    {AUDIT_FIELD_COMPARE, XT_RULE_KIND_COMPARE, XT_RULE_OPS_EQUAL, L_EXIT | L_URING, ""},
    {AUDIT_EXE, XT_RULE_KIND_PATH, XT_RULE_OPS_EQUAL, L_EXIT | L_EXCLUDE | L_URING, "exe"},
    {AUDIT_SADDR_FAM, XT_RULE_KIND_NUMBER, XT_RULE_OPS_ALL, L_EXIT | L_URING, "saddr_fam"},
    {AUDIT_ARG0, XT_RULE_KIND_HEX, XT_RULE_OPS_ALL, L_EXIT | L_URING, "a0"},
    {AUDIT_ARG1, XT_RULE_KIND_HEX, XT_RULE_OPS_ALL, L_EXIT | L_URING, "a1"},
    {AUDIT_ARG2, XT_RULE_KIND_HEX, XT_RULE_OPS_ALL, L_EXIT | L_URING, "a2"},
    {AUDIT_ARG3, XT_RULE_KIND_HEX, XT_RULE_OPS_ALL, L_EXIT | L_URING, "a3"},
    {AUDIT_FILTERKEY, XT_RULE_KIND_KEY, XT_RULE_OPS_SAME, L_ALL, "key"},
};
/* clang-format on */

/* AUDIT_COMPARE_A_TO_B by its number. */
const char *const xt_rule_comparisons[XT_RULE_N_COMPARISONS][2] = {
    [AUDIT_COMPARE_UID_TO_OBJ_UID] = {"uid", "obj_uid"},     [AUDIT_COMPARE_GID_TO_OBJ_GID] = {"gid", "obj_gid"},
    [AUDIT_COMPARE_EUID_TO_OBJ_UID] = {"euid", "obj_uid"},   [AUDIT_COMPARE_EGID_TO_OBJ_GID] = {"egid", "obj_gid"},
    [AUDIT_COMPARE_AUID_TO_OBJ_UID] = {"auid", "obj_uid"},   [AUDIT_COMPARE_SUID_TO_OBJ_UID] = {"suid", "obj_uid"},
    [AUDIT_COMPARE_SGID_TO_OBJ_GID] = {"sgid", "obj_gid"},   [AUDIT_COMPARE_FSUID_TO_OBJ_UID] = {"fsuid", "obj_uid"},
    [AUDIT_COMPARE_FSGID_TO_OBJ_GID] = {"fsgid", "obj_gid"}, [AUDIT_COMPARE_UID_TO_AUID] = {"uid", "auid"},
    [AUDIT_COMPARE_UID_TO_EUID] = {"uid", "euid"},           [AUDIT_COMPARE_UID_TO_FSUID] = {"uid", "fsuid"},
    [AUDIT_COMPARE_UID_TO_SUID] = {"uid", "suid"},           [AUDIT_COMPARE_AUID_TO_FSUID] = {"auid", "fsuid"},
    [AUDIT_COMPARE_AUID_TO_SUID] = {"auid", "suid"},         [AUDIT_COMPARE_AUID_TO_EUID] = {"auid", "euid"},
    [AUDIT_COMPARE_EUID_TO_SUID] = {"euid", "suid"},         [AUDIT_COMPARE_EUID_TO_FSUID] = {"euid", "fsuid"},
    [AUDIT_COMPARE_SUID_TO_FSUID] = {"suid", "fsuid"},       [AUDIT_COMPARE_GID_TO_EGID] = {"gid", "egid"},
    [AUDIT_COMPARE_GID_TO_FSGID] = {"gid", "fsgid"},         [AUDIT_COMPARE_GID_TO_SGID] = {"gid", "sgid"},
    [AUDIT_COMPARE_EGID_TO_FSGID] = {"egid", "fsgid"},       [AUDIT_COMPARE_EGID_TO_SGID] = {"egid", "sgid"},
    [AUDIT_COMPARE_SGID_TO_FSGID] = {"sgid", "fsgid"},
};

const xt_rule_field *xt_rule_field_find(uint32_t id)
{
    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        if (fields[i].id == id)
            return &fields[i];
    return NULL;
}

const xt_rule_field *xt_rule_field_by_name(xt_slice name)
{
    if (xt_slice_eq(name, XT_S("loginuid")))
        name = XT_S("auid");
    for (size_t i = 0; i < XT_COUNT_OF(fields); i++)
        if (fields[i].name[0] && xt_slice_eq(xt_slice_str(fields[i].name), name))
            return &fields[i];
    return NULL;
}
