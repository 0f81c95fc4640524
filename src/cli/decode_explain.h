/*
 * cli/decode_explain - exectrail decode --explain: where each field of an event comes from, as text or NDJSON
 *
 * Format:    NDJSON, one document an event: {"event":{"id","sequence","@timestamp"},
 *              "records":[{"type","source","line","offset","text","repeated"}],
 *              "fields":[{"name","value","rule","proved",
 *                         "from":[{"type","source","line","column","end","field","raw","how"}]}]}
 *            column and end count from 1, offset from 0. A text that is not clean (base/utf8) is escaped, and a key of
 *            its name with _escaped behind it is true.
 */
#pragma once
#include "base/opt.h"

/* The exit status: 1 also when no event was found or one could not be proved. */
int xt_decode_explain(const xt_opt_args *args);
