#include "agent/audit_before.h"

#include <unistd.h>

#include "agent/state_file.h"
#include "base/log.h"
#include "io/vfs.h"

#define NAME            "audit-before"
#define RULES           "audit-rules"
#define MAX_RULES_BYTES ((size_t)4 << 20)

static int replace(const xt_agent_settings *settings, const char *file, xt_slice content, xt_problem *reterr_problem)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_buf_printf(&name, "%s/%s", settings->state, file);
    int r = xt_vfs_replace_file(&xt_vfs_system, path, content, 0600);
    if (r < 0) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "what the audit state was cannot be written down, so it is not changed: %s",
                       strerror(-r));
        return xt_error_trace(r);
    }
    return 0;
}

static void put_added(xt_buf *out, const xt_rule_book *book)
{
    for (size_t i = 0; book && i < book->n; i++)
        if (book->entries[i].added)
            xt_buf_put_block(out, xt_slice_of(book->entries[i].rule.data, book->entries[i].rule.n_bytes));
}

int xt_audit_rules_write(const xt_agent_settings *settings, const xt_rule_book *book, const xt_rule_book *other,
                         xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    put_added(&out, book);
    put_added(&out, other);
    int r = xt_buf_done(&out);
    return r == 0 ? replace(settings, RULES, xt_buf_slice(&out), reterr_problem) : xt_error_trace(r);
}

int xt_audit_before_write(const xt_agent_settings *settings, const xt_watch_before *before, const xt_rule_book *book,
                          xt_problem *reterr_problem)
{
    char bytes[512];
    xt_buf text = XT_BUF_ON(bytes);
    int r = xt_audit_rules_write(settings, book, NULL, reterr_problem);
    if (r < 0)
        return r;
    xt_buf_printf(&text, "boot=%s\nenabled=%u\nbacklog_limit=%u\nbacklog_wait_time=%u\nfailure=%u\n", settings->boot_id,
                  before->enabled, before->backlog_limit, before->backlog_wait_time, before->failure);
    return replace(settings, NAME, xt_buf_slice(&text), reterr_problem);
}

/* A file that does not hold together gives the rules up to where it does. */
static void rules_read(const xt_agent_settings *settings, xt_rule_book *rules)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_buf_printf(&name, "%s/" RULES, settings->state);
    if (xt_vfs_read_file(&xt_vfs_system, path, MAX_RULES_BYTES, &bytes) < 0)
        return;
    xt_reader reader = xt_reader_of(xt_buf_slice(&bytes));
    while (xt_reader_left(&reader) > 0) {
        xt_slice rule = xt_reader_block(&reader);
        struct audit_rule_data head;
        if (reader.failed || rule.n < sizeof head || rule.n > XT_RULE_MAX_BYTES)
            break;
        memcpy(&head, rule.p, sizeof head);
        if (rule.n - sizeof head != head.buflen)
            break;
        xt_slice aligned = xt_arena_copy(&rules->arena, rule);
        if (!aligned.p || xt_rule_book_add(rules, XT_RULE_BOOK_BEFORE, (const void *)aligned.p, aligned.n, NULL) != 0)
            break;
    }
    if (xt_reader_left(&reader) > 0 || reader.failed)
        xt_log(XT_LOG_WARN, "%s does not hold together: rules of the agent before may stay loaded", path);
}

bool xt_audit_before_read(const xt_agent_settings *settings, xt_watch_before *ret, xt_rule_book *rules)
{
    xt_state_file file;
    if (xt_state_file_read(settings->state, NAME, &file) < 0)
        return false;
    bool ours = settings->boot_id[0] && xt_slice_eq(xt_state_file_text(&file, "boot"), xt_slice_str(settings->boot_id));
    if (ours) {
        *ret = (xt_watch_before){
            .enabled = (uint32_t)xt_state_file_number(&file, "enabled"),
            .backlog_limit = (uint32_t)xt_state_file_number(&file, "backlog_limit"),
            .backlog_wait_time = (uint32_t)xt_state_file_number(&file, "backlog_wait_time"),
            .failure = (uint32_t)xt_state_file_number(&file, "failure"),
        };
        rules_read(settings, rules);
    }
    xt_state_file_fini(&file);
    return ours;
}

void xt_audit_before_remove(const xt_agent_settings *settings)
{
    static const char *const files[] = {NAME, RULES};
    for (size_t i = 0; i < XT_COUNT_OF(files); i++) {
        char path[4096];
        xt_buf name = XT_BUF_ON(path);
        xt_buf_printf(&name, "%s/%s", settings->state, files[i]);
        unlink(path);
    }
}
