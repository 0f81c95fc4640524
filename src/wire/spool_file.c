/* How it works: the checksum comes first in a record, so that all it covers is one run of bytes. */
#include "wire/spool_file.h"

#include <errno.h>

#define FILE_MAGIC  "xtspool1"
#define RECORD_HEAD 24
#define LOST_BITS   40

void xt_spool_file_put_head(xt_buf *out)
{
    xt_buf_put(out, XT_S(FILE_MAGIC));
}

void xt_spool_record_put(xt_buf *out, const xt_spool_record *record)
{
    xt_buf body = XT_BUF_INIT;
    xt_buf_put_u32(&body, 0);
    xt_buf_put_u32(&body, record->n_events);
    xt_buf_put_u64(&body, record->drop << LOST_BITS | record->n_lost);
    xt_buf_put_varint(&body, record->codec);
    xt_buf_put_varint(&body, record->raw_bytes);
    xt_buf_put(&body, record->data);
    if (xt_buf_done(&body) == 0) {
        uint32_t n = (uint32_t)(body.n - (RECORD_HEAD - 8));
        for (unsigned i = 0; i < 4; i++)
            body.p[i] = (char)(n >> (8 * i));
        xt_buf_put_u64(out, xt_slice_hash(xt_buf_slice(&body)));
        xt_buf_put(out, xt_buf_slice(&body));
    } else {
        out->failed = true;
    }
    xt_buf_fini(&body);
}

int xt_spool_record_read(const xt_vfs *vfs, int fd, uint64_t offset, uint64_t end, xt_buf *bytes, xt_spool_record *ret)
{
    uint8_t head[RECORD_HEAD];
    if (offset >= end)
        return XT_SPOOL_FILE_E_END;
    if (end - offset < RECORD_HEAD)
        return XT_SPOOL_FILE_E_TORN;
    int r = xt_vfs_read_all(vfs, fd, head, sizeof head, offset);
    if (r < 0)
        return xt_error_trace(r);
    xt_reader reader = xt_reader_of(xt_slice_of(head, sizeof head));
    uint64_t hash = xt_reader_u64(&reader);
    uint32_t n = xt_reader_u32(&reader);
    xt_spool_record record = {.n_bytes = RECORD_HEAD + (uint64_t)n, .n_events = xt_reader_u32(&reader)};
    uint64_t lost = xt_reader_u64(&reader);
    record.n_lost = lost & ((UINT64_C(1) << LOST_BITS) - 1);
    record.drop = lost >> LOST_BITS;
    bool sane = n > 2 && record.n_events > 0 && (lost == 0 || record.n_events == 1);
    if (!sane || record.n_bytes > end - offset || n > XT_BATCH_MAX_RAW_BYTES + 20)
        return XT_SPOOL_FILE_E_TORN;
    if (bytes) {
        size_t n_hashed = RECORD_HEAD - 8 + (size_t)n;
        xt_buf_reset(bytes);
        char *p = xt_buf_reserve(bytes, n_hashed);
        r = p ? xt_vfs_read_all(vfs, fd, p, n_hashed, offset + 8) : -ENOMEM;
        if (r < 0)
            return xt_error_trace(r);
        if (xt_slice_hash(xt_slice_of(p, n_hashed)) != hash)
            return XT_SPOOL_FILE_E_TORN;
        reader = xt_reader_of(xt_slice_of(p + RECORD_HEAD - 8, n));
        record.codec = xt_reader_varint(&reader);
        record.raw_bytes = xt_reader_varint(&reader);
        record.data = xt_reader_bytes(&reader, xt_reader_left(&reader));
        if (reader.failed)
            return XT_SPOOL_FILE_E_TORN;
    }
    *ret = record;
    return 0;
}
