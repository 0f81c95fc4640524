#include "agent/link_bounds.h"

#define MESSAGES      60
#define MESSAGES_MS   60000
#define LINES         20
#define LINE_AGAIN_MS 60000

void xt_link_bounds_begin(xt_link_bounds *bounds)
{
    bounds->n_messages = 0;
}

bool xt_link_bounds_bytes(xt_link_bounds *bounds, size_t n, int64_t now_ms)
{
    int64_t ms = now_ms - bounds->bytes_ms < 60000 ? now_ms - bounds->bytes_ms : 60000;
    size_t due = (size_t)ms * XT_LINK_BYTES_PER_S / 1000;
    if (due > 0) {
        bounds->n_bytes -= due < bounds->n_bytes ? due : bounds->n_bytes;
        bounds->bytes_ms = now_ms;
    }
    bounds->n_bytes += n;
    return bounds->n_bytes <= XT_LINK_READ_BYTES;
}

bool xt_link_bounds_message(xt_link_bounds *bounds, int64_t now_ms)
{
    if (now_ms - bounds->messages_ms > MESSAGES_MS) {
        bounds->messages_ms = now_ms;
        bounds->n_messages = 0;
    }
    return ++bounds->n_messages <= MESSAGES;
}

bool xt_link_bounds_line(xt_link_bounds *bounds, int64_t now_ms)
{
    if (bounds->n_lines >= LINES && now_ms - bounds->line_ms < LINE_AGAIN_MS)
        return false;
    bounds->n_lines++;
    bounds->line_ms = now_ms;
    return true;
}

void xt_link_bounds_worked(xt_link_bounds *bounds)
{
    bounds->n_lines = 0;
}

int xt_link_bounds_frame(xt_slice bytes, xt_frame *ret, size_t *ret_n, xt_problem *reterr_problem)
{
    xt_reader reader = xt_reader_of(bytes);
    uint32_t claims = xt_reader_u32(&reader);
    if (reader.failed)
        return XT_FRAME_E_MORE;
    if (claims > XT_LINK_READ_BYTES - XT_FRAME_HEADER_BYTES) {
        xt_problem_set(reterr_problem, "the server begins a message of %u bytes", claims);
        return XT_FRAME_E_CORRUPT;
    }
    return xt_frame_next(bytes, ret, ret_n, reterr_problem);
}
