/*
 * query/kql - the query language: text to tree and back
 *
 * Shape:     KQL as Kibana users type it. A tree of nodes in an arena.
 *              user:alice and cmd:*nmap* and not host:(web-1 or web-2)      uid < 1000      key:*      "free text"
 * Meaning:   `f:v` compares the whole value; cmd:v and free text find a substring in process.command_line; `*` and any
 *            wildcard outside quotes; quoted: literal (for cmd and free text: a substring); f:* exists; cmd:/re/ a
 *            PCRE2 search (unanchored); < <= > >= on numbers and times; uid, auid, pid, ... compare as numbers.
 *            `and` binds before `or`; two terms side by side without a word between are an error that says so;
 *            `not f:x` includes events without f. ASCII case is ignored everywhere. Lists match if any item does.
 *            Escapes in bare words: \ before any of  \ ( ) : < > " * { } / | and space; any other \ stands for itself.
 *            Inside quotes only \" and \\ are escapes. A value may hold `:` (time >= 2026-11-23T02:10:43Z).
 *            docs/query.md is the user's manual.
 * Errors:    XT_KQL_E_SYNTAX with column (from 1), sentence and hint ("did you mean user?"). -ENOMEM.
 * Limits:    XT_KQL_MAX_*. Regular expressions: XT_KQL_REGEX_SUBSET of PCRE2, what both back ends share.
 * Format:    xt_kql_print gives text that parses to the same tree.
 */
#pragma once
#include "base/arena.h"
#include "base/problem.h"
#include "event/schema.h"

enum {
    XT_KQL_E_SYNTAX = 1,
};

#define XT_KQL_MAX_BYTES    (64u << 10) /* of a query */
#define XT_KQL_MAX_DEPTH    64          /* of parentheses and `not` */
#define XT_KQL_MAX_TERMS    4096
#define XT_KQL_REGEX_SUBSET ". [] () | ? * + {n,m} ^ $ \\d \\w \\s and their capitals"

typedef enum xt_kql_kind {
    XT_KQL_ALL, /* matches everything (empty query) */
    XT_KQL_AND,
    XT_KQL_OR,
    XT_KQL_NOT,   /* left only */
    XT_KQL_EQUAL, /* field has this whole value (numbers compare as numbers) */
    XT_KQL_GLOB,  /* whole value against a pattern with * */
    XT_KQL_SUBSTRING,
    XT_KQL_REGEX,
    XT_KQL_EXISTS,
    XT_KQL_LESS,
    XT_KQL_LESS_EQUAL,
    XT_KQL_GREATER,
    XT_KQL_GREATER_EQUAL,
} xt_kql_kind;

typedef struct xt_kql_node {
    xt_kql_kind kind;
    struct xt_kql_node *left, *right;
    const xt_field_info *field; /* NULL with data_name set: auditd.data.NAME that is no row of the schema */
    xt_slice data_name;
    xt_slice text;   /* literal, pattern or expression; unescaped; GLOB keeps `\*` for a literal star */
    uint64_t number; /* of numeric fields and times (ms); INT cast */
    uint32_t column; /* where it began, for messages */
} xt_kql_node;

/* now_ms: what date math counts from. Tree and its text live in the arena. */
XT_MUST_USE int xt_kql_parse(xt_slice text, int64_t now_ms, xt_arena *arena, xt_kql_node **ret,
                             xt_problem *reterr_problem);
/* Flag of a computed column (query/kql_pipe.h) whose numbers have decimals. */
#define XT_COLUMN_REAL (1u << 16)
/* Whether two trees say the same (columns aside). */
bool xt_kql_equal(const xt_kql_node *a, const xt_kql_node *b);
void xt_kql_print(const xt_kql_node *node, xt_buf *out);
/* Stored fields that evaluating needs (virtual ones resolved to what they are made of). */
xt_field_set xt_kql_fields(const xt_kql_node *node);
/* Stored fields that a virtual or stored field is made of. */
xt_field_set xt_field_sources(xt_field field);
