/*
 * exectrail server: opens the product on its data folder, then its doors: agents over TLS, page and API over HTTP,
 * control.sock for the command line. One event loop; SIGTERM and SIGINT end it.
 */
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "cli/commands.h"
#include "cli/seal_key.h"
#include "io/vfs.h"
#include "server/agents.h"
#include "server/app_tls.h"
#include "server/hosts.h"
#include "server/syslog_door.h"
#include "web/door.h"

#define MAX_SEAL_ROWS  (1 << 24)
#define MAX_SENT_HOSTS (1 << 20)
#define LOCK_WAIT_MS   5000 /* for a command that has the folder */

#define BIG_BUFFER_BYTES (1 << 20)
#define FEW_FILES        11000 /* for 10,000 agents, the store and the page */

typedef struct server {
    struct event_base *base;
    struct event *signals[2];
    xt_app *app;
    xt_agents *agents;
    SSL_CTX *tls; /* of the page's door beyond this machine */
    xt_door *door;
    xt_syslog_door *syslog; /* NULL: off */
    char control_path[PATH_MAX], json_path[PATH_MAX];
} server;

static void on_signal(evutil_socket_t number, short what, void *context)
{
    (void)what;
    xt_log(XT_LOG_INFO, "ending on signal %d", (int)number);
    event_base_loopbreak(context);
}

/* The part of HOST:PORT before the port, brackets of IPv6 included. */
static xt_slice host_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon ? xt_slice_of(address, (size_t)(colon - address)) : xt_slice_str(address);
}

static bool is_loopback(const char *address)
{
    xt_slice host = host_of(address);
    return xt_slice_eq(host, XT_S("localhost")) || xt_slice_eq(host, XT_S("[::1]")) ||
           xt_slice_starts(host, XT_S("127."));
}

static int has_user(void *context, const char *name, xt_role role, int64_t last_login_ms)
{
    (void)name;
    (void)role;
    (void)last_login_ms;
    *(bool *)context = true;
    return 1;
}

/* Beyond this machine the page is served over TLS and to users only. */
static int check_address(server *s, const char *address, xt_problem *problem)
{
    bool found = false;
    if (is_loopback(address))
        return 0;
    int r = xt_app_users_list(s->app, has_user, &found, problem);
    if (found || r < 0)
        return found ? 0 : r;
    xt_problem_source(problem, address);
    xt_problem_set(problem, "not a loopback address, and there is no user yet who could log in");
    xt_problem_hint(problem, "exectrail user add NAME --role admin --data %s, then start again", xt_app_data(s->app));
    return -EPERM;
}

/* drop, seal with a key, off, or nothing; *ret_seals: seal. */
static int read_secrets(const xt_opt_args *args, bool *ret_seals, xt_secret_seal_key *ret_key, xt_problem *problem)
{
    xt_slice mode = xt_slice_str(xt_opt_get(args, "secrets"));
    const char *key = xt_opt_get(args, "seal-to");
    *ret_seals = xt_slice_eq(mode, XT_S("seal"));
    if (mode.n > 0 && !*ret_seals && !xt_slice_eq(mode, XT_S("drop")) && !xt_slice_eq(mode, XT_S("off"))) {
        xt_problem_set(problem, "--secrets %.*s is not known", XT_S_ARGS(mode));
        xt_problem_hint(problem, "drop, seal or off");
        return -EINVAL;
    }
    if (*ret_seals != (key != NULL)) {
        xt_problem_set(problem, "--secrets seal and --seal-to KEY belong together");
        return -EINVAL;
    }
    return key ? xt_seal_key_read(key, ret_key, problem) : 0;
}

/* N, or N with K, M, G or T (of 1,024); 0 when the option is not given. */
static int read_bytes(const xt_opt_args *args, const char *name, uint64_t *ret, xt_problem *problem)
{
    static const char units[] = "KMGT";
    xt_slice text = xt_slice_str(xt_opt_get(args, name));
    const char *unit = text.n > 1 ? strchr(units, text.p[text.n - 1]) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    uint64_t n = 0;
    if (text.n && (!xt_slice_parse_u64(unit ? xt_slice_head(text, text.n - 1) : text, &n) || n == 0 ||
                   n > UINT64_MAX >> 1 >> shift)) {
        xt_problem_set(problem, "--%s %.*s is no number of bytes", name, XT_S_ARGS(text));
        xt_problem_hint(problem, "for example 500M, 20G or 2T");
        return -EINVAL;
    }
    *ret = n << shift;
    return 0;
}

/* What the server keeps for how long, by group. */
typedef struct group_ages {
    xt_group_age items[XT_GROUP_AGES_MAX];
    size_t n;
} group_ages;

static int bad_days(xt_slice text, xt_problem *problem)
{
    xt_problem_set(problem, "--retain-days: %.*s is no number of days from 1 to 100000, nor GROUP=DAYS",
                   XT_S_ARGS(text));
    xt_problem_hint(problem, "for example 90, or 90,web=30,db=400; with 0 a group is kept for ever");
    return -EINVAL;
}

/* One of 90,web=30,db=0: the hosts of a group, or all that are in none of those. */
static int read_days(xt_slice item, int64_t *ret_ms, group_ages *ages, xt_problem *problem)
{
    xt_slice days = item, group = XT_S_NULL;
    uint64_t n = 0;
    if (xt_slice_find_byte(item, '=') >= 0)
        (void)xt_slice_cut(&days, '=', &group);
    if (!xt_slice_parse_u64(days, &n) || n > 100000 || (!group.p && n == 0))
        return bad_days(item, problem);
    if (!group.p) {
        *ret_ms = (int64_t)n * 86400000;
        return 0;
    }
    if (group.n == 0 || ages->n == XT_GROUP_AGES_MAX || xt_host_group_check(group, problem) != 0)
        return xt_problem_is_set(problem) ? -EINVAL : bad_days(item, problem);
    xt_group_age *age = &ages->items[ages->n++];
    memcpy(age->group, group.p, group.n);
    age->group[group.n] = '\0';
    age->max_age_ms = (int64_t)n * 86400000;
    return 0;
}

static int read_limits(const xt_opt_args *args, xt_store_limits *ret, group_ages *ages, xt_problem *problem)
{
    xt_slice days = xt_slice_str(xt_opt_get(args, "retain-days")), item;
    int r = 0;
    while (r == 0 && days.n && xt_slice_cut(&days, ',', &item))
        r = read_days(item, &ret->max_age_ms, ages, problem);
    if (r < 0)
        return r;
    r = read_bytes(args, "retain-bytes", &ret->max_bytes, problem);
    return r == 0 ? read_bytes(args, "min-free-bytes", &ret->min_free_bytes, problem) : r;
}

static int read_host_cert(const xt_opt_args *args, int64_t *ret_ms, xt_problem *problem)
{
    enum { MIN_S = 5, MAX_DAYS = 3650 };
    int64_t ms;
    xt_problem_source(problem, "--host-cert-valid");
    int r = xt_duration_parse(xt_slice_str(xt_opt_get(args, "host-cert-valid")), &ms, problem);
    if (r)
        return r < 0 ? r : -EINVAL;
    if (ms < MIN_S * 1000 || ms > MAX_DAYS * INT64_C(86400000)) {
        xt_problem_set(problem, "a host's certificate lasts from %d seconds to %d days", MIN_S, MAX_DAYS);
        return -EINVAL;
    }
    *ret_ms = ms;
    return 0;
}

static int read_number(const xt_opt_args *args, const char *name, uint64_t max, uint64_t *ret, xt_problem *problem)
{
    xt_slice text = xt_slice_str(xt_opt_get(args, name));
    if (text.n && (!xt_slice_parse_u64(text, ret) || *ret == 0 || *ret > max)) {
        xt_problem_set(problem, "--%s %.*s is no number from 1 to %llu", name, XT_S_ARGS(text),
                       (unsigned long long)max);
        return -EINVAL;
    }
    return 0;
}

/* When open rows become a segment, and segments one; and how many hosts are known that have no agent. */
static int read_numbers(const xt_opt_args *args, xt_app_settings *settings, xt_problem *problem)
{
    uint64_t seal_s = 0, merge_s = 0;
    int r = read_number(args, "seal-rows", MAX_SEAL_ROWS, &settings->seal_rows, problem);
    if (r == 0)
        r = read_number(args, "seal-after", 86400, &seal_s, problem);
    if (r == 0)
        r = read_number(args, "merge-after", 86400, &merge_s, problem);
    if (r == 0)
        r = read_number(args, "sent-hosts", MAX_SENT_HOSTS, &settings->max_sent_hosts, problem);
    settings->seal_after_ms = (int64_t)seal_s * 1000;
    settings->merge_after_ms = (int64_t)merge_s * 1000;
    return r;
}

/* A command that works on the folder without a server has it for a moment only: a server that starts beside it waits. */
static int open_patiently(const xt_app_settings *settings, xt_app **ret, xt_problem *problem)
{
    const struct timespec rest = {.tv_nsec = 50000000};
    int64_t until_ms = xt_clock_mono_ms(&xt_clock_system) + LOCK_WAIT_MS;
    int r = xt_app_open(settings, ret, problem);

    while (r == XT_APP_E_LOCKED && xt_clock_mono_ms(&xt_clock_system) < until_ms) {
        nanosleep(&rest, NULL);
        *problem = XT_PROBLEM_INIT;
        r = xt_app_open(settings, ret, problem);
    }
    return r;
}

static int open_app(server *s, const xt_opt_args *args, xt_problem *problem)
{
    const char *rules[XT_OPT_MAX_VALUES];
    size_t n = 0;
    bool seals;
    xt_secret_seal_key key;
    xt_store_limits limits = {0};
    group_ages ages = {.n = 0};
    int64_t host_cert_ms = 0;
    int r = read_secrets(args, &seals, &key, problem);
    if (r == 0)
        r = read_limits(args, &limits, &ages, problem);
    if (r == 0)
        r = read_host_cert(args, &host_cert_ms, problem);
    if (r < 0)
        return r;
    for (const char *path; (path = xt_opt_nth(args, "rules", (unsigned)n)) != NULL;)
        rules[n++] = path;
    xt_app_settings settings = {
        .data = xt_opt_get(args, "data"),
        .rules = rules,
        .n_rules = n,
        .webhook = xt_opt_get(args, "webhook"),
        .demo = xt_opt_get(args, "demo"),
        .keeps_secrets = xt_slice_eq(xt_slice_str(xt_opt_get(args, "secrets")), XT_S("off")),
        .seal_to = seals ? &key : NULL,
        .secret_rules = xt_opt_get(args, "secret-rules"),
        .server_names = xt_opt_get(args, "names"),
        .limits = limits,
        .group_ages = ages.items,
        .n_group_ages = ages.n,
        .host_cert_s = host_cert_ms / 1000,
        .keeps_reserve = true,
        .runs_forwards = true,
    };
    r = read_numbers(args, &settings, problem);
    return r == 0 ? open_patiently(&settings, &s->app, problem) : r;
}

/* Off unless an address is given. */
static int open_syslog(server *s, const xt_opt_args *args, xt_problem *problem)
{
    xt_syslog_settings settings = {.address = xt_opt_get(args, "syslog"),
                                   .tls_address = xt_opt_get(args, "syslog-tls"),
                                   .from = xt_opt_get(args, "syslog-from"),
                                   .ca_file = xt_opt_get(args, "syslog-ca")};
    if (!settings.address && !settings.tls_address)
        return 0;
    return xt_syslog_door_open(s->app, &settings, &s->syslog, problem);
}

static int open_doors(server *s, const xt_opt_args *args, xt_problem *problem)
{
    const char *address = xt_opt_get(args, "http"), *bulk = xt_opt_get(args, "bulk");
    int r = check_address(s, address, problem);
    if (r == 0)
        r = xt_agents_open(s->app, s->base, xt_opt_get(args, "listen"), &s->agents, problem);
    if (r == 0 && (!is_loopback(address) || (bulk && !is_loopback(bulk))))
        r = xt_app_tls_context(s->app, &s->tls, problem);
    snprintf(s->control_path, sizeof s->control_path, "%s/control.sock", xt_app_data(s->app));
    if (r == 0)
        r = open_syslog(s, args, problem);
    xt_door_settings settings = {.address = address,
                                 .bulk_address = bulk,
                                 .tls = is_loopback(address) ? NULL : s->tls,
                                 .bulk_tls = bulk && !is_loopback(bulk) ? s->tls : NULL,
                                 .control_path = s->control_path};
    return r == 0 ? xt_door_open(s->app, s->base, &settings, &s->door, problem) : r;
}

/* DIR/server.json tells the command line where the doors are. */
static int announce(server *s, const xt_opt_args *args, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    const char *http = xt_opt_get(args, "http");
    xt_slice page = host_of(http), agents = host_of(xt_opt_get(args, "listen"));
    const char *scheme = is_loopback(http) ? "http" : "https";
    xt_buf_printf(&text, "{\"http\":\"%s://%.*s:%d\",\"agents\":\"%.*s:%d\",\"pid\":%d}\n", scheme, XT_S_ARGS(page),
                  xt_door_port(s->door), XT_S_ARGS(agents), xt_agents_port(s->agents), (int)getpid());
    snprintf(s->json_path, sizeof s->json_path, "%s/server.json", xt_app_data(s->app));
    int r = xt_vfs_replace_file(&xt_vfs_system, s->json_path, xt_buf_slice(&text), 0644);
    if (r < 0) {
        xt_problem_source(problem, s->json_path);
        xt_problem_set(problem, "%s", strerror(-r));
        return r;
    }
    xt_log(XT_LOG_INFO, "page on %s://%.*s:%d, agents on %.*s:%d, data in %s", scheme, XT_S_ARGS(page),
           xt_door_port(s->door), XT_S_ARGS(agents), xt_agents_port(s->agents), xt_app_data(s->app));
    return 0;
}

/* Each agent is a descriptor; the usual limit of 1,024 is there for programs that still use select. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max < FEW_FILES)
        xt_log(XT_LOG_WARN,
               "at most %llu files may be open, connections of agents included: see ulimit -Hn, or LimitNOFILE= of the "
               "unit",
               (unsigned long long)limit.rlim_max);
}

/*
 * Big buffers go back to the system when they are freed. By itself malloc moves its threshold up to the biggest that was ever freed,
 * and what lies above it in the heap then keeps the rest.
 */
static void keep_memory_low(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, BIG_BUFFER_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 4 * BIG_BUFFER_BYTES);
}

static int open_loop(server *s)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    raise_limit();
    if (evthread_use_pthreads() != 0 || !(s->base = event_base_new()))
        return -ENOMEM;
    for (size_t i = 0; i < XT_COUNT_OF(numbers); i++) {
        s->signals[i] = evsignal_new(s->base, numbers[i], on_signal, s->base);
        if (!s->signals[i] || event_add(s->signals[i], NULL) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* Doors before the house: nothing comes in while it is being closed. */
static void close_all(server *s)
{
    if (s->json_path[0])
        (void)unlink(s->json_path);
    (void)xt_syslog_door_close(s->syslog);
    (void)xt_door_close(s->door);
    (void)xt_agents_close(s->agents);
    (void)xt_app_close(s->app);
    SSL_CTX_free(s->tls);
    for (size_t i = 0; i < XT_COUNT_OF(s->signals); i++)
        if (s->signals[i])
            event_free(s->signals[i]);
    if (s->base)
        event_base_free(s->base);
}

static void print_refused(void *context, const xt_problem *problem)
{
    (void)context;
    xt_log_problem(XT_LOG_WARN, problem);
}

int xt_cmd_server(const xt_opt_args *args)
{
    server s = {0};
    xt_problem problem = XT_PROBLEM_INIT;
    keep_memory_low();
    int r = open_loop(&s);
    if (r == 0)
        r = open_app(&s, args, &problem);
    if (r == 0)
        r = open_doors(&s, args, &problem);
    if (r == 0)
        r = announce(&s, args, &problem);
    if (r == 0) {
        xt_app_rules_refused(s.app, print_refused, NULL);
        event_base_dispatch(s.base);
    }
    close_all(&s);
    if (r == 0)
        return 0;
    if (!xt_problem_is_set(&problem))
        xt_problem_set(&problem, "the server cannot start: %s", strerror(r < 0 ? -r : EPROTO));
    return xt_cli_fail(&problem);
}
