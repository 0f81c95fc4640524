/*
 * How it works: a signal says which process sent it; of that process /proc still knows its name and the login it belongs to,
 * for whoever sends a signal mostly lives on. The last heartbeat goes out before the last events: when those are
 * acknowledged, the server has it too.
 */
#include <signal.h>

#include "agent/collector_private.h"
#include "agent/own_event.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"

void xt_collector_stop_take(xt_collector *c, uint32_t pid, uint32_t uid)
{
    if (c->stop.is_told)
        return;
    c->stop = (xt_stop){.is_told = true, .pid = pid, .uid = uid, .auid = UINT32_MAX};
    if (pid == 0)
        return;
    c->stop.auid = xt_proc_login(pid);
    xt_proc_comm(pid, c->stop.comm, sizeof c->stop.comm);
}

static void put_user(xt_collector *c, const char *what, uint32_t uid, xt_buf *out)
{
    const xt_name_source *names = c->names ? xt_name_cache_source(c->names) : NULL;
    xt_slice name = names ? names->user(names->context, uid) : XT_S_NULL;
    xt_buf_printf(out, ", %s ", what);
    if (name.n > 0)
        xt_text_visible(out, name);
    else
        xt_buf_printf(out, "%u", uid);
}

static void put_told(xt_collector *c, xt_buf *out)
{
    const xt_stop *stop = &c->stop;
    xt_buf_puts(out, "the agent was told to end");
    if (!stop->is_told)
        return;
    xt_buf_puts(out, " by ");
    if (stop->pid == 0)
        xt_buf_puts(out, "its terminal");
    else
        xt_buf_printf(out, "process %u", stop->pid);
    if (stop->comm[0]) {
        xt_buf_puts(out, " (");
        xt_text_visible(out, xt_slice_str(stop->comm));
        xt_buf_putc(out, ')');
    }
    if (stop->pid == 0)
        return;
    put_user(c, "user", stop->uid, out);
    if (stop->auid != UINT32_MAX)
        put_user(c, "login", stop->auid, out);
}

static void fill(xt_collector *c, const char *reason, xt_event *event)
{
    const xt_stop *stop = &c->stop;
    xt_event_set_bytes(event, XT_F_REASON, xt_slice_str(reason));
    if (strcmp(reason, "planned") != 0 || !stop->is_told || stop->pid == 0)
        return;
    xt_event_set_num(event, XT_F_UID, stop->uid);
    if (stop->auid != UINT32_MAX)
        xt_event_set_num(event, XT_F_AUID, stop->auid);
}

void xt_collector_stop_say(xt_collector *c)
{
    char text[1024], scratch[64];
    xt_buf message = XT_BUF_ON(text);
    xt_arena arena;
    xt_event event;
    const xt_event_origin origin = xt_collector_origin(c);
    const char *reason = c->leaves ? "replaced" : c->failed ? "failed" : "planned";
    xt_buf_puts(&message, "watching ends: ");
    if (c->leaves)
        xt_buf_puts(&message, c->reason);
    else if (c->failed)
        xt_buf_puts(&message, "the agent broke down");
    else
        put_told(c, &message);
    xt_log(XT_LOG_INFO, "%.*s", XT_S_ARGS(xt_buf_slice(&message)));
    if (!c->leaves && !c->failed)
        xt_collector_beat_last(c);
    xt_arena_init(&arena, 65536);
    xt_own_event_fill(&event, &origin, xt_clock_wall_ms(&xt_clock_system), "agent-stopped", xt_buf_slice(&message),
                      scratch);
    fill(c, reason, &event);
    if (xt_collector_emit(c, &event, &arena) < 0)
        xt_log(XT_LOG_WARN, "the event of the agent's end was not taken");
    xt_arena_fini(&arena);
}
