/* A folder that is not there yet is told by the one that it will stand in. */
#include "server/backup_place.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/app.h"

static char *true_path(const char *path)
{
    char *found = realpath(path, NULL), *copy = NULL, *parent = NULL, *joined = NULL;

    if (found || errno != ENOENT)
        return found;
    copy = strdup(path);
    for (size_t n = copy ? strlen(copy) : 0; n > 1 && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    char *slash = copy ? strrchr(copy, '/') : NULL;
    errno = copy ? EINVAL : ENOMEM;
    if (slash && slash[1]) {
        *slash = '\0';
        parent = realpath(slash == copy ? "/" : copy, NULL);
        if (parent && asprintf(&joined, "%s/%s", strcmp(parent, "/") == 0 ? "" : parent, slash + 1) < 0)
            joined = NULL;
    }
    free(parent);
    free(copy);
    return joined;
}

int xt_backup_place(const char *path, const char *other, char **ret, xt_problem *reterr_problem)
{
    char *place = path[0] == '/' ? true_path(path) : NULL;
    char *own = place ? realpath(other, NULL) : NULL;
    int r = 0;

    if (!place || !own) {
        xt_problem_set(reterr_problem, "there can be no such folder: %s",
                       path[0] == '/' ? strerror(errno) : "its path has to begin with /");
        r = XT_APP_E_INVALID;
    } else if (xt_slice_starts(xt_slice_str(place), xt_slice_str(own)) && strchr("/", place[strlen(own)])) {
        xt_problem_set(reterr_problem, "this folder is in %s", own);
        xt_problem_hint(reterr_problem, "a data folder and its backup need places of their own, best on two disks");
        r = XT_APP_E_INVALID;
    }
    if (r)
        xt_problem_source(reterr_problem, path);
    free(own);
    if (r)
        free(place);
    else
        *ret = place;
    return r;
}

int xt_backup_place_sync(const xt_vfs *vfs, const char *path)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : NULL;
    int r = parent ? vfs->sync_folder(vfs, parent) : xt_error_origin(-ENOMEM);

    free(parent);
    return r;
}
