/*
 * Recursive descent straight on the text: what a character means depends on where it stands (`:` and `/` in a value,
 * words in a value list), so there is no list of tokens. `field` in the functions is what the values of a list
 * `user:(alice or bob)` belong to, NULL outside of one.
 */
#include "query/kql.h"

#include <errno.h>

#include "query/kql_term.h"

typedef struct parser {
    xt_kql_context context;
    xt_slice text;
    size_t pos;
    unsigned depth, n_terms;
} parser;

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static char peek(parser *p)
{
    while (p->pos < p->text.n && is_space(p->text.p[p->pos]))
        p->pos++;
    return p->pos < p->text.n ? p->text.p[p->pos] : '\0';
}

static bool at_end(parser *p)
{
    peek(p);
    return p->pos == p->text.n;
}

/* The bare word at pos, which may be empty; `with_colons` where a value stands. Does not move. */
static xt_slice bare_word(const parser *p, bool with_colons)
{
    size_t i = p->pos;

    while (i < p->text.n) {
        char c = p->text.p[i];
        if (c == '\\' && i + 1 < p->text.n && xt_kql_is_special(p->text.p[i + 1]))
            i++;
        else if (is_space(c) || (c != '\0' && strchr("()<>\"{}|", c)) || (c == ':' && !with_colons))
            break;
        i++;
    }
    return xt_slice_head(xt_slice_skip(p->text, p->pos), i - p->pos);
}

static bool peek_keyword(parser *p, xt_slice keyword)
{
    peek(p);
    return xt_slice_eq_nocase(bare_word(p, false), keyword);
}

static bool take_keyword(parser *p, xt_slice keyword)
{
    if (!peek_keyword(p, keyword))
        return false;
    p->pos += keyword.n;
    return true;
}

/*
 * Bytes of the expression at pos with its slashes, or 0 when this is a path: the next slash that is not escaped must
 * end the word, and not stand behind a `:` (exe:/usr or cwd:/).
 */
static size_t regex_bytes(const parser *p)
{
    xt_slice s = xt_slice_skip(p->text, p->pos);

    if (s.n < 3 || s.p[0] != '/' || is_space(s.p[1]))
        return 0;
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '/')
            return i > 1 && s.p[i - 1] != ':' &&
                           (i + 1 == s.n || is_space(s.p[i + 1]) || s.p[i + 1] == ')' || s.p[i + 1] == '|')
                       ? i + 1
                       : 0;
    }
    return 0;
}

static int quoted_word(parser *p, xt_kql_word *ret)
{
    size_t start = p->pos + 1;

    for (size_t i = start; i < p->text.n; i++) {
        if (p->text.p[i] == '\\') {
            i++;
        } else if (p->text.p[i] == '"') {
            xt_slice raw = xt_slice_head(xt_slice_skip(p->text, start), i - start);
            *ret = (xt_kql_word){XT_KQL_WORD_QUOTED, raw, p->pos};
            p->pos = i + 1;
            return 0;
        }
    }
    return xt_kql_fault(&p->context, p->pos, p->text.n, "the quote that begins here does not end");
}

static int no_word(parser *p, const char *what)
{
    char c = peek(p);

    if (at_end(p))
        return xt_kql_fault(&p->context, p->pos, 0, "the query ends where %s should stand", what);
    if (c == '|') {
        int r = xt_kql_fault(&p->context, p->pos, 1, "%s should stand here, before the stage", what);
        xt_problem_hint(p->context.problem, "a | in a value goes in quotes");
        return r;
    }
    if (c == '{' || c == '}')
        return xt_kql_fault(&p->context, p->pos, 1, "queries in braces are not supported");
    xt_slice word = bare_word(p, false);
    int r = xt_kql_fault(&p->context, p->pos, word.n ? word.n : 1, "%s should stand here", what);
    if (xt_kql_is_keyword(word))
        xt_problem_hint(p->context.problem, "the word itself goes in quotes: \"%.*s\"", XT_S_ARGS(word));
    else
        xt_problem_hint(p->context.problem, "text that holds one of \\ ( ) : < > \" * { } | goes in quotes");
    return r;
}

static int value_word(parser *p, bool in_list, xt_kql_word *ret)
{
    if (peek(p) == '"')
        return quoted_word(p, ret);
    size_t n_regex = regex_bytes(p);
    if (n_regex) {
        xt_slice raw = xt_slice_head(xt_slice_skip(p->text, p->pos + 1), n_regex - 2);
        *ret = (xt_kql_word){XT_KQL_WORD_REGEX, raw, p->pos};
        p->pos += n_regex;
        return 0;
    }
    xt_slice raw = bare_word(p, !in_list);
    if (raw.n == 0 || xt_kql_is_keyword(raw))
        return no_word(p, "a value");
    *ret = (xt_kql_word){XT_KQL_WORD_BARE, raw, p->pos};
    p->pos += raw.n;
    return 0;
}

static int parse_or(parser *p, const xt_kql_target *field, xt_kql_node **ret);

static int parse_parens(parser *p, const xt_kql_target *field, xt_kql_node **ret)
{
    size_t at = p->pos++;
    int r = parse_or(p, field, ret);

    if (r)
        return r;
    if (peek(p) != ')' && field && peek(p) == ':')
        return xt_kql_fault(&p->context, p->pos, 1, "a list of values cannot hold another field");
    if (peek(p) != ')')
        return xt_kql_fault(&p->context, at, 1, "the parenthesis that opens here is not closed");
    p->pos++;
    return 0;
}

static int parse_list_value(parser *p, const xt_kql_target *field, xt_kql_node **ret)
{
    xt_kql_word word;
    int r = value_word(p, true, &word);

    return r ? r : xt_kql_term(&p->context, field, XT_KQL_EQUAL, &word, ret);
}

/* What follows the name of a field. */
static int parse_operator(parser *p, const xt_kql_target *target, xt_kql_node **ret)
{
    xt_kql_kind op = XT_KQL_EQUAL;
    char c = peek(p);
    xt_kql_word word;

    p->pos++;
    if (c != ':') {
        bool or_equal = p->pos < p->text.n && p->text.p[p->pos] == '=';
        p->pos += or_equal;
        op = c == '<' ? (or_equal ? XT_KQL_LESS_EQUAL : XT_KQL_LESS)
                      : (or_equal ? XT_KQL_GREATER_EQUAL : XT_KQL_GREATER);
    } else if (peek(p) == '(') {
        return parse_parens(p, target, ret);
    }
    int r = value_word(p, false, &word);
    return r ? r : xt_kql_term(&p->context, target, op, &word, ret);
}

static int parse_word(parser *p, xt_kql_node **ret)
{
    xt_kql_word word = {XT_KQL_WORD_BARE, bare_word(p, false), p->pos};
    size_t n_column = p->context.scope ? xt_kql_scope_match(p->context.scope, p->text, p->pos) : 0;
    xt_kql_target target;

    if (n_column > word.raw.n)
        word.raw = xt_slice_head(xt_slice_skip(p->text, p->pos), n_column);
    if (word.raw.n == 0 || xt_kql_is_keyword(word.raw))
        return no_word(p, "a term");
    p->pos += word.raw.n;
    char c = peek(p);
    if (c != ':' && c != '<' && c != '>')
        return xt_kql_free_text(&p->context, &word, ret);
    if (c == ':' && xt_slice_eq(word.raw, XT_S("*"))) {
        p->pos++;
        if (peek(p) == '*' && bare_word(p, true).n == 1) {
            p->pos++;
            return xt_kql_node_new(&p->context, XT_KQL_ALL, word.at, ret);
        }
    }
    int r = xt_kql_target_find(&p->context, &word, &target);
    return r ? r : parse_operator(p, &target, ret);
}

static int parse_quoted_text(parser *p, xt_kql_node **ret)
{
    xt_kql_word word;
    int r = quoted_word(p, &word);

    if (r)
        return r;
    if (peek(p) == ':')
        return xt_kql_fault(&p->context, word.at, word.raw.n + 2, "the name of a field stands without quotes");
    return xt_kql_free_text(&p->context, &word, ret);
}

static int parse_term(parser *p, const xt_kql_target *field, xt_kql_node **ret)
{
    char c = peek(p);

    if (++p->n_terms > XT_KQL_MAX_TERMS)
        return xt_kql_fault(&p->context, p->pos, 0, "a query has at most %d terms", XT_KQL_MAX_TERMS);
    if (c == '(')
        return parse_parens(p, field, ret);
    if (field)
        return parse_list_value(p, field, ret);
    return c == '"' ? parse_quoted_text(p, ret) : parse_word(p, ret);
}

static int parse_not(parser *p, const xt_kql_target *field, xt_kql_node **ret)
{
    int r;

    if (++p->depth > XT_KQL_MAX_DEPTH)
        return xt_kql_fault(&p->context, p->pos, 1, "the query is nested more than %d deep", XT_KQL_MAX_DEPTH);
    peek(p);
    size_t at = p->pos;
    if (take_keyword(p, XT_S("not"))) {
        xt_kql_node *node, *left;
        r = parse_not(p, field, &left);
        if (r == 0)
            r = xt_kql_node_new(&p->context, XT_KQL_NOT, at, &node);
        if (r == 0) {
            node->left = left;
            *ret = node;
        }
    } else {
        r = parse_term(p, field, ret);
    }
    p->depth--;
    return r;
}

static int join(parser *p, xt_kql_kind kind, size_t at, xt_kql_node *right, xt_kql_node **left)
{
    xt_kql_node *node;
    int r = xt_kql_node_new(&p->context, kind, at, &node);

    if (r)
        return xt_error_trace(r);
    node->left = *left;
    node->right = right;
    *left = node;
    return 0;
}

/* Nothing but `or`, a closing parenthesis or the end may follow a term that no `and` follows. */
static int check_follows(parser *p, const xt_kql_target *field)
{
    if (at_end(p) || peek(p) == ')' || peek(p) == '|' || peek_keyword(p, XT_S("or")) || (field && peek(p) == ':'))
        return 0;
    int r = xt_kql_fault(&p->context, p->pos, bare_word(p, false).n, "two terms stand side by side without and / or");
    xt_problem_hint(p->context.problem, "join them with `and`, or put a phrase in quotes");
    return r;
}

static int parse_and(parser *p, const xt_kql_target *field, xt_kql_node **ret)
{
    xt_kql_node *left, *right;
    int r = parse_not(p, field, &left);

    while (r == 0 && peek_keyword(p, XT_S("and"))) {
        size_t at = p->pos;
        take_keyword(p, XT_S("and"));
        r = parse_not(p, field, &right);
        if (r == 0)
            r = join(p, XT_KQL_AND, at, right, &left);
    }
    if (r == 0)
        r = check_follows(p, field);
    if (r == 0)
        *ret = left;
    return r;
}

static int parse_or(parser *p, const xt_kql_target *field, xt_kql_node **ret)
{
    xt_kql_node *left, *right;
    int r = parse_and(p, field, &left);

    while (r == 0 && peek_keyword(p, XT_S("or"))) {
        size_t at = p->pos;
        take_keyword(p, XT_S("or"));
        r = parse_and(p, field, &right);
        if (r == 0)
            r = join(p, XT_KQL_OR, at, right, &left);
    }
    if (r == 0)
        *ret = left;
    return r;
}

int xt_kql_parse_part(const xt_kql_context *context, size_t *pos, xt_kql_node **ret)
{
    parser p = {.text = context->text, .pos = *pos, .context = *context};
    xt_kql_node *node;
    int r;

    if (at_end(&p) || peek(&p) == '|')
        r = xt_kql_node_new(&p.context, XT_KQL_ALL, p.pos, &node);
    else
        r = parse_or(&p, NULL, &node);
    if (r == 0 && !at_end(&p) && peek(&p) != '|')
        r = xt_kql_fault(&p.context, p.pos, 1, "this parenthesis closes nothing");
    if (r)
        return r;
    *pos = p.pos;
    *ret = node;
    return 0;
}

int xt_kql_parse(xt_slice text, int64_t now_ms, xt_arena *arena, xt_kql_node **ret, xt_problem *reterr_problem)
{
    xt_problem ignored = XT_PROBLEM_INIT;
    xt_kql_context context = {
        .text = text, .now_ms = now_ms, .arena = arena, .problem = reterr_problem ? reterr_problem : &ignored};
    xt_kql_node *node;
    size_t pos = 0;

    if (text.n > XT_KQL_MAX_BYTES)
        return xt_kql_fault(&context, XT_KQL_MAX_BYTES, 0, "a query has at most %u bytes", XT_KQL_MAX_BYTES);
    int r = xt_kql_parse_part(&context, &pos, &node);
    if (r == 0 && pos < text.n) {
        r = xt_kql_fault(&context, pos, 1, "stages behind a | cannot stand here: only a search has them");
        xt_problem_hint(context.problem, "a | in a value goes in quotes");
    }
    if (r == 0)
        *ret = node;
    return r;
}
