#include "agent/mark_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/vfs.h"

#define PLACE_BYTES 65536
#define HEAD_BYTES  12

static int place_read(int fd, unsigned i, xt_buf *out, uint64_t *ret_number, xt_slice *ret)
{
    xt_buf_reset(out);
    char *p = xt_buf_reserve(out, PLACE_BYTES);
    ssize_t n = p ? pread(fd, p, PLACE_BYTES, (off_t)i * PLACE_BYTES) : -1;
    if (n < 0)
        return p ? -errno : xt_error_origin(-ENOMEM);
    out->n = (size_t)n;
    xt_reader reader = xt_reader_of(xt_buf_slice(out));
    *ret_number = xt_reader_u64(&reader);
    size_t n_bytes = xt_reader_u32(&reader);
    *ret = xt_reader_bytes(&reader, n_bytes);
    uint64_t hash = xt_reader_u64(&reader);
    bool is_whole = !reader.failed && *ret_number > 0 &&
                    hash == xt_slice_hash(xt_slice_head(xt_buf_slice(out), HEAD_BYTES + n_bytes));
    return is_whole ? 0 : XT_MARK_FILE_E_NONE;
}

/* The newer of the two; without out its number alone. */
static int newest_read(int fd, xt_buf *out, uint64_t *ret_number)
{
    XT_CLEANUP(xt_buf_fini) xt_buf place = XT_BUF_INIT;
    uint64_t newest = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t number = 0;
        xt_slice bytes;
        int r = place_read(fd, i, &place, &number, &bytes);
        if (r < 0)
            return r;
        if (r > 0 || number <= newest)
            continue;
        newest = number;
        if (out) {
            xt_buf_reset(out);
            xt_buf_put(out, bytes);
        }
    }
    *ret_number = newest;
    return newest > 0 ? out ? xt_buf_done(out) : 0 : XT_MARK_FILE_E_NONE;
}

static int regular_open(int folder, const char *name, int flags)
{
    struct stat st;
    int fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    close(fd);
    return -EINVAL;
}

int xt_mark_file_open(xt_mark_file *file, int folder, const char *name)
{
    int fd = regular_open(folder, name, O_RDWR | O_CREAT);
    if (fd < 0)
        return xt_error_origin(fd);
    *file = (xt_mark_file){.fd = fd};
    int r = newest_read(fd, NULL, &file->number);
    if (r < 0)
        xt_mark_file_close(file);
    return r < 0 ? xt_error_trace(r) : 0;
}

void xt_mark_file_close(xt_mark_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

int xt_mark_file_write(xt_mark_file *file, xt_slice bytes)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    if (bytes.n > XT_MARK_MAX_BYTES)
        return xt_error_origin(-EFBIG);
    uint64_t number = file->number + 1;
    xt_buf_put_u64(&out, number);
    xt_buf_put_u32(&out, (uint32_t)bytes.n);
    xt_buf_put(&out, bytes);
    xt_buf_put_u64(&out, xt_slice_hash(xt_buf_slice(&out)));
    int r = xt_buf_done(&out);
    if (r == 0)
        r = xt_vfs_write_all(&xt_vfs_system, file->fd, out.p, out.n, number % 2 * PLACE_BYTES);
    if (r == 0)
        file->number = number;
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_mark_file_read(int folder, const char *name, xt_buf *out, uint64_t *ret_number)
{
    int fd = regular_open(folder, name, O_RDONLY);
    if (fd == -ENOENT)
        return XT_MARK_FILE_E_NONE;
    if (fd < 0)
        return xt_error_origin(fd);
    int r = newest_read(fd, out, ret_number);
    close(fd);
    return r < 0 ? xt_error_trace(r) : r;
}
