/*
 * Equal tests are found by a key of bytes: field, operator, case, and the text, pattern or number. A regex is compared
 * by its source and options, so its text stays in the test.
 *
 * Costs are guesses that order the members of an `and` or `or`; they never change an answer. A path is short and its
 * end is compared in a few nanoseconds, so that nearly every rule is settled by its Image before the command line is
 * looked at.
 */
#include "detect/sigma_program.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define PROGRAM_MAX_BYTES (256u << 20)

static const char *const op_names[] = {
    [XT_SIGMA_EQ] = "is",
    [XT_SIGMA_PREFIX] = "starts with",
    [XT_SIGMA_SUFFIX] = "ends with",
    [XT_SIGMA_CONTAINS] = "contains",
    [XT_SIGMA_GLOB] = "fits",
    [XT_SIGMA_RE] = "holds a match of",
    [XT_SIGMA_EXISTS] = "exists",
    [XT_SIGMA_ABSENT] = "is absent",
    [XT_SIGMA_LT] = "below",
    [XT_SIGMA_LTE] = "at most",
    [XT_SIGMA_GT] = "above",
    [XT_SIGMA_GTE] = "at least",
};

const char *xt_sigma_op_name(xt_sigma_op op)
{
    return op_names[op];
}

int xt_sigma_program_init(xt_sigma_program *program)
{
    *program = (xt_sigma_program){.by_key = XT_MAP_INIT};
    xt_arena_init(&program->arena, PROGRAM_MAX_BYTES);
    program->limits = pcre2_match_context_create(NULL);
    if (!program->limits)
        return xt_error_origin(-ENOMEM);
    pcre2_set_match_limit(program->limits, 200000);
    pcre2_set_depth_limit(program->limits, 200000);
    pcre2_set_heap_limit(program->limits, 16u << 10); /* KiB */
    return 0;
}

void xt_sigma_program_fini(xt_sigma_program *program)
{
    for (uint32_t i = 0; i < program->n_tests; i++)
        pcre2_code_free(program->tests[i].re);
    free(program->tests);
    free(program->fields);
    xt_map_fini(&program->by_key);
    pcre2_match_context_free(program->limits);
    xt_arena_fini(&program->arena);
}

/* Room for one more of `each` bytes in an array that doubles. */
static int grow(void **array, uint32_t n, uint32_t *cap, size_t each)
{
    uint32_t wanted = *cap ? *cap * 2 : 64;
    void *bigger;

    if (n < *cap)
        return 0;
    bigger = reallocarray(*array, wanted, each);
    if (!bigger)
        return xt_error_origin(-ENOMEM);
    *array = bigger;
    *cap = wanted;
    return 0;
}

/* Two of Sigma's names mean something else than the field's own text. */
static xt_sigma_source source_of(xt_slice name, xt_sigma_scope scope)
{
    if (scope == XT_SIGMA_PROCESS && xt_slice_eq(name, XT_S("Image")))
        return XT_SIGMA_IMAGE;
    return scope == XT_SIGMA_PROCESS && xt_slice_eq(name, XT_S("Hashes")) ? XT_SIGMA_HASHES : XT_SIGMA_FIELD;
}

static int resolve(xt_sigma_program *program, xt_slice name, xt_sigma_scope scope, xt_sigma_field *ret,
                   xt_problem *problem)
{
    const xt_field_info *info = scope == XT_SIGMA_PROCESS ? xt_field_by_sigma(name) : NULL;
    const char *near;

    *ret = (xt_sigma_field){0};
    if (!info)
        info = xt_field_by_name(name);
    if (info && info->type != XT_PATHS && info->type != XT_RECORDS) {
        ret->source = source_of(name, scope);
        ret->field = info->id;
        return 0;
    }
    if (!info && xt_slice_starts(name, XT_S("auditd.data.")) && name.n > 12) {
        ret->source = XT_SIGMA_DATA;
        ret->data_name = xt_arena_copy(&program->arena, xt_slice_skip(name, 12));
        return ret->data_name.p ? 0 : xt_error_origin(-ENOMEM);
    }
    near = xt_field_nearest(name);
    xt_problem_set(problem, info ? "the field %.*s cannot be compared" : "there is no field %.*s",
                   (int)(name.n < 80 ? name.n : 80), name.p);
    if (near && !info)
        xt_problem_hint(problem, "did you mean %s", near);
    return XT_SIGMA_E_BAD;
}

int xt_sigma_field_add(xt_sigma_program *program, xt_slice name, xt_sigma_scope scope, uint32_t *ret,
                       xt_problem *reterr_problem)
{
    xt_sigma_field field;
    int r = resolve(program, name, scope, &field, reterr_problem);

    if (r)
        return r < 0 ? xt_error_trace(r) : r;
    for (*ret = 0; *ret < program->n_fields; ++*ret) {
        const xt_sigma_field *f = &program->fields[*ret];
        if (f->source == field.source && f->field == field.field && xt_slice_eq(f->data_name, field.data_name))
            return 0;
    }
    r = grow((void **)&program->fields, program->n_fields, &program->cap_fields, sizeof field);
    if (r)
        return xt_error_trace(r);
    program->fields[program->n_fields++] = field;
    return 0;
}

/* What makes a test equal to another; NULL when memory is out. */
static xt_slice test_key(xt_sigma_program *program, const xt_sigma_test *test)
{
    xt_buf buf = XT_BUF_INIT;
    xt_slice key = XT_S_NULL;

    xt_buf_put_varint(&buf, test->field);
    xt_buf_putc(&buf, (char)test->op);
    xt_buf_putc(&buf, test->cased);
    xt_buf_put_zigzag(&buf, test->number);
    xt_buf_put_block(&buf, test->text);
    xt_buf_put(&buf, xt_slice_of(test->glob, test->n_glob * sizeof *test->glob));
    if (xt_buf_done(&buf) == 0)
        key = xt_arena_copy(&program->arena, xt_buf_slice(&buf));
    xt_buf_fini(&buf);
    return key;
}

/* Pairs from all over the text, so that a likely one ("in") does not decide alone. */
static void set_grams(xt_sigma_test *test)
{
    size_t n = test->text.n ? test->text.n - 1 : 0;

    if (test->op != XT_SIGMA_CONTAINS && test->op != XT_SIGMA_GLOB)
        return;
    test->n_grams = (uint8_t)(n < XT_SIGMA_MAX_GRAMS ? n : XT_SIGMA_MAX_GRAMS);
    for (size_t i = 0; i < test->n_grams; i++) {
        const char *p = test->text.p + i * n / test->n_grams;
        test->grams[i] = xt_sigma_gram((uint8_t)xt_sigma_lower(p[0]), (uint8_t)xt_sigma_lower(p[1]));
    }
}

static int insert(xt_sigma_program *program, const xt_sigma_test *test, uint32_t *ret)
{
    xt_slice key = test_key(program, test);
    uintptr_t known;
    int r;

    if (!key.p)
        return xt_error_origin(-ENOMEM);
    known = (uintptr_t)xt_map_find(&program->by_key, key);
    if (known) {
        pcre2_code_free(test->re);
        *ret = (uint32_t)known - 1;
        return 0;
    }
    r = grow((void **)&program->tests, program->n_tests, &program->cap_tests, sizeof *test);
    if (r)
        return xt_error_trace(r);
    r = xt_map_put(&program->by_key, key, (void *)(uintptr_t)(program->n_tests + 1), NULL);
    if (r)
        return xt_error_trace(r);
    program->tests[program->n_tests] = *test;
    set_grams(&program->tests[program->n_tests]);
    *ret = program->n_tests++;
    return 0;
}

int xt_sigma_test_add(xt_sigma_program *program, const xt_sigma_test *test, uint32_t *ret)
{
    int r = insert(program, test, ret);

    if (r)
        pcre2_code_free(test->re);
    return r ? xt_error_trace(r) : 0;
}

static uint32_t test_cost(const xt_sigma_program *program, const xt_sigma_test *test)
{
    const xt_sigma_field *field = &program->fields[test->field];
    bool is_long = field->field == XT_F_CMD || field->field == XT_F_PARENT_CMD || field->source == XT_SIGMA_DATA;

    if (test->op == XT_SIGMA_RE)
        return 400;
    if (test->op == XT_SIGMA_GLOB)
        return is_long ? 60 : 30;
    if (test->op == XT_SIGMA_CONTAINS)
        return is_long ? 20 : 10;
    return is_long ? 8 : 3;
}

int xt_sigma_expr_test(xt_sigma_program *program, uint32_t test, xt_slice name, uint32_t line,
                       const xt_sigma_expr **ret)
{
    xt_sigma_expr *expr = xt_arena_new(&program->arena, xt_sigma_expr);

    if (!expr)
        return xt_error_origin(-ENOMEM);
    *expr = (xt_sigma_expr){.kind = XT_SIGMA_TEST,
                            .test = test,
                            .line = line,
                            .name = name,
                            .cost = test_cost(program, &program->tests[test])};
    *ret = expr;
    return 0;
}

int xt_sigma_expr_join(xt_sigma_program *program, xt_sigma_kind kind, const xt_sigma_expr **kids, size_t n,
                       const xt_sigma_expr **ret)
{
    xt_sigma_expr *expr;

    assert(n > 0 && kind != XT_SIGMA_TEST);
    if (n == 1 && kind != XT_SIGMA_NOT) {
        *ret = kids[0];
        return 0;
    }
    expr = xt_arena_new(&program->arena, xt_sigma_expr);
    if (!expr)
        return xt_error_origin(-ENOMEM);
    *expr = (xt_sigma_expr){.kind = kind, .n = (uint32_t)n, .kids = xt_arena_array(&program->arena, n, sizeof *kids)};
    if (!expr->kids)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && expr->kids[at - 1]->cost > kids[i]->cost; at--)
            expr->kids[at] = expr->kids[at - 1];
        expr->kids[at] = kids[i];
        expr->cost = expr->cost > UINT32_MAX - kids[i]->cost ? UINT32_MAX : expr->cost + kids[i]->cost;
    }
    *ret = expr;
    return 0;
}
