/* Links are not followed: what they lead to is not the data folder's. */
#include "server/backup_other_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define MAX_DEPTH 16

static bool is_left_out(xt_slice name)
{
    static const char *const names[] = {"segments",     "lock",      "reserve",       "server.json",
                                        "control.sock", "restoring", "rules-builtin", "senders.key"};

    for (size_t i = 0; i < XT_COUNT_OF(names); i++)
        if (xt_slice_eq(name, xt_slice_str(names[i])))
            return true;
    return xt_slice_starts(name, XT_S("pending.db")) || xt_slice_starts(name, XT_S("state.db")) ||
           xt_slice_ends(name, XT_S(".new")) || xt_slice_ends(name, XT_S(".tmp"));
}

static void tell(const xt_backup_others *others, const char *path, xt_problem *problem)
{
    xt_problem_source(problem, path);
    others->report(others->context, problem);
}

static int file_put(xt_backup_others *others, const char *path, const char *name, mode_t mode,
                    xt_problem *reterr_problem)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_backup_entry entry = {.name = xt_slice_str(name), .mode = mode & 0777};
    int r = xt_backup_files_put_file(others->files, path, &entry.digest, &entry.n_bytes, &problem);

    if (r == XT_BACKUP_E_MISSING)
        return 0; /* gone meanwhile */
    if (r > 0)
        tell(others, path, &problem);
    else if (r < 0 && reterr_problem)
        *reterr_problem = problem;
    return r == 0 ? xt_backup_manifest_add(others->manifest, &entry) : r < 0 ? xt_error_trace(r) : 0;
}

static int folder_put(xt_backup_others *others, const char *below, unsigned depth, xt_problem *reterr_problem);

/* name: below the data folder. */
static int one_put(xt_backup_others *others, const char *name, unsigned depth, xt_problem *reterr_problem)
{
    xt_problem problem = XT_PROBLEM_INIT;
    struct stat st;
    char *path;
    int r = 0;

    if (asprintf(&path, "%s/%s", others->source->data, name) < 0)
        return xt_error_origin(-ENOMEM);
    if (lstat(path, &st) < 0)
        st.st_mode = 0; /* gone meanwhile */
    if (S_ISREG(st.st_mode)) {
        r = file_put(others, path, name, st.st_mode, reterr_problem);
    } else if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
        r = folder_put(others, name, depth + 1, reterr_problem);
    } else if (st.st_mode) {
        xt_problem_set(&problem, "this is no plain file, and not in the backup");
        tell(others, path, &problem);
    }
    free(path);
    return r;
}

/* below: "" is the data folder. */
static int folder_put(xt_backup_others *others, const char *below, unsigned depth, xt_problem *reterr_problem)
{
    xt_problem problem = XT_PROBLEM_INIT;
    char *path, *name;
    int r = 0;

    if (asprintf(&path, "%s/%s", others->source->data, below) < 0)
        return xt_error_origin(-ENOMEM);
    DIR *dir = opendir(path);
    if (!dir && errno != ENOENT) {
        xt_problem_set(&problem, "this folder cannot be read: %s", strerror(errno));
        tell(others, path, &problem);
    }
    for (struct dirent *e; dir && r == 0 && (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (depth == 0 && is_left_out(xt_slice_str(e->d_name)))
            continue;
        if (asprintf(&name, "%s%s%s", below, below[0] ? "/" : "", e->d_name) < 0)
            name = NULL;
        r = name ? one_put(others, name, depth, reterr_problem) : xt_error_origin(-ENOMEM);
        free(name);
    }
    if (dir)
        closedir(dir);
    free(path);
    return r;
}

int xt_backup_others_put(xt_backup_others *others, xt_problem *reterr_problem)
{
    return folder_put(others, "", 0, reterr_problem);
}
