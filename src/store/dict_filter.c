/*
 * One hash and few bits: at two bits a gram 39 % of the bits are set, so that a literal of ten letters passes by accident
 * once in two thousand chunks, one of four letters once in seven. More bits a gram would cost more than they save, for what
 * is asked of old data is mostly long.
 *
 * Distinct grams are found with a bitmap of all of them, 2 MiB, cleared by the list of its words that were touched.
 */
#include "store/dict_filter.h"

#include <stdlib.h>

#define N_GRAMS       (1u << 24)
#define BITS_PER_GRAM 2

struct xt_dict_grams {
    uint64_t *seen;    /* a bit for each gram */
    uint32_t *touched; /* words of seen */
    uint32_t n_touched, n_grams;
};

static uint32_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32u : c == 0 ? ' ' : c;
}

/* Which of n_bits a gram has. */
static uint32_t bit_of(uint32_t gram, uint32_t n_bits)
{
    return (uint32_t)((uint64_t)(uint32_t)(gram * 0x9e3779b1u) * n_bits >> 32);
}

xt_dict_grams *xt_dict_grams_new(void)
{
    xt_dict_grams *grams = calloc(1, sizeof *grams);

    if (!grams)
        return NULL;
    grams->seen = calloc(N_GRAMS / 64, sizeof *grams->seen);
    grams->touched = calloc(N_GRAMS / 64, sizeof *grams->touched);
    return grams->seen && grams->touched ? grams : xt_dict_grams_free(grams);
}

xt_dict_grams *xt_dict_grams_free(xt_dict_grams *grams)
{
    if (grams) {
        free(grams->seen);
        free(grams->touched);
        free(grams);
    }
    return NULL;
}

void xt_dict_grams_add(xt_dict_grams *grams, xt_slice stored)
{
    const uint8_t *p = (const uint8_t *)stored.p;
    uint32_t gram = 0;

    for (size_t i = 0; i < stored.n; i++) {
        gram = (gram << 8 | lower(p[i])) & (N_GRAMS - 1);
        uint64_t bit = UINT64_C(1) << gram % 64, *word = &grams->seen[gram / 64];
        if (i < 2 || *word & bit)
            continue;
        if (!*word)
            grams->touched[grams->n_touched++] = gram / 64;
        *word |= bit;
        grams->n_grams++;
    }
}

void xt_dict_grams_put(xt_dict_grams *grams, xt_buf *out)
{
    size_t n = (grams->n_grams * BITS_PER_GRAM + 7) / 8 + 1;
    uint8_t *to = (uint8_t *)xt_buf_reserve(out, n);

    if (to)
        memset(to, 0, n);
    for (uint32_t i = 0; i < grams->n_touched; i++) {
        uint64_t *word = &grams->seen[grams->touched[i]];
        for (uint64_t bits = *word; bits && to; bits &= bits - 1) {
            uint32_t bit = bit_of(grams->touched[i] * 64 + (uint32_t)__builtin_ctzll(bits), (uint32_t)n * 8);
            to[bit / 8] |= (uint8_t)(1u << bit % 8);
        }
        *word = 0;
    }
    if (to)
        out->n += n;
    grams->n_touched = grams->n_grams = 0;
}

bool xt_dict_filter_may_hold(xt_slice filter, xt_slice literal)
{
    const uint8_t *p = (const uint8_t *)literal.p;
    uint32_t gram = 0;

    for (size_t i = 0; i < literal.n && filter.n; i++) {
        gram = (gram << 8 | lower(p[i])) & (N_GRAMS - 1);
        if (i < 2 || p[i] <= 1 || p[i - 1] <= 1 || p[i - 2] <= 1) /* those are escaped where they are stored */
            continue;
        uint32_t bit = bit_of(gram, (uint32_t)filter.n * 8);
        if (!((uint8_t)filter.p[bit / 8] >> bit % 8 & 1))
            return false;
    }
    return true;
}
