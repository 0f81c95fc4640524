/*
 * Explanations for people: a rule's selections with the answer to each test, and a match as a document. Neither is on
 * the path of an event, so both evaluate plainly.
 */
#include <errno.h>

#include "base/utf8.h"
#include "detect/ruleset.h"
#include "detect/sigma_match.h"
#include "event/event_json.h"

#define MAX_SHOWN_BYTES 120

static void put_value(xt_buf *out, xt_slice value)
{
    xt_buf_putc(out, '"');
    xt_text_visible(out, xt_slice_head(value, MAX_SHOWN_BYTES));
    xt_buf_puts(out, value.n > MAX_SHOWN_BYTES ? "...\"" : "\"");
}

static void put_operand(xt_buf *out, const xt_sigma_test *test)
{
    xt_buf_putc(out, ' ');
    if (test->op >= XT_SIGMA_LT) {
        xt_buf_put_sdec(out, test->number);
        return;
    }
    if (test->op != XT_SIGMA_GLOB) {
        put_value(out, test->text);
        return;
    }
    for (size_t i = 0; i < test->n_glob && i < MAX_SHOWN_BYTES; i++)
        xt_buf_putc(out, test->glob[i] == XT_SIGMA_ANY_RUN   ? '*'
                         : test->glob[i] == XT_SIGMA_ANY_ONE ? '?'
                                                             : (char)test->glob[i]);
}

static void put_test(xt_sigma_match *m, const xt_sigma_expr *expr, xt_buf *out)
{
    const xt_sigma_test *test = &m->program->tests[expr->test];
    xt_slice value;

    xt_buf_printf(out, "    line %u: %.*s %s", expr->line, XT_S_ARGS(expr->name), xt_sigma_op_name(test->op));
    if (test->op != XT_SIGMA_EXISTS && test->op != XT_SIGMA_ABSENT)
        put_operand(out, test);
    xt_buf_puts(out, xt_sigma_match_eval(m, expr) ? ": yes" : ": no");
    if (!xt_sigma_match_value(m, test->field, 0, &value))
        xt_buf_puts(out, ", the event has no such field");
    for (size_t i = 0; i < 3 && xt_sigma_match_value(m, test->field, i, &value); i++) {
        xt_buf_puts(out, i ? " and " : ", it is ");
        put_value(out, value);
    }
    xt_buf_putc(out, '\n');
}

/* Every test below, but each selection that a condition names only once. */
static void put_tests(xt_sigma_match *m, const xt_sigma_expr *expr, xt_buf *out)
{
    if (expr->kind == XT_SIGMA_TEST)
        put_test(m, expr, out);
    for (uint32_t i = 0; expr->kind != XT_SIGMA_TEST && i < expr->n; i++)
        put_tests(m, expr->kids[i], out);
}

static void put_rule(xt_sigma_match *m, const xt_sigma_rule *rule, xt_buf *out)
{
    bool fits = (rule->scope == XT_SIGMA_EVENT || xt_sigma_is_process(m->event)) && rule->info.enabled;

    xt_buf_printf(out, "%s:%llu: %.*s: %s\n", rule->info.file, (unsigned long long)rule->info.line,
                  XT_S_ARGS(rule->info.title),
                  fits && xt_sigma_match_eval(m, rule->detection.condition) ? "matches" : "does not match");
    if (!rule->info.enabled)
        xt_buf_puts(out, "  the rule is switched off\n");
    else if (!fits)
        xt_buf_puts(out, "  the event is no successful exec with known arguments, which is what this rule is for\n");
    for (size_t i = 0; i < rule->detection.n_selections; i++) {
        const xt_sigma_selection *s = &rule->detection.selections[i];
        xt_buf_printf(out, "  selection %.*s: %s\n", XT_S_ARGS(s->name),
                      xt_sigma_match_eval(m, s->expr) ? "yes" : "no");
        put_tests(m, s->expr, out);
    }
}

int xt_ruleset_explain(const xt_ruleset *set, xt_slice rule_id, const xt_event *event, xt_arena *arena, xt_buf *out,
                       xt_problem *reterr_problem)
{
    const xt_sigma_rule *rule = NULL;
    xt_sigma_match m;
    int r;

    for (size_t i = 0; i < set->n_rules && !rule; i++)
        if (xt_slice_eq_nocase(set->rules[i].info.id, rule_id))
            rule = &set->rules[i];
    if (!rule) {
        xt_problem_set(reterr_problem, "there is no rule with this id");
        xt_problem_excerpt(reterr_problem, rule_id);
        return XT_RULESET_E_UNKNOWN;
    }
    r = xt_sigma_match_begin(&m, &set->program, event, arena);
    if (r)
        return xt_error_trace(r);
    put_rule(&m, rule, out);
    r = xt_sigma_match_end(&m);
    return r ? xt_error_trace(r) : xt_buf_done(out);
}

/* attack.t1059.004 -> T1059.004; false for other tags. */
static bool technique_of(xt_slice tag, char ret[static 16])
{
    tag = xt_slice_starts_nocase(tag, XT_S("attack.t")) ? xt_slice_skip(tag, 7) : XT_S("");
    if (tag.n < 2 || tag.n > 15 || tag.p[1] < '0' || tag.p[1] > '9')
        return false;
    memcpy(ret, tag.p, tag.n);
    ret[0] = 'T';
    ret[tag.n] = '\0';
    return true;
}

static void put_threat(xt_json *json, const xt_rule_info *rule)
{
    char id[16];
    bool any = false;

    for (size_t i = 0; i < rule->n_tags; i++) {
        if (!technique_of(rule->tags[i], id))
            continue;
        if (!any) {
            xt_json_key(json, XT_S("threat"));
            xt_json_object_begin(json);
            xt_json_field_string(json, "framework", XT_S("MITRE ATT&CK"));
            xt_json_key(json, XT_S("technique"));
            xt_json_object_begin(json);
            xt_json_key(json, XT_S("id"));
            xt_json_array_begin(json);
            any = true;
        }
        xt_json_string(json, xt_slice_str(id));
    }
    if (any) {
        xt_json_array_end(json);
        xt_json_object_end(json);
        xt_json_object_end(json);
    }
}

static void put_head(xt_json *json, const xt_match *match)
{
    const xt_rule_info *rule = match->rule;

    xt_json_key(json, XT_S("rule"));
    xt_json_object_begin(json);
    xt_json_field_string(json, "id", rule->id);
    xt_json_field_string(json, "name", rule->title);
    if (rule->author.n)
        xt_json_field_string(json, "author", rule->author);
    xt_json_field_string(json, "level", xt_slice_str(xt_level_name(match->level)));
    if (rule->description.n)
        xt_json_field_string(json, "description", rule->description);
    xt_json_object_end(json);
    put_threat(json, rule);
}

int xt_match_json(const xt_match *match, xt_event *event, xt_arena *arena, xt_buf *out)
{
    xt_field_set present = event->present;
    xt_buf document = XT_BUF_INIT;
    xt_json json = xt_json_to(out);
    int r;

    /* What the server says of all rules would be a second `rule`. */
    event->present.bits[XT_F_RULES >> 6] &= ~(UINT64_C(1) << (XT_F_RULES & 63));
    event->present.bits[XT_F_RULE_LEVEL >> 6] &= ~(UINT64_C(1) << (XT_F_RULE_LEVEL & 63));
    r = xt_event_json(event, 0, arena, &document);
    event->present = present;
    if (!r) {
        xt_json_object_begin(&json);
        put_head(&json, match);
        xt_json_object_end(&json);
        /* Two objects become one: the first without its end, the second without its beginning. */
        if (document.n > 2 && !out->failed && out->n) {
            out->p[out->n - 1] = ',';
            xt_buf_put(out, xt_slice_skip(xt_buf_slice(&document), 1));
        }
        r = xt_buf_done(out);
    }
    xt_buf_fini(&document);
    return r ? xt_error_trace(r) : 0;
}
