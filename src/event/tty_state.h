/*
 * event/tty_state - unfinished lines by whose they are (inside of event/ only)
 *
 * Ownership: a state lives until it is dropped, or by xt_tty_states_trim when it is the least recently used.
 */
#pragma once
#include "base/map.h"
#include "event/tty_line.h"

/* All bytes count: made from zeroed memory. */
typedef struct xt_tty_key {
    xt_hash128 names; /* host, comm, kind of record */
    uint64_t ses, auid, pid;
    uint32_t major, minor;
} xt_tty_key;
_Static_assert(sizeof(xt_tty_key) == 48, "xt_tty_key has padding");

typedef struct xt_tty_state {
    xt_tty_key key;
    struct xt_tty_state *newer, *older;
    size_t n_counted; /* bytes of it in the sum */
    xt_key_reader reader;
    xt_tty_line line;
} xt_tty_state;

typedef struct xt_tty_states {
    xt_map map;
    xt_tty_state *newest, *oldest;
    size_t n, n_bytes;
} xt_tty_states;

void xt_tty_states_fini(xt_tty_states *states);
/* The state of that key, made if need be: it is the newest. */
XT_MUST_USE int xt_tty_states_get(xt_tty_states *states, const xt_tty_key *key, bool edits, xt_tty_state **ret);
void xt_tty_states_drop(xt_tty_states *states, xt_tty_state *state);
/* Counts the newest anew, and drops the oldest until all fit. */
void xt_tty_states_trim(xt_tty_states *states);
