/*
 * Entries are sparse: most events have none, so an entry names its event by the distance from the one before.
 */
#include "store/derived.h"

#include <errno.h>

#define VERSION 1

enum {
    E_CORRUPT = 1,
};

xt_derived_writer xt_derived_write_to(xt_buf *out)
{
    xt_buf_put_u8(out, VERSION);
    return (xt_derived_writer){out, UINT64_MAX};
}

void xt_derived_put(xt_derived_writer *writer, uint64_t index, const xt_event *fields)
{
    xt_buf bytes = XT_BUF_INIT;

    xt_event_encode(fields, &bytes);
    xt_buf_put_varint(writer->out, index - writer->next);
    xt_buf_put_block(writer->out, xt_buf_slice(&bytes));
    if (bytes.failed)
        writer->out->failed = true;
    writer->next = index;
    xt_buf_fini(&bytes);
}

/* Reads the entry's head ahead; at the end nothing is ready. */
static int entry_next(xt_derived_reader *reader)
{
    reader->ready = false;
    if (xt_reader_left(&reader->reader) == 0)
        return 0;
    uint64_t delta = xt_reader_varint(&reader->reader);
    reader->bytes = xt_reader_block(&reader->reader);
    uint64_t index = reader->index + delta;
    if (reader->reader.failed || delta == 0 || (reader->index != UINT64_MAX && index < reader->index))
        return E_CORRUPT;
    reader->index = index;
    reader->ready = true;
    return 0;
}

int xt_derived_read(xt_slice derived, xt_derived_reader *ret)
{
    xt_derived_reader reader = {.reader = xt_reader_of(derived), .index = UINT64_MAX};

    if (derived.n) {
        if (xt_reader_u8(&reader.reader) != VERSION)
            return E_CORRUPT;
        int r = entry_next(&reader);
        if (r)
            return r;
    }
    *ret = reader;
    return 0;
}

int xt_derived_apply(xt_derived_reader *reader, uint64_t index, xt_event *event)
{
    xt_event fields;

    if (!reader->ready || reader->index > index)
        return 0;
    if (reader->index < index || xt_event_decode(reader->bytes, &fields, NULL) != 0)
        return E_CORRUPT;
    for (unsigned f = 1; f < XT_F_END; f++)
        if (xt_event_has(&fields, (xt_field)f)) {
            event->values[f] = fields.values[f];
            xt_field_set_add(&event->present, (xt_field)f);
        }
    return entry_next(reader);
}
