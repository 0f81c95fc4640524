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

static void put_escaped(xt_buf *out, unsigned char c)
{
    static const char named[] = "\n\t\r\\'", letters[] = "ntr\\'";
    const char *found = c ? strchr(named, c) : NULL;
    if (found)
        xt_buf_printf(out, "\\%c", letters[found - named]);
    else if (c >= 0x20 && c < 0x7f)
        xt_buf_putc(out, (char)c);
    else
        xt_buf_printf(out, "\\x%02x", c);
}

static void put_in_quotes(xt_buf *out, xt_slice argument)
{
    bool showable = is_showable(argument);
    xt_buf_puts(out, showable ? "'" : "$'");
    for (size_t i = 0; i < argument.n; i++) {
        if (showable && argument.p[i] == '\'')
            xt_buf_puts(out, "'\\''");
        else if (showable)
            xt_buf_putc(out, argument.p[i]);
        else
            put_escaped(out, (unsigned char)argument.p[i]);
    }
    xt_buf_putc(out, '\'');
}

void xt_shell_quote(xt_buf *out, xt_slice argument)
{
    if (is_bare(argument))
        xt_buf_put(out, argument);
    else
        put_in_quotes(out, argument);
}

/* What a shell reads in the place of a command as something else. */
static bool is_no_command(xt_slice word)
{
    static const char *const keywords[] = {"case", "coproc", "do",    "done",     "elif", "else",    "esac",
                                           "fi",   "for",    "if",    "function", "in",   "select",  "then",
                                           "time", "until",  "while", "repeat",   "end",  "foreach", "nocorrect"};
    for (size_t i = 0; i < XT_COUNT_OF(keywords); i++)
        if (xt_slice_eq(word, xt_slice_str(keywords[i])))
            return true;
    return xt_slice_find_byte(word, '=') >= 0;
}

void xt_shell_quote_list(xt_buf *out, xt_slice list)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice item;
    for (bool first = true; xt_list_next(&iter, &item); first = false) {
        if (!first)
            xt_buf_putc(out, ' ');
        if (first && is_no_command(item))
            put_in_quotes(out, item);
        else
            xt_shell_quote(out, item);
    }
}
