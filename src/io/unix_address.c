#include "io/unix_address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int xt_unix_address(const char *path, struct sockaddr_un *ret, int *ret_fd)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t n = strlen(path);
    if (n < sizeof sa.sun_path) {
        memcpy(sa.sun_path, path, n);
        *ret = sa;
        *ret_fd = -1;
        return 0;
    }
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX];
    if (!slash || (size_t)(slash - path) >= sizeof folder)
        return xt_error_origin(-ENAMETOOLONG);
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return xt_error_origin(-errno);
    int length = snprintf(sa.sun_path, sizeof sa.sun_path, "/proc/self/fd/%d%s", fd, slash);
    if (length < 0 || (size_t)length >= sizeof sa.sun_path) {
        close(fd);
        return xt_error_origin(-ENAMETOOLONG);
    }
    *ret = sa;
    *ret_fd = fd;
    return 0;
}
