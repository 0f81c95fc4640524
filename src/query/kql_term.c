/*
 * Words are unescaped into one of two spellings: plain text, or a pattern for xt_slice_glob_nocase when the bare word
 * has a star that is not escaped. What an operator may do follows from the field's type alone, so that a new row of
 * the schema needs nothing here.
 */
#include "query/kql_term.h"

#include <errno.h>
#include <stdio.h>

#include "base/timestamp.h"

void xt_kql_fault_set(const xt_kql_context *context, size_t at, size_t n, const char *format, ...)
{
    char sentence[sizeof context->problem->sentence];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    xt_problem_set(context->problem, "%s", sentence);
    xt_problem_source(context->problem, "query");
    xt_problem_at(context->problem, 1, at + 1);
    xt_problem_at_offset(context->problem, (int64_t)at);
    xt_problem_excerpt(context->problem, xt_slice_head(xt_slice_skip(context->text, at), n));
}

int xt_kql_node_new(const xt_kql_context *context, xt_kql_kind kind, size_t at, xt_kql_node **ret)
{
    xt_kql_node *node = xt_arena_new(context->arena, xt_kql_node);

    if (!node)
        return xt_error_origin(-ENOMEM);
    node->kind = kind;
    node->column = (uint32_t)at + 1;
    *ret = node;
    return 0;
}

bool xt_kql_is_special(char c)
{
    return c != '\0' && strchr("\\():<>\"*{}/| ", c);
}

bool xt_kql_is_keyword(xt_slice word)
{
    return xt_slice_eq_nocase(word, XT_S("and")) || xt_slice_eq_nocase(word, XT_S("or")) ||
           xt_slice_eq_nocase(word, XT_S("not"));
}

/* Steps over one character of a bare word; true when it is a star that stands for anything. */
static bool next_char(xt_slice raw, size_t *i, char *ret)
{
    bool escaped = raw.p[*i] == '\\' && *i + 1 < raw.n && xt_kql_is_special(raw.p[*i + 1]);

    *i += escaped;
    *ret = raw.p[(*i)++];
    return *ret == '*' && !escaped;
}

static bool has_star(xt_slice raw)
{
    char c;

    for (size_t i = 0; i < raw.n;)
        if (next_char(raw, &i, &c))
            return true;
    return false;
}

static bool is_only_stars(xt_slice raw)
{
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] != '*')
            return false;
    return raw.n > 0;
}

static size_t unescape_bare(xt_slice raw, bool as_pattern, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < raw.n;) {
        char c;
        bool star = next_char(raw, &i, &c);
        if (as_pattern && !star && (c == '*' || c == '\\'))
            out[n++] = '\\';
        out[n++] = c;
    }
    return n;
}

static size_t unescape_quoted(xt_slice raw, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < raw.n; i++) {
        if (raw.p[i] == '\\' && i + 1 < raw.n && (raw.p[i + 1] == '"' || raw.p[i + 1] == '\\'))
            i++;
        out[n++] = raw.p[i];
    }
    return n;
}

/* The word's text; a pattern when as_pattern (twice the room: every byte may need a backslash). */
static int word_text(const xt_kql_context *context, const xt_kql_word *word, bool as_pattern, xt_slice *ret)
{
    char *p = xt_arena_alloc(context->arena, 2 * word->raw.n + 1);

    if (!p)
        return xt_error_origin(-ENOMEM);
    size_t n;
    if (word->kind == XT_KQL_WORD_BARE)
        n = unescape_bare(word->raw, as_pattern, p);
    else if (word->kind == XT_KQL_WORD_QUOTED)
        n = unescape_quoted(word->raw, p);
    else
        n = word->raw.n, memcpy(p, word->raw.p, n);
    *ret = xt_slice_of(p, n);
    return 0;
}

int xt_kql_target_find(const xt_kql_context *context, const xt_kql_word *word, xt_kql_target *ret)
{
    static const xt_slice data = {"auditd.data.", 12}, labels = {"labels.", 7};
    xt_slice name;

    if (has_star(word->raw))
        return xt_kql_fault(context, word->at, word->raw.n, "a field name takes no wildcard");
    int r = word_text(context, word, false, &name);
    if (r)
        return xt_error_trace(r);
    if (context->scope) {
        *ret = (xt_kql_target){.field = xt_kql_scope_find(context->scope, name), .at = word->at};
        return ret->field ? 0 : xt_kql_fault_column(context, context->scope, word->at, word->raw.n);
    }
    const xt_field_info *field = xt_field_by_name(name);
    if (!field && name.n > labels.n && xt_slice_starts_nocase(name, labels)) {
        *ret = (xt_kql_target){xt_field_find(XT_F_LABELS), xt_slice_skip(name, labels.n), word->at};
        return 0;
    }
    bool is_data = !field && name.n > data.n && xt_slice_starts_nocase(name, data);
    if (!field && !is_data) {
        r = xt_kql_fault(context, word->at, word->raw.n, "there is no field of this name");
        const char *near = xt_field_nearest(name);
        if (near)
            xt_problem_hint(context->problem, "did you mean %s?", near);
        else
            xt_problem_hint(context->problem, "put text that holds a : in quotes");
        return r;
    }
    *ret =
        (xt_kql_target){.field = field, .data_name = is_data ? xt_slice_skip(name, data.n) : XT_S_NULL, .at = word->at};
    return 0;
}

static const char *target_name(const xt_kql_target *target)
{
    return target->field ? target->field->name : "auditd.data";
}

static bool is_number(const xt_kql_target *target)
{
    return target->field &&
           (target->field->type == XT_UINT || target->field->type == XT_INT || target->field->type == XT_TIME);
}

static int leaf_new(const xt_kql_context *context, const xt_kql_target *target, xt_kql_kind kind, xt_kql_node **ret)
{
    int r = xt_kql_node_new(context, kind, target->at, ret);

    if (r)
        return xt_error_trace(r);
    (*ret)->field = target->field;
    (*ret)->data_name = target->data_name;
    return 0;
}

/* auid and ses are absent when unset, however the kernel spells that. */
static bool is_unset(const xt_kql_target *target, xt_kql_kind op, xt_slice text)
{
    uint64_t number = 0;

    return op == XT_KQL_EQUAL && (target->field->id == XT_F_AUID || target->field->id == XT_F_SES) &&
           (xt_slice_eq_nocase(text, XT_S("unset")) || xt_slice_eq(text, XT_S("-1")) ||
            (xt_slice_parse_u64(text, &number) && number == UINT32_MAX));
}

static int term_unset(const xt_kql_context *context, const xt_kql_target *target, xt_kql_node **ret)
{
    xt_kql_node *not_node = NULL, *exists = NULL;
    int r = xt_kql_node_new(context, XT_KQL_NOT, target->at, &not_node);

    if (r == 0)
        r = leaf_new(context, target, XT_KQL_EXISTS, &exists);
    if (r)
        return xt_error_trace(r);
    not_node->left = exists;
    *ret = not_node;
    return 0;
}

static int number_leaf(const xt_kql_context *context, const xt_kql_target *target, xt_kql_kind op, uint64_t number,
                       xt_kql_node **ret)
{
    int r = leaf_new(context, target, op, ret);

    if (r)
        return xt_error_trace(r);
    (*ret)->number = number;
    return 0;
}

/* A date alone or now/d is a span: `:` matches all of it, `>=` counts from its start, `>` from its end. */
static int term_time(const xt_kql_context *context, const xt_kql_target *target, xt_kql_kind op,
                     const xt_kql_word *word, xt_slice text, xt_kql_node **ret)
{
    int64_t first, last;
    xt_problem why = XT_PROBLEM_INIT;
    int r = xt_timestamp_parse(text, context->now_ms, false, &first, &why);

    if (r == 0)
        r = xt_timestamp_parse(text, context->now_ms, true, &last, &why);
    if (r > 0) {
        r = xt_kql_fault(context, word->at, word->raw.n, "%s", why.sentence);
        xt_problem_hint(context->problem, "a time is 2026-11-23T02:10:43Z, a date, now-15m or now/d");
        return r;
    }
    if (r < 0)
        return xt_error_trace(r);
    if (op != XT_KQL_EQUAL) {
        bool end = op == XT_KQL_GREATER || op == XT_KQL_LESS_EQUAL;
        return number_leaf(context, target, op, (uint64_t)(end ? last : first), ret);
    }
    if (first == last)
        return number_leaf(context, target, op, (uint64_t)first, ret);
    xt_kql_node *both = NULL;
    r = xt_kql_node_new(context, XT_KQL_AND, target->at, &both);
    if (r == 0)
        r = number_leaf(context, target, XT_KQL_GREATER_EQUAL, (uint64_t)first, &both->left);
    if (r == 0)
        r = number_leaf(context, target, XT_KQL_LESS_EQUAL, (uint64_t)last, &both->right);
    if (r)
        return xt_error_trace(r);
    *ret = both;
    return 0;
}

/* The name that goes with an id, for who typed a name where a number belongs. */
static const char *field_of_names(xt_field id)
{
    switch (id) {
    case XT_F_UID:
        return "user";
    case XT_F_EUID:
        return "euser";
    case XT_F_AUID:
        return "login";
    case XT_F_GID:
        return "groupname";
    default:
        return NULL;
    }
}

static int term_real(const xt_kql_context *context, const xt_kql_target *target, xt_kql_kind op,
                     const xt_kql_word *word, xt_slice text, xt_kql_node **ret)
{
    double value;

    if (!xt_real_parse(text, &value))
        return xt_kql_fault(context, word->at, word->raw.n, "%s compares as a number, and this is none",
                            target->field->name);
    return number_leaf(context, target, op, xt_real_encode(value), ret);
}

static int term_number(const xt_kql_context *context, const xt_kql_target *target, xt_kql_kind op,
                       const xt_kql_word *word, xt_kql_node **ret)
{
    xt_slice text;
    uint64_t u;
    int64_t i;
    int r = word_text(context, word, false, &text);

    if (r)
        return xt_error_trace(r);
    if (target->field->flags & XT_COLUMN_REAL)
        return term_real(context, target, op, word, text, ret);
    if (target->field->type == XT_TIME)
        return term_time(context, target, op, word, text, ret);
    if (is_unset(target, op, text))
        return term_unset(context, target, ret);
    if (target->field->type == XT_INT && xt_slice_parse_i64(text, &i))
        return number_leaf(context, target, op, (uint64_t)i, ret);
    if (target->field->type == XT_UINT && xt_slice_parse_u64(text, &u))
        return number_leaf(context, target, op, u, ret);
    r = xt_kql_fault(context, word->at, word->raw.n, "%s compares as a %s, and this is none", target->field->name,
                     target->field->type == XT_INT ? "number" : "number from 0 on");
    if (field_of_names(target->field->id))
        xt_problem_hint(context->problem, "for names there is %s", field_of_names(target->field->id));
    return r;
}

static bool is_quantifier(char c)
{
    return c == '?' || c == '*' || c == '+' || c == '}';
}

/* What of PCRE2 the other back end lacks, or does differently. */
static int check_regex(const xt_kql_context *context, const xt_kql_word *word)
{
    xt_slice raw = word->raw;
    size_t at = word->at + 1;
    bool in_class = false;

    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i], next = i + 1 < raw.n ? raw.p[i + 1] : '\0';
        if (c == '\\') {
            bool word_char = (next >= '0' && next <= '9') || ((next | 0x20) >= 'a' && (next | 0x20) <= 'z');
            if (word_char && !strchr("dDwWsS", next))
                return xt_kql_fault(context, at + i, 2, "this escape is not supported in expressions");
            i++;
        } else if (in_class) {
            in_class = c != ']';
        } else if (c == '[') {
            in_class = true;
            i += (next == '^') + (next == ']' || (next == '^' && i + 2 < raw.n && raw.p[i + 2] == ']'));
        } else if (c == '(' && (next == '?' || next == '*')) {
            return xt_kql_fault(context, at + i, 2, "groups that begin with (%c are not supported in expressions",
                                next);
        } else if (is_quantifier(c) && next == '+') {
            return xt_kql_fault(context, at + i, 2, "possessive repetition is not supported in expressions");
        }
    }
    return 0;
}

static int term_regex(const xt_kql_context *context, const xt_kql_target *target, const xt_kql_word *word,
                      xt_kql_node **ret)
{
    if (target->field && target->field->type == XT_TIME)
        return xt_kql_fault(context, word->at, word->raw.n + 2, "a time cannot be compared with an expression");
    int r = check_regex(context, word);
    if (r) {
        xt_problem_hint(context->problem, "expressions know %s", XT_KQL_REGEX_SUBSET);
        return r;
    }
    r = leaf_new(context, target, XT_KQL_REGEX, ret);
    if (r == 0)
        r = word_text(context, word, false, &(*ret)->text);
    return xt_error_trace(r);
}

static int term_pattern(const xt_kql_context *context, const xt_kql_target *target, const xt_kql_word *word,
                        xt_kql_node **ret)
{
    if (target->field && target->field->type == XT_TIME)
        return xt_kql_fault(context, word->at, word->raw.n, "a time takes no wildcard");
    int r = leaf_new(context, target, XT_KQL_GLOB, ret);
    if (r == 0)
        r = word_text(context, word, true, &(*ret)->text);
    return xt_error_trace(r);
}

/* labels.NAME:VALUE is labels:"NAME=VALUE". */
static int term_label(const xt_kql_context *context, const xt_kql_target *target, const xt_kql_word *word,
                      xt_kql_node **ret)
{
    const xt_kql_target labels = {.field = target->field, .at = target->at};
    bool is_pattern = word->kind == XT_KQL_WORD_BARE && has_star(word->raw);
    xt_slice value;
    xt_buf text = {.max_bytes = 2 * target->data_name.n + 2 * word->raw.n + 4};
    if (word->kind == XT_KQL_WORD_REGEX) {
        int fault = xt_kql_fault(context, word->at, word->raw.n, "one label takes no expression");
        xt_problem_hint(context->problem, "ask all of them: labels:/^%.*s=.../", XT_S_ARGS(target->data_name));
        return fault;
    }
    int r = leaf_new(context, &labels, is_pattern ? XT_KQL_GLOB : XT_KQL_EQUAL, ret);
    if (r == 0)
        r = word_text(context, word, is_pattern, &value);
    if (r)
        return xt_error_trace(r);
    text.p = xt_arena_alloc(context->arena, text.max_bytes);
    text.cap = text.max_bytes;
    if (!text.p)
        return xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < target->data_name.n; i++) {
        if (is_pattern && target->data_name.p[i] == '\\')
            xt_buf_putc(&text, '\\');
        xt_buf_putc(&text, target->data_name.p[i]);
    }
    xt_buf_putc(&text, '=');
    xt_buf_put(&text, value);
    (*ret)->text = xt_buf_slice(&text);
    return xt_buf_done(&text);
}

static int check_comparison(const xt_kql_context *context, const xt_kql_target *target, const xt_kql_word *word)
{
    int r = 0;

    if (!is_number(target)) {
        r = xt_kql_fault(context, target->at, word->at - target->at,
                         "%s is text: < and > compare numbers and times only", target_name(target));
        xt_problem_hint(context->problem, "use : with a value, a wildcard or an expression");
    } else if (word->kind == XT_KQL_WORD_REGEX || (word->kind == XT_KQL_WORD_BARE && has_star(word->raw))) {
        r = xt_kql_fault(context, word->at, word->raw.n, "< and > need a plain value, not a pattern");
    }
    return r;
}

int xt_kql_term(const xt_kql_context *context, const xt_kql_target *target, xt_kql_kind op, const xt_kql_word *word,
                xt_kql_node **ret)
{
    int r = op == XT_KQL_EQUAL ? 0 : check_comparison(context, target, word);

    if (r)
        return r;
    if (target->field && target->data_name.n > 0)
        return term_label(context, target, word, ret);
    if (word->kind == XT_KQL_WORD_BARE && is_only_stars(word->raw))
        return xt_error_trace(leaf_new(context, target, XT_KQL_EXISTS, ret));
    if (target->field && (target->field->type == XT_PATHS || target->field->type == XT_RECORDS)) {
        r = xt_kql_fault(context, word->at, word->raw.n, "%s can only be asked for with :*", target->field->name);
        xt_problem_hint(context->problem, "%s",
                        target->field->type == XT_PATHS ? "for names of files there is path"
                                                        : "for one field there is auditd.data.NAME");
        return r;
    }
    bool is_real = target->field && target->field->flags & XT_COLUMN_REAL;
    if (is_real && (word->kind == XT_KQL_WORD_REGEX || has_star(word->raw)))
        return xt_kql_fault(context, word->at, word->raw.n, "%s is a number with decimals: compare it with < or >",
                            target->field->name);
    if (word->kind == XT_KQL_WORD_REGEX)
        return term_regex(context, target, word, ret);
    if (word->kind == XT_KQL_WORD_BARE && has_star(word->raw))
        return term_pattern(context, target, word, ret);
    if (is_number(target))
        return term_number(context, target, op, word, ret);
    bool part = target->field && target->field->id == XT_F_CMD;
    r = leaf_new(context, target, part ? XT_KQL_SUBSTRING : XT_KQL_EQUAL, ret);
    if (r == 0)
        r = word_text(context, word, false, &(*ret)->text);
    return xt_error_trace(r);
}

/* Free text finds a part of the command line, so a pattern may begin and end anywhere in it. */
static int widen_pattern(const xt_kql_context *context, xt_kql_node *node)
{
    xt_slice s = node->text;
    char *p = xt_arena_alloc(context->arena, s.n + 2);

    if (!p)
        return xt_error_origin(-ENOMEM);
    size_t n = 0, n_backslashes = 0;
    if (s.p[0] != '*')
        p[n++] = '*';
    memcpy(p + n, s.p, s.n);
    n += s.n;
    while (n_backslashes + 1 < s.n && s.p[s.n - 2 - n_backslashes] == '\\')
        n_backslashes++;
    if (s.p[s.n - 1] != '*' || n_backslashes % 2)
        p[n++] = '*';
    node->text = xt_slice_of(p, n);
    return 0;
}

int xt_kql_free_text(const xt_kql_context *context, const xt_kql_word *word, xt_kql_node **ret)
{
    xt_kql_target target = {.field = xt_field_find(XT_F_CMD), .at = word->at};

    if (word->kind == XT_KQL_WORD_BARE && is_only_stars(word->raw))
        return xt_error_trace(xt_kql_node_new(context, XT_KQL_ALL, word->at, ret));
    if (context->scope)
        target.field = xt_kql_scope_find(context->scope, XT_S("cmd"));
    if (!target.field) {
        int bad =
            xt_kql_fault(context, word->at, word->raw.n, "there is no cmd here in which text could be looked for");
        xt_problem_hint(context->problem, "write column:value");
        return bad;
    }
    int r = xt_kql_term(context, &target, XT_KQL_EQUAL, word, ret);
    if (r == 0 && (*ret)->kind == XT_KQL_GLOB)
        r = widen_pattern(context, *ret);
    return r;
}
