/*
 * Tables are in the order of their values, so one value is found by a binary search. A name of several bits (O_SYNC
 * holds O_DSYNC) claims its bits before the names of fewer do; the names are then written in the order of the table.
 */
#include "audit/value_sets.h"

typedef struct xt_named {
    uint64_t value;
    const char *name;
} xt_named;

#include "audit/value_sets_data.h"

#define MAX_FLAGS 64

static const struct {
    const xt_named *rows;
    size_t n;
} sets[] = {{NULL, 0},
#define XT_X(symbol, table) {values_##table, XT_COUNT_OF(values_##table)},
            XT_VALUE_SETS(XT_X)
#undef XT_X
};

const char *xt_value_set_name(xt_value_set set, uint64_t value)
{
    const xt_named *rows = sets[set].rows;
    size_t low = 0, high = sets[set].n;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (rows[middle].value < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < sets[set].n && rows[low].value == value ? rows[low].name : NULL;
}

/* The rows that together say the value, those of most bits first; *left: what none says. */
static uint64_t claim(const xt_named *rows, size_t n, uint64_t *left)
{
    uint64_t claimed = 0;
    for (int n_bits = 64; n_bits > 0 && *left; n_bits--)
        for (size_t i = 0; i < n && i < MAX_FLAGS; i++)
            if (__builtin_popcountll(rows[i].value) == n_bits && (rows[i].value & *left) == rows[i].value) {
                claimed |= UINT64_C(1) << i;
                *left &= ~rows[i].value;
            }
    return claimed;
}

bool xt_value_set_put_flags(xt_value_set set, uint64_t value, xt_buf *out)
{
    const char *whole = xt_value_set_name(set, value);
    if (whole) {
        xt_buf_puts(out, whole);
        return true;
    }
    uint64_t left = value, claimed = claim(sets[set].rows, sets[set].n, &left);
    const char *between = "";
    for (size_t i = 0; i < MAX_FLAGS && claimed >> i; i++)
        if (claimed >> i & 1) {
            xt_buf_puts(out, between);
            xt_buf_puts(out, sets[set].rows[i].name);
            between = "|";
        }
    if (left && claimed)
        xt_buf_printf(out, "|0x%llx", (unsigned long long)left);
    return claimed != 0;
}
