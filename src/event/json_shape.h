/*
 * event/json_shape - the documents of all events that have the same fields, worked out once (inside of event/ only)
 *
 * Shape:     the values in the order in which they are written, each with all that stands before it: the braces that
 *            close, the comma, the objects that open, the key.
 * Threads:   shapes are constant and shared by all threads; they live as long as the process.
 * Limits:    XT_JSON_SHAPES of them are kept; an event whose shape finds no place there gets one in its arena.
 */
#pragma once
#include "base/arena.h"
#include "event/json_plan.h"

#define XT_JSON_SHAPES      256
#define XT_JSON_SHAPE_SLACK 32 /* bytes that may be read behind any text of a shape, and written behind its copy */

typedef struct xt_json_value {
    const xt_json_step *step;
    const xt_field_info *info; /* NULL for XT_JSON_STEP_... */
    xt_slice before;
} xt_json_value;

/* Which steps of the plan a document has: bit `field` of each. */
typedef xt_field_set xt_json_steps;
_Static_assert(XT_JSON_STEP_INTERPRETED < 128, "a bit for each step");

typedef struct xt_json_shape {
    xt_json_steps steps;
    size_t n_values, n_text;
    xt_slice end; /* what stands behind the last value */
    xt_json_value values[];
} xt_json_shape;

/* NULL when the arena is full. */
const xt_json_shape *xt_json_shape_get(const xt_json_steps *steps, xt_arena *arena);

/* Copies text of a shape; p has room for that and the slack. */
static inline char *xt_json_shape_put(char *p, xt_slice text)
{
    memcpy(p, text.p, XT_JSON_SHAPE_SLACK);
    if (text.n > XT_JSON_SHAPE_SLACK)
        memcpy(p + XT_JSON_SHAPE_SLACK, text.p + XT_JSON_SHAPE_SLACK, text.n - XT_JSON_SHAPE_SLACK);
    return p + text.n;
}
