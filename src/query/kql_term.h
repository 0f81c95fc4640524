/*
 * query/kql_term - one term of a query: field, operator and value become a node
 *
 * Shape:     the parser (kql_parse) finds the words, this module knows what they mean for a field's type.
 * Errors:    as xt_kql_parse; the problem's column is that of the word at fault.
 * Ownership: nodes and their text live in the arena of the context.
 */
#pragma once
#include "query/kql.h"

/* What the names of a query mean behind a stage: columns, some of them computed. */
typedef struct xt_kql_scope {
    const xt_field_info *const *columns;
    size_t n;
} xt_kql_scope;

typedef struct xt_kql_context {
    xt_slice text; /* the whole query, for columns */
    int64_t now_ms;
    xt_arena *arena;
    xt_problem *problem;
    const xt_kql_scope *scope; /* NULL: the schema */
} xt_kql_context;

typedef enum xt_kql_word_kind { XT_KQL_WORD_BARE, XT_KQL_WORD_QUOTED, XT_KQL_WORD_REGEX } xt_kql_word_kind;

/* A word as it stands in the query; raw is without its quotes or slashes, `at` where it begins with them. */
typedef struct xt_kql_word {
    xt_kql_word_kind kind;
    xt_slice raw;
    size_t at;
} xt_kql_word;

/* What stands before the operator: a row of the schema, or auditd.data.NAME. */
typedef struct xt_kql_target {
    const xt_field_info *field;
    xt_slice data_name;
    size_t at;
} xt_kql_target;

/* Sets sentence, column and excerpt, and is XT_KQL_E_SYNTAX. */
#define xt_kql_fault(...) (xt_kql_fault_set(__VA_ARGS__), XT_KQL_E_SYNTAX)
void xt_kql_fault_set(const xt_kql_context *context, size_t at, size_t n, const char *format, ...) XT_PRINTF(4, 5);
XT_MUST_USE int xt_kql_node_new(const xt_kql_context *context, xt_kql_kind kind, size_t at, xt_kql_node **ret);
/* The field that a bare word names. */
XT_MUST_USE int xt_kql_target_find(const xt_kql_context *context, const xt_kql_word *word, xt_kql_target *ret);
/* target op word, op being XT_KQL_EQUAL (`:`) or one of the four comparisons. */
XT_MUST_USE int xt_kql_term(const xt_kql_context *context, const xt_kql_target *target, xt_kql_kind op,
                            const xt_kql_word *word, xt_kql_node **ret);
/* A word without a field: looked for in the command line. */
XT_MUST_USE int xt_kql_free_text(const xt_kql_context *context, const xt_kql_word *word, xt_kql_node **ret);

/* Parses from *pos to a `|` or the end, and moves there; nothing at all is XT_KQL_ALL. */
XT_MUST_USE int xt_kql_parse_part(const xt_kql_context *context, size_t *pos, xt_kql_node **ret);
/*
 * The column of this name: as it is called, spaces aside, or by its ECS name; count finds count() where that is the
 * only one. NULL: none.
 */
const xt_field_info *xt_kql_scope_find(const xt_kql_scope *scope, xt_slice name);
/* Bytes of the longest name of a column that begins at pos: count() is no word otherwise. */
size_t xt_kql_scope_match(const xt_kql_scope *scope, xt_slice text, size_t pos);
XT_MUST_USE int xt_kql_fault_column(const xt_kql_context *context, const xt_kql_scope *scope, size_t at, size_t n);
/* A computed number with decimals: held as an INT that sorts as the number does. */
uint64_t xt_real_encode(double value);
double xt_real_decode(uint64_t number);
/* The shortest text that reads back as the same number. */
void xt_real_put(xt_buf *out, double value);
XT_MUST_USE bool xt_real_parse(xt_slice text, double *ret);

/* Bytes that a backslash makes literal in a bare word. */
bool xt_kql_is_special(char c);
/* and, or, not in any case. */
bool xt_kql_is_keyword(xt_slice word);
