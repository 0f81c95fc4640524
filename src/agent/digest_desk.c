/*
 * How it works: a digest has always the same length, so an answer is written into the encoded event where it stands. Only when one is
 * missing is the group encoded anew, without it.
 */
#include "agent/digest_desk.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include "agent/own_event.h"
#include "base/clock.h"

#define HEX_BYTES ((size_t)2 * XT_DIGEST_BYTES)

typedef struct asked {
    size_t at; /* of the event in the group */
    bool is_answered, is_known;
    uint8_t digest[XT_DIGEST_BYTES];
} asked;

struct xt_digest_desk {
    int fd;
    bool is_gone;
    uint32_t first; /* number of all[0] */
    xt_buf all;     /* asked after asked, in their order in the group */
    size_t n_open;
    xt_buf questions; /* not sent yet */
    xt_digest_desk_stats stats;
    char in[XT_DIGEST_DATAGRAM];
};

int xt_digest_desk_new(int fd, xt_digest_desk **ret)
{
    xt_digest_desk *desk = calloc(1, sizeof *desk);
    if (!desk)
        return xt_error_origin(-ENOMEM);
    desk->fd = fd;
    *ret = desk;
    return 0;
}

xt_digest_desk *xt_digest_desk_free(xt_digest_desk *desk)
{
    if (desk) {
        xt_buf_fini(&desk->all);
        xt_buf_fini(&desk->questions);
    }
    free(desk);
    return NULL;
}

static asked *all_of(const xt_digest_desk *desk, size_t *ret_n)
{
    *ret_n = desk->all.n / sizeof(asked);
    return (asked *)(void *)desk->all.p;
}

static bool question_of(const xt_event *event, xt_digest_question *ret)
{
    xt_path_iter iter = xt_paths_iterate(xt_event_bytes(event, XT_F_PATHS));
    xt_path path;
    *ret = (xt_digest_question){.pid = (uint32_t)xt_event_num(event, XT_F_PID, 0),
                                .ppid = (uint32_t)xt_event_num(event, XT_F_PPID, 0),
                                .time_ms = (int64_t)xt_event_num(event, XT_F_TIME, 0),
                                .path = xt_event_bytes(event, XT_F_EXE)};
    if (ret->path.n == 0 || ret->path.n > 4096 || !xt_event_is_own_entity(event))
        return false;
    while (ret->n_files < XT_DIGEST_FILES && xt_paths_next(&iter, &path))
        if (path.has_inode)
            ret->files[ret->n_files++] = (xt_digest_file){
                .device = makedev((unsigned)path.dev_major, (unsigned)path.dev_minor), .inode = path.inode};
    return ret->n_files > 0;
}

static void send_questions(xt_digest_desk *desk)
{
    if (desk->questions.n == 0)
        return;
    if (xt_buf_done(&desk->questions) < 0 ||
        (send(desk->fd, desk->questions.p, desk->questions.n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN))
        return; /* at the next turn, or not at all */
    xt_buf_reset(&desk->questions);
}

int xt_digest_desk_put(xt_digest_desk *desk, xt_event *event, xt_buf *group)
{
    static const char room[] = "0000000000000000000000000000000000000000000000000000000000000000";
    xt_digest_question question;
    size_t n;
    asked entry = {.at = group->n};
    bool asks = question_of(event, &question);
    if (asks)
        xt_event_set_bytes(event, XT_F_HASH, xt_slice_of(room, HEX_BYTES));
    xt_event_batch_put(group, event);
    if (!asks)
        return 0;
    (void)all_of(desk, &n);
    question.number = desk->first + (uint32_t)n;
    if (desk->questions.n > XT_DIGEST_DATAGRAM - 4500)
        send_questions(desk);
    if (desk->is_gone || desk->questions.n > XT_DIGEST_DATAGRAM - 4500)
        entry.is_answered = true; /* with nothing: the other one does not follow */
    else
        xt_digest_question_put(&desk->questions, &question);
    desk->n_open += !entry.is_answered;
    xt_buf_put(&desk->all, xt_slice_of(&entry, sizeof entry));
    return xt_buf_done(&desk->all);
}

static void on_answer(xt_digest_desk *desk, const xt_digest_answer *answer)
{
    size_t n, i = answer->number - desk->first;
    asked *all = all_of(desk, &n);
    if (i >= n || all[i].is_answered)
        return; /* of a group that has gone */
    all[i].is_answered = true;
    all[i].is_known = answer->is_known;
    memcpy(all[i].digest, answer->digest, sizeof all[i].digest);
    desk->n_open--;
}

static void take_answers(xt_digest_desk *desk)
{
    xt_digest_answer answer;
    ssize_t n;
    while (!desk->is_gone && (n = recv(desk->fd, desk->in, sizeof desk->in, MSG_DONTWAIT)) != -1) {
        xt_slice rest = xt_slice_of(desk->in, (size_t)n);
        desk->is_gone = n == 0;
        while (rest.n > 0 && xt_digest_answer_next(&rest, &answer))
            on_answer(desk, &answer);
    }
    desk->is_gone |= errno == ECONNRESET || errno == EPIPE;
}

void xt_digest_desk_turn(xt_digest_desk *desk)
{
    errno = 0;
    send_questions(desk);
    take_answers(desk);
    if (desk->is_gone)
        desk->n_open = 0;
}

bool xt_digest_desk_waits(const xt_digest_desk *desk)
{
    return desk->n_open > 0;
}

bool xt_digest_desk_is_gone(const xt_digest_desk *desk)
{
    return desk->is_gone;
}

/* Where the digest stands in the event at that place. */
static char *room_of(xt_buf *group, size_t at)
{
    xt_slice rest = xt_slice_skip(xt_buf_slice(group), at), bytes, value;
    if (!xt_event_batch_next(&rest, &bytes))
        return NULL;
    xt_reader reader = xt_reader_of(xt_slice_skip(bytes, 1));
    while (xt_reader_left(&reader) > 0) {
        uint64_t key = xt_reader_varint(&reader);
        value = key & 1 ? xt_reader_block(&reader) : XT_S_NULL;
        if (!(key & 1))
            (void)xt_reader_varint(&reader);
        if (key >> 1 == XT_F_HASH && value.n == HEX_BYTES)
            return group->p + (value.p - group->p);
    }
    return NULL;
}

static void write_hex(char *out, const uint8_t *digest)
{
    for (size_t i = 0; i < XT_DIGEST_BYTES; i++) {
        out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
}

static int put_without(xt_slice bytes, xt_buf *out)
{
    xt_event event;
    xt_arena arena;
    xt_arena_init(&arena, 65536);
    int r = xt_event_decode(bytes, &event, NULL) == 0 ? 0 : xt_error_origin(-EINVAL);
    if (r == 0) {
        xt_field_set_remove(&event.present, XT_F_HASH);
        r = xt_own_event_flag(&event, XT_S("unhashed"), &arena);
    }
    if (r == 0)
        xt_event_batch_put(out, &event);
    xt_arena_fini(&arena);
    return r;
}

/* The group again, without the room of those that have no digest. */
static int encode_anew(xt_digest_desk *desk, xt_buf *group)
{
    xt_buf out = {.max_bytes = group->max_bytes};
    xt_slice rest = xt_buf_slice(group), bytes;
    size_t n, i = 0;
    const asked *all = all_of(desk, &n);
    int r = 0;
    for (size_t at = 0; r == 0 && xt_event_batch_next(&rest, &bytes); at = group->n - rest.n) {
        while (i < n && all[i].at < at)
            i++;
        if (i < n && all[i].at == at && !all[i].is_known)
            r = put_without(bytes, &out);
        else
            xt_buf_put_block(&out, bytes);
    }
    if (r == 0)
        r = xt_buf_done(&out);
    if (r < 0) {
        xt_buf_fini(&out);
        return xt_error_trace(r);
    }
    xt_buf_fini(group);
    *group = out;
    return 0;
}

int xt_digest_desk_fill(xt_digest_desk *desk, int wait_ms, xt_buf *group)
{
    size_t n, n_unknown = 0;
    int64_t end_ms = xt_clock_mono_ms(&xt_clock_system) + wait_ms, left_ms = wait_ms;
    xt_digest_desk_turn(desk);
    while (desk->n_open > 0 && left_ms > 0) {
        struct pollfd p = {.fd = desk->fd, .events = POLLIN};
        if (poll(&p, 1, (int)left_ms) > 0 || desk->questions.n > 0)
            xt_digest_desk_turn(desk);
        left_ms = end_ms - xt_clock_mono_ms(&xt_clock_system);
    }
    asked *all = all_of(desk, &n);
    for (size_t i = 0; i < n; i++) {
        char *room = all[i].is_known ? room_of(group, all[i].at) : NULL;
        if (room)
            write_hex(room, all[i].digest);
        all[i].is_known = room != NULL;
        n_unknown += !all[i].is_known;
    }
    desk->stats.n_known += n - n_unknown;
    desk->stats.n_unknown += n_unknown;
    int r = n_unknown ? encode_anew(desk, group) : 0;
    desk->first += (uint32_t)n;
    desk->n_open = 0;
    xt_buf_reset(&desk->all);
    xt_buf_reset(&desk->questions);
    return r;
}

xt_digest_desk_stats xt_digest_desk_stats_get(const xt_digest_desk *desk)
{
    return desk->stats;
}
