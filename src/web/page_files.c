/*
 * A file has a .gz beside it where that was worth it. Names with a hash of the content never change what they hold and are
 * kept by browsers for ever; index.html is asked for again each time, and answered 304 when it is the same.
 */
#include "web/page_files.h"

#include <stdio.h>

#include "web/api.h"
#include "web/respond.h"

const char xt_page_headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n";

static const xt_embedded *find_in(const xt_embedded *files, xt_slice name, const char *ending)
{
    for (; files->path; files++) {
        xt_slice path = xt_slice_str(files->path);
        if (path.n == name.n + strlen(ending) && xt_slice_starts(path, name) &&
            xt_slice_ends(path, xt_slice_str(ending)))
            return files;
    }
    return NULL;
}

static const xt_embedded *page(void)
{
    return find_in(xt_embedded_page, XT_S("index.html"), "") ? xt_embedded_page : xt_embedded_fallback;
}

static const char *type_of(xt_slice name)
{
    static const struct {
        const char *ending, *type;
    } types[] = {{".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
                 {".json", "application/json"},         {".woff2", "font/woff2"}};
    for (size_t i = 0; i < XT_COUNT_OF(types); i++)
        if (xt_slice_ends(name, xt_slice_str(types[i].ending)))
            return types[i].type;
    return "application/octet-stream";
}

/* main-ba570d0814c4.js */
static bool has_hashed_name(xt_slice name)
{
    ptrdiff_t dash = xt_slice_find_byte(name, '-');
    uint64_t hash;
    return dash > 0 && name.n > (size_t)dash + 13 && name.p[dash + 13] == '.' &&
           xt_slice_parse_hex(xt_slice_of(name.p + dash + 1, 12), &hash);
}

/* "q=0", "q=0.0", ... */
static bool is_unwanted(xt_slice quality)
{
    xt_slice rest = xt_slice_trim(quality);
    if (!xt_slice_starts_nocase(rest, XT_S("q=0")))
        return false;
    for (rest = xt_slice_skip(rest, 2); rest.n > 0 && (rest.p[0] == '0' || rest.p[0] == '.');)
        rest = xt_slice_skip(rest, 1);
    return rest.n == 0;
}

/* `gzip`, else `*`, in Accept-Encoding; none where it is not sent. */
static bool takes_gzip(xt_slice accept)
{
    xt_slice item, coding;
    bool any = false;
    while (xt_slice_cut(&accept, ',', &item)) {
        xt_slice quality = item;
        if (!xt_slice_cut(&quality, ';', &coding))
            continue;
        if (xt_slice_eq_nocase(xt_slice_trim(coding), XT_S("gzip")))
            return !is_unwanted(quality);
        any |= xt_slice_eq(xt_slice_trim(coding), XT_S("*")) && !is_unwanted(quality);
    }
    return any;
}

static int send_file(const xt_request *request, xt_response *response, const xt_embedded *file, xt_slice name,
                     bool gzip)
{
    char extra[512], etag[24];
    snprintf(etag, sizeof etag, "\"%.16s\"", file->sha256);
    bool same = xt_slice_find(request->if_none_match, xt_slice_str(etag)) >= 0;
    int n = snprintf(extra, sizeof extra, "ETag: %s\r\nVary: Accept-Encoding\r\nCache-Control: %s\r\n%s", etag,
                     has_hashed_name(name) ? "public, max-age=31536000, immutable" : "no-cache",
                     gzip ? "Content-Encoding: gzip\r\n" : "");
    if (!same)
        snprintf(extra + n, sizeof extra - (size_t)n, "Content-Length: %zu\r\n", file->n);
    int r = response->begin(response, same ? 304 : 200, type_of(name), extra);
    if (r == 0 && !same)
        r = response->write(response, xt_slice_of(file->bytes, file->n));
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

static int answer_file(xt_request *request, xt_response *response, xt_slice name)
{
    const xt_embedded *file = find_in(page(), name, "");
    const xt_embedded *packed = takes_gzip(request->accept_encoding) ? find_in(page(), name, ".gz") : NULL;
    if (file)
        return send_file(request, response, packed ? packed : file, name, packed != NULL);
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "there is no such page");
    return xt_response_problem(response, 404, &problem);
}

int xt_page_index(xt_app *app, xt_request *request, xt_response *response)
{
    (void)app;
    return answer_file(request, response, XT_S("index.html"));
}

int xt_page_file(xt_app *app, xt_request *request, xt_response *response)
{
    (void)app;
    return answer_file(request, response, request->params[0]);
}
