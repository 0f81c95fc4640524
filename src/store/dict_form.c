/*
 * Two bytes are taken out of use: 0x00 ends a text or an item, 0x01 begins an escape (0x01 0x01 stands for 0x00,
 * 0x01 0x02 for 0x01), and what no item can begin with, 0x01 0x00, ends a list. An end is below every byte that may
 * follow in a longer text, and both escapes keep the order of what they stand for.
 *
 * A list whose own encoding is not the shortest one (a host may send such) would come back changed; it is kept as one
 * text behind 0x01 0x03.
 */
#include "store/dict_form.h"

#include <errno.h>

#include "event/event.h"

#define END    '\0'
#define ESCAPE '\1'

static bool is_special(char c)
{
    return (unsigned char)c <= 1;
}

static void put_text(xt_buf *out, xt_slice text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.n; i++) {
        if (!is_special(text.p[i]))
            continue;
        xt_buf_put(out, xt_slice_of(text.p + from, i - from));
        xt_buf_putc(out, ESCAPE);
        xt_buf_putc(out, (char)(text.p[i] + 1));
        from = i + 1;
    }
    if (text.n > from)
        xt_buf_put(out, xt_slice_of(text.p + from, text.n - from));
    xt_buf_putc(out, END);
}

static size_t varint_bytes(uint64_t v)
{
    size_t n = 1;

    for (; v >= 128; v >>= 7)
        n++;
    return n;
}

/* Whether encoding the items anew gives the same bytes. */
static bool list_is_shortest(xt_slice list)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice item;
    size_t n = varint_bytes(xt_list_count(list));

    while (xt_list_next(&iter, &item))
        n += varint_bytes(item.n) + item.n;
    return iter.left == 0 && xt_reader_done(&iter.reader) && n == list.n;
}

static void put_list(xt_buf *out, xt_slice list)
{
    xt_slice item;

    if (!list_is_shortest(list)) {
        xt_buf_putc(out, ESCAPE);
        xt_buf_putc(out, 3);
        put_text(out, list);
    } else {
        xt_list_iter iter = xt_list_iterate(list);
        while (xt_list_next(&iter, &item))
            put_text(out, item);
    }
    xt_buf_putc(out, ESCAPE);
    xt_buf_putc(out, END);
}

void xt_dict_put_stored(xt_buf *out, xt_type type, xt_slice value)
{
    if (type == XT_TEXT)
        put_text(out, value);
    else if (type == XT_LIST)
        put_list(out, value);
    else
        xt_buf_put(out, value);
}

int xt_dict_order(xt_slice a, xt_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    return order ? order : (a.n > b.n) - (a.n < b.n);
}

/* ------------------------------------------------------------------------------------------------ back */

/* Just behind the end of the list that begins at p, or NULL: the first 0x01 0x00 that is at the begin of an item. */
static const char *list_end(const char *p, const char *end)
{
    while (p < end) {
        if (end - p >= 2 && p[0] == ESCAPE && p[1] == END)
            return p + 2;
        p = memchr(p, END, (size_t)(end - p));
        if (!p)
            return NULL;
        p++;
    }
    return NULL;
}

bool xt_dict_cut(xt_type type, xt_slice raw, xt_slice *entries, uint32_t n)
{
    const char *p = raw.p, *end = raw.p + raw.n;

    for (uint32_t i = 0; i < n; i++) {
        const char *next = NULL;
        if (type == XT_LIST)
            next = list_end(p, end);
        else if (p < end && (next = memchr(p, END, (size_t)(end - p))) != NULL)
            next++;
        if (!next)
            return false;
        entries[i] = xt_slice_of(p, (size_t)(next - p));
        p = next;
    }
    return p == end;
}

/* The text of an entry or item without its end; *arena is used where there are escapes. p NULL: no memory or damage. */
static xt_slice text_value(xt_slice stored, xt_arena *arena, bool *sound)
{
    if (!memchr(stored.p, ESCAPE, stored.n))
        return stored;
    char *to = xt_arena_alloc(arena, stored.n);
    size_t n = 0;
    for (size_t i = 0; to && i < stored.n; i++) {
        char c = stored.p[i];
        if (c == ESCAPE) {
            c = i + 1 < stored.n ? (char)(stored.p[++i] - 1) : 2;
            *sound &= is_special(c);
        }
        to[n++] = c;
    }
    return xt_slice_of(to, to ? n : 0);
}

static char *put_varint(char *to, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        *to++ = (char)(v | 128);
    *to++ = (char)v;
    return to;
}

/* Writes a text without its escapes; *sound is cleared when one is not known. */
static char *unescape(char *to, const char *p, const char *end, bool *sound)
{
    while (p < end) {
        const char *escape = memchr(p, ESCAPE, (size_t)(end - p));
        size_t n = (size_t)((escape ? escape : end) - p);
        memcpy(to, p, n);
        to += n;
        if (!escape)
            break;
        char c = escape + 1 < end ? (char)(escape[1] - 1) : 2;
        *sound &= is_special(c);
        *to++ = c;
        p = escape + 2;
    }
    return to;
}

static uint64_t items_count(const char *p, const char *end)
{
    uint64_t n = 0;

    for (; p < end; n++)
        p = (const char *)memchr(p, END, (size_t)(end - p)) + 1;
    return n;
}

static size_t escapes_count(const char *p, const char *end)
{
    size_t n = 0;

    while (p < end && (p = memchr(p, ESCAPE, (size_t)(end - p))) != NULL) {
        n++;
        p += 2;
    }
    return n;
}

/* Writes the canonical list of the stored one without its end; room is known to be enough. */
static char *list_value(char *to, const char *p, const char *end, bool *sound)
{
    if (end - p >= 2 && p[0] == ESCAPE && p[1] == 3)
        return unescape(to, p + 2, end - 1, sound); /* kept as it was: one text */
    to = put_varint(to, items_count(p, end));
    while (p < end) {
        const char *stop = memchr(p, END, (size_t)(end - p));
        to = put_varint(to, (size_t)(stop - p) - escapes_count(p, stop));
        to = unescape(to, p, stop, sound);
        p = stop + 1;
    }
    return to;
}

static int lists_values(xt_slice *entries, uint32_t n, xt_arena *arena, bool *ret_sound)
{
    bool sound = true;

    for (uint32_t i = 0; i < n && sound; i++) {
        const char *p = entries[i].p, *end = p + entries[i].n - 2;
        /* A length of up to 127 is as long as the end that it replaces; longer ones are rare and have 64 times the room. */
        char *to = xt_arena_alloc(arena, entries[i].n + entries[i].n / 32 + 16);
        if (!to)
            return xt_error_origin(-ENOMEM);
        if (end > p && end[-1] != END)
            sound = false;
        else
            entries[i] = xt_slice_of(to, (size_t)(list_value(to, p, end, &sound) - to));
    }
    *ret_sound = sound;
    return 0;
}

int xt_dict_values(xt_type type, xt_slice *entries, uint32_t n, xt_arena *arena, bool *ret_sound)
{
    bool sound = true;

    if (type == XT_LIST)
        return lists_values(entries, n, arena, ret_sound);
    for (uint32_t i = 0; i < n && type == XT_TEXT; i++) {
        entries[i] = text_value(xt_slice_head(entries[i], entries[i].n - 1), arena, &sound);
        if (!entries[i].p)
            return xt_error_origin(-ENOMEM);
    }
    *ret_sound = sound;
    return 0;
}
