/*
 * Line by line, no copy. What two readers could understand differently (folded lines, two lengths, a length beside a
 * transfer coding, a space before the colon) is refused: that is how requests are smuggled.
 */
#include "io/http/http_head.h"

static bool is_token(xt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!alnum && (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return s.n > 0;
}

static bool is_text(xt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = (uint8_t)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool next_line(xt_slice *rest, xt_slice *ret)
{
    ptrdiff_t end = xt_slice_find(*rest, XT_S("\r\n"));
    if (end < 0)
        return false;
    *ret = xt_slice_head(*rest, (size_t)end);
    *rest = xt_slice_skip(*rest, (size_t)end + 2);
    return true;
}

/* http://host:port/path, as proxies are asked, means /path here. */
static xt_slice target_path(xt_slice target)
{
    static const xt_slice schemes[] = {{"http://", 7}, {"https://", 8}};
    for (size_t i = 0; i < XT_COUNT_OF(schemes); i++) {
        if (!xt_slice_starts_nocase(target, schemes[i]))
            continue;
        xt_slice rest = xt_slice_skip(target, schemes[i].n);
        ptrdiff_t slash = xt_slice_find_byte(rest, '/');
        return slash < 0 ? XT_S("/") : xt_slice_skip(rest, (size_t)slash);
    }
    return target;
}

static int parse_request_line(xt_slice line, xt_http_head *head, const char **reterr)
{
    xt_slice rest = line, method, target;
    *reterr = "the request line is not METHOD TARGET HTTP/1.1";
    if (!xt_slice_cut(&rest, ' ', &method) || !xt_slice_cut(&rest, ' ', &target) || !is_token(method) ||
        method.n >= sizeof head->method)
        return 400;
    if (!xt_slice_starts(rest, XT_S("HTTP/")))
        return 400;
    if (!xt_slice_eq(rest, XT_S("HTTP/1.1")) && !xt_slice_eq(rest, XT_S("HTTP/1.0"))) {
        *reterr = "only HTTP/1.1 and HTTP/1.0 are spoken here";
        return 505;
    }
    for (size_t i = 0; i < target.n; i++)
        if ((uint8_t)target.p[i] <= 0x20 || (uint8_t)target.p[i] >= 0x7f)
            return 400;
    target = target_path(target);
    if (!xt_slice_starts(target, XT_S("/")))
        return 400;
    memcpy(head->method, method.p, method.n);
    head->minor = rest.p[rest.n - 1] == '1';
    xt_slice query = target;
    (void)xt_slice_cut(&query, '?', &head->path);
    head->query = query.p ? query : XT_S("");
    return 0;
}

static int parse_headers(xt_slice rest, xt_http_head *head, const char **reterr)
{
    xt_slice line;
    *reterr = "a header line is malformed";
    while (next_line(&rest, &line) && line.n > 0) {
        ptrdiff_t colon = xt_slice_find_byte(line, ':');
        if (colon < 0 || !is_token(xt_slice_head(line, (size_t)colon)) || !is_text(line))
            return 400;
        if (head->n_headers == XT_HTTP_MAX_HEADERS) {
            *reterr = "too many header lines";
            return 431;
        }
        head->headers[head->n_headers++] = (xt_http_header_line){xt_slice_head(line, (size_t)colon),
                                                                 xt_slice_trim(xt_slice_skip(line, (size_t)colon + 1))};
    }
    return 0;
}

static size_t count_of(const xt_http_head *head, xt_slice name)
{
    size_t n = 0;
    for (size_t i = 0; i < head->n_headers; i++)
        n += xt_slice_eq_nocase(head->headers[i].name, name);
    return n;
}

static int find_length(xt_http_head *head, const char **reterr)
{
    xt_slice coding = xt_http_head_find(head, XT_S("Transfer-Encoding"));
    xt_slice length = xt_http_head_find(head, XT_S("Content-Length"));
    *reterr = "the length of the body is not clear";
    if (count_of(head, XT_S("Transfer-Encoding")) + count_of(head, XT_S("Content-Length")) > 1)
        return 400;
    if (count_of(head, XT_S("Host")) > 1) {
        *reterr = "more than one Host header";
        return 400;
    }
    if (coding.p && !xt_slice_eq_nocase(coding, XT_S("chunked"))) {
        *reterr = "of the transfer codings only chunked is known";
        return 501;
    }
    head->chunked = coding.p != NULL;
    return length.p && !xt_slice_parse_u64(length, &head->length) ? 400 : 0;
}

static bool list_has(xt_slice list, xt_slice word)
{
    xt_slice item;
    while (xt_slice_cut(&list, ',', &item))
        if (xt_slice_eq_nocase(xt_slice_trim(item), word))
            return true;
    return false;
}

int xt_http_head_parse(xt_slice bytes, xt_http_head *ret, const char **reterr)
{
    xt_slice rest = bytes, line;
    *ret = (xt_http_head){0};
    *reterr = "the head of the request has no end";
    if (!next_line(&rest, &line))
        return 400;
    int status = parse_request_line(line, ret, reterr);
    if (status == 0)
        status = parse_headers(rest, ret, reterr);
    if (status == 0)
        status = find_length(ret, reterr);
    if (status != 0)
        return status;
    xt_slice connection = xt_http_head_find(ret, XT_S("Connection"));
    ret->keep_alive = ret->minor ? !list_has(connection, XT_S("close")) : list_has(connection, XT_S("keep-alive"));
    ret->expects_continue =
        ret->minor && xt_slice_eq_nocase(xt_http_head_find(ret, XT_S("Expect")), XT_S("100-continue"));
    return 0;
}

xt_slice xt_http_head_find(const xt_http_head *head, xt_slice name)
{
    for (size_t i = 0; i < head->n_headers; i++)
        if (xt_slice_eq_nocase(head->headers[i].name, name))
            return head->headers[i].value;
    return XT_S_NULL;
}
