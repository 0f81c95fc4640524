/*
 * query/match - does one value match one term
 *
 * Shape:     a compiled term (xt_match) answers for a text, or for the encoded bytes of a column's entry: an item of
 *            a list, a name of PATHS, a field of RECORDS, the joined arguments. Numbers are a range of keys.
 * Errors:    XT_KQL_E_SYNTAX from compile (an expression that PCRE2 refuses); -ENOMEM.
 * Threads:   xt_match is read by many threads; an xt_match_run belongs to one.
 * Limits:    an expression gives up on a value after XT_MATCH_MAX_STEPS steps from one place: n_gave_up counts it,
 *            the value does not match.
 */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "query/kql.h"

#define XT_MATCH_MAX_STEPS 100000

typedef enum xt_match_form {
    XT_MATCH_NUMBER,  /* a stored number */
    XT_MATCH_TEXT,    /* the entry is the text */
    XT_MATCH_LIST,    /* any item */
    XT_MATCH_ARGC,    /* how many items, as a number */
    XT_MATCH_CMD,     /* the items joined by one space */
    XT_MATCH_NAMES,   /* any name of PATHS */
    XT_MATCH_DATA,    /* any field of RECORDS of that name */
    XT_MATCH_DERIVED, /* event.id and entity ids: stored, or made of other columns */
} xt_match_form;

typedef enum xt_match_op {
    XT_MATCH_EXISTS,
    XT_MATCH_RANGE, /* numbers */
    XT_MATCH_EQUAL,
    XT_MATCH_PREFIX,
    XT_MATCH_SUFFIX,
    XT_MATCH_PART,
    XT_MATCH_GLOB,
    XT_MATCH_REGEX,
} xt_match_op;

typedef struct xt_match {
    xt_match_form form;
    xt_match_op op;
    xt_field field; /* stored column; of DERIVED the field itself */
    xt_type type;
    xt_slice name; /* DATA */
    xt_slice text;
    xt_slice probe;    /* CMD: a word without a space that some argument must hold; may be empty */
    uint64_t min, max; /* RANGE, as xt_match_key; min > max: never */
    pcre2_code *regex;
    bool has_hash; /* EVENT_ID equal to 32 hex digits */
    xt_hash128 hash;
} xt_match;

typedef struct xt_match_run {
    xt_buf scratch;
    pcre2_match_data *match_data;
    pcre2_match_context *context;
    uint64_t n_gave_up;
    bool no_memory;
} xt_match_run;

#define XT_MATCH_RUN_INIT ((xt_match_run){.scratch = XT_BUF_INIT})
void xt_match_run_fini(xt_match_run *run);

XT_MUST_USE int xt_match_compile(const xt_kql_node *leaf, xt_arena *arena, xt_match *ret, xt_problem *reterr_problem);
void xt_match_fini(xt_match *match);

/* Signed and unsigned numbers as keys of one order. */
static inline uint64_t xt_match_key(xt_type type, uint64_t number)
{
    return type == XT_UINT ? number : number ^ (UINT64_C(1) << 63);
}
static inline bool xt_match_key_in(const xt_match *match, uint64_t key)
{
    return key - match->min <= match->max - match->min && match->min <= match->max;
}
bool xt_match_number(const xt_match *match, uint64_t number, xt_match_run *run);
bool xt_match_text(const xt_match *match, xt_slice text, xt_match_run *run);
/* An entry of the column `field`, as xt_column.dict holds it, or the same bytes of an event. */
bool xt_match_entry(const xt_match *match, xt_slice entry, xt_match_run *run);
/* Rough cost of one answer, to ask the cheap terms first. */
unsigned xt_match_cost(const xt_match *match);
