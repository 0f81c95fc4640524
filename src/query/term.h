/*
 * query/term - does one value match one term
 *
 * Shape:     a compiled term (xt_term) answers for a text, or for the encoded bytes of a column's entry: an item of
 *            a list, a name of PATHS, a field of RECORDS, the joined arguments. Numbers are a range of keys.
 * Errors:    XT_KQL_E_SYNTAX from compile (an expression that PCRE2 refuses); -ENOMEM.
 * Threads:   xt_term is read by many threads; an xt_term_run belongs to one.
 * Limits:    an expression gives up on a value after XT_TERM_MAX_STEPS steps from one place: n_gave_up counts it,
 *            the value does not match.
 */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "query/kql.h"

#define XT_TERM_MAX_STEPS 100000

typedef enum xt_term_form {
    XT_TERM_NUMBER,  /* a stored number */
    XT_TERM_TEXT,    /* the entry is the text */
    XT_TERM_LIST,    /* any item */
    XT_TERM_ARGC,    /* how many items, as a number */
    XT_TERM_CMD,     /* the items joined by one space */
    XT_TERM_NAMES,   /* any name of PATHS */
    XT_TERM_DATA,    /* any field of RECORDS of that name */
    XT_TERM_DERIVED, /* event.id and entity ids: stored, or made of other columns */
} xt_term_form;

typedef enum xt_term_op {
    XT_TERM_EXISTS,
    XT_TERM_RANGE, /* numbers */
    XT_TERM_EQUAL,
    XT_TERM_PREFIX,
    XT_TERM_SUFFIX,
    XT_TERM_PART,
    XT_TERM_GLOB,
    XT_TERM_REGEX,
} xt_term_op;

typedef struct xt_term {
    xt_term_form form;
    xt_term_op op;
    xt_field field; /* stored column; of DERIVED the field itself */
    xt_type type;
    xt_slice name; /* DATA */
    xt_slice text;
    xt_slice probe;         /* CMD: a word without a space that some argument must hold; may be empty */
    const xt_slice *pieces; /* what the text of a value that matches holds, each of 3 bytes or more, in lower case */
    size_t n_pieces;
    uint64_t min, max; /* RANGE, as xt_term_key; min > max: never */
    pcre2_code *regex;
    bool has_hash; /* EVENT_ID equal to 32 hex digits */
    xt_hash128 hash;
} xt_term;

typedef struct xt_term_run {
    xt_buf scratch;
    pcre2_match_data *match_data;
    pcre2_match_context *context;
    uint64_t n_gave_up;
    bool no_memory;
} xt_term_run;

#define XT_TERM_RUN_INIT ((xt_term_run){.scratch = XT_BUF_INIT})
void xt_term_run_fini(xt_term_run *run);

XT_MUST_USE int xt_term_compile(const xt_kql_node *leaf, xt_arena *arena, xt_term *ret, xt_problem *reterr_problem);
void xt_term_fini(xt_term *match);

/* Signed and unsigned numbers as keys of one order. */
static inline uint64_t xt_term_key(xt_type type, uint64_t number)
{
    return type == XT_UINT ? number : number ^ (UINT64_C(1) << 63);
}
static inline bool xt_term_key_in(const xt_term *match, uint64_t key)
{
    return key - match->min <= match->max - match->min && match->min <= match->max;
}
bool xt_term_number(const xt_term *match, uint64_t number, xt_term_run *run);
bool xt_term_text(const xt_term *match, xt_slice text, xt_term_run *run);
/* An entry of the column `field`, as its dictionary holds it, or the same bytes of an event. */
bool xt_term_entry(const xt_term *match, xt_slice entry, xt_term_run *run);
/* Every value that is there matches: none has to be looked at. */
bool xt_term_is_any(const xt_term *match);
/* Rough cost of one answer, to ask the cheap terms first. */
unsigned xt_term_cost(const xt_term *match);
