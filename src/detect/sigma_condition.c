/*
 * One function a level of the grammar, over words that are cut as they are needed. `1 of x*` and a plain name give the
 * selection's own expression, shared and not copied.
 */
#include "detect/sigma_condition.h"

#include <errno.h>

struct parser {
    xt_sigma_program *program;
    const xt_yaml_node *node; /* for places in it */
    const xt_sigma_selection *selections;
    size_t n_selections;
    xt_slice rest;
    xt_slice word; /* the word in hand; empty at the end */
    unsigned depth, n_words;
    xt_problem *problem;
};

static int parse_or(struct parser *p, const xt_sigma_expr **ret);

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool stands_alone(char c)
{
    return c == '(' || c == ')' || c == '|';
}

static void next_word(struct parser *p)
{
    size_t n = 0;

    while (p->rest.n && is_space(p->rest.p[0]))
        p->rest = xt_slice_skip(p->rest, 1);
    if (p->rest.n && stands_alone(p->rest.p[0]))
        n = 1;
    else
        while (n < p->rest.n && !is_space(p->rest.p[n]) && !stands_alone(p->rest.p[n]))
            n++;
    p->word = xt_slice_head(p->rest, n);
    p->rest = xt_slice_skip(p->rest, n);
    p->n_words++;
}

static bool is_word(const struct parser *p, const char *word)
{
    return xt_slice_eq(p->word, xt_slice_str(word));
}

static int refuse(struct parser *p, const char *sentence)
{
    bool one_line = xt_slice_find_byte(p->node->text, '\n') < 0;
    size_t at = one_line ? (size_t)(p->word.p - p->node->text.p) + (p->node->plain ? 0 : 1) : 0;

    xt_problem_set(p->problem, "%s", sentence);
    xt_problem_at(p->problem, p->node->line, p->node->column + at);
    if (p->word.n)
        xt_problem_excerpt(p->problem, p->word);
    return XT_SIGMA_E_BAD;
}

/* The whole name, * standing for any run; with case. */
static bool name_fits(xt_slice name, xt_slice pattern)
{
    ptrdiff_t star = xt_slice_find_byte(pattern, '*');

    if (star < 0)
        return xt_slice_eq(name, pattern);
    if (!xt_slice_starts(name, xt_slice_head(pattern, (size_t)star)))
        return false;
    name = xt_slice_skip(name, (size_t)star);
    pattern = xt_slice_skip(pattern, (size_t)star + 1);
    while ((star = xt_slice_find_byte(pattern, '*')) >= 0) {
        xt_slice piece = xt_slice_head(pattern, (size_t)star);
        ptrdiff_t at = xt_slice_find(name, piece);
        if (at < 0)
            return false;
        name = xt_slice_skip(name, (size_t)at + piece.n);
        pattern = xt_slice_skip(pattern, (size_t)star + 1);
    }
    return xt_slice_ends(name, pattern);
}

static bool fits(const struct parser *p, const xt_sigma_selection *s)
{
    if (is_word(p, "them"))
        return s->name.n == 0 || s->name.p[0] != '_';
    return name_fits(s->name, p->word);
}

/* Behind "of": joins all selections that the word in hand fits. */
static int parse_of(struct parser *p, xt_sigma_kind kind, const xt_sigma_expr **ret)
{
    const xt_sigma_expr **kids = xt_arena_array(&p->program->arena, p->n_selections + 1, sizeof *kids);
    size_t n = 0;
    int r;

    if (!kids)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < p->n_selections; i++)
        if (fits(p, &p->selections[i]))
            kids[n++] = p->selections[i].expr;
    if (n == 0)
        return refuse(p, p->word.n ? "no selection fits this name" : "a name must follow 'of'");
    r = xt_sigma_expr_join(p->program, kind, kids, n, ret);
    if (r)
        return xt_error_trace(r);
    next_word(p);
    return p->n_words > XT_SIGMA_MAX_WORDS ? refuse(p, "the condition has too many words") : 0;
}

static int parse_name(struct parser *p, const xt_sigma_expr **ret)
{
    if (p->n_words > XT_SIGMA_MAX_WORDS)
        return refuse(p, "the condition has too many words");
    for (size_t i = 0; i < p->n_selections; i++)
        if (xt_slice_eq(p->selections[i].name, p->word)) {
            *ret = p->selections[i].expr;
            next_word(p);
            return 0;
        }
    if (is_word(p, "|"))
        return refuse(p, "aggregations behind | are no longer part of Sigma: use a correlation");
    return refuse(p, p->word.n == 0 ? "the condition ends where a selection is expected"
                                    : "there is no selection of this name");
}

static bool is_number(xt_slice word)
{
    uint64_t n;

    return xt_slice_parse_u64(word, &n);
}

static int parse_quantity(struct parser *p, const xt_sigma_expr **ret)
{
    struct parser ahead = *p;
    xt_sigma_kind kind = is_word(p, "all") ? XT_SIGMA_AND : XT_SIGMA_OR;

    next_word(&ahead);
    if (!is_word(&ahead, "of"))
        return parse_name(p, ret);
    if (!is_word(p, "1") && !is_word(p, "any") && !is_word(p, "all"))
        return is_number(p->word) ? refuse(p, "only 1, any or all can stand before 'of'") : parse_name(p, ret);
    *p = ahead;
    next_word(p);
    return parse_of(p, kind, ret);
}

static int parse_parens(struct parser *p, const xt_sigma_expr **ret)
{
    int r;

    if (!is_word(p, "("))
        return parse_quantity(p, ret);
    if (p->depth == XT_SIGMA_MAX_PARENS)
        return refuse(p, "the condition is nested too deeply");
    p->depth++;
    next_word(p);
    r = parse_or(p, ret);
    if (r)
        return r;
    p->depth--;
    if (!is_word(p, ")"))
        return refuse(p, "a closing parenthesis is missing here");
    next_word(p);
    return 0;
}

static int parse_not(struct parser *p, const xt_sigma_expr **ret)
{
    bool negated = false;
    int r;

    for (; is_word(p, "not"); negated = !negated)
        next_word(p);
    r = parse_parens(p, ret);
    if (r || !negated)
        return r;
    return xt_sigma_expr_join(p->program, XT_SIGMA_NOT, ret, 1, ret);
}

static int parse_and(struct parser *p, const xt_sigma_expr **ret)
{
    const xt_sigma_expr *both[2];
    int r = parse_not(p, &both[0]);

    while (!r && is_word(p, "and")) {
        next_word(p);
        r = parse_not(p, &both[1]);
        if (!r)
            r = xt_sigma_expr_join(p->program, XT_SIGMA_AND, both, 2, &both[0]);
    }
    if (!r)
        *ret = both[0];
    return r;
}

static int parse_or(struct parser *p, const xt_sigma_expr **ret)
{
    const xt_sigma_expr *both[2];
    int r = parse_and(p, &both[0]);

    while (!r && is_word(p, "or")) {
        next_word(p);
        r = parse_and(p, &both[1]);
        if (!r)
            r = xt_sigma_expr_join(p->program, XT_SIGMA_OR, both, 2, &both[0]);
    }
    if (!r)
        *ret = both[0];
    return r;
}

static int compile_one(struct parser *p, const xt_yaml_node *node, const xt_sigma_expr **ret)
{
    int r;

    p->node = node;
    p->rest = node->text;
    if (node->kind != XT_YAML_SCALAR) {
        xt_problem_set(p->problem, "a condition must be a text");
        xt_yaml_at(p->problem, node);
        return XT_SIGMA_E_BAD;
    }
    next_word(p);
    r = parse_or(p, ret);
    if (r || p->word.n == 0)
        return r;
    return is_word(p, "|") ? parse_name(p, ret) : refuse(p, "'and' or 'or' is expected here");
}

int xt_sigma_condition_compile(xt_sigma_program *program, const xt_yaml_node *condition,
                               const xt_sigma_selection *selections, size_t n_selections, const xt_sigma_expr **ret,
                               xt_problem *reterr_problem)
{
    struct parser p = {
        .program = program, .selections = selections, .n_selections = n_selections, .problem = reterr_problem};
    const xt_sigma_expr **kids;
    size_t n = 0;
    int r;

    if (condition->kind == XT_YAML_SCALAR || condition->n == 0 || condition->kind == XT_YAML_MAP)
        return compile_one(&p, condition, ret);
    kids = xt_arena_array(&program->arena, condition->n, sizeof *kids);
    if (!kids)
        return xt_error_origin(-ENOMEM);
    for (const xt_yaml_node *m = condition->first; m; m = m->next) {
        r = compile_one(&p, m, &kids[n++]);
        if (r)
            return r < 0 ? xt_error_trace(r) : r;
    }
    return xt_sigma_expr_join(program, XT_SIGMA_OR, kids, n, ret);
}
