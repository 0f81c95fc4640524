/*
 * detect/detect - rules against the stream of events
 *
 * Shape:     a rule set is loaded from folders and files, compiled, immutable and counted; events are matched one by one.
 *            Two kinds stand in the same folders: Sigma rules (product linux, category process_creation; and rules of ours,
 *            product exectrail, service event, whose fields are ECS names of any event), and noise rules (see noise.h).
 * Meaning:   process_creation sees successful execs with args only. field: value is a whole-value match without case
 *            (ASCII), * and ? are wildcards. Image also has the path as it was called as a second value. Fields of a rule
 *            are the schema's Sigma names (exact case), or any ECS name or alias; of our event rules the latter and
 *            auditd.data.NAME. A field with several values fits if one of them does. docs/rules.md says all of it.
 * Errors:    a rule that asks for more than is built is refused as a whole, with file, line and column: modifier,
 *            unknown field, correlation, an id that another rule has. A log source that is not ours is counted apart.
 *            The other rules load.
 * Limits:    a file of 1 MiB, 50,000 YAML nodes a document, 500 selections, conditions of 1,000 words; regexes give up
 *            after 200,000 steps, which counts as found.
 * Threads:   a rule set may be used by many threads; each brings its own arena.
 * Ownership: what a set tells is borrowed from it. Matching leaves the arena as it was.
 * Source:    Sigma specification 2.1 (rules, modifiers, conditions).
 */
#pragma once
#include "base/problem.h"
#include "event/event.h"

typedef enum xt_level {
    XT_LEVEL_INFORMATIONAL,
    XT_LEVEL_LOW,
    XT_LEVEL_MEDIUM,
    XT_LEVEL_HIGH,
    XT_LEVEL_CRITICAL
} xt_level;
const char *xt_level_name(xt_level level);
bool xt_level_by_name(xt_slice name, xt_level *ret);

/* What is known of a rule; borrowed from its set. */
typedef struct xt_rule_info {
    xt_slice id; /* uuid, else the file's name without its ending */
    xt_slice title, author, status, description;
    xt_level level;
    const xt_slice *tags; /* attack.t1059.004, ... */
    size_t n_tags;
    const char *file;
    uint64_t line;
    bool enabled;       /* custom attribute exectrail.enabled: false: loaded, listed, not evaluated */
    bool raised_by_exe; /* custom attribute exectrail.raise, see docs/rules.md */
} xt_rule_info;

typedef struct xt_ruleset xt_ruleset;

enum {
    XT_RULESET_E_PATH = 1,    /* load: a path is not there */
    XT_RULESET_E_UNKNOWN = 2, /* explain: no rule has this id */
};

/* paths: files, or folders read with their sub-folders (*.yml, *.yaml), in name order. refused: called per refused rule. */
XT_MUST_USE int xt_ruleset_load(const char *const *paths, size_t n_paths,
                                void (*refused)(void *context, const xt_problem *problem), void *context,
                                xt_ruleset **ret, xt_problem *reterr_problem);
/* One text instead of files: a rule is tried before it is kept. name: what problems call it. */
XT_MUST_USE int xt_ruleset_load_text(const char *name, xt_slice text,
                                     void (*refused)(void *context, const xt_problem *problem), void *context,
                                     xt_ruleset **ret);
xt_ruleset *xt_ruleset_ref(xt_ruleset *set);
xt_ruleset *xt_ruleset_unref(xt_ruleset *set); /* accepts NULL, returns NULL */

typedef struct xt_ruleset_stats {
    size_t n_rules, n_refused, n_not_ours, n_disabled, n_noise;
} xt_ruleset_stats;
xt_ruleset_stats xt_ruleset_stats_get(const xt_ruleset *set);
size_t xt_ruleset_count(const xt_ruleset *set);
const xt_rule_info *xt_ruleset_rule(const xt_ruleset *set, size_t i);
/* By id, any case; NULL when there is none. */
const xt_rule_info *xt_ruleset_find(const xt_ruleset *set, xt_slice id);

typedef struct xt_match {
    const xt_rule_info *rule;
    xt_level level; /* the rule's, or raised */
} xt_match;
#define XT_DETECT_MAX_MATCHES 64
/* Matches of one event, highest level first; at most XT_DETECT_MAX_MATCHES. */
XT_MUST_USE int xt_ruleset_match(const xt_ruleset *set, const xt_event *event, xt_arena *arena, xt_match *ret,
                                 size_t *ret_n);

/* Why a rule did or did not match: one line per selection and field, for people. */
XT_MUST_USE int xt_ruleset_explain(const xt_ruleset *set, xt_slice rule_id, const xt_event *event, xt_arena *arena,
                                   xt_buf *out, xt_problem *reterr_problem);
/* A match as one ECS document (rules run, alerts): rule.*, threat.technique.id and the event's own fields. */
XT_MUST_USE int xt_match_json(const xt_match *match, xt_event *event, xt_arena *arena, xt_buf *out);
