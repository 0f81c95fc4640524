/*
 * Any text as a rule file: what is refused has a place in it, what is accepted is asked about a few events, explained,
 * and used to tag them.
 */
#include <stdlib.h>

#include "detect/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define CHECK(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

static void on_refused(void *context, const xt_problem *problem)
{
    CHECK(problem->sentence[0] && (problem->line > 0 || problem->offset >= 0));
}

static void ask(const xt_ruleset *set, xt_noise_state *state, xt_event *event, xt_arena *arena)
{
    xt_match matches[XT_DETECT_MAX_MATCHES];
    xt_buf out = XT_BUF_INIT;
    xt_slice tag;
    size_t n_matches;

    CHECK(xt_ruleset_match(set, event, arena, matches, &n_matches) == 0);
    CHECK(n_matches <= xt_ruleset_count(set));
    CHECK(xt_noise_tag(set, state, event, arena, &tag) == 0);
    for (size_t i = 0; i < n_matches; i++)
        CHECK(matches[i].level >= matches[i].rule->level && matches[i].rule->enabled);
    if (xt_ruleset_count(set) > 0) {
        out.max_bytes = 1 << 20;
        int r = xt_ruleset_explain(set, xt_ruleset_rule(set, 0)->id, event, arena, &out, NULL);
        CHECK(r == 0 || out.failed);
    }
    if (n_matches > 0) {
        xt_buf_reset(&out);
        CHECK(xt_match_json(&matches[0], event, arena, &out) == 0 || out.failed);
    }
    xt_buf_fini(&out);
}

static void set_exec(xt_event *event)
{
    static const char args[] = "\x03\x02nc\x02-e\x07/bin/sh";

    xt_event_reset(event);
    xt_event_set_bytes(event, XT_F_ACTION, XT_S("executed"));
    xt_event_set_bytes(event, XT_F_OUTCOME, XT_S("success"));
    xt_event_set_bytes(event, XT_F_EXE, XT_S("/usr/bin/nc"));
    xt_event_set_bytes(event, XT_F_ARGS, xt_slice_of(args, sizeof args - 1));
    xt_event_set_bytes(event, XT_F_CWD, XT_S("/tmp"));
    xt_event_set_bytes(event, XT_F_PARENT_EXE, XT_S("/usr/sbin/apache2"));
    xt_event_set_num(event, XT_F_UID, 33);
    xt_event_set_num(event, XT_F_PID, 7);
    xt_event_set_num(event, XT_F_SES, 3);
    xt_event_set_num(event, XT_F_TIME, 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char records[] = "\1\1\1\2op\0\13remove_rule";
    xt_noise_state *state;
    xt_ruleset *set;
    xt_arena arena;
    xt_event event;

    CHECK(xt_ruleset_load_text("rule.yml", xt_slice_of(data, n), on_refused, NULL, &set) == 0);
    CHECK(xt_noise_state_new(&state) == 0);
    xt_arena_init(&arena, 64u << 20);
    xt_event_reset(&event);
    ask(set, state, &event, &arena);
    set_exec(&event);
    ask(set, state, &event, &arena);
    xt_event_set_bytes(&event, XT_F_ACTION, XT_S("changed-login-id"));
    xt_event_set_bytes(&event, XT_F_RECORDS, xt_slice_of(records, sizeof records - 1));
    ask(set, state, &event, &arena);
    xt_arena_fini(&arena);
    xt_noise_state_free(state);
    xt_ruleset_unref(set);
    return 0;
}
