/*
 * store/dict_filter - which 3-grams stand in the entries of a dictionary chunk
 *
 * Shape:     a set of bits, about two for each distinct 3-gram; a gram is three bytes side by side in the stored form, in
 *            lower case (ASCII), where the end of an item counts as a space (so that a list has the grams of its items
 *            joined by one space).
 * Limits:    says "may hold" where the literal is shorter than three bytes.
 * Format:    docs/segment-format.md, "Filters"
 */
#pragma once
#include "base/buf.h"

typedef struct xt_dict_grams xt_dict_grams;

XT_MUST_USE xt_dict_grams *xt_dict_grams_new(void);
xt_dict_grams *xt_dict_grams_free(xt_dict_grams *grams); /* accepts NULL, returns NULL */
void xt_dict_grams_add(xt_dict_grams *grams, xt_slice stored);
/* Appends the filter of what was added, and forgets it. */
void xt_dict_grams_put(xt_dict_grams *grams, xt_buf *out);

/* literal: in lower case. */
bool xt_dict_filter_may_hold(xt_slice filter, xt_slice literal);
