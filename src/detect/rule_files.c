/*
 * Folders are read whole and sorted by bytes, because which of two rules with one id is refused must not depend on the
 * file system.
 */
#include "detect/rule_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_DEPTH 16
#define MAX_BYTES (1u << 20)

struct walk {
    xt_rule_file_fn each;
    void (*unreadable)(void *context, const xt_problem *problem);
    void *context;
    unsigned depth;
};

static int walk_path(struct walk *w, const char *path, bool is_named);

static int tell(struct walk *w, const char *path, const char *why)
{
    xt_problem problem = XT_PROBLEM_INIT;

    xt_problem_source(&problem, path);
    xt_problem_set(&problem, "this cannot be read: %s", why);
    w->unreadable(w->context, &problem);
    return 0;
}

/* The whole file; -EFBIG above the limit. */
static int read_all(const char *path, xt_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), r = 0;

    if (fd < 0)
        return -errno;
    while (!r) {
        char *to = xt_buf_reserve(out, 16384);
        ssize_t n = to ? read(fd, to, 16384) : -1;
        if (n <= 0) {
            r = !to ? -ENOMEM : n < 0 ? -errno : 1;
            break;
        }
        out->n += (size_t)n;
        if (out->n > MAX_BYTES)
            r = -EFBIG;
    }
    close(fd);
    return r < 0 ? r : 0;
}

static int walk_file(struct walk *w, const char *path)
{
    xt_buf text = XT_BUF_INIT;
    int r = read_all(path, &text);

    if (r == -ENOMEM)
        r = xt_error_origin(r);
    else if (r < 0)
        r = tell(w, path, strerror(-r));
    else
        r = w->each(w->context, path, xt_buf_slice(&text));
    xt_buf_fini(&text);
    return r;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/* Rules about secrets stand in the same folder and are another kind (event/secrets). */
static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.' && strcmp(entry->d_name, "secrets") != 0;
}

static int walk_entry(struct walk *w, const char *folder, const char *name)
{
    xt_buf path = XT_BUF_INIT;
    int r;

    xt_buf_puts(&path, folder);
    if (path.n && path.p[path.n - 1] != '/')
        xt_buf_putc(&path, '/');
    xt_buf_puts(&path, name);
    xt_buf_putc(&path, '\0');
    r = xt_buf_done(&path);
    if (!r)
        r = walk_path(w, path.p, false);
    xt_buf_fini(&path);
    return r;
}

static int walk_folder(struct walk *w, const char *path)
{
    struct dirent **entries;
    int n, r = 0;

    if (w->depth == MAX_DEPTH)
        return tell(w, path, "too many folders inside one another");
    n = scandir(path, &entries, is_visible, by_bytes);
    if (n < 0)
        return errno == ENOMEM ? xt_error_origin(-ENOMEM) : tell(w, path, strerror(errno));
    w->depth++;
    for (int i = 0; i < n; i++) {
        if (!r)
            r = walk_entry(w, path, entries[i]->d_name);
        free(entries[i]);
    }
    w->depth--;
    free(entries);
    return r;
}

static bool is_rule_name(xt_slice path)
{
    return xt_slice_ends(path, XT_S(".yml")) || xt_slice_ends(path, XT_S(".yaml"));
}

/* is_named: the caller asked for this very path, so its ending does not matter. */
static int walk_path(struct walk *w, const char *path, bool is_named)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return tell(w, path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return walk_folder(w, path);
    return S_ISREG(st.st_mode) && (is_named || is_rule_name(xt_slice_str(path))) ? walk_file(w, path) : 0;
}

int xt_rule_files_read(const char *path, xt_rule_file_fn each,
                       void (*unreadable)(void *context, const xt_problem *problem), void *context,
                       xt_problem *reterr_problem)
{
    struct walk w = {.each = each, .unreadable = unreadable, .context = context};
    struct stat st;

    if (stat(path, &st) < 0) {
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "there are no rules here: %s", strerror(errno));
        return XT_RULE_FILES_E_PATH;
    }
    return walk_path(&w, path, true);
}
