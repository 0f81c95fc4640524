/*
 * Two passes: the first takes the settings and notes where groups of the policy's own stand, the second takes the rules of the groups
 * that are named.
 */
#include "audit/policy.h"

#include <errno.h>

#include "audit/rule_read.h"

typedef struct section {
    xt_slice name, text;
    uint64_t line; /* of the first line below its head */
} section;

typedef struct reader {
    const char *source;
    xt_rule_is_folder is_folder;
    xt_arena *arena;
    xt_problem *problem;
    uint64_t line, rules_line;
    xt_slice rules;
    section sections[XT_POLICY_MAX_GROUPS];
    size_t n_sections;
    xt_policy policy;
} reader;

static int bad(reader *r, uint64_t line, xt_slice at, const char *sentence, const char *hint)
{
    xt_problem_source(r->problem, r->source);
    xt_problem_set(r->problem, "%s", sentence);
    xt_problem_at(r->problem, line, 0);
    xt_problem_excerpt(r->problem, at);
    xt_problem_hint(r->problem, "%s", hint);
    return XT_RULE_E_INVALID;
}

/* ---------------------------------------------------------------------------------------------------- settings */

static int take_number(reader *r, xt_slice value, uint64_t least, uint64_t most, const char *hint, uint64_t *ret)
{
    uint64_t v;
    if (!xt_slice_parse_u64(value, &v) || v < least || v > most)
        return bad(r, r->line, value, "this value is none that the setting can have", hint);
    *ret = v;
    return 0;
}

static int take_choice(reader *r, xt_slice value, const char *yes, const char *no, bool *ret)
{
    *ret = xt_slice_eq(value, xt_slice_str(yes));
    if (*ret || xt_slice_eq(value, xt_slice_str(no)))
        return 0;
    bad(r, r->line, value, "this value is none that the setting can have", "");
    xt_problem_hint(r->problem, "it is %s or %s", yes, no);
    return XT_RULE_E_INVALID;
}

static const struct {
    const char *name;
    xt_policy_word word;
} words[] = {
    {"rules", XT_POLICY_RULES},   {"protect", XT_POLICY_PROTECT}, {"exits", XT_POLICY_EXITS},
    {"canary", XT_POLICY_CANARY}, {"spool-mib", XT_POLICY_SPOOL}, {"cpu-limit", XT_POLICY_CPU},
    {"pause", XT_POLICY_PAUSE},
};

static unsigned word_of(xt_slice name)
{
    for (size_t i = 0; i < XT_COUNT_OF(words); i++)
        if (xt_slice_eq(xt_slice_str(words[i].name), name))
            return words[i].word;
    return 0;
}

bool xt_policy_words_parse(xt_slice text, unsigned *ret)
{
    unsigned all = 0;
    xt_slice word;
    if (xt_slice_eq(text, XT_S("on")) || xt_slice_eq(text, XT_S("off"))) {
        *ret = text.n == 2 ? XT_POLICY_ALL : 0;
        return true;
    }
    while (xt_slice_cut(&text, ',', &word)) {
        unsigned bit = word_of(xt_slice_trim(word));
        if (!bit)
            return false;
        all |= bit;
    }
    *ret = all;
    return true;
}

static int take_setting(reader *r, xt_slice name, xt_slice value)
{
    xt_policy *p = &r->policy;
    unsigned word = word_of(name);
    if (!word || word == XT_POLICY_PAUSE)
        return bad(r, r->line, name, "there is no such setting of a policy",
                   "there are rules, protect, exits, canary, spool-mib and cpu-limit");
    if (p->has & word)
        return bad(r, r->line, name, "this setting is given twice", "");
    p->has |= word;
    switch (word) {
    case XT_POLICY_RULES:
        r->rules = value;
        r->rules_line = r->line;
        return 0;
    case XT_POLICY_PROTECT:
        return take_choice(r, value, "record", "host", &p->protects_record);
    case XT_POLICY_EXITS:
        return take_choice(r, value, "on", "off", &p->exits);
    case XT_POLICY_CANARY:
        return take_number(r, value, 10, 3600, "it is a number of seconds from 10 to 3600", &p->canary_s);
    case XT_POLICY_SPOOL:
        return take_number(r, value, 64, 65536, "it is a number of mebibytes from 64 to 65536", &p->spool_mib);
    default:
        return take_number(r, value, 10, 400, "it is percent of one core, from 10 to 400", &p->cpu_percent);
    }
}

/* ---------------------------------------------------------------------------------------------------- sections */

static int begin_section(reader *r, xt_slice line, xt_slice rest)
{
    xt_slice inside = xt_slice_of(line.p + 1, line.n - 2), name;
    if (!xt_slice_ends(line, XT_S("]")) || !xt_slice_starts(inside, XT_S("rules ")))
        return bad(r, r->line, line, "this is no head of a section", "it is [rules NAME]");
    name = xt_slice_trim(xt_slice_skip(inside, 6));
    if (!xt_rule_group_is_name(name))
        return bad(r, r->line, name, "a group's name is letters, digits, - and _, at most 32", "");
    if (xt_slice_eq(name, XT_S("exec")))
        return bad(r, r->line, name, "the rules of this name are the agent's own", "");
    if (xt_rule_text_find(name).p)
        return bad(r, r->line, name, "a built-in group has this name", "");
    if (r->n_sections == XT_POLICY_MAX_GROUPS)
        return bad(r, r->line, name, "the policy has too many groups", "");
    r->sections[r->n_sections++] = (section){.name = name, .text = rest, .line = r->line + 1};
    return 0;
}

/* What stands below the head of a section is its, up to the next head. */
static void end_section(reader *r, const char *end)
{
    if (r->n_sections > 0) {
        section *s = &r->sections[r->n_sections - 1];
        s->text = xt_slice_of(s->text.p, s->text.p && end > s->text.p ? (size_t)(end - s->text.p) : 0);
    }
}

static int take_lines(reader *r, xt_slice text)
{
    xt_slice line;
    int outcome = 0;
    while (outcome == 0 && xt_slice_cut(&text, '\n', &line)) {
        xt_slice trimmed = xt_slice_trim(line), name;
        r->line++;
        if (xt_slice_starts(trimmed, XT_S("["))) {
            end_section(r, line.p);
            outcome = trimmed.n > 1 ? begin_section(r, trimmed, text) : bad(r, r->line, trimmed, "this is no head", "");
            continue;
        }
        if (r->n_sections > 0 || trimmed.n == 0 || trimmed.p[0] == '#')
            continue;
        xt_slice value = trimmed;
        if (xt_slice_find_byte(trimmed, '=') < 0)
            return bad(r, r->line, trimmed, "this line has no `=`",
                       "lines are `name = value`, rules stand below [rules NAME]");
        (void)xt_slice_cut(&value, '=', &name);
        outcome = take_setting(r, xt_slice_trim(name), xt_slice_trim(value));
    }
    return outcome;
}

/* ------------------------------------------------------------------------------------------------------- rules */

static bool is_bounded(const struct audit_rule_data *rule)
{
    bool all = true;
    for (size_t i = 0; i < ALL_WORDS; i++)
        all = all && rule->mask[i] == UINT32_MAX;
    for (uint32_t i = 0; i < n_fields(rule); i++)
        if (rule->fieldflags[i] == AUDIT_EQUAL &&
            (rule->fields[i] == AUDIT_WATCH || rule->fields[i] == AUDIT_DIR || rule->fields[i] == AUDIT_EXE))
            return true;
    return !all;
}

static int check_rules(reader *r, const xt_rule_group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        const struct audit_rule_data *rule = group->rules[i].data;
        unsigned list = rule_list(rule);
        if (rule->action != AUDIT_ALWAYS || (list != AUDIT_FILTER_EXIT && list != AUDIT_FILTER_URING_EXIT))
            return bad(r, group->lines[i], XT_S_NULL, "a rule of a policy records: it hides nothing",
                       "its action is always, its list exit or io_uring");
        if (!is_bounded(rule))
            return bad(r, group->lines[i], XT_S_NULL, "a rule of a policy names its calls, a path or a program", "");
    }
    return 0;
}

static int put_group(reader *r, xt_slice name, const xt_rule_group *group)
{
    xt_policy *p = &r->policy;
    if (p->n_groups == XT_POLICY_MAX_GROUPS)
        return bad(r, r->rules_line, name, "the policy has too many groups", "");
    p->groups[p->n_groups++] = (xt_policy_group){.name = name, .rules = group->rules, .n = group->n};
    return 0;
}

static int take_group(reader *r, xt_slice name)
{
    xt_rule_group group;
    xt_slice text = xt_rule_text_find(name);
    if (text.p) {
        int outcome = xt_rule_group_parse(text, "built in", 1, r->is_folder, r->arena, &group, r->problem);
        return outcome == 0 ? put_group(r, name, &group) : outcome;
    }
    for (size_t i = 0; i < r->n_sections; i++) {
        const section *s = &r->sections[i];
        if (!xt_slice_eq(s->name, name))
            continue;
        int outcome = xt_rule_group_parse(s->text, r->source, s->line, r->is_folder, r->arena, &group, r->problem);
        if (outcome == 0)
            outcome = check_rules(r, &group);
        return outcome == 0 ? put_group(r, name, &group) : outcome;
    }
    return bad(r, r->rules_line, name, "there is no such group of rules",
               "it is a built-in one (exectrail-agent rules --groups), or stands below [rules NAME] here");
}

static int take_rules(reader *r)
{
    xt_slice rest = r->rules, name;
    int outcome = 0;
    while (outcome == 0 && rest.n > 0 && xt_slice_cut(&rest, ',', &name)) {
        name = xt_slice_trim(name);
        if (name.n > 0)
            outcome = take_group(r, name);
    }
    return outcome;
}

int xt_policy_parse(xt_slice text, const char *source, xt_rule_is_folder is_folder, xt_arena *arena, xt_policy *ret,
                    xt_problem *reterr_problem)
{
    reader r = {.source = source, .is_folder = is_folder, .arena = arena, .problem = reterr_problem};
    if (text.n > XT_POLICY_MAX_BYTES)
        return bad(&r, 0, XT_S_NULL, "the policy is longer than 64 KiB", "");
    if (xt_slice_find_byte(text, '\0') >= 0)
        return bad(&r, 0, XT_S_NULL, "the policy is no text", "");
    int outcome = take_lines(&r, text);
    if (text.n > 0)
        end_section(&r, text.p + text.n);
    if (outcome == 0)
        outcome = take_rules(&r);
    if (outcome == 0)
        *ret = r.policy;
    return outcome;
}
