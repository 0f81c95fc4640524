/*
 * The marker comes first and goes last, each synced, so that a kill leaves a folder that says what it is. Names in
 * the manifest are relative and lead nowhere else (server/backup_manifest.h); files are made anew, never written over.
 */
#include "server/restore.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "server/backup_place.h"
#include "server/backup_rows.h"
#include "server/note.h"

typedef struct restoring {
    const xt_vfs *vfs;
    const xt_restore_wish *wish;
    char *data; /* its true path */
    xt_backup_folder folder;
    xt_backup_manifest manifest;
    bool made; /* the folder was not there before */
    size_t n_files;
    uint64_t n_done, n_total, n_problems;
} restoring;

static int on_piece(void *context, uint64_t n_bytes)
{
    restoring *s = context;

    s->n_done += n_bytes;
    return s->wish->progress ? s->wish->progress(s->wish->context, s->n_done, s->n_total) : 0;
}

static int failed(int r, const char *what, const char *path, xt_problem *reterr_problem)
{
    if (!xt_problem_is_set(reterr_problem)) {
        xt_problem_set(reterr_problem, "%s: %s", what, strerror(-r));
        xt_problem_source(reterr_problem, path);
    }
    return xt_error_trace(r);
}

/* NULL: no memory. */
static char *path_of(const restoring *s, xt_slice name)
{
    char *path;

    return asprintf(&path, "%s/%.*s", s->data, XT_S_ARGS(name)) < 0 ? NULL : path;
}

/* ------------------------------------------------------------------------------------------------ the folder */

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = dir != NULL;

    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "lost+found") == 0;
    if (dir)
        closedir(dir);
    return empty;
}

static int folder_make(restoring *s, xt_problem *reterr_problem)
{
    int r = s->vfs->mkdir(s->vfs, s->data, 0700);

    s->made = r == 0;
    if (r < 0 && r != -EEXIST)
        return failed(r, "the folder cannot be made", s->data, reterr_problem);
    if (is_empty(s->data))
        return 0;
    char *marker = path_of(s, XT_S(XT_STORE_RESTORING));
    bool unfinished = marker && access(marker, F_OK) == 0;
    free(marker);
    xt_problem_set(reterr_problem, "%s",
                   unfinished ? "a restore into this folder did not end" : "the folder is not empty");
    xt_problem_source(reterr_problem, s->data);
    xt_problem_hint(reterr_problem, "%s", unfinished ? "remove what is in it first" : "a restore needs a new one");
    return XT_APP_E_INVALID;
}

static int marker_set(restoring *s, xt_problem *reterr_problem)
{
    char *path = path_of(s, XT_S(XT_STORE_RESTORING));
    int r =
        path ? xt_vfs_replace_file(s->vfs, path, xt_slice_str(s->manifest.generation), 0600) : xt_error_origin(-ENOMEM);

    free(path);
    return r < 0 ? failed(r, "the folder cannot be written", s->data, reterr_problem) : 0;
}

static int marker_remove(restoring *s, xt_problem *reterr_problem)
{
    char *path = path_of(s, XT_S(XT_STORE_RESTORING));
    int r = path ? s->vfs->unlink(s->vfs, path) : xt_error_origin(-ENOMEM);

    free(path);
    return r < 0 ? failed(r, "the folder cannot be written", s->data, reterr_problem) : 0;
}

/* ------------------------------------------------------------------------------------------------ files */

/* Each folder above the file, from the top; in `fn` it may be there. */
static int each_folder(const restoring *s, xt_slice name, int (*fn)(const xt_vfs *vfs, const char *path))
{
    int r = 0;

    for (size_t i = 0; i < name.n && r == 0; i++) {
        if (name.p[i] != '/')
            continue;
        char *path = path_of(s, xt_slice_head(name, i));
        r = path ? fn(s->vfs, path) : xt_error_origin(-ENOMEM);
        free(path);
    }
    return r;
}

static int make_one(const xt_vfs *vfs, const char *path)
{
    int r = vfs->mkdir(vfs, path, 0700);

    return r == -EEXIST ? 0 : r;
}

static int sync_one(const xt_vfs *vfs, const char *path)
{
    return vfs->sync_folder(vfs, path);
}

static int file_get(restoring *s, const xt_backup_entry *entry, xt_problem *reterr_problem)
{
    xt_problem why = XT_PROBLEM_INIT;
    char *path = path_of(s, entry->name);
    int r = path ? each_folder(s, entry->name, make_one) : xt_error_origin(-ENOMEM);

    if (r < 0)
        r = failed(r, "a folder cannot be made", path ? path : s->data, &why);
    if (r == 0)
        r = xt_backup_files_get(&s->folder.files, &entry->digest, entry->n_bytes, path, entry->mode & 0755, &why);
    free(path);
    if (r < 0 && reterr_problem)
        *reterr_problem = why;
    if (r <= 0)
        return r;
    xt_problem_source(reterr_problem, why.source);
    xt_problem_set(reterr_problem, "generation %s: %.60s: %.200s", s->manifest.generation, entry->name.p, why.sentence);
    xt_problem_hint(reterr_problem, "exectrail store backup verify says which generations are whole");
    return XT_APP_E_INVALID;
}

static int files_get(restoring *s, xt_problem *reterr_problem)
{
    const char *last = "";
    int r = 0;

    for (; s->n_files < s->manifest.n_entries && r == 0; s->n_files++)
        r = file_get(s, &s->manifest.entries[s->n_files], reterr_problem);
    for (size_t i = 0; i < s->manifest.n_entries && r == 0; i++) {
        const char *name = s->manifest.entries[i].name.p, *slash = strrchr(name, '/');
        if (slash && strncmp(last, name, (size_t)(slash - name) + 1) != 0) /* not the folder of the one before */
            r = each_folder(s, s->manifest.entries[i].name, sync_one);
        last = slash ? name : last;
    }
    if (r == 0)
        r = s->vfs->sync_folder(s->vfs, s->data);
    return r < 0 ? failed(r, "a folder cannot be synced", s->data, reterr_problem) : r;
}

static bool gone(const restoring *s, xt_slice name)
{
    char *path = path_of(s, name);
    int r = path ? s->vfs->unlink(s->vfs, path) : -ENOMEM;

    for (char *slash; path && (slash = strrchr(path, '/')) > path + strlen(s->data);) {
        *slash = '\0';
        rmdir(path); /* fails as long as there is something in it */
    }
    free(path);
    return r == 0 || r == -ENOENT;
}

/* What is there of a restore that failed; the marker stays where anything does. */
static void files_remove(const restoring *s)
{
    static const char *const more[] = {"state.db-wal", "state.db-shm", XT_STORE_RESTORING ".new"};
    bool all = true;

    for (size_t i = s->n_files; i-- > 0;)
        all &= gone(s, s->manifest.entries[i].name);
    for (size_t i = 0; i < XT_COUNT_OF(more); i++)
        all &= gone(s, xt_slice_str(more[i]));
    if (all && gone(s, XT_S(XT_STORE_RESTORING)) && s->made)
        rmdir(s->data);
}

/* ------------------------------------------------------------------------------------------------ state */

/* What must not work again, and what is known now. */
static int state_change(restoring *s, xt_problem *reterr_problem)
{
    static const char *const voided[] = {"DELETE FROM tokens", "DELETE FROM logins", "DELETE FROM sessions"};
    char *path = path_of(s, XT_S("state.db"));
    xt_state *state = NULL;
    int r = path ? xt_state_open(path, &state, reterr_problem) : xt_error_origin(-ENOMEM);

    if (r > 0)
        r = XT_BACKUP_FOLDER_E_BAD; /* a later version's: the problem says so */
    for (size_t i = 0; i < XT_COUNT_OF(voided) && r == 0; i++)
        r = xt_state_run(state, reterr_problem, NULL, voided[i], "");
    if (r == 0)
        r = xt_backup_rows_settle(state, &s->folder, reterr_problem);
    xt_state_close(state);
    free(path);
    return xt_backup_outcome(r);
}

static void missing_tell(restoring *s)
{
    xt_problem problem = XT_PROBLEM_INIT;

    for (size_t i = 0; i < s->manifest.n_missing; i++) {
        xt_problem_set(&problem, "it could not be read when the backup was taken, and is not in it");
        xt_problem_source(&problem, s->manifest.missing[i].p);
        s->n_problems++;
        if (s->wish->report)
            s->wish->report(s->wish->context, &problem);
    }
}

/* ------------------------------------------------------------------------------------------------ all of it */

static int into_folder(restoring *s, xt_problem *reterr_problem)
{
    int r = marker_set(s, reterr_problem);

    if (r == 0)
        r = files_get(s, reterr_problem);
    if (r == 0)
        r = state_change(s, reterr_problem);
    if (r == 0)
        r = marker_remove(s, reterr_problem);
    if (r != 0) {
        files_remove(s);
        return r;
    }
    r = s->vfs->sync_folder(s->vfs, s->data); /* all is there, whatever this says */
    if (r == 0)
        r = xt_backup_place_sync(s->vfs, s->data);
    return r < 0 ? failed(r, "the restored folder cannot be synced", s->data, reterr_problem) : 0;
}

static int run(restoring *s, xt_restored *ret, xt_problem *reterr_problem)
{
    const xt_backup_manifest *m = &s->manifest;
    int r = xt_backup_outcome(xt_backup_folder_manifest(&s->folder, s->wish->generation, &s->manifest, reterr_problem));

    if (r == 0) {
        s->n_total = xt_backup_manifest_bytes(m);
        r = folder_make(s, reterr_problem);
    }
    if (r == 0)
        r = into_folder(s, reterr_problem);
    if (r != 0)
        return r;
    missing_tell(s);
    *ret = (xt_restored){.at_ms = m->at_ms,
                         .n_events = m->n_events,
                         .n_segments = m->n_segments,
                         .n_files = m->n_entries,
                         .n_bytes = s->n_total,
                         .n_problems = s->n_problems};
    memcpy(ret->generation, m->generation, sizeof ret->generation);
    return 0;
}

int xt_restore(const xt_vfs *vfs, const xt_restore_wish *wish, xt_restored *ret, xt_problem *reterr_problem)
{
    restoring s = {.vfs = vfs, .wish = wish};
    char *from = realpath(wish->from, NULL);
    int r = from ? 0 : failed(-errno, "there is no folder of backups", wish->from, reterr_problem);

    if (r == 0)
        r = xt_backup_place(wish->data, from, &s.data, reterr_problem);
    if (r == 0)
        r = xt_backup_outcome(xt_backup_folder_open_to_read(&s.folder, vfs, from, reterr_problem));
    if (r == 0) {
        s.folder.files.step = on_piece;
        s.folder.files.context = &s;
        r = run(&s, ret, reterr_problem);
        xt_backup_manifest_fini(&s.manifest);
        xt_backup_folder_close(&s.folder);
    }
    free(s.data);
    free(from);
    return r;
}

/* ------------------------------------------------------------------------------------------------ told */

int xt_restore_note(const char *data, const xt_restored *restored, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf message = XT_BUF_INIT;
    xt_app_settings settings = {.data = data};
    xt_app *app = NULL;
    char at[25], host[256] = "";
    int r = xt_app_open(&settings, &app, reterr_problem);

    if (r != 0)
        return r;
    if (gethostname(host, sizeof host - 1) < 0 || !host[0])
        snprintf(host, sizeof host, "localhost");
    xt_timestamp_format(restored->at_ms, at);
    xt_buf_printf(&message,
                  "this store was restored from the backup %s, taken at %s: what was received after that is not in it",
                  restored->generation, at);
    r = xt_buf_done(&message);
    const xt_note note = {
        .host_name = xt_slice_str(host), .action = XT_S("restored-store"), .message = xt_buf_slice(&message)};
    if (r == 0)
        r = xt_error_fold(xt_note_enter(app, &note));
    if (r < 0)
        xt_problem_set(reterr_problem, "the restored store cannot be written: %s", strerror(-r));
    xt_app_close(app);
    return r;
}
