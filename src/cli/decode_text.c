/* Nothing of an event reaches the terminal but through the quoting of a shell or as visible text. */
#include "cli/decode_text.h"

#include <linux/audit.h>

#include "audit/names.h"
#include "base/utf8.h"
#include "cli/shell_quote.h"
#include "event/event_json.h"

static void put_word(xt_buf *out, const xt_event *event, xt_field field, const char *before)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_event_field_text(event, field, &text);
    xt_buf_puts(out, before);
    if (text.n == 0)
        xt_buf_putc(out, '-');
    else
        xt_text_visible(out, xt_buf_slice(&text));
}

/* (none) would need quotes, and a terminal is - where there is none. */
static void put_quoted(xt_buf *out, const xt_event *event, xt_field field, const char *before)
{
    xt_slice text = xt_event_bytes(event, field);
    xt_buf_puts(out, before);
    if (text.n == 0 || xt_slice_eq(text, XT_S("(none)")))
        xt_buf_putc(out, '-');
    else
        xt_shell_quote(out, text);
}

static bool is_set(const xt_event *event, xt_field field)
{
    return xt_event_bytes(event, field).n > 0;
}

static void put_exit(xt_buf *out, const xt_event *event)
{
    int64_t number = (int64_t)xt_event_num(event, XT_F_EXIT, 0);
    const char *name = number < 0 && number > -4096 ? xt_errno_name((int)-number) : NULL;
    if (name && xt_slice_eq(xt_event_bytes(event, XT_F_SUCCESS), XT_S("no")))
        xt_buf_printf(out, " exit=%s", name);
    else
        put_word(out, event, XT_F_EXIT, " exit=");
}

/* What was typed: <enter> between lines, and what a later event finishes. */
static void put_typed(const xt_event *event, xt_buf *out)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_TTY_LINE));
    xt_slice rest = xt_event_bytes(event, XT_F_TTY_UNFINISHED);
    const char *between = " ";
    for (xt_slice line; xt_list_next(&iter, &line); between = " <enter> ") {
        xt_buf_puts(out, between);
        xt_text_visible(out, line);
    }
    if (rest.n == 0)
        return;
    xt_buf_puts(out, between);
    xt_text_visible(out, rest);
    xt_buf_puts(out, " <unfinished>");
}

/* Behind a command: a shell passes over it. */
static void put_remarks(const xt_event *event, xt_buf *out)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_FLAGS));
    const char *before = "  # ";
    for (xt_slice flag; xt_list_next(&iter, &flag); before = " ") {
        xt_buf_puts(out, before);
        xt_text_visible(out, flag);
    }
    if (is_set(event, XT_F_FLAGS) && is_set(event, XT_F_EXE))
        put_quoted(out, event, XT_F_EXE, " exe=");
}

/* Paths that were named, without the folders that the kernel looked them up in. */
static void put_paths(const xt_event *event, xt_buf *out)
{
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS));
    for (xt_path path; xt_paths_next(&iter, &path);) {
        if (!path.has_name || path.name.n == 0 || xt_slice_eq(path.nametype, XT_S("PARENT")))
            continue;
        xt_buf_putc(out, ' ');
        xt_shell_quote(out, path.name);
    }
}

/* What a person does not look for in a line: pointers, titles, names that stand elsewhere, what was typed. */
static bool is_left_out(uint16_t type, const xt_rec_field *field)
{
    bool is_pointer =
        field->name.n == 2 && field->name.p[0] == 'a' && field->name.p[1] >= '0' && field->name.p[1] <= '3';
    return type == AUDIT_PROCTITLE || xt_rec_is_repeated(field->form) || field->form == XT_REC_ENRICHED ||
           (type == AUDIT_SYSCALL && is_pointer) || xt_slice_eq(field->name, XT_S("data"));
}

static void put_fields(const xt_event *event, xt_buf *out)
{
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    xt_rec_field field;
    for (uint16_t type; xt_recs_next(&iter, &type);) {
        while (xt_recs_next_field(&iter, &field)) {
            if (is_left_out(type, &field))
                continue;
            xt_buf_putc(out, ' ');
            xt_text_visible(out, field.name);
            xt_buf_puts(out, field.name.n > 0 ? "=" : "");
            xt_shell_quote(out, field.value);
        }
    }
}

static void put_other(const xt_event *event, xt_buf *out)
{
    bool is_exec = xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed"));
    put_word(out, event, XT_F_ACTION, " [");
    xt_buf_puts(out, xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("failure")) ? ": failed]" : "]");
    if (is_set(event, XT_F_EXE))
        put_quoted(out, event, XT_F_EXE, " ");
    if (is_set(event, XT_F_MESSAGE))
        put_word(out, event, XT_F_MESSAGE, " ");
    if (is_set(event, XT_F_ORIGINAL))
        put_word(out, event, XT_F_ORIGINAL, " ");
    if (is_set(event, XT_F_TTY_LINE) || is_set(event, XT_F_TTY_UNFINISHED)) {
        put_typed(event, out);
    } else if (!is_exec) {
        put_paths(event, out);
        put_fields(event, out);
    }
}

void xt_decode_text(const xt_event *event, xt_buf *out)
{
    put_word(out, event, XT_F_TIME, "");
    put_quoted(out, event, XT_F_HOST, " ");
    put_word(out, event, is_set(event, XT_F_LOGIN) ? XT_F_LOGIN : XT_F_AUID, " ");
    put_word(out, event, is_set(event, XT_F_USER) ? XT_F_USER : XT_F_UID, ">");
    put_quoted(out, event, XT_F_TTY, " ");
    put_word(out, event, XT_F_SES, " ses=");
    put_quoted(out, event, XT_F_CWD, " ");
    put_exit(out, event);
    if (xt_event_has(event, XT_F_ARGS)) {
        xt_buf_putc(out, ' ');
        xt_shell_quote_list(out, xt_event_bytes(event, XT_F_ARGS));
        put_remarks(event, out);
    } else {
        put_other(event, out);
    }
    xt_buf_putc(out, '\n');
}
