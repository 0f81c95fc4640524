/*
 * event/proc_table - who is running what, by pid: parents and entity ids for events
 *
 * Shape:     one table per host. An exec event enters its process and receives its parent's executable, command line,
 *            name and entity id: PARENT_EXE, PARENT_CMD, PARENT_COMM, ENTITY, PARENT_ENTITY.
 * Method:    entry of a pid is what it executed last. Keyed so that a reused pid cannot pass for the old one: an entry
 *            carries its start (time of the exec seen, or the start time that /proc gives) and is replaced by a newer
 *            exec; a parent that was never seen is asked of `lookup` (the agent: /proc, race-checked), else absent.
 * Limits:    max_entries; the least recently used goes first.
 * Threads:   one at a time.
 */
#pragma once
#include "event/event.h"

typedef struct xt_proc_info {
    uint32_t pid, ppid;
    uint32_t sid; /* of the session's leader; 0: not known */
    int64_t start_ms;
    xt_slice exe, comm;
    xt_slice cmd;   /* arguments joined by one space */
    xt_slice argv;  /* the same, each ended by NUL; may be empty */
    xt_slice marks; /* what was taken out of cmd (event/secret_redact.h) */
} xt_proc_info;

/* Fills *ret (slices valid until the next call); false when the process is gone or may be another by now. */
typedef bool (*xt_proc_lookup_fn)(void *context, uint32_t pid, xt_proc_info *ret);

typedef struct xt_proc_table xt_proc_table;
XT_MUST_USE int xt_proc_table_new(size_t max_entries, xt_proc_lookup_fn lookup /* may be NULL */, void *context,
                                  xt_proc_table **ret);
xt_proc_table *xt_proc_table_free(xt_proc_table *table);
/* A process known before the first event (the agent reads /proc once at start). */
XT_MUST_USE int xt_proc_table_seed(xt_proc_table *table, const xt_proc_info *info, xt_slice host_id, xt_slice boot_id);
/* Enters an exec event (successful or not) and sets its parent fields, bytes in the arena. Other events: nothing. */
XT_MUST_USE int xt_proc_table_apply(xt_proc_table *table, xt_event *event, xt_arena *arena);
