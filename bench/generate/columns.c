#include "columns.h"

#include "event/event_json.h"

const xt_event_column xt_event_columns[] = {
    {"time", XT_F_TIME, true},
    {"serial", XT_F_SERIAL, true},
    {"action", XT_F_ACTION, false},
    {"category", XT_F_CATEGORY, false},
    {"etype", XT_F_EVENT_TYPE, false},
    {"outcome", XT_F_OUTCOME, false},
    {"code", XT_F_CODE, false},
    {"host", XT_F_HOST, false},
    {"host_id", XT_F_HOST_ID, false},
    {"boot", XT_F_BOOT_ID, false},
    {"uid", XT_F_UID, true},
    {"user", XT_F_USER, false},
    {"euid", XT_F_EUID, true},
    {"euser", XT_F_EUSER, false},
    {"auid", XT_F_AUID, true},
    {"login", XT_F_LOGIN, false},
    {"gid", XT_F_GID, true},
    {"groupname", XT_F_GROUP, false},
    {"ses", XT_F_SES, true},
    {"pid", XT_F_PID, true},
    {"ppid", XT_F_PPID, true},
    {"parent_entity", XT_F_PARENT_ENTITY, false},
    {"exe", XT_F_EXE, false},
    {"comm", XT_F_COMM, false},
    {"cmd", XT_F_CMD, false},
    {"argc", XT_F_ARGC, true},
    {"cwd", XT_F_CWD, false},
    {"tty", XT_F_TTY, false},
    {"parent_exe", XT_F_PARENT_EXE, false},
    {"parent_cmd", XT_F_PARENT_CMD, false},
    {"parent_comm", XT_F_PARENT_COMM, false},
    {"exit", XT_F_EXIT, true},
    {"success", XT_F_SUCCESS, false},
    {"script", XT_F_SCRIPT, false},
    {"keys", XT_F_KEY, false},
    {"paths", XT_F_PATHS, false},
    {"source", XT_F_FROM, false},
    {"flags", XT_F_FLAGS, false},
    {"redactions", XT_F_REDACTIONS, false},
    {"arch", XT_F_ARCH, false},
    {"syscall", XT_F_SYSCALL, false},
    {"suid", XT_F_SUID, true},
    {"fsuid", XT_F_FSUID, true},
    {"egid", XT_F_EGID, true},
    {"sgid", XT_F_SGID, true},
    {"fsgid", XT_F_FSGID, true},
    {"items", XT_F_ITEMS, true},
    {"records", XT_F_RECORDS, false},
};
const unsigned xt_event_n_columns = XT_COUNT_OF(xt_event_columns);

static void put_paths(xt_slice paths, xt_buf *out)
{
    xt_path_iter iter = xt_paths_iterate(paths);
    xt_path p;
    while (xt_paths_next(&iter, &p)) {
        xt_buf_put_dec(out, p.item);
        xt_buf_putc(out, ':');
        xt_buf_put(out, p.name);
        xt_buf_putc(out, ':');
        xt_buf_put(out, p.nametype);
        const uint64_t numbers[] = {p.inode, p.dev_major, p.dev_minor,  p.mode,
                                    p.ouid,  p.ogid,      p.rdev_major, p.rdev_minor};
        for (unsigned i = 0; p.has_inode && i < XT_COUNT_OF(numbers); i++) {
            xt_buf_putc(out, ':');
            xt_buf_put_dec(out, numbers[i]);
        }
        xt_buf_putc(out, ':');
        xt_buf_put(out, p.rest);
        xt_buf_putc(out, ' ');
    }
}

bool xt_event_column_get(const xt_event *event, const xt_event_column *column, xt_buf *out, int64_t *ret_num)
{
    bool derived = column->field == XT_F_CMD || column->field == XT_F_ARGC;
    if (!xt_event_has(event, derived ? XT_F_ARGS : column->field))
        return false;
    if (column->field == XT_F_ARGC)
        *ret_num = (int64_t)xt_list_count(xt_event_bytes(event, XT_F_ARGS));
    else if (column->is_number)
        *ret_num = (int64_t)xt_event_num(event, column->field, 0);
    else if (column->field == XT_F_PATHS)
        put_paths(xt_event_bytes(event, XT_F_PATHS), out);
    else
        xt_event_field_text(event, column->field, out);
    return true;
}
