/*
 * How it works: a drop is written down in `stream` and synced, then done, then told of by a tombstone, then struck out. Where a
 * process ends in between, the next one finds what to do: the file that was to go goes, the one that was to be replaced is
 * replaced (its successor was synced before), and a tombstone with the drop's number is looked for among the records before one is
 * put. Where the disk has no room for a tombstone, what is untold is kept in `stream`, which is written in place.
 *
 * Events of a rank are taken out of a file by writing another one without them: so what is ordinary is one queue on the disk, and
 * ranks cost nothing until there is no room. A file is rewritten once a rank at most. Where the disk does not even take that, the
 * file goes whole.
 */
#include <errno.h>
#include <fcntl.h>

#include "wire/spool_private.h"

static bool is_given_out(const xt_spool *spool, const xt_spool_part *part)
{
    return part->id <= spool->sent_part || part->id <= spool->acked.part;
}

/* ------------------------------------------------------------------------------------------------ losses */

static uint64_t loss_events(const xt_spool_loss *loss)
{
    uint64_t n = loss->n_unknown;
    for (unsigned i = 0; i < XT_N_RANKS; i++)
        n += loss->n_events[i];
    return n;
}

static void loss_add(xt_spool_loss *loss, const xt_spool_loss *more)
{
    loss->n_batches += more->n_batches;
    for (unsigned i = 0; i < XT_N_RANKS; i++)
        loss->n_events[i] += more->n_events[i];
    loss->n_unknown += more->n_unknown;
    loss->n_damaged += more->n_damaged;
    if (more->from_ms && (!loss->from_ms || more->from_ms < loss->from_ms))
        loss->from_ms = more->from_ms;
    if (more->to_ms > loss->to_ms)
        loss->to_ms = more->to_ms;
}

static void loss_event(xt_spool_loss *loss, const xt_event *event)
{
    const uint64_t ms = xt_event_num(event, XT_F_TIME, 0);
    loss_add(loss, &(xt_spool_loss){.from_ms = ms, .to_ms = ms});
    loss->n_events[xt_event_rank_get(event)]++;
}

/* ------------------------------------------------------------------------------------------------ drops */

void xt_spool_tell(xt_spool *spool)
{
    xt_buf event = XT_BUF_INIT, packed = XT_BUF_INIT;
    xt_spool_drop *drop = &spool->drop;
    xt_spool_record record = {.n_events = 1, .n_lost = loss_events(&drop->loss), .drop = drop->number};
    if (!drop->is_untold)
        return;
    spool->settings.tombstone(spool->settings.context, &drop->loss, &event);
    record.raw_bytes = event.n;
    int r = xt_buf_done(&event);
    if (r == 0)
        r = xt_codec_pack(xt_buf_slice(&event), spool->codec, &packed, &record.codec);
    record.data = xt_buf_slice(&packed);
    if (r == 0)
        r = xt_spool_tail_put(spool, &record);
    if (r == 0) {
        drop->is_untold = 0;
        drop->loss = (xt_spool_loss){0};
        r = xt_spool_state_write(spool, false); /* else the tombstone is found by its number */
    }
    xt_buf_fini(&event);
    xt_buf_fini(&packed);
}

int xt_spool_drop_finish(xt_spool *spool)
{
    const xt_vfs *vfs = spool->settings.vfs;
    char from[4096], to[4096];
    xt_buf a = XT_BUF_ON(from), b = XT_BUF_ON(to);
    uint64_t id = spool->drop.part;
    xt_spool_path(spool, id, true, &a);
    xt_spool_path(spool, id, false, &b);
    from[a.n] = to[b.n] = '\0';
    if (spool->read_part == id)
        xt_spool_read_close(spool);
    int r = spool->drop.is_shed ? vfs->rename(vfs, from, to) : vfs->unlink(vfs, to);
    if (r < 0 && r != -ENOENT)
        return xt_error_origin(r);
    spool->drop.part = 0;
    return 0;
}

/*
 * Writes it down. <0: perhaps it is on the disk and perhaps not, so it is gone on with before anything else (xt_spool_drop_resume).
 * part 0: no file is to be changed. n_before: of its events, those that went before.
 */
static int drop_begin(xt_spool *spool, uint64_t part, bool is_shed, const xt_spool_loss *loss, uint64_t n_before)
{
    spool->drop.number++;
    spool->drop.part = part;
    spool->drop.is_shed = is_shed;
    spool->drop.is_untold = 1;
    loss_add(&spool->drop.loss, loss);
    spool->n_dropped_batches += loss->n_batches;
    spool->n_dropped_events += loss_events(loss) - n_before;
    int r = xt_spool_state_write(spool, true);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_spool_drop_resume(xt_spool *spool)
{
    uint64_t id = spool->drop.part;
    bool is_shed = spool->drop.is_shed;
    if (id == 0)
        return 0;
    int r = xt_spool_state_write(spool, true);
    if (r == 0)
        r = xt_spool_drop_finish(spool);
    xt_spool_part *part = xt_spool_part_find(spool, id);
    if (r == 0 && part && is_shed)
        r = xt_spool_part_count(spool, part, false, false);
    else if (r == 0)
        r = xt_spool_part_remove(spool, id);
    if (r == 0)
        xt_spool_tell(spool);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_spool_give_up(xt_spool *spool, xt_spool_part *part, uint64_t offset)
{
    const xt_vfs *vfs = spool->settings.vfs;
    uint64_t n_events = part->n_events, n_batches = part->n_batches, n_tombs = part->n_tombs, n_lost = part->n_lost;
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, part->id, false, &name);
    int fd = vfs->open(vfs, path, O_RDWR, 0);
    if (fd < 0)
        return xt_error_origin(fd);
    int r = vfs->truncate(vfs, fd, offset);
    vfs->close(vfs, fd);
    if (part->id == spool->acked.part)
        spool->n_acked_batches = spool->n_acked_events = 0;
    if (r == 0)
        r = xt_spool_part_count(spool, part, false, false);
    if (r < 0)
        return xt_error_trace(r);
    xt_spool_loss loss = {.n_batches = n_batches - part->n_batches - (n_tombs - part->n_tombs)};
    loss.n_unknown = n_events - part->n_events - (n_tombs - part->n_tombs) + (n_lost - part->n_lost);
    loss.n_damaged = loss.n_unknown;
    if (loss.n_unknown == 0)
        return 0;
    r = drop_begin(spool, 0, false, &loss, n_lost - part->n_lost);
    if (r == 0)
        xt_spool_tell(spool);
    return r;
}

/* ------------------------------------------------------------------------------------------------ taking events out */

typedef struct shedding {
    xt_spool *spool;
    unsigned level;     /* events up to this rank go */
    int from_fd, to_fd; /* to_fd -1: they are only counted */
    xt_spool_part left; /* what is in the new file */
    xt_spool_loss loss;
    xt_buf raw, events, out;
} shedding;

static int shed_put(shedding *s, const xt_spool_record *record)
{
    xt_buf_reset(&s->out);
    xt_spool_record_put(&s->out, record);
    int r = xt_buf_done(&s->out);
    if (r == 0 && s->to_fd >= 0)
        r = xt_vfs_write_all(s->spool->settings.vfs, s->to_fd, s->out.p, s->out.n, s->left.n_bytes);
    s->left.n_bytes += s->out.n;
    s->left.n_batches++;
    s->left.n_events += record->n_events;
    s->left.n_tombs += record->n_lost > 0;
    s->left.n_lost += record->n_lost;
    return r < 0 ? xt_error_trace(r) : 0;
}

/* Parts the events of a batch; *ret_n: how many stay. */
static int shed_events(shedding *s, const xt_spool_record *record, uint64_t *ret_n)
{
    xt_slice rest, bytes;
    uint64_t n = 0;
    xt_buf_reset(&s->raw);
    xt_buf_reset(&s->events);
    int r = xt_codec_unpack(record->codec, record->data, XT_BATCH_MAX_RAW_BYTES, &s->raw);
    if (r != 0)
        return r;
    for (rest = xt_buf_slice(&s->raw); xt_event_batch_next(&rest, &bytes);) {
        xt_event event;
        if (xt_event_decode(bytes, &event, NULL) == 0 && xt_event_rank_get(&event) <= s->level) {
            loss_event(&s->loss, &event);
        } else {
            xt_buf_put_block(&s->events, bytes);
            n++;
        }
    }
    *ret_n = n;
    return xt_buf_done(&s->events);
}

static int shed_record(shedding *s, const xt_spool_record *record)
{
    xt_buf packed = XT_BUF_INIT;
    uint64_t n = 0;
    if (record->n_lost > 0)
        return shed_put(s, record);
    int r = shed_events(s, record, &n);
    if (r > 0) { /* nobody could read it either */
        s->loss.n_batches++;
        s->loss.n_unknown += record->n_events;
        s->loss.n_damaged += record->n_events;
        return 0;
    }
    if (r == 0 && n == record->n_events)
        return shed_put(s, record);
    if (r == 0 && n == 0) {
        s->loss.n_batches++;
        return 0;
    }
    xt_spool_record fewer = {.n_events = (uint32_t)n, .raw_bytes = s->events.n};
    if (r == 0)
        r = xt_codec_pack(xt_buf_slice(&s->events), s->spool->codec, &packed, &fewer.codec);
    fewer.data = xt_buf_slice(&packed);
    if (r == 0)
        r = shed_put(s, &fewer);
    xt_buf_fini(&packed);
    return r < 0 ? xt_error_trace(r) : 0;
}

static int shed_records(shedding *s, const xt_spool_part *part)
{
    uint64_t offset = XT_SPOOL_FILE_HEAD, n_seen = 0, n_batches = 0;
    xt_spool_record record;
    int r = 0;
    while (r == 0) {
        r = xt_spool_record_read(s->spool->settings.vfs, s->from_fd, offset, part->n_bytes, &s->spool->scratch,
                                 &record);
        if (r != 0)
            break;
        offset += record.n_bytes;
        n_seen += record.n_events;
        n_batches++;
        r = shed_record(s, &record);
    }
    if (r < 0)
        return xt_error_trace(r);
    s->loss.n_batches += part->n_batches - n_batches; /* behind a damaged record */
    s->loss.n_unknown += part->n_events - n_seen;
    s->loss.n_damaged += part->n_events - n_seen;
    return 0;
}

static void shedding_fini(shedding *s)
{
    const xt_vfs *vfs = s->spool->settings.vfs;
    if (s->from_fd >= 0)
        vfs->close(vfs, s->from_fd);
    if (s->to_fd >= 0)
        vfs->close(vfs, s->to_fd);
    xt_buf *const bufs[] = {&s->raw, &s->events, &s->out};
    for (size_t i = 0; i < XT_COUNT_OF(bufs); i++)
        xt_buf_fini(bufs[i]);
}

/* Opens both files, the new one with its head. */
static int shedding_open(shedding *s, const xt_spool_part *part, bool counts_only)
{
    const xt_vfs *vfs = s->spool->settings.vfs;
    char path[4096], head[16];
    xt_buf name = XT_BUF_ON(path), bytes = XT_BUF_ON(head);
    s->from_fd = s->to_fd = -1;
    s->left = (xt_spool_part){.id = part->id, .n_bytes = XT_SPOOL_FILE_HEAD, .shed = s->level + 1};
    xt_spool_path(s->spool, part->id, false, &name);
    path[name.n] = '\0';
    s->from_fd = vfs->open(vfs, path, O_RDONLY, 0);
    if (s->from_fd < 0)
        return xt_error_origin(s->from_fd);
    if (counts_only)
        return 0;
    xt_spool_path(s->spool, part->id, true, &name);
    path[name.n] = '\0';
    xt_spool_file_put_head(&bytes);
    s->to_fd = vfs->open(vfs, path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return s->to_fd < 0 ? xt_error_origin(s->to_fd) : xt_vfs_write_all(vfs, s->to_fd, bytes.p, bytes.n, 0);
}

static void new_remove(xt_spool *spool, uint64_t id)
{
    char path[4096];
    xt_buf name = XT_BUF_ON(path);
    xt_spool_path(spool, id, true, &name);
    path[name.n] = '\0';
    (void)spool->settings.vfs->unlink(spool->settings.vfs, path); /* or it is overwritten later */
}

/* A whole file. */
static int drop_part(xt_spool *spool, xt_spool_part *part)
{
    shedding s = {.spool = spool, .level = XT_N_RANKS};
    int r = shedding_open(&s, part, true);
    if (r == 0)
        r = shed_records(&s, part);
    if (r < 0) /* what it was cannot be read; how much it was is known */
        s.loss =
            (xt_spool_loss){.n_batches = part->n_batches - part->n_tombs, .n_unknown = part->n_events - part->n_tombs};
    s.loss.n_unknown += part->n_lost; /* tombstones that nobody read */
    uint64_t id = part->id;
    r = drop_begin(spool, id, false, &s.loss, part->n_lost);
    shedding_fini(&s);
    if (r == 0)
        r = xt_spool_drop_finish(spool);
    if (r == 0)
        r = xt_spool_part_remove(spool, id);
    if (r == 0)
        xt_spool_tell(spool);
    return r < 0 ? xt_error_trace(r) : 0;
}

/* Events up to that rank of a file. 1: the disk does not take what is left of it. */
static int shed_part(xt_spool *spool, xt_spool_part *part, unsigned level)
{
    shedding s = {.spool = spool, .level = level};
    int r = shedding_open(&s, part, false);
    if (r == 0)
        r = shed_records(&s, part);
    bool changed = r == 0 && loss_events(&s.loss) > 0, empty = s.left.n_batches == 0;
    if (changed && !empty)
        r = spool->settings.vfs->fdatasync(spool->settings.vfs, s.to_fd);
    shedding_fini(&s);
    if (r < 0 || !changed || empty)
        new_remove(spool, part->id);
    if (r < 0)
        return 1;
    if (!changed)
        part->shed = level + 1;
    if (!changed || empty)
        return empty ? drop_part(spool, part) : 0;
    r = drop_begin(spool, part->id, true, &s.loss, 0);
    if (r == 0)
        r = xt_spool_drop_finish(spool);
    if (r == 0)
        *part = s.left;
    if (r == 0)
        xt_spool_tell(spool);
    return r < 0 ? xt_error_trace(r) : 0;
}

/* ------------------------------------------------------------------------------------------------ room */

uint64_t xt_spool_bound(const xt_spool *spool)
{
    uint64_t bytes = xt_spool_bytes(spool), room = UINT64_MAX;
    if (spool->settings.room)
        room = spool->settings.room(spool->settings.context);
    return room > spool->settings.max_bytes || bytes + room > spool->settings.max_bytes ? spool->settings.max_bytes
                                                                                        : bytes + room;
}

/* The oldest file that was never given out and still has events up to that rank; not the one that is being written, nor tombstones. */
static xt_spool_part *oldest(xt_spool *spool, unsigned level)
{
    for (size_t i = 0; i + (spool->tail_fd >= 0) < spool->n_parts; i++)
        if (!is_given_out(spool, &spool->parts[i]) && spool->parts[i].shed <= level &&
            spool->parts[i].n_batches > spool->parts[i].n_tombs)
            return &spool->parts[i];
    return NULL;
}

/* 1: there is nothing that may go. */
static int make_some(xt_spool *spool)
{
    xt_spool_part *part;
    if (spool->drop.part)
        return xt_spool_drop_resume(spool);
    for (unsigned level = XT_RANK_END; level < XT_RANK_FIRST; level++) {
        part = oldest(spool, level);
        int r = part ? shed_part(spool, part, level) : 0;
        if (part)
            return r > 0 ? drop_part(spool, part) : r;
    }
    part = oldest(spool, XT_N_RANKS);
    return part ? drop_part(spool, part) : 1;
}

static bool disk_is_full(const xt_spool *spool, uint64_t n_bytes)
{
    return spool->settings.room && spool->settings.room(spool->settings.context) < n_bytes;
}

/* On a full disk the newest file may go too: the next put begins another. True: there is more to be had by that. */
static bool tail_end(xt_spool *spool)
{
    const xt_spool_part *tail = spool->n_parts > 0 ? &spool->parts[spool->n_parts - 1] : NULL;
    if (spool->tail_fd < 0 || !tail || is_given_out(spool, tail) || tail->n_batches == tail->n_tombs)
        return false;
    if (spool->settings.vfs->fdatasync(spool->settings.vfs, spool->tail_fd) < 0)
        return false; /* all files but the newest are synced */
    spool->settings.vfs->close(spool->settings.vfs, spool->tail_fd);
    spool->tail_fd = -1;
    return true;
}

int xt_spool_make_room(xt_spool *spool, uint64_t n_bytes)
{
    int r = 0;
    spool->is_shedding = false;
    while (r == 0 &&
           (xt_spool_bytes(spool) + n_bytes > xt_spool_bound(spool) || spool->n_parts + 2 > XT_SPOOL_MAX_FILES)) {
        spool->is_shedding = true;
        r = make_some(spool);
        if (r == 1 && disk_is_full(spool, n_bytes) && tail_end(spool))
            r = 0;
    }
    if (r <= 0)
        return r < 0 ? xt_error_trace(r) : 0;
    return disk_is_full(spool, n_bytes) || spool->n_parts + 2 > XT_SPOOL_MAX_FILES;
}
