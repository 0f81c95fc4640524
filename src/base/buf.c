/*
 * Capacity doubles, so that n bytes cost O(n) whatever the pieces. A failed buf keeps what it held, which is for
 * messages only: whoever wants the whole asks xt_buf_done.
 */
#include "base/buf.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define MIN_CAP 64

void xt_buf_fini(xt_buf *buf)
{
    free(buf->p);
    *buf = (xt_buf){.max_bytes = buf->max_bytes};
}

void xt_buf_reset(xt_buf *buf)
{
    buf->n = 0;
    buf->failed = false;
}

int xt_buf_done(const xt_buf *buf)
{
    return buf->failed ? xt_error_origin(-ENOMEM) : 0;
}

/* Makes cap at least `want`. */
static bool grow(xt_buf *buf, size_t want)
{
    size_t cap = buf->cap < MIN_CAP ? MIN_CAP : buf->cap;

    while (cap < want && cap <= SIZE_MAX / 2)
        cap *= 2;
    char *p = cap < want ? NULL : realloc(buf->p, cap);
    if (!p) {
        buf->failed = true;
        return false;
    }
    buf->p = p;
    buf->cap = cap;
    return true;
}

/* Whether n more bytes are within max_bytes (and can be counted); fails the buf otherwise. */
static inline bool may_hold(xt_buf *buf, size_t n)
{
    size_t max = buf->max_bytes ? buf->max_bytes : SIZE_MAX - 1;

    if (n > max || buf->n > max - n)
        buf->failed = true;
    return !buf->failed;
}

char *xt_buf_reserve(xt_buf *buf, size_t n)
{
    if (!may_hold(buf, n))
        return NULL;
    if ((buf->cap - buf->n < n || !buf->p) && !grow(buf, buf->n + n))
        return NULL;
    return buf->p + buf->n;
}

void xt_buf_put(xt_buf *buf, xt_slice s)
{
    char *to = s.n ? xt_buf_reserve(buf, s.n) : NULL;

    if (to) {
        memcpy(to, s.p, s.n);
        buf->n += s.n;
    }
}

void xt_buf_putc(xt_buf *buf, char c)
{
    char *to = xt_buf_reserve(buf, 1);

    if (to) {
        *to = c;
        buf->n++;
    }
}

void xt_buf_puts(xt_buf *buf, const char *z)
{
    xt_buf_put(buf, xt_slice_str(z));
}

void xt_buf_vprintf(xt_buf *buf, const char *format, va_list args)
{
    va_list again;

    if (buf->failed)
        return;
    va_copy(again, args);
    size_t room = buf->cap - buf->n;
    int n = vsnprintf(room ? buf->p + buf->n : NULL, room, format, args);
    if (n < 0) {
        buf->failed = true;
    } else if (may_hold(buf, (size_t)n)) {
        /* The NUL that vsnprintf adds may stand behind max_bytes: it is no content. */
        if ((size_t)n >= room && grow(buf, buf->n + (size_t)n + 1))
            vsnprintf(buf->p + buf->n, (size_t)n + 1, format, again);
        if (!buf->failed)
            buf->n += (size_t)n;
    }
    va_end(again);
}

void xt_buf_printf(xt_buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    xt_buf_vprintf(buf, format, args);
    va_end(args);
}

void xt_buf_put_dec(xt_buf *buf, uint64_t v)
{
    static const char pairs[] =
        "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243"
        "4445464748495051525354555657585960616263646566676869707172737475767778798081828384858687"
        "888990919293949596979899";
    char digits[20];
    size_t at = sizeof digits;

    for (; v >= 100; v /= 100)
        memcpy(digits + (at -= 2), pairs + v % 100 * 2, 2);
    if (v >= 10)
        memcpy(digits + (at -= 2), pairs + v * 2, 2);
    else
        digits[--at] = (char)('0' + v);
    xt_buf_put(buf, xt_slice_of(digits + at, sizeof digits - at));
}

void xt_buf_put_sdec(xt_buf *buf, int64_t v)
{
    if (v < 0)
        xt_buf_putc(buf, '-');
    xt_buf_put_dec(buf, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void xt_buf_put_hex(xt_buf *buf, xt_slice bytes)
{
    static const char digits[] = "0123456789abcdef";

    if (bytes.n > SIZE_MAX / 2) {
        buf->failed = true;
        return;
    }
    char *to = xt_buf_reserve(buf, bytes.n * 2);
    if (!to)
        return;
    for (size_t i = 0; i < bytes.n; i++) {
        *to++ = digits[(uint8_t)bytes.p[i] >> 4];
        *to++ = digits[(uint8_t)bytes.p[i] & 15];
    }
    buf->n += bytes.n * 2;
}

void xt_buf_put_u8(xt_buf *buf, uint8_t v)
{
    xt_buf_putc(buf, (char)v);
}

void xt_buf_put_u16(xt_buf *buf, uint16_t v)
{
    v = htole16(v);
    xt_buf_put(buf, xt_slice_of(&v, sizeof v));
}

void xt_buf_put_u32(xt_buf *buf, uint32_t v)
{
    v = htole32(v);
    xt_buf_put(buf, xt_slice_of(&v, sizeof v));
}

void xt_buf_put_u64(xt_buf *buf, uint64_t v)
{
    v = htole64(v);
    xt_buf_put(buf, xt_slice_of(&v, sizeof v));
}

void xt_buf_put_varint(xt_buf *buf, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    xt_buf_put(buf, xt_slice_of(bytes, n));
}

void xt_buf_put_zigzag(xt_buf *buf, int64_t v)
{
    xt_buf_put_varint(buf, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void xt_buf_put_block(xt_buf *buf, xt_slice s)
{
    xt_buf_put_varint(buf, s.n);
    xt_buf_put(buf, s);
}

void xt_buf_consume(xt_buf *buf, size_t n)
{
    assert(n <= buf->n);
    buf->n -= n;
    if (n && buf->n)
        memmove(buf->p, buf->p + n, buf->n);
}

/* The next n bytes, or NULL; a failed reader stands at its end, so every later get fails by itself. */
static const uint8_t *reader_take(xt_reader *r, size_t n)
{
    if (n > xt_reader_left(r)) {
        r->failed = true;
        r->p = r->end;
        return NULL;
    }
    const uint8_t *p = r->p;
    if (n)
        r->p += n;
    return p;
}

uint8_t xt_reader_u8(xt_reader *r)
{
    const uint8_t *p = reader_take(r, 1);

    return p ? *p : 0;
}

uint16_t xt_reader_u16(xt_reader *r)
{
    uint16_t v = 0;
    const uint8_t *p = reader_take(r, sizeof v);

    if (p)
        memcpy(&v, p, sizeof v);
    return le16toh(v);
}

uint32_t xt_reader_u32(xt_reader *r)
{
    uint32_t v = 0;
    const uint8_t *p = reader_take(r, sizeof v);

    if (p)
        memcpy(&v, p, sizeof v);
    return le32toh(v);
}

uint64_t xt_reader_u64(xt_reader *r)
{
    uint64_t v = 0;
    const uint8_t *p = reader_take(r, sizeof v);

    if (p)
        memcpy(&v, p, sizeof v);
    return le64toh(v);
}

uint64_t xt_reader_varint(xt_reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        uint8_t byte = *r->p++;
        if (shift == 63 && byte > 1)
            break;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return v;
    }
    r->failed = true;
    r->p = r->end;
    return 0;
}

int64_t xt_reader_zigzag(xt_reader *r)
{
    uint64_t v = xt_reader_varint(r);

    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

xt_slice xt_reader_bytes(xt_reader *r, size_t n)
{
    const uint8_t *p = reader_take(r, n);

    return p ? xt_slice_of(p, n) : XT_S_NULL;
}

xt_slice xt_reader_block(xt_reader *r)
{
    return xt_reader_bytes(r, xt_reader_varint(r));
}
