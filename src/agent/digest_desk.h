/*
 * agent/digest_desk - digests for the exec events of a group that is about to be handed on
 *
 * Shape:     an event goes into the group with room for its digest, which is asked for (agent/exe_digest); before the group goes,
 *            what has been answered is filled in, and what has not been is taken out: that event is flagged `unhashed`. So events
 *            keep their order, and none waits longer than its group.
 * Errors:    put, fill: -ENOMEM. An asked process that is gone leaves all without.
 * Units:     offsets in the group's buffer.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/exe_digest.h"
#include "event/event.h"

#define XT_DIGEST_WAIT_MS 250 /* a group is kept back for that long at most */

typedef struct xt_digest_desk_stats {
    uint64_t n_known, n_unknown; /* events that went */
} xt_digest_desk_stats;

typedef struct xt_digest_desk xt_digest_desk;
/* fd: of the process; the caller closes it behind free. */
XT_MUST_USE int xt_digest_desk_new(int fd, xt_digest_desk **ret);
xt_digest_desk *xt_digest_desk_free(xt_digest_desk *desk); /* accepts NULL, returns NULL */
/* Appends the event to the group; a successful exec of a known file with room for its digest. */
XT_MUST_USE int xt_digest_desk_put(xt_digest_desk *desk, xt_event *event, xt_buf *group);
/* Sends what was asked, takes what was answered; never waits. */
void xt_digest_desk_turn(xt_digest_desk *desk);
bool xt_digest_desk_waits(const xt_digest_desk *desk); /* for answers */
/* Waits at most so long for all of them, then settles the group. It must not go before. */
XT_MUST_USE int xt_digest_desk_fill(xt_digest_desk *desk, int wait_ms, xt_buf *group);
xt_digest_desk_stats xt_digest_desk_stats_get(const xt_digest_desk *desk);
/* The other process has ended. */
bool xt_digest_desk_is_gone(const xt_digest_desk *desk);
