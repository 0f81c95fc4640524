#include "cli/record_text.h"

#include <errno.h>

#include "base/utf8.h"
#include "event/interpretation.h"
#include "event/record_view.h"

static void put_type(uint16_t type, xt_buf *out)
{
    const char *name = xt_record_type_name(type);
    if (name)
        xt_buf_printf(out, "    %s", name);
    else
        xt_buf_printf(out, "    UNKNOWN[%u]", (unsigned)type);
}

/* arch=c000003e (x86_64): the event has the name only. */
static bool put_numbered(const xt_event *event, const xt_json_item *item, xt_buf *out)
{
    char digits[24];
    xt_buf raw = XT_BUF_ON(digits);
    xt_field field = xt_slice_eq(item->name, XT_S("arch"))      ? XT_F_ARCH
                     : xt_slice_eq(item->name, XT_S("syscall")) ? XT_F_SYSCALL
                                                                : XT_F_INVALID;
    if (field == XT_F_INVALID || !xt_slice_eq(item->value, xt_event_bytes(event, field)) ||
        !xt_interpretation_raw(event, field, &raw))
        return false;
    xt_buf_put(out, xt_buf_slice(&raw));
    xt_buf_puts(out, " (");
    xt_text_visible(out, item->value);
    xt_buf_putc(out, ')');
    return true;
}

static void put_meaning(xt_interpretation *of, const xt_json_item *item, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf meaning = XT_BUF_INIT;
    if (!xt_interpretation_put(of, item->name, item->value, &meaning))
        return;
    xt_buf_puts(out, " (");
    xt_text_visible(out, xt_buf_slice(&meaning));
    xt_buf_putc(out, ')');
}

static void put_record(const xt_record_view *view, xt_interpretation *of, xt_buf *out)
{
    put_type(view->type, out);
    for (uint32_t i = 0; i < view->group.n; i++) {
        const xt_json_item *item = &view->group.items[i];
        xt_buf_putc(out, ' ');
        xt_text_visible(out, item->name);
        xt_buf_putc(out, '=');
        if (of && put_numbered(view->event, item, out))
            continue;
        xt_text_visible(out, item->value);
        if (of)
            put_meaning(of, item, out);
    }
    xt_buf_putc(out, '\n');
}

int xt_record_text_put(const xt_event *event, bool with_meanings, xt_arena *arena, xt_buf *out)
{
    xt_record_view view;
    xt_interpretation of;
    xt_record_view_init(&view, event, arena);
    xt_interpretation_init(&of, event);
    while (xt_record_view_next(&view)) {
        xt_interpretation_open(&of, view.type, view.own);
        put_record(&view, with_meanings ? &of : NULL, out);
    }
    return view.no_memory ? xt_error_origin(-ENOMEM) : 0;
}
