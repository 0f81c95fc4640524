/*
 * Everything that can be held against something else: chunks against their checksums, files against the catalog, the
 * catalog against the ledger, the ledger's rows against their chain, and its counts against what segments and pending
 * rows hold, streams against the batches that the ledger has of them. What pending.db says is read from a snapshot, so
 * that nobody has to wait; the segments, which may take hours, with merging and retiring held off, which would take them
 * away.
 */
#include "store/store_verify.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/store_private.h"

/* The last batch of a stream that the ledger has. */
typedef struct stream_end {
    uint64_t number;
    xt_hash128 hash;
} stream_end;

/* A hold that the ledger has. */
typedef struct hold_seen {
    uint64_t id;
    xt_digest note;
} hold_seen;

typedef struct verifying {
    xt_store *store;
    xt_pending *snapshot;
    const unsigned char *against; /* chain of the row `against_id`; NULL: not asked for */
    uint64_t against_id;
    bool against_found;
    xt_map streams; /* stream_end by stream */
    xt_buf holds;   /* hold_seen of those in force by the ledger */
    void (*report)(void *context, const xt_problem *problem);
    void *context;
    xt_ledger_check check;
    xt_ledger_row before[2]; /* the ledger's rows before the one at hand, the last one first; their notes are gone */
    uint64_t n_in_segments;  /* rows that the catalog says are in segments */
    xt_buf catalog;          /* xt_pending_segment, one behind the other */
    xt_buf living;           /* xt_ledger_row of segments that are neither replaced nor retired */
    xt_segment_reader *reader;
    xt_arena arena;
} verifying;

static void report(verifying *v, const xt_problem *problem)
{
    if (v->report)
        v->report(v->context, problem);
}

/* ------------------------------------------------------------------------------------------------ ledger */

static void living_drop(verifying *v, uint64_t id)
{
    xt_ledger_row *rows = (xt_ledger_row *)v->living.p;
    size_t n = v->living.n / sizeof *rows;

    for (size_t i = n; i-- > 0;)
        if (rows[i].first == id) {
            rows[i] = rows[n - 1];
            v->living.n -= sizeof *rows;
            return;
        }
}

/* Which segments there have to be. */
static void living_note(verifying *v, const xt_ledger_row *row)
{
    if (row->kind == XT_LEDGER_SEALED || row->kind == XT_LEDGER_MERGED || row->kind == XT_LEDGER_HELD ||
        row->kind == XT_LEDGER_REWRITTEN)
        xt_buf_put(&v->living, xt_slice_of((const char *)row, sizeof *row));
    else if (row->kind == XT_LEDGER_REPLACED || row->kind == XT_LEDGER_RETIRED)
        living_drop(v, row->first);
}

/* Batches of a stream are numbered 1, 2, 3, ... */
static int stream_note(verifying *v, const xt_ledger_head *at, const xt_ledger_row *row)
{
    xt_slice key = xt_slice_of(row->subject.b, sizeof row->subject.b);
    stream_end *end = xt_map_find(&v->streams, key);
    xt_problem problem = XT_PROBLEM_INIT;

    if (!end) {
        end = calloc(1, sizeof *end + key.n);
        if (!end)
            return xt_error_origin(-ENOMEM);
        memcpy(end + 1, key.p, key.n);
        int r = xt_map_put(&v->streams, xt_slice_of((const char *)(end + 1), key.n), end, NULL);
        if (r < 0) {
            free(end);
            return xt_error_trace(r);
        }
    }
    if (row->first != end->number + 1 || row->last < row->first) {
        v->check.counts_ok = false;
        xt_problem_set(&problem, "ledger row %llu has batches %llu to %llu of a stream whose last one was %llu",
                       (unsigned long long)at->id, (unsigned long long)row->first, (unsigned long long)row->last,
                       (unsigned long long)end->number);
        xt_problem_source(&problem, "ledger");
        report(v, &problem);
    }
    *end = (stream_end){row->last, row->hash};
    return 0;
}

static int on_stream(void *context, const xt_pending_stream *stream)
{
    verifying *v = context;
    const stream_end *end = xt_map_find(&v->streams, xt_slice_of(stream->stream.b, sizeof stream->stream.b));
    xt_problem problem = XT_PROBLEM_INIT;
    char name[33];

    if (end && end->number == stream->number && xt_hash128_eq(end->hash, stream->hash))
        return 0;
    v->check.counts_ok = false;
    xt_hash128_format(stream->stream, name);
    xt_problem_set(&problem, "stream %s is at batch %llu, and the ledger has it at %llu", name,
                   (unsigned long long)stream->number, (unsigned long long)(end ? end->number : 0));
    xt_problem_source(&problem, "pending.db");
    report(v, &problem);
    return 0;
}

static void hold_drop(verifying *v, uint64_t id)
{
    hold_seen *holds = (hold_seen *)v->holds.p;

    for (size_t n = v->holds.n / sizeof *holds, i = n; i-- > 0;)
        if (holds[i].id == id) {
            holds[i] = holds[n - 1];
            v->holds.n -= sizeof *holds;
            return;
        }
}

static int hold_note(verifying *v, const xt_ledger_row *row)
{
    hold_seen seen = {.id = row->first};
    int r = 0;

    if (row->kind == XT_LEDGER_RELEASED)
        hold_drop(v, row->first);
    if (row->kind != XT_LEDGER_HOLD)
        return 0;
    r = xt_digest_of(row->note, &seen.note);
    xt_buf_put(&v->holds, xt_slice_of((const char *)&seen, sizeof seen));
    return r < 0 ? r : xt_buf_done(&v->holds);
}

static void hold_report(verifying *v, uint64_t id, const char *what)
{
    xt_problem problem = XT_PROBLEM_INIT;

    v->check.counts_ok = false;
    xt_problem_set(&problem, "hold %llu %s", (unsigned long long)id, what);
    xt_problem_source(&problem, "pending.db");
    report(v, &problem);
}

static int on_hold(void *context, const xt_pending_hold *hold)
{
    verifying *v = context;
    const hold_seen *holds = (const hold_seen *)v->holds.p;
    XT_CLEANUP(xt_buf_fini) xt_buf note = XT_BUF_INIT;
    size_t n = v->holds.n / sizeof *holds, i = 0;
    xt_digest digest;

    xt_store_hold_note(&note, hold, hold->who);
    int r = xt_buf_done(&note);
    if (r == 0)
        r = xt_digest_of(xt_buf_slice(&note), &digest);
    if (r < 0)
        return xt_error_trace(r);
    while (i < n && holds[i].id != hold->id)
        i++;
    if (i == n || !xt_digest_eq(&holds[i].note, &digest))
        hold_report(v, hold->id, "is not what the ledger says was placed");
    hold_drop(v, hold->id);
    return 0;
}

static int holds_check(verifying *v, xt_problem *reterr_problem)
{
    int r = xt_pending_each_hold(v->snapshot, on_hold, v, reterr_problem);

    for (size_t at = 0; at < v->holds.n && r == 0; at += sizeof(hold_seen))
        hold_report(v, ((const hold_seen *)(v->holds.p + at))->id, "was placed by the ledger, and is not there");
    return r;
}

/* A tombstone stands behind the segment that it is for, and counts what that one had and the rewritten one has not. */
static void erased_check(verifying *v, const xt_ledger_head *at, const xt_ledger_row *row)
{
    const xt_ledger_row *replaced = &v->before[0], *rewritten = &v->before[1];
    bool has_kept = replaced->last != 0;
    uint64_t n_kept = has_kept ? rewritten->n_events : 0;
    xt_problem problem = XT_PROBLEM_INIT;

    if (replaced->kind == XT_LEDGER_REPLACED && replaced->first == row->last &&
        replaced->n_events == n_kept + row->n_events &&
        (!has_kept || (rewritten->kind == XT_LEDGER_REWRITTEN && rewritten->first == replaced->last)))
        return;
    v->check.counts_ok = false;
    xt_problem_set(&problem,
                   "ledger row %llu says that %llu rows of segment %016llx were erased, which is not what was done",
                   (unsigned long long)at->id, (unsigned long long)row->n_events, (unsigned long long)row->last);
    xt_problem_source(&problem, "ledger");
    report(v, &problem);
}

static int on_ledger(void *context, const xt_ledger_head *at, const xt_ledger_row *row, bool chained)
{
    verifying *v = context;
    xt_problem problem = XT_PROBLEM_INIT;

    v->check.n_rows++;
    v->check.head_id = at->id;
    memcpy(v->check.chain, at->chain.b, sizeof v->check.chain);
    if (v->against && at->id == v->against_id)
        v->against_found = memcmp(v->against, at->chain.b, sizeof at->chain.b) == 0;
    int r = row->kind == XT_LEDGER_RECEIVED ? stream_note(v, at, row) : 0;
    if (r == 0)
        r = hold_note(v, row);
    if (r < 0)
        return xt_error_trace(r);
    if (row->kind == XT_LEDGER_RECEIVED)
        v->check.n_received += row->n_events;
    else if (row->kind == XT_LEDGER_SEALED)
        v->check.n_sealed += row->n_events;
    else if (row->kind == XT_LEDGER_RETIRED)
        v->check.n_retired += row->n_events;
    else if (row->kind == XT_LEDGER_ERASED)
        v->check.n_erased += row->n_events;
    if (row->kind == XT_LEDGER_ERASED)
        erased_check(v, at, row);
    v->before[1] = v->before[0];
    v->before[0] = *row;
    living_note(v, row);
    if (!chained) {
        v->check.chain_ok = false;
        xt_problem_set(&problem, "ledger row %llu does not follow from the row before it", (unsigned long long)at->id);
        xt_problem_source(&problem, "ledger");
        report(v, &problem);
    }
    return 0;
}

static int on_row(void *context, const xt_pending_row *row, bool intact)
{
    verifying *v = context;
    xt_problem problem = XT_PROBLEM_INIT;

    v->check.n_pending += row->n_events;
    if (!intact) {
        xt_problem_set(&problem, "the checksum of pending batch %lld does not hold", (long long)row->id);
        xt_problem_source(&problem, "pending.db");
        report(v, &problem);
    }
    return 0;
}

static void counts_check(verifying *v)
{
    xt_ledger_check *check = &v->check;
    xt_problem problem = XT_PROBLEM_INIT;

    bool agree = check->n_received == check->n_sealed + check->n_pending &&
                 check->n_sealed == v->n_in_segments + check->n_retired + check->n_erased;
    if (agree)
        return;
    check->counts_ok = false;
    xt_problem_set(
        &problem,
        "the counts do not agree: received %llu, sealed %llu (in segments %llu, retired %llu, erased %llu), pending "
        "%llu",
        (unsigned long long)check->n_received, (unsigned long long)check->n_sealed,
        (unsigned long long)v->n_in_segments, (unsigned long long)check->n_retired, (unsigned long long)check->n_erased,
        (unsigned long long)check->n_pending);
    xt_problem_source(&problem, "ledger");
    report(v, &problem);
}

/* ------------------------------------------------------------------------------------------------ catalog */

static void catalog_report(verifying *v, uint64_t id, const char *what)
{
    xt_problem problem = XT_PROBLEM_INIT;

    v->check.counts_ok = false;
    xt_problem_set(&problem, "segment %016llx %s", (unsigned long long)id, what);
    xt_problem_source(&problem, "ledger");
    report(v, &problem);
}

/* The catalog has just the segments that the ledger says. */
static void catalog_check(verifying *v)
{
    for (size_t at = 0; at < v->catalog.n; at += sizeof(xt_pending_segment)) {
        const xt_pending_segment *row = (const xt_pending_segment *)(v->catalog.p + at);
        const xt_ledger_row *rows = (const xt_ledger_row *)v->living.p;
        size_t n = v->living.n / sizeof *rows, i = 0;
        while (i < n && rows[i].first != row->id)
            i++;
        if (i == n)
            catalog_report(v, row->id, "is in the catalog, and the ledger does not know it");
        else if (rows[i].n_events != row->n_rows || !xt_hash128_eq(rows[i].hash, row->hash))
            catalog_report(v, row->id, "is not what the ledger says of it");
        living_drop(v, row->id);
    }
    for (size_t at = 0; at < v->living.n; at += sizeof(xt_ledger_row))
        catalog_report(v, ((const xt_ledger_row *)(v->living.p + at))->first,
                       "is in the ledger and not in the catalog");
}

/* ------------------------------------------------------------------------------------------------ segments */

static int dict_check(verifying *v, const xt_segment *segment, xt_field field, xt_problem *problem)
{
    const xt_dict *dict = xt_segment_dict(segment, field);
    xt_slice *entries;
    bool held;
    int r = 0;

    for (uint32_t i = 0; dict && i < dict->n_chunks && r == 0; i++) {
        xt_arena_reset(&v->arena);
        r = xt_segment_read_dict(v->reader, segment, field, i, false, &v->arena, &entries, problem);
        if (r == 0)
            r = xt_segment_may_hold(v->reader, segment, field, i, XT_S("any"), &held, problem);
    }
    return r;
}

static int group_check(verifying *v, const xt_segment *segment, uint32_t group, xt_problem *problem)
{
    const uint64_t *arrivals;
    xt_column column;

    xt_arena_reset(&v->arena);
    int r = xt_segment_read_arrivals(v->reader, segment, group, &v->arena, &arrivals, problem);
    for (unsigned f = 1; f < XT_F_END && r == 0; f++) {
        xt_arena_reset(&v->arena);
        r = xt_segment_read(v->reader, segment, group, (xt_field)f, &v->arena, &column, problem);
    }
    return r;
}

/* Each damaged row group and dictionary is reported. */
static int parts_check(verifying *v, const xt_segment *segment, xt_problem *problem)
{
    int r = 0;

    for (unsigned f = 1; f < XT_F_END && r >= 0; f++) {
        r = dict_check(v, segment, (xt_field)f, problem);
        if (r > 0)
            report(v, problem);
    }
    for (uint32_t g = 0; g < xt_segment_info_get(segment)->n_groups && r >= 0; g++) {
        r = group_check(v, segment, g, problem);
        if (r > 0)
            report(v, problem);
    }
    return r;
}

/* The file's bytes against what the ledger has of it. */
static int digest_check(verifying *v, const xt_pending_segment *row, const char *path)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_digest digest;
    int r = xt_digest_of_file(v->store->vfs, path, &digest, NULL);

    for (size_t at = 0; at < v->living.n && r == 0; at += sizeof(xt_ledger_row)) {
        const xt_ledger_row *entered = (const xt_ledger_row *)(v->living.p + at);
        if (entered->first != row->id || xt_digest_eq(&entered->digest, &digest))
            continue;
        v->check.counts_ok = false;
        xt_problem_set(&problem, "its bytes are not those that the ledger has the SHA-256 of");
        xt_problem_source(&problem, strrchr(path, '/') + 1);
        report(v, &problem);
    }
    return r;
}

/* Reads all of a segment anew. */
static int segment_check(verifying *v, const xt_pending_segment *row, const char *path)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_segment *segment = NULL;
    int r = xt_segment_open(v->store->vfs, path, &segment, &problem);

    if (r > 0)
        report(v, &problem);
    if (r != 0)
        return r < 0 ? r : 0;
    if (!xt_hash128_eq(xt_segment_info_get(segment)->hash, row->hash)) {
        xt_problem_set(&problem, "this is not the segment that the catalog names");
        xt_problem_source(&problem, path);
        report(v, &problem);
    }
    r = parts_check(v, segment, &problem);
    if (r >= 0)
        r = digest_check(v, row, path);
    xt_segment_unref(segment);
    return r < 0 ? r : 0;
}

static int on_segment(void *context, const xt_pending_segment *row)
{
    verifying *v = context;

    v->n_in_segments += row->n_rows;
    xt_buf_put(&v->catalog, xt_slice_of(row, sizeof *row));
    return 0;
}

static int segments_check(verifying *v)
{
    int r = xt_buf_done(&v->catalog);

    for (size_t at = 0; at < v->catalog.n && r == 0; at += sizeof(xt_pending_segment)) {
        const xt_pending_segment *row = (const xt_pending_segment *)(v->catalog.p + at);
        char *path = xt_store_segment_path(v->store, row->id, ".xts");
        r = path ? segment_check(v, row, path) : xt_error_origin(-ENOMEM);
        free(path);
    }
    return r;
}

static void against_check(verifying *v)
{
    xt_problem problem = XT_PROBLEM_INIT;

    if (!v->against || v->against_found)
        return;
    v->check.chain_ok = false;
    if (v->check.head_id < v->against_id)
        xt_problem_set(&problem, "the ledger ends at row %llu, before row %llu of the head that is held against it",
                       (unsigned long long)v->check.head_id, (unsigned long long)v->against_id);
    else
        xt_problem_set(&problem,
                       "row %llu is not that of the head that is held against it: something before was changed",
                       (unsigned long long)v->against_id);
    xt_problem_source(&problem, "ledger");
    report(v, &problem);
}

/* A segment's file that neither catalog nor ledger names, and what was put aside as such. */
static void strays_check(verifying *v)
{
    DIR *dir = opendir(v->store->segments_dir);

    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        xt_slice name = xt_slice_str(e->d_name);
        xt_problem problem = XT_PROBLEM_INIT;
        bool known = false;
        uint64_t id;
        if (xt_slice_ends(name, XT_S(".tmp")) || e->d_name[0] == '.')
            continue;
        if (xt_slice_ends(name, XT_S(".xts")) && xt_slice_parse_hex(xt_slice_head(name, name.n - 4), &id)) {
            known = id >= xt_pending_marks_get(v->snapshot).next_segment; /* sealed since, or being so */
            for (size_t at = 0; at < v->catalog.n && !known; at += sizeof(xt_pending_segment))
                known = ((const xt_pending_segment *)(v->catalog.p + at))->id == id;
        }
        if (known)
            continue;
        xt_problem_set(&problem, "no row of the catalog names this file");
        xt_problem_source(&problem, e->d_name);
        v->check.counts_ok = false;
        report(v, &problem);
    }
    if (dir)
        closedir(dir);
}

int xt_store_snapshot(xt_store *store, xt_pending **ret, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/pending.db", store->dir) < 0)
        return xt_error_origin(-ENOMEM);
    pthread_mutex_lock(&store->write_lock);
    int r = xt_pending_open_snapshot(path, ret, reterr_problem);
    pthread_mutex_unlock(&store->write_lock);
    free(path);
    return r;
}

static int records_check(verifying *v, xt_problem *reterr_problem)
{
    int r = xt_pending_each_ledger(v->snapshot, on_ledger, v, reterr_problem);

    if (r == 0)
        r = xt_pending_each_stream(v->snapshot, on_stream, v, reterr_problem);
    if (r == 0)
        r = holds_check(v, reterr_problem);
    if (r == 0)
        r = xt_pending_each_row(v->snapshot, on_row, v, reterr_problem);
    if (r == 0)
        r = xt_pending_each_segment(v->snapshot, on_segment, v, reterr_problem);
    return r;
}

static int all_check(verifying *v, xt_problem *reterr_problem)
{
    int r = records_check(v, reterr_problem);

    if (r == 0)
        r = xt_buf_done(&v->living);
    if (r == 0)
        r = segments_check(v);
    if (r == 0) {
        counts_check(v);
        catalog_check(v);
        strays_check(v);
        against_check(v);
    }
    return r;
}

static void verifying_fini(verifying *v)
{
    size_t i = 0;

    for (xt_map_entry *entry; (entry = xt_map_next(&v->streams, &i)) != NULL;)
        free(entry->value);
    xt_map_fini(&v->streams);
    xt_pending_close(v->snapshot);
    xt_segment_reader_free(v->reader);
    xt_buf_fini(&v->catalog);
    xt_buf_fini(&v->holds);
    xt_buf_fini(&v->living);
    xt_arena_fini(&v->arena);
}

static int verify(verifying *v, bool ledger_alone, xt_ledger_check *ret, xt_problem *reterr_problem)
{
    v->check = (xt_ledger_check){.chain_ok = true, .counts_ok = true};
    v->reader = xt_segment_reader_new();
    xt_arena_init(&v->arena, SIZE_MAX);
    if (!ledger_alone)
        pthread_mutex_lock(&v->store->merge_lock);
    int r = v->reader ? xt_store_snapshot(v->store, &v->snapshot, reterr_problem) : xt_error_origin(-ENOMEM);
    if (r == 0)
        r = ledger_alone ? records_check(v, reterr_problem) : all_check(v, reterr_problem);
    if (!ledger_alone)
        pthread_mutex_unlock(&v->store->merge_lock);
    if (r == 0)
        *ret = v->check;
    verifying_fini(v);
    return r;
}

int xt_store_verify(xt_store *store, void (*report_fn)(void *context, const xt_problem *problem), void *context,
                    xt_ledger_check *ret, xt_problem *reterr_problem)
{
    verifying v = {.store = store, .report = report_fn, .context = context};

    return verify(&v, false, ret, reterr_problem);
}

int xt_store_verify_against(xt_store *store, uint64_t head_id, const unsigned char head_chain[static 32],
                            void (*report_fn)(void *context, const xt_problem *problem), void *context,
                            xt_ledger_check *ret, xt_problem *reterr_problem)
{
    verifying v = {
        .store = store, .report = report_fn, .context = context, .against = head_chain, .against_id = head_id};

    return verify(&v, false, ret, reterr_problem);
}

int xt_store_head(xt_store *store, xt_ledger_check *ret, xt_problem *reterr_problem)
{
    verifying v = {.store = store};

    return verify(&v, true, ret, reterr_problem);
}

/* ------------------------------------------------------------------------------------------------ records alone */

/* What the ledger has of the segment; all zero: nothing. */
static xt_digest digest_of(const verifying *v, uint64_t id)
{
    for (size_t at = 0; at < v->living.n; at += sizeof(xt_ledger_row)) {
        const xt_ledger_row *entered = (const xt_ledger_row *)(v->living.p + at);
        if (entered->first == id)
            return entered->digest;
    }
    return (xt_digest){{0}};
}

static int named_put(const verifying *v, xt_buf *out)
{
    for (size_t at = 0; at < v->catalog.n; at += sizeof(xt_pending_segment)) {
        const xt_pending_segment *row = (const xt_pending_segment *)(v->catalog.p + at);
        xt_named_segment named = {*row, digest_of(v, row->id)};
        xt_buf_put(out, xt_slice_of(&named, sizeof named));
    }
    return xt_buf_done(out);
}

int xt_verify_records(xt_pending *pending, void (*report_fn)(void *context, const xt_problem *problem), void *context,
                      xt_ledger_check *ret, xt_buf *ret_named, xt_problem *reterr_problem)
{
    verifying v = {.snapshot = pending, .report = report_fn, .context = context};

    v.check = (xt_ledger_check){.chain_ok = true, .counts_ok = true};
    int r = records_check(&v, reterr_problem);
    if (r == 0)
        r = xt_buf_done(&v.living);
    if (r == 0)
        r = xt_buf_done(&v.catalog);
    if (r == 0)
        r = named_put(&v, ret_named);
    if (r == 0) {
        counts_check(&v);
        catalog_check(&v);
        *ret = v.check;
    }
    v.snapshot = NULL; /* the caller's */
    verifying_fini(&v);
    return r;
}
