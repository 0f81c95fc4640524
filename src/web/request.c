/* Parameters are few: pairs in an array, looked for one after the other. The first of a name counts. */
#include "web/request.h"

#include <errno.h>

enum { MAX_WHO = 128 };

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

xt_slice xt_percent_decode(xt_slice text, bool plus, xt_arena *arena)
{
    char *out = xt_arena_alloc(arena, text.n + 1);
    size_t n = 0;
    if (!out)
        return XT_S_NULL;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '%' && text.n - i > 2 && hex_digit(text.p[i + 1]) >= 0 && hex_digit(text.p[i + 2]) >= 0) {
            out[n++] = (char)(hex_digit(text.p[i + 1]) << 4 | hex_digit(text.p[i + 2]));
            i += 2;
        } else {
            out[n++] = plus && text.p[i] == '+' ? ' ' : text.p[i];
        }
    }
    out[n] = '\0';
    return xt_slice_of(out, n);
}

const xt_param *xt_query_parse(xt_slice text, xt_arena *arena)
{
    xt_param *params = xt_arena_array(arena, XT_REQUEST_MAX_PARAMS + 1, sizeof *params);
    xt_slice rest = text, pair, name;
    size_t n = 0;
    while (params && n < XT_REQUEST_MAX_PARAMS && xt_slice_cut(&rest, '&', &pair)) {
        xt_slice value = pair;
        if (pair.n == 0 || !xt_slice_cut(&value, '=', &name))
            continue;
        params[n].name = xt_percent_decode(name, true, arena);
        params[n].value = xt_percent_decode(value.p ? value : XT_S(""), true, arena);
        if (!params[n].name.p || !params[n].value.p)
            return NULL;
        n++;
    }
    return params;
}

xt_slice xt_request_get(const xt_request *request, const char *name)
{
    for (const xt_param *param = request->query; param && param->name.p; param++)
        if (xt_slice_eq(param->name, xt_slice_str(name)))
            return param->value;
    return XT_S_NULL;
}

bool xt_request_flag(const xt_request *request, const char *name)
{
    xt_slice value = xt_request_get(request, name);
    return xt_slice_eq(value, XT_S("1")) || xt_slice_eq(value, XT_S("true"));
}

xt_slice xt_request_asker(const xt_request *request)
{
    xt_slice user = xt_slice_str(request->user), by = xt_request_get(request, "by");
    return request->is_local && by.n > 0 ? xt_slice_head(by, MAX_WHO) : user;
}

int xt_request_number(const xt_request *request, const char *name, uint64_t otherwise, uint64_t max, uint64_t *ret,
                      xt_problem *reterr_problem)
{
    xt_slice value = xt_request_get(request, name);
    uint64_t n = otherwise;
    if (value.n > 0 && (!xt_slice_parse_u64(value, &n) || n > max)) {
        xt_problem_source(reterr_problem, name);
        xt_problem_set(reterr_problem, "%s must be a whole number of at most %llu", name, (unsigned long long)max);
        xt_problem_excerpt(reterr_problem, value);
        return XT_REQUEST_E_BAD;
    }
    *ret = n;
    return 0;
}

int xt_request_time(const xt_request *request, const char *name, int64_t now_ms, bool round_up, int64_t otherwise,
                    int64_t *ret, xt_problem *reterr_problem)
{
    xt_slice value = xt_request_get(request, name);
    *ret = otherwise;
    if (value.n == 0)
        return 0;
    xt_problem_source(reterr_problem, name);
    int r = xt_timestamp_parse(value, now_ms, round_up, ret, reterr_problem);
    return r > 0 ? XT_REQUEST_E_BAD : r;
}

int xt_request_text(const xt_request *request, const char *name, const char **ret, xt_problem *reterr_problem)
{
    xt_slice value = xt_request_get(request, name);
    *ret = NULL;
    if (!value.p)
        return 0;
    if (xt_slice_find_byte(value, '\0') >= 0) {
        xt_problem_source(reterr_problem, name);
        xt_problem_set(reterr_problem, "%s holds a NUL", name);
        return XT_REQUEST_E_BAD;
    }
    xt_slice copy = xt_arena_copy(request->arena, value);
    *ret = copy.p;
    return copy.p ? 0 : xt_error_origin(-ENOMEM);
}

int xt_request_body(xt_request *request, size_t max, xt_buf *out, xt_problem *reterr_problem)
{
    char piece[4096];
    ssize_t n;
    while ((n = request->read_body(request, piece, sizeof piece)) > 0) {
        if (out->n + (size_t)n > max) {
            xt_problem_set(reterr_problem, "the body is larger than %zu bytes", max);
            return XT_REQUEST_E_BAD;
        }
        xt_buf_put(out, xt_slice_of(piece, (size_t)n));
    }
    return n < 0 ? (int)n : xt_error_trace(xt_buf_done(out));
}
