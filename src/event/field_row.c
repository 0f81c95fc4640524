/* Eight bytes are compared as one number; what the kernel wrote in its usual order is found at the first look. */
#include "event/field_row.h"

#include <endian.h>

/* The bytes of a name of up to 8 bytes as one number. */
static inline uint64_t name_number(xt_slice name)
{
    uint32_t a, b;
    uint16_t c, d;
    if (name.n >= 4) {
        memcpy(&a, name.p, 4);
        memcpy(&b, name.p + name.n - 4, 4);
        return le32toh(a) | (uint64_t)le32toh(b) << (8 * (name.n - 4));
    }
    if (name.n >= 2) {
        memcpy(&c, name.p, 2);
        memcpy(&d, name.p + name.n - 2, 2);
        return le16toh(c) | (uint64_t)le16toh(d) << (8 * (name.n - 2));
    }
    return name.n == 1 ? (unsigned char)name.p[0] : 0;
}

size_t xt_row_find(const void *rows, size_t row_bytes, size_t n, xt_slice name, size_t *cursor)
{
    if (name.n > 8)
        return n;
    uint64_t wanted = name_number(name);
    size_t at = *cursor;
    for (size_t i = 0; i < n; i++, at++) {
        if (at >= n)
            at = 0;
        uint64_t number;
        memcpy(&number, (const char *)rows + at * row_bytes, sizeof number);
        if (le64toh(number) == wanted) {
            *cursor = at + 1;
            return at;
        }
    }
    return n;
}
