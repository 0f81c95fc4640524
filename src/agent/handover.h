/*
 * agent/handover - what an agent leaves to the next one with the service manager
 *
 * Shape:     the audit socket and the process connector's, kept in the manager's store of file descriptors from the moment
 *            they are open, so that they outlive a kill too; and, after an orderly end, a note in memory alone: records of events
 *            that are not whole yet, events that were not passed on, and what completeness needs to go on.
 * Format:    the note: "xt-note", u8 version, then the fields in the order of xt_handover_note. A note of another version is
 *            not read: what it held is a gap then, and is said.
 * Secrets:   the records are as the kernel gave them; so the note is never a file on a disk.
 * Threads:   one at a time.
 * Source:    sd_listen_fds(3), sd_pid_notify_with_fds(3). The kernel sends audit's records to the socket that was named and
 *            keeps the pid of who named it, also when that process has ended: as long as the socket is open it
 *            takes no other owner (kernel/audit.c, audit_replace).
 */
#pragma once
#include <sys/types.h>

#include "agent/notify.h"
#include "audit/netlink.h"
#include "base/buf.h"

#define XT_HANDOVER_VERSION 1

typedef struct xt_handover_note {
    uint64_t left_ms;              /* wall time of the end */
    uint64_t run;                  /* of the heartbeats; 0: something was lost, a new run begins */
    uint64_t run_from_ms, beat_ms; /* its times (CLOCK_BOOTTIME) */
    uint64_t n_events;             /* in events */
    xt_slice version, reason;      /* of the agent that ended; why it did */
    xt_slice events;               /* canonical, not passed on */
    xt_slice records;              /* u32 bytes, u32 type, payload each */
} xt_handover_note;

typedef struct xt_handover {
    int audit_fd, connector_fd, note_fd; /* -1: none */
    pid_t owner;                         /* who named the audit socket to the kernel */
    xt_handover_note note;
    bool has_note;
    char refused[96]; /* why a note that came was not read; empty */
    xt_buf bytes;     /* the note's */
} xt_handover;

/* Takes LISTEN_FDS and its kin out of the environment. What cannot be made sense of is closed. The note is not read yet. */
void xt_handover_receive(xt_handover *ret);
/* For the process that may know its records, after the others were forked. */
void xt_handover_read_note(xt_handover *handover);
void xt_handover_fini(xt_handover *handover);

/*
 * The audit socket and the connector's, from now on; the first with the pid that the kernel knows, and no more with that of before.
 * <0: the manager was not told, and has nothing.
 */
XT_MUST_USE int xt_handover_store_audit(const xt_notify *notify, int fd, pid_t owner, pid_t before);
XT_MUST_USE int xt_handover_store_connector(const xt_notify *notify, int fd);
/* Nobody reads it any more. */
void xt_handover_drop_connector(const xt_notify *notify);
/* An orderly end leaves them no more. Waits until the manager has closed its copies. */
void xt_handover_drop(const xt_notify *notify, pid_t owner);
/* The note of before was read, or is out of date. */
void xt_handover_drop_note(const xt_notify *notify);
XT_MUST_USE int xt_handover_store_note(const xt_notify *notify, const xt_handover_note *note);

void xt_handover_note_put(const xt_handover_note *note, xt_buf *out);
/* False: not a note of this version; reterr says so. Slices point into bytes. */
bool xt_handover_note_get(xt_slice bytes, xt_handover_note *ret, char reterr[static 96]);
void xt_handover_put_record(xt_buf *out, uint16_t type, xt_slice payload);
bool xt_handover_next_record(xt_slice *rest, xt_netlink_message *ret);
