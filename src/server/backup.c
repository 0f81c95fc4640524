/*
 * The databases come first: as long as they are frozen their write-ahead logs grow. Then the segments, those first that
 * retention would take first, each let go as soon as it is copied: a file that was unlinked meanwhile gives its room back
 * only then. The row of state.db is written before the manifest, so that there is no moment with a backup that the data
 * folder does not know of; a row too many is taken out again here, at the latest by the next backup.
 */
#include "server/backup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/sqlite/sqlite_copy.h"
#include "server/app_parts.h"
#include "server/backup_other_files.h"
#include "server/backup_place.h"
#include "server/backup_rows.h"
#include "server/ledger_head.h"
#include "store/store_freeze.h"
#include "store/store_verify.h"

typedef struct taking {
    const xt_backup_source *source;
    const xt_backup_wish *wish;
    xt_backup_folder folder;
    xt_frozen *frozen;
    sqlite3 *state; /* a snapshot */
    xt_backup_manifest manifest;
    xt_buf named; /* xt_named_segment, one behind the other */
    xt_ledger_check check;
    uint64_t n_done, n_total; /* bytes */
    uint64_t n_problems;
} taking;

static void report(void *context, const xt_problem *problem)
{
    taking *t = context;

    t->n_problems++;
    if (t->wish->report)
        t->wish->report(t->wish->context, problem);
}

static int on_piece(void *context, uint64_t n_bytes)
{
    taking *t = context;

    t->n_done += n_bytes;
    if (t->n_done > t->n_total) /* a database that grew */
        t->n_total = t->n_done;
    return t->wish->progress ? t->wish->progress(t->wish->context, t->n_done, t->n_total) : 0;
}

int xt_backup_outcome(int r)
{
    return r == XT_BACKUP_FOLDER_E_BUSY      ? XT_APP_E_LOCKED
           : r == XT_BACKUP_FOLDER_E_UNKNOWN ? XT_APP_E_NOT_FOUND
           : r > 0                           ? XT_APP_E_INVALID
                                             : r;
}

/* ------------------------------------------------------------------------------------------------ the moment */

static char *path_in(const char *dir, const char *name)
{
    char *path;

    return asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : path;
}

static int freeze(taking *t, xt_problem *reterr_problem)
{
    const xt_backup_source *source = t->source;
    char *path = path_in(source->data, "state.db");
    int r = path ? 0 : xt_error_origin(-ENOMEM);

    xt_state_lock(source->state);
    if (r == 0)
        r = xt_sqlite_open_snapshot(path, &t->state, reterr_problem);
    if (r == 0)
        r = xt_store_freeze(source->store, &t->frozen, reterr_problem);
    t->manifest.at_ms = xt_clock_wall_ms(source->clock);
    xt_state_unlock(source->state);
    free(path);
    return r;
}

/* What the frozen records say, and the head that is signed over them. */
static int records_read(taking *t, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf head = XT_BUF_INIT;
    xt_ledger_check *check = &t->check;
    xt_backup_manifest *m = &t->manifest;
    int r = xt_verify_records(xt_frozen_pending(t->frozen), report, t, check, &t->named, reterr_problem);

    if (r == 0 && check->chain_ok)
        r = xt_ledger_head_sign(t->source->data, m->at_ms, check, &head, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    m->n_events = check->n_received - check->n_retired - check->n_erased;
    m->n_pending = check->n_pending;
    m->n_segments = t->named.n / sizeof(xt_named_segment);
    m->ledger_id = check->head_id;
    m->head = head.n ? xt_arena_copy(&m->arena, xt_buf_slice(&head)) : XT_S_NULL;
    return head.n && !m->head.p ? xt_error_origin(-ENOMEM) : 0;
}

static int foreign(const taking *t, const xt_backup_manifest *theirs, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "this folder has backups of another server, that of %.*s", XT_S_ARGS(theirs->data));
    xt_problem_source(reterr_problem, t->folder.path);
    xt_problem_hint(reterr_problem, "each server needs a folder of its own");
    return XT_BACKUP_FOLDER_E_FOREIGN;
}

/* Whether the generations before are of this server, by the newest that can be read. */
static int owner_check(taking *t, const xt_backup_names *names, xt_problem *reterr_problem)
{
    bool known = false;
    int r = 0;

    for (size_t i = names->n; i-- > 0 && r == 0 && !known;) {
        xt_problem problem = XT_PROBLEM_INIT;
        xt_backup_manifest before;
        r = xt_backup_folder_manifest(&t->folder, names->names[i], &before, &problem);
        known = r == 0;
        if (known && !xt_digest_eq(&before.ca, &t->manifest.ca))
            r = foreign(t, &before, reterr_problem);
        xt_backup_manifest_fini(&before);
        if (!known && r > 0) {
            report(t, &problem);
            r = 0;
        }
    }
    return r;
}

/* Whose backup it is, and what it is called: later than all before, whatever the clock says. */
static int identity_find(taking *t, xt_problem *reterr_problem)
{
    xt_backup_manifest *m = &t->manifest;
    xt_backup_names names = {.n = 0};
    int64_t before_ms = -1;
    char *path = path_in(t->source->data, "ca.pem");
    int r = path ? xt_digest_of_file(t->source->vfs, path, &m->ca, NULL) : xt_error_origin(-ENOMEM);

    free(path);
    if (r < 0 && r != -ENOENT) {
        xt_problem_set(reterr_problem, "ca.pem cannot be read: %s", strerror(-r));
        return xt_error_trace(r);
    }
    m->version = XT_S(XT_VERSION);
    m->data = xt_arena_copy(&m->arena, xt_slice_str(t->source->data));
    r = xt_backup_folder_names(&t->folder, &names, reterr_problem);
    if (r == 0)
        r = owner_check(t, &names, reterr_problem);
    if (r == 0 && names.n)
        (void)xt_backup_name_parse(xt_slice_str(names.names[names.n - 1]), &before_ms);
    xt_backup_name_format(m->at_ms > before_ms ? m->at_ms : before_ms + 1, m->generation);
    free(names.names);
    return r;
}

/* ------------------------------------------------------------------------------------------------ databases */

static int database_put(taking *t, sqlite3 *db, const char *name, xt_problem *reterr_problem)
{
    xt_backup_entry entry = {.name = xt_slice_str(name), .mode = 0600};
    int r = xt_backup_files_put_database(&t->folder.files, db, &entry.digest, &entry.n_bytes, reterr_problem);

    return r == 0 ? xt_backup_manifest_add(&t->manifest, &entry) : r;
}

static int databases_put(taking *t, xt_problem *reterr_problem)
{
    int r = database_put(t, xt_pending_db(xt_frozen_pending(t->frozen)), "pending.db", reterr_problem);

    xt_frozen_thaw(t->frozen);
    if (r == 0)
        r = database_put(t, t->state, "state.db", reterr_problem);
    t->state = xt_sqlite_close(t->state);
    return r;
}

/* ------------------------------------------------------------------------------------------------ segments */

static ssize_t segment_read(const void *segment, void *p, size_t n, uint64_t at)
{
    return xt_segment_pread(segment, p, n, at);
}

static int segment_copy(taking *t, const xt_named_segment *named, const char *name, xt_backup_entry *entry,
                        xt_problem *problem)
{
    const xt_segment *segment = xt_frozen_segment(t->frozen, named->row.id);
    xt_backup_input input = {segment_read, segment};

    if (segment)
        return xt_backup_files_put(&t->folder.files, &input, &entry->digest, &entry->n_bytes, problem);
    char *path = path_in(t->source->data, name);
    int r = path ? xt_backup_files_put_file(&t->folder.files, path, &entry->digest, &entry->n_bytes, problem)
                 : xt_error_origin(-ENOMEM);
    free(path);
    return r;
}

static int segment_put(taking *t, const xt_named_segment *named, xt_problem *reterr_problem)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_entry entry = {.digest = named->digest, .n_bytes = named->row.bytes, .mode = 0600};
    char name[40];
    int r = 0;

    snprintf(name, sizeof name, "segments/%016llx.xts", (unsigned long long)named->row.id);
    entry.name = xt_slice_str(name);
    if (!xt_backup_files_have(&t->folder.files, &named->digest, named->row.bytes))
        r = segment_copy(t, named, name, &entry, &problem);
    xt_frozen_release(t->frozen, named->row.id);
    if (r < 0 && reterr_problem)
        *reterr_problem = problem;
    if (r < 0)
        return xt_error_trace(r);
    xt_problem_source(&problem, name);
    if (r > 0) {
        report(t, &problem);
        return xt_backup_manifest_add_missing(&t->manifest, entry.name);
    }
    entry.is_damaged = !xt_digest_eq(&entry.digest, &named->digest);
    if (entry.is_damaged) {
        xt_problem_set(&problem, "its bytes are not those that the ledger has the SHA-256 of; it was copied as it is");
        report(t, &problem);
    }
    return xt_backup_manifest_add(&t->manifest, &entry);
}

static int age_order(const void *a, const void *b)
{
    const xt_named_segment *x = a, *y = b;

    return x->row.max_ms < y->row.max_ms ? -1 : x->row.max_ms > y->row.max_ms;
}

static int segments_put(taking *t, xt_problem *reterr_problem)
{
    xt_named_segment *named = (xt_named_segment *)t->named.p;
    int r = 0;

    if (t->manifest.n_segments)
        qsort(named, t->manifest.n_segments, sizeof *named, age_order);
    for (size_t i = 0; i < t->manifest.n_segments && r == 0; i++)
        r = segment_put(t, &named[i], reterr_problem);
    return r;
}

/* What there is to copy, about. */
static void total_guess(taking *t)
{
    static const char *const databases[] = {"pending.db", "state.db"};
    const xt_named_segment *named = (const xt_named_segment *)t->named.p;

    for (size_t i = 0; i < t->manifest.n_segments; i++) {
        if (xt_backup_files_have(&t->folder.files, &named[i].digest, named[i].row.bytes))
            xt_frozen_release(t->frozen, named[i].row.id); /* nothing is read of it */
        else
            t->n_total += named[i].row.bytes;
    }
    for (size_t i = 0; i < XT_COUNT_OF(databases); i++) {
        char *path = path_in(t->source->data, databases[i]);
        struct stat st;
        if (path && stat(path, &st) == 0)
            t->n_total += (uint64_t)st.st_size;
        free(path);
    }
}

/* ------------------------------------------------------------------------------------------------ the generation */

/* A row that cannot be written is no reason to have no backup: a full disk may be why one is taken. */
static void row_add(taking *t)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_row row = {.at_us = t->manifest.at_ms * 1000,
                         .place = xt_slice_str(t->folder.path),
                         .generation = xt_slice_str(t->manifest.generation),
                         .ledger_id = t->manifest.ledger_id};

    if (xt_backup_table_add(t->source->state, &row, &problem) < 0)
        report(t, &problem);
}

static int generation_add(taking *t, xt_problem *reterr_problem)
{
    int r = xt_backup_files_sync(&t->folder.files, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    row_add(t);
    r = xt_backup_folder_add(&t->folder, &t->manifest, reterr_problem);
    if (r < 0 && xt_backup_table_remove(t->source->state, xt_slice_str(t->folder.path),
                                        xt_slice_str(t->manifest.generation), NULL) < 0)
        xt_error_trace(r); /* a row too many: the next backup sees to it */
    return r;
}

/* What came to be by now stays, whatever happens here. */
static size_t old_ones_prune(taking *t)
{
    xt_problem problem = XT_PROBLEM_INIT;
    size_t n_pruned = 0;
    int r = xt_backup_folder_prune(&t->folder, t->wish->keep, &n_pruned, &problem);

    if (r != 0)
        report(t, &problem);
    problem = XT_PROBLEM_INIT;
    if (xt_backup_rows_settle(t->source->state, &t->folder, &problem) != 0)
        report(t, &problem);
    return n_pruned;
}

static int all_put(taking *t, xt_problem *reterr_problem)
{
    xt_backup_others others = {
        .source = t->source, .files = &t->folder.files, .manifest = &t->manifest, .report = report, .context = t};
    int r = freeze(t, reterr_problem);

    if (r == 0)
        r = identity_find(t, reterr_problem);
    if (r == 0)
        r = records_read(t, reterr_problem);
    if (r == 0) {
        total_guess(t);
        r = databases_put(t, reterr_problem);
    }
    if (r == 0)
        r = segments_put(t, reterr_problem);
    if (r == 0)
        r = xt_backup_others_put(&others, reterr_problem);
    if (r == 0)
        r = generation_add(t, reterr_problem);
    return r;
}

static void result_get(const taking *t, size_t n_pruned, xt_backup_result *ret)
{
    const xt_backup_manifest *m = &t->manifest;

    *ret = (xt_backup_result){.n_events = m->n_events,
                              .n_pending = m->n_pending,
                              .n_segments = m->n_segments,
                              .ledger_id = m->ledger_id,
                              .n_files = m->n_entries,
                              .n_bytes = xt_backup_manifest_bytes(m),
                              .n_copied = t->folder.files.n_copied,
                              .bytes_copied = t->folder.files.bytes_copied,
                              .n_pruned = n_pruned,
                              .n_problems = t->n_problems};
    memcpy(ret->generation, m->generation, sizeof ret->generation);
}

int xt_backup_take(const xt_backup_source *source, const xt_backup_wish *wish, xt_backup_result *ret,
                   xt_problem *reterr_problem)
{
    taking t = {.source = source, .wish = wish};
    char *place = NULL;
    int r = xt_backup_place(wish->to, source->data, &place, reterr_problem);

    if (r == 0) {
        r = xt_backup_folder_open_to_write(&t.folder, source->vfs, place, reterr_problem);
        free(place);
    }
    if (r != 0)
        return xt_backup_outcome(r);
    t.folder.files.step = on_piece;
    t.folder.files.context = &t;
    xt_backup_manifest_init(&t.manifest);
    r = all_put(&t, reterr_problem);
    if (r == 0)
        result_get(&t, old_ones_prune(&t), ret);
    xt_sqlite_close(t.state);
    xt_frozen_free(t.frozen);
    xt_backup_manifest_fini(&t.manifest);
    xt_buf_fini(&t.named);
    xt_backup_folder_close(&t.folder);
    return xt_backup_outcome(r);
}

int xt_app_backup(xt_app *app, const xt_backup_wish *wish, xt_backup_result *ret, xt_problem *reterr_problem)
{
    xt_backup_source source = {
        .vfs = &xt_vfs_system, .clock = app->clock, .data = app->data, .store = app->store, .state = app->state};

    return xt_backup_take(&source, wish, ret, reterr_problem);
}
