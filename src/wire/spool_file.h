/*
 * wire/spool_file - the files of a spool: a head of 8 bytes, then records
 *
 * Format:    record: u64 XXH3-64 of all behind it, u32 body bytes, u32 n_events, u64 of a tombstone: number of the drop << 40
 *            | events that went; else 0, body: varint codec, varint raw_bytes, data. Little endian.
 * Errors:    XT_SPOOL_FILE_E_END: the file ends here. XT_SPOOL_FILE_E_TORN: what follows is no whole record.
 */
#pragma once
#include "io/vfs.h"
#include "wire/batch.h"

#define XT_SPOOL_FILE_HEAD 8

enum {
    XT_SPOOL_FILE_E_END = 1,
    XT_SPOOL_FILE_E_TORN = 2,
};

typedef struct xt_spool_record {
    uint64_t n_bytes; /* in the file, head included */
    uint32_t n_events;
    uint64_t n_lost, drop; /* of a tombstone: events, and the drop that it tells of (0: of a version before) */
    uint64_t codec, raw_bytes;
    xt_slice data;
} xt_spool_record;

void xt_spool_file_put_head(xt_buf *out);
void xt_spool_record_put(xt_buf *out, const xt_spool_record *record);
/* bytes: scratch that ret->data points into; NULL: the record's head alone is read, and the checksum not looked at. */
XT_MUST_USE int xt_spool_record_read(const xt_vfs *vfs, int fd, uint64_t offset, uint64_t end, xt_buf *bytes,
                                     xt_spool_record *ret);
