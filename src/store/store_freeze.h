/*
 * store/store_freeze - one moment of a store, kept for who copies it
 *
 * Shape:     pending.db as it is now (a snapshot: a second way into the file, within a read transaction), and the segments
 *            that its catalog names, each held open. Whatever is appended, sealed, merged or retired from now on changes
 *            nothing of it; a file that is unlinked meanwhile can be read, and gives its room back when it is released.
 * Errors:    <0 errno with a problem.
 * Threads:   taken from any thread, for a moment under the store's write lock; then one thread at a time. Freed before the
 *            store is closed.
 */
#pragma once
#include "store/pending.h"
#include "store/segment.h"
#include "store/store.h"

typedef struct xt_frozen xt_frozen;

XT_MUST_USE int xt_store_freeze(xt_store *store, xt_frozen **ret, xt_problem *reterr_problem);
xt_frozen *xt_frozen_free(xt_frozen *frozen); /* accepts NULL, returns NULL */
/* NULL after xt_frozen_thaw. */
xt_pending *xt_frozen_pending(xt_frozen *frozen);
/* Ends the snapshot of pending.db, whose write-ahead log grows as long as there is one; the segments stay. */
void xt_frozen_thaw(xt_frozen *frozen);
/* NULL: no such segment, or it was damaged when the store was opened. */
const xt_segment *xt_frozen_segment(const xt_frozen *frozen, uint64_t id);
/* It is not needed any more. */
void xt_frozen_release(xt_frozen *frozen, uint64_t id);
