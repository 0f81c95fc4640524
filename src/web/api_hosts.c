#include "server/policies.h"
#include "web/api.h"
#include "web/list_writer.h"
#include "web/request.h"
#include "web/respond.h"

#include <stdio.h>

#define MAX_INVENTORY_BYTES (64u << 20)
#define MAX_CLOCK_MS        2000 /* further from the server's, events of two hosts cannot be put in an order any more */

static const char *const columns[] = {"host",   "group",   "connected",   "last seen",   "audit",   "complete",
                                      "lost",   "dropped", "streams",     "unwatched s", "backlog", "spool",
                                      "events", "clock",   "certificate", "trouble",     "version", "blind"};

/* The list, and what is proved of its hosts, in the same order. */
typedef struct hosts_list {
    xt_list list;
    xt_app *app;
    xt_buf proved; /* xt_completeness after xt_completeness */
    size_t at;
} hosts_list;

static void put_text(xt_json *json, const char *key, const char *value)
{
    xt_json_field_string(json, key, xt_slice_str(value));
}

static void put_clone(xt_json *json, const xt_host *host)
{
    put_text(json, "clone_address", host->clone_address);
    put_text(json, "clone_machine_id", host->clone_machine_id);
    put_text(json, "clone_boot_id", host->clone_boot_id);
    xt_json_field_time(json, "clone_seen", host->clone_ms);
}

static bool clock_is_wrong(const xt_host *host)
{
    return host->clock_known && (host->clock_offset_ms > MAX_CLOCK_MS || host->clock_offset_ms < -MAX_CLOCK_MS);
}

static void put_policy(xt_json *json, xt_app *app, const xt_host *host)
{
    xt_host_policy policy;
    if (!xt_app_host_policy(app, xt_slice_str(host->id), &policy))
        return;
    put_text(json, "policy", policy.policy);
    put_text(json, "policy_state", policy.state);
    put_text(json, "policy_said", policy.said);
    xt_json_field_time(json, "paused_until", policy.paused_until_ms);
}

/* One word for how the host is. */
static const char *state_of(const xt_host *host)
{
    return host->revoked                             ? "revoked"
           : host->quarantined                       ? "quarantined"
           : host->imported                          ? "imported"
           : host->connected                         ? "connected"
           : host->coverage.state == XT_BEAT_STOPPED ? "stopped"
                                                     : "silent";
}

/* How long the oldest of what waits at the host has waited, at most; -1: nothing waits, or that is not known. */
static int64_t oldest_waits_ms(xt_app *app, const xt_host *host)
{
    int64_t now_ms = xt_clock_wall_ms(xt_app_clock(app));
    if (host->spool_batches == 0 || host->coverage.settled_ms == 0)
        return -1;
    return now_ms > host->coverage.settled_ms ? now_ms - host->coverage.settled_ms : 0;
}

static void put_spool(xt_json *json, xt_app *app, const xt_host *host)
{
    int64_t oldest_ms = oldest_waits_ms(app, host);
    xt_json_field_u64(json, "spool_batches", host->spool_batches);
    xt_json_field_u64(json, "spool_bytes", host->spool_bytes);
    xt_json_field_u64(json, "spool_max_bytes", host->spool_max_bytes);
    xt_json_field_u64(json, "spool_dropped", host->spool_dropped);
    if (oldest_ms >= 0)
        xt_json_field_u64(json, "spool_oldest_s", (uint64_t)oldest_ms / 1000);
    xt_json_field_u64(json, "flood_counted", host->n_flood);
}

static void put_host(xt_json *json, xt_app *app, const xt_host *host, const xt_completeness *of)
{
    put_text(json, "id", host->id);
    put_text(json, "name", host->name);
    put_text(json, "group", host->group);
    put_text(json, "state", state_of(host));
    xt_json_field_bool(json, "connected", host->connected);
    xt_json_field_bool(json, "revoked", host->revoked);
    xt_json_field_bool(json, "imported", host->imported);
    xt_json_field_time(json, "enrolled", host->enrolled_ms);
    xt_json_field_time(json, "last_seen", host->last_seen_ms);
    xt_json_field_time(json, "last_event", host->last_event_ms);
    put_text(json, "audit_mode", host->audit_mode);
    put_text(json, "completeness", host->completeness);
    put_text(json, "blind", host->blind);
    xt_json_field_u64(json, "lost", host->lost);
    xt_json_field_u64(json, "backlog", host->backlog);
    put_spool(json, app, host);
    put_text(json, "agent_version", host->agent_version);
    xt_json_field_u64(json, "events", host->n_events);
    xt_json_field_u64(json, "cpu_us", host->cpu_us);
    xt_json_field_u64(json, "rss_bytes", host->rss_bytes);
    put_text(json, "address", host->address);
    put_text(json, "os", host->os);
    put_text(json, "boot_id", host->boot_id);
    put_text(json, "machine_id", host->machine_id);
    if (host->clock_known)
        xt_json_field_i64(json, "clock_offset_ms", host->clock_offset_ms);
    xt_json_field_bool(json, "clock_off", clock_is_wrong(host));
    put_policy(json, app, host);
    put_text(json, "ca", host->ca);
    xt_json_field_time(json, "certificate_ends", host->cert_to_ms);
    put_text(json, "refused", host->refused);
    xt_json_field_time(json, "refused_at", host->refused_ms);
    xt_json_field_bool(json, "quarantined", host->quarantined);
    xt_json_field_bool(json, "cloned", host->cloned);
    if (host->cloned)
        put_clone(json, host);
    if (!of)
        return;
    xt_json_key(json, XT_S("proved"));
    xt_json_object_begin(json);
    xt_completeness_json(of, json);
    xt_json_object_end(json);
}

static void put_word(xt_list *list, const char *value)
{
    xt_list_cell(list, value[0] || list->format == XT_LIST_CSV ? xt_slice_str(value) : XT_S("-"));
}

/* "+1.250 s": the host's clock is ahead. */
static void put_clock(xt_list *list, const xt_host *host)
{
    char text[32] = "-";
    uint64_t ms = (uint64_t)(host->clock_offset_ms < 0 ? -host->clock_offset_ms : host->clock_offset_ms);

    if (host->clock_known)
        snprintf(text, sizeof text, "%c%llu.%03llu s", host->clock_offset_ms < 0 ? '-' : '+',
                 (unsigned long long)ms / 1000, (unsigned long long)ms % 1000);
    xt_list_cell(list, xt_slice_str(text));
}

/* The clone, else the last refusal, a pause, a policy that was refused, a clock that is off. */
static void put_trouble(xt_list *list, xt_app *app, const xt_host *host)
{
    char text[128] = "";
    xt_host_policy policy;
    bool has_policy = xt_app_host_policy(app, xt_slice_str(host->id), &policy);

    if (host->cloned)
        snprintf(text, sizeof text, "cloned-host: %s is refused", host->clone_address);
    else if (host->refused[0])
        snprintf(text, sizeof text, "%s", host->refused);
    else if (has_policy && policy.paused_until_ms)
        snprintf(text, sizeof text, "paused");
    else if (has_policy && strcmp(policy.state, "refused") == 0)
        snprintf(text, sizeof text, "policy-refused");
    else if (clock_is_wrong(host))
        snprintf(text, sizeof text, "clock-off");
    put_word(list, text);
}

static void put_proved(xt_list *list, const xt_completeness *of)
{
    if (!of) {
        for (int i = 0; i < 5; i++)
            put_word(list, "");
        return;
    }
    put_word(list, of->complete ? "yes" : "no");
    xt_list_cell_u64(list, of->n[XT_GAP_KERNEL] + of->n[XT_GAP_AGENT] + of->n[XT_GAP_UNAUDITED] + of->n[XT_GAP_UNSEEN]);
    xt_list_cell_u64(list, of->n[XT_GAP_SPOOL]);
    xt_list_cell_u64(list, of->n_gaps[XT_GAP_STREAM]);
    xt_list_cell_u64(list, (uint64_t)(of->ms[XT_GAP_SILENT] + of->ms[XT_GAP_OFF] + of->ms[XT_GAP_TAKEN] +
                                      of->ms[XT_GAP_PAUSED] + of->ms[XT_GAP_STOPPED] + 999) /
                               1000);
}

/* "3", and from a hundredth on how full it is: "812, 40 %, 95 s". */
static void put_spool_cell(xt_list *list, xt_app *app, const xt_host *host)
{
    char text[80];
    uint64_t percent = host->spool_max_bytes ? host->spool_bytes * 100 / host->spool_max_bytes : 0;
    int64_t oldest_ms = oldest_waits_ms(app, host);
    if (percent == 0 || oldest_ms < 0)
        snprintf(text, sizeof text, "%llu", (unsigned long long)host->spool_batches);
    else
        snprintf(text, sizeof text, "%llu, %llu %%, %lld s", (unsigned long long)host->spool_batches,
                 (unsigned long long)percent, (long long)oldest_ms / 1000);
    xt_list_cell(list, xt_slice_str(text));
}

static void put_cells(xt_list *list, xt_app *app, const xt_host *host, const xt_completeness *of)
{
    const char *connected = host->revoked || host->quarantined || host->imported ? state_of(host)
                            : host->connected                                    ? "yes"
                            : host->coverage.state == XT_BEAT_STOPPED            ? "stopped"
                                                                                 : "no";
    put_word(list, host->name);
    put_word(list, host->group);
    xt_list_cell(list, xt_slice_str(connected));
    xt_list_cell_time(list, host->last_seen_ms);
    put_word(list, host->audit_mode);
    put_proved(list, of);
    xt_list_cell_u64(list, host->backlog);
    put_spool_cell(list, app, host);
    xt_list_cell_u64(list, host->n_events);
    put_clock(list, host);
    if (host->cert_to_ms)
        xt_list_cell_time(list, host->cert_to_ms);
    else
        put_word(list, "");
    put_trouble(list, app, host);
    put_word(list, host->agent_version);
    put_word(list, host->blind);
}

static int on_proved(void *context, const xt_completeness *of)
{
    hosts_list *l = context;
    xt_buf_put(&l->proved, xt_slice_of(of, sizeof *of));
    return xt_buf_done(&l->proved);
}

/* What is proved of it; NULL: nothing is. */
static const xt_completeness *find_proved(hosts_list *l, const xt_host *host)
{
    const xt_completeness *all = (const xt_completeness *)l->proved.p;
    size_t n = l->proved.n / sizeof *all;
    return l->at < n && strcmp(all[l->at].id, host->id) == 0 ? &all[l->at++] : NULL;
}

static int on_host(void *context, const xt_host *host)
{
    hosts_list *l = context;
    const xt_completeness *of = find_proved(l, host);
    if (xt_list_is_json(&l->list)) {
        put_host(xt_list_json(&l->list), l->app, host, of && of->first_ms ? of : NULL);
        xt_list_json_done(&l->list);
    } else {
        put_cells(&l->list, l->app, host, of && of->first_ms ? of : NULL);
    }
    return xt_buf_done(&l->list.out);
}

int xt_api_hosts(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_completeness_wish wish = {.since_first = true};
    hosts_list l = {.app = app, .proved = XT_BUF_INIT};
    const xt_completeness_calls calls = {.host = on_proved, .context = &l};
    int r = xt_completeness_times(app, request, &wish, &problem);
    if (r == 0)
        r = xt_list_begin(&l.list, request, "hosts", columns, XT_COUNT_OF(columns), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_completeness(app, &wish, &calls, &problem);
    if (r == 0)
        r = xt_app_hosts_list(app, on_host, &l, &problem);
    xt_buf_fini(&l.proved);
    if (r == 0)
        return xt_list_end(&l.list, response);
    xt_list_fini(&l.list);
    return xt_respond_app_failure(response, r, &problem);
}

static xt_slice who(const xt_request *request)
{
    return request->user[0] ? xt_slice_str(request->user) : XT_S("command line");
}

static int answer_done(xt_response *response, int r, xt_problem *problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, problem) : xt_respond_json(response, 200, &out);
}

int xt_api_host_revoke(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_host_revoke(app, request->params[0], true, who(request), &problem);
    return answer_done(response, r, &problem);
}

int xt_api_host_restore(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_host_revoke(app, request->params[0], false, who(request), &problem);
    return answer_done(response, r, &problem);
}

int xt_api_host_quarantine(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_host_quarantine(app, request->params[0], who(request), &problem);
    return answer_done(response, r, &problem);
}

int xt_api_host_release(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_host_release(app, request->params[0], who(request), &problem);
    return answer_done(response, r, &problem);
}

/* ----------------------------------------------------------------------------------------------- inventory */

static int on_gap(void *context, const xt_inventory_gap *gap)
{
    static const char *const states[] = {[XT_HOST_NEVER_ENROLLED] = "never enrolled",
                                         [XT_HOST_NEVER_REPORTED] = "enrolled, never reported",
                                         [XT_HOST_REVOKED] = "revoked",
                                         [XT_HOST_UNEXPECTED] = "not in the inventory"};
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        put_text(json, "name", gap->name);
        put_text(json, "state", states[gap->kind]);
        xt_list_json_done(list);
    } else {
        put_word(list, gap->name);
        put_word(list, states[gap->kind]);
    }
    return xt_buf_done(&list->out);
}

int xt_api_inventory(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const of_gaps[] = {"host", "state"};
    xt_problem problem = XT_PROBLEM_INIT;
    uint64_t n_expected = 0;
    xt_list list;
    int r = xt_list_begin(&list, request, "gaps", of_gaps, XT_COUNT_OF(of_gaps), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_inventory_gaps(app, on_gap, &list, &n_expected, &problem);
    if (r) {
        xt_list_fini(&list);
        return xt_respond_app_failure(response, r, &problem);
    }
    xt_json *json = xt_list_rest(&list);
    if (json)
        xt_json_field_u64(json, "expected", n_expected);
    return xt_list_end(&list, response);
}

int xt_api_inventory_set(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf body = XT_BUF_INIT;
    int r = xt_request_body(request, MAX_INVENTORY_BYTES, &body, &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_inventory_set(app, xt_buf_slice(&body), &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : xt_api_inventory(app, request, response);
}

/* ----------------------------------------------------------------------------------------------------- CAs */

static int on_ca(void *context, const xt_ca *ca)
{
    xt_list *list = context;
    if (xt_list_is_json(list)) {
        xt_json *json = xt_list_json(list);
        put_text(json, "id", ca->id);
        xt_json_field_time(json, "from", ca->from_ms);
        xt_json_field_time(json, "to", ca->to_ms);
        xt_json_field_bool(json, "server", ca->is_servers);
        xt_json_field_bool(json, "signs_hosts", ca->signs_hosts);
        xt_json_field_u64(json, "hosts", ca->n_hosts);
        xt_list_json_done(list);
    } else {
        const bool both = ca->is_servers && ca->signs_hosts;
        put_word(list, ca->id);
        put_word(list, both              ? "in use"
                       : ca->signs_hosts ? "new: signs hosts"
                                         : "old: the server's certificate, tokens");
        xt_list_cell_time(list, ca->from_ms);
        xt_list_cell_time(list, ca->to_ms);
        xt_list_cell_u64(list, ca->n_hosts);
    }
    return xt_buf_done(&list->out);
}

int xt_api_cas(xt_app *app, xt_request *request, xt_response *response)
{
    static const char *const of_cas[] = {"id", "use", "from", "to", "hosts"};
    xt_problem problem = XT_PROBLEM_INIT;
    xt_list list;
    int r = xt_list_begin(&list, request, "cas", of_cas, XT_COUNT_OF(of_cas), &problem);
    if (r)
        return xt_respond_failure(response, r, 400, &problem);
    r = xt_app_cas_list(app, on_ca, &list);
    if (r == 0)
        return xt_list_end(&list, response);
    xt_list_fini(&list);
    return xt_respond_app_failure(response, r, &problem);
}

int xt_api_ca_rotate(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_ca_rotate(app, who(request), &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : xt_api_cas(app, request, response);
}

int xt_api_ca_retire(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_app_ca_retire(app, xt_request_flag(request, "force"), who(request), &problem);
    return r ? xt_respond_app_failure(response, r, &problem) : xt_api_cas(app, request, response);
}

int xt_api_host_group(xt_app *app, xt_request *request, xt_response *response)
{
    xt_problem problem = XT_PROBLEM_INIT;
    XT_CLEANUP(xt_buf_fini) xt_buf out = XT_BUF_INIT;
    int r = xt_app_host_group(app, request->params[0], xt_request_get(request, "group"), &problem);
    xt_buf_puts(&out, "{}\n");
    return r ? xt_respond_app_failure(response, r, &problem) : xt_respond_json(response, 200, &out);
}
