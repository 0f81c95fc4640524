#include "agent/audit_before.h"

#include <unistd.h>

#include "agent/state_file.h"
#include "io/vfs.h"

#define NAME "audit-before"

int xt_audit_before_write(const xt_agent_settings *settings, const xt_watch_before *before, xt_problem *reterr_problem)
{
    char path[4096], bytes[512];
    xt_buf name = XT_BUF_ON(path), text = XT_BUF_ON(bytes);
    xt_buf_printf(&name, "%s/" NAME, settings->state);
    xt_buf_printf(&text,
                  "boot=%s\nenabled=%u\nbacklog_limit=%u\nbacklog_wait_time=%u\nfailure=%u\nrule0=%u\nrule1=%u\n",
                  settings->boot_id, before->enabled, before->backlog_limit, before->backlog_wait_time, before->failure,
                  before->rule_added[0], before->rule_added[1]);
    int r = xt_vfs_replace_file(&xt_vfs_system, path, xt_buf_slice(&text), 0600);
    if (r < 0) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "what the audit state was cannot be written down, so it is not changed: %s",
                       strerror(-r));
        return xt_error_trace(r);
    }
    return 0;
}

bool xt_audit_before_read(const xt_agent_settings *settings, xt_watch_before *ret)
{
    xt_state_file file;
    if (xt_state_file_read(settings->state, NAME, &file) < 0)
        return false;
    bool ours = settings->boot_id[0] && xt_slice_eq(xt_state_file_text(&file, "boot"), xt_slice_str(settings->boot_id));
    if (ours)
        *ret = (xt_watch_before){
            .enabled = (uint32_t)xt_state_file_number(&file, "enabled"),
            .backlog_limit = (uint32_t)xt_state_file_number(&file, "backlog_limit"),
            .backlog_wait_time = (uint32_t)xt_state_file_number(&file, "backlog_wait_time"),
            .failure = (uint32_t)xt_state_file_number(&file, "failure"),
            .rule_added = {xt_state_file_number(&file, "rule0") != 0, xt_state_file_number(&file, "rule1") != 0},
        };
    xt_state_file_fini(&file);
    return ours;
}

void xt_audit_before_remove(const xt_agent_settings *settings)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_buf_printf(&name, "%s/" NAME, settings->state);
    unlink(path);
}
