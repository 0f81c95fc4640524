/*
 * How it works: files hold batches without number and chain; both follow from a place (acked, sent) as it moves over the
 * files, so that a file which had to go leaves no hole. Only batches behind everything that was ever given out
 * may go: numbers that the receiver may have seen never change their content.
 * A batch is read again to learn its hash when it is acknowledged; it comes from the page cache and costs microseconds,
 * and so nothing about batches is held in memory, however many wait.
 */
#include "wire/spool_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>

#define PART_MIN_BYTES ((uint64_t)64 << 10)
#define PART_MAX_BYTES ((uint64_t)4 << 20)

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

static xt_spool_part *part_find(xt_spool *spool, uint64_t id)
{
    xt_spool_part *part = id ? part_after(spool, id - 1) : NULL;
    return part && part->id == id ? part : NULL;
}

static void read_close(xt_spool *spool)
{
    if (spool->read_fd >= 0)
        spool->settings.vfs->close(spool->settings.vfs, spool->read_fd);
    spool->read_fd = -1;
}

static int read_open(xt_spool *spool, uint64_t id)
{
    if (spool->read_fd >= 0 && spool->read_part == id)
        return 0;
    read_close(spool);
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, id, &name);
    int fd = spool->settings.vfs->open(spool->settings.vfs, path, O_RDONLY, 0);
    if (fd < 0)
        return xt_error_origin(fd);
    spool->read_fd = fd;
    spool->read_part = id;
    return 0;
}

/*
 * Moves *place over one batch. The payload is left in spool->payload; *ret_record without data. 1: there is none yet.
 * A damaged record ends its file: what follows in it is lost and counted.
 */
static int place_next(xt_spool *spool, xt_spool_place *place, xt_spool_record *ret_record)
{
    for (;;) {
        xt_spool_part *part = part_find(spool, place->part);
        if (!part || place->offset >= part->n_bytes) {
            part = part_after(spool, place->part);
            if (!part)
                return 1;
            place->part = part->id;
            place->offset = XT_SPOOL_FILE_HEAD;
            continue;
        }
        int r = read_open(spool, part->id);
        if (r < 0)
            return xt_error_trace(r);
        xt_spool_record record;
        r = xt_spool_record_read(spool->settings.vfs, spool->read_fd, place->offset, part->n_bytes, &spool->scratch,
                                 &record);
        if (r < 0)
            return xt_error_trace(r);
        if (r > 0) {
            part->n_bytes = place->offset;
            continue;
        }
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

static int part_remove_first(xt_spool *spool, size_t i)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, spool->parts[i].id, &name);
    if (spool->read_fd >= 0 && spool->read_part == spool->parts[i].id)
        read_close(spool);
    int r = spool->settings.vfs->unlink(spool->settings.vfs, path);
    if (r < 0 && r != -ENOENT)
        return xt_error_origin(r);
    spool->n_parts--;
    memmove(spool->parts + i, spool->parts + i + 1, (spool->n_parts - i) * sizeof spool->parts[0]);
    return 0;
}

static int tail_open(xt_spool *spool)
{
    const xt_vfs *vfs = spool->settings.vfs;
    assert(spool->n_parts < XT_SPOOL_MAX_FILES);
    uint64_t id = spool->n_parts ? spool->parts[spool->n_parts - 1].id + 1 : spool->acked.part + 1;
    char path[4096], head[16];
    xt_buf name = XT_BUF_ON(path), bytes = XT_BUF_ON(head);
    xt_spool_path(spool, id, &name);
    xt_spool_file_put_head(&bytes);
    int fd = vfs->open(vfs, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return xt_error_origin(fd);
    int r = xt_vfs_write_all(vfs, fd, bytes.p, bytes.n, 0);
    if (r < 0) {
        vfs->close(vfs, fd);
        vfs->unlink(vfs, path);
        return xt_error_trace(r);
    }
    if (spool->tail_fd >= 0)
        vfs->close(vfs, spool->tail_fd);
    spool->tail_fd = fd;
    spool->parts[spool->n_parts++] = (xt_spool_part){.id = id, .n_bytes = XT_SPOOL_FILE_HEAD};
    return 0;
}

/* A write that failed is cut off again, or the next one would stand behind a torn record. */
static int tail_put(xt_spool *spool, const xt_spool_record *record)
{
    const xt_vfs *vfs = spool->settings.vfs;
    xt_spool_part *tail = spool->n_parts ? &spool->parts[spool->n_parts - 1] : NULL;
    int r = 0;
    if (spool->tail_fd < 0 || !tail || tail->n_bytes >= spool->part_bytes)
        r = tail_open(spool);
    if (r < 0)
        return xt_error_trace(r);
    tail = &spool->parts[spool->n_parts - 1];
    xt_buf bytes = XT_BUF_INIT;
    xt_spool_record_put(&bytes, record);
    r = xt_buf_done(&bytes);
    if (r >= 0)
        r = xt_vfs_write_all(vfs, spool->tail_fd, bytes.p, bytes.n, tail->n_bytes);
    if (r >= 0) {
        tail->n_bytes += bytes.n;
        tail->n_batches++;
        tail->n_events += record->n_events;
        tail->n_lost += record->n_lost;
        tail->n_tombs += record->n_lost > 0;
    } else if (vfs->truncate(vfs, spool->tail_fd, tail->n_bytes) < 0) {
        vfs->close(vfs, spool->tail_fd);
        spool->tail_fd = -1;
    }
    xt_buf_fini(&bytes);
    return r < 0 ? xt_error_trace(r) : 0;
}

static int tail_put_events(xt_spool *spool, xt_slice events, uint64_t n_events, uint64_t n_lost)
{
    xt_buf packed = XT_BUF_INIT;
    xt_spool_record record = {.n_events = (uint32_t)n_events, .n_lost = n_lost, .raw_bytes = events.n};
    int r = xt_codec_pack(events, spool->codec, &packed, &record.codec);
    record.data = xt_buf_slice(&packed);
    if (r >= 0)
        r = tail_put(spool, &record);
    xt_buf_fini(&packed);
    return r < 0 ? xt_error_trace(r) : 0;
}

static uint64_t all_bytes(const xt_spool *spool)
{
    uint64_t n = 0;
    for (size_t i = 0; i < spool->n_parts; i++)
        n += spool->parts[i].n_bytes;
    return n;
}

/* The oldest file that holds nothing which was ever given out; n_parts when there is none but the newest. */
static size_t droppable(const xt_spool *spool)
{
    for (size_t i = 0; i + 1 < spool->n_parts; i++)
        if (spool->parts[i].id > spool->sent_part && spool->parts[i].id > spool->acked.part)
            return i;
    return spool->n_parts;
}

static int drop(xt_spool *spool, size_t i)
{
    const xt_spool_part part = spool->parts[i];
    uint64_t n_events = part.n_events - part.n_tombs + part.n_lost;
    xt_buf event = XT_BUF_INIT;
    spool->settings.tombstone(spool->settings.context, part.n_batches - part.n_tombs, n_events, &event);
    int r = xt_buf_done(&event);
    if (r >= 0)
        r = part_remove_first(spool, i);
    if (r >= 0)
        r = tail_put_events(spool, xt_buf_slice(&event), 1, n_events);
    xt_buf_fini(&event);
    spool->n_dropped_batches += part.n_batches - part.n_tombs;
    spool->n_dropped_events += part.n_events - part.n_tombs;
    if (r >= 0)
        r = xt_spool_state_write(spool);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_spool_put(xt_spool *spool, xt_slice events, uint64_t n_events, xt_problem *reterr_problem)
{
    int r = tail_put_events(spool, events, n_events, 0);
    while (r >= 0 && (all_bytes(spool) > spool->settings.max_bytes || spool->n_parts + 2 > XT_SPOOL_MAX_FILES)) {
        size_t i = droppable(spool);
        if (i == spool->n_parts)
            break;
        r = drop(spool, i);
    }
    return r < 0 ? failed(spool, r, "written", reterr_problem) : 0;
}

int xt_spool_next(xt_spool *spool, uint64_t after, uint64_t *ret_number, xt_buf *out, xt_problem *reterr_problem)
{
    assert(after >= spool->acked.number);
    if (after < spool->sent.number)
        spool->sent = spool->acked;
    xt_spool_record record;
    int r = 0;
    while (r == 0 && spool->sent.number <= after)
        r = place_next(spool, &spool->sent, &record);
    if (r == 0 && spool->sent.number > spool->sent_max) {
        spool->sent_max = spool->sent.number;
        spool->sent_part = spool->sent.part;
        r = xt_spool_state_write(spool);
    }
    if (r < 0)
        return failed(spool, r, "read", reterr_problem);
    *ret_number = r == 0 ? spool->sent.number : 0;
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
    if (r != 0)
        return r;
    if (spool->acked.part != part)
        spool->n_acked_batches = spool->n_acked_events = 0;
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
    if (r >= 0)
        r = xt_spool_state_write(spool);
    while (r >= 0 && spool->n_parts > 0 && spool->parts[0].id < spool->acked.part)
        r = part_remove_first(spool, 0);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_spool_ack(xt_spool *spool, uint64_t number, xt_problem *reterr_problem)
{
    if (number <= spool->acked.number || number > spool->sent_max)
        return 0;
    int r = ack_until(spool, number);
    return r < 0 ? failed(spool, r, "written", reterr_problem) : 0;
}

static int renew(xt_spool *spool, xt_problem *reterr_problem)
{
    if (getrandom(spool->stream.b, sizeof spool->stream.b, 0) != sizeof spool->stream.b)
        return xt_error_origin(-EIO);
    spool->acked.number = 0;
    spool->acked.hash = (xt_hash128){{0}};
    spool->sent = spool->acked;
    spool->sent_max = spool->sent_part = 0;
    int r = xt_spool_state_write(spool);
    return r < 0 ? failed(spool, r, "written", reterr_problem) : XT_SPOOL_E_RENEWED;
}

/* Whether the stream's batch of that number has that hash; nothing is acknowledged yet. */
static int hash_check(xt_spool *spool, uint64_t number, xt_hash128 hash)
{
    xt_spool_place place = spool->acked;
    xt_spool_record record;
    int r = 0;
    while (r == 0 && place.number < number)
        r = place_next(spool, &place, &record);
    return r != 0 ? r : !xt_hash128_eq(place.hash, hash);
}

int xt_spool_welcome(xt_spool *spool, uint64_t number, xt_hash128 hash, xt_problem *reterr_problem)
{
    if (number < spool->acked.number || number > spool->sent_max)
        return renew(spool, reterr_problem);
    int r = hash_check(spool, number, hash);
    if (r > 0)
        return renew(spool, reterr_problem);
    if (r == 0)
        r = ack_until(spool, number);
    return r < 0 ? failed(spool, r, "read", reterr_problem) : 0;
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
    xt_spool_path(spool, spool->parts[spool->n_parts - 1].id, &name);
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
    *ret = spool;
    return 0;
}

xt_spool *xt_spool_close(xt_spool *spool)
{
    if (!spool)
        return NULL;
    read_close(spool);
    if (spool->tail_fd >= 0)
        spool->settings.vfs->close(spool->settings.vfs, spool->tail_fd);
    xt_buf_fini(&spool->scratch);
    xt_buf_fini(&spool->payload);
    free(spool->dir);
    free(spool);
    return NULL;
}
