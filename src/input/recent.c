#include "input/recent.h"

#include <errno.h>
#include <stdlib.h>

int xt_recent_init(xt_recent *recent, size_t n)
{
    *recent = (xt_recent){.mask = 2 * n - 1};
    recent->newer = calloc(2 * n, sizeof *recent->newer);
    recent->older = calloc(2 * n, sizeof *recent->older);
    if (recent->newer && recent->older)
        return 0;
    xt_recent_fini(recent);
    return xt_error_origin(-ENOMEM);
}

void xt_recent_fini(xt_recent *recent)
{
    free(recent->newer);
    free(recent->older);
    *recent = (xt_recent){.mask = 0};
}

/* Where it stands, or would. */
static size_t find(const uint64_t *table, size_t mask, uint64_t hash)
{
    size_t i = hash & mask;
    while (table[i] && table[i] != hash)
        i = (i + 1) & mask;
    return i;
}

bool xt_recent_has(const xt_recent *recent, uint64_t hash)
{
    hash += hash == 0;
    return recent->newer[find(recent->newer, recent->mask, hash)] ||
           recent->older[find(recent->older, recent->mask, hash)];
}

void xt_recent_clear(xt_recent *recent)
{
    memset(recent->newer, 0, (recent->mask + 1) * sizeof *recent->newer);
    memset(recent->older, 0, (recent->mask + 1) * sizeof *recent->older);
    recent->n = 0;
}

bool xt_recent_put(xt_recent *recent, uint64_t hash)
{
    hash += hash == 0;
    size_t at = find(recent->newer, recent->mask, hash);
    if (recent->newer[at])
        return true;
    bool known = recent->older[find(recent->older, recent->mask, hash)] != 0;
    recent->newer[at] = hash;
    if (++recent->n <= recent->mask / 2)
        return known;
    uint64_t *freed = recent->older;
    recent->older = recent->newer;
    recent->newer = freed;
    recent->n = 0;
    memset(freed, 0, (recent->mask + 1) * sizeof *freed);
    return known;
}
