/*
 * How it works: `stream` is one small block, written in place with a checksum: a process that dies leaves the old or the
 * new one; if a power failure tears it, the stream begins anew. Files are found by name and their records counted
 * by their heads; only the newest can be torn, so only that one is read whole.
 */
#include "wire/spool_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define STATE_MAGIC "xtstream1"

void xt_spool_path(const xt_spool *spool, uint64_t id, xt_buf *out)
{
    xt_buf_reset(out);
    if (id)
        xt_buf_printf(out, "%s/%016llx.spool", spool->dir, (unsigned long long)id);
    else
        xt_buf_printf(out, "%s/stream", spool->dir);
}

static void state_put(const xt_spool *spool, xt_buf *out)
{
    xt_buf_put(out, XT_S(STATE_MAGIC));
    xt_buf_put(out, xt_slice_of(spool->stream.b, 16));
    xt_buf_put_u64(out, spool->acked.number);
    xt_buf_put(out, xt_slice_of(spool->acked.hash.b, 16));
    xt_buf_put_u64(out, spool->acked.part);
    xt_buf_put_u64(out, spool->acked.offset);
    xt_buf_put_u64(out, spool->sent_max);
    xt_buf_put_u64(out, spool->sent_part);
    xt_buf_put_u64(out, spool->n_dropped_batches);
    xt_buf_put_u64(out, spool->n_dropped_events);
    xt_buf_put_u64(out, xt_slice_hash(xt_buf_slice(out)));
}

int xt_spool_state_write(xt_spool *spool)
{
    char path[4096], bytes[256];
    xt_buf name = XT_BUF_ON(path), out = XT_BUF_ON(bytes);
    xt_spool_path(spool, 0, &name);
    state_put(spool, &out);
    const xt_vfs *vfs = spool->settings.vfs;
    int fd = vfs->open(vfs, path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return xt_error_origin(fd);
    int r = xt_vfs_write_all(vfs, fd, out.p, out.n, 0);
    vfs->close(vfs, fd);
    return r < 0 ? xt_error_trace(r) : 0;
}

static bool state_get(xt_spool *spool, xt_slice bytes)
{
    if (bytes.n < 8 || !xt_slice_starts(bytes, XT_S(STATE_MAGIC)))
        return false;
    xt_reader reader = xt_reader_of(xt_slice_skip(bytes, bytes.n - 8));
    if (xt_reader_u64(&reader) != xt_slice_hash(xt_slice_head(bytes, bytes.n - 8)))
        return false;
    reader = xt_reader_of(xt_slice_skip(xt_slice_head(bytes, bytes.n - 8), sizeof STATE_MAGIC - 1));
    xt_slice stream = xt_reader_bytes(&reader, 16);
    spool->acked.number = xt_reader_u64(&reader);
    xt_slice hash = xt_reader_bytes(&reader, 16);
    spool->acked.part = xt_reader_u64(&reader);
    spool->acked.offset = xt_reader_u64(&reader);
    spool->sent_max = xt_reader_u64(&reader);
    spool->sent_part = xt_reader_u64(&reader);
    spool->n_dropped_batches = xt_reader_u64(&reader);
    spool->n_dropped_events = xt_reader_u64(&reader);
    if (!xt_reader_done(&reader))
        return false;
    memcpy(spool->stream.b, stream.p, 16);
    memcpy(spool->acked.hash.b, hash.p, 16);
    return true;
}

int xt_spool_state_read(xt_spool *spool)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path), content = XT_BUF_INIT;
    xt_spool_path(spool, 0, &name);
    int r = xt_vfs_read_file(spool->settings.vfs, path, 4096, &content);
    bool known = r >= 0 && state_get(spool, xt_buf_slice(&content));
    xt_buf_fini(&content);
    if (r < 0 && r != -ENOENT && r != -EFBIG)
        return xt_error_trace(r);
    if (known)
        return 0;
    spool->acked = (xt_spool_place){0};
    spool->sent_max = spool->sent_part = 0;
    if (getrandom(spool->stream.b, sizeof spool->stream.b, 0) != sizeof spool->stream.b)
        return xt_error_origin(-EIO);
    return xt_spool_state_write(spool);
}

static int compare_parts(const void *a, const void *b)
{
    const xt_spool_part *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int list_parts(xt_spool *spool)
{
    DIR *folder = opendir(spool->dir);
    if (!folder)
        return xt_error_origin(-errno);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        xt_slice name = xt_slice_str(entry->d_name);
        uint64_t id;
        if (name.n == 22 && xt_slice_ends(name, XT_S(".spool")) && xt_slice_parse_hex(xt_slice_head(name, 16), &id) &&
            id > 0 && spool->n_parts < XT_SPOOL_MAX_FILES)
            spool->parts[spool->n_parts++] = (xt_spool_part){.id = id};
    }
    closedir(folder);
    qsort(spool->parts, spool->n_parts, sizeof spool->parts[0], compare_parts);
    return 0;
}

/* Counts the records of a file; the newest is read whole and cut behind its last good record. */
static int count_part(xt_spool *spool, xt_spool_part *part, bool newest)
{
    const xt_vfs *vfs = spool->settings.vfs;
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, part->id, &name);
    int fd = vfs->open(vfs, path, O_RDWR, 0);
    if (fd < 0)
        return xt_error_origin(fd);
    uint64_t end = 0, offset = XT_SPOOL_FILE_HEAD;
    xt_spool_record record;
    int r = vfs->size(vfs, fd, &end);
    while (r == 0) {
        r = xt_spool_record_read(vfs, fd, offset, end, newest ? &spool->scratch : NULL, &record);
        if (r != 0)
            break;
        offset += record.n_bytes;
        part->n_batches++;
        part->n_events += record.n_events;
        part->n_lost += record.n_lost;
        part->n_tombs += record.n_lost > 0;
        if (part->id == spool->acked.part && offset <= spool->acked.offset) {
            spool->n_acked_batches++;
            spool->n_acked_events += record.n_events;
        }
    }
    part->n_bytes = offset;
    if (r > 0)
        r = newest && end > offset ? vfs->truncate(vfs, fd, offset) : 0;
    vfs->close(vfs, fd);
    return r < 0 ? xt_error_trace(r) : 0;
}

static int remove_part(xt_spool *spool, uint64_t id)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, id, &name);
    return spool->settings.vfs->unlink(spool->settings.vfs, path);
}

int xt_spool_scan(xt_spool *spool)
{
    int r = list_parts(spool);
    size_t gone = 0;
    while (r >= 0 && gone < spool->n_parts && spool->parts[gone].id < spool->acked.part)
        r = remove_part(spool, spool->parts[gone++].id);
    spool->n_parts -= gone;
    memmove(spool->parts, spool->parts + gone, spool->n_parts * sizeof spool->parts[0]);
    for (size_t i = 0; r >= 0 && i < spool->n_parts; i++)
        r = count_part(spool, &spool->parts[i], i + 1 == spool->n_parts);
    /* A power failure took what was acknowledged: what is put next must not be taken for it. */
    if (spool->n_parts > 0 && spool->parts[0].id == spool->acked.part && spool->acked.offset > spool->parts[0].n_bytes)
        spool->acked.offset = spool->parts[0].n_bytes;
    return r < 0 ? xt_error_trace(r) : 0;
}
