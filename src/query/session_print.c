/* Text: a line a step, the lines of a process below each other; what stands in front shows whose child it is. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "base/json_out.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "query/session_tree.h"

#define MAX_SHOWN_DEPTH 40
#define MAX_TEXT_BYTES  400 /* of a command line in the text */

static const char *const did_names[] = {"executed", "failed", "became", "reported", "exited"};

/* ------------------------------------------------------------------------------------------------ JSON */

static void put_time(xt_json *json, const char *key, bool known, int64_t t_ms)
{
    char text[25];

    xt_json_key(json, xt_slice_str(key));
    if (!known) {
        xt_json_null(json);
        return;
    }
    xt_timestamp_format(t_ms, text);
    xt_json_string(json, xt_slice_str(text));
}

static void put_text(xt_json *json, const char *key, xt_slice text)
{
    if (text.n)
        xt_json_field_string(json, key, text);
}

static void put_who(xt_json *json, const char *key, const xt_session_who *who)
{
    if (!who->known)
        return;
    xt_json_key(json, xt_slice_str(key));
    xt_json_object_begin(json);
    xt_json_field_u64(json, "uid", who->uid);
    put_text(json, "user", who->user);
    xt_json_field_u64(json, "euid", who->euid);
    put_text(json, "euser", who->euser);
    xt_json_object_end(json);
}

static void put_step(xt_json *json, const xt_session_step *step)
{
    xt_json_object_begin(json);
    xt_json_field_string(json, "did", xt_slice_str(did_names[step->did]));
    put_time(json, "time", true, step->time_ms);
    put_text(json, "id", step->event_id);
    put_text(json, "action", step->action);
    put_text(json, "entity", step->did == XT_SESSION_EXECUTED ? step->entity : XT_S_NULL);
    put_text(json, "cmd", step->cmd);
    put_text(json, "exe", step->exe);
    put_text(json, "cwd", step->cwd);
    put_text(json, "tty", step->tty);
    if (step->did == XT_SESSION_FAILED)
        xt_json_field_i64(json, "error", step->error);
    if (step->refused)
        xt_json_field_bool(json, "refused", true);
    if (step->is_alert)
        xt_json_field_bool(json, "alert", true);
    if (step->is_noise)
        xt_json_field_bool(json, "noise", true);
    if (step->changed) {
        put_who(json, "from", &step->from);
        put_who(json, "to", &step->to);
        put_text(json, "by", step->by);
    }
    xt_json_object_end(json);
}

static void put_number(xt_json *json, const char *key, bool known, int64_t n)
{
    xt_json_key(json, xt_slice_str(key));
    if (known)
        xt_json_i64(json, n);
    else
        xt_json_null(json);
}

void xt_session_process_json(const xt_session_tree *tree, uint32_t process, xt_buf *out)
{
    const xt_session_process *p = tree->processes[process];
    xt_json json = xt_json_to(out);

    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "process", process);
    put_number(&json, "parent", p->parent != XT_SESSION_NONE, p->parent);
    xt_json_field_u64(&json, "depth", p->depth);
    xt_json_field_u64(&json, "pid", p->pid);
    put_number(&json, "ppid", p->ppid != 0, p->ppid);
    xt_json_field_bool(&json, "unseen", p->unseen);
    xt_json_field_bool(&json, "guessed", p->guessed);
    put_time(&json, "start", true, p->start_ms);
    put_time(&json, "end", p->has_end, p->end_ms);
    put_number(&json, "duration_ms", p->has_end, p->end_ms - p->start_ms);
    put_number(&json, "exit_code", p->has_exit_code, p->exit_code);
    put_text(&json, "exe", p->exe);
    put_text(&json, "cmd", p->cmd);
    put_who(&json, "who", &p->who);
    xt_json_key(&json, XT_S("steps"));
    xt_json_array_begin(&json);
    for (const xt_session_step *step = p->first; step; step = step->next)
        put_step(&json, step);
    xt_json_array_end(&json);
    xt_json_object_end(&json);
    xt_buf_putc(out, '\n');
}

/* ------------------------------------------------------------------------------------------------ text */

static void put_branches(const xt_session_tree *tree, uint32_t process, bool begins, xt_buf *out)
{
    const xt_session_process *line[MAX_SHOWN_DEPTH];
    size_t n = 0;

    for (uint32_t i = process; i != XT_SESSION_NONE && n < XT_COUNT_OF(line); i = tree->processes[i]->parent)
        line[n++] = tree->processes[i];
    assert(n > 0);
    if (line[n - 1]->depth > 0)
        xt_buf_puts(out, "... ");
    for (size_t k = n - 1; k-- > 0;) { /* a root has no branch */
        bool more = line[k]->next != XT_SESSION_NONE;
        if (k == 0 && begins)
            xt_buf_puts(out, more ? "├─ " : "└─ ");
        else
            xt_buf_puts(out, more ? "│  " : "   ");
    }
    if (!begins)
        xt_buf_puts(out, tree->processes[process]->first_child != XT_SESSION_NONE ? "│ " : "  ");
}

static void put_command(xt_slice text, xt_buf *out)
{
    char room[MAX_TEXT_BYTES];
    xt_buf head = XT_BUF_ON(room);
    bool whole = xt_text_visible_head(&head, text);

    xt_buf_put(out, xt_buf_slice(&head));
    if (!whole)
        xt_buf_printf(out, "... (%zu bytes)", text.n);
}

static void put_user(uint64_t id, xt_slice name, xt_buf *out)
{
    if (name.n)
        xt_text_visible(out, name);
    else
        xt_buf_printf(out, "uid %llu", (unsigned long long)id);
}

/* The real user, and in brackets the effective one where that is another. */
static void put_person(const xt_session_who *who, xt_buf *out)
{
    put_user(who->uid, who->user, out);
    if (who->uid != who->euid) {
        xt_buf_puts(out, " (effective ");
        put_user(who->euid, who->euser, out);
        xt_buf_puts(out, ")");
    }
}

static void put_change(const xt_session_step *step, xt_buf *out)
{
    put_person(&step->from, out);
    xt_buf_puts(out, " -> ");
    put_person(&step->to, out);
    if (step->by.n) {
        xt_buf_puts(out, " by ");
        xt_text_visible(out, step->by);
    }
}

static void put_duration(int64_t ms, xt_buf *out)
{
    if (ms < 1000)
        xt_buf_printf(out, "%lld ms", (long long)ms);
    else if (ms < 60000)
        xt_buf_printf(out, "%lld.%lld s", (long long)(ms / 1000), (long long)(ms % 1000 / 100));
    else if (ms < 3600000)
        xt_buf_printf(out, "%lldm %02llds", (long long)(ms / 60000), (long long)(ms / 1000 % 60));
    else
        xt_buf_printf(out, "%lldh %02lldm", (long long)(ms / 3600000), (long long)(ms / 60000 % 60));
}

/* What is known of the process as a whole: on its first line. */
static void put_facts(const xt_session_process *p, const xt_session_step *step, xt_buf *out)
{
    xt_buf_printf(out, "  [pid %u", p->pid);
    if (p->unseen && !step)
        xt_buf_puts(out, p->guessed ? ", a fork, it seems" : p->ppid ? ", a fork" : ", not of this session's records");
    if (step && step->changed) {
        xt_buf_puts(out, ", ");
        put_change(step, out);
    } else if (step && step->to.known) {
        xt_buf_puts(out, ", ");
        put_person(&step->to, out);
    }
    if (p->has_end) {
        xt_buf_puts(out, ", ");
        put_duration(p->end_ms - p->start_ms, out);
    }
    if (p->has_exit_code)
        xt_buf_printf(out, ", exit %lld", (long long)p->exit_code);
    xt_buf_puts(out, step && step->is_alert ? ", alert]" : "]");
}

static void put_step_text(const xt_session_step *step, bool first, xt_buf *out)
{
    switch (step->did) {
    case XT_SESSION_EXECUTED:
        xt_buf_puts(out, first ? "" : "=> ");
        put_command(step->cmd.n ? step->cmd : step->exe, out);
        break;
    case XT_SESSION_FAILED:
        xt_buf_puts(out, "cannot execute ");
        put_command(step->exe.n ? step->exe : step->cmd, out);
        xt_buf_printf(out, ": %s", step->error < 0 && step->error > -4096 ? strerror((int)-step->error) : "failed");
        break;
    case XT_SESSION_BECAME:
    case XT_SESSION_EXITED:
        xt_buf_puts(out, step->did == XT_SESSION_BECAME ? "became another user" : "ended");
        break;
    case XT_SESSION_REPORTED:
        xt_text_visible(out, step->action);
        if (step->refused)
            xt_buf_puts(out, " (refused)");
        if (step->cmd.n) {
            xt_buf_puts(out, ": ");
            put_command(step->cmd, out);
        }
    }
}

static void put_line_begin(const xt_session_tree *tree, uint32_t process, int64_t t_ms, bool begins, xt_buf *out)
{
    char text[25];

    xt_timestamp_format(t_ms, text);
    xt_buf_printf(out, "%s  ", text);
    put_branches(tree, process, begins, out);
}

static void put_step_line(const xt_session_tree *tree, uint32_t process, const xt_session_step *step, bool begins,
                          xt_buf *out)
{
    put_line_begin(tree, process, step->time_ms, begins, out);
    put_step_text(step, begins, out);
    if (begins) {
        put_facts(tree->processes[process], step, out);
    } else if (step->changed) {
        xt_buf_puts(out, "  [");
        put_change(step, out);
        xt_buf_puts(out, step->is_alert ? ", alert]" : "]");
    } else if (step->is_alert) {
        xt_buf_puts(out, "  [alert]");
    }
    xt_buf_putc(out, '\n');
}

/* An end needs no line of its own, nor a change of identity that changed nothing. */
static bool is_shown(const xt_session_step *step)
{
    return step->did != XT_SESSION_EXITED && (step->did != XT_SESSION_BECAME || step->changed);
}

/* What the first line shows: what was executed first, or what could not be. */
static const xt_session_step *main_step(const xt_session_process *p)
{
    const xt_session_step *failed = NULL;

    for (const xt_session_step *step = p->first; step; step = step->next) {
        if (step->did == XT_SESSION_EXECUTED)
            return step;
        if (step->did == XT_SESSION_FAILED && !failed)
            failed = step;
    }
    return failed;
}

void xt_session_process_text(const xt_session_tree *tree, uint32_t process, xt_buf *out)
{
    const xt_session_process *p = tree->processes[process];
    const xt_session_step *shown = main_step(p);

    if (shown) {
        put_step_line(tree, process, shown, true, out);
    } else {
        put_line_begin(tree, process, p->start_ms, true, out);
        put_command(p->cmd.n ? p->cmd : p->exe.n ? p->exe : XT_S("(unknown)"), out);
        put_facts(p, NULL, out);
        xt_buf_putc(out, '\n');
    }
    for (const xt_session_step *step = p->first; step; step = step->next)
        if (step != shown && is_shown(step))
            put_step_line(tree, process, step, false, out);
}
