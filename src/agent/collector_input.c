/*
 * How it works: auditd's socket and standard input are read when they are readable, the file some times a second. Of the
 * file, the place up to which all events are out goes to the shipper in front of the events it belongs to, and is written
 * down by the shipper as soon as these are in the spool (shipper/mark): what was spooled is not read again, and what was not
 * is. At the end what is open is not given out half, for the next start reads it again.
 */
#include "agent/collector_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/channel.h"
#include "agent/collector_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"

#define INPUT_BYTES 65536
#define FILE_MS     100 /* between two looks at a file that does not grow */
#define TURN_BYTES  ((size_t)1 << 20)
#define PASSED_MS   10000 /* after the end was read, an old key is an event of its own again */
#define FOLLOW_MARK "mark"
#define OUTPUT_MARK "follow-mark"

static int on_text(void *context, xt_slice bytes)
{
    return xt_decoder_feed(((xt_collector *)context)->decoder, bytes);
}

static int on_record(void *context, uint16_t type, xt_slice payload)
{
    return xt_decoder_feed_payload(((xt_collector *)context)->decoder, type, payload);
}

static xt_audisp_calls calls_of(xt_collector *c)
{
    return (xt_audisp_calls){on_text, on_record, c};
}

/* ---- auditd's socket ---- */

static void say_lost(xt_collector *c, const xt_problem *problem)
{
    if (c->input.is_told)
        return;
    c->input.is_told = true;
    xt_log_problem(XT_LOG_WARN, problem);
    xt_collector_say(c, "input-lost", "%s: no record comes until it is back", problem->sentence);
}

static int socket_connect(xt_collector *c, int64_t now_ms)
{
    xt_problem problem = XT_PROBLEM_INIT;
    char from[25];
    int r = xt_audisp_socket_connect(&c->input.socket, now_ms, &problem);
    if (r != 0) {
        say_lost(c, &problem);
        return r < 0 ? r : 0;
    }
    if (c->input.is_told) {
        xt_timestamp_format(c->input.lost_ms, from);
        xt_log(XT_LOG_INFO, "auditd's socket is connected again");
        xt_collector_say(c, "input-returned", "auditd's socket is connected again; what it sent since %s is not here",
                         from);
    }
    c->input.lost_ms = 0;
    c->input.is_told = false;
    return xt_decoder_begin(c->decoder, "auditd's socket");
}

static int socket_take(xt_collector *c, int64_t now_ms)
{
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_audisp_calls calls = calls_of(c);
    int r = xt_audisp_socket_read(&c->input.socket, &calls, now_ms, &problem);
    if (r != XT_AUDISP_SOCKET_E_LOST)
        return r;
    c->input.lost_ms = xt_clock_wall_ms(&xt_clock_system);
    say_lost(c, &problem);
    return 0;
}

/* ---- standard input ---- */

static int standard_take(xt_collector *c)
{
    static char bytes[INPUT_BYTES];
    xt_problem problem = XT_PROBLEM_INIT;
    const xt_audisp_calls calls = calls_of(c);
    ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    if (n == 0) {
        c->end = true;
        return 0;
    }
    int r = xt_audisp_stream_feed(&c->input.standard, xt_slice_of(bytes, (size_t)n), &calls, &problem);
    if (r != XT_AUDISP_E_CORRUPT)
        return r;
    xt_log_problem(XT_LOG_ERROR, &problem);
    xt_collector_say(c, "input-lost", "%s: the agent ends, and auditd starts it anew", problem.sentence);
    c->end = c->failed = true;
    return 0;
}

/* ---- the file ---- */

/* Where the one before stopped: the shipper's mark, or that of --output. */
static int mark_read(xt_collector *c, bool *ret_has, int64_t *ret_ms)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    uint64_t number;
    int state = open(c->settings->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int folder =
        c->out_fd >= 0 || state < 0 ? state : openat(state, "shipper", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int r = folder < 0 ? XT_MARK_FILE_E_NONE
                       : xt_mark_file_read(folder, c->out_fd >= 0 ? OUTPUT_MARK : FOLLOW_MARK, &bytes, &number);
    xt_reader reader = xt_reader_of(xt_buf_slice(&bytes));
    *ret_ms = (int64_t)xt_reader_u64(&reader);
    *ret_has = r == 0 && !reader.failed && xt_follow_mark_read(xt_slice_skip(xt_buf_slice(&bytes), 8), c->input.mark);
    if (c->out_fd >= 0 && state >= 0)
        r = xt_mark_file_open(&c->input.output_mark, state, OUTPUT_MARK);
    if (folder >= 0 && folder != state)
        close(folder);
    if (state >= 0)
        close(state);
    return r < 0 ? r : 0;
}

static int follow_open(xt_collector *c, xt_problem *reterr_problem)
{
    xt_collector_input *in = &c->input;
    bool has_mark;
    int64_t mark_ms;
    in->marks = calloc(1, sizeof *in->marks);
    in->mark = calloc(1, sizeof *in->mark);
    if (!in->marks || !in->mark)
        return xt_error_origin(-ENOMEM);
    int r = mark_read(c, &has_mark, &mark_ms);
    if (r < 0)
        return r;
    in->has_passed = has_mark;
    return xt_follow_open(&in->follow, c->settings->input_path, has_mark ? in->mark : NULL, mark_ms, reterr_problem);
}

static int feed_lines(xt_collector *c, xt_slice lines, uint64_t offset)
{
    int r = 0;
    while (r == 0 && lines.n > 0) {
        const char *newline = memchr(lines.p, '\n', lines.n);
        xt_slice line = xt_slice_head(lines, newline ? (size_t)(newline - lines.p) + 1 : lines.n);
        xt_follow_marks_line(c->input.marks, &c->input.follow.file, offset, line);
        r = xt_decoder_feed(c->decoder, line);
        offset += line.n;
        lines = xt_slice_skip(lines, line.n);
    }
    return r;
}

static int begin_file(xt_collector *c, int outcome)
{
    xt_log(XT_LOG_INFO, "%s: reading %s", c->settings->input_path, c->input.follow.name);
    if (outcome == XT_FOLLOW_E_GAP) {
        xt_log(XT_LOG_WARN, "%s: %s", c->settings->input_path, c->input.follow.why);
        xt_collector_say(c, "input-gap", "%s: %s", c->settings->input_path, c->input.follow.why);
    }
    xt_follow_marks_begin(c->input.marks, &c->input.follow.file, c->input.follow.offset);
    return xt_decoder_begin(c->decoder, c->settings->input_path);
}

static int follow_turn(xt_collector *c, int64_t now_ms)
{
    xt_collector_input *in = &c->input;
    int64_t wall_ms = xt_clock_wall_ms(&xt_clock_system);
    size_t n = 0;
    int r = 0;
    while (r == 0 && n < TURN_BYTES) {
        xt_slice lines;
        uint64_t offset;
        r = xt_follow_read(&in->follow, wall_ms, &lines, &offset);
        if (r == 0) {
            n += lines.n;
            r = feed_lines(c, lines, offset);
        } else if (r == XT_FOLLOW_E_FILE || r == XT_FOLLOW_E_GAP) {
            r = begin_file(c, r);
        }
    }
    in->is_behind = r == 0;
    if (n > 0)
        c->last_input_ms = now_ms;
    if (r == XT_FOLLOW_E_NONE && in->end_ms == 0)
        in->end_ms = now_ms;
    if (in->has_passed && in->end_ms > 0 && now_ms - in->end_ms > PASSED_MS)
        in->has_passed = false;
    return r == XT_FOLLOW_E_NONE ? 0 : r;
}

bool xt_collector_input_is_new(xt_collector *c, const xt_event *event)
{
    const xt_collector_input *in = &c->input;
    if (!in->marks || !xt_event_has(event, XT_F_SERIAL))
        return true;
    uint64_t key =
        xt_follow_key((int64_t)xt_event_num(event, XT_F_TIME, 0), (uint32_t)xt_event_num(event, XT_F_SERIAL, 0));
    xt_follow_marks_out(in->marks, key);
    for (size_t i = 0; in->has_passed && i < in->mark->n_keys; i++)
        if (in->mark->keys[i] == key)
            return false;
    return true;
}

/* The keys of the mark at the start hold for the first while, and so belong to each mark of that while. */
static int put_mark(xt_collector *c, xt_buf *out)
{
    xt_collector_input *in = &c->input;
    xt_follow_mark *now = calloc(1, sizeof *now);
    if (!now)
        return xt_error_origin(-ENOMEM);
    xt_follow_marks_get(in->marks, now);
    for (size_t i = 0; in->has_passed && i < in->mark->n_keys && now->n_keys < XT_FOLLOW_KEYS; i++)
        now->keys[now->n_keys++] = in->mark->keys[i];
    xt_buf_put_u64(out, (uint64_t)xt_clock_wall_ms(&xt_clock_system));
    xt_follow_mark_put(out, now);
    free(now);
    return xt_buf_done(out);
}

int xt_collector_input_hand_on(xt_collector *c, bool is_before)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    bool is_shipper = c->out_fd < 0;
    if (!c->input.marks || c->input.marks->end.file.ino == 0 || is_before != is_shipper)
        return 0;
    int r = put_mark(c, &out);
    if (r == 0)
        r = is_shipper ? xt_collector_send(c, XT_CHANNEL_MARK, xt_buf_slice(&out))
                       : xt_mark_file_write(&c->input.output_mark, xt_buf_slice(&out));
    return r;
}

/* ---- all of them ---- */

int xt_collector_input_open(xt_collector *c, xt_problem *reterr_problem)
{
    xt_audisp_socket_init(&c->input.socket, c->settings->input_path);
    c->input.output_mark.fd = -1;
    c->input.follow.fd = -1;
    if (c->settings->input == XT_INPUT_SOCKET)
        c->input.lost_ms = xt_clock_wall_ms(&xt_clock_system);
    return c->settings->input == XT_INPUT_FILE ? follow_open(c, reterr_problem) : 0;
}

void xt_collector_input_close(xt_collector *c)
{
    xt_collector_input *in = &c->input;
    xt_audisp_stream_fini(&in->standard);
    if (c->settings->input == XT_INPUT_SOCKET)
        xt_audisp_socket_fini(&in->socket);
    if (in->marks) {
        xt_follow_close(&in->follow);
        xt_mark_file_close(&in->output_mark);
    }
    free(in->marks);
    free(in->mark);
}

int xt_collector_input_fd(const xt_collector *c)
{
    if (c->settings->input == XT_INPUT_STANDARD)
        return STDIN_FILENO;
    return c->settings->input == XT_INPUT_SOCKET ? c->input.socket.fd : -1;
}

int xt_collector_input_take(xt_collector *c)
{
    return c->settings->input == XT_INPUT_SOCKET ? socket_take(c, xt_clock_mono_ms(&xt_clock_system))
                                                 : standard_take(c);
}

int xt_collector_input_turn(xt_collector *c, int64_t now_ms)
{
    if (c->input.marks)
        return follow_turn(c, now_ms);
    if (c->settings->input == XT_INPUT_SOCKET && c->input.socket.fd < 0 && now_ms >= c->input.socket.retry_ms)
        return socket_connect(c, now_ms);
    return 0;
}

int64_t xt_collector_input_wait_ms(const xt_collector *c)
{
    if (c->input.marks)
        return c->input.is_behind ? 0 : FILE_MS;
    return c->settings->input == XT_INPUT_SOCKET && c->input.socket.fd < 0 ? XT_AUDISP_RETRY_MS : -1;
}
