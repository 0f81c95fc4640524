/* One line an event (audit text: one a record), written in big pieces. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "columns.h"
#include "event/event_json.h"
#include "event/render_raw.h"
#include "sink.h"

#define PIECE_BYTES (256u << 10)

typedef struct lines {
    xt_sink sink;
    int fd;
    xt_buf out, scratch;
    xt_arena arena;
} lines;

static int flush(lines *l)
{
    size_t done = 0;
    while (done < l->out.n) {
        ssize_t n = write(l->fd, l->out.p + done, l->out.n - done);
        if (n < 0 && errno != EINTR)
            return xt_error_origin(-errno);
        done += n > 0 ? (size_t)n : 0;
    }
    xt_buf_reset(&l->out);
    return 0;
}

static int end_event(lines *l)
{
    return l->out.n >= PIECE_BYTES || l->out.failed ? xt_buf_done(&l->out) < 0 ? -ENOMEM : flush(l) : 0;
}

static int put_none(xt_sink *sink, unsigned host, const xt_event *event)
{
    return 0;
}

static int put_text(xt_sink *sink, unsigned host, const xt_event *event)
{
    lines *l = (lines *)sink;
    xt_render_raw(event, &l->out);
    return end_event(l);
}

static int put_ndjson(xt_sink *sink, unsigned host, const xt_event *event)
{
    lines *l = (lines *)sink;
    xt_arena_reset(&l->arena);
    int r = xt_event_json(event, 0, &l->arena, &l->out);
    xt_buf_putc(&l->out, '\n');
    return r ? r : end_event(l);
}

/* Tab-separated, \N for what is not there, as ClickHouse and others read it. */
static void put_escaped(xt_buf *out, xt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\t' || c == '\n' || c == '\\' || c == '\r' || c == '\0') {
            xt_buf_putc(out, '\\');
            c = (char)(c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\0' ? '0' : c);
        }
        xt_buf_putc(out, c);
    }
}

static int put_columns(xt_sink *sink, unsigned host, const xt_event *event)
{
    lines *l = (lines *)sink;
    for (unsigned i = 0; i < xt_event_n_columns; i++) {
        int64_t num = 0;
        xt_buf_reset(&l->scratch);
        if (!xt_event_column_get(event, &xt_event_columns[i], &l->scratch, &num))
            xt_buf_puts(&l->out, "\\N");
        else if (xt_event_columns[i].is_number)
            xt_buf_put_sdec(&l->out, num);
        else
            put_escaped(&l->out, xt_buf_slice(&l->scratch));
        xt_buf_putc(&l->out, i + 1 < xt_event_n_columns ? '\t' : '\n');
    }
    return end_event(l);
}

static int finish(xt_sink *sink, xt_problem *reterr_problem)
{
    lines *l = (lines *)sink;
    int r = xt_buf_done(&l->out);
    return r < 0 ? r : flush(l);
}

static void sink_free(xt_sink *sink)
{
    lines *l = (lines *)sink;
    xt_buf_fini(&l->out);
    xt_buf_fini(&l->scratch);
    xt_arena_fini(&l->arena);
    free(l);
}

int xt_sink_lines_open(const char *format, int fd, xt_sink **ret, xt_problem *reterr_problem)
{
    static const struct {
        const char *name;
        int (*put)(xt_sink *, unsigned, const xt_event *);
    } formats[] = {{"text", put_text}, {"ndjson", put_ndjson}, {"columns", put_columns}, {"none", put_none}};
    for (size_t i = 0; i < XT_COUNT_OF(formats); i++) {
        if (strcmp(formats[i].name, format) != 0)
            continue;
        lines *l = calloc(1, sizeof *l);
        if (!l)
            return xt_error_origin(-ENOMEM);
        *l = (lines){.sink = {formats[i].put, finish, sink_free}, .fd = fd};
        xt_arena_init(&l->arena, 64u << 20);
        *ret = &l->sink;
        return 0;
    }
    xt_problem_set(reterr_problem, "there is no format %s", format);
    xt_problem_hint(reterr_problem, "text, ndjson, columns, batches or none");
    return -EINVAL;
}
