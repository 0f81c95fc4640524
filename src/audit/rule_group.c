/* Lines one by one; the words before the first rule say what the group is. */
#include <ctype.h>
#include <errno.h>

#include "audit/rule_parse.h"

bool xt_rule_group_is_name(xt_slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '-' && name.p[i] != '_')
            return false;
    return name.n > 0 && name.n <= 32 && name.p[0] != '-';
}

xt_slice xt_rule_text_find(xt_slice name)
{
    for (const xt_rule_text *t = xt_rule_texts; t->name; t++)
        if (xt_slice_eq(xt_slice_str(t->name), name))
            return xt_slice_str(t->text);
    return XT_S_NULL;
}

static void take_word(xt_slice line, const char *word, xt_slice *ret)
{
    xt_slice text = xt_slice_trim(line);
    if (ret->n > 0 || !xt_slice_starts(text, XT_S("#")))
        return;
    text = xt_slice_trim(xt_slice_skip(text, 1));
    if (xt_slice_starts(text, xt_slice_str(word)))
        *ret = xt_slice_trim(xt_slice_skip(text, strlen(word)));
}

static int at(xt_problem *problem, const char *source, uint64_t line, int r)
{
    if (!problem)
        return r;
    const uint64_t column = problem->column;
    xt_problem_source(problem, source);
    xt_problem_at(problem, line, column);
    return r;
}

static int put_rule(xt_rule_group *group, xt_arena *arena, const xt_rule *rule, uint64_t line, xt_problem *problem)
{
    if (group->n == XT_RULE_GROUP_MAX) {
        xt_problem_set(problem, "the group has too many rules");
        xt_problem_hint(problem, "a group has at most %u", XT_RULE_GROUP_MAX);
        return XT_RULE_E_INVALID;
    }
    if (!group->rules) {
        group->rules = xt_arena_array(arena, XT_RULE_GROUP_MAX, sizeof *group->rules);
        group->lines = xt_arena_array(arena, XT_RULE_GROUP_MAX, sizeof *group->lines);
        if (!group->rules || !group->lines)
            return xt_error_origin(-ENOMEM);
    }
    group->rules[group->n] = *rule;
    group->lines[group->n++] = (uint32_t)line;
    return 0;
}

int xt_rule_group_parse(xt_slice text, const char *source, uint64_t first_line, xt_rule_is_folder is_folder,
                        xt_arena *arena, xt_rule_group *ret, xt_problem *reterr_problem)
{
    xt_rule_group out = {0};
    xt_slice line;
    for (uint64_t number = first_line; xt_slice_cut(&text, '\n', &line); number++) {
        xt_rule rule;
        int r = xt_rule_parse(line, is_folder, arena, &rule, reterr_problem);
        if (r == XT_RULE_E_EMPTY) {
            take_word(line, "name:", &out.name);
            take_word(line, "reason:", &out.reason);
            take_word(line, "cost:", &out.cost);
            continue;
        }
        if (r == 0)
            r = put_rule(&out, arena, &rule, number, reterr_problem);
        if (r != 0)
            return r > 0 ? at(reterr_problem, source, number, r) : r;
    }
    if (out.name.n > 0 && !xt_rule_group_is_name(out.name)) {
        xt_problem_set(reterr_problem, "a group's name is letters, digits, - and _, at most 32");
        xt_problem_excerpt(reterr_problem, out.name);
        return at(reterr_problem, source, first_line, XT_RULE_E_INVALID);
    }
    *ret = out;
    return 0;
}
