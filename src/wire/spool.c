/*
 * How it works: files hold batches without number and chain; both follow from a place (acked, sent) as it moves over the
 * files, so that a file which had to go leaves no hole. Only batches behind everything that was ever given out
 * may go (spool_room.c): numbers that the receiver may have seen never change their content.
 * A batch is read again to learn its hash when it is acknowledged; it comes from the page cache and costs microseconds,
 * and so nothing about batches is held in memory, however many wait.
 * Nothing is synced on the way: what is not acknowledged and not yet synced is lost by a power failure alone. `stream` may then be
 * older than what was sent; whatever stood in the files when they were opened was given out in their order, so the
 * number that the receiver welcomes us with says how much of it it has.
 */
#include "wire/spool_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>

#define PART_MIN_BYTES    ((uint64_t)64 << 10)
#define PART_MAX_BYTES    ((uint64_t)4 << 20)
#define RECORD_MORE_BYTES 64 /* of a record beside its data */
#define READ_ATTEMPTS     5
#define MOST_AHEAD        65536 /* batches sent in the seconds that a power failure takes; a number beyond them is no truth */

static int failed(xt_spool *spool, int r, const char *doing, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "the spool cannot be %s: %s", doing, strerror(-r));
    xt_problem_source(reterr_problem, spool->dir);
    xt_problem_hint(reterr_problem, "check free space and owner of that folder");
    return xt_error_trace(r);
}

static xt_spool_part *part_after(xt_spool *spool, uint64_t id)
{
    for (size_t i = 0; i < spool->n_parts; i++)
        if (spool->parts[i].id > id)
            return &spool->parts[i];
    return NULL;
}

xt_spool_part *xt_spool_part_find(xt_spool *spool, uint64_t id)
{
    xt_spool_part *part = id ? part_after(spool, id - 1) : NULL;
    return part && part->id == id ? part : NULL;
}

void xt_spool_read_close(xt_spool *spool)
{
    if (spool->read_fd >= 0)
        spool->settings.vfs->close(spool->settings.vfs, spool->read_fd);
    spool->read_fd = -1;
}

static int read_open(xt_spool *spool, uint64_t id)
{
    if (spool->read_fd >= 0 && spool->read_part == id)
        return 0;
    xt_spool_read_close(spool);
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, id, false, &name);
    int fd = spool->settings.vfs->open(spool->settings.vfs, path, O_RDONLY, 0);
    if (fd < 0)
        return xt_error_origin(fd);
    spool->read_fd = fd;
    spool->read_part = id;
    return 0;
}

/* Reads the record at the place. 1: it is damaged, or the disk has refused to give it again and again. */
static int record_at(xt_spool *spool, const xt_spool_place *place, const xt_spool_part *part, xt_spool_record *ret)
{
    int r = read_open(spool, part->id);
    if (r == 0)
        r = xt_spool_record_read(spool->settings.vfs, spool->read_fd, place->offset, part->n_bytes, &spool->scratch,
                                 ret);
    if (r >= 0) {
        spool->n_refused = 0;
        return r > 0;
    }
    xt_spool_read_close(spool);
    if (r == -EIO && ++spool->n_refused >= READ_ATTEMPTS) {
        spool->n_refused = 0;
        return 1;
    }
    return xt_error_trace(r);
}

/*
 * Moves *place over one batch. The payload is left in spool->payload; *ret_record without data. 1: there is none yet.
 * A damaged record ends its file: what follows in it is given up.
 */
static int place_next(xt_spool *spool, xt_spool_place *place, xt_spool_record *ret_record)
{
    for (;;) {
        xt_spool_part *part = xt_spool_part_find(spool, place->part);
        if (!part || place->offset >= part->n_bytes) {
            part = part_after(spool, place->part);
            if (!part)
                return 1;
            place->part = part->id;
            place->offset = XT_SPOOL_FILE_HEAD;
            continue;
        }
        xt_spool_record record;
        int r = record_at(spool, place, part, &record);
        if (r > 0) {
            spool->is_broken |= place->number < spool->sent_max;
            r = xt_spool_give_up(spool, part, place->offset);
            if (r == 0)
                continue;
        }
        if (r < 0)
            return xt_error_trace(r);
        xt_buf_reset(&spool->payload);
        xt_batch_put(&(xt_batch){.stream = spool->stream,
                                 .number = place->number + 1,
                                 .n_events = record.n_events,
                                 .chain = place->hash,
                                 .codec = record.codec,
                                 .raw_bytes = record.raw_bytes,
                                 .data = record.data},
                     &spool->payload);
        if (spool->payload.failed)
            return xt_error_origin(-ENOMEM);
        place->number++;
        place->offset += record.n_bytes;
        place->hash = xt_batch_hash(xt_buf_slice(&spool->payload));
        *ret_record = record;
        return 0;
    }
}

/* ------------------------------------------------------------------------------------------------ files */

static void part_forget(xt_spool *spool, const xt_spool_part *part)
{
    size_t i = (size_t)(part - spool->parts);
    spool->n_parts--;
    memmove(spool->parts + i, spool->parts + i + 1, (spool->n_parts - i) * sizeof spool->parts[0]);
}

int xt_spool_part_remove(xt_spool *spool, uint64_t id)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_part *part = xt_spool_part_find(spool, id);
    xt_spool_path(spool, id, false, &name);
    if (spool->read_part == id)
        xt_spool_read_close(spool);
    int r = spool->settings.vfs->unlink(spool->settings.vfs, path);
    if (r < 0 && r != -ENOENT)
        return xt_error_origin(r);
    if (part)
        part_forget(spool, part);
    return 0;
}

static void tail_close(xt_spool *spool)
{
    if (spool->tail_fd >= 0)
        spool->settings.vfs->close(spool->settings.vfs, spool->tail_fd);
    spool->tail_fd = -1;
}

static int tail_open(xt_spool *spool)
{
    const xt_vfs *vfs = spool->settings.vfs;
    uint64_t id = spool->n_parts ? spool->parts[spool->n_parts - 1].id + 1 : spool->acked.part + 1;
    char path[4096], head[16];
    xt_buf name = XT_BUF_ON(path), bytes = XT_BUF_ON(head);
    if (spool->n_parts == XT_SPOOL_MAX_FILES)
        return xt_error_origin(-ENOSPC);
    id = id > spool->sent_part ? id : spool->sent_part + 1;
    xt_spool_path(spool, id, false, &name);
    xt_spool_file_put_head(&bytes);
    int fd = vfs->open(vfs, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return xt_error_origin(fd);
    int r = xt_vfs_write_all(vfs, fd, bytes.p, bytes.n, 0);
    if (r == 0 && spool->is_unsynced && spool->tail_fd >= 0)
        r = vfs->fdatasync(vfs, spool->tail_fd);
    if (r < 0) {
        vfs->close(vfs, fd);
        vfs->unlink(vfs, path);
        return xt_error_trace(r);
    }
    tail_close(spool);
    spool->tail_fd = fd;
    spool->is_folder_unsynced = true;
    spool->parts[spool->n_parts++] = (xt_spool_part){.id = id, .n_bytes = XT_SPOOL_FILE_HEAD};
    return 0;
}

/* A write that failed is cut off again, or the next one would stand behind a torn record. */
static void tail_cut(xt_spool *spool)
{
    xt_spool_part *tail = &spool->parts[spool->n_parts - 1];
    if (spool->settings.vfs->truncate(spool->settings.vfs, spool->tail_fd, tail->n_bytes) == 0)
        return;
    tail_close(spool);
    if (tail->n_batches == 0 && xt_spool_part_remove(spool, tail->id) < 0)
        part_forget(spool, tail); /* it will be found empty, or be written anew */
}

int xt_spool_tail_put(xt_spool *spool, const xt_spool_record *record)
{
    xt_spool_part *tail = spool->n_parts ? &spool->parts[spool->n_parts - 1] : NULL;
    xt_buf bytes = XT_BUF_INIT;
    int r = 0;
    if (spool->tail_fd < 0 || !tail || tail->n_bytes >= spool->part_bytes)
        r = tail_open(spool);
    if (r < 0)
        return xt_error_trace(r);
    tail = &spool->parts[spool->n_parts - 1];
    xt_spool_record_put(&bytes, record);
    r = xt_buf_done(&bytes);
    if (r >= 0)
        r = xt_vfs_write_all(spool->settings.vfs, spool->tail_fd, bytes.p, bytes.n, tail->n_bytes);
    if (r >= 0) {
        tail->n_bytes += bytes.n;
        tail->n_batches++;
        tail->n_events += record->n_events;
        tail->n_lost += record->n_lost;
        tail->n_tombs += record->n_lost > 0;
        spool->is_unsynced = true;
    } else {
        tail_cut(spool);
    }
    xt_buf_fini(&bytes);
    return r < 0 ? xt_error_trace(r) : 0;
}

uint64_t xt_spool_bytes(const xt_spool *spool)
{
    uint64_t n = 0;
    for (size_t i = 0; i < spool->n_parts; i++)
        n += spool->parts[i].n_bytes;
    return n;
}

/* ------------------------------------------------------------------------------------------------ in and out */

int xt_spool_put(xt_spool *spool, xt_slice events, uint64_t n_events, xt_problem *reterr_problem)
{
    xt_buf packed = XT_BUF_INIT;
    xt_spool_record record = {.n_events = (uint32_t)n_events, .raw_bytes = events.n};
    int r = xt_codec_pack(events, spool->codec, &packed, &record.codec);
    record.data = xt_buf_slice(&packed);
    if (r >= 0)
        r = xt_spool_make_room(spool, packed.n + RECORD_MORE_BYTES);
    if (r > 0)
        r = xt_error_origin(-ENOSPC);
    if (r >= 0)
        r = xt_spool_tail_put(spool, &record);
    if (r >= 0)
        xt_spool_tell(spool); /* what the disk had no room for before */
    xt_buf_fini(&packed);
    return r < 0 ? failed(spool, r, "written", reterr_problem) : 0;
}

/* What is given out must be known to be so, before it is: that it is not dropped, or doubled after a crash. */
static int give_out(xt_spool *spool, const xt_spool_place *before)
{
    uint64_t sent_max = spool->sent_max, sent_part = spool->sent_part;
    if (spool->sent.number <= spool->sent_max)
        return 0;
    spool->sent_max = spool->sent.number;
    spool->sent_part = spool->sent.part;
    int r = xt_spool_state_write(spool, spool->sent_part != sent_part);
    if (r == 0)
        return 0;
    spool->sent_max = sent_max;
    spool->sent_part = sent_part;
    spool->sent = *before;
    return xt_error_trace(r);
}

static int renew(xt_spool *spool, xt_problem *reterr_problem)
{
    if (getrandom(spool->stream.b, sizeof spool->stream.b, 0) != sizeof spool->stream.b)
        return xt_error_origin(-EIO);
    spool->acked.number = 0;
    spool->acked.hash = (xt_hash128){{0}};
    spool->sent = spool->acked;
    spool->sent_max = spool->sent_part = spool->run_max = 0;
    spool->is_broken = false;
    int r = xt_spool_state_write(spool, true);
    return r < 0 ? failed(spool, r, "written", reterr_problem) : XT_SPOOL_E_RENEWED;
}

int xt_spool_next(xt_spool *spool, uint64_t after, uint64_t *ret_number, xt_buf *out, xt_problem *reterr_problem)
{
    xt_spool_record record;
    int r = xt_spool_drop_resume(spool); /* nothing of a file that is to go is given out */
    assert(after >= spool->acked.number);
    if (after < spool->sent.number)
        spool->sent = spool->acked;
    xt_spool_place before = spool->sent;
    while (r == 0 && spool->sent.number <= after) {
        before = spool->sent;
        r = place_next(spool, &spool->sent, &record);
    }
    if (spool->is_broken)
        return renew(spool, reterr_problem);
    if (r == 0)
        r = give_out(spool, &before);
    if (r < 0)
        return failed(spool, r, "read", reterr_problem);
    *ret_number = r == 0 ? spool->sent.number : 0;
    if (r == 0 && spool->sent.number > spool->run_max)
        spool->run_max = spool->sent.number;
    if (r == 0)
        xt_buf_put(out, xt_buf_slice(&spool->payload));
    return xt_buf_done(out);
}

/* Moves `acked` over one batch; files it has left behind are removed by the caller once that is written down. */
static int ack_one(xt_spool *spool)
{
    xt_spool_record record;
    uint64_t part = spool->acked.part;
    int r = place_next(spool, &spool->acked, &record);
    if (spool->acked.part != part)
        spool->n_acked_batches = spool->n_acked_events = 0;
    if (r != 0)
        return r;
    spool->n_acked_batches++;
    spool->n_acked_events += record.n_events;
    return 0;
}

static int ack_until(xt_spool *spool, uint64_t number)
{
    int r = 0;
    while (r == 0 && spool->acked.number < number)
        r = ack_one(spool);
    if (spool->sent.number < spool->acked.number)
        spool->sent = spool->acked;
    bool leaves = spool->n_parts > 0 && spool->parts[0].id < spool->acked.part;
    if (r >= 0)
        r = xt_spool_state_write(spool, leaves);
    while (r >= 0 && spool->n_parts > 0 && spool->parts[0].id < spool->acked.part)
        r = xt_spool_part_remove(spool, spool->parts[0].id);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_spool_ack(xt_spool *spool, uint64_t number, xt_problem *reterr_problem)
{
    if (number <= spool->acked.number || number > spool->sent_max)
        return 0;
    int r = ack_until(spool, number);
    if (r == 0 && spool->is_broken)
        return renew(spool, reterr_problem);
    return r < 0 ? failed(spool, r, "written", reterr_problem) : 0;
}

/* ------------------------------------------------------------------------------------------------ welcome */

/* Whether what comes next stood there when the folder was opened. */
static bool is_old(const xt_spool *spool, const xt_spool_place *place)
{
    return place->part < spool->open_part || (place->part == spool->open_part && place->offset < spool->open_offset);
}

/* Walks to that number, or with `old` to the end of what was there at the start. 0: it is there. 1: another past. 2: the end. */
static int find_number(xt_spool *spool, uint64_t number, xt_hash128 hash, bool old)
{
    xt_spool_place place = spool->acked;
    xt_spool_record record;
    int r = 0;
    while (r == 0 && place.number < number && (!old || is_old(spool, &place)))
        r = place_next(spool, &place, &record);
    if (r < 0)
        return xt_error_trace(r);
    if (place.number < number)
        return number - place.number > MOST_AHEAD ? 1 : 2;
    if (!xt_hash128_eq(place.hash, hash))
        return 1;
    if (place.number > spool->sent_max) {
        spool->sent_max = place.number;
        spool->sent_part = place.part;
    }
    return 0;
}

/* The receiver has all that was here at the start, and more, which a power failure took: that is not sent again. */
static int forget_old(xt_spool *spool, uint64_t number)
{
    int r = 0;
    while (r == 0 && spool->acked.number < number && is_old(spool, &spool->acked))
        r = ack_one(spool);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_spool_welcome(xt_spool *spool, uint64_t number, xt_hash128 hash, xt_problem *reterr_problem)
{
    if (number < spool->acked.number)
        return renew(spool, reterr_problem);
    bool old = number > spool->run_max; /* given out by a process before this one */
    int r = find_number(spool, number, hash, old);
    if (r == 2 && old)
        r = forget_old(spool, number) < 0 ? -EIO : 2;
    if (r > 0)
        return renew(spool, reterr_problem);
    if (r == 0)
        r = ack_until(spool, number);
    if (r == 0 && spool->is_broken)
        return renew(spool, reterr_problem);
    return r < 0 ? failed(spool, r, "read", reterr_problem) : 0;
}

/* ------------------------------------------------------------------------------------------------ the whole */

/* The names in the folder, and its own in the one that it stands in. */
static int sync_names(xt_spool *spool)
{
    const xt_vfs *vfs = spool->settings.vfs;
    char parent[4096] = ".";
    const char *slash = strrchr(spool->dir, '/');
    if (slash && slash > spool->dir && (size_t)(slash - spool->dir) < sizeof parent) {
        memcpy(parent, spool->dir, (size_t)(slash - spool->dir));
        parent[slash - spool->dir] = '\0';
    }
    int r = vfs->sync_folder(vfs, spool->dir);
    return r < 0 ? r : vfs->sync_folder(vfs, parent);
}

int xt_spool_sync(xt_spool *spool, xt_problem *reterr_problem)
{
    const xt_vfs *vfs = spool->settings.vfs;
    if (!spool->is_unsynced)
        return 0;
    int r = spool->tail_fd >= 0 ? vfs->fdatasync(vfs, spool->tail_fd) : 0;
    if (r == 0)
        r = xt_spool_state_write(spool, true);
    if (r == 0 && spool->is_folder_unsynced)
        r = sync_names(spool);
    if (r < 0) {
        tail_close(spool); /* a sync that failed is not tried again on the same file */
        return failed(spool, r, "synced", reterr_problem);
    }
    spool->is_unsynced = spool->is_folder_unsynced = false;
    return 0;
}

void xt_spool_set_codec(xt_spool *spool, uint64_t codec)
{
    spool->codec = codec;
}

void xt_spool_limit(xt_spool *spool, uint64_t max_bytes)
{
    spool->settings.max_bytes = max_bytes;
}

xt_hash128 xt_spool_stream(const xt_spool *spool)
{
    return spool->stream;
}

xt_spool_stats xt_spool_stats_get(const xt_spool *spool)
{
    xt_spool_stats stats = {
        .max_bytes = xt_spool_bound(spool),
        .is_shedding = spool->is_shedding,
        .n_dropped_batches = spool->n_dropped_batches,
        .n_dropped_events = spool->n_dropped_events,
        .sent_number = spool->sent_max,
        .acked_number = spool->acked.number,
    };
    for (size_t i = 0; i < spool->n_parts; i++) {
        bool first = spool->parts[i].id == spool->acked.part;
        stats.n_batches += spool->parts[i].n_batches - (first ? spool->n_acked_batches : 0);
        stats.n_events += spool->parts[i].n_events - (first ? spool->n_acked_events : 0);
        stats.n_bytes += spool->parts[i].n_bytes - (first ? spool->acked.offset : XT_SPOOL_FILE_HEAD);
    }
    return stats;
}

/* The newest file is written on when it has room, else the next put begins one. */
static int tail_reopen(xt_spool *spool)
{
    if (spool->n_parts == 0)
        return 0;
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, spool->parts[spool->n_parts - 1].id, false, &name);
    int fd = spool->settings.vfs->open(spool->settings.vfs, path, O_RDWR, 0);
    if (fd < 0)
        return xt_error_origin(fd);
    spool->tail_fd = fd;
    return 0;
}

int xt_spool_open(const xt_spool_settings *settings, xt_spool **ret, xt_problem *reterr_problem)
{
    xt_spool *spool = calloc(1, sizeof *spool);
    if (!spool)
        return xt_error_origin(-ENOMEM);
    spool->settings = *settings;
    spool->codec = XT_CODEC_ZSTD;
    spool->dir = strdup(settings->dir);
    spool->settings.dir = spool->dir;
    spool->tail_fd = spool->read_fd = -1;
    uint64_t part = settings->max_bytes / 16;
    spool->part_bytes = part < PART_MIN_BYTES ? PART_MIN_BYTES : part > PART_MAX_BYTES ? PART_MAX_BYTES : part;
    if (spool->part_bytes < settings->max_bytes / (XT_SPOOL_MAX_FILES / 2))
        spool->part_bytes = settings->max_bytes / (XT_SPOOL_MAX_FILES / 2);
    int r = spool->dir ? settings->vfs->mkdir(settings->vfs, spool->dir, 0700) : -ENOMEM;
    if (r == -EEXIST || r >= 0)
        r = xt_spool_state_read(spool);
    if (r >= 0)
        r = xt_spool_scan(spool);
    if (r >= 0)
        r = tail_reopen(spool);
    if (r < 0) {
        r = failed(spool, r, "opened", reterr_problem);
        xt_spool_close(spool);
        return r;
    }
    spool->sent = spool->acked;
    spool->open_part = spool->n_parts ? spool->parts[spool->n_parts - 1].id : 0;
    spool->open_offset = spool->n_parts ? spool->parts[spool->n_parts - 1].n_bytes : 0;
    spool->is_unsynced = spool->is_folder_unsynced =
        spool->n_parts > 0; /* a process that was killed may not have synced it */
    xt_spool_tell(spool);
    *ret = spool;
    return 0;
}

xt_spool *xt_spool_close(xt_spool *spool)
{
    if (!spool)
        return NULL;
    xt_spool_read_close(spool);
    tail_close(spool);
    xt_buf_fini(&spool->scratch);
    xt_buf_fini(&spool->payload);
    free(spool->dir);
    free(spool);
    return NULL;
}
