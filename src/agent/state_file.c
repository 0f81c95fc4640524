#include "agent/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "io/vfs.h"

int xt_state_file_read(const char *folder, const char *name, xt_state_file *ret)
{
    char path[4096];
    xt_buf out = XT_BUF_ON(path);
    xt_buf_printf(&out, "%s/%s", folder, name);
    *ret = (xt_state_file){0};
    int r = xt_buf_done(&out);
    if (r >= 0)
        r = xt_vfs_read_file(&xt_vfs_system, path, 65536, &ret->text);
    if (r < 0)
        xt_state_file_fini(ret);
    return r;
}

void xt_state_file_fini(xt_state_file *file)
{
    xt_buf_fini(&file->text);
}

xt_slice xt_state_file_text(const xt_state_file *file, const char *name)
{
    xt_slice rest = xt_buf_slice(&file->text), line, key;
    while (xt_slice_cut(&rest, '\n', &line))
        if (xt_slice_cut(&line, '=', &key) && xt_slice_eq(key, xt_slice_str(name)))
            return line.p ? line : XT_S("");
    return XT_S_NULL;
}

uint64_t xt_state_file_number(const xt_state_file *file, const char *name)
{
    uint64_t v = 0;
    return xt_slice_parse_u64(xt_state_file_text(file, name), &v) ? v : 0;
}

int xt_state_file_write(const char *folder, const char *name, xt_slice text)
{
    char path[4096], beside[4096];
    xt_buf a = XT_BUF_ON(path), b = XT_BUF_ON(beside);
    xt_buf_printf(&a, "%s/%s", folder, name);
    xt_buf_printf(&b, "%s/%s.new", folder, name);
    if (xt_buf_done(&a) < 0 || xt_buf_done(&b) < 0)
        return xt_error_origin(-ENAMETOOLONG);
    int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    int r = xt_vfs_write_all(&xt_vfs_system, fd, text.p, text.n, 0);
    close(fd);
    if (r == 0 && rename(beside, path) < 0)
        r = -errno;
    return r;
}
