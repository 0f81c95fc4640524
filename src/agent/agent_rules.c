/*
 * How it works: what is wanted is put together as the agent does it (the settings file, the policy that stands in the state folder),
 * and held against what the kernel lists. STATE/audit-rules tells which of the others an agent added.
 */
#include <stdio.h>

#include "agent/agent_commands.h"
#include "agent/audit_before.h"
#include "agent/policy_store.h"
#include "agent/rule_groups.h"
#include "audit/policy.h"
#include "base/timestamp.h"
#include "io/tls.h"
#include "io/tls_trust.h"

typedef struct view {
    xt_watch watch;
    xt_rule_book added; /* by an agent of this boot */
    size_t n_missing;
} view;

static void put_rule(const char *word, const char *group, const struct audit_rule_data *rule, size_t n_bytes,
                     const char *why)
{
    xt_buf out = XT_BUF_INIT;
    xt_rule_format(rule, n_bytes, &out);
    printf("%-8s %-12s %.*s%s%s\n", word, group, XT_S_ARGS(xt_buf_slice(&out)), why[0] ? "   # " : "", why);
    xt_buf_fini(&out);
}

static void see_rule(void *context, const struct audit_rule_data *rule, size_t n_bytes)
{
    static const char *const words[] = {"other", "hides", "partial"};
    const view *v = context;
    if (xt_rule_book_find(&v->watch.book, rule, n_bytes))
        return;
    bool extra = xt_rule_book_find(&v->added, rule, n_bytes) != NULL;
    put_rule(extra ? "extra" : words[xt_rule_blinds_get(rule)], "-", rule, n_bytes, "");
}

static void put_wanted(view *v)
{
    for (size_t i = 0; i < v->watch.book.n; i++) {
        const xt_rule_entry *entry = &v->watch.book.entries[i];
        v->n_missing += !entry->loaded;
        put_rule(entry->loaded ? "loaded" : "missing", entry->group, entry->rule.data, entry->rule.n_bytes, "");
    }
}

/* Which order it is: its number, when the server made it, and the CA that signed it, as `exectrail ca list` names it. */
static void put_order(const xt_policy_store *store)
{
    char made[25], signer[17] = "of before";
    uint8_t sha256[32];
    xt_slice rest = xt_buf_slice(&store->trusted), block;
    xt_timestamp_format((int64_t)store->order.made_ms, made);
    while (xt_tls_pem_next(&rest, &block))
        if (xt_tls_bundle_is_signed(xt_buf_slice(&store->bytes), xt_buf_slice(&store->signature), block) &&
            xt_tls_fingerprint(block, sha256) == 0)
            for (size_t i = 0; i < 8; i++)
                snprintf(signer + 2 * i, 3, "%02x", sha256[i]);
    printf("%-8s %-12.*s version %llu, number %llu, ordered %s, signed by the CA %s\n", "policy",
           store->order.name.n ? (int)store->order.name.n : 1, store->order.name.n ? store->order.name.p : "-",
           (unsigned long long)store->order.version, (unsigned long long)store->order.serial, made, signer);
}

/* Those of the policy that is in force here. */
static void add_policy(view *v, const xt_agent_settings *settings)
{
    xt_policy_store store;
    xt_policy policy;
    xt_arena arena;
    if (!(settings->policy_words & XT_POLICY_RULES))
        return;
    xt_policy_store_open(&store, settings->state, NULL, NULL, &(xt_policy_time){.boot_id = ""});
    xt_arena_init(&arena, (size_t)4 << 20);
    if (xt_policy_store_has_order(&store))
        put_order(&store);
    if (xt_policy_store_has_order(&store) &&
        xt_policy_parse(store.order.text, "policy", xt_rule_is_folder_now, &arena, &policy, NULL) == 0)
        for (size_t i = 0; i < policy.n_groups; i++) {
            char name[40] = "";
            xt_buf z = XT_BUF_ON(name);
            xt_buf_put(&z, policy.groups[i].name);
            for (size_t k = 0; k < policy.groups[i].n; k++)
                (void)!xt_rule_book_add(&v->watch.book, name, policy.groups[i].rules[k].data,
                                        policy.groups[i].rules[k].n_bytes, NULL);
        }
    xt_arena_fini(&arena);
    xt_policy_store_close(&store);
}

static int print_rules(view *v, const xt_agent_settings *settings, xt_problem *problem)
{
    xt_watch_before before;
    int r = xt_rule_book_add_exec(&v->watch.book, problem);
    if (r == 0)
        r = xt_rule_groups_add(&v->watch.book, xt_slice_str(settings->rules), xt_rule_is_folder_now, problem);
    if (r == 0)
        add_policy(v, settings);
    (void)xt_audit_before_read(settings, &before, &v->added);
    if (r == 0)
        r = xt_netlink_open(&v->watch.control, problem);
    if (r == 0)
        r = xt_watch_rules(&v->watch, problem);
    if (r == 0)
        put_wanted(v);
    return r == 0 ? xt_netlink_rules_list(v->watch.control, see_rule, v, problem) : r;
}

static int fail(const xt_problem *problem)
{
    xt_buf out = XT_BUF_INIT;
    xt_problem_format(problem, &out);
    fprintf(stderr, "exectrail-agent: %.*s\n", XT_S_ARGS(xt_buf_slice(&out)));
    xt_buf_fini(&out);
    return 1;
}

static int print_groups(void)
{
    for (const xt_rule_text *t = xt_rule_texts; t->name; t++) {
        xt_rule_group group;
        xt_arena arena;
        xt_arena_init(&arena, (size_t)2 << 20);
        if (xt_rule_group_parse(xt_slice_str(t->text), t->name, 1, NULL, &arena, &group, NULL) == 0)
            printf("%-12s %zu rules\n    why    %.*s\n    costs  %.*s\n", t->name, group.n, XT_S_ARGS(group.reason),
                   XT_S_ARGS(group.cost));
        xt_arena_fini(&arena);
    }
    return 0;
}

int xt_agent_rules(const xt_opt_args *args)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_agent_settings settings;
    view v = {0};
    if (xt_opt_has(args, "groups"))
        return print_groups();
    int r = xt_agent_settings_of_rules(args, &settings, &problem);
    if (r != 0)
        return fail(&problem);
    xt_rule_book_init(&v.watch.book);
    xt_rule_book_init(&v.added);
    r = print_rules(&v, &settings, &problem);
    xt_watch_close(&v.watch);
    xt_rule_book_fini(&v.added);
    xt_agent_settings_fini(&settings);
    return r != 0 ? fail(&problem) : v.n_missing > 0;
}
