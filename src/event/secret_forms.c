/*
 * The forms in which a command line comes: a title with NUL between its words, arguments joined by a space, a line that a
 * shell reads, keys as they were pressed, and an audit record that could not be read as one.
 */
#include "audit/record.h"
#include "audit/value.h"
#include "event/secret_scan.h"

static xt_secret_word word_of(xt_slice text)
{
    return (xt_secret_word){.text = text, .unit = 1};
}

static void scan_joined(xt_secret_scan *scan, const xt_secret_word *text)
{
    scan->joined = true;
    xt_secret_scan_shell(scan, text);
    scan->joined = false;
}

/* One piece with blanks is what a program wrote over its arguments. */
static void scan_title(xt_secret_scan *scan, const xt_secret_word *title)
{
    xt_secret_command command;
    xt_slice rest = title->text, piece;
    if (xt_slice_find_byte(rest, '\0') < 0 && xt_slice_find_byte(rest, ' ') >= 0) {
        scan_joined(scan, title);
        return;
    }
    xt_secret_command_init(&command, XT_S_NULL);
    while (rest.n > 0 && xt_slice_cut(&rest, '\0', &piece)) {
        xt_secret_word word = xt_secret_word_part(title, (size_t)(piece.p - title->text.p), piece.n);
        xt_secret_command_take(scan, &command, &word);
    }
}

void xt_secret_scan_title(xt_secret_scan *scan, xt_slice title)
{
    xt_secret_word word = word_of(title);
    scan_title(scan, &word);
}

void xt_secret_scan_joined(xt_secret_scan *scan, xt_slice text)
{
    xt_secret_word word = word_of(text);
    scan_joined(scan, &word);
}

void xt_secret_scan_line(xt_secret_scan *scan, xt_slice line)
{
    xt_secret_word word = word_of(line);
    xt_secret_scan_shell(scan, &word);
}

typedef struct typing {
    char *text;
    uint32_t *map;
    size_t n;
} typing;

/* Behind ESC [ ... letter, or ESC and a byte. */
static size_t escape_end(xt_slice keys, size_t i)
{
    i++;
    if (i < keys.n && (keys.p[i] == '[' || keys.p[i] == 'O')) {
        i++;
        while (i < keys.n && !((keys.p[i] | 0x20) >= 'a' && (keys.p[i] | 0x20) <= 'z') && keys.p[i] != '~')
            i++;
    }
    return i < keys.n ? i + 1 : i;
}

static void erase(typing *t, char key)
{
    bool in_word = false;
    while (t->n > 0 && t->text[t->n - 1] != '\n') {
        char last = t->text[t->n - 1];
        if (key == 0x17 && last == ' ' && in_word)
            return;
        in_word |= last != ' ';
        t->n--;
        if (key == 0x7f || key == 0x08)
            return;
    }
}

/* What the keys left on the line, with erasing keys applied. */
static void type(typing *t, xt_slice keys)
{
    for (size_t i = 0; i < keys.n; i++) {
        char c = keys.p[i];
        if (c == 0x7f || c == 0x08 || c == 0x15 || c == 0x17) {
            erase(t, c);
        } else if (c == 0x1b) {
            i = escape_end(keys, i) - 1;
        } else if (c == '\r' || c == '\n' || c == '\t' || (uint8_t)c >= 0x20) {
            t->text[t->n] = c == '\r' ? '\n' : c;
            t->map[t->n++] = (uint32_t)i;
        }
    }
}

void xt_secret_scan_keys(xt_secret_scan *scan, xt_slice keys)
{
    typing t = {.text = xt_secret_scan_alloc(scan, keys.n + 1),
                .map = xt_secret_scan_alloc(scan, (keys.n + 1) * sizeof *t.map)};
    if (!t.text || !t.map) {
        xt_secret_scan_joined(scan, keys);
        return;
    }
    type(&t, keys);
    scan->typed = t.map;
    scan->typed_end = t.map + t.n;
    xt_secret_word word = {.text = xt_slice_of(t.text, t.n), .map = t.map, .unit = 1, .in_shell = true};
    xt_secret_scan_shell(scan, &word);
    scan->typed = scan->typed_end = NULL;
}

/* The value as text: a run of hex digits is decoded, with a map to the digits. */
static xt_secret_word value_of(xt_secret_scan *scan, xt_slice line, const xt_audit_field *field)
{
    size_t n = field->value.n / 2, base = (size_t)(field->value.p - line.p);
    xt_secret_word word = {.text = field->value, .base = base, .unit = 1};
    char *text = field->quoting == XT_BARE && n > 0 ? xt_secret_scan_alloc(scan, n) : NULL;
    if (!text || !xt_value_unhex(field->value, text))
        return word;
    word.text = xt_slice_of(text, n);
    word.unit = 2;
    return word;
}

static bool is_argument(xt_slice name)
{
    return name.n > 1 && name.p[0] == 'a' && name.p[1] >= '0' && name.p[1] <= '9';
}

static void scan_fields(xt_secret_scan *scan, xt_slice line, xt_slice rest, bool in_msg)
{
    xt_secret_command command;
    xt_audit_field field;
    xt_secret_command_init(&command, XT_S_NULL);
    while (xt_audit_field_next(&rest, &field)) {
        if (field.name.n == 0 || field.value.n == 0)
            continue;
        xt_secret_word word = value_of(scan, line, &field);
        if (is_argument(field.name))
            xt_secret_command_take(scan, &command, &word);
        else if (field.quoting == XT_SINGLE && !in_msg)
            scan_fields(scan, line, field.value, true);
        else
            scan_title(scan, &word);
    }
}

void xt_secret_scan_record(xt_secret_scan *scan, xt_slice line)
{
    xt_arena_mark mark = xt_arena_mark_get(scan->arena);
    scan_fields(scan, line, line, false);
    xt_secret_scan_joined(scan, line);
    xt_arena_mark_reset(scan->arena, mark);
}
