/*
 * How it works: files are known by device, inode, size and times. Mounts on the host are not seen from within the collector's own
 * namespace, so the table of another process is read, and only when the kernel says that it has changed.
 */
#include "agent/own_files.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static xt_own_file look(const char *path)
{
    xt_own_file file = {0};
    file.is_there = path && stat(path, &file.st) == 0;
    return file;
}

static bool is_same(const xt_own_file *a, const xt_own_file *b)
{
    return a->is_there == b->is_there &&
           (!a->is_there || (a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino));
}

static bool is_unchanged(const xt_own_file *a, const xt_own_file *b)
{
    return is_same(a, b) &&
           (!a->is_there || (a->st.st_size == b->st.st_size && a->st.st_mtim.tv_sec == b->st.st_mtim.tv_sec &&
                             a->st.st_mtim.tv_nsec == b->st.st_mtim.tv_nsec));
}

/* /proc/self is a link, which the collector's sandbox does not follow. */
static bool has_program(void)
{
    char path[4096], link[32];
    snprintf(link, sizeof link, "/proc/%d/exe", getpid());
    ssize_t n = readlink(link, path, sizeof path);
    return n > 0 && !xt_slice_ends(xt_slice_of(path, (size_t)n), XT_S(" (deleted)"));
}

/* One of the two holds the other. */
static bool is_on_the_way(const char *place, const char *path)
{
    size_t a = strlen(place), b = strlen(path), n = a < b ? a : b;
    const char *longer = a < b ? path : place;
    return strncmp(place, path, n) == 0 && (n == 1 || longer[n] == '/' || longer[n] == '\0');
}

/*
 * Mounts that the state folder stands on, and those below it, with their options. The place of a mount is the 5th field of its line
 * in mountinfo; blanks in it are written as octal numbers.
 */
static xt_hash128 hash_mounts(const xt_own_files *f)
{
    XT_CLEANUP(xt_buf_fini) xt_buf lines = XT_BUF_INIT;
    char line[8192], place[4096];
    snprintf(line, sizeof line, "/proc/%d/mountinfo", f->host_pid);
    FILE *file = f->state_path[0] ? fopen(line, "re") : NULL;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%*s %*s %*s %*s %4095s", place) == 1 && is_on_the_way(place, f->state_path))
            xt_buf_puts(&lines, line);
    if (file)
        (void)fclose(file);
    return xt_slice_hash128(xt_buf_slice(&lines));
}

void xt_own_files_init(xt_own_files *f, const char *state, const char *settings, pid_t host_pid)
{
    char path[64], *real = realpath(state, NULL);
    *f = (xt_own_files){.state = state, .settings = settings, .mounts_fd = -1, .host_pid = host_pid};
    snprintf(f->spool, sizeof f->spool, "%s/shipper/spool", state);
    snprintf(f->state_path, sizeof f->state_path, "%s", real ? real : "");
    free(real);
    f->settings_file = look(settings);
    f->spool_folder = look(f->spool);
    f->has_program = has_program();
    snprintf(path, sizeof path, "/proc/%d/mountinfo", host_pid);
    f->mounts_fd = host_pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    f->mounts = hash_mounts(f);
}

void xt_own_files_fini(xt_own_files *f)
{
    if (f->mounts_fd >= 0)
        close(f->mounts_fd);
    f->mounts_fd = -1;
}

static bool mounts_changed(xt_own_files *f)
{
    struct pollfd fd = {.fd = f->mounts_fd, .events = POLLPRI};
    if (f->mounts_fd < 0 || poll(&fd, 1, 0) <= 0)
        return false;
    const xt_hash128 before = f->mounts;
    f->mounts = hash_mounts(f);
    return !xt_hash128_eq(f->mounts, before);
}

bool xt_own_files_next(xt_own_files *f, xt_buf *out)
{
    const bool has = has_program(), had = f->has_program;
    const xt_own_file settings = look(f->settings), was = f->settings_file;
    const xt_own_file spool = look(f->spool), held = f->spool_folder;
    const size_t before = out->n;
    f->has_program = has;
    f->settings_file = settings;
    f->spool_folder = spool;
    if (had && !has)
        xt_buf_puts(out, "the program of the running agent was deleted or replaced; ");
    if (!is_unchanged(&settings, &was))
        xt_buf_printf(out, "the settings file %s was %s: what is in force was read when the agent began; ", f->settings,
                      settings.is_there ? "changed" : "removed");
    if (held.is_there && !is_same(&spool, &held))
        xt_buf_printf(out, "the spool %s was removed or replaced: what waited in it is lost; ", f->spool);
    if (mounts_changed(f))
        xt_buf_printf(out, "a file system was mounted on the state folder %s, taken from it, or given other options; ",
                      f->state);
    if (out->n == before)
        return false;
    out->n -= 2;
    return true;
}
