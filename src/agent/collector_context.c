/*
 * How it works: labels and system are the same on each event; where its session was opened from is learnt from audit's own
 * records, kept in the state folder, and looked for in utmp at the start.
 */
#include "agent/collector_private.h"

#include "agent/own_event.h"
#include "base/clock.h"
#include "base/log.h"

int xt_collector_context_open(xt_collector *c)
{
    int r = xt_session_table_new(&c->sessions);
    if (r < 0 || c->watch.mode == XT_WATCH_TEXT) /* sessions of another host */
        return r < 0 ? xt_error_trace(r) : 0;
    uint64_t host = xt_slice_hash(xt_slice_str(c->host_id));
    xt_session_source_load(c->sessions, host, c->settings->state, c->settings->boot_id);
    xt_session_source_infer(c->sessions, host, XT_UTMP, xt_session_source_of_process);
    return 0;
}

static void put_text(xt_event *event, xt_field f, const char *text)
{
    if (text[0])
        xt_event_set_bytes(event, f, xt_slice_str(text));
}

/* Its texts live until the next event. */
static void put_container(xt_collector *c, xt_event *event)
{
    const xt_container_info *info =
        xt_container_find(&c->containers, xt_event_bytes(event, XT_F_CONTAINER), xt_clock_mono_ms(&xt_clock_system));
    if (!info || !info->is_known)
        return;
    put_text(event, XT_F_IMAGE, info->image);
    put_text(event, XT_F_CONTAINER_NAME, info->name);
    put_text(event, XT_F_POD, info->pod);
    put_text(event, XT_F_NAMESPACE, info->namespace);
}

int xt_collector_context_put(xt_collector *c, xt_event *event, xt_arena *arena)
{
    const xt_agent_settings *s = c->settings;
    if (s->labels.n > 0)
        xt_event_set_bytes(event, XT_F_LABELS, xt_buf_slice(&s->labels));
    if (!s->is_text && s->os[0])
        xt_event_set_bytes(event, XT_F_OS, xt_slice_str(s->os));
    if (!s->is_text && s->kernel[0])
        xt_event_set_bytes(event, XT_F_KERNEL, xt_slice_str(s->kernel));
    if (xt_event_has(event, XT_F_CONTAINER))
        put_container(c, event);
    int r = c->sessions ? xt_session_table_apply(c->sessions, event, arena) : 0;
    return r == XT_SESSION_E_INFERRED ? xt_own_event_flag(event, XT_S("source-inferred"), arena) : r;
}

void xt_collector_context_save(xt_collector *c)
{
    if (!c->sessions || c->watch.mode == XT_WATCH_TEXT || xt_session_table_changes(c->sessions) == c->n_saved)
        return;
    c->n_saved = xt_session_table_changes(c->sessions);
    if (xt_session_source_save(c->sessions, c->settings->state, c->settings->boot_id) < 0)
        xt_log(XT_LOG_DEBUG, "%s/sessions cannot be written", c->settings->state);
}

void xt_collector_context_close(xt_collector *c)
{
    xt_collector_context_save(c);
    c->sessions = xt_session_table_free(c->sessions);
    xt_container_set_fini(&c->containers);
}
