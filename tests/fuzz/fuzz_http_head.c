/*
 * Any bytes as the head of a request: refused with a sentence, or every slice lies inside of the bytes and the whole
 * survives being written again. The query of it goes through the decoder of parameters.
 */
#include <stdlib.h>

#include "io/http/http_head.h"
#include "web/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

static void check_inside(xt_slice whole, xt_slice part)
{
    CHECK(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void check_params(xt_slice query)
{
    xt_arena arena;
    size_t n = 0;
    xt_arena_init(&arena, 64 << 20);
    const xt_param *params = xt_query_parse(query, &arena);
    CHECK(params);
    for (; params[n].name.p; n++)
        CHECK(params[n].value.p && params[n].name.n + params[n].value.n <= query.n);
    CHECK(n <= XT_REQUEST_MAX_PARAMS);
    xt_arena_fini(&arena);
}

static void write_again(const xt_http_head *head, xt_buf *out)
{
    xt_buf_printf(out, "%s %.*s?%.*s HTTP/1.%u\r\n", head->method, XT_S_ARGS(head->path), XT_S_ARGS(head->query),
                  head->minor);
    for (size_t i = 0; i < head->n_headers; i++) {
        xt_buf_put(out, head->headers[i].name);
        xt_buf_puts(out, ": ");
        xt_buf_put(out, head->headers[i].value);
        xt_buf_puts(out, "\r\n");
    }
    xt_buf_puts(out, "\r\n");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static xt_http_head head, again;
    xt_slice bytes = xt_slice_of(data, n);
    const char *sentence = NULL;
    int status = xt_http_head_parse(bytes, &head, &sentence);
    CHECK(status == 0 || (status >= 400 && status <= 505 && sentence));
    if (status != 0)
        return 0;
    check_inside(bytes, head.query);
    for (size_t i = 0; i < head.n_headers; i++) {
        check_inside(bytes, head.headers[i].name);
        check_inside(bytes, head.headers[i].value);
    }
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    write_again(&head, &out);
    CHECK(xt_http_head_parse(xt_buf_slice(&out), &again, &sentence) == 0);
    CHECK(again.n_headers == head.n_headers && again.length == head.length && again.chunked == head.chunked);
    CHECK(again.keep_alive == head.keep_alive && xt_slice_eq(again.path, head.path));
    check_params(head.query);
    return 0;
}
