/*
 * One loop copies, both ways, and sums up what it copies; it never reads a file twice. A database is the exception: SQLite
 * writes it, in an order of its own, and it is read once more for its SHA-256.
 */
#include "store/backup_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "io/sqlite/sqlite_copy.h"

#define PIECE_BYTES ((size_t)1 << 20)

int xt_backup_files_init(xt_backup_files *files, const xt_vfs *vfs, const char *dir)
{
    *files = (xt_backup_files){.vfs = vfs, .dir = strdup(dir), .piece = malloc(PIECE_BYTES)};
    if (files->dir && files->piece)
        return 0;
    xt_backup_files_fini(files);
    return xt_error_origin(-ENOMEM);
}

void xt_backup_files_fini(xt_backup_files *files)
{
    free(files->dir);
    free(files->piece);
    files->dir = files->piece = NULL;
}

char *xt_backup_files_path(const xt_backup_files *files, const xt_digest *digest)
{
    XT_CLEANUP(xt_buf_fini) xt_buf path = XT_BUF_INIT;

    xt_buf_printf(&path, "%s/", files->dir);
    xt_buf_put_hex(&path, xt_slice_of(digest->b, sizeof digest->b));
    xt_buf_putc(&path, '\0');
    return xt_buf_done(&path) == 0 ? strdup(path.p) : NULL;
}

/* A problem of the folder's own. */
static int failed(int r, const char *path, xt_problem *reterr_problem)
{
    if (r == -ECANCELED)
        return r;
    xt_problem_set(reterr_problem, "the backup cannot be written: %s", strerror(-r));
    xt_problem_source(reterr_problem, path);
    return xt_error_trace(r);
}

bool xt_backup_files_have(const xt_backup_files *files, const xt_digest *digest, uint64_t n_bytes)
{
    char *path = xt_backup_files_path(files, digest);
    struct stat st;
    bool have = path && stat(path, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == n_bytes;

    free(path);
    return have;
}

/* ------------------------------------------------------------------------------------------------ copying */

/* From input to fd. XT_BACKUP_E_UNREADABLE: *ret_why is what reading said. */
static int copy(xt_backup_files *files, const xt_backup_input *input, int fd, EVP_MD_CTX *sum, uint64_t *ret_bytes,
                int *ret_why)
{
    uint64_t at = 0;
    ssize_t n;

    while ((n = input->read(input->context, files->piece, PIECE_BYTES, at)) > 0) {
        if (!EVP_DigestUpdate(sum, files->piece, (size_t)n))
            return xt_error_origin(-ENOMEM);
        int r = xt_vfs_write_all(files->vfs, fd, files->piece, (size_t)n, at);
        if (r < 0)
            return xt_error_trace(r);
        at += (uint64_t)n;
        if (files->step && files->step(files->context, (uint64_t)n) != 0)
            return -ECANCELED;
    }
    *ret_bytes = at;
    *ret_why = (int)n;
    return n < 0 ? XT_BACKUP_E_UNREADABLE : 0;
}

/* The input's bytes as a new file, synced; on failure none is left. */
static int file_make(xt_backup_files *files, const xt_backup_input *input, const char *path, mode_t mode,
                     xt_digest *ret_digest, uint64_t *ret_bytes, int *ret_why)
{
    const xt_vfs *vfs = files->vfs;
    EVP_MD_CTX *sum = EVP_MD_CTX_new();
    int fd = vfs->open(vfs, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
    int r = fd < 0 ? fd : sum && EVP_DigestInit_ex(sum, EVP_sha256(), NULL) ? 0 : -ENOMEM;

    if (r == 0)
        r = copy(files, input, fd, sum, ret_bytes, ret_why);
    if (r == 0)
        r = EVP_DigestFinal_ex(sum, ret_digest->b, NULL) ? vfs->fdatasync(vfs, fd) : -ENOMEM;
    if (fd >= 0) {
        int closed = vfs->close(vfs, fd);
        r = r ? r : closed;
    }
    if (r != 0 && fd >= 0)
        vfs->unlink(vfs, path);
    EVP_MD_CTX_free(sum);
    return r < 0 ? xt_error_origin(r) : r;
}

static char *temp_path(xt_backup_files *files)
{
    char *path;

    return asprintf(&path, "%s/%llu.tmp", files->dir, (unsigned long long)files->n_temps++) < 0 ? NULL : path;
}

/* Gives a synced file its name, or removes it where its bytes are there already. */
static int name_give(xt_backup_files *files, const char *temp, const xt_digest *digest, uint64_t n_bytes)
{
    const xt_vfs *vfs = files->vfs;
    char *path = xt_backup_files_path(files, digest);
    bool have = xt_backup_files_have(files, digest, n_bytes);
    int r = !path ? -ENOMEM : have ? vfs->unlink(vfs, temp) : vfs->rename(vfs, temp, path);

    if (r == 0 && !have) {
        files->n_copied++;
        files->bytes_copied += n_bytes;
    }
    if (r < 0)
        vfs->unlink(vfs, temp);
    free(path);
    return r < 0 ? xt_error_origin(r) : 0;
}

int xt_backup_files_put(xt_backup_files *files, const xt_backup_input *input, xt_digest *ret_digest,
                        uint64_t *ret_bytes, xt_problem *reterr_problem)
{
    char *temp = temp_path(files);
    xt_digest digest;
    uint64_t n_bytes;
    int why = 0, r = temp ? file_make(files, input, temp, 0600, &digest, &n_bytes, &why) : -ENOMEM;

    if (r == 0)
        r = name_give(files, temp, &digest, n_bytes);
    free(temp);
    if (r == 0) {
        *ret_digest = digest;
        *ret_bytes = n_bytes;
    } else if (r > 0) {
        xt_problem_set(reterr_problem, "it cannot be read: %s", strerror(-why));
    }
    return r < 0 ? failed(r, files->dir, reterr_problem) : r;
}

/* ------------------------------------------------------------------------------------------------ from files */

typedef struct open_file {
    const xt_vfs *vfs;
    int fd;
} open_file;

static ssize_t file_read(const void *context, void *p, size_t n, uint64_t at)
{
    const open_file *file = context;

    return file->vfs->pread(file->vfs, file->fd, p, n, at);
}

int xt_backup_files_put_file(xt_backup_files *files, const char *path, xt_digest *ret_digest, uint64_t *ret_bytes,
                             xt_problem *reterr_problem)
{
    open_file file = {files->vfs, files->vfs->open(files->vfs, path, O_RDONLY | O_NOFOLLOW, 0)};
    xt_backup_input input = {file_read, &file};

    if (file.fd < 0) {
        xt_problem_set(reterr_problem, "it cannot be read: %s", strerror(-file.fd));
        return file.fd == -ENOENT ? XT_BACKUP_E_MISSING : XT_BACKUP_E_UNREADABLE;
    }
    int r = xt_backup_files_put(files, &input, ret_digest, ret_bytes, reterr_problem);
    files->vfs->close(files->vfs, file.fd);
    return r;
}

static int file_sync(const xt_vfs *vfs, const char *path)
{
    int fd = vfs->open(vfs, path, O_RDWR | O_NOFOLLOW, 0);

    if (fd < 0)
        return xt_error_origin(fd);
    int r = vfs->fdatasync(vfs, fd), closed = vfs->close(vfs, fd);
    return r ? r : closed;
}

int xt_backup_files_put_database(xt_backup_files *files, sqlite3 *db, xt_digest *ret_digest, uint64_t *ret_bytes,
                                 xt_problem *reterr_problem)
{
    char *temp = temp_path(files);
    xt_digest digest;
    uint64_t n_bytes = 0;
    int r = temp ? xt_sqlite_copy(db, temp, files->step, files->context, reterr_problem) : -ENOMEM;

    if (r < 0) {
        if (temp)
            files->vfs->unlink(files->vfs, temp);
        free(temp);
        return xt_problem_is_set(reterr_problem) ? xt_error_trace(r) : failed(r, files->dir, reterr_problem);
    }
    r = file_sync(files->vfs, temp);
    if (r == 0)
        r = xt_digest_of_file(files->vfs, temp, &digest, &n_bytes);
    if (r == 0)
        r = name_give(files, temp, &digest, n_bytes);
    else
        files->vfs->unlink(files->vfs, temp);
    free(temp);
    if (r < 0)
        return failed(r, files->dir, reterr_problem);
    *ret_digest = digest;
    *ret_bytes = n_bytes;
    return 0;
}

int xt_backup_files_sync(const xt_backup_files *files, xt_problem *reterr_problem)
{
    int r = files->vfs->sync_folder(files->vfs, files->dir);

    return r < 0 ? failed(r, files->dir, reterr_problem) : 0;
}

/* ------------------------------------------------------------------------------------------------ reading */

static int not_it(int outcome, const char *path, int why, xt_problem *reterr_problem)
{
    if (outcome == XT_BACKUP_E_MISSING)
        xt_problem_set(reterr_problem, "the file is not there");
    else if (why < 0)
        xt_problem_set(reterr_problem, "the file cannot be read: %s", strerror(-why));
    else
        xt_problem_set(reterr_problem, "the file's bytes are not those that it is named after");
    xt_problem_source(reterr_problem, path);
    return outcome;
}

int xt_backup_files_get(xt_backup_files *files, const xt_digest *digest, uint64_t n_bytes, const char *path,
                        mode_t mode, xt_problem *reterr_problem)
{
    char *from = xt_backup_files_path(files, digest);
    open_file file = {files->vfs, from ? files->vfs->open(files->vfs, from, O_RDONLY | O_NOFOLLOW, 0) : -ENOMEM};
    xt_backup_input input = {file_read, &file};
    xt_digest found = {{0}};
    uint64_t n_found = 0;
    int why = 0, r = file.fd;

    if (file.fd >= 0) {
        r = file_make(files, &input, path, mode, &found, &n_found, &why);
        files->vfs->close(files->vfs, file.fd);
        if (r == XT_BACKUP_E_UNREADABLE || (r == 0 && (n_found != n_bytes || !xt_digest_eq(&found, digest)))) {
            if (r == 0)
                files->vfs->unlink(files->vfs, path);
            r = not_it(XT_BACKUP_E_DAMAGED, from, why, reterr_problem);
        } else if (r < 0 && r != -ECANCELED) {
            xt_problem_set(reterr_problem, "the file cannot be written: %s", strerror(-r));
            xt_problem_source(reterr_problem, path);
        }
    } else if (from) {
        r = not_it(r == -ENOENT ? XT_BACKUP_E_MISSING : XT_BACKUP_E_DAMAGED, from, r, reterr_problem);
    }
    free(from);
    return r < 0 ? xt_error_trace(r) : r;
}

int xt_backup_files_check(xt_backup_files *files, const xt_digest *digest, uint64_t n_bytes, xt_problem *reterr_problem)
{
    char *path = xt_backup_files_path(files, digest);
    xt_digest found;
    uint64_t n_found = 0;
    int r = path ? xt_digest_of_file(files->vfs, path, &found, &n_found) : xt_error_origin(-ENOMEM);

    if (r == 0 && files->step && files->step(files->context, n_found) != 0)
        r = -ECANCELED;
    else if (r == 0 && (n_found != n_bytes || !xt_digest_eq(&found, digest)))
        r = not_it(XT_BACKUP_E_DAMAGED, path, 0, reterr_problem);
    else if (r == -ENOENT)
        r = not_it(XT_BACKUP_E_MISSING, path, 0, reterr_problem);
    else if (r < 0 && r != -ENOMEM)
        r = not_it(XT_BACKUP_E_DAMAGED, path, r, reterr_problem);
    free(path);
    return r;
}

/* ------------------------------------------------------------------------------------------------ removing */

/* Removes what `gone` says of the folder's files; how many. */
static uint64_t remove_those(const xt_backup_files *files, bool (*gone)(const void *context, xt_slice name),
                             const void *context)
{
    DIR *dir = opendir(files->dir);
    uint64_t n = 0;
    char *path;

    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        if (!gone(context, xt_slice_str(e->d_name)) || asprintf(&path, "%s/%s", files->dir, e->d_name) < 0)
            continue;
        n += files->vfs->unlink(files->vfs, path) == 0;
        free(path);
    }
    if (dir)
        closedir(dir);
    return n;
}

static bool is_temp(const void *context, xt_slice name)
{
    return xt_slice_ends(name, XT_S(".tmp"));
}

void xt_backup_files_tidy(const xt_backup_files *files)
{
    remove_those(files, is_temp, NULL);
}

static bool is_unknown(const void *keep, xt_slice name)
{
    xt_digest digest;

    return xt_digest_parse(name, &digest) && !xt_map_find(keep, xt_slice_of(digest.b, sizeof digest.b));
}

uint64_t xt_backup_files_sweep(const xt_backup_files *files, const xt_map *keep)
{
    return remove_those(files, is_unknown, keep);
}
