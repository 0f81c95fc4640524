/*
 * agent/disk_room - how much of a disk the spool may still take
 *
 * Limits:    the last of a disk stays free for others: so many bytes, or where 0 is given 5 % and at most 1 GiB.
 */
#pragma once
#include <stdint.h>

/* Of the disk that the folder is on; UINT64_MAX when that cannot be told. */
uint64_t xt_disk_room(const char *folder, uint64_t keep_bytes);

/* What was told last; begins as zeros. */
typedef struct xt_disk_room_kept {
    uint64_t n_bytes;
    int64_t at_ms;
} xt_disk_room_kept;
/* The same, up to 50 ms old while there is ample room: the spool asks ten times for one batch. */
uint64_t xt_disk_room_soon(xt_disk_room_kept *kept, const char *folder, uint64_t keep_bytes, int64_t now_ms);
