#include "server/forward_sink.h"

#include <stdio.h>

#include "server/http_post.h"

static const struct {
    const char *prefix;
    xt_forward_kind kind;
} kinds[] = {{"syslog+udp://", XT_FORWARD_UDP}, {"syslog+tcp://", XT_FORWARD_TCP}, {"syslog+tls://", XT_FORWARD_TLS},
             {"http://", XT_FORWARD_HTTP},      {"https://", XT_FORWARD_HTTP},     {"file:", XT_FORWARD_FILE}};

bool xt_sink_host_port(const char *target, char *host, size_t n_host, char *port, size_t n_port)
{
    xt_slice rest = xt_slice_str(target);
    ptrdiff_t at = xt_slice_find(rest, XT_S("://"));
    uint64_t number;

    rest = at >= 0 ? xt_slice_skip(rest, (size_t)at + 3) : rest;
    if (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    size_t colon = rest.n;
    while (colon > 0 && rest.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    xt_slice name = xt_slice_head(rest, colon - 1), digits = xt_slice_skip(rest, colon);
    if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
        name = xt_slice_of(name.p + 1, name.n - 2);
    else if (xt_slice_find_byte(name, ':') >= 0)
        return false;
    if (!xt_slice_parse_u64(digits, &number) || number < 1 || number > 65535 || name.n >= n_host ||
        xt_slice_find_byte(name, '@') >= 0 || xt_slice_find_byte(name, '/') >= 0)
        return false;
    snprintf(host, n_host, "%.*s", XT_S_ARGS(name));
    snprintf(port, n_port, "%.*s", XT_S_ARGS(digits));
    return true;
}

const char *xt_sink_path(const char *target)
{
    const char *path = target + strlen("file:");

    return strncmp(path, "//", 2) == 0 ? path + 2 : path;
}

/* The part of an address between :// and the path must not hold a password. */
static bool has_password(const char *target)
{
    const char *host = strstr(target, "://"), *end;

    if (!host)
        return false;
    end = strpbrk(host + 3, "/?#");
    const char *at = strchr(host + 3, '@');
    return at && (!end || at < end);
}

static int refuse(xt_problem *reterr_problem, const char *target, const char *why, const char *hint)
{
    xt_problem_set(reterr_problem, "%s", why);
    if (!has_password(target))
        xt_problem_excerpt(reterr_problem, xt_slice_str(target));
    xt_problem_hint(reterr_problem, "%s", hint);
    return XT_APP_E_INVALID;
}

int xt_sink_kind_of(const char *target, bool bulk, xt_forward_kind *ret, xt_problem *reterr_problem)
{
    char host[256], port[8];
    size_t i = 0;

    while (i < XT_COUNT_OF(kinds) && strncmp(target, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
        i++;
    if (i == XT_COUNT_OF(kinds))
        return refuse(reterr_problem, target, "that is no target",
                      "syslog+udp://HOST:PORT, syslog+tcp://, syslog+tls://, http://..., https://... or file:/PATH");
    if (has_password(target))
        return refuse(reterr_problem, target, "a target's address holds no password",
                      "put it into a file: --bearer-file or --headers-file");
    if (kinds[i].kind <= XT_FORWARD_TLS && !xt_sink_host_port(target, host, sizeof host, port, sizeof port))
        return refuse(reterr_problem, target, "a syslog target is HOST:PORT", "for example syslog+tcp://siem:6514");
    if (kinds[i].kind == XT_FORWARD_FILE && xt_sink_path(target)[0] != '/')
        return refuse(reterr_problem, target, "a file is named by its whole path",
                      "for example file:/var/log/exec.json");
    if (bulk && kinds[i].kind != XT_FORWARD_HTTP)
        return refuse(reterr_problem, target, "_bulk is spoken over HTTP", "https://HOST:9200/INDEX/_bulk");
    *ret = bulk ? XT_FORWARD_ES : kinds[i].kind;
    return 0;
}

int xt_sink_new(const xt_sink_settings *settings, xt_sink **ret)
{
    if (settings->kind == XT_FORWARD_FILE)
        return xt_sink_file_new(settings, ret);
    if (settings->kind == XT_FORWARD_HTTP || settings->kind == XT_FORWARD_ES)
        return xt_sink_http_new(settings, ret);
    return xt_sink_syslog_new(settings, ret);
}

xt_sink *xt_sink_free(xt_sink *sink)
{
    if (sink)
        sink->free(sink);
    return NULL;
}
