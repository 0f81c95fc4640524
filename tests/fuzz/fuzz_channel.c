/*
 * What a shipper that was taken over may tell the collector, which has root's rights: the stream in pieces is the stream in one, no order
 * and no CA is believed that nobody signed, and what comes is bounded.
 *
 * Input: one byte (1: bytes as they stand, else pieces), one byte (how long are the parts in which they come), then as fuzz_agent_link.c.
 */
#include <assert.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/policy_store.h"
#include "io/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { AS_IT_STANDS = 1, MOST_BYTES = 60000 };

static struct {
    char dir[64];
    xt_policy_store store;
    xt_buf ca;
} t;

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *ftw)
{
    return remove(path);
}

static void clean(void)
{
    xt_policy_store_close(&t.store);
    xt_buf_fini(&t.ca);
    nftw(t.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const xt_policy_time now = {.wall_ms = 1800000000000, .up_ms = 1000000, .boot_id = "b"};

static void begin(void)
{
    XT_CLEANUP(xt_buf_fini) xt_buf key = XT_BUF_INIT;
    snprintf(t.dir, sizeof t.dir, "/tmp/xt-channel-XXXXXX");
    if (!mkdtemp(t.dir) || xt_tls_key_make(&key) || xt_tls_ca_make(xt_buf_slice(&key), &t.ca))
        abort();
    xt_policy_store_open(&t.store, t.dir, NULL, "00112233445566778899aabbccddeeff", &now);
    xt_buf_reset(&t.store.trusted);
    xt_buf_put(&t.store.trusted, xt_buf_slice(&t.ca));
    atexit(clean);
}

static void take(const xt_frame *frame)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_policy_message message;
    xt_policy_order order;
    if ((int)frame->type == XT_CHANNEL_POLICY) {
        assert(xt_policy_store_take(&t.store, frame->payload, &now, &message, &order, &problem) != 0);
    } else if ((int)frame->type == XT_CHANNEL_TRUST) {
        assert(xt_policy_store_trust(&t.store, frame->payload, &problem) != 0);
    }
    assert(xt_slice_eq(xt_buf_slice(&t.store.trusted), xt_buf_slice(&t.ca)) && !xt_policy_store_has_order(&t.store));
}

/* As the collector does it; true: what it saw stands in *seen. */
static bool read_all(int fd, xt_buf *in, xt_buf *seen)
{
    xt_frame frame;
    size_t taken;
    int r = xt_channel_receive(fd, in);
    xt_slice rest = xt_buf_slice(in);
    while (r == 0 && (r = xt_channel_next(rest, &frame, &taken)) == 0) {
        take(&frame);
        xt_buf_put_u8(seen, frame.type);
        xt_buf_put_block(seen, frame.payload);
        rest = xt_slice_skip(rest, taken);
    }
    xt_buf_consume(in, in->n - rest.n);
    assert(in->n <= XT_CHANNEL_MAX_BYTES + 65536);
    return r == XT_FRAME_E_MORE || r == -EAGAIN;
}

static void feed(xt_slice bytes, size_t part, xt_buf *seen)
{
    XT_CLEANUP(xt_buf_fini) xt_buf in = XT_BUF_INIT;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
        abort();
    for (bool good = true; good && bytes.n > 0;) {
        xt_slice head = xt_slice_head(bytes, part < 65536 ? part : 65536);
        if (send(fds[1], head.p, head.n, 0) != (ssize_t)head.n)
            abort();
        bytes = xt_slice_skip(bytes, head.n);
        good = read_all(fds[0], &in, seen);
    }
    close(fds[0]);
    close(fds[1]);
}

static void put_pieces(xt_slice input, xt_buf *out)
{
    xt_reader reader = xt_reader_of(input);
    while (xt_reader_left(&reader) > 3) {
        uint8_t type = xt_reader_u8(&reader);
        size_t n = xt_reader_u16(&reader), left = xt_reader_left(&reader);
        xt_frame_put(out, (xt_frame_type)type, xt_reader_bytes(&reader, n < left ? n : left));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT, once = XT_BUF_INIT, parts = XT_BUF_INIT;
    if (n < 2 || n > MOST_BYTES)
        return 0;
    if (!t.dir[0])
        begin();
    xt_slice input = xt_slice_of(data + 2, n - 2);
    if (data[0] & AS_IT_STANDS)
        xt_buf_put(&bytes, input);
    else
        put_pieces(input, &bytes);
    if (xt_buf_done(&bytes) < 0)
        return 0;
    feed(xt_buf_slice(&bytes), SIZE_MAX, &once);
    feed(xt_buf_slice(&bytes), 1 + data[1] * 7u, &parts);
    assert(xt_slice_eq(xt_buf_slice(&once), xt_buf_slice(&parts)));
    return 0;
}
