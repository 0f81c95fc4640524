/*
 * store/derived - what the server adds to a batch, kept beside the frame: SERVER fields by event
 *
 * Format:    version u8 1, then per event that has any: varint index delta (from the event before, first from -1),
 *            and a canonical event (block) that holds only those fields.
 */
#pragma once
#include "event/event.h"

typedef struct xt_derived_writer {
    xt_buf *out;
    uint64_t next; /* index the next delta counts from */
} xt_derived_writer;
xt_derived_writer xt_derived_write_to(xt_buf *out);
/* Indexes ascend. */
void xt_derived_put(xt_derived_writer *writer, uint64_t index, const xt_event *fields);

typedef struct xt_derived_reader {
    xt_reader reader;
    uint64_t index; /* of the entry that is ready in `bytes` */
    xt_slice bytes;
    bool ready;
} xt_derived_reader;
XT_MUST_USE int xt_derived_read(xt_slice derived, xt_derived_reader *ret);
/* Sets on *event the fields derived for the event of that index (asked in ascending order). >0: corrupt. */
XT_MUST_USE int xt_derived_apply(xt_derived_reader *reader, uint64_t index, xt_event *event);
