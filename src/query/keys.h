/*
 * query/keys - the fields that rows are grouped by, as small codes of a part and as values of the whole query
 *
 * Shape:     of a part each key has a code a row (0: absent); a code stands for one value, or for several where the field
 *            is a list. A value is a number of 64 bits that is the same in all parts and threads: of number fields
 *            itself, of texts the place of the text among those met. Each distinct value of a dictionary is looked at
 *            once a query.
 * Errors:    XT_KEYS_E_FULL, XT_SCAN_E_DAMAGED, -ENOMEM.
 * Ownership: what is loaded of a part lives in its arena; values and texts as long as the keys.
 * Threads:   keys are shared by those of a query.
 * Limits:    max_bytes of values and texts.
 */
#pragma once
#include "query/walk.h"

#define XT_KEYS_MAX 16 /* keys of one query */

enum {
    XT_KEYS_E_FULL = 4, /* max_bytes are used up */
};

typedef struct xt_keys xt_keys;
typedef struct xt_key_values {
    uint32_t n; /* 0: absent */
    uint64_t items[];
} xt_key_values;

/* A key of the part at hand. */
typedef struct xt_key_column {
    size_t k;
    const uint32_t *codes; /* by row; NULL: absent throughout */
    uint32_t n_codes;      /* with 0, absent */
    const xt_column *column;
    uint64_t *numbers;           /* of codes made here: number of code - 1 */
    xt_slice *texts;             /* or its text */
    const xt_key_values **known; /* by code, when it was asked for */
} xt_key_column;

XT_MUST_USE int xt_keys_new(const xt_query_key *keys, size_t n, uint32_t n_sources, size_t max_bytes, xt_keys **ret);
xt_keys *xt_keys_free(xt_keys *keys); /* accepts NULL, returns NULL */
/* Every row of the scan counts, so that every value of its dictionaries will be asked for. Before the first load. */
void xt_keys_want_all(xt_keys *keys);
/* Bytes used so far; more may be charged for what is kept beside. False: full. */
bool xt_keys_charge(xt_keys *keys, size_t n_bytes);
/* Stored fields that the keys are made of. */
xt_field_set xt_keys_fields(const xt_keys *keys);
XT_MUST_USE int xt_keys_load(const xt_keys *keys, const xt_walk_part *part, size_t k, xt_key_column *ret);
/* What a code stands for. */
XT_MUST_USE int xt_keys_values(xt_keys *keys, const xt_walk_part *part, xt_key_column *column, uint32_t code,
                               const xt_key_values **ret);
/* A value as text: interned, or written to `scratch` (32 bytes). When no thread adds any more. */
xt_slice xt_keys_text(const xt_keys *keys, size_t k, uint64_t value, char *scratch);
bool xt_keys_is_number(const xt_keys *keys, size_t k);
