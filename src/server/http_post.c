#include "server/http_post.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <curl/curl.h>

struct xt_http_post {
    CURL *curl;
    struct curl_slist *headers, *encoded; /* the same with Content-Encoding */
    size_t max_answer_bytes;
    const atomic_bool *stops;
    xt_buf *answer;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take_answer(char *p, size_t size, size_t n, void *context)
{
    xt_http_post *post = context;
    size_t room = post->answer ? post->max_answer_bytes - post->answer->n : 0;

    if (room)
        xt_buf_put(post->answer, xt_slice_head(xt_slice_of(p, size * n), room));
    return size * n;
}

static int progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const xt_http_post *post = context;

    return post->stops && atomic_load(post->stops);
}

bool xt_http_post_is_address(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

/* Adds a line to the list; false: no memory. */
static bool header_add(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool headers_make(xt_http_post *post, const xt_http_post_settings *settings)
{
    XT_CLEANUP(xt_buf_fini) xt_buf type = XT_BUF_INIT;
    struct curl_slist **lists[] = {&post->headers, &post->encoded};

    xt_buf_printf(&type, "Content-Type: %s%c", settings->content_type, '\0');
    for (size_t i = 0; i < XT_COUNT_OF(lists); i++) {
        if (xt_buf_done(&type) || !header_add(lists[i], type.p) || !header_add(lists[i], "Expect:"))
            return false;
        for (size_t k = 0; k < settings->n_headers; k++)
            if (!header_add(lists[i], settings->headers[k]))
                return false;
    }
    return header_add(&post->encoded, "Content-Encoding: gzip");
}

static void set_up(xt_http_post *post, const xt_http_post_settings *settings)
{
    curl_easy_setopt(post->curl, CURLOPT_URL, settings->url);
    curl_easy_setopt(post->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(post->curl, CURLOPT_USERAGENT, "exectrail/" XT_VERSION);
    curl_easy_setopt(post->curl, CURLOPT_TIMEOUT_MS, settings->timeout_ms);
    curl_easy_setopt(post->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(post->curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(post->curl, CURLOPT_WRITEDATA, post);
    curl_easy_setopt(post->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(post->curl, CURLOPT_XFERINFOFUNCTION, progress);
    curl_easy_setopt(post->curl, CURLOPT_XFERINFODATA, post);
    if (settings->ca)
        curl_easy_setopt(post->curl, CURLOPT_CAINFO, settings->ca);
    if (settings->cert)
        curl_easy_setopt(post->curl, CURLOPT_SSLCERT, settings->cert);
    if (settings->key)
        curl_easy_setopt(post->curl, CURLOPT_SSLKEY, settings->key);
}

int xt_http_post_open(const xt_http_post_settings *settings, xt_http_post **ret)
{
    xt_http_post *post = calloc(1, sizeof *post);

    pthread_once(&curl_once, curl_begin);
    if (!post)
        return xt_error_origin(-ENOMEM);
    post->stops = settings->stops;
    post->max_answer_bytes = settings->max_answer_bytes;
    post->curl = curl_easy_init();
    if (!post->curl || !headers_make(post, settings)) {
        xt_http_post_close(post);
        return xt_error_origin(-ENOMEM);
    }
    set_up(post, settings);
    *ret = post;
    return 0;
}

xt_http_post *xt_http_post_close(xt_http_post *post)
{
    if (!post)
        return NULL;
    curl_slist_free_all(post->headers);
    curl_slist_free_all(post->encoded);
    if (post->curl)
        curl_easy_cleanup(post->curl);
    free(post);
    return NULL;
}

long xt_http_post_send(xt_http_post *post, xt_slice body, const char *encoding, xt_buf *answer, const char **ret_why)
{
    long status = 0;

    post->answer = answer;
    if (answer)
        xt_buf_reset(answer);
    curl_easy_setopt(post->curl, CURLOPT_HTTPHEADER, encoding ? post->encoded : post->headers);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    curl_easy_setopt(post->curl, CURLOPT_POSTFIELDS, body.p);
    CURLcode code = curl_easy_perform(post->curl);
    *ret_why = curl_easy_strerror(code);
    if (code == CURLE_OK)
        curl_easy_getinfo(post->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}
