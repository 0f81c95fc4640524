/*
 * event/json_writer - where a document is written to, and what went wrong on the way (inside of event/ only)
 *
 * Shape:     p is where the next byte goes. Whoever writes by hand asks for room once, writes, and moves p.
 * Escaping:  begins with the first text that is not clean, when nothing before it would have been written otherwise;
 *            else is_unclean is set, no text is written any more, and all is to be written again with `escape`.
 * Errors:    sticky: is_unclean; no_memory of the arena; those of the buffer stay in it, and then there is no room.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "event/json_text.h"

typedef struct xt_json_writer {
    char *p, *end; /* of the room in out */
    xt_buf *out;
    xt_arena *arena;
    bool escape;
    bool interprets;    /* paths and records with what they mean */
    bool may_not_begin; /* to escape: a backslash or the flags were written without */
    bool is_unclean;
    bool no_memory;
} xt_json_writer;

static inline xt_json_writer xt_json_writer_to(xt_buf *out, xt_arena *arena)
{
    return (xt_json_writer){.out = out, .arena = arena};
}
/* What was written becomes part of the buffer; between this and the next write others may write there. */
static inline void xt_json_writer_flush(xt_json_writer *w)
{
    if (w->p)
        w->out->n = (size_t)(w->p - w->out->p);
    w->p = w->end = NULL;
}
/* Makes room, or fails the buffer; for xt_json_writer_room. */
bool xt_json_writer_grow(xt_json_writer *w, size_t n);
/* Whether n bytes, at least one, may be written at p. */
static inline bool xt_json_writer_room(xt_json_writer *w, size_t n)
{
    return (w->p && (size_t)(w->end - w->p) >= n) || xt_json_writer_grow(w, n);
}
static inline void xt_json_writer_char(xt_json_writer *w, char c)
{
    if (xt_json_writer_room(w, 1))
        *w->p++ = c;
}
static inline void xt_json_writer_raw(xt_json_writer *w, xt_slice s)
{
    if (s.n > 0 && xt_json_writer_room(w, s.n)) {
        memcpy(w->p, s.p, s.n);
        w->p += s.n;
    }
}
/* A string with its quotes. */
void xt_json_writer_string(xt_json_writer *w, xt_slice s);
/* `before`, which is `[`, `,` or `:`, and then the string. */
void xt_json_writer_string_after(xt_json_writer *w, char before, xt_slice s);
/* The items of a list (xt_list) joined by one space, as one string. */
void xt_json_writer_joined(xt_json_writer *w, xt_slice list);
