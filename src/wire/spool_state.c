/*
 * How it works: `stream` has two places that are written in turn, each with a number and a checksum; the newer whole one counts. So
 * a torn write leaves the one before, and it is written in place, where a full disk takes it too. It is synced where other
 * files are about to change by it: before one is removed, and when sending goes on to another. Else a power failure leaves an older
 * one, and the next welcome tells how far sending had come.
 * Files are found by name and their records counted by their heads; only the newest can be torn, so only that one is read whole.
 * A drop that was begun is ended: `stream` says which file it was to change.
 */
#include "wire/spool_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define STATE_MAGIC     "xtstream2"
#define OLD_STATE_MAGIC "xtstream1"
#define STATE_PLACE     512
#define VERIFIED_FILES  4 /* so few are read whole: an older one is damaged only where a disk failed */

void xt_spool_path(const xt_spool *spool, uint64_t id, bool is_new, xt_buf *out)
{
    xt_buf_reset(out);
    if (id)
        xt_buf_printf(out, "%s/%016llx.%s", spool->dir, (unsigned long long)id, is_new ? "new" : "spool");
    else
        xt_buf_printf(out, "%s/stream", spool->dir);
}

/* ------------------------------------------------------------------------------------------------ state */

/* The numbers of a state in their order; those of drops came with the second version. */
#define NUMBERS(X) \
    X(acked.number) X(acked.part) X(acked.offset) X(sent_max) X(sent_part) X(n_dropped_batches) X(n_dropped_events)
/* clang-format off */
#define DROP_NUMBERS(X) \
    X(drop.number) X(drop.part) X(drop.is_shed) X(drop.is_untold) X(drop.loss.n_batches) X(drop.loss.n_events[XT_RANK_END]) \
    X(drop.loss.n_events[XT_RANK_EXEC]) X(drop.loss.n_events[XT_RANK_FIRST]) X(drop.loss.n_unknown) X(drop.loss.n_damaged) \
    X(drop.loss.from_ms) X(drop.loss.to_ms)
/* clang-format on */
#define PUT(member) xt_buf_put_u64(out, spool->member);
#define GET(member) ret->member = xt_reader_u64(&reader);

static void state_put(const xt_spool *spool, uint64_t number, xt_buf *out)
{
    xt_buf_put(out, XT_S(STATE_MAGIC));
    xt_buf_put_u64(out, number);
    xt_buf_put(out, xt_slice_of(spool->stream.b, 16));
    xt_buf_put(out, xt_slice_of(spool->acked.hash.b, 16));
    NUMBERS(PUT)
    DROP_NUMBERS(PUT)
    xt_buf_put_u64(out, xt_slice_hash(xt_buf_slice(out)));
}

int xt_spool_state_write(xt_spool *spool, bool synced)
{
    char path[4096], bytes[STATE_PLACE];
    xt_buf name = XT_BUF_ON(path), out = XT_BUF_ON(bytes);
    const xt_vfs *vfs = spool->settings.vfs;
    uint64_t number = spool->state_number + 1;
    xt_spool_path(spool, 0, false, &name);
    state_put(spool, number, &out);
    int fd = vfs->open(vfs, path, O_RDWR | O_CREAT, 0600);
    if (fd < 0)
        return xt_error_origin(fd);
    int r = xt_vfs_write_all(vfs, fd, out.p, out.n, number % 2 * STATE_PLACE);
    if (r == 0)
        spool->state_number = number; /* the other place is whole */
    if (r == 0 && synced)
        r = vfs->fdatasync(vfs, fd);
    vfs->close(vfs, fd);
    if (r == 0 && synced && number <= 2)
        r = vfs->sync_folder(vfs, spool->dir);
    return r < 0 ? xt_error_trace(r) : 0;
}

static bool is_whole(xt_slice bytes, xt_slice magic)
{
    if (bytes.n < 8 || !xt_slice_starts(bytes, magic))
        return false;
    xt_reader reader = xt_reader_of(xt_slice_skip(bytes, bytes.n - 8));
    return xt_reader_u64(&reader) == xt_slice_hash(xt_slice_head(bytes, bytes.n - 8));
}

static void get_bytes(xt_reader *reader, uint8_t ret[static 16])
{
    xt_slice bytes = xt_reader_bytes(reader, 16);
    if (bytes.n == 16)
        memcpy(ret, bytes.p, 16);
}

static bool state_get(xt_slice bytes, xt_spool *ret)
{
    if (!is_whole(bytes, XT_S(STATE_MAGIC)))
        return false;
    xt_reader reader = xt_reader_of(xt_slice_skip(xt_slice_head(bytes, bytes.n - 8), sizeof STATE_MAGIC - 1));
    uint64_t number = xt_reader_u64(&reader);
    if (number <= ret->state_number)
        return false;
    ret->state_number = number;
    get_bytes(&reader, ret->stream.b);
    get_bytes(&reader, ret->acked.hash.b);
    NUMBERS(GET)
    DROP_NUMBERS(GET)
    return xt_reader_done(&reader);
}

/* As versions before wrote it: one place, and no drops. */
static bool old_state_get(xt_slice bytes, xt_spool *ret)
{
    if (!is_whole(bytes, XT_S(OLD_STATE_MAGIC)))
        return false;
    xt_reader reader = xt_reader_of(xt_slice_skip(xt_slice_head(bytes, bytes.n - 8), sizeof OLD_STATE_MAGIC - 1));
    get_bytes(&reader, ret->stream.b);
    ret->acked.number = xt_reader_u64(&reader);
    get_bytes(&reader, ret->acked.hash.b);
    ret->acked.part = xt_reader_u64(&reader);
    ret->acked.offset = xt_reader_u64(&reader);
    ret->sent_max = xt_reader_u64(&reader);
    ret->sent_part = xt_reader_u64(&reader);
    ret->n_dropped_batches = xt_reader_u64(&reader);
    ret->n_dropped_events = xt_reader_u64(&reader);
    return xt_reader_done(&reader);
}

int xt_spool_state_read(xt_spool *spool)
{
    char path[4096], bytes[STATE_PLACE];
    xt_buf name = XT_BUF_ON(path), content = XT_BUF_INIT, sample = XT_BUF_ON(bytes);
    xt_spool_path(spool, 0, false, &name);
    state_put(spool, 0, &sample);
    int r = xt_vfs_read_file(spool->settings.vfs, path, 4096, &content);
    xt_slice all = xt_buf_slice(&content);
    bool known = false;
    for (unsigned i = 0; r >= 0 && i < 2; i++)
        known |= state_get(xt_slice_head(xt_slice_skip(all, i * STATE_PLACE), sample.n), spool);
    known = known || (r >= 0 && old_state_get(all, spool));
    xt_buf_fini(&content);
    if (r < 0 && r != -ENOENT && r != -EFBIG)
        return xt_error_trace(r);
    if (known)
        return 0;
    if (getrandom(spool->stream.b, sizeof spool->stream.b, 0) != sizeof spool->stream.b)
        return xt_error_origin(-EIO);
    return xt_spool_state_write(spool, true);
}

/* ------------------------------------------------------------------------------------------------ files */

static int compare_parts(const void *a, const void *b)
{
    const xt_spool_part *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

static int remove_path(xt_spool *spool, uint64_t id, bool is_new)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, id, is_new, &name);
    path[name.n] = '\0';
    return spool->settings.vfs->unlink(spool->settings.vfs, path);
}

static int list_parts(xt_spool *spool)
{
    DIR *folder = opendir(spool->dir);
    if (!folder)
        return xt_error_origin(-errno);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        xt_slice name = xt_slice_str(entry->d_name);
        uint64_t id;
        if (name.n == 20 && xt_slice_ends(name, XT_S(".new")) && xt_slice_parse_hex(xt_slice_head(name, 16), &id) &&
            !(spool->drop.part == id && spool->drop.is_shed))
            (void)remove_path(spool, id, true); /* it never took its place */
        if (name.n == 22 && xt_slice_ends(name, XT_S(".spool")) && xt_slice_parse_hex(xt_slice_head(name, 16), &id) &&
            id > 0 && spool->n_parts < XT_SPOOL_MAX_FILES)
            spool->parts[spool->n_parts++] = (xt_spool_part){.id = id};
    }
    closedir(folder);
    qsort(spool->parts, spool->n_parts, sizeof spool->parts[0], compare_parts);
    return 0;
}

int xt_spool_part_count(xt_spool *spool, xt_spool_part *part, bool newest, bool verify)
{
    const xt_vfs *vfs = spool->settings.vfs;
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, part->id, false, &name);
    int fd = vfs->open(vfs, path, O_RDWR, 0);
    if (fd < 0)
        return xt_error_origin(fd);
    uint64_t end = 0, offset = XT_SPOOL_FILE_HEAD;
    xt_spool_record record;
    *part = (xt_spool_part){.id = part->id, .shed = part->shed};
    int r = vfs->size(vfs, fd, &end);
    while (r == 0) {
        r = xt_spool_record_read(vfs, fd, offset, end, newest || verify ? &spool->scratch : NULL, &record);
        if (r != 0)
            break;
        offset += record.n_bytes;
        part->n_batches++;
        part->n_events += record.n_events;
        part->n_lost += record.n_lost;
        part->n_tombs += record.n_lost > 0;
        if (record.drop && record.drop == spool->drop.number)
            spool->drop =
                (xt_spool_drop){.number = record.drop, .part = spool->drop.part, .is_shed = spool->drop.is_shed};
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

int xt_spool_scan(xt_spool *spool)
{
    int r = spool->drop.part ? xt_spool_drop_finish(spool) : 0;
    size_t gone = 0;
    if (r >= 0)
        r = list_parts(spool);
    while (r >= 0 && gone < spool->n_parts && spool->parts[gone].id < spool->acked.part)
        r = remove_path(spool, spool->parts[gone++].id, false);
    spool->n_parts -= gone;
    memmove(spool->parts, spool->parts + gone, spool->n_parts * sizeof spool->parts[0]);
    for (size_t i = 0; r >= 0 && i < spool->n_parts; i++)
        r = xt_spool_part_count(spool, &spool->parts[i], i + 1 == spool->n_parts, spool->n_parts <= VERIFIED_FILES);
    /* A power failure took what was acknowledged: what is put next must not be taken for it. */
    if (spool->n_parts > 0 && spool->parts[0].id == spool->acked.part && spool->acked.offset > spool->parts[0].n_bytes)
        spool->acked.offset = spool->parts[0].n_bytes;
    return r < 0 ? xt_error_trace(r) : 0;
}
