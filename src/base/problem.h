/*
 * base/problem - what is wrong with input from outside, and where
 *
 * Shape:     one object for every reader (records, queries, rules, settings, requests): printed alike by the
 *            command line, the page and the log as   SOURCE:LINE:COLUMN: SENTENCE (near "EXCERPT"); HINT
 *            (with an offset alone: SOURCE: byte OFFSET: SENTENCE ...)
 * Units:     line and column count from 1, in bytes; 0 means "not known". offset is a byte offset from 0, -1 unknown.
 * Ownership: a value, no heap. Every function accepts NULL and then does nothing.
 */
#pragma once
#include "base/buf.h"

typedef struct xt_problem {
    char source[200];   /* file name, "query", rule file, peer address */
    uint64_t line;      /* from 1 */
    uint64_t column;    /* from 1 */
    int64_t offset;     /* from 0, -1 unknown */
    char sentence[400]; /* what is wrong, one sentence without a full stop */
    char hint[240];     /* what to do, may be empty */
    char excerpt[96];   /* the offending piece, control characters escaped; may be empty */
} xt_problem;

#define XT_PROBLEM_INIT ((xt_problem){.offset = -1})

/* Sets the sentence and forgets all else but the source. */
void xt_problem_set(xt_problem *problem, const char *format, ...) XT_PRINTF(2, 3);
void xt_problem_hint(xt_problem *problem, const char *format, ...) XT_PRINTF(2, 3);
void xt_problem_source(xt_problem *problem, const char *source);
void xt_problem_at(xt_problem *problem, uint64_t line, uint64_t column);
void xt_problem_at_offset(xt_problem *problem, int64_t offset);
/* Keeps the first bytes of s, made printable. */
void xt_problem_excerpt(xt_problem *problem, xt_slice s);
static inline bool xt_problem_is_set(const xt_problem *problem)
{
    return problem && problem->sentence[0] != '\0';
}
/* One line without a newline. */
void xt_problem_format(const xt_problem *problem, xt_buf *out);
