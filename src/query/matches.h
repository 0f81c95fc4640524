/*
 * query/matches - which values of which dictionary match which term
 *
 * Shape:     per (source, leaf of the filter) a bit a value, found once a query by whichever thread needs it first, a
 *            chunk of the dictionary at a time; of a chunk whose filter says that no value can match nothing is read.
 * Errors:    -ENOMEM, XT_SCAN_E_DAMAGED, XT_MATCHES_E_ENDED.
 * Threads:   shared by those of a query, each with a reader and an xt_term_run of its own.
 */
#pragma once
#include "query/term.h"
#include "store/store.h"

enum {
    XT_MATCHES_E_ENDED = 5, /* `ended` said so */
};

typedef struct xt_matches xt_matches;

/* What was done for a leaf. */
typedef struct xt_matches_info {
    uint64_t n_chunks_read, n_chunks_skipped, n_values_looked_at, n_values_matched;
} xt_matches_info;

/* ended: asked between chunks of dictionaries; may be NULL. */
XT_MUST_USE int xt_matches_new(uint32_t n_sources, unsigned n_leaves, bool (*ended)(void *context), void *context,
                               xt_matches **ret);
xt_matches *xt_matches_free(xt_matches *matches); /* accepts NULL, returns NULL */
xt_matches_info xt_matches_info_get(const xt_matches *matches, unsigned leaf);

/* How a thread asks: about a leaf of the part at hand. */
typedef struct xt_matches_ask {
    xt_matches *matches;
    const xt_term *term;
    unsigned leaf;
    xt_scan_reader *reader;
    xt_arena *arena; /* for what is thrown away at the end of the call */
    xt_term_run *run;
    xt_problem *problem;
} xt_matches_ask;

/* Whether all of the dictionary should be asked before rows are looked at: it is small, or its filters tell much. */
bool xt_matches_is_cheap(const xt_term *term, const xt_dict *dict);
/* How many values of the whole dictionary match. */
XT_MUST_USE int xt_matches_count(const xt_matches_ask *ask, const xt_dict *dict, uint32_t *ret);
/*
 * ret_answers[local] for each local code of the column, 0 for 0; wanted[local]: the others need no answer (NULL: all
 * do). ret_answers: n_values + 1, zeroed by the caller. *ret_any: some wanted one matches.
 */
XT_MUST_USE int xt_matches_find(const xt_matches_ask *ask, const xt_column *column, const uint8_t *wanted,
                                uint8_t *ret_answers, bool *ret_any);
