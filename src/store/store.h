/*
 * store/store - the embedded store of events
 *
 * Shape:     batches of canonical events go in; columns come out (scans). What was appended is durable
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
    XT_STORE_E_UNKNOWN = 6,   /* there is no such hold */
    XT_STORE_E_RESTORING = 7, /* the folder has XT_STORE_RESTORING */
};

/* A file of DIR: a backup is being restored there, or was not to its end. */
#define XT_STORE_RESTORING "restoring"

typedef struct xt_store xt_store;

typedef struct xt_store_settings {
    const xt_vfs *vfs;      /* NULL: xt_vfs_system */
    const xt_clock *clock;  /* NULL: xt_clock_system */
    uint64_t seal_rows;     /* open rows that start a sealing; 0: 262144 */
    int64_t seal_after_ms;  /* oldest open row's age that starts one; 0: 10 minutes */
    int64_t merge_after_ms; /* a segment's age before the background merges it; 0: 10 minutes */
    bool keeps_reserve;     /* 512 KiB set aside, so that a full disk can be deleted from */
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
    uint32_t frame_codec; /* event/batch_codec.h */
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

/* What the ledger has of a stream. */
typedef struct xt_received {
    xt_hash128 stream, hash;        /* hash of the last batch */
    uint64_t first, last, n_events; /* batches received from some moment on; last 0: none */
    int64_t first_ms, last_ms;      /* when these came */
    uint64_t n_missing;             /* numbers left out, from the stream's first batch on */
    bool chained;                   /* the ledger's chain holds, from its first row on */
} xt_received;
/* Calls each stream of that host of which something was received from from_ms on. */
XT_MUST_USE int xt_store_each_received(xt_store *store, xt_slice host_id, int64_t from_ms,
                                       int (*fn)(void *context, const xt_received *received), void *context,
                                       xt_problem *reterr_problem);

/* Seals everything open now and waits until it is done. */
XT_MUST_USE int xt_store_seal(xt_store *store, xt_problem *reterr_problem);
/* Seals, merges, truncates the write-ahead logs, gives free pages back (the end of an import). */
XT_MUST_USE int xt_store_compact(xt_store *store, xt_problem *reterr_problem);
/* A writer's spare time: seals when it is due and deletes sealed rows in small steps. Called by one background thread. */
XT_MUST_USE int xt_store_maintain(xt_store *store, xt_problem *reterr_problem);
/*
 * Merges segments that are worth it into one, slowly, beside everything else; may take minutes. Called by another
 * background thread; *ret_done: something was merged, and there may be more.
 */
XT_MUST_USE int xt_store_merge_due(xt_store *store, bool *ret_done, xt_problem *reterr_problem);
/* A merging under way ends soon, and none begins any more: before closing. */
void xt_store_merge_stop(xt_store *store);
/*
 * Segments with rows of both sides of arrival lo, or of lo + 1 .. hi, are not merged from now on: somebody reads there who keeps
 * a position (query/follow.h). Of each owner one fence stands. False: there are XT_STORE_MAX_FENCES.
 */
#define XT_STORE_MAX_FENCES 64u
bool xt_store_fence_set(xt_store *store, const void *owner, uint64_t lo, uint64_t hi);
void xt_store_fence_remove(xt_store *store, const void *owner);

/*
 * Whether a write found the disk full: then batches are refused (-ENOSPC), all else goes on. It ends by itself, in
 * xt_store_maintain, when there is room.
 */
bool xt_store_is_full(const xt_store *store);

typedef struct xt_store_stats {
    uint64_t n_events, n_open_events, n_segments, n_damaged, n_pending_rows, bytes_on_disk;
    int64_t first_ms, last_ms; /* of event times; 0 when empty */
} xt_store_stats;
XT_MUST_USE int xt_store_stats_get(xt_store *store, xt_store_stats *ret);

/* ------------------------------------------------------------------------------------------------ retention */

struct xt_scan;

/* Says which rows of a segment are meant: sets their bits (bit i mod 64 of word i / 64), which are 0 before. */
typedef struct xt_store_choice {
    int (*choose)(void *context, struct xt_scan *scan, uint64_t *const *masks /* a mask a part */,
                  xt_problem *reterr_problem); /* >0: that cannot be told, with a problem */
    void *context;
} xt_store_choice;

typedef struct xt_store_limits { /* 0: no such limit */
    int64_t max_age_ms;      /* of a segment's newest row, by the time it has, or was sealed at where that is before */
    uint64_t max_bytes;      /* of all files below DIR, as allocated on disk */
    uint64_t min_free_bytes; /* of the file system, for who is not root */
} xt_store_limits;

typedef enum xt_retire_why { XT_RETIRE_NOT, XT_RETIRE_AGE, XT_RETIRE_BYTES, XT_RETIRE_FREE } xt_retire_why;

/*
 * Retires the oldest segment, when a limit says so: one of catalog, ledger and disk. Rows that are held are copied to a
 * segment of their own before. Pending rows never go. *ret_why: NOT: there is nothing to do. A segment of which is not
 * known what is held stays. held may be NULL. While segments are merged nothing is retired: the next call may.
 */
XT_MUST_USE int xt_store_retain(xt_store *store, const xt_store_limits *limits, const xt_store_choice *held,
                                xt_retire_why *ret_why, xt_problem *reterr_problem);

/* How long the rows of each host stay. */
typedef struct xt_store_ages {
    int64_t (*of_host)(void *context, xt_slice host_id); /* in ms; 0: for ever */
    void *context;
    unsigned version; /* another one when of_host may answer otherwise than before */
    int64_t least_ms; /* no age but 0 is less */
} xt_store_ages;

/*
 * Retention by host, beside xt_store_retain (whose max_age_ms is then 0): looks for a segment whose rows have expired, each
 * by its host's age, and retires them: all of it, or it is rewritten without them. That is done when half of its rows have
 * expired, or one that is not held is older than its age and a tenth. A row's age counts as that of a segment does.
 * *ret_why: AGE: something went, and there may be more. held, and what stays: as for xt_store_retain.
 */
XT_MUST_USE int xt_store_retain_ages(xt_store *store, const xt_store_ages *ages, const xt_store_choice *held,
                                     xt_retire_why *ret_why, xt_problem *reterr_problem);

typedef struct xt_store_room {
    uint64_t bytes_used, bytes_free, bytes_total; /* below DIR; of its file system */
    uint64_t bytes_a_day;                         /* that segments grew by, lately; 0: not known yet */
    uint64_t next_id, next_rows, next_bytes;      /* the segment that would go first; 0: none */
    int64_t next_newest_ms;
} xt_store_room;
XT_MUST_USE int xt_store_room_get(xt_store *store, xt_store_room *ret);

/* A legal hold: what it matches is kept. Its text is the caller's language; the store only keeps it. */
typedef struct xt_store_hold {
    uint64_t id;
    int64_t at_ms;
    xt_slice query, reason, who;
} xt_store_hold;
XT_MUST_USE int xt_store_hold_add(xt_store *store, xt_slice query, xt_slice reason, xt_slice who, uint64_t *ret_id,
                                  xt_problem *reterr_problem);
XT_MUST_USE int xt_store_hold_remove(xt_store *store, uint64_t id, xt_slice who, xt_problem *reterr_problem);
/* In ascending order; the store is not to be called from fn. */
XT_MUST_USE int xt_store_each_hold(xt_store *store, int (*fn)(void *context, const xt_store_hold *hold), void *context,
                                   xt_problem *reterr_problem);
unsigned xt_store_hold_changes(const xt_store *store); /* grows whenever a hold is added or removed */

/* -------------------------------------------------------------------------------------------------- erasing */

enum {
    XT_ERASE_E_END = 1, /* every segment was looked at */
    XT_ERASE_E_DAMAGED =
        2, /* this segment cannot be read whole, or nobody can tell what is meant: it was not touched */
};

/* One segment's part of an erasure, as the ledger keeps it. */
typedef struct xt_tombstone {
    uint64_t erasure;   /* its number, the same for all its segments */
    uint64_t ledger_id; /* of the row; 0: it is not there yet */
    uint64_t segment, n_rows;
    int64_t at_ms;
    xt_slice note; /* the caller's: who, what, why, and what signs it */
} xt_tombstone;

typedef struct xt_erase_orders {
    const xt_store_choice *what;
    const xt_store_choice *holds; /* what these mean stays */
    size_t n_holds;
    uint64_t *n_held;        /* by hold: the rows that are meant and that it keeps; set by each call */
    unsigned n_hold_changes; /* xt_store_hold_changes before the holds were asked for */
    bool is_dry;             /* only counted */
    /* These rows are about to go (masks): what else is known of them goes now. Nothing comes between it and the commit. */
    int (*before)(void *context, struct xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem);
    int (*note)(void *context, const xt_tombstone *tombstone, xt_buf *out, xt_problem *reterr_problem);
    bool (*stops)(void *context);
    void *context; /* of before, note and stops */
} xt_erase_orders;

typedef struct xt_erase_step {
    uint64_t segment, n_rows; /* rows that went, or (dry) would */
    uint64_t n_left;          /* segments that are still to be looked at */
} xt_erase_step;

/*
 * An erasure takes the rows that are meant out of all segments that are there when it is opened; what is open is sealed
 * first (when dry too). A call of next is one segment and one transaction: the rows that stay in a file of their own, the
 * old one gone, the tombstone in the ledger. Between two calls segments may be merged and retired. What comes meanwhile is
 * not looked at. One that was ended anywhere is completed by opening another one.
 */
typedef struct xt_erasing xt_erasing;
XT_MUST_USE int xt_store_erase_open(xt_store *store, xt_erasing **ret, xt_problem *reterr_problem);
/* XT_ERASE_E_*; -ECANCELED: it was to stop, the store is being closed, or a hold came or went: load the holds, go on. */
XT_MUST_USE int xt_store_erase_next(xt_erasing *erasing, const xt_erase_orders *orders, xt_erase_step *ret,
                                    xt_problem *reterr_problem);
uint64_t xt_store_erase_number(const xt_erasing *erasing);
uint64_t xt_store_erase_upto(const xt_erasing *erasing); /* arrivals up to here are looked at */
xt_erasing *xt_store_erase_close(xt_erasing *erasing);   /* accepts NULL, returns NULL */
/*
 * After rows were erased: nothing of what is not stored any more is left in pending.db and among the segments' files. What
 * could not be looked at, and may hold it yet, is reported (a damaged segment, a stray file, a batch that was set aside).
 */
XT_MUST_USE int xt_store_scrub(xt_store *store, void (*report)(void *context, const xt_problem *problem), void *context,
                               xt_problem *reterr_problem);
/* In the order of the ledger. */
XT_MUST_USE int xt_store_each_tombstone(xt_store *store, int (*fn)(void *context, const xt_tombstone *tombstone),
                                        void *context, xt_problem *reterr_problem);

/* ------------------------------------------------------------------------------------------------ scanning */

/*
 * A scan is a fixed picture of the store, cut into parts: row groups of sealed segments and views of open blocks. It is
 * immutable and shared by threads; each thread reads with a reader of its own, column by column, only what it needs.
 * Rows of a part stand in no promised order.
 *
 * The distinct values of a text field (of LIST, PATHS and RECORDS: the encoded values) are a dictionary, which all
 * parts of one source (a segment, a view) share: a pattern is matched once per distinct value. Dictionaries are read in
 * chunks.
 */
typedef struct xt_dict {
    uint32_t n; /* values: codes are 0 .. n - 1 */
    uint32_t n_chunks;
    const uint32_t *firsts; /* n_chunks + 1: chunk i holds the codes from firsts[i] on, below firsts[i + 1] */
    bool sorted;            /* by bytes; a code tells the place then */
} xt_dict;

typedef struct xt_column {
    /* ABSENT: no row of the part has it */
    enum { XT_COLUMN_ABSENT, XT_COLUMN_NUMBERS, XT_COLUMN_CODES } kind;
    const uint64_t *numbers; /* NUMBERS: n_rows values (INT cast), 0 where there is none */
    const uint8_t *present;  /* NUMBERS: bit i of byte i/8: row i has it; NULL: all have */
    const uint32_t *codes;   /* CODES: n_rows local codes: 0 absent, else 1 .. n_values; NULL: only values were read */
    const uint32_t *values;  /* CODES: values[local - 1] is the code in dict, ascending; NULL: local - 1 itself */
    uint32_t n_values;       /* CODES: distinct values of this part */
    const xt_dict *dict;     /* CODES */
} xt_column;

/* What is known of a part before its columns are read. */
typedef struct xt_zone {
    uint32_t n_rows;
    uint32_t source;  /* below xt_scan_sources */
    uint64_t segment; /* its id, never used again; 0: an open view */
    uint32_t group;   /* row group of the segment, from 0 */
    int64_t min_ms, max_ms;
    uint64_t first_arrival, last_arrival; /* of its rows, at least and at most */
    /* false: unknown */
    bool (*number_range)(const struct xt_zone *zone, xt_field field, uint64_t *ret_min, uint64_t *ret_max);
} xt_zone;

typedef struct xt_scan_spec {
    int64_t from_ms, to_ms; /* parts with a time in from_ms .. to_ms; 0 and XT_TIMESTAMP_MAX_MS: all */
    uint64_t after_arrival; /* parts with a row that arrived later than this; 0: all (live tail) */
} xt_scan_spec;

typedef struct xt_scan_info {
    uint64_t n_segments, n_segments_skipped; /* skipped: by time or arrival, whole */
    uint64_t n_parts_skipped;                /* by time or arrival, those of skipped segments too */
    uint64_t n_damaged;
    uint64_t last_arrival; /* of the picture that this scan has: pass it as after_arrival to go on from here */
    char damaged[200];     /* names of damaged segments, comma separated, cut */
} xt_scan_info;

enum {
    XT_SCAN_E_DAMAGED = 1, /* the part cannot be read: the scan names its segment; go on with the next part */
};

typedef struct xt_scan xt_scan;
XT_MUST_USE int xt_scan_open(xt_store *store, const xt_scan_spec *spec, xt_scan **ret, xt_problem *reterr_problem);
xt_scan *xt_scan_close(xt_scan *scan); /* accepts NULL, returns NULL */
/* Parts are numbered from 0 in descending max_ms. */
size_t xt_scan_parts(const xt_scan *scan);
uint32_t xt_scan_sources(const xt_scan *scan);
const xt_zone *xt_scan_zone(const xt_scan *scan, size_t part);
xt_scan_info xt_scan_info_get(xt_scan *scan);

/* One thread's way to read. What it gives is valid until its next begin, unless said otherwise. */
typedef struct xt_scan_reader xt_scan_reader;
typedef struct xt_scan_cost {
    uint64_t n_bytes_read, n_chunks_read, n_dict_chunks_read; /* of files; columns' and dictionaries' chunks */
} xt_scan_cost;
XT_MUST_USE xt_scan_reader *xt_scan_reader_new(xt_scan *scan);    /* NULL: no memory */
xt_scan_reader *xt_scan_reader_free(xt_scan_reader *reader);      /* accepts NULL, returns NULL */
xt_scan_cost xt_scan_reader_cost(const xt_scan_reader *reader);   /* since it was made */
const xt_zone *xt_scan_reader_zone(const xt_scan_reader *reader); /* of the part at hand */
void xt_scan_reader_begin(xt_scan_reader *reader, size_t part);   /* turns to a part */
/* A stored field's column, read on first use. >0: XT_SCAN_E_DAMAGED, with a problem. */
XT_MUST_USE int xt_scan_column(xt_scan_reader *reader, xt_field field, const xt_column **ret,
                               xt_problem *reterr_problem);
/* The same without the rows (codes NULL) where that is cheaper: which distinct values occur, whether in all rows. */
XT_MUST_USE int xt_scan_values(xt_scan_reader *reader, xt_field field, const xt_column **ret,
                               xt_problem *reterr_problem);
/* Each row's arrival number; *ret NULL when merging dropped them: then they lie within the zone's. */
XT_MUST_USE int xt_scan_arrivals(xt_scan_reader *reader, const uint64_t **ret, xt_problem *reterr_problem);
/*
 * Of the part at hand xt_scan_event will be asked for these rows alone, which ascend and stay until the next begin: columns
 * that were not read are read for them only.
 */
void xt_scan_reader_rows(xt_scan_reader *reader, const uint32_t *rows, size_t n);
/* Stored fields of a row; bytes of values are in the arena. */
XT_MUST_USE int xt_scan_event(xt_scan_reader *reader, uint32_t row, xt_field_set fields, xt_arena *arena, xt_event *ret,
                              xt_problem *reterr_problem);

/*
 * Dictionaries of the part at hand: dict is that of its column or of its source. A chunk's entries are those of its codes in order, valid
 * until the next xt_dict_* call of this reader.
 */
XT_MUST_USE int xt_dict_chunk(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, const xt_slice **ret_entries,
                              xt_problem *reterr_problem);
/* Of a field, without reading the part's rows or values: *ret NULL where the source has none. */
XT_MUST_USE int xt_scan_dict(xt_scan_reader *reader, xt_field field, const xt_dict **ret, xt_problem *reterr_problem);
/*
 * Whether an entry of the chunk may hold these bytes, ASCII case aside: false only when none does. literal is in lower
 * case; of less than 3 bytes nothing is known.
 */
XT_MUST_USE int xt_dict_may_hold(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, xt_slice literal,
                                 bool *ret, xt_problem *reterr_problem);
/* The same, surely, where that is cheaper than taking the chunk apart: it is read for it. True where it is not. */
XT_MUST_USE int xt_dict_holds(xt_scan_reader *reader, const xt_dict *dict, uint32_t chunk, xt_slice literal, bool *ret,
                              xt_problem *reterr_problem);
/* One value, copied to the arena. */
XT_MUST_USE int xt_dict_entry(xt_scan_reader *reader, const xt_dict *dict, uint32_t code, xt_arena *arena,
                              xt_slice *ret, xt_problem *reterr_problem);

/*
 * Each row of from_ms .. to_ms that arrived later than after_arrival as an event with these stored fields, the parts
 * newest first, on one thread. arrival: the row's, or the least it may be where merging dropped it. event: valid during
 * the call. on_row: >0 ends the run, <0 ends it and is returned. Damaged parts are left out; info may be NULL.
 */
XT_MUST_USE int xt_scan_each(xt_store *store, const xt_scan_spec *spec, xt_field_set fields,
                             int (*on_row)(void *context, const xt_event *event, uint64_t arrival), void *context,
                             xt_scan_info *ret_info, xt_problem *reterr_problem);

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
    uint64_t n_rows, n_received, n_sealed, n_retired, n_erased, n_pending;
    bool chain_ok, counts_ok;
    uint64_t head_id;        /* of the last row */
    unsigned char chain[32]; /* its chain */
} xt_ledger_check;
/*
 * Reads every checksum, the ledger's chain and the counts: `verify`. Problems are given to `report`, one by one. against:
 * also whether the ledger has that head, an earlier one, which proves that nothing before it was changed.
 */
XT_MUST_USE int xt_store_verify_against(xt_store *store, uint64_t head_id, const unsigned char head_chain[static 32],
                                        void (*report)(void *context, const xt_problem *problem), void *context,
                                        xt_ledger_check *ret, xt_problem *reterr_problem);
/* The ledger alone: its head and what it counts; nothing is reported. */
XT_MUST_USE int xt_store_head(xt_store *store, xt_ledger_check *ret, xt_problem *reterr_problem);
XT_MUST_USE int xt_store_verify(xt_store *store, void (*report)(void *context, const xt_problem *problem),
                                void *context, xt_ledger_check *ret, xt_problem *reterr_problem);
