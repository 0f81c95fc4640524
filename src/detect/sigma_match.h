/*
 * detect/sigma_match - asking a program's expressions about one event
 *
 * Shape:     begin with an event, evaluate any number of expressions, end. Field values are fetched, and tests asked, when
 *            first needed, and remembered until the end.
 * Errors:    -ENOMEM (the arena is full) from begin and end: answers in between are then worth nothing.
 * Ownership: all memory is the arena's and may be reset behind the end.
 * Threads:   each has its own; programs are shared.
 * Limits:    a regex that passes its match limit counts as a match: text made to be slow is not thereby hidden.
 */
#pragma once
#include "detect/sigma_program.h"

struct xt_sigma_values;

typedef struct xt_sigma_match {
    const xt_sigma_program *program;
    const xt_event *event;
    xt_arena *arena;
    uint8_t *answers; /* per test: 0 not asked, 1 no, 2 yes */
    struct xt_sigma_values *values;
    pcre2_match_data *match_data;
    int error;
} xt_sigma_match;

XT_MUST_USE int xt_sigma_match_begin(xt_sigma_match *match, const xt_sigma_program *program, const xt_event *event,
                                     xt_arena *arena);
bool xt_sigma_match_eval(xt_sigma_match *match, const xt_sigma_expr *expr);
/* 0, or what went wrong in between. */
XT_MUST_USE int xt_sigma_match_end(xt_sigma_match *match);
/* The values of a field, for explanations: the i-th, or false. */
bool xt_sigma_match_value(xt_sigma_match *match, uint32_t field, size_t i, xt_slice *ret);

/* A successful exec whose arguments are known: what process_creation means. */
bool xt_sigma_is_process(const xt_event *event);
