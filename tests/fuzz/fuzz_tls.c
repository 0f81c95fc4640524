/* Certificates as they come from the other side: a server's list of CAs and renewed certificate, a host's request for one. */
#include <assert.h>

#include "io/tls.h"
#include "io/tls_trust.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_bundle(xt_slice pem)
{
    xt_slice rest = pem, block;
    size_t n = 0;
    while (xt_tls_pem_next(&rest, &block)) {
        assert(block.p >= pem.p && block.p + block.n <= pem.p + pem.n && block.n > 0);
        n += block.n;
    }
    assert(n + rest.n <= pem.n);
    if (xt_tls_bundle_is_good(pem))
        assert(n > 0 && !xt_tls_bundle_is_signed(pem, xt_slice_head(pem, 70), pem));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    uint8_t digest[32];
    int64_t from_ms, to_ms;
    if (n == 0)
        return 0;
    xt_slice bytes = xt_slice_of(data + 1, n - 1);
    if (data[0] % 3 == 0)
        read_bundle(bytes);
    else if (data[0] % 3 == 1)
        (void)!xt_tls_csr_key(bytes, digest, NULL);
    else if (xt_tls_cert_span(bytes, &from_ms, &to_ms) == 0)
        assert(xt_tls_cert_fits(bytes, bytes, XT_S("")) != 0);
    return 0;
}
