/*
 * Printing is exact: what is printed parses to the same tree. Names are the short ones; a value is quoted unless it
 * is a plain word, and a pattern is spelled as a bare word with escapes, since quotes would take its stars.
 */
#include "query/kql.h"

#include "base/timestamp.h"
#include "query/kql_pipe.h"
#include "query/kql_term.h"

static void print_escaped(xt_slice s, xt_buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        if (xt_kql_is_special(s.p[i]) && s.p[i] != '/')
            xt_buf_putc(out, '\\');
        xt_buf_putc(out, s.p[i]);
    }
}

static void print_name(const xt_kql_node *node, xt_buf *out)
{
    if (node->field && node->field->id == XT_F_INVALID) {
        xt_slice name = xt_slice_str(node->field->name);
        if (xt_slice_find_byte(name, '(') >= 0)
            xt_buf_put(out, name); /* what is computed is known by its parentheses */
        else
            print_escaped(name, out);
    } else if (node->field) {
        xt_buf_puts(out, node->field->alias[0] ? node->field->alias : node->field->name);
    } else {
        xt_buf_puts(out, "auditd.data.");
        print_escaped(node->data_name, out);
    }
}

static bool is_plain(xt_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') &&
            (c == '\0' || (c != '/' && !strchr("._-@+=,%", c)) || (c == '/' && i == 0)))
            return false;
    }
    return s.n > 0 && !xt_kql_is_keyword(s);
}

static void print_literal(xt_slice s, xt_buf *out)
{
    if (is_plain(s)) {
        xt_buf_put(out, s);
        return;
    }
    xt_buf_putc(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            xt_buf_putc(out, '\\');
        xt_buf_putc(out, s.p[i]);
    }
    xt_buf_putc(out, '"');
}

/* Whether a pattern that begins with a slash would be taken for an expression: see regex_bytes in kql_parse. */
static bool looks_like_regex(xt_slice s)
{
    if (s.n == 0 || s.p[0] != '/')
        return false;
    ptrdiff_t next = xt_slice_find_byte(xt_slice_skip(s, 1), '/');
    return next <= 0 || (size_t)next + 2 == s.n || s.p[next] == '\\';
}

/* In a pattern a backslash already makes the next byte literal, so only what ends a word is escaped besides. */
static void print_pattern(xt_slice s, xt_buf *out)
{
    if (looks_like_regex(s))
        xt_buf_putc(out, '\\');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            xt_buf_putc(out, s.p[i++]);
        else if (s.p[i] != '*' && s.p[i] != '/' && xt_kql_is_special(s.p[i]))
            xt_buf_putc(out, '\\');
        xt_buf_putc(out, s.p[i]);
    }
}

static void print_number(const xt_kql_node *node, xt_buf *out)
{
    char time[25];

    if (node->field->flags & XT_COLUMN_REAL) {
        xt_real_put(out, xt_real_decode(node->number));
    } else if (node->field->type == XT_TIME) {
        xt_timestamp_format((int64_t)node->number, time);
        xt_buf_printf(out, "\"%s\"", time);
    } else if (node->field->type == XT_INT) {
        xt_buf_put_sdec(out, (int64_t)node->number);
    } else {
        xt_buf_put_dec(out, node->number);
    }
}

static bool is_number(const xt_kql_node *node)
{
    return node->field && (node->field->type == XT_TIME || node->field->type == XT_INT || node->field->type == XT_UINT);
}

static void print_leaf(const xt_kql_node *node, xt_buf *out)
{
    static const char *const operators[] = {
        [XT_KQL_LESS] = "<", [XT_KQL_LESS_EQUAL] = "<=", [XT_KQL_GREATER] = ">", [XT_KQL_GREATER_EQUAL] = ">="};
    print_name(node, out);
    if (node->kind >= XT_KQL_LESS) {
        xt_buf_printf(out, " %s ", operators[node->kind]);
        print_number(node, out);
        return;
    }
    xt_buf_putc(out, ':');
    if (node->kind == XT_KQL_EXISTS) {
        xt_buf_putc(out, '*');
    } else if (node->kind == XT_KQL_REGEX) {
        xt_buf_putc(out, '/');
        xt_buf_put(out, node->text);
        xt_buf_putc(out, '/');
    } else if (node->kind == XT_KQL_GLOB) {
        print_pattern(node->text, out);
    } else if (is_number(node)) {
        print_number(node, out);
    } else {
        print_literal(node->text, out);
    }
}

static bool is_join(const xt_kql_node *node)
{
    return node->kind == XT_KQL_AND || node->kind == XT_KQL_OR;
}

static void print_in(const xt_kql_node *node, bool parens, xt_buf *out)
{
    if (parens)
        xt_buf_putc(out, '(');
    xt_kql_print(node, out);
    if (parens)
        xt_buf_putc(out, ')');
}

void xt_kql_print(const xt_kql_node *node, xt_buf *out)
{
    switch (node->kind) {
    case XT_KQL_ALL:
        xt_buf_putc(out, '*');
        break;
    case XT_KQL_AND:
        print_in(node->left, node->left->kind == XT_KQL_OR, out);
        xt_buf_puts(out, " and ");
        print_in(node->right, is_join(node->right), out);
        break;
    case XT_KQL_OR:
        print_in(node->left, false, out);
        xt_buf_puts(out, " or ");
        print_in(node->right, node->right->kind == XT_KQL_OR, out);
        break;
    case XT_KQL_NOT:
        xt_buf_puts(out, "not ");
        print_in(node->left, is_join(node->left), out);
        break;
    default:
        print_leaf(node, out);
    }
}

bool xt_kql_equal(const xt_kql_node *a, const xt_kql_node *b)
{
    if (!a || !b)
        return a == b;
    return a->kind == b->kind && xt_column_same(a->field, b->field) && a->number == b->number &&
           xt_slice_eq(a->text, b->text) && xt_slice_eq(a->data_name, b->data_name) && xt_kql_equal(a->left, b->left) &&
           xt_kql_equal(a->right, b->right);
}

static void add_all(xt_field_set *set, const xt_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        xt_field_set_add(set, fields[i]);
}

xt_field_set xt_field_sources(xt_field field)
{
    xt_field_set set = {{0, 0}};

    switch (field) {
    case XT_F_CMD:
    case XT_F_ARGC:
        xt_field_set_add(&set, XT_F_ARGS);
        break;
    case XT_F_PATH:
        xt_field_set_add(&set, XT_F_PATHS);
        break;
    case XT_F_EVENT_ID:
        add_all(&set, (const xt_field[]){XT_F_EVENT_ID, XT_F_HOST_ID, XT_F_TIME, XT_F_SERIAL}, 4);
        break;
    case XT_F_ENTITY:
        add_all(
            &set,
            (const xt_field[]){XT_F_ENTITY, XT_F_HOST_ID, XT_F_BOOT_ID, XT_F_PID, XT_F_TIME, XT_F_ACTION, XT_F_OUTCOME},
            7);
        break;
    default:
        xt_field_set_add(&set, field);
    }
    return set;
}

xt_field_set xt_kql_fields(const xt_kql_node *node)
{
    xt_field_set set = {{0, 0}};

    for (; node; node = node->left) {
        if (node->field)
            xt_field_set_add_all(&set, xt_field_sources(node->field->id));
        else if (node->data_name.n)
            xt_field_set_add(&set, XT_F_RECORDS);
        if (node->right)
            xt_field_set_add_all(&set, xt_kql_fields(node->right));
    }
    return set;
}
