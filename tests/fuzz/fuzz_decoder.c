/*
 * A stream of text: the first byte says how it is cut into pieces. Every event encodes, becomes valid JSON, and the
 * pieces make no difference.
 */
#include <assert.h>
#include <stdlib.h>

#include "event/decoder.h"
#include "json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int take_event(void *context, xt_event *event, xt_arena *arena)
{
    xt_buf out = XT_BUF_INIT;
    xt_event back = {0};
    size_t start = ((xt_buf *)context)->n;
    xt_event_encode(event, context);
    xt_slice bytes = xt_slice_skip(xt_buf_slice(context), start);
    assert(xt_event_decode(bytes, &back, NULL) == 0);
    assert(memcmp(&back.present, &event->present, sizeof back.present) == 0);
    if (xt_event_json(event, XT_EVENT_JSON_RECORDS, arena, &out) == 0)
        assert(!json_check_document(event, xt_buf_slice(&out)));
    xt_buf_fini(&out);
    return 0;
}

static void decode(xt_slice text, size_t piece, xt_buf *out)
{
    xt_decoder_settings settings = {.origin = {.host_name = XT_S("h")}, .on_event = take_event, .context = out};
    xt_decoder *decoder;
    assert(xt_decoder_new(&settings, &decoder) == 0);
    (void)!xt_decoder_feed(decoder, XT_S("type=USER_LOGIN msg=audit(1.000:1): pid=1\n")); /* a time for what has none */
    for (size_t at = 0; at < text.n; at += piece)
        assert(xt_decoder_feed(decoder, xt_slice_head(xt_slice_skip(text, at), piece)) == 0);
    assert(xt_decoder_finish(decoder) == 0);
    xt_decoder_free(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_buf whole = XT_BUF_INIT, cut = XT_BUF_INIT;
    if (n < 2)
        return 0;
    xt_slice text = xt_slice_of(data + 1, n - 1);
    decode(text, n, &whole);
    decode(text, data[0] + 1u, &cut);
    assert(xt_slice_eq(xt_buf_slice(&whole), xt_buf_slice(&cut)));
    xt_buf_fini(&whole);
    xt_buf_fini(&cut);
    return 0;
}
