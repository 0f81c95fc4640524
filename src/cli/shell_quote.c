#include "cli/shell_quote.h"

#include "base/utf8.h"
#include "event/event.h"

static bool is_bare(xt_slice s)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || !strchr(plain, s.p[i]))
            return false;
    return s.n > 0;
}

/* What a terminal shows as it is: no controls of any kind. */
static bool is_showable(xt_slice s)
{
    XT_CLEANUP(xt_buf_fini) xt_buf shown = XT_BUF_INIT;
    xt_text_visible(&shown, s);
    return xt_slice_eq(xt_buf_slice(&shown), s);
}

void xt_shell_quote(xt_buf *out, xt_slice argument)
{
    if (is_bare(argument)) {
        xt_buf_put(out, argument);
        return;
    }
    bool showable = is_showable(argument);
    xt_buf_puts(out, showable ? "'" : "$'");
    for (size_t i = 0; i < argument.n; i++) {
        unsigned char c = (unsigned char)argument.p[i];
        if (showable && c == '\'')
            xt_buf_puts(out, "'\\''");
        else if (showable || (c >= 0x20 && c < 0x7f && c != '\'' && c != '\\'))
            xt_buf_putc(out, (char)c);
        else
            xt_buf_printf(out, "\\x%02x", c);
    }
    xt_buf_putc(out, '\'');
}

void xt_shell_quote_list(xt_buf *out, xt_slice list)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice item;
    for (bool first = true; xt_list_next(&iter, &item); first = false) {
        if (!first)
            xt_buf_putc(out, ' ');
        xt_shell_quote(out, item);
    }
}
