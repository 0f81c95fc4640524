/*
 * One read buffer, small enough to stay in a cache; a packed file has a second one for what comes out of it. A packed
 * file may be several one behind the other, as `cat a.gz b.gz` makes them.
 */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define INPUT_BYTES (128u << 10)
#define N_MAGIC     8 /* bytes that tell what a file is */

struct xt_input {
    int fd;
    const char *name;
    uint64_t position, size;
    char *raw, *plain;
    size_t n_raw; /* bytes in raw that the decompressor has not taken yet, from raw_at on */
    size_t raw_at;
    bool begun, end;
    ZSTD_DStream *zstd;
    z_stream *gzip;
    bool is_inside;  /* of a packed stream that has not ended */
    bool is_corrupt; /* found behind what was given out */
};

xt_input *xt_input_close(xt_input *input)
{
    if (!input)
        return NULL;
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    ZSTD_freeDStream(input->zstd);
    if (input->gzip)
        inflateEnd(input->gzip);
    free(input->gzip);
    free(input->raw);
    free(input->plain);
    free(input);
    return NULL;
}

static const char *hint_of(int error)
{
    switch (error) {
    case ENOENT:
        return "check the name; - is standard input";
    case EACCES:
    case EPERM:
        return "audit logs are readable by root alone: try sudo";
    case EISDIR:
        return "name the files in it, oldest first";
    default:
        return NULL;
    }
}

static int fail(const xt_input *input, int error, xt_problem *reterr_problem)
{
    const char *hint = hint_of(error);
    xt_problem_source(reterr_problem, input->name);
    xt_problem_set(reterr_problem, "cannot be read: %s", strerror(error));
    if (hint)
        xt_problem_hint(reterr_problem, "%s", hint);
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

#define GZIP_ONLY (15 + 16) /* zlib's largest window, and a gzip head before it */

static int begin_gzip(xt_input *input, xt_problem *reterr_problem)
{
    input->plain = malloc(INPUT_BYTES);
    input->gzip = calloc(1, sizeof *input->gzip);
    if (!input->plain || !input->gzip || inflateInit2(input->gzip, GZIP_ONLY) != Z_OK) {
        free(input->gzip);
        input->gzip = NULL;
        return fail(input, ENOMEM, reterr_problem);
    }
    return 0;
}

/* Files that hold a log in a form that is not read here. */
static int refuse_other(const xt_input *input, xt_problem *reterr_problem)
{
    static const struct {
        const char *magic;
        size_t n;
        const char *what, *hint;
    } others[] = {
        {"\xfd"
         "7zXZ",
         6, "xz data", "unpack it: xz -dc FILE | exectrail decode"},
        {"BZh", 3, "bzip2 data", "unpack it: bzip2 -dc FILE | exectrail decode"},
        {"\x04\x22\x4d\x18", 4, "lz4 data", "unpack it: lz4 -dc FILE | exectrail decode"},
        {"PK\x03\x04", 4, "a zip file", "unpack it: unzip -p FILE | exectrail decode"},
        {"LPKSHHRH", 8, "a journal of systemd", "use journalctl -o cat _TRANSPORT=audit, or /var/log/audit/audit.log"},
        {"\x7f"
         "ELF",
         4, "a program", "name a log of the audit daemon"},
    };
    for (size_t i = 0; i < XT_COUNT_OF(others); i++) {
        if (input->n_raw < others[i].n || memcmp(input->raw, others[i].magic, others[i].n) != 0)
            continue;
        xt_problem_source(reterr_problem, input->name);
        xt_problem_set(reterr_problem, "this is %s, not text, gzip or zstd", others[i].what);
        xt_problem_hint(reterr_problem, "%s", others[i].hint);
        return -EPROTO;
    }
    return 0;
}

/* A pipe may give the first bytes one by one. */
static int fill_first(xt_input *input, xt_problem *reterr_problem)
{
    size_t n = 0;
    while (n < N_MAGIC) {
        ssize_t more = read(input->fd, input->raw + n, INPUT_BYTES - n);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0)
            return fail(input, errno, reterr_problem);
        input->end = more == 0;
        if (input->end || memchr(input->raw + n, '\n', (size_t)more)) {
            n += (size_t)more;
            break;
        }
        n += (size_t)more;
    }
    input->n_raw = n;
    input->position = n;
    return 0;
}

/* What kind of file it is, by its first bytes. */
static int begin(xt_input *input, xt_problem *reterr_problem)
{
    static const unsigned char zstd_magic[] = {0x28, 0xb5, 0x2f, 0xfd};
    input->begun = true;
    int r = fill_first(input, reterr_problem);
    if (r == 0)
        r = refuse_other(input, reterr_problem);
    if (r < 0)
        return r;
    if (input->n_raw >= 2 && memcmp(input->raw, "\x1f\x8b", 2) == 0)
        return begin_gzip(input, reterr_problem);
    if (input->n_raw < 4 || memcmp(input->raw, zstd_magic, 4) != 0)
        return 0;
    input->zstd = ZSTD_createDStream();
    input->plain = malloc(INPUT_BYTES);
    return input->zstd && input->plain ? 0 : fail(input, ENOMEM, reterr_problem);
}

static void unpack_zstd(xt_input *input, ZSTD_outBuffer *out)
{
    ZSTD_inBuffer in = {input->raw, input->n_raw, input->raw_at};
    size_t left = ZSTD_decompressStream(input->zstd, out, &in);
    input->raw_at = in.pos;
    input->is_corrupt = ZSTD_isError(left);
    input->is_inside = left != 0;
}

static void unpack_gzip(xt_input *input, ZSTD_outBuffer *out)
{
    z_stream *z = input->gzip;
    z->next_in = (Bytef *)input->raw + input->raw_at;
    z->avail_in = (uInt)(input->n_raw - input->raw_at);
    z->next_out = (Bytef *)input->plain + out->pos;
    z->avail_out = (uInt)(out->size - out->pos);
    int r = inflate(z, Z_NO_FLUSH);
    input->raw_at = input->n_raw - z->avail_in;
    out->pos = out->size - z->avail_out;
    input->is_corrupt = r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR;
    input->is_inside = r != Z_STREAM_END;
    if (r == Z_STREAM_END)
        (void)inflateReset(z);
}

/* The place is one in the packed file. */
static int fail_packed(const xt_input *input, xt_problem *reterr_problem)
{
    uint64_t offset = input->position - (input->n_raw - input->raw_at);
    xt_problem_source(reterr_problem, input->name);
    xt_problem_set(reterr_problem, "the %s data is %s", input->zstd ? "zstd" : "gzip",
                   input->is_corrupt ? "corrupt" : "cut off");
    xt_problem_at_offset(reterr_problem, (int64_t)offset);
    xt_problem_hint(reterr_problem, "what came before is decoded; fetch the file again for the rest");
    return -EBADMSG;
}

/* What came out before an error is given out first. */
static int next_decompressed(xt_input *input, xt_slice *ret, xt_problem *reterr_problem)
{
    ZSTD_outBuffer out = {input->plain, INPUT_BYTES, 0};
    while (out.pos == 0 && !input->is_corrupt) {
        if (input->n_raw == input->raw_at) {
            int r = fill(input, reterr_problem);
            if (r < 0)
                return r;
            if (input->end)
                break;
        }
        if (input->zstd)
            unpack_zstd(input, &out);
        else
            unpack_gzip(input, &out);
    }
    if (out.pos == 0 && (input->is_corrupt || input->is_inside)) {
        return fail_packed(input, reterr_problem);
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
    if (input->zstd || input->gzip)
        return next_decompressed(input, ret, reterr_problem);
    if (!first && !input->end)
        r = fill(input, reterr_problem);
    if (r == 0)
        *ret = xt_slice_of(input->raw, input->n_raw);
    return r;
}

void xt_input_again(xt_input *input)
{
    input->end = false;
}

bool xt_input_is_replaced(const xt_input *input)
{
    struct stat here, there;
    if (fstat(input->fd, &here) != 0 || !S_ISREG(here.st_mode) || stat(input->name, &there) != 0)
        return false;
    return here.st_ino != there.st_ino || here.st_dev != there.st_dev || (uint64_t)here.st_size < input->position;
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
