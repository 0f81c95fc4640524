/* A map to states, which stand in a list from the most to the least recently used. */
#include "event/tty_state.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_STATES 1024
#define MAX_BYTES  (4u << 20)

static xt_slice key_slice(const xt_tty_key *key)
{
    return xt_slice_of(key, sizeof *key);
}

static void unlink_state(xt_tty_states *states, xt_tty_state *s)
{
    *(s->newer ? &s->newer->older : &states->newest) = s->older;
    *(s->older ? &s->older->newer : &states->oldest) = s->newer;
}

static void link_newest(xt_tty_states *states, xt_tty_state *s)
{
    s->newer = NULL;
    s->older = states->newest;
    *(states->newest ? &states->newest->newer : &states->oldest) = s;
    states->newest = s;
}

void xt_tty_states_drop(xt_tty_states *states, xt_tty_state *s)
{
    unlink_state(states, s);
    xt_map_remove(&states->map, key_slice(&s->key));
    states->n--;
    states->n_bytes -= s->n_counted;
    xt_tty_line_fini(&s->line);
    free(s);
}

void xt_tty_states_fini(xt_tty_states *states)
{
    while (states->oldest)
        xt_tty_states_drop(states, states->oldest);
    xt_map_fini(&states->map);
}

int xt_tty_states_get(xt_tty_states *states, const xt_tty_key *key, bool edits, xt_tty_state **ret)
{
    xt_tty_state *s = xt_map_find(&states->map, key_slice(key));
    if (s) {
        unlink_state(states, s);
        link_newest(states, s);
        *ret = s;
        return 0;
    }
    s = calloc(1, sizeof *s);
    if (!s)
        return xt_error_origin(-ENOMEM);
    s->key = *key;
    xt_tty_line_init(&s->line, edits);
    int r = xt_map_put(&states->map, key_slice(&s->key), s, NULL);
    if (r < 0) {
        free(s);
        return xt_error_trace(r);
    }
    link_newest(states, s);
    states->n++;
    *ret = s;
    return 0;
}

void xt_tty_states_trim(xt_tty_states *states)
{
    xt_tty_state *s = states->newest;
    if (!s)
        return;
    states->n_bytes -= s->n_counted;
    s->n_counted = sizeof *s + xt_tty_line_memory(&s->line);
    states->n_bytes += s->n_counted;
    while (states->oldest != s && (states->n > MAX_STATES || states->n_bytes > MAX_BYTES))
        xt_tty_states_drop(states, states->oldest);
}
