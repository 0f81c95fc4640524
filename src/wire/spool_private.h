/*
 * wire/spool_private - what the two halves of the spool share: its files and places in them
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
} xt_spool_part;

/* Between two batches. */
typedef struct xt_spool_place {
    uint64_t number; /* of the batch before it */
    xt_hash128 hash; /* and its hash */
    uint64_t part;   /* id of the file the next batch is in, or of the last file that was read to its end */
    uint64_t offset;
} xt_spool_place;

struct xt_spool {
    xt_spool_settings settings;
    char *dir;
    uint64_t codec;
    xt_hash128 stream;
    xt_spool_place acked, sent;
    uint64_t sent_max;  /* highest number ever given out: those numbers are taken */
    uint64_t sent_part; /* the file which that batch stands in: it and those before are not dropped */
    uint64_t n_dropped_batches, n_dropped_events;
    uint64_t n_acked_batches, n_acked_events; /* those of the first file that are acknowledged */
    uint64_t part_bytes;
    xt_spool_part parts[XT_SPOOL_MAX_FILES];
    size_t n_parts;
    int tail_fd, read_fd; /* the newest file; the one read last, or -1 */
    uint64_t read_part;
    xt_buf scratch, payload;
};

/* spool_state.c: the file `stream`, and what is found when a folder is opened. */
void xt_spool_path(const xt_spool *spool, uint64_t id, xt_buf *out);
XT_MUST_USE int xt_spool_state_write(xt_spool *spool);
XT_MUST_USE int xt_spool_state_read(xt_spool *spool);
XT_MUST_USE int xt_spool_scan(xt_spool *spool);
