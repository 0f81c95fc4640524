/*
 * How it works: the first bytes tell text from binary. A record is given out as soon as its data is there; how far it is
 * to the next head is learnt once, from the first record: if a head and the beginning of a record stand right behind its
 * data, records follow each other, else each takes the full length. Left over memory cannot pass for a head there: a
 * record's text holds no NUL, and a head does.
 */
#include "agent/audisp_stream.h"

#include <linux/audit.h>

#define HEAD_BYTES 16
#define DATA_BYTES 8970 /* MAX_AUDIT_MESSAGE_LENGTH */
#define PEEK_BYTES 6    /* "audit(", "type=", "node=" */
#define TEXT_BYTES 8    /* that tell text from binary */

typedef struct frame_head {
    uint32_t version, head_bytes, type, data_bytes;
} frame_head;

void xt_audisp_stream_fini(xt_audisp_stream *stream)
{
    xt_buf_fini(&stream->in);
}

void xt_audisp_stream_reset(xt_audisp_stream *stream)
{
    xt_buf_reset(&stream->in);
    stream->form = XT_AUDISP_UNKNOWN;
    stream->framing = XT_AUDISP_OPEN;
    stream->n_given = 0;
}

static uint32_t number_at(xt_slice bytes, size_t at)
{
    uint32_t v;
    memcpy(&v, bytes.p + at, sizeof v);
    return v;
}

static bool head_read(xt_slice bytes, frame_head *ret)
{
    *ret = (frame_head){number_at(bytes, 0), number_at(bytes, 4), number_at(bytes, 8), number_at(bytes, 12)};
    return ret->version <= 1 && ret->head_bytes == HEAD_BYTES && ret->type >= AUDIT_FIRST_USER_MSG / 2 &&
           ret->type <= UINT16_MAX && ret->data_bytes <= DATA_BYTES;
}

/* Whether a record begins there: its head and the first of its text. */
static bool is_record(xt_slice bytes)
{
    frame_head head;
    if (bytes.n < HEAD_BYTES + PEEK_BYTES || !head_read(bytes, &head))
        return false;
    xt_slice data = xt_slice_skip(bytes, HEAD_BYTES);
    return xt_slice_starts(data, XT_S("audit(")) || xt_slice_starts(data, XT_S("type=")) ||
           xt_slice_starts(data, XT_S("node="));
}

static xt_audisp_form form_of(xt_slice bytes)
{
    if (bytes.n > 0 && bytes.p[0] != 0 && bytes.p[0] != 1)
        return XT_AUDISP_STRING;
    if (bytes.n < TEXT_BYTES)
        return XT_AUDISP_UNKNOWN;
    return number_at(bytes, 0) <= 1 && number_at(bytes, 4) == HEAD_BYTES ? XT_AUDISP_BINARY : XT_AUDISP_STRING;
}

static int give_out(const frame_head *head, xt_slice data, const xt_audisp_calls *calls)
{
    if (head->version == 0)
        return calls->record(calls->context, (uint16_t)head->type, data);
    size_t n = data.n ? strnlen(data.p, data.n) : 0;
    int r = calls->text(calls->context, xt_slice_head(data, n));
    return r == 0 && !(n > 0 && data.p[n - 1] == '\n') ? calls->text(calls->context, XT_S("\n")) : r;
}

/* Behind the first record: where does the next one begin? False: more has to come. */
static bool learn_framing(xt_audisp_stream *stream)
{
    xt_slice behind = xt_slice_skip(xt_buf_slice(&stream->in), stream->n_given);
    if (is_record(behind))
        stream->framing = XT_AUDISP_EXACT;
    else if (behind.n >= HEAD_BYTES + PEEK_BYTES)
        stream->framing = XT_AUDISP_PADDED;
    return stream->framing != XT_AUDISP_OPEN;
}

/* *ret_taken: bytes that are done with; 0: more has to come. */
static int take_frame(xt_audisp_stream *stream, xt_slice bytes, const xt_audisp_calls *calls, size_t *ret_taken,
                      xt_problem *reterr_problem)
{
    frame_head head;
    *ret_taken = 0;
    if (bytes.n < HEAD_BYTES)
        return 0;
    if (!head_read(bytes, &head)) {
        xt_problem_set(reterr_problem, "what auditd sent is no head of a record");
        xt_problem_hint(reterr_problem, "the connection is closed and opened anew");
        return XT_AUDISP_E_CORRUPT;
    }
    size_t n = HEAD_BYTES + head.data_bytes;
    bool is_padded = stream->framing == XT_AUDISP_PADDED;
    if (bytes.n < n || (is_padded && bytes.n < HEAD_BYTES + DATA_BYTES))
        return 0;
    *ret_taken = is_padded ? HEAD_BYTES + DATA_BYTES : n;
    return give_out(&head, xt_slice_of(bytes.p + HEAD_BYTES, head.data_bytes), calls);
}

/* The first record of a connection is given out before it is known where it ends. */
static int take_first(xt_audisp_stream *stream, const xt_audisp_calls *calls, bool *ret_more,
                      xt_problem *reterr_problem)
{
    int r = 0;
    if (stream->n_given == 0)
        r = take_frame(stream, xt_buf_slice(&stream->in), calls, &stream->n_given, reterr_problem);
    *ret_more = r == 0 && stream->n_given > 0 && learn_framing(stream);
    if (!*ret_more)
        return r;
    size_t n = stream->framing == XT_AUDISP_PADDED ? HEAD_BYTES + DATA_BYTES : stream->n_given;
    if (stream->in.n < n) {
        *ret_more = false;
        stream->framing = XT_AUDISP_OPEN; /* asked again when the rest is there */
        return 0;
    }
    xt_buf_consume(&stream->in, n);
    return 0;
}

static int take_binary(xt_audisp_stream *stream, const xt_audisp_calls *calls, xt_problem *reterr_problem)
{
    bool more = true;
    int r = 0;
    if (stream->framing == XT_AUDISP_OPEN)
        r = take_first(stream, calls, &more, reterr_problem);
    xt_slice rest = xt_buf_slice(&stream->in);
    while (r == 0 && more) {
        size_t n;
        r = take_frame(stream, rest, calls, &n, reterr_problem);
        more = n > 0;
        rest = xt_slice_skip(rest, n);
    }
    if (stream->framing != XT_AUDISP_OPEN)
        xt_buf_consume(&stream->in, stream->in.n - rest.n);
    return r;
}

int xt_audisp_stream_feed(xt_audisp_stream *stream, xt_slice bytes, const xt_audisp_calls *calls,
                          xt_problem *reterr_problem)
{
    if (stream->form == XT_AUDISP_STRING)
        return calls->text(calls->context, bytes);
    xt_buf_put(&stream->in, bytes);
    int r = xt_buf_done(&stream->in);
    if (r < 0)
        return xt_error_trace(r);
    if (stream->form == XT_AUDISP_UNKNOWN)
        stream->form = form_of(xt_buf_slice(&stream->in));
    if (stream->form == XT_AUDISP_BINARY)
        return take_binary(stream, calls, reterr_problem);
    if (stream->form == XT_AUDISP_STRING) {
        r = calls->text(calls->context, xt_buf_slice(&stream->in));
        xt_buf_reset(&stream->in);
    }
    return r;
}
