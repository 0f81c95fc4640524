/*
 * server/hosts_private - the fleet's inside, for hosts.c and hosts_admin.c
 *
 * Threads:   all but state, clock and notes is behind `lock`, which whoever calls these functions holds.
 */
#pragma once
#include <pthread.h>

#include "base/map.h"
#include "server/coverage.h"
#include "server/hosts.h"
#include "server/pace.h"

#define XT_HOSTS_BOOTS_KEPT 8

/* A gap that was found, and is not written yet. joins: into the row of the one before, if that was not long ago. */
typedef struct xt_found_gap {
    xt_gap gap;
    bool joins;
} xt_found_gap;

typedef struct xt_host_entry {
    xt_host host;
    size_t order;                     /* among the entries: the later came later */
    struct xt_host_entry *next_named; /* of the same name */
    char key[65];                     /* hex digest of its public key; empty: not known */
    bool dirty;
    xt_buf gaps;                                /* xt_found_gap after xt_found_gap */
    char boots_before[XT_HOSTS_BOOTS_KEPT][40]; /* that others followed, while this server runs */
    unsigned n_boots_before;
    int64_t clock_best_ms, clock_before_ms; /* greatest offset of these samples, and of the ones before */
    unsigned n_clock;
    int64_t clone_noted_ms;
    xt_pace beats, rows, notes, clones; /* of what the host itself brings about */
    uint64_t n_beats_over;              /* passed over, and not told of yet */
    uint64_t n_unnoted;
    int64_t over_noted_ms;
} xt_host_entry;

struct xt_hosts {
    pthread_mutex_t lock;
    xt_state *state;
    const xt_clock *clock;
    xt_notes *notes;
    xt_map by_id, by_name;
    size_t n_imported, max_imported;
    int64_t over_noted_ms;
    xt_host_entry **entries;
    size_t n, cap;
    unsigned n_group_changes;
};

static inline xt_slice xt_host_entry_id(const xt_host_entry *entry)
{
    return xt_slice_str(entry->host.id);
}

/* NULL: there is none of that id. */
xt_host_entry *xt_hosts_find(xt_hosts *hosts, xt_slice id);
/* The latest of that name that is enrolled and not revoked, or any that is enrolled, or any at all; NULL: there is none. */
typedef enum xt_hosts_which { XT_HOSTS_WELCOME, XT_HOSTS_ENROLLED, XT_HOSTS_ANY } xt_hosts_which;
xt_host_entry *xt_hosts_named(xt_hosts *hosts, xt_slice name, xt_hosts_which which);
/* An event about it, entered later. who: may be empty. */
void xt_hosts_note(xt_hosts *hosts, const xt_host *h, const char *action, xt_slice who, const char *message);
/* Writes its row; without the lock. */
XT_MUST_USE int xt_host_entry_save(xt_hosts *hosts, const xt_host_entry *entry, xt_problem *reterr_problem);
