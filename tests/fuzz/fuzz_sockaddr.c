/* Any bytes as a socket address: text without control characters, the same however often, none of fewer than two. */
#include <stdlib.h>

#include "audit/names.h"
#include "audit/sockaddr.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint32_t arches[] = {0, XT_ARCH_X86_64, 0x80000016 /* s390x: big-endian */};
    for (size_t i = 0; i < XT_COUNT_OF(arches); i++) {
        xt_buf first = XT_BUF_INIT, second = XT_BUF_INIT;
        bool says = xt_sockaddr_put(xt_slice_of(data, n), arches[i], &first);
        require(says == (n >= 2) && says == (first.n > 0));
        require(xt_sockaddr_put(xt_slice_of(data, n), arches[i], &second) == says);
        require(xt_slice_eq(xt_buf_slice(&first), xt_buf_slice(&second)));
        require(xt_text_is_clean(xt_buf_slice(&first)));
        xt_buf_fini(&first);
        xt_buf_fini(&second);
    }
    return 0;
}
