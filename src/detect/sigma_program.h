/*
 * detect/sigma_program - the tests that all rules of a set are made of, and the trees that join them
 *
 * Shape:     a test asks one thing of one field ("CommandLine contains '/dev/tcp/'"). Equal tests of different rules are
 *            one test, asked at most once per event. An expression joins tests by and, or and not.
 * Errors:    -ENOMEM; XT_SIGMA_E_BAD with a problem for values and fields that cannot be.
 * Ownership: a program owns its tests and fields; expressions stand in its arena.
 * Threads:   built by one, then read by many.
 */
#pragma once
#include "base/map.h"
#include "detect/sigma_yaml.h"
#include "event/event.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    XT_SIGMA_E_BAD = 1,
};

/* Which names a rule may use, and which events it is asked about. */
typedef enum xt_sigma_scope {
    XT_SIGMA_PROCESS, /* successful execs: Sigma's names, ECS names, aliases */
    XT_SIGMA_EVENT,   /* every event: ECS names, aliases, auditd.data.NAME */
} xt_sigma_scope;

typedef enum xt_sigma_source {
    XT_SIGMA_FIELD,  /* a field of the schema */
    XT_SIGMA_IMAGE,  /* EXE, and as a second value the path as it was called: SCRIPT, or PATH item 0 */
    XT_SIGMA_HASHES, /* HASH with its algorithm in front: SHA256=0123... */
    XT_SIGMA_DATA,   /* auditd.data.NAME that has no field of its own */
} xt_sigma_source;

typedef struct xt_sigma_field {
    xt_sigma_source source;
    xt_field field;
    xt_slice data_name;
} xt_sigma_field;

typedef enum xt_sigma_op {
    XT_SIGMA_EQ,
    XT_SIGMA_PREFIX,
    XT_SIGMA_SUFFIX,
    XT_SIGMA_CONTAINS,
    XT_SIGMA_GLOB,
    XT_SIGMA_RE,
    XT_SIGMA_EXISTS,
    XT_SIGMA_ABSENT,
    XT_SIGMA_LT,
    XT_SIGMA_LTE,
    XT_SIGMA_GT,
    XT_SIGMA_GTE,
} xt_sigma_op;

#define XT_SIGMA_MAX_GRAMS 4
#define XT_SIGMA_ANY_RUN   256 /* in a glob: any bytes, also none */
#define XT_SIGMA_ANY_ONE   257 /* in a glob: one byte */

typedef struct xt_sigma_test {
    uint32_t field;
    xt_sigma_op op;
    bool cased;
    xt_slice text;        /* what to find, in lower case unless cased */
    const uint16_t *glob; /* XT_SIGMA_GLOB: bytes and wildcards */
    size_t n_glob;
    pcre2_code *re;
    int64_t number;
    uint16_t grams[XT_SIGMA_MAX_GRAMS]; /* pairs of bytes that a containing text must hold, hashed */
    uint8_t n_grams;
} xt_sigma_test;

typedef enum xt_sigma_kind { XT_SIGMA_TEST, XT_SIGMA_AND, XT_SIGMA_OR, XT_SIGMA_NOT } xt_sigma_kind;

typedef struct xt_sigma_expr {
    xt_sigma_kind kind;
    uint32_t test;
    uint32_t line;                     /* of a test: where it stands in the file */
    uint32_t cost;                     /* rough nanoseconds: cheap ones are asked first */
    xt_slice name;                     /* of a test: the field as the rule names it */
    const struct xt_sigma_expr **kids; /* in order of cost */
    uint32_t n;
} xt_sigma_expr;

typedef struct xt_sigma_program {
    xt_arena arena;
    xt_sigma_test *tests;
    uint32_t n_tests, cap_tests;
    xt_sigma_field *fields;
    uint32_t n_fields, cap_fields;
    xt_map by_key; /* a test's key -> its number + 1 */
    pcre2_match_context *limits;
} xt_sigma_program;

XT_MUST_USE int xt_sigma_program_init(xt_sigma_program *program);
void xt_sigma_program_fini(xt_sigma_program *program);

/* The number of a field by the name that a rule uses; XT_SIGMA_E_BAD (with "did you mean") when there is none. */
XT_MUST_USE int xt_sigma_field_add(xt_sigma_program *program, xt_slice name, xt_sigma_scope scope, uint32_t *ret,
                                   xt_problem *reterr_problem);
/* Adds a test, or finds its equal. program takes test->re in any case. */
XT_MUST_USE int xt_sigma_test_add(xt_sigma_program *program, const xt_sigma_test *test, uint32_t *ret);

/* One node over kids (copied); a single kid of AND or OR is given back itself. */
XT_MUST_USE int xt_sigma_expr_join(xt_sigma_program *program, xt_sigma_kind kind, const xt_sigma_expr **kids, size_t n,
                                   const xt_sigma_expr **ret);
XT_MUST_USE int xt_sigma_expr_test(xt_sigma_program *program, uint32_t test, xt_slice name, uint32_t line,
                                   const xt_sigma_expr **ret);

const char *xt_sigma_op_name(xt_sigma_op op);

/* Where a pair of lower-case bytes falls in a text's signature of XT_SIGMA_GRAM_BITS bits. */
#define XT_SIGMA_GRAM_BITS 4096
static inline uint16_t xt_sigma_gram(uint8_t a, uint8_t b)
{
    return (uint16_t)(((unsigned)a << 6 ^ (unsigned)b * 37u) & (XT_SIGMA_GRAM_BITS - 1));
}
static inline char xt_sigma_lower(char c)
{
    return (uint8_t)(c - 'A') < 26 ? (char)(c | 0x20) : c;
}
