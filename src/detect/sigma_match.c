/*
 * Members of an expression stand in the order of their cost, so that the first no of an `and` and the first yes of an
 * `or` are mostly cheap. A test that several rules share is asked once.
 *
 * Errors inside an evaluation set match->error and answer no; the caller sees them at the end, so that evaluation itself
 * has no error branches.
 */
#include "detect/sigma_match.h"

#include <errno.h>

#include "detect/sigma_values.h"

bool xt_sigma_is_process(const xt_event *event)
{
    return xt_event_has(event, XT_F_ARGS) && xt_slice_eq(xt_event_bytes(event, XT_F_ACTION), XT_S("executed")) &&
           xt_slice_eq(xt_event_bytes(event, XT_F_OUTCOME), XT_S("success"));
}

int xt_sigma_match_begin(xt_sigma_match *match, const xt_sigma_program *program, const xt_event *event, xt_arena *arena)
{
    *match = (xt_sigma_match){.program = program, .event = event, .arena = arena};
    match->answers = xt_arena_array(arena, program->n_tests + 1, sizeof *match->answers);
    match->values = xt_arena_array(arena, program->n_fields + 1, sizeof *match->values);
    return match->answers && match->values ? 0 : xt_error_origin(-ENOMEM);
}

int xt_sigma_match_end(xt_sigma_match *match)
{
    pcre2_match_data_free(match->match_data);
    match->match_data = NULL;
    return match->error;
}

static xt_sigma_values *values_of(xt_sigma_match *match, uint32_t field)
{
    xt_sigma_values *values = &match->values[field];

    if (!values->is_fetched && !match->error)
        match->error = xt_sigma_values_fetch(&match->program->fields[field], match->event, match->arena, values);
    return values;
}

bool xt_sigma_match_value(xt_sigma_match *match, uint32_t field, size_t i, xt_slice *ret)
{
    const xt_sigma_values *values = values_of(match, field);

    if (match->error || i >= values->n)
        return false;
    *ret = values->all[i];
    return true;
}

static bool glob(xt_slice s, const uint16_t *pattern, size_t n)
{
    size_t i = 0, k = 0, star = SIZE_MAX, mark = 0;

    while (i < s.n) {
        if (k < n && pattern[k] == XT_SIGMA_ANY_RUN) {
            star = k++;
            mark = i;
        } else if (k < n && (pattern[k] == XT_SIGMA_ANY_ONE || pattern[k] == (uint8_t)s.p[i])) {
            i++;
            k++;
        } else if (star != SIZE_MAX) {
            k = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (k < n && pattern[k] == XT_SIGMA_ANY_RUN)
        k++;
    return k == n;
}

static bool search_re(xt_sigma_match *match, const xt_sigma_test *test, xt_slice s)
{
    PCRE2_SPTR p = (PCRE2_SPTR)(s.p ? s.p : "");
    int r;

    if (!match->match_data)
        match->match_data = pcre2_match_data_create(1, NULL);
    if (!match->match_data) {
        match->error = xt_error_origin(-ENOMEM);
        return false;
    }
    r = pcre2_match(test->re, p, s.n, 0, 0, match->match_data, match->program->limits);
    if (r == PCRE2_ERROR_JIT_STACKLIMIT)
        r = pcre2_match(test->re, p, s.n, 0, PCRE2_NO_JIT, match->match_data, match->program->limits);
    return r >= 0 || r != PCRE2_ERROR_NOMATCH;
}

static bool contains(xt_slice s, xt_slice text)
{
    return text.n <= s.n && (text.n == 0 || memmem(s.p, s.n, text.p, text.n) != NULL);
}

/* One byte settles nearly every comparison, before memcmp is called. */
static bool ends_with(xt_slice s, xt_slice text)
{
    if (text.n == 0)
        return true;
    return text.n <= s.n && s.p[s.n - 1] == text.p[text.n - 1] && memcmp(s.p + s.n - text.n, text.p, text.n) == 0;
}

static bool compare_number(const xt_sigma_test *test, xt_slice s)
{
    int64_t v;

    if (!xt_slice_parse_i64(s, &v))
        return false;
    if (test->op == XT_SIGMA_LT)
        return v < test->number;
    if (test->op == XT_SIGMA_LTE)
        return v <= test->number;
    return test->op == XT_SIGMA_GT ? v > test->number : v >= test->number;
}

static bool ask_value(xt_sigma_match *match, const xt_sigma_test *test, xt_slice s)
{
    switch (test->op) {
    case XT_SIGMA_EQ:
        return xt_slice_eq(s, test->text);
    case XT_SIGMA_PREFIX:
        return xt_slice_starts(s, test->text);
    case XT_SIGMA_SUFFIX:
        return ends_with(s, test->text);
    case XT_SIGMA_CONTAINS:
        return contains(s, test->text);
    case XT_SIGMA_GLOB:
        return glob(s, test->glob, test->n_glob);
    case XT_SIGMA_RE:
        return search_re(match, test, s);
    default:
        return compare_number(test, s);
    }
}

/* False when no value can hold the test's text. */
static bool can_hold(xt_sigma_match *match, xt_sigma_values *values, const xt_sigma_test *test)
{
    if (!values->has_lower)
        match->error = xt_sigma_values_lower(values, match->arena);
    if (!match->error && !values->has_signature)
        match->error = xt_sigma_values_sign(values, match->arena);
    if (match->error)
        return false;
    for (unsigned i = 0; values->signature && i < test->n_grams; i++)
        if (!(values->signature[test->grams[i] >> 6] >> (test->grams[i] & 63) & 1))
            return false;
    return true;
}

static bool ask(xt_sigma_match *match, const xt_sigma_test *test)
{
    xt_sigma_values *values = values_of(match, test->field);
    const xt_slice *texts = values->all;

    if (match->error || test->op == XT_SIGMA_EXISTS || test->op == XT_SIGMA_ABSENT)
        return !match->error && (values->n > 0) == (test->op == XT_SIGMA_EXISTS);
    if (test->n_grams && !can_hold(match, values, test))
        return false;
    if (!test->cased && test->op <= XT_SIGMA_GLOB) {
        if (!values->has_lower && (match->error = xt_sigma_values_lower(values, match->arena)))
            return false;
        texts = values->lower;
    }
    for (size_t i = 0; i < values->n; i++)
        if (ask_value(match, test, texts[i]))
            return true;
    return false;
}

static bool eval_test(xt_sigma_match *match, uint32_t test)
{
    uint8_t *answer = &match->answers[test];

    if (*answer == 0)
        *answer = ask(match, &match->program->tests[test]) ? 2 : 1;
    return *answer == 2;
}

bool xt_sigma_match_eval(xt_sigma_match *match, const xt_sigma_expr *expr)
{
    bool stops_at = expr->kind == XT_SIGMA_OR;

    if (expr->kind == XT_SIGMA_TEST)
        return eval_test(match, expr->test);
    if (expr->kind == XT_SIGMA_NOT)
        return !xt_sigma_match_eval(match, expr->kids[0]);
    for (uint32_t i = 0; i < expr->n; i++)
        if (xt_sigma_match_eval(match, expr->kids[i]) == stops_at)
            return stops_at;
    return !stops_at;
}
