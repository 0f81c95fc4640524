/*
 * store/growth - rows built at the end of the store that no reader sees yet
 *
 * Shape:     the tail as it is and the blocks begun behind it. Batches are added; then all of it is shown at once by a
 *            picture, or taken back.
 * Errors:    a batch that is refused (>0) leaves nothing behind; after <0 the whole is taken back.
 * Threads:   under the store's write lock from init to fini.
 */
#pragma once
#include "store/store_private.h"

#define XT_GROWTH_MAX_BATCH_BYTES ((size_t)256 << 20) /* of a batch, canonical */

typedef struct xt_growth {
    xt_store *store;
    xt_open_block **blocks; /* the tail, then those begun since */
    size_t n_blocks, cap_blocks;
    xt_open_mark *start, *batch; /* where the tail stood at first; where the last block stood before a batch */
    uint64_t next_arrival;
} xt_growth;

XT_MUST_USE int xt_growth_init(xt_growth *growth, xt_store *store);
void xt_growth_fini(xt_growth *growth);
/* All events of a batch as rows: 0, XT_STORE_E_CORRUPT or XT_STORE_E_NEWER with a problem, or <0. */
XT_MUST_USE int xt_growth_add(xt_growth *growth, xt_slice events, xt_slice derived, uint64_t n_events,
                              xt_problem *reterr_problem);
/* The next row has this arrival number: where some are missing another block begins. */
XT_MUST_USE int xt_growth_skip_to(xt_growth *growth, uint64_t arrival);
/* Takes back everything since init. */
void xt_growth_undo(xt_growth *growth);
/* A picture of the store with what was built. */
XT_MUST_USE int xt_growth_picture(const xt_growth *growth, xt_picture **ret);
/* Makes it the store's; cannot fail. The picture's reference is taken. */
void xt_growth_adopt(xt_growth *growth, xt_picture *picture);

/* Says that a batch is damaged; XT_STORE_E_CORRUPT. */
int xt_growth_corrupt(xt_problem *reterr_problem, const char *what);
