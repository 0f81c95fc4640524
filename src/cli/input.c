/* One read buffer of 1 MiB; a .zst file has a second one for what comes out of it. */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define INPUT_BYTES (1u << 20)

struct xt_input {
    int fd;
    const char *name;
    uint64_t position, size;
    char *raw, *plain;
    size_t n_raw; /* bytes in raw that the decompressor has not taken yet, from raw_at on */
    size_t raw_at;
    bool begun, end;
    ZSTD_DStream *zstd;
    size_t zstd_left; /* what ZSTD_decompressStream said last: not 0 inside of a frame */
};

xt_input *xt_input_close(xt_input *input)
{
    if (!input)
        return NULL;
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    ZSTD_freeDStream(input->zstd);
    free(input->raw);
    free(input->plain);
    free(input);
    return NULL;
}

static int fail(const xt_input *input, int error, xt_problem *reterr_problem)
{
    xt_problem_source(reterr_problem, input->name);
    xt_problem_set(reterr_problem, "%s", strerror(error));
    return -error;
}

int xt_input_open(const char *path, xt_input **ret, xt_problem *reterr_problem)
{
    xt_input *input = calloc(1, sizeof *input);
    if (!input)
        return xt_error_origin(-ENOMEM);
    bool is_stdin = strcmp(path, "-") == 0;
    input->name = is_stdin ? "standard input" : path;
    input->fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    input->raw = malloc(INPUT_BYTES);
    struct stat st = {0};
    int r = 0;
    if (input->fd < 0 || (fstat(input->fd, &st) == 0 && S_ISDIR(st.st_mode)))
        r = fail(input, input->fd < 0 ? errno : EISDIR, reterr_problem);
    else if (!input->raw)
        r = fail(input, ENOMEM, reterr_problem);
    if (r < 0) {
        (void)xt_input_close(input);
        return r;
    }
    input->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
    *ret = input;
    return 0;
}

static int fill(xt_input *input, xt_problem *reterr_problem)
{
    ssize_t n;
    do
        n = read(input->fd, input->raw, INPUT_BYTES);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return fail(input, errno, reterr_problem);
    input->n_raw = (size_t)n;
    input->raw_at = 0;
    input->position += (uint64_t)n;
    input->end = n == 0;
    return 0;
}

/* What kind of file it is, by its first bytes. */
static int begin(xt_input *input, xt_problem *reterr_problem)
{
    static const unsigned char zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    input->begun = true;
    int r = fill(input, reterr_problem);
    if (r < 0)
        return r;
    if (input->n_raw >= 2 && memcmp(input->raw, "\x1f\x8b", 2) == 0) {
        xt_problem_source(reterr_problem, input->name);
        xt_problem_set(reterr_problem, "a gzip file");
        xt_problem_hint(reterr_problem, "unpack it: gzip -dc %s | exectrail ... -", input->name);
        return -EBADMSG;
    }
    if (input->n_raw < 4 || memcmp(input->raw, zstd_magic, 4) != 0)
        return 0;
    input->zstd = ZSTD_createDStream();
    input->plain = malloc(INPUT_BYTES);
    return input->zstd && input->plain ? 0 : fail(input, ENOMEM, reterr_problem);
}

static int next_decompressed(xt_input *input, xt_slice *ret, xt_problem *reterr_problem)
{
    ZSTD_outBuffer out = {input->plain, INPUT_BYTES, 0};
    while (out.pos == 0) {
        if (input->n_raw == input->raw_at) {
            int r = fill(input, reterr_problem);
            if (r < 0)
                return r;
            if (input->end)
                break;
        }
        ZSTD_inBuffer in = {input->raw, input->n_raw, input->raw_at};
        input->zstd_left = ZSTD_decompressStream(input->zstd, &out, &in);
        input->raw_at = in.pos;
        if (ZSTD_isError(input->zstd_left))
            break;
    }
    if (ZSTD_isError(input->zstd_left) || (out.pos == 0 && input->zstd_left != 0)) {
        xt_problem_source(reterr_problem, input->name);
        xt_problem_set(reterr_problem, "the zstd data is %s", ZSTD_isError(input->zstd_left) ? "corrupt" : "cut off");
        return -EBADMSG;
    }
    *ret = xt_slice_of(input->plain, out.pos);
    return 0;
}

int xt_input_next(xt_input *input, xt_slice *ret, xt_problem *reterr_problem)
{
    int r = 0;
    bool first = !input->begun;
    if (first)
        r = begin(input, reterr_problem);
    if (r < 0)
        return r;
    if (input->zstd)
        return next_decompressed(input, ret, reterr_problem);
    if (!first && !input->end)
        r = fill(input, reterr_problem);
    if (r == 0)
        *ret = xt_slice_of(input->raw, input->n_raw);
    return r;
}

const char *xt_input_name(const xt_input *input)
{
    return input->name;
}

uint64_t xt_input_position(const xt_input *input)
{
    return input->position;
}

uint64_t xt_input_size(const xt_input *input)
{
    return input->size;
}
