/* Events that one agent's shipper did not take: as they stand in the note, and as the next agent hands them on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/collector_private.h"
#include "event/decoder.h"

enum { N_EVENTS = 5000, MOST_EVENTS = 1500 };

static const xt_agent_settings settings = {.host_name = "web-1", .boot_id = "b"};

static xt_collector *begin(int shipper_fd)
{
    xt_collector *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->settings = c->base_settings = &settings;
    c->family = (xt_collector_family){.shipper_fd = shipper_fd, .notify = {.fd = -1}};
    c->to_shipper = XT_CHANNEL_QUEUE_ON(shipper_fd);
    c->out_fd = -1;
    c->is_whole = true;
    return c;
}

static void end(xt_collector *c)
{
    xt_channel_queue_fini(&c->to_shipper);
    xt_buf_fini(&c->out);
    free(c);
}

/* What a note holds goes in groups as large as any others: a server takes no batch of more than an agent can have. */
static void taken_in_groups(void **state)
{
    XT_CLEANUP(xt_buf_fini) xt_buf events = XT_BUF_INIT, in = XT_BUF_INIT;
    xt_event event;
    xt_frame frame;
    int pair[2], r = 0;
    size_t taken;
    uint64_t n_events = 0;
    for (unsigned i = 0; i < N_EVENTS; i++) {
        xt_event_reset(&event);
        xt_event_set_num(&event, XT_F_TIME, 2 * (uint64_t)i);
        xt_event_set_num(&event, XT_F_SERIAL, i + 1);
        xt_event_batch_put(&events, &event);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    xt_collector *c = begin(pair[0]);
    c->watch.adopted = true;
    c->family.inherited.has_note = true;
    c->family.inherited.note.events = xt_buf_slice(&events);
    c->family.inherited.note.n_events = N_EVENTS;
    assert_int_equal(xt_collector_adopt(c), 0);
    while (r == 0 || xt_channel_waiting(&c->to_shipper) > 0) {
        assert_int_equal(xt_channel_pump(&c->to_shipper), 0);
        r = xt_channel_receive(pair[1], &in);
    }
    for (xt_slice rest = xt_buf_slice(&in); xt_frame_next(rest, &frame, &taken, NULL) == 0;
         rest = xt_slice_skip(rest, taken)) {
        xt_reader reader = xt_reader_of(frame.payload);
        if ((int)frame.type != XT_CHANNEL_EVENTS)
            continue;
        uint64_t n = xt_reader_varint(&reader);
        assert_in_range(n, 1, MOST_EVENTS);
        n_events += n;
    }
    assert_int_equal(n_events, N_EVENTS);
    assert_int_equal(c->n_events, N_EVENTS);
    end(c);
    close(pair[0]);
    close(pair[1]);
}

/* Where nobody has told the digest yet there is room for one: that is no digest. */
static void left_without_room_for_digests(void **state)
{
    static const xt_decoder_settings plain = {.source = "a test"};
    XT_CLEANUP(xt_buf_fini) xt_buf paths = XT_BUF_INIT;
    const xt_path path = {.name = XT_S("/bin/true"), .has_inode = true, .inode = 7};
    xt_event event;
    xt_arena arena;
    int pair[2];
    xt_arena_init(&arena, 1 << 20);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    xt_collector *c = begin(-1);
    assert_int_equal(xt_decoder_new(&plain, &c->decoder), 0);
    assert_int_equal(xt_digest_desk_new(pair[0], &c->digests), 0);
    xt_paths_put(&paths, &path, 1);
    xt_event_reset(&event);
    xt_event_set_num(&event, XT_F_TIME, 5);
    xt_event_set_num(&event, XT_F_PID, 5);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(&event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(&event, XT_F_EXE, XT_S("/bin/true"));
    xt_event_set_bytes(&event, XT_F_PATHS, xt_buf_slice(&paths));
    assert_int_equal(xt_digest_desk_put(c->digests, &event, &c->out), 0);
    c->n_out = 1;
    assert_true(xt_digest_desk_waits(c->digests));
    xt_collector_leave(c);
    xt_slice rest = xt_buf_slice(&c->out), bytes;
    assert_true(xt_event_batch_next(&rest, &bytes));
    assert_int_equal(xt_event_decode(bytes, &event, NULL), 0);
    assert_int_equal(xt_event_num(&event, XT_F_PID, 0), 5);
    assert_false(xt_event_has(&event, XT_F_HASH));
    c->digests = xt_digest_desk_free(c->digests);
    xt_decoder_free(c->decoder);
    end(c);
    close(pair[0]);
    close(pair[1]);
    xt_arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken_in_groups),
        cmocka_unit_test(left_without_room_for_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
