/*
 * base/buf - a growable run of bytes to write to
 *
 * Errors:    sticky: when memory is out (or max_bytes would be passed) `failed` is set, later puts do nothing,
 *            and the one check at the end (xt_buf_done) tells. So code that formats has no error branches.
 * Ownership: xt_buf_fini frees; xt_buf_slice is borrowed until the next put, and is never what is put next.
 *            A buf may stand on the caller's own bytes instead (XT_BUF_ON): it never grows, and is never ended.
 * Threads:   one at a time.
 */
#pragma once
#include <stdarg.h>

#include "base/slice.h"

typedef struct xt_buf {
    char *p;
    size_t n;
    size_t cap;
    size_t max_bytes; /* 0: no limit */
    bool failed;
} xt_buf;

#define XT_BUF_INIT      ((xt_buf){0})
/* On an array; its last byte stays free for a NUL. */
#define XT_BUF_ON(array) ((xt_buf){.p = (array), .cap = sizeof(array), .max_bytes = sizeof(array) - 1})

void xt_buf_fini(xt_buf *buf);
/* Forget the content and the failure, keep the memory. */
void xt_buf_reset(xt_buf *buf);
static inline xt_slice xt_buf_slice(const xt_buf *buf)
{
    return xt_slice_of(buf->p, buf->n);
}
/* 0, or -ENOMEM when something did not fit. */
XT_MUST_USE int xt_buf_done(const xt_buf *buf);

/* Room for n more bytes: where to write them (then add to buf->n), or NULL. */
char *xt_buf_reserve(xt_buf *buf, size_t n);

void xt_buf_put(xt_buf *buf, xt_slice s);
void xt_buf_putc(xt_buf *buf, char c);
void xt_buf_puts(xt_buf *buf, const char *z);
void xt_buf_printf(xt_buf *buf, const char *format, ...) XT_PRINTF(2, 3);
void xt_buf_vprintf(xt_buf *buf, const char *format, va_list args) XT_PRINTF(2, 0);
void xt_buf_put_dec(xt_buf *buf, uint64_t v);
void xt_buf_put_sdec(xt_buf *buf, int64_t v);
void xt_buf_put_hex(xt_buf *buf, xt_slice bytes); /* two lower-case digits a byte */

/* Little endian; varint is LEB128, at most 10 bytes; a block is varint length and bytes. */
void xt_buf_put_u8(xt_buf *buf, uint8_t v);
void xt_buf_put_u16(xt_buf *buf, uint16_t v);
void xt_buf_put_u32(xt_buf *buf, uint32_t v);
void xt_buf_put_u64(xt_buf *buf, uint64_t v);
void xt_buf_put_varint(xt_buf *buf, uint64_t v);
void xt_buf_put_zigzag(xt_buf *buf, int64_t v);
void xt_buf_put_block(xt_buf *buf, xt_slice s);

/* Removes n bytes at the front (a stream's consumed part). */
void xt_buf_consume(xt_buf *buf, size_t n);

/*
 * base/buf - reading bytes back: a cursor over foreign bytes
 *
 * Errors:    sticky: past the end or a malformed varint sets `failed`; gets then return 0 or an empty slice.
 *            Check xt_reader_done (all read, nothing failed) or `failed`.
 */
typedef struct xt_reader {
    const uint8_t *p;
    const uint8_t *end;
    bool failed;
} xt_reader;

static inline xt_reader xt_reader_of(xt_slice s)
{
    return (xt_reader){(const uint8_t *)s.p, s.n ? (const uint8_t *)s.p + s.n : (const uint8_t *)s.p, false};
}
static inline size_t xt_reader_left(const xt_reader *r)
{
    return (size_t)(r->end - r->p);
}
static inline bool xt_reader_done(const xt_reader *r)
{
    return !r->failed && r->p == r->end;
}
uint8_t xt_reader_u8(xt_reader *r);
uint16_t xt_reader_u16(xt_reader *r);
uint32_t xt_reader_u32(xt_reader *r);
uint64_t xt_reader_u64(xt_reader *r);
uint64_t xt_reader_varint(xt_reader *r);
int64_t xt_reader_zigzag(xt_reader *r);
xt_slice xt_reader_bytes(xt_reader *r, size_t n);
xt_slice xt_reader_block(xt_reader *r);
