/*
 * store/store_private - what the files of the store share
 *
 * Threads:   write_lock: pending.db, streams, the tail and the list of open views. seal_lock: one sealing at a time,
 *            taken before write_lock. merge_lock: one merging at a time, taken before both. picture_lock: the pointer to
 *            the picture and the fences, held for a few instructions.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/map.h"
#include "store/dict_cache.h"
#include "store/open_block.h"
#include "store/pending.h"
#include "store/segment.h"
#include "store/store.h"

/* Sealed segments by id. */
typedef struct xt_segment_list {
    _Atomic(uint32_t) n_refs;
    size_t n;
    xt_segment *items[];
} xt_segment_list;

/* What a scan sees: immutable, counted, swapped whole. */
typedef struct xt_picture {
    _Atomic(uint32_t) n_refs;
    uint64_t last_arrival;
    xt_segment_list *segments;
    size_t n_views;
    xt_open_view *views[];
} xt_picture;

/* The last batch of a stream. */
typedef struct xt_stream {
    xt_hash128 key, hash;
    xt_hash128 owner; /* hash of the id of the host whose batches made it; of no use while number is 0 */
    uint64_t number, sealed_number;
} xt_stream;

struct xt_store {
    char *dir, *segments_dir;
    const xt_vfs *vfs;
    const xt_clock *clock;
    uint64_t seal_rows;
    int64_t seal_after_ms, merge_horizon_ms;
    int lock_fd;
    uint64_t seed;

    pthread_mutex_t merge_lock, seal_lock, write_lock, picture_lock;
    pthread_cond_t arrived; /* with picture_lock */
    xt_picture *picture;
    xt_dict_cache *dict_cache;
    atomic_int n_appending;           /* writers that have or want write_lock */
    _Atomic(uint64_t) n_damaged;      /* segments and batches found damaged at opening */
    _Atomic(uint64_t) n_pending_rows; /* not sealed */
    atomic_bool merging_stops;        /* a merging under way ends soon */
    atomic_uint n_hold_changes;
    atomic_bool is_full; /* the disk: batches are refused */
    bool keeps_reserve;

    /* under picture_lock */
    struct xt_store_fence {
        const void *owner;
        uint64_t lo, hi;
    } fences[XT_STORE_MAX_FENCES];
    size_t n_fences;

    /* under merge_lock */
    uint64_t *unmergeable; /* ids of segments that could not be read whole */
    size_t n_unmergeable;
    int64_t merge_after_ms; /* monotonic: not in the background before that */
    uint64_t *held_whole;   /* ids of segments of which a hold wants every row, while holds_seen is the count */
    size_t n_held_whole;
    unsigned holds_seen;
    struct xt_age_look *age_looks; /* store_ages.c: when a segment has to be looked at again */
    size_t n_age_looks;

    /* under write_lock */
    xt_pending *pending;
    xt_map streams; /* xt_stream by key */
    xt_open_block *tail;
    uint64_t next_arrival;
    uint64_t next_segment; /* id that the next file gets; one that failed keeps its own */
    uint64_t *failed_ids;  /* of files whose commit failed, since the last that did not */
    size_t n_failed_ids;
    int64_t oldest_open_ms; /* when the oldest open row came, monotonic; 0: none */
    bool gives_back;        /* free pages of pending.db went back; the last checkpoint is due */
    xt_buf scratch;         /* frames to be decompressed or compressed */
    char damaged[200];      /* names of what is damaged since opening */
};

/* The stream of that key, made where there is none. Under write_lock. */
XT_MUST_USE int xt_stream_get(xt_store *store, xt_hash128 key, xt_stream **ret);

/* Retains the newest picture. */
xt_picture *xt_picture_take(xt_store *store);
xt_picture *xt_picture_unref(xt_picture *picture); /* accepts NULL, returns NULL */
/* A picture of these views (each is retained) and that list (retained). NULL: no memory. */
XT_MUST_USE xt_picture *xt_picture_new(xt_segment_list *segments, xt_open_view *const *views, size_t n,
                                       uint64_t last_arrival);
/* Puts the picture (whose reference it takes) in the place of the one before, and wakes who waits. */
void xt_picture_swap(xt_store *store, xt_picture *picture);
/* A list of the items of `old` and of `more` (both may be NULL), each retained. */
XT_MUST_USE xt_segment_list *xt_segment_list_with(const xt_segment_list *old, xt_segment *more);
/* Adds to a list that nobody else has yet; the segment is retained. */
XT_MUST_USE int xt_segment_list_add(xt_segment_list **list, xt_segment *segment);
xt_segment_list *xt_segment_list_unref(xt_segment_list *list);

uint64_t xt_picture_open_rows(const xt_picture *picture);

/* A commit that names the file of this id failed; one was done, so that those files mean nothing. Under write_lock. */
void xt_store_commit_failed(xt_store *store, uint64_t id);
void xt_store_commit_done(xt_store *store);
/*
 * After the commit: a file that was written beside gets its name, unless its segment was retired or replaced meanwhile. False: it does
 * not have it for sure, so that what it stands for has to stay until the store is opened.
 */
bool xt_store_name_file(xt_store *store, uint64_t id);
/* Merges once, if there is something to be merged: in the background slowly, and only what is worth it. */
XT_MUST_USE int xt_store_merge(xt_store *store, bool in_background, bool *ret_done, xt_problem *reterr_problem);

/* Another way into pending.db, as it is now. */
XT_MUST_USE int xt_store_snapshot(xt_store *store, xt_pending **ret, xt_problem *reterr_problem);
/* Deletes the pending rows that are sealed, in small steps. */
XT_MUST_USE int xt_store_delete_sealed(xt_store *store, xt_problem *reterr_problem);

/* A scan of one segment alone; which of its row groups a part is. */
XT_MUST_USE int xt_scan_open_segment(xt_store *store, xt_segment *segment, xt_scan **ret);
uint32_t xt_scan_group(const xt_scan *scan, size_t part);

/* What the ledger says of a hold, as JSON. who: placed or removed it. */
void xt_store_hold_note(xt_buf *out, const xt_pending_hold *hold, xt_slice who);
/* Before SQLite is opened: gives the reserve back where it would find the disk full. */
void xt_store_room_begin(xt_store *store);
/* A turn of upkeep: makes the reserve, takes batches again when there is room. */
void xt_store_room_keep(xt_store *store);
/* On a full disk: room to delete by. */
void xt_store_reserve_release(const xt_store *store);
/* What a write said: whether the disk is full. */
void xt_store_note_error(xt_store *store, int r);

/* Opens the segments of the catalog into the picture; names what is damaged, clears away what never was committed. */
XT_MUST_USE int xt_store_load_segments(xt_store *store, xt_problem *reterr_problem);
/* Reads the pending rows that are not sealed into open blocks. Under write_lock, before the store is used. */
XT_MUST_USE int xt_store_rebuild(xt_store *store, xt_problem *reterr_problem);
/* Adds a name to store->damaged. */
void xt_store_name_damaged(xt_store *store, const char *format, ...) XT_PRINTF(2, 3);
/* DIR/segments/ID.xts and the name alone. */
char *xt_store_segment_path(const xt_store *store, uint64_t id, const char *suffix);
