/* The calls that clients make before they send. None of them changes anything. */
#include "web/es.h"

#include <stdio.h>

#include "base/json_out.h"
#include "server/sender_tokens.h"
#include "web/request.h"
#include "web/respond.h"

#define ES_VERSION "8.19.0" /* whose API this is; clients refuse versions before 8.11 or so */

bool xt_es_is(xt_slice path)
{
    xt_slice prefix = XT_S(XT_ES_PREFIX);
    return xt_slice_starts(path, prefix) && (path.n == prefix.n || path.p[prefix.n] == '/');
}

int xt_es_answer(xt_response *response, int status, const xt_buf *body, const char *extra)
{
    char head[512];
    int r = xt_buf_done(body);
    if (r)
        return xt_error_trace(r);
    snprintf(head, sizeof head, "X-Elastic-Product: Elasticsearch\r\nContent-Length: %zu\r\n%s", body->n, extra);
    r = response->begin(response, status, "application/json", head);
    if (r == 0 && body->n > 0)
        r = response->write(response, xt_buf_slice(body));
    return r == 0 ? response->end(response, XT_S_NULL) : r;
}

static void put_error(xt_json *json, const char *type, const char *reason)
{
    xt_json_field_string(json, "type", xt_slice_str(type));
    xt_json_field_string(json, "reason", xt_slice_str(reason));
}

int xt_es_error(xt_response *response, int status, const char *type, const char *reason, const char *extra)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_json json = xt_json_to(&out);
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("error"));
    xt_json_object_begin(&json);
    xt_json_key(&json, XT_S("root_cause"));
    xt_json_array_begin(&json);
    xt_json_object_begin(&json);
    put_error(&json, type, reason);
    xt_json_object_end(&json);
    xt_json_array_end(&json);
    put_error(&json, type, reason);
    xt_json_object_end(&json);
    xt_json_field_u64(&json, "status", (uint64_t)status);
    xt_json_object_end(&json);
    return xt_es_answer(response, status, &out, extra);
}

/* ---- who asks ---- */

/* Base64 as HTTP has it; p NULL: it is none. */
static xt_slice from_base64(xt_slice text, xt_arena *arena)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = xt_arena_alloc(arena, text.n + 1);
    uint32_t bits = 0;
    size_t n = 0, n_bits = 0;
    while (text.n > 0 && text.p[text.n - 1] == '=')
        text.n--;
    for (size_t i = 0; out && i < text.n; i++) {
        const char *at = text.p[i] ? strchr(digits, text.p[i]) : NULL;
        if (!at)
            return XT_S_NULL;
        bits = bits << 6 | (uint32_t)(at - digits);
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            out[n++] = (char)(bits >> n_bits & 0xff);
        }
    }
    return xt_slice_of(out, out ? n : 0);
}

/* What stands behind the colon of `user:token` or `id:token`, packed; p NULL: it is no such text. */
static xt_slice packed_token(xt_slice text, xt_arena *arena)
{
    xt_slice id, decoded = from_base64(text, arena);
    if (xt_slice_find_byte(decoded, ':') < 0)
        return XT_S_NULL;
    (void)xt_slice_cut(&decoded, ':', &id);
    return decoded;
}

/* A Bearer, and an ApiKey too, may be the token alone, which by chance can look packed. */
static bool may_send(xt_app *app, const xt_request *request)
{
    xt_slice text = request->authorization, scheme = XT_S_NULL;
    if (request->role == XT_ROLE_ADMIN)
        return true;
    if (!xt_slice_cut(&text, ' ', &scheme))
        return false;
    text = xt_slice_trim(text);
    bool is_basic = xt_slice_eq_nocase(scheme, XT_S("Basic")), is_key = xt_slice_eq_nocase(scheme, XT_S("ApiKey"));
    if ((is_basic || is_key) && xt_app_may_send(app, packed_token(text, request->arena)))
        return true;
    return (is_key || xt_slice_eq_nocase(scheme, XT_S("Bearer"))) && xt_app_may_send(app, text);
}

static int refuse(const xt_request *request, xt_response *response)
{
    return xt_es_error(response, 401, "security_exception",
                       request->authorization.n ? "unable to authenticate: the token is not one of a sender"
                                                : "missing authentication credentials for REST request",
                       "WWW-Authenticate: Basic realm=\"security\", charset=\"UTF-8\"\r\nWWW-Authenticate: ApiKey\r\n");
}

/* ---- answers that are always the same ---- */

static int answer_text(xt_response *response, int status, const char *text)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_buf_puts(&out, text);
    return xt_es_answer(response, status, &out, "");
}

static const char about[] =
    "{\"name\":\"exectrail\",\"cluster_name\":\"exectrail\",\"cluster_uuid\":\"exectrail\",\"version\":{\"number\":"
    "\"" ES_VERSION "\",\"build_flavor\":\"default\",\"build_type\":\"deb\",\"build_hash\":\"unknown\",\"build_date\":"
    "\"2025-01-01T00:00:00.000Z\","
    "\"build_snapshot\":false,\"lucene_version\":\"9.12.0\",\"minimum_wire_compatibility_version\":\"7.17.0\","
    "\"minimum_index_compatibility_version\":\"7.0.0\"},\"tagline\":\"You Know, for Search\"}\n";
static const char license[] =
    "{\"license\":{\"status\":\"active\",\"uid\":\"exectrail\",\"type\":\"basic\",\"mode\":\"basic\",\"issue_date\":"
    "\"2025-01-01T00:00:00.000Z\",\"issue_date_in_millis\":1735689600000,\"max_nodes\":1000,\"issued_to\":"
    "\"exectrail\","
    "\"issuer\":\"exectrail\",\"start_date_in_millis\":-1}}\n";
static const char xpack[] = "{\"build\":{\"hash\":\"unknown\",\"date\":\"2025-01-01T00:00:00.000Z\"},\"license\":{"
                            "\"uid\":\"exectrail\",\"type\":\"basic\","
                            "\"mode\":\"basic\",\"status\":\"active\"},\"features\":{\"ilm\":{\"available\":true,"
                            "\"enabled\":true},\"security\":{\"available\":"
                            "true,\"enabled\":true}},\"tagline\":\"You know, for X\"}\n";
static const char health[] = "{\"cluster_name\":\"exectrail\",\"status\":\"green\",\"timed_out\":false,\"number_of_"
                             "nodes\":1,\"number_of_data_nodes\":1,"
                             "\"active_primary_shards\":1,\"active_shards\":1,\"relocating_shards\":0,\"initializing_"
                             "shards\":0,\"unassigned_shards\":0}\n";
static const char nodes[] =
    "{\"_nodes\":{\"total\":1,\"successful\":1,\"failed\":0},\"cluster_name\":\"exectrail\",\"nodes\":{}}\n";

static const struct {
    const char *path, *text;
} constants[] = {
    {"", about},
    {"_license", license},
    {"_xpack", xpack},
    {"_cluster/health", health},
    {"_cluster/settings", "{\"persistent\":{},\"transient\":{}}\n"},
    {"_nodes", nodes},
    {"_nodes/http", nodes},
};

static int answer_constant(const xt_request *request, xt_response *response, xt_slice path)
{
    bool asks = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    for (size_t i = 0; i < XT_COUNT_OF(constants) && asks; i++)
        if (xt_slice_eq(path, xt_slice_str(constants[i].path)))
            return answer_text(response, 200, constants[i].text);
    /* whatever is looked for is not there, and may be made, which makes nothing */
    if (asks)
        return xt_es_error(response, 404, "resource_not_found_exception",
                           "it is not here: what is set up is kept nowhere", "");
    if (strcmp(request->method, "PUT") == 0)
        return answer_text(response, 200, "{\"acknowledged\":true,\"shards_acknowledged\":true}\n");
    return xt_es_error(response, 405, "illegal_argument_exception", "only documents can be sent here, with _bulk",
                       "Allow: GET, HEAD, PUT\r\n");
}

/* _bulk, or {index}/_bulk */
static bool is_bulk(const xt_request *request, xt_slice path, xt_slice *ret_index)
{
    xt_slice first = XT_S_NULL, rest = path;
    if (strcmp(request->method, "POST") != 0 && strcmp(request->method, "PUT") != 0)
        return false;
    *ret_index = XT_S_NULL;
    if (xt_slice_eq(path, XT_S("_bulk")))
        return true;
    (void)xt_slice_cut(&rest, '/', &first);
    *ret_index = first;
    return first.n > 0 && first.p[0] != '_' && xt_slice_eq(rest, XT_S("_bulk"));
}

bool xt_es_admits(xt_app *app, xt_request *request, xt_response *response)
{
    bool may = may_send(app, request);
    if (!may)
        (void)!refuse(request, response);
    return may;
}

int xt_es_run(xt_app *app, xt_request *request, xt_response *response)
{
    xt_slice index, path = xt_slice_skip(request->path, sizeof XT_ES_PREFIX - 1);
    while (path.n > 0 && path.p[0] == '/')
        path = xt_slice_skip(path, 1);
    while (path.n > 0 && path.p[path.n - 1] == '/')
        path.n--;
    if (!may_send(app, request))
        return refuse(request, response);
    return is_bulk(request, path, &index) ? xt_es_bulk(app, request, response, index)
                                          : answer_constant(request, response, path);
}
