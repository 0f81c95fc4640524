/*
 * Three ways to one handler. What differs between them is only how bytes go in and out; an answer of 400 and above is
 * gathered and printed as the problem it holds.
 */
#include "cli/call.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/explain_print.h"
#include "io/unix_address.h"
#include "web/imports.h"
#include "web/local.h"

#define PIECE_BYTES       (4u << 20)   /* a body over HTTP goes in requests of about this size */
#define LOCAL_PIECE_BYTES (256u << 10) /* in this process: small enough to stay in a cache */

/* What became of an answer. */
typedef struct answer {
    xt_call *call;
    xt_buf error; /* body of an answer of 400 and above */
    int status;
    bool ended;     /* on_bytes wanted no more */
    bool more;      /* pieces of the body follow: what is said to this one goes to on_more */
    xt_buf so_far;  /* that */
    xt_slice body;  /* of the body's piece, what was not read yet */
    xt_buf summary; /* JSON behind streamed rows: whether they are all */
} answer;

/* --server and what belongs to it: NULL also where the command has no such option. */
static const char *place_option(const xt_opt_args *args, const char *name)
{
    for (const xt_opt *opt = args->command->options; opt->name; opt++)
        if (strcmp(opt->name, name) == 0)
            return xt_opt_get(args, name);
    return NULL;
}

/* How a request goes: in this process, or over HTTP through a socket or to --server. */
typedef struct way {
    xt_app *app; /* NULL: over HTTP */
    xt_imports *imports;
    const char *socket;    /* NULL: to --server */
    unsigned long session; /* that the pieces of a body are of */
    bool goes_on;          /* a piece of it was sent */
} way;

void xt_call_init(xt_call *call, const char *method, const char *path)
{
    *call = (xt_call){.method = method};
    xt_buf_puts(&call->path, path);
}

void xt_call_fini(xt_call *call)
{
    xt_buf_fini(&call->path);
    xt_buf_fini(&call->query);
}

static void put_encoded(xt_buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-_.~", c);
        if (plain)
            xt_buf_putc(out, (char)c);
        else
            xt_buf_printf(out, "%%%02X", c);
    }
}

void xt_call_put_param(xt_buf *query, const char *name, const char *value)
{
    if (!value)
        return;
    if (query->n)
        xt_buf_putc(query, '&');
    xt_buf_puts(query, name);
    xt_buf_putc(query, '=');
    put_encoded(query, value);
}

void xt_call_param(xt_call *call, const char *name, const char *value)
{
    xt_call_put_param(&call->query, name, value);
}

void xt_call_segment(xt_call *call, const char *segment)
{
    xt_buf_putc(&call->path, '/');
    put_encoded(&call->path, segment);
}

void xt_call_options(xt_call *call, const xt_opt_args *args, const char *names)
{
    xt_slice rest = xt_slice_str(names), name;
    while (xt_slice_cut(&rest, ',', &name)) {
        char text[32] = "";
        memcpy(text, name.p, name.n < sizeof text ? name.n : sizeof text - 1);
        xt_call_param(call, text, xt_opt_get(args, text));
    }
}

static int hand_on(answer *a, xt_slice bytes)
{
    if (a->status >= 400) {
        a->error.max_bytes = 64 << 10;
        xt_buf_put(&a->error, bytes);
        return 0;
    }
    if (a->more) {
        a->so_far.max_bytes = 64 << 10;
        xt_buf_put(&a->so_far, bytes);
        return 0;
    }
    int r = a->call->on_bytes                                ? a->call->on_bytes(a->call->context, bytes)
            : fwrite(bytes.p, 1, bytes.n, stdout) == bytes.n ? 0
                                                             : -EPIPE;
    a->ended = r != 0;
    return r;
}

static void copy_member(const json_t *document, const char *name, char *out, size_t n)
{
    const char *text = json_string_value(json_object_get(document, name));
    if (text)
        snprintf(out, n, "%s", text);
}

/* A parameter that is an option of the command line is named as one: it was used wrongly. */
static bool name_option(const xt_opt_args *args, xt_problem *problem)
{
    for (const xt_opt *opt = args->command->options; opt->name; opt++)
        if (strcmp(opt->name, problem->source) == 0) {
            snprintf(problem->source, sizeof problem->source, "--%s", opt->name);
            return true;
        }
    return false;
}

/* The problem that an error document holds, printed; the exit status. */
static int print_error(const xt_opt_args *args, const answer *a)
{
    xt_problem problem = XT_PROBLEM_INIT;
    json_t *d = json_loadb(a->error.p ? a->error.p : "", a->error.n, 0, NULL);
    const json_t *error = json_object_get(d, "error");
    xt_problem_set(&problem, "the server answered %d", a->status);
    copy_member(error, "sentence", problem.sentence, sizeof problem.sentence);
    copy_member(error, "source", problem.source, sizeof problem.source);
    copy_member(error, "hint", problem.hint, sizeof problem.hint);
    copy_member(error, "excerpt", problem.excerpt, sizeof problem.excerpt);
    problem.line = (uint64_t)json_integer_value(json_object_get(error, "line"));
    problem.column = (uint64_t)json_integer_value(json_object_get(error, "column"));
    json_decref(d);
    bool is_usage = name_option(args, &problem);
    (void)xt_cli_fail(&problem);
    return is_usage ? 2 : 1;
}

/* Says on standard error what an answer leaves out. */
static void print_summary(const answer *a)
{
    json_t *d = json_loadb(a->summary.p ? a->summary.p : "", a->summary.n, 0, NULL);
    size_t i;
    json_t *name, *skipped = json_object_get(d, "skipped");
    const char *reason = json_string_value(json_object_get(d, "reason"));
    if (json_is_true(json_object_get(d, "partial")) && (reason || json_array_size(skipped) == 0))
        fprintf(stderr, "exectrail: this answer is partial: %s; ask for less, or again\n",
                reason ? reason : "a limit ended it");
    if (json_object_get(d, "cut_values"))
        fprintf(stderr,
                "exectrail: values() gives at most 100 values, the first in order; there are more in %lld rows\n",
                (long long)json_integer_value(json_object_get(d, "cut_values")));
    json_array_foreach(skipped, i, name)
        fprintf(stderr, "exectrail: segment %s is damaged and left out of this answer; exectrail verify says more\n",
                json_string_value(name));
    if (json_is_object(json_object_get(d, "explain")))
        xt_explain_print(json_object_get(d, "explain"), stderr);
    json_decref(d);
}

/* ------------------------------------------------------------------------------------------------ over HTTP */

static size_t on_curl(char *p, size_t size, size_t n, void *context)
{
    answer *a = context;
    return hand_on(a, xt_slice_of(p, size * n)) == 0 ? size * n : 0;
}

static size_t on_curl_header(char *p, size_t size, size_t n, void *context)
{
    answer *a = context;
    xt_slice line = xt_slice_of(p, size * n);
    uint64_t status = 0;
    if (xt_slice_starts(line, XT_S("HTTP/")) && line.n > 12 &&
        xt_slice_parse_u64(xt_slice_head(xt_slice_skip(line, 9), 3), &status))
        a->status = (int)status;
    static const xt_slice trailer = {"Exectrail-Answer:", 17};
    if (xt_slice_starts_nocase(line, trailer)) {
        xt_buf_reset(&a->summary);
        xt_buf_put(&a->summary, xt_slice_trim(xt_slice_skip(line, trailer.n)));
    }
    return size * n;
}

static struct curl_slist *headers_of(const xt_opt_args *args)
{
    const char *token = place_option(args, "token") ? place_option(args, "token") : getenv("EXECTRAIL_TOKEN");
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (token) {
        XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
        xt_buf_printf(&line, "Authorization: Bearer %s", token);
        xt_buf_putc(&line, '\0');
        headers = curl_slist_append(headers, line.p);
    }
    return headers;
}

/* One request; body p == NULL: none. `more` is added to the query. */
static int http_once(const xt_opt_args *args, const char *socket_path, answer *a, xt_slice body, xt_slice more)
{
    XT_CLEANUP(xt_buf_fini) xt_buf url = XT_BUF_INIT;
    const char *base = socket_path ? "http://localhost" : place_option(args, "server");
    char why[CURL_ERROR_SIZE] = "";
    size_t n_base = strcspn(base, "?#");
    while (n_base > 0 && base[n_base - 1] == '/')
        n_base--;
    xt_buf_printf(&url, "%.*s%.*s?%.*s%.*s", (int)n_base, base, XT_S_ARGS(xt_buf_slice(&a->call->path)),
                  XT_S_ARGS(xt_buf_slice(&a->call->query)), XT_S_ARGS(more));
    xt_buf_putc(&url, '\0');
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = headers_of(args);
    curl_easy_setopt(curl, CURLOPT_URL, url.p);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, a->call->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_curl);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_curl_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (socket_path)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    if (place_option(args, "ca"))
        curl_easy_setopt(curl, CURLOPT_CAINFO, place_option(args, "ca"));
    if (strcmp(a->call->method, "POST") == 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.p ? body.p : "");
    }
    CURLcode code = curl_easy_perform(curl);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK || a->ended)
        return 0;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_source(&problem, socket_path ? socket_path : base);
    xt_problem_set(&problem, "%s", why[0] ? why : curl_easy_strerror(code));
    xt_problem_hint(&problem, "is exectrail server running there?");
    return xt_cli_fail(&problem);
}

/* ------------------------------------------------------------------------------------------ in this process */

static int local_begin(void *context, int status, const char *content_type, const char *extra)
{
    (void)content_type;
    (void)extra;
    ((answer *)context)->status = status;
    return 0;
}

static int local_summary(void *context, xt_slice json)
{
    answer *a = context;
    xt_buf_put(&a->summary, json);
    return 0;
}

static int local_bytes(void *context, xt_slice bytes)
{
    return hand_on(context, bytes);
}

static ssize_t local_body(void *context, void *p, size_t n)
{
    answer *a = context;
    size_t take = a->body.n < n ? a->body.n : n;
    if (take)
        memcpy(p, a->body.p, take);
    a->body = xt_slice_skip(a->body, take);
    return (ssize_t)take;
}

/* The folder, opened; the exit status. */
static int local_open(const xt_opt_args *args, const answer *a, xt_app **ret)
{
    xt_problem problem = XT_PROBLEM_INIT;
    const char *data = xt_opt_get(args, "data");
    struct stat st;
    char path[4096];
    snprintf(path, sizeof path, "%s/pending.db", data);
    xt_problem_source(&problem, data);
    if (!a->call->make && stat(path, &st) != 0) {
        bool none = errno == ENOENT && stat(data, &st) == 0;
        xt_problem_set(&problem, "%s", none ? "no exectrail data in this folder" : strerror(errno));
        xt_problem_hint(&problem, "--data names the folder that `exectrail server` or `import` was given");
        return xt_cli_fail(&problem);
    }
    xt_app_settings settings = {.data = data};
    return xt_app_open(&settings, ret, &problem) == 0 ? 0 : xt_cli_fail(&problem);
}

/* One request in this process; as http_once. */
static int local_once(const xt_opt_args *args, way *w, answer *a, xt_slice body, xt_slice more)
{
    XT_CLEANUP(xt_buf_fini) xt_buf query = XT_BUF_INIT, path = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    xt_buf_put(&query, xt_buf_slice(&a->call->query));
    xt_buf_put(&query, more);
    xt_buf_put(&path, xt_buf_slice(&a->call->path));
    xt_buf_putc(&path, '\0');
    a->body = body;
    xt_local_request request = {
        .method = a->call->method,
        .path = path.p,
        .query = xt_buf_slice(&query),
        .read_body = body.p ? local_body : NULL,
        .on_begin = local_begin,
        .on_bytes = local_bytes,
        .on_summary = local_summary,
        .context = a,
        .imports = w->imports,
    };
    int r = xt_local_run(w->app, &request, &a->status);
    if (r >= 0 || a->ended)
        return 0;
    xt_problem_source(&problem, xt_opt_get(args, "data"));
    xt_problem_set(&problem, "%s", strerror(-r));
    return xt_cli_fail(&problem);
}

/* ------------------------------------------------------------------------------------------------- bodies */

static int once(const xt_opt_args *args, way *w, answer *a, xt_slice body, xt_slice more)
{
    return w->app ? local_once(args, w, a, body, more) : http_once(args, w->socket, a, body, more);
}

static int send_piece(const xt_opt_args *args, way *w, answer *a, const xt_buf *piece, const xt_buf *params, bool more)
{
    XT_CLEANUP(xt_buf_fini) xt_buf query = XT_BUF_INIT;
    if (a->call->in_pieces)
        xt_buf_printf(&query, "&session=%lx%x%s%s", w->session, (unsigned)getpid(), more ? "&more=1" : "",
                      w->goes_on ? "&next=1" : "");
    w->goes_on = true;
    if (params->n > 0) {
        xt_buf_putc(&query, '&');
        xt_buf_put(&query, xt_buf_slice(params));
    }
    a->more = more;
    xt_buf_reset(&a->so_far);
    int status = once(args, w, a, xt_slice_of(piece->p ? piece->p : "", piece->n), xt_buf_slice(&query));
    if (more && status == 0 && a->status < 400 && a->call->on_more)
        a->call->on_more(a->call->context, xt_buf_slice(&a->so_far));
    return status;
}

/* The body, whole, or in several requests of one import session: each has bytes of one file. */
static int with_body(const xt_opt_args *args, way *w, answer *a)
{
    XT_CLEANUP(xt_buf_fini) xt_buf piece = XT_BUF_INIT, params = XT_BUF_INIT;
    size_t max = !a->call->in_pieces ? SIZE_MAX : w->app ? LOCAL_PIECE_BYTES : PIECE_BYTES;
    int status = 0;
    w->session = (unsigned long)time(NULL);
    for (bool more = true; more && status == 0 && a->status < 400;) {
        xt_slice bytes = XT_S_NULL, next = XT_S_NULL;
        if (a->call->next_body(a->call->context, &bytes, &next) != 0)
            return 1;
        more = bytes.n > 0;
        bool is_other = more && piece.n > 0 && !xt_slice_eq(next, xt_buf_slice(&params));
        if (is_other || piece.n >= max || !more) {
            status = send_piece(args, w, a, &piece, &params, more);
            xt_buf_reset(&piece);
        }
        if (more) {
            xt_buf_put(&piece, bytes);
            xt_buf_reset(&params);
            xt_buf_put(&params, next);
        }
    }
    return status;
}

static int ask(const xt_opt_args *args, way *w, answer *a)
{
    return a->call->next_body ? with_body(args, w, a) : once(args, w, a, XT_S_NULL, XT_S_NULL);
}

static int in_process(const xt_opt_args *args, answer *a)
{
    way w = {0};
    int status = local_open(args, a, &w.app);
    if (status == 0 && a->call->next_body && xt_imports_new(xt_app_clock(w.app), &w.imports) < 0)
        status = 1;
    if (status == 0)
        status = ask(args, &w, a);
    (void)xt_imports_free(w.imports);
    (void)xt_app_close(w.app);
    return status;
}

/* ------------------------------------------------------------------------------------------------- which way */

/* DIR/control.sock when a server answers there, as a path that fits an address; a folder it needs stays open. */
static bool control_socket(const char *data, char *ret, size_t n)
{
    struct sockaddr_un address;
    int folder;
    if ((size_t)snprintf(ret, n, "%s/control.sock", data) >= n || xt_unix_address(ret, &address, &folder) != 0)
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool answers = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0)
        close(fd);
    if (!answers && folder >= 0)
        close(folder);
    snprintf(ret, n, "%s", address.sun_path);
    return answers;
}

bool xt_call_is_remote(const xt_opt_args *args)
{
    char path[4096];
    const char *data = xt_opt_get(args, "data");
    return place_option(args, "server") || (data && control_socket(data, path, sizeof path));
}

static int no_place(void)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_set(&problem, "where from?");
    xt_problem_hint(&problem, "give --data DIR, or --server URL with --token T");
    (void)xt_cli_fail(&problem);
    return 2;
}

int xt_call_run(const xt_opt_args *args, xt_call *call)
{
    char path[4096];
    answer a = {.call = call};
    const char *data = xt_opt_get(args, "data");
    int status;
    if (!data && !place_option(args, "server")) {
        status = no_place();
    } else if (!xt_call_is_remote(args)) {
        status = in_process(args, &a);
    } else {
        way w = {.socket = place_option(args, "server") ? NULL : path};
        if (w.socket)
            (void)control_socket(data, path, sizeof path);
        status = ask(args, &w, &a);
    }
    if (status == 0 && a.status >= 400)
        status = print_error(args, &a);
    print_summary(&a);
    xt_buf_fini(&a.summary);
    xt_buf_fini(&a.so_far);
    xt_buf_fini(&a.error);
    xt_call_fini(call);
    if (fflush(stdout) != 0 && errno != EPIPE)
        status = 1;
    return status;
}

typedef struct fetch_job {
    xt_call *call;
    void *context; /* the caller's, for its body */
    int (*next_body)(void *context, xt_slice *ret, xt_slice *ret_params);
    void (*on_more)(void *context, xt_slice answer);
    xt_buf *out;
} fetch_job;

static int fetch_bytes(void *context, xt_slice bytes)
{
    fetch_job *job = context;
    xt_buf_put(job->out, bytes);
    return xt_buf_done(job->out);
}

static int fetch_body(void *context, xt_slice *ret, xt_slice *ret_params)
{
    fetch_job *job = context;
    return job->next_body(job->context, ret, ret_params);
}

static void fetch_more(void *context, xt_slice so_far)
{
    fetch_job *job = context;
    job->on_more(job->context, so_far);
}

int xt_call_fetch(const xt_opt_args *args, xt_call *call, xt_buf *ret)
{
    fetch_job job = {
        .call = call, .context = call->context, .next_body = call->next_body, .on_more = call->on_more, .out = ret};
    call->on_bytes = fetch_bytes;
    call->next_body = job.next_body ? fetch_body : NULL;
    call->on_more = job.on_more ? fetch_more : NULL;
    call->context = &job;
    return xt_call_run(args, call);
}
