/*
 * store/store - the embedded store of events
 *
 * Shape:     batches of canonical events go in; column blocks come out, newest first. What was appended is durable
 *            (pending.db, group commit) and searchable at once (open blocks in memory, the same columns unsealed);
 *            later it is sealed into immutable segment files (DIR/segments/ID.xts).
 * Commit:    a batch is one row of pending.db: the frame as it came and what the server derived beside it. Sealing
 *            writes a segment, syncs, renames; then ONE transaction adds it to the catalog, advances the streams'
 *            watermarks and the ledger, and records up to which pending row is sealed. That commit is the moment the
 *            segment exists. Sealed rows are deleted later in small steps. A kill anywhere leaves rows or segment.
 * Once:      a batch is known by (stream, number): appending it again is XT_STORE_E_DUPLICATE and changes nothing.
 * Errors:    <0 errno; -ENOSPC and -EIO leave the store readable: appends fail until they succeed again.
 *            XT_STORE_E_*: below. A damaged segment is skipped and named in every scan, never fatal.
 * Threads:   append from one writer thread; scans, stats and seal from any. A scan sees everything that was appended
 *            before it was opened, and a fixed picture of it.
 * Limits:    XT_STORE_GROUP_ROWS rows a row group; 2 MiB arguments are stored whole.
 * Format:    docs/segment-format.md
 */
#pragma once
#include "base/clock.h"
#include "base/timestamp.h"
#include "event/event.h"
#include "io/vfs.h"

#define XT_STORE_GROUP_ROWS 32768

enum {
    XT_STORE_E_DUPLICATE = 1, /* this batch is there already: acknowledge it */
    XT_STORE_E_GAP = 2,       /* number is not the stream's next: *ret_expected says which is */
    XT_STORE_E_CORRUPT = 3,   /* batch bytes or count or chain do not hold together */
    XT_STORE_E_LOCKED = 4,    /* another process has the folder */
    XT_STORE_E_NEWER = 5,     /* written by a later version */
};

typedef struct xt_store xt_store;

typedef struct xt_store_settings {
    const xt_vfs *vfs;     /* NULL: xt_vfs_system */
    const xt_clock *clock; /* NULL: xt_clock_system */
    uint64_t seal_rows;    /* open rows that start a sealing; 0: 262144 */
    int64_t seal_after_ms; /* oldest open row's age that starts one; 0: 10 minutes */
} xt_store_settings;

/* Locks DIR (DIR/lock, flock), opens or makes pending.db and segments/, rebuilds the open blocks from pending rows. */
XT_MUST_USE int xt_store_open(const char *dir, const xt_store_settings *settings /* may be NULL */, xt_store **ret,
                              xt_problem *reterr_problem);
xt_store *xt_store_close(xt_store *store); /* accepts NULL, returns NULL; waits for sealing */

typedef struct xt_store_batch {
    xt_hash128 stream; /* random id made with the sender's spool */
    uint64_t number;   /* from 1, consecutive in a stream */
    uint64_t n_events;
    xt_hash128 chain;     /* hash of the batch before it (zero for the first), see wire/batch.h */
    xt_hash128 hash;      /* of this batch */
    xt_slice host_id;     /* text, 32 hex digits: who sent it */
    xt_slice frame;       /* stored as it came (compressed); must be what `events` was made of */
    uint32_t frame_codec; /* 0: canonical batch bytes as they are; 1: zstd; else zstd with that dictionary id */
    xt_slice events;      /* canonical batch bytes (event/event.h), decompressed */
    xt_slice derived;     /* SERVER fields per event (store/derived.h), empty: none */
} xt_store_batch;

/*
 * Makes the batches durable in one transaction and searchable, in this order; ret_outcomes[i] is 0 or XT_STORE_E_*.
 * When it returns 0 everything whose outcome is 0 or DUPLICATE may be acknowledged.
 */
XT_MUST_USE int xt_store_append(xt_store *store, const xt_store_batch *batches, size_t n, int *ret_outcomes,
                                xt_problem *reterr_problem);
/* The last number accepted of a stream, 0 when the stream is new. */
XT_MUST_USE int xt_store_stream_get(xt_store *store, xt_hash128 stream, uint64_t *ret_number, xt_hash128 *ret_hash);

/* Seals everything open now and waits until it is done. */
XT_MUST_USE int xt_store_seal(xt_store *store, xt_problem *reterr_problem);
/* Seals, truncates the write-ahead logs, gives free pages back (the end of an import). */
XT_MUST_USE int xt_store_compact(xt_store *store, xt_problem *reterr_problem);
/* A writer's spare time: seals when it is due and deletes sealed rows in small steps. Called by one background thread. */
XT_MUST_USE int xt_store_maintain(xt_store *store, xt_problem *reterr_problem);

typedef struct xt_store_stats {
    uint64_t n_events, n_open_events, n_segments, n_damaged, n_pending_rows, bytes_on_disk;
    int64_t first_ms, last_ms; /* of event times; 0 when empty */
} xt_store_stats;
XT_MUST_USE int xt_store_stats_get(xt_store *store, xt_store_stats *ret);

/* ------------------------------------------------------------------------------------------------ scanning */

/*
 * A column of one block. Two physical kinds: numbers, and codes into a dictionary of distinct values, so that a
 * pattern is matched once per distinct value. LIST, PATHS and RECORDS are codes too: an entry is the encoded value.
 */
typedef struct xt_column {
    /* ABSENT: no row of the block has it */
    enum { XT_COLUMN_ABSENT, XT_COLUMN_NUMBERS, XT_COLUMN_CODES } kind;
    const uint64_t *numbers; /* NUMBERS: n_rows values (INT cast) */
    const uint8_t *present;  /* NUMBERS: bit i of byte i/8: row i has it; NULL: all have */
    const uint32_t *codes;   /* CODES: n_rows; 0 absent, else entry code-1 */
    const xt_slice *dict;    /* CODES: n_dict entries */
    uint32_t n_dict;
} xt_column;

typedef struct xt_block {
    uint32_t n_rows;
    int64_t min_ms, max_ms;             /* of TIME in this block */
    const xt_column *columns[XT_F_END]; /* stored fields that were asked for; NULL: not asked for */
    uint64_t first_arrival;             /* arrival number of row 0: rows of a block are consecutive arrivals */
} xt_block;

/* What a predicate may know of a block before its columns are read. */
typedef struct xt_zone {
    uint32_t n_rows;
    int64_t min_ms, max_ms;
    /* false: unknown */
    bool (*number_range)(const struct xt_zone *zone, xt_field field, uint64_t *ret_min, uint64_t *ret_max);
} xt_zone;

typedef struct xt_scan_spec {
    int64_t from_ms, to_ms; /* events with from_ms <= time <= to_ms; 0 and XT_TIMESTAMP_MAX_MS: all */
    uint64_t after_arrival; /* only rows that arrived later than this; 0: all (live tail) */
    xt_field_set fields;    /* stored fields wanted (TIME always comes) */
    bool (*may_match)(void *context, const xt_zone *zone); /* false skips the block; NULL: reads all */
    void *context;
} xt_scan_spec;

typedef struct xt_scan_info {
    uint64_t n_blocks, n_blocks_skipped, n_rows_read, n_segments, n_damaged;
    uint64_t last_arrival; /* of the picture that this scan has: pass it as after_arrival to go on from here */
    char damaged[200];     /* names of damaged segments, comma separated, cut */
} xt_scan_info;

typedef struct xt_scan xt_scan;
XT_MUST_USE int xt_scan_open(xt_store *store, const xt_scan_spec *spec, xt_scan **ret, xt_problem *reterr_problem);
/* Blocks in descending max_ms (rows inside are in arrival order; rows out of the time range may be among them).
 * *ret NULL at the end. A block is valid until the next call. */
XT_MUST_USE int xt_scan_next(xt_scan *scan, const xt_block **ret, xt_problem *reterr_problem);
xt_scan_info xt_scan_info_get(const xt_scan *scan);
xt_scan *xt_scan_close(xt_scan *scan);

/* Row i of a block as an event with the fields that were asked for; bytes are borrowed from the block. */
void xt_block_event(const xt_block *block, uint32_t row, xt_event *ret);

/*
 * The newest event whose event.id is this one: bytes in the arena. XT_STORE_E_* never; *ret_found tells.
 * time_hint_ms 0: unknown, everything may have to be looked at.
 */
XT_MUST_USE int xt_store_event_find(xt_store *store, xt_hash128 id, int64_t time_hint_ms, xt_arena *arena,
                                    xt_event *ret, bool *ret_found, xt_problem *reterr_problem);
/* Waits until something arrived after `arrival` or timeout_ms passed; the newest arrival number. */
uint64_t xt_store_wait(xt_store *store, uint64_t arrival, int timeout_ms);

/* The ledger: what was received, sealed and retired, each row chained to the one before. */
typedef struct xt_ledger_check {
    uint64_t n_rows, n_received, n_sealed, n_retired, n_pending;
    bool chain_ok, counts_ok;
} xt_ledger_check;
/* Reads every checksum, the ledger's chain and the counts: `verify`. Problems are given to `report`, one by one. */
XT_MUST_USE int xt_store_verify(xt_store *store, void (*report)(void *context, const xt_problem *problem),
                                void *context, xt_ledger_check *ret, xt_problem *reterr_problem);
