/* Groups of rules as people write them; a rule that is taken is printed and, read again, is the same rule. */
#include <assert.h>

#include "audit/rule_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_folder(const char *path)
{
    return path[strlen(path) - 1] == 'd';
}

static bool is_plain(xt_slice text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] >= 0x7f)
            return false;
    return true;
}

/* What the text cannot tell: where keys stood, the order of the arch, paths in rules that look like watches, odd strings. */
static bool is_told_whole(const struct audit_rule_data *rule)
{
    if (!is_plain(xt_slice_of(rule->buf, rule->buflen)) || rule->buflen > 64 || (rule->flags & AUDIT_FILTER_PREPEND))
        return false;
    for (uint32_t i = 0; i < rule->field_count; i++)
        if (rule->fields[i] == AUDIT_WATCH || rule->fields[i] == AUDIT_DIR ||
            (rule->fields[i] == AUDIT_ARCH && (i > 0 || rule->fieldflags[i] != AUDIT_EQUAL)) ||
            rule->fields[i] == AUDIT_PERM || rule->fields[i] == AUDIT_EXIT)
            return false;
    return true;
}

static void check(const xt_rule *rule)
{
    xt_buf text = XT_BUF_INIT;
    xt_arena arena;
    xt_rule again;
    assert(rule->n_bytes == sizeof *rule->data + rule->data->buflen && rule->n_bytes <= XT_RULE_MAX_BYTES);
    xt_rule_format(rule->data, rule->n_bytes, &text);
    xt_arena_init(&arena, 1 << 20);
    if (is_told_whole(rule->data)) {
        xt_problem problem = XT_PROBLEM_INIT;
        int r = xt_rule_parse(xt_buf_slice(&text), is_folder, &arena, &again, &problem);
        assert(r == 0 || r == XT_RULE_E_INVALID);
        assert(r != 0 || xt_rule_eq(rule->data, rule->n_bytes, again.data, again.n_bytes));
    }
    (void)xt_rule_blinds_get(rule->data);
    xt_arena_fini(&arena);
    xt_buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_rule_group group;
    xt_arena arena;
    xt_arena_init(&arena, 4 << 20);
    int r = xt_rule_group_parse(xt_slice_of(data, n), "group", 1, is_folder, &arena, &group, &problem);
    assert(r <= 0 || (xt_problem_is_set(&problem) && problem.line > 0));
    for (size_t i = 0; r == 0 && i < group.n; i++)
        check(&group.rules[i]);
    xt_arena_fini(&arena);
    return 0;
}
