/*
 * agent/serial_count - audit events that were made and never seen
 *
 * Shape:     the kernel numbers its audit events (serials) by one from boot on. Of those from the first that was seen to a mark,
 *            all that were not seen are missing. What is newer than the mark may still come.
 * Limits:    counts, no list: which of them is not kept. A number more than 2^31 away is taken for an older one.
 * Format:    file: two slots of u64 sequence, base, max, n, time of the mark and checksum, written by turns, so that whoever is
 *            killed leaves one that holds; made for one boot, whose id stands before them.
 * Threads:   one at a time.
 * Source:    audit_serial() in kernel/audit.c: one number an event, also for those that a full socket loses afterwards.
 */
#pragma once
#include "base/slice.h"

typedef struct xt_serial_count {
    uint64_t base, max;       /* first and greatest that was seen, unwrapped; 0: none */
    uint64_t n;               /* seen from base on */
    uint64_t mark, n_mark;    /* the greatest at at_ms; seen from base to it */
    uint64_t before;          /* the mark before it */
    int64_t at_ms, before_ms; /* of both; any clock that counts on through a restart */
    uint64_t n_missing;       /* up to a mark that is old enough */
    uint64_t newly, from, to; /* how many more of them the last turn found, and between which numbers */
    int64_t since_ms;         /* when the first of those was made, at the earliest */
} xt_serial_count;

void xt_serial_count_see(xt_serial_count *count, uint32_t serial);
/* Now and then: what was made settle_ms ago has come, or is missing. n_missing shrinks when one comes after all. */
void xt_serial_count_turn(xt_serial_count *count, int64_t now_ms, int64_t settle_ms);

#define XT_SERIAL_FILE "serials" /* below STATE/shipper */

/* What outlives a kill: everything up to these numbers is on disk, or said to be dropped. */
typedef struct xt_serial_file xt_serial_file;

/* Opened below the working folder, made when absent. <0 errno. */
XT_MUST_USE int xt_serial_file_open(const char *name, const char *boot_id, xt_serial_file **ret);
xt_serial_file *xt_serial_file_close(xt_serial_file *file); /* accepts NULL, returns NULL */
void xt_serial_file_put(xt_serial_file *file, const xt_serial_count *count);
/* Of another process, by its path. -ENOENT: there is none of this boot that holds. */
XT_MUST_USE int xt_serial_file_read(const char *path, const char *boot_id, xt_serial_count *ret);
