/*
 * server/forward_bulk - what an answer to _bulk says of each document that was sent
 *
 * Shape:     the items of the answer are held against the documents, one by one and in their order: as many, each with the _id that was
 *            sent and a status. What the answer says of all together (`errors`) proves nothing and is not looked at.
 * Errors:    XT_SINK_E_AWAY with a problem: some have to be sent again (429, 5xx), or the answer is not one to these documents; which,
 *            nobody can say then, so all of them. <0 memory.
 * Source:    Elasticsearch's reference of the Bulk API.
 */
#pragma once
#include "server/forward_sink.h"

typedef struct xt_bulk_verdict {
    uint64_t n_refused; /* for good: another 4xx */
    char refusal[120];  /* why, of the last; empty: none */
} xt_bulk_verdict;

/* Of messages from .. to of a batch of the form BULK; all others but those refused are there. */
XT_MUST_USE int xt_bulk_answer_judge(xt_slice answer, const xt_forward_batch *batch, size_t from, size_t to,
                                     xt_bulk_verdict *ret, xt_problem *reterr_problem);
