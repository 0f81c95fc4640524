/*
 * event/json_writer - where a document is written to, and what went wrong on the way (inside of event/ only)
 *
 * Escaping:  begins with the first text that needs it, when nothing before it would have been written otherwise; else
 *            is_unclean is set, and all is to be written again with `escape`.
 * Errors:    sticky: is_unclean; no_memory of the arena; those of the buffer stay in it.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "event/json_text.h"

typedef struct xt_json_writer {
    xt_buf *out;
    xt_arena *arena;
    bool escape;
    bool interprets;    /* paths and records with what they mean */
    bool may_not_begin; /* to escape: a backslash or the flags were written without */
    bool is_unclean;
    bool no_memory;
} xt_json_writer;

static inline char *xt_json_writer_reserve(xt_json_writer *w, size_t n)
{
    if (w->out->cap - w->out->n >= n && w->out->p && !w->out->failed && w->out->max_bytes == 0)
        return w->out->p + w->out->n;
    return xt_buf_reserve(w->out, n);
}
static inline void xt_json_writer_char(xt_json_writer *w, char c)
{
    char *p = xt_json_writer_reserve(w, 1);
    if (p) {
        *p = c;
        w->out->n++;
    }
}
static inline void xt_json_writer_raw(xt_json_writer *w, xt_slice s)
{
    char *p = xt_json_writer_reserve(w, s.n);
    if (p && s.n > 0) {
        memcpy(p, s.p, s.n);
        w->out->n += s.n;
    }
}
static inline void xt_json_writer_string(xt_json_writer *w, xt_slice s)
{
    char *p = w->is_unclean ? NULL : xt_json_writer_reserve(w, xt_json_text_bound(s.n, w->escape));
    if (!p)
        return;
    char *end = xt_json_text_string(p, s, w->escape, &w->may_not_begin);
    if (!end && !w->may_not_begin) {
        w->escape = true;
        p = xt_json_writer_reserve(w, xt_json_text_bound(s.n, true));
        end = p ? xt_json_text_string(p, s, true, &w->may_not_begin) : NULL;
    }
    if (end)
        w->out->n += (size_t)(end - p);
    else
        w->is_unclean = true;
}
