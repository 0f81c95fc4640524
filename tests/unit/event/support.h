/*
 * tests/unit/event/support - text in, events out, for the tests of this floor
 *
 * Ownership: events borrow from the batch; seen_fini ends them.
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "event/decoder.h"
#include "event/event_json.h"

#define assert_slice_eq(a, z)                                             \
    do {                                                                  \
        xt_slice is_ = (a), wants_ = xt_slice_str(z);                     \
        if (!xt_slice_eq(is_, wants_))                                    \
            fail_msg("is \"%.*s\", should be \"%s\"", XT_S_ARGS(is_), z); \
    } while (0)

typedef struct seen {
    xt_buf batch; /* events as the canonical batch */
    size_t n, n_problems;
    xt_problem problem; /* the last */
} seen;

static inline int seen_event(void *context, xt_event *event, xt_arena *arena)
{
    seen *s = context;
    (void)arena;
    xt_event_batch_put(&s->batch, event);
    s->n++;
    return 0;
}

static inline void seen_problem(void *context, const xt_problem *problem)
{
    seen *s = context;
    s->n_problems++;
    s->problem = *problem;
}

static inline xt_decoder_settings seen_settings(seen *s)
{
    return (xt_decoder_settings){.origin = {.host_name = XT_S("web-1")},
                                 .source = "test",
                                 .on_event = seen_event,
                                 .on_problem = seen_problem,
                                 .context = s};
}

static inline void seen_feed(seen *s, const xt_decoder_settings *settings, xt_slice text, size_t piece)
{
    xt_decoder *decoder;
    *s = (seen){0};
    assert_int_equal(xt_decoder_new(settings, &decoder), 0);
    for (size_t at = 0; at < text.n; at += piece)
        assert_int_equal(xt_decoder_feed(decoder, xt_slice_head(xt_slice_skip(text, at), piece)), 0);
    assert_int_equal(xt_decoder_finish(decoder), 0);
    assert_null(xt_decoder_free(decoder));
    assert_int_equal(xt_buf_done(&s->batch), 0);
}

static inline seen seen_text(const char *text)
{
    seen s = {0};
    xt_decoder_settings settings = seen_settings(&s);
    seen_feed(&s, &settings, xt_slice_str(text), SIZE_MAX / 2);
    return s;
}

static inline void seen_fini(seen *s)
{
    xt_buf_fini(&s->batch);
}

static inline xt_event seen_get(const seen *s, size_t number)
{
    xt_slice rest = xt_buf_slice(&s->batch), bytes;
    xt_event event = {0};
    for (size_t i = 0; i <= number; i++)
        assert_true(xt_event_batch_next(&rest, &bytes));
    assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
    return event;
}

static inline xt_slice list_item(xt_slice list, unsigned number)
{
    xt_list_iter iter = xt_list_iterate(list);
    xt_slice item = XT_S_NULL;
    for (unsigned i = 0; i <= number; i++)
        assert_true(xt_list_next(&iter, &item));
    return item;
}

static inline bool list_has(xt_slice list, const char *z)
{
    xt_list_iter iter = xt_list_iterate(list);
    for (xt_slice item; xt_list_next(&iter, &item);)
        if (xt_slice_eq(item, xt_slice_str(z)))
            return true;
    return false;
}

/* Appends the whole file; false when it is not there. */
static inline bool seen_file(const char *path, xt_buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    for (size_t n = 1; n > 0;) {
        char *to = xt_buf_reserve(out, 1 << 20);
        assert_non_null(to);
        n = fread(to, 1, 1 << 20, f);
        out->n += n;
    }
    fclose(f);
    return true;
}
