/*
 * Nearly every text is plain, so each is first written as if it were; only when it turns out not to be, it is written
 * once more with care.
 */
#include "event/json_writer.h"

#include "event/event.h"

bool xt_json_writer_grow(xt_json_writer *w, size_t n)
{
    xt_json_writer_flush(w);
    char *p = xt_buf_reserve(w->out, n);
    if (!p)
        return false;
    w->p = p;
    size_t cap = w->out->max_bytes > 0 && w->out->max_bytes < w->out->cap ? w->out->max_bytes : w->out->cap;
    w->end = w->out->p + cap;
    return true;
}

/* A text to write with care: one string, or the items of a list with one space between them. */
static char *put_careful(xt_json_writer *w, char *p, xt_slice s, bool is_list)
{
    if (!is_list)
        return xt_json_text_put(p, s, w->escape, &w->may_not_begin);
    xt_list_iter iter = xt_list_iterate(s);
    bool is_first = true;
    for (xt_slice item; p && xt_list_next(&iter, &item); is_first = false) {
        if (!is_first)
            *p++ = ' ';
        p = xt_json_text_put(p, item, w->escape, &w->may_not_begin);
    }
    return p;
}

/* Behind the opening quote. */
static void string_with_care(xt_json_writer *w, xt_slice s, bool is_list)
{
    char *end = NULL;
    if (w->is_unclean || !xt_json_writer_room(w, xt_json_text_bound(s.n, w->escape)))
        return;
    end = put_careful(w, w->p, s, is_list);
    if (!end && !w->may_not_begin) {
        w->escape = true;
        if (!xt_json_writer_room(w, xt_json_text_bound(s.n, true)))
            return;
        end = put_careful(w, w->p, s, is_list);
    }
    if (!end) {
        w->is_unclean = true;
        return;
    }
    *end++ = '"';
    w->p = end;
}

void xt_json_writer_string_after(xt_json_writer *w, char before, xt_slice s)
{
    if (!xt_json_writer_room(w, s.n + 3))
        return;
    w->p[0] = before;
    w->p[1] = '"';
    w->p += 2;
    if (!xt_json_text_put_plain(w->p, s)) {
        string_with_care(w, s, false);
        return;
    }
    w->p[s.n] = '"';
    w->p += s.n + 1;
}

void xt_json_writer_string(xt_json_writer *w, xt_slice s)
{
    if (!xt_json_writer_room(w, s.n + 2))
        return;
    *w->p++ = '"';
    if (!xt_json_text_put_plain(w->p, s)) {
        string_with_care(w, s, false);
        return;
    }
    w->p[s.n] = '"';
    w->p += s.n + 1;
}

void xt_json_writer_joined(xt_json_writer *w, xt_slice list)
{
    /* a length byte at least stands for each space */
    if (!xt_json_writer_room(w, list.n + 2))
        return;
    *w->p++ = '"';
    xt_list_iter iter = xt_list_iterate(list);
    char *p = w->p;
    bool is_first = true;
    for (xt_slice item; xt_list_next(&iter, &item); p += item.n, is_first = false) {
        if (!is_first)
            *p++ = ' ';
        if (!xt_json_text_put_plain(p, item)) {
            string_with_care(w, list, true);
            return;
        }
    }
    *p++ = '"';
    w->p = p;
}
