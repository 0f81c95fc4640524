/* The kernel's generator and OpenSSL's digest, nothing else. */
#include "server/secret.h"

#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

int xt_secret_random(void *p, size_t n)
{
    char *at = p;

    while (n > 0) {
        ssize_t k = getrandom(at, n, 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return xt_error_origin(-errno);
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

int xt_secret_make(char ret[static XT_SECRET_DIGITS + 1])
{
    uint8_t bytes[XT_SECRET_BYTES];
    char text[XT_SECRET_DIGITS + 1];
    xt_buf out = XT_BUF_ON(text);
    int r = xt_secret_random(bytes, sizeof bytes);

    if (r)
        return xt_error_trace(r);
    xt_buf_put_hex(&out, xt_slice_of(bytes, sizeof bytes));
    xt_text_copy(ret, XT_SECRET_DIGITS + 1, xt_buf_slice(&out));
    return 0;
}

int xt_secret_hash(xt_slice secret, uint8_t ret[static 32])
{
    unsigned n = 32;

    if (EVP_Digest(secret.n ? secret.p : "", secret.n, ret, &n, EVP_sha256(), NULL) != 1)
        return xt_error_origin(-ENOMEM);
    return 0;
}

bool xt_secret_eq(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void xt_text_copy(char *ret, size_t n, xt_slice s)
{
    s = xt_slice_head(s, n - 1);
    if (s.n)
        memcpy(ret, s.p, s.n);
    ret[s.n] = '\0';
}
