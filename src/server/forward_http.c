/*
 * A batch is one POST. 2xx takes it. What the target cannot take at once because it is too much (413) goes in halves; one message that is
 * too much alone is refused for good and counted. All other answers leave the target away: a wrong token or a full disk
 * over there is for a person to mend, and until then nothing is passed over. _bulk answers for each document (forward_bulk.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

#include "server/forward_bulk.h"
#include "server/http_post.h"

enum {
    TIMEOUT_MS = 60 * 1000,
    MAX_ANSWER_BYTES = 16 << 20,
    MAX_FILE_BYTES = 64 << 10,
    MAX_HEADERS = 32,
};

typedef struct http_sink {
    xt_sink sink; /* first */
    bool is_bulk, gzip;
    char *target, *ca, *cert, *key, *bearer_file, *headers_file;
    const atomic_bool *stops;
    xt_http_post *post;
    xt_buf packed, answer;
} http_sink;

/* ------------------------------------------------------------------------------------------------ opening */

static int file_read(const char *path, xt_buf *out, xt_problem *reterr_problem)
{
    int r = xt_vfs_read_file(&xt_vfs_system, path, MAX_FILE_BYTES, out);

    if (r == -ENOMEM)
        return xt_error_origin(r);
    if (r)
        xt_problem_set(reterr_problem, "reading %s: %s", path, strerror(-r));
    return r ? XT_SINK_E_AWAY : 0;
}

/* Header lines as C strings in out; *ret_n of them begin at ret_lines. */
static int headers_read(const http_sink *h, xt_buf *out, size_t *ret_begins, size_t *ret_n, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    size_t n = 0;
    int r = h->bearer_file ? file_read(h->bearer_file, &text, reterr_problem) : 0;

    if (r == 0 && h->bearer_file) {
        ret_begins[n++] = out->n;
        xt_buf_printf(out, "Authorization: Bearer %.*s%c", XT_S_ARGS(xt_slice_trim(xt_buf_slice(&text))), '\0');
    }
    xt_buf_reset(&text);
    if (r == 0 && h->headers_file)
        r = file_read(h->headers_file, &text, reterr_problem);
    xt_slice rest = xt_buf_slice(&text), line;
    while (r == 0 && rest.n && n < MAX_HEADERS && xt_slice_cut(&rest, '\n', &line)) {
        line = xt_slice_trim(line);
        if (line.n == 0 || line.p[0] == '#')
            continue;
        ret_begins[n++] = out->n;
        xt_buf_put(out, line);
        xt_buf_putc(out, '\0');
    }
    *ret_n = n;
    if (text.p)
        explicit_bzero(text.p, text.cap);
    return r ? r : xt_buf_done(out);
}

static int open_post(http_sink *h, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf lines = XT_BUF_INIT;
    size_t begins[MAX_HEADERS + 1], n = 0;
    const char *headers[MAX_HEADERS + 1];
    int r = headers_read(h, &lines, begins, &n, reterr_problem);

    if (r)
        return r;
    for (size_t i = 0; i < n; i++)
        headers[i] = lines.p + begins[i];
    const xt_http_post_settings settings = {.url = h->target,
                                            .content_type = "application/x-ndjson",
                                            .headers = headers,
                                            .n_headers = n,
                                            .ca = h->ca,
                                            .cert = h->cert,
                                            .key = h->key,
                                            .timeout_ms = TIMEOUT_MS,
                                            .max_answer_bytes = h->is_bulk ? MAX_ANSWER_BYTES : 0,
                                            .stops = h->stops};
    return xt_http_post_open(&settings, &h->post);
}

static int pack(http_sink *h, xt_slice bytes)
{
    z_stream z = {.zalloc = NULL};

    xt_buf_reset(&h->packed);
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return xt_error_origin(-ENOMEM);
    uLong bound = deflateBound(&z, bytes.n);
    char *p = xt_buf_reserve(&h->packed, bound);
    int r = p ? Z_OK : Z_MEM_ERROR;
    if (p) {
        z.next_in = (Bytef *)(uintptr_t)bytes.p;
        z.avail_in = (uInt)bytes.n;
        z.next_out = (Bytef *)p;
        z.avail_out = (uInt)bound;
        r = deflate(&z, Z_FINISH);
        h->packed.n += z.total_out;
    }
    deflateEnd(&z);
    return r == Z_STREAM_END ? 0 : xt_error_origin(-ENOMEM);
}

/* ------------------------------------------------------------------------------------------------ answers */

static void refused(http_sink *h, uint64_t n, const char *why)
{
    h->sink.n_refused += n;
    snprintf(h->sink.refusal, sizeof h->sink.refusal, "%s", why);
}

static int bulk_judge(http_sink *h, const xt_forward_batch *batch, size_t from, size_t to, xt_problem *reterr_problem)
{
    xt_bulk_verdict verdict;
    int r = xt_bulk_answer_judge(xt_buf_slice(&h->answer), batch, from, to, &verdict, reterr_problem);

    if (r == 0 && verdict.n_refused > 0)
        refused(h, verdict.n_refused, verdict.refusal);
    return r;
}

/* ------------------------------------------------------------------------------------------------ sending */

static int away(http_sink *h)
{
    h->post = xt_http_post_close(h->post);
    return XT_SINK_E_AWAY;
}

static int post_part(http_sink *h, xt_slice bytes, long *ret_status, xt_problem *reterr_problem)
{
    const char *why = "";
    int r = h->post ? 0 : open_post(h, reterr_problem);

    if (r == 0 && h->gzip)
        r = pack(h, bytes);
    if (r)
        return r;
    long status = xt_http_post_send(h->post, h->gzip ? xt_buf_slice(&h->packed) : bytes, h->gzip ? "gzip" : NULL,
                                    h->is_bulk ? &h->answer : NULL, &why);
    *ret_status = status;
    if ((status >= 200 && status < 300) || status == 413)
        return 0;
    if (status)
        xt_problem_set(reterr_problem, "the target answered %ld", status);
    else
        xt_problem_set(reterr_problem, "%s", why);
    return away(h);
}

/* Messages from .. to, in halves where they are too much; as many levels deep as the count has bits. */
static int send_part(http_sink *h, const xt_forward_batch *batch, size_t from, size_t to, xt_problem *reterr_problem)
{
    long status = 0;
    int r = post_part(h, xt_forward_batch_part(batch, from, to), &status, reterr_problem);

    if (r)
        return r;
    if (status == 413 && to - from == 1) {
        refused(h, 1, "413 too large");
        return 0;
    }
    if (status == 413) {
        size_t middle = from + (to - from) / 2;
        r = send_part(h, batch, from, middle, reterr_problem);
        return r ? r : send_part(h, batch, middle, to, reterr_problem);
    }
    r = h->is_bulk ? bulk_judge(h, batch, from, to, reterr_problem) : 0;
    return r == XT_SINK_E_AWAY ? away(h) : r;
}

static int send(xt_sink *sink, const xt_forward_batch *batch, xt_problem *reterr_problem)
{
    size_t n = xt_forward_batch_count(batch);

    return n ? send_part((http_sink *)sink, batch, 0, n, reterr_problem) : 0;
}

/* ------------------------------------------------------------------------------------------------ making */

static void http_free(xt_sink *sink)
{
    http_sink *h = (http_sink *)sink;

    xt_http_post_close(h->post);
    xt_buf_fini(&h->packed);
    xt_buf_fini(&h->answer);
    free(h->target);
    free(h->ca);
    free(h->cert);
    free(h->key);
    free(h->bearer_file);
    free(h->headers_file);
    free(h);
}

int xt_sink_http_new(const xt_sink_settings *settings, xt_sink **ret)
{
    http_sink *h = calloc(1, sizeof *h);
    const struct {
        const char *from;
        char **to;
    } texts[] = {{settings->target, h ? &h->target : NULL},
                 {settings->ca, h ? &h->ca : NULL},
                 {settings->cert, h ? &h->cert : NULL},
                 {settings->key, h ? &h->key : NULL},
                 {settings->bearer_file, h ? &h->bearer_file : NULL},
                 {settings->headers_file, h ? &h->headers_file : NULL}};

    if (!h)
        return xt_error_origin(-ENOMEM);
    h->sink = (xt_sink){.send = send, .free = http_free};
    h->is_bulk = settings->kind == XT_FORWARD_ES;
    h->gzip = settings->gzip;
    h->stops = settings->stops;
    for (size_t i = 0; i < XT_COUNT_OF(texts); i++)
        if (texts[i].from && !(*texts[i].to = strdup(texts[i].from))) {
            http_free(&h->sink);
            return xt_error_origin(-ENOMEM);
        }
    *ret = &h->sink;
    return 0;
}
