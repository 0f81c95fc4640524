/*
 * Shapes stand in a table by a hash of their steps, each entered once and never taken out, so reading it needs no lock.
 * What hosts send has a few dozen shapes; whoever invents more than the table
 * holds only makes his own events slower.
 */
#include "event/json_shape.h"

#include <stdatomic.h>
#include <stdlib.h>

#define MAX_LOOKS 8 /* places behind its own where a shape may stand */

static _Atomic(xt_json_shape *) shapes[XT_JSON_SHAPES];

static bool is_of(const xt_json_shape *shape, const xt_json_steps *steps)
{
    return shape->steps.bits[0] == steps->bits[0] && shape->steps.bits[1] == steps->bits[1];
}

/* Objects that are open between two steps. */
typedef struct nesting {
    unsigned n_open;
    uint8_t open[XT_JSON_PLAN_DEPTH];
} nesting;

static char *put(char *p, xt_slice s)
{
    return s.n > 0 ? (char *)memcpy(p, s.p, s.n) + s.n : p;
}

/* Closes and opens objects up to the step's, and writes its key. */
static char *put_before(char *p, nesting *now, const xt_json_plan *plan, const xt_json_step *step, bool is_first)
{
    unsigned common = 0;
    while (common < now->n_open && common < step->n_open && now->open[common] == step->open[common])
        common++;
    for (; now->n_open > common; now->n_open--)
        *p++ = '}';
    *p++ = is_first ? '{' : ',';
    for (; now->n_open < step->n_open; now->n_open++) {
        p = put(p, plan->open_key[step->open[now->n_open]]);
        now->open[now->n_open] = step->open[now->n_open];
    }
    return put(p, step->key);
}

static size_t count_values(const xt_json_plan *plan, const xt_json_steps *steps)
{
    size_t n = 0;
    for (size_t i = 0; i < plan->n_steps; i++)
        n += xt_field_set_has(steps, (xt_field)plan->steps[i].field);
    return n;
}

/* shape: room for that number of values, and its text behind them. */
static void fill(xt_json_shape *shape, const xt_json_plan *plan, const xt_json_steps *steps, size_t n_values)
{
    char *p = (char *)&shape->values[n_values], *start = p;
    nesting now = {0};
    shape->steps = *steps;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const xt_json_step *step = &plan->steps[i];
        if (!xt_field_set_has(steps, (xt_field)step->field))
            continue;
        xt_json_value *value = &shape->values[shape->n_values];
        char *end = put_before(p, &now, plan, step, shape->n_values == 0);
        *value = (xt_json_value){step, xt_field_find(step->field), xt_slice_of(p, (size_t)(end - p))};
        shape->n_values++;
        p = end;
    }
    char *end = p;
    if (n_values == 0)
        *end++ = '{';
    for (unsigned i = 0; i <= now.n_open; i++)
        *end++ = '}';
    shape->end = xt_slice_of(p, (size_t)(end - p));
    shape->n_text = (size_t)(end - start);
    memset(end, 0, XT_JSON_SHAPE_SLACK);
}

static size_t bytes_of(const xt_json_plan *plan, size_t n_values)
{
    return sizeof(xt_json_shape) + n_values * sizeof(xt_json_value) + (n_values + 1) * plan->max_key_bytes +
           XT_JSON_SHAPE_SLACK;
}

/* Enters a shape at a free place; what stands there then, which may be another's. */
static const xt_json_shape *enter(_Atomic(xt_json_shape *) *place, const xt_json_steps *steps)
{
    const xt_json_plan *plan = xt_json_plan_get();
    size_t n_values = count_values(plan, steps);
    xt_json_shape *none = NULL, *shape = calloc(1, bytes_of(plan, n_values));
    if (!shape)
        return NULL;
    fill(shape, plan, steps, n_values);
    if (atomic_compare_exchange_strong(place, &none, shape))
        return shape;
    free(shape);
    return none;
}

const xt_json_shape *xt_json_shape_get(const xt_json_steps *steps, xt_arena *arena)
{
    uint64_t hash = steps->bits[0] * UINT64_C(0x9e3779b97f4a7c15) ^ steps->bits[1] * UINT64_C(0xd6e8feb86659fd93);
    for (size_t i = 0; i < MAX_LOOKS; i++) {
        _Atomic(xt_json_shape *) *place = &shapes[((hash >> 32) + i) % XT_JSON_SHAPES];
        const xt_json_shape *known = atomic_load_explicit(place, memory_order_acquire);
        if (!known)
            known = enter(place, steps);
        if (known && is_of(known, steps))
            return known;
    }
    const xt_json_plan *plan = xt_json_plan_get();
    size_t n_values = count_values(plan, steps);
    xt_json_shape *shape = xt_arena_array(arena, 1, bytes_of(plan, n_values));
    if (shape)
        fill(shape, plan, steps, n_values);
    return shape;
}
