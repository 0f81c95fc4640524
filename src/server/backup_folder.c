/*
 * Everything that is written comes to be under another name first, and is synced before it gets its own: files, then
 * their folder, then the manifest. What a kill leaves is found by its name (N.tmp, NAME.json.new), or is a file that no
 * manifest names: the next backup uses it, or prune removes it.
 */
#include "server/backup_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "server/backup_place.h"

#define MAX_MANIFEST_BYTES ((size_t)128 << 20)

static int failed(int r, const char *what, const char *path, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "%s: %s", what, strerror(-r));
    xt_problem_source(reterr_problem, path);
    return xt_error_trace(r);
}

/* ------------------------------------------------------------------------------------------------ opening */

static bool is_there(const xt_backup_folder *folder, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s", folder->path, name) < 0)
        return false;
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool empty = dir != NULL;

    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        empty &= strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 || strcmp(e->d_name, "lost+found") == 0 ||
                 strcmp(e->d_name, "lock") == 0;
    if (dir)
        closedir(dir);
    return empty;
}

static int make(const xt_backup_folder *folder, const char *path, xt_problem *reterr_problem)
{
    int r = folder->vfs->mkdir(folder->vfs, path, 0700);

    return r == 0 || r == -EEXIST ? 0 : failed(r, "the folder cannot be made", path, reterr_problem);
}

static int lock(xt_backup_folder *folder, bool to_write, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/lock", folder->path) < 0)
        return xt_error_origin(-ENOMEM);
    int flags = to_write ? O_RDWR | O_CREAT : O_RDONLY, r = 0;
    folder->lock_fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (folder->lock_fd < 0 && to_write)
        r = failed(-errno, "the lock cannot be had", path, reterr_problem);
    else if (folder->lock_fd >= 0 && flock(folder->lock_fd, (to_write ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0)
        r = errno == EWOULDBLOCK ? XT_BACKUP_FOLDER_E_BUSY : to_write ? -errno : 0;
    if (r > 0) {
        xt_problem_set(reterr_problem, "another process is using this folder of backups");
        xt_problem_source(reterr_problem, folder->path);
    }
    free(path);
    return r;
}

/* Manifests that were never given their names. */
static void manifests_tidy(const xt_backup_folder *folder)
{
    DIR *dir = opendir(folder->generations);
    char *path;

    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;)
        if (xt_slice_ends(xt_slice_str(e->d_name), XT_S(".json.new")) &&
            asprintf(&path, "%s/%s", folder->generations, e->d_name) >= 0) {
            folder->vfs->unlink(folder->vfs, path);
            free(path);
        }
    if (dir)
        closedir(dir);
}

static int folder_init(xt_backup_folder *folder, const xt_vfs *vfs, const char *path)
{
    char *files = NULL;
    int r = -ENOMEM;

    *folder = (xt_backup_folder){.vfs = vfs, .path = strdup(path), .lock_fd = -1};
    if (asprintf(&folder->generations, "%s/generations", path) < 0)
        folder->generations = NULL;
    if (folder->path && folder->generations && asprintf(&files, "%s/files", path) >= 0) {
        r = xt_backup_files_init(&folder->files, vfs, files);
        free(files);
    }
    return r < 0 ? xt_error_trace(r) : 0;
}

static int foreign(const char *path, const char *sentence, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "%s", sentence);
    xt_problem_source(reterr_problem, path);
    return XT_BACKUP_FOLDER_E_FOREIGN;
}

/* Its folders, and that their names stay. */
static int parts_make(xt_backup_folder *folder, xt_problem *reterr_problem)
{
    int r = make(folder, folder->files.dir, reterr_problem);

    if (r == 0)
        r = make(folder, folder->generations, reterr_problem);
    if (r == 0) {
        r = folder->vfs->sync_folder(folder->vfs, folder->path);
        if (r == 0)
            r = xt_backup_place_sync(folder->vfs, folder->path);
        if (r < 0)
            return failed(r, "the folder cannot be synced", folder->path, reterr_problem);
    }
    return r;
}

int xt_backup_folder_open_to_write(xt_backup_folder *folder, const xt_vfs *vfs, const char *path,
                                   xt_problem *reterr_problem)
{
    int r = folder_init(folder, vfs, path);

    if (r == 0)
        r = make(folder, path, reterr_problem);
    if (r == 0 && !is_there(folder, "generations") && !is_there(folder, "files") && !is_empty(path))
        r = foreign(path, "there is something in this folder, and it is no backup", reterr_problem);
    if (r == 0)
        r = lock(folder, true, reterr_problem);
    if (r == 0)
        r = parts_make(folder, reterr_problem);
    if (r != 0) {
        xt_backup_folder_close(folder);
        return r;
    }
    xt_backup_files_tidy(&folder->files);
    manifests_tidy(folder);
    return 0;
}

int xt_backup_folder_open_to_read(xt_backup_folder *folder, const xt_vfs *vfs, const char *path,
                                  xt_problem *reterr_problem)
{
    int r = folder_init(folder, vfs, path);

    if (r == 0 && access(path, F_OK) < 0)
        r = failed(-errno, "there is no folder of backups", path, reterr_problem);
    if (r == 0 && !is_there(folder, "generations"))
        r = foreign(path, "this is no folder of backups", reterr_problem);
    if (r == 0)
        r = lock(folder, false, reterr_problem);
    if (r != 0)
        xt_backup_folder_close(folder);
    return r;
}

void xt_backup_folder_close(xt_backup_folder *folder)
{
    if (folder->lock_fd >= 0)
        close(folder->lock_fd);
    folder->lock_fd = -1;
    xt_backup_files_fini(&folder->files);
    free(folder->generations);
    free(folder->path);
    folder->generations = folder->path = NULL;
}

/* ------------------------------------------------------------------------------------------------ generations */

static int name_order(const void *a, const void *b)
{
    return strcmp(a, b);
}

int xt_backup_folder_names(const xt_backup_folder *folder, xt_backup_names *ret, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf names = XT_BUF_INIT;
    DIR *dir = opendir(folder->generations);
    int64_t at_ms;

    if (!dir)
        return failed(-errno, "the generations cannot be listed", folder->generations, reterr_problem);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        xt_slice name = xt_slice_str(e->d_name), bare = xt_slice_head(name, XT_BACKUP_NAME_BYTES);
        if (xt_slice_eq(xt_slice_skip(name, XT_BACKUP_NAME_BYTES), XT_S(".json")) &&
            xt_backup_name_parse(bare, &at_ms)) {
            xt_buf_put(&names, bare);
            xt_buf_putc(&names, '\0');
        }
    }
    closedir(dir);
    if (xt_buf_done(&names) < 0)
        return xt_error_origin(-ENOMEM);
    *ret = (xt_backup_names){(char(*)[XT_BACKUP_NAME_BYTES + 1]) names.p, names.n / (XT_BACKUP_NAME_BYTES + 1)};
    if (ret->n)
        qsort(ret->names, ret->n, sizeof ret->names[0], name_order);
    names = XT_BUF_INIT; /* moved */
    return 0;
}

static int newest(const xt_backup_folder *folder, char ret[static XT_BACKUP_NAME_BYTES + 1], xt_problem *reterr_problem)
{
    xt_backup_names names = {.n = 0};
    int r = xt_backup_folder_names(folder, &names, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    if (names.n)
        memcpy(ret, names.names[names.n - 1], XT_BACKUP_NAME_BYTES + 1);
    else
        xt_problem_set(reterr_problem, "there is no generation in this folder of backups");
    free(names.names);
    return names.n ? 0 : XT_BACKUP_FOLDER_E_UNKNOWN;
}

static int manifest_read(const xt_backup_folder *folder, const char *name, xt_backup_manifest *ret,
                         xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    char *path;

    if (asprintf(&path, "%s/%s.json", folder->generations, name) < 0)
        return xt_error_origin(-ENOMEM);
    int r = xt_vfs_read_file(folder->vfs, path, MAX_MANIFEST_BYTES, &text);
    if (r == -ENOENT) {
        xt_problem_set(reterr_problem, "there is no generation %s; exectrail store backup list says which there are",
                       name);
        r = XT_BACKUP_FOLDER_E_UNKNOWN;
    } else if (r < 0) {
        xt_problem_set(reterr_problem, "the manifest cannot be read: %s", strerror(-r));
        r = XT_BACKUP_FOLDER_E_BAD;
    } else {
        r = xt_backup_manifest_decode(xt_buf_slice(&text), ret, reterr_problem);
        if (r == 0 && strcmp(ret->generation, name) != 0) {
            xt_problem_set(reterr_problem, "the manifest is that of generation %s", ret->generation);
            r = XT_BACKUP_MANIFEST_E_BAD;
        }
        r = r > 0 ? XT_BACKUP_FOLDER_E_BAD : r;
    }
    if (r > 0)
        xt_problem_source(reterr_problem, path);
    free(path);
    return r;
}

int xt_backup_folder_manifest(const xt_backup_folder *folder, const char *name, xt_backup_manifest *ret,
                              xt_problem *reterr_problem)
{
    char found[XT_BACKUP_NAME_BYTES + 1];
    int64_t at_ms;

    xt_backup_manifest_init(ret);
    if (!name) {
        int r = newest(folder, found, reterr_problem);
        return r != 0 ? r : manifest_read(folder, found, ret, reterr_problem);
    }
    if (!xt_backup_name_parse(xt_slice_str(name), &at_ms)) {
        xt_problem_set(reterr_problem, "a generation's name is like 20261123T021043.120Z");
        xt_problem_excerpt(reterr_problem, xt_slice_str(name));
        return XT_BACKUP_FOLDER_E_UNKNOWN;
    }
    return manifest_read(folder, name, ret, reterr_problem);
}

int xt_backup_folder_add(const xt_backup_folder *folder, const xt_backup_manifest *manifest, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    char *path;
    int r = xt_backup_manifest_encode(manifest, &text);

    if (r < 0 || asprintf(&path, "%s/%s.json", folder->generations, manifest->generation) < 0)
        return xt_error_origin(-ENOMEM);
    r = xt_vfs_replace_file(folder->vfs, path, xt_buf_slice(&text), 0600);
    if (r < 0)
        r = failed(r, "the manifest cannot be written", path, reterr_problem);
    free(path);
    return r;
}

/* ------------------------------------------------------------------------------------------------ pruning */

/* Adds the digests that the generation names; the map's keys live in the arena. */
static int named(const xt_backup_manifest *manifest, xt_arena *arena, xt_map *names)
{
    int r = 0;

    for (size_t i = 0; i < manifest->n_entries && r == 0; i++) {
        xt_slice digest = xt_slice_of(manifest->entries[i].digest.b, sizeof manifest->entries[i].digest.b);
        if (xt_map_find(names, digest))
            continue;
        xt_slice key = xt_arena_copy(arena, digest);
        r = key.p ? xt_map_put(names, key, names, NULL) : xt_error_origin(-ENOMEM);
    }
    return r;
}

/* Removes the files that no generation names. */
static int sweep(const xt_backup_folder *folder, const xt_backup_names *names, xt_problem *reterr_problem)
{
    xt_map keep = XT_MAP_INIT;
    xt_arena arena;
    int r = 0;

    xt_arena_init(&arena, SIZE_MAX);
    for (size_t i = 0; i < names->n && r == 0; i++) {
        xt_backup_manifest manifest;
        r = xt_backup_folder_manifest(folder, names->names[i], &manifest, reterr_problem);
        if (r == 0)
            r = named(&manifest, &arena, &keep);
        xt_backup_manifest_fini(&manifest);
    }
    if (r == 0)
        xt_backup_files_sweep(&folder->files, &keep);
    xt_map_fini(&keep);
    xt_arena_fini(&arena);
    return r;
}

static int generation_remove(const xt_backup_folder *folder, const char *name, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/%s.json", folder->generations, name) < 0)
        return xt_error_origin(-ENOMEM);
    int r = folder->vfs->unlink(folder->vfs, path);
    if (r < 0)
        r = failed(r, "the generation cannot be removed", path, reterr_problem);
    free(path);
    return r;
}

int xt_backup_folder_prune(const xt_backup_folder *folder, unsigned keep, size_t *ret_pruned,
                           xt_problem *reterr_problem)
{
    xt_backup_names names = {.n = 0};
    size_t n_gone = 0;
    int r = xt_backup_folder_names(folder, &names, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    size_t surplus = keep && names.n > keep ? names.n - keep : 0;
    while (r == 0 && n_gone < surplus) {
        r = generation_remove(folder, names.names[n_gone], reterr_problem);
        n_gone += r == 0;
    }
    if (n_gone && r == 0) { /* before the files go, lest a manifest comes back that has none */
        r = folder->vfs->sync_folder(folder->vfs, folder->generations);
        if (r < 0)
            r = failed(r, "the folder cannot be synced", folder->generations, reterr_problem);
    }
    if (r == 0) {
        xt_backup_names rest = {names.names + n_gone, names.n - n_gone};
        r = sweep(folder, &rest, reterr_problem);
    }
    free(names.names);
    *ret_pruned = n_gone;
    return r;
}
