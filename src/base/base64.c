#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void xt_base64_put(xt_buf *out, xt_slice bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    for (size_t i = 0; i < bytes.n; i += 3) {
        size_t n = bytes.n - i < 3 ? bytes.n - i : 3;
        uint32_t v = (uint32_t)p[i] << 16 | (n > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (n > 2 ? p[i + 2] : 0);
        for (size_t k = 0; k <= n; k++)
            xt_buf_putc(out, digits[v >> (18 - 6 * k) & 63]);
    }
}

bool xt_base64_get(xt_buf *out, xt_slice text)
{
    uint32_t v = 0;
    unsigned n_bits = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *digit = text.p[i] ? strchr(digits, text.p[i]) : NULL;
        if (!digit)
            return false;
        v = v << 6 | (uint32_t)(digit - digits);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            xt_buf_putc(out, (char)(v >> n_bits));
            v &= (1u << n_bits) - 1;
        }
    }
    return n_bits < 6 && v == 0;
}
