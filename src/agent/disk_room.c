#include "agent/disk_room.h"

#include <sys/statvfs.h>

#define KEEP_MOST_BYTES ((uint64_t)1 << 30)
#define AMPLE_BYTES     ((uint64_t)256 << 20)
#define AGE_MS          50

uint64_t xt_disk_room(const char *folder, uint64_t keep_bytes)
{
    struct statvfs st;
    if (statvfs(folder, &st) < 0)
        return UINT64_MAX;
    uint64_t free_bytes = (uint64_t)st.f_bavail * st.f_frsize, twentieth = (uint64_t)st.f_blocks * st.f_frsize / 20;
    uint64_t keep = keep_bytes ? keep_bytes : twentieth < KEEP_MOST_BYTES ? twentieth : KEEP_MOST_BYTES;
    return free_bytes > keep ? free_bytes - keep : 0;
}

uint64_t xt_disk_room_soon(xt_disk_room_kept *kept, const char *folder, uint64_t keep_bytes, int64_t now_ms)
{
    if (kept->n_bytes < AMPLE_BYTES || now_ms - kept->at_ms >= AGE_MS)
        *kept = (xt_disk_room_kept){xt_disk_room(folder, keep_bytes), now_ms};
    return kept->n_bytes;
}
