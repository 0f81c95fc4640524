/*
 * The table becomes an array indexed by id, so that finding a row by id is one load. Names are searched in a row: they
 * are looked up when a query or a rule is compiled, never once per event.
 */
#include "event/schema.h"

#include <limits.h>

/* clang-format off */
static const xt_field_info rows[XT_F_END] = {
#define TIME XT_TIME
#define UINT XT_UINT
#define INT XT_INT
#define TEXT XT_TEXT
#define LIST XT_LIST
#define RECORDS XT_RECORDS
#define NONE XT_NONE
#define VIRTUAL XT_VIRTUAL
#define ID XT_ID
#define SERVER XT_SERVER
#define DERIVED XT_DERIVED
#define PATHS XT_PATHS
#define X(symbol, id, ecs, type, alias, sigma, flags, help) [id] = {XT_F_##symbol, #symbol, ecs, type, alias, sigma, flags, help},
    XT_FIELDS(X)
#undef X
#undef TIME
#undef UINT
#undef INT
#undef TEXT
#undef LIST
#undef RECORDS
#undef NONE
#undef VIRTUAL
#undef ID
#undef SERVER
#undef DERIVED
#undef PATHS
};
/* clang-format on */

const xt_field_info *xt_field_find(unsigned id)
{
    return id < XT_F_END && rows[id].id != XT_F_INVALID ? &rows[id] : NULL;
}

const xt_field_info *xt_field_by_name(xt_slice name)
{
    if (name.n == 0)
        return NULL;
    for (unsigned id = 1; id < XT_F_END; id++) {
        const xt_field_info *row = xt_field_find(id);
        if (row &&
            (xt_slice_eq_nocase(name, xt_slice_str(row->name)) || xt_slice_eq_nocase(name, xt_slice_str(row->alias))))
            return row;
    }
    return xt_slice_eq_nocase(name, XT_S("tags")) ? &rows[XT_F_KEY] : NULL;
}

const xt_field_info *xt_field_by_sigma(xt_slice name)
{
    if (name.n == 0)
        return NULL;
    for (unsigned id = 1; id < XT_F_END; id++) {
        const xt_field_info *row = xt_field_find(id);
        if (row && xt_slice_eq(name, xt_slice_str(row->sigma)))
            return row;
    }
    return NULL;
}

#define MAX_NAME 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, both at most MAX_NAME long. */
static unsigned edit_distance(xt_slice a, xt_slice b)
{
    uint8_t row[3][MAX_NAME + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[0][j] = (uint8_t)j;
    for (size_t i = 1; i <= a.n; i++) {
        uint8_t *now = row[i % 3], *before = row[(i + 2) % 3], *older = row[(i + 1) % 3];
        now[0] = (uint8_t)i;
        for (size_t j = 1; j <= b.n; j++) {
            char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
            unsigned best = before[j - 1] + (x != y);
            if (before[j] + 1u < best)
                best = before[j] + 1u;
            if (now[j - 1] + 1u < best)
                best = now[j - 1] + 1u;
            if (i > 1 && j > 1 && x == lower(b.p[j - 2]) && lower(a.p[i - 2]) == y && older[j - 2] + 1u < best)
                best = older[j - 2] + 1u;
            now[j] = (uint8_t)best;
        }
    }
    return row[a.n % 3][b.n];
}

/* Keeps the candidate if it is nearer to the name than *distance. */
static void nearer(xt_slice name, const char *candidate, const char **best, unsigned *distance)
{
    xt_slice text = xt_slice_str(candidate);

    if (text.n == 0 || text.n > MAX_NAME || name.n == 0 || name.n > MAX_NAME)
        return;
    unsigned d = edit_distance(name, text);
    if (d < *distance) {
        *distance = d;
        *best = candidate;
    }
}

static unsigned first_distance(xt_slice name)
{
    return name.n <= 3 ? 2 : (unsigned)(name.n / 3 + 1); /* the nearest must be below this */
}

const char *xt_name_nearest(xt_slice name, const char *const *names, size_t n)
{
    const char *best = NULL;
    unsigned distance = first_distance(name);

    for (size_t i = 0; i < n; i++)
        nearer(name, names[i], &best, &distance);
    return best;
}

const char *xt_field_nearest(xt_slice name)
{
    const char *best = NULL;
    unsigned distance = first_distance(name);

    for (unsigned id = 1; id < XT_F_END; id++) {
        const xt_field_info *row = xt_field_find(id);
        if (row) {
            nearer(name, row->alias, &best, &distance);
            nearer(name, row->name, &best, &distance);
        }
    }
    return best;
}
