/*
 * server/silence - hosts that nobody hears of any more
 *
 * Shape:     a host whose last heartbeat is XT_SILENCE_MS old, or which has not come since the server began that long ago, is an event
 *            `silent-host`, once until it is back. One whose agent said that it stops is not silent, nor is one that is refused.
 *            When the clock was set, or the server stood still, time counts anew.
 * Threads:   one at a time.
 */
#pragma once
#include "base/map.h"
#include "server/hosts.h"

#define XT_SILENCE_MS 120000 /* an agent that a busy server sent away comes again sooner */

typedef struct xt_silence {
    int64_t began_ms, looked_ms;
    xt_map told; /* ids of hosts */
} xt_silence;

void xt_silence_init(xt_silence *silence, int64_t now_ms);
void xt_silence_fini(xt_silence *silence);
/* Looks every few seconds, however often it is called. now_ms: wall. -ENOMEM. */
XT_MUST_USE int xt_silence_look(xt_silence *silence, xt_hosts *hosts, xt_notes *notes, int64_t now_ms);
