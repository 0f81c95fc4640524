/*
 * event/from_audit - a joined group of audit records becomes an event
 *
 * Shape:     every field of every record ends either in a field of the schema or in RECORDS: nothing is dropped but
 *            a0-a3 of exec events (pointers), PROCTITLE of an exec that only repeats args (first 128 bytes), and what
 *            an enrichment says again of a raw value.
 * Facts:     args come from EXECVE alone, joined over fragments and records by (argument, fragment) in whatever order
 *            they came; aN_len and argc are never trusted for size, only compared; an empty argument that old kernels
 *            leave out is told from a lost record; missing ones are named (MISSING) and flagged. A failed exec has no
 *            EXECVE: exe is then the path tried (PATH item 0, made absolute with cwd), comm stays the caller's, args
 *            are absent, PROCTITLE never shown. Of records that came twice, where the kernel never writes two alike,
 *            one is read.
 * Flags set: missing-execve, missing-args, args-mismatch, missing-path, missing-cwd, missing-record (what the system call
 *            promises is not there; MISSING names it), late, truncated, timeout, evicted, no-syscall; of the program:
 *            argv0-mismatch (argv[0] is neither the file's name nor the one it was started by), memfd, deleted (the file
 *            was gone when the exec was logged), loader (ld.so was told to run a program); of auditd's words behind a
 *            record, enriched-mismatch: one contradicts the record's own value, which counts then.
 * Errors:    -ENOMEM when the arena is full.
 * Ownership: the event borrows from the group and the arena.
 */
#pragma once
#include "audit/joiner.h"
#include "audit/names.h"
#include "event/event.h"

/* What is the same for all events of a source. */
typedef struct xt_event_origin {
    xt_slice host_name; /* used when the record has no node= */
    xt_slice host_id;   /* of host_name; empty: xt_event_import_host_id of the name */
    xt_slice boot_id;   /* may be empty */
} xt_event_origin;

XT_MUST_USE int xt_event_from_group(const xt_group *group, const xt_event_origin *origin, const xt_name_source *names,
                                    xt_arena *arena, xt_event *ret);
/* A line that is no record: action `unparsed`, ORIGINAL holds it, flag unparsed, time as given, id from its bytes. */
XT_MUST_USE int xt_event_from_garbage(xt_slice line, int64_t time_ms, uint64_t line_number,
                                      const xt_event_origin *origin, xt_arena *arena, xt_event *ret);
