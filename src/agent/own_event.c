#include "agent/own_event.h"

#include <errno.h>
#include <sys/random.h>

#include "base/timestamp.h"

void xt_own_event_head(xt_event *ret, const xt_event_origin *origin, int64_t time_ms, const char *action)
{
    xt_event_reset(ret);
    xt_event_set_num(ret, XT_F_TIME, (uint64_t)time_ms);
    xt_event_set_bytes(ret, XT_F_ACTION, xt_slice_str(action));
    /* lists of one: count, length, bytes */
    xt_event_set_bytes(ret, XT_F_CATEGORY, XT_S("\x01\x04host"));
    xt_event_set_bytes(ret, XT_F_EVENT_TYPE, XT_S("\x01\x04info"));
    xt_event_set_bytes(ret, XT_F_OUTCOME, XT_S("unknown"));
    xt_event_set_bytes(ret, XT_F_HOST, origin->host_name);
    if (origin->host_id.n > 0)
        xt_event_set_bytes(ret, XT_F_HOST_ID, origin->host_id);
    if (origin->boot_id.n > 0)
        xt_event_set_bytes(ret, XT_F_BOOT_ID, origin->boot_id);
}

void xt_own_event_fill(xt_event *ret, const xt_event_origin *origin, int64_t time_ms, const char *action,
                       xt_slice message, char scratch[static 64])
{
    xt_hash128 id;
    if (getrandom(id.b, sizeof id.b, 0) != sizeof id.b)
        id = xt_slice_hash128(message);
    xt_hash128_format(id, scratch);
    xt_own_event_head(ret, origin, time_ms, action);
    xt_event_set_bytes(ret, XT_F_EVENT_ID, xt_slice_of(scratch, 32));
    xt_event_set_bytes(ret, XT_F_MESSAGE, message);
}

void xt_own_event_put(xt_buf *out, const xt_event_origin *origin, int64_t time_ms, const char *action, xt_slice message)
{
    xt_event event;
    char scratch[64];
    xt_own_event_fill(&event, origin, time_ms, action, message, scratch);
    xt_event_batch_put(out, &event);
}

void xt_own_event_put_dropped(xt_buf *out, const xt_event_origin *origin, int64_t time_ms, const xt_spool_loss *loss)
{
    char text[512], from[25], to[25];
    xt_buf message = XT_BUF_ON(text);
    uint64_t n = loss->n_unknown;
    for (unsigned i = 0; i < XT_N_RANKS; i++)
        n += loss->n_events[i];
    xt_buf_printf(&message,
                  "%llu events were dropped before the server had them: %llu ends of processes, %llu executions, "
                  "%llu others, %llu of which that is not known",
                  (unsigned long long)n, (unsigned long long)loss->n_events[XT_RANK_END],
                  (unsigned long long)loss->n_events[XT_RANK_EXEC], (unsigned long long)loss->n_events[XT_RANK_FIRST],
                  (unsigned long long)loss->n_unknown);
    xt_timestamp_format((int64_t)loss->from_ms, from);
    xt_timestamp_format((int64_t)loss->to_ms, to);
    if (loss->from_ms)
        xt_buf_printf(&message, "; from %s to %s", from, to);
    xt_buf_puts(&message, loss->n_damaged == n ? "; the spool was damaged on the disk" : "; the spool had no room");
    xt_own_event_put(out, origin, time_ms, "dropped", xt_buf_slice(&message));
}

void xt_own_event_put_lost_by_server(xt_buf *out, const xt_event_origin *origin, int64_t time_ms, uint64_t known,
                                     uint64_t acked)
{
    char text[256];
    xt_buf message = XT_BUF_ON(text);
    xt_buf_printf(&message,
                  "%llu batches, %llu to %llu of this host's stream, were acknowledged and the server does not know "
                  "them: it was restored from a backup, or is not the one that acknowledged them",
                  (unsigned long long)(acked - known), (unsigned long long)known + 1, (unsigned long long)acked);
    xt_own_event_put(out, origin, time_ms, "lost-by-server", xt_buf_slice(&message));
}

int xt_own_event_flag(xt_event *event, xt_slice flag, xt_arena *arena)
{
    xt_slice old = xt_event_bytes(event, XT_F_FLAGS), items[32];
    xt_list_iter iter = xt_list_iterate(old);
    size_t n = 0;
    while (n < XT_COUNT_OF(items) - 1 && xt_list_next(&iter, &items[n]))
        n++;
    items[n++] = flag;
    size_t cap = old.n + flag.n + 16;
    xt_buf out = {.p = xt_arena_alloc(arena, cap), .cap = cap, .max_bytes = cap};
    if (!out.p)
        return xt_error_origin(-ENOMEM);
    xt_list_put(&out, items, n);
    xt_event_set_bytes(event, XT_F_FLAGS, xt_buf_slice(&out));
    return xt_buf_done(&out);
}

bool xt_own_event_has_flag(const xt_event *event, xt_slice flag)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    xt_slice item;
    while (xt_list_next(&iter, &item))
        if (xt_slice_eq(item, flag))
            return true;
    return false;
}
