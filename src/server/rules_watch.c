/*
 * Looking is one stat per file every two seconds and a hash over what it said: cheaper to get right than inotify on trees
 * that may be replaced, mounted or linked.
 */
#include "server/rules_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/vfs.h"
#include "server/embedded.h"

struct xt_rules_watch {
    pthread_mutex_t lock;
    char **paths; /* ended by NULL */
    size_t n_paths;
    xt_ruleset *set;
    uint64_t looks_like; /* of the files that `set` was made of */
    xt_problem *refused;
    size_t n_refused;
};

/* ------------------------------------------------------------------------------------- the rules built in */

/* rules/secrets says what is removed from arguments; it holds no detections. */
static bool is_detection(const xt_embedded *file)
{
    return strncmp(file->path, "secrets/", 8) != 0;
}

static int make_folders(char *path, size_t from)
{
    for (char *at = path + from; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        int r = mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
        *at = '/';
        if (r)
            return xt_error_origin(r);
    }
    return 0;
}

static int write_builtin(const char *folder, const xt_embedded *file)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", folder, file->path);

    if (n < 0 || (size_t)n >= sizeof path)
        return xt_error_origin(-ENAMETOOLONG);
    int r = make_folders(path, strlen(folder));
    if (r)
        return xt_error_trace(r);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return xt_error_origin(-errno);
    r = xt_vfs_write_all(&xt_vfs_system, fd, file->bytes, file->n, 0);
    close(fd);
    return xt_error_trace(r);
}

static void remove_tree(char *folder)
{
    char *paths[] = {folder, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;

    while (tree && (entry = fts_read(tree)) != NULL) {
        if (entry->fts_info == FTS_DP)
            (void)rmdir(entry->fts_accpath);
        else if (entry->fts_info != FTS_D)
            (void)unlink(entry->fts_accpath);
    }
    if (tree)
        fts_close(tree);
}

/* Anew at each start: what an older version had must not stay in force. */
static int write_all_builtin(char *folder, xt_problem *reterr_problem)
{
    remove_tree(folder);
    int r = mkdir(folder, 0755) && errno != EEXIST ? -errno : 0;
    for (const xt_embedded *file = xt_embedded_rules; r == 0 && file->path; file++)
        if (is_detection(file))
            r = write_builtin(folder, file);
    if (r) {
        xt_problem_set(reterr_problem, "%s: the rules built in cannot be written: %s", folder, strerror(-r));
        xt_problem_hint(reterr_problem, "check the folder's owner and the free space");
    }
    return xt_error_trace(r);
}

/* ---------------------------------------------------------------------------------------------- looking */

static void look_hash(uint64_t *sum, const FTSENT *entry)
{
    struct {
        uint64_t path, size, inode, s, ns;
    } seen = {0};

    seen.path = xt_slice_hash(xt_slice_of(entry->fts_path, entry->fts_pathlen));
    if (entry->fts_info == FTS_F) {
        seen.size = (uint64_t)entry->fts_statp->st_size;
        seen.inode = (uint64_t)entry->fts_statp->st_ino;
        seen.s = (uint64_t)entry->fts_statp->st_mtim.tv_sec;
        seen.ns = (uint64_t)entry->fts_statp->st_mtim.tv_nsec;
    }
    *sum += xt_slice_hash(xt_slice_of(&seen, sizeof seen));
}

static uint64_t look(xt_rules_watch *watch)
{
    FTS *tree = watch->n_paths ? fts_open(watch->paths, FTS_LOGICAL | FTS_NOCHDIR, NULL) : NULL;
    uint64_t sum = 0;
    FTSENT *entry;

    while (tree && (entry = fts_read(tree)) != NULL)
        if (entry->fts_info != FTS_DP)
            look_hash(&sum, entry);
    if (tree)
        fts_close(tree);
    return sum;
}

/* ---------------------------------------------------------------------------------------------- loading */

typedef struct refusals {
    xt_problem *items;
    size_t n, cap;
} refusals;

static void keep_refused(void *context, const xt_problem *problem)
{
    refusals *all = context;

    if (all->n == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 16;
        xt_problem *grown = reallocarray(all->items, cap, sizeof *grown);
        if (!grown)
            return; /* counted by the set, told of no more */
        all->items = grown;
        all->cap = cap;
    }
    all->items[all->n++] = *problem;
}

int xt_rules_watch_load(xt_rules_watch *watch, xt_problem *reterr_problem)
{
    refusals refused = {0};
    xt_ruleset *set = NULL, *old;
    uint64_t looks_like = look(watch); /* before reading: a change meanwhile is seen by the next look */
    int r = xt_ruleset_load((const char *const *)watch->paths, watch->n_paths, keep_refused, &refused, &set,
                            reterr_problem);

    pthread_mutex_lock(&watch->lock);
    watch->looks_like = looks_like;
    old = watch->set;
    if (r == 0) {
        xt_problem *items = watch->refused;
        watch->set = set;
        watch->refused = refused.items;
        watch->n_refused = refused.n;
        refused.items = items;
    }
    pthread_mutex_unlock(&watch->lock);
    if (r == 0)
        xt_ruleset_unref(old);
    free(refused.items);
    return r > 0 ? XT_APP_E_INVALID : xt_error_trace(r);
}

int xt_rules_watch_poll(xt_rules_watch *watch, bool *ret_loaded, xt_problem *reterr_problem)
{
    uint64_t now = look(watch);

    pthread_mutex_lock(&watch->lock);
    bool same = now == watch->looks_like;
    pthread_mutex_unlock(&watch->lock);
    *ret_loaded = !same;
    return same ? 0 : xt_rules_watch_load(watch, reterr_problem);
}

static int add_path(xt_rules_watch *watch, const char *path)
{
    watch->paths[watch->n_paths] = strdup(path);
    if (!watch->paths[watch->n_paths])
        return xt_error_origin(-ENOMEM);
    watch->n_paths++;
    return 0;
}

static int add_builtin(xt_rules_watch *watch, const char *data, xt_problem *reterr_problem)
{
    char folder[4096];
    int n = snprintf(folder, sizeof folder, "%s/rules-builtin", data);

    if (n < 0 || (size_t)n >= sizeof folder)
        return xt_error_origin(-ENAMETOOLONG);
    int r = write_all_builtin(folder, reterr_problem);
    if (r == -ENOSPC || r == -EROFS || r == -EDQUOT)
        return 0; /* a full disk must not keep anyone from reading */
    if (r == 0)
        r = add_path(watch, folder);
    return xt_error_trace(r);
}

int xt_rules_watch_open(const xt_app_settings *settings, xt_rules_watch **ret, xt_problem *reterr_problem)
{
    xt_rules_watch *watch = calloc(1, sizeof *watch);
    int r = 0;

    if (!watch)
        return xt_error_origin(-ENOMEM);
    pthread_mutex_init(&watch->lock, NULL);
    watch->paths = calloc(settings->n_rules + 2, sizeof *watch->paths);
    if (!watch->paths) {
        xt_rules_watch_close(watch);
        return xt_error_origin(-ENOMEM);
    }
    if (!settings->no_own_rules)
        r = add_builtin(watch, settings->data, reterr_problem);
    for (size_t i = 0; r == 0 && i < settings->n_rules; i++)
        r = add_path(watch, settings->rules[i]);
    if (r == 0)
        r = xt_rules_watch_load(watch, reterr_problem);
    if (r) {
        xt_rules_watch_close(watch);
        return r;
    }
    *ret = watch;
    return 0;
}

xt_rules_watch *xt_rules_watch_close(xt_rules_watch *watch)
{
    if (!watch)
        return NULL;
    for (size_t i = 0; watch->paths && i < watch->n_paths; i++)
        free(watch->paths[i]);
    free(watch->paths);
    free(watch->refused);
    xt_ruleset_unref(watch->set);
    pthread_mutex_destroy(&watch->lock);
    free(watch);
    return NULL;
}

xt_ruleset *xt_rules_watch_get(xt_rules_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    xt_ruleset *set = xt_ruleset_ref(watch->set);
    pthread_mutex_unlock(&watch->lock);
    return set;
}

void xt_rules_watch_refused(xt_rules_watch *watch, void (*each)(void *context, const xt_problem *problem),
                            void *context)
{
    pthread_mutex_lock(&watch->lock);
    size_t n = watch->n_refused;
    xt_problem *copy = n ? malloc(n * sizeof *copy) : NULL;
    if (copy)
        memcpy(copy, watch->refused, n * sizeof *copy);
    pthread_mutex_unlock(&watch->lock);
    for (size_t i = 0; copy && i < n; i++)
        each(context, &copy[i]);
    free(copy);
}
