/*
 * audit/joiner - records joined into groups: all records of one node, time and serial
 *
 * Shape:     records go in by xt_joiner_push in any order, finished groups come out of xt_joiner_next in the order
 *            in which they were finished. A group's records stand in the order in which they arrived.
 * Method:    a group is finished by its EOE; by being of a single-record type (user and daemon messages, 1100-1299 and
 *            2000-2999) unless a group of that key is open; by PROCTITLE and then any record of a later serial of that
 *            node (auditd's own messages have serials of their own and do not count); by time (settings: a LOGIN or
 *            CONFIG_CHANGE without a SYSCALL ends so); or by the bounds (the one longest without a record first,
 *            flagged). Never by a successor alone: events interleave. The EOE itself is not part of the group.
 * Units:     now_ms is whatever clock the caller keeps: monotonic for a live source, the newest record's time for
 *            a file. It only has to grow; a step back is ignored.
 * Errors:    push: XT_JOINER_E_LATE: that group was already given out: the record is given out as a group of its own
 *            with XT_GROUP_LATE (an EOE or a duplicate PROCTITLE is swallowed, 0). <0 memory: the record is not kept.
 * Ownership: push copies the record. A group is valid until the next call of next or free.
 * Limits:    max_groups open groups, max_bytes of copied records (text and sizeof(xt_record) each; blocks take up to
 *            three times that, and 4 KiB a group); a group above max_group_bytes keeps its first records and is flagged
 *            XT_GROUP_TRUNCATED with n_dropped counted. Finished groups wait in memory: call next until NULL after
 *            every push or few. The last max_recent keys given out are known, give or take; a later record of an older one is a new group.
 * Threads:   one at a time.
 */
#pragma once
#include "audit/record.h"

enum {
    XT_JOINER_E_LATE = 1,
};

enum {
    XT_GROUP_EOE = 1 << 0,       /* ended by the kernel's own end record */
    XT_GROUP_TIMEOUT = 1 << 1,   /* ended by time or the end of input before its PROCTITLE: something may be missing */
    XT_GROUP_EVICTED = 1 << 2,   /* ended by the bounds */
    XT_GROUP_TRUNCATED = 1 << 3, /* records beyond max_group_bytes were dropped */
    XT_GROUP_LATE = 1 << 4,      /* belongs to a group given out before */
    XT_GROUP_CUT = 1 << 5,       /* the end of one of its records is missing */
};

typedef struct xt_group {
    int64_t time_ms;
    uint32_t serial;
    unsigned flags;
    xt_slice node;
    const xt_record *records;
    size_t n_records;
    size_t n_dropped;
} xt_group;

typedef struct xt_joiner_settings {
    int64_t timeout_ms;     /* since the group's last record; 0: 2000 */
    size_t max_groups;      /* 0: 16384 */
    size_t max_bytes;       /* 0: 64 MiB */
    size_t max_group_bytes; /* 0: 16 MiB: a 2 MiB argv in hex with its framing fits */
    size_t max_recent;      /* keys given out that are known; 0: 65536 */
} xt_joiner_settings;

typedef struct xt_joiner_stats {
    uint64_t n_records;                                        /* pushed */
    uint64_t n_groups;                                         /* finished, late ones too */
    uint64_t n_eoe, n_timeout, n_evicted, n_late, n_truncated; /* groups with that flag */
} xt_joiner_stats;

typedef struct xt_joiner xt_joiner;

XT_MUST_USE int xt_joiner_new(const xt_joiner_settings *settings /* may be NULL */, xt_joiner **ret);
xt_joiner *xt_joiner_free(xt_joiner *joiner); /* returns NULL */
XT_MUST_USE int xt_joiner_push(xt_joiner *joiner, const xt_record *record, int64_t now_ms);
/* The next finished group, or NULL. */
const xt_group *xt_joiner_next(xt_joiner *joiner, int64_t now_ms);
/* Finishes all that is open (end of input): then call next until NULL. */
void xt_joiner_finish(xt_joiner *joiner);
/* Finishes what had its PROCTITLE, behind which the kernel writes nothing more of an event. */
void xt_joiner_finish_titled(xt_joiner *joiner);
/* Each record of the groups that are open, in the order in which they came; non-zero ends it and is returned. */
int xt_joiner_open_each(const xt_joiner *joiner, int (*each)(void *context, const xt_record *record), void *context);
/* Whether the record's group is there. */
bool xt_joiner_is_open(const xt_joiner *joiner, const xt_record *record);
/* Whether the record's group was given out lately, so that it would be late. */
bool xt_joiner_is_late(const xt_joiner *joiner, const xt_record *record);
/*
 * What comes is another copy of a log, or one that overlaps: what was given out so far is not known any more, and groups
 * that are open take no record a second time.
 */
void xt_joiner_forget(xt_joiner *joiner);
/* Of the groups that are open. */
size_t xt_joiner_open_bytes(const xt_joiner *joiner);
xt_joiner_stats xt_joiner_stats_get(const xt_joiner *joiner);
