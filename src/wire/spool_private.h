/*
 * wire/spool_private - what the parts of the spool share: its files and places in them
 */
#pragma once
#include "wire/spool.h"
#include "wire/spool_file.h"

#define XT_SPOOL_MAX_FILES 1024

typedef struct xt_spool_part {
    uint64_t id; /* its name in hex; they follow each other */
    uint64_t n_bytes;
    uint64_t n_batches, n_events; /* in it, read or not */
    uint64_t n_tombs, n_lost;     /* how many of those are tombstones, and of how many events */
    unsigned shed;                /* events of ranks below this are gone from it */
} xt_spool_part;

/* Between two batches. */
typedef struct xt_spool_place {
    uint64_t number; /* of the batch before it */
    xt_hash128 hash; /* and its hash */
    uint64_t part;   /* id of the file the next batch is in, or of the last file that was read to its end */
    uint64_t offset;
} xt_spool_place;

/* What is about to go, or has gone and is not told of yet by a tombstone. */
typedef struct xt_spool_drop {
    uint64_t number;  /* of this drop, from 1; the tombstone has it too */
    uint64_t part;    /* that it went from; 0: from none that is still to be changed */
    uint64_t is_shed; /* 1: PART.new takes its place; else it goes whole */
    uint64_t is_untold;
    xt_spool_loss loss;
} xt_spool_drop;

struct xt_spool {
    xt_spool_settings settings;
    char *dir;
    uint64_t codec;
    xt_hash128 stream;
    xt_spool_place acked, sent;
    uint64_t sent_max;  /* highest number ever given out: those numbers are taken */
    uint64_t run_max;   /* highest that this process gave out */
    uint64_t sent_part; /* the file which that batch stands in: it and those before are not dropped */
    uint64_t n_dropped_batches, n_dropped_events;
    xt_spool_drop drop;
    uint64_t state_number;                    /* of the newest place written of the file `stream` */
    uint64_t n_acked_batches, n_acked_events; /* those of the first file that are acknowledged */
    uint64_t part_bytes;
    xt_spool_part parts[XT_SPOOL_MAX_FILES];
    size_t n_parts;
    uint64_t open_part, open_offset; /* where the newest file ended when the folder was opened */
    int tail_fd, read_fd;            /* the newest file; the one read last, or -1 */
    uint64_t read_part;
    bool is_unsynced, is_folder_unsynced, is_shedding;
    bool is_broken;     /* what was given out cannot be read any more: the chain cannot go on */
    unsigned n_refused; /* reads of one place that the disk refused, one after the other */
    xt_buf scratch, payload;
};

/* spool.c */
xt_spool_part *xt_spool_part_find(xt_spool *spool, uint64_t id);
void xt_spool_read_close(xt_spool *spool);
uint64_t xt_spool_bytes(const xt_spool *spool);
XT_MUST_USE int xt_spool_part_remove(xt_spool *spool, uint64_t id);
/* Appends a record to the newest file. */
XT_MUST_USE int xt_spool_tail_put(xt_spool *spool, const xt_spool_record *record);
/* Counts the records of a file anew from its bytes: by their heads, or with their checksums; the newest is cut behind its last good one. */
XT_MUST_USE int xt_spool_part_count(xt_spool *spool, xt_spool_part *part, bool newest, bool verify);

/* spool_room.c: makes room for n bytes; 1: there is none and none can be made. */
XT_MUST_USE int xt_spool_make_room(xt_spool *spool, uint64_t n_bytes);
uint64_t xt_spool_bound(const xt_spool *spool);
/* What of the file stands behind that place cannot be read: it is taken out, counted and told of. */
XT_MUST_USE int xt_spool_give_up(xt_spool *spool, xt_spool_part *part, uint64_t offset);
/* Ends a drop that was begun; puts its tombstone, where the disk takes it. */
XT_MUST_USE int xt_spool_drop_finish(xt_spool *spool);
/* Goes on with one that an error interrupted; 0 also when there is none. */
XT_MUST_USE int xt_spool_drop_resume(xt_spool *spool);
void xt_spool_tell(xt_spool *spool);

/* spool_state.c: the file `stream`, and what is found when a folder is opened. */
void xt_spool_path(const xt_spool *spool, uint64_t id, bool is_new, xt_buf *out);
XT_MUST_USE int xt_spool_state_write(xt_spool *spool, bool synced);
XT_MUST_USE int xt_spool_state_read(xt_spool *spool);
XT_MUST_USE int xt_spool_scan(xt_spool *spool);
