#include "server/silence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/timestamp.h"

#define LOOK_EVERY_MS 5000
#define STEP_MS       60000 /* between two looks: the clock was set, or this process stood still and heard nobody */

typedef struct looking {
    xt_silence *silence;
    xt_notes *notes;
    int64_t now_ms;
} looking;

void xt_silence_init(xt_silence *silence, int64_t now_ms)
{
    *silence = (xt_silence){.began_ms = now_ms, .looked_ms = INT64_MIN / 2, .told = XT_MAP_INIT};
}

void xt_silence_fini(xt_silence *silence)
{
    size_t i = 0;
    for (xt_map_entry *entry; (entry = xt_map_next(&silence->told, &i)) != NULL;)
        free(entry->value);
    xt_map_fini(&silence->told);
}

static bool is_silent(const looking *l, const xt_host *host)
{
    int64_t seen_ms = host->last_seen_ms <= l->now_ms ? host->last_seen_ms : 0; /* by a clock that was set back since */
    int64_t since_ms = seen_ms > l->silence->began_ms ? seen_ms : l->silence->began_ms;
    bool is_watched = host->coverage.first_ms && host->coverage.state != XT_BEAT_STOPPED && !host->revoked &&
                      !host->quarantined && !host->imported;
    return is_watched && l->now_ms - since_ms >= XT_SILENCE_MS;
}

static void tell(const looking *l, const xt_host *host)
{
    char text[256], since[25];
    xt_buf message = XT_BUF_ON(text);
    xt_timestamp_format(host->last_seen_ms, since);
    xt_buf_printf(
        &message,
        "nothing was heard of this host since %s, and its agent did not say that it stops: the host is down or "
        "cut off, or the agent was killed",
        since);
    const xt_note note = {.host_name = xt_slice_str(host->name),
                          .host_id = xt_slice_str(host->id),
                          .action = XT_S("silent-host"),
                          .message = xt_buf_slice(&message)};
    xt_notes_add(l->notes, &note);
}

static int look_at(void *context, const xt_host *host)
{
    const looking *l = context;
    xt_map *told = &l->silence->told;
    xt_slice id = xt_slice_str(host->id);
    if (!is_silent(l, host)) {
        free(told->n > 0 ? xt_map_remove(told, id) : NULL);
        return 0;
    }
    if (xt_map_find(told, id))
        return 0;
    char *copy = strdup(host->id);
    int r = copy ? xt_map_put(told, xt_slice_str(copy), copy, NULL) : -ENOMEM;
    if (r < 0) {
        free(copy);
        return xt_error_origin(r);
    }
    tell(l, host);
    return 0;
}

int xt_silence_look(xt_silence *silence, xt_hosts *hosts, xt_notes *notes, int64_t now_ms)
{
    looking l = {.silence = silence, .notes = notes, .now_ms = now_ms};
    if (now_ms >= silence->looked_ms && now_ms - silence->looked_ms < LOOK_EVERY_MS)
        return 0;
    if (now_ms < silence->looked_ms || now_ms - silence->looked_ms > STEP_MS)
        silence->began_ms = now_ms; /* all have the time again that they have when the server begins */
    silence->looked_ms = now_ms;
    return xt_error_trace(xt_hosts_list(hosts, look_at, &l));
}
