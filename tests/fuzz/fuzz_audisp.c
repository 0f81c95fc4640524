/*
 * What auditd may write to its plugins, whole and in pieces: the same is heard however it is cut, and nothing beyond what
 * was given. Its first byte is the length of the pieces.
 */
#include <stdint.h>
#include <stdlib.h>

#include "agent/audisp_stream.h"
#include "agent/follow_mark.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

typedef struct heard {
    xt_buf all;
    bool is_binary;
} heard;

static int hear_text(void *context, xt_slice bytes)
{
    heard *h = context;
    for (size_t i = 0; h->is_binary && i < bytes.n; i++)
        require(bytes.p[i] != '\0');
    xt_buf_put(&h->all, bytes);
    return 0;
}

static int hear_record(void *context, uint16_t type, xt_slice payload)
{
    heard *h = context;
    require(payload.n <= 8970);
    xt_buf_put_u16(&h->all, type);
    xt_buf_put_block(&h->all, payload);
    return 0;
}

static int listen(xt_slice bytes, size_t piece, heard *ret)
{
    xt_audisp_stream stream = {0};
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_audisp_calls calls = {hear_text, hear_record, ret};
    int r = 0;
    ret->is_binary = bytes.n >= 8 && (uint8_t)bytes.p[0] <= 1 && memcmp(bytes.p + 1, "\0\0\0\x10\0\0\0", 7) == 0;
    for (; r == 0 && bytes.n > 0; bytes = xt_slice_skip(bytes, piece))
        r = xt_audisp_stream_feed(&stream, xt_slice_head(bytes, piece), &calls, &problem);
    require(r == 0 || r == XT_AUDISP_E_CORRUPT);
    xt_audisp_stream_fini(&stream);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static xt_follow_mark mark;
    xt_slice bytes = xt_slice_skip(xt_slice_of(data, n), 1);
    heard whole = {0}, pieces = {0};
    if (n == 0)
        return 0;
    int r = listen(bytes, SIZE_MAX, &whole), other = listen(bytes, 1 + data[0], &pieces);
    require(r == other && xt_slice_eq(xt_buf_slice(&whole.all), xt_buf_slice(&pieces.all)));
    xt_buf_fini(&whole.all);
    xt_buf_fini(&pieces.all);
    (void)xt_follow_mark_read(bytes, &mark);
    (void)xt_follow_key_of_line(bytes);
    return 0;
}
