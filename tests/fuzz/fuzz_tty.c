/*
 * Any keystrokes: the first byte says how they are cut into records, the second at which program they are typed. The
 * lines are the same however they are cut, no line is longer than the limit, and of what is masked nothing is left.
 */
#include <assert.h>
#include <stdlib.h>

#include "event/decoder.h"
#include "event/tty_line.h"
#include "json_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *const programs[] = {"bash", "vim", "sudo"};

typedef struct taken {
    xt_buf lines; /* blocks */
    bool is_masked;
} taken;

static void take_lines(taken *t, const xt_event *event)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_TTY_LINE));
    for (xt_slice line; xt_list_next(&iter, &line);) {
        assert(line.n > 0 && line.n <= XT_TTY_LINE_MAX);
        assert(!t->is_masked || xt_slice_eq(line, XT_S("<masked>")));
        if (!t->is_masked)
            xt_buf_put_block(&t->lines, line);
    }
}

static int take_event(void *context, xt_event *event, xt_arena *arena)
{
    taken *t = context;
    xt_slice data;
    xt_buf out = XT_BUF_INIT;
    assert(xt_event_has(event, XT_F_TTY));
    if (t->is_masked)
        assert(!xt_recs_find(xt_event_bytes(event, XT_F_RECORDS), XT_S("data"), 0, &data));
    take_lines(t, event);
    if (xt_event_json(event, XT_EVENT_JSON_RECORDS, arena, &out) == 0)
        assert(!json_check_document(event, xt_buf_slice(&out)));
    xt_buf_fini(&out);
    return 0;
}

static void put_record(xt_buf *out, const char *program, unsigned serial, xt_slice keys)
{
    xt_buf_printf(
        out, "type=TTY msg=audit(%u.000:%u): tty pid=7 uid=1 auid=1 ses=3 major=136 minor=2 comm=\"%s\" data=", serial,
        serial, program);
    for (size_t i = 0; i < keys.n; i++)
        xt_buf_printf(out, "%02X", (uint8_t)keys.p[i]);
    xt_buf_putc(out, '\n');
}

static void render(const char *program, xt_slice keys, size_t piece, taken *t)
{
    xt_buf text = XT_BUF_INIT;
    xt_decoder_settings settings = {.origin = {.host_name = XT_S("h")}, .on_event = take_event, .context = t};
    xt_decoder *decoder;
    *t = (taken){.is_masked = program == programs[2]};
    assert(xt_decoder_new(&settings, &decoder) == 0);
    unsigned serial = 1;
    for (size_t at = 0; at < keys.n; at += piece, serial++) {
        xt_buf_reset(&text);
        put_record(&text, program, serial, xt_slice_head(xt_slice_skip(keys, at), piece));
        assert(xt_decoder_feed(decoder, xt_buf_slice(&text)) == 0);
    }
    assert(xt_decoder_finish(decoder) == 0);
    xt_decoder_free(decoder);
    xt_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    taken whole, cut;
    if (n < 3)
        return 0;
    const char *program = programs[data[1] % XT_COUNT_OF(programs)];
    xt_slice keys = xt_slice_of(data + 2, n - 2);
    render(program, keys, n, &whole);
    render(program, keys, data[0] + 1u, &cut);
    assert(xt_slice_eq(xt_buf_slice(&whole.lines), xt_buf_slice(&cut.lines)));
    xt_buf_fini(&whole.lines);
    xt_buf_fini(&cut.lines);
    return 0;
}
