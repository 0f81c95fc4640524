/* exectrail store: what is there, what retention would do, legal holds. */
#include <jansson.h>
#include <stdio.h>

#include "cli/call.h"
#include "cli/commands.h"

static const char *text_of(const json_t *d, const char *name)
{
    const char *s = json_string_value(json_object_get(d, name));

    return s ? s : "";
}

static uint64_t number_of(const json_t *d, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(d, name));
}

/* 1.5 GiB; of less than a MiB the bytes. */
static void print_bytes(const char *before, uint64_t n, const char *after)
{
    if (n >= (uint64_t)1 << 30)
        printf("%s%.1f GiB%s", before, (double)n / (1 << 30), after);
    else if (n >= 1 << 20)
        printf("%s%.1f MiB%s", before, (double)n / (1 << 20), after);
    else
        printf("%s%llu bytes%s", before, (unsigned long long)n, after);
}

static void print_limits(const json_t *d)
{
    uint64_t age = number_of(d, "retain_ms"), bytes = number_of(d, "retain_bytes");
    uint64_t min_free = number_of(d, "min_free_bytes");

    const json_t *groups = json_object_get(d, "retain_groups");
    const char *group;
    json_t *ms;

    printf("retention:");
    if (age)
        printf(" older than %.1f days", (double)age / 86400000);
    if (bytes)
        print_bytes(age ? ", more than " : " more than ", bytes, "");
    if (min_free)
        print_bytes(age || bytes ? ", less free than " : " less free than ", min_free, "");
    json_object_foreach((json_t *)(uintptr_t)groups, group, ms)
        printf("%s %s: %.1f days", age || bytes || min_free ? ";" : "", group, json_number_value(ms) / 86400000);
    printf("%s\n",
           age || bytes || min_free || groups ? "" : " none (server --retain-days, --retain-bytes, --min-free-bytes)");
}

static void print_next(const json_t *d)
{
    const json_t *next = json_object_get(d, "next");
    static const struct {
        const char *why, *sentence;
    } sentences[] = {{"age", "it is retired for its age"},
                     {"bytes", "it is retired to stay below --retain-bytes"},
                     {"free", "it is retired to keep --min-free-bytes"},
                     {"disk-full", "the disk is full: nothing is retired without a limit"}};

    if (number_of(next, "segment"))
        printf("oldest: segment %016llx, %llu events, newest of %s\n", (unsigned long long)number_of(next, "segment"),
               (unsigned long long)number_of(next, "rows"), text_of(next, "newest"));
    for (size_t i = 0; i < XT_COUNT_OF(sentences); i++)
        if (strcmp(text_of(next, "why"), sentences[i].why) == 0)
            printf("next: in %.1f days, at the present rate, %s\n", (double)number_of(next, "in_ms") / 86400000,
                   sentences[i].sentence);
}

int xt_cmd_store_status(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/store");
    int status = xt_call_fetch(args, &call, &answer);
    if (status != 0)
        return status;
    if (xt_slice_eq(xt_slice_str(xt_opt_get(args, "format")), XT_S("json"))) {
        printf("%.*s", XT_S_ARGS(xt_buf_slice(&answer)));
        return 0;
    }
    json_t *d = json_loadb(answer.p, answer.n, 0, NULL);
    printf("events: %llu in %llu segments, %llu of them not sealed yet; from %s to %s\n",
           (unsigned long long)number_of(d, "events"), (unsigned long long)number_of(d, "segments"),
           (unsigned long long)number_of(d, "open_events"), text_of(d, "first"), text_of(d, "last"));
    print_bytes("on disk: ", number_of(d, "bytes"), "");
    print_bytes(", ", number_of(d, "bytes_free"), " free of ");
    print_bytes("", number_of(d, "bytes_total"), "");
    print_bytes(", growing by ", number_of(d, "bytes_a_day"), " a day\n");
    if (json_is_false(json_object_get(d, "storing")))
        printf("the disk is full: no event is accepted until there is room\n");
    if (number_of(d, "damaged"))
        printf("damaged: %llu; exectrail verify says more\n", (unsigned long long)number_of(d, "damaged"));
    printf("holds: %llu\n", (unsigned long long)number_of(d, "holds"));
    print_limits(d);
    print_next(d);
    json_decref(d);
    return 0;
}

int xt_cmd_hold_list(const xt_opt_args *args)
{
    xt_call call;
    xt_call_init(&call, "GET", "/api/v1/holds");
    xt_call_options(&call, args, "format");
    return xt_call_run(args, &call);
}

int xt_cmd_hold_add(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/holds");
    xt_call_param(&call, "q", args->operands[0]);
    xt_call_param(&call, "reason", xt_opt_get(args, "reason"));
    int status = xt_call_fetch(args, &call, &answer);
    if (status != 0)
        return status;
    json_t *d = json_loadb(answer.p, answer.n, 0, NULL);
    printf("hold %llu\n", (unsigned long long)number_of(d, "id"));
    json_decref(d);
    return 0;
}

int xt_cmd_hold_remove(const xt_opt_args *args)
{
    XT_CLEANUP(xt_buf_fini) xt_buf answer = XT_BUF_INIT;
    xt_call call;
    xt_call_init(&call, "POST", "/api/v1/holds");
    xt_call_segment(&call, args->operands[0]);
    xt_call_segment(&call, "remove");
    return xt_call_fetch(args, &call, &answer);
}
