/* A runtime's file of any content: no text is longer than its room, and all of them end. */
#include <stdint.h>
#include <stdlib.h>

#include "agent/container_info.h"
#include "agent/json_member.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_container_info info = {.id = ""};
    xt_slice text = xt_slice_of(data, n), value;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    bool some = xt_container_parse(text, &info);
    const char *const texts[] = {info.image, info.name, info.pod, info.namespace};
    size_t n_all = 0;
    for (size_t i = 0; i < XT_COUNT_OF(texts); i++) {
        require(memchr(texts[i], '\0', XT_CONTAINER_TEXT) != NULL);
        n_all += strlen(texts[i]);
    }
    require(some || n_all == 0);
    if (xt_json_member(text, XT_S("a"), &value))
        require(value.n > 0 && value.p >= text.p && value.p + value.n <= text.p + text.n);
    if (xt_json_text(text, &out))
        require(out.n <= n);
    return 0;
}
