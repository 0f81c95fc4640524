/*
 * A body is fed as it comes. With more=1 the import stays open under the session's id and the next request goes on
 * with it; whatever goes wrong ends it.
 */
#include <errno.h>

#include "web/api.h"
#include "web/imports.h"
#include "web/request.h"
#include "web/respond.h"

#define PIECE_BYTES (256u << 10)

typedef struct job {
    xt_app *app;
    xt_request *request;
    xt_slice session; /* empty: the whole import is this request */
    bool more;
    uint64_t file;    /* number of the file that the body is of */
    xt_slice secrets; /* drop, seal, off, or empty: as the server is set */
    xt_secret_seal_key key;
    const xt_secret_seal_key *seal_to; /* NULL: none */
    xt_import *import;
} job;

static int bad(xt_problem *problem, const char *source, const char *sentence)
{
    xt_problem_source(problem, source);
    xt_problem_set(problem, "%s", sentence);
    return XT_APP_E_INVALID;
}

static int read_secrets(job *j, xt_problem *problem)
{
    xt_slice key = xt_request_get(j->request, "seal-to");
    j->secrets = xt_request_get(j->request, "secrets");
    bool seals = xt_slice_eq(j->secrets, XT_S("seal"));
    if (j->secrets.n > 0 && !seals && !xt_slice_eq(j->secrets, XT_S("off")) && !xt_slice_eq(j->secrets, XT_S("drop")))
        return bad(problem, "secrets", "it is drop, seal or off");
    if (key.n > 0 && !seals)
        return bad(problem, "seal-to", "a key is of use where secrets are sealed: secrets=seal");
    if (key.n > 0) {
        int r = xt_secret_seal_key_parse(key, &j->key, problem);
        j->seal_to = &j->key;
        xt_problem_source(problem, "seal-to");
        return r > 0 ? XT_APP_E_INVALID : r;
    }
    j->seal_to = seals ? xt_app_seal_key(j->app) : NULL;
    return seals && !j->seal_to ? bad(problem, "seal-to", "to seal secrets a public key is needed") : 0;
}

static int read_params(job *j, xt_problem *problem)
{
    j->session = xt_request_get(j->request, "session");
    j->more = xt_request_flag(j->request, "more");
    if (j->session.n > XT_IMPORTS_ID_MAX || xt_slice_find_byte(j->session, '\0') >= 0)
        return bad(problem, "session", "a session id has at most 64 bytes");
    int r = read_secrets(j, problem);
    if (r)
        return r;
    r = xt_request_number(j->request, "file", 0, UINT32_MAX, &j->file, problem);
    if (r)
        return r > 0 ? XT_APP_E_INVALID : r;
    if (j->more && j->session.n == 0)
        return bad(problem, "session", "more=1 needs a session id");
    if (j->session.n > 0 && !j->request->imports) {
        if (j->more)
            return bad(problem, "more", "an import in several requests needs a server");
        j->session = XT_S("");
    }
    return 0;
}

static int open_import(job *j, xt_problem *problem)
{
    const char *host, *source;
    int r = xt_request_text(j->request, "host", &host, problem);
    if (r == 0)
        r = xt_request_text(j->request, "source", &source, problem);
    if (r)
        return r > 0 ? XT_APP_E_INVALID : r;
    r = xt_import_open(j->app, host && *host ? host : NULL, source ? source : "import", &j->import, problem);
    if (r == 0 && source)
        r = xt_import_begin(j->import, source, j->file, problem);
    if (r == 0 && j->secrets.n > 0)
        xt_import_set_secrets(j->import, xt_slice_eq(j->secrets, XT_S("off")), j->seal_to);
    return r;
}

/* A session goes on; with another file if the request names one. */
static int continue_import(job *j, xt_problem *problem)
{
    const char *source;
    int r = xt_request_text(j->request, "source", &source, problem);
    if (r)
        return r > 0 ? XT_APP_E_INVALID : r;
    return source ? xt_import_begin(j->import, source, j->file, problem) : 0;
}

static int feed_body(job *j, xt_problem *problem)
{
    char *piece = xt_arena_alloc(j->request->arena, PIECE_BYTES);
    ssize_t n = 0;
    int r = piece ? 0 : xt_error_origin(-ENOMEM);
    while (r == 0 && (n = j->request->read_body(j->request, piece, PIECE_BYTES)) > 0)
        r = xt_import_feed(j->import, xt_slice_of(piece, (size_t)n), problem);
    return n < 0 ? (int)n : r;
}

static int answer_stats(xt_response *response, const xt_import_stats *stats)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf problem = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_field_u64(&json, "read", stats->n_read);
    xt_json_field_u64(&json, "events", stats->n_events);
    xt_json_field_u64(&json, "lines", stats->n_lines);
    xt_json_field_u64(&json, "unparsed", stats->n_unparsed);
    xt_json_field_u64(&json, "duplicate", stats->n_duplicate);
    xt_json_field_u64(&json, "bytes", stats->n_bytes);
    if (xt_problem_is_set(&stats->problem)) {
        xt_problem_format(&stats->problem, &problem);
        xt_json_field_string(&json, "problem", xt_buf_slice(&problem));
    }
    xt_json_object_end(&json);
    xt_buf_putc(&out, '\n');
    return xt_respond_json(response, 200, &out);
}

/* The import is taken from the table or opened, fed, and finished unless more is to come. */
static int run(job *j, xt_import_stats *ret, xt_problem *problem)
{
    int r = j->import ? continue_import(j, problem) : open_import(j, problem);
    if (r == 0)
        r = feed_body(j, problem);
    if (r == 0 && !j->more) {
        xt_import *import = j->import;
        j->import = NULL;
        return xt_import_finish(import, xt_request_flag(j->request, "compact"), ret, problem);
    }
    if (r == 0)
        *ret = xt_import_stats_get(j->import);
    if (r && j->import)
        j->import = xt_import_abort(j->import);
    return r;
}

static int refuse_session(xt_response *response, int r)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_source(&problem, "session");
    xt_problem_set(&problem, "%s",
                   r == XT_IMPORTS_E_BUSY ? "another request feeds this import" : "too many imports are open");
    return xt_response_problem(response, r == XT_IMPORTS_E_BUSY ? 409 : 503, &problem);
}

/* Nobody fed it for a while, or the server began anew: to go on would leave out what it had not stored yet. */
static int refuse_lost(xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_problem_source(&problem, "session");
    xt_problem_set(&problem, "the import is not there any more: nothing came for %d s, or the server was started again",
                   XT_IMPORTS_IDLE_MS / 1000);
    xt_problem_hint(&problem, "import the files again: what is stored already is left out");
    return xt_response_problem(response, 409, &problem);
}

int xt_api_import(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    job j = {.app = app, .request = request};
    xt_import_stats stats = {.n_bytes = 0};
    int r = read_params(&j, &problem);
    if (r)
        return xt_respond_app_failure(response, r, &problem);
    if (j.session.n > 0) {
        r = xt_imports_take(request->imports, j.session, &j.import);
        if (r)
            return refuse_session(response, r);
    }
    if (!j.import && xt_request_flag(request, "next")) {
        if (j.session.n > 0)
            xt_imports_give(request->imports, j.session, NULL);
        return refuse_lost(response);
    }
    r = run(&j, &stats, &problem);
    if (j.session.n > 0)
        xt_imports_give(request->imports, j.session, j.import);
    return r ? xt_respond_app_failure(response, r, &problem) : answer_stats(response, &stats);
}
