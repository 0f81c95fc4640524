/*
 * cli/decode_stats - what a stream held: events by action and by flag, losses, rates
 *
 * Limits:    256 different names are counted apart.
 */
#pragma once
#include <stdio.h>

#include "event/decoder.h"

typedef struct xt_decode_stats xt_decode_stats;
/* The clocks start. */
XT_MUST_USE int xt_decode_stats_new(xt_decode_stats **ret);
xt_decode_stats *xt_decode_stats_free(xt_decode_stats *stats); /* accepts NULL, returns NULL */
void xt_decode_stats_see(xt_decode_stats *stats, const xt_event *event);
void xt_decode_stats_print(xt_decode_stats *stats, xt_decoder_stats read, FILE *to);
