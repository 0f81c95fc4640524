/*
 * server/tombstone - what the ledger keeps of an erased segment: a signed JSON object
 *
 * Errors:    <0 errno.
 * Format:    docs/segment-format.md, "Tombstones"
 */
#pragma once
#include <jansson.h>

#include "server/ledger_key.h"

typedef struct xt_tombstone_text {
    xt_slice who, reason;
    xt_slice query, sha256; /* one of them is empty */
} xt_tombstone_text;

XT_MUST_USE int xt_tombstone_put(xt_buf *out, const xt_tombstone *tombstone, const xt_tombstone_text *text,
                                 const xt_ledger_key *key);
/*
 * NULL: it says what its row says, and that key signed it; else what is wrong. *ret_document (to be freed with json_decref,
 * NULL where it is no JSON) owns what *ret_text points at.
 */
const char *xt_tombstone_check(const xt_tombstone *tombstone, const xt_ledger_key *key, json_t **ret_document,
                               xt_tombstone_text *ret_text);
