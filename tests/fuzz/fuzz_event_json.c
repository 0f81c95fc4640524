/* Any event becomes one line of valid JSON, from which the bytes of all its text can be had back. */
#include <assert.h>

#include "json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_fields(const xt_event *event, xt_arena *arena, xt_buf *out)
{
    xt_field all[XT_F_END];
    size_t n_fields = 0;
    for (unsigned id = 1; id < XT_F_END; id++)
        if (xt_field_find(id))
            all[n_fields++] = (xt_field)id;
    xt_buf_reset(out);
    assert(xt_event_json_fields(event, all, n_fields, arena, out) == 0);
    assert(json_skip(out->p, out->p + out->n, 0) == out->p + out->n);
    for (size_t i = 0; i < n_fields; i++) {
        xt_buf_reset(out);
        xt_event_field_text(event, all[i], out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_event event = {0};
    if (xt_event_decode(xt_slice_of(data, n), &event, NULL) != 0)
        return 0;
    xt_arena arena;
    xt_buf out = XT_BUF_INIT;
    xt_arena_init(&arena, 64 << 20);
    for (unsigned options = 0; options <= (XT_EVENT_JSON_RECORDS | XT_EVENT_JSON_INTERPRET); options++) {
        xt_buf_reset(&out);
        assert(xt_event_json(&event, options, &arena, &out) == 0);
        const char *wrong = json_check_document(&event, xt_buf_slice(&out));
        assert(!wrong);
        assert(!memchr(out.p, '\n', out.n));
    }
    check_fields(&event, &arena, &out);
    xt_buf_fini(&out);
    xt_arena_fini(&arena);
    return 0;
}
