/* exectrail verify --completeness: what the server proves of a host and a time, in words. */
#include <jansson.h>
#include <stdio.h>

#include "cli/call.h"
#include "cli/commands.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static unsigned long long number_of(const json_t *object, const char *key)
{
    return (unsigned long long)json_integer_value(json_object_get(object, key));
}

static void print_gaps(const json_t *host)
{
    size_t i;
    json_t *gap;
    json_array_foreach(json_object_get(host, "gaps"), i, gap)
    {
        printf("  gap     %s to %s: %s", text_of(gap, "from"), text_of(gap, "to"), text_of(gap, "what"));
        if (json_object_get(gap, "n"))
            printf(": %llu", number_of(gap, "n"));
        printf("\n");
    }
}

static void print_ledger(const json_t *host)
{
    size_t i;
    json_t *stream;
    json_array_foreach(json_object_get(host, "ledger"), i, stream)
        printf("  ledger  stream %s: batches %llu to %llu with %llu events, %llu numbers missing, the chain %s\n",
               text_of(stream, "stream"), number_of(stream, "first_batch"), number_of(stream, "last_batch"),
               number_of(stream, "events"), number_of(stream, "missing_batches"),
               json_is_true(json_object_get(stream, "chained")) ? "holds" : "is broken");
}

static void print_host(const json_t *host)
{
    printf("%s: %s (%s), %s to %s\n", json_is_true(json_object_get(host, "complete")) ? "complete" : "not complete",
           text_of(host, "name"), text_of(host, "id"), text_of(host, "from"), text_of(host, "to"));
    if (json_is_null(json_object_get(host, "first_heartbeat")))
        printf("  beats   none yet\n");
    else
        printf("  beats   since %s; unwatched: %llu s silent, %llu s stopped, %llu s audit off, %llu s the socket "
               "another's\n",
               text_of(host, "first_heartbeat"), number_of(host, "silent_s"), number_of(host, "stopped_s"),
               number_of(host, "audit_off_s"), number_of(host, "audit_taken_s"));
    if (json_is_true(json_object_get(host, "waiting")))
        printf("  waiting what was made after %s has not all arrived\n", text_of(host, "arrived_until"));
    print_gaps(host);
    print_ledger(host);
}

int xt_cmd_completeness(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/hosts");
    xt_call_segment(&call, xt_opt_get(args, "completeness"));
    xt_call_segment(&call, "completeness");
    xt_call_options(&call, args, "from,to");
    int status = xt_call_fetch(args, &call, &answer);
    if (status != 0)
        return status;
    json_t *d = json_loadb(answer.p, answer.n, 0, NULL), *host;
    bool complete = json_is_true(json_object_get(d, "complete"));
    size_t i;
    if (xt_opt_has(args, "format") && xt_slice_eq(xt_slice_str(xt_opt_get(args, "format")), XT_S("json")))
        printf("%.*s", XT_S_ARGS(xt_buf_slice(&answer)));
    else
        json_array_foreach(json_object_get(d, "hosts"), i, host) print_host(host);
    json_decref(d);
    return complete ? 0 : 1;
}
