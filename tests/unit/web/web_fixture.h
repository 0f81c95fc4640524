/* An app on a folder of its own with a real capture imported, and asking it in this process. */
#pragma once
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "web/local.h"

typedef struct web {
    char data[64];
    xt_app *app;
} web;

typedef struct web_answer {
    int status;
    xt_buf head; /* content type, newline, extra */
    xt_buf body;
    xt_buf summary;
    FILE *input;
} web_answer;

static inline void web_answer_reset(web_answer *a)
{
    xt_buf_fini(&a->head);
    xt_buf_fini(&a->body);
    xt_buf_fini(&a->summary);
    *a = (web_answer){.status = 0};
}

static int web_on_begin(void *context, int status, const char *content_type, const char *extra)
{
    web_answer *a = context;
    (void)status;
    xt_buf_printf(&a->head, "%s\n%s", content_type ? content_type : "", extra);
    return 0;
}

static int web_on_bytes(void *context, xt_slice bytes)
{
    xt_buf_put(&((web_answer *)context)->body, bytes);
    return 0;
}

static int web_on_summary(void *context, xt_slice json)
{
    xt_buf_put(&((web_answer *)context)->summary, json);
    return 0;
}

static ssize_t web_read_body(void *context, void *p, size_t n)
{
    return (ssize_t)fread(p, 1, n, ((web_answer *)context)->input);
}

/* METHOD PATH?QUERY, run as an administrator of this process. */
static inline int web_ask(web *w, const char *method, const char *target, const char *body_file, web_answer *a)
{
    char path[512];
    const char *query = strchr(target, '?');
    web_answer_reset(a);
    snprintf(path, sizeof path, "%.*s", (int)(query ? query - target : (ptrdiff_t)strlen(target)), target);
    xt_local_request request = {.method = method,
                                .path = path,
                                .query = xt_slice_str(query ? query + 1 : ""),
                                .on_begin = web_on_begin,
                                .on_bytes = web_on_bytes,
                                .on_summary = web_on_summary,
                                .context = a};
    if (body_file) {
        a->input = fopen(body_file, "rb");
        assert_non_null(a->input);
        request.read_body = web_read_body;
    }
    assert_int_equal(xt_local_run(w->app, &request, &a->status), 0);
    if (a->input)
        fclose(a->input);
    a->input = NULL;
    return a->status;
}

/* GET that answers 200 and JSON. */
static inline json_t *web_get(web *w, const char *target)
{
    web_answer a = {.status = 0};
    if (web_ask(w, "GET", target, NULL, &a) != 200)
        print_message("%s: %d %.*s\n", target, a.status, XT_S_ARGS(xt_buf_slice(&a.body)));
    assert_int_equal(a.status, 200);
    json_t *document = json_loadb(a.body.p, a.body.n, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    web_answer_reset(&a);
    return document;
}

static inline void web_capture(char path[static 512], const char *name)
{
    snprintf(path, 512, "%s/capture/%s", getenv("XT_TEST_DATA"), name);
}

static inline void web_open(web *w)
{
    xt_problem problem = XT_PROBLEM_INIT;
    char file[512];
    web_answer a = {.status = 0};
    *w = (web){.data = "/tmp/exectrail-web-XXXXXX"};
    assert_non_null(mkdtemp(w->data));
    xt_app_settings settings = {.data = w->data};
    assert_int_equal(xt_app_open(&settings, &w->app, &problem), 0);
    web_capture(file, "session.log");
    assert_int_equal(web_ask(w, "POST", "/api/v1/import?host=h1&source=session.log", file, &a), 200);
    web_answer_reset(&a);
}

static inline void web_close(web *w)
{
    char *const argv[] = {(char *)(uintptr_t) "rm", (char *)(uintptr_t) "-rf", w->data, NULL};
    pid_t pid;
    xt_app_close(w->app);
    if (posix_spawn(&pid, "/bin/rm", NULL, NULL, argv, NULL) == 0)
        waitpid(pid, NULL, 0);
}

static inline long long number_at(const json_t *document, const char *name)
{
    assert_true(json_is_integer(json_object_get(document, name)));
    return json_integer_value(json_object_get(document, name));
}
