/*
 * How it works: all below STATE/shipper is opened relative to its descriptor and without following links, for the user
 * that owns it may have put anything there; and the folder is root's while its files are looked at, so that none takes
 * another's place meanwhile.
 */
#include "agent/state_folder.h"

#include "agent/policy_pin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_STEP_MS 50

static int failed(const char *path, int error, const char *doing, xt_problem *reterr_problem)
{
    xt_problem_source(reterr_problem, path);
    xt_problem_set(reterr_problem, "the state folder cannot be %s: %s", doing, strerror(error));
    xt_problem_hint(reterr_problem, "give another with --state, or run as root");
    return xt_error_origin(-error);
}

static int make_folders(const char *path)
{
    char part[4096];
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof part)
        return -ENAMETOOLONG;
    memcpy(part, path, n + 1);
    for (size_t i = 1; i <= n; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return -errno;
        part[i] = path[i];
    }
    return 0;
}

/* Waits for an agent that is just ending. */
static int lock_take(const char *path, int folder, int *ret, xt_problem *reterr_problem)
{
    int fd = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return failed(path, errno, "written", reterr_problem);
    for (int waited_ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited_ms += LOCK_STEP_MS) {
        if (errno == EWOULDBLOCK && waited_ms < XT_STATE_LOCK_WAIT_MS) {
            nanosleep(&(struct timespec){.tv_nsec = LOCK_STEP_MS * 1000000L}, NULL);
            continue;
        }
        close(fd);
        xt_problem_source(reterr_problem, path);
        xt_problem_set(reterr_problem, "another agent runs with this state folder");
        xt_problem_hint(reterr_problem, "stop it first, or give another folder with --state");
        return xt_error_origin(-EBUSY);
    }
    *ret = fd;
    return 0;
}

/* What was looked at is what is given, whatever bears its name by then. */
static int give_file(int folder, const char *name, const xt_privilege_user *user)
{
    struct stat st;
    int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), r = 0;
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid != user->uid)
        r = fchownat(fd, "", user->uid, user->gid, AT_EMPTY_PATH);
    if (fd >= 0)
        close(fd);
    return r;
}

/* What an agent with another user left becomes this user's; links and files with a second name are left alone. */
static void give_files(int folder, const xt_privilege_user *user)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (give_file(folder, entry->d_name, user) < 0)
            break;
    closedir(dir);
}

static int open_owned(int parent, const char *name, const xt_privilege_user *user)
{
    if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    if (geteuid() != 0)
        return fd;
    int r = fchown(fd, 0, 0); /* nobody else names anything in it until all is given */
    if (r == 0 && (r = fchmod(fd, 0700)) == 0) {
        give_files(fd, user);
        r = fchown(fd, user->uid, user->gid);
    }
    if (r == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

int xt_state_folder_open(const char *path, const xt_privilege_user *user, int *ret_folder, int *ret_lock,
                         xt_problem *reterr_problem)
{
    int r = make_folders(path);
    if (r < 0)
        return failed(path, -r, "made", reterr_problem);
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return failed(path, errno, "opened", reterr_problem);
    int lock = -1;
    r = lock_take(path, folder, &lock, reterr_problem);
    /* made anew: root enrols the host again, and what it was bound to is past */
    if (r == 0 && faccessat(folder, "shipper", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        (void)unlinkat(folder, XT_PIN_FILE, 0);
    int shipper = r == 0 ? open_owned(folder, "shipper", user) : -1;
    int spool = shipper >= 0 ? open_owned(shipper, "spool", user) : -1;
    close(folder);
    if (r < 0)
        return r;
    if (spool < 0) {
        int error = shipper < 0 ? -shipper : -spool;
        if (shipper >= 0)
            close(shipper);
        close(lock);
        return failed(path, error, "prepared for the shipper", reterr_problem);
    }
    close(spool);
    *ret_folder = shipper;
    *ret_lock = lock;
    return 0;
}
