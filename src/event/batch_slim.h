/*
 * event/batch_slim - a canonical batch without what each event repeats of the one before it (inside of event/ only)
 *
 * Shape:     expanding gives the very bytes that were slimmed. Events of one kind (executed, exited, all others) follow
 *            one another: of each only the fields that changed stand there; time, serial and pid are differences; ids in
 *            hex are bytes; the id of the exec that an `exited` ends is the time between the two, for with the host's
 *            id and the serial that is all it is a hash of.
 * Format:    an event: varint (n_changed << 3 | has_removed << 2 | kind), where something was removed varint n and n varint
 *            ids, then n_changed times a field: varint id << 1 | is_bytes, and
 *              TIME, SERIAL, PID  zigzag difference to the event before, of whatever kind
 *              PPID, LEADER       zigzag difference to the last of this kind; of the first to PID, to PPID
 *              DURATION           varint of microseconds << 1, or of nanoseconds << 1 | 1
 *              ids                u8 form: 0 a block as it is, 1 hex: a block of bytes, 2 UUID: 16 bytes, 3 OF: zigzag
 *                                 TIME less that of the exec with this event's host id and serial, 4 as PARENT_ENTITY
 *              other numbers and bytes as in the canonical event
 *            So a field that a later version adds needs nothing here.
 * Limits:    fields of id 128 and more, and numbers not in their shortest form, cannot be slimmed.
 * Errors:    XT_SLIM_E_NOT: this batch stays as it is. XT_SLIM_E_CORRUPT: these bytes are no slim batch, or are longer than told.
 * Threads:   no state between calls.
 */
#pragma once
#include "base/buf.h"

enum {
    XT_SLIM_E_NOT = 1,
    XT_SLIM_E_CORRUPT = 2,
};

/* Appends to out; on XT_SLIM_E_NOT what was appended means nothing. */
XT_MUST_USE int xt_batch_slim(xt_slice events, xt_buf *out);
/* Appends exactly raw_bytes to out, or nothing. */
XT_MUST_USE int xt_batch_expand(xt_slice slim, size_t raw_bytes, xt_buf *out);
